"""How to read a table of text as it lies in a file, and to write records of it back byte for byte.

The file is read in pieces: a million rows need no more memory than their bytes. Nothing is replaced on the
way in, so that what is written back is what was read. Sentences never quote a cell.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["Form", "Record", "cells", "form_of", "records", "rewritten", "shortened"]

LONGEST_RECORD = 1 << 20  # characters
_PIECE = 1 << 16
_MAGIC = (
    (b"\x1f\x8b", "a compressed file; unpack it first"),
    (b"PK\x03\x04", "a spreadsheet or a zip file; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file; save it as CSV"),
    (b"%PDF", "a PDF file; save the table as CSV"),
    (b"SQLite format 3", "a database; export the table as CSV"),
    (b"\xff\xfe\0\0", "UTF-32; save it as UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32; save it as UTF-8"),
)
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
# Codecs that put a mark before every text; of a file without one: the same without.
_MARKED = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_LINE_END = re.compile(r"\r\n|\n|\r")
_SEP = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\n|\r)', re.IGNORECASE)
_NAMED = re.compile(
    r"(?:utf-?(?:8|16)|cp|windows-|iso-?8859-|latin-?|mac|koi8|gb|big5|shift_?jis|euc-)[a-z0-9_-]{0,12}\Z"
)


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the file: the line it begins in (1 is the first), and its text with the line end.

    The text is never shown: it holds passwords.
    """

    line: int
    raw: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written: its encoding, what stands before the table, what stands between two cells.

    `mark` is a byte order mark, and the line ``sep=;`` by which Excel is told the delimiter; the table begins
    in the line `first`. `delimiter` is one character, and a space where one stands behind each.
    """

    encoding: str
    mark: bytes
    delimiter: str
    first: int = 1


def form_of(data: bytes, encoding: str = "") -> Form:
    """The form of a file; ValueError says what it is instead of a table of text.

    `encoding` is what the operator says it is (empty: by its mark, else UTF-8).
    """
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise ValueError(f"is {what}")
    mark, found = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    if not data[len(mark) : len(mark) + _PIECE].strip() and not data[len(mark) :].strip():
        raise ValueError("is empty")
    form = Form(_known(encoding) if encoding and not mark else found, mark, ",")
    begins = "".join(_text(data[: len(mark) + _PIECE], form, whole=len(data) <= _PIECE))
    if what := _instead(begins):
        raise ValueError(f"is {what}")
    told = _SEP.match(begins)
    before = mark + told[0].encode(form.encoding) if told else mark
    if told and not data[len(before) :].strip():
        raise ValueError("is empty")
    line = _LINE_END.split(begins[told.end() if told else 0 :].lstrip("\r\n"), maxsplit=1)[0]
    if "\0" in line:
        raise ValueError("is not text" if encoding else _wide(line))
    return Form(form.encoding, before, _between(line, told[1] if told else ""), 2 if told else 1)


def _instead(begins: str) -> str:
    """What a text is that is no table; nothing where it may be one."""
    sign = begins.lstrip()[:1]
    if sign in {"[", "{"} and '":' in begins.replace(" ", ""):
        return "JSON; give a CSV file"
    return "a web page or XML; export the table as CSV" if sign == "<" else ""


def _between(line: str, told: str) -> str:
    """What stands between the cells of a first line, of which `told` may be said to stand there."""
    line = _QUOTED.sub("", line)
    delimiter = told or max(_DELIMITERS, key=lambda char: (line.count(char), char == ","))
    _, *others = line.split(delimiter)
    return f"{delimiter} " if others and all(name.startswith(" ") for name in others) else delimiter


def _wide(line: str) -> str:
    """What a file is whose characters have a NUL on one side each."""
    for name, high in (("utf-16-le", line[1::2]), ("utf-16-be", line[::2])):
        if high and not high.strip("\0"):
            return f"is UTF-16 without its mark; say --encoding {name}"
    return "is not text"


def _known(name: str) -> str:
    try:
        if _NAMED.match(name.lower()):
            found = codecs.lookup(name).name
            return _MARKED.get(found, found)
    except LookupError:
        pass
    raise ValueError(f"cannot be read as {name[:20]!a}: name an encoding such as utf-8, utf-16 or cp1252")


def _text(data: bytes, form: Form, *, whole: bool = True) -> Iterator[str]:
    """The text in pieces; ValueError with line and byte where it is not in its encoding."""
    decoder = codecs.getincrementaldecoder(form.encoding)()
    view = memoryview(data)
    for start in range(len(form.mark), len(data), _PIECE):
        last = start + _PIECE >= len(data)
        try:
            yield decoder.decode(view[start : start + _PIECE], final=last and whole)
        except UnicodeDecodeError as problem:
            # The decoder may hold back a few bytes of the piece before: look again at where it really is.
            held = len(problem.object) - (min(start + _PIECE, len(data)) - start)
            raise ValueError(_not_text(data, start - held + problem.start, form)) from None


def _not_text(data: bytes, at: int, form: Form) -> str:
    name = form.encoding.upper()
    if form.encoding.startswith("utf-16"):
        return f"is not {name}: it breaks off or is damaged at byte {at + 1}"
    line, column = data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at)
    return (
        f"is not {name}: byte 0x{data[at]:02x} in line {line}, byte {column}; "
        "save it as UTF-8, or say which encoding it has (--encoding cp1252)"
    )


# -- records ---------------------------------------------------------------------------------------

_WITHIN = re.compile(r"\"\"|\"|\r\n|\n|\r")
_OUTSIDE = {
    f"{char}{pad}": re.compile(rf"\r\n|\n|\r|\"(?:(?<={re.escape(char)}\")|(?<={re.escape(char)}{pad}\"))")
    for char in _DELIMITERS
    for pad in ("", " ")
}


def records(data: bytes, form: Form) -> Iterator[Record]:
    """The records of a file: a line end within quotes does not end one (RFC 4180 section 2).

    Empty lines before the first record belong to it: what is in it is the header, and nothing is lost.
    A quote opens only at the beginning of a cell: one inside a password is a character like others.
    ValueError where a quote is never closed, with the line it was opened in, and where a record is
    longer than any row is.
    """
    found = _cut(data, form)
    empty: list[str] = []
    for record in found:
        empty.append(record.raw)
        if record.raw.strip("\r\n"):
            yield Record(record.line, "".join(empty))
            yield from found
            return
        if len(empty) > LONGEST_RECORD:
            raise ValueError("begins with more than a million empty lines: that is no table")
    if empty:
        yield Record(form.first, "".join(empty))


def _cut(data: bytes, form: Form) -> Iterator[Record]:
    outside = _OUTSIDE[form.delimiter]
    line = begun = opened = form.first
    buffer, at, quoted = "", 0, False
    for piece, last in _marked_last(_text(data, form)):
        buffer += piece
        start = 0
        while True:
            if at == start and not quoted and buffer.startswith('"', at):
                quoted, opened, at = True, line, at + 1
            edge = (_WITHIN if quoted else outside).search(buffer, at)
            if edge is None:
                at = len(buffer)
                break
            if edge.end() == len(buffer) and edge[0] in {"\r", '"'} and not last:
                at = edge.start()  # the next piece tells whether it is CRLF, or a doubled quote
                break
            at = edge.end()
            if edge[0] == '"':
                quoted = not quoted
                opened = line
            elif edge[0] != '""':
                line += 1
                if not quoted:
                    yield Record(begun, buffer[start:at])
                    start, begun = at, line
        if len(buffer) - start > LONGEST_RECORD:
            raise ValueError(_endless(begun, opened, quoted=quoted))
        buffer, at = buffer[start:], at - start
    if quoted:
        raise ValueError(f"has a quote that is opened in line {opened} and never closed")
    if buffer:
        yield Record(begun, buffer)


def _endless(begun: int, opened: int, *, quoted: bool) -> str:
    if quoted:
        return f"has a quote that is opened in line {opened} and not closed within a mebibyte"
    return f"has a line {begun} of more than a mebibyte: that is no row of a table"


def _marked_last(pieces: Iterable[str]) -> Iterator[tuple[str, bool]]:
    held: str | None = None
    for piece in pieces:
        if held is not None:
            yield held, False
        held = piece
    if held is not None:
        yield held, True


_TORN = "a cell goes on behind its closing quote; a quote within quotes is written twice"


def cells(record: Record, delimiter: str) -> list[str]:
    """The cells of a record; ValueError where one is longer than any is."""
    text = record.raw.strip("\r\n")
    # As lines of a file, not by splitlines: that cuts at U+2028 and the like, which are characters of a cell.
    lines = [text] if "\n" not in text and "\r" not in text else io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter[0], skipinitialspace=len(delimiter) > 1, strict=True)
    try:
        return next(reader, [])
    except csv.Error as problem:
        raise ValueError(_TORN if "expected after" in str(problem) else str(problem)) from None


# -- writing back ----------------------------------------------------------------------------------


def rewritten(
    record: Record, form: Form, more: Iterable[str] = (), end: str = "\n", *, width: int = 0
) -> bytes:
    """The bytes of a record as they were, with `more` cells behind those of `width` columns.

    `end` stands where cells are added to a last line that has no end of its own.
    """
    extra = "".join(f"{form.delimiter}{_cell(text, form.delimiter)}" for text in more)
    if not extra:
        return record.raw.encode(form.encoding)
    body = record.raw.rstrip("\r\n")
    gap = form.delimiter * (width - _width(record, form))
    return f"{body}{gap}{extra}{record.raw[len(body) :] or end}".encode(form.encoding, "backslashreplace")


def _width(record: Record, form: Form) -> int:
    """How many cells a record has; very many where they cannot be told apart."""
    try:
        return len(cells(record, form.delimiter))
    except ValueError:
        return LONGEST_RECORD


def shortened(record: Record, form: Form, width: int) -> Record:
    """The record without the cells behind those of `width` columns."""
    delimiter = re.escape(form.delimiter[0])
    cell = rf'(?> *"(?:[^"]|"")*"|[^{delimiter}]*)'
    found = re.match(rf"[\r\n]*{cell}(?:{delimiter}{cell}){{{width - 1}}}(?={delimiter})", record.raw)
    body = record.raw.rstrip("\r\n")
    return Record(record.line, found[0] + record.raw[len(body) :]) if found else record


def _cell(text: str, delimiter: str) -> str:
    """A cell on one line, quoted where it must be; what a spreadsheet would take for a formula is not."""
    text = " ".join(text.split())
    text = f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if delimiter in text or '"' in text else text
