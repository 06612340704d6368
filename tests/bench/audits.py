"""Audits of domains: questions, round trips, CPU and rate against checkdmarc and dnspython's resolver."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from tests.bench.clients._job import Job, Result
from tests.bench.domains import round_trips, zone
from tests.bench.measure import CLIENT_DEADLINE, ROOT, Line, Spread, median_ratio, rounds, table
from tests.servers import nsd

__all__ = ["audited"]

OURS, ASYNC, DMARC = "probe", "the same on dns.asyncresolver", "checkdmarc"
SHARE = {OURS: 1.0, ASYNC: 0.05, DMARC: 0.05}  # of the domains: slow ones need fewer for the same certainty


def audited(peers: Path, *, repeats: int, domains: int) -> Iterable[tuple[str, str, list[Line]]]:
    """Round trips against the fake DNS, then, where NSD is installed, effort."""
    yield _round_trips()
    if nsd.absent():
        return
    with tempfile.TemporaryDirectory(prefix="probe-bench-") as folder:
        running = nsd.start(Path(folder), zones(domains))
        try:
            yield _effort(running.address, peers, repeats, domains)
        finally:
            nsd.stop(running)


def _round_trips() -> tuple[str, str, list[Line]]:
    """Seconds of one audit where each answer takes a tenth of one, by the kind of domain."""
    waits = asyncio.run(round_trips(delay=0.1))
    shown = table(
        ("one audit", "round trips in a row"), ((kind, f"{wait:.1f}") for kind, wait in waits.items())
    )
    lines = [
        Line("round trips of an audit, at most", "-", max(waits.values()), 4.2, 4.2),
        Line("round trips of an audit without aliases", "-", waits["Google"], 4.2, 3.2),
    ]
    return "Round trips of an audit", shown, lines


def zones(count: int) -> Mapping[str, str]:
    """The world of `domains.zone` as zone files, by apex, for a real server."""
    records = [line for line in "".join(zone(count)).splitlines() if line]
    apexes: dict[str, list[str]] = {_owner(line): [] for line in records if " SOA " in line}
    for line in records:
        apexes[_apex(_owner(line), apexes)].append(_cut(line))
    return {apex: "$TTL 3600\n" + "\n".join(lines) + "\n" for apex, lines in apexes.items()}


def _owner(line: str) -> str:
    return line.split(maxsplit=1)[0].rstrip(".") or "."


def _apex(name: str, apexes: Iterable[str]) -> str:
    while name not in apexes:
        name = name.partition(".")[2] or "."
    return name


def _cut(line: str) -> str:
    """A TXT record's long string as several (RFC 1035 section 3.3.14)."""
    head, quote, text = line.partition('"')
    text = text.rstrip('"')
    return head + " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250)) if quote else line


def _effort(address: str, peers: Path, repeats: int, domains: int) -> tuple[str, str, list[Line]]:
    host, _, port = address.rpartition(":")
    foreign = peers / "peers" / "bin" / "python"
    programs = {
        OURS: [sys.executable, "-m", "tests.bench.clients.audits"],
        ASYNC: [sys.executable, "-m", "tests.bench.clients.audits"],
        DMARC: [str(foreign), str(Path(__file__).parent / "clients" / "with_checkdmarc.py")],
    }
    present = [OURS, ASYNC, *([DMARC] if foreign.exists() else [])]

    def once(name: str) -> Mapping[str, float]:
        count = max(5, int(domains * SHARE[name]))
        told = Job("", int(port), "", count, 100, "asyncresolver" if name == ASYNC else "", host=host)
        ran = subprocess.run(
            [*programs[name], json.dumps(asdict(told))],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=CLIENT_DEADLINE,
        )
        result = Result(**json.loads(ran.stdout.splitlines()[-1]))
        found = {"cpu": 1e6 * result.cpu / count, "rate": count / result.wall}
        asked, sent = map(int, result.note.split())
        found["messages"] = sent / count
        if name == OURS:
            found |= {"repeated": sent / asked, "questions": asked / count}
        return found

    measured = rounds(repeats, present, once)
    rows = (
        (name, own["cpu"].shown(), own["rate"].shown(), own["messages"].shown(1))
        for name, own in measured.items()
    )
    shown = table(("who", "CPU us a domain", "domains/s", "messages a domain"), rows)
    return "Effort of an audit", shown, list(_goals(measured, domains))


def _goals(measured: Mapping[str, Mapping[str, Spread]], domains: int) -> Iterator[Line]:
    ours = measured[OURS]
    yield Line(f"messages a distinct question, {domains:,} domains", "-", ours["repeated"].median, 1.05, 1.01)
    for name in (ASYNC, DMARC):
        if name in measured:
            yield Line("CPU a domain", name, median_ratio(ours["cpu"], measured[name]["cpu"]), 1 / 20, 1 / 60)
    if DMARC in measured:
        ratio = median_ratio(ours["rate"], measured[DMARC]["rate"])
        yield Line("domains/s", DMARC, ratio, 20, 60, more_is_better=True)
