"""How it looks: small runs in every format, kept word for word. A change of look is a change of these files."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion

from probe import checks, render
from probe.facts import Transcript
from probe.render import Style
from probe.render._read import reports as read_back
from probe.render._session import steps
from probe.rules import Report, State, Verdict

from .render_world import domain, fleet, found, inbox, transcript, whole


def told(format: str, *reports: Report, style: Style | None = None) -> str:
    return "".join(render.find(format).render(reports, style or Style(width=80)))


def timed(report: Report, each: float = 0.0119) -> Report:
    """With times as a session that was just held has them (a transcript that was read back has none)."""
    session = report.transcript
    assert session is not None
    turns = tuple(replace(turn, took=each * (index + 1)) for index, turn in enumerate(session.turns))
    return replace(report, transcript=replace(session, turns=turns))


SESSIONS = ["creds-usable", "creds-mechanism-login", "creds-auth-535", "creds-usable-implicit"]


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_read_back_has_the_times_it_had(session: str) -> None:
    held = timed(replace(inbox(1), transcript=transcript(session)), each=0.0014951)
    assert held.transcript is not None
    held = replace(held, timings=held.transcript.timings())
    (again,) = read_back([told("jsonl", held)])
    assert told("text", again) == told("text", held)
    assert told("text", again).count(" ms") > 4


def test_a_recipient_behind_a_refused_sender_is_no_fault_of_its_own() -> None:
    lines = [
        "-- session", "-- greeting", "S: 220 a", "-- mail", "C: MAIL FROM:<a@a.test>", "S: 432 4.3.2 Too many",
        "-- rcpt", "C: RCPT TO:<a@a.test>", "S: 503 need MAIL command",
    ]  # fmt: skip
    session = Transcript.parse("\n".join(lines))
    assert [(step.stage, step.verdict) for step in steps(session)] == [
        ("greeting", Verdict.OK),
        ("mail", Verdict.WAIT),
        ("rcpt", Verdict.NOTE),
    ]


def test_seconds_of_a_stage_are_not_given_to_one_of_its_replies() -> None:
    tried_twice = replace(inbox(1), transcript=transcript("creds-mechanism-504-then-login"))
    shown = told("text", tried_twice)
    assert [" ms" in line for line in shown.split("\n") if " auth " in line] == [False, False]
    assert " 18 ms" in shown


PASTED = 'Delete them and publish:\nbrand1.example. IN TXT (\n  "v=spf1 include:_spf.google.com"\n  " ~all" )'
TWO = domain(1)
FIXED = replace(TWO.findings[0], fix=PASTED, detail="2 records")
LONG = found("login/wrong-credentials", stage="auth", reply="\n".join(["535-5.7.8 no " + "and no " * 20] * 9))
RUNS = {
    "an inbox that works": [timed(inbox(1))],
    "an inbox that does not": [timed(inbox(0))],
    "a long reply": [replace(inbox(0), findings=(LONG,), transcript=None)],
    "a domain": [
        replace(TWO, findings=(FIXED, *TWO.findings[1:]), states={**TWO.states, "bimi": State.NOT_APPLICABLE})
    ],
    "three inboxes": [inbox(1), inbox(2), inbox(0), inbox(3)],
    "a list": [whole([inbox(number) for number in range(9)], ()), *fleet(60)[-1:]],
}


@pytest.mark.parametrize("run", RUNS)
def test_text(run: str, snapshot: SnapshotAssertion) -> None:
    assert told("text", *RUNS[run]) == snapshot


def test_text_in_colour_has_the_same_words(snapshot: SnapshotAssertion) -> None:
    for reports in RUNS.values():
        coloured = told("text", *reports, style=Style(colour=True, width=80))
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == told("text", *reports)
    assert told("text", *RUNS["an inbox that does not"], style=Style(colour=True, width=80)) == snapshot


SAID = "550 5.7.1 Message refused, see https://postmaster.example.test/because-of-reputation " * 3
WIDE = {
    **RUNS,
    "a large list": fleet(120)[-1:],
    "a reply": [replace(inbox(0), kind="reply", subject=SAID, facts={"said": SAID}, transcript=None)],
    "replies that accept": [replace(inbox(1), kind="reply", subject=SAID), inbox(1)],
    "a domain with every area": [
        replace(TWO, states=dict.fromkeys(checks.every(), State.VALID), findings=())
    ],
}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("run", WIDE)
def test_no_line_is_wider_than_the_terminal_but_what_is_pasted(run: str, width: int) -> None:
    wide = [
        line for line in told("text", *WIDE[run], style=Style(width=width)).split("\n") if len(line) > width
    ]
    assert all(re.match(r".*IN TXT", line) for line in wide)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("run", WIDE)
def test_no_word_is_broken_where_a_line_ends(run: str, width: int) -> None:
    words = set(told("text", *WIDE[run], style=Style(width=1000)).split())
    broken = [
        word for word in told("text", *WIDE[run], style=Style(width=width)).split() if word not in words
    ]
    assert [word for word in broken if not word.endswith("...")] == []


def test_json(snapshot: SnapshotAssertion) -> None:
    assert told("json", inbox(0)) == snapshot


@pytest.mark.parametrize("format", ["csv", "junit", "md", "nagios", "prom"])
def test_formats_of_others(format: str, snapshot: SnapshotAssertion) -> None:
    assert told(format, *RUNS["three inboxes"]) == snapshot


@pytest.mark.parametrize("run", ["an inbox that does not", "a domain", "three inboxes"])
def test_the_page_between_header_and_footer(run: str, snapshot: SnapshotAssertion) -> None:
    page = told("html", *RUNS[run])
    assert page[page.index("<body>") : page.index("<footer>")] == snapshot
