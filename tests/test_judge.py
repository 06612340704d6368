"""The judge is total and deterministic, and a transcript tells nothing of the password."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Ending, Fault, Inbox, Reply, Secret, Stage, TlsMode, Transcript, Turn
from probe.fakes.reading import load
from probe.grammar.command import Command, Handshake
from probe.grammar.reply import reply
from probe.judge import judge_login, typed
from probe.judge.delivery import judge_delivery
from probe.plans.creds import Login, creds
from probe.play import play
from probe.rules import Outcome
from tests.test_transcript import sessions

ADA = Inbox("ada@example.com", Secret("correct horse"))


@settings(deadline=None, max_examples=80)
@given(sessions)
def test_whatever_was_said_there_is_a_conclusion_and_always_the_same(session: Transcript) -> None:
    session = dataclasses.replace(session, stopped="")
    first = judge_login(ADA, session)
    assert judge_login(ADA, session) == first
    accepted = any(
        isinstance(turn.heard, Reply) and turn.heard.code == 235 for turn in session.of(Stage.AUTH)
    )
    assert first.outcome in (set(Outcome) if accepted else {Outcome.BAD_CREDS, Outcome.NOT_PROVEN})
    assert judge_delivery(session) == judge_delivery(session)


ANSWERS = {
    Stage.GREETING: ["220 mx", "554 no"],
    Stage.EHLO: ["250-mx\n250-STARTTLS\n250 AUTH PLAIN LOGIN", "250-mx\n250 AUTH CRAM-MD5 SCRAM-SHA-256", "250 mx"],
    Stage.STARTTLS: ["220 go", "454 later"],
    Stage.AUTH: ["235 ok", "334 ", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "535 no", "504 what"],
}  # fmt: skip
ANYWHERE = [
    "250 ok",
    "220 mx",
    "235 ok",
    "334 ",
    "354 go on",
    "421 bye",
    "450 later",
    "550 no",
    "534 too weak",
]


def held(inbox: Inbox, tls: TlsMode, chance: random.Random) -> Transcript:
    """A session of the login plan with a server that says anything, and mostly what it should."""
    plan = creds(Login(inbox, tls, "me", allow_plaintext=chance.random() < 0.5))
    turns: list[Turn] = []
    flight, secure = next(plan), False
    while True:
        heard: list[Turn] = []
        for step in flight:
            right, *others = ANSWERS.get(step.stage, ["250 ok"])
            words = right if chance.random() < 0.8 else chance.choice([*others, *ANYWHERE])
            broken = Fault(chance.choice([Ending.CLOSED, Ending.TIMEOUT, Ending.GARBLED]), "")
            good = None if isinstance(step, Handshake) else reply(words)
            said = step.shown if isinstance(step, Command) else ""
            heard.append(Turn(step.stage, said, broken if chance.random() < 0.05 else good, secure=secure))
            secure = secure or isinstance(step, Handshake)
            if heard[-1].heard is broken:
                break
        turns += heard
        try:
            flight = plan.send(tuple(heard))
        except StopIteration as ended:
            return Transcript(tuple(turns), stopped=str(ended.value))


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["auto", "plain", "login", "cram-md5", "scram-sha-256"]),
    st.sampled_from(TlsMode),
    st.integers(0, 1 << 32),
)
def test_what_ends_before_the_inbox_is_usable_is_never_told_as_good(
    mechanism: str, tls: TlsMode, seed: int
) -> None:
    inbox = dataclasses.replace(ADA, mechanism=mechanism)
    concluded = judge_login(inbox, held(inbox, tls, random.Random(seed)))
    assert concluded.findings or concluded.outcome is Outcome.USABLE


def told(*lines: str) -> Transcript:
    return Transcript.parse("\n".join(("-- session", *lines)))


UP_TO_AUTH = (
    "-- greeting",
    "S: 220 mx",
    "-- ehlo secure=true",
    "C: EHLO me",
    "S: 250 mx",
    "-- auth secure=true",
    "C: AUTH PLAIN ***",
)
ENVELOPE = (
    "-- mail secure=true",
    "C: MAIL FROM:<a@b>",
    "S: 250 ok",
    "-- rcpt secure=true",
    "C: RCPT TO:<a@b>",
)


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, "S: 250 ok"), "usable"),
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, "S: 550 5.7.1 no"), "creds_ok"),
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, '-- fault ending="closed"'), "creds_ok"),
        ((*UP_TO_AUTH, "S: 535 5.7.8 no"), "bad_creds"),
        ((*UP_TO_AUTH, "S: 535 nothing that anybody knows"), "bad_creds"),
        ((*UP_TO_AUTH, "S: 454 4.7.0 later"), "not_proven"),
        ((*UP_TO_AUTH, "S: 250 what"), "not_proven"),
        ((*UP_TO_AUTH, '-- fault ending="closed"'), "not_proven"),
        # QUIT is the checksum of a session: one answer too many, and nothing that rests on the order is believed
        ((*UP_TO_AUTH, "S: 535 stray", "-- quit", "C: QUIT", "S: 235 ok", "!: 221 bye"), "not_proven"),
        ((*UP_TO_AUTH, "S: 535 stray", "-- quit", "C: QUIT", "S: 250 what", "!: 221 bye"), "not_proven"),
        ((*UP_TO_AUTH, "S: 535 no", "-- quit", "C: QUIT", "S: 221 bye", "!: 421 gone"), "bad_creds"),
        ((*UP_TO_AUTH, "S: 535 no", "-- quit", "C: QUIT", "S: 250 bye"), "bad_creds"),
        ((*UP_TO_AUTH, "S: 535 no", "-- quit", '-- fault ending="closed"'), "bad_creds"),
    ],
)
def test_what_may_be_concluded(lines: tuple[str, ...], outcome: str) -> None:
    assert judge_login(ADA, told(*lines)).outcome == outcome


@pytest.mark.parametrize(
    ("secret", "mechanism", "problems"),
    [
        ("correct horse", "auto", []),
        (" correct horse", "auto", ["space-around"]),
        ("correct horse ", "auto", ["space-around"]),
        ("abcd efgh ijkl mnop", "auto", ["app-password-in-groups"]),
        ("abcd efgh ijkl mnop ", "auto", ["space-around", "app-password-in-groups"]),
        ("pass\u00a0word", "auto", ["invisible-character"]),
        ("pass\u200bword", "auto", ["invisible-character"]),
        ("pass\tword", "auto", ["invisible-character"]),
        ('"password"', "auto", ["quotes-around"]),
        ("“password”", "auto", ["quotes-around"]),
        ("password", "xoauth2", ["token-expected"]),
        ("ya29." + "x" * 100, "xoauth2", []),
    ],
)
def test_what_can_be_said_of_a_secret_before_it_is_sent(
    secret: str, mechanism: str, problems: list[str]
) -> None:
    found = list(typed(Inbox("ada@example.com", Secret(secret), mechanism=mechanism)))
    assert [finding.rule.id for finding in found] == [f"credentials/{problem}" for problem in problems]
    assert not any(secret.strip() in str(finding.evidence) for finding in found)


@pytest.mark.parametrize(
    "name", ["creds-auth-535", "creds-mechanism-login", "creds-rcpt-unknown", "creds-auth-454"]
)
def test_the_transcripts_of_two_passwords_are_equal(name: str) -> None:
    heard = []
    for password in ("correct horse", "zQ7-Xk9!hunter2"):
        scenario = load(name)
        asked = dataclasses.replace(scenario.probe, password=password)
        played = asyncio.run(play(dataclasses.replace(scenario, probe=asked)))
        heard.append(dataclasses.replace(played.report.transcript or Transcript(), peer=""))
    assert heard[0] == heard[1]


def test_a_reply_is_always_explained_by_something() -> None:
    session = told(*UP_TO_AUTH[:-2], "-- mail", "C: MAIL FROM:<a@b>", "S: 577 a code nobody defined")
    (finding,) = judge_login(ADA, session).findings
    assert finding.evidence["reply"] == str(reply("577 a code nobody defined"))


@pytest.mark.parametrize(
    ("lines", "advice"),
    [
        (("-- greeting", "S: 521 Host does not accept mail"), "Check that this is the provider's submission server"),
        (("-- starttls", "C: STARTTLS", "S: 502 5.5.1 Command not implemented"), "TLS from the start"),
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, "S: 550 5.4.1 Recipient address rejected: Access denied"), "exists"),
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, "S: 577 what"), "what they mean for this account"),
        (("-- ehlo", "C: EHLO me", "S: 500 EHLO not understood"), "Check host and port"),
        ((*UP_TO_AUTH, "S: 502 5.5.1"), "another mechanism"),
        (("-- greeting", "S: 421 busy"), "Wait some minutes, then probe once more"),
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, "S: 550 5.1.1 User unknown"), "whether this mailbox exists"),
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, "S: 452 4.2.2 Mailbox full"), "Empty the mailbox"),
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, "S: 530 5.7.0 Authentication required"), "then asked for again"),
        ((*UP_TO_AUTH, "S: 235 ok", *ENVELOPE, "S: 554 5.7.1 Relay access denied"), "that this login owns"),
    ],
)  # fmt: skip
def test_what_to_do_is_said_to_the_owner_of_the_inbox_and_not_to_a_sender(
    lines: tuple[str, ...], advice: str
) -> None:
    (finding,) = judge_login(ADA, told(*lines)).findings
    assert advice in finding.fix
