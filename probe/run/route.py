"""Where mail for a domain goes, as a sender finds it out: MX, else the domain itself, else nowhere."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from probe import catalogue
from probe.checks._evidence import routable
from probe.facts import Question, Records, Status
from probe.judge import demand
from probe.rules import Finding
from probe.run.evidence import gather
from probe.wire.network import Network

__all__ = ["Route", "public", "route"]


@dataclass(frozen=True, slots=True)
class Route:
    """Hosts in order of preference, or the finding that says why there are none.

    `how` says in words how they were found, `seen` holds the answers, those about TLS too.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    how: str = ""
    problem: Finding | None = None
    seen: Records = field(default_factory=Records)


async def route(domain: str, network: Network) -> Route:
    """MX by preference, else the domain itself (RFC 5321 section 5.1); the null MX says no (RFC 7505)."""
    if domain.startswith("["):
        return Route(((domain.strip("[]").removeprefix("IPv6:"), 25),), "address literal")
    question = Question(domain, "MX")
    seen = await gather(lambda seen: demand.ask(domain, seen), network)
    answer = seen.answers[question]
    evidence = {"question": str(question), "status": str(answer.status), "server": answer.server}
    if answer.status is Status.UNREACHABLE:
        return Route(problem=Finding(catalogue.rule("rcpt/no-network"), evidence, answer.detail), seen=seen)
    if not answer.known:
        return Route(
            problem=Finding(catalogue.rule("rcpt/dns-failed"), evidence, str(answer.status)), seen=seen
        )
    if answer.status is Status.NXDOMAIN:
        return Route(problem=Finding(catalogue.rule("rcpt/no-such-domain"), evidence, domain), seen=seen)
    hosts = [tuple(value.split(" ", 1)) for value in answer.values]
    if [host for _, host in hosts] == ["."]:
        evidence["record"] = answer.values[0]
        return Route(problem=Finding(catalogue.rule("rcpt/null-mx"), evidence, domain), seen=seen)
    if not hosts:
        return Route(((domain, 25),), "by its own address, there is no MX", seen=seen)
    ordered = sorted(hosts, key=lambda row: int(row[0]) if row[0].isdigit() else 65536)
    return Route(tuple((host, 25) for _, host in ordered if host != "."), "by MX", seen=seen)


def public(address: str) -> bool:
    """Whether an address that DNS names may be dialled: one of the Internet, whatever wraps it."""
    parsed = ipaddress.ip_address(address)
    inner = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    return routable(address) and (inner is None or routable(str(inner)))
