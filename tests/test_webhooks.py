"""Events as sending services tell them: whose address, what became of it; and how their files break."""

from __future__ import annotations

import io
import json

import pytest

from probe.grammar import webhook
from probe.grammar.webhook import events, values
from probe.run.sources import Asked, explain_stream

BOB = "bob@corp.example"


def ses(kind: str, sub: str, **recipient: str) -> dict[str, object]:
    who = {"emailAddress": BOB, **recipient}
    return {
        "notificationType": "Bounce",
        "bounce": {"bounceType": kind, "bounceSubType": sub, "bouncedRecipients": [who],
                   "reportingMTA": "dsn; a8.smtp-out.amazonses.com"},
        "mail": {"source": "ada@sender.example", "sourceIp": "203.0.113.9", "destination": [BOB]},
    }  # fmt: skip


def postmark(kind: str, details: str = "") -> dict[str, str]:
    return {
        "RecordType": "Bounce",
        "Type": kind,
        "Email": BOB,
        "From": "ada@sender.example",
        "Details": details,
    }


def resend(kind: str, **more: object) -> dict[str, object]:
    return {"type": f"email.{kind}", "data": {"from": "Ada <ada@sender.example>", "to": [BOB], **more}}


KUMO_FEEDBACK = {
    "type": "Feedback", "sender": "fbl@isp.example", "recipient": "fbl@sender.example",
    "feedback_report": {"feedback_type": "abuse", "original_rcpt_to": [BOB], "original_mail_from": "ada@sender.example"},
}  # fmt: skip

FATES: list[tuple[str, object, str]] = [
    ("SES, for now", ses("Transient", "MailboxFull"), "delayed MailboxFull"),
    ("SES, for ever", ses("Permanent", "General", diagnosticCode="smtp; 550 5.1.1 no"), "failed 550 5.1.1 no"),
    ("SES, without a reason", ses("Permanent", "General"), "failed"),
    ("Postmark, for now", postmark("Transient", "smtp;451 4.7.1 later"), "delayed 451 4.7.1 later"),
    ("Postmark, an answer", postmark("AutoResponder"), "vacation"),
    ("Postmark, a challenge", postmark("ChallengeVerification"), "challenge"),
    ("Resend, bounced", resend("bounced", bounce={"message": "no such user", "type": "Permanent"}), "failed no such user"),
    ("Resend, bounced for now", resend("bounced", bounce={"message": "full", "type": "Transient"}), "delayed full"),
    ("Resend, delayed", resend("delivery_delayed"), "delayed"),
    ("Resend, complained", resend("complained"), "complaint"),
    ("Resend, delivered", resend("delivered"), "delivered"),
    ("Mandrill, spam", {"event": "spam", "msg": {"email": BOB, "sender": "ada@sender.example"}}, "complaint"),
    ("Brevo, spam", {"event": "spam", "email": BOB}, "complaint"),
    ("Elastic, spam", {"status": "AbuseReport", "to": BOB}, "complaint"),
    ("Elastic, sent", {"status": "Sent", "to": BOB}, "delivered"),
    ("Elastic, failed", {"status": "Error", "to": BOB}, "failed"),
    ("KumoMTA, a complaint", KUMO_FEEDBACK, "complaint"),
    ("SparkPost, no spam", {"type": "spam_complaint", "fbtype": "not-spam", "rcpt_to": BOB}, "delivered"),
    (
        "MailerSend",
        {"type": "activity.hard_bounced", "data": {"type": "hard_bounced", "morph": {"reason": "no such user"},
         "email": {"from": "ada@sender.example", "recipient": {"email": BOB}}}},
        "failed no such user",
    ),
    (
        "Postal",
        {"event": "MessageDeliveryFailed", "payload": {"status": "HardFail", "output": "550 5.1.1 no",
         "details": "not delivered", "message": {"to": BOB, "from": "ada@sender.example"}}},
        "failed 550 5.1.1 no",
    ),
    (
        "ZeptoMail",
        {"event_name": ["hardbounce"], "event_message": [{"event_data": [{"details": [
            {"reason": "x", "bounced_recipient": BOB, "diagnostic_message": "550 5.1.1 no"}]}]}]},
        "failed 550 5.1.1 no",
    ),
    (
        "Emailit",
        {"type": "email.bounced", "data": {"object": {"object": "email", "from": "ada@sender.example", "to": BOB,
         "status": "bounced"}}},
        "failed",
    ),
    (
        "Scaleway",
        {"type": "email_dropped", "email_to": BOB, "email_from": "ada@sender.example", "email_response_code": 550,
         "email_response_message": "5.1.1 no"},
        "failed 5.1.1 no",
    ),
    (
        "EmailEngine",
        {"event": "messageBounce", "data": {"recipient": BOB, "action": "failed",
         "response": {"source": "smtp", "message": "550 5.1.1 no", "status": "5.1.1"}}},
        "failed 550 5.1.1 no",
    ),
    (
        "Mailgun, a number of its own",
        {"event-data": {"event": "failed", "severity": "permanent", "reason": "generic", "recipient": BOB,
         "delivery-status": {"code": 498, "message": "No MX for corp.example"}}},
        "failed No MX for corp.example",
    ),
    (
        "Reply.io",
        {"event": {"type": "email_bounced"}, "contact_fields": {"email": BOB}, "message_fields": {"body_text": "550 no"}},
        "failed 550 no",
    ),
    ("MailSlurp", {"eventName": "BOUNCE", "bounceRecipients": [BOB], "sender": "ada@sender.example"}, "failed"),
    (
        "SES in a queue",
        {"Records": [{"body": json.dumps({"Message": json.dumps(ses("Permanent", "General", status="5.1.1"))})}]},
        "failed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), [row[1:] for row in FATES], ids=[row[0] for row in FATES])
def test_what_became_of_the_message_is_what_the_service_says(value: object, expected: str) -> None:
    (one,) = events(value)
    assert (one.recipient, f"{one.action} {one.reply}".strip()) == (BOB, expected)
    assert one.sender in {"", "ada@sender.example"}


@pytest.mark.parametrize("event", ["request", "unsub", "reply_received", "list_addition", "GettingStatus"])
def test_an_event_of_another_kind_is_no_failure(event: str) -> None:
    assert events({"event": event, "email": BOB, "reason": "the mailbox of somebody"}) == []


def test_an_event_of_an_unknown_name_with_a_refusal_is_a_failure() -> None:
    (one,) = events({"event": "oops", "email": BOB, "reason": "550 5.1.1 no"})
    assert one.action == "failed"


def test_who_asked_amazon_to_send_is_not_the_address_that_sent() -> None:
    (one,) = events(ses("Permanent", "General"))
    assert (one.source_ip, one.reporting_mta) == ("", "a8.smtp-out.amazonses.com")


# -- files -----------------------------------------------------------------------------------------


def told(text: str | bytes) -> tuple[list[str], list[str]]:
    """The recipients, or the rule where there is none, and what was said beside."""
    notes: list[str] = []
    data = text.encode() if isinstance(text, str) else text
    reports = explain_stream(io.BytesIO(data), "hook.json", Asked(note=notes.append))
    findings = [report.findings[0] for report in reports]
    return [one.evidence.get("recipient", one.rule.id) for one in findings], notes


ONE, TWO = (
    {"event": "bounce", "email": f"{name}@corp.example", "reason": "550 no"} for name in ("bob", "eve")
)
BOTH = ["bob@corp.example", "eve@corp.example"]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([ONE, TWO], indent=1),
        json.dumps(ONE, indent=1) + "\n" + json.dumps(TWO, indent=1),
        json.dumps([ONE]) + "\n" + json.dumps([TWO]) + "\n",
        json.dumps(ONE) + ",\n" + json.dumps(TWO) + ",\n",
    ],
)
def test_values_are_read_however_they_stand_together(text: str) -> None:
    assert told(text) == (BOTH, [])


def test_a_list_that_was_cut_off_is_read_as_far_as_it_is_whole() -> None:
    whole = json.dumps([ONE, TWO])
    found, notes = told(json.dumps([ONE, TWO, ONE])[: len(whole) + 20])
    assert (found, len(notes)) == (BOTH, 1)
    assert "what came before was read" in notes[0]


def test_what_is_no_json_is_not_read() -> None:
    assert told("{nothing") == (["mail/not-read"], [])
    assert told('[{"event": "bounce", ') == (["mail/not-read"], [])
    assert told("[550 5.1.1 no such user]") == (["english/user-unknown"], [])
    assert values('{"a": 1} x') == ([{"a": 1}], 9)


def test_events_beyond_the_limit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MAX_EVENTS", 3)
    monkeypatch.setattr("probe.run._events.MAX_EVENTS", 3)
    found, notes = told(json.dumps([ONE] * 5))
    assert (len(found), notes) == (3, ["hook.json: only the first 3 events are read"])
