"""Records of the DNS as text: the types an audit asks for by the thousand, the others through dnspython."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from functools import partial

from probe.wire._dns_names import Malformed, name

__all__ = ["Reader", "Value", "reader"]

Value = tuple[str, tuple[int, ...]]  # as in `Answer.values`, and the lengths of the strings of a TXT
Reader = Callable[[bytes, int, int], Value]  # of a message, between two offsets


def _target(data: bytes, at: int, end: int) -> str:
    """The host name that ends a record."""
    host, behind = name(data, at)
    if behind != end:
        raise Malformed("a name does not end with its record")
    return host or "."


def _host(data: bytes, at: int, end: int) -> Value:
    return _target(data, at, end), ()


def _mx(data: bytes, at: int, end: int) -> Value:
    return f"{data[at] << 8 | data[at + 1]} {_target(data, at + 2, end)}", ()


def _srv(data: bytes, at: int, end: int) -> Value:
    priority, weight, port = struct.unpack_from("!HHH", data, at)
    return f"{priority} {weight} {port} {_target(data, at + 6, end)}", ()


def _soa(data: bytes, at: int, _end: int) -> Value:
    server, at = name(data, at)
    mailbox, at = name(data, at)
    numbers = struct.unpack_from("!IIIII", data, at)
    return " ".join((server or ".", mailbox or ".", *map(str, numbers))), ()


def _txt(data: bytes, at: int, end: int) -> Value:
    parts: list[bytes] = []
    while at < end:
        following = at + 1 + data[at]
        if following > end:
            raise Malformed("a string is longer than its record")
        parts.append(data[at + 1 : following])
        at = following
    return b"".join(parts).decode("latin-1"), tuple(map(len, parts))


def _a(data: bytes, at: int, end: int) -> Value:
    return socket.inet_ntop(socket.AF_INET, data[at:end]), ()


def _aaaa(data: bytes, at: int, end: int) -> Value:
    return socket.inet_ntop(socket.AF_INET6, data[at:end]), ()


def _tlsa(data: bytes, at: int, end: int) -> Value:
    usage, selector, matching = data[at : at + 3]
    return f"{usage} {selector} {matching} {data[at + 3 : end].hex()}", ()


def _ds(data: bytes, at: int, end: int) -> Value:
    tag, algorithm, digest = struct.unpack_from("!HBB", data, at)
    return f"{tag} {algorithm} {digest} {data[at + 4 : end].hex()}", ()


_READERS: dict[int, Reader] = {
    1: _a, 2: _host, 5: _host, 6: _soa, 12: _host, 15: _mx, 16: _txt, 28: _aaaa, 33: _srv, 43: _ds,
    52: _tlsa, 99: _txt,
}  # fmt: skip


def _rare(kind: int, data: bytes, at: int, end: int) -> Value:
    """A record of any other type, in the words of dnspython."""
    import dns.exception  # noqa: PLC0415 - a tenth of a second that most runs never need
    import dns.rdata  # noqa: PLC0415

    try:
        one, rare = dns.rdataclass.RdataClass(1), dns.rdatatype.RdataType.make(kind)
        return dns.rdata.from_wire(one, rare, data, at, end - at).to_text(), ()
    except (dns.exception.DNSException, ValueError) as problem:
        raise Malformed(f"a record of type {kind} cannot be read: {problem}") from None


def reader(kind: int) -> Reader:
    """What reads a record of a type; it raises Malformed, IndexError, struct.error or OSError."""
    return _READERS.get(kind) or partial(_rare, kind)
