"""BIMI: the logo beside the mail, and what receivers want before they show it.

draft-brand-indicators-for-message-identification; the record at ``default._bimi``.
"""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks import Domain, Judgement
from probe.checks._dmarc_discovery import discover, kept, question, walk
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
from probe.grammar import bimi
from probe.grammar.dmarc import Policy, Record
from probe.rules import Finding, Source, State, Verdict

__all__ = ["RULES", "ask", "judge"]

_DRAFT = Source(
    "https://datatracker.ietf.org/doc/draft-brand-indicators-for-message-identification/", "rfc", READ
)
_MOST_RECORDS = 20  # looked at
_ALL = 100  # percent
_BEGINNING = "it does not begin with v=BIMI1 and a semicolon, so receivers pass over it"
_GMAIL = Source("https://support.google.com/a/answer/10911320", "vendor", READ)

UNKNOWN = unknown_rule("bimi", "The BIMI record or the DMARC policy it needs", _DRAFT)
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
    meaning="Receivers show the logo only where DMARC says quarantine or reject for all mail of the domain "
    "and of its subdomains.",
    fix="Publish a DMARC policy of quarantine, then reject, in p= and in sp= where there is one, or remove "
    "the BIMI record.",
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


def _records(answer: Answer) -> list[str]:
    values = answer.values if answer.status is Status.OK else ()
    return [value for value in values if bimi.announces(value)]


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """The record, where it stands, and the DMARC records it depends on."""
    for place in _places(domain):
        yield (asked := _question(place))
        answer = seen_answer(seen, asked)
        if not answer.known:
            return
        if _records(answer):
            yield Question(domain.name, "MX")
            yield from (asked for _, asked in walk(domain.name))
            return


def judge(domain: Domain, seen: Records) -> Judgement:
    """``evaluation`` holds the addresses of the logo and its certificate."""
    for place in _places(domain):
        asked = _question(place)
        answer = seen_answer(seen, asked)
        if not answer.known:
            return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, asked),))
        if records := _records(answer):
            return _judged(domain, asked, records, seen)
    for asked in map(_question, _places(domain)):
        answer = seen_answer(seen, asked)
        if nearly := next(filter(bimi.resembles, answer.values), ""):
            finding = Finding(
                SYNTAX, evidence(asked, answer, nearly), _BEGINNING, _mended(asked, answer, nearly)
            )
            return Judgement(State.INVALID, (finding,))
    asked = _question(domain.name)
    return Judgement(State.MISSING, (Finding(NONE, evidence(asked, seen_answer(seen, asked))),))


def _judged(domain: Domain, asked: Question, records: list[str], seen: Records) -> Judgement:
    answer = seen_answer(seen, asked)
    fact = evidence(asked, answer, "; ".join(records[:4]))
    if len(records) > 1:
        best = min(records[:_MOST_RECORDS], key=_lacks)
        fix = keep(asked, answer, best) if not bimi.record(best).problems else ""
        return Judgement(State.INVALID, (Finding(SEVERAL, fact, f"{len(records)} records", fix),))
    record = bimi.record(records[0])
    told = {"location": printable(record.location), "authority": printable(record.authority)}
    if record.problems:
        fix = _mended(asked, answer, records[0])
        finding = Finding(SYNTAX, fact, printable("; ".join(record.problems)), fix)
        return Judgement(State.INVALID, (finding,), told)
    if record.declines:
        return Judgement(State.VALID, (Finding(DECLINED, fact),), told)
    findings = [Finding(BARE, fact)] if not record.authority else []
    findings += _policy(domain, seen)
    return Judgement(state(findings), tuple(findings), told)


def _mended(asked: Question, answer: Answer, text: str) -> str:
    meant = bimi.repaired(text)
    return pasted(asked, answer, meant) if meant else ""


def _lacks(text: str) -> tuple[bool, bool, bool]:
    """What a record lacks of one that shows a logo everywhere: the form, the logo, the certificate."""
    record = bimi.record(text)
    return bool(record.problems), not record.location, not record.authority


def _policy(domain: Domain, seen: Records) -> Iterator[Finding]:
    """What DMARC asks of the domain, and of the organization whose logo it is, against a logo."""
    found = discover(domain.name, seen)
    if found.failed:
        yield unknown(UNKNOWN, seen, question(found.failed[0]))
        return
    if found.record_at is None:
        asked = question(domain.name)
        yield Finding(NOT_ENFORCED, evidence(asked, seen_answer(seen, asked)), "no DMARC record")
        return
    for place in dict.fromkeys((found.record_at, found.org)):
        records = kept(place, seen)
        if len(records) == 1 and (weak := _weakness(records[0], whole=place == found.org)):
            asked = question(place)
            fact = evidence(asked, seen_answer(seen, asked), records[0].text)
            yield Finding(NOT_ENFORCED, fact, weak if place == domain.name else f"{place}: {weak}")
            return


def _weakness(record: Record, *, whole: bool) -> str:
    """What keeps a record from enforcing; `whole`: for all names below it as well."""
    if record.p is None or record.p is Policy.NONE:
        return "p=none"
    if whole and record.sp is Policy.NONE:
        return "sp=none"
    if record.testing:
        return "t=y"
    partly = Policy.QUARANTINE in (record.p, record.sp) and record.pct != _ALL
    return f"pct={record.pct}" if partly else ""
