"""PTR: the name of each sending address, whether it leads back there, and whether it is the server's own.

The large receivers refuse mail from an address without forward-confirmed reverse DNS. Where no sending
address is told, the MX hosts are looked at instead: many small domains send from there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from probe.checks import Domain, Judgement
from probe.checks._evidence import (
    READ,
    address_questions,
    evidence,
    failures,
    pasted,
    printable,
    problem,
    rfc,
    routable,
    seen_answer,
    state,
    unknown,
    unknown_rule,
)
from probe.checks._once import asked_once, once
from probe.checks._suffixes import organizational
from probe.checks.mx import hosts
from probe.facts import Answer, Question, Records
from probe.grammar.rdns import generic, is_hostname, reversed_address
from probe.rules import Finding, Source, State, Verdict

__all__ = ["RULES", "ask", "judge"]

_ADDRESSES = 10
_NAMES = 10  # RFC 7208 section 4.6.4 sets the same limit for receivers
_MX_ADDRESSES = 4

_GMAIL = Source("https://support.google.com/a/answer/81126", "vendor", READ)
_YAHOO = Source("https://senders.yahooinc.com/best-practices/", "vendor", READ)

UNKNOWN = unknown_rule("ptr", "The name of an address", _GMAIL)
NONE = problem(
    id="ptr/none",
    verdict=Verdict.FAIL,
    title="The sending address has no reverse name (PTR)",
    meaning="Gmail, Yahoo, Microsoft and Apple want a name for the address; without one mail is deferred or "
    "refused, however well it is signed.",
    fix="Ask whoever owns the address (the hosting provider) to set its PTR record to the server's name.",
    dont="Put a PTR record into your own zone: reverse zones belong to the owner of the address.",
    source=_GMAIL,
    predicts=("421 4.7.23", "550 5.7.25"),
)
NOT_CONFIRMED = problem(
    id="ptr/not-confirmed",
    verdict=Verdict.FAIL,
    title="The reverse name does not lead back to the address",
    meaning="The name of the address has no address record with the same address (FCrDNS), so anybody could "
    "have written it, and receivers count it as no name at all.",
    fix="Give the name an address record with this address, or set the PTR to a name that has one.",
    source=_GMAIL,
    predicts=("421 4.7.23", "550 5.7.25"),
)
NOT_A_HOSTNAME = problem(
    id="ptr/not-a-hostname",
    verdict=Verdict.FAIL,
    title="The PTR record does not hold a host name",
    meaning="An address, a bare word or characters outside letters, digits and hyphens stand where the name "
    "belongs; receivers take it as missing or as an attack.",
    fix="Have the PTR record set to the full name of the server.",
    source=rfc(1123, "2.1"),
)
GENERIC = problem(
    id="ptr/generic",
    verdict=Verdict.WARN,
    title="The reverse name looks like that of an access line, not of a mail server",
    meaning="Names made out of the address are given to whole networks by their provider; Yahoo asks for a "
    "name of the sender's own, and filters score such names down.",
    fix="Have the PTR record set to a name under your own domain without the address in it (mail or smtp "
    "before the domain), and give that name the address.",
    source=_YAHOO,
)
PRIVATE = problem(
    id="ptr/private-address",
    verdict=Verdict.WARN,
    title="This is not the address receivers see",
    meaning="The address given is private; mail leaves through another one, which is the one that counts.",
    fix="Give the public address that mail leaves from (--sending-ip).",
    source=rfc(6890, "2.2.2"),
)
MANY = problem(
    id="ptr/many",
    verdict=Verdict.NOTE,
    title="The address has many names",
    meaning="Receivers look at a few of them, in no set order, so which one counts is chance.",
    fix="Keep one PTR record: the name the server says in HELO.",
    source=rfc(7208, "4.6.4"),
)
HELO_OTHER = problem(
    id="ptr/helo-mismatch",
    verdict=Verdict.WARN,
    title="The server says another name in HELO than its address has",
    meaning="Both are right on their own, but filters like them to agree.",
    fix="Say the reverse name in HELO, or have the PTR record set to the HELO name.",
    source=rfc(5321, "4.1.1.1"),
)
HELO_ELSEWHERE = problem(
    id="ptr/helo-not-confirmed",
    verdict=Verdict.WARN,
    title="The HELO name does not lead to the sending address",
    meaning="The name said in HELO must be one with address records; one that leads elsewhere looks forged.",
    fix="Give the HELO name an address record with the sending address.",
    source=rfc(5321, "4.1.1.1"),
)
MX_NONE = problem(
    id="ptr/mx-none",
    verdict=Verdict.NOTE,
    title="An MX host's address has no reverse name",
    meaning="It does no harm where mail only arrives. If mail also leaves from there, receivers refuse it.",
    fix="If this host sends, have a PTR record set; otherwise tell which address does (--sending-ip).",
    source=_GMAIL,
)
MX_NOT_CONFIRMED = problem(
    id="ptr/mx-not-confirmed",
    verdict=Verdict.NOTE,
    title="An MX host's reverse name does not lead back to it",
    meaning="It does no harm where mail only arrives. If mail also leaves from there, receivers refuse it.",
    fix="If this host sends, make name and address agree; otherwise tell which address does (--sending-ip).",
    source=_GMAIL,
)

RULES = (
    UNKNOWN,
    NONE,
    NOT_CONFIRMED,
    NOT_A_HOSTNAME,
    GENERIC,
    PRIVATE,
    MANY,
    HELO_OTHER,
    HELO_ELSEWHERE,
    MX_NONE,
    MX_NOT_CONFIRMED,
)


def _sending(domain: Domain) -> list[str]:
    return list(dict.fromkeys(domain.sending_ips))[:_ADDRESSES]


def _exchangers(domain: Domain, seen: Records) -> tuple[str, ...]:
    """The most preferred MX hosts."""
    return hosts(domain.name, seen)[:_MX_ADDRESSES]


def _receiving(exchangers: tuple[str, ...], seen: Records) -> list[str]:
    """One address of each of these hosts: the least, because servers shuffle them."""
    found = [seen.of(host, "A") or seen.of(host, "AAAA") for host in exchangers]
    chosen = dict.fromkeys([min(addresses) for addresses in found if addresses])
    return [address for address in chosen if routable(address)]


@functools.lru_cache(maxsize=4096)
def _pointer(address: str) -> Question:
    zone = "ip6" if ":" in address else "in-addr"
    return Question(f"{reversed_address(address)}.{zone}.arpa", "PTR")


class _Reverse(NamedTuple):
    """What an address is called.

    `valid` are those of the first few names that are host names, `confirmed` those that lead back to it.
    """

    address: str
    question: Question
    answer: Answer
    names: tuple[str, ...]
    valid: tuple[str, ...]
    confirmed: tuple[str, ...]


def _reverse(address: str, seen: Records) -> _Reverse:
    question = _pointer(address)
    answer = seen_answer(seen, question)
    names = _names(question, seen)
    valid = tuple(filter(is_hostname, names[:_NAMES]))
    confirmed = tuple([name for name in valid if _leads(name, address, seen)])
    return _Reverse(address, question, answer, names, valid, confirmed)


def _names(question: Question, seen: Records) -> tuple[str, ...]:
    names = seen.of(question.name, question.type)
    return names if len(names) < 2 else tuple(sorted(names))


def _forward(name: str, address: str) -> Question:
    four, six = address_questions(name)
    return six if ":" in address else four


@asked_once
def ask(domain: Domain, seen: Records) -> list[Question]:
    """PTR of every address, then the addresses of every name found and of the HELO name."""
    asked: list[Question] = []
    if domain.sending_ips:
        found = list(filter(routable, _sending(domain)))
    else:
        exchangers = _exchangers(domain, seen)
        asked += (Question(domain.name, "MX"), *chain.from_iterable(map(address_questions, exchangers)))
        found = _receiving(exchangers, seen)
    for address in found:
        asked.append(question := _pointer(address))
        asked += [_forward(name, address) for name in _names(question, seen)[:_NAMES] if is_hostname(name)]
        if domain.helo and domain.sending_ips:
            asked.append(_forward(domain.helo, address))
    return asked


@once
def judge(domain: Domain, seen: Records) -> Judgement:
    """The state of the sending addresses; MX hosts are only worth a note."""
    sending = _sending(domain)
    asked = sending or _receiving(_exchangers(domain, seen), seen)
    told = {address: _reverse(address, seen) for address in asked if routable(address)}
    evaluation = {
        address: {"names": [*map(printable, each.names[:_NAMES])], "confirmed": [*each.confirmed]}
        for address, each in told.items()
    }
    findings: list[Finding] = []
    if not sending:
        for each in told.values():
            findings += _receiver(each, seen)
        return Judgement(State.NOT_APPLICABLE, tuple(findings), evaluation or None)
    for address in sending:
        findings += _sender(domain, told[address], seen) if address in told else _private(address)
    told_of = {finding.rule for finding in findings}
    if NONE in told_of and told_of <= {NONE, HELO_ELSEWHERE, UNKNOWN}:
        return Judgement(State.MISSING, tuple(findings), evaluation)
    return Judgement(state(findings), tuple(findings), evaluation)


def _leads(name: str, address: str, seen: Records) -> bool:
    question = _forward(name, address)
    found = seen.of(question.name, question.type)
    return address in found or _canonical(address) in map(_canonical, found)


def _canonical(address: str) -> str:
    """An address in one spelling, so that ``2001:DB8:0::1`` is ``2001:db8::1``."""
    return reversed_address(address) if routable(address) else address


def _private(address: str) -> Iterator[Finding]:
    fact = {"question": "sending address", "record": printable(address)}
    yield Finding(PRIVATE, fact, printable(address))


def _fact(reverse: _Reverse) -> Mapping[str, str]:
    return evidence(reverse.question, reverse.answer, ", ".join(reverse.names[:_NAMES]))


def _sender(domain: Domain, reverse: _Reverse, seen: Records) -> Iterator[Finding]:
    """What is wrong with the name of one sending address."""
    question, address = reverse.question, reverse.address
    if not reverse.answer.known:
        yield unknown(UNKNOWN, seen, question)
    elif not reverse.names:
        yield Finding(NONE, _fact(reverse), address, _own_name(domain, reverse, seen))
    else:
        yield from _named(domain, reverse, seen)
    if domain.helo and reverse.answer.known:
        yield from _helo(domain, address, seen)


def _named(domain: Domain, reverse: _Reverse, seen: Records) -> Iterator[Finding]:
    address, _, _, names, valid, confirmed = reverse
    told = _fact(reverse)
    if len(names) > _NAMES:
        yield Finding(MANY, told, f"{address}: {len(names)} names")
    shown = ", ".join(printable(name) for name in names[:3])
    if not valid:
        yield Finding(NOT_A_HOSTNAME, told, f"{address}: {shown}", _own_name(domain, reverse, seen))
        return
    if not confirmed:
        forward = [_forward(name, address) for name in valid]
        if failed := failures(seen, forward):
            yield unknown(UNKNOWN, seen, failed[0])
        else:
            fix = _own_name(domain, reverse, seen)
            if _within(valid[0], domain):
                fix = pasted(forward[0], seen_answer(seen, forward[0]), address)
            yield Finding(NOT_CONFIRMED, told, f"{address} is {shown}, which is not {address}", fix)
    reasons = [generic(name, address) for name in confirmed or valid]
    if all(reasons):
        fix = _own_name(domain, reverse, seen)
        yield Finding(GENERIC, told, f"{address} is {shown}: {reasons[0]}", fix)
    if domain.helo and confirmed and domain.helo not in confirmed:
        yield Finding(HELO_OTHER, told, f"HELO {domain.helo}, but {address} is {', '.join(confirmed[:3])}")


def _within(name: str, domain: Domain) -> bool:
    """Whether a name is the organization's own to publish."""
    return f".{name}".endswith(f".{organizational(domain.name)}")


def _own_name(domain: Domain, reverse: _Reverse, seen: Records) -> str:
    """The fix that has an address named as its server is, or may be; empty where no name can be told.

    A name that does not lead to the address yet would be no better than none.
    """
    address = reverse.address
    leading = [name for name in (domain.helo, *hosts(domain.name, seen)) if _leads(name, address, seen)]
    ours = [name for name in (domain.helo, f"mail.{domain.name}") if _within(name, domain)]
    likely = filter(is_hostname, (*leading, *ours))
    name = next((each for each in likely if not generic(each, address)), "")
    if not name:
        return ""
    words = f"ave the owner of {address} publish: "
    if name in leading:
        return pasted(reverse.question, reverse.answer, f"{name}.", f"H{words}")
    forward = _forward(name, address)
    first = pasted(forward, seen_answer(seen, forward), address, "First publish: ")
    return f"{first}\n{pasted(reverse.question, reverse.answer, f'{name}.', f'Then h{words}')}"


def _helo(domain: Domain, address: str, seen: Records) -> Iterator[Finding]:
    helo = domain.helo
    question = _forward(helo, address)
    answer = seen_answer(seen, question)
    if not answer.known:
        yield unknown(UNKNOWN, seen, question)
    elif not _leads(helo, address, seen):
        fix = pasted(question, answer, address) if _within(helo, domain) else ""
        found = printable(", ".join(answer.values[:4]))
        yield Finding(
            HELO_ELSEWHERE,
            evidence(question, answer, found),
            f"{helo} is {found or 'nothing'}, not {address}",
            fix,
        )


def _receiver(reverse: _Reverse, seen: Records) -> Iterator[Finding]:
    """What is worth a note about the address of an MX host; a failed lookup there matters to nobody."""
    address, _, answer, names, valid, confirmed = reverse
    if confirmed or not answer.known:
        return
    if not names:
        yield Finding(MX_NONE, _fact(reverse), address)
    elif not failures(seen, [_forward(name, address) for name in valid]):
        listed = ", ".join(map(printable, names[:3]))
        yield Finding(MX_NOT_CONFIRMED, _fact(reverse), f"{address} is {listed}")
