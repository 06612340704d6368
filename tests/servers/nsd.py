"""NSD on loopback: a real authoritative server for the zones of a test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Nsd", "absent", "start", "stop"]

_CONFIGURATION = """
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/nsd.pid"
    logfile: "{folder}/nsd.log"
    xfrdfile: ""
    zonelistfile: "{folder}/zone.list"
    xfrdir: "{folder}"
    rrl-ratelimit: 0
    minimal-responses: no
remote-control:
    control-enable: no
"""


@dataclass
class Nsd:
    """A running server; `address` is ``127.0.0.1:port``."""

    address: str
    process: subprocess.Popen[bytes]


def absent() -> str:
    """Why this server cannot be started here; empty where it can."""
    return "" if shutil.which("nsd") else "NSD is not installed (Debian: apt-get install nsd)"


def start(folder: Path, zones: Mapping[str, str]) -> Nsd:
    """NSD with some zones, by apex; returns when it answers. RuntimeError where it does not."""
    named = ""
    for number, (apex, text) in enumerate(zones.items()):
        (folder / f"{number}.zone").write_text(text, "utf-8")
        named += f'zone:\n    name: "{apex}"\n    zonefile: "{number}.zone"\n'
    for _ in range(5):  # the port may be taken before NSD has it
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "nsd.conf").write_text(_CONFIGURATION.format(port=port, folder=folder) + named, "utf-8")
        command = [shutil.which("nsd") or "nsd", "-d", "-c", str(folder / "nsd.conf")]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            if process.poll() is not None:
                break
            if _answers(port):
                return Nsd(f"127.0.0.1:{port}", process)
            time.sleep(0.05)
        process.kill()
        process.wait()
    log = folder / "nsd.log"
    raise RuntimeError(
        f"NSD does not start: {log.read_text('utf-8', 'replace')[-2000:] if log.exists() else ''}"
    )


def stop(running: Nsd) -> None:
    """Ends the server and waits for it."""
    running.process.terminate()
    running.process.wait(timeout=10)


def _answers(port: int) -> bool:
    question = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04test\x00\x00\x06\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        try:
            asking.sendto(question, ("127.0.0.1", port))
            return len(asking.recv(4096)) > 12
        except OSError:
            return False
