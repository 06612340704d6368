"""What Gmail, Yahoo, Microsoft and Apple require of this sender today: met, broken, or not to be seen.

The rows stand in `_receivers_rows`. A row is *pass* only where an answer shows it; what needs a message,
a connection or the receiver's own count is *unseen*, what could not be looked up is *unknown*. It is *warn*
where a message may still meet what DNS shows to be broken.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from probe.checks import Domain, Judgement, dkim, dmarc, ptr, spf
from probe.checks._dmarc_alignment import envelope_domain
from probe.checks._evidence import (
    address_questions,
    evidence,
    problem,
    seen_answer,
    state,
    unknown_rule,
)
from probe.checks._receivers_rows import GMAIL, RECEIVERS, ROWS, Row
from probe.checks._receivers_seen import Seen, observe
from probe.checks.mx import implicit
from probe.facts import Question, Records
from probe.rules import Cause, Finding, Rule, Shared, State, Verdict

__all__ = ["RULES", "ask", "judge"]


def _rule(
    name: str,
    title: str,
    meaning: str,
    fix: str,
    predicts: tuple[str, ...] = (),
    verdict: Verdict = Verdict.FAIL,
) -> Rule:
    return problem(
        id=f"receivers/{name}",
        verdict=verdict,
        cause=Cause.SENDER_DNS if name in {"reverse-dns", "replies"} else Cause.EMAIL_AUTH,
        title=title,
        meaning=meaning,
        fix=fix,
        source=GMAIL,
        predicts=predicts,
    )


def _replies(*ids: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reply for row in ROWS if row.id in ids for reply in row.replies))


RULES: tuple[Rule, ...] = (
    unknown_rule("receivers", "What the receivers require", GMAIL),
    _rule(
        "any-authentication",
        "Mail can pass neither SPF nor DKIM",
        "Gmail and Yahoo want one of the two of every sender, however few messages there are.",
        "Publish an SPF record that allows your servers, and a DKIM key.",
        _replies("any-authentication"),
    ),
    _rule(
        "spf",
        "The receivers' rule on SPF is not met",
        "Bulk senders need an SPF record that passes.",
        "Publish one SPF record that allows every address your mail leaves from.",
        _replies("spf"),
    ),
    _rule(
        "dkim",
        "The receivers' rule on DKIM is not met",
        "Bulk senders need mail that is signed with a key of at least 1024 bits.",
        "Sign with an RSA key of 2048 bits and publish it.",
        _replies("dkim"),
    ),
    _rule(
        "dmarc",
        "The receivers' rule on DMARC is not met",
        "Bulk senders need a DMARC record for the domain in From; p=none is enough.",
        "Publish a record at _dmarc, with p=none at least.",
        _replies("dmarc"),
    ),
    _rule(
        "alignment",
        "Nothing that could pass is aligned with From",
        "Bulk senders need SPF or DKIM to pass for the organizational domain of From.",
        "Sign with a key of the From domain, or use an envelope sender below it.",
        _replies("alignment"),
    ),
    _rule(
        "reverse-dns",
        "The receivers' rule on reverse DNS is not met",
        "Every sending address needs a name that leads back to it.",
        "Have the owner of the address set its PTR to a name that has this address.",
        _replies("reverse-dns"),
    ),
    _rule(
        "replies",
        "The domain in From takes no mail",
        "Microsoft wants a From or Reply-To address that is real and can receive; DNS does not show which "
        "Reply-To a message has.",
        "Name an address that receives mail in Reply-To, or publish an MX record.",
        verdict=Verdict.WARN,
    ),
    _rule(
        "unseen",
        "Some of the receivers' rules cannot be seen from outside",
        "They show in a message, in a connection or in the receiver's own counts; nothing is said of them.",
        "Check them in a message you received and in the receivers' postmaster tools.",
        verdict=Verdict.NOTE,
    ),
)
_NAMES = {receiver.id: receiver.name for receiver in RECEIVERS}
_RULE = {rule.id.partition("/")[2]: rule for rule in RULES}


def ask(domain: Domain, seen: Records) -> Iterable[Question]:
    """What SPF, DKIM, DMARC and PTR ask, and whether the domain takes mail."""
    asked = [
        Question(domain.name, "MX"),
        *spf.ask(domain, seen),
        *dkim.ask(domain, seen),
        *dmarc.ask(domain, seen),
        *ptr.ask(domain, seen),
    ]
    if domain.mail_from and (envelope := envelope_domain(domain)) != domain.name:
        asked += spf.ask(Domain(envelope), seen)
    if implicit(domain.name, seen):
        asked += address_questions(domain.name)
    return dict.fromkeys(asked)


def judge(domain: Domain, seen: Records) -> Judgement:
    """The table for JSON, a finding for each rule that is broken, and one for all that nobody can see."""
    observed = observe(domain, seen)
    if not observed:
        return Judgement(State.NOT_APPLICABLE)
    told = _told(tuple([(name, each.status) for name, each in observed.items()]))
    findings = tuple(_findings(told, observed, seen))
    return Judgement(state(findings), (*findings, told.unseen), told.table)


class _Told(NamedTuple):
    """What the statuses of the observations make of the rows.

    `broken` holds rules with the observation that shows each and with those who have it, `unknown` the
    observations that could not be made; `unseen` is the finding for what nobody can see from outside.
    """

    broken: tuple[tuple[str, str, str], ...]
    unknown: tuple[str, ...]
    unseen: Finding
    table: Shared


@functools.lru_cache(maxsize=256)
def _told(observed: tuple[tuple[str, str], ...]) -> _Told:
    """The same for every sender with the same statuses, and most have the same."""
    status_of = {"": "unseen", **dict(observed)}
    rows = tuple((row, status_of[row.sees]) for row in ROWS)
    broken: dict[str, list[Row]] = {}
    unseen: dict[str, list[str]] = {}
    for row, status in rows:
        if status in {"fail", "warn"}:
            broken.setdefault(row.id, []).append(row)
        elif status == "unseen":
            label = row.sees if row.sees.endswith("-passes") else row.id
            unseen.setdefault(label, []).append(_NAMES[row.receiver])
    listed = "; ".join(f"{rule} ({', '.join(who)})" for rule, who in unseen.items())
    return _Told(
        tuple((rule, held[0].sees, _owners(held)) for rule, held in broken.items()),
        tuple(dict.fromkeys(row.sees for row, status in rows if status == "unknown")),
        Finding(_RULE["unseen"], {"rules": listed}, listed),
        _table(rows),
    )


def _owners(rows: Iterable[Row]) -> str:
    return ", ".join(_NAMES[row.receiver] + (" (bulk)" if row.bulk else "") for row in rows)


def _table(rows: Iterable[tuple[Row, str]]) -> Shared:
    table: dict[str, object] = {
        receiver.id: {
            "scope": receiver.scope,
            "bulk": receiver.bulk,
            "source": receiver.source.url,
            "rules": [
                {
                    "id": row.id,
                    "wanted": row.wanted,
                    "bulk_only": row.bulk,
                    "status": status,
                    "replies": list(row.replies),
                }
                for row, status in rows
                if row.receiver == receiver.id
            ],
        }
        for receiver in RECEIVERS
    }
    return Shared(table)


def _findings(told: _Told, observed: Mapping[str, Seen], seen: Records) -> Iterator[Finding]:
    """What is broken, and what could not be looked up."""
    for rule, name, who in told.broken:
        shown = observed[name]
        detail = f"{who}: {shown.detail}" if shown.detail else who
        fact = evidence(shown.asked, seen_answer(seen, shown.asked))
        yield Finding(_RULE[rule], fact, detail, shown.fix)
    for asked in dict.fromkeys([observed[name].asked for name in told.unknown]):
        answer = seen_answer(seen, asked)
        yield Finding(_RULE["unknown"], evidence(asked, answer), f"{asked}: {answer.status}")
