"""`check_rcpt`: would the recipient's server take this recipient from this sender?"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from probe import catalogue, judge
from probe.facts import Ending, Fault, Question, Secret, Stage, Status, Tls, Transcript, Turn
from probe.grammar.address import address
from probe.grammar.redaction import Redaction
from probe.judge.delivery import Acceptance, Delivered, judge_delivery
from probe.plans.rcpt import Delivery, rcpt
from probe.rules import Finding, Report
from probe.wire.network import Network
from probe.wire.smtp import Peer, converse

__all__ = ["Asked", "check_rcpt"]

MOST_SERVERS = 3  # mail servers of a domain that are tried before it counts as not answering
_NO_SECRET = Redaction(Secret(""))


@dataclass(frozen=True, slots=True)
class Asked:
    """A recipient, and who asks.

    `mail_from` is the envelope sender (empty: the null reverse-path). `mx` overrules the MX lookup with
    (host, port). `control` adds a made-up recipient; `nonce` makes its name, for tests. `private` lets
    addresses be dialled that are not of the internet.
    """

    recipient: str
    mail_from: str = ""
    mx: tuple[str, int] | None = None
    control: bool = True
    private: bool = False
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for a domain goes: hosts in order of preference, or the finding that says why nowhere."""

    hosts: tuple[tuple[str, int], ...] = ()
    how: str = ""
    problem: Finding | None = None
    implicit: bool = False


async def check_rcpt(asked: Asked, network: Network | None = None) -> Report:
    """Probe one recipient, with at most three of its servers; never DATA, VRFY or EXPN.

    ValueError where an address cannot be one; everything that a network can do ends in the report.
    """
    if network is None:
        async with Network() as own:
            return await check_rcpt(asked, own)
    domain = address(asked.recipient).domain
    if asked.mail_from:
        address(asked.mail_from)
    route = Route((asked.mx,), "as told") if asked.mx else await _route(domain, network)
    if route.problem is not None:
        return Report("rcpt", asked.recipient, (route.problem,), evaluations=_computed(None, route))
    sessions: list[Transcript] = []
    for host, port in route.hosts[:MOST_SERVERS]:
        session = await _session(asked, domain, host, port, network)
        sessions.append(session)
        if not _elsewhere(session):
            break
    return _report(asked, route, sessions)


# -- where to -------------------------------------------------------------------------------------


async def _route(domain: str, network: Network) -> Route:
    """MX by preference, else the domain itself (RFC 5321 section 5.1); the null MX says no (RFC 7505)."""
    if domain.startswith("["):
        return Route(((domain.strip("[]").removeprefix("IPv6:"), 25),), "address literal")
    question = Question(domain, "MX")
    answer = (await network.ask((question,)))[question]
    evidence = {"question": str(question), "status": str(answer.status), "server": answer.server}
    if not answer.known:
        return Route(problem=Finding(catalogue.rule("rcpt/dns-failed"), evidence, str(answer.status)))
    if answer.status is Status.NXDOMAIN:
        return Route(problem=Finding(catalogue.rule("rcpt/no-such-domain"), evidence, domain))
    hosts = [tuple(value.split(" ", 1)) for value in answer.values]
    if [host for _, host in hosts] == ["."]:
        evidence["record"] = answer.values[0]
        return Route(problem=Finding(catalogue.rule("rcpt/null-mx"), evidence, domain))
    if not hosts:
        return Route(((domain, 25),), "by its own address, there is no MX", implicit=True)
    ordered = sorted(hosts, key=lambda row: int(row[0]) if row[0].isdigit() else 65536)
    return Route(tuple((host, 25) for _, host in ordered if host != "."), "by MX")


async def _session(asked: Asked, domain: str, host: str, port: int, network: Network) -> Transcript:
    found = await network.addresses(host, port)
    if not isinstance(found, Fault) and not asked.private and (host, port) not in network.hosts:
        public = tuple(one for one in found if ipaddress.ip_address(one[0]).is_global)
        found = public or Fault(Ending.UNRESOLVED, f"{host} has private addresses only: {found[0][0]}")
    if isinstance(found, Fault):
        turn = Turn(Stage.RESOLVE, "", found)
        return Transcript((turn,), server=host, peer=f"{host}:{port}")
    nonce = asked.nonce or secrets.token_hex(5)
    delivery = Delivery(
        recipient=asked.recipient,
        sender=asked.mail_from,
        helo=network.helo(found[0][0]),
        control=_made_up(nonce, domain) if asked.control else "",
    )
    return await _as_a_sender_would(delivery, Peer(host, found, network.source), network)


def _made_up(nonce: str, domain: str) -> str:
    """An address nobody has, in the shape of addresses that people have."""
    word = hashlib.sha256(f"{nonce}@{domain}".encode()).hexdigest()[:6]
    return f"no-{nonce}.{word}@{domain}"


async def _as_a_sender_would(delivery: Delivery, peer: Peer, network: Network) -> Transcript:
    """Verified TLS first; where the certificate fails, TLS all the same; where TLS fails, without it.

    Each of these is a connection of its own, as it is for a sender (RFC 7435), and the first failure is
    kept in the transcript's TLS facts.
    """
    session = await _converse(delivery, peer, network)
    broken = session.last(Stage.TLS)
    if broken is None or not isinstance(broken.heard, Fault):
        return session
    reason = Tls(wanted=peer.server, error=broken.heard.detail)
    again = await _converse(delivery, peer, network, verify=False)
    shaken = again.last(Stage.TLS)
    if shaken is not None and shaken.heard is None and again.tls is not None:
        return replace(again, tls=replace(again.tls, error=reason.error))
    plain = await _converse(replace(delivery, starttls=False), peer, network)
    return replace(plain, tls=reason)


async def _converse(delivery: Delivery, peer: Peer, network: Network, *, verify: bool = True) -> Transcript:
    context = network.context if verify else network.describing
    return await converse(rcpt(delivery), peer, context=context, limits=network.limits, redaction=_NO_SECRET)


def _elsewhere(session: Transcript) -> bool:
    """Whether a sender would try the next server: no connection, no greeting, or "not now" (RFC 5321 5.1)."""
    greeting = session.last(Stage.GREETING)
    return greeting is None or not greeting.accepted


# -- report ---------------------------------------------------------------------------------------


def _report(asked: Asked, route: Route, sessions: list[Transcript]) -> Report:
    last = sessions[-1]
    known = catalogue.provider_of_mx([last.server])
    delivered = judge_delivery(last, provider=known.id if known else "")
    findings = list(delivered.findings)
    if not _elsewhere(last):
        findings += (_not_answering(session) for session in sessions[:-1])
    if last.tls is not None and last.tls.error and not last.tls.version:
        findings.append(Finding(catalogue.rule("rcpt/starttls-broken"), {"stage": "tls"}, last.tls.error))
    if route.problem is None and all(session.last(Stage.RESOLVE) for session in sessions):
        findings = [_nowhere(sessions)]
    return Report(
        "rcpt",
        asked.recipient,
        tuple(findings),
        facts={
            **({"provider": known.name} if known else {}),
            "server": f"{last.server} ({last.peer})" if last.peer else last.server,
            "how": route.how,
            **({"from": last.local} if last.local else {}),
        },
        evaluations=_computed(delivered, route, sessions[:-1]),
        transcript=last,
        timings={str(turn.stage): turn.took for turn in last},
    )


def _not_answering(session: Transcript) -> Finding:
    failed = next((turn for turn in session if not turn.accepted), None)
    return Finding(catalogue.rule("rcpt/mx-not-answering"), judge.evidence_of(failed), session.server)


def _nowhere(sessions: list[Transcript]) -> Finding:
    faults = [turn.heard for session in sessions for turn in session if isinstance(turn.heard, Fault)]
    for test, rule in _NOWHERE:
        for fault in faults:
            if test(fault):
                evidence = {"stage": "resolve", "ending": str(fault.ending), "detail": fault.detail}
                return Finding(catalogue.rule(rule), evidence, fault.detail)
    raise AssertionError("a server without an address has a reason")


_NOWHERE: tuple[tuple[Callable[[Fault], bool], str], ...] = (
    (lambda fault: fault.ending is Ending.DNS_FAILED, "rcpt/dns-failed"),
    (lambda fault: "private" in fault.detail, "rcpt/private-address"),
    (lambda _: True, "rcpt/no-address"),
)


def _computed(
    delivered: Delivered | None, route: Route, earlier: list[Transcript] | None = None
) -> Mapping[str, object]:
    return {
        "recipient": str(delivered.recipient if delivered else Acceptance.UNKNOWN),
        "control": str(delivered.control if delivered else Acceptance.UNKNOWN),
        "catch_all": delivered is not None and delivered.catch_all,
        "decided_by": judge.evidence_of(delivered.decided) if delivered else {},
        "servers": [f"{host}:{port}" for host, port in route.hosts],
        "earlier": [str(session).split("\n") for session in earlier or []],
    }
