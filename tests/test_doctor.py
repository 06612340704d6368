"""`probe doctor`: each area by what was seen, and the command against a world on loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from probe.cli import app
from probe.facts import ROOT, Answer, Ending, Fault, Question, Records, Reply, Stage, Status, Transcript, Turn
from probe.fakes.dns import FakeDns
from probe.fakes.reading import load
from probe.fakes.world import World
from probe.judge.machine import LARGE, Machine, egress, judge_machine
from probe.run.doctor import Examined, check_machine
from probe.wire import doctor
from probe.wire.network import Network

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TEST_POINT = Question("2.0.0.127.zen.spamhaus.org", "A")
NAME = Question("7.2.0.192.in-addr.arpa", "PTR")
GOOD = {
    ROOT: Answer(Status.OK, ("a.root-servers.net",)),
    LARGE: Answer(Status.OK, ("257 3 8 AwEAAa",)),
    Question("nonce.invalid", "A"): Answer(Status.NXDOMAIN),
    Question("probe-nonce.com", "A"): Answer(Status.NXDOMAIN),
    TEST_POINT: Answer(Status.OK, ("127.0.0.2", "127.0.0.4", "127.0.0.10")),
    NAME: Answer(Status.OK, ("out.sender.test",)),
    Question("out.sender.test", "A"): Answer(Status.OK, ("192.0.2.7",)),
}


def machine(answers: dict[Question, Answer] | None = None, **seen: Any) -> Machine:
    usual: dict[str, Any] = {
        "own": {"ipv4": "192.0.2.7", "ipv6": "2001:db8::7"},
        "descriptors": (4096, 4096),
        "roots": 140,
        "clock": NOW,
        "helo": "out.sender.test",
        "sessions": {("mx.test", 25): answered()},
    }
    return Machine(seen=Records({**GOOD, **(answers or {})}), nonce="nonce", **{**usual, **seen})


def answered(ehlo: str = "250 mx.test") -> Transcript:
    hello = Turn(Stage.EHLO, "EHLO x", Reply(250, (ehlo,)))
    return Transcript((Turn(Stage.CONNECT, "", None), hello), peer="192.0.2.25:25")


def silent(ending: Ending = Ending.TIMEOUT) -> Transcript:
    return Transcript((Turn(Stage.CONNECT, "", Fault(ending, "no answer")),))


def nowhere() -> Transcript:
    return Transcript((Turn(Stage.RESOLVE, "", Fault(Ending.UNRESOLVED, "gone.test does not exist")),))


def found(one: Machine) -> dict[str, str]:
    return {finding.rule.id: finding.detail for finding in judge_machine(one)[1]}


DATE = "Sat, 21 Nov 2026 12:01:00 GMT"


def test_a_good_machine_has_nothing_to_mend() -> None:
    states, findings = judge_machine(machine(remote=DATE, exposed={"passwords.txt": ""}))
    assert findings == ()
    assert set(map(str, states.values())) == {"valid"}


@pytest.mark.parametrize(
    ("area", "state", "seen"),
    [
        ("ports", "not_applicable", machine(sessions={})),
        ("ports", "unknown", machine(sessions={("gone.test", 25): nowhere(), ("mx.test", 25): answered()})),
        ("blocklists", "unknown", machine({TEST_POINT: Answer(Status.TIMEOUT)})),
        ("blocklists", "unknown", machine({TEST_POINT: Answer(Status.OK, ("127.255.255.254",))})),
        ("clock", "not_applicable", machine()),
        ("clock", "unknown", machine(page="https://time.test")),
        ("clock", "unknown", machine(page="https://time.test", remote="nonsense")),
        ("clock", "valid", machine(page="https://time.test", remote=DATE)),
        ("clock", "invalid", machine(clock=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))),
        ("ipv6", "not_applicable", machine(own={"ipv4": "192.0.2.7", "ipv6": ""})),
        ("egress", "unknown", machine(own={"ipv4": "10.0.0.2", "ipv6": ""})),
        ("egress", "unknown", machine({ROOT: Answer(Status.NXDOMAIN), NAME: Answer(Status.NXDOMAIN)})),
        ("egress", "invalid", machine({NAME: Answer(Status.NXDOMAIN)})),
        ("secrets", "not_applicable", machine()),
        ("secrets", "valid", machine(exposed={"passwords.txt": ""})),
    ],
)
def test_what_was_not_looked_at_is_not_valid(area: str, state: str, seen: Machine) -> None:
    assert judge_machine(seen)[0][area] == state


def test_a_resolver_that_denies_the_root_proves_no_missing_name() -> None:
    lies = machine({ROOT: Answer(Status.NXDOMAIN), NAME: Answer(Status.NXDOMAIN)})
    assert list(found(lies)) == ["doctor/resolver-silent"]


UNREACHABLE = Answer(Status.UNREACHABLE, detail="Network is unreachable")

PROBLEMS: dict[str, tuple[str, Machine]] = {
    "the resolver cannot be reached": (
        "doctor/no-network",
        machine({ROOT: UNREACHABLE}, own={"ipv4": "", "ipv6": ""}, sessions={}),
    ),
    "the resolver is silent": ("doctor/resolver-silent", machine({ROOT: Answer(Status.TIMEOUT)})),
    "the resolver fails": ("doctor/resolver-silent", machine({ROOT: Answer(Status.SERVFAIL)})),
    "NXDOMAIN is rewritten": (
        "doctor/resolver-rewrites",
        machine({Question("probe-nonce.com", "A"): Answer(Status.OK, ("198.51.100.1",))}),
    ),
    "large answers are lost": ("doctor/large-answers-lost", machine({LARGE: Answer(Status.TRUNCATED)})),
    "a list refuses": ("doctor/blocklists-refused", machine({TEST_POINT: Answer(Status.OK, ("127.255.255.254",))})),
    "a list is silent": ("doctor/blocklists-silent", machine({TEST_POINT: Answer(Status.TIMEOUT)})),
    "no host was named": ("doctor/ports-not-tried", machine(sessions={})),
    "one host is silent": ("doctor/port-silent", machine(sessions={("mx.test", 25): silent()})),
    "a host has no address": (
        "doctor/host-unresolved",
        machine(sessions={("gone.test", at): nowhere() for at in (25, 587)}),
    ),
    "port 25 is closed": (
        "doctor/port-closed",
        machine(sessions={("a.test", 25): silent(), ("b.test", 25): silent(), ("a.test", 587): answered()}),
    ),
    "nobody knows our address": ("doctor/egress-unknown", machine(own={"ipv4": "10.0.0.2", "ipv6": "fd00::2"})),
    "no reverse name": (
        "ptr/none",
        machine({NAME: Answer(Status.NXDOMAIN)}),
    ),
    "no IPv6": ("doctor/no-ipv6", machine(own={"ipv4": "192.0.2.7", "ipv6": ""})),
    "no roots": ("doctor/no-roots", machine(roots=0)),
    "the clock is in the past": ("doctor/clock-wrong", machine(clock=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))),
    "the clock is ahead": ("doctor/clock-wrong", machine(remote="Sat, 21 Nov 2026 11:00:00 GMT")),
    "few descriptors": ("doctor/few-descriptors", machine(descriptors=(256, 4096))),
    "secrets that nobody can look at": (
        "doctor/secrets-not-seen",
        machine(exposed={"passwords.txt": Fault(Ending.LOCAL, "is no ordinary file")}),
    ),
    "secrets are open": ("doctor/secrets-exposed", machine(exposed={"passwords.txt": "is open to everybody"})),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "seen"), PROBLEMS.values(), ids=PROBLEMS)
def test_one_problem_is_one_finding(rule: str, seen: Machine) -> None:
    assert rule in found(seen)
    assert len(found(seen)) == 1


@pytest.mark.parametrize("remote", ["", "nonsense", "Sat, 21 Nov 2026 12:01:00 GMT", "9" * 5000])
def test_a_date_that_says_nothing_is_no_fault(remote: str) -> None:
    assert found(machine(remote=remote)) == {}


def test_a_refused_connection_does_not_mean_that_the_port_is_filtered_when_another_answers() -> None:
    assert found(machine(sessions={("a.test", 25): silent(Ending.REFUSED), ("b.test", 25): answered()})) == {}


def test_a_server_tells_what_the_world_sees() -> None:
    behind = {"ipv4": "10.0.0.2", "ipv6": ""}
    hello = answered("250-mx.test Hello out.sender.test [192.0.2.7]")
    assert egress(machine(own=behind, sessions={("mx.test", 25): hello})) == "192.0.2.7"
    assert egress(machine(own=behind, told="198.51.100.7")) == "198.51.100.7"
    assert egress(machine(own=behind, sessions={("mx.test", 25): answered("250 mx.test [10.9.9.9]")})) == ""


# -- this machine -----------------------------------------------------------------------------------


def test_a_file_of_secrets_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "passwords.txt"
    file.write_text("zebra")
    file.chmod(0o600)
    assert doctor.exposed(str(file)) == ""
    file.chmod(0o640)
    assert doctor.exposed(str(file)) == "is open to its group (mode 0640)"
    file.chmod(0o644)
    assert doctor.exposed(str(file)) == "is open to everybody (mode 0644)"
    assert doctor.exposed(str(tmp_path)) == Fault(Ending.LOCAL, "is no ordinary file")
    assert str(doctor.exposed(str(tmp_path / "none"))).endswith(
        "cannot be looked at: No such file or directory"
    )


def test_what_this_machine_is_like_is_always_told() -> None:
    assert set(doctor.own_addresses()) == {"ipv4", "ipv6"}
    assert doctor.clock().tzinfo is dt.UTC
    assert doctor.roots("/nonexistent") == 0
    assert all(number >= -1 for number in doctor.descriptors())


def test_a_named_host_is_greeted_and_left() -> None:
    async def examine() -> tuple[dict[str, object], list[str]]:
        scenario = load("rcpt-accepted")
        async with World(scenario) as world, FakeDns("test. 300 IN SOA ns.test. h.test. 1 2 3 4 5") as dns:
            hosts = {("mail.example.test", 25): ("127.0.0.1", world.port)}
            network = Network(ca_file=world.ca_file, hosts=hosts, servers=(dns.address,))
            async with network:
                report = await check_machine(Examined([("mail.example.test", 25)], nonce="nonce"), network)
            return dict(report.evaluations), world.tally.commands

    told, commands = asyncio.run(examine())
    assert commands == ["EHLO", "STARTTLS"]
    sessions = told["sessions"]
    assert isinstance(sessions, dict)
    assert any("-- tls " in line for line in sessions["mail.example.test:25"])
    assert told["roots"] == 1


def test_the_clock_is_compared_with_a_page() -> None:
    page = "https://mta-sts.example.test/.well-known/mta-sts.txt"

    async def examine() -> dict[str, object]:
        async with World(load("dns-mta-sts-good")) as world:
            network = Network(ca_file=world.ca_file, sites=world.sites, servers=(world.resolver,))
            async with network:
                report = await check_machine(Examined(page=page, sending_ip="192.0.2.7"), network)
            return dict(report.evaluations)

    told = asyncio.run(examine())
    assert str(told["remote_clock"]).endswith(" GMT")
    assert told["egress"] == "192.0.2.7"


def test_a_named_host_without_an_address_is_told() -> None:
    async def examine() -> dict[str, object]:
        async with (
            FakeDns("test. 300 IN SOA ns.test. h.test. 1 2 3 4 5") as dns,
            Network(servers=(dns.address,)) as net,
        ):
            return dict((await check_machine(Examined([("gone.test", 0)]), net)).evaluations)

    sessions = asyncio.run(examine())["sessions"]
    assert isinstance(sessions, dict)
    assert list(sessions) == ["gone.test:25", "gone.test:465", "gone.test:587"]
    assert all("does not exist" in "".join(lines) for lines in sessions.values())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("mx.test:smtp",), "is no port"),
        (("mx.test:70000",), "'mx.test:70000': '70000' is no port"),
        (("[::1]:99999",), "'[::1]:99999': '99999' is no port"),
        (("--clock", "http://x"), "is no https URL"),
        (("--secrets", "/nonexistent"), "--secrets /nonexistent: No such file or directory"),
        (("--secrets", "/"), "--secrets / is no file"),
        (("--sending-ip", "me"), "is no IP address"),
        (("--ca-file", "/nonexistent"), "--ca-file"),
        (tuple(f"h{n}.test" for n in range(9)), "too many"),
    ],
)
def test_what_is_wrong_is_said_and_ends_with_2(words: tuple[str, ...], complaint: str) -> None:
    told = CliRunner().invoke(app, ("doctor", *words))
    assert told.exit_code == 2
    assert complaint in told.stderr


def test_the_command_without_a_resolver_ends_with_3() -> None:
    told = CliRunner().invoke(app, ("doctor", "--resolver", "127.0.0.1:1", "-f", "json"))
    assert told.exit_code == 3
    report = json.loads(told.stdout)
    assert [finding["id"] for finding in report["findings"]] == ["doctor/no-network"]
    assert report["states"] == {"network": "unknown"}
