"""`probe rcpt` at its door and under its manners: words, waiting, courtesy, exit codes, no network."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner, Result

from probe.cli import app
from probe.cli._network import place_of
from probe.cli.rcpt import _counted
from probe.facts import Certificate, Reply, Stage, Tls, Transcript, Turn
from probe.fakes.reading import load
from probe.fakes.world import World
from probe.grammar import tlsa
from probe.judge.delivery import Acceptance, judge_delivery
from probe.judge.demand import Demand
from probe.play import play
from probe.run.pace import Pace
from probe.run.rcpt import Asked, check_rcpt
from probe.run.route import public
from probe.wire.network import Network


def probe(*words: str) -> Result:
    return CliRunner().invoke(app, ("rcpt", *words))


# -- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("a@one.test", "b@two.test"), "more than one domain"),
        (tuple(f"{n}@one.test" for n in range(21)), "more than 20 recipients"),
        (("not-an-address",), "is not an address"),
        (("a@one.test", "--mail-from", "x y@one.test"), "--mail-from"),
        (("a@one.test,b@one.test",), "looks like more than one address: give each as a word of its own"),
        ((" a@one.test",), "begins or ends with a space"),
        (("a@one.test", "--mx", "host:smtp"), "is no port"),
        (("a@one.test", "--mx", "host:70000"), "is no port"),
        (("a@one.test", "--mx", "host:" + "9" * 5000), "is no port"),
        (("a@one.test", "--mx", "host:0"), "is no port"),
        (("a@one.test", "--mx", ":25"), "there is no host name"),
        (("a@one.test", "--mx", "smtp://mx.one.test:25"), "is no host name: give the name"),
        (("a@one.test", "--mx", "https://mx.one.test/"), "is no host name: give the name"),
        (("a@one.test", "--sending-ip", "here"), "is no IP address"),
        (("a@one.test", "--source-address", "here"), "is no IP address"),
        (("a@one.test", "--dkim-selector", "two words"), "is no selector"),
        (("a@one.test", "--timeout", "0"), "--timeout takes seconds"),
        (("a\r\nDATA@one.test",), "line break"),
    ],
)
def test_what_is_wrong_is_said_and_ends_with_2(words: tuple[str, ...], complaint: str) -> None:
    told = probe(*words)
    assert told.exit_code == 2
    assert complaint in told.stderr
    assert told.stdout == ""


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("mx.example.org", ("mx.example.org", 25)),
        ("mx.example.org:2525", ("mx.example.org", 2525)),
        ("192.0.2.1:26", ("192.0.2.1", 26)),
        ("2001:db8::1", ("2001:db8::1", 25)),
        ("[2001:db8::1]", ("2001:db8::1", 25)),
        ("[2001:db8::1]:2525", ("2001:db8::1", 2525)),
    ],
)
def test_mx_is_host_and_port(text: str, server: tuple[str, int]) -> None:
    assert place_of("--mx", text, 25) == server


def test_the_null_sender_can_be_said_as_a_transcript_shows_it() -> None:
    told = probe("a@one.test", "--mail-from", "<>", "--resolver", "127.0.0.1:1")
    assert (told.exit_code, told.stderr) == (3, "")


# -- a whole run ----------------------------------------------------------------------------------

EXITS = {
    "rcpt-accepted": 0,
    "rcpt-unknown-user": 1,
    "rcpt-greylisted": 3,
}


@pytest.mark.parametrize(("name", "code"), EXITS.items())
def test_the_command_ends_with_the_code_of_its_verdict(name: str, code: int) -> None:
    async def serve() -> subprocess.CompletedProcess[str]:
        async with World(load(name)) as world:
            words = ["rcpt", "ada@example.test", "--mail-from", "sender@sender.test", "--resolver", "127.0.0.1:1",
                     "--mx", f"localhost:{world.port}", "--ca-file", world.ca_file, "-f", "json"]  # fmt: skip
            return await asyncio.to_thread(
                subprocess.run, [sys.executable, "-m", "probe", *words], capture_output=True, text=True, check=False
            )  # fmt: skip

    ran = asyncio.run(serve())
    assert (ran.returncode, ran.stderr) == (code, "")
    report = json.loads(ran.stdout)
    assert report["kind"] == "rcpt"
    assert {"ehlo", "ehlo-tls"} <= report["timings_ms"].keys()
    assert not [line for line in report["transcript"] if line.startswith(("C: DATA", "C: VRFY", "C: EXPN"))]


OFFLINE = "no network namespace can be made here"


@pytest.mark.skipif(shutil.which("unshare") is None, reason=OFFLINE)
@pytest.mark.parametrize("words", [("rcpt", "bob@example.org"), ("doctor",)], ids=" ".join)
def test_without_a_network_it_is_us(words: tuple[str, ...]) -> None:
    if subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode:
        pytest.skip(OFFLINE)
    command = ["unshare", "-n", sys.executable, "-m", "probe", *words, "--timeout", "2"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert "no network" in ran.stdout.lower()


def test_an_unreachable_resolver_is_us_too() -> None:
    told = probe("bob@example.org", "--resolver", "127.0.0.1:1")
    assert told.exit_code == 3
    assert "rcpt/no-network" in told.stdout


# -- manners --------------------------------------------------------------------------------------


class Watch:
    """A clock that only a pause moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[tuple[float, str]] = []

    async def pause(self, seconds: float, why: str) -> None:
        self.waits.append((seconds, why))
        self.now += seconds


def test_a_host_is_asked_six_times_a_minute_at_most() -> None:
    watch = Watch()

    async def ask() -> None:
        pace = Pace(pause=watch.pause, clock=lambda: watch.now)
        for _ in range(6):
            await pace.turn("mx.example.org")
            await pace.turn("other.example.org")
        assert watch.waits == []
        watch.now = 20.0
        await pace.turn("MX.example.org")

    asyncio.run(ask())
    assert watch.waits == [(40.0, "until MX.example.org is asked again")]


def test_greylisting_is_waited_for_with_the_same_envelope() -> None:
    watch = Watch()

    async def ask() -> tuple[list[str], object]:
        async with World(load("rcpt-greylisted-comes-back")) as world:
            network = Network(ca_file=world.ca_file, hosts=world.hosts, servers=("127.0.0.1:1",))
            asked = Asked("ada@example.test", "sender@sender.test", ("mail.example.test", 25), wait=600)
            pace = Pace(pause=watch.pause, clock=lambda: watch.now)
            async with network:
                report = await check_rcpt(asked, network, pace=pace)
            earlier = report.evaluations["earlier"]
            assert isinstance(earlier, list)
            return [*earlier[0], *str(report.transcript).split("\n")], report.evaluations["waited"]

    lines, waited = asyncio.run(ask())
    assert waited == [302.0]
    assert [seconds for seconds, _ in watch.waits] == [302.0]
    assert lines.count("C: MAIL FROM:<sender@sender.test>") == 2
    assert lines.count("C: RCPT TO:<ada@example.test>") == 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_waiting_is_told_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, terminal = io.StringIO(), Terminal()
    monkeypatch.setattr(sys, "stderr", plain)
    asyncio.run(_counted(0.01, "until mx may be asked again"))
    monkeypatch.setattr(sys, "stderr", terminal)
    asyncio.run(_counted(0.01, "until mx\x1b[2J may be asked again"))
    assert plain.getvalue() == "probe: 0 s until mx may be asked again\n"
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "\x1b[2J" not in terminal.getvalue()
    asyncio.run(_counted(0.01, "until " + "mx." * 99 + " may be asked again"))
    assert max(map(len, terminal.getvalue().split("\r\x1b[K"))) < 80  # what wraps could not be taken away


@pytest.mark.parametrize(
    ("address", "dialled"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # an address somebody may publish
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_dns_cannot_lead_us_into_our_own_network(address: str, dialled: bool) -> None:
    assert public(address) is dialled


# -- what a session proves ------------------------------------------------------------------------


def session(*turns: tuple[Stage, str, str]) -> Transcript:
    def reply(text: str) -> Reply:
        return Reply(int(text[:3]), (text,))

    return Transcript(tuple(Turn(stage, said, reply(heard)) for stage, said, heard in turns))


def greeted(*turns: tuple[Stage, str, str]) -> Transcript:
    first = (Stage.GREETING, "", "220 mx ESMTP"), (Stage.EHLO, "EHLO x", "250 STARTTLS")
    return session(*first, (Stage.MAIL, "MAIL FROM:<>", "250 2.1.0 Ok"), *turns)


REAL, CONTROL = "RCPT TO:<a@b.test>", "RCPT TO:<no-1@b.test>"


@pytest.mark.parametrize(
    ("real", "control", "recipient", "made_up"),
    [
        ("250 Ok", "550 5.1.1 unknown", Acceptance.ACCEPTED, Acceptance.REFUSED),
        ("251 will forward", "550 5.1.1 unknown", Acceptance.ACCEPTED, Acceptance.REFUSED),
        ("550 5.1.1 unknown", "250 Ok", Acceptance.REFUSED, Acceptance.ACCEPTED),
        ("450 4.2.0 later", "250 Ok", Acceptance.LATER, Acceptance.ACCEPTED),
        ("354 go ahead", "250 Ok", Acceptance.UNKNOWN, Acceptance.ACCEPTED),
    ],
)
def test_each_recipient_has_its_own_answer(
    real: str, control: str, recipient: Acceptance, made_up: Acceptance
) -> None:
    found = judge_delivery(greeted((Stage.RCPT, REAL, real), (Stage.RCPT, CONTROL, control)))
    assert (found.recipient, found.control) == (recipient, made_up)


def test_a_refusal_by_name_is_not_a_refusal_of_everybody() -> None:
    words = "550 5.1.1 <{}>: Recipient address rejected: User unknown"
    turns = [(Stage.RCPT, f"RCPT TO:<{who}>", words.format(who)) for who in ("a@b.test", "no-1@b.test")]
    found = judge_delivery(greeted(*turns))
    assert "rcpt/refuses-everybody" not in [finding.rule.id for finding in found.findings]


# -- DANE -----------------------------------------------------------------------------------------

LEAF = Certificate("CN=mx", "CN=ca", ("mx.b.test",), 1, "", "", f"RSA 2048 sha256:{'ab' * 32}", "cd" * 32)


@pytest.mark.parametrize(
    ("records", "met"),
    [
        (("3 1 1 " + "ab" * 32,), True),
        (("3 0 1 " + "cd" * 32,), True),
        (("3 1 1 " + "00" * 32, "3 1 1 " + "ab" * 32), True),
        (("3 1 1 " + "cd" * 32,), False),
        (("2 1 1 " + "00" * 32,), True),  # names a CA: the leaf alone cannot tell
    ],
)
def test_dane_names_a_key_or_a_certificate(records: tuple[str, ...], met: bool) -> None:
    demand = Demand("DANE", "mx.b.test", {}, records=tuple(map(tlsa.record, records)))
    assert (demand.unmet(Tls("TLSv1.3", certificate=LEAF, error="not verified")) == "") is met
    assert demand.unmet(None)
    assert demand.unmet(Tls(error="handshake failure"))


def test_dane_is_met_by_a_key_that_no_root_of_ours_vouches_for() -> None:
    """The certificate of the fakes is signed by their own root; here only the TLSA record knows its key."""
    scenario = load("rcpt-dane-unsigned")
    assert scenario.dns is not None
    known = asyncio.run(play(load("rcpt-accepted"))).report.transcript
    assert known is not None
    assert known.tls is not None
    assert known.tls.certificate is not None
    digest = known.tls.certificate.key.partition("sha256:")[2]
    zone = scenario.dns.zone.replace("ab" * 32, digest)
    signed = replace(
        scenario,
        dns=replace(scenario.dns, zone=zone, secure=("example.test",)),
        probe=replace(scenario.probe, distrust=True),
    )
    report = asyncio.run(play(signed)).report
    assert [finding.rule.id for finding in report.findings] == []
    assert report.evaluations["recipient"] == "accepted"
