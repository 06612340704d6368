"""Where a domain's DKIM keys may stand, rung by rung (RFC 6376 has no way to list them).

First a label nobody uses (a wildcard answers it too) and ``_domainkey`` itself: NXDOMAIN there proves that
no key exists (RFC 8020). Then the selectors that were told, those of the recognised providers, those that
aliases give away, and a list of common ones last.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from probe.checks import Domain, _providers
from probe.checks._dkim_keys import Assessment, assess
from probe.checks._evidence import seen_answer
from probe.checks._providers import Provider
from probe.facts import Answer, Question, Records, Status
from probe.grammar import dkim

__all__ = [
    "Selector",
    "control",
    "domainkey",
    "echoes",
    "found_keys",
    "given",
    "proven_none",
    "providers",
    "rungs",
    "selectors",
]

# Selectors that programs and panels use by default, as public lists of found keys show them.
COMMON = (
    "default", "dkim", "mail", "email", "smtp", "s1", "s2", "k1", "k2", "x", "mx", "key1", "key2",
    "selector1", "selector2", "google", "mxvault", "everlytickey1", "everlytickey2", "eversrv", "cm",
    "turbo-smtp", "mail1", "mail2", "api", "s1024", "s2048", "mailchannels", "dkim1", "dkim2", "sig1",
    "key", "main", "m1", "zmail", "zoho", "pm", "mandrill", "mailjet", "resend", "fm1", "protonmail",
)  # fmt: skip
_MAX_GIVEN = 20
_MAX_PROVIDERS = 6


@dataclass(frozen=True, slots=True)
class Selector:
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


def control(domain: Domain) -> Question:
    """The key of a selector that nobody chose: the same in every run, not to be guessed from the name."""
    label = hashlib.blake2b(domain.name.encode(), digest_size=10, person=b"no such selector").hexdigest()
    return Question(dkim.key_name(f"x{label}", domain.name), "TXT")


def domainkey(domain: Domain) -> Question:
    """The node above all keys."""
    return Question(f"_domainkey.{domain.name}", "TXT")


def given(domain: Domain) -> tuple[str, ...]:
    """The selectors the operator named, as they can be asked for."""
    named = dict.fromkeys(map(dkim.selector, domain.selectors[:_MAX_GIVEN]))
    return tuple(name for name in named if name)


def rungs(domain: Domain, seen: Records) -> Iterator[tuple[Question, ...]]:
    """The rungs, the next one only when the last has been answered and leaves something to find."""
    first = [control(domain), domainkey(domain), *(_question(name, domain) for name in given(domain))]
    first += [Question(domain.name, "MX"), Question(domain.name, "TXT")]
    rung = _askable(first)
    yield rung
    if any(each not in seen for each in rung) or not _worth_searching(domain, seen):
        return
    for names in (_of_providers(domain, seen), _of_aliases(domain, seen)):
        rung = _askable(_question(name, domain) for name in names)
        yield rung
        if any(each not in seen for each in rung):
            return
    # Whoever named selectors is not searched for more than his providers use.
    if not given(domain) and not any(each.key for each in selectors(domain, seen)):
        yield _askable(_question(name, domain) for name in COMMON)


def _askable(questions: Iterable[Question]) -> tuple[Question, ...]:
    return tuple(dict.fromkeys(each for each in questions if len(each.name) <= 253))


def _question(selector: str, domain: Domain) -> Question:
    return Question(dkim.key_name(selector, domain.name), "TXT")


def _worth_searching(domain: Domain, seen: Records) -> bool:
    """Whether a guess can find anything: some key may exist, and not every name has an answer."""
    if seen_answer(seen, control(domain)).status not in {Status.NXDOMAIN, Status.NODATA}:
        return False
    return seen_answer(seen, domainkey(domain)).status is not Status.NXDOMAIN


def providers(domain: Domain, seen: Records) -> tuple[Provider, ...]:
    """Who sends for the domain: the provider told, that of its MX, those its SPF record includes."""
    told = _providers.find(domain.provider) if domain.provider else None
    hosts = [value.partition(" ")[2] for value in seen.of(domain.name, "MX")[:20]]
    spf = [value.lower() for value in seen.of(domain.name, "TXT")[:100] if value.lower().startswith("v=spf1")]
    included = {
        term.partition(":")[2] for record in spf for term in record[:4096].split() if "include:" in term
    }
    by_spf = [one for one in _providers.table() if included.intersection(one.spf)]
    found = dict.fromkeys(one for one in (told, _providers.recognise(hosts), *by_spf) if one is not None)
    return tuple(found)[:_MAX_PROVIDERS]


def _of_providers(domain: Domain, seen: Records) -> list[str]:
    return [_filled(name, domain) for one in providers(domain, seen) for name in one.selectors]


def _of_aliases(domain: Domain, seen: Records) -> list[str]:
    """The selectors of providers that an alias of a known selector leads to."""
    targets = {
        alias
        for name in (*given(domain), *_of_providers(domain, seen))
        for alias in seen_answer(seen, _question(name, domain)).aliases[:5]
    }
    return [
        _filled(name, domain)
        for one in _providers.table()
        if any(fnmatch.fnmatchcase(target, _filled(p, domain)) for target in targets for p in one.targets)
        for name in one.selectors
    ]


def _filled(pattern: str, domain: Domain) -> str:
    return pattern.replace("{domain}", domain.name).replace("{dashed}", domain.name.replace(".", "-"))


def selectors(domain: Domain, seen: Records) -> tuple[Selector, ...]:
    """Every selector that was asked for so far, those the operator told first."""
    told = given(domain)
    guessed: list[str] = []
    if _worth_searching(domain, seen):
        guessed = [*_of_providers(domain, seen), *_of_aliases(domain, seen), *COMMON]
    rows = []
    for name in dict.fromkeys((*told, *guessed)):
        asked = _question(name, domain)
        answer = seen.answers.get(asked)
        if answer is None and name not in told:
            continue
        rows.append(_selector(name, asked, domain, seen, told=name in told))
    return tuple(rows)


def _selector(name: str, asked: Question, domain: Domain, seen: Records, *, told: bool) -> Selector:
    answer = seen_answer(seen, asked)
    values = answer.values if answer.status is Status.OK else ()
    key = assess(values) if values else None
    if values and set(values) <= echoes(domain, seen) and not (told and key is not None and key.usable):
        answer, key = Answer(Status.NXDOMAIN, server=answer.server), None  # the wildcard, not this selector
    return Selector(name, told, asked, answer, key)


def echoes(domain: Domain, seen: Records) -> set[str]:
    """What a wildcard answers to any selector; empty where there is none."""
    return set(seen.of(*_parts(control(domain))))


def _parts(question: Question) -> tuple[str, str]:
    return question.name, question.type


def proven_none(domain: Domain, seen: Records) -> bool:
    """Whether it is proven that the domain has no key: nothing exists at or below ``_domainkey``."""
    asked = selectors(domain, seen)
    if any(each.key or (each.told and not each.answer.known) for each in asked):
        return False  # a server that fails below a name that does not exist is not to be believed
    above = seen_answer(seen, domainkey(domain))
    if above.status is Status.NXDOMAIN and not above.aliases:
        return assess(tuple(echoes(domain, seen))) is None
    # A wildcard further up answers for _domainkey as well only if nothing exists there (RFC 4592).
    wildcard = echoes(domain, seen)
    return bool(wildcard) and set(above.values) == wildcard and assess(tuple(wildcard)) is None


def found_keys(domain: Domain, seen: Records) -> Mapping[str, Assessment]:
    """The keys a verifier can use, by selector; ``*`` for a wildcard's."""
    found = {
        each.name: each.key for each in selectors(domain, seen) if each.key is not None and each.key.usable
    }
    wildcard = assess(tuple(sorted(echoes(domain, seen))))
    if not found and wildcard is not None and wildcard.usable:
        found["*"] = wildcard
    return found
