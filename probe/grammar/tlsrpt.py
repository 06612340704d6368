"""TLS reporting: the TXT record at ``_smtp._tls`` (RFC 8460 section 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probe.grammar import tags

__all__ = ["Record", "addresses", "announces", "record", "resembles"]

_TARGETS = 20
_NEARLY = re.compile(r"\btls-?rpt(?:v?1|v?\b)", re.IGNORECASE)
_VERSION = re.compile(r"v=TLSRPTv1[ \t]*;")
_WORD = re.compile(r"(?:rua\s*[=:])?([^\s,;\"']{1,250})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """Where reports go: ``mailto:`` and ``https:`` addresses, in order. `problems` are sentences."""

    rua: tuple[str, ...]
    problems: tuple[str, ...] = ()


def announces(text: str) -> bool:
    """Whether a TXT value begins as a TLS-RPT record does; every other one is ignored."""
    return _VERSION.match(text) is not None


def record(text: str) -> Record:
    """Reads a TXT value that `announces` itself."""
    found = tags.read(text)
    problems = [f"{piece!r} is no tag" for piece in found.malformed]
    targets = [each.strip() for each in found["rua"].split(",", _TARGETS)] if "rua" in found else []
    if not any(targets):
        problems.append("rua, the address for reports, is missing")
    problems += (
        f"{target!r} is neither mailto: with an address nor https:"
        for target in targets
        if not _usable(target)
    )
    problems += (f"{name!r} stands there twice" for name in found.duplicates)
    return Record(tuple(target for target in targets if target), tuple(problems[:10]))


def resembles(text: str) -> bool:
    """Whether a TXT value that does not announce itself was meant to be such a record."""
    return not announces(text) and _NEARLY.search(text[:1000]) is not None


def addresses(text: str) -> tuple[str, ...]:
    """The addresses that are meant anywhere in a TXT value, each as a usable one, at most a few."""
    found = (_meant(each[1].rstrip(".")) for each in _WORD.finditer(text[:1000]))
    return tuple(dict.fromkeys(filter(None, found)))[:_TARGETS]


def _meant(word: str) -> str:
    """The usable address that a word is but for its scheme; empty where it is none."""
    secured = f"https{word[4:]}" if word[:5].lower() == "http:" else ""
    return next(filter(_usable, (word, secured, f"mailto:{word}")), "")


def _usable(target: str) -> bool:
    scheme, _, rest = target.partition(":")
    if scheme.lower() == "mailto":
        local, at, domain = rest.partition("?")[0].rpartition("@")
        return bool(local and at and "." in domain and " " not in rest)
    return scheme.lower() == "https" and rest.startswith("//") and len(rest) > 2 and " " not in rest
