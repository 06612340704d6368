"""A list of inboxes against servers that count: the right verdict for each, the right causes, one AUTH each."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from probe.facts import Inbox, Limits, Secret
from probe.fakes.dns import FakeDns
from probe.rules import Outcome, Report, Verdict
from probe.run.domain import areas
from probe.run.preflight import Options, Preflight, Row, preflight
from probe.grammar.sheet import Record
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
            elif host == "smtp.gmail.com" and number in {6}:
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
