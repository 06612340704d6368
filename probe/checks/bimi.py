"""BIMI: the logo beside the mail, and what receivers want before they show it.

draft-brand-indicators-for-message-identification; the record at ``default._bimi``.
"""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks import Domain, Judgement
from probe.checks._evidence import (
    READ,
    evidence,
    keep,
    pasted,
    printable,
    problem,
    seen_answer,
    state,
    unknown,
    unknown_rule,
)
from probe.checks._suffixes import organizational
from probe.facts import Answer, Question, Records, Status
from probe.grammar import bimi, tags
from probe.rules import Finding, Source, State, Verdict

__all__ = ["RULES", "ask", "judge"]

_DRAFT = Source(
    "https://datatracker.ietf.org/doc/draft-brand-indicators-for-message-identification/", "rfc", READ
)
_MOST_RECORDS = 20  # looked at
_GMAIL = Source("https://support.google.com/a/answer/10911320", "vendor", READ)

UNKNOWN = unknown_rule("bimi", "The BIMI record", _DRAFT)
NONE = problem(
    id="bimi/none",
    verdict=Verdict.NOTE,
    title="No BIMI record",
    meaning="No logo is offered to receivers. It is optional and has no part in delivery.",
    fix="If you want a logo: first an enforced DMARC policy, then the logo, a certificate and the record.",
    source=_DRAFT,
)
SEVERAL = problem(
    id="bimi/several",
    verdict=Verdict.WARN,
    title="Several BIMI records",
    meaning="With more than one record receivers show no logo.",
    fix="Keep one of them.",
    source=_DRAFT,
)
SYNTAX = problem(
    id="bimi/syntax",
    verdict=Verdict.WARN,
    title="The BIMI record cannot be used",
    meaning="Receivers that cannot read the record show no logo.",
    fix="Publish the record in its exact form.",
    source=_DRAFT,
)
DECLINED = problem(
    id="bimi/declined",
    verdict=Verdict.NOTE,
    title="The domain declines to show a logo",
    meaning="An empty record says so on purpose.",
    fix="Nothing, if that is what you want.",
    source=_DRAFT,
)
BARE = problem(
    id="bimi/no-certificate",
    verdict=Verdict.NOTE,
    title="The logo has no certificate",
    meaning="Gmail shows a logo only with a certificate (VMC or CMC) named in a=.",
    fix="Get a certificate for the logo and name it in a=.",
    source=_GMAIL,
)
NOT_ENFORCED = problem(
    id="bimi/dmarc-not-enforced",
    verdict=Verdict.WARN,
    title="A BIMI record without an enforced DMARC policy",
    meaning="Receivers show the logo only where DMARC says quarantine or reject for all mail.",
    fix="Raise the DMARC policy to quarantine, then reject, or remove the BIMI record.",
    source=_GMAIL,
)

RULES = (UNKNOWN, NONE, SEVERAL, SYNTAX, DECLINED, BARE, NOT_ENFORCED)


def _places(domain: Domain) -> list[str]:
    """Where a record may stand: at the domain, else at its organizational domain."""
    if domain.name.count(".") < 2:
        return [domain.name]
    return list(dict.fromkeys((domain.name, organizational(domain.name))))


def _question(place: str) -> Question:
    return Question(f"default._bimi.{place}", "TXT")


def _policy_question(place: str) -> Question:
    return Question(f"_dmarc.{place}", "TXT")


def _records(answer: Answer) -> list[str]:
    values = answer.values if answer.status is Status.OK else ()
    return [value for value in values if bimi.announces(value)]


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """The record, where it stands, and the DMARC record it depends on."""
    for place in _places(domain):
        yield (question := _question(place))
        answer = seen_answer(seen, question)
        if not answer.known:
            return
        if _records(answer):
            yield _policy_question(place)
            return


def judge(domain: Domain, seen: Records) -> Judgement:
    """``evaluation`` holds the addresses of the logo and its certificate."""
    for place in _places(domain):
        question = _question(place)
        answer = seen_answer(seen, question)
        if not answer.known:
            return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, question),))
        if records := _records(answer):
            return _judged(place, records, seen)
    question = _question(domain.name)
    return Judgement(State.MISSING, (Finding(NONE, evidence(question, seen_answer(seen, question))),))


def _judged(place: str, records: list[str], seen: Records) -> Judgement:
    question = _question(place)
    answer = seen_answer(seen, question)
    fact = evidence(question, answer, "; ".join(records[:4]))
    if len(records) > 1:
        best = min(records[:_MOST_RECORDS], key=_lacks)
        fix = keep(question, answer, best) if not bimi.record(best).problems else ""
        return Judgement(State.INVALID, (Finding(SEVERAL, fact, f"{len(records)} records", fix),))
    record = bimi.record(records[0])
    told = {"location": printable(record.location), "authority": printable(record.authority)}
    if record.problems:
        meant = bimi.repaired(records[0])
        fix = pasted(question, answer, meant) if meant else ""
        finding = Finding(SYNTAX, fact, printable("; ".join(record.problems)), fix)
        return Judgement(State.INVALID, (finding,), told)
    if record.declines:
        return Judgement(State.VALID, (Finding(DECLINED, fact),), told)
    findings = [Finding(BARE, fact)] if not record.authority else []
    findings += _policy(place, seen)
    return Judgement(state(findings), tuple(findings), told)


def _lacks(text: str) -> tuple[bool, bool, bool]:
    """What a record lacks of one that shows a logo everywhere: the form, the logo, the certificate."""
    record = bimi.record(text)
    return bool(record.problems), not record.location, not record.authority


def _policy(place: str, seen: Records) -> Iterator[Finding]:
    """What the domain's own DMARC record says against a logo; an inherited policy is the DMARC check's."""
    question = _policy_question(place)
    found = [tags.read(value) for value in seen.of(question.name, question.type)]
    policies = [each for each in found if each.pairs[:1] == (("v", "DMARC1"),)]
    if len(policies) != 1:
        return
    policy = policies[0].values
    wanted = policy.get("p", "").lower()
    weak = "p=none" if wanted not in {"quarantine", "reject"} else ""
    if policy.get("t", "").lower() == "y":
        weak = weak or "t=y"
    if wanted == "quarantine" and policy.get("pct", "100") != "100":
        weak = weak or f"pct={policy['pct'][:10]}"
    if weak:
        record = "; ".join(f"{name}={value}" for name, value in policies[0].pairs[:20])
        yield Finding(NOT_ENFORCED, evidence(question, seen_answer(seen, question), record), printable(weak))
