"""The joined diagnosis beyond its scenarios: transcripts, hostile replies, total functions."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from probe.cli import app
from probe.facts import Answer, Question, Records, Reply, Stage, Status, Transcript, Turn
from probe.fakes.dns import FakeDns
from probe.judge.diagnosis import CLAIMS, claim_of
from probe.judge.joined import Case
from probe.rules import Cause


def case(reply: str, cause: Cause = Cause.UNKNOWN, **known: object) -> Case:
    code = int(reply[:3]) if reply[:3].isdigit() else 0
    return Case(reply=reply, code=code, enhanced="", cause=cause, **known)  # type: ignore[arg-type]  # by name


def session(*turns: tuple[Stage, str, str], secure: bool = False) -> Transcript:
    return Transcript(
        tuple(
            Turn(stage, said, Reply(int(heard[:3]), tuple(heard.split("\n"))), secure=secure)
            for stage, said, heard in turns
        )
    )


EHLO = (Stage.EHLO, "EHLO x", "250-mx\n250 AUTH PLAIN LOGIN")
TOKENS = (Stage.EHLO, "EHLO x", "250-mx\n250 AUTH XOAUTH2")


@pytest.mark.parametrize(
    ("reply", "turns", "status"),
    [
        ("503 need MAIL", ((Stage.MAIL, "MAIL", "451 later"), (Stage.RCPT, "RCPT", "503 need MAIL")), "confirmed"),
        ("503 need MAIL", ((Stage.MAIL, "MAIL", "250 ok"), (Stage.RCPT, "RCPT", "503 need MAIL")), "refuted"),
        ("530 5.7.0 Authentication required", (EHLO, (Stage.MAIL, "MAIL", "530 5.7.0 x")), "confirmed"),
        (
            "530 5.7.0 Authentication required",
            (EHLO, (Stage.AUTH, "AUTH PLAIN ***", "235 ok"), (Stage.MAIL, "MAIL", "530 5.7.0 x")),
            "refuted",
        ),
        ("530 5.7.0 Must issue a STARTTLS command first", (EHLO, (Stage.MAIL, "MAIL", "530 x")), "confirmed"),
        ("535 5.7.8 wrong", (EHLO, (Stage.AUTH, "AUTH PLAIN ***", "535 5.7.8 wrong")), "unconfirmed"),
        ("535 5.7.8 wrong", (TOKENS, (Stage.AUTH, "AUTH PLAIN ***", "535 5.7.8 wrong")), "refuted"),
        ("535 5.7.139 basic authentication is disabled", (TOKENS, (Stage.AUTH, "AUTH PLAIN ***", "535 x")), "confirmed"),
        ("534 5.7.9 Application-specific password required", (EHLO, (Stage.AUTH, "AUTH PLAIN ***", "534 x")), "likely"),
    ],
)  # fmt: skip
def test_the_session_settles_it(reply: str, turns: tuple[tuple[Stage, str, str], ...], status: str) -> None:
    made = case(reply, session=session(*turns))
    claim = claim_of(made)
    assert claim is not None
    assert claim.local
    assert claim.judge(made, Records()).status == status


@pytest.mark.parametrize("reply", ["503 need MAIL", "530 Authentication required", "535 wrong"])
def test_without_the_session_nothing_is_settled(reply: str) -> None:
    made = case(reply)
    claim = claim_of(made)
    assert claim is not None
    assert claim.judge(made, Records()).status == "unconfirmed"


def test_a_530_under_tls_that_wants_tls_is_refuted() -> None:
    turns = session(EHLO, (Stage.MAIL, "MAIL", "530 Must issue a STARTTLS command first"), secure=True)
    made = case("530 Must issue a STARTTLS command first", session=turns)
    claim = claim_of(made)
    assert claim is not None
    assert claim.judge(made, Records()).status == "refuted"


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("550 5.1.1 no such user", Cause.RECIPIENT_UNKNOWN),
        ("452 4.2.2 over quota", Cause.MAILBOX_FULL),
        ("451 4.7.1 greylisted", Cause.GREYLIST),
        ("550 5.7.1 message looks like spam", Cause.CONTENT),
        ("550 blocked", Cause.BLOCKLIST),  # no list is named
    ],
)
def test_what_nobody_can_check_makes_no_claim(reply: str, cause: Cause) -> None:
    assert claim_of(case(reply, cause)) is None


def test_the_servers_own_address_is_not_the_senders() -> None:
    made = case("550 [192.0.2.25] refused 203.0.113.7", peer="192.0.2.25")
    assert made.addresses == ("203.0.113.7",)


def test_our_own_address_among_others_is_the_one_that_is_meant() -> None:
    reply = "550 mx 198.51.100.25 refused 203.0.113.7"
    assert case(reply, address="203.0.113.7").addresses == ("203.0.113.7",)
    assert case(reply).addresses == ("198.51.100.25", "203.0.113.7")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "", "fe80::1"])
def test_a_private_address_is_nobody_to_ask_about(address: str) -> None:
    assert case("550 no", address=address).addresses == ()


def test_a_reply_names_the_sender_only_where_nobody_told_it() -> None:
    reply = "550 mail from spoofed.test is not accepted"
    assert case(reply).sender == "spoofed.test"
    assert case(reply, mail_from="ada@sender.test").sender == "sender.test"
    assert case("550 mx.there.test said no", server="mx.there.test").sender == ""


# -- whatever comes ---------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "550", "5.7.1", "5.7.25", "5.7.26", "5.1.2", "spf", "dkim", "dmarc", "align", "ptr", "helo", "blocked using",
        "zen.spamhaus.org", "192.0.2.7", "10.0.0.1", "::1", "2001:db8::7", "sender.test", "a@b", "a..b.test",
        "x" * 300 + ".test", "no dmarc record", "sender address rejected", "\x1b[2J", "\u202e", "relay", "ы.test",
    ]
)  # fmt: skip
ANSWERS = st.sampled_from(
    [
        Answer(Status.OK, ("v=spf1 include:x.test -all",)),
        Answer(Status.OK, ("v=DMARC1; p=reject",)),
        Answer(Status.OK, ("10 mx.there.test",)),
        Answer(Status.OK, ("0 .",)),
        Answer(Status.OK, ("127.0.0.2",)),
        Answer(Status.OK, ("nonsense \xff",)),
        Answer(Status.NODATA),
        Answer(Status.NXDOMAIN),
        Answer(Status.SERVFAIL),
        Answer(Status.SKIPPED),
    ]
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(WORDS, max_size=12),
    st.sampled_from(list(Cause)),
    st.lists(ANSWERS, min_size=1, max_size=4),
    st.booleans(),
)
def test_every_claim_is_total(words: list[str], cause: Cause, answers: list[Answer], told: bool) -> None:
    known = (
        {"mail_from": "ada@sender.test", "recipient": "bob@there.test", "server": "mx.there.test"}
        if told
        else {}
    )
    made = case(" ".join(words), cause, **known)
    for claim in CLAIMS:
        claim.made(made)
        seen: dict[Question, Answer] = {}
        for _ in range(12):
            asked = [one for one in claim.ask(made, Records(seen)) if one not in seen][:60]
            if not asked:
                break
            seen |= {question: answers[len(seen) % len(answers)] for question in asked}
        found = claim.judge(made, Records(seen))
        assert found.claim
        assert found.because
        assert json.dumps(found.told({"reply": made.reply}))


# -- at the door ------------------------------------------------------------------------------------

ZONE = """
test. 300 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 300
sender.test. 300 IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
"""


def explained(*words: str, zone: str = ZONE) -> dict[str, object]:
    async def ask() -> str:
        async with FakeDns(zone) as server:
            line = ("explain", "-f", "json", "--verify", "--resolver", server.address, *words)
            told = await asyncio.to_thread(CliRunner().invoke, app, line)
        assert told.exit_code == 1
        return told.stdout

    report: dict[str, object] = json.loads(asyncio.run(ask()))
    return report


@pytest.mark.parametrize(("address", "status"), [("192.0.2.7", "refuted"), ("198.51.100.7", "confirmed")])
def test_explain_asks_dns_when_told_to(address: str, status: str) -> None:
    words = ("550 5.7.23 SPF validation failed", "--sending-ip", address, "--mail-from", "ada@sender.test")
    report = explained(*words)
    diagnosis = report["evaluations"]["diagnosis"]  # type: ignore[index]  # JSON
    assert diagnosis["status"] == status
    first, second = diagnosis["evidence"]
    assert first["fact"] == "reply"
    assert second["question"] == "sender.test TXT"


def test_explain_without_verify_asks_nobody() -> None:
    told = CliRunner().invoke(
        app, ("explain", "550 5.7.23 SPF validation failed", "--sending-ip", "192.0.2.7")
    )
    assert told.exit_code == 2
    assert "--verify" in told.stderr


BOUNCE = """\
From: MAILER-DAEMON@relay.sender.test
To: ada@sender.test
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.sender.test

Final-Recipient: rfc822; bob@there.test
Action: failed
Status: 5.7.1
Remote-MTA: dns; old.there.test
Diagnostic-Code: smtp; 554 5.7.1 <bob@there.test>: Relay access denied

--b--
"""
THERE = ZONE + "there.test. 300 IN MX 10 new.there.test.\nnew.there.test. 300 IN A 192.0.2.30\n"


def test_a_bounce_tells_who_said_it_of_whom(tmp_path: Path) -> None:
    file = tmp_path / "bounce.eml"
    file.write_text(BOUNCE)
    report = explained(str(file), zone=THERE)
    diagnosis = report["evaluations"]["diagnosis"]  # type: ignore[index]  # JSON
    assert diagnosis["status"] == "confirmed"
    assert diagnosis["because"] == "mail for there.test goes to new.there.test: the route is wrong or old"
