"""What Gmail, Yahoo, Microsoft and Apple require of this sender today: met, broken, or not to be seen.

The rows stand in `_receivers_rows`. A row is *pass* only where an answer shows it; what needs a message,
a connection or the receiver's own count is *unseen*, what could not be looked up is *unknown*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from probe.checks import Domain, Judgement, dkim, dmarc, ptr, spf
from probe.checks._dkim_search import domainkey
from probe.checks._dmarc_alignment import envelope_domain
from probe.checks._dmarc_discovery import exists
from probe.checks._evidence import evidence, seen_answer, unknown_rule
from probe.checks._receivers_rows import GMAIL, RECEIVERS, ROWS, Row
from probe.facts import Question, Records, Status
from probe.rules import Cause, Finding, Rule, State, Verdict

__all__ = ["RULES", "ask", "judge"]


def _rule(
    problem: str,
    title: str,
    meaning: str,
    fix: str,
    predicts: tuple[str, ...] = (),
    verdict: Verdict = Verdict.FAIL,
) -> Rule:
    cause = Cause.SENDER_DNS if problem in {"reverse-dns", "replies"} else Cause.EMAIL_AUTH
    cause = Cause.SUCCESS if verdict is Verdict.NOTE else cause
    return Rule(f"receivers/{problem}", verdict, cause, title, meaning, fix, GMAIL, predicts=predicts)


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
        "See the findings on SPF.",
        _replies("spf"),
    ),
    _rule(
        "dkim",
        "The receivers' rule on DKIM is not met",
        "Bulk senders need mail that is signed with a key of at least 1024 bits.",
        "See the findings on DKIM.",
        _replies("dkim"),
    ),
    _rule(
        "dmarc",
        "The receivers' rule on DMARC is not met",
        "Bulk senders need a DMARC record for the domain in From; p=none is enough.",
        "See the findings on DMARC.",
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
        "See the findings on PTR.",
        _replies("reverse-dns"),
    ),
    _rule(
        "replies",
        "The domain in From takes no mail",
        "Microsoft wants From and Reply-To addresses that are real and can receive.",
        "Publish an MX record, or send from a domain that has one.",
    ),
    _rule(
        "unseen",
        "Some of the receivers' rules cannot be seen from outside",
        "They show in a message, in a connection or in the receiver's own counts; nothing is said of them.",
        "Check them in a message you received and in the receivers' postmaster tools.",
        verdict=Verdict.NOTE,
    ),
)
_RULE = {rule.id.partition("/")[2]: rule for rule in RULES}


@dataclass(frozen=True, slots=True)
class _Seen:
    """One observation: `status` is pass, fail, unknown or unseen; `asked` the question that shows it."""

    status: str
    asked: Question
    detail: str = ""


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """What SPF, DKIM, DMARC and PTR ask, and whether the domain takes mail."""
    yield Question(domain.name, "MX")
    yield from chain.from_iterable(check.ask(domain, seen) for check in (spf, dkim, dmarc, ptr))
    if envelope_domain(domain) != domain.name:
        yield from spf.ask(Domain(envelope_domain(domain)), seen)
    mail = seen.asked(domain.name, "MX")
    if mail is not None and mail.status is Status.NODATA:
        yield Question(domain.name, "A")
        yield Question(domain.name, "AAAA")


def judge(domain: Domain, seen: Records) -> Judgement:
    """The table for JSON, a finding for each rule that is broken, and one for all that nobody can see."""
    observed = _observed(domain, seen)
    if not observed:
        return Judgement(State.NOT_APPLICABLE)
    findings = tuple(_findings(observed, seen))
    worst = {finding.verdict for finding in findings}
    state = (
        State.INVALID if Verdict.FAIL in worst else State.UNKNOWN if Verdict.UNKNOWN in worst else State.VALID
    )
    return Judgement(state, findings, _table(observed))


def _status(row: Row, observed: Mapping[str, _Seen]) -> str:
    return observed[row.sees].status if row.sees else "unseen"


def _table(observed: Mapping[str, _Seen]) -> Mapping[str, object]:
    return {
        receiver.id: {
            "scope": receiver.scope,
            "bulk": receiver.bulk,
            "source": receiver.source.url,
            "rules": [
                {
                    "id": row.id,
                    "wanted": row.wanted,
                    "bulk_only": row.bulk,
                    "status": _status(row, observed),
                    "replies": list(row.replies),
                }
                for row in ROWS
                if row.receiver == receiver.id
            ],
        }
        for receiver in RECEIVERS
    }


def _findings(observed: Mapping[str, _Seen], seen: Records) -> Iterator[Finding]:
    names = {receiver.id: receiver.name for receiver in RECEIVERS}
    by_id: dict[str, list[Row]] = {}
    unknown: dict[Question, None] = {}
    for row in ROWS:
        status = _status(row, observed)
        if status == "fail":
            by_id.setdefault(row.id, []).append(row)
        elif status == "unknown":
            unknown[observed[row.sees].asked] = None
    for problem, rows in by_id.items():
        shown = observed[rows[0].sees]
        who = ", ".join(names[row.receiver] + (" (bulk)" if row.bulk else "") for row in rows)
        detail = f"{who}: {shown.detail}" if shown.detail else who
        yield Finding(_RULE[problem], evidence(shown.asked, seen_answer(seen, shown.asked)), detail)
    for asked in unknown:
        answer = seen_answer(seen, asked)
        yield Finding(_RULE["unknown"], evidence(asked, answer), f"{asked}: {answer.status}")
    unseen: dict[str, list[str]] = {}
    for row in ROWS:
        if _status(row, observed) == "unseen":
            unseen.setdefault(row.id, []).append(names[row.receiver])
    told = "; ".join(f"{rule} ({', '.join(who)})" for rule, who in unseen.items())
    yield Finding(_RULE["unseen"], {"rules": told}, told)


def _observed(domain: Domain, seen: Records) -> Mapping[str, _Seen]:
    """All observations; none where the domain says that it sends no mail, or does not exist."""
    signs = dkim.judge(domain, seen)
    if signs.state is State.NOT_APPLICABLE or exists(domain.name, seen) is False:
        return {}
    policy = dmarc.judge(domain, seen)
    published = _spf(domain, seen)
    passes = _spf_passes(domain, seen, published)
    key = _dkim(domain, signs)
    if passes.status in {"fail", "unknown"}:
        published = passes
    signed = key if key.status != "pass" else _Seen("unseen", key.asked)
    return {
        "spf": published,
        "spf-passes": passes,
        "dkim": key,
        "dkim-passes": signed,
        "any": _either(passes, signed),
        "dmarc": _dmarc(domain, policy),
        "alignment": _alignment(domain, policy),
        "reverse": _reverse(domain, seen),
        "replies": _takes_mail(domain, seen),
    }


_OF_STATE = {
    State.VALID: "pass",
    State.WARN: "pass",
    State.MISSING: "fail",
    State.INVALID: "fail",
    State.UNKNOWN: "unknown",
    State.NOT_APPLICABLE: "unseen",
}


def _spf(domain: Domain, seen: Records) -> _Seen:
    """Whether there is one SPF record that can be evaluated."""
    told = spf.judge(Domain(envelope_domain(domain)), seen)
    asked = Question(envelope_domain(domain), "TXT")
    return _Seen(
        _OF_STATE[told.state], asked, f"SPF is {told.state}" if told.state is not State.VALID else ""
    )


def _spf_passes(domain: Domain, seen: Records, published: _Seen) -> _Seen:
    if published.status != "pass" or not domain.sending_ips:
        return published if published.status != "pass" else _Seen("unseen", published.asked)
    told = spf.judge(domain, seen).evaluation
    senders = told.get("senders") if isinstance(told, Mapping) else None
    results = [sender["result"] for sender in senders or ()]
    if not results:
        return _Seen("unseen", published.asked)
    if all(result == "pass" for result in results):
        return _Seen("pass", published.asked)
    status = "unknown" if set(results) <= {"pass", "temperror"} else "fail"
    return _Seen(status, published.asked, f"SPF: {', '.join(map(str, results))}")


def _dkim(domain: Domain, signs: Judgement) -> _Seen:
    asked = domainkey(domain)
    status = _OF_STATE[signs.state]
    detail = f"DKIM is {signs.state}" if status == "fail" else ""
    first = next((finding for finding in signs.findings if finding.verdict is Verdict.UNKNOWN), None)
    if status == "unknown" and first is not None and first.rule.id == "dkim/selector-unknown":
        return _Seen("unseen", asked)  # there is a key, and only a message tells its selector
    if first is not None and (name := first.evidence.get("question", "").partition(" ")[0]):
        asked = Question(name, "TXT")
    return _Seen(status, asked, detail)


def _either(one: _Seen, other: _Seen) -> _Seen:
    """One of two is enough, so the better one decides."""
    return min(one, other, key=lambda seen: ("pass", "unseen", "unknown", "fail").index(seen.status))


def _dmarc(domain: Domain, told: Judgement) -> _Seen:
    asked = Question(f"_dmarc.{domain.name}", "TXT")
    applies = isinstance(told.evaluation, Mapping) and told.evaluation["policy"] is not None
    if applies:
        return _Seen("pass", asked)
    if told.state is State.UNKNOWN:
        failed = [
            finding.evidence["question"] for finding in told.findings if finding.verdict is Verdict.UNKNOWN
        ]
        return _Seen("unknown", Question(failed[0].partition(" ")[0], "TXT") if failed else asked)
    return _Seen("fail", asked, f"DMARC is {told.state}")


def _alignment(domain: Domain, told: Judgement) -> _Seen:
    """DNS can show that nothing aligns; that something does, only a message shows."""
    asked = Question(f"_dmarc.{domain.name}", "TXT")
    nothing = {"dmarc/nothing-aligns"} & {finding.rule.id for finding in told.findings}
    return _Seen("fail", asked, "neither SPF nor DKIM") if nothing else _Seen("unseen", asked)


def _reverse(domain: Domain, seen: Records) -> _Seen:
    """PTR and forward confirmation of the sending addresses that were told."""
    told = ptr.judge(domain, seen)
    reasons = [finding for finding in told.findings if finding.rule.id in _NO_REVERSE]
    asked = Question(domain.name, "PTR")
    if reasons:
        name = reasons[0].evidence.get("question", "").partition(" ")[0]
        return _Seen("fail", Question(name, "PTR"), reasons[0].detail)
    unsure = next((finding for finding in told.findings if finding.verdict is Verdict.UNKNOWN), None)
    if unsure is not None:
        return _Seen("unknown", Question(*(unsure.evidence["question"].split(" ", 1))))
    confirmed = told.evaluation.values() if isinstance(told.evaluation, Mapping) else ()
    shown = bool(domain.sending_ips) and all(one["confirmed"] for one in confirmed)
    return _Seen("pass" if shown and confirmed else "unseen", asked)


_NO_REVERSE = frozenset({"ptr/none", "ptr/not-confirmed", "ptr/not-a-hostname"})


def _takes_mail(domain: Domain, seen: Records) -> _Seen:
    """MX, or an address in its place (RFC 5321 section 5.1); a null MX refuses all mail (RFC 7505)."""
    asked = Question(domain.name, "MX")
    answer = seen_answer(seen, asked)
    if not answer.known:
        return _Seen("unknown", asked)
    if answer.status is Status.OK:
        null = [value for value in answer.values if value.endswith(" .")]
        return _Seen("fail", asked, "a null MX") if null else _Seen("pass", asked)
    if answer.status is Status.NXDOMAIN:
        return _Seen("fail", asked, "the domain does not exist")
    addresses = [seen_answer(seen, Question(domain.name, kind)) for kind in ("A", "AAAA")]
    if any(address.values for address in addresses):
        return _Seen("pass", asked)
    known = all(address.known for address in addresses)
    return _Seen("fail" if known else "unknown", asked, "no MX and no address" if known else "")
