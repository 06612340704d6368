"""``check_host()`` of RFC 7208, over answers that have been fetched already.

`evaluate` is pure and total. Where an answer is missing it names the question, takes the term for one
that does not match and goes on, so that everything a receiver could ask next is fetched in one round; the
result counts only when nothing is missing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from probe.checks._spf_networks import Address
from probe.checks._spf_result import (
    MOST_HOSTS,
    MOST_LOOKUPS,
    MOST_VOIDS,
    Evaluation,
    Result,
    Sender,
    Step,
    queryable,
    records_of,
    shortened,
)
from probe.facts import Answer, Question, Records, Status, escape
from probe.grammar import macro, spf
from probe.grammar.spf import Record, Term

__all__ = ["evaluate"]

_MOST_STEPS = 200  # of the trace; a record may have thousands of terms
_LONGEST_EXPLANATION = 500


def evaluate(sender: Sender, records: Records) -> Evaluation:
    """Whether the domain of MAIL FROM (of HELO for a bounce) authorises this client."""
    run = _Run(sender, records)
    explanation = ""
    failed = None
    _, domain = sender.identity
    try:
        result, reason, record, domain = run.check(domain)
        if result is Result.FAIL and record is not None:
            explanation = run.explain(record, domain)
    except _StopError as stop:
        result, reason, failed = stop.result, stop.reason, stop.question
    return Evaluation(
        result,
        reason,
        explanation,
        run.lookups,
        run.voids,
        tuple(run.trace),
        tuple(run.missing),
        failed,
    )


class _StopError(Exception):
    """The check ends here, with this result."""

    def __init__(self, result: Result, reason: str, question: Question | None = None) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason
        self.question = question


@dataclass(slots=True)
class _Run:
    """One evaluation: what is counted and collected on the way."""

    sender: Sender
    records: Records
    lookups: int = 0
    voids: int = 0
    trace: list[Step] = field(default_factory=list)
    missing: dict[Question, None] = field(default_factory=dict)

    @property
    def address(self) -> Address:
        """The client's address; IPv4 in IPv6 is IPv4 (section 5)."""
        mapped = getattr(self.sender.address, "ipv4_mapped", None)
        return mapped or self.sender.address

    # -- the record ---------------------------------------------------------------------------------

    def check(self, domain: str) -> tuple[Result, str, Record | None, str]:
        """The result for one domain, the reason, and whose record had the last word."""
        name = queryable(domain)
        if name is None or "." not in name or domain.startswith("["):
            return Result.NONE, "not a domain name", None, domain
        answer = self.ask(name, "TXT")
        if answer is None:
            return Result.NEUTRAL, "", None, domain
        texts = records_of(answer.values)
        if len(texts) > 1:
            raise _StopError(Result.PERMERROR, f"{name} has {len(texts)} SPF records")
        if not texts:
            return Result.NONE, f"{name} has no SPF record", None, domain
        record = spf.parse(texts[0])
        if record.problems:
            problem = record.problems[0]
            raise _StopError(Result.PERMERROR, f"{name}: {problem.reason}: {spf.mark(record.text, problem)}")
        for term in record.mechanisms:
            if self.matches(term, name):
                return Result(spf.QUALIFIERS[term.qualifier]), f"{name}: {term.text}", record, name
        redirect = record.first("redirect")
        if redirect is not None and record.all is None:
            return self.redirect(redirect, name)
        return Result.NEUTRAL, f"{name}: no term matched", record, name

    def redirect(self, term: Term, domain: str) -> tuple[Result, str, Record | None, str]:
        """Section 6.1: the other domain's result, but a permerror where it has no record."""
        self.count(term, domain)
        target = self.target(term, domain)
        found = self.check(target)
        if found[0] is Result.NONE:
            raise _StopError(Result.PERMERROR, f"{domain}: {term.text}: {found[1]}")
        self.note(domain, term, found[0])
        return found

    # -- mechanisms ---------------------------------------------------------------------------------

    def matches(self, term: Term, domain: str) -> bool:
        """Whether a mechanism matches the client (section 5)."""
        if term.looks_up:
            self.count(term, domain)
        before = len(self.missing)
        matched = getattr(self, f"_{term.name}")(term, domain)
        pending = len(self.missing) > before
        self.note(domain, term, "pending" if pending else "match" if matched else "no match")
        assert isinstance(matched, bool)
        return matched

    def _all(self, _term: Term, _domain: str) -> bool:
        return True

    def _ip4(self, term: Term, _domain: str) -> bool:
        return self.address in (term.network or ())

    _ip6 = _ip4

    def _include(self, term: Term, domain: str) -> bool:
        result, reason, _, _ = self.check(self.target(term, domain))
        if result is Result.NONE:
            raise _StopError(Result.PERMERROR, f"{domain}: {term.text}: {reason}")
        return result is Result.PASS

    def _a(self, term: Term, domain: str) -> bool:
        name = queryable(self.target(term, domain))
        return name is not None and self.hosted(name, term, void=True)

    def _mx(self, term: Term, domain: str) -> bool:
        name = queryable(self.target(term, domain))
        answer = self.ask(name, "MX", void=True) if name else None
        if answer is None:
            return False
        if len(answer.values) > MOST_HOSTS:
            raise _StopError(Result.PERMERROR, f"{domain}: {term.text}: more than {MOST_HOSTS} MX hosts")
        hosts = (queryable(value.partition(" ")[2]) for value in answer.values)
        return any(self.hosted(host, term, void=False) for host in hosts if host)

    def _ptr(self, term: Term, domain: str) -> bool:
        target = self.target(term, domain).removesuffix(".").lower()
        return any(name == target or name.endswith("." + target) for name in self.validated(void=True))

    def _exists(self, term: Term, domain: str) -> bool:
        name = queryable(self.target(term, domain))
        answer = self.ask(name, "A", void=True) if name else None
        return answer is not None and bool(answer.values)

    def hosted(self, name: str, term: Term, *, void: bool) -> bool:
        """Whether the client is among the addresses of a host, by the prefix length of the term."""
        four = self.address.version == 4
        answer = self.ask(name, "A" if four else "AAAA", void=void)
        length = term.cidr4 if four else term.cidr6
        return answer is not None and any(self.near(value, length) for value in answer.values)

    def near(self, value: str, length: int) -> bool:
        """Whether the client is in the network of this length around an address."""
        try:
            return self.address in ipaddress.ip_network((value, length), strict=False)
        except ValueError:
            return False

    # -- names and macros ---------------------------------------------------------------------------

    def target(self, term: Term, domain: str) -> str:
        """The name a term is about, macros expanded; the domain itself where it names none."""
        if term.target is None:
            return domain
        return shortened(
            macro.expand(term.target, lambda letter: self.value(letter, domain)).removesuffix(".")
        )

    def value(self, letter: str, domain: str) -> str:
        """What a macro letter stands for (section 7.2)."""
        return _LETTERS[letter](self, domain)

    def best_name(self, domain: str) -> str:
        """The validated name of the client: the domain itself, else one below it, else any (section 7.3)."""
        names = self.validated(void=False)
        below = [name for name in names if name.endswith("." + domain)]
        return domain if domain in names else [*below, *names, "unknown"][0]

    def validated(self, *, void: bool) -> list[str]:
        """The names of the client whose own addresses hold it (section 5.5); failures are passed over."""
        question = Question(self.address.reverse_pointer, "PTR")
        answer = self.look(question)
        if void:
            self.count_void(answer, question)
        if answer is None or not answer.known:
            return []
        kind = "A" if self.address.version == 4 else "AAAA"
        names = [name for value in answer.values[:MOST_HOSTS] if (name := queryable(value))]
        found = [(name, self.look(Question(name, kind))) for name in names]
        full = self.address.max_prefixlen
        return [
            name
            for name, held in found
            if held is not None and any(self.near(value, full) for value in held.values)
        ]

    def explain(self, record: Record, domain: str) -> str:
        """The explanation of a fail (section 6.2), printable; empty where there is none that counts."""
        term = record.first("exp")
        name = queryable(self.target(term, domain)) if term else None
        answer = self.look(Question(name, "TXT")) if name else None
        if answer is None or answer.status is not Status.OK or len(answer.values) != 1:
            return ""
        text = answer.values[0]
        try:
            parts = macro.parse(text, macro.EXPLANATION_LETTERS, spaces=True)
        except macro.MalformedError:
            return ""
        told = macro.expand(parts, lambda letter: self.value(letter, domain))[:_LONGEST_EXPLANATION]
        return escape(told.encode("utf-8", "surrogateescape"))

    # -- asking and counting ------------------------------------------------------------------------

    def look(self, question: Question) -> Answer | None:
        """The answer, or None with the question noted as missing."""
        answer = self.records.answers.get(question)
        if answer is None:
            self.missing[question] = None
        return answer

    def ask(self, name: str, kind: str, *, void: bool = False) -> Answer | None:
        """As `look`, but a lookup that failed ends the check in a temperror."""
        question = Question(name, kind)
        answer = self.look(question)
        if answer is not None and not answer.known:
            raise _StopError(Result.TEMPERROR, f"{question}: {answer.status}", question)
        if void:
            self.count_void(answer, question)
        return answer

    def count(self, term: Term, domain: str) -> None:
        """One more term that looks something up; the eleventh is a permerror (section 4.6.4)."""
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            self.note(domain, term, "one lookup too many")
            raise _StopError(
                Result.PERMERROR, f"{domain}: {term.text} is lookup {self.lookups} of {MOST_LOOKUPS}"
            )

    def count_void(self, answer: Answer | None, question: Question) -> None:
        """One more lookup that found nothing; the third is a permerror (section 4.6.4)."""
        if answer is None or not answer.known or answer.values:
            return
        self.voids += 1
        if self.voids > MOST_VOIDS:
            raise _StopError(Result.PERMERROR, f"{question} is void lookup {self.voids} of {MOST_VOIDS}")

    def note(self, domain: str, term: Term, outcome: str) -> None:
        """One more line of the trace."""
        if len(self.trace) < _MOST_STEPS:
            self.trace.append(Step(domain, term.text, outcome, self.lookups, self.voids))


def _nibbles(address: Address) -> str:
    return ".".join(address.exploded.replace(":", "").upper())


_LETTERS: Mapping[str, Callable[[_Run, str], str]] = {
    "s": lambda run, _: "@".join(run.sender.identity),
    "l": lambda run, _: run.sender.identity[0],
    "o": lambda run, _: run.sender.identity[1],
    "d": lambda _, domain: domain,
    "i": lambda run, _: str(run.address) if run.address.version == 4 else _nibbles(run.address),
    "v": lambda run, _: "in-addr" if run.address.version == 4 else "ip6",
    "h": lambda run, _: run.sender.helo,
    "p": lambda run, domain: run.best_name(domain),
    "c": lambda run, _: str(run.address),
    # The receiver's name and its time, which explanations alone may hold (section 7.2). There is no receiver,
    # for which section 7.3 has the word "unknown", and a time of ours would make two runs differ.
    "r": lambda _run, _domain: "unknown",
    "t": lambda _run, _domain: "0",
}
