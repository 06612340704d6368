"""What DNS shows of a sender, as the rows of the receivers' table ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from probe.checks import Domain, Judgement, dkim, dmarc, ptr, spf
from probe.checks._dkim_search import domainkey, ladder_of
from probe.checks._dmarc_alignment import envelope_domain
from probe.checks._dmarc_discovery import exists, question
from probe.checks._evidence import address_questions, nonexistent, question_of, routable, seen_answer
from probe.checks.mx import null, silent
from probe.facts import Question, Records, Status
from probe.rules import State, Verdict

__all__ = ["Seen", "observe"]


class Seen(NamedTuple):
    """One observation: `status` is pass, warn, fail, unknown or unseen; `asked` the question that shows it.

    `detail` and `fix` are those of the check that failed.
    """

    status: str
    asked: Question
    detail: str = ""
    fix: str = ""


def observe(domain: Domain, seen: Records) -> Mapping[str, Seen]:
    """All observations; none where the domain says that it sends no mail, or does not exist."""
    signs = dkim.judge(domain, seen)
    parked = silent(domain, seen) and not ladder_of(domain, seen).usable
    if parked or signs.state is State.NOT_APPLICABLE or exists(domain.name, seen) is False:
        return {}
    policy = dmarc.judge(domain, seen)
    published = _spf(domain, seen)
    passes = _spf_passes(domain, seen, published)
    key = _dkim(domain, signs, ladder_of(domain, seen).usable)
    if passes.status in {"fail", "unknown"}:
        published = passes
    signed = key if key.status != "pass" else Seen("unseen", key.asked)
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


def _reason(area: str, told: Judgement) -> tuple[str, str]:
    """Why a check failed, in a word, and where its fix is told."""
    for finding in told.findings:
        if finding.verdict is Verdict.FAIL:
            return f"{area} is {told.state}", f"As {finding.rule.id} says."
    return "", ""


def _spf(domain: Domain, seen: Records) -> Seen:
    """Whether there is one SPF record that can be evaluated."""
    envelope = envelope_domain(domain)
    # Without senders and provider, SPF of the envelope is what the check of SPF has judged already.
    judged = not (domain.sending_ips or domain.helo or domain.mail_from or domain.provider)
    told = spf.judge(domain if judged else Domain(envelope), seen)
    asked = Question(envelope, "TXT")
    if any(finding.rule.id == "spf/nobody" for finding in told.findings):
        return Seen("fail", asked, "SPF lets nobody pass", "As spf/nobody says.")
    return Seen(_OF_STATE[told.state], asked, *_reason("SPF", told))


def _spf_passes(domain: Domain, seen: Records, published: Seen) -> Seen:
    if published.status != "pass" or not domain.sending_ips:
        return published if published.status != "pass" else Seen("unseen", published.asked)
    told = spf.judge(domain, seen)
    senders = told.evaluation.get("senders") if isinstance(told.evaluation, Mapping) else None
    results = [sender["result"] for sender in senders or () if routable(sender["ip"])]
    if not results:
        return Seen("unseen", published.asked)
    if all(result == "pass" for result in results):
        return Seen("pass", published.asked)
    status = "unknown" if set(results) <= {"pass", "temperror"} else "fail"
    return Seen(status, published.asked, f"SPF: {', '.join(map(str, results))}", _reason("SPF", told)[1])


def _dkim(domain: Domain, signs: Judgement, usable: Mapping[str, object]) -> Seen:
    """Whether there is a key; one that is broken beside it is not what the receivers ask for."""
    asked = domainkey(domain)
    status = _OF_STATE[signs.state]
    if usable and status == "fail":
        return Seen("pass", asked)
    first = next((finding for finding in signs.findings if finding.verdict is Verdict.UNKNOWN), None)
    if status == "unknown" and first is not None and first.rule.id == "dkim/selector-unknown":
        return Seen("unseen", asked)  # there is a key, and only a message tells its selector
    if any(finding.rule.id == "dkim/parent-key" for finding in signs.findings):
        return Seen("unseen", asked)  # the organizational domain may sign
    asked = question_of(first) if first is not None else asked
    return Seen(status, asked, *_reason("DKIM", signs))


def _either(one: Seen, other: Seen) -> Seen:
    """One of two is enough, so the better one decides."""
    return min(one, other, key=lambda seen: ("pass", "unseen", "unknown", "fail").index(seen.status))


def _dmarc(domain: Domain, told: Judgement) -> Seen:
    asked = question(domain.name)
    applies = isinstance(told.evaluation, Mapping) and told.evaluation["policy"] is not None
    if applies:
        return Seen("pass", asked)
    failed = next((each for each in told.findings if each.rule.id == "dmarc/unknown"), None)
    if failed is not None:  # whatever is wrong here, a record above may apply
        return Seen("unknown", question_of(failed))
    return Seen("fail", asked, *_reason("DMARC", told))


def _alignment(domain: Domain, told: Judgement) -> Seen:
    """DNS can show that nothing aligns; that something does, only a message shows."""
    asked = question(domain.name)
    nothing = any(finding.rule.id == "dmarc/nothing-aligns" for finding in told.findings)
    return Seen("fail", asked, "neither SPF nor DKIM") if nothing else Seen("unseen", asked)


def _reverse(domain: Domain, seen: Records) -> Seen:
    """PTR and forward confirmation of the sending addresses that were told."""
    told = ptr.judge(domain, seen)
    reasons = [finding for finding in told.findings if finding.rule.id in _NO_REVERSE]
    asked = Question(domain.name, "PTR")
    if reasons:
        return Seen("fail", question_of(reasons[0]), reasons[0].detail, reasons[0].fix)
    unsure = next((finding for finding in told.findings if finding.verdict is Verdict.UNKNOWN), None)
    if unsure is not None:
        return Seen("unknown", question_of(unsure))
    confirmed = told.evaluation.values() if isinstance(told.evaluation, Mapping) else ()
    shown = bool(domain.sending_ips) and all(one["confirmed"] for one in confirmed)
    return Seen("pass" if shown and confirmed else "unseen", asked)


_NO_REVERSE = frozenset({"ptr/none", "ptr/not-confirmed", "ptr/not-a-hostname"})


def _takes_mail(domain: Domain, seen: Records) -> Seen:
    """MX, or an address in its place (RFC 5321 section 5.1); a null MX refuses all mail (RFC 7505).

    Without either it is Reply-To, which only a message shows, that may name who takes the replies.
    """
    asked = Question(domain.name, "MX")
    answer = seen_answer(seen, asked)
    if not answer.known:
        return Seen("unknown", asked)
    if answer.status is Status.OK:
        refuses = null(domain.name, seen)
        return Seen("warn", asked, "a null MX") if refuses else Seen("pass", asked)
    if nonexistent(seen, domain.name):
        return Seen("warn", asked, "the domain does not exist")
    addresses = [seen_answer(seen, each) for each in address_questions(domain.name)]
    if any(address.values for address in addresses):
        return Seen("pass", asked)
    known = all(address.known for address in addresses)
    return Seen("warn" if known else "unknown", asked, "no MX and no address" if known else "")
