"""How to tell that lines are a table of recipients: its first line names columns, and a row follows."""

from __future__ import annotations

import re

from probe.grammar.columns import header_of
from probe.grammar.sheet import form_of

__all__ = ["columns", "is_table"]

_HEAD = 64 * 1024  # bytes in which the names stand

# The names of a table's columns: whom it tells of, and what. A list of inboxes is a table that tells nothing.
_WHOM = re.compile(
    rb"^\W*(?:.{0,40}recipient.{0,40}|(?:to.?)?e?-?mail.{0,20}|rcpt.{0,10}|to|address)\W*$", re.IGNORECASE
)
_WHAT = re.compile(
    rb"status|reason|diagnos|error|response|detail|event|bounce|reply|passw|secret|token", re.IGNORECASE
)
_NAME = re.compile(rb"[\w./#()-]{0,40}(?: [\w./#()-]{1,40}){0,3}\Z")
_NAMED = b"#Fields:"  # how some servers begin the line, after others of their own
_COMMENT = re.compile(rb"\s*$|#(?!Fields:)|sep=.\s*$", re.IGNORECASE)


def columns(text: bytes) -> tuple[bytes, bytes]:
    """The line of a table that names its columns, and what stands between two of them; empty without one."""
    lines = (line for line in text[:_HEAD].split(b"\n") if not _COMMENT.match(line))
    line = next(lines, b"")
    between = max((b",", b";", b"\t"), key=line.count)
    names = [name.strip(b' \t\r"') for name in line.removeprefix(_NAMED).split(between)]
    sentence = between + b" " in line  # whose words stand apart
    named = len(names) > 1 and not sentence and all(map(_NAME.match, names))
    if named and any(map(_WHOM.match, names)) and any(map(_WHAT.search, names)):
        return line, between
    return b"", b""


def is_table(text: bytes) -> bool:
    """Whether columns are named and a row of them follows, with an address."""
    header, between = columns(text)
    rows = text.split(b"\n")[:40]
    return any(b"@" in row and between in row for row in rows) if header else _is_list(text[:_HEAD])


def _is_list(text: bytes) -> bool:
    """Whether it is a list of inboxes: nothing of it may be told."""
    try:
        header_of(text, form_of(text))
    except ValueError:
        return False
    return True
