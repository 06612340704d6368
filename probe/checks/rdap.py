"""RDAP: how old the domain is, and whether its registration stands; asked only by option.

RFC 9083 (answers), RFC 9224 (which server to ask). The clock is the registry's own, or that of the HTTP
answer: a check has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from probe.checks import Domain, Judgement
from probe.checks._evidence import (
    READ,
    evidence,
    printable,
    problem,
    rfc,
    seen_answer,
    state,
    unknown,
    unknown_rule,
)
from probe.facts import Answer, Question, Records
from probe.grammar import rdap
from probe.rules import Cause, Finding, Source, State, Verdict

__all__ = ["BOOTSTRAP", "RULES", "ask", "judge"]

BOOTSTRAP = Question("https://data.iana.org/rdap/dns.json", "RDAP")

_YOUNG = timedelta(days=30)
_SOON = timedelta(days=30)
_TRIES = 3  # the name, and what is left when labels are taken from its front: registrations are near the top

UNKNOWN = unknown_rule("rdap", "The registration", rfc(9224, "3"))
YOUNG = problem(
    id="rdap/young",
    verdict=Verdict.WARN,
    cause=Cause.REPUTATION,
    title="The domain was registered within the last 30 days",
    meaning="Filters distrust new domains: lists of them exist, and mail from them is held back or hidden.",
    fix="Begin with a few messages a day to people who answer, and grow over weeks.",
    dont="Send a campaign in the first weeks.",
    source=Source("https://spameatingmonkey.com/services", "vendor", READ),
)
EXPIRES = problem(
    id="rdap/expires-soon",
    verdict=Verdict.WARN,
    title="The registration ends within 30 days",
    meaning="When it ends, MX, SPF and DKIM vanish with the domain.",
    fix="Renew the domain and see that it renews by itself.",
    source=rfc(9083, "4.5"),
)
EXPIRED = problem(
    id="rdap/expired",
    verdict=Verdict.FAIL,
    title="The registration has ended",
    meaning="The domain is about to leave DNS, and somebody else may register it.",
    fix="Renew or redeem the domain at the registrar today.",
    source=rfc(9083, "4.5"),
)
HOLD = problem(
    id="rdap/on-hold",
    verdict=Verdict.FAIL,
    title="The registry or registrar has taken the domain out of DNS",
    meaning="With this status the domain is not delegated: no MX, SPF or DKIM can be found.",
    fix="Ask the registrar why: a contact that was not verified, a bill, an abuse report or a dispute.",
    source=rfc(8056, "2"),
)
NOT_FOUND = problem(
    id="rdap/not-registered",
    verdict=Verdict.FAIL,
    title="The registry knows no such domain",
    meaning="Nobody holds the name, or anybody may register it.",
    fix="Check the spelling, and register the domain if it is right.",
    source=rfc(7480, "5.3"),
)

RULES = (UNKNOWN, YOUNG, EXPIRES, EXPIRED, HOLD, NOT_FOUND)

_HOLDS = ("client hold", "server hold")
_ENDED = ("redemption period", "pending delete")


def _wanted(domain: Domain) -> bool:
    return "rdap" in domain.options


def _body(seen: Records, question: Question) -> tuple[str, str, str]:
    """Status code, Date header and body of a document; empty where it is not there."""
    answer = seen_answer(seen, question)
    if not answer.known or len(answer.values) < 4:
        return "", "", ""
    return answer.values[0], answer.values[2], answer.values[3]


def _base(domain: Domain, seen: Records) -> str:
    code, _, body = _body(seen, BOOTSTRAP)
    return rdap.server(body, domain.name.rpartition(".")[2]) if code == "200" else ""


def _candidates(domain: Domain, base: str) -> list[Question]:
    """The name, then its parents down to two labels: whichever is registered is the one that counts."""
    labels = domain.name.split(".")
    names = [".".join(labels[at:]) for at in range(max(len(labels) - 1, 1))]
    return [Question(f"{base}domain/{name}", "RDAP") for name in names[-_TRIES:]]


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """Which server to ask; then the name, and its parents as long as it is not registered itself."""
    if not _wanted(domain):
        return
    yield BOOTSTRAP
    if base := _base(domain, seen):
        for question in _candidates(domain, base):
            yield question
            if _body(seen, question)[0] != "404":
                return


def judge(domain: Domain, seen: Records) -> Judgement:
    """``evaluation`` holds the dates and the age in days at the registry's own time."""
    if not _wanted(domain):
        return Judgement(State.NOT_APPLICABLE)
    base = _base(domain, seen)
    if not base:
        return Judgement(State.UNKNOWN, (_no_server(domain, seen),))
    asked = _candidates(domain, base)
    question = next((each for each in asked if _body(seen, each)[0] != "404"), None)
    if question is None:
        fact = evidence(asked[-1], seen_answer(seen, asked[-1]))
        return Judgement(State.MISSING, (Finding(NOT_FOUND, fact, domain.name),))
    answer = seen_answer(seen, question)
    code, date, body = _body(seen, question)
    found = rdap.registration(body) if code == "200" else None
    if found is None:
        detail = f"HTTP {code}, and no registration in it" if code else ""
        failed = (
            Finding(UNKNOWN, evidence(question, answer), detail) if code else unknown(UNKNOWN, seen, question)
        )
        return Judgement(State.UNKNOWN, (failed,))
    now = rdap.moment(date) or found.told
    fact = _fact(question, answer, found)
    findings = tuple(_judged(found, now, fact))
    age = (now - found.registered).days if now and found.registered else None
    told = {
        "name": printable(question.name.rpartition("/")[2]),
        "registered": _shown(found.registered),
        "expires": _shown(found.expires),
        "age_days": age,
        "status": [printable(word) for word in found.status[:20]],
    }
    return Judgement(state(findings), findings, told)


def _no_server(domain: Domain, seen: Records) -> Finding:
    code, _, _ = _body(seen, BOOTSTRAP)
    if code != "200":
        return unknown(UNKNOWN, seen, BOOTSTRAP)
    fact = evidence(BOOTSTRAP, seen_answer(seen, BOOTSTRAP))
    return Finding(UNKNOWN, fact, f"no RDAP server is known for .{domain.name.rpartition('.')[2]}")


def _fact(question: Question, answer: Answer, found: rdap.Registration) -> Mapping[str, str]:
    dates = (
        f"registered {_shown(found.registered) or 'unknown'}, expires {_shown(found.expires) or 'unknown'}"
    )
    return evidence(question, answer, "; ".join((dates, *found.status[:20])))


def _judged(found: rdap.Registration, now: datetime | None, fact: Mapping[str, str]) -> Iterator[Finding]:
    if held := [word for word in found.status if word in _HOLDS]:
        yield Finding(HOLD, fact, ", ".join(held))
    ended = [word for word in found.status if word in _ENDED]
    left = found.expires - now if found.expires and now else None
    if ended or (left is not None and left < timedelta(0)):
        yield Finding(EXPIRED, fact, ", ".join(ended) or f"on {_shown(found.expires)}")
    elif left is not None and left < _SOON:
        yield Finding(EXPIRES, fact, f"on {_shown(found.expires)}, in {left.days} days")
    if found.registered and now and now - found.registered < _YOUNG:
        yield Finding(YOUNG, fact, f"on {_shown(found.registered)}, {(now - found.registered).days} days ago")


def _shown(when: datetime | None) -> str:
    return when.date().isoformat() if when else ""
