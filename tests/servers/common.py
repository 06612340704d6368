"""What every real server needs: free ports, a certificate, patience."""

from __future__ import annotations

import shutil
import socket
import textwrap
import time
from pathlib import Path

import trustme

Ports = tuple[int, ...]


def missing(*programs: str) -> str:
    """The programs that are not installed, as a reason to skip; empty when all are."""
    path = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
    absent = [program for program in programs if not shutil.which(program, path=path)]
    return f"not installed: {', '.join(absent)}" if absent else ""


def free_ports(count: int) -> Ports:
    """Ports of loopback that nobody uses now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = tuple(one.getsockname()[1] for one in held)
    for one in held:
        one.close()
    return ports


def certificate(folder: Path) -> Path:
    """A CA and a certificate for localhost: ca.pem, good.pem, good.key in the folder that is returned."""
    tls = folder / "tls"
    tls.mkdir()
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(tls / "ca.pem"))
    leaf.private_key_pem.write_to_path(str(tls / "good.key"))
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(str(tls / "good.pem"), append=True)
    (tls / "good.key").chmod(0o644)  # a throw-away key that a daemon of another user reads
    return tls


def wait_for(port: int, *logs: Path) -> None:
    """Until the port answers; the logs are the failure's explanation."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    told = "\n".join(path.read_text(errors="replace")[-2000:] for path in logs if path.exists())
    raise AssertionError(f"port {port} did not open\n{told}")


def lines(text: str) -> str:
    """A configuration file out of an indented literal."""
    return textwrap.dedent(text).lstrip("\n")
