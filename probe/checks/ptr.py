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
from probe.checks._dkim_search import caution
from probe.checks._evidence import (
    address_questions,
    evidence,
    failures,
    pasted,
    printable,
    routable,
    seen_answer,
    state,
    unknown,
)
from probe.checks._once import asked_once, once
from probe.checks._ptr_rules import (
    GENERIC,
    HELO_ELSEWHERE,
    HELO_OTHER,
    MANY,
    MX_NONE,
    MX_NOT_CONFIRMED,
    NONE,
    NOT_A_HOSTNAME,
    NOT_CONFIRMED,
    PRIVATE,
    RULES,
    UNKNOWN,
)
from probe.checks._suffixes import organizational
from probe.checks.mx import hosts
from probe.facts import Answer, Question, Records
from probe.grammar.rdns import generic, is_hostname, reversed_address
from probe.rules import Finding, State

__all__ = ["RULES", "ask", "judge"]

_ADDRESSES = 10
_NAMES = 10  # RFC 7208 section 4.6.4 sets the same limit for receivers
_MX_ADDRESSES = 4


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
    # A name below one that a wildcard answers for would take that out of the wildcard.
    above = organizational(domain.name) if caution(domain.name, seen) else domain.name
    ours = [name for name in (domain.helo, f"mail.{above}") if _within(name, domain)]
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
