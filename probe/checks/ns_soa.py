"""NS and SOA: whether the zone is delegated soundly, and whether all its servers say the same.

RFC 1034 section 4.1 and RFC 2182 (servers), RFC 2181 section 10.3 (no CNAME behind NS). The servers
themselves are only asked with the option ``authoritative``: everything else comes from the resolver.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterator, Mapping

from probe.checks import Domain, Judgement
from probe.checks._evidence import (
    address_questions,
    addresses,
    evidence,
    failures,
    printable,
    problem,
    rfc,
    routable,
    seen_answer,
    state,
    unknown,
    unknown_rule,
)
from probe.facts import Answer, Question, Records, Status
from probe.rules import Finding, State, Verdict

__all__ = ["RULES", "ask", "judge"]

_FOLLOWED = 8  # name servers whose addresses are asked for
_ASKED = 4  # servers asked directly
_COMPARED = ("MX", "NS", "TXT")

UNKNOWN = unknown_rule("ns_soa", "The name servers", rfc(1034, "4.1"))
SINGLE = problem(
    id="ns_soa/single-server",
    verdict=Verdict.WARN,
    title="The zone has one name server",
    meaning="When it is away nobody finds MX, SPF or DKIM, and mail is deferred or refused.",
    fix="Have the zone served by at least two servers in different networks.",
    source=rfc(2182, "5"),
)
NO_ADDRESS = problem(
    id="ns_soa/no-address",
    verdict=Verdict.WARN,
    title="A name server has no address",
    meaning="Resolvers that pick it lose time, and some of them give up.",
    fix="Give the server an address record, or take it out of the delegation.",
    source=rfc(1034, "4.1"),
)
PRIVATE = problem(
    id="ns_soa/private-address",
    verdict=Verdict.WARN,
    title="A name server has an address that is not on the Internet",
    meaning="Private and loopback addresses mean another machine to every resolver.",
    fix="Publish the server's public address, or take it out of the delegation.",
    source=rfc(6890, "2.2.2"),
)
CNAME = problem(
    id="ns_soa/cname-target",
    verdict=Verdict.WARN,
    title="A name server is an alias (CNAME)",
    meaning="An NS record must name a host that has address records itself; many resolvers refuse the alias.",
    fix="Point the NS record at the name behind the alias.",
    source=rfc(2181, "10.3"),
)
ONE_NETWORK = problem(
    id="ns_soa/one-network",
    verdict=Verdict.NOTE,
    title="All name servers are in one network",
    meaning="One broken line takes all of them away.",
    fix="Have one of the servers in another network.",
    source=rfc(2182, "3.1"),
)
LAME = problem(
    id="ns_soa/lame",
    verdict=Verdict.WARN,
    title="A name server does not serve the zone",
    meaning="It is named in the delegation and refuses the question or does not know the zone; a part of "
    "all lookups fails or takes longer.",
    fix="Set the zone up on that server, or take it out of the delegation.",
    source=rfc(1912, "2.8"),
)
SILENT = problem(
    id="ns_soa/silent-server",
    verdict=Verdict.UNKNOWN,
    title="A name server did not answer us",
    meaning="It may be down, or questions from this network do not reach it.",
    fix="Ask it from elsewhere: dig @<address> <zone> SOA.",
    source=rfc(2182, "4.2"),
)
SERIALS = problem(
    id="ns_soa/serials-differ",
    verdict=Verdict.NOTE,
    title="The name servers hold different versions of the zone",
    meaning="Usual for minutes after a change; for longer it means that a server no longer gets changes.",
    fix="If the serials still differ in an hour, look at the transfers to the server that is behind.",
    source=rfc(1912, "2.2"),
)
DIFFER = problem(
    id="ns_soa/answers-differ",
    verdict=Verdict.WARN,
    title="The name servers give different answers",
    meaning="Which MX or SPF record a receiver sees depends on the server its resolver happens to ask.",
    fix="Make all servers serve the same zone.",
    source=rfc(1034, "4.2"),
)

RULES = (UNKNOWN, SINGLE, NO_ADDRESS, PRIVATE, CNAME, ONE_NETWORK, LAME, SILENT, SERIALS, DIFFER)


def _servers(domain: Domain, seen: Records) -> list[str]:
    answer = seen_answer(seen, Question(domain.name, "NS"))
    if answer.status is not Status.OK or answer.aliases:
        return []
    return sorted({value.lower().removesuffix(".") for value in answer.values})


def _direct(domain: Domain, seen: Records) -> list[str]:
    """The addresses to ask directly: the first one of each server."""
    if "authoritative" not in domain.options:
        return []
    firsts = (next(iter(addresses(seen, host)), "") for host in _servers(domain, seen)[:_FOLLOWED])
    return [address for address in dict.fromkeys(firsts) if address and routable(address)][:_ASKED]


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """NS, the addresses of the servers, and with the option the servers themselves."""
    yield Question(domain.name, "NS")
    servers = _servers(domain, seen)
    together = bool(_network(servers, seen))
    for host in servers[:_FOLLOWED]:
        four, six = address_questions(host)
        yield four
        if together or (four in seen and not seen.of(host, "A")):
            yield six
    for address in _direct(domain, seen):
        yield from (Question(domain.name, f"{kind}@{address}") for kind in ("SOA", *_COMPARED))


def judge(domain: Domain, seen: Records) -> Judgement:
    """``evaluation`` holds the servers with their addresses and, where they were asked, their serials.

    A domain that does not exist is left to the check of its MX records; a name that is no zone of its
    own has no servers to judge.
    """
    question = Question(domain.name, "NS")
    answer = seen_answer(seen, question)
    if not answer.known:
        return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, question),))
    if answer.status is Status.NXDOMAIN:
        return Judgement(State.MISSING)
    servers = _servers(domain, seen)
    if not servers:
        return Judgement(State.NOT_APPLICABLE)
    reached = {host: addresses(seen, host) for host in servers[:_FOLLOWED]}
    asked = _direct(domain, seen)
    findings = [*_delegation(question, answer, servers, reached, seen), *_compared(domain, asked, seen)]
    told: dict[str, object] = {
        "servers": {printable(host): found for host, found in reached.items()},
        "serials": {address: _serial(domain, address, seen) for address in asked},
    }
    return Judgement(state(findings), tuple(findings), told)


def _delegation(
    question: Question, answer: Answer, servers: list[str], reached: Mapping[str, list[str]], seen: Records
) -> Iterator[Finding]:
    """What is wrong with the servers; `reached` are those followed, with their addresses."""
    fact = evidence(question, answer, "; ".join(reached))
    if len(servers) == 1:
        yield Finding(SINGLE, fact, printable(servers[0]))
    failed = None
    for host, found in reached.items():
        asked = address_questions(host)
        first = seen_answer(seen, asked[0])
        if first.aliases:
            detail = f"{printable(host)} is an alias of {printable(first.aliases[-1])}"
            yield Finding(CNAME, evidence(asked[0], first, first.aliases[-1]), detail)
        if found:
            if inside := [address for address in found if not routable(address)]:
                detail = f"{printable(host)}: {', '.join(inside[:4])}"
                yield Finding(PRIVATE, evidence(asked[0], first, ", ".join(inside[:4])), detail)
        elif missed := failures(seen, asked):
            failed = failed or missed[0]
        else:
            yield Finding(NO_ADDRESS, evidence(asked[0], first), printable(host))
    if failed is not None:
        yield unknown(UNKNOWN, seen, failed)
    if (network := _network(servers, seen)) and _nowhere_else(servers, seen):
        yield Finding(ONE_NETWORK, fact, network)


def _network(servers: list[str], seen: Records) -> str:
    """The one /24 that holds the IPv4 addresses of several servers, all of them; empty where none does."""
    if not 1 < len(servers) <= _FOLLOWED:
        return ""
    found: list[str] = []
    for host in servers:
        answer = seen.answers.get(address_questions(host)[0])
        if answer is None or not answer.known:
            return ""
        found += answer.values
    networks = {_around(address) if routable(address) else "" for address in found}
    return networks.pop() if len(networks) == 1 else ""


def _nowhere_else(servers: list[str], seen: Records) -> bool:
    """Whether none of the servers has an IPv6 address, which may lie in another network."""
    asked = [address_questions(host)[1] for host in servers]
    return not failures(seen, asked) and not any(seen.answers[question].values for question in asked)


@functools.lru_cache(maxsize=4096)
def _around(address: str) -> str:
    """The /24 of an IPv4 address."""
    return str(ipaddress.IPv4Network((address, 24), strict=False))


def _serial(domain: Domain, address: str, seen: Records) -> str:
    fields = next(iter(seen.of(domain.name, f"SOA@{address}")), "").split()
    return fields[2] if len(fields) > 2 and fields[2].isdigit() else ""


def _compared(domain: Domain, asked: list[str], seen: Records) -> Iterator[Finding]:
    """What the servers that were asked say themselves, one beside the other."""
    serving = []
    for address in asked:
        question = Question(domain.name, f"SOA@{address}")
        answer = seen_answer(seen, question)
        if answer.status is Status.OK:
            serving.append(address)
        elif answer.known or answer.status in {Status.REFUSED, Status.SERVFAIL, Status.NOTIMP}:
            yield Finding(LAME, evidence(question, answer), f"{address}: {answer.status}")
        else:
            yield Finding(SILENT, evidence(question, answer), f"{address}: {answer.status}")
    serials = {address: _serial(domain, address, seen) for address in serving}
    if len(set(serials.values())) > 1:
        question = Question(domain.name, f"SOA@{serving[0]}")
        detail = ", ".join(f"{address}: {serial}" for address, serial in serials.items())
        yield Finding(SERIALS, evidence(question, seen_answer(seen, question), detail), detail)
    if len(serving) > 1:
        for kind in _COMPARED:
            yield from _differences(domain, kind, serving, seen)


def _differences(domain: Domain, kind: str, serving: list[str], seen: Records) -> Iterator[Finding]:
    answers = {address: seen_answer(seen, Question(domain.name, f"{kind}@{address}")) for address in serving}
    known = {address: frozenset(answer.values) for address, answer in answers.items() if answer.known}
    if len(set(known.values())) > 1:
        first, other = _two(known)
        only = min(known[first] ^ known[other])
        holder = first if only in known[first] else other
        question = Question(domain.name, f"{kind}@{holder}")
        lacking = other if holder == first else first
        detail = f"{kind}: {holder} has {printable(only)[:200]}, {lacking} has not"
        yield Finding(DIFFER, evidence(question, answers[holder], only), detail)


def _two(known: dict[str, frozenset[str]]) -> tuple[str, str]:
    first = next(iter(known))
    return first, next(address for address, values in known.items() if values != known[first])
