"""Mails about a delivery that are no plain bounce: warnings, answers, challenges, receipts, mails of people."""

from __future__ import annotations

import base64

import pytest

from probe.grammar.bounce import bounces
from probe.grammar.delivery import Delivery

DAEMON = "Mail Delivery System <MAILER-DAEMON@relay.example>"
BOB = "Bob <bob@corp.example>"


def letter(body: str, *fields: str, sender: str = DAEMON, subject: str = "Undelivered Mail") -> str:
    more = "".join(f"{field}\n" for field in fields)
    return f"From: {sender}\nTo: ada@sender.example\nSubject: {subject}\n{more}\n{body}"


def fates(text: str) -> list[tuple[str, str]]:
    return [(one.recipient, one.action) for one in bounces(text.encode())]


def report(kind: str, part: str) -> str:
    body = (
        f"--B1\nContent-Type: text/plain\n\nA report.\n--B1\nContent-Type: message/{kind}\n\n{part}\n--B1--\n"
    )
    return letter(body, 'Content-Type: multipart/report; boundary="B1"', sender=BOB, subject="x")


# -- not yet ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "<bob@corp.example>... Deferred: host name lookup failure\nWill keep trying until message is 5 days old",
        "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n\n<bob@corp.example>: user unknown",
        "Problem delivering your message to bob@corp.example. Gmail will retry for 46 more hours.",
        "bob@corp.example\n  Delay reason: user unknown\n\nDelivery attempts will continue for some time.",
        "bob@corp.example: no such user\n\nPlease note that this is only a temporary failure report.",
        "bob@corp.example\n\nThis message hasn't been delivered yet. Delivery will continue to be\nattempted.",
    ],
)
def test_a_warning_is_a_delay(words: str) -> None:
    assert fates(letter(words)) == [("bob@corp.example", "delayed")]


def test_the_words_of_the_message_that_came_back_delay_nothing() -> None:
    copy = (
        "--- Below this line is a copy of the message.\n\nTo: bob@corp.example\n\nYou do not need to resend."
    )
    assert fates(letter(f"<bob@corp.example>:\n550 no such user\n\n{copy}")) == [
        ("bob@corp.example", "failed")
    ]


def test_who_was_refused_for_good_does_not_wait_with_the_others() -> None:
    words = (
        "<bob@corp.example>... 550 5.1.1 User unknown\n<eve@corp.example>... Deferred: 451 4.7.1 later\n"
        "Will keep trying until message is 5 days old\n"
    )
    assert fates(letter(words)) == [("bob@corp.example", "failed"), ("eve@corp.example", "delayed")]


def test_a_subject_says_that_a_message_is_delayed() -> None:
    words = "Un problème temporaire est survenu pour bob@corp.example."
    text = letter(words, subject="Delivery Status Notification (Delay)")
    assert fates(text) == [("bob@corp.example", "delayed")]


@pytest.mark.parametrize(
    "words",
    [
        "Your message was successfully delivered to:\n\nbob@corp.example",
        "Your message was successfully\nrelayed to the following recipients:\n\n bob@corp.example",
        "Delivery to these recipients or groups is complete, but no notification was sent:\n\nbob@corp.example",
    ],
)
def test_a_notice_may_tell_of_an_arrival(words: str) -> None:
    assert fates(letter(words, subject="Delivery Status Notification (Success)")) == [
        ("bob@corp.example", "delivered")
    ]
    assert fates(letter(f"{words}\n550 5.1.1 no such user")) == [("bob@corp.example", "failed")]


@pytest.mark.parametrize("words", ["", "from relay.example [192.0.2.1]\n", "\n\n"])
def test_a_notice_without_a_line_of_its_own_is_read(words: str) -> None:
    assert fates(letter(words, "X-Failed-Recipients: bob@corp.example")) == [("bob@corp.example", "failed")]


# -- several recipients ----------------------------------------------------------------------------


def test_what_is_said_of_one_recipient_is_said_of_no_other() -> None:
    words = (
        "The following address(es) failed:\n\n  bob@corp.example\n    host mx.corp.example [192.0.2.7]\n"
        "    SMTP error from remote mail server after RCPT TO:<bob@corp.example>:\n    550 5.1.1 no such user\n"
        "  eve@other.example\n    retry timeout exceeded\n"
    )
    bob, eve = bounces(letter(words, "X-Failed-Recipients: bob@corp.example,\n  eve@other.example").encode())
    assert (bob.reply, bob.remote_mta) == ("550 5.1.1 no such user", "mx.corp.example")
    assert (eve.reply, eve.code, eve.remote_mta) == ("retry timeout exceeded", "", "")


def test_a_reason_stands_by_the_recipient_whose_label_is_before_it() -> None:
    words = (
        "Your message cannot be delivered to the following recipients:\n\n"
        "  Recipient address: bob@corp.example\n  Reason: Illegal host/domain name found\n\n"
        "  Recipient address: eve@corp.example\n  Reason: refused\n  Diagnostic code: smtp;550 5.7.1 SPF\n"
    )
    assert [(one.recipient, one.reply) for one in bounces(letter(words).encode())] == [
        ("bob@corp.example", "Illegal host/domain name found"),
        ("eve@corp.example", "550 5.7.1 SPF"),
    ]


def test_the_recipient_that_the_sender_wrote_to_is_kept() -> None:
    part = "Original-Recipient: rfc822;bob@corp.example\nFinal-Recipient: rfc822;gone@other.example\nAction: failed"
    (one,) = bounces(report("delivery-status", part).encode())
    assert (one.recipient, one.original) == ("gone@other.example", "bob@corp.example")


def test_who_writes_to_himself_bounces_too() -> None:
    (one,) = bounces(
        letter("<ada@sender.example>: host mx.corp.example[192.0.2.7] said: 550 no such user").encode()
    )
    assert (one.recipient, one.reply) == ("ada@sender.example", "550 no such user")


@pytest.mark.parametrize(
    "words",
    [
        "The response was:",
        "La respuesta fue:",
        "La réponse était :",
        "Die Antwort lautete:",
        "La risposta è stata:",
    ],
)
def test_the_paragraph_that_a_sentence_introduces_is_the_reply(words: str) -> None:
    text = f"** Mensaje **\n\nTu mensaje no se ha entregado a bob@corp.example.\n\n{words}\n\nNo mailbox of that name.\n"
    (one,) = bounces(letter(text, "X-Failed-Recipients: bob@corp.example").encode())
    assert one.reply == "No mailbox of that name."


# -- answers, challenges, receipts -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "field"),
    [
        ("Automatic reply: delivery problem", "Auto-Submitted: auto-generated"),
        ("Automatische Antwort: error", "X-Auto-Response-Suppress: All"),
        ("Respuesta automática: devolución", "Return-Path: <>"),
        ("Re: undelivered", "Auto-Submitted: auto-replied (vacation)"),
    ],
)
def test_an_answer_of_somebody_away_is_no_bounce(subject: str, field: str) -> None:
    words = "I left; mail to bob@corp.example could not be delivered. Ask eve@corp.example."
    assert fates(letter(words, field, sender=BOB, subject=subject)) == [("bob@corp.example", "vacation")]


def test_a_refusal_that_is_called_an_answer_is_one() -> None:
    words = "Your message to bob@corp.example was not accepted:\n\n550 5.7.1 blocked by policy\n"
    text = letter(
        words, "Auto-Submitted: auto-replied", sender="no-reply@filter.example", subject="Message rejected"
    )
    assert fates(text) == [("bob@corp.example", "failed")]


def test_a_challenge_holds_back_and_blames_nobody() -> None:
    words = "Your message to bob@corp.example will not be delivered until you confirm that you are human."
    for sender in (BOB, "filter@corp.example"):
        text = letter(words, "Auto-Submitted: auto-replied", sender=sender, subject="Please confirm")
        assert fates(text) == [("bob@corp.example", "challenge")]


def test_a_receipt_tells_of_an_arrival() -> None:
    part = "Final-Recipient: rfc822; bob@corp.example\nDisposition: manual-action/MDN-sent-manually; deleted"
    assert fates(report("disposition-notification", part)) == [("bob@corp.example", "delivered")]


def test_feedback_that_a_message_is_not_spam_is_no_complaint() -> None:
    part = "Feedback-Type: {}\nOriginal-Rcpt-To: bob@corp.example"
    assert fates(report("feedback-report", part.format("Not-Spam"))) == [("bob@corp.example", "delivered")]
    assert fates(report("feedback-report", part.format("abuse"))) == [("bob@corp.example", "complaint")]


# -- people ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "field"),
    [
        ("Re: Notice", "References: <1@sender.example>"),
        ("AW: Delivery failed", "X-Mailer: x"),
        ("hello", "In-Reply-To: <1@sender.example>"),
    ],
)
def test_what_people_write_of_deliveries_is_no_bounce(subject: str, field: str) -> None:
    words = "Unknown user, sorry: eve@corp.example left us, and the last parcel could not be delivered."
    assert fates(letter(words, field, sender=BOB, subject=subject)) == []


def test_a_bounce_that_somebody_hands_on_in_his_mail_is_read() -> None:
    words = (
        "What is this?\n\n---------- Forwarded message ---------\nFrom: <mailer-daemon@relay.example>\n"
        "Subject: Delivery Status Notification (Failure)\nTo: <ada@sender.example>\n\n"
        "Your message wasn't delivered to bob@corp.example.\n\nThe response was:\n\n550 5.1.1 no such user\n"
    )
    (one,) = bounces(letter(words, sender="ada@sender.example", subject="Fwd: failure").encode())
    assert (one.recipient, one.reply) == ("bob@corp.example", "550 5.1.1 no such user")


def test_a_bounce_that_somebody_quotes_is_read_without_the_marks() -> None:
    words = (
        "And now?\n\n> <bob@corp.example>: host mx.corp.example[192.0.2.7] said: 550 5.1.1 no\n>  such user"
    )
    (one,) = bounces(letter(words, sender="ada@sender.example", subject="Re: Undelivered Mail").encode())
    assert (one.recipient, one.reply) == ("bob@corp.example", "550 5.1.1 no such user")


def test_every_bounce_that_is_attached_is_read_in_its_own_charset() -> None:
    first = letter("<bob@corp.example>:\n550 5.1.1 no such user\n").encode()
    second = letter(
        "<eve@corp.example>:\n550 5.1.1 пользователь не найден\n", "Content-Type: text/plain; charset=koi8-r"
    ).encode("koi8-r")
    file = 'application/octet-stream; name="two.EML"\nContent-Transfer-Encoding: base64'
    parts = (b"message/rfc822", first), (b"message/rfc822", second), (file.encode(), base64.b64encode(first))
    body = b"".join(b"--B1\nContent-Type: %b\n\n%b\n" % part for part in parts)
    top = b'From: ada@sender.example\nSubject: see\nContent-Type: multipart/mixed; boundary="B1"\n\n'
    found = bounces(top + body + b"--B1--\n")
    assert [(one.recipient, one.reply) for one in found] == [
        ("bob@corp.example", "550 5.1.1 no such user"),
        ("eve@corp.example", "550 5.1.1 пользователь не найден"),
        ("bob@corp.example", "550 5.1.1 no such user"),
    ]


@pytest.mark.parametrize(
    ("subject", "words"),
    [("Teslim edilemedi", "Kullanıcı bulunamadı"), ("Nie dostarczono", "Skrzynka nie istnieje")],
)
def test_a_mail_server_is_believed_in_any_language(subject: str, words: str) -> None:
    text = letter(f"bob@corp.example\n\n{words}\n", sender="postmaster@corp.example", subject=subject)
    assert fates(text) == [("bob@corp.example", "failed")]


def test_a_shop_that_speaks_of_deliveries_tells_of_none() -> None:
    text = letter("Never failed: unknown offers!", sender="no-reply@shop.example", subject="Your delivery")
    assert bounces(text.encode()) == list[Delivery]()
