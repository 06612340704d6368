"""`check_rcpt`: would the recipient's server take this recipient from this sender?"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from probe import catalogue, judge
from probe.facts import Ending, Fault, Reply, Secret, Stage, Status, Tls, Transcript, Turn
from probe.grammar.address import address
from probe.grammar.pasted import extracts
from probe.grammar.redaction import Redaction
from probe.judge.delivery import Acceptance, Delivered, demanding, judge_delivery
from probe.judge.demand import Demand, demanded
from probe.plans.rcpt import Delivery, rcpt
from probe.rules import Cause, Finding, Report, Verdict
from probe.run.pace import Pace
from probe.run.route import Route, public, route
from probe.wire.network import Network
from probe.wire.smtp import Peer, converse

__all__ = ["Asked", "check_rcpt"]

MOST_SERVERS = 3  # mail servers of a domain that are tried before it counts as not answering
_USUAL_WAIT = 300.0  # seconds a greylist wants where it does not say (RFC 6647 section 2)
_SLACK = 2.0  # seconds more than the server said
_MOST_RETURNS = 2
_NO_SECRET = Redaction(Secret(""))


@dataclass(frozen=True, slots=True)
class Asked:
    """A recipient, and who asks.

    `mail_from` is the envelope sender (empty: the null reverse-path). `mx` overrules the MX lookup with
    (host, port). `control` adds a made-up recipient; `nonce` makes its name, for tests. `private` lets
    addresses be dialled that are not of the internet. `wait` is how many seconds may be waited, in all,
    to come back to a server that greylists; 0 not at all. `sending_ip` is the address that the world sees
    us with, where it is not our own, `selectors` are DKIM selectors in use: for the diagnosis only.
    """

    recipient: str
    mail_from: str = ""
    mx: tuple[str, int] | None = None
    control: bool = True
    private: bool = False
    nonce: str = ""
    wait: float = 0
    sending_ip: str = ""
    selectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """One session with one server, and what the domain demands of it."""

    session: Transcript
    demand: Demand | None = None

    @property
    def unmet(self) -> bool:
        """Whether the server does not provide the TLS that its domain demands."""
        demand = self.demand
        return demand is not None and bool(demand.unmet(self.session.tls)) and demanding(self.session, demand)

    @property
    def elsewhere(self) -> bool:
        """Whether a sender tries the next server: no connection, no greeting, "not now", no TLS as demanded.

        RFC 5321 section 5.1, RFC 8461 section 5.
        """
        greeting = self.session.last(Stage.GREETING)
        return self.unmet or greeting is None or not greeting.accepted


def _domain(field: str, text: str) -> str:
    try:
        return address(text).domain
    except ValueError as problem:
        raise ValueError(f"{field} {text!a} {problem}") from None


async def check_rcpt(asked: Asked, network: Network | None = None, *, pace: Pace | None = None) -> Report:
    """Probe one recipient, with at most three of its servers; never DATA, VRFY or EXPN.

    `pace` is what a run shares, so that nobody's server is asked too often. ValueError where an address
    cannot be one; everything that a network can do ends in the report.
    """
    if network is None:
        async with Network() as own:
            return await check_rcpt(asked, own, pace=pace)
    domain = _domain("recipient", asked.recipient)
    if asked.mail_from:
        _domain("mail_from", asked.mail_from)
    pace = pace or Pace()
    asked = replace(asked, nonce=asked.nonce or secrets.token_hex(5))  # the same envelope when we come back
    way = Route((asked.mx,), "as told") if asked.mx else await route(domain, network)
    if way.problem is not None:
        return Report(
            "rcpt", asked.recipient, (way.problem,), evaluations=_computed(None, way), records=way.seen
        )
    report = _report(asked, way, await _visits(asked, domain, way, network, pace))
    report = await _come_back(asked, domain, way, network, pace, report)
    if report.verdict is Verdict.OK:
        return report
    from probe.run.diagnosis import Around, joined  # noqa: PLC0415 - what is accepted needs no evidence

    around = Around(
        address=asked.sending_ip,
        mail_from=asked.mail_from,
        helo=network.helo(report.facts.get("from", "")) if report.facts.get("from") else "",
        selectors=asked.selectors,
        recipient=asked.recipient,
    )
    return await joined(report, around, network)


async def _visits(asked: Asked, domain: str, way: Route, network: Network, pace: Pace) -> list[Visit]:
    visits: list[Visit] = []
    for host, port in way.hosts[:MOST_SERVERS]:
        demand = demanded(domain, host, way.seen)
        if demand is not None and not demand.allowed:
            visits.append(Visit(Transcript(server=host), demand))
            continue
        session = await _session(asked, domain, (host, port), demand, network, pace)
        visits.append(Visit(session, demand))
        if not visits[-1].elsewhere:
            break
    return visits


async def _come_back(
    asked: Asked, domain: str, way: Route, network: Network, pace: Pace, report: Report
) -> Report:
    """Greylisting is over when the same envelope comes from the same address after the time it wants."""
    waited: list[float] = []
    before: tuple[Transcript, ...] = ()
    while (after := _greylisted_for(report)) and len(waited) < _MOST_RETURNS:
        if sum(waited) + after + _SLACK > asked.wait:
            told = {**report.evaluations, "come_back_after": after, "waited": waited}
            return replace(
                report, facts={**report.facts, "again": f"again after {after:g} s"}, evaluations=told
            )
        waited.append(after + _SLACK)
        await pace.pause(waited[-1], f"until {report.facts.get('server', domain)} may be asked again")
        assert report.transcript is not None
        before = (*before, report.transcript)
        report = _report(asked, way, await _visits(asked, domain, way, network, pace), before)
    if not waited:
        return report
    findings = list(report.findings)
    if report.evaluations["recipient"] == Acceptance.ACCEPTED:
        detail = f"accepted after {sum(waited):g} s"
        findings.append(Finding(catalogue.rule("rcpt/greylisting"), {"stage": "rcpt"}, detail))
    return replace(report, findings=tuple(findings), evaluations={**report.evaluations, "waited": waited})


def _greylisted_for(report: Report) -> float:
    """Seconds until a server that greylists wants to be asked again; 0 where it does not greylist."""
    for finding in report.findings:
        if finding.rule.cause is Cause.GREYLIST:
            named = extracts(finding.evidence.get("reply", "")).get("retry_after", [])
            return max(map(float, named), default=_USUAL_WAIT)
    return 0


# -- one server -----------------------------------------------------------------------------------


async def _session(
    asked: Asked, domain: str, server: tuple[str, int], demand: Demand | None, network: Network, pace: Pace
) -> Transcript:
    host, port = server
    found = await network.addresses(host, port, allowed=None if asked.private or asked.mx else public)
    if isinstance(found, Fault):
        turn = Turn(Stage.RESOLVE, "", found)
        return Transcript((turn,), server=host, peer=f"{host}:{port}")
    delivery = Delivery(
        recipient=asked.recipient,
        sender=asked.mail_from,
        helo=network.helo(found[0][0]),
        control=_made_up(asked.nonce, domain) if asked.control else "",
        demanded=demand is not None,
    )
    line = _Line(Peer(host, found, network.source), network, pace)
    if demand is None:
        return await line.as_a_sender_would(delivery)
    return await line.as_demanded(delivery, demand)


def _made_up(nonce: str, domain: str) -> str:
    """An address nobody has, in the shape of addresses that people have."""
    word = hashlib.sha256(f"{nonce}@{domain}".encode()).hexdigest()[:6]
    return f"no-{nonce}.{word}@{domain}"


@dataclass(frozen=True, slots=True)
class _Line:
    """The way to one server: every attempt is a connection of its own, as it is for a sender (RFC 7435)."""

    peer: Peer
    network: Network
    pace: Pace

    async def as_a_sender_would(self, delivery: Delivery) -> Transcript:
        """Verified TLS first; where the certificate fails, TLS all the same; where TLS fails, without it.

        The first failure is kept in the transcript's TLS facts.
        """
        session = await self.converse(delivery)
        broken = _broken(session)
        if broken is None:
            return session
        reason = Tls(wanted=self.peer.server, error=str(broken))
        if isinstance(broken, Fault):
            reason = replace(reason, error=broken.detail)
            if broken.ending is Ending.TLS and _about_a_certificate(broken):
                again = await self.converse(delivery, verify=False)
                if again.tls is not None and _broken(again) is None:
                    return replace(again, tls=replace(again.tls, error=reason.error))
        plain = await self.converse(replace(delivery, starttls=False))
        return replace(plain, tls=reason)

    async def as_demanded(self, delivery: Delivery, demand: Demand) -> Transcript:
        """TLS or nothing. DANE proves the certificate by DNS, so no root of ours is asked."""
        session = await self.converse(delivery, verify=demand.by != "DANE")
        broken = _broken(session)
        if broken is not None:
            detail = broken.detail if isinstance(broken, Fault) else str(broken)
            return replace(session, tls=Tls(wanted=self.peer.server, error=detail))
        if demand.by == "DANE" and session.tls is not None and not demand.unmet(session.tls):
            return replace(session, tls=replace(session.tls, error=""))
        return session

    async def converse(self, delivery: Delivery, *, verify: bool = True) -> Transcript:
        """One session, when this server's turn has come."""
        await self.pace.turn(self.peer.server)
        context = self.network.context if verify else self.network.describing
        return await converse(
            rcpt(delivery), self.peer, context=context, limits=self.network.limits, redaction=_NO_SECRET
        )


def _broken(session: Transcript) -> Reply | Fault | None:
    """What stopped a session on its way to TLS: the handshake, or a refusal of STARTTLS that was offered."""
    shaken, offered = session.last(Stage.TLS), session.last(Stage.STARTTLS)
    if shaken is not None:
        return shaken.heard
    refused = (
        offered is not None and isinstance(offered.heard, Reply) and offered.heard.code not in {220, 421}
    )
    return offered.heard if refused and offered is not None else None


def _about_a_certificate(fault: Fault) -> bool:
    """Whether TLS would stand if nobody asked for proof."""
    return any(word in fault.detail.lower() for word in ("cert", "identifier"))


# -- report ---------------------------------------------------------------------------------------


def _report(asked: Asked, way: Route, visits: Sequence[Visit], before: Sequence[Transcript] = ()) -> Report:
    chosen = _chosen(visits)
    last = chosen.session
    known = catalogue.provider_of_mx([last.server])
    delivered = judge_delivery(last, provider=known.id if known else "", demand=chosen.demand)
    findings = [*delivered.findings, *_of_tls(chosen)]
    if not chosen.elsewhere:
        findings += (_passed_over(visit) for visit in visits if visit is not chosen)
    if all(visit.session.last(Stage.RESOLVE) for visit in visits):
        findings = [_nowhere([visit.session for visit in visits], told=asked.mx is not None)]
    return Report(
        "rcpt",
        asked.recipient,
        tuple(findings),
        facts={
            **({"provider": known.name} if known else {}),
            "server": f"{last.server} ({last.peer})" if last.peer else last.server,
            "how": way.how,
            **({"from": last.local} if last.local else {}),
        },
        evaluations=_computed(
            delivered, way, [*before, *(visit.session for visit in visits if visit is not chosen)]
        ),
        transcript=last,
        records=way.seen,
        timings=last.timings(),
    )


def _chosen(visits: Sequence[Visit]) -> Visit:
    """The visit that tells most: the last that spoke and provides what is demanded, else that was dialled."""
    spoke = (one for one in reversed(visits) if _spoke(one.session) and not one.unmet)
    dialled = (one for one in reversed(visits) if not one.session.last(Stage.RESOLVE))
    return next(chain(spoke, dialled, reversed(visits)))


def _spoke(session: Transcript) -> bool:
    return any(isinstance(turn.heard, Reply) for turn in session)


def _of_tls(visit: Visit) -> Iterator[Finding]:
    tls = visit.session.tls
    if visit.demand is None and tls is not None and tls.error and not tls.version:
        yield Finding(catalogue.rule("rcpt/starttls-broken"), {"stage": "tls"}, tls.error)


def _passed_over(visit: Visit) -> Finding:
    if visit.unmet and visit.demand is not None:
        detail = f"{visit.demand.by}: {visit.demand.unmet(visit.session.tls)}"
        return Finding(catalogue.rule("rcpt/mx-without-demanded-tls"), visit.demand.evidence, detail)
    failed = next((turn for turn in visit.session if not turn.accepted), None)
    return Finding(catalogue.rule("rcpt/mx-not-answering"), judge.evidence_of(failed), visit.session.server)


def _nowhere(sessions: list[Transcript], *, told: bool) -> Finding:
    """Why no server has an address. One that was `told` says nothing of the domain and its recipients."""
    turns = [turn for session in sessions for turn in session]
    for test, rule in _NOWHERE:
        for turn in turns:
            if isinstance(turn.heard, Fault) and test(turn.heard):
                known = catalogue.rule(_OF_ONE_TOLD.get(rule, rule) if told else rule)
                return Finding(known, judge.evidence_of(turn), turn.heard.detail)
    raise AssertionError("a server without an address has a reason")


_NOWHERE: tuple[tuple[Callable[[Fault], bool], str], ...] = (
    (lambda fault: fault.status is Status.UNREACHABLE, "rcpt/no-network"),
    (lambda fault: fault.ending is Ending.DNS_FAILED, "rcpt/dns-failed"),
    (lambda fault: fault.ending is Ending.PRIVATE, "rcpt/private-address"),
    (lambda _: True, "rcpt/no-address"),
)
_OF_ONE_TOLD = {"rcpt/no-address": "rcpt/no-such-server"}


def _computed(
    delivered: Delivered | None, way: Route, others: Sequence[Transcript] = ()
) -> Mapping[str, object]:
    return {
        "recipient": str(delivered.recipient if delivered else Acceptance.UNKNOWN),
        "control": str(delivered.control if delivered else Acceptance.UNKNOWN),
        "catch_all": delivered is not None and delivered.catch_all,
        "decided_by": judge.evidence_of(delivered.decided) if delivered else {},
        "servers": [f"{host}:{port}" for host, port in way.hosts],
        "earlier": [str(session).split("\n") for session in others],
    }
