"""Tag lists, ``name=value; name=value``: the shape of DKIM keys and DMARC records.

RFC 6376 section 3.2 and RFC 9989 section 4.8 share the shape and differ in what they forgive, so this
reader reports everything and forgives nothing: whose record it is decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["TagList", "read"]

# Other people's records: what lies beyond is not read (a TXT value holds at most 65,535 bytes).
_MAX_TEXT = 65_536
_MAX_TAGS = 2_000
_WSP = " \t\r\n"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class TagList:
    """A tag list as it was written.

    `pairs` are the tags in order, names as written, values without surrounding white space (white space
    inside is kept). `malformed` are the pieces that are no tag; `duplicates` the names that occur again.
    """

    pairs: tuple[tuple[str, str], ...]
    malformed: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    @property
    def values(self) -> Mapping[str, str]:
        """Value by name; the first one where a name occurs again."""
        return dict(reversed(self.pairs))

    @property
    def first(self) -> str:
        """The name of the first tag; empty where there is none."""
        return self.pairs[0][0] if self.pairs else ""


def read(text: str) -> TagList:
    """The tags of `text`. Total: whatever is no tag is listed, nothing raises."""
    pairs: list[tuple[str, str]] = []
    malformed: list[str] = []
    duplicates: dict[str, None] = {}
    seen: set[str] = set()
    for piece in _pieces(text[:_MAX_TEXT]):
        name, equals, value = piece.partition("=")
        name = name.strip(_WSP)
        if not equals or not _NAME.match(name):
            malformed.append(piece.strip(_WSP))
            continue
        if name in seen:
            duplicates[name] = None
        seen.add(name)
        pairs.append((name, value.strip(_WSP)))
    return TagList(tuple(pairs), tuple(malformed), tuple(duplicates))


def _pieces(text: str) -> Iterator[str]:
    pieces = text.split(";", _MAX_TAGS)[:_MAX_TAGS]
    return (piece for piece in pieces if piece.strip(_WSP))
