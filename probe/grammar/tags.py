"""Tag lists, ``name=value; name=value``: the shape of DKIM keys, DMARC, BIMI, MTA-STS and TLS-RPT records.

Their standards (RFC 6376 section 3.2, RFC 9989 section 4.8 and others) share the shape and differ in what
they forgive. So this reader reports everything and forgives nothing; the grammar of each record decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    for piece in text[:_MAX_TEXT].split(";", _MAX_TAGS)[:_MAX_TAGS]:
        name, equals, value = piece.partition("=")
        name = name.strip(_WSP)
        if equals and _NAME.match(name):
            pairs.append((name, value.strip(_WSP)))
        elif bare := piece.strip(_WSP):
            malformed.append(bare)
    return TagList(tuple(pairs), tuple(malformed), _repeated([name for name, _ in pairs]))


def _repeated(names: Sequence[str]) -> tuple[str, ...]:
    """The names that occur again, each once, in the order in which they do."""
    if len(set(names)) == len(names):
        return ()
    seen: set[str] = set()
    again: dict[str, None] = {}
    for name in names:
        if name in seen:
            again[name] = None
        seen.add(name)
    return tuple(again)
