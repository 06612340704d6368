"""Bounce mails as programs and people write them, each with what must be read out of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Stage
from probe.grammar import mime, status
from probe.grammar.bounce import bounces, pasted_bounce
from probe.grammar.delivery import Delivery
from probe.grammar.mime import mail, plain
from probe.grammar.status import MAX_RECIPIENTS

TOP = """From: MAILER-DAEMON@relay.example
To: ada@sender.example
Subject: Undelivered Mail Returned to Sender

"""


def read(text: str) -> list[Delivery]:
    return bounces(text.encode())


def one(text: str) -> Delivery:
    (found,) = read(text)
    return found


# -- for programs ----------------------------------------------------------------------------------

REPORT = """From: MAILER-DAEMON@relay.example (Mail Delivery System)
To: ada@sender.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="B1/relay.example"

--B1/relay.example
Content-Type: text/plain; charset=us-ascii

This is the mail system at host relay.example.

<{who}>: host mx.corp.example[192.0.2.7] said: 550 5.1.1 <{who}>: no such user
    (in reply to RCPT TO command)

--B1/relay.example
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

{status}

--B1/relay.example
Content-Type: message/rfc822

From: ada@sender.example
To: {who}
Subject: hello

hello
--B1/relay.example--
"""


def test_a_delivery_status_names_recipient_reply_codes_and_servers() -> None:
    found = one(
        REPORT.format(
            who="bob@corp.example",
            status="Final-Recipient: rfc822; bob@corp.example\nAction: failed\nStatus: 5.1.1\n"
            "Remote-MTA: dns; mx.corp.example\nDiagnostic-Code: smtp; 550 5.1.1 <bob@corp.example>:\n no such user",
        )
    )
    assert found == Delivery(
        recipient="bob@corp.example",
        reply="550 5.1.1 <bob@corp.example>: no such user",
        action="failed",
        code="550",
        enhanced="5.1.1",
        stage=Stage.RCPT,
        sender="ada@sender.example",
        remote_mta="mx.corp.example",
        reporting_mta="relay.example",
    )


def test_a_status_without_text_takes_the_words_for_people() -> None:
    found = one(
        REPORT.format(
            who="bob@corp.example",
            status="Final-Recipient: rfc822;bob@corp.example\nAction: failed\nStatus: 5.1.1",
        )
    )
    assert (found.reply, found.stage) == ("550 5.1.1 <bob@corp.example>: no such user", Stage.RCPT)
    assert found.remote_mta == "mx.corp.example"


def test_two_recipients_without_a_blank_line_between_are_two() -> None:
    found = read(
        REPORT.format(
            who="bob@corp.example",
            status="Final-Recipient: rfc822; a@corp.example\nAction: failed\nDiagnostic-Code: smtp; 550 5.1.1 a\n"
            "Final-Recipient: rfc822; b@corp.example\nAction: delayed\nDiagnostic-Code: smtp; 452 4.2.2 b",
        )
    )
    assert [(each.recipient, each.code, each.action) for each in found] == [
        ("a@corp.example", "550", "failed"),
        ("b@corp.example", "452", "delayed"),
    ]


def test_a_reply_of_several_lines_loses_the_repeated_code() -> None:
    found = one(
        REPORT.format(
            who="b@corp.example",
            status="Final-Recipient: rfc822; b@corp.example\nAction: failed\nStatus: 5.7.26\n"
            "Diagnostic-Code: smtp; 550-5.7.26 This mail has been blocked\n 550-5.7.26 because of DMARC.\n 550 5.7.26 Bye",
        )
    )
    assert found.reply == "550-5.7.26 This mail has been blocked because of DMARC. Bye"


def test_an_exit_status_is_no_reply() -> None:
    found = one(
        REPORT.format(
            who="b@corp.example",
            status="Final-Recipient: rfc822; b@corp.example\nAction: failed\nStatus: 5.3.0\nDiagnostic-Code: X-Unix; 77",
        )
    )
    assert found.reply == "550 5.1.1 <b@corp.example>: no such user"


def test_a_status_in_plain_text_counts_as_one() -> None:
    found = one(
        TOP + "Final-Recipient: rfc822; b@corp.example\nAction: failed\nDiagnostic-Code: smtp;554 5.7.1 no\n"
    )
    assert (found.recipient, found.reply) == ("b@corp.example", "554 5.7.1 no")


def test_a_complaint_is_a_complaint() -> None:
    found = one(
        """From: <fbl@mailbox.example>
Subject: FW: offer
Content-Type: multipart/report; report-type=feedback-report; boundary=x

--x
Content-Type: text/plain

This is an email abuse report.
--x
Content-Type: message/feedback-report

Feedback-Type: abuse
Original-Mail-From: ada@sender.example
Original-Rcpt-To: bob@mailbox.example
Source-IP: 192.0.2.1

--x--
"""
    )
    assert (found.action, found.recipient, found.sender, found.source_ip) == (
        "complaint",
        "bob@mailbox.example",
        "ada@sender.example",
        "192.0.2.1",
    )


def test_a_forwarded_bounce_is_read_for_what_it_carries() -> None:
    inner = REPORT.format(
        who="bob@corp.example",
        status="Final-Recipient: rfc822; bob@corp.example\nAction: failed\nDiagnostic-Code: smtp; 550 5.1.1 gone",
    )
    outer = f"""From: eve@sender.example
Subject: what is this?
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: text/plain

see below
--outer
Content-Type: message/rfc822

{inner}
--outer--
"""
    assert one(outer).reply == "550 5.1.1 gone"


def test_an_event_sent_by_mail_is_an_event() -> None:
    found = one(
        TOP
        + '{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":"bob@corp.example",'
        + '"diagnosticCode":"smtp; 550 5.1.1 gone"}]},"mail":{"source":"ada@sender.example"}}\n\n--\nunsubscribe'
    )
    assert (found.recipient, found.reply, found.sender) == (
        "bob@corp.example",
        "550 5.1.1 gone",
        "ada@sender.example",
    )


# -- for people ------------------------------------------------------------------------------------

NOTICES = {
    "said, after the recipient and a colon": (
        """<bob@corp.example>:
192.0.2.9 does not like recipient.
Remote host said: 550 5.1.1 unknown recipient
Giving up on 192.0.2.9.

--- Below this line is a copy of the message.

Return-Path: <ada@sender.example>
""",
        [("bob@corp.example", "550 5.1.1 unknown recipient")],
    ),
    "after the command it answered": (
        """The following address(es) failed:

  bob@corp.example
    host mx.corp.example [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<bob@corp.example>:
    550 No such person here

------ This is a copy of the message, including all the headers. ------
""",
        [("bob@corp.example", "550 No such person here")],
    ),
    "in a transcript": (
        """   ----- The following addresses had permanent fatal errors -----
<bob@corp.example>

   ----- Transcript of session follows -----
... while talking to mx.corp.example.:
>>> RCPT To:<bob@corp.example>
<<< 553 5.3.0 <bob@corp.example>... no such user here
550 5.1.1 <bob@corp.example>... User unknown
""",
        [("bob@corp.example", "553 5.3.0 <bob@corp.example>... no such user here")],
    ),
    "beside each of two recipients": (
        """Your message could not be delivered to:

    bob@corp.example: mailbox is full

    eve@corp.example: unknown user

    Below is a copy of the original message:

Received: from relay
""",
        [("bob@corp.example", "mailbox is full"), ("eve@corp.example", "unknown user")],
    ),
    "after a label": (
        """Message for: bob@corp.example
Your message cannot be delivered to the following recipients:

  Recipient address: bob@corp.example
  Reason: the quota of this mailbox is exceeded
""",
        [("bob@corp.example", "the quota of this mailbox is exceeded")],
    ),
    "before the recipient": (
        """Could not be delivered because of

550 5.1.1 User unknown

The following recipients were affected:
    bob@corp.example
""",
        [("bob@corp.example", "550 5.1.1 User unknown")],
    ),
    "in a session with times": (
        """--- Session Transcript ---
 Sat 2026-11-21 12:00:00: *  To: bob@corp.example
 Sat 2026-11-21 12:00:00: --> RCPT To:<bob@corp.example>
 Sat 2026-11-21 12:00:00: <-- 550 5.1.1 <bob@corp.example>: user unknown
--- End Transcript ---
It could not be delivered to bob@corp.example
""",
        [("bob@corp.example", "550 5.1.1 <bob@corp.example>: user unknown")],
    ),
    "as a reported error": (
        """Your message to bob@corp.example couldn't be delivered.
bob wasn't found at corp.example.

Original Message Details
Sender Address:     ada@sender.example
Recipient Address:  bob@corp.example

Error Details
Reported error:     550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found
DSN generated by:   x.outlook.example
""",
        [("bob@corp.example", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found")],
    ),
    "under a heading that is no copy": (
        """                           UNDELIVERABLE MAIL

Your message to the following recipients cannot be delivered:

<bob@corp.example>:
    mx.corp.example [192.0.2.7]:
>>> RCPT TO:<bob@corp.example>
<<< 550 5.1.1 <bob@corp.example>... User Unknown
""",
        [("bob@corp.example", "550 5.1.1 <bob@corp.example>... User Unknown")],
    ),
    "in German": (
        """Fehler bei der Nachrichtenzustellung an folgende Empfänger:

bob@corp.example
Die eingegebene E-Mail-Adresse konnte nicht gefunden werden.

Diagnoseinformationen für Administratoren:

Generierender Server: exch.corp.example

bob@corp.example
#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##

Ursprüngliche Nachrichtenkopfzeilen:

Received: from relay
""",
        [("bob@corp.example", "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##")],
    ),
    "after where the address came from": (
        """The following address(es) failed:

  bob@corp.example
    (generated from info@corp.example)
    retry timeout exceeded
""",
        [("bob@corp.example", "retry timeout exceeded")],
    ),
    "because": (
        """Your message

  Subject: hello

was not delivered to:

  bob@corp.example

because:

  User bob (bob@corp.example) not listed in the public address book
""",
        [("bob@corp.example", "User bob (bob@corp.example) not listed in the public address book")],
    ),
    "in brackets": (
        "---The following addresses had delivery errors---\n\nbob@corp.example [User unknown]\n",
        [("bob@corp.example", "[User unknown]")],
    ),
    "at the end, for administrators": (
        """Delivery has failed to these recipients or groups:

bob@corp.example<mailto:bob@corp.example>
The email address you entered couldn't be found.

Diagnostic information for administrators:

Generating server: EXCH.corp.example

bob@corp.example
Remote Server returned '550 5.4.1 Recipient address rejected: Access denied'

Original message headers:

Received: from relay
""",
        [("bob@corp.example", "550 5.4.1 Recipient address rejected: Access denied")],
    ),
}


@pytest.mark.parametrize("name", NOTICES)
def test_the_reason_of_a_notice_is_found(name: str) -> None:
    text, expected = NOTICES[name]
    assert [(each.recipient, each.reply) for each in read(TOP + text)] == expected
    assert [(each.recipient, each.reply) for each in pasted_bounce(text)] == expected


def test_the_recipient_may_stand_only_in_the_copy_or_the_header() -> None:
    copy = "save to /var/mail: quota exceeded\n\n--- Original message ---\n\nReceived: from x\nTo: Bob <bob@corp.example>\n"
    assert one(TOP + copy).recipient == "bob@corp.example"
    header = TOP.replace("\n\n", "\nX-Failed-Recipients: eve@corp.example\n\n")
    assert one(header + "it failed: mailbox full\n").recipient == "eve@corp.example"


def test_html_is_read_as_its_words() -> None:
    body = "<html><style>p{x:y}</style><p>Your message wasn't delivered to <a href='#'><b>bob@corp.example</b></a></p>"
    body += "<div>The response was:</div><div>550 5.1.1 does not exist</div></html>"
    text = TOP.replace("\n\n", "\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n")
    found = one(text + base64.encodebytes(body.encode()).decode())
    assert (found.recipient, found.reply) == ("bob@corp.example", "550 5.1.1 does not exist")
    assert plain("<p>a &lt;b&gt;<br>c</p>") == "a <b>\nc"


class Watched(str):
    """A text that counts the characters that are looked at to find something in it."""

    __slots__ = ("seen",)

    def lower(self) -> Watched:
        return self

    def find(self, *wanted: Any) -> int:
        at = super().find(*wanted)
        sub, start = wanted
        self.seen = getattr(self, "seen", 0) + (at if at >= 0 else len(self)) - start + len(sub)
        return at


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<stylex" * 1000 + "</style>", "<stylex" * 1000 + "</style>"),
        ("<style>a</style>" * 1000, "</style>" * 1000),
        ("<style>" * 1000, "<style>" * 1000),
        ("<style" * 1000 + " a</style>", "<style" * 999 + "</style>"),
        ("a<style", "a<style"),
    ],
)
def test_an_element_is_left_out_in_one_pass(markup: str, words: str) -> None:
    watched = Watched(markup)
    assert mime._without(watched, "style") == words
    assert watched.seen <= 4 * len(markup)


def test_an_automatic_answer_is_no_failure() -> None:
    (found,) = read(
        "From: bob@corp.example\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nBack on Monday.\n"
    )
    assert (found.action, found.recipient) == ("vacation", "bob@corp.example")


def test_an_ordinary_mail_is_no_bounce() -> None:
    assert read("From: bob@corp.example\nTo: ada@sender.example\nSubject: lunch\n\nAt noon?\n") == []


# -- whatever comes --------------------------------------------------------------------------------


@given(st.binary(max_size=600), st.sampled_from(["", TOP, REPORT[:400], REPORT[:-60]]))
@settings(max_examples=120, deadline=None)
def test_any_bytes_are_read(junk: bytes, before: str) -> None:
    for found in bounces(before.encode() + junk):
        assert isinstance(found, Delivery)


def test_parts_inside_parts_end() -> None:
    nested = b"".join(
        b'--b%d\nContent-Type: multipart/mixed; boundary="b%d"\n\n' % (at, at + 1) for at in range(2000)
    )
    assert mail(b'Content-Type: multipart/mixed; boundary="b0"\n\n' + nested).parts


@pytest.mark.parametrize(
    "charset", ["punycode", "punycode-", "PunyCode", "unicode_escape", "idna.", "us-ascii"]
)
def test_what_is_no_charset_is_read_as_utf_8(charset: str) -> None:
    text = "Öl-\\x41"
    (part,) = mail(f'Content-Type: text/plain; charset="{charset}"\n\n{text}'.encode()).parts
    assert part.text == text


def test_recipients_are_bounded() -> None:
    group = "Final-Recipient: rfc822; user{}@corp.example\nAction: failed\nDiagnostic-Code: smtp; 550 no\n\n"
    many = "".join(group.format(at) for at in range(MAX_RECIPIENTS + 5))
    assert len(read(REPORT.format(who="a@corp.example", status=many))) == MAX_RECIPIENTS


def test_what_a_report_says_for_all_is_small_however_much_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at again for every recipient."""
    sizes: list[int] = []
    real = status._recipient

    def measured(group: dict[str, str], reporter: str) -> Delivery:
        sizes.append(len(group) + sum(map(len, group.values())))
        return real(group, reporter)

    monkeypatch.setattr(status, "_recipient", measured)
    own = "".join(f"X-Own-{at}: {at}\n" + "\n" * (at % 2) for at in range(5000))
    long = "Remote-MTA: dns; mx.corp.example\n" + f" {'x' * 4000}\n" * 300
    found = status.status(
        f"Reporting-MTA: dns; relay.example\n{own}\n{long}\nFinal-Recipient: rfc822; a@b.example\n"
    )
    assert [(each.reporting_mta, each.remote_mta) for each in found] == [("relay.example", "mx.corp.example")]
    assert max(sizes) < 70_000


@pytest.mark.parametrize("piece", ["a@b.", "a.", "@", "<style><br ", "=?x?q?", "550 ", "<", "a@b.example "])
def test_a_megabyte_of_the_same_is_read_soon(piece: str) -> None:
    read(TOP + piece * (1_000_000 // len(piece)))
    read(TOP.replace("\n\n", "\nContent-Type: text/html\n\n") + piece * (1_000_000 // len(piece)))
