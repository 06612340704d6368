"""Notices for people in which one word or mark decides who failed and why."""

from __future__ import annotations

import pytest

from probe.grammar.bounce import bounces


def mail(body: str) -> bytes:
    head = "From: MAILER-DAEMON@mx.example.net\nTo: bob@example.net\nSubject: Undeliverable mail\n"
    return f"{head}Content-Type: text/plain; charset=utf-8\n\n{body}\n".encode()


@pytest.mark.parametrize(
    ("body", "recipient", "reply"),
    [
        pytest.param(
            "您的邮件被退回。\n\n收件人邮件地址：ada@example.com\n\n退信原因：550 User not found: ada@example.com",
            "ada@example.com",
            "550 User not found: ada@example.com",
            id="full-width punctuation is no part of an address",
        ),
        pytest.param(
            "Your e-mail to ada@example.com has not been delivered because the mailbox has been closed.",
            "ada@example.com",
            "the mailbox has been closed",
            id="your e-mail to somebody names the recipient",
        ),
        pytest.param(
            "Your message to ada@example.com could not be delivered.\n\n"
            "The server replied: 550 5.1.1 User unknown",
            "ada@example.com",
            "550 5.1.1 User unknown",
            id="what a server replied says more than that nothing was delivered",
        ),
        pytest.param(
            "<ada@example.com>: mailbox is full\n\nPlease mail to support@example.net if you need assistance.",
            "ada@example.com",
            "mailbox is full",
            id="whom to write to is no recipient",
        ),
    ],
)
def test_who_failed_and_why(body: str, recipient: str, reply: str) -> None:
    (told,) = bounces(mail(body))
    assert told.recipient == recipient
    assert reply in told.reply


def test_a_numbered_list_names_each_recipient_with_its_reason() -> None:
    told = bounces(
        mail("These failed:\n\n1. ada@example.com - 550 User unknown\n2. eve@example.org - 552 Full\n")
    )
    assert [(one.recipient, one.code) for one in told] == [
        ("ada@example.com", "550"),
        ("eve@example.org", "552"),
    ]
