"""What people paste beside a bare reply: sessions, lists, what a library raised; whose it is, and no secret."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Stage
from probe.grammar.session import session
from probe.rules import Report
from probe.run.sources import Asked, explain_text

SECRET = base64.b64encode(b"\0ada@sender.example\0tr0ub4dor").decode()


def reports(text: str) -> list[Report]:
    return list(explain_text(text, Asked()))


def told(text: str) -> list[tuple[str, str, str]]:
    """The recipient, the stage and the reply of each report."""
    found = [report.findings[0].evidence for report in reports(text)]
    return [(one.get("recipient", ""), one.get("stage", ""), one["reply"]) for one in found]


# -- sessions --------------------------------------------------------------------------------------

SESSION = [
    ("S", "220 mx.corp.example ESMTP"),
    ("C", "EHLO sender.example"),
    ("S", "250-mx.corp.example"),
    ("S", "250 SIZE 100"),
    ("C", "MAIL FROM:<ada@sender.example>"),
    ("S", "250 2.1.0 Ok"),
    ("C", "RCPT TO:<bob@corp.example>"),
    ("S", "550-5.1.1 no such"),
    ("S", "550 5.1.1 user"),
    ("C", "RCPT TO:<eve@corp.example>"),
    ("S", "451 4.7.1 greylisted"),
    ("C", "QUIT"),
    ("S", "221 Bye"),
]

MARKS = {
    "telnet": ("", ""),
    "swaks": ("<-  ", " -> "),
    "a transcript": ("S: ", "C: "),
    "a debug output": ("2026-11-21 10:00:00 SERVER -> CLIENT: ", "2026-11-21 10:00:00 CLIENT -> SERVER: "),
    "angles": ("<<< ", ">>> "),
    "timed arrows": ("[10:00:00] <-- ", "[10:00:00] --> "),
}


@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
def test_what_a_session_was_refused_is_told_by_command_and_recipient(marks: tuple[str, str]) -> None:
    text = "Trying 192.0.2.7...\n" + "\n".join(marks[who == "C"] + words for who, words in SESSION)
    assert told(text) == [
        ("bob@corp.example", "rcpt", "550-5.1.1 no such\n550 5.1.1 user"),
        ("eve@corp.example", "rcpt", "451 4.7.1 greylisted"),
    ]


def test_a_session_that_was_refused_nothing_ends_well() -> None:
    text = "220 mx\nEHLO x\n250 mx\nMAIL FROM:<a@b.example>\n250 Ok\nRCPT TO:<c@d.example>\n250 2.1.5 Ok\n"
    assert told(text) == [("c@d.example", "rcpt", "250 2.1.5 Ok")]


@pytest.mark.parametrize(
    "text",
    [
        f"220 mx\nEHLO x\n250 AUTH PLAIN\nAUTH PLAIN {SECRET}\n535 5.7.8 Error: authentication failed\n",
        f"AUTH PLAIN {SECRET}\n535 5.7.8 Error: authentication failed\n",
        f"AUTH LOGIN\n334 VXNlcm5hbWU6\nYWRhQHg=\n334 UGFzc3dvcmQ6\n{SECRET}\n535 5.7.8 Error: authentication failed\n",
        f" -> AUTH PLAIN {SECRET}\n<** 535 5.7.8 Error: authentication failed\n",
        f"smtplib: AUTH PLAIN {SECRET} was refused: 535 5.7.8 Error: authentication failed",
    ],
)
def test_what_was_said_to_log_in_is_never_shown(text: str) -> None:
    (report,) = reports(text)
    assert report.findings[0].evidence["code"] == "535"
    shown = json.dumps([report.subject, report.findings[0].evidence, report.evaluations])
    assert SECRET.rstrip("=") not in shown


def test_of_commands_in_one_flight_nobody_is_told_to_be_the_recipient() -> None:
    flight = "MAIL FROM:<me@ours.example>\nRCPT TO:<bad@b.example>\nRCPT TO:<good@b.example>\n"
    found = told(flight + "250 ok\n550 5.1.1 User unknown\n250 ok\n")
    assert [who for who, _, reply in found if reply.startswith("550")] == [""]


@pytest.mark.parametrize(
    "text",
    [
        f"send: 'AUTH LOGIN\\r\\n'\nreply: b'334 VXNlcm5hbWU6\\r\\n'\nsend: '{SECRET}\\r\\n'\nreply: b'535 5.7.8 no\\r\\n'",
        (f"[2026-11-21 10:00:00] DEBUG [abc] C: AUTH LOGIN\n[2026-11-21 10:00:00] DEBUG [abc] S: 334 VXNlcm5hbWU6\n"
        f"[2026-11-21 10:00:00] DEBUG [abc] C: {SECRET}\n[2026-11-21 10:00:00] DEBUG [abc] S: 535 5.7.8 no"),
        (f"Net::SMTP=GLOB(0x1)>>> AUTH LOGIN\nNet::SMTP=GLOB(0x1)<<< 334 VXNlcm5hbWU6\n"
        f"Net::SMTP=GLOB(0x1)>>> {SECRET}\nNet::SMTP=GLOB(0x1)<<< 535 5.7.8 no"),
    ],
)  # fmt: skip
def test_debug_output_is_a_session_and_an_answer_to_auth_in_it_is_not_shown(text: str) -> None:
    assert told(text) == [("", "auth", "535 5.7.8 no")]
    assert SECRET not in str([report.findings for report in reports(text)])


def test_a_mechanism_that_a_reply_names_is_no_credential() -> None:
    assert told("535 AUTH PLAIN authentication failed")[0][2] == "535 AUTH PLAIN authentication failed"


def test_the_words_after_a_colon_or_in_a_dialogue_of_one_are_no_session() -> None:
    assert session("RCPT TO:<bob@corp.example> failed\n") == []
    assert session("550 5.1.1 no such user\n") == []
    assert session("550 no\nRCPT TO:<a@b.example>\n") == []


def test_a_reply_to_the_last_dot_is_one_to_the_data() -> None:
    (one,) = session("DATA\n354 go\nSubject: x\n.\n554 5.7.1 no\n")
    assert (one.stage, one.reply) == (Stage.DATA, "554 5.7.1 no")


# -- lists and what was raised ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{'bob@corp.example': (550, b'5.1.1 no such user'), 'eve@corp.example': (451, b\"4.7.1 it's later\")}",
        "Refused: {'bob@corp.example': (550, b'5.1.1 no such user'), 'eve@corp.example': (451, b\"4.7.1 it's later\")}",
        "bob@corp.example 550 5.1.1 no such user\neve@corp.example 451 4.7.1 it's later\n",
        "<bob@corp.example>: 550 5.1.1 no such user\n<eve@corp.example>: 451 4.7.1 it's later\n",
        '"bob@corp.example","550 5.1.1 no such user","x"\n"eve@corp.example","451 4.7.1 it\'s later","x"\n',
    ],
)
def test_every_reply_is_its_recipients_own(text: str) -> None:
    assert told(text) == [
        ("bob@corp.example", "", "550 5.1.1 no such user"),
        ("eve@corp.example", "", "451 4.7.1 it's later"),
    ]


def test_what_was_raised_is_read_without_the_stack() -> None:
    java = "com.sun.mail.smtp.SMTPAddressFailedException: 550 5.1.1 no such user\n\tat com.sun.Mail.rcpt(Mail.java:1862)\n"
    node = "550 5.1.1 no such user\n    at Object.<anonymous> (/app/index.js:784:19)\n"
    assert told(java) == told(node) == [("", "", "550 5.1.1 no such user")]


def test_fields_alone_are_a_delivery_status_however_short() -> None:
    text = "Final-Recipient: rfc822;bob@corp.example\nAction: delayed\nStatus: 4.4.1\n"
    (report,) = reports(text)
    assert report.findings[0].evidence["recipient"] == "bob@corp.example"
    assert report.verdict.value == "wait"


def test_a_letter_of_somebody_blames_nobody_by_name() -> None:
    text = (
        "Hi Ada,\n\nplease note that bob@corp.example left the company, the mailbox is unknown and mail failed.\n"
        "Write to eve@corp.example instead.\n\nRegards\nEve\n"
    )
    assert [who for who, *_ in told(text)] == [""]


def test_colours_and_nulls_hide_no_code() -> None:
    assert told("\x1b[31m550 5.1.1 no\0such user\x1b[0m") == [("", "", "550 5.1.1 no such user")]


@given(
    st.lists(st.sampled_from([words for _, words in SESSION] + ["AUTH PLAIN x", "334 y", "x", ".", "DATA"]))
)
@settings(max_examples=60, deadline=None)
def test_any_session_is_read(lines: list[str]) -> None:
    assert all(one.reply[:3].isdigit() for one in session("\n".join(lines)))
