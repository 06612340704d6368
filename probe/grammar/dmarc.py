"""DMARC records and the names a receiver asks for them (RFC 9989, which replaced RFC 7489 in May 2026).

Two generations of receivers read the same record. What RFC 9989 removed (``pct``, ``rf``, ``ri``, the size
limit of a report address) is kept here as a fact, because an older receiver still acts on it.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

from probe.grammar import tags

__all__ = ["Destination", "Policy", "Psd", "Record", "is_record", "parse", "resembles", "walk"]

# "v" WSP "=" WSP "DMARC1": first, and case-sensitive (RFC 9989 section 4.7). What a receiver discards
# although somebody meant a DMARC record by it, `resembles` finds.
_VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_INTENDED = re.compile(r"dmarc1|(?:^|;)[\"'\s]*p\s*[=:]\s*(?:none|quarantine|reject)", re.IGNORECASE)
_MAILTO = re.compile(
    r"mailto:([^@\s,;!?<>]{1,320})@([A-Za-z0-9._-]{1,253}|\[[^\]\s]{1,64}\])\Z", re.IGNORECASE
)
_FO = re.compile(r"[01ds](?:[ \t]*:[ \t]*[01ds]){0,7}\Z")
_SIZE = re.compile(r"!([0-9]{1,20}[kmgt]?)\Z", re.IGNORECASE)

KNOWN = ("v", "p", "sp", "np", "psd", "t", "adkim", "aspf", "fo", "rua", "ruf")
_USUAL = frozenset(KNOWN)
REMOVED = ("pct", "rf", "ri")  # RFC 9989 section 9.3 and appendix C
_MAX_DESTINATIONS = 10
_LABELS_AFTER_SHORTCUT = 7


class Policy(enum.StrEnum):
    """What the owner asks receivers to do with mail that fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def lowered(self) -> Policy:
        """One level less: what ``t=y`` makes of it (RFC 9989 section 4.7), and ``pct=0`` made of it."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


class Psd(enum.StrEnum):
    """Whether the publishing name is a public suffix: yes, no (it is the organizational domain), unsaid."""

    YES = "y"
    NO = "n"
    UNSAID = "u"


# What a tag may say, in lower case.
_POLICIES: Mapping[str, Policy] = {str(policy): policy for policy in Policy}
_PSD = {str(psd): psd for psd in Psd}
_YES_NO = {"y": "y", "n": "n"}
_MODES = {"r": "r", "s": "s"}
Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class Destination:
    """One report address: `uri` as written; `domain` in lower case, empty where it is no mailto URI.

    `size` is the limit after ``!`` that RFC 9989 removed.
    """

    uri: str
    domain: str = ""
    size: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A DMARC record that a receiver keeps. Policies are None where the tag is absent or invalid.

    `invalid` maps the tags whose value means nothing to that value; `unknown` are names no RFC gives a
    meaning, `removed` those that RFC 9989 took away. `pct` is for receivers of RFC 7489 only.
    """

    text: str
    p: Policy | None
    sp: Policy | None
    np: Policy | None
    psd: Psd
    testing: bool
    adkim: str
    aspf: str
    rua: tuple[Destination, ...]
    ruf: tuple[Destination, ...]
    pct: int
    tags: tags.TagList
    invalid: Mapping[str, str]
    unknown: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def reports(self) -> bool:
        """Whether `rua` holds at least one address that can be mailed to."""
        return any(one.domain for one in self.rua)

    @property
    def broken(self) -> bool:
        """Whether p is missing or a policy is invalid, so that section 4.10.1's exception decides."""
        return self.p is None or "sp" in self.invalid or "np" in self.invalid

    @property
    def applies(self) -> bool:
        """Whether a receiver processes DMARC at all with this record (RFC 9989 section 4.10.1)."""
        return not self.broken or self.reports

    def requested(self, *, below: bool, exists: bool) -> Policy | None:
        """What is asked for the publishing name, or for one `below` it that `exists` or does not.

        None: DMARC is not applied. ``t=y`` is already taken into account.
        """
        if not self.applies:
            return None
        if self.broken or self.p is None:
            return Policy.NONE
        wanted = self.p
        if below:
            wanted = self.sp or self.p
            if not exists:
                wanted = self.np or wanted
        return wanted.lowered if self.testing else wanted

    def requested_7489(self, *, below: bool) -> Policy | None:
        """What a receiver of RFC 7489 section 6.6.3 reads: no np, no t; ``pct=0`` lowers every message."""
        if self.p is None or "sp" in self.invalid:
            return Policy.NONE if self.reports else None
        wanted = (self.sp or self.p) if below else self.p
        return wanted.lowered if self.pct == 0 else wanted


def is_record(text: str) -> bool:
    """Whether a receiver keeps this TXT value as a DMARC record (RFC 9989 section 4.10, step 2)."""
    return _VERSION.match(text) is not None


def resembles(text: str) -> bool:
    """Whether somebody meant a DMARC record by a value that receivers discard."""
    return not is_record(text) and _INTENDED.search(text[:1024]) is not None


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Record | None:
    """The record in a TXT value; None where a receiver discards it. Unknown and broken tags are ignored."""
    if not is_record(text):
        return None
    found = tags.read(text)
    # Tag names are literals of the ABNF, so their case does not matter (RFC 5234 section 2.3).
    values = {name.lower(): value for name, value in reversed(found.pairs)}
    invalid: dict[str, str] = {}

    def choice(name: str, allowed: Mapping[str, Choice], default: Choice) -> Choice:
        if name not in values:
            return default
        chosen = allowed.get(values[name].lower())
        if chosen is None:
            invalid[name] = values[name]
            return default
        return chosen

    def addresses(name: str) -> tuple[Destination, ...]:
        if name not in values:
            return ()
        pieces = values[name].split(",", _MAX_DESTINATIONS)
        listed = tuple([_destination(uri) for uri in pieces if uri.strip()])
        if not any(one.domain for one in listed):
            invalid[name] = values[name]
        return listed[:_MAX_DESTINATIONS]

    if "fo" in values and not _FO.match(values["fo"].lower()):
        invalid["fo"] = values["fo"]
    others = () if values.keys() <= _USUAL else dict.fromkeys(name.lower() for name, _ in found.pairs)
    return Record(
        text=text,
        p=choice("p", _POLICIES, None),
        sp=choice("sp", _POLICIES, None),
        np=choice("np", _POLICIES, None),
        psd=choice("psd", _PSD, Psd.UNSAID),
        testing=choice("t", _YES_NO, "n") == "y",
        adkim=choice("adkim", _MODES, "r"),
        aspf=choice("aspf", _MODES, "r"),
        rua=addresses("rua"),
        ruf=addresses("ruf"),
        pct=_percent(values.get("pct", "100")),
        tags=found,
        invalid=invalid,
        unknown=tuple(name for name in others if name not in KNOWN and name not in REMOVED),
        removed=tuple(name for name in others if name in REMOVED),
    )


def _destination(uri: str) -> Destination:
    bare = uri = uri.strip()
    size = ""
    if "!" in uri and (found := _SIZE.search(uri)):
        bare, size = uri[: found.start()], found[1]
    address = _MAILTO.match(unquote(bare.partition("?")[0]))
    return Destination(uri, address[2].lower().rstrip(".") if address else "", size)


def _percent(value: str) -> int:
    return (
        int(value) if value.isascii() and value.isdigit() and len(value) <= 3 and int(value) <= 100 else 100
    )


def walk(name: str) -> tuple[str, ...]:
    """The names whose ``_dmarc`` record a receiver may ask for, in order: at most eight.

    RFC 9989 section 4.10: the name itself, then its parents down to the top-level domain; a name of eight
    labels or more goes on with its last seven.
    """
    labels = name.split(".")
    rest = labels[-_LABELS_AFTER_SHORTCUT:] if len(labels) > _LABELS_AFTER_SHORTCUT else labels[1:]
    return (name, *(".".join(rest[start:]) for start in range(len(rest))))
