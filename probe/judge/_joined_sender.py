"""Claims about the sender: reverse DNS, HELO, envelope domain, SPF, DKIM, DMARC, block lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from probe.checks import Domain, Judgement, dkim, dmarc, dnsbl, mx, ptr, spf
from probe.checks._dnsbl_lists import BY_ZONE, DEAD
from probe.checks._evidence import failures, seen_answer
from probe.facts import Question, Records
from probe.facts import Status as Answered
from probe.grammar.pasted import extracts
from probe.judge.joined import Case, Claim, Conclusion, Status, dns
from probe.rules import Cause, Finding, State, Verdict

__all__ = ["CLAIMS", "receives", "receives_questions"]

_NO_NAME = "the reply names no domain and no sender was told (--mail-from)"
_NO_ADDRESS = "the reply names no address of the internet and none was told (--sending-ip)"


def _says(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _conclusion(
    status: Status, claim: str, because: str, facts: Iterable[Mapping[str, str]] = ()
) -> Conclusion:
    return Conclusion(status, claim, because, tuple(facts)[:6])


def _of(finding: Finding) -> Mapping[str, str]:
    """A finding of a check as evidence."""
    return {"fact": "dns", **finding.evidence, "finding": finding.rule.id}


def _named(judged: Judgement, *ids: str) -> Finding | None:
    return next((finding for finding in judged.findings if finding.rule.id in ids), None)


def _unsure(judged: Judgement) -> Finding | None:
    return next((finding for finding in judged.findings if finding.verdict is Verdict.UNKNOWN), None)


# -- reverse DNS ----------------------------------------------------------------------------------

_REVERSE = _says(
    r"reverse[ -](?:dns|hostname|lookup|name|address|mapping)", r"\brdns\b", r"\bptr\b", r"\bfcrdns\b",
    r"cannot find your (?:reverse )?hostname", r"forward[- ]confirmed", r"no (?:dns )?host ?name",
)  # fmt: skip


def _sending(case: Case) -> Domain:
    return Domain(case.sender or "invalid", sending_ips=case.addresses)


def _reverse_ask(case: Case, seen: Records) -> Iterable[Question]:
    return ptr.ask(_sending(case), seen) if case.addresses else ()


def _reverse(case: Case, seen: Records) -> Conclusion:
    claim = f"the reverse DNS of {' and '.join(case.addresses) or 'our address'} is missing or does not agree"
    if not case.addresses:
        return _conclusion(Status.UNCONFIRMED, claim, _NO_ADDRESS)
    judged = ptr.judge(_sending(case), seen)
    if bad := _named(judged, "ptr/none", "ptr/not-confirmed", "ptr/not-a-hostname"):
        return _conclusion(Status.CONFIRMED, claim, f"{bad.rule.title}: {bad.detail}", [_of(bad)])
    if failed := _unsure(judged):
        return _conclusion(Status.UNCONFIRMED, claim, failed.detail, [_of(failed)])
    if weak := _named(judged, "ptr/generic", "ptr/many"):
        return _conclusion(Status.LIKELY, claim, f"{weak.rule.title}: {weak.detail}", [_of(weak)])
    because = "name and address agree now: the receiver's cache is older, or it saw another address"
    return _conclusion(Status.REFUTED, claim, because, dns(seen, *ptr.ask(_sending(case), seen)))


# -- HELO -----------------------------------------------------------------------------------------

_HELO = _says(r"\bhelo\b", r"\behlo\b")


def _helo_ask(case: Case, seen: Records) -> Iterator[Question]:  # noqa: ARG001  # the shape of a claim
    if "." in case.helo.strip(".") and not case.helo.startswith("["):
        yield Question(case.helo.lower(), "A")
        yield Question(case.helo.lower(), "AAAA")


def _helo(case: Case, seen: Records) -> Conclusion:
    claim = f"the HELO name {case.helo or '(not told)'} is not acceptable"
    asked = tuple(_helo_ask(case, seen))
    if not case.helo:
        return _conclusion(Status.UNCONFIRMED, claim, "the name said in HELO is not known (--helo)")
    if not asked:
        return _conclusion(Status.CONFIRMED, claim, f"{case.helo} is no name with a domain")
    facts = dns(seen, *asked)
    found = {value for question in asked for value in seen.of(question.name, question.type)}
    if not found and failures(seen, asked):
        return _conclusion(Status.UNCONFIRMED, claim, f"{case.helo} could not be looked up", facts)
    if not found:
        return _conclusion(Status.CONFIRMED, claim, f"{case.helo} has no address", facts)
    if case.addresses and not found & set(case.addresses):
        because = f"{case.helo} is {', '.join(sorted(found)[:3])}, not {case.addresses[0]}"
        return _conclusion(Status.LIKELY, claim, because, facts)
    return _conclusion(Status.REFUTED, claim, f"{case.helo} has an address now", facts)


# -- a domain that must take mail -----------------------------------------------------------------


def receives_questions(name: str, seen: Records) -> Iterable[Question]:
    """What shows whether a domain can take mail."""
    return mx.ask(Domain(name), seen) if name else ()


def receives(name: str, seen: Records) -> tuple[bool | None, str]:
    """Whether a domain can take mail, and why; None where DNS does not tell."""
    judged = mx.judge(Domain(name), seen)
    if judged.state is State.UNKNOWN:
        return None, "the MX records could not be looked up"
    if seen_answer(seen, Question(name, "MX")).status is Answered.NXDOMAIN:
        return False, f"{name} does not exist"
    if mx.null(name, seen):
        return False, f"{name} says with a null MX that it takes no mail"
    if judged.state is State.MISSING:
        return False, f"{name} has neither MX nor address"
    hosts = [each.host for each in mx.exchanges(name, seen)] or [name]
    if any(seen.of(host, kind) for host in hosts for kind in ("A", "AAAA")):
        return True, f"mail for {name} goes to {', '.join(hosts[:3])}"
    asked = [question for question in receives_questions(name, seen) if question.type != "MX"]
    if failures(seen, asked):
        return None, "the addresses of the MX hosts could not be looked up"
    return False, f"no MX host of {name} has an address"


_SENDER = _says(
    r"sender address rejected", r"sender domain", r"domain not found", r"domain of sender",
    r"domain (?:\S{1,80} )?(?:does not|not) (?:exist|found|resolve)",
    r"null mx", r"mail from.{0,40}(?:not exist|resolve|mx)",
)  # fmt: skip


def _sender_ask(case: Case, seen: Records) -> Iterable[Question]:
    return receives_questions(case.sender, seen)


def _sender(case: Case, seen: Records) -> Conclusion:
    claim = f"the sender's domain {case.sender or '(not told)'} cannot take mail back"
    if not case.sender:
        return _conclusion(Status.UNCONFIRMED, claim, _NO_NAME)
    takes, because = receives(case.sender, seen)
    status = {None: Status.UNCONFIRMED, False: Status.CONFIRMED, True: Status.REFUTED}[takes]
    return _conclusion(status, claim, because, dns(seen, *receives_questions(case.sender, seen)))


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
        return _conclusion(Status.UNCONFIRMED, claim, _NO_NAME)
    result, why = _spf_result(case, seen)
    facts = dns(seen, Question(case.sender, "TXT"))
    words = f"SPF {result}" + (f": {why}" if why else "")
    if result in {"fail", "permerror", "none"}:
        return _conclusion(Status.CONFIRMED, claim, words, facts)
    if result in {"softfail", "neutral"}:
        return _conclusion(Status.LIKELY, claim, f"{words}, which is no pass and no fail", facts)
    if result == "pass":
        because = f"{words} now: mail was forwarded, left from another address, or the record is new"
        return _conclusion(Status.REFUTED, claim, because, facts)
    if result == "temperror":
        return _conclusion(Status.UNCONFIRMED, claim, words, facts)
    return _conclusion(Status.UNCONFIRMED, claim, f"there is a record, and {_NO_ADDRESS}", facts)


def _dkim_ask(case: Case, seen: Records) -> Iterable[Question]:
    return dkim.ask(_told(case), seen) if case.sender else ()


def _dkim_state(case: Case, seen: Records) -> tuple[bool | None, Finding | None]:
    """Whether a usable key is published (None: nobody can tell), and the finding that says so."""
    judged = dkim.judge(_told(case), seen)
    bad = next((finding for finding in judged.findings if finding.verdict is Verdict.FAIL), None)
    if bad is not None:
        return False, bad
    return (True if judged.state in {State.VALID, State.WARN} else None), _unsure(judged)


def _dkim(case: Case, seen: Records) -> Conclusion:
    claim = f"mail of {case.sender or '(domain not told)'} carries no DKIM signature that verifies"
    if not case.sender:
        return _conclusion(Status.UNCONFIRMED, claim, _NO_NAME)
    key, finding = _dkim_state(case, seen)
    facts = [_of(finding)] if finding else []
    if key is False and finding is not None:
        return _conclusion(
            Status.CONFIRMED, claim, f"{finding.rule.title}: {finding.detail}".rstrip(": "), facts
        )
    if key is None:
        because = finding.rule.title if finding else "no selector is known"
        return _conclusion(Status.UNCONFIRMED, claim, because, facts)
    keys = dkim.judge(_told(case), seen).evaluation
    names = list(keys)[:3] if isinstance(keys, Mapping) else []
    asked = [Question(f"{name}._domainkey.{case.sender}", "TXT") for name in names]
    because = "a key is published; whether this message was signed with it, only the message tells"
    if case.selectors:
        return _conclusion(Status.LIKELY, claim, because, dns(seen, *asked))
    return _conclusion(Status.UNCONFIRMED, claim, because, dns(seen, *asked))


def _either_ask(case: Case, seen: Records) -> Iterator[Question]:
    yield from _spf_ask(case, seen)
    yield from _dkim_ask(case, seen)


def _either(case: Case, seen: Records) -> Conclusion:
    claim = f"neither SPF nor DKIM of {case.sender or '(domain not told)'} passes"
    if not case.sender:
        return _conclusion(Status.UNCONFIRMED, claim, _NO_NAME)
    result, why = _spf_result(case, seen)
    key, finding = _dkim_state(case, seen)
    facts = [*dns(seen, Question(case.sender, "TXT")), *([_of(finding)] if finding else [])]
    words = f"SPF {result or 'unknown'}" + (f" ({why})" if why else "")
    words += {True: ", a DKIM key is published", False: ", no usable DKIM key", None: ", DKIM unknown"}[key]
    if result == "pass":
        because = f"{words}: mail was forwarded, left from another address, or the record is new"
        return _conclusion(Status.REFUTED, claim, because, facts)
    if result in {"", "temperror"}:
        return _conclusion(Status.UNCONFIRMED, claim, words, facts)
    return _conclusion(Status.CONFIRMED if key is False else Status.LIKELY, claim, words, facts)


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
    return dns(seen, Question(f"_dmarc.{at}", "TXT"))


def _dmarc_record(case: Case, seen: Records) -> Conclusion:
    claim = f"{case.author or '(domain not told)'} publishes no usable DMARC record"
    if not case.author:
        return _conclusion(Status.UNCONFIRMED, claim, _NO_NAME)
    judged, policy, _ = _policy(case, seen)
    facts = _dmarc_facts(case, judged, seen)
    if policy is not None:
        return _conclusion(Status.REFUTED, claim, f"there is a record now, with p={policy}", facts)
    if failed := _unsure(judged):
        return _conclusion(Status.UNCONFIRMED, claim, failed.detail, facts)
    return _conclusion(Status.CONFIRMED, claim, "none is found, neither here nor above", facts)


def _dmarc_policy(case: Case, seen: Records) -> Conclusion:
    claim = f"mail of {case.author or '(domain not told)'} fails DMARC, and its policy says to refuse"
    if not case.author:
        return _conclusion(Status.UNCONFIRMED, claim, _NO_NAME)
    judged, policy, alignment = _policy(case, seen)
    facts = _dmarc_facts(case, judged, seen)
    if policy is None and (failed := _unsure(judged)):
        return _conclusion(Status.UNCONFIRMED, claim, failed.detail, facts)
    if policy in {None, "none"}:
        because = "no policy asks anybody to refuse (p=none)" if policy else "there is no DMARC record"
        return _conclusion(Status.REFUTED, claim, because, facts)
    result, why = _spf_result(case, seen)
    if result == "pass" and _spf_aligned(alignment):
        return _conclusion(Status.REFUTED, claim, f"p={policy}, and SPF passes aligned ({why})", facts)
    if _named(judged, "dmarc/nothing-aligns"):
        return _conclusion(Status.CONFIRMED, claim, f"p={policy}, and neither SPF nor DKIM can align", facts)
    unaligned = result == "pass" and _spf_aligned(alignment) is False
    if unaligned or result in {"fail", "softfail", "neutral", "permerror", "none"}:
        spf_words = f"SPF passes for {case.sender}, which is not aligned" if unaligned else f"SPF {result}"
        because = f"p={policy} and {spf_words}; whether DKIM aligned, only the message tells"
        return _conclusion(Status.LIKELY, claim, because, facts)
    return _conclusion(Status.UNCONFIRMED, claim, f"p={policy}; {_NO_ADDRESS}", facts)


def _alignment(case: Case, seen: Records) -> Conclusion:
    claim = f"neither SPF nor DKIM is aligned with the author domain {case.author or '(not told)'}"
    if not case.author:
        return _conclusion(Status.UNCONFIRMED, claim, _NO_NAME)
    judged, _, alignment = _policy(case, seen)
    facts = _dmarc_facts(case, judged, seen)
    if _named(judged, "dmarc/nothing-aligns"):
        return _conclusion(Status.CONFIRMED, claim, "DNS has nothing that could align", facts)
    result, why = _spf_result(case, seen)
    aligned = _spf_aligned(alignment)
    if result == "pass" and aligned:
        return _conclusion(Status.REFUTED, claim, f"SPF passes and is aligned now ({why})", facts)
    because = "the author domain (From:) stands in the message only"
    return _conclusion(Status.LIKELY if aligned is False else Status.UNCONFIRMED, claim, because, facts)


# -- block lists ----------------------------------------------------------------------------------

_ZONE = re.compile(
    r"(?:^|\.|-)(?:[a-z0-9-]*(?:dnsbl|rbl|bl)|zen|psbl|[sxp]bl|bb|b)\.[a-z0-9-]+\.", re.IGNORECASE
)
_BY_WORD = {
    "spamhaus": "zen.spamhaus.org",
    "spamcop": "bl.spamcop.net",
    "barracudacentral": "b.barracudacentral.org",
    "psbl": "psbl.surriel.com",
    "surbl": "multi.surbl.org",
    "uribl": "multi.uribl.com",
    "sorbs": "dnsbl.sorbs.net",
}


def _zone(case: Case) -> str:
    """The list that the reply names; empty where it names none that can be asked."""
    named = [name.strip(".").lower() for name in extracts(case.reply).get("list", [])]
    zones = [name for name in named if name in BY_ZONE or _dead(name) or _ZONE.search(f"{name}.")][:1]
    words = [_BY_WORD[name] for name in named if name in _BY_WORD]
    return next(iter((*zones, *words)), "")


def _dead(zone: str) -> str:
    return next((why for end, why in DEAD.items() if zone == end or zone.endswith(f".{end}")), "")


def _listing(case: Case) -> Domain | None:
    """What is asked of the list: the domain of a list of domains, else the addresses."""
    zone = _zone(case)
    known = BY_ZONE.get(zone)
    domains = known is not None and known.of == "domain"
    if not zone or (domains and not case.sender) or (not domains and not case.addresses):
        return None
    return Domain(case.sender or "invalid", sending_ips=case.addresses, options=frozenset({f"dnsbl:{zone}"}))


def _listed_ask(case: Case, seen: Records) -> Iterable[Question]:
    asked = _listing(case)
    return dnsbl.ask(asked, seen) if asked is not None else ()


def _listed(case: Case, seen: Records) -> Conclusion:
    zone = _zone(case)
    subject = " and ".join(case.addresses) or case.sender or "our address"
    claim = f"{subject} is listed at {zone}"
    if why := _dead(zone):
        because = f"{zone} is dead ({why}): the receiver should stop asking it"
        return _conclusion(Status.UNCONFIRMED, claim, because)
    asked = _listing(case)
    if asked is None:
        return _conclusion(Status.UNCONFIRMED, claim, _NO_ADDRESS)
    judged = dnsbl.judge(asked, seen)
    found = _named(judged, "dnsbl/listed", "dnsbl/domain-listed", "dnsbl/policy", "dnsbl/watched")
    if found is not None:
        return _conclusion(Status.CONFIRMED, claim, found.detail, [_of(found)])
    if failed := _unsure(judged):
        return _conclusion(Status.UNCONFIRMED, claim, failed.detail, [_of(failed)])
    because = "the list answers, and does not list it now: taken off since, or the receiver's cache is older"
    return _conclusion(Status.REFUTED, claim, because, dns(seen, *dnsbl.ask(asked, seen)))


# -- the table ------------------------------------------------------------------------------------

_SPF = _says(r"\bspf\b", r"sender policy framework")
_DKIM = _says(r"\bdkim\b")
_DMARC = _says(r"\bdmarc\b")
_NO_RECORD = _says(
    r"(?:no|not have an?|without an?|missing|publish an?|set up an?) (?:valid )?dmarc",
    r"dmarc (?:record|policy) (?:is )?(?:not|missing|required)",
)
_ALIGN = _says(r"\balign")
_PTR_STATUS = {"7.25"}  # RFC 7372 section 3.3
_DKIM_STATUS = {"7.20", "7.21", "7.22"}  # RFC 7372 section 3.1
_SPF_STATUS = {"7.23", "7.24"}  # RFC 7372 section 3.2
_SENDER_STATUS = {"1.8", "7.27"}  # RFC 3463 section 3.2, RFC 7505 section 4.2


def _about_authentication(case: Case) -> bool:
    return case.cause is Cause.EMAIL_AUTH


def _blames_reverse(case: Case) -> bool:
    ours = case.cause in {Cause.SENDER_DNS, Cause.EMAIL_AUTH, Cause.POLICY, Cause.REPUTATION}
    return case.status in _PTR_STATUS or (ours and bool(_REVERSE.search(case.words)))


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


def _blames_helo(case: Case) -> bool:
    return case.cause is Cause.SENDER_DNS and bool(_HELO.search(case.words))


def _blames_sender(case: Case) -> bool:
    ours = case.cause is Cause.SENDER_DNS
    return ours and (case.status in _SENDER_STATUS or bool(_SENDER.search(case.words)))


def _blames_listing(case: Case) -> bool:
    return case.cause in {Cause.BLOCKLIST, Cause.REPUTATION} and bool(_zone(case))


CLAIMS = (
    Claim("reverse-dns", _blames_reverse, _reverse_ask, _reverse),
    Claim("listed", _blames_listing, _listed_ask, _listed),
    Claim("helo", _blames_helo, _helo_ask, _helo),
    Claim("sender-domain", _blames_sender, _sender_ask, _sender),
    Claim("dmarc-record", _blames_record, _dmarc_ask, _dmarc_record),
    Claim("alignment", _blames_alignment, _dmarc_ask, _alignment),
    Claim("spf-and-dkim", _blames_both, _either_ask, _either),
    Claim("dmarc-policy", _blames_policy, _dmarc_ask, _dmarc_policy),
    Claim("dkim", _blames_dkim, _dkim_ask, _dkim),
    Claim("spf", _about_authentication, _spf_ask, _spf),
)
