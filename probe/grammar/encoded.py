"""How a secret may be written down: its codings, and its bare letters and digits, without punctuation.

Both are given in lower case, because a server may change the case of what it echoes: the text they are
looked for in is lowered as well.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import html
import itertools
import json
import quopri
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from enum import Enum

__all__ = ["SHORTEST", "TELLING", "Reading", "forms", "places", "readings", "skeletons"]

SHORTEST = 4  # a shorter secret cannot be told from ordinary text
TELLING = 8  # so many letters and digits match by no accident, unless they are a word or a number
_NUMBERS = 12  # so many digits, or letters of a word, in a row match by no accident

_MIXED = 6  # so many letters and digits without what stands between them

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def forms(plain: str) -> set[bytes]:
    """Every way a secret is commonly written down in one piece."""
    data = plain.encode()
    digits, spaced = data.hex(), data.hex(" ")
    written = {
        data,
        data[::-1],
        plain[::-1].encode(),
        plain.upper().encode(),
        plain.lower().encode(),
        urllib.parse.quote(plain, safe="").encode(),
        urllib.parse.quote_plus(plain).encode(),
        html.escape(plain).encode(),
        html.escape(plain, quote=False).encode(),
        json.dumps(plain)[1:-1].encode(),
        quopri.encodestring(data).strip(),
        digits.encode(),
        spaced.encode(),
        spaced.replace(" ", ":").encode(),
        plain.encode("utf-16-le").hex().encode(),
        f"%{spaced.replace(' ', '%')}".encode(),
        base64.b64encode(data).rstrip(b"="),
        base64.b32encode(data).rstrip(b"="),
        base64.b64encode(base64.b64encode(data)).rstrip(b"="),
        base64.b64encode(data).rstrip(b"=")[::-1],
        data[::-1].hex().encode(),
        codecs.encode(plain, "rot13").encode(),
    }
    with contextlib.suppress(UnicodeEncodeError):
        written.add(plain.encode("latin-1"))
    for core in (*_cores(data), *_cores(plain.encode("utf-16-le"))):
        written.update((core, core.translate(_URL_SAFE)))
    return {form.lower() for form in written if len(form) >= SHORTEST} if len(data) >= SHORTEST else set()


def _cores(data: bytes) -> Iterator[bytes]:
    """What stays the same of the base64 wherever the data stands in a longer text (RFC 4648 section 4)."""
    for offset in range(3):
        first, last = -(-8 * offset // 6), 8 * (offset + len(data)) // 6
        yield base64.b64encode(b"\0" * offset + data)[first:last]


# -- without punctuation --------------------------------------------------------------------------

# One character in the coding of HTML, a link, quoted-printable, JSON or a programming language, perhaps coded
# twice; and what may stand between two letters: invisible characters, and punctuation outside ASCII.
_CODE = re.compile(
    rb"""[&=%\\0\xc2\xe2\xe3\xef](?:
    (?<=&)(?:amp;){0,4}(?:\#(?P<decimal>[0-9]{1,7});?|\#x(?P<hexadecimal>[0-9a-f]{1,6});?|(?P<entity>[a-z]{2,8});)
    |(?<=[=%])(?:25|3d){0,4}(?P<byte>[0-9a-f]{2})
    |(?<=\\)\\{0,3}u(?:(?:0000)?(?P<point>[0-9a-f]{4})|\{(?P<scalar>[0-9a-f]{1,6})\})
    |(?<=\\)\\{0,3}(?:x(?P<value>[0-9a-f]{2})|(?P<octal>[0-3][0-7]{2}))
    |(?<=0)x(?P<number>[0-9a-f]{2})(?![0-9a-f])
    |(?<=\xc2)[\x80-\xbf]|(?<=\xe2)[\x80\x81][\x80-\xbf]|(?<=\xe3)\x80\x80|(?<=\xef)(?:\xb8[\x80-\x8f]|\xbb\xbf)
    |(?<=\xef)(?P<wide>\xbc[\x81-\xbf]|\xbd[\x80-\x9e])
    )""",
    re.VERBOSE,
)
_OCTAL = tuple(map("".join, itertools.product("0123", "01234567", "01234567")))  # of each byte
_WIDER = 0xFEE0  # between an ASCII character and its full-width form
_PUNCTUATION = bytes(byte for byte in range(128) if not chr(byte).isalnum())


def _meant(code: re.Match[bytes]) -> bytes:
    """The lower-case bytes that a code stands for; none for what is no character."""
    kind, digits = code.lastgroup, code[code.lastgroup or 0].decode("ascii", "replace")
    if kind == "entity":
        named = html.unescape(f"&{digits};")
        return b"" if named.startswith("&") else named.encode().lower()
    if kind in {"byte", "value", "number"}:
        return bytes((int(digits, 16),)).lower()
    if kind == "octal":
        return bytes((int(digits, 8),)).lower()
    if kind == "wide":  # a letter as wide as a Chinese one
        return chr(ord(code[0].decode()) - _WIDER).lower().encode()
    if kind is None:
        return b""
    number = int(digits, 10 if kind == "decimal" else 16)
    return chr(number).encode("utf-8", "ignore").lower() if number <= 0x10FFFF else b""


class Reading(Enum):
    """What is read of a text without its punctuation."""

    PLAIN = "its letters and digits as they stand"
    DECODED = "the same, every code read as what it stands for"
    CODES = "what the codes alone stand for"


def readings(text: bytes) -> Iterator[tuple[Reading, bytes]]:
    """The readings of a lower-case text; of one without codes, the first."""
    yield Reading.PLAIN, text.translate(None, _PUNCTUATION)
    whole: list[bytes] = []
    codes: list[bytes] = []
    at = 0
    for code in _CODE.finditer(text):
        codes.append(_meant(code))
        whole += text[at : code.start()], codes[-1]
        at = code.end()
    if codes:
        yield Reading.DECODED, b"".join((*whole, text[at:])).translate(None, _PUNCTUATION)
        yield Reading.CODES, b"".join(codes).translate(None, _PUNCTUATION)


def places(text: bytes, how: Reading) -> list[tuple[int, int]]:
    """Where each byte of a reading stands in the text: begin and end."""
    found: list[tuple[int, int]] = []
    at = 0
    for code in () if how is Reading.PLAIN else _CODE.finditer(text):
        if how is Reading.DECODED:
            found += _letters(text, at, code.start())
        found += [code.span() for byte in _meant(code) if byte not in _PUNCTUATION]
        at = code.end()
    return found if how is Reading.CODES else [*found, *_letters(text, at, len(text))]


def _letters(text: bytes, start: int, end: int) -> list[tuple[int, int]]:
    return [(at, at + 1) for at in range(start, end) if text[at] not in _PUNCTUATION]


def skeletons(plain: str) -> Mapping[Reading, list[bytes]]:
    """The letters and digits of a secret, of its base64 and of the numbers of its bytes, for each reading.

    Short ones, which may be mere words or numbers, are left out, except in `Reading.CODES`: nobody writes
    ordinary words letter by letter in codes.
    """
    data = plain.encode()
    bare = dict(readings(data.lower()))
    letters = {
        bare[Reading.PLAIN],
        bare.get(Reading.DECODED, b""),
        base64.b64encode(data).lower().translate(None, _PUNCTUATION),
    }
    telling = [one for one in letters if len(one) >= _least(one)]
    binary = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
    numbers = {data.hex(), "".join(map(str, data)), "".join(map(_OCTAL.__getitem__, data)), binary}
    return {
        Reading.PLAIN: [*telling, *(one.encode() for one in numbers if len(one) >= _NUMBERS)],
        Reading.DECODED: telling,
        Reading.CODES: [one for one in (bare[Reading.PLAIN],) if len(one) >= SHORTEST],
    }


def _least(letters: bytes) -> int:
    """How many in a row match by no accident."""
    return _NUMBERS if letters.isalpha() or letters.isdigit() else _MIXED
