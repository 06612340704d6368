"""TLS reporting: whether anybody hears of it when mail to the domain cannot be encrypted (RFC 8460)."""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks import Domain, Judgement
from probe.checks._dkim_search import caution, own_answer
from probe.checks._dmarc_discovery import exists
from probe.checks._evidence import (
    evidence,
    failures,
    pasted,
    printable,
    problem,
    rfc,
    unknown,
    unknown_rule,
)
from probe.checks.mx import null
from probe.facts import Question, Records, Status
from probe.grammar import tlsrpt
from probe.rules import Finding, State, Verdict

__all__ = ["RULES", "ask", "judge"]

UNKNOWN = unknown_rule("tls_rpt", "The TLS reporting record", rfc(8460, "3"))
NONE = problem(
    id="tls_rpt/none",
    verdict=Verdict.NOTE,
    title="No TLS reports are asked for",
    meaning="Nobody tells the domain when mail to it could not be encrypted. It is optional.",
    fix="If you want reports, name an address for them.",
    source=rfc(8460, "3"),
)
MISSPELT = problem(
    id="tls_rpt/misspelt",
    verdict=Verdict.WARN,
    title="A TXT record looks like TLS-RPT, but is not one",
    meaning="A record counts only when it begins with exactly v=TLSRPTv1 and a semicolon; senders pass over "
    "this one and send no reports.",
    fix="Publish the record with the right beginning.",
    source=rfc(8460, "3"),
)
SEVERAL = problem(
    id="tls_rpt/several",
    verdict=Verdict.WARN,
    title="Several TLS reporting records",
    meaning="With more than one record senders act as if there were none.",
    fix="Keep one of them, with all addresses in its rua.",
    source=rfc(8460, "3"),
)
SYNTAX = problem(
    id="tls_rpt/syntax",
    verdict=Verdict.WARN,
    title="The TLS reporting record cannot be used",
    meaning="Senders that cannot read the record send no reports.",
    fix="Publish the record in its exact form.",
    source=rfc(8460, "3"),
)

RULES = (UNKNOWN, NONE, MISSPELT, SEVERAL, SYNTAX)


def _question(domain: Domain) -> Question:
    return Question(f"_smtp._tls.{domain.name}", "TXT")


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """The record; a domain that accepts no mail needs none."""
    yield Question(domain.name, "MX")
    if not null(domain.name, seen):
        yield _question(domain)


def judge(domain: Domain, seen: Records) -> Judgement:
    """``evaluation`` holds the addresses that get reports."""
    if null(domain.name, seen):
        return Judgement(State.NOT_APPLICABLE)
    question = _question(domain)
    answer = own_answer(domain.name, question, seen)
    if not answer.known:
        return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, question),))
    values = answer.values if answer.status is Status.OK else ()
    records = [value for value in values if tlsrpt.announces(value)]
    fact = evidence(question, answer, "; ".join(records[:4]))
    if not records:
        nearly = [value for value in values[:10] if tlsrpt.resembles(value)]
        if nearly:
            rua = ",".join(tlsrpt.addresses(nearly[0])) or f"mailto:tls-reports@{domain.name}"
            fix = pasted(question, answer, f"v=TLSRPTv1; rua={rua}")
            misspelt = Finding(
                MISSPELT, evidence(question, answer, nearly[0]), printable(nearly[0])[:200], fix
            )
            return Judgement(State.INVALID, (misspelt,))
        fix = pasted(question, answer, f"v=TLSRPTv1; rua=mailto:tls-reports@{domain.name}")
        # Of a name that is not there of itself, a record below it would be all there is.
        aside = exists(domain.name, seen) is False or caution(domain.name, seen)
        fix = "" if aside or failures(seen, [Question(domain.name, "MX")]) else fix
        return Judgement(State.MISSING, (Finding(NONE, fact, fix=fix),))
    read = [tlsrpt.record(value) for value in records[:10]]
    good = list(dict.fromkeys(target for each in read for target in each.rua if not each.problems))
    told = {"rua": [printable(target) for target in good]}
    meant = dict.fromkeys(target for value in records[:10] for target in tlsrpt.addresses(value))
    rua = ",".join(meant) or f"mailto:tls-reports@{domain.name}"
    fix = pasted(question, answer, f"v=TLSRPTv1; rua={rua}")
    if len(records) > 1:
        return Judgement(State.INVALID, (Finding(SEVERAL, fact, f"{len(records)} records", fix),), told)
    if read[0].problems:
        detail = printable("; ".join(read[0].problems))
        return Judgement(State.INVALID, (Finding(SYNTAX, fact, detail, fix),), told)
    return Judgement(State.VALID, (), told)
