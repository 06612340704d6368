"""What was handed over is told from its beginning; logs and webhooks become deliveries."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Stage
from probe.grammar import maillog, webhook
from probe.grammar.delivery import Delivery, codes, folded, seconds, spoken, stage_of, unrepeated
from probe.grammar.intake import Kind, kind_of
from probe.grammar.maillog import Logged
from probe.grammar.qmail import qmail
from probe.grammar.template import masked, template
from probe.grammar.webhook import MAX_EVENTS, events, loads

POSTFIX = """\
Nov 21 09:58:01 mx postfix/qmgr[101]: 4Fz1ab0: from=<ada@sender.example>, size=2211, nrcpt=1 (queue active)
Nov 21 09:58:02 mx postfix/smtp[102]: 4Fz1ab0: to=<bob@corp.example>, relay=mx.corp.example[192.0.2.7]:25, \
delay=1.2, delays=0.1/0/0.5/0.6, dsn=5.1.1, status=bounced (host mx.corp.example[192.0.2.7] said: 550 5.1.1 \
<bob@corp.example>: no such user (in reply to RCPT TO command))
Nov 21 10:58:02 mx postfix/smtp[102]: 4Fz1ab1: to=<eve@corp.example>, relay=none, delay=30, delays=0/0/30/0, \
dsn=4.4.1, status=deferred (connect to mx.corp.example[192.0.2.7]:25: Connection timed out)
Nov 21 10:58:03 mx postfix/smtp[102]: 4Fz1ab2: to=<joe@corp.example>, relay=mx.corp.example[192.0.2.7]:25, \
delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77)
Nov 21 10:58:04 mx postfix/smtpd[103]: connect from unknown[198.51.100.9]
"""
EXIM = """\
2026-11-21 10:00:00 1abcDE-0001Ab-Cd <= ada@sender.example H=(x) P=esmtp S=1200
2026-11-21 10:00:01 1abcDE-0001Ab-Cd ** bob@corp.example R=dnslookup T=remote_smtp H=mx.corp.example [192.0.2.7] \
X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes: SMTP error from remote mail server after RCPT TO:<bob@corp.example>: \
550 5.1.1 no such user
2026-11-21 10:00:02 1abcDE-0001Ab-Ce == eve@corp.example R=dnslookup T=remote_smtp defer (-44): \
SMTP error from remote mail server after end of data: 451 4.7.1 greylisted
2026-11-21 10:00:03 1abcDE-0001Ab-Cf => joe <joe@corp.example> R=dnslookup T=remote_smtp H=mx.corp.example [192.0.2.7]
2026-11-21 10:00:03 1abcDE-0001Ab-Cf Completed
"""
POWERMTA = """\
type,timeLogged,orig,rcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat
b,2026-11-21 10:00:00+0000,ada@sender.example,bob@corp.example,failed,5.1.1 (bad),"smtp;550 5.1.1 ""no"", really",\
mx.corp.example (192.0.2.7),bad-mailbox
d,2026-11-21 10:00:01+0000,ada@sender.example,joe@corp.example,relayed,2.0.0 (ok),smtp;250 ok,mx.corp.example (192.0.2.7),
"""
KUMO = {
    "type": "TransientFailure", "sender": "ada@sender.example", "recipient": "eve@corp.example", "queue": "corp.example",
    "response": {"code": 451, "enhanced_code": {"class": 4, "subject": 7, "detail": 1}, "content": "greylisted",
                 "command": "RCPT TO:<eve@corp.example>"},
    "peer_address": {"name": "mx.corp.example.", "addr": "192.0.2.7"}, "timestamp": 1795255200,
}  # fmt: skip
SES = {
    "notificationType": "Bounce",
    "bounce": {"bounceType": "Permanent", "reportingMTA": "dns; out.ses.example", "bouncedRecipients": [
        {"emailAddress": "bob@corp.example", "action": "failed", "status": "5.1.1",
         "diagnosticCode": "smtp; 550 5.1.1 no such user"}]},
    "mail": {"source": "ada@sender.example", "destination": ["bob@corp.example"]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("550 5.1.1 no such user", Kind.REPLY),
        ("(550, b'5.7.26 no')", Kind.REPLY),
        ("<html><p>550 5.1.1 no</p></html>", Kind.REPLY),
        ("\x00\x01\x02", Kind.REPLY),
        ("", Kind.EMPTY),
        (" \r\n ", Kind.EMPTY),
        ('{"reply": "550 no"}\n{"reply": "451 later"}\n', Kind.LINES),
        ('{"mx": "x", "reply": "550 no"}', Kind.LINES),
        (json.dumps(SES), Kind.WEBHOOK),
        (json.dumps(SES, indent=1), Kind.WEBHOOK),
        ('[{"event":"bounce"}]', Kind.WEBHOOK),
        (json.dumps(KUMO) + "\n" + json.dumps(KUMO) + "\n", Kind.EVENTS),
        ("Return-Path: <>\r\nFrom: MAILER-DAEMON\r\nSubject: failed\r\n\r\nno", Kind.MAIL),
        ("From a@b.example Sat Nov 21 10:00:00 2026\nFrom: a@b.example\nSubject: failed\n\nno", Kind.MBOX),
        (POSTFIX, Kind.POSTFIX),
        (EXIM, Kind.EXIM),
        (POWERMTA, Kind.POWERMTA),
        ("Nov 21 09:00:00 mx dovecot: imap-login: Login: user=<x>\n" * 4, Kind.POSTFIX),
        ("2026-11-21T09:00:00.123456+01:00 mx systemd[1]: Started it.\n" * 4, Kind.POSTFIX),
        ("2026-11-21 09:00:00 no host name found for IP address 192.0.2.1\n" * 4, Kind.EXIM),
    ],
)
def test_kinds_are_told_apart(text: str, kind: Kind) -> None:
    assert kind_of(text.encode()) is kind


def deliveries(text: str, kind: Kind) -> list[Delivery]:
    read = {Kind.POSTFIX: maillog.postfix, Kind.EXIM: maillog.exim, Kind.POWERMTA: maillog.powermta}[kind]
    return [maillog.delivery(logged) for logged in read(maillog.lines(io.BytesIO(text.encode())))]


def test_postfix_tells_server_command_and_sender() -> None:
    bounced, deferred, sent = deliveries(POSTFIX, Kind.POSTFIX)
    assert bounced == Delivery(
        recipient="bob@corp.example",
        reply="550 5.1.1 <bob@corp.example>: no such user",
        action="failed",
        code="550",
        enhanced="5.1.1",
        stage=Stage.RCPT,
        sender="ada@sender.example",
        remote_mta="mx.corp.example",
        at=bounced.at,
    )
    assert (deferred.action, deferred.remote_mta) == ("delayed", "")
    assert deferred.reply == "connect to mx.corp.example[192.0.2.7]:25: Connection timed out"
    assert sent.action == "delivered"
    assert deferred.at - bounced.at == 3600


def test_exim_tells_the_same() -> None:
    bounced, deferred, sent = deliveries(EXIM, Kind.EXIM)
    assert (bounced.reply, bounced.stage, bounced.remote_mta) == (
        "550 5.1.1 no such user",
        Stage.RCPT,
        "mx.corp.example",
    )
    assert bounced.sender == "ada@sender.example"
    assert (deferred.reply, deferred.stage, deferred.action) == (
        "451 4.7.1 greylisted",
        Stage.DATA,
        "delayed",
    )
    assert (sent.recipient, sent.action) == ("joe@corp.example", "delivered")


def test_sendmail_and_opensmtpd_tell_the_same() -> None:
    stamp = "Nov 21 10:00:00 mx "
    found = deliveries(
        stamp
        + "sm-mta[1]: 3AL1: from=<ada@sender.example>, size=12, class=0, nrcpts=1\n"
        + stamp
        + "sm-mta[1]: 3AL1: to=<bob@corp.example>, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=3, "
        "relay=mx.corp.example. [192.0.2.7], dsn=5.1.1, stat=User unknown\n"
        + stamp
        + "sm-mta[1]: 3AL1: to=<eve@corp.example>, delay=00:00:01, mailer=esmtp, dsn=4.0.0, stat=Deferred: "
        "Connection refused by mx.corp.example.\n"
        + stamp
        + "smtpd[2]: 7f mta delivery evpid=7f from=<ada@sender.example> to=<joe@corp.example> rcpt=<-> "
        'source="192.0.2.1" relay="192.0.2.7 (mx.corp.example)" delay=1s result="PermFail" stat="550 5.1.1 no such user"\n',
        Kind.POSTFIX,
    )
    assert [(one.recipient, one.action, one.remote_mta, one.sender, one.reply) for one in found] == [
        ("bob@corp.example", "failed", "mx.corp.example", "ada@sender.example", "User unknown"),
        (
            "eve@corp.example",
            "delayed",
            "",
            "ada@sender.example",
            "Deferred: Connection refused by mx.corp.example.",
        ),
        ("joe@corp.example", "failed", "mx.corp.example", "ada@sender.example", "550 5.1.1 no such user"),
    ]


def test_powermta_tells_the_same() -> None:
    bounced, delivered = deliveries(POWERMTA, Kind.POWERMTA)
    assert (bounced.recipient, bounced.reply, bounced.remote_mta) == (
        "bob@corp.example",
        '550 5.1.1 "no", really',
        "mx.corp.example",
    )
    assert delivered.action == "delivered"


def test_a_line_without_end_keeps_its_beginning() -> None:
    stream = io.BytesIO(b"status=" + b"x" * (3 * maillog.CHUNK) + b"\nsecond\nthird")
    batches = [line for batch in maillog.lines(stream) for line in batch]
    assert [len(batches[0]), *batches[1:]] == [maillog.MAX_LINE, b"second", b"third"]


@given(st.lists(st.binary(max_size=120), max_size=20))
@settings(max_examples=80, deadline=None)
def test_any_lines_are_read(lines: list[bytes]) -> None:
    for read in (maillog.postfix, maillog.exim, maillog.powermta, qmail):
        for logged in read([[b"type,rcpt,dsnDiag", *lines]]):
            assert isinstance(maillog.delivery(logged), Delivery)


# -- webhooks --------------------------------------------------------------------------------------

EVENTS: dict[str, tuple[object, dict[str, object]]] = {
    "SES": (SES, {"reply": "550 5.1.1 no such user", "reporting_mta": "out.ses.example"}),
    "SES in SNS": ({"Type": "Notification", "Message": json.dumps(SES)}, {"reply": "550 5.1.1 no such user"}),
    "SES, a complaint": (
        {"notificationType": "Complaint", "mail": {"source": "ada@sender.example", "destination": ["bob@corp.example"],
         "commonHeaders": {"from": ["ada@sender.example"], "to": ["bob@corp.example"]}},
         "complaint": {"complainedRecipients": [{"emailAddress": "bob@corp.example"}]}},
        {"action": "complaint"},
    ),
    "SES, delivered": (
        {"notificationType": "Delivery", "mail": {"source": "ada@sender.example", "destination": ["bob@corp.example"]},
         "delivery": {"recipients": ["bob@corp.example"], "smtpResponse": "250 2.6.0 received"}},
        {"reply": "250 2.6.0 received", "action": "delivered"},
    ),
    "SendGrid": (
        [{"email": "bob@corp.example", "event": "bounce", "type": "blocked", "status": "5.7.1",
          "reason": "550 5.7.1 blocked", "ip": "192.0.2.1", "from": "ada@sender.example"}],
        {"reply": "550 5.7.1 blocked", "source_ip": "192.0.2.1"},
    ),
    "Mailgun": (
        {"event-data": {"event": "failed", "severity": "temporary", "reason": "bounce", "recipient": "bob@corp.example",
                        "delivery-status": {"code": 550, "message": "5.1.1 no such user", "mx-host": "mx.corp.example"},
                        "envelope": {"sender": "ada@sender.example"}}},
        {"reply": "5.1.1 no such user", "code": "550", "enhanced": "5.1.1", "remote_mta": "mx.corp.example", "action": "delayed"},
    ),
    "Postmark": (
        {"RecordType": "Bounce", "Type": "HardBounce", "Email": "bob@corp.example", "From": "ada@sender.example",
         "Description": "The server was unable to deliver", "Details": "smtp;550 5.1.1 no such user"},
        {"reply": "550 5.1.1 no such user"},
    ),
    "Smartlead": (
        {"event_type": "EMAIL_BOUNCE", "from_email": "ada@sender.example", "to_email": "bob@corp.example",
         "bounce_message": {"html": "<p>Delivery has failed:</p><p>bob@corp.example</p><p>Remote server returned "
                                    "'550 5.4.1 Recipient address rejected'</p>"}},
        {"reply": "550 5.4.1 Recipient address rejected", "enhanced": "5.4.1"},
    ),
    "Instantly": (
        {"event_type": "email_bounced", "lead_email": "bob@corp.example", "email_account": "ada@sender.example"},
        {"reply": ""},
    ),
    "KumoMTA": (
        {**KUMO, "recipient": "bob@corp.example"},
        {"reply": "greylisted", "code": "451", "enhanced": "4.7.1", "stage": Stage.RCPT, "action": "delayed",
         "remote_mta": "mx.corp.example"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("vendor", EVENTS)
def test_an_event_names_recipient_sender_and_reply(vendor: str) -> None:
    value, expected = EVENTS[vendor]
    (found,) = events(value)
    assert (found.recipient, found.sender) == ("bob@corp.example", "ada@sender.example")
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("event", ["open", "click", "processed", "Reception", "unsubscribe", "Send"])
def test_what_happens_before_and_after_is_no_delivery(event: str) -> None:
    assert events({"email": "bob@corp.example", "event": event, "sender": "ada@sender.example"}) == []


def test_what_tells_of_no_delivery_gives_nothing() -> None:
    assert (
        events({"hello": "world"}) == events([]) == events("x") == events({"email": "bob@corp.example"}) == []
    )


def test_the_mails_of_many_events_are_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = "<p>Your message could not be delivered.</p><p>Reason: 550 5.1.1 no such user</p>"
    value = [{"event": "bounce", "email": f"a{number}@b.test", "html": mail} for number in range(500)]
    monkeypatch.setattr(webhook, "MAX_NOTICES", 50 * len(mail))
    found = events(value)
    assert [(one.code, one.unread) for one in found] == [("550", False)] * 50 + [("", True)] * 450


def test_deep_and_long_values_end() -> None:
    deep: object = {"email": "bob@corp.example", "reason": "550 no"}
    for _ in range(100):
        deep = {"x": deep}
    assert events(deep) == []
    assert (
        len(events([{"email": f"a{at}@b.example", "event": "bounce"} for at in range(MAX_EVENTS + 5)]))
        == MAX_EVENTS
    )
    with pytest.raises(ValueError, match=r"deeply|Expecting"):
        loads("[" * 200_000)


@given(
    st.recursive(
        st.none() | st.text(max_size=20) | st.integers(),
        lambda each: (
            st.lists(each, max_size=4)
            | st.dictionaries(
                st.sampled_from(["email", "to", "reason", "status", "event", "x"]), each, max_size=4
            )
        ),
        max_leaves=20,
    )
)
@settings(max_examples=80, deadline=None)
def test_any_value_is_read(value: object) -> None:
    assert all(isinstance(found, Delivery) for found in events(value))


# -- small readers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (1763719200, 1763719200.0),
        (1763719200000, 1763719200.0),
        ("1763719200", 1763719200.0),
        (" 1763719200000.5", 1763719200.0005),
        ("2025-11-21T10:00:00Z", 1763719200.0),
        ("2025-11-21T11:00:00.5+01:00", 1763719200.5),
        ("0001-01-01", 0.0),
        ("yesterday", 0.0),
        (None, 0.0),
        ([], 0.0),
        (-5, 0.0),
        (float("inf"), 0.0),
        (float("nan"), 0.0),
        (10**400, 0.0),
        ("9" * 400, 0.0),
    ],
)
def test_a_time_is_seconds_since_the_epoch_or_unknown(told: object, found: float) -> None:
    assert seconds(told) == found


def test_codes_stand_first() -> None:
    assert codes("550 5.1.1 no") == ("550", "5.1.1")
    assert codes("#550 5.4.1 no ##") == ("550", "5.4.1")
    assert codes("mailbox 5150 full at 10.5.1.1") == ("", "")


def test_a_reply_on_one_line_keeps_one_code() -> None:
    assert (
        unrepeated("550-5.1.1 no such 550-5.1.1 user 550 5.1.1 here", "550") == "550-5.1.1 no such user here"
    )
    assert unrepeated("550 550 5.1.1 no", "550") == "550 5.1.1 no"
    assert unrepeated("see 550 and 550", "550") == "see 550 and 550"
    assert unrepeated("550 " * 1000 + "5.1.1 no", "550") == "550 5.1.1 no"
    assert unrepeated("550" * 1000, "550") == "550"
    assert folded(" a\r\n  b ", 2) == "a"


def test_a_reply_that_repeats_its_code_without_end_is_a_reply_of_a_log() -> None:
    told, *_ = deliveries(POSTFIX.replace("550 5.1.1", "550 " * 1000 + "5.1.1"), Kind.POSTFIX)
    assert (told.code, told.reply.count("550")) == ("550", 1)


def test_the_command_of_a_reply_is_read() -> None:
    assert spoken("host mx[1.2.3.4] said: 550 no (in reply to end of DATA command)") == ("550 no", Stage.DATA)
    assert spoken("host mx[1.2.3.4] refused to talk to me: 554 no") == ("554 no", Stage.GREETING)
    assert stage_of("after MAIL FROM:<a@b.example>") is Stage.MAIL
    assert stage_of("nothing of the kind") is None


def test_replies_that_differ_in_ids_have_one_template() -> None:
    one = "550 5.1.1 <a1@b.example>: blocked by 192.0.2.1, see https://x.example/?id=7 (4Fz1ab)"
    two = "550 5.1.1 <bb@c.example>: blocked by 198.51.100.77, see https://x.example/?id=99 (9Qq7)"
    assert template(one) == template(two) == "550 5.1.1 <<address>>: blocked by <ip>, see <link> (<id>)"
    assert masked(b"550 5.1.1 blocked 10.0.0.1 id=4Fz1") == b"550 5.1.1 blocked # id=#"
    assert Logged(b"sent", b"", b"", b"").hour == 0
