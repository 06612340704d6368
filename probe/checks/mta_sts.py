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
    seen_answer,
    state,
    unknown,
)
from probe.checks._mta_sts_rules import (
    ABSENT,
    BRIEF,
    MISMATCH,
    MISMATCH_TESTING,
    MISSPELT,
    NONE,
    OFF,
    POLICY,
    RULES,
    SEVERAL,
    SYNTAX,
    TESTING,
    TLS,
    TYPE,
    UNKNOWN,
)
from probe.checks._sts_policy import policy_question, served
from probe.checks.mx import exchanges, implicit, null
from probe.facts import Answer, Question, Records, Status
from probe.grammar import mtasts
from probe.grammar.rdns import is_hostname
from probe.rules import Finding, State

__all__ = ["RULES", "ask", "judge", "policy_question", "record_question"]

_MOST_HOSTS = 100
_LATER = frozenset({"408", "425", "429"})  # statuses of a server that may have the file
_SHORT = 86_400  # seconds; RFC 8461 section 3.2 expects weeks


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
