"""What people hand in: each bad input ends with its code and a sentence, without a traceback or a secret."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet_world import Account, MailHost, ca_file

PASSWORD = "zQ7-Xk9!hunter2-LEAKME"
USER = "sdr.one@fault.example"
HEADER = "email,password,host,port\n"


class Threaded:
    """A mail host in a thread of its own, for commands that run in a process of theirs."""

    def __init__(self, host: MailHost) -> None:
        self.host = host
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(host.__aenter__(), self.loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.host.__aexit__(None, None, None), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture(scope="module")
def served() -> Iterator[MailHost]:
    threaded = Threaded(MailHost("mail.fault.example", {USER: Account(PASSWORD)}))
    yield threaded.host
    threaded.close()


def run(arguments: list[str], state: Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "XDG_STATE_HOME": str(state), "SSL_CERT_FILE": ca_file(), "NO_COLOR": "1"}
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(
        [sys.executable, "-m", "probe", *arguments],
        capture_output=True,
        env=env,
        timeout=60,
        check=False,
        **more,
    )


ROWS = Path(__file__).parents[2] / "shared" / "data" / "hostile" / "input_faults.jsonl"
FAULTS = (
    [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.is_file() else []
)
LISTS = [
    row
    for row in FAULTS
    if "--csv" in row["input"]["args"] and "gen" not in str(row["input"]["files"].get("in.csv"))
]


@pytest.mark.skipif(not FAULTS, reason="../shared is not there")
@pytest.mark.parametrize("row", LISTS, ids=lambda row: row["id"])
def test_a_bad_list_ends_as_it_must(row: dict[str, Any], served: MailHost, tmp_path: Path) -> None:
    for name, file in row["input"]["files"].items():
        path = tmp_path / name
        if file.get("dir"):
            path.mkdir()
            continue
        data = bytes.fromhex(file["hex"]) if "hex" in file else file["text"].encode()
        path.write_bytes(data.replace(b"{host}", b"localhost").replace(b"{port}", str(served.port).encode()))
        path.chmod(int(file.get("mode", "600"), 8))
    if row["id"] == "file-unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    served.logins.clear()
    arguments = [word.replace("{in}", str(tmp_path)) for word in row["input"]["args"]]
    ran = run([*arguments, "--timeout", "5"], tmp_path / "state")
    said = ran.stdout + ran.stderr
    assert ran.returncode in row["expected"]["exit"], said.decode()
    assert served.logins.total() <= row["expected"]["auth_max"]
    assert b"Traceback" not in said
    assert b"LEAKME" not in said
    assert ran.returncode != 2 or (ran.stderr.startswith(b"probe: ") and not ran.stdout)
    assert not [byte for byte in said if byte < 32 and byte not in b"\n"]
