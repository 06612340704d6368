"""The shapes of the catalogue: an entry, a reading, a provider; and how they are made from the table."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from probe.catalogue import _patterns
from probe.facts import Ending, Stage
from probe.rules import Cause, Confidence, Family, Outcome, Priority, Retry, Rule, Source, Verdict

__all__ = ["Entry", "Match", "Provider", "Submission", "entry_of", "provider_of", "rule_of", "words_in"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule, and when it applies; empty conditions are no conditions.

    `stage`, `ending`, `mechanism` and `side` are sets to be in. `code` holds reply codes such as ``535``
    or ``55x``, `enhanced` codes such as ``5.7.9``, ``5.7.x`` or ``x.7.9``; `words` are patterns over
    folded text, one of which must occur. `rank` lifts (or lowers) an entry among those whose words
    occur; a provider's entry below 0 holds common words and speaks only where the provider is
    recognised. `anywhere` lets its words count where it was not, however short.
    `also` are other causes that fit, `check` the one next check that separates them, `disputed` where
    sources disagree, `samples` replies it was made for.
    """

    rule: Rule
    provider: str = ""
    stage: frozenset[Stage] = frozenset()
    code: tuple[str, ...] = ()
    enhanced: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    ending: frozenset[Ending] = frozenset()
    mechanism: frozenset[str] = frozenset()
    side: frozenset[str] = frozenset()
    samples: tuple[str, ...] = ()
    also: tuple[Cause, ...] = ()
    check: str = ""
    disputed: str = ""
    rank: int = 0
    confidence: Confidence | None = None
    anywhere: bool = False

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id

    @property
    def text(self) -> re.Pattern[str] | None:
        """The words as one expression over folded text."""
        return re.compile("|".join(f"(?:{one})" for one in self.words)) if self.words else None

    def softened(self) -> Entry:
        """The same for a 4xx reply: refused for now, so nothing is permanent and nobody is bad.

        An entry that calls itself permanent stays as it is: some servers say "never" with a 4xx.
        """
        return self if self.rule.permanent else _softened(self)


# What a 4xx says of an address, a server may say while its directory is away.
_KEEP = "Keep the address and retry for some days; suppress it when a 5xx says the same."
_NOT_YET = "Suppress anybody because of a 4xx."


@functools.lru_cache(maxsize=1024)
def _softened(entry: Entry) -> Entry:
    rule = entry.rule
    again = rule.answer("retry")
    if rule.cause.family is Family.SUPPRESS:
        rule = replace(rule, fix=_KEEP, dont=_NOT_YET)
    mild = replace(
        rule,
        verdict=Verdict.WAIT if rule.verdict is Verdict.FAIL else rule.verdict,
        outcome=None if rule.outcome is Outcome.BAD_CREDS else rule.outcome,
        permanent=False,
        recipient_bad=False,
        retry=Retry.YES if again is Retry.NO else rule.retry,
    )
    return replace(entry, rule=mild)


@dataclass(frozen=True, slots=True)
class Match:
    """The best reading of one reply or fault.

    `matched` are the decisive words, folded (empty where only codes decided). `alternates` are other
    readings with another cause, best first. `provider` is the id that was told or recognised.
    """

    entry: Entry
    matched: str = ""
    alternates: tuple[Entry, ...] = ()
    confidence: Confidence = Confidence.UNCERTAIN
    provider: str = ""

    @property
    def rule(self) -> Rule:
        """The entry's rule."""
        return self.entry.rule

    @property
    def cause(self) -> Cause:
        """The entry's cause."""
        return self.entry.rule.cause


@dataclass(frozen=True, slots=True)
class Submission:
    """Where a provider takes mail from its users; `tls` is ``starttls`` or ``implicit``.

    `only` are globs of domains and mail exchangers it serves (empty: all of the provider's), where a
    provider has servers by country, data centre or brand.
    """

    host: str
    port: int
    tls: str
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A mail provider: how to recognise it and how to log in.

    `mx` and `domains` are globs, `signs` words in a banner or reply that betray it, `submission` the
    servers, best first, `mechanisms` the SASL names it prefers, `password` what kind of password it
    wants. `token_url` is where it hands out access tokens (``{tenant}`` stands for the directory),
    `token_scope` what is asked for with a refresh token, `token_scope_alone` by an application for itself
    (empty: not offered). `at_once` sessions and `per_minute` logins (0: nothing known) are what it bears.
    """

    id: str
    name: str
    mx: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    submission: tuple[Submission, ...] = ()
    signs: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    password: str = ""
    app_password_url: str = ""
    token_url: str = ""
    token_scope: str = ""
    token_scope_alone: str = ""
    at_once: int = 5
    per_minute: int = 0
    note: str = ""
    source: Source = field(default_factory=lambda: Source("", "", ""))

    def servers(self, *names: str) -> tuple[Submission, ...]:
        """The submission servers, best first, for an inbox of this domain and these mail exchangers."""
        known = [name.strip().rstrip(".").lower() for name in names]

        def place(one: Submission) -> int:
            if not one.only:
                return 1
            return 0 if any(fnmatchcase(name, glob) for name in known for glob in one.only) else 2

        return tuple(sorted(self.submission, key=place))


def provider_of(made: Mapping[str, Any]) -> Provider:
    """A provider from its row in the table."""
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in made.items()
    }
    given["submission"] = tuple(
        Submission(host, port, tls, tuple(only)) for host, port, tls, only in made["submission"]
    )
    given["source"] = Source(**made["source"])
    return Provider(**given)


def rule_of(made: Mapping[str, Any]) -> Rule:
    """A rule from its row in the table."""
    return Rule(
        id=made["id"],
        verdict=Verdict(made["verdict"]),
        cause=Cause(made["cause"]),
        title=made["title"],
        meaning=made["meaning"],
        fix=made["fix"],
        dont=made["dont"],
        source=Source(**made["source"]),
        outcome=Outcome(made["outcome"]) if "outcome" in made else None,
        permanent=made.get("permanent"),
        recipient_bad=made.get("recipient_bad"),
        sender_must_act=made.get("sender_must_act"),
        retry=Retry(made["retry"]) if "retry" in made else None,
        retry_after=made.get("retry_after"),
        priority=Priority(made["priority"]) if "priority" in made else None,
        predicts=tuple(made["predicts"]),
    )


def entry_of(made: Mapping[str, Any], rule: Mapping[str, Any]) -> Entry:
    """An entry from its row in the table and its rule's."""
    return Entry(
        rule=rule_of(rule),
        provider=made["provider"],
        stage=frozenset(map(Stage, made["stage"])),
        code=tuple(made["code"]),
        enhanced=tuple(made["enhanced"]),
        words=tuple(made["text"]),
        ending=frozenset(map(Ending, made["ending"])),
        mechanism=frozenset(made["mechanism"]),
        side=frozenset(made["side"]),
        samples=tuple(made["sample"]),
        also=tuple(map(Cause, made["also"])),
        check=made["check"] or rule.get("check", ""),
        disputed=made["disputed"],
        rank=made["rank"],
        confidence=Confidence(made["confidence"]) if made["confidence"] else None,
        anywhere=made["anywhere"],
    )


def words_in(pattern: str, text: str) -> str | None:
    """The words of folded text that a pattern matches; None where it does not."""
    expression = _expression(pattern)
    if expression is None:
        return pattern if pattern in text else None
    found = expression.search(text)
    return found[0] if found else None


@functools.lru_cache(maxsize=8192)
def _expression(pattern: str) -> re.Pattern[str] | None:
    return None if _patterns.plain(pattern) else re.compile(pattern)
