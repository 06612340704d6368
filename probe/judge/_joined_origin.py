"""Claims about where mail comes from: reverse DNS, HELO, the envelope's domain, block lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from probe.checks import Domain, dnsbl, mx, ptr
from probe.checks._dnsbl_lists import BY_ZONE, dead
from probe.checks._evidence import address_questions, failures, nonexistent
from probe.facts import Question, Records
from probe.grammar.pasted import extracts
from probe.judge.joined import (
    NO_ADDRESS,
    NO_NAME,
    Case,
    Claim,
    Conclusion,
    Status,
    concluded,
    dns,
    domain_of,
    first,
    says,
    shown,
    unsure,
)
from probe.rules import Cause, State

__all__ = ["CLAIMS", "receives", "receives_questions"]

# -- reverse DNS ----------------------------------------------------------------------------------

_REVERSE = says(
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
        return concluded(Status.UNCONFIRMED, claim, NO_ADDRESS)
    judged = ptr.judge(_sending(case), seen)
    if bad := first(judged, "ptr/none", "ptr/not-confirmed", "ptr/not-a-hostname"):
        return concluded(Status.CONFIRMED, claim, f"{bad.rule.title}: {bad.detail}", [shown(bad)])
    if failed := unsure(judged):
        return concluded(Status.UNCONFIRMED, claim, failed.detail, [shown(failed)])
    if weak := first(judged, "ptr/generic", "ptr/many"):
        return concluded(Status.LIKELY, claim, f"{weak.rule.title}: {weak.detail}", [shown(weak)])
    because = "name and address agree now: the receiver's cache is older, or it saw another address"
    return concluded(Status.REFUTED, claim, because, dns(seen, *ptr.ask(_sending(case), seen)))


# -- HELO -----------------------------------------------------------------------------------------

_HELO = says(r"\bhelo\b", r"\behlo\b")


def _helo_ask(case: Case, seen: Records) -> Iterator[Question]:  # noqa: ARG001  # the shape of a claim
    if "." in (name := domain_of(case.helo)):
        yield Question(name, "A")
        yield Question(name, "AAAA")


def _helo(case: Case, seen: Records) -> Conclusion:
    claim = f"the HELO name {case.helo or '(not told)'} is not acceptable"
    asked = tuple(_helo_ask(case, seen))
    if not case.helo:
        return concluded(Status.UNCONFIRMED, claim, "the name said in HELO is not known (--helo)")
    if not asked:
        return concluded(Status.CONFIRMED, claim, f"{case.helo} is no name with a domain")
    facts = dns(seen, *asked)
    found = {value for question in asked for value in seen.of(question.name, question.type)}
    if not found and failures(seen, asked):
        return concluded(Status.UNCONFIRMED, claim, f"{case.helo} could not be looked up", facts)
    if not found:
        return concluded(Status.CONFIRMED, claim, f"{case.helo} has no address", facts)
    if case.addresses and not found & set(case.addresses):
        because = f"{case.helo} is {', '.join(sorted(found)[:3])}, not {case.addresses[0]}"
        return concluded(Status.LIKELY, claim, because, facts)
    return concluded(Status.REFUTED, claim, f"{case.helo} has an address now", facts)


# -- a domain that must take mail -----------------------------------------------------------------


def receives_questions(name: str, seen: Records) -> Iterator[Question]:
    """What shows whether a domain can take mail; an address contradicts that it does not exist."""
    if name:
        yield from mx.ask(Domain(name), seen)
        if nonexistent(seen, name):
            yield from address_questions(name)


def receives(name: str, seen: Records) -> tuple[bool | None, str]:
    """Whether a domain can take mail, and why; None where DNS does not tell."""
    judged = mx.judge(Domain(name), seen)
    if judged.state is State.UNKNOWN:
        return None, "the MX records could not be looked up"
    if nonexistent(seen, name):
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


_SENDER = says(
    r"sender address rejected", r"sender domain", r"domain not found", r"domain of sender",
    r"domain (?:\S{1,80} )?(?:does not|not) (?:exist|found|resolve)",
    r"null mx", r"mail from.{0,40}(?:not exist|resolve|mx)",
)  # fmt: skip


def _sender_ask(case: Case, seen: Records) -> Iterable[Question]:
    return receives_questions(case.sender, seen)


def _sender(case: Case, seen: Records) -> Conclusion:
    claim = f"the sender's domain {case.sender or '(not told)'} cannot take mail back"
    if not case.sender:
        return concluded(Status.UNCONFIRMED, claim, NO_NAME)
    takes, because = receives(case.sender, seen)
    status = {None: Status.UNCONFIRMED, False: Status.CONFIRMED, True: Status.REFUTED}[takes]
    return concluded(status, claim, because, dns(seen, *receives_questions(case.sender, seen)))


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
    zones = [name for name in named if name in BY_ZONE or dead(name) or _ZONE.search(f"{name}.")][:1]
    words = [_BY_WORD[name] for name in named if name in _BY_WORD]
    return next(iter((*zones, *words)), "")


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
    if why := dead(zone):
        because = f"{zone} is dead ({why}): the receiver should stop asking it"
        return concluded(Status.UNCONFIRMED, claim, because)
    asked = _listing(case)
    if asked is None:
        return concluded(Status.UNCONFIRMED, claim, NO_ADDRESS)
    judged = dnsbl.judge(asked, seen)
    found = first(judged, "dnsbl/listed", "dnsbl/domain-listed", "dnsbl/policy", "dnsbl/watched")
    if found is not None:
        return concluded(Status.CONFIRMED, claim, found.detail, [shown(found)])
    if failed := unsure(judged):
        return concluded(Status.UNCONFIRMED, claim, failed.detail, [shown(failed)])
    because = "the list answers, and does not list it now: taken off since, or the receiver's cache is older"
    return concluded(Status.REFUTED, claim, because, dns(seen, *dnsbl.ask(asked, seen)))


# -- the table ------------------------------------------------------------------------------------

_PTR_STATUS = {"7.25"}  # RFC 7372 section 3.3
_SENDER_STATUS = {"1.8", "7.27"}  # RFC 3463 section 3.2, RFC 7505 section 4.2


def _blames_reverse(case: Case) -> bool:
    ours = case.cause in {Cause.SENDER_DNS, Cause.EMAIL_AUTH, Cause.POLICY, Cause.REPUTATION}
    return case.status in _PTR_STATUS or (ours and bool(_REVERSE.search(case.words)))


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
)
