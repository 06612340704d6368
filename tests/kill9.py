"""Kills runs with SIGKILL at random moments: nothing may be lost and no login may be tried twice.

    python -m tests.kill9 50

A list of inboxes is run and killed until it comes to its end, again and again, until so many kills are done.
After each list every inbox must be in the report, and the server must have seen each login at most once; one
that it saw and whose answer nobody wrote down must be reported as interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.fleet_world import Account, MailHost, ca_file

INBOXES = 40


async def run(arguments: list[str], state: Path, seconds: float | None) -> bool:
    """Runs the command; killed after so many seconds. Whether it came to its end."""
    env = {**os.environ, "XDG_STATE_HOME": str(state), "SSL_CERT_FILE": ca_file()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "probe", "preflight", *arguments),
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            _, said = await process.communicate()
    except TimeoutError:
        # It may end in this very moment; `process.kill` would then look, and take its code from who waits for it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        _, said = await process.communicate()
    if process.returncode == -signal.SIGKILL:
        return False
    if process.returncode not in {0, 3}:
        raise SystemExit(f"the run ended with {process.returncode}: {said.decode()[-800:]}")
    return True


async def one_list(folder: Path, most: int, chance: random.Random) -> tuple[int, int]:
    """One list to its end; how many kills it took, and how many logins were interrupted."""
    addresses = [f"i{number}@a.example" for number in range(INBOXES)]
    accounts = {one: Account("right", hang=chance.uniform(0, 0.05)) for one in addresses}
    file, report = folder / "inboxes.csv", folder / "report.jsonl"
    kills = 0
    async with MailHost("mail.own.test", accounts) as host:
        rows = "".join(f"{one},right,localhost,{host.port}\n" for one in addresses)
        file.write_text(f"email,password,host,port\n{rows}")
        file.chmod(0o600)
        arguments = [str(file), "--no-dns", "--resume", "-o", str(report)]
        while not await run(arguments, folder, chance.uniform(0.3, 1.0) if kills < most else None):
            kills += 1
        told = [json.loads(line) for line in report.read_text().splitlines()]
        twice = [one for one, count in host.logins.items() if count > 1]
        seen = set(host.logins)
    found = {one["subject"]: one for one in told if one["kind"] == "creds"}
    lost = [one for one in addresses if one not in found]
    interrupted = {
        name for name, one in found.items() if one["findings"][:1] and _id(one) == "preflight/interrupted"
    }
    wrong = [name for name, one in found.items() if name not in interrupted and one["outcome"] != "usable"]
    unseen = [name for name in addresses if name not in interrupted and name not in seen]
    if twice or lost or wrong or unseen:
        raise SystemExit(f"twice: {twice}\nlost: {lost}\nwrong: {wrong}\nusable without a login: {unseen}")
    return kills, len(interrupted)


def _id(report: dict[str, list[dict[str, str]]]) -> str:
    return report["findings"][0]["id"]


async def main(wanted: int) -> None:
    """So many kills; the figures go to stdout."""
    chance, kills, lists, interrupted = random.Random(), 0, 0, 0
    while kills < wanted:
        with tempfile.TemporaryDirectory() as folder:
            more, left = await one_list(Path(folder), wanted - kills, chance)
        kills, lists, interrupted = kills + more, lists + 1, interrupted + left
    print(f"{kills} kills over {lists} lists of {INBOXES}: 0 lost, 0 logins twice, {interrupted} interrupted")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
