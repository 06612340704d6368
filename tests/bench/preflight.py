"""5,000 inboxes in one process: memory, CPU and file descriptors. The servers run in a process of their own.

python -m tests.bench.preflight [INBOXES]
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from probe.facts import Inbox, Secret
from probe.fakes.dns import FakeDns
from probe.grammar.inboxes import Row
from probe.grammar.sheet import Record
from probe.run.domain import areas
from probe.run.preflight import Options, Preflight
from probe.wire.journal import Journal
from probe.wire.network import Network
from tests.fleet_world import Account, MailHost, ca_file

HOSTS = 25
DOMAINS = 500
LIMIT_MB = 300


class Anybody(dict[str, Account]):
    """Every login exists."""

    def get(self, _user: str, _other: object = None) -> Account:
        return Account("right")


async def serve() -> None:
    """The servers: their ports and the authority go to stdout; they last until stdin ends."""
    hosts = [await MailHost(f"mail{number}.test", Anybody()).__aenter__() for number in range(HOSTS)]
    zone = ["example. SOA ns.example. host.example. 1 1 1 1 1"]
    for number in range(DOMAINS):
        zone += [
            f'd{number}.example. TXT "v=spf1 -all"',
            f'_dmarc.d{number}.example. TXT "v=DMARC1; p=reject"',
        ]
    async with FakeDns("\n".join(zone)) as dns:
        told = {"ports": [host.port for host in hosts], "ca": ca_file(), "dns": dns.address}
        print(json.dumps(told), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        counted = sum((host.logins for host in hosts), Counter[str]())
    print(json.dumps({"logins": counted.total(), "most": max(counted.values())}), flush=True)


def descriptors() -> int:
    """How many file descriptors this process holds."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def probe(count: int, ports: list[int], ca: str, dns: str) -> None:
    """The client; its figures go to stdout."""
    rows = [
        Row(
            Record(number + 2, ""),
            Inbox(
                f"i{number}@d{number % DOMAINS}.example",
                Secret("right"),
                host=f"mail{number % HOSTS}.test",
                port=587,
            ),
        )
        for number in range(count)
    ]
    skip = tuple(name for name in areas() if name not in {"spf", "dmarc"})
    options = Options(at_once=300, per_host=20, brake=1000, skip=skip)
    hosts = {(f"mail{number}.test", 587): ("127.0.0.1", port) for number, port in enumerate(ports)}
    before, began, spent = descriptors(), time.monotonic(), time.process_time()
    kinds: Counter[str] = Counter()
    highest = 0
    folder = tempfile.TemporaryDirectory()
    journal = Journal(Path(folder.name) / "run.jsonl", "bench")
    journal.open()
    before += 1
    async with Network(ca_file=ca, servers=(dns,), hosts=hosts, helo="probe.test") as network:
        async for report in Preflight(lambda: rows, network, options, journal=journal).reports():
            kinds[f"{report.kind} {report.verdict}"] += 1
            highest = max(highest, descriptors()) if sum(kinds.values()) % 100 == 0 else highest
    journal.close()
    folder.cleanup()
    took, spent = time.monotonic() - began, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{count} inboxes in {took:.1f} s, CPU {1e3 * spent / count:.2f} ms each, at most {peak} MB")
    print(f"descriptors: {before} before, {highest} at most, {descriptors()} after; reports: {dict(kinds)}")
    assert peak < LIMIT_MB, f"more than {LIMIT_MB} MB"
    assert descriptors() <= before + 2, "descriptors leak"


def main() -> None:
    """Starts the servers, runs the client, asks the servers what they counted."""
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    command = [sys.executable, "-m", "tests.bench.preflight", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdin is not None
        assert servers.stdout is not None
        asyncio.run(probe(count, **json.loads(servers.stdout.readline())))
        servers.stdin.close()
        counted = json.loads(servers.stdout.readline())
    print(f"the servers counted {counted['logins']} logins, at most {counted['most']} of one account")
    assert counted == {"logins": count, "most": 1}


if __name__ == "__main__":
    main()
