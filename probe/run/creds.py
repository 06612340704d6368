"""`check_creds`: can this inbox log in, and may it send as itself?"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from probe import catalogue, judge
from probe.facts import Ending, Fault, Inbox, Stage, Status, Tls, TlsMode, Transcript, Turn
from probe.grammar import sasl
from probe.grammar.address import address
from probe.grammar.redaction import Redaction
from probe.plans.certificate import certificate
from probe.plans.creds import Login, creds
from probe.rules import Finding, Outcome, Report, Verdict
from probe.run.discovery import Server, submission_server
from probe.wire.network import Network
from probe.wire.smtp import Peer, converse

__all__ = ["check_creds"]


async def check_creds(
    inbox: Inbox, network: Network | None = None, *, before_auth: Callable[[], None] | None = None
) -> Report:
    """Probe one inbox: at most one AUTH, never DATA.

    `network` is what a run shares (limits, TLS roots, resolver); without one, defaults. `before_auth` is
    called once, before the secret leaves; where it raises OSError, the secret stays. ValueError where a
    field cannot be said; everything that a network can do ends in the report.
    """
    if network is None:
        async with Network() as own:
            return await check_creds(inbox, own, before_auth=before_auth)
    _check(inbox)
    began = time.monotonic()
    server = await submission_server(inbox, network)
    if server.problem:
        return _without_server(inbox, server)
    exchanged: dict[str, float] = {}
    if inbox.grant is not None:
        from probe.run.grant import with_token  # noqa: PLC0415 - few inboxes have one

        granted = await with_token(inbox, inbox.grant, server.provider, network)
        if isinstance(granted, Finding):
            return _without_token(inbox, server, granted)
        inbox = granted
        exchanged["token"] = time.monotonic() - began
        began = time.monotonic()
    addresses = await network.addresses(server.host, server.port)
    looked_up = time.monotonic() - began
    if isinstance(addresses, Fault):
        turn = Turn(Stage.RESOLVE, "", addresses, took=looked_up)
        session = Transcript((turn,), server=server.host, peer=str(server))
        report = _report(inbox, server, session)
        if addresses.status is Status.UNREACHABLE:  # then it is us
            offline = Finding(catalogue.rule("doctor/no-network"), judge.evidence_of(turn), addresses.detail)
            return replace(report, findings=(offline,))
        return report
    peer = Peer(server.host, addresses, network.source)
    session = await _session(inbox, server, peer, network, before_auth)
    report = _report(inbox, server, session, {**exchanged, "resolve": looked_up})
    if exchanged:
        report = replace(report, findings=(*report.findings, *judge.fresh(report.findings)))
    return await _joined(report, inbox, network)


async def _joined(report: Report, inbox: Inbox, network: Network) -> Report:
    """What the server refused, beside what DNS and the session show of it."""
    if report.verdict is Verdict.OK:
        return report
    from probe.run.diagnosis import Around, joined  # noqa: PLC0415 - a login that works needs no evidence

    sender = inbox.mail_from or inbox.address
    return await joined(report, Around(mail_from=sender, recipient=inbox.rcpt_to or inbox.address), network)


def _check(inbox: Inbox) -> None:
    """ValueError where an address cannot be one, a mechanism is not spoken, or no login can carry a text."""
    for field, text in (
        ("address", inbox.address),
        ("mail_from", inbox.mail_from),
        ("rcpt_to", inbox.rcpt_to),
    ):
        if text or field == "address":
            try:
                address(text)
            except ValueError as problem:
                raise ValueError(f"{field} {text!a} {problem}") from None
    if inbox.mechanism.upper() not in {"AUTO", *sasl.MECHANISMS}:
        raise ValueError(
            f"mechanism {inbox.mechanism!a} is none of auto, {', '.join(sasl.MECHANISMS).lower()}"
        )
    if inbox.grant is not None and inbox.mechanism.upper() not in {"AUTO", *sasl.TOKEN}:
        raise ValueError(f"mechanism {inbox.mechanism!a} takes a password; a grant is for a token")
    said = [("user", inbox.user), ("secret", inbox.secret.reveal())]
    if inbox.grant is not None:
        said += [("client", inbox.grant.client), ("client secret", inbox.grant.secret.reveal())]
    for field, text in said:
        if not sasl.carries(text):
            raise ValueError(
                f"{field} holds a line break, a NUL or half a character, which no login can carry"
            )


async def _session(
    inbox: Inbox, server: Server, peer: Peer, network: Network, before_auth: Callable[[], None] | None
) -> Transcript:
    known = catalogue.provider(server.provider) if server.provider else None
    helo = network.helo(peer.addresses[0][0])
    withheld, _ = judge.withheld(inbox, provider=server.provider) or ("", "")
    prefer = known.mechanisms if known else ()
    login = Login(inbox, server.tls, helo, prefer, network.allow_plaintext, withheld)
    redaction = Redaction(inbox.secret)
    async with network.admission:
        session = await converse(
            creds(login),
            peer,
            context=network.context,
            limits=network.limits,
            redaction=redaction,
            before_auth=before_auth,
            sessions=network.sessions,
        )
    if session.tls is not None and session.tls.error and _about_certificate(session):
        return replace(session, tls=await _looked_at(session.tls, server.tls, helo, peer, network, redaction))
    return session


def _about_certificate(session: Transcript) -> bool:
    turn = session.last(Stage.TLS)
    return (
        turn is not None
        and isinstance(turn.heard, Fault)
        and turn.heard.ending is Ending.TLS
        and not turn.heard.lines
    )


async def _looked_at(
    tls: Tls, mode: TlsMode, helo: str, peer: Peer, network: Network, redaction: Redaction
) -> Tls:
    """The certificate that failed, fetched by a second connection on which no secret is ever said."""
    limits = replace(network.limits, deadline=min(network.limits.deadline, 2 * network.limits.connect))
    look = await converse(
        certificate(mode, helo), peer, context=network.describing, limits=limits, redaction=redaction
    )
    if look.tls is None or look.tls.certificate is None:
        return tls
    return replace(look.tls, error=tls.error)


# -- reports --------------------------------------------------------------------------------------


def _without_server(inbox: Inbox, server: Server) -> Report:
    finding = Finding(catalogue.rule(server.problem), dict(server.evidence), server.detail)
    if dict(server.evidence).get("status") == Status.UNREACHABLE:  # then it is us
        finding = replace(finding, rule=catalogue.rule("doctor/no-network"))
    findings = (*judge.typed(inbox), finding)
    return Report("creds", inbox.address, findings, Outcome.NOT_PROVEN)


def _without_token(inbox: Inbox, server: Server, finding: Finding) -> Report:
    return Report("creds", inbox.address, (finding,), Outcome.NOT_PROVEN, facts=_facts(server))


def _facts(server: Server, local: str = "") -> dict[str, str]:
    """What was found out about where to log in, as reports show it."""
    name = catalogue.provider(server.provider).name if server.provider else ""
    facts = {
        "provider": f"{name} ({server.how})" if name else "",
        "server": str(server),
        "from": local,
    }
    return {key: value for key, value in facts.items() if value}


def _report(
    inbox: Inbox, server: Server, session: Transcript, timings: Mapping[str, float] | None = None
) -> Report:
    concluded = judge.judge_login(inbox, session, provider=server.provider)
    return Report(
        kind="creds",
        subject=inbox.address,
        findings=concluded.findings,
        outcome=concluded.outcome,
        facts=_facts(server, session.local),
        evaluations=_evaluations(session, concluded.decided),
        transcript=session,
        timings={**(timings or {}), **session.timings()},
    )


def _evaluations(session: Transcript, decided: Turn | None) -> dict[str, object]:
    before, after = judge.offered(session)
    return {
        "decided_by": judge.evidence_of(decided),
        "mechanism": judge.mechanism_of(session).lower(),
        "extensions": {"before_tls": dict(before.keywords), "under_tls": dict(after.keywords)},
        "tls": judge.tls_as_told(session.tls, dt.datetime.now(dt.UTC)),
        "stopped": session.stopped,
    }
