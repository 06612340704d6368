"""What people hand over, however it is packed or written: read, or told why not; nothing is left out unsaid."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.grammar.intake import Kind, kind_of
from probe.run.sources import Asked, explain_folder, explain_stream

LINE = (
    "4Fz1ab0: to=<{}@corp.example>, relay=mx.corp.example[192.0.2.7]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, "
    "status=bounced (host mx.corp.example[192.0.2.7] said: 550 5.1.1 no such user (in reply to RCPT TO command))"
)
BOUNCE = "From: MAILER-DAEMON@relay.example\nTo: ada@sender.example\nSubject: failed\n\n<bob@corp.example>: 550 no such user\n"


def told(data: str | bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """The recipient and the reply of each report, or the rule and its detail; and the notes."""
    notes: list[str] = []
    found = []
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    for report in explain_stream(stream, "input", Asked(every=True, note=notes.append)):
        finding = report.findings[0]
        who = finding.evidence.get("recipient")
        found.append((who, finding.evidence.get("reply", "")) if who else (finding.rule.id, finding.detail))
    return found, notes


BOB = ("bob@corp.example", "550 5.1.1 no such user")


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return packed.getvalue()


@pytest.mark.parametrize(
    "listed",
    [
        "email,pass\nada@ours.example,hunter2secret\n",
        "inbox,password\nada@ours.example,hunter2secret\n",
        "email|password\nada@ours.example|hunter2secret\n",
        "email, password\nada@ours.example, hunter2secret\n",
        "from_name,from_email,user_name,password\nAda,ada@ours.example,ada,hunter2secret\n",
    ],
)
def test_of_a_list_of_inboxes_nothing_is_told(listed: str) -> None:
    found, notes = told(listed)
    assert "hunter2secret" not in str((found, notes))


@pytest.mark.parametrize(
    "data",
    [
        b"email,status,reason\ra@b.example,bounced,550 5.1.1 no such user\r",
        b'{"SYSLOG_IDENTIFIER": "postfix\\ud800/smtp", "MESSAGE": "x", "_PID": "1", "__REALTIME_TIMESTAMP": "1"}\n'
        * 2,
    ],
)
def test_odd_ends_of_lines_and_half_characters_end_nothing(data: bytes) -> None:
    found, _ = told(data)
    assert found


# -- packed ----------------------------------------------------------------------------------------


def test_every_file_of_an_archive_is_read_in_the_order_of_names() -> None:
    packed = archive(
        {
            "b.eml": BOUNCE.replace("bob", "eve").encode(),
            "a/1.eml": BOUNCE.encode(),
            "c.txt": b"",
            "__MACOSX/a/._1.eml": bytes(200),
        }
    )
    found, notes = told(packed)
    assert [one[0] for one in found] == ["bob@corp.example", "eve@corp.example", "mail/no-failure"]
    assert notes == []


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (archive({"a.eml": BOUNCE.encode()})[:-30], "the archive is damaged"),
        (
            archive({"[Content_Types].xml": b"<x/>", "xl/sheet.xml": b"550 no such user"}),
            "it is an Office file",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "save the mail as .eml"),
        (b"\x89PNG\r\n\x1a\n" + b"550 5.1.1 no such user" * 9, "a picture"),
        (b"\xfd7zXZ\0550 5.1.1 no such user", "unpack it first"),
        (bytes(range(32)) * 20, "it is no text"),
    ],
)
def test_what_holds_no_text_is_told_by_its_kind(data: bytes, detail: str) -> None:
    ((rule, words),), _ = told(data)
    assert rule == "mail/not-read"
    assert detail in words


def test_archives_in_archives_end() -> None:
    packed = gzip.compress(archive({"a": gzip.compress(BOUNCE.encode())}))
    assert told(packed)[0] == [("mail/not-read", "it is compressed more than 2 times")]
    assert told(archive({"a": gzip.compress(BOUNCE.encode())}))[0][0][0] == "bob@corp.example"


@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_read_to_its_end(name: str) -> None:
    many = 20_000  # some 8 MiB
    log = "".join(f"Nov 21 10:00:00 mx postfix/smtp[1]: {LINE.format('bob')}\r\n" for _ in range(many))
    asked = Asked()
    assert list(explain_stream(io.BytesIO(log.encode(name)), "-", asked)) == []
    assert asked.pile.seen == many


# -- mailboxes -------------------------------------------------------------------------------------

EVE = BOUNCE.replace("bob", "eve")


@pytest.mark.parametrize(
    "text",
    [
        "From - Sat Nov 21 10:00:00 2026\n{}\nFrom a@b.example Sat Nov 21 10:00:00 +0000 2026\n{}",
        "\n\nFrom MAILER-DAEMON Sat Nov 21 10:00:00 2026\n{}From MAILER-DAEMON Sat Nov  7 10:00:00 UTC 2026\n{}",
        "From a@b.example Sat Nov 21 10:00:00 2026\n{}\nFrom us on Saturday\n\nFrom a@b.example Sat Nov 21\n{}",
    ],
    ids=["two programs", "no blank lines between", "a sentence"],
)
def test_a_mailbox_is_parted_where_mails_begin(text: str) -> None:
    found, notes = told(text.format(BOUNCE, EVE))
    assert [who for who, _ in found] == ["bob@corp.example", "eve@corp.example"]
    assert notes == []


@pytest.mark.parametrize(
    "text",
    [
        f"{len(BOUNCE)}\n{BOUNCE}<?xml version='1.0'?>\n<plist>eve@corp.example</plist>\n",
        BOUNCE.replace("\n", "\r"),
        "References: " + "<x@y.example> " * 1000 + "\n" + BOUNCE,
        "".join(f"> {line}\n" for line in BOUNCE.splitlines()),
        "".join(f"    {line}\n" for line in BOUNCE.splitlines()),
    ],
    ids=["a file of Apple's", "carriage returns", "a long field", "quoted", "set in"],
)
def test_a_mail_is_a_mail_however_it_was_saved(text: str) -> None:
    assert [who for who, _ in told(text)[0]] == ["bob@corp.example"]


def test_folders_in_a_folder_are_told(tmp_path: Path) -> None:
    for name in ("cur", "new", "tmp", ".Sent"):
        (tmp_path / name).mkdir()
    (tmp_path / "cur" / "1").write_text(BOUNCE, encoding="utf-8")
    notes: list[str] = []
    assert len(list(explain_folder(tmp_path, Asked(note=notes.append)))) == 1
    assert notes == [f"{tmp_path}: folders inside it are not read: 1"]


# -- long ones -------------------------------------------------------------------------------------


def test_recipients_beyond_what_is_read_of_a_notice_are_told() -> None:
    people = "".join(f"<bob{at}@corp.example>:\n550 no such user\n\n" for at in range(600))
    found, notes = told(BOUNCE + people)
    assert notes == [f"input: only the first {len(found):,} recipients of this mail are told"]
    assert told(BOUNCE)[1] == []


def test_a_mail_of_a_mailbox_that_loses_its_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.run._mails.MAX_MAIL", 1 << 20)
    box = f"From a@b.example Sat Nov 21 10:00:00 2026\n{BOUNCE}\n" * 2
    assert told(box)[1] == []
    found, notes = told(box + "x" * 1000 + "\n" + ("y" * 70 + "\n") * 20_000)
    assert len(found) == 2
    assert notes == ["input: mails longer than 1 MiB, of which the end is not read: 1"]


# -- a log in JSON ---------------------------------------------------------------------------------


def journal(message: object) -> dict[str, object]:
    return {
        "__REALTIME_TIMESTAMP": "1795255200000000", "_HOSTNAME": "mx", "SYSLOG_IDENTIFIER": "postfix/smtp",
        "_PID": "7", "MESSAGE": message,
    }  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        [journal("connect from x"), journal(LINE.format("bob"))],
        [journal(list(LINE.format("bob").encode())), journal(None)],
        [
            {"log": f"Nov 21 10:00:00 mx postfix/smtp[1]: {LINE.format('bob')}\n", "stream": "stdout"},
            {"log": "x\n"},
        ],
        [{"msg": f"postfix/smtp[1]: {LINE.format('bob')}", "level": "info"}],
    ],
    ids=["journald", "journald, bytes", "a container", "one line"],
)
def test_a_log_whose_lines_are_json_is_read_like_any(values: list[object]) -> None:
    text = "".join(json.dumps(value) + "\n" for value in values)
    assert kind_of(text.encode()) is Kind.WRAPPED
    assert told(text) == ([BOB], [])


def test_the_time_of_a_journal_is_the_time_of_its_lines() -> None:
    text = "".join(json.dumps(journal(LINE.format(name))) + "\n" for name in ("bob", "eve"))
    (one, _) = list(explain_stream(io.BytesIO(text.encode()), "-", asked := Asked()))
    assert {key[0] for key in asked.pile.fleet.counts} == {1795255200 // 3600}
    assert one.findings[0].evidence["recipient"] == "bob@corp.example"


# -- tables and forms ------------------------------------------------------------------------------

TRACKED = """\
#Software: Microsoft Exchange Server
#Fields: date-time,source,event-id,recipient-address,recipient-status,sender-address
2026-11-21T10:00:00.000Z,SMTP,FAIL,{who},{status},ada@sender.example
2026-11-21T10:00:00.000Z,SMTP,RECEIVE,joe@corp.example,,ada@sender.example
"""


@pytest.mark.parametrize(
    ("who", "status", "expected"),
    [
        ("bob@corp.example", "550 5.1.1 no such user", [BOB]),
        (
            "bob@corp.example;eve@corp.example",
            "550 5.1.1 no such user;452 4.2.2 full",
            [BOB, ("eve@corp.example", "452 4.2.2 full")],
        ),
        (
            "bob@corp.example;eve@corp.example",
            "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found",
            [("bob@corp.example", ""), ("eve@corp.example", "")],
        ),
    ],
)
def test_a_tracking_log_tells_of_each_recipient(
    who: str, status: str, expected: list[tuple[str, str]]
) -> None:
    found, notes = told(TRACKED.format(who=who, status=status))
    assert found == expected
    assert notes == ["input: rows that tell of no delivery: 1"]


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_table_is_read_by_the_names_of_its_columns(between: str) -> None:
    rows = [
        ["Date", "Sender Address", "Recipient Address", "Status", "Detail"],
        ["2026-11-21", "ada@sender.example", "bob@corp.example", "Failed", '"550 5.1.1 no such user"'],
        ["2026-11-21", "ada@sender.example", "joe@corp.example", "Delivered", ""],
        ["2026-11-21", "ada@sender.example", "eve@corp.example", "Pending", ""],
    ]
    text = "\ufeff" + "".join(between.join(row) + "\r\n" for row in rows)
    assert told(text)[0] == [BOB, ("joe@corp.example", ""), ("eve@corp.example", "")]


@pytest.mark.parametrize(
    "text",
    [
        "Sender,Recipient address,Event status,Event description\na@b.example,bob@corp.example,Bounced,550 5.1.1 no such user\n",
        "sep=;\naddress;code;error\nbob@corp.example;550;550 5.1.1 no such user\n",
        'email,reason,status\nbob@corp.example,"550 5.1.1\nno such user",5.1.1\n',
        '"id","email","reason","comments"\n1,bob@corp.example,2,"550 5.1.1 no such user"\n',
    ],
    ids=["an e-mail log", "a suppression list", "a cell of two lines", "a numbered reason"],
)
def test_exports_of_services_are_tables(text: str) -> None:
    assert told(text) == ([BOB], [])


def test_sentences_and_lists_of_inboxes_are_no_tables() -> None:
    prose = "Dear recipient, an error happened.\n\nWe could not reach eve@corp.example, bob@corp.example, and others.\n"
    assert kind_of(prose.encode()) is Kind.REPLY
    for columns in ("email,password,status", "email,app password,name"):
        found, _ = told(f"{columns}\nada@sender.example,secret,active\n")
        assert found == [("mail/no-failure", "")]


def test_a_form_is_read_by_its_fields() -> None:
    assert told("event=bounced&recipient=bob%40corp.example&error=550+5.1.1+no+such+user")[0] == [BOB]
    hook = json.dumps([{"event": "hard_bounce", "msg": {"email": "bob@corp.example", "diag": BOB[1]}}])
    packed = "mandrill_events=" + hook.replace(" ", "+").replace('"', "%22").replace("@", "%40")
    assert told(packed)[0] == [BOB]


def test_a_quotation_mark_that_is_never_closed_ends_no_reading() -> None:
    rows = "bob@corp.example,550 5.1.1 no such user\n"
    assert told('email,"reason\n' + rows * 20_000)[1] != []
    assert BOB in told(f'email,reason\n{rows}eve@corp.example,"550\n' + rows * 20_000)[0]


def test_a_form_of_many_fields_is_read_to_its_end() -> None:
    many = "&".join(f"{'x' * 50}{at}={'y' * 50}" for at in range(2000))
    assert told(f"recipient=bob%40corp.example&{many}&error=550+5.1.1+no+such+user")[0] == [BOB]


def test_a_table_that_tells_nothing_hides_no_pile_of_a_log() -> None:
    asked = Asked()
    log = f"Nov 21 10:00:00 mx postfix/smtp[1]: {LINE.format('bob')}\n"
    for text in (log, "email,status\na@b.example,active\n"):
        list(explain_stream(io.BytesIO(text.encode()), "-", asked))
    assert asked.wants_pile


def test_a_log_of_a_program_that_is_not_known_blames_nobody_by_name() -> None:
    line = "2026-11-21T10:00:00.000Z [INFO] bouncing, sending to: <ada@sender.example> failed: 550 5.1.1 no such user\n"
    ((rule, _),), _ = told(line * 4)
    assert rule == "english/user-unknown"


# -- anything --------------------------------------------------------------------------------------

SEEDS = [
    archive({"a.eml": BOUNCE.encode()}), gzip.compress(BOUNCE.encode()), BOUNCE.encode("utf-16"), TRACKED.encode(),
    json.dumps(journal(LINE)).encode(), base64.b64encode(BOUNCE.encode()), b"event=x&to=a@b.example",
]  # fmt: skip


@given(st.sampled_from(SEEDS), st.data())
@settings(max_examples=80, deadline=None)
def test_whatever_is_broken_gets_an_answer(seed: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(seed)))
    broken = seed[:at] + data.draw(st.binary(max_size=8)) + seed[at + data.draw(st.integers(0, 8)) :]
    found, _ = told(broken)
    assert found or broken
