"""BIMI: the TXT record at ``default._bimi`` (draft-brand-indicators-for-message-identification)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from probe.grammar import tags

__all__ = ["Record", "announces", "record", "repaired", "resembles"]

_NEARLY = re.compile(r"\bbimi1?(?![a-z0-9])", re.IGNORECASE)
_ENDINGS = {"l": (".svg", ".svgz"), "a": ("",)}  # of the files that the tags name


@dataclass(frozen=True, slots=True)
class Record:
    """`location` is the logo's URL, `authority` that of its certificate; both empty declines to take part.

    `problems` are sentences: what keeps a receiver from using the record.
    """

    location: str
    authority: str
    problems: tuple[str, ...] = ()

    @property
    def declines(self) -> bool:
        """Whether the record says, in good form, that there is no logo."""
        return not (self.location or self.authority or self.problems)


def announces(text: str) -> bool:
    """Whether a TXT value begins as a BIMI record does; every other one is ignored."""
    return tags.read(text[:100]).pairs[:1] == (("v", "BIMI1"),)


def resembles(text: str) -> bool:
    """Whether a TXT value that does not announce itself was meant to be such a record."""
    return not announces(text) and _NEARLY.search(text[:100]) is not None


def record(text: str) -> Record:
    """Reads a TXT value that `announces` itself."""
    found = tags.read(text)
    location, authority = (found.values.get(name, "") for name in ("l", "a"))
    problems = [f"{piece!r} is no tag" for piece in found.malformed]
    if "l" not in found:
        problems.append("l, the address of the logo, is missing")
    for name, url in (("l", location), ("a", authority)):
        if url and (wrong := _wrong(url, _ENDINGS[name])):
            problems.append(f"{name}={url[:200]}: {wrong}")
    if authority and not location:
        problems.append("a certificate without a logo")
    problems += (f"{name!r} stands there twice" for name in found.duplicates)
    return Record(location, authority, tuple(problems[:10]))


def repaired(text: str) -> str:
    """The good parts of a record, as a record; empty where they do not tell the logo and its certificate.

    Receivers fetch by https alone: an address that differs in nothing else was meant to be one.
    """
    found = tags.read(text)
    if any("://" in piece for piece in found.malformed):
        return ""
    told: dict[str, list[str]] = {"v": []}
    for name, value in found.pairs:
        told.setdefault(name, []).append(_secured(value) if name in _ENDINGS else value)
    told["v"] = ["BIMI1"]
    kept = {}
    for name, values in told.items():
        good = {value for value in values if name not in _ENDINGS or _fetched(name, value)} or set(values)
        if len(good) > 1:
            return ""
        kept[name] = good.pop()
    whole = "; ".join(f"{name}={value}" for name, value in kept.items())
    return whole if kept.get("l") and not record(whole).problems else ""


def _secured(url: str) -> str:
    scheme, colon, rest = url.partition("://")
    return f"https://{rest}" if colon and scheme.lower() == "http" else url


def _fetched(name: str, url: str) -> bool:
    return bool(url) and not _wrong(url, _ENDINGS[name])


def _wrong(url: str, endings: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no URL"
    if parts.scheme != "https" or not parts.hostname:
        return "only https is fetched"
    return "" if parts.path.lower().endswith(endings) else f"the file does not end in {endings[0]}"
