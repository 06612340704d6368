"""How to read a mail: headers and leaf parts (RFC 5322, RFC 2045 to 2047), bounded in every direction.

Bounces are broken more often than other mail: bare LFs, boundaries that are declared and never used, charsets
that lie, a copy of the message cut in the middle. Whatever comes, `mail` answers; what is beyond a limit is
left out and `cut` says so.
"""

from __future__ import annotations

import binascii
import codecs
import html
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["MAX_MAIL", "STATUS", "Mail", "Part", "fields_of", "mail", "plain"]

MAX_MAIL = 16 * 1024 * 1024  # bytes of a mail that are looked at
MAX_DEPTH = 12  # multiparts inside each other
MAX_PARTS = 64
MAX_TEXT = 1024 * 1024  # bytes of a text part that are decoded
MAX_STATUS = 8 * 1024 * 1024  # bytes of a delivery status: some 30,000 recipients
MAX_HEADERS = 64 * 1024
# A delivery status (RFC 3464, and RFC 6533 for international addresses).
STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})

_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*(.*)", re.DOTALL)
_PARAM = re.compile(r";\s*([\w*-]{1,32})\s*=\s*(?:\"([^\"]{0,250})\"|([^\s;\"]{1,250}))")
_WORD = re.compile(r"=\?([\w-]{1,40})(?:\*[\w-]{1,20})?\?([bqBQ])\?([^?\s]{0,2000})\?=(?:\s+(?==\?))?")
_COUNTED = re.compile(rb"([0-9]{1,9}) *\r?\n")  # how Apple's files (.emlx) begin, with the size of the mail
_SPLIT = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf: its type in lower case and its text, decoded; `within` tells the multipart it stands in.

    `raw` is a message's own bytes: its charsets are told inside it.
    """

    kind: str
    text: str
    within: str = ""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail: header fields in order (names in lower case, values unfolded, words read) and its leaves."""

    headers: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    kind: str = "text/plain"
    cut: bool = False

    def header(self, name: str) -> str:
        """The first field of that name; empty where there is none."""
        return next((value for key, value in self.headers if key == name), "")


def mail(data: bytes) -> Mail:
    """The mail that `data` is; total, so anything is a mail of some kind."""
    cut = len(data) > MAX_MAIL
    data = data[:MAX_MAIL].lstrip(b"\r\n")
    if counted := _COUNTED.match(data):
        data = data[counted.end() : counted.end() + int(counted[1])]
    if b"\n" not in data[:MAX_HEADERS]:
        data = data.replace(b"\r", b"\n")
    if data.startswith((b"From ", b">From ")) and (end := data.find(b"\n")) >= 0:
        data = data[end + 1 :]
    headers, body = _halves(data)
    fields = fields_of(headers)
    parts: list[Part] = []
    for part in _leaves(fields, body, "", 0):
        parts.append(part)
        if len(parts) == MAX_PARTS:
            cut = True
            break
    kind = _content_type(dict(reversed(fields)))[0]
    return Mail(tuple(fields), tuple(parts), kind, cut)


def _halves(data: bytes) -> tuple[bytes, bytes]:
    if data.startswith((b"\n", b"\r\n")):  # an entity without header fields
        return b"", data.lstrip(b"\r\n")
    found = _SPLIT.search(data, 0, MAX_HEADERS)
    return (data[: found.start()], data[found.end() :]) if found else (data[:MAX_HEADERS], data[MAX_HEADERS:])


def fields_of(block: bytes | str) -> list[tuple[str, str]]:
    """The header fields of a block, unfolded; lines that are no field end nothing and say nothing."""
    text = block.decode("utf-8", "replace") if isinstance(block, bytes) else block
    found: list[tuple[str, list[str]]] = []
    for line in text[:MAX_HEADERS].splitlines():
        if line[:1] in " \t" and found:
            found[-1][1].append(line.strip())
        elif field := _FIELD.match(line):
            found.append((field[1].lower(), [field[2].strip()]))
    return [(name, words(" ".join(value))) for name, value in found]


def words(value: str) -> str:
    """A header value with its encoded words read (RFC 2047)."""
    return _WORD.sub(_word, value) if "=?" in value else value


def _word(found: re.Match[str]) -> str:
    charset, encoding, text = found[1], found[2].lower(), found[3]
    raw = text.encode("ascii", "replace")
    return _decoded(_base64(raw) if encoding == "b" else quopri.decodestring(raw, header=True), charset)


def _content_type(fields: dict[str, str]) -> tuple[str, dict[str, str]]:
    value = fields.get("content-type", "")
    kind = value.partition(";")[0].strip().lower()
    params = {
        name.lower().rstrip("*0"): quoted or bare for name, quoted, bare in _PARAM.findall(value[:4096])
    }
    return (kind if "/" in kind else "text/plain"), params


def _leaves(fields: list[tuple[str, str]], body: bytes, within: str, depth: int) -> Iterator[Part]:
    known = dict(reversed(fields))  # the first field of a name counts
    kind, params = _content_type(known)
    boundary = params.get("boundary", "")
    if kind.startswith("multipart/") and boundary and depth < MAX_DEPTH:
        empty = True
        for piece in _pieces(body, boundary.encode("utf-8", "replace")):
            empty = False
            headers, inner = _halves(piece)
            yield from _leaves(fields_of(headers), inner, kind, depth + 1)
        if not empty:
            return
    if kind.startswith("multipart/"):
        kind = "text/plain"
    if params.get("name", "").lower().endswith(".eml"):
        kind = "message/rfc822"  # a mail that was handed on as a file
    limit = MAX_STATUS if kind in STATUS else MAX_TEXT
    if not kind.startswith(("text/", "message/")):
        limit = 4096  # an attachment: its name is all that could matter
    raw = _transfer(body[: 2 * limit], known.get("content-transfer-encoding", ""))[:limit]
    text = _decoded(raw, params.get("charset", ""))
    yield Part(kind, text, within, raw if kind.startswith("message/") else b"")


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """What stands between the delimiter lines (RFC 2046 section 5.1.1); one pass, the last may be cut off."""
    mark, start, at = b"--" + boundary, -1, 0
    for _ in range(4 * MAX_PARTS):
        at = body.find(mark, at)
        if at < 0:
            break
        if at and body[at - 1] != 0x0A:  # not at the start of a line
            at += len(mark)
            continue
        if start >= 0:
            yield body[start:at]
        end = body.find(b"\n", at)
        if end < 0 or body.startswith(b"--", at + len(mark)):
            return
        start = at = end + 1
    if start >= 0:
        yield body[start:]


def _transfer(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "quoted-printable":
            return quopri.decodestring(body)
        case "base64":
            return _base64(body)
        case _:
            return body


def _base64(body: bytes) -> bytes:
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
    try:
        return binascii.a2b_base64(clean[: len(clean) // 4 * 4] + _tail(clean))
    except binascii.Error:
        return body


def _tail(clean: bytes) -> bytes:
    """The last, incomplete group of a base64 text, padded; a single left-over character says nothing."""
    rest = clean[len(clean) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


# Codecs that a mail may name and that are no charset of one: ASCII is better read as UTF-8, the others are
# for source code and host names, and some of them take a time that grows with the square of the text.
_NO_CHARSETS = frozenset({"ascii", "unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"})


def _decoded(raw: bytes, charset: str) -> str:
    if b"\x1b$" in raw or b"\x1b(" in raw:
        charset = "iso-2022-jp"  # its escapes betray it, whatever was declared
    for name in (charset, "utf-8"):
        try:
            if name and codecs.lookup(name).name not in _NO_CHARSETS:  # a codec answers to many spellings
                return raw.decode(name, "strict" if name == "utf-8" else "replace")
        except (LookupError, UnicodeError, ValueError):
            continue
    return raw.decode("latin-1")


_HIDDEN = ("style", "script", "head", "title")
_BREAK = re.compile(
    r"<(?:br|/?p|/?div|/?tr|/?li|/?h[1-6]|/?table|/?blockquote|hr|/?pre)\b[^<>]{0,2000}>", re.IGNORECASE
)
_TAG = re.compile(r"</?[A-Za-z!][^<>@]{0,2000}>")
_BLANK = re.compile(r"[ \t\r\f\v\u00a0]+")


def plain(markup: str) -> str:
    """The words of an HTML text, a line a block; addresses in angle brackets survive."""
    text = markup[:MAX_TEXT]
    for name in _HIDDEN:
        text = _without(text, name)
    text = _TAG.sub(" ", _BREAK.sub("\n", text.replace("\r\n", " ").replace("\n", " ")))
    lines = (_BLANK.sub(" ", line).strip() for line in html.unescape(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _without(text: str, name: str) -> str:
    """The text without the elements of that name; one that never ends stays."""
    lower = text.lower()
    if len(lower) != len(text):  # some letters grow when they are lowered; offsets would lie
        return text
    kept: list[str] = []
    at = 0
    while (start := lower.find(f"<{name}", at)) >= 0:
        after = start + len(name) + 1
        if lower[after : after + 1] not in " >\t\n\r/":  # another name that begins alike; no end is sought
            kept.append(text[at:after])
            at = after
            continue
        if (end := lower.find(f"</{name}", after)) < 0:
            break
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])
