"""What this machine is like: its own addresses, its descriptors, its roots, its clock, its files.

Nothing here sends a byte; connections and questions go through the other windows of this room.
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import stat
from pathlib import Path

from probe.facts import Ending, Fault
from probe.wire import tls

__all__ = ["clock", "descriptors", "exposed", "own_addresses", "roots"]

# Addresses of documentation (RFC 5737, RFC 3849): a UDP socket "connects" there without sending anything,
# and the kernel tells which of our addresses it would use.
_OUTSIDE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_MOST_ROOTS = 5000


def own_addresses() -> dict[str, str]:
    """``ipv4`` and ``ipv6``: the address that packets to the Internet leave from; empty without a route."""
    found = {}
    for family, outside in _OUTSIDE:
        name = "ipv6" if family == socket.AF_INET6 else "ipv4"
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((outside, 9))
                found[name] = str(probe.getsockname()[0])
        except OSError:
            found[name] = ""
    return found


def descriptors() -> tuple[int, int]:
    """How many files may be open at once, now and at most; (0, 0) where the system does not say, -1: any."""
    try:
        import resource  # noqa: PLC0415  # there is none on some systems
    except ImportError:
        return 0, 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft, hard


def roots(ca_file: str = "") -> int:
    """How many root certificates are trusted; 0 where there are none or they cannot be read."""
    try:
        loaded = tls.verifying(ca_file).cert_store_stats()["x509_ca"]
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return 0
    if loaded or ca_file:
        return loaded
    directory = tls.root_directory()
    return min(sum(1 for _ in Path(directory).glob("*.0")), _MOST_ROOTS) if directory else 0


def clock() -> dt.datetime:
    """What this machine takes the time to be, in UTC."""
    return dt.datetime.now(dt.UTC)


def exposed(path: str) -> str | Fault:
    """Who else can read a file of secrets, in a sentence; empty where only its owner can."""
    try:
        status = os.stat(path)  # noqa: PTH116  # a link is followed: what counts is what it leads to
    except (OSError, ValueError) as problem:
        return Fault(Ending.LOCAL, f"cannot be looked at: {getattr(problem, 'strerror', None) or problem}")
    if not stat.S_ISREG(status.st_mode):
        return Fault(Ending.LOCAL, "is no ordinary file")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        others = "everybody" if status.st_mode & stat.S_IRWXO else "its group"
        return f"is open to {others} (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""
