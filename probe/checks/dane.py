"""DANE: TLSA records that bind the MX hosts to their certificates, and DNSSEC that makes them count.

RFC 7672. Only DNS is asked: whether a record fits the certificate is seen when a session is opened.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from probe.checks import Domain, Judgement
from probe.checks._evidence import (
    evidence,
    failures,
    printable,
    problem,
    rfc,
    seen_answer,
    state,
    unknown,
    unknown_rule,
)
from probe.checks._suffixes import organizational
from probe.checks.mx import FOLLOWED, hosts, null
from probe.facts import Answer, Question, Records
from probe.grammar import tlsa
from probe.rules import Finding, State, Verdict

__all__ = ["RULES", "ask", "judge", "tlsa_question"]

_UNSIGNED = 2  # hosts looked at where DNSSEC does not protect the MX records
_RECORDS = 50

UNKNOWN = unknown_rule("dane", "The TLSA records", rfc(7672, "2.2"))
NONE = problem(
    id="dane/none",
    verdict=Verdict.NOTE,
    title="No TLSA records",
    meaning="Nothing in DNS binds the MX hosts to their certificates. It is optional and changes nothing "
    "about mail you send.",
    fix="If you want it: sign the zone first, then publish 3 1 1 records for every MX host.",
    source=rfc(7672, "2.2"),
)
UNSIGNED = problem(
    id="dane/unsigned",
    verdict=Verdict.WARN,
    title="TLSA records that DNSSEC does not protect",
    meaning="Senders use TLSA records only from signed zones; these are ignored.",
    fix="Sign the zone of the MX host, or remove the records.",
    source=rfc(7672, "2.2"),
)
NOT_VALIDATED = problem(
    id="dane/not-validated",
    verdict=Verdict.NOTE,
    title="TLSA records, and this resolver does not say whether DNSSEC protects them",
    meaning="Its answers carry no AD flag: either it does not validate, or something on the way drops the "
    "flag. Senders use TLSA records only from signed zones.",
    fix="Ask a validating resolver (--resolver) to be sure.",
    dont="Remove the records because of this: the zone of the host may well be signed.",
    source=rfc(4035, "4.9.3"),
)
MX_UNSIGNED = problem(
    id="dane/mx-unsigned",
    verdict=Verdict.NOTE,
    title="The MX hosts are protected, the MX records that name them are not",
    meaning="The hosts' provider has DANE; as long as the domain itself is not signed, a forged MX record "
    "leads around it.",
    fix="Sign the domain's zone.",
    source=rfc(7672, "2.2.1"),
)
UNUSABLE = problem(
    id="dane/unusable",
    verdict=Verdict.WARN,
    title="A TLSA record that SMTP cannot use",
    meaning="Records of other usages or with damaged data are skipped; where no other is left, senders "
    "encrypt without checking whom they talk to.",
    fix="Publish 3 1 1 (the server's key, SHA-256) or 2 1 1 (the CA's key).",
    source=rfc(7672, "3.1"),
)
PARTIAL = problem(
    id="dane/partial",
    verdict=Verdict.WARN,
    title="Some MX hosts have TLSA records, others have none",
    meaning="Whoever can keep senders away from the protected hosts gets the mail at the others.",
    fix="Publish TLSA records for every MX host.",
    source=rfc(7672, "2.2"),
)

RULES = (UNKNOWN, NONE, UNSIGNED, NOT_VALIDATED, MX_UNSIGNED, UNUSABLE, PARTIAL)


def _hosts(domain: Domain, seen: Records) -> list[str]:
    """The MX hosts whose records are asked for: few, unless DNSSEC says that it is worth it."""
    answer = seen.asked(domain.name, "MX")
    signed = answer is not None and answer.authenticated
    return list(hosts(domain.name, seen)[: FOLLOWED if signed else _UNSIGNED])


@functools.lru_cache(maxsize=4096)
def tlsa_question(host: str) -> Question:
    """Where the TLSA records of an MX host stand (RFC 6698 section 3, RFC 7672 section 2.2.3)."""
    return Question(f"_25._tcp.{host}", "TLSA")


@functools.lru_cache(maxsize=4096)
def _delegation(host: str) -> Question:
    """Where no DS record stands nothing below is signed, whatever a resolver says or leaves out."""
    return Question(organizational(host), "DS")


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """The MX records, TLSA for their hosts, and where nobody vouches for those, what their zones rest on."""
    yield Question(domain.name, "MX")
    for host in _hosts(domain, seen):
        yield (question := tlsa_question(host))
        answer = seen.answers.get(question)
        if answer is not None and answer.values and not answer.authenticated:
            yield _delegation(host)


def _blind(host: str, answer: Answer, seen: Records) -> bool:
    """Whether the missing AD flag may be the resolver's: it set none so far, and the zone may be signed."""
    delegation = seen_answer(seen, _delegation(host))
    if delegation.known and not delegation.values:
        return False
    return not any(each.authenticated and each.server == answer.server for each in seen.answers.values())


def judge(domain: Domain, seen: Records) -> Judgement:
    """``evaluation`` holds the records of every host, and whether DNSSEC protects them."""
    mx = Question(domain.name, "MX")
    answer = seen_answer(seen, mx)
    if not answer.known:
        return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, mx),))
    followed = _hosts(domain, seen)
    if null(domain.name, seen) or not followed:
        return Judgement(State.NOT_APPLICABLE)
    questions = [tlsa_question(host) for host in followed]
    findings = [unknown(UNKNOWN, seen, question) for question in failures(seen, questions)]
    with_records = [question for question in questions if seen.of(question.name, question.type)]
    told = {
        host: {
            "records": [printable(value) for value in seen.of(question.name, question.type)[:_RECORDS]],
            "authenticated": seen_answer(seen, question).authenticated,
        }
        for host, question in zip(followed, questions, strict=True)
    }
    if not with_records:
        if not findings:
            fact = evidence(questions[0], seen_answer(seen, questions[0]))
            return Judgement(State.MISSING, (Finding(NONE, fact),), told)
        return Judgement(State.UNKNOWN, tuple(findings[:1]), told)
    for host, question in zip(followed, questions, strict=True):
        if question in with_records:
            findings += _host(host, question, seen)
    without = [question for question in questions if question not in with_records]
    if without and not failures(seen, without):
        names = ", ".join(printable(question.name) for question in without)
        findings.append(Finding(PARTIAL, evidence(without[0], seen_answer(seen, without[0])), names))
    protected = any(seen_answer(seen, question).authenticated for question in with_records)
    if protected and not answer.authenticated:
        findings.append(Finding(MX_UNSIGNED, evidence(mx, answer, "; ".join(answer.values[:4]))))
    verdict = state(findings)
    if verdict is State.VALID and any(finding.rule is NOT_VALIDATED for finding in findings):
        verdict = State.UNKNOWN
    return Judgement(verdict, tuple(findings), told)


def _host(host: str, question: Question, seen: Records) -> Iterator[Finding]:
    """What is wrong with the records of one host."""
    answer = seen_answer(seen, question)
    values = answer.values[:_RECORDS]
    if not answer.authenticated:
        rule = NOT_VALIDATED if _blind(host, answer, seen) else UNSIGNED
        yield Finding(rule, evidence(question, answer, "; ".join(values[:4])), printable(question.name))
    wrong = [(value, why) for value in values if (why := tlsa.record(value).problem)]
    if wrong:
        value, why = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        detail = f"{printable(question.name)}: {printable(why)}{more}"
        yield Finding(UNUSABLE, evidence(question, answer, value), detail)
