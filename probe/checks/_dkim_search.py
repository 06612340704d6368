"""Where a domain's DKIM keys may stand, rung by rung (RFC 6376 has no way to list them).

First a label nobody uses (a wildcard answers it too) and ``_domainkey`` itself: NXDOMAIN there proves that
no key exists (RFC 8020). Then the selectors that were told, those of the recognised providers, those that
aliases give away, and a list of common ones last.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from probe.checks import Domain, _providers, _suffixes
from probe.checks._dkim_keys import Assessment, assess
from probe.checks._evidence import seen_answer
from probe.checks._once import once_for_all
from probe.checks._providers import Provider
from probe.facts import Answer, Question, Records, Status
from probe.grammar import dkim

__all__ = ["Ladder", "Selector", "control", "domainkey", "given", "ladder_of"]

# Selectors that programs and panels use by default, as public lists of found keys show them.
COMMON = (
    "default", "dkim", "mail", "email", "smtp", "s1", "s2", "k1", "k2", "x", "mx", "key1", "key2",
    "selector1", "selector2", "google", "mxvault", "everlytickey1", "everlytickey2", "eversrv", "cm",
    "turbo-smtp", "mail1", "mail2", "api", "s1024", "s2048", "mailchannels", "dkim1", "dkim2", "sig1",
    "key", "main", "m1", "zmail", "zoho", "pm", "mandrill", "mailjet", "resend", "fm1", "protonmail",
)  # fmt: skip
_MAX_GIVEN = 20
_MAX_PROVIDERS = 6
_IN_FLIGHT = 1024  # domains whose names are kept at hand: more than are audited at a time


class Selector(NamedTuple):
    """One selector that was asked for, and what came back; `told` marks those the operator named."""

    name: str
    told: bool
    question: Question
    answer: Answer
    key: Assessment | None

    @property
    def dangling(self) -> bool:
        """Whether an alias leads to nothing."""
        return bool(self.answer.aliases) and self.answer.known and not self.answer.values


@functools.lru_cache(maxsize=_IN_FLIGHT)
def control(domain: Domain) -> Question:
    """The key of a selector that nobody chose: the same in every run, not to be guessed from the name."""
    label = hashlib.blake2b(domain.name.encode(), digest_size=10, person=b"no such selector").hexdigest()
    return Question(dkim.key_name(f"x{label}", domain.name), "TXT")


@functools.lru_cache(maxsize=_IN_FLIGHT)
def domainkey(domain: Domain) -> Question:
    """The node above all keys."""
    return Question(f"_domainkey.{domain.name}", "TXT")


@functools.lru_cache(maxsize=_IN_FLIGHT)
def given(domain: Domain) -> Mapping[str, Question]:
    """The selectors the operator named, as they can be asked for, and where their keys stand."""
    return _keys(filter(None, map(dkim.selector, domain.selectors[:_MAX_GIVEN])), domain.name)


def parent(domain: Domain) -> Question | None:
    """The node above all keys of the organizational domain, for a name below it."""
    if domain.name.count(".") < 2:
        return None
    home = _suffixes.organizational(domain.name)
    return Question(f"_domainkey.{home}", "TXT") if home != domain.name else None


@functools.lru_cache(maxsize=_IN_FLIGHT)
def _first_rung(domain: Domain) -> tuple[Question, ...]:
    """What is asked before anything is known."""
    keys = (control(domain), domainkey(domain), *given(domain).values())
    above = parent(domain)
    more = (Question(domain.name, "MX"), Question(domain.name, "TXT"), *((above,) if above else ()))
    return _askable((*keys, *more))


def _keys(selectors: Iterable[str], name: str) -> dict[str, Question]:
    """Where the keys of some selectors stand."""
    return {selector: Question(dkim.key_name(selector, name), "TXT") for selector in selectors}


class Ladder:
    """The ladder of one domain over what has been seen: what to ask next, and what was found on the way."""

    def __init__(self, domain: Domain, seen: Records) -> None:
        self.domain, self.seen = domain, seen
        self.given = given(domain)
        # What a wildcard answers to any selector; empty where there is none.
        self.echoes = frozenset(seen.of(control(domain).name, "TXT"))

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """What it asks for so far."""
        return tuple(chain.from_iterable(self.rungs()))

    @property
    def climbed(self) -> bool:
        """Whether all it asks for is answered: no further answer changes what was found."""
        return not self._open(self.questions)

    def rungs(self) -> Iterator[tuple[Question, ...]]:
        """The questions: the next rung only when the last is answered and leaves something to find."""
        yield (rung := _first_rung(self.domain))
        if self._open(rung) or not self._worth_searching:
            return
        yield (rung := _askable(self._of_providers.values()))
        if self._open(rung):
            return
        yield (rung := _askable(self._of_aliases.values()))
        if self._open(rung):
            return
        # Whoever named selectors is not searched for more than his providers use.
        if not self.given and not any(each.key for each in self.selectors):
            yield _askable(_keys(COMMON, self.domain.name).values())

    @property
    def parent(self) -> Question | None:
        """The node above all keys of the organizational domain, for a name below it."""
        return parent(self.domain)

    @cached_property
    def selectors(self) -> tuple[Selector, ...]:
        """Every selector that was asked for so far, those the operator told first."""
        guessed: Mapping[str, Question] = {}
        if self._worth_searching:
            guessed = {**self._of_providers, **self._of_aliases}
            if self.seen.asked(dkim.key_name(COMMON[0], self.domain.name), "TXT") is not None:
                guessed = {**guessed, **_keys(COMMON, self.domain.name)}
        return (
            *(self._selector(name, asked, told=True) for name, asked in self.given.items()),
            *(
                self._selector(name, asked, told=False)
                for name, asked in guessed.items()
                if asked in self.seen and name not in self.given
            ),
        )

    @cached_property
    def usable(self) -> Mapping[str, Assessment]:
        """The keys a verifier can use, by selector; ``*`` for a wildcard's."""
        found = {each.name: each.key for each in self.selectors if each.key is not None and each.key.usable}
        if not found and self.wildcard is not None and self.wildcard.usable:
            found["*"] = self.wildcard
        return found

    @cached_property
    def wildcard(self) -> Assessment | None:
        """The key that a wildcard gives to every selector."""
        return assess(tuple(sorted(self.echoes)))

    @cached_property
    def proven_none(self) -> bool:
        """Whether it is proven that the domain has no key: nothing exists at or below ``_domainkey``."""
        if any(each.key or (each.told and not each.answer.known) for each in self.selectors):
            return False  # a server that fails below a name that does not exist is not to be believed
        above = seen_answer(self.seen, domainkey(self.domain))
        nothing = above.status is Status.NXDOMAIN and not above.aliases
        # A wildcard further up answers for _domainkey as well only if nothing exists there (RFC 4592).
        echoed = bool(self.echoes) and frozenset(above.values) == self.echoes
        return (nothing or echoed) and self.wildcard is None

    @cached_property
    def providers(self) -> tuple[Provider, ...]:
        """Who sends for the domain: the provider told, that of its MX, those its SPF record includes."""
        name, seen = self.domain.name, self.seen
        return _serving(self.domain.provider, seen.of(name, "MX"), seen.of(name, "TXT"))

    @cached_property
    def _worth_searching(self) -> bool:
        """Whether a guess can find anything: some key may exist, and not every name has an answer."""
        below = seen_answer(self.seen, control(self.domain))
        above = seen_answer(self.seen, domainkey(self.domain))
        if not below.known or above.status is Status.NXDOMAIN:
            return False
        if self.echoes:  # a wildcard of text or of a revoked key still lets keys stand beside it
            return above.status is Status.NODATA and not (self.wildcard and self.wildcard.usable)
        return True

    @cached_property
    def _of_providers(self) -> Mapping[str, Question]:
        name, seen = self.domain.name, self.seen
        return _guesses(name, self.domain.provider, seen.of(name, "MX"), seen.of(name, "TXT"))

    @cached_property
    def _of_aliases(self) -> Mapping[str, Question]:
        """The selectors of providers that an alias of a known selector leads to."""
        known = (*self.given.values(), *self._of_providers.values())
        targets = {alias for asked in known for alias in seen_answer(self.seen, asked).aliases[:5]}
        if not targets:
            return {}
        name = self.domain.name
        reached = (
            one.selectors
            for one in _providers.with_targets()
            if any(_providers.matches(each, _filled(to, name)) for to in one.targets for each in targets)
        )
        return _keys((_filled(selector, name) for selectors in reached for selector in selectors), name)

    def _open(self, rung: Iterable[Question]) -> bool:
        return not all(map(self.seen.answers.__contains__, rung))

    def _selector(self, name: str, asked: Question, *, told: bool) -> Selector:
        answer = seen_answer(self.seen, asked)
        values = answer.values if answer.status is Status.OK else ()
        key = assess(values) if values else None
        if values and self.echoes.issuperset(values) and not (told and key is not None and key.usable):
            answer, key = Answer(Status.NXDOMAIN, server=answer.server), None  # the wildcard's, not its own
        return Selector(name, told, asked, answer, key)


@functools.lru_cache(maxsize=_IN_FLIGHT // 2)
def _guesses(
    name: str, told: str, exchanges: tuple[str, ...], texts: tuple[str, ...]
) -> Mapping[str, Question]:
    """The keys that those who send for a domain use."""
    serving = _serving(told, exchanges, texts)
    return _keys((_filled(selector, name) for one in serving for selector in one.selectors), name)


def _filled(pattern: str, name: str) -> str:
    if "{" not in pattern:
        return pattern
    return pattern.replace("{domain}", name).replace("{dashed}", name.replace(".", "-"))


def _serving(told: str, exchanges: tuple[str, ...], texts: tuple[str, ...]) -> tuple[Provider, ...]:
    """The providers in what was told, in MX values and in the SPF records among TXT values."""
    hosts = [value.partition(" ")[2] for value in exchanges[:20]]
    spf = (value.lower() for value in texts[:100])
    terms = (term for value in spf if value.startswith("v=spf1") for term in value[:4096].split())
    included = {term.partition(":")[2] for term in terms if "include:" in term}
    named = _providers.find(told) if told else None
    found = (named, _providers.recognise(hosts), *_providers.including(included))
    return tuple({one.id: one for one in found if one is not None}.values())[:_MAX_PROVIDERS]


def _askable(questions: Iterable[Question]) -> tuple[Question, ...]:
    return tuple([each for each in questions if len(each.name) <= 253])


@once_for_all(attrgetter("climbed"))
def ladder_of(domain: Domain, seen: Records) -> Ladder:
    """The ladder of a domain over what has been seen."""
    return Ladder(domain, seen)
