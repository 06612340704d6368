"""`check_machine`: can this machine probe at all?"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from probe.facts import Fault, Question, Secret, Stage, TlsMode, Transcript, Turn
from probe.grammar.redaction import Redaction
from probe.judge import machine as about
from probe.judge.machine import Machine
from probe.plans.certificate import certificate
from probe.rules import Report
from probe.run.evidence import gather
from probe.wire import doctor
from probe.wire.network import Network
from probe.wire.smtp import Peer, converse

__all__ = ["Examined", "check_machine"]

PORTS = (25, 465, 587)  # tried of a host that is named without one
MOST_SESSIONS = 24


@dataclass(frozen=True, slots=True)
class Examined:
    """What is to be looked at: hosts that may be connected to (port 0: the usual three), files of secrets.

    `page` is a URL whose Date header the clock is compared with, `sending_ip` the address the world sees.
    `nonce` makes names that do not exist, for tests.
    """

    hosts: Sequence[tuple[str, int]] = ()
    files: Sequence[str] = ()
    page: str = ""
    sending_ip: str = ""
    nonce: str = ""


async def check_machine(examined: Examined, network: Network | None = None) -> Report:
    """The report on this machine; nobody is connected to who was not named."""
    if network is None:
        async with Network() as own:
            return await check_machine(examined, own)
    nonce = examined.nonce or secrets.token_hex(6)
    targets = [(host, at) for host, port in examined.hosts for at in ([port] if port else PORTS)]
    sessions = await _sessions(targets[:MOST_SESSIONS], network)
    machine = Machine(
        own=doctor.own_addresses(),
        seen=await gather(lambda seen: about.ask(nonce, "", "", seen), network),
        nonce=nonce,
        descriptors=doctor.descriptors(),
        roots=doctor.roots(network.ca_file),
        clock=doctor.clock(),
        page=examined.page,
        remote=await _date(examined.page, network),
        told=examined.sending_ip,
        sessions=dict(zip(targets, sessions, strict=False)),
        exposed={path: doctor.exposed(path) for path in examined.files},
    )
    address = about.egress(machine)
    if address:
        helo = network.helo(address)
        seen = await gather(
            lambda seen: about.ask(nonce, address, helo, seen), network, machine.seen, most=100
        )
        machine = replace(machine, helo=helo, seen=seen)
    states, findings = about.judge_machine(machine)
    return Report(
        "doctor",
        "this machine",
        findings,
        states=states,
        facts=_facts(machine, address, network),
        evaluations=_told(machine, address),
        records=machine.seen,
    )


async def _sessions(targets: Iterable[tuple[str, int]], network: Network) -> list[Transcript]:
    return list(await asyncio.gather(*(_session(host, port, network) for host, port in targets)))


async def _session(host: str, port: int, network: Network) -> Transcript:
    """Greeting, EHLO, TLS, and away: nothing of an envelope and no secret."""
    found = await network.addresses(host, port)
    if isinstance(found, Fault):
        return Transcript((Turn(Stage.RESOLVE, "", found),), server=host, peer=f"{host}:{port}")
    mode = TlsMode.IMPLICIT if port == 465 else TlsMode.STARTTLS
    return await converse(
        certificate(mode, network.helo(found[0][0])),
        Peer(host, found, network.source),
        context=network.context,
        limits=network.limits,
        redaction=Redaction(Secret("")),
    )


async def _date(page: str, network: Network) -> str:
    if not page:
        return ""
    values = (await network.fetch(Question(page, "HTTP"))).values
    return values[2] if len(values) > 2 else ""


def _facts(machine: Machine, address: str, network: Network) -> dict[str, str]:
    own = ", ".join(filter(None, machine.own.values()))
    servers = ", ".join(network.servers) or "the system's resolver"
    return {"resolver": servers, "from": address or own or "nowhere"}


def _told(machine: Machine, address: str) -> dict[str, object]:
    return {
        "addresses": dict(machine.own),
        "egress": address,
        "helo": machine.helo,
        "roots": machine.roots,
        "descriptors": {"soft": machine.descriptors[0], "hard": machine.descriptors[1]},
        "clock": machine.clock.isoformat(timespec="seconds"),
        "remote_clock": machine.remote,
        "sessions": {
            f"{host}:{port}": str(session).split("\n") for (host, port), session in machine.sessions.items()
        },
    }
