"""Ordinary zone text, and what a resolver finds in it: wildcards, empty names, several zones."""

from __future__ import annotations

import re
from typing import Any, cast

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.tokenizer
import dns.zonefile

__all__ = ["Labels", "Record", "World", "ZoneError", "labels", "packed", "unpacked"]

_SOA = 6
_LONGEST = 65_000  # bytes of a record's data, which travels in a message of 65,535
_LONG = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_CHAR = re.compile(r"\\[0-9]{3}|\\.|.")

Labels = tuple[bytes, ...]
Record = tuple[int, bytes]  # TTL and data


class ZoneError(ValueError):
    """Zone text that cannot be read, with the line."""


def _cut(found: re.Match[str]) -> str:
    chars = _CHAR.findall(found[1])
    if len(chars) <= 255:
        return found[0]
    return " ".join('"' + "".join(chars[at : at + 255]) + '"' for at in range(0, len(chars), 255))


class _Collected:
    """What dnspython's reader of zone text writes to: any record anywhere, as real zones have them.

    Its own transactions refuse a second SOA and a CNAME beside other data.
    """

    def __init__(self) -> None:
        self.names: dict[Labels, dict[int, list[Record]]] = {}
        self.manager = self
        self._there: set[tuple[Labels, int, Record]] = set()

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        return dns.name.root, False, dns.name.root

    def check_put_rdataset(self, _check: object) -> None:
        """No check is made."""

    def _set_origin(self, _origin: object) -> None:
        """The reader keeps the origin itself."""

    def add(self, name: dns.name.Name, ttl: int, rdata: dns.rdata.Rdata) -> None:
        owner, kind, record = labels(name), int(rdata.rdtype), (ttl, rdata.to_wire() or b"")
        if len(record[1]) > _LONGEST:
            raise ValueError("a record is longer than a DNS message")
        if (owner, kind, record) not in self._there:
            self._there.add((owner, kind, record))
            self.names.setdefault(owner, {}).setdefault(kind, []).append(record)


def _read(text: str) -> dict[Labels, dict[int, list[Record]]]:
    """The records of zone text: by name, by type. Raises ZoneError."""
    collected = _Collected()
    tokens = dns.tokenizer.Tokenizer(_LONG.sub(_cut, text), filename="zone")
    reader = dns.zonefile.Reader(
        tokens,
        dns.rdataclass.IN,
        cast("Any", collected),
        allow_directives=("$ORIGIN", "$TTL"),  # $GENERATE makes any number of records out of one line
        default_ttl=300,
    )
    try:
        reader.read()
    except (dns.exception.DNSException, ValueError) as problem:
        raise ZoneError(f"the zone cannot be read: {problem}") from None
    return collected.names


def labels(name: dns.name.Name) -> Labels:
    """The labels of a name, in lower case."""
    return tuple(label.lower() for label in name.labels[:-1])


def unpacked(data: bytes) -> Labels:
    """The labels of a name in wire form, without compression."""
    found: list[bytes] = []
    at = 0
    while length := data[at]:
        found.append(data[at + 1 : at + 1 + length].lower())
        at += 1 + length
    return tuple(found)


def packed(name: Labels) -> bytes:
    """A name in wire form."""
    return b"".join(bytes((len(label),)) + label for label in name) + b"\0"


class World:
    """The zones, and what a resolver finds in them."""

    def __init__(self, text: str) -> None:
        self.names = _read(text)
        self.there = {name[at:] for name in self.names for at in range(len(name) + 1)}
        self.apexes = {name for name, types in self.names.items() if _SOA in types}

    def zone_of(self, name: Labels) -> Labels | None:
        """The apex of the zone that a name belongs to."""
        return next((name[at:] for at in range(len(name) + 1) if name[at:] in self.apexes), None)

    def node(self, name: Labels) -> dict[int, list[Record]] | None:
        """The records at a name, from a wildcard where one covers it; None: it does not exist."""
        if name in self.there:
            return self.names.get(name, {})
        for at in range(1, len(name) + 1):
            if name[at:] in self.there:  # the closest encloser: only its own wildcard counts
                return self.names.get((b"*", *name[at:]))
        return None
