"""What an SPF check is given and what it says; the limits of RFC 7208; which names can be asked about."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass

from probe.checks._spf_networks import Address
from probe.facts import Question
from probe.grammar import spf
from probe.grammar.hostname import LONGEST_NAME, askable

__all__ = [
    "MOST_HOSTS",
    "MOST_LOOKUPS",
    "MOST_VOIDS",
    "Evaluation",
    "Result",
    "Sender",
    "Step",
    "asked_about",
    "queryable",
    "records_of",
    "refuses_all",
    "sends_nothing",
    "shortened",
]

MOST_LOOKUPS = 10  # section 4.6.4
MOST_VOIDS = 2
MOST_HOSTS = 10  # MX or PTR names in one answer


class Result(enum.StrEnum):
    """The results of section 2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the address of the client, the HELO name, and MAIL FROM (empty for a bounce)."""

    address: Address
    helo: str
    mail_from: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        """Local part and domain that are checked; postmaster at the HELO name for a bounce (section 2.4)."""
        local, _, domain = (self.mail_from or self.helo).rpartition("@")
        return local or "postmaster", domain


@dataclass(frozen=True, slots=True)
class Step:
    """One term as it was tested: whose record, what came of it, and the counts so far."""

    domain: str
    term: str
    outcome: str
    lookups: int
    void_lookups: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of a check, and how it came about.

    `reason` is the term or the mistake that decided. `missing` are questions nobody has asked yet: until
    they are answered the result means nothing. `failed` is the question that ended in a temperror.
    """

    result: Result
    reason: str = ""
    explanation: str = ""
    lookups: int = 0
    void_lookups: int = 0
    trace: tuple[Step, ...] = ()
    missing: tuple[Question, ...] = ()
    failed: Question | None = None


@functools.lru_cache(maxsize=512)
def records_of(values: tuple[str, ...]) -> tuple[str, ...]:
    """The SPF records among the TXT values of an answer."""
    return tuple(filter(spf.is_record, values))


def sends_nothing(values: tuple[str, ...]) -> bool:
    """Whether TXT values say that a domain sends no mail: one record, ``-all`` and no more (section 10.1.2).

    An explanation beside it lets nobody in; a modifier that nobody knows may be a sender, miswritten.
    """
    records = records_of(values)
    record = spf.parse(records[0]) if len(records) == 1 else None
    if record is None or record.problems:
        return False
    return refuses_all(record)


def refuses_all(record: spf.Record) -> bool:
    """Whether a record holds ``-all`` and nothing else but an explanation."""
    return [term.text.lower() for term in record.terms if term.name != "exp"] == ["-all"]


def queryable(name: str) -> str | None:
    """A name as a question asks it, None where no question can be asked (an empty or long label)."""
    # Other people's records hold names of any length: only what may be a name is kept in mind.
    return _queryable(name) if len(name) <= LONGEST_NAME + 1 else None


@functools.lru_cache(maxsize=4096)
def _queryable(name: str) -> str | None:
    plain = name.removesuffix(".").lower()
    return plain if askable(plain) else None


def asked_about(name: str, kind: str) -> Question | None:
    """The question about a name as a record writes it, None where no question can be asked."""
    return _asked_about(name, kind) if len(name) <= LONGEST_NAME + 1 else None


@functools.lru_cache(maxsize=4096)
def _asked_about(name: str, kind: str) -> Question | None:
    plain = _queryable(name)
    return None if plain is None else Question(plain, kind)


def shortened(name: str) -> str:
    """An expanded name of at most 253 characters: labels are taken away on the left (section 7.3)."""
    if len(name) <= LONGEST_NAME:
        return name
    # One character more than fits: what follows the first dot among them is the longest that does.
    _, dot, rest = name[-LONGEST_NAME - 1 :].partition(".")
    return rest if dot else name
