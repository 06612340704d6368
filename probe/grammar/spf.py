"""SPF records (RFC 7208 sections 4.5 to 6): which TXT value is one, its terms, and what is wrong where.

Reading is total: whatever does not fit the grammar becomes a `Problem` with its place, and the rest of
the record is read all the same, so that a person sees every mistake at once.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from probe.grammar import macro

__all__ = [
    "LOOKUPS",
    "QUALIFIERS",
    "Network",
    "Problem",
    "Record",
    "Term",
    "is_record",
    "joined",
    "mark",
    "parse",
]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
# The terms that make a receiver ask DNS, and so count towards the limit of ten (section 4.6.4).
LOOKUPS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_TERM = re.compile(r"[^ ]+")
_INVISIBLE = re.compile(r"[^\x21-\x7e]")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=", re.ASCII)
_MECHANISM = re.compile(r"([+\-?~]?)([A-Za-z][A-Za-z0-9._-]*)(?=[:/]|\Z)", re.ASCII)
_CIDR = re.compile(r"(?:/(0|[1-9][0-9]{0,2}))?(?://(0|[1-9][0-9]{0,2}))?\Z")
_IP4 = re.compile(r"([0-9.]+)(?:/(0|[1-9][0-9]?))?\Z")
_IP6 = re.compile(r"([0-9A-Fa-f:.]+)(?:/(0|[1-9][0-9]{0,2}))?\Z")
_QNUM = re.compile(r"(?:0|[1-9][0-9]{0,2})\Z")
# The last label: letters and digits but not digits alone, or with dashes inside (section 7.1, toplabel).
_TOP_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")
_MOST_PROBLEMS = 20
_ORDINARY = 300  # characters of a term; a longer one is nobody's but its author's, and is not kept in mind


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not fit the grammar: the place in the record (counted from 0), its length, and why."""

    at: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class Term:
    """A mechanism or modifier.

    `text` is as written and begins at `at`. `name` is in lower case. `qualifier` is one of ``+-~?`` for a
    mechanism, empty for a modifier. `target` is the domain-spec in parts, None where there is none;
    `spec` the same as written; `letters` are its macro letters, and `literal` is the name it is where it
    has none. `network` belongs to ip4 and ip6. `cidr4` and `cidr6` are prefix lengths.
    """

    text: str
    at: int
    name: str
    qualifier: str = ""
    spec: str = ""
    target: tuple[macro.Part, ...] | None = None
    letters: frozenset[str] = frozenset()
    literal: str | None = None
    network: Network | None = None
    cidr4: int = 32
    cidr6: int = 128

    @property
    def looks_up(self) -> bool:
        """Whether a receiver that comes to this term asks DNS."""
        return self.name in LOOKUPS

    @property
    def varying(self) -> frozenset[str]:
        """Its macro letters that stand for something of the message; ``d`` is the record's own domain."""
        return self.letters - {"d"}


@dataclass(frozen=True, slots=True)
class Record:
    """An SPF record: its text, the terms that are well formed, in order, and the problems.

    `all` is the first ``all``. `mechanisms` are those up to and with it: nothing after it is ever tested.
    `lookups` are the terms that cost a lookup when no mechanism matches; a redirect beside ``all`` is none.
    """

    text: str
    terms: tuple[Term, ...]
    problems: tuple[Problem, ...]
    all: Term | None
    mechanisms: tuple[Term, ...]
    lookups: tuple[Term, ...]

    def first(self, name: str) -> Term | None:
        """The first modifier of this name."""
        return _first(self.terms, name)


def is_record(text: str) -> bool:
    """Whether a TXT value is an SPF record (section 4.5): ``v=spf1`` in any case, then a space or the end."""
    return _VERSION.match(text) is not None


@functools.lru_cache(maxsize=512)
def parse(text: str) -> Record:
    """The record that `is_record` recognised; `text` holds one character a byte, strings already joined."""
    terms: list[Term] = []
    problems: list[Problem] = []
    for found in _TERM.finditer(text, len("v=spf1")):
        try:
            terms.append(_term(found[0], found.start()))
        except macro.MalformedError as error:
            if len(problems) < _MOST_PROBLEMS:
                problems.append(Problem(found.start(), len(found[0]), error.reason))
    end = next((term for term in terms if term.qualifier and term.name == "all"), None)
    last = len(text) if end is None else end.at
    mechanisms = [term for term in terms if term.qualifier and term.at <= last]
    lookups = [term for term in mechanisms if term.looks_up]
    if end is None and (redirect := _first(terms, "redirect")):
        lookups.append(redirect)
    told = (*problems, *_repeated(terms))
    return Record(text, tuple(terms), told, end, tuple(mechanisms), tuple(lookups))


def _first(terms: Iterable[Term], name: str) -> Term | None:
    return next((term for term in terms if term.name == name and not term.qualifier), None)


def mark(text: str, problem: Problem) -> str:
    """The record around a problem, with the wrong part between ``>>`` and ``<<``."""
    start, end = problem.at, problem.at + problem.length
    before = text[:start] if start <= 40 else "..." + text[start - 37 : start]
    wrong = text[start:end] if problem.length <= 60 else text[start : start + 57] + "..."
    after = text[end:] if len(text) - end <= 20 else text[end : end + 17] + "..."
    return f"{before}>>{wrong}<<{after}"


def _repeated(terms: Iterable[Term]) -> Iterator[Problem]:
    """``redirect=`` and ``exp=`` may stand once each (section 6)."""
    for name in ("redirect", "exp"):
        for term in [term for term in terms if term.name == name][1:2]:
            yield Problem(term.at, len(term.text), f"a second {name}= in one record")


def _term(text: str, at: int) -> Term:
    """The term that begins at this place: many domains include the same providers in the same order."""
    return _ordinary(text, at) if len(text) <= _ORDINARY else Term(text, at, **_read(text))


@functools.lru_cache(maxsize=2048)
def _ordinary(text: str, at: int) -> Term:
    return Term(text, at, **_read(text))


# The fields of a `Term`. The readers below get its text, its name and what follows the name.
_Fields = dict[str, Any]


def _read(text: str) -> _Fields:
    if found := _INVISIBLE.search(text):
        shown = found[0].encode("latin-1", "replace").hex()
        raise macro.MalformedError(found.start(), f"a character that is no visible ASCII ({shown} hex)")
    if found := _MODIFIER.match(text):
        return _modifier(found[1].lower(), text[found.end() :], found.end())
    found = _MECHANISM.match(text)
    if found is None:
        raise macro.MalformedError(0, "neither a mechanism nor a modifier")
    qualifier, name, rest = found[1] or "+", found[2].lower(), text[found.end() :]
    try:
        fields = _MECHANISMS[name]
    except KeyError:
        raise macro.MalformedError(0, f'there is no mechanism "{found[2]}"') from None
    return {"name": name, "qualifier": qualifier, **fields(text, name, rest)}


def _modifier(name: str, value: str, begin: int) -> _Fields:
    if name in {"redirect", "exp"}:
        return {"name": name, **_about(value, begin)}
    _shifted(value, begin, macro.EXPLANATION_LETTERS)
    return {"name": name, "spec": value}


def _bare(text: str, _name: str, rest: str) -> _Fields:
    if rest:
        raise macro.MalformedError(len(text) - len(rest), "nothing may follow all")
    return {}


def _named(text: str, name: str, rest: str) -> _Fields:
    """``include:`` and ``exists:``, which need a name, and ``ptr``, which may have one."""
    if not rest and name == "ptr":
        return {}
    begin = len(text) - len(rest)
    if not rest.startswith(":"):
        raise macro.MalformedError(begin, f"{name} takes a domain after a colon, and nothing else")
    return _about(rest[1:], begin + 1)


def _hosts(text: str, _name: str, rest: str) -> _Fields:
    """``a`` and ``mx``: a name, or the domain itself, and prefix lengths for both families."""
    begin = len(text) - len(rest)
    cidr = _CIDR.search(rest)
    assert cidr is not None  # both parts are optional, so the end of the text always matches
    about = rest[: cidr.start()]
    short, long = int(cidr[1] or 32), int(cidr[2] or 128)
    if short > 32 or long > 128:
        raise macro.MalformedError(begin + cidr.start(), "a prefix length out of range")
    lengths = {"cidr4": short, "cidr6": long}
    if not about:
        return lengths
    if not about.startswith(":"):
        raise macro.MalformedError(begin, "a prefix length is /0 to /32, then //0 to //128")
    return lengths | _about(about[1:], begin + 1)


def _ip4(text: str, _name: str, rest: str) -> _Fields:
    begin = len(text) - len(rest)
    found = _IP4.match(rest[1:]) if rest.startswith(":") else None
    if found is None:
        raise macro.MalformedError(begin, "ip4 takes an IPv4 address and at most one prefix length")
    quad = found[1].split(".")
    if len(quad) != 4 or not all(_QNUM.match(part) and int(part) <= 255 for part in quad):
        raise macro.MalformedError(begin + 1, "not an IPv4 address")
    length = int(found[2] or 32)
    if length > 32:
        raise macro.MalformedError(begin + 1 + found.start(2), "a prefix length out of range")
    return {"spec": rest[1:], "network": ipaddress.IPv4Network((found[1], length), strict=False)}


def _ip6(text: str, _name: str, rest: str) -> _Fields:
    begin = len(text) - len(rest)
    found = _IP6.match(rest[1:]) if rest.startswith(":") else None
    if found is None:
        raise macro.MalformedError(begin, "ip6 takes an IPv6 address and at most one prefix length")
    length = int(found[2] or 128)
    if length > 128:
        raise macro.MalformedError(begin + 1 + found.start(2), "a prefix length out of range")
    try:
        network = ipaddress.IPv6Network((found[1], length), strict=False)
    except ValueError:
        raise macro.MalformedError(begin + 1, "not an IPv6 address") from None
    return {"spec": rest[1:], "network": network}


_MECHANISMS = {
    "all": _bare,
    "include": _named,
    "exists": _named,
    "ptr": _named,
    "a": _hosts,
    "mx": _hosts,
    "ip4": _ip4,
    "ip6": _ip6,
}


def _about(text: str, begin: int) -> _Fields:
    """What a domain-spec says."""
    parts = _domain(text, begin)
    letters = macro.letters(parts)
    literal = None if letters else macro.expand(parts, str)
    return {"spec": text, "target": parts, "letters": letters, "literal": literal}


def _domain(text: str, begin: int) -> tuple[macro.Part, ...]:
    """A domain-spec: a macro string that ends in a macro or in a dot and a top label (section 7.1)."""
    if not text:
        raise macro.MalformedError(begin, "a domain is missing")
    parts = _shifted(text, begin, macro.DOMAIN_LETTERS)
    if isinstance(parts[-1], macro.Macro) or text.endswith("%%"):
        return parts
    if text.replace("%%", "").endswith(("%_", "%-")):
        return parts
    head, dot, top = text.removesuffix(".").rpartition(".")
    if not dot:
        raise macro.MalformedError(begin, "a single label is no domain")
    if not _TOP_LABEL.match(top) or top.isdigit():
        raise macro.MalformedError(begin + len(head) + 1, "the last label is not one of a domain name")
    return parts


def _shifted(text: str, begin: int, allowed: frozenset[str]) -> tuple[macro.Part, ...]:
    try:
        return macro.parse(text, allowed)
    except macro.MalformedError as error:
        raise macro.MalformedError(begin + error.at, error.reason) from None


def joined(values: Iterable[str]) -> str:
    """Terms as a record."""
    return " ".join(("v=spf1", *values))
