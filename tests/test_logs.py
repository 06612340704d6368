"""Lines of logs as daemons write them: every recipient, its fate, who said it, behind whatever prefix."""

from __future__ import annotations

import io

import pytest

from probe.grammar.intake import Kind, kind_of
from probe.rules import Verdict
from probe.run.sources import Asked, explain_stream

STAMP = "Nov 21 10:00:00 mx "
TO = "4Fz1ab0: to=<bob@corp.example>, relay={relay}, delay=1, delays=0/0/1/0, dsn={dsn}, status={said}\n"
MX = "mx.corp.example[192.0.2.7]:25"
NO_USER = TO.format(
    relay=MX,
    dsn="5.1.1",
    said="bounced (host mx.corp.example[192.0.2.7] said: 550 5.1.1 no such user (in reply to RCPT TO command))",
)


def told(text: str) -> list[tuple[str, str, str, Verdict]]:
    """The recipient, what became of the message, the reply and the verdict of each failure."""
    found = []
    for report in explain_stream(io.BytesIO(text.encode()), "mail.log", Asked(every=True)):
        finding = report.findings[0]
        evidence = finding.evidence
        found.append(
            (
                evidence.get("recipient", ""),
                evidence.get("action", ""),
                evidence.get("reply", ""),
                finding.verdict,
            )
        )
    return found


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "postfix/smtp[1]: ",
        STAMP + "postfix/smtp[1]: ",
        "<22>" + STAMP + "postfix/smtp[1]: ",
        "<22>1 2026-11-21T10:00:00.003Z mx postfix/smtp 102 - - ",
        "mail-1  | " + STAMP + "postfix/smtp[1]: ",
        "2026-11-21T10:00:00.123456789Z mx postfix/smtp[1]: ",
    ],
)
def test_a_line_of_postfix_is_read_behind_any_prefix(prefix: str) -> None:
    text = prefix + "4Fz1ab0: from=<ada@sender.example>, size=1, nrcpt=1 (queue active)\n" + prefix + NO_USER
    assert kind_of(text.encode()) is Kind.POSTFIX
    (report,) = explain_stream(io.BytesIO(text.encode()), "-", Asked(every=True))
    evidence = report.findings[0].evidence
    assert (evidence["sender"], evidence["recipient"]) == ("ada@sender.example", "bob@corp.example")
    assert (evidence["reply"], evidence["stage"]) == ("550 5.1.1 no such user", "rcpt")


@pytest.mark.parametrize(
    ("dsn", "said", "expected"),
    [
        (
            "4.4.3",
            "deferred (Name service error for name=corp.example: Host not found, try again)",
            "delayed wait",
        ),
        ("5.4.4", "bounced (Name service error for name=corp.example: Host not found)", "failed fail"),
        ("5.1.1", "undeliverable (host mx[192.0.2.7] said: 550 5.1.1 no such user)", "failed fail"),
        ("5.1.1", "SOFTBOUNCE (host mx[192.0.2.7] said: 550 5.1.1 no such user)", "delayed fail"),
        ("4.0.0", "deferred (something nobody has heard of)", "delayed wait"),
    ],
)
def test_what_postfix_says_of_a_delivery_is_kept(dsn: str, said: str, expected: str) -> None:
    ((_, action, _, verdict),) = told(STAMP + "postfix/smtp[1]: " + TO.format(relay=MX, dsn=dsn, said=said))
    assert f"{action} {verdict}" == expected


def test_an_address_that_was_verified_is_accepted() -> None:
    line = STAMP + "postfix/smtp[1]: " + TO.format(relay=MX, dsn="2.1.5", said="deliverable (250 2.1.5 Ok)")
    asked = Asked()
    assert list(explain_stream(io.BytesIO(line.encode()), "-", asked)) == []
    assert (asked.pile.seen, asked.pile.failed) == (1, 0)


def test_the_same_words_may_fail_and_wait_in_one_log() -> None:
    words = "(Name service error for name=corp.example: Host not found)"
    lines = [TO.format(relay="none", dsn=dsn, said=said + words) for dsn, said in FATES]
    found = told("".join(STAMP + "postfix/smtp[1]: " + line for line in lines))
    assert [verdict for *_, verdict in found] == [Verdict.FAIL, Verdict.WAIT]


FATES = (("5.4.4", "bounced "), ("4.4.3", "deferred "))


def test_a_reply_keeps_its_own_brackets() -> None:
    line = TO.format(
        relay=MX, dsn="5.7.1", said="bounced (host mx[192.0.2.7] said: 554 5.7.1 no (see x.example))"
    )
    assert told(STAMP + "postfix/smtp[1]: " + line)[0][2] == "554 5.7.1 no (see x.example)"


# -- sendmail, OpenSMTPD, qmail, Exim --------------------------------------------------------------


def sendmail(to: str, end: str) -> str:
    return (
        STAMP + f"sm-mta[9]: xAL1bc: to={to}, ctladdr=<ada@sender.example> (33/33), delay=00:00:01, "
        f"xdelay=00:00:01, mailer=esmtp, pri=3, relay=mx.corp.example. [192.0.2.7], {end}\n"
    )


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("dsn=5.1.1, stat=User unknown", "failed fail"),
        ("dsn=4.1.1, stat=User unknown", "delayed wait"),
        ("dsn=4.4.3, stat=queued", "delayed wait"),
        ("dsn=4.0.0, stat=Transient parse error -- message queued for future delivery", "delayed wait"),
        ("dsn=5.1.1, reply=550 5.1.1 <x>: no such user, stat=User unknown", "failed fail"),
    ],
)
def test_sendmail_says_by_its_status_whether_it_tries_again(end: str, expected: str) -> None:
    ((who, action, reply, verdict),) = told(sendmail("<bob@corp.example>", end))
    assert (who, f"{action} {verdict}") == ("bob@corp.example", expected)
    assert reply == end.partition("reply=" if "reply=" in end else "stat=")[2].partition(", stat")[0]


def test_every_recipient_of_a_line_of_sendmail_is_told() -> None:
    found = told(sendmail("<bob@corp.example>,<eve@corp.example>", "dsn=5.1.1, stat=User unknown"))
    assert [who for who, *_ in found] == ["bob@corp.example", "eve@corp.example"]


def test_a_delivery_of_opensmtpd_to_a_mailbox_of_its_own_has_no_relay() -> None:
    line = "smtpd[5]: 7a mda delivery evpid=2e from=<ada@sender.example> to=<bob@corp.example> rcpt=<-> user=bob "
    assert told(STAMP + line + 'delay=1s result="TempFail" stat="Error (mail.local: x)"\n') == [
        ("bob@corp.example", "delayed", "Error (mail.local: x)", Verdict.WAIT)
    ]


QMAIL = """\
new msg 123
info msg 123: bytes 500 from <ada@sender.example> qp 99 uid 0
starting delivery 12: msg 123 to remote bob@corp.example
starting delivery 13: msg 123 to remote eve_1@corp.example
delivery 13: deferral: 192.0.2.7_failed_after_I_sent_the_message./Remote_host_said:_451_4.7.1_greylisted/
delivery 12: failure: 192.0.2.7_does_not_like_recipient./Remote_host_said:_550-5.1.1_no_such/550_5.1.1_user,_see_\
https://corp.example/x/Giving_up_on_192.0.2.7./
starting delivery 14: msg 123 to remote joe@corp.example
delivery 14: success: 192.0.2.7_accepted_message./Remote_host_said:_250_ok/
starting delivery 15: msg 123 to remote joe@none.example
delivery 15: failure: Sorry,_I_couldn't_find_any_host_named_none.example._(#5.1.2)/
"""


@pytest.mark.parametrize("prefix", ["@400000005f5e10ff1a2b3c4d ", STAMP + "qmail: 1600000000.123456 ", ""])
def test_a_delivery_of_qmail_begins_in_one_line_and_ends_in_another(prefix: str) -> None:
    text = "".join(prefix + line for line in QMAIL.splitlines(keepends=True))
    assert kind_of(text.encode()) is Kind.QMAIL
    assert told(text) == [
        ("eve_1@corp.example", "delayed", "451 4.7.1 greylisted", Verdict.WAIT),
        ("bob@corp.example", "failed", "550-5.1.1 no such user, see https://corp.example/x", Verdict.FAIL),
        (
            "joe@none.example",
            "failed",
            "Sorry, I couldn't find any host named none.example. (#5.1.2)",
            Verdict.FAIL,
        ),
    ]


@pytest.mark.parametrize(
    ("line", "who", "reply"),
    [
        (
            "** bob@corp.example <list@sender.example> R=x T=y: 550 no such user",
            "bob@corp.example",
            "550 no such user",
        ),
        ("** |/bin/filter <list@sender.example> R=x T=pipe: it died", "list@sender.example", "it died"),
        ("** bob <bob@corp.example> R=x: 550-no such\\n550 user", "bob@corp.example", "550-no such user"),
        (
            "== bob@corp.example routing defer (-51): retry time not reached",
            "bob@corp.example",
            "retry time not reached",
        ),
    ],
)
def test_exim_names_the_address_that_failed_first(line: str, who: str, reply: str) -> None:
    found = told(f"2026-11-21 10:00:01 1abcDE-0001Ab-Cd {line}\n")
    assert [(each[0], each[2]) for each in found] == [(who, reply)]


def test_a_status_that_powermta_heard_by_mail_is_told_by_its_action() -> None:
    head = "type,timeLogged,orig,rcpt,dsnAction,dsnStatus,dsnDiag\n"
    rows = "rs,1795255200,ada@sender.example,bob@corp.example,{},{},smtp;{}\n"
    found = told(
        head
        + rows.format("failed", "5.1.1", "550 no such user")
        + rows.format("delayed", "4.2.2", "452 full")
    )
    assert [(who, action) for who, action, *_ in found] == [
        ("bob@corp.example", "failed"),
        ("bob@corp.example", "delayed"),
    ]


def test_a_queue_of_powermta_that_waits_names_nobody() -> None:
    ((who, action, _, verdict),) = told("type,timeLogged,orig,rcpt,dsnDiag\ntq,1795255200,,,421 too many\n")
    assert (who, action, verdict) == ("", "delayed", Verdict.WAIT)


def test_a_row_of_powermta_that_was_cut_is_no_failure_of_nobody() -> None:
    assert told("type,timeLogged,orig,rcpt,dsnDiag\nb,1795255200\n")[0][0] == ""
    assert [
        who
        for who, *_ in told(
            "type,timeLogged,orig,rcpt,dsnDiag\nb,1,a@b.example,bob@corp.example,550 no\nb,1\n"
        )
    ] == ["bob@corp.example"]


@pytest.mark.parametrize(
    "line",
    [
        STAMP
        + 'postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.9]: 550 no; from=<"]: '
        + NO_USER.strip()
        + '"@evil.example>',
        STAMP
        + 'sm-mta[1]: xA1b: from=<"xAL1: to=<bob@corp.example>, dsn=5.1.1, stat=User unknown"@evil.example>, size=1',
        '2026-11-21 10:00:02 F=<"a 1abcDE-0001Ab-Cd ** bob@corp.example: 550 no such user"@evil.example> rejected',
    ],
    ids=["postfix", "sendmail", "exim"],
)
def test_a_line_that_a_stranger_put_into_an_address_is_no_line(line: str) -> None:
    before = STAMP + "postfix/smtpd[1]: connect from x[192.0.2.9]\n" if line.startswith("Nov") else ""
    assert [who for who, *_ in told(f"{before}{line}\n")] == [""]
