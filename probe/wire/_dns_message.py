"""DNS messages (RFC 1035 section 4): questions to bytes, bytes to answers. No socket, no state.

Everything is bounded: a name as in `_dns_names`, a chain of aliases by `_ALIASES`, a message by its 64 KiB.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache

from probe.facts import Answer, Status
from probe.wire import _dns_names as names
from probe.wire._dns_names import Malformed, NotAName
from probe.wire._dns_records import Value, reader

__all__ = [
    "Malformed",
    "NotAName",
    "Unfinished",
    "asked",
    "headless",
    "plain",
    "query",
    "read",
    "truncated",
]

LIMIT = 1232  # bytes of an answer over UDP that no path fragments (the DNS flag day of 2020)
_ALIASES = 16
_RCODES = {
    0: Status.NODATA,
    1: Status.FORMERR,
    2: Status.SERVFAIL,
    3: Status.NXDOMAIN,
    4: Status.NOTIMP,
    5: Status.REFUSED,
}
# What a resolver says beside its RCODE (RFC 8914 section 4), where it explains a failure.
_EXTENDED = {
    6: "DNSSEC Bogus",
    7: "Signature Expired",
    8: "Signature Not Yet Valid",
    9: "DNSKEY Missing",
    10: "RRSIGs Missing",
    12: "NSEC Missing",
    15: "Blocked",
    16: "Censored",
    17: "Filtered",
    18: "Prohibited",
    20: "Not Authoritative",
    22: "No Reachable Authority",
    23: "Network Error",
    24: "Invalid Data",
}
_NS, _CNAME, _SOA, _OPT = 2, 5, 6, 41  # numbers of record types
_EXPLANATION = 15  # the EDNS option of RFC 8914
_BADVERS = 16  # the RCODE of RFC 6891 section 9
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSIVE, _AUTHENTIC = 0x8000, 0x0400, 0x0200, 0x0080, 0x0020
_ASK_RECURSION, _ASK_AUTHENTIC = 0x0100, 0x0020
_EDNS = b"\x00" + struct.pack("!HHIH", _OPT, LIMIT, 0, 0)
_HEADER = struct.Struct("!HHHHH")  # without the id: flags, then how many records each section has
_DIRECT = _HEADER.pack(_ASK_AUTHENTIC, 1, 0, 0, 1)
_RECURSING = _HEADER.pack(_ASK_RECURSION | _ASK_AUTHENTIC, 1, 0, 0, 1)
_TEXTS = frozenset({16, 99})
_FIXED = struct.Struct("!HHIH")
_TO_QUESTION = b"\xc0\x0c"  # how nearly every record of an answer names its owner
_SIMPLE = re.compile(r"[a-z0-9_.-]+\Z")


class Unfinished(Exception):  # noqa: N818 - no error: the answer stops at an alias
    """An alias without its end: `aliases` lead to a name that must be asked for."""

    def __init__(self, aliases: tuple[str, ...]) -> None:
        super().__init__(aliases)
        self.aliases = aliases


# -- questions ------------------------------------------------------------------------------------


def query(name: str, kind: str, *, recurse: bool = True) -> bytes:
    """A query with EDNS (RFC 6891) but without its id: two bytes come before this.

    The AD bit asks whether the resolver validated (RFC 6840 section 5.7). Without EDNS it is `plain`.
    """
    return (_RECURSING if recurse else _DIRECT) + names.encoded(name) + _ending(kind)


@lru_cache(maxsize=64)
def _ending(kind: str) -> bytes:
    """What follows the name in a query: type, class and OPT."""
    return struct.pack("!HH", names.number(kind), 1) + _EDNS


def plain(body: bytes) -> bytes:
    """The same query without EDNS, for a server that drops or refuses it."""
    return body[:8] + b"\0\0" + body[10 : -len(_EDNS)]


# -- answers --------------------------------------------------------------------------------------


def truncated(data: bytes) -> bool:
    """Whether the answer says that it is cut short (the TC bit)."""
    return bool(data[2] & _TRUNCATED >> 8)


def read(data: bytes, body: bytes, name: str, kind: str, server: str = "") -> Answer:
    """The answer in `data` to the query whose body (without id) was `body`. Raises Malformed.

    Only records of the name itself and of the aliases that lead on from it are believed. An answer
    without any is NODATA or NXDOMAIN, never a guess: a referral or records of other names come back
    as failures that say so, an alias without its end raises Unfinished.
    """
    try:
        return _read(data, body, name, kind, server)
    except (IndexError, struct.error, OSError, ValueError) as problem:
        if isinstance(problem, Malformed):
            raise
        raise Malformed("the message ends in the middle of a record") from None


def headless(data: bytes) -> bool:
    """Whether a bare header says FORMERR or NOTIMP: how old servers refuse EDNS (RFC 6891 section 7)."""
    return len(data) == 12 and bool(data[2] & 0x80) and data[3] & 0xF in {1, 4} and data[4:6] == b"\0\0"


def asked(data: bytes, body: bytes) -> bool:
    """Whether a message is a response to this very question, letter case aside (RFC 5452 section 9)."""
    end = body.index(b"\0", 10) + 5  # no label byte of ours is NUL: see `encoded`
    mine, theirs = body[10:end], data[12 : end + 2]
    return (
        len(data) >= 12
        and bool(data[2] & 0x80)
        and data[4:6] == b"\0\1"
        and (mine == theirs or mine.lower() == theirs.lower())
    )


def _read(data: bytes, body: bytes, name: str, kind: str, server: str) -> Answer:
    flags, _, answers, authorities, additional = _HEADER.unpack_from(data, 2)
    if not flags & _RESPONSE:
        raise Malformed("not a response")
    wanted = names.number(kind)
    if not _SIMPLE.match(name):
        name = names.name(data, 12)[0]
    at = body.index(b"\0", 10) + 7
    authentic = bool(flags & _AUTHENTIC)
    rcode = flags & 0xF
    aliases: tuple[str, ...] = ()
    if answers:
        found, at = _answers(data, at, answers, name, wanted)
        aliases, values, ttl = found.follow(name)
        if values and not rcode:
            # Servers shuffle (RFC 1034 section 3.6: order is not significant); two runs must say the same.
            told = sorted(set(values)) if wanted in _TEXTS else dict.fromkeys(values)
            texts, chunks = zip(*told, strict=True)
            chunks = chunks if wanted in _TEXTS else ()
            return Answer(Status.OK, texts, ttl, server, aliases, chunks, authentic)
        if not found.about and not rcode:
            raise Malformed("the answer holds records of other names only")
    negative, referral, at = _authority(data, at, authorities)
    extended, said, at = _edns(data, at, additional)
    if at != len(data):
        raise Malformed("the message ends elsewhere than it says")
    rcode |= extended << 4
    status = _RCODES.get(rcode, Status.SERVFAIL)
    detail = said or (f"RCODE {rcode}" if rcode > 5 else "")
    if rcode == _BADVERS:
        status = Status.FORMERR  # this server wants no EDNS of ours
    if negative is None and status is Status.NODATA:
        if referral and not flags & (_AUTHORITATIVE | _RECURSIVE):
            return Answer(Status.REFUSED, server=server, detail="a referral: this server does not resolve")
        if aliases:
            raise Unfinished(aliases)
    return Answer(status, (), negative or 0, server, aliases, (), authentic, detail)


class _Found:
    """The records of an answer section that matter: by owner, the values, the aliases and the TTLs."""

    __slots__ = ("about", "lives", "values", "ways")

    def __init__(self) -> None:
        self.values: dict[str, list[Value]] = {}
        self.ways: dict[str, str] = {}
        self.lives: dict[str, int] = {}
        self.about = False  # whether any record is about the name that was asked for

    def follow(self, name: str) -> tuple[tuple[str, ...], list[Value], int]:
        """The aliases from `name` on, the values at their end, and the smallest TTL on the way."""
        aliases: list[str] = []
        ttl = self.lives.get(name, 0)
        owner = name
        while owner not in self.values and owner in self.ways:
            owner = self.ways[owner]
            if owner == name or owner in aliases:
                raise Malformed("the aliases run in a circle")
            aliases.append(owner)
            if len(aliases) > _ALIASES:
                raise Malformed(f"more than {_ALIASES} aliases in a row")
            ttl = min(ttl, self.lives.get(owner, ttl))
        return tuple(aliases), self.values.get(owner, []), ttl


def _answers(data: bytes, at: int, count: int, name: str, wanted: int) -> tuple[_Found, int]:
    """What the answer section holds, and the offset behind it."""
    found = _Found()
    read = reader(wanted)
    for _ in range(count):
        if data[at : at + 2] == _TO_QUESTION:
            owner, at = name, at + 2
        else:
            owner, at = names.name(data, at)
        kind, family, life, length = _FIXED.unpack_from(data, at)
        at += 10
        end = at + length
        if end > len(data):
            raise Malformed("a record is longer than the message")
        found.about = found.about or owner == name
        if family == 1 and kind in (wanted, _CNAME):
            life = 0 if life > 0x7FFFFFFF else life  # RFC 2181 section 8
            found.lives[owner] = min(life, found.lives.get(owner, life))
            if kind == wanted:
                found.values.setdefault(owner, []).append(read(data, at, end))
            else:
                found.ways[owner] = names.name(data, at)[0]
        at = end
    return found, at


def _authority(data: bytes, at: int, count: int) -> tuple[int | None, bool, int]:
    """How long a negative answer may be kept (RFC 2308 section 5), whether this refers elsewhere."""
    negative: int | None = None
    servers = False
    for _ in range(count):
        at = names.skip(data, at)
        kind, _, life, length = _FIXED.unpack_from(data, at)
        at += 10
        if kind == _SOA and length >= 4:
            negative = min(life, *struct.unpack_from("!I", data, at + length - 4))
        servers |= kind == _NS
        at += length
    return negative, servers, at


def _edns(data: bytes, at: int, count: int) -> tuple[int, str, int]:
    """The upper bits of the RCODE, what is said about a failure (RFC 8914), and the offset behind."""
    upper, said = 0, ""
    for _ in range(count):
        at = names.skip(data, at)
        kind, _, flags, length = _FIXED.unpack_from(data, at)
        at += 10
        if kind == _OPT:
            upper = flags >> 24
            said = _extended(data[at : at + length]) if length else ""
        at += length
    return upper, said, at


def _extended(options: bytes) -> str:
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from("!HH", options, at)
        if code == _EXPLANATION and length >= 2:
            return _EXTENDED.get(struct.unpack_from("!H", options, at + 4)[0], "")
        at += 4 + length
    return ""
