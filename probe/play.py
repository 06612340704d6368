"""Plays a scenario: its fakes on one side, the verbs on the other; and tells whether it came out as told.

The same function serves the tests, ``probe scenarios run`` and ``probe demo``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from probe.facts import Grant, Inbox, Limits, Secret, Stage, TlsMode, Transcript
from probe.fakes.ordinary import Tally
from probe.fakes.scenario import Expect, Scenario
from probe.fakes.script import ScenarioError, known
from probe.fakes.world import World
from probe.rules import Report
from probe.wire.network import Network
from probe.wire.witness import Codes, codes, comparable, witnessed

__all__ = ["NOWHERE", "Played", "inbox_of", "network", "play", "surprises"]


_STEPS = tuple(item.name for item in fields(Limits))
NOWHERE = "127.0.0.1:1"  # the resolver of a scenario without DNS: nobody listens


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario that has been played: what was reported and what the server counted.

    `testimony` holds the codes that we read and those that the foreign witness read; None where there
    was no witness, or where the session was none that it can play.
    """

    scenario: Scenario
    report: Report
    tally: Tally
    testimony: tuple[Codes, Codes] | None = None

    @property
    def surprises(self) -> tuple[str, ...]:
        """What came out otherwise than the scenario says, a sentence each."""
        found = list(surprises(self.scenario.expect, self.report, self.tally))
        if self.testimony is not None and self.testimony[0] != self.testimony[1]:
            ours, theirs = (" ".join(f"{stage} {code}" for stage, code in one) for one in self.testimony)
            found.append(f"the witness read {theirs or 'nothing'}; we read {ours}")
        return tuple(found)


async def play(scenario: Scenario, *, witness: bool = False) -> Played:
    """One scenario, from its fakes to its report; nothing leaves this machine.

    With `witness` a foreign client then says the same to the same server. `ScenarioError` says which value
    of the file cannot be asked or played.
    """
    known(scenario.name, "[probe] timeouts", scenario.probe.timeouts, _STEPS)
    try:
        return await _played(scenario, witness=witness)
    except ScenarioError:
        raise
    except ValueError as problem:  # the verbs' word for what they are not to ask
        raise ScenarioError(f"{scenario.name}: [probe] {problem}") from problem


async def _played(scenario: Scenario, *, witness: bool) -> Played:
    async with World(scenario) as world:
        if scenario.probe.run == "creds":
            report = await _creds(scenario, world)
        elif scenario.probe.run == "dns":
            report = await _dns(scenario, world)
        elif scenario.probe.run == "rcpt":
            report = await _rcpt(scenario, world)
        elif scenario.probe.run == "preflight":
            report = await _preflight(scenario, world)
        else:
            report = await _explain(scenario, world)
        tally = world.tally.copy()
        testimony = await _testimony(scenario, world, report.transcript) if witness else None
    return Played(scenario, report, tally, testimony)


def network(scenario: Scenario, world: World) -> Network:
    """The network as it looks from inside a scenario: its servers, its resolver, its authority."""
    ask = scenario.probe
    steps = dict.fromkeys(_STEPS, ask.timeout)
    return Network(
        limits=Limits(**{**steps, "deadline": ask.deadline, **ask.timeouts}),
        ca_file="" if ask.distrust else world.ca_file,
        servers=(world.resolver or NOWHERE,),
        hosts=world.hosts,
        sites=world.sites,
        helo=ask.helo,
        allow_plaintext=ask.allow_plaintext,
    )


def inbox_of(scenario: Scenario) -> Inbox:
    """The inbox that a scenario asks about; it is told the server unless it is to be discovered."""
    ask, smtp = scenario.probe, scenario.smtp
    known = smtp is not None and not ask.discover
    tls = ask.tls or (scenario.tls if known else "")
    return Inbox(
        address=ask.address,
        secret=Secret(ask.password),
        user=ask.user,
        host=ask.host or (smtp.host if smtp is not None and known else ""),
        port=ask.port or (scenario.port if known else 0),
        tls=TlsMode(tls) if tls else None,
        mechanism=ask.mechanism,
        mail_from=ask.mail_from,
        rcpt_to=ask.rcpt_to,
        provider=ask.provider,
        grant=Grant(ask.client_id, Secret(ask.client_secret), ask.tenant, ask.client_credentials)
        if ask.client_id
        else None,
    )


async def _creds(scenario: Scenario, world: World) -> Report:
    from probe.run.creds import check_creds  # noqa: PLC0415 - each verb is loaded when it is played

    async with network(scenario, world) as net:
        return await check_creds(inbox_of(scenario), net)


async def _dns(scenario: Scenario, world: World) -> Report:
    from probe.checks import Domain  # noqa: PLC0415 - as above
    from probe.run.domain import check_domain  # noqa: PLC0415 - as above
    from probe.wire.dns import Resolver  # noqa: PLC0415 - as above
    from probe.wire.http import Web  # noqa: PLC0415 - as above

    ask = scenario.probe
    domain = Domain(
        name=ask.domain,
        sending_ips=ask.sending_ips,
        helo=ask.told_helo,
        mail_from=ask.mail_from,
        selectors=ask.selectors,
        provider=ask.provider,
        options=frozenset(ask.options),
    )
    servers = (world.resolver,) if world.resolver else ()
    async with Resolver(servers, timeout=min(ask.timeout, 0.5), routes=world.routes) as resolver:
        web = Web(resolver, timeout=ask.timeout, hosts=world.sites, ca_file=world.ca_file)
        return await check_domain(
            domain, resolver, only=ask.only, skip=ask.skip, fetch=web.fetch, deadline=ask.deadline
        )


async def _rcpt(scenario: Scenario, world: World) -> Report:
    from probe.run.pace import Pace  # noqa: PLC0415 - as above
    from probe.run.rcpt import Asked, check_rcpt  # noqa: PLC0415 - as above

    ask, smtp = scenario.probe, scenario.smtp
    asked = Asked(
        recipient=ask.rcpt_to or ask.address,
        mail_from=ask.mail_from,
        mx=(ask.host or smtp.host, scenario.port) if smtp is not None and not ask.discover else None,
        control=ask.control,
        private=ask.allow_private,
        nonce="control",
        wait=ask.wait,
        sending_ip=next(iter(ask.sending_ips), ""),
        selectors=ask.selectors,
    )

    async def at_once(_seconds: float, _why: str) -> None:
        """In a scenario no time passes."""

    async with network(scenario, world) as net:
        return await check_rcpt(asked, net, pace=Pace(pause=at_once))


async def _preflight(scenario: Scenario, world: World) -> Report:
    """The report on the list as a whole; `text` is the file, its domains are not audited."""
    from probe.run.preflight import Options, Preflight, listed  # noqa: PLC0415 - as above

    try:
        found = listed(scenario.probe.text.encode())
    except ValueError as problem:
        raise ScenarioError(f"{scenario.name}: [probe] text: the list {problem}") from problem
    async with network(scenario, world) as net:
        run = Preflight(found, net, Options(audit=False, pause=0.01))
        reports = [report async for report in run.reports()]
    return reports[-1]


async def _explain(scenario: Scenario, world: World) -> Report:
    from probe.run.diagnosis import Around, joined  # noqa: PLC0415 - as above
    from probe.run.explain import explain_reply  # noqa: PLC0415 - as above

    ask = scenario.probe
    report = explain_reply(
        ask.text, stage=Stage(ask.stage) if ask.stage else None, provider=ask.provider, mx=ask.mx
    )
    if not ask.verify:
        return report
    around = Around(
        address=next(iter(ask.sending_ips), ""),
        mail_from=ask.mail_from,
        helo=ask.told_helo,
        selectors=ask.selectors,
        recipient=ask.rcpt_to,
        server=ask.mx,
    )
    async with network(scenario, world) as net:
        return await joined(report, around, net, always=True)


async def _testimony(
    scenario: Scenario, world: World, session: Transcript | None
) -> tuple[Codes, Codes] | None:
    if session is None or scenario.smtp is None or scenario.smtp.raw or not comparable(session):
        return None
    if scenario.probe.client_id:
        return None  # the witness asks no token server
    address = ("127.0.0.1", world.port)
    return codes(session), await witnessed(session, inbox_of(scenario), address, ca_file=world.ca_file)


# -- expectations ---------------------------------------------------------------------------------


def surprises(expect: Expect, report: Report, tally: Tally) -> Iterator[str]:
    """What came out otherwise than was told; a fake must never see DATA."""
    found = {
        "verdict": str(report.verdict),
        "outcome": None if report.outcome is None else str(report.outcome),
        "findings": tuple(sorted(finding.rule.id for finding in report.findings)),
        "states": {area: str(state) for area, state in report.states.items()},
        "stage": _deciding_stage(report),
        "auth": tally.auth,
        "connections": tally.connections,
        "mechanisms": tuple(tally.mechanisms),
        "commands": tuple(tally.commands),
        "recipient": report.evaluations.get("recipient"),
        "control": report.evaluations.get("control"),
        "diagnosis": _diagnosis(report),
        "cause": report.findings[0].rule.cause.value if report.findings else None,
    }
    told = replace(expect, findings=None if expect.findings is None else tuple(sorted(expect.findings)))
    for item in fields(Expect):
        wanted = getattr(told, item.name)
        if item.name != "details" and wanted is not None and found[item.name] != wanted:
            yield f"{item.name}: {_shown(found[item.name])} instead of {_shown(wanted)}"
    details = {finding.rule.id: finding.detail for finding in report.findings}
    for rule, detail in expect.details.items():
        if details.get(rule) != detail:
            yield f"detail of {rule}: {details.get(rule)!r} instead of {detail!r}"
    if tally["DATA"]:
        yield "DATA was sent"


def _deciding_stage(report: Report) -> str:
    return report.decisive.evidence.get("stage", "") if report.decisive is not None else ""


def _diagnosis(report: Report) -> str | None:
    found = report.evaluations.get("diagnosis")
    return str(found["status"]) if isinstance(found, Mapping) else None


def _shown(value: object) -> str:
    return json.dumps(value, default=str)
