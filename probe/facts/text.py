"""Text that is safe to print and loses nothing, and the secret that is never printed."""

from __future__ import annotations

import re

__all__ = ["BARE", "Secret", "counted", "escape", "shortened", "unescape", "unmarked"]

BARE = "\\n"  # stands at the end of a line that ended in a bare LF

_PLAIN = re.compile(rb"[\x20-\x5b\x5d-\x7e]*\Z")
_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(\\)|(n))")


def escape(data: bytes) -> str:
    r"""Bytes of a peer as text that is safe to print and loses nothing.

    Printable UTF-8 stays; a backslash doubles; control, bidi, zero-width and line-separator
    characters and bytes that are not UTF-8 become ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``.
    `unescape` gives the bytes back.
    """
    if _PLAIN.match(data):
        return data.decode("ascii")
    out: list[str] = []
    for char in data.decode("utf-8", "surrogateescape"):
        point = ord(char)
        if char == "\\":
            out.append("\\\\")
        elif char.isprintable():
            out.append(char)
        elif 0xDC80 <= point <= 0xDCFF:
            out.append(f"\\x{point - 0xDC00:02x}")
        elif point < 0x80:
            out.append(f"\\x{point:02x}")
        elif point <= 0xFFFF:
            out.append(f"\\u{point:04x}")
        else:
            out.append(f"\\U{point:08x}")
    return "".join(out)


def unescape(text: str) -> bytes:
    """The bytes that `escape` was given."""
    out = bytearray()
    end = 0
    for found in _ESCAPED.finditer(text):
        out += text[end : found.start()].encode("utf-8", "surrogatepass")
        end = found.end()
        byte, short, long, backslash, newline = found.groups()
        if byte:
            out.append(int(byte, 16))
        elif short or long:
            out += chr(int(short or long, 16)).encode("utf-8", "surrogatepass")
        elif backslash:
            out += b"\\"
        elif newline:
            out += b"\n"
    out += text[end:].encode("utf-8", "surrogatepass")
    return bytes(out)


def unmarked(line: str) -> str:
    r"""A line without the mark of a bare LF; the ``\\n`` that a peer wrote itself is no such mark.

    A backslash of the peer's is doubled: where an even number of them stands before the n, all are its own.
    """
    if not line.endswith(BARE):
        return line
    words = line[: -len(BARE)]
    return line if (len(words) - len(words.rstrip("\\"))) % 2 else words


def counted(count: int, noun: str, plural: str = "") -> str:
    """So many of something: ``1 row``, ``2 rows``; the `plural` is told where it is made without an s."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def shortened(text: str, most: int) -> str:
    """The text, or what of its beginning finds room in `most` characters with three dots behind it."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


class Secret:
    """A password or token that cannot be printed, formatted, compared in the open or pickled.

    `reveal` is the one way out; `len` and truth are known, nothing else is.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the encoder that puts it on the wire and for redaction."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[object, ...]:
        message = "a Secret is never pickled"
        raise TypeError(message)
