"""`probe explain` at the door: what goes in, what comes out, which exit code."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from probe.cli import app
from probe.grammar import webhook
from probe.grammar.delivery import Delivery
from probe.grammar.intake import Kind
from probe.run import sources
from probe.run.bounces import explain_delivery
from probe.run.sources import Asked, explain_stream
from tests.test_bounce import NOTICES, REPORT, TOP
from tests.test_intake import EVENTS, EXIM, KUMO, POSTFIX, POWERMTA

BOUNCE = REPORT.format(
    who="bob@corp.example",
    status="Final-Recipient: rfc822; bob@corp.example\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.corp.example\n"
    "Diagnostic-Code: smtp; 550 5.1.1 <bob@corp.example>: User unknown",
)


def explain(*arguments: str, stdin: str | bytes = "") -> tuple[int, str, str]:
    ran = CliRunner().invoke(app, ["explain", *arguments], input=stdin)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, ran.stdout, ran.stderr


def lines(*arguments: str, stdin: str | bytes = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in explain("-f", "jsonl", *arguments, stdin=stdin)[1].splitlines()]


def reply(report: dict[str, Any]) -> dict[str, Any]:
    evidence: dict[str, Any] = report["findings"][0]["evidence"]
    return evidence


# -- replies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 User unknown",
        "550-5.1.1 User\n550 5.1.1 unknown",
        "(550, b'5.1.1 User unknown')",
        "smtp; 550 5.1.1 User unknown",
        "<p>550 5.1.1 User unknown</p>",
        "Error: Message failed: 550 5.1.1 User unknown",
    ],
)
def test_a_reply_is_explained_however_it_was_pasted(text: str) -> None:
    for reports in (lines(text), lines("-", stdin=text)):
        (report,) = reports
        assert report["findings"][0]["cause"] == "recipient_unknown"
        assert report["findings"][0]["family"] == "suppress"


def test_the_exit_code_tells_fail_from_wait_from_unknown() -> None:
    assert explain("550 5.1.1 User unknown")[0] == 1
    assert explain("451 4.7.1 Greylisted, try again later")[0] == 3
    assert explain("the cat sat on the mat")[0] == 3
    assert explain("250 2.0.0 Ok")[0] == 0


def test_words_without_quotes_are_one_reply_and_texts_are_several() -> None:
    assert len(lines("550", "5.1.1", "unknown")) == 1
    assert [report["findings"][0]["evidence"]["code"] for report in lines("550 no", "451 later")] == [
        "550",
        "451",
    ]


def test_replies_one_a_line_are_several() -> None:
    assert len(lines("-", stdin="550 5.1.1 unknown\n451 4.7.1 greylisted\n")) == 2
    assert len(lines("-", stdin="550-5.1.1 unknown\n550 5.1.1 really\n451 later\n")) == 2


def test_json_lines_are_answered_one_a_line_in_order() -> None:
    asked = [
        {"reply": "550 5.1.1 User unknown", "recipient": "bob@corp.example"},
        {"reply": "535 5.7.8 bad password", "stage": "auth"},
        {"reply": ""},
        {"mx": "x"},
        "no object",
        {"reply": 5, "stage": "nowhere", "at": "2026-11-21T10:00:00Z"},
    ]
    text = "".join(json.dumps(each) + "\n" for each in asked) + "{broken\n"
    reports = lines("-", stdin='{"reply": "250 ok"}\n\n' + text)
    assert len(reports) == 1 + len(asked) + 1
    assert [reply(each).get("stage") for each in reports[1:3]] == [None, "auth"]
    assert reply(reports[1])["recipient"] == "bob@corp.example"
    assert {each["findings"][0]["cause"] for each in reports[3:]} == {"unknown"}
    assert reports[5]["findings"][0]["detail"] == "line 7 is no JSON object"
    assert reports[7]["findings"][0]["detail"] == "line 9 is no JSON object"


def test_a_log_is_told_while_it_grows() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "probe", "explain", "-f", "jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as ran:
        assert ran.stdin is not None
        assert ran.stdout is not None
        for to in ("u0@corp0.example", "u1@corp0.example"):
            line = log(("mx.corp.example", 1, "bounced", "550 5.1.1 <{}>: User unknown"))
            ran.stdin.write(line.replace("u0@corp0.example", to).encode())
            ran.stdin.flush()
            assert reply(json.loads(ran.stdout.readline()))["recipient"] == to
        ran.stdin.close()


def test_json_lines_are_answered_while_the_sender_waits() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "probe", "explain", "-f", "jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as ran:
        assert ran.stdin is not None
        assert ran.stdout is not None
        for code in (550, 451):
            ran.stdin.write(json.dumps({"reply": f"{code} no"}).encode() + b"\n")
            ran.stdin.flush()
            assert reply(json.loads(ran.stdout.readline()))["code"] == str(code)
        ran.stdin.close()


# -- mails, events, logs ---------------------------------------------------------------------------


def test_a_bounce_carries_its_evidence(tmp_path: Path) -> None:
    file = tmp_path / "bounce.eml"
    file.write_text(BOUNCE, encoding="utf-8")
    (report,) = lines(str(file))
    assert report["kind"] == "reply"
    assert report["subject"] == "bob@corp.example"
    assert reply(report) == {
        "recipient": "bob@corp.example",
        "reply": "550 5.1.1 <bob@corp.example>: User unknown",
        "code": "550",
        "enhanced": "5.1.1",
        "stage": "rcpt",
        "action": "failed",
        "sender": "ada@sender.example",
        "remote_mta": "mx.corp.example",
        "reporting_mta": "relay.example",
    }
    assert report["findings"][0]["cause"] == "recipient_unknown"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (BOUNCE, ["bob@corp.example"]),
        (TOP + NOTICES["beside each of two recipients"][0], ["bob@corp.example", "eve@corp.example"]),
        (NOTICES["at the end, for administrators"][0], ["bob@corp.example"]),
        (
            "From x@y.example Sat Nov 21 10:00:00 2026\n" + BOUNCE + "\nFrom x@y.example Sat\n" + BOUNCE,
            ["bob@corp.example"] * 2,
        ),
        (json.dumps(EVENTS["SES in SNS"][0]), ["bob@corp.example"]),
        (json.dumps(KUMO) + "\n" + json.dumps(KUMO), ["eve@corp.example", "eve@corp.example", None]),
        (POSTFIX, ["bob@corp.example", "eve@corp.example", None]),
        (EXIM, ["bob@corp.example", "eve@corp.example", None]),
        (POWERMTA, ["bob@corp.example", None]),
    ],
)
def test_every_failed_recipient_has_a_report(text: str, found: list[str | None]) -> None:
    """The last report of a log is the pile's, which is about nobody in particular."""
    reports = lines("-", stdin=text)
    told = [None if report["kind"] == "pile" else reply(report).get("recipient") for report in reports]
    assert told == found
    assert lines("-", stdin=gzip.compress(text.encode())) == reports


def test_a_maildir_is_read_mail_by_mail(tmp_path: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "cur" / "1").write_text(BOUNCE, encoding="utf-8")
    (tmp_path / "new" / "2").write_text(TOP + NOTICES["in brackets"][0], encoding="utf-8")
    (tmp_path / "tmp" / "3").write_text(BOUNCE, encoding="utf-8")
    assert len(lines(str(tmp_path))) == 2


def test_a_folder_of_which_nothing_can_be_read_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    code, out, err = explain("-f", "jsonl", str(tmp_path))
    reports = [json.loads(line) for line in out.splitlines()]
    assert [(one["subject"], one["findings"][0]["id"], one["findings"][0]["detail"]) for one in reports] == [
        ("gone", "mail/not-read", "No such file or directory"),
        ("pipe", "mail/not-read", "it is a pipe, a socket or a device"),
    ]
    assert (code, err) == (3, "")


def test_what_cannot_be_read_hides_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "1").write_text(BOUNCE, encoding="utf-8")
    (tmp_path / "2").symlink_to(tmp_path / "nowhere")
    assert [one["findings"][0]["id"] for one in lines(str(tmp_path))] == [
        "english/user-unknown",
        "mail/not-read",
    ]


def test_a_folder_without_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / ".hidden").write_text(BOUNCE, encoding="utf-8")
    code, out, _ = explain("-f", "nagios", str(tmp_path))
    assert (code, out.startswith("PROBE UNKNOWN")) == (3, True)
    (report,) = lines(str(tmp_path))
    assert report["findings"][0]["detail"] == "there is no file in it"


def test_an_input_without_failures_says_so() -> None:
    (report,) = lines("-", stdin="From: a@b.example\nTo: c@d.example\nSubject: lunch\n\nAt noon?\n")
    assert report["findings"][0]["id"] == "mail/no-failure"
    assert lines("-", stdin="")[0]["findings"][0]["id"] == "mail/no-failure"


# -- piles -----------------------------------------------------------------------------------------


def log(*rows: tuple[str, int, str, str]) -> str:
    """Rows of relay, count, status and words; each to an address of its own."""
    made: list[str] = []
    for relay, count, status, words in rows:
        for at in range(count):
            to = f"u{len(made)}@corp{at % 5}.example"
            made.append(
                f"Nov 21 10:00:00 mx postfix/smtp[1]: 4Fz1ab: to=<{to}>, relay={relay}[192.0.2.7]:25, delay=1, "
                f"delays=1, dsn=5.0.0, status={status} (host {relay}[192.0.2.7] said: {words.format(to)})\n"
            )
    return "".join(made)


def test_a_log_becomes_patterns_counts_and_a_list_of_the_dead(tmp_path: Path) -> None:
    file, suppress = tmp_path / "mail.log", tmp_path / "suppress.csv"
    file.write_text(
        log(
            ("mx.corp.example", 200, "sent", "250 ok"),
            ("mx.corp.example", 30, "bounced", "550 5.1.1 <{}>: User unknown"),
            ("aspmx.l.google.com", 40, "deferred", "421 4.7.28 unusual rate of mail. 7abc - gsmtp"),
            ("mx.corp.example", 25, "bounced", "450 4.1.1 <{}>: User unknown"),
            ("mx.corp.example", 6, "bounced", "599 {} qwertz 17 zebra"),
        ),
        encoding="utf-8",
    )
    code, out, err = explain("-f", "json", str(file), "-o", str(suppress))
    pile = json.loads(out)
    assert (code, pile["kind"]) == (1, "pile")
    ids = [finding["id"] for finding in pile["findings"]]
    assert {"fleet/list-pull", "fleet/one-receiver", "fleet/one-address"} <= set(ids)
    assert pile["evaluations"]["counts"] == {"deliveries": 301, "failed": 101, "complaints": 0}
    assert [each["count"] for each in pile["evaluations"]["unknown"] if "qwertz" in each["template"]] == [6]
    rows = list(csv.DictReader(io.StringIO(suppress.read_text(encoding="utf-8"))))
    assert len(rows) == 30  # only what was refused for good, and not on a guess
    assert {row["cause"] for row in rows} == {"recipient_unknown"}
    assert all(row["reply"] == f"550 5.1.1 <{row['address']}>: User unknown" for row in rows)
    assert "30 addresses" in err


def test_inboxes_of_one_tenant_in_a_log_are_the_tenants() -> None:
    """What the own provider refuses to three inboxes in an hour is mended once."""
    text = "".join(
        f"Nov 21 09:00:0{at} mx postfix/qmgr[1]: 4Fz1a{at}: from=<{at}@t.example>, size=1, nrcpt=1 (queue active)\n"
        f"Nov 21 09:10:0{at} mx postfix/smtp[1]: 4Fz1a{at}: to=<u@corp.example>, relay=smtp.office365.com[192.0.2.7]:587, "
        "delay=1, delays=1, dsn=5.7.708, status=bounced (host smtp.office365.com[192.0.2.7] said: "
        "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. (in reply to end of DATA))\n"
        for at in range(3)
    )
    *_, pile = lines("-", stdin=text)
    (told,) = [each for each in pile["findings"] if each["id"] == "fleet/tenant"]
    assert (told["evidence"]["tenant"], told["evidence"]["count"]) == ("t.example", "3")


def test_the_preset_chooses_the_threshold() -> None:
    text = log(
        ("mx.corp.example", 97, "sent", "250 ok"),
        ("mx.corp.example", 3, "bounced", "550 5.1.1 <{}>: User unknown"),
    )
    usual, strict = (
        json.loads(explain("-f", "json", "-", "--preset", name, stdin=text)[1])
        for name in ("usual", "strict")
    )
    ids = [
        {finding["id"] for report in each["reports"] for finding in report["findings"]}
        for each in (usual, strict)
    ]
    assert "fleet/list-watch" in ids[0]
    assert "fleet/list-act" in ids[1]


@pytest.mark.parametrize("formula", ["=cmd", "+cmd", " =cmd", "＝cmd"])
def test_a_spreadsheet_takes_no_cell_for_a_formula(formula: str, tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    told = {"reply": "550 5.1.1 User unknown", "recipient": f"{formula}@corp.example"}
    explain("-", "-o", str(file), stdin=json.dumps(told) + "\n")
    assert file.read_text(encoding="utf-8").splitlines()[1].startswith(f"'{formula.strip()}@")


def test_the_list_of_the_dead_holds_what_was_said_of_each(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    said = {
        f"{name}@corp.example": f"550 5.1.1 <{name}@corp.example>: unknown 7{name}" for name in ("ada", "bob")
    }
    told = [json.dumps({"reply": reply, "recipient": address}) for address, reply in said.items()]
    explain("-", "-o", str(file), stdin="\n".join(told) + "\n")
    rows = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))
    assert {row["address"]: row["reply"] for row in rows} == said


def test_a_complaint_has_no_reply_and_its_cell_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    told = {"notificationType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": "bob@corp.example"}]},
            "mail": {"timestamp": "2026-11-21T10:00:00Z"}}  # fmt: skip
    explain("-", "-o", str(file), stdin=json.dumps(told) + "\n")
    (row,) = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))
    assert (row["address"], row["cause"], row["reply"]) == ("bob@corp.example", "complaint", "")
    assert row["rule"] == "mail/complaint"


def test_the_verdict_is_the_same_in_any_order() -> None:
    text = log(
        ("a.example", 9, "bounced", "550 5.1.1 <{}>: User unknown"),
        ("b.example", 9, "deferred", "451 4.7.1 Greylisted"),
    )
    forward = list(explain_stream(io.BytesIO(text.encode()), "x", asked := Asked()))
    backward = list(
        explain_stream(
            io.BytesIO("".join(reversed(text.splitlines(keepends=True))).encode()), "x", other := Asked()
        )
    )
    assert len(forward) == len(backward) == 18
    assert [one.rule for one in asked.pile.report().findings] == [
        one.rule for one in other.pile.report().findings
    ]
    assert list(asked.pile.suppressed()) == list(other.pile.suppressed())


def test_every_kind_has_a_reader() -> None:
    assert all(callable(sources._reader(kind)) for kind in Kind)
    assert explain_delivery(Delivery()).findings[0].rule.id == "mail/no-reason"


# -- usage and speed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.eml"], "no such file"),
        ([""], "an argument is empty"),
        (["550 no", " "], "an argument is empty"),
        (["550 no", "--stage", "lunch"], "--stage"),
        (["550 no", "--provider", "nobody"], "nobody"),
        (["550 no", "--preset", "x"], "--preset"),
        (["550 no", "-f", "x"], "format"),
        (["550 no", "--rcpt-to", "bob@a.test"], "go with --verify"),
        (["550 no", "--verify", "--rcpt-to", "bob"], "--rcpt-to 'bob' is not an address"),
        (["550 no", "--verify", "--mail-from", "ada"], "--mail-from 'ada' is not an address"),
        (["550 no", "-o", "/nowhere/x.csv"], "/nowhere"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(arguments: list[str], says: str) -> None:
    code, out, err = explain(*arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_one_reply_needs_no_reader_of_anything_else() -> None:
    script = (
        "import sys; from probe.cli import main\n"
        "try: main(['explain', '550 5.1.1 no'])\n"
        "except SystemExit: pass\n"
        "needless = {'probe.fleet', 'probe.run.bounces', 'probe.grammar.maillog', 'probe.grammar.bounce',"
        " 'probe.grammar.webhook', 'probe.render._session', 'probe.render.json', 'html', 'gzip'}\n"
        "assert not needless & set(sys.modules), needless & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


@given(
    st.binary(max_size=300),
    st.sampled_from(
        [
            b"",
            b"{",
            b"[",
            b"From x\n",
            BOUNCE[:500].encode(),
            POSTFIX.encode(),
            EXIM.encode(),
            b"\x1f\x8b",
            b"type,rcpt\n",
        ]
    ),
)
@settings(max_examples=150, deadline=None)
def test_anything_gets_an_answer(junk: bytes, before: bytes) -> None:
    asked = Asked()
    reports = list(explain_stream(io.BytesIO(before + junk), "x", asked))
    assert all(report.findings for report in [*reports, asked.pile.report()])


def packed(text: bytes, times: int) -> bytes:
    for _ in range(times):
        text = gzip.compress(text)
    return text


HOSTILE = {
    "a long line": b"550 5.1.1 " + b"a" * 2_000_000,
    "noise": bytes(range(256)) * 4000,
    "nothing but zeros": b"\0" * 1_000_000,
    "a long line in a log": POSTFIX.encode().replace(b"no such user", b"x" * 2_000_000),
    "parts in parts": TOP.encode().replace(b"\n\n", b"\nContent-Type: multipart/mixed; boundary=b\n\n")
    + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 5000,
    "mails in mails": b"From: MAILER-DAEMON\nSubject: failed\nContent-Type: message/rfc822\n\n" * 3000,
    "a truncated mail": BOUNCE[:700].encode(),
    "deep JSON": b"[" * 500_000,
    "deep JSON in a line": b'{"reply": "550 x"}\n' + b'{"reply":' * 100_000 + b"\n",
    "a bomb of text": gzip.compress(b"550 no " * 2_000_000),
    "half a compressed file": gzip.compress(POSTFIX.encode() * 100)[:200],
    "a compressed file with a damaged middle": packed(POSTFIX.encode() * 100, 1)[:60] + b"\xff" * 200,
    "compressed again and again": packed(b"550 5.1.1 User unknown", 400),
    "times that no calendar has": b"".join(
        b'{"reply": "550 x", "at": %s}\n' % at for at in (b"1e999", b"NaN", b"-Infinity", b"9" * 400, b"[]")
    ),
    "an event at a time that no calendar has": b'[{"email": "a@b.example", "event": "bounce", "timestamp": 1e999}]',
    "an event at no number": b'[{"email": "a@b.example", "event": "bounce", "timestamp": NaN}]',
    "UTF-16": "550 5.1.1 User unknown".encode("utf-16"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_gets_an_answer(name: str) -> None:
    code, _, err = explain("-f", "jsonl", "-", stdin=HOSTILE[name])
    assert code in {0, 1, 3}
    assert "bug" not in err


def test_a_file_that_was_compressed_twice_is_read_and_no_deeper_one() -> None:
    (twice,) = lines("-", stdin=packed(b"550 5.1.1 User unknown", 2))
    assert twice["findings"][0]["cause"] == "recipient_unknown"
    (deeper,) = lines("-", stdin=packed(b"550 5.1.1 User unknown", 3))
    assert deeper["findings"][0]["id"] == "mail/not-read"
    assert "compressed more than 2 times" in deeper["findings"][0]["detail"]


@pytest.mark.parametrize("end", [b"", b"\xff" * 20], ids=["cut off", "damaged"])
def test_what_came_before_the_damage_is_told(end: bytes) -> None:
    text = POSTFIX + "".join(f"Nov 21 11:00:00 mx postfix/qmgr[1]: {at:x}: removed\n" for at in range(50_000))
    whole = gzip.compress(text.encode())
    code, out, err = explain("-f", "jsonl", "-", stdin=whole[: len(whole) * 3 // 4] + end)
    told = [json.loads(line) for line in out.splitlines()]
    assert (code, [report["kind"] for report in told]) == (1, ["reply", "reply", "pile"])
    assert [reply(report)["recipient"] for report in told[:2]] == ["bob@corp.example", "eve@corp.example"]
    assert "damaged; what came before was read" in err
    code, out, err = explain("-f", "jsonl", "-", stdin=gzip.compress(BOUNCE.encode())[:-30])
    assert (code, reply(json.loads(out))["recipient"]) == (1, "bob@corp.example")
    assert "damaged" in err


@pytest.mark.parametrize("end", [b"", b"\xff" * 20], ids=["half a file", "a damaged one"])
def test_a_compressed_file_of_which_nothing_can_be_read_is_unknown(end: bytes) -> None:
    code, out, _ = explain("-f", "jsonl", "-", stdin=packed(b"550 5.1.1 User unknown", 1)[:10] + end)
    (finding,) = json.loads(out)["findings"]
    assert (code, finding["id"], finding["detail"]) == (
        3,
        "mail/not-read",
        "the compressed file is damaged",
    )


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('[{"email": "bob@corp.example", ', "it begins like JSON and is none, or is nested too deeply"),
        ('{"hello": 1}\n{"email": \n{"hello": 2}\n', "lines that are no JSON: 1"),
    ],
    ids=["one value", "one a line"],
)
def test_broken_json_is_not_read(text: str, detail: str) -> None:
    (report,) = lines("-", stdin=text)
    assert (report["findings"][0]["id"], report["findings"][0]["detail"]) == ("mail/not-read", detail)


def test_a_line_that_is_no_json_object_is_not_read() -> None:
    first, broken = lines("-", stdin='{"reply": "550 5.1.1 User unknown"}\n{"reply": \n')
    assert [one["findings"][0]["id"] for one in (first, broken)] == ["english/user-unknown", "mail/not-read"]


def carrying(count: int) -> list[dict[str, str]]:
    """Events with a mail of one length each."""
    mail = "<p>Your message could not be delivered.</p><p>Reason: 550 5.1.1 no such user</p>"
    return [{"event": "bounce", "email": f"a{number}@b.example", "html": mail} for number in range(count)]


@pytest.mark.parametrize("kind", ["webhook", "events"])
def test_an_event_whose_mail_is_one_too_many_is_not_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = carrying(4)
    monkeypatch.setattr(webhook, "MAX_NOTICES", 3 * len(sent[0]["html"]) if kind == "webhook" else 0)
    text = json.dumps(sent) if kind == "webhook" else "\n".join(map(json.dumps, sent))
    _, out, err = explain("-f", "jsonl", "-", stdin=text)
    told = [one for one in map(json.loads, out.splitlines()) if one["kind"] == "reply"]
    read = ["english/user-unknown"] * 3 if kind == "webhook" else ["mail/not-read"] * 3
    assert [one["findings"][0]["id"] for one in told] == [*read, "mail/not-read"]
    assert [one["subject"] for one in told] == [one["email"] for one in sent]
    assert told[3]["findings"][0]["detail"] == "too much mail came before the one that this event carries"
    assert f"events whose mail came later: {1 if kind == 'webhook' else 4}" in err


def test_an_event_without_a_delivery_is_read_and_tells_of_none() -> None:
    (report,) = lines("-", stdin='{"hello": 1}\n{"hello": 2}\n')
    assert report["findings"][0]["id"] == "mail/no-failure"


def test_a_sentence_that_begins_with_from_ends_no_mail() -> None:
    notice = TOP + "bob@corp.example: mailbox is full\n\nFrom now on nothing is delivered.\n"
    assert len(lines("-", stdin="From x@y.example Sat Nov 21 10:00:00 2026\n" + notice)) == 1
