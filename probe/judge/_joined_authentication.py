"""Claims about authentication: SPF, DKIM, DMARC and their alignment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from probe.checks import Domain, Judgement, dkim, dmarc, spf
from probe.checks._dmarc_discovery import question
from probe.facts import Question, Records
from probe.grammar.dkim import key_name
from probe.judge.joined import (
    NO_ADDRESS,
    NO_NAME,
    Case,
    Claim,
    Conclusion,
    Status,
    concluded,
    dns,
    first,
    says,
    shown,
    unsure,
)
from probe.rules import Cause, Finding, State, Verdict

__all__ = ["CLAIMS"]

# -- SPF, DKIM, DMARC -----------------------------------------------------------------------------


def _told(case: Case, name: str = "") -> Domain:
    return Domain(
        name or case.sender,
        sending_ips=case.addresses[:1],
        helo=case.helo if "." in case.helo and not case.helo.startswith("[") else "",
        mail_from=case.mail_from if "@" in case.mail_from else "",
        selectors=case.selectors,
    )


def _spf_ask(case: Case, seen: Records) -> Iterable[Question]:
    return spf.ask(_told(case), seen) if case.sender else ()


def _spf_result(case: Case, seen: Records) -> tuple[str, str]:
    """The result for the address, else ``none``, ``permerror`` or nothing for the record alone; and why."""
    facts = spf.judge(_told(case), seen).evaluation
    told = facts if isinstance(facts, Mapping) else {}
    senders = told.get("senders") or ()
    if isinstance(senders, list | tuple) and senders:
        return str(senders[0]["result"]), str(senders[0]["reason"])
    return str(told.get("result") or ""), ""


def _spf(case: Case, seen: Records) -> Conclusion:
    address = case.addresses[0] if case.addresses else "the sending address"
    claim = f"SPF of {case.sender or '(domain not told)'} does not pass for {address}"
    if not case.sender:
        return concluded(Status.UNCONFIRMED, claim, NO_NAME)
    result, why = _spf_result(case, seen)
    facts = dns(seen, Question(case.sender, "TXT"))
    words = f"SPF {result}" + (f": {why}" if why else "")
    if result in {"fail", "permerror", "none"}:
        return concluded(Status.CONFIRMED, claim, words, facts)
    if result in {"softfail", "neutral"}:
        return concluded(Status.LIKELY, claim, f"{words}, which is no pass and no fail", facts)
    if result == "pass":
        gives = f"SPF gives pass now{f' ({why})' if why else ''}"
        because = f"{gives}: mail was forwarded, left from another address, or the record is new"
        return concluded(Status.REFUTED, claim, because, facts)
    if result == "temperror":
        return concluded(Status.UNCONFIRMED, claim, words, facts)
    return concluded(Status.UNCONFIRMED, claim, f"there is a record, and {NO_ADDRESS}", facts)


def _dkim_ask(case: Case, seen: Records) -> Iterable[Question]:
    return dkim.ask(_told(case), seen) if case.sender else ()


def _dkim_state(case: Case, seen: Records) -> tuple[bool | None, Finding | None]:
    """Whether a usable key is published (None: nobody can tell), and the finding that says so."""
    judged = dkim.judge(_told(case), seen)
    bad = next((finding for finding in judged.findings if finding.verdict is Verdict.FAIL), None)
    if bad is not None:
        return False, bad
    return (True if judged.state in {State.VALID, State.WARN} else None), unsure(judged)


def _dkim(case: Case, seen: Records) -> Conclusion:
    claim = f"mail of {case.sender or '(domain not told)'} carries no DKIM signature that verifies"
    if not case.sender:
        return concluded(Status.UNCONFIRMED, claim, NO_NAME)
    key, finding = _dkim_state(case, seen)
    facts = [shown(finding)] if finding else []
    if key is False and finding is not None:
        return concluded(
            Status.CONFIRMED, claim, f"{finding.rule.title}: {finding.detail}".rstrip(": "), facts
        )
    if key is None:
        because = finding.rule.title if finding else "no selector is known"
        return concluded(Status.UNCONFIRMED, claim, because, facts)
    keys = dkim.judge(_told(case), seen).evaluation
    names = list(keys)[:3] if isinstance(keys, Mapping) else []
    asked = [Question(key_name(name, case.sender), "TXT") for name in names]
    because = "a key is published; whether this message was signed with it, only the message tells"
    if case.selectors:
        return concluded(Status.LIKELY, claim, because, dns(seen, *asked))
    return concluded(Status.UNCONFIRMED, claim, because, dns(seen, *asked))


def _either_ask(case: Case, seen: Records) -> Iterator[Question]:
    yield from _spf_ask(case, seen)
    yield from _dkim_ask(case, seen)


def _either(case: Case, seen: Records) -> Conclusion:
    claim = f"neither SPF nor DKIM of {case.sender or '(domain not told)'} passes"
    if not case.sender:
        return concluded(Status.UNCONFIRMED, claim, NO_NAME)
    result, why = _spf_result(case, seen)
    key, finding = _dkim_state(case, seen)
    facts = [*dns(seen, Question(case.sender, "TXT")), *([shown(finding)] if finding else [])]
    words = f"SPF {result or 'unknown'}" + (f" ({why})" if why else "")
    words += {True: ", a DKIM key is published", False: ", no usable DKIM key", None: ", DKIM unknown"}[key]
    if result == "pass":
        because = f"{words}: mail was forwarded, left from another address, or the record is new"
        return concluded(Status.REFUTED, claim, because, facts)
    if result in {"", "temperror"}:
        return concluded(Status.UNCONFIRMED, claim, words, facts)
    return concluded(Status.CONFIRMED if key is False else Status.LIKELY, claim, words, facts)


def _dmarc_ask(case: Case, seen: Records) -> Iterator[Question]:
    if case.author:
        told = _told(case, case.author)
        yield from dmarc.ask(told, seen)
        yield from _spf_ask(case, seen)
        yield from dkim.ask(told, seen)


def _policy(case: Case, seen: Records) -> tuple[Judgement, str | None, Mapping[str, object]]:
    judged = dmarc.judge(_told(case, case.author), seen)
    told = judged.evaluation if isinstance(judged.evaluation, Mapping) else {}
    policy = told.get("policy")
    alignment = told.get("alignment")
    return judged, str(policy) if policy else None, alignment if isinstance(alignment, Mapping) else {}


def _spf_aligned(alignment: Mapping[str, object]) -> bool | None:
    told = alignment.get("spf")
    return (
        bool(told.get("aligned")) if isinstance(told, Mapping) and told.get("aligned") is not None else None
    )


def _dmarc_facts(case: Case, judged: Judgement, seen: Records) -> tuple[Mapping[str, str], ...]:
    told = judged.evaluation if isinstance(judged.evaluation, Mapping) else {}
    at = str(told.get("record_at") or case.author)
    return dns(seen, question(at))


def _dmarc_record(case: Case, seen: Records) -> Conclusion:
    claim = f"{case.author or '(domain not told)'} publishes no usable DMARC record"
    if not case.author:
        return concluded(Status.UNCONFIRMED, claim, NO_NAME)
    judged, policy, _ = _policy(case, seen)
    facts = _dmarc_facts(case, judged, seen)
    if policy is not None:
        return concluded(Status.REFUTED, claim, f"there is a record now, with p={policy}", facts)
    if failed := unsure(judged):
        return concluded(Status.UNCONFIRMED, claim, failed.detail, facts)
    return concluded(Status.CONFIRMED, claim, "none is found, neither here nor above", facts)


def _dmarc_policy(case: Case, seen: Records) -> Conclusion:
    claim = f"mail of {case.author or '(domain not told)'} fails DMARC, and its policy says to refuse"
    if not case.author:
        return concluded(Status.UNCONFIRMED, claim, NO_NAME)
    judged, policy, alignment = _policy(case, seen)
    facts = _dmarc_facts(case, judged, seen)
    if policy is None and (failed := unsure(judged)):
        return concluded(Status.UNCONFIRMED, claim, failed.detail, facts)
    if policy in {None, "none"}:
        because = "no policy asks anybody to refuse (p=none)" if policy else "there is no DMARC record"
        return concluded(Status.REFUTED, claim, because, facts)
    result, why = _spf_result(case, seen)
    if result == "pass" and _spf_aligned(alignment):
        return concluded(Status.REFUTED, claim, f"p={policy}, and SPF passes aligned ({why})", facts)
    if first(judged, "dmarc/nothing-aligns"):
        return concluded(Status.CONFIRMED, claim, f"p={policy}, and neither SPF nor DKIM can align", facts)
    unaligned = result == "pass" and _spf_aligned(alignment) is False
    if unaligned or result in {"fail", "softfail", "neutral", "permerror", "none"}:
        spf_words = f"SPF passes for {case.sender}, which is not aligned" if unaligned else f"SPF {result}"
        because = f"p={policy} and {spf_words}; whether DKIM aligned, only the message tells"
        return concluded(Status.LIKELY, claim, because, facts)
    return concluded(Status.UNCONFIRMED, claim, f"p={policy}; {NO_ADDRESS}", facts)


def _alignment(case: Case, seen: Records) -> Conclusion:
    claim = f"neither SPF nor DKIM is aligned with the author domain {case.author or '(not told)'}"
    if not case.author:
        return concluded(Status.UNCONFIRMED, claim, NO_NAME)
    judged, _, alignment = _policy(case, seen)
    facts = _dmarc_facts(case, judged, seen)
    if first(judged, "dmarc/nothing-aligns"):
        return concluded(Status.CONFIRMED, claim, "DNS has nothing that could align", facts)
    result, why = _spf_result(case, seen)
    aligned = _spf_aligned(alignment)
    if result == "pass" and aligned:
        return concluded(Status.REFUTED, claim, f"SPF passes and is aligned now ({why})", facts)
    because = "the author domain (From:) stands in the message only"
    return concluded(Status.LIKELY if aligned is False else Status.UNCONFIRMED, claim, because, facts)


# -- the table ------------------------------------------------------------------------------------

_SPF = says(r"\bspf\b", r"sender policy framework")
_DKIM = says(r"\bdkim\b")
_DMARC = says(r"\bdmarc\b")
_NO_RECORD = says(
    r"(?:no|not have an?|without an?|missing|publish an?|set up an?) (?:valid )?dmarc",
    r"dmarc (?:record|policy) (?:is )?(?:not|missing|required)",
)
_ALIGN = says(r"\balign")
_DKIM_STATUS = {"7.20", "7.21", "7.22"}  # RFC 7372 section 3.1
_SPF_STATUS = {"7.23", "7.24"}  # RFC 7372 section 3.2


def _about_authentication(case: Case) -> bool:
    return case.cause is Cause.EMAIL_AUTH


def _blames_both(case: Case) -> bool:
    both = _SPF.search(case.words) and _DKIM.search(case.words)
    neither = not (_SPF.search(case.words) or _DKIM.search(case.words) or _DMARC.search(case.words))
    named = case.status in _DKIM_STATUS | _SPF_STATUS
    return _about_authentication(case) and bool(both or (neither and not named))


def _blames_record(case: Case) -> bool:
    return _about_authentication(case) and bool(_NO_RECORD.search(case.words))


def _blames_alignment(case: Case) -> bool:
    return _about_authentication(case) and (case.status == "7.32" or bool(_ALIGN.search(case.words)))


def _blames_policy(case: Case) -> bool:
    return _about_authentication(case) and bool(_DMARC.search(case.words))


def _blames_dkim(case: Case) -> bool:
    return _about_authentication(case) and (case.status in _DKIM_STATUS or bool(_DKIM.search(case.words)))


CLAIMS = (
    Claim("dmarc-record", _blames_record, _dmarc_ask, _dmarc_record),
    Claim("alignment", _blames_alignment, _dmarc_ask, _alignment),
    Claim("spf-and-dkim", _blames_both, _either_ask, _either),
    Claim("dmarc-policy", _blames_policy, _dmarc_ask, _dmarc_policy),
    Claim("dkim", _blames_dkim, _dkim_ask, _dkim),
    Claim("spf", _about_authentication, _spf_ask, _spf),
)
