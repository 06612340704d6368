"""The whole of an SPF policy, whoever sends: the records it reaches and what each term costs.

`survey` walks level by level over what has been seen. It counts on past the limit of ten but stops asking
soon: a tree of ordinary size is seen whole, so that what to drop can be told with its cost, and a tree that
was made to be large is left alone.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from probe.checks._evidence import address_questions
from probe.checks._once import once_for_all
from probe.checks._spf_result import MOST_HOSTS, MOST_LOOKUPS, asked_about, queryable, records_of
from probe.facts import Question, Records
from probe.grammar import macro, spf
from probe.grammar.spf import Record, Term

__all__ = ["Cost", "Fate", "Lookup", "Tree", "mx_hosts", "survey", "target"]

_MOST_COUNTED = 6 * MOST_LOOKUPS  # beyond, "more than" is as good as the number
_MOST_SEEN, _DEEPEST_SEEN = 2 * MOST_LOOKUPS, 3  # lookups and levels of a policy beyond the limit
_MOST_OWN_INCLUDES = 15  # of the domain's own record, fetched even past the limit: they are the cure
_MOST_ADDRESS_QUESTIONS = 30


class Fate(enum.StrEnum):
    """What came of one lookup."""

    FOUND = "found"
    VOID = "void"  # the answer holds nothing (section 4.6.4)
    NO_RECORD = "no record"  # an include or redirect without SPF at its end
    SEVERAL = "several records"
    BROKEN = "broken record"  # a syntax error in the other record
    LOOP = "loop"
    CROWD = "too many hosts"  # more than ten MX
    FAILED = "failed"  # the lookup was not answered
    UNASKED = "not asked"
    VARIES = "varies"  # the name depends on the message: macros, ptr
    NO_NAME = "no name"  # nothing that can be asked


_HIDDEN = (Fate.UNASKED, Fate.FAILED, Fate.LOOP)
_LEADING = ("include", "redirect")


class Lookup(NamedTuple):
    """One term that costs a lookup; a tuple, because a survey builds one for each of them every time.

    `parent` is the index of the include or redirect whose record holds it, -1 for the domain's own
    record, which `domain` names. `question` is what is asked first, None where the message decides.
    """

    parent: int
    domain: str
    term: Term
    fate: Fate
    question: Question | None = None

    @property
    def unseen(self) -> bool:
        """Whether it leads to a record that was not seen."""
        return self.fate in _HIDDEN and self.term.name in _LEADING


@dataclass(frozen=True, slots=True)
class Cost:
    """How many lookups a term costs with all that it leads to; at least, where not `exact`."""

    term: Term
    count: int
    exact: bool

    def __str__(self) -> str:
        return f"{self.term.text} {'' if self.exact else 'at least '}{self.count}"


@dataclass(frozen=True, slots=True)
class Tree:
    """A policy: its lookups in level order, and the records by domain.

    `lookups` holds at most sixty; `odd` are those among them that did not simply find what they name.
    `missing` are questions to ask still, `failed` those that were not answered. `whole` says that every
    question there could be was asked: no further answer changes it.
    """

    domain: str
    lookups: tuple[Lookup, ...]
    odd: tuple[Lookup, ...]
    records: Mapping[str, Record]
    missing: tuple[Question, ...] = ()
    failed: tuple[Question, ...] = ()
    whole: bool = False

    @property
    def count(self) -> int:
        """How many lookups the policy costs a receiver for whom nothing matches; at least, when `cut`."""
        return len(self.lookups)

    @property
    def cut(self) -> bool:
        """Whether there may be more lookups than were counted."""
        return self.count >= _MOST_COUNTED or any(lookup.unseen for lookup in self.odd)

    @property
    def counts(self) -> list[int]:
        """How many lookups each lookup costs with all that it leads to, itself among them."""
        counts = [1] * len(self.lookups)
        for index in range(len(self.lookups) - 1, -1, -1):
            parent = self.lookups[index].parent
            if parent >= 0:
                counts[parent] += counts[index]
        return counts

    @property
    def own(self) -> tuple[Cost, ...]:
        """The costs of the terms of the domain's own record."""
        exact = [not lookup.unseen and self.count < _MOST_COUNTED for lookup in self.lookups]
        for index in range(len(self.lookups) - 1, -1, -1):
            parent = self.lookups[index].parent
            if parent >= 0:
                exact[parent] = exact[parent] and exact[index]
        told = zip(self.lookups, self.counts, exact, strict=True)
        return tuple(Cost(lookup.term, count, sure) for lookup, count, sure in told if lookup.parent < 0)

    @property
    def voids(self) -> tuple[Lookup, ...]:
        """The lookups that found nothing and count towards the limit of two."""
        return self.having(Fate.VOID)

    def root(self, lookup: Lookup) -> Lookup:
        """The lookup of the domain's own record that led to this one."""
        while lookup.parent >= 0:
            lookup = self.lookups[lookup.parent]
        return lookup

    def having(self, *fates: Fate) -> tuple[Lookup, ...]:
        """The lookups with one of these fates, none of which is `Fate.FOUND`."""
        return tuple([lookup for lookup in self.odd if lookup.fate in fates])


def survey(domain: str, record: Record, seen: Records) -> Tree:
    """The policy that begins with the domain's own record, as far as it has been seen."""
    return _surveyed((domain, record.text), seen)


@once_for_all(attrgetter("whole"))
def _surveyed(begin: tuple[str, str], seen: Records) -> Tree:
    domain, text = begin
    record = spf.parse(text)
    lookups: list[Lookup] = []
    records = {domain: record}
    missing: dict[Question, None] = {}
    # The records of one level: the lookup that led to each, and the domains on the way, its own the last.
    level: list[tuple[int, tuple[str, ...]]] = [(-1, (domain,))]
    while level:
        depth = len(level[0][1])
        held = [(parent, line, term) for parent, line in level for term in records[line[-1]].lookups]
        held = held[: _MOST_COUNTED - len(lookups)]
        counted = len(lookups) + len(held)
        asking = counted <= MOST_LOOKUPS or (counted <= _MOST_SEEN and depth <= _DEEPEST_SEEN)
        level = []
        for parent, line, term in held:
            fate, question, child = _examine(line, term, seen)
            if child is not None and question is not None:
                records[question.name] = child
                if child.lookups:
                    level.append((len(lookups), (*line, question.name)))
            elif (
                fate is Fate.UNASKED
                and question is not None
                and term.name in _LEADING
                and (asking or (parent < 0 and len(missing) < _MOST_OWN_INCLUDES))
            ):
                missing[question] = None
            lookups.append(Lookup(parent, line[-1], term, fate, question))
    odd = tuple([lookup for lookup in lookups if lookup.fate is not Fate.FOUND])
    failed = {each.question: None for each in odd if each.fate is Fate.FAILED and each.question is not None}
    whole = False
    if len(lookups) <= MOST_LOOKUPS:
        addressed = [lookup for lookup in lookups if lookup.term.name not in _LEADING]
        hosts = dict.fromkeys(question for lookup in addressed for question in _addresses(lookup, seen))
        for question in islice(hosts, _MOST_ADDRESS_QUESTIONS):
            answer = seen.answers.get(question)
            if answer is None:
                missing[question] = None
            elif not answer.known:
                failed[question] = None
        whole = not missing and len(hosts) <= _MOST_ADDRESS_QUESTIONS
    return Tree(domain, tuple(lookups), odd, records, tuple(missing), tuple(failed), whole)


def _examine(line: tuple[str, ...], term: Term, seen: Records) -> tuple[Fate, Question | None, Record | None]:
    """What comes of one lookup, what is asked for it, and the record it leads to."""
    about = target(term, line[-1])
    if term.name == "ptr" or about is None:
        return Fate.VARIES, None, None
    follows = term.name in _LEADING
    question = asked_about(about, _TYPES[term.name])
    if question is None or (follows and "." not in question.name):
        return (Fate.NO_RECORD if follows else Fate.NO_NAME), None, None
    if follows and question.name in line:
        return Fate.LOOP, question, None
    answer = seen.answers.get(question)
    if answer is None:
        return Fate.UNASKED, question, None
    if not answer.known:
        return Fate.FAILED, question, None
    if follows:
        fate, child = _followed(answer.values)
        return fate, question, child
    if term.name == "mx" and len(answer.values) > MOST_HOSTS:
        return Fate.CROWD, question, None
    void = not answer.values
    if void and term.name == "a":
        # An address of either family is an address: the lookup is void for everybody only without both.
        six = seen.asked(question.name, "AAAA")
        void = six is not None and six.known and not six.values
    return (Fate.VOID if void else Fate.FOUND), question, None


_TYPES = {"include": "TXT", "redirect": "TXT", "a": "A", "exists": "A", "mx": "MX"}


@functools.lru_cache(maxsize=512)
def _followed(values: tuple[str, ...]) -> tuple[Fate, Record | None]:
    """What an include or redirect leads to, by the TXT values there."""
    texts = records_of(values)
    if len(texts) != 1:
        return (Fate.SEVERAL if texts else Fate.NO_RECORD), None
    record = spf.parse(texts[0])
    return (Fate.BROKEN, None) if record.problems else (Fate.FOUND, record)


def target(term: Term, domain: str) -> str | None:
    """The name a term is about, None where it depends on the message."""
    if term.literal is not None:
        return term.literal
    if term.target is None:
        return domain
    if term.varying:
        return None
    return macro.expand(term.target, lambda _: domain)


def _addresses(lookup: Lookup, seen: Records) -> Iterator[Question]:
    """The questions that tell which addresses a term lets in, asked and not asked."""
    question = lookup.question
    if question is None or question.type == "TXT":
        return
    yield question
    if lookup.term.name == "a":
        yield Question(question.name, "AAAA")
    elif lookup.term.name == "mx":
        for host in mx_hosts(seen.of(question.name, "MX")):
            yield from address_questions(host)


def mx_hosts(values: Iterable[str]) -> Iterator[str]:
    """The hosts of some MX values that can be asked about, ten at most."""
    for value in islice(values, MOST_HOSTS):
        if name := queryable(value.partition(" ")[2]):
            yield name
