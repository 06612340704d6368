"""`check_domain`: everything the DNS says about a sending domain, and what follows from it.

The checks ask, the runner fetches what is new, and they ask again until nobody has a question; then they
judge. What is over the budget of questions or of time is answered with `Status.SKIPPED`: unknown, and
said so. Beside DNS questions there are

    ("example.com", "SOA@192.0.2.53")      one server asked directly, without recursion
    ("https://...", "HTTP"), ("https://...", "RDAP")    a document, fetched by `fetch`
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import replace
from itertools import chain, islice, zip_longest

from probe.checks import Check, Domain, Judgement, every, find
from probe.facts import ROOT, Answer, Question, Records, Status, counted
from probe.rules import Cause, Finding, Report, Rule, Source, State, Verdict
from probe.run import together
from probe.run._raised import raised_at
from probe.run.evidence import Fetch, answers
from probe.wire.dns import Resolver
from probe.wire.http import fetcher

__all__ = ["BUG", "OPTIONAL", "Domain", "Resolver", "areas", "check_domain", "check_domains"]

OPTIONAL = frozenset({"dnsbl", "rdap"})  # asked for by name only: they ask third parties
_TOLD = frozenset({"ptr"})  # about what the operator tells: without that they have findings but no state
_ORDER = ("mx", "spf", "dkim", "dmarc", "ptr", "dnsbl", "receivers")
_BUDGET, _MANY, _SEARCH = 60, 72, 140  # questions a domain: usually, with many MX hosts, without selectors
_MANY_HOSTS = 4
_OPTION = 40  # questions more for every option that asks third parties
_ROUNDS = 24
_AT_ONCE = 500  # questions one check may ask in one round

BUG = Rule(
    id="probe/bug",
    verdict=Verdict.UNKNOWN,
    cause=Cause.UNKNOWN,
    title="This check failed in itself",
    meaning="The program met a situation it was not written for. It says nothing about the domain.",
    fix="Report it with the evidence below; the other checks are not affected.",
    source=Source("https://docs.python.org/3/library/exceptions.html", "observed", "2026-11-21"),
)


def areas(only: Iterable[str] = (), skip: Iterable[str] = (), options: Iterable[str] = ()) -> tuple[str, ...]:
    """The areas to check, in the order of reports. Raises ValueError for a name that is none, and for none.

    Areas that ask third parties are left out unless `only` or `options` names them.
    """
    named, left_out = _named(only), frozenset(_named(skip))
    known = every()
    for name in (*named, *sorted(left_out)):
        if name not in known:
            raise ValueError(f"there is no check {name!r}: there are {', '.join(known)}")
    first = [name for name in _ORDER if name in known]
    ordered = (*first, *(name for name in known if name not in first))
    wanted = set(named) or {name for name in ordered if name not in OPTIONAL or name in options}
    left = tuple(name for name in ordered if name in wanted - left_out)
    if not left:
        raise ValueError("every check is left out: nothing would be asked")
    return left


def _named(typed: Iterable[str]) -> list[str]:
    """Names of areas as people type them: ``mta-sts``, ``SPF``, ``spf,dmarc``."""
    words = (word.strip().lower().replace("-", "_") for text in typed for word in text.split(","))
    return [word for word in words if word]


async def check_domain(
    domain: Domain,
    resolver: Resolver,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    *,
    fetch: Fetch | None = None,
    deadline: float = 10.0,
    budget: int | None = None,
) -> Report:
    """The report on one domain; `deadline` is in seconds, `budget` in questions (None: by the domain).

    `fetch` answers HTTP and RDAP questions (None: over the network). ValueError where `only` or `skip`
    names no check.
    """
    chosen = areas(only, skip, domain.options)
    return await _checked(domain, chosen, resolver, fetch or fetcher(resolver), deadline, budget)


async def _checked(
    domain: Domain,
    chosen: Sequence[str],
    resolver: Resolver,
    fetch: Fetch,
    deadline: float,
    budget: int | None = None,
) -> Report:
    """The report on one domain, in the areas chosen."""
    if third_parties := OPTIONAL.intersection(chosen):
        domain = replace(domain, options=domain.options | third_parties)
    audit = _Audit(domain, chosen)
    begun = time.monotonic()
    for _ in range(_ROUNDS):
        wanted = audit.questions()
        if not wanted:
            break
        left = begun + deadline - time.monotonic()
        room = (audit.budget() if budget is None else budget) - audit.asked
        allowed = wanted[: max(room, 0)] if left > 0 else []
        found = await answers(allowed, resolver.ask, fetch, left) if allowed else {}
        if len(allowed) < len(wanted):
            spent = "the budget of questions" if left > 0 else "the time allowed"
            skipped = Answer(Status.SKIPPED, detail=f"{spent} was spent")
            found = dict.fromkeys(wanted[len(allowed) :], skipped) | found
        audit.learn(found, len(allowed))
    else:
        audit.learn(dict.fromkeys(audit.questions(), Answer(Status.SKIPPED, detail="too many rounds")), 0)
    if together.mute(domain.name, audit.seen) and (left := begun + deadline - time.monotonic()) > 0:
        audit.learn(await resolver.ask([ROOT], within=left), 1)
    facts = {
        "resolver": ", ".join(resolver.servers),
        "questions": counted(audit.asked, "question"),
    }
    return audit.report(facts, time.monotonic() - begun)


async def check_domains(
    domains: Sequence[Domain],
    resolver: Resolver,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    *,
    fetch: Fetch | None = None,
    deadline: float = 10.0,
    at_once: int = 100,
) -> AsyncGenerator[Report]:
    """The reports on many domains, in their order, as they are ready; `at_once` bounds how many run."""
    only, skip = tuple(only), tuple(skip)
    chosen = functools.cache(lambda options: areas(only, skip, options))
    fetch = fetch or fetcher(resolver)
    running: deque[asyncio.Task[Report]] = deque()
    waiting = iter(domains)
    free = asyncio.Semaphore(at_once)

    async def one(domain: Domain) -> Report:
        try:
            return await _checked(domain, chosen(domain.options), resolver, fetch, deadline)
        finally:
            free.release()

    try:
        for domain in waiting:
            await free.acquire()
            running.append(asyncio.create_task(one(domain)))
            while running and running[0].done():
                yield running.popleft().result()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Audit:
    """One domain: the checks that still stand, what has been seen, and who broke."""

    def __init__(self, domain: Domain, chosen: Sequence[str]) -> None:
        self.domain = domain
        self.checks: dict[str, Check] = {name: find(name) for name in chosen}
        self.asking = list(self.checks.items())
        self.seen = Records()
        self.bugs: dict[str, Finding] = {}
        self.asked = 0

    def questions(self) -> list[Question]:
        """What is asked and not yet seen: the first of every check, the second of every check, ...

        A check without an open question is not asked again: it asks for whatever it reads, so what others
        learn gives it no new question.
        """
        domain, seen, answers = self.domain, self.seen, self.seen.answers
        asking, self.asking = self.asking, []
        wanted: list[list[Question]] = []
        for name, check in asking:
            try:
                asked = islice(check.ask(domain, seen), _AT_ONCE)
                if unseen := [question for question in asked if question not in answers]:
                    wanted.append(unseen)
                    self.asking.append((name, check))
            except Exception as problem:  # noqa: BLE001 - one broken check never silences the others
                self.bugs[name] = _bug(name, problem)
        turns = dict.fromkeys(chain.from_iterable(zip_longest(*wanted)))
        turns.pop(None, None)  # where one check has more questions than another
        return list(turns)

    def learn(self, answers: dict[Question, Answer], asked: int) -> None:
        """Adds answers; `asked` of them were paid for."""
        before, self.seen = self.seen, self.seen.including(answers)
        before.forget()
        self.asked += asked

    def budget(self) -> int:
        """How many questions this domain may cost."""
        extra = _OPTION * len(self.domain.options)
        if not self.domain.selectors and "dkim" in self.checks:
            return _SEARCH + extra
        hosts = len(self.seen.of(self.domain.name, "MX"))
        return (_MANY if hosts > _MANY_HOSTS else _BUDGET) + extra

    def judged(self, name: str, check: Check) -> Judgement:
        """The conclusion of one check, or that it broke."""
        if name not in self.bugs:
            try:
                return check.judge(self.domain, self.seen)
            except Exception as problem:  # noqa: BLE001 - as in `questions`
                self.bugs[name] = _bug(name, problem)
        return Judgement(State.UNKNOWN, (self.bugs[name],))

    def report(self, facts: dict[str, str], took: float) -> Report:
        """What all checks conclude."""
        judgements = {name: self.judged(name, check) for name, check in self.checks.items()}
        found = [finding for judged in judgements.values() for finding in judged.findings]
        self.seen.forget()
        return Report(
            kind="dns",
            subject=self.domain.name,
            findings=(
                *together.silence(self.domain.name, self.seen),
                *together.told_once(self.domain.name, self.seen, found),
            ),
            states={
                name: judged.state
                for name, judged in judgements.items()
                if judged.state is not State.NOT_APPLICABLE or name not in _TOLD
            },
            facts=facts,
            evaluations={
                name: judged.evaluation
                for name, judged in judgements.items()
                if judged.evaluation is not None
            },
            records=self.seen,
            timings={"dns": took},
        )


def _bug(name: str, problem: Exception) -> Finding:
    """The finding for a check that raised: what, and where in which file."""
    said = f"{type(problem).__name__}: {problem}"[:300] + f" ({raised_at(problem)})"
    return Finding(BUG, {"check": name, "error": said}, detail=f"{name}: {said}")
