"""A list of inboxes against servers that count: the right verdict for each, the right causes, one AUTH each."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import probe.run.preflight as preflight_module
from probe import catalogue
from probe import play as scenarios
from probe.cli._progress import Shown
from probe.facts import Inbox, Limits, Secret
from probe.fakes.dns import FakeDns
from probe.fakes.reading import load
from probe.fakes.world import World
from probe.grammar.inboxes import Row
from probe.grammar.sheet import Record
from probe.rules import Finding, Outcome, Report, State, Verdict
from probe.run import _logins
from probe.run._audits import Audits
from probe.run._kept import kept, told_again
from probe.run._logins import key_of
from probe.run._signs import Sign, not_reached, sign_of
from probe.run.creds import check_creds
from probe.run.domain import areas
from probe.run.preflight import Options, Preflight, preflight
from probe.run.several import Several
from probe.wire.journal import Journal
from probe.wire.network import Network
from probe.wire.refused import Refused
from tests.fleet_world import Account, MailHost, ca_file

QUICK = Limits(connect=2, greeting=3, ehlo=3, starttls=3, tls=3, auth=3, mail=3, rcpt=3, deadline=10)
SKIP = tuple(name for name in areas() if name not in {"spf", "dmarc"})


@contextlib.asynccontextmanager
async def world(
    *hosts: MailHost, zone: str = "", broken: dict[str, str] | None = None
) -> AsyncIterator[Network]:
    async with contextlib.AsyncExitStack() as opened:
        for host in hosts:
            await opened.enter_async_context(host)
        dns = await opened.enter_async_context(
            FakeDns(zone or "example. SOA ns. host. 1 1 1 1 1", broken=broken or {})
        )
        network = Network(
            limits=QUICK,
            ca_file=ca_file(),
            servers=(dns.address,),
            hosts={(host.name, 587): ("127.0.0.1", host.port) for host in hosts},
            helo="probe.test",
        )
        yield await opened.enter_async_context(network)


def run_of(
    inboxes: Sequence[Inbox | str], network: Network, options: Options | None = None, **more: object
) -> Preflight:
    """A run over inboxes; a string is the problem of a row."""
    rows = [
        Row(Record(number, ""), one) if isinstance(one, Inbox) else Row(Record(number, ""), problem=one)
        for number, one in enumerate(inboxes, 2)
    ]
    return Preflight(lambda: rows, network, options or Options(audit=False, pause=0.01), **more)  # type: ignore[arg-type] # what a test passes through


async def told(run: Preflight) -> dict[str, Report]:
    return {f"{report.kind} {report.subject}": report async for report in run.reports()}


def ids(report: Report) -> list[str]:
    return [finding.rule.id for finding in report.findings]


def inbox(address: str, password: str = "right", host: str = "mail.own.test") -> Inbox:
    return Inbox(address, Secret(password), host=host, port=587)


def accounts(*addresses: str) -> dict[str, Account]:
    return dict.fromkeys(addresses, Account("right"))


# -- the fleet -----------------------------------------------------------------------------------------

HOSTS = (
    "smtp.gmail.com",
    "smtp.office365.com",
    "smtp.zoho.com",
    "smtp.yandex.com",
    "smtp.fastmail.com",
    "mail.own.test",
)
GOOD_SPF = 'TXT "v=spf1 ip4:192.0.2.1 -all"'
DMARC = 'TXT "v=DMARC1; p=reject; rua=mailto:d@{domain}"'
APP_PASSWORD = (
    "534-5.7.9 Application-specific password required. For more information, go to\n"
    "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp"
)
NOT_ACCEPTED = (
    "535-5.7.8 Username and Password not accepted. For more information, go to\n"
    "535 5.7.8  https://support.google.com/mail/?p=BadCredentials d9443c01a7336-1f7 - gsmtp"
)
TENANT_OFF = (
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. "
    "Visit https://aka.ms/smtp_auth_disabled for more information."
)


@dataclass
class Fleet:
    """Forty domains, a few inboxes each, over six hosts; what is planted, and what must be concluded."""

    domains: list[str] = field(default_factory=lambda: [f"d{number:02}.example" for number in range(40)])
    inboxes: list[Inbox] = field(default_factory=list)
    accounts: dict[str, dict[str, Account]] = field(default_factory=lambda: {host: {} for host in HOSTS})
    expected: dict[str, Verdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number in range(300):
            domain = self.domains[number % 40]
            host = HOSTS[(number % 40) % 6]
            address = f"i{number:03}@{domain}"
            account, password, verdict = Account("right"), "right", Verdict.OK
            if host == "smtp.gmail.com" and number in {0, 46}:
                password, account, verdict = "wrong", Account("right", wrong=NOT_ACCEPTED), Verdict.FAIL
            elif host == "smtp.gmail.com" and number == 6:
                account, verdict = Account("right", auth=APP_PASSWORD), Verdict.FAIL
            elif domain == "d01.example":  # a tenant of Microsoft
                account, verdict = Account("right", auth=TENANT_OFF), Verdict.FAIL
            elif domain in {"d02.example", "d04.example"}:  # two SPF records; DNS that fails
                verdict = Verdict.FAIL if domain == "d02.example" else Verdict.UNKNOWN
            elif host == "mail.own.test":  # its certificate has expired
                verdict = Verdict.FAIL
            elif number == 3:
                account, verdict = (
                    Account("right", mail="550 5.7.1 Sender address rejected: not owned by user"),
                    Verdict.FAIL,
                )
            self.inboxes.append(inbox(address, password, host))
            self.accounts[host][address] = account
            self.expected[address] = verdict

    def zone(self) -> str:
        lines = ["example. SOA ns.example. host.example. 1 1 1 1 1"]
        for domain in self.domains:
            lines += [
                f"{domain}. {GOOD_SPF}",
                f"_dmarc.{domain}. {DMARC.format(domain=domain)}",
                f"{domain}. MX 10 mx.{domain}.",
            ]
        return "\n".join([*lines, 'd02.example. TXT "v=spf1 -all"'])

    def hosts(self) -> list[MailHost]:
        return [
            MailHost(
                name,
                self.accounts[name],
                "expired" if name == "mail.own.test" else "good",
                busy=name == "smtp.zoho.com",
            )
            for name in HOSTS
        ]


async def fleet() -> tuple[Fleet, list[MailHost], dict[str, Report]]:
    fleet, options = Fleet(), Options(pause=0.01, skip=SKIP)
    hosts = fleet.hosts()
    broken = {"d04.example TXT": "SERVFAIL", "_dmarc.d04.example TXT": "SERVFAIL"}
    async with world(*hosts, zone=fleet.zone(), broken=broken) as network:
        return fleet, hosts, await told(run_of(fleet.inboxes, network, options))


@pytest.fixture(scope="module")
def played() -> tuple[Fleet, list[MailHost], dict[str, Report]]:
    return asyncio.run(fleet())


Played = tuple[Fleet, list[MailHost], dict[str, Report]]


def test_three_hundred_inboxes_get_the_verdicts_that_were_planted(played: Played) -> None:
    planted, _, reports = played
    wrong = []
    for address, verdict in planted.expected.items():
        found = reports[f"creds {address}"].verdict
        same = found.rank < Verdict.WAIT.rank if verdict is Verdict.OK else found is verdict
        if not same:
            wrong.append((address, str(found), ids(reports[f"creds {address}"])))
    assert not wrong
    assert len([key for key in reports if key.startswith("dns ")]) == 40


def test_each_login_was_tried_exactly_once(played: Played) -> None:
    planted, hosts, _ = played
    counted = sum((host.logins for host in hosts), Counter[str]())
    tried = {one.address for one in planted.inboxes if one.host != "mail.own.test"}
    assert counted == Counter(tried)


def test_the_causes_are_grouped_at_the_smallest_scope(played: Played) -> None:
    _, _, reports = played
    groups = reports["fleet inboxes"].evaluations["groups"]
    assert isinstance(groups, list)
    found = {
        (one["id"], one["scope"], one["name"]): one["count"]
        for one in groups
        if one["verdict"] in {"fail", "unknown"}
    }
    assert found.pop(("microsoft/smtp-auth-disabled-tenant", "tenant", "d01.example")) == 8
    assert found.pop(("google/bad-credentials", "inbox", "")) == 2
    assert found.pop(("google/app-password-required", "inbox", "i006@d06.example")) == 1
    assert found.pop(("spf/several", "domain", "d02.example")) == 8
    expired = [key for key in found if key[1:] == ("host", "mail.own.test")]
    assert [found.pop(key) for key in expired] == [45]
    assert all(key[2] in {"d04.example", "i003@d03.example"} for key in found), found


def test_the_list_is_told_in_one_report(played: Played) -> None:
    fleet_report = played[2]["fleet inboxes"]
    assert fleet_report.verdict is Verdict.FAIL
    counts = fleet_report.evaluations["counts"]
    assert isinstance(counts, dict)
    assert counts["rows"] == counts["probed"] == 300
    assert counts["go"] + counts["no_go"] + counts["not_known"] == 300
    assert (
        "8 inboxes: SMTP AUTH is switched off for the whole tenant (tenant d01.example)"
        in fleet_report.findings[0].detail
    )


def test_the_cause_of_the_list_is_that_of_its_widest_group(played: Played) -> None:
    said = played[2]["fleet inboxes"].findings[0].rule
    expired = played[2]["creds i005@d05.example"].findings[0].rule  # 45 inboxes of mail.own.test
    assert (said.id, said.cause, said.source) == ("preflight/no-go", expired.cause, expired.source)


# -- safety --------------------------------------------------------------------------------------------


def play(
    inboxes: Sequence[Inbox | str], host: MailHost, options: Options | None = None, **more: object
) -> dict[str, Report]:
    async def all_of() -> dict[str, Report]:
        async with world(host) as network:
            return await told(run_of(inboxes, network, options, **more))

    return asyncio.run(all_of())


def own(*addresses: str, **more: Any) -> MailHost:
    return MailHost("mail.own.test", accounts(*addresses), **more)


def test_the_brake_stops_a_host_at_four_refused_logins() -> None:
    host = own()
    reports = play([inbox(f"i{number}@a.example", "wrong") for number in range(20)], host)
    assert host.logins.total() == 4
    left = [report for report in reports.values() if "preflight/host-braked" in ids(report)]
    assert len(left) == 16
    assert {report.verdict for report in left} == {Verdict.UNKNOWN}
    assert "preflight/brake" in ids(reports["fleet inboxes"])


@pytest.mark.parametrize(("brake", "said"), [(1, "1 login was refused"), (4, "4 logins were refused")])
def test_the_brake_tells_how_many_were_refused(brake: int, said: str) -> None:
    host = own()
    rows = [inbox(f"i{number}@a.example", "wrong") for number in range(6)]
    reports = play(rows, host, Options(audit=False, pause=0.01, brake=brake))
    (braked,) = (one for one in reports["fleet inboxes"].findings if one.rule.id == "preflight/brake")
    (left,) = reports["creds i5@a.example"].findings
    assert host.logins.total() == brake
    assert braked.detail == left.detail == f"127.0.0.1:{host.port}: {said}"
    assert not any(word in braked.rule.meaning for word in ("Four", "4"))


REFUSALS = {
    "a hang-up": (Account("right", mute=True), "4 logins got no clear answer"),
    "what is no reply": (Account("right", auth="zzz what?"), "4 logins got no clear answer"),
    "a ban": (Account("right", auth="554 5.7.1 Your address has been banned"), "4 logins were refused"),
    "a policy": (Account("right", auth="550 5.7.1 Not allowed here"), "4 logins were refused"),
}


@pytest.mark.parametrize(("account", "said"), REFUSALS.values(), ids=REFUSALS)
def test_the_brake_stops_a_host_that_does_not_judge_the_logins(account: Account, said: str) -> None:
    addresses = [f"i{number}@a.example" for number in range(12)]
    host = MailHost("mail.own.test", dict.fromkeys(addresses, account))
    reports = play([inbox(one, "right") for one in addresses], host)
    assert host.logins.total() == 4
    assert {report.outcome for report in reports.values()} <= {Outcome.NOT_PROVEN, None}
    (left,) = reports["creds i11@a.example"].findings
    assert (left.rule.id, left.detail) == ("preflight/host-braked", f"127.0.0.1:{host.port}: {said}")


@pytest.mark.parametrize(("account", "said"), REFUSALS.values(), ids=REFUSALS)
def test_several_addresses_are_braked_as_a_list_is(account: Account, said: str) -> None:
    addresses = [f"i{number}@a.example" for number in range(6)]
    host = MailHost("mail.own.test", dict.fromkeys(addresses, account))

    async def all_of() -> Several:
        async with world(host) as network:
            run = Several(network)
            for address in addresses:
                await run.check(inbox(address))
            return run

    assert asyncio.run(all_of()).braked == {f"127.0.0.1:{host.port}": said}
    assert host.logins.total() == 4


def test_a_flaw_that_hides_how_logins_end_costs_no_more_than_the_brake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def flawed(*_: object, **__: object) -> Report:
        raise LookupError

    monkeypatch.setattr("probe.judge.judge_login", flawed)
    host = own()
    play([inbox(f"i{number}@a.example", "wrong") for number in range(12)], host)
    assert host.logins.total() == 4


def test_other_hosts_go_on_when_one_is_braked() -> None:
    async def all_of() -> tuple[int, int]:
        addresses = [f"i{number}@a.example" for number in range(10)]
        bad, good = own(), MailHost("smtp.fastmail.com", accounts(*addresses))
        async with world(bad, good) as network:
            rows = [inbox(address, "wrong") for address in addresses]
            rows += [inbox(f"x{address}", "right", "smtp.fastmail.com") for address in addresses]
            good.accounts = accounts(*(f"x{address}" for address in addresses))
            await told(run_of(rows, network))
        return bad.logins.total(), good.logins.total()

    assert asyncio.run(all_of()) == (4, 10)


def test_refusals_of_an_earlier_run_count_for_the_brake(tmp_path: Path) -> None:
    host = own()
    play([inbox(f"i{number}@a.example", "wrong") for number in range(3)], host, refused=Refused(tmp_path))
    play(
        [inbox(f"j{number}@a.example", "wrong") for number in range(3)],
        own(port=host.port),
        refused=Refused(tmp_path),
    )
    again = own(port=host.port)
    reports = play([inbox("ada@a.example", "right")], again, refused=Refused(tmp_path))
    assert not again.logins
    (left,) = reports["creds ada@a.example"].findings
    assert left.rule.id == "preflight/host-braked"
    assert left.detail.endswith(": 4 logins failed in an earlier run")


def test_logins_without_an_answer_in_an_earlier_run_count_too(tmp_path: Path) -> None:
    addresses = [f"i{number}@a.example" for number in range(8)]
    host = MailHost("mail.own.test", dict.fromkeys(addresses, Account("right", mute=True)))
    play([inbox(one) for one in addresses[:3]], host, refused=Refused(tmp_path))
    again = own(*addresses, port=host.port)
    again.accounts = host.accounts
    play([inbox(one) for one in addresses[3:]], again, refused=Refused(tmp_path))
    assert (host.logins.total(), again.logins.total()) == (3, 1)


def test_a_refused_login_is_not_tried_again_until_its_rest_is_over(tmp_path: Path) -> None:
    now = [1e9]
    tries: list[tuple[int, int]] = []
    for later in (0, 60, 13 * 60, 2 * 60, 30 * 60, 31 * 60, 23 * 3600, 3600):
        now[0] += later
        host = own(port=0 if not tries else tries[0][1])
        reports = play([inbox("ada@a.example", "wrong")], host, refused=Refused(tmp_path, now=lambda: now[0]))
        tries.append((host.logins.total(), host.port))
        report = reports["creds ada@a.example"]
        assert report.outcome is Outcome.BAD_CREDS
        if not host.logins:  # long ago, so with its date
            assert "not tried again before 2001-09-" in report.findings[-1].detail
    assert [count for count, _ in tries] == [1, 0, 0, 1, 0, 1, 0, 1]


def test_force_tries_again_and_another_password_is_another_login(tmp_path: Path) -> None:
    host = own("ada@a.example")
    play([inbox("ada@a.example", "wrong")], host, refused=Refused(tmp_path))
    same = own("ada@a.example", port=host.port)
    play([inbox("ada@a.example", "wrong")], same, Options(audit=False, force=True), refused=Refused(tmp_path))
    assert same.logins.total() == 1
    other = own("ada@a.example", port=host.port)
    reports = play([inbox("ada@a.example")], other, refused=Refused(tmp_path))
    assert reports["creds ada@a.example"].outcome is Outcome.USABLE


def test_what_is_remembered_tells_nobody_the_login(tmp_path: Path) -> None:
    play([inbox("ada@a.example", "zebra-quilt")], own(), refused=Refused(tmp_path))
    kept = (tmp_path / "refused.jsonl").read_text()
    assert "zebra" not in kept
    assert "a.example" not in kept  # "ada" may stand in a digest
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_a_login_that_stands_twice_is_tried_once() -> None:
    host = own("ada@a.example")
    reports = play([inbox("ada@a.example"), inbox("ADA@a.example"), inbox("ada@a.example")], host)
    assert host.logins.total() == 1
    assert ids(reports["creds ada@a.example"]) == ["preflight/duplicate"]
    assert reports["creds ada@a.example"].findings[0].detail == "lines 2, 3, 4"
    counts = reports["fleet inboxes"].evaluations["counts"]
    assert isinstance(counts, dict)
    assert (counts["rows"], counts["probed"], counts["repeated"], counts["not_probed"]) == (3, 1, 2, 0)


def test_two_passwords_for_one_login_are_neither_tried() -> None:
    host = own("ada@a.example")
    reports = play([inbox("ada@a.example"), inbox("ada@a.example", "other")], host)
    assert not host.logins
    assert ids(reports["creds ada@a.example"]) == ["preflight/two-passwords"]


def test_a_login_that_two_addresses_share_is_tried_for_the_first() -> None:
    host = own("ada@a.example")
    alias = replace(inbox("alias@a.example"), user="ada@a.example")
    reports = play([inbox("ada@a.example"), alias], host)
    assert host.logins == {"ada@a.example": 1}
    assert ids(reports["creds alias@a.example"]) == ["preflight/login-shared"]


def test_every_row_is_counted_once() -> None:
    shared = Inbox("bob@a.example", Secret("right"), "ada@a.example", "mail.own.test", 587)
    two = [inbox("eve@a.example"), inbox("eve@a.example", "other")]
    rows = [
        inbox("ada@a.example"),
        shared,
        shared,
        inbox("ada@a.example"),
        *two,
        inbox("cy@a.example", "wrong"),
    ]
    counts = play(rows, own("ada@a.example"))["fleet inboxes"].evaluations["counts"]
    assert isinstance(counts, dict)
    assert (counts["rows"], counts["repeated"], counts["not_probed"]) == (7, 1, 0)
    assert (counts["go"], counts["no_go"], counts["not_known"], counts["probed"]) == (1, 1, 4, 6)


def test_a_relay_s_key_may_serve_many_addresses() -> None:
    host = own("apikey")
    reports = play([replace(inbox(f"{name}@a.example"), user="apikey") for name in ("ada", "bob")], host)
    assert host.logins == {"apikey": 2}
    assert {report.outcome for key, report in reports.items() if key.startswith("creds")} == {Outcome.USABLE}


def test_a_wrong_row_is_a_finding_and_the_others_go_on() -> None:
    reports = play(["no password", inbox("ada@a.example")], own("ada@a.example"))
    assert ids(reports["creds line 2"]) == ["preflight/row-not-read"]
    assert reports["creds line 2"].findings[0].detail == "line 2: no password"
    assert reports["creds ada@a.example"].outcome is Outcome.USABLE


def test_a_host_that_asks_for_less_gets_less() -> None:
    addresses = [f"i{number}@a.example" for number in range(12)]
    host = own(*addresses, most=2)
    reports = play([inbox(address) for address in addresses], host, Options(audit=False, pause=0.02))
    assert host.logins == Counter(addresses)
    assert {report.outcome for key, report in reports.items() if key.startswith("creds")} == {Outcome.USABLE}
    assert reports["fleet inboxes"].evaluations["slowed"]


def test_a_host_that_puts_everybody_off_is_heard_a_few_times() -> None:
    rows = [inbox(f"i{number}@a.example") for number in range(30)]
    reports = play(rows, own(busy=10_000), Options(audit=False, pause=0.001))
    rules = Counter(ids(report)[0] for report in reports.values())
    assert rules.pop("preflight/brake") == 1
    assert rules.pop("preflight/host-braked") == 30 - rules.total()
    heard = [report for report in reports.values() if report.verdict is Verdict.WAIT]
    assert len(heard) == rules.total() > 0
    assert all("421 4.7.0 Too many connections" in str(report.transcript) for report in heard)
    (brake, _) = reports["fleet inboxes"].findings
    assert brake.detail.endswith(": 10 sessions in a row were put off")


def test_sessions_at_one_host_are_bounded() -> None:
    addresses = [f"i{number}@a.example" for number in range(12)]
    host = MailHost("mail.own.test", dict.fromkeys(addresses, Account("right", hang=0.05)))
    play([inbox(address) for address in addresses], host, Options(audit=False, per_host=2))
    assert host.peak == 2


@pytest.mark.parametrize(("soft", "sessions"), [(1024, 100), (96, 32), (16, 1), (0, 100), (-1, 100)], ids=str)
def test_the_descriptors_of_this_machine_bound_the_sessions(
    monkeypatch: pytest.MonkeyPatch, soft: int, sessions: int
) -> None:
    monkeypatch.setattr("probe.wire.doctor.descriptors", lambda: (soft, soft))
    assert min(Options().at_once, _logins._descriptors()) == sessions


def test_sessions_in_all_are_bounded() -> None:
    addresses = [f"i{number}@a.example" for number in range(12)]
    host = MailHost("mail.own.test", dict.fromkeys(addresses, Account("right", hang=0.05)))
    play([inbox(address) for address in addresses], host, Options(at_once=3, audit=False))
    assert host.peak == 3


def test_one_broken_row_never_silences_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(one: Inbox, *arguments: Any, **more: Any) -> Report:
        if one.address.startswith("bob"):
            raise RuntimeError("a bug")
        return await check_creds(one, *arguments, **more)

    monkeypatch.setattr("probe.run._logins.check_creds", broken)
    reports = play([inbox("bob@a.example"), inbox("ada@a.example")], own("ada@a.example"))
    assert ids(reports["creds bob@a.example"]) == ["probe/bug"]
    assert reports["creds ada@a.example"].outcome is Outcome.USABLE


def test_a_network_that_does_not_carry_stops_the_run() -> None:
    async def all_of() -> dict[str, Report]:
        async with Network(limits=QUICK, source="192.0.2.77") as network:  # an address that is not ours
            rows = [replace(inbox(f"i{number}@a.example", host="localhost"), port=1) for number in range(200)]
            return await told(run_of(rows, network))

    reports = asyncio.run(all_of())
    fleet_report = reports["fleet inboxes"]
    assert fleet_report.evaluations["stopped"] == "network"
    assert "preflight/own-network" in ids(fleet_report)
    assert len(reports) < 120
    groups = fleet_report.evaluations["groups"]
    assert isinstance(groups, list)
    assert [one["scope"] for one in groups] == ["our network"]


def test_the_api_tells_inboxes_domains_and_the_list() -> None:
    async def all_of() -> list[str]:
        host = own("ada@a.example")
        async with world(host, zone=f"example. SOA ns. host. 1 1 1 1 1\na.example. {GOOD_SPF}") as network:
            kinds = [
                report.kind
                async for report in preflight([inbox("ada@a.example")], network, at_once=5, per_host=2)
            ]
            (way,) = (await network.resolver())._ways._resolvers
            assert way.udp is not None
            assert way.udp._sockets  # who lent the network may go on with it
            return kinds

    assert sorted(asyncio.run(all_of())) == ["creds", "dns", "fleet"]


def test_the_audits_see_the_web_as_the_run_does() -> None:
    async def audited() -> Report:
        scenario = load("dns-mta-sts-good")
        told: list[Report] = []
        async with World(scenario) as world, scenarios.network(scenario, world) as network:
            skip = [name for name in areas() if name != "mta_sts"]
            audit = Audits(network, skip, told.append).of(inbox("ada@example.test"), "")
            assert audit is not None
            await audit
        return told[0]

    assert dict(asyncio.run(audited()).states) == {"mta_sts": State.VALID}


# -- the journal ---------------------------------------------------------------------------------------


def journal(path: Path) -> Journal:
    made = Journal(path / "run.jsonl", "digest")
    made.open()
    return made


def test_a_run_that_goes_on_tells_again_what_was_found_and_tries_the_rest(tmp_path: Path) -> None:
    host = own("ada@a.example", "eve@a.example")
    kept = journal(tmp_path)
    first = play([inbox("ada@a.example"), inbox("bob@a.example", "wrong")], host, journal=kept)
    kept.close()
    kept = journal(tmp_path)
    again = own("ada@a.example", "eve@a.example", port=host.port)
    rows = [inbox("ada@a.example"), inbox("bob@a.example", "wrong"), inbox("eve@a.example")]
    second = play(rows, again, journal=kept)
    kept.close()
    assert again.logins == {"eve@a.example": 1}
    for name in ("creds ada@a.example", "creds bob@a.example"):
        assert ids(second[name]) == ids(first[name])
        assert second[name].outcome is first[name].outcome
        assert str(second[name].transcript) == str(first[name].transcript)


def test_force_and_resume_try_again_what_was_not_proven_and_nothing_else(tmp_path: Path) -> None:
    later = Account("right", auth="454 4.7.0 Temporary authentication failure")
    rows = [inbox("ada@a.example"), inbox("bob@a.example")]
    kept = journal(tmp_path)
    play(rows, MailHost("mail.own.test", {**accounts("ada@a.example"), "bob@a.example": later}), journal=kept)
    kept.close()
    kept, again = journal(tmp_path), own("ada@a.example", "bob@a.example")
    assert play(rows, again, journal=kept)["creds bob@a.example"].verdict is Verdict.WAIT
    assert not again.logins
    kept.close()
    kept, forced = journal(tmp_path), own("ada@a.example", "bob@a.example")
    reports = play(rows, forced, Options(audit=False, force=True), journal=kept)
    kept.close()
    assert forced.logins == {"bob@a.example": 1}
    assert {reports[f"creds {row.address}"].outcome for row in rows} == {Outcome.USABLE}


def test_a_login_that_was_under_way_is_reported_and_not_tried_again(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.begin(key_of(inbox("ada@a.example")))
    kept.close()
    kept, host = journal(tmp_path), own("ada@a.example")
    reports = play([inbox("ada@a.example")], host, journal=kept)
    kept.close()
    assert not host.logins
    assert ids(reports["creds ada@a.example"]) == ["preflight/interrupted"]
    kept, host = journal(tmp_path), own("ada@a.example")
    forced = play([inbox("ada@a.example")], host, Options(audit=False, force=True), journal=kept)
    kept.close()
    assert forced["creds ada@a.example"].outcome is Outcome.USABLE


def test_a_session_that_ended_before_its_login_is_tried_by_the_next_run(tmp_path: Path) -> None:
    kept, host = journal(tmp_path), own("ada@a.example", busy=3)
    first = play([inbox("ada@a.example")], host, journal=kept)
    kept.close()
    assert first["creds ada@a.example"].verdict is Verdict.WAIT
    kept, host = journal(tmp_path), own("ada@a.example")
    second = play([inbox("ada@a.example")], host, journal=kept)
    kept.close()
    assert second["creds ada@a.example"].outcome is Outcome.USABLE


def test_a_full_disk_keeps_the_secret_here_and_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, host = journal(tmp_path), own(*(f"i{number}@a.example" for number in range(20)))
    begun: list[str] = []

    def full(key: str) -> None:
        if len(begun) == 3:
            kept.broken = "No space left on device"
            raise OSError(errno.ENOSPC, kept.broken)
        begun.append(key)

    monkeypatch.setattr(kept, "begin", full)
    reports = play([inbox(f"i{number}@a.example") for number in range(20)], host, journal=kept)
    kept.close()
    assert host.logins.total() == len(begun)
    assert reports["fleet inboxes"].evaluations["stopped"] == "journal"
    assert "preflight/cannot-record" in ids(reports["fleet inboxes"])
    assert any("preflight/not-recorded" in ids(report) for report in reports.values())


def test_a_memory_that_cannot_be_written_loses_no_answer(tmp_path: Path) -> None:
    (tmp_path / "refused.jsonl").mkdir()
    kept, rows = journal(tmp_path), [inbox("ada@a.example", "wrong")]
    reports = play(rows, own("ada@a.example"), journal=kept, refused=Refused(tmp_path))
    kept.close()
    assert reports["fleet inboxes"].findings[0].evidence["reason"] == "Is a directory"
    kept, again = journal(tmp_path), own("ada@a.example")
    assert play(rows, again, journal=kept)["creds ada@a.example"].outcome is Outcome.BAD_CREDS
    kept.close()
    assert not again.logins


def test_a_run_that_is_stopped_lets_logins_that_left_be_answered() -> None:
    addresses = [f"i{number}@a.example" for number in range(30)]
    host = MailHost("mail.own.test", dict.fromkeys(addresses, Account("right", hang=0.2)))

    async def all_of() -> dict[str, Report]:
        async with world(host) as network:
            run = run_of([inbox(address) for address in addresses], network)

            host.upon = (3, lambda: run.stop("interrupted"))
            return await told(run)

    reports = asyncio.run(all_of())
    found = {key: report for key, report in reports.items() if key.startswith("creds")}
    assert host.logins.total() == len(found) < 10
    assert {report.outcome for report in found.values()} == {Outcome.USABLE}
    assert reports["fleet inboxes"].evaluations["stopped"] == "interrupted"


def test_a_login_without_answer_when_the_run_is_stopped_is_reported_as_interrupted() -> None:
    host = MailHost("mail.own.test", {"ada@a.example": Account("right", hang=30)})

    async def all_of() -> dict[str, Report]:
        async with world(host) as network:
            run = run_of([inbox("ada@a.example")], network, Options(audit=False, grace=0.05))

            host.upon = (1, lambda: run.stop("terminated"))
            return await told(run)

    assert ids(asyncio.run(all_of())["creds ada@a.example"]) == ["preflight/interrupted"]


def test_what_ended_while_this_machine_was_asleep_is_ours_and_not_the_inbox_s() -> None:
    host = MailHost("mail.own.test", {"ada@a.example": Account("right", hang=30)})

    async def all_of() -> dict[str, Report]:
        async with world(host) as network:
            network.limits = replace(QUICK, auth=0.3)
            run = run_of([inbox("ada@a.example")], network)
            host.upon = (1, lambda: setattr(run._logins, "slept", time.monotonic()))
            return await told(run)

    report = asyncio.run(all_of())["creds ada@a.example"]
    assert ids(report)[0] == "preflight/asleep"
    assert report.verdict is Verdict.UNKNOWN


def test_the_clock_that_leaps_tells_that_this_machine_was_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_of() -> float:
        async with world() as network:
            run = run_of([], network)
            leaps = iter([0.0, 0.0, 3600.0, 3600.0])
            true = time.time
            monkeypatch.setattr(time, "time", lambda: true() + next(leaps, 3600.0))
            monkeypatch.setattr(preflight_module, "_TICK", 0.001)
            watching = asyncio.create_task(run._watch())
            await asyncio.sleep(0.05)
            watching.cancel()
            return run._logins.slept

    assert asyncio.run(all_of()) > 0


AWAY = Finding(catalogue.rule("network/connect-timeout"), {"stage": "connect", "ending": "timeout"})
REACHED = Finding(catalogue.rule("standard/credentials"), {"stage": "auth", "reply": "535 5.7.8 no"})


@pytest.mark.parametrize(
    ("hosts", "stopped"),
    [
        (["dead"] * 40, ""),
        (["a", "b", "c"] * 4, "network"),
        (["a", "b", "c"] * 3, ""),
        ([*"abcabcabcab", "", "c"], ""),
    ],
    ids=["one dead host", "host after host", "not often enough", "one that was reached between"],
)
def test_host_after_host_that_is_not_reached_is_our_network(hosts: list[str], stopped: str) -> None:
    async def all_of() -> str:
        async with world() as network:
            run = run_of(
                [inbox(f"{name}@{name}.example", host=name) for name in ("a", "b", "c", "d")], network
            )
            for host in hosts:
                run._logins.look_around(Report("creds", "ada@a.example", (AWAY if host else REACHED,)), host)
            return run.stopped

    assert asyncio.run(all_of()) == stopped


def finding_of(id: str, **evidence: str) -> Finding:
    return Finding(catalogue.rule(id), evidence)


@pytest.mark.parametrize(
    ("finding", "away"),
    [
        (AWAY, True),
        (REACHED, False),
        (finding_of("network/dns-failed", stage="resolve", ending="dns-failed", status="timeout"), True),
        (finding_of("network/dns-failed", stage="resolve", ending="dns-failed", status="servfail"), False),
        (finding_of("doctor/no-network", question="a.example MX", status="unreachable"), True),
        (finding_of("session/submission-lookup-failed", question="a.example MX", status="refused"), True),
        (finding_of("session/submission-lookup-failed", question="a.example MX", status="servfail"), False),
        (finding_of("grant/token-server-silent", status="timeout"), True),
        (finding_of("grant/token-server-silent", status="garbled"), False),
        (
            finding_of(
                "network/dns-failed",
                stage="resolve",
                ending="dns-failed",
                status="servfail",
                detail="x: timeout.example A: servfail",
            ),
            False,
        ),
    ],
)
def test_what_was_not_reached_is_told_by_facts_and_not_by_words(finding: Finding, away: bool) -> None:
    assert not_reached(Report("creds", "ada@a.example", (finding,))) is away


@pytest.mark.parametrize(
    ("problem", "sign"),
    [("token-server-later", Sign.SLOWER), ("token-server-silent", Sign.FINE), ("client-refused", Sign.FINE)],
)
def test_a_token_server_that_is_busy_is_asked_for_less(problem: str, sign: Sign) -> None:
    assert sign_of(Report("creds", "ada@a.example", (finding_of(f"grant/{problem}"),))) is sign


def test_a_line_of_the_journal_that_cannot_be_told_again_is_not_told() -> None:
    report = Report("creds", "ada@a.example", (REACHED,), Outcome.BAD_CREDS)
    good = kept(report)
    assert told_again(good) == report
    for broken in (
        {},
        {**good, "findings": [{"id": "no/such-rule"}]},
        {**good, "transcript": 7},
        {**good, "facts": 1},
    ):
        assert told_again(broken) is None


def test_progress_says_how_far_and_who_is_slowed() -> None:
    async def all_of() -> str:
        async with world(own("ada@a.example", busy=1)) as network:
            run = run_of([inbox("ada@a.example"), "no password"], network)
            await told(run)
            return Shown(run).line()

    line = asyncio.run(all_of())
    assert line.startswith("2 of 2, ")
    assert "1 fail, 1 ok" in line
    assert line.endswith("the server asks for less")


def test_a_row_never_shows_its_password() -> None:
    row = Row(Record(2, "ada@a.example,zebra-quilt"), inbox("ada@a.example", "zebra-quilt"))
    assert "zebra" not in repr(row)
