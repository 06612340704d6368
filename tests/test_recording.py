"""A recorded session is a scenario whose server says the same bytes again."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Ending, Fault, Reply, Stage, Transcript, Turn, escape
from probe.fakes.reading import load, parse
from probe.fakes.script import Script, Then
from probe.grammar.sasl import MECHANISMS
from probe.play import play
from probe.run.recording import recorded

LINES = st.lists(st.binary(max_size=40).filter(lambda line: not {10, 13} & set(line)), min_size=1, max_size=4)


def script(*turns: Turn) -> Script:
    smtp = parse(recorded(Transcript(turns), about="Recorded."), "recorded").smtp
    assert smtp is not None
    (only,) = smtp.script.values()
    return only


@given(LINES, st.lists(st.booleans(), min_size=4, max_size=4))
@settings(max_examples=150, deadline=None)
def test_every_byte_of_a_reply_is_said_again(lines: list[bytes], bare: list[bool]) -> None:
    marks = [b"-"] * (len(lines) - 1) + [b" "]
    sent = [b"550" + mark + line for mark, line in zip(marks, lines, strict=True)]
    ends = [b"\n" if one else b"\r\n" for one in bare]
    reply = Reply(
        550, tuple(escape(line) + "\\n" * (end == b"\n") for line, end in zip(sent, ends, strict=False))
    )
    played = script(Turn(Stage.MAIL, "MAIL FROM:<>", reply))
    assert b"".join(act.send for act in played) == b"".join(map(b"".join, zip(sent, ends, strict=False)))


def test_endings_and_what_came_unasked() -> None:
    half = Fault(Ending.CLOSED, "the server closed the connection", ("535-first", "535 sec"))
    assert [(act.send, act.then) for act in script(Turn(Stage.MAIL, "MAIL FROM:<>", half))] == [
        (b"535-first\r\n535 sec", Then.CLOSE)
    ]
    late = Turn(Stage.QUIT, "QUIT", Reply(221, ("221 bye",)), unasked=("421 late",))
    assert [act.send for act in script(late)] == [b"221 bye\r\n", b"421 late\r\n"]


@given(st.text(st.characters(exclude_characters="\n\\"), max_size=30), st.booleans())
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_line_of_a_report_is_said_again(words: str, fault: bool) -> None:
    """A report may have been edited: what `escape` would have written otherwise is written as it is sent."""
    line = f"550 {words}"
    heard = Fault(Ending.CLOSED, "", (line,)) if fault else Reply(550, (line,))
    (act,) = script(Turn(Stage.MAIL, "MAIL FROM:<>", heard))
    assert act.send == line.encode("utf-8", "surrogatepass") + b"\r\n" * (not fault)


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_sentence_and_any_server_can_be_read(about: str, server: str) -> None:
    again = parse(recorded(Transcript(server=server), about=f"Once {about}"), "recorded")
    assert again.about.startswith("Once")
    assert again.smtp is not None
    assert again.smtp.host in {server, "mail.example.test"}


@pytest.mark.parametrize("mechanism", ["", "x", "X-OWN", "plain", "PLAIN\x7f", "login "])
def test_a_mechanism_that_nobody_plays_is_auth(mechanism: str) -> None:
    turn = Turn(Stage.AUTH, f"AUTH {mechanism}", Reply(535, ("535 no",)))
    smtp = parse(recorded(Transcript((turn,)), about="Recorded."), "recorded").smtp
    assert smtp is not None
    assert set(smtp.script) == {"auth"}


def test_every_mechanism_that_is_spoken_can_be_played() -> None:
    turns = tuple(Turn(Stage.AUTH, f"AUTH {name}", Reply(535, ("535 no",))) for name in MECHANISMS)
    smtp = parse(recorded(Transcript(turns), about="Recorded."), "recorded").smtp
    assert smtp is not None
    assert len(smtp.script) == len(MECHANISMS)


@pytest.mark.parametrize(
    "name",
    [
        "creds-usable",
        "creds-auth-535",
        "creds-mechanism-cram-md5",
        "creds-mechanism-login-accepted-unheard",
        "creds-mechanism-scram-sha-256",
        "creds-mechanism-xoauth2-refused",
        "creds-grant-token-refused",
        "creds-typed-token-without-smtp",
        "creds-typed-space-around",
    ],
)
def test_a_recorded_login_comes_out_as_it_did_whatever_mechanism_was_named(name: str) -> None:
    report = asyncio.run(play(load(name))).report
    assert report.transcript is not None
    findings = [finding.rule.id for finding in report.findings]
    again = asyncio.run(play(parse(recorded(report.transcript, about="Again.", findings=findings), "again")))
    assert again.surprises == ()
    assert again.report.outcome is report.outcome


def test_what_no_server_does_is_left_out() -> None:
    refused = Turn(Stage.CONNECT, "", Fault(Ending.REFUSED, "127.0.0.1:25: Connection refused"))
    smtp = parse(recorded(Transcript((refused,)), about='Quotes " and \\ too.'), "recorded").smtp
    assert smtp is not None
    assert not smtp.script
