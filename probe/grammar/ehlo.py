"""How to read what EHLO answers: the extensions a server offers (RFC 5321 section 4.1.1.1)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from probe.facts import Reply, unmarked

__all__ = ["NONE", "Extensions", "extensions"]

_KEYWORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =](.*))?\Z")
_MOST = 5_000  # mechanisms worth remembering; a reply holds no more


@dataclass(frozen=True, slots=True)
class Extensions:
    """The keywords of one EHLO reply, upper case, with their parameters as sent.

    `mechanisms` are the SASL names of every AUTH line, upper case, in the server's order; the
    old-style ``AUTH=LOGIN`` counts, and `old_style` says that nothing else was there.
    """

    keywords: Mapping[str, str]
    mechanisms: tuple[str, ...] = ()
    old_style: bool = False

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords


NONE = Extensions({})


@functools.lru_cache(maxsize=64)  # a fleet hears few servers, and hears them often
def extensions(heard: Reply) -> Extensions:
    """The extensions of an EHLO reply; of any other reply, none.

    The first line greets and offers nothing. A line that is no keyword is skipped: a server's oddity
    must not hide what the next line says.
    """
    if heard.code != 250:
        return NONE
    keywords: dict[str, str] = {}
    mechanisms: dict[str, None] = {}
    new_style = False
    for line in heard.lines[1:]:
        found = _KEYWORD.match(unmarked(line)[4:].strip())
        if found is None:
            continue
        keyword, parameters = found[1].upper(), (found[2] or "").strip()
        if keyword == "AUTH":
            new_style = new_style or line[8:9] != "="
            # "AUTH =LOGIN PLAIN" is seen in the wild as well
            for name in parameters.lstrip("=").upper().split()[:_MOST]:
                mechanisms.setdefault(name)
            parameters = " ".join(mechanisms)
        keywords[keyword] = parameters
    return Extensions(keywords, tuple(mechanisms), old_style=bool(mechanisms) and not new_style)
