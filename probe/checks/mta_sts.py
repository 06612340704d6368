"""MTA-STS: the promise that mail to the domain travels under TLS, and whether its two halves agree.

RFC 8461: a TXT record says that there is a policy, the policy file names the MX hosts. A policy in
enforce mode that leaves out an MX host loses mail, replies to one's own mail included.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping

from probe.checks import Domain, Judgement
from probe.checks._dkim_search import caution, own_answer
from probe.checks._evidence import (
    address_questions,
    addresses,
    evidence,
    failures,
    pasted,
    printable,
    problem,
    rfc,
    seen_answer,
    state,
    unknown,
    unknown_rule,
)
from probe.checks._sts_policy import policy_question, served
from probe.checks.mx import exchanges, implicit, null
from probe.facts import Answer, Question, Records, Status
from probe.grammar import mtasts
from probe.grammar.rdns import is_hostname
from probe.rules import Finding, State, Verdict

__all__ = ["RULES", "ask", "judge", "policy_question", "record_question"]

_MOST_HOSTS = 100
_LATER = frozenset({"408", "425", "429"})  # statuses of a server that may have the file
_SHORT = 86_400  # seconds; RFC 8461 section 3.2 expects weeks

UNKNOWN = unknown_rule("mta_sts", "The MTA-STS record or policy", rfc(8461, "3"))
NONE = problem(
    id="mta_sts/none",
    verdict=Verdict.NOTE,
    title="No MTA-STS policy",
    meaning="Nothing promises that mail to the domain travels encrypted. It is optional and changes nothing "
    "about mail you send.",
    fix="If you want it: publish a policy file in testing mode first, then the record.",
    source=rfc(8461, "3.1"),
)
MISSPELT = problem(
    id="mta_sts/misspelt",
    verdict=Verdict.WARN,
    title="A TXT record looks like MTA-STS, but is not one",
    meaning="A record counts only when it begins with exactly v=STSv1 and a semicolon; senders pass over "
    "this one and never fetch the policy.",
    fix="Publish the record with the right beginning.",
    source=rfc(8461, "3.1"),
)
SEVERAL = problem(
    id="mta_sts/several",
    verdict=Verdict.WARN,
    title="Several MTA-STS records",
    meaning="With more than one record senders act as if there were none.",
    fix="Keep one of them.",
    source=rfc(8461, "3.1"),
)
SYNTAX = problem(
    id="mta_sts/syntax",
    verdict=Verdict.WARN,
    title="The MTA-STS record cannot be used",
    meaning="Senders that cannot read the record act as if there were no policy.",
    fix="Publish the record in its exact form.",
    source=rfc(8461, "3.1"),
)
TLS = problem(
    id="mta_sts/policy-tls",
    verdict=Verdict.WARN,
    title="The policy server's certificate does not hold",
    meaning="The policy may only be fetched under a certificate valid for the mta-sts name; senders ignore "
    "it.",
    fix="Give the policy host a certificate of a public CA for its name.",
    source=rfc(8461, "3.3"),
)
ABSENT = problem(
    id="mta_sts/policy-absent",
    verdict=Verdict.WARN,
    title="The record announces a policy that is not there",
    meaning="Senders want the file with status 200 at its exact place, without redirection; without it "
    "there is no policy.",
    fix="Serve the policy file, or remove the record.",
    source=rfc(8461, "3.3"),
)
TYPE = problem(
    id="mta_sts/content-type",
    verdict=Verdict.NOTE,
    title="The policy is not served as text/plain",
    meaning="Senders should check the media type, and some refuse the policy for it.",
    fix="Serve the file with Content-Type: text/plain.",
    source=rfc(8461, "3.2"),
)
POLICY = problem(
    id="mta_sts/policy-syntax",
    verdict=Verdict.WARN,
    title="The policy file cannot be used",
    meaning="A policy that breaks the grammar is ignored.",
    fix="Serve a policy in its exact form.",
    source=rfc(8461, "3.2"),
)
MISMATCH = problem(
    id="mta_sts/mx-mismatch",
    verdict=Verdict.FAIL,
    title="The enforced policy leaves out an MX host",
    meaning="Senders that honour MTA-STS do not deliver to that host; replies and bounces are lost with it.",
    fix="Add the host to the policy and give the record a new id.",
    source=rfc(8461, "4.1"),
)
MISMATCH_TESTING = problem(
    id="mta_sts/mx-mismatch-testing",
    verdict=Verdict.WARN,
    title="The policy, in testing mode, leaves out an MX host",
    meaning="Nothing is lost yet; with mode: enforce mail to that host would be.",
    fix="Add the host to the policy and give the record a new id.",
    source=rfc(8461, "4.1"),
)
TESTING = problem(
    id="mta_sts/testing",
    verdict=Verdict.NOTE,
    title="The policy is in testing mode",
    meaning="Failures are reported, nothing is refused: mail may still travel in clear.",
    fix="When the TLS reports are clean, set mode: enforce and give the record a new id.",
    source=rfc(8461, "5"),
)
OFF = problem(
    id="mta_sts/off",
    verdict=Verdict.NOTE,
    title="The policy says that there is no policy",
    meaning="Mode none is how a domain leaves MTA-STS; it is meant to stand for a while only.",
    fix="Once max_age has passed, remove the record and the file.",
    source=rfc(8461, "8.3"),
)
BRIEF = problem(
    id="mta_sts/short-lived",
    verdict=Verdict.NOTE,
    title="The policy is kept for less than a day",
    meaning="A policy protects only as long as senders remember it; weeks are expected.",
    fix="Raise max_age to 604800 (a week) or more.",
    source=rfc(8461, "3.2"),
)

RULES = (
    UNKNOWN,
    NONE,
    MISSPELT,
    SEVERAL,
    SYNTAX,
    TLS,
    ABSENT,
    TYPE,
    POLICY,
    MISMATCH,
    MISMATCH_TESTING,
    TESTING,
    OFF,
    BRIEF,
)


def record_question(name: str) -> Question:
    """Where the record stands."""
    return Question(f"_mta-sts.{name}", "TXT")


def _records(answer: Answer) -> list[str]:
    values = answer.values if answer.status is Status.OK else ()
    return [value for value in values if mtasts.announces(value)]


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """The record; the policy file only where exactly one usable record announces it.

    Without MX, the address that takes the mail in their place (RFC 5321 section 5.1).
    """
    yield Question(domain.name, "MX")
    if null(domain.name, seen):
        return
    if implicit(domain.name, seen):
        yield from address_questions(domain.name)
    yield (question := record_question(domain.name))
    records = _records(seen_answer(seen, question))
    if len(records) == 1 and not mtasts.record(records[0]).problems:
        yield policy_question(domain.name)


def judge(domain: Domain, seen: Records) -> Judgement:
    """``evaluation`` holds the record's id and the policy as it was understood."""
    if null(domain.name, seen):
        return Judgement(State.NOT_APPLICABLE)
    question = record_question(domain.name)
    answer = own_answer(domain.name, question, seen)
    if not answer.known:
        return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, question),))
    records = _records(answer)
    fact = evidence(question, answer, "; ".join(records[:4]))
    nearly = [] if records else [value for value in answer.values[:10] if mtasts.resembles(value)]
    if nearly:
        told = evidence(question, answer, nearly[0])
        finding = Finding(MISSPELT, told, printable(nearly[0])[:200], _anew(domain, seen))
        return Judgement(State.INVALID, (finding,))
    if not records:
        return Judgement(State.MISSING, (Finding(NONE, fact, fix=_advice(domain, seen)),))
    if len(records) > 1:
        finding = Finding(SEVERAL, fact, f"{len(records)} records", _anew(domain, seen))
        return Judgement(State.INVALID, (finding,))
    record = mtasts.record(records[0])
    if record.problems:
        finding = Finding(SYNTAX, fact, printable("; ".join(record.problems)), _anew(domain, seen))
        return Judgement(State.INVALID, (finding,))
    return _policy(domain, record, seen)


def _policy(domain: Domain, record: mtasts.Record, seen: Records) -> Judgement:
    question = policy_question(domain.name)
    answer = seen_answer(seen, question)
    parts = served(answer)
    if not parts:
        if answer.detail.startswith("tls:"):
            finding = Finding(TLS, evidence(question, answer), printable(answer.detail.removeprefix("tls: ")))
            return Judgement(State.INVALID, (finding,), {"id": record.id})
        if answer.known:
            finding = Finding(
                ABSENT, evidence(question, answer), printable(answer.detail), _file(domain, seen)
            )
            return Judgement(State.INVALID, (finding,), {"id": record.id})
        return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, question),), {"id": record.id})
    code, kind, _, body = parts
    fact = evidence(question, answer, "; ".join(body[:1000].splitlines()))
    if code != "200":
        if code[:1] == "5" or code in _LATER:
            return Judgement(State.UNKNOWN, (Finding(UNKNOWN, fact, f"{question.name}: HTTP {code}"),))
        finding = Finding(ABSENT, fact, f"HTTP {code}", _file(domain, seen))
        return Judgement(State.INVALID, (finding,), {"id": record.id})
    policy = mtasts.policy(body)
    told = {
        "id": record.id,
        "mode": policy.mode,
        "max_age": policy.max_age,
        "mx": list(map(printable, policy.mx)),
    }
    if policy.problems:
        finding = Finding(POLICY, fact, printable("; ".join(policy.problems)), _file(domain, seen, policy))
        return Judgement(State.INVALID, (finding,), told)
    findings = tuple(_judged(domain, policy, fact, kind, seen))
    return Judgement(state(findings), findings, told)


def _judged(
    domain: Domain, policy: mtasts.Policy, fact: Mapping[str, str], kind: str, seen: Records
) -> Iterator[Finding]:
    if kind.partition(";")[0].strip().lower() != "text/plain":
        yield Finding(TYPE, fact, printable(kind) or "no Content-Type")
    if policy.mode == "none":
        yield Finding(OFF, fact)
        return
    asked = Question(domain.name, "MX")
    if failures(seen, [asked]):
        yield unknown(UNKNOWN, seen, asked)
    left_out = [
        host
        for host in _targets(domain, seen)
        if not any(mtasts.covers(pattern, host) for pattern in policy.mx)
    ]
    if left_out and not failures(seen, [asked]):
        rule = MISMATCH if policy.mode == "enforce" else MISMATCH_TESTING
        yield Finding(rule, fact, ", ".join(map(printable, left_out[:5])), _file(domain, seen, policy))
    if policy.mode == "testing":
        yield Finding(TESTING, fact)
    if policy.max_age < _SHORT:
        yield Finding(BRIEF, fact, f"max_age {policy.max_age}")


def _targets(domain: Domain, seen: Records) -> list[str]:
    """The names that mail for the domain is sent to; empty where none is known, or nothing takes it."""
    hosts = [each.host for each in exchanges(domain.name, seen)[:_MOST_HOSTS] if each.host]
    own = implicit(domain.name, seen) and bool(addresses(seen, domain.name))
    return list(dict.fromkeys(hosts)) or [domain.name] * own


def _identity(text: str) -> str:
    """An id that changes with the text it is made of, and stays where the text stays."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _file(domain: Domain, seen: Records, policy: mtasts.Policy | None = None) -> str:
    """The policy file that fits the MX records, and the record that announces it.

    Empty where there are no hosts, or one that no policy can name: then the MX is mended first.
    """
    hosts = tuple(_targets(domain, seen))
    if not hosts or not all(map(is_hostname, hosts)):
        return ""
    mode = (policy.mode if policy else "") or "testing"
    age = max(policy.max_age if policy else 0, 604_800)
    text, identity = _written(hosts, mode, age)
    announced = record_question(domain.name)
    record = pasted(announced, own_answer(domain.name, announced, seen), f"v=STSv1; id={identity}")
    return f"{policy_question(domain.name).name}\n{text}\n\n{record}"


@functools.lru_cache(maxsize=1024)
def _written(hosts: tuple[str, ...], mode: str, age: int) -> tuple[str, str]:
    """A policy file and its id; the domains of a provider share their hosts."""
    patterns = [f"mx: {printable(host)}" for host in hosts]
    text = "\n".join(("version: STSv1", f"mode: {mode}", *patterns, f"max_age: {age}"))
    return text, _identity(text)


def _anew(domain: Domain, seen: Records) -> str:
    """The fix for a record that senders pass over: what they shall find first, as nobody has read it so far.

    A policy that was never fetched may be enforced and leave out every host.
    """
    file = _file(domain, seen)
    return f"Serve this file, then publish the record in place of what is there: {file}" if file else ""


def _advice(domain: Domain, seen: Records) -> str:
    file = "" if caution(domain.name, seen) else _file(domain, seen)  # it would be all there is
    return f"If you want it, serve this file and then publish the record: {file}" if file else ""
