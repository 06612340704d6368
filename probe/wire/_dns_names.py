r"""Names of the DNS: text to bytes and back (RFC 1035 sections 3.1, 4.1.4 and 5.1), and the numbers of types.

A name is bounded by its 255 bytes and by `_HOPS` compression pointers, which may only point backwards.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["Malformed", "NotAName", "encoded", "name", "number", "skip"]

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
    "NAPTR": 35, "DS": 43, "RRSIG": 46, "DNSKEY": 48, "TLSA": 52, "SVCB": 64, "HTTPS": 65, "SPF": 99,
    "CAA": 257,
}  # fmt: skip
_HOPS = 64
_PLAIN = re.compile(rb"[a-z0-9_-]+\Z")
_ESCAPE = re.compile(r"\\([0-9]{3}|.)", re.DOTALL)
_PIECE = re.compile(r"\\[0-9]{3}|\\.|[^\\]|\\", re.DOTALL)


class Malformed(ValueError):  # noqa: N818 - says what the bytes are
    """Bytes that are no answer to the question asked."""


class NotAName(ValueError):  # noqa: N818 - says what the text is
    """A text that is no name the DNS can carry (RFC 1035 section 3.1)."""


def _unescaped(found: re.Match[str]) -> str:
    given = found[1]
    return chr(int(given) & 0xFF) if len(given) == 3 else given


def _labels(name: str) -> list[str]:
    """The labels of a name as written; a dot that is escaped separates nothing."""
    if "\\" not in name:
        return name.split(".")
    labels = [""]
    for piece in _PIECE.findall(name):
        if piece == ".":
            labels.append("")
        else:
            labels[-1] += piece
    return labels


@lru_cache(maxsize=4096)
def _encoded(label: str) -> bytes:
    """A label in wire form: its length and its bytes. Names are many, their labels mostly the same."""
    try:
        raw = (_ESCAPE.sub(_unescaped, label) if "\\" in label else label).encode("latin-1")
    except UnicodeEncodeError:
        raise NotAName("a label holds characters that the DNS cannot carry") from None
    if not raw or b"\0" in raw:
        raise NotAName("a label is empty or holds a NUL")
    if len(raw) > 63:
        raise NotAName("a label is longer than 63 bytes")
    return bytes((len(raw),)) + raw


def encoded(name: str) -> bytes:
    r"""A name in wire form; ``\.`` and ``\DDD`` are escapes (RFC 1035 section 5.1). Raises NotAName."""
    if name in {"", "."}:
        return b"\0"
    out = b"".join(map(_encoded, _labels(name)))
    if len(out) > 254:
        raise NotAName("the name is longer than 255 bytes")
    return out + b"\0"


def number(kind: str) -> int:
    """The number of a record type: by name, or as ``TYPE65280`` (RFC 3597). Raises NotAName."""
    if kind in TYPES:
        return TYPES[kind]
    if re.fullmatch(r"TYPE[0-9]{1,5}", kind) and int(kind[4:]) < 65536:
        return int(kind[4:])
    raise NotAName(f"{kind[:20]} is no record type known here")


@lru_cache(maxsize=4096)
def _written(label: bytes) -> str:
    """A label as master files write it (RFC 1035 section 5.1), in lower case."""
    label = label.lower()
    if _PLAIN.match(label):
        return label.decode("ascii")
    return "".join(
        "\\" + chr(byte) if byte in b'."\\;()@$' else chr(byte) if 0x20 < byte < 0x7F else f"\\{byte:03d}"
        for byte in label
    )


def name(data: bytes, at: int) -> tuple[str, int]:
    """The name at an offset, and the offset behind it. Pointers may only point backwards."""
    labels: list[str] = []
    behind = -1
    hops = size = 0
    while length := data[at]:
        at += 1
        if length < 64:
            size += length + 1
            if size > 254:
                raise Malformed("a name is longer than 255 bytes")
            labels.append(_written(data[at : at + length]))
            at += length
            continue
        target = (length & 0x3F) << 8 | data[at]
        hops += 1
        if length < 0xC0 or target >= at - 1 or hops > _HOPS:
            raise Malformed("a name is compressed in a way that cannot be followed")
        if behind < 0:
            behind = at + 1
        at = target
    return ".".join(labels), behind if behind >= 0 else at + 1


def skip(data: bytes, at: int) -> int:
    """The offset behind the name at an offset, which is not read."""
    while (length := data[at]) and length < 64:
        at += 1 + length
    return at + (2 if length else 1)
