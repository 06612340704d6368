"""One pasted reply: what is read out of it, what it means, how sure, and what is never concluded."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Reply, Stage
from probe.grammar import pasted
from probe.rules import Cause, Confidence, Family, Report, Verdict
from probe.run.explain import explain_reply

SHARED = Path(__file__).parents[2] / "shared" / "data" / "replies"


def cause(report: Report) -> Cause:
    return report.findings[0].rule.cause


def test_a_report_on_a_long_reply_is_named_by_how_it_begins() -> None:
    assert (
        explain_reply("550 5.7.1 no " + "and no " * 20).subject
        == ("550 5.7.1 no " + "and no " * 20)[:117] + "..."
    )
    assert explain_reply("550 5.7.1 no").subject == "550 5.7.1 no"


# -- what people paste ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "enhanced", "words"),
    [
        ("550 5.1.1 User unknown", 550, "5.1.1", "User unknown"),
        ("550-5.7.26 This mail\n550-5.7.26 is not\n550 5.7.26 authenticated", 550, "5.7.26", "This mail is not authenticated"),
        ("550-5.7.26 This mail 550-5.7.26 is not 550 5.7.26 authenticated", 550, "5.7.26", "This mail is not authenticated"),
        ("(550, b'5.7.26 This mail is not authenticated')", 550, "5.7.26", "This mail is not authenticated"),
        ("smtplib.SMTPDataError: (554, '5.7.1 Spam\\n5.7.1 again')", 554, "5.7.1", "Spam 5.7.1 again"),
        ("smtp; 550 5.1.1 <ada@example.com>... User unknown", 550, "5.1.1", None),
        ("host mx.example.com[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)", 550, "5.1.1", None),
        ("Remote Server returned '550 5.1.1 RESOLVER.ADR.RecipNotFound; not found'", 550, "5.1.1", None),
        ("SMTP error from remote mail server after RCPT TO:<ada@example.com>: 450 4.7.1 Greylisted", 450, "4.7.1", None),
        ("550 sorry, no mailbox here by that name (#5.1.1 - chkusr)", 550, "5.1.1", None),
        ("mailbox is full: retry timeout exceeded", 0, "", "mailbox is full: retry timeout exceeded"),
        ("5.2.2 <ada@example.com>... Mailbox Full", 0, "5.2.2", "<ada@example.com>... Mailbox Full"),
        ('<p>550 5.7.1 blocked<br>see <a href="https://example.com/">here</a></p>', 550, "5.7.1", "blocked see here"),
        ("550 5.1.1 &lt;ada@example.com&gt; unknown", 550, "5.1.1", "<ada@example.com> unknown"),
        ("connect to 192.0.2.250:25 on 2026: timed out", 0, "", None),
        ("421", 421, "", ""),
        ("", 0, "", ""),
        ("550 5.1.1 <i.petrov@example.ru>: unknown", 550, "5.1.1", "<i.petrov@example.ru>: unknown"),
        ("SMTP error from remote mail server after RCPT TO:<a@b.example>: 550 5.1.1 No such user", 550, "5.1.1", "No such user"),
        ("192.0.2.1 does not like recipient. Remote host said: 550 No\nGiving up on 192.0.2.1.", 550, "", None),
        ("Failed to deliver to 'a@b.example' SMTP module(domain b.example) reports: host mx.b.example says: 550 No", 550, "", "host mx.b.example says: No"),
        ("Can't send mail - all recipients were rejected: 554 5.7.1 Access denied", 554, "5.7.1", "Access denied"),
        ("Mailbox unavailable. The server response was: 5.7.1 Unable to relay", 550, "5.7.1", "Unable to relay"),
        ("Mailbox unavailable. The server response was: 4.2.1 Not now", 0, "4.2.1", "Not now"),
        ("Transaction failed. The server response was: 550 No", 550, "", "No"),
        ("SMTP Error: data not accepted.SMTP server error: DATA END command failed Detail: Rejected SMTP code: 550", 550, "", "Rejected (in reply to end of DATA command)"),
    ],
)  # fmt: skip
def test_a_pasted_reply_is_taken_apart(text: str, code: int, enhanced: str, words: str | None) -> None:
    read = pasted.read(text)
    assert (read.code, read.enhanced) == (code, enhanced)
    if words is not None:
        assert read.text == words


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("550 no (in reply to RCPT TO command)", Stage.RCPT),
        ("554 no (in reply to end of DATA command)", Stage.DATA),
        ("SMTP error from remote mail server after initial connection: 554 no", Stage.GREETING),
        ("SMTP error from remote mail server after MAIL FROM:<ada@example.com>: 550 no", Stage.MAIL),
        ("550 no", None),
    ],
)
def test_the_stage_is_read_where_it_is_told(text: str, stage: Stage | None) -> None:
    assert pasted.read(text).stage is stage


def test_what_stands_in_a_reply_is_extracted() -> None:
    text = (
        "550 5.7.1 [192.0.2.1] mail from bad.example.org for ada@example.com blocked using zen.spamhaus.org; "
        "see https://www.spamhaus.org/query/ip/192.0.2.1. [TSS09] (AS(7555)) queued as 4F2Xab12, "
        "try again in 5 minutes, peer 2001:db8::25"
    )
    assert pasted.extracts(text) == {
        "ip": ["192.0.2.1", "2001:db8::25"],
        "address": ["ada@example.com"],
        "domain": ["bad.example.org", "example.com", "zen.spamhaus.org"],
        "list": ["zen.spamhaus.org", "spamhaus"],
        "subcode": ["TSS09", "AS(7555)"],
        "link": ["https://www.spamhaus.org/query/ip/192.0.2.1"],
        "queue_id": ["4F2Xab12"],
        "retry_after": ["300"],
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Greylisted for 300 seconds", "300"),
        ("please retry in 00:05:00", "300"),
        ("try again in 2 hours", "7200"),
        ("come back in 10 min", "600"),
    ],
)
def test_the_wait_is_in_seconds(text: str, seconds: str) -> None:
    assert pasted.extracts(text)["retry_after"] == [seconds]


def test_a_long_s_is_no_unit_of_time() -> None:
    assert pasted.extracts("try again in 5 \u017f") == {"retry_after": ["5"]}


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=600))
def test_anything_can_be_pasted(text: str) -> None:
    report = explain_reply(text)
    assert report.kind == "reply"
    assert len(report.findings) == 1
    assert all(values for values in pasted.extracts(text).values())


@pytest.mark.parametrize(
    "filler", ["5", "550 ", "550-", "1.", "a@", "a.a", "<", "(550,'", "=C3=", "$B!!", "https://", "\\n"]
)
def test_a_megabyte_of_anything_is_bounded(filler: str) -> None:
    text = filler * (1_000_000 // len(filler))
    report = explain_reply(text)
    assert len(report.findings[0].evidence["reply"]) <= pasted.LIMIT


# -- what it means --------------------------------------------------------------------------------


def test_a_reply_from_the_wire_and_a_pasted_one_mean_the_same() -> None:
    wire = explain_reply(Reply(550, ("550-5.1.1 No such", "550 5.1.1 user here")), stage=Stage.RCPT)
    words = explain_reply("550-5.1.1 No such\n550 5.1.1 user here", stage=Stage.RCPT)
    assert wire == words
    assert cause(wire) is Cause.RECIPIENT_UNKNOWN


def test_the_same_words_mean_other_things_at_another_stage_or_server() -> None:
    login = explain_reply("535 5.7.8 Error: authentication failed", stage=Stage.AUTH)
    mail = explain_reply("550 5.7.1 message authentication failed: DMARC", stage=Stage.DATA)
    assert cause(login) is Cause.CREDENTIALS
    assert cause(mail) is Cause.EMAIL_AUTH
    denied = "554 5.7.1 <host[192.0.2.1]>: Client host rejected: Access denied"
    assert cause(explain_reply(denied, mx="smtp.gmail.com")) is Cause.CREDENTIALS
    assert cause(explain_reply(denied, mx="aspmx.l.google.com")) is Cause.BLOCKLIST


def test_the_provider_is_recognised_by_its_server_or_its_words() -> None:
    by_server = explain_reply(
        "550 5.4.1 Recipient address rejected: Access denied", mx="example-com.mail.protection.outlook.com"
    )
    by_words = explain_reply("550 5.1.1 The email account that you tried to reach does not exist. x - gsmtp")
    assert by_server.facts["provider"] == "microsoft"
    assert by_words.facts["provider"] == "google"


def test_nobody_is_suppressed_on_a_guess() -> None:
    for text in (
        "550",
        "550 5.7.1",
        "554",
        "550 nope",
        "550 5.0.0 no",
        "500 something new",
        "551 hmm",
        "Undelivered",
    ):
        report = explain_reply(text, stage=Stage.RCPT)
        assert (
            cause(report).family is not Family.SUPPRESS
            or report.findings[0].confidence is not Confidence.UNCERTAIN
        )
    assert cause(explain_reply("551 hmm", stage=Stage.RCPT)) is Cause.UNKNOWN


SENDERS = (
    "sender", "your account", "your mailbox", "your email address", "the sending mailbox", "sending user",
    "envelope from address", "MAIL FROM address", "return path", "authenticated user", "SASL user",
    "login user", "SMTP account", "submitter", "originator address", "from header domain", "relay user",
    "the account you are sending from", "hosting account", "reseller account", "bounce address",
    "account used for authentication", "mailbox that sent this message", "client host", "connecting host",
)  # fmt: skip
RECIPIENTS = (
    "user", "the recipient", "this mailbox", "<ada@example.com>", "the address you are trying to reach",
    "the email account that you tried to reach", "local user", "destination mailbox",
)  # fmt: skip
FATES = (
    "does not exist", "is unknown", "not found", "is disabled", "has been suspended", "is inactive",
    "is locked", "is invalid", "is closed", "no longer exists", "could not be found", "has been deleted",
)  # fmt: skip


@pytest.mark.parametrize("fate", FATES)
def test_the_same_fate_suppresses_a_recipient_and_never_for_a_sender(fate: str) -> None:
    def suppressed(whoms: tuple[str, ...]) -> list[str]:
        first = ((whom, explain_reply(f"550 {whom} {fate}").findings[0]) for whom in whoms)
        return [whom for whom, finding in first if finding.rule.cause.family is Family.SUPPRESS]

    assert suppressed(SENDERS) == []
    assert suppressed(RECIPIENTS) == list(RECIPIENTS)


@pytest.mark.parametrize(
    ("senders", "recipients", "fate"),
    [
        (
            ("Ihr Postfach", "Das Absenderkonto", "Ihre Adresse"),
            ("Der Empfänger", "Das Postfach"),
            "existiert nicht",
        ),
        (("Votre boîte", "L'adresse de l'expéditeur"), ("Le destinataire", "La boîte"), "n'existe pas"),
        (("Su cuenta", "La dirección del remitente"), ("El destinatario", "El usuario"), "no existe"),
        (("La tua casella", "L'indirizzo del mittente"), ("Il destinatario", "La casella"), "non esiste"),
        (("Sua conta", "Conta do remetente"), ("O destinatário", "O usuário"), "não existe"),
        (("Twoje konto", "Konto nadawcy"), ("Konto odbiorcy", "Użytkownik"), "nie istnieje"),
        (("Uw mailbox", "Het afzenderadres"), ("De gebruiker", "De ontvanger"), "bestaat niet"),
        (("Ваш почтовый ящик", "Ящик отправителя"), ("Ящик получателя", "Пользователь"), "не найден"),
        (("您的邮箱", "发件人地址"), ("收件人", "用户"), "不存在"),
        (("お客様のメールボックス", "送信元アドレス"), ("宛先", "ユーザー"), "は存在しません"),
    ],
)
def test_that_holds_in_other_languages(
    senders: tuple[str, ...], recipients: tuple[str, ...], fate: str
) -> None:
    def suppressed(whom: str) -> bool:
        reading = explain_reply(f"550 {whom} {fate}").findings[0].rule
        return reading.cause.family is Family.SUPPRESS

    assert [whom for whom in senders if suppressed(whom)] == []
    assert [whom for whom in recipients if not suppressed(whom)] == []


@pytest.mark.parametrize("whom", ["sender", "SASL user", "sending mailbox", "relay user", "sender mailbox"])
@pytest.mark.parametrize("fate", ["is over quota", "mailbox is full", "quota exceeded"])
def test_a_senders_full_mailbox_holds_no_recipient(whom: str, fate: str) -> None:
    assert explain_reply(f"550 {whom} {fate}").findings[0].rule.cause is Cause.SENDER_QUOTA


def test_a_torn_reply_names_its_other_readings_and_the_check_between_them() -> None:
    report = explain_reply(
        "550 5.7.1 Client host blocked using bl.example.org: Greylisted, try again in 300 seconds"
    )
    finding = report.findings[0]
    assert finding.rule.cause is Cause.GREYLIST
    assert finding.confidence is not Confidence.CERTAIN
    assert "english/listed" in finding.alternates
    assert finding.detail


def test_a_disputed_code_says_so() -> None:
    report = explain_reply("550 5.7.25")
    assert cause(report) is Cause.SENDER_DNS
    assert "PTR" in str(report.evaluations["disputed"])


def test_an_unknown_provider_name_harms_nothing() -> None:
    assert (
        cause(explain_reply("550 5.1.1 User unknown", provider="no such provider")) is Cause.RECIPIENT_UNKNOWN
    )


# -- measured on labelled replies -----------------------------------------------------------------

DEAD = {"recipient_unknown", "recipient_inactive", "recipient_domain"}


@pytest.mark.parametrize(("name", "strict", "lenient"), [("gold", 0.93, 0.97), ("auth_replies", 0.88, 0.92)])
def test_labelled_replies_are_read_right(name: str, strict: float, lenient: float) -> None:
    path = SHARED / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("the labelled replies lie beside the project, and are not here")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    equal = fits = wrongly_dead = 0
    for row in rows:
        stage = Stage(row["stage"]) if row.get("stage") in set(Stage) else None
        report = explain_reply(
            row["reply"], mx=row.get("remote_mta", ""), provider=row.get("provider", ""), stage=stage
        )
        found = cause(report).value
        equal += found == row["root_cause"]
        fits += found in (row["root_cause"], *row["alt"])
        wrongly_dead += found in DEAD and not DEAD & {row["root_cause"], *row["alt"]}
    assert equal >= strict * len(rows)
    assert fits >= lenient * len(rows)
    assert wrongly_dead <= len(rows) / 100


def test_confidence_means_something() -> None:
    path = SHARED / "gold.jsonl"
    if not path.exists():
        pytest.skip("the labelled replies lie beside the project, and are not here")
    right: Counter[Confidence] = Counter()
    all_: Counter[Confidence] = Counter()
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        finding = explain_reply(row["reply"], mx=row["remote_mta"]).findings[0]
        all_[finding.confidence] += 1
        right[finding.confidence] += finding.rule.cause.value in (row["root_cause"], *row["alt"])
    certain, likely = (right[sure] / all_[sure] for sure in (Confidence.CERTAIN, Confidence.LIKELY))
    assert certain >= 0.98
    assert certain >= likely >= 0.95


@pytest.mark.parametrize(
    "queue_id",
    ["x9-20020a170902e04900b001d8ee0d5e2bsi4404168plx.265", "d9443c01a7336-1f7", "5b1f17b1804b1.41"],
)
def test_a_queue_id_of_google_is_taken_whole(queue_id: str) -> None:
    assert pasted.extracts(f"550 5.1.1 does not exist. {queue_id} - gsmtp")["queue_id"] == [queue_id]
    assert "queue_id" not in pasted.extracts("550 5.1.1 does not exist. x - gsmtp")


@pytest.mark.parametrize("code", ["450 4.1.1", "450", "451 4.1.1"])
def test_a_refusal_for_now_suppresses_nobody(code: str) -> None:
    (finding,) = explain_reply(
        f"{code} <bob@example.test>: Recipient address rejected: User unknown"
    ).findings
    assert finding.verdict is Verdict.WAIT
    assert finding.rule.fix.startswith("Keep the address")
    assert "Suppress anybody" in finding.rule.dont
