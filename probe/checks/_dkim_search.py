"""Where a domain's DKIM keys may stand, rung by rung (RFC 6376 has no way to list them).

First a label nobody uses (a wildcard answers it too) and ``_domainkey`` itself: NXDOMAIN there proves that
no key exists (RFC 8020), unless the server says it of any name without records of its own; so a few selectors
of the recognised providers are asked for even then. Then the selectors that were told, all those of the
providers, those that aliases give away, and a list of common ones last.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from probe.checks import Domain, _providers, _suffixes
from probe.checks._dkim_keys import Assessment, assess
from probe.checks._evidence import seen_answer
from probe.checks._once import once_for_all
from probe.checks._providers import Provider
from probe.checks._spf_result import records_of
from probe.facts import Answer, Question, Records, Status
from probe.grammar import dkim
from probe.grammar.hostname import askable

__all__ = ["Ladder", "Places", "Selector", "caution", "domainkey", "ladder_of", "own_answer", "places"]

# Selectors that programs and panels use by default, as public lists of found keys show them.
COMMON = (
    "default", "dkim", "mail", "email", "smtp", "s1", "s2", "k1", "k2", "x", "mx", "key1", "key2",
    "selector1", "selector2", "google", "mxvault", "everlytickey1", "everlytickey2", "eversrv", "cm",
    "turbo-smtp", "mail1", "mail2", "api", "s1024", "s2048", "mailchannels", "dkim1", "dkim2", "sig1",
    "key", "main", "m1", "zmail", "zoho", "pm", "mandrill", "mailjet", "resend", "fm1", "protonmail",
)  # fmt: skip
_MAX_GIVEN = 20
_MAX_PROVIDERS = 6
_MAX_DENIED = 3  # selectors asked for below a name that is said not to exist
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


class Places(NamedTuple):
    """Where the keys of one domain may stand before anything is known: what is asked first.

    `control` is the key of a selector that nobody chose, `above` the node above all keys, `parent` that of
    the organizational domain, for a name below it. `given` are the selectors the operator named, as they
    can be asked for, with their keys.
    """

    control: Question
    above: Question
    parent: Question | None
    given: Mapping[str, Question]
    rung: tuple[Question, ...]


@functools.lru_cache(maxsize=_IN_FLIGHT)
def places(domain: Domain) -> Places:
    """The places of a domain; the control is the same in every run, not to be guessed from the name."""
    name = domain.name
    label = hashlib.blake2b(name.encode(), digest_size=10, person=b"no such selector").hexdigest()
    control, above = Question(dkim.key_name(f"x{label}", name), "TXT"), _above(name)
    told = filter(None, map(dkim.selector, domain.selectors[:_MAX_GIVEN]))
    given = {selector: Question(dkim.key_name(selector, name), "TXT") for selector in told}
    home = _suffixes.organizational(name) if name.count(".") > 1 else name
    parent = _above(home) if home != name else None
    first = [control, above, *given.values(), Question(name, "MX"), Question(name, "TXT")]
    if parent is not None:
        first.append(parent)
    return Places(control, above, parent, given, tuple([asked for asked in first if askable(asked.name)]))


def _above(name: str) -> Question:
    return Question(f"_domainkey.{name}", "TXT")


def domainkey(domain: Domain) -> Question:
    """The node above all keys."""
    return places(domain).above


def _keys(selectors: Iterable[str], name: str) -> dict[str, Question]:
    """Where the keys of some selectors stand, if they can be asked for."""
    return {
        selector: asked
        for selector in selectors
        if askable((asked := Question(dkim.key_name(selector, name), "TXT")).name)
    }


class Ladder:
    """The ladder of one domain over what has been seen: what to ask next, and what was found on the way."""

    def __init__(self, domain: Domain, seen: Records) -> None:
        self.domain, self.seen, self.places = domain, seen, places(domain)
        self.below = seen_answer(seen, self.places.control)
        self.above = seen_answer(seen, self.places.above)
        # What a wildcard answers to any selector; empty where there is none.
        self.echoes = frozenset(self.below.values if self.below.status is Status.OK else ())
        self._denied = not self.echoes and self.above.status is Status.NXDOMAIN
        self._searched = self._worth_searching()
        # What it asks for so far. Where all of that is answered, no further answer changes what was found.
        self.questions, self.climbed = self._climb()

    def _climb(self) -> tuple[tuple[Question, ...], bool]:
        """Up to the first rung that is not answered: what is asked, and whether there is no such rung."""
        asked: list[Question] = []
        for rung in self._rungs():
            asked += rung
            if not all(map(self.seen.answers.__contains__, rung)):
                return tuple(asked), False
        return tuple(asked), True

    def _rungs(self) -> Iterator[Collection[Question]]:
        """Each is read once the one before is answered, and only if that leaves something to find."""
        yield self.places.rung
        yield self._likely.values()
        if not self._searched:
            return
        yield self._of_aliases.values()
        # Whoever named selectors is not searched for more than his providers use.
        if not self.given and not any(each.key for each in self.selectors):
            yield _keys(COMMON, self.domain.name).values()

    @property
    def given(self) -> Mapping[str, Question]:
        """The selectors the operator named."""
        return self.places.given

    @property
    def parent(self) -> Question | None:
        """The node above all keys of the organizational domain, for a name below it."""
        return self.places.parent

    @functools.cached_property
    def selectors(self) -> tuple[Selector, ...]:
        """Every selector that was asked for so far, those the operator told first."""
        given, answers = self.given, self.seen.answers
        guessed = self._likely
        if self._searched:
            guessed = {**guessed, **self._of_aliases}
            if not given and self.seen.asked(dkim.key_name(COMMON[0], self.domain.name), "TXT") is not None:
                guessed = {**guessed, **_keys(COMMON, self.domain.name)}
        told = [self._selector(name, asked, told=True) for name, asked in given.items()]
        found = [
            self._selector(name, asked, told=False)
            for name, asked in guessed.items()
            if asked in answers and name not in given
        ]
        return (*told, *found)

    @functools.cached_property
    def usable(self) -> Mapping[str, Assessment]:
        """The keys a verifier can use, by selector; ``*`` for a wildcard's."""
        found = {each.name: each.key for each in self.selectors if each.key is not None and each.key.usable}
        if not found and self.wildcard is not None and self.wildcard.usable:
            found["*"] = self.wildcard
        return found

    @functools.cached_property
    def wildcard(self) -> Assessment | None:
        """The key that a wildcard gives to every selector."""
        return assess(tuple(sorted(self.echoes)))

    @functools.cached_property
    def proven_none(self) -> bool:
        """Whether it is proven that the domain has no key: nothing exists at or below ``_domainkey``.

        A server that answers or fails below a name that does not exist is not to be believed.
        """
        if any(each.key or each.dangling or not each.answer.known for each in self.selectors):
            return False
        above = self.above
        nothing = above.status is Status.NXDOMAIN and not above.aliases
        # A wildcard further up answers for _domainkey as well only if nothing exists there (RFC 4592).
        return (nothing or self._echoed(above)) and self.wildcard is None

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Who sends for the domain: the provider told, that of its MX, those its SPF record includes."""
        return self._serving[0]

    @property
    def hidden(self) -> Question | None:
        """A guessed selector that was not answered, where a good key may stand; None where one was found."""
        lost = (each.question for each in self.selectors if not each.told and not each.answer.known)
        return None if self.usable else next(lost, None)

    @property
    def unanswered(self) -> Question | None:
        """The first question without which nothing is proven, if it failed."""
        asked = [self.places.control, self.places.above]
        if self._denied:
            asked += [each.question for each in self.selectors]
        return next((question for question in asked if not seen_answer(self.seen, question).known), None)

    @property
    def _of_providers(self) -> Mapping[str, Question]:
        return self._serving[1]

    @functools.cached_property
    def _likely(self) -> Mapping[str, Question]:
        """The providers' selectors that are worth a question."""
        if self._denied:
            return dict(islice(self._of_providers.items(), _MAX_DENIED))
        return self._of_providers if self._searched else {}

    @functools.cached_property
    def _serving(self) -> tuple[tuple[Provider, ...], Mapping[str, Question]]:
        name, seen = self.domain.name, self.seen
        return _guesses(name, self.domain.provider, seen.of(name, "MX"), seen.of(name, "TXT"))

    @functools.cached_property
    def _of_aliases(self) -> Mapping[str, Question]:
        """The selectors of further providers that an alias of a known selector leads to."""
        known = (*self.given.values(), *self._of_providers.values())
        answers = [seen_answer(self.seen, asked) for asked in known]
        targets = {alias for answer in answers if answer.aliases for alias in answer.aliases[:5]}
        if not targets:
            return {}
        return _of_customer(_providers.leading(targets, self.domain.name, self.providers), self.domain.name)

    def _worth_searching(self) -> bool:
        """Whether a guess can find anything: some key may exist, and not every name has an answer."""
        if not self.below.known or self.above.status is Status.NXDOMAIN or self._astray(self.above):
            return False
        if self.echoes:  # a wildcard of text or of a revoked key still lets keys stand beside it
            return self.above.status is Status.NODATA and not (self.wildcard and self.wildcard.usable)
        return True

    def _selector(self, name: str, asked: Question, *, told: bool) -> Selector:
        answer = seen_answer(self.seen, asked)
        key = assess(answer.values) if answer.status is Status.OK and answer.values else None
        if self._echoed(answer) and not (told and key is not None and key.usable):
            answer, key = Answer(Status.NXDOMAIN, server=answer.server), None  # the wildcard's, not its own
        return Selector(name, told, asked, answer, key)

    def _echoed(self, answer: Answer) -> bool:
        """Whether it is what a wildcard answers to any name."""
        return self._astray(answer) or (bool(answer.values) and self.echoes.issuperset(answer.values))

    def _astray(self, answer: Answer) -> bool:
        """Whether a wildcard's alias leads there, as it does any name."""
        return answer.known and bool(answer.aliases) and answer.aliases == self.below.aliases


@functools.lru_cache(maxsize=_IN_FLIGHT // 2)
def _guesses(
    name: str, told: str, exchanges: tuple[str, ...], texts: tuple[str, ...]
) -> tuple[tuple[Provider, ...], Mapping[str, Question]]:
    """Those who send for a domain, and the keys that they use."""
    serving = _senders(told, exchanges, texts)
    return serving, _of_customer(serving, name)


def _of_customer(serving: Iterable[Provider], name: str) -> Mapping[str, Question]:
    """The keys that some providers have their customer publish."""
    return _keys([_providers.filled(selector, name) for one in serving for selector in one.selectors], name)


def _senders(told: str, exchanges: tuple[str, ...], texts: tuple[str, ...]) -> tuple[Provider, ...]:
    """The providers in what was told, in MX values and in the SPF records among TXT values."""
    named = _providers.find(told) if told else None
    mailbox = _providers.recognise(value.partition(" ")[2] for value in exchanges[:20])
    policies = [record[:4096].lower() for record in records_of(texts)]
    included = {term.partition(":")[2] for text in policies for term in text.split() if "include:" in term}
    found = (named, mailbox, *_providers.including(included))
    return tuple({one.id: one for one in found if one is not None}.values())[:_MAX_PROVIDERS]


def own_answer(name: str, asked: Question, seen: Records) -> Answer:
    """What is answered below a domain, without the alias that a wildcard gives to any name there.

    A record of its own sets the wildcard aside (RFC 4592 section 3.3.1), so it is in nobody's way.
    """
    answer = seen_answer(seen, asked)
    control = seen.answers.get(places(Domain(name)).control) if answer.aliases else None
    astray = control is not None and control.aliases == answer.aliases
    return replace(answer, aliases=()) if astray else answer


def caution(name: str, seen: Records) -> str:
    """What to say of a first record at a name below its organization that may be there by a wildcard alone.

    It may be where a label below it that nobody chose is there, too. A record of its own takes it out of the
    wildcard, with all that the wildcard answered for it (RFC 4592 section 2.2.2).
    """
    asked = places(Domain(name))
    control = seen.answers.get(asked.control)
    if asked.parent is None or control is None or control.status not in {Status.OK, Status.NODATA}:
        return ""
    return f"If {name} is there by a wildcard alone, publish its other records, too: it answers them no more."


@once_for_all(attrgetter("climbed"))
def ladder_of(domain: Domain, seen: Records) -> Ladder:
    """The ladder of a domain over what has been seen."""
    return Ladder(domain, seen)
