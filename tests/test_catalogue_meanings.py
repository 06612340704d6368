"""Replies of servers that nobody here has met, read by what they mean; the charsets they may come in."""

from __future__ import annotations

import random

import pytest

from probe import catalogue
from probe.catalogue import Entry, _patterns
from probe.facts import escape
from probe.rules import Cause, Confidence, Family
from probe.run.explain import explain_reply

# Whose fault the same words tell depends on the noun before them.
MEANINGS = [
    ("550 <ada@example.com> is not known at this site", "recipient_unknown"),
    ("550 Nobody here by that name", "recipient_unknown"),
    ("530 5.1.1 Error: Unknown user", "recipient_unknown"),
    ("550 5.0.350 Remote server returned an error -> 550 User unknown", "recipient_unknown"),
    ("550 5.1.1 mail.local: unknown user: ada", "recipient_unknown"),
    ("550 5.1.1 <ada@example.com>: Recipient address rejected: On hold", "recipient_inactive"),
    ("550 This e-mail account has expired", "recipient_inactive"),
    ("550 5.1.2 Bad destination mailbox address: domain does not exist", "recipient_domain"),
    ("550 5.1.2 Recipient's domain has been cancelled", "recipient_domain"),
    ("550 5.4.310 DNS domain nowhere.example does not exist", "recipient_domain"),
    ("550 rejected: the sending domain has no MX record", "sender_dns"),
    ("550 The domain of your return address has no mail server", "sender_dns"),
    ("517-Domain does not exist: nowhere.example", "sender_dns"),
    ("550-It may be blacklisted, or missing the proper dns entries. 550 Sender verify failed", "sender_dns"),
    ("550 Mailbox of ada@example.com has reached its limit", "mailbox_full"),
    ("552 The recipient's storage is used up", "mailbox_full"),
    ("552 5.2.2 Skrzynka odbiorcy jest przepełniona", "mailbox_full"),
    ("450 Too much mail in a short time. Wait before sending more", "rate_limit"),
    ("450 4.7.1 Zbyt wiele połączeń z tego adresu IP", "rate_limit"),
    ("550 Message quota for this IP exceeded: 1000 messages/hour", "rate_limit"),
    ("552 5.7.0 Number of daily sent messages exceeded for your trial account", "sender_quota"),
    ("550 5.1.8 Access denied, bad outbound sender AS(42003)", "sender_suspended"),
    ("550 Sender example.net is suspended: outbound email is disabled for this account", "sender_suspended"),
    ("525 5.7.13 User account disabled", "sender_suspended"),
    ("554 Customer account terminated for violation of acceptable use policy", "sender_suspended"),
    ("421 4.7.26 This mail has been rate limited because it is unauthenticated", "email_auth"),
    ("550 5.7.1 The sending server 192.0.2.7 is not authorised to send for example.net", "email_auth"),
    ("554 cox 192.0.2.7 - ERROR: Mail Rejected - 192.0.2.7 is blocked.", "blocklist"),
    ("551 very low reputation of the sending domain, this message has been blocked", "reputation"),
    ("550 Your domain was registered less than 30 days ago", "reputation"),
    ("554 5.7.1 This email from IP 192.0.2.7 was rejected. The email was detected as spam.", "content"),
    ("554 5.7.0 Reject, id=24113-04 - BANNED: .exe,.exe-ms,file.exe", "content"),
    ("554 5.6.0 Corrupt message content", "message_format"),
    ("550 5.1.1 example.com is not one of our domains", "relay"),
    ("550 5.7.1 Sender domain not verified for this account", "relay"),
    ("501 5.1.7 Bad sender address syntax", "protocol"),
    ("530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", "credentials"),
    ("450 4.7.0 New sender, your message is delayed for 10 minutes as an anti-spam measure", "greylist"),
    ("5.4.7 - Delivery expired (message too old) 451-Temporary failure", "receiver_unavailable"),
    ("Your message could not be delivered for too long", "receiver_unavailable"),
    ("550 noreply mailbox: this address cannot receive replies", "recipient_policy"),
    ("550 5.7.1 This mailbox accepts mail from internal senders only", "recipient_policy"),
    ("554 5.7.1 No SMTP service here", "policy"),
    # What the sending service did not even try.
    ("Dropped: Invalid", "recipient_unknown"),
    ("Dropped: Bounced Address", "recipient_inactive"),
    ("Dropped: Unsubscribed Address", "recipient_policy"),
    ("Dropped: Recipient List over Package Quota", "sender_quota"),
    ("550 Invalid", "policy"),
    # Our own account, not the recipient's.
    ("502 5.7.0 Your SMTP account is not yet activated", "sender_suspended"),
    ("452 4.5.3 Your account has sent messages to too many recipients today", "sender_quota"),
    ("550 The example.com domain is not verified. Please verify your domain", "relay"),
    # Who is spoken of decides.
    ("553 mail.example.net does not exist (in reply to MAIL FROM command)", "sender_dns"),
    ("550 recipient domain must exist", "recipient_domain"),
    ("550 backscatter protection detected an invalid or expired email address", "sender_dns"),
    ("550-Postmaster verification failed while checking <ada@example.org>", "sender_dns"),
    ("550 5.7.1 unusual number of invalid recipients", "reputation"),
    ("550 the mail domain mentioned in email address is unknown", "recipient_domain"),
    ("550 isn't in my list of allowed recipients", "recipient_unknown"),
    ("421 too many messages from your IP, please try later", "rate_limit"),
    ("451 4.3.0 Our virus scanner is down, please retry", "receiver_unavailable"),
    ("DNS soft error looking up example.com: unable to reach nameserver", "receiver_unavailable"),
    ("421 DF:IDL 163 mx9, see http://mail.163.com/help/help_spam_16.htm", "greylist"),
    ("554 5.5.0 no recipients", "protocol"),
    ("550 5.2.2 explicit blocking of sender or recipient address", "recipient_policy"),
    ("550 5.7.1 recipient <ada@example.com> black listed", "recipient_policy"),
    (
        "552 OUTBOUND SIZE LIMIT EXCEEDED - THIS ACCOUNT MAY ONLY SEND MESSAGES UP TO 1000 BYTES",
        "message_format",
    ),
    (
        "451 THIS USER ACCOUNT IS ONLY ALLOWED TO SEND 100 MESSAGES IN A TWENTY-FOUR HOUR PERIOD",
        "sender_quota",
    ),
    ("451 THE ACCOUNT <ada@example.com> IS CONFIGURED NOT TO ACCEPT MORE THAN 100 MESSAGES", "rate_limit"),
    ("550 THIS USER ACCOUNT IS NOT AUTHORIZED TO SEND MESSAGES WITH THE ADDRESS <ada@example.com>", "policy"),
    ("450 4.3.2 Content filter timeout", "receiver_unavailable"),
    ("451 Unable to scan for viruses", "receiver_unavailable"),
    ("550 mailing lists do not accept null senders", "policy"),
    ("550 Your mail server does not accept bounces", "sender_dns"),
    ("550 not user of this server", "recipient_unknown"),
    ("550 5.4.4 no acceptable MX for example.com", "recipient_domain"),
]


def cause_of(reply: str) -> str:
    return explain_reply(reply).findings[0].rule.cause.value


@pytest.mark.parametrize(("reply", "cause"), MEANINGS)
def test_a_reply_is_read_by_what_it_means(reply: str, cause: str) -> None:
    assert cause_of(reply) == cause


@pytest.mark.parametrize("entry", [one for one in catalogue.entries() if one.rule.cause is Cause.SUCCESS])
def test_a_refusal_is_never_read_as_a_success(entry: Entry) -> None:
    for sample in entry.samples:
        words = sample.removeprefix(sample[:3] if sample[:3].isdigit() else "")
        for code in (450, 550):
            assert catalogue.read_words(words, code=code).cause is not Cause.SUCCESS
    assert cause_of("554 5.7.1 SMTP service suspended: abuse reports received for this customer") != "success"


def test_no_service_is_a_refusal_not_a_wait() -> None:
    assert str(explain_reply("554 5.7.1 No SMTP service here").verdict) == "fail"


def test_readings_do_not_depend_on_what_was_read_before() -> None:
    expected = dict(MEANINGS)
    replies = list(expected)
    for seed in range(100):
        random.Random(seed).shuffle(replies)
        assert {reply: cause_of(reply) for reply in replies} == expected


@pytest.mark.parametrize(
    "what",
    [
        "The attachment",
        "The link",
        "The message header",
        "TLS certificate",
        "Command",
        "Content type",
        "smarthost",
    ],
)
def test_nobody_is_suppressed_where_something_else_does_not_exist(what: str) -> None:
    assert explain_reply(f"550 {what} does not exist").findings[0].rule.cause.family is not Family.SUPPRESS


@pytest.mark.parametrize(
    "noise", ["550", "550 x", "550 5.0.0 ???", "451", "5.7.1", "", "hello", "550 OK then"]
)
def test_nobody_is_suppressed_where_nothing_is_said(noise: str) -> None:
    finding = explain_reply(noise).findings[0]
    assert finding.rule.cause.family is not Family.SUPPRESS
    assert finding.confidence is not Confidence.CERTAIN


@pytest.mark.parametrize(
    ("words", "charset"),
    [
        ("用户无权登陆", "gbk"),
        ("请使用授权码登录。详情请看", "gbk"),
        ("ユーザーが見つかりません", "euc-jp"),
        ("Пользователь не найден", "cp1251"),
        ("Пользователь не найден", "koi8-r"),
        ("Boîte du destinataire dépassée", "latin-1"),
        ("Postfach überfüllt", "latin-1"),
        ("Ошибка: ящик переполнен", "utf-8"),
        ("邮箱已满", "utf-8"),
    ],
)
def test_words_are_read_in_the_charset_they_came_in(words: str, charset: str) -> None:
    assert _patterns.fold(escape(words.encode(charset))) == _patterns.fold(words)


def test_a_torn_character_does_not_change_the_charset_of_the_rest() -> None:
    torn = escape("Ящик переполнен, ящик".encode()[:-1])
    assert _patterns.fold(torn).startswith("ящик переполнен")


@pytest.mark.parametrize(
    "reply",
    [
        "554 5.7.1 Recipient address rejected: user name and sender doesn't match",
        "556 remote ip check error.",
        "550 Mailbox unavailable: the reputation of your domain is unknown to us",
        "550 User unknown or blacklisted sender",
        "550 The sending user does not exist",
        "550 Reverse-path user unknown",
        "550 5.1.0 Your address <ada@example.com> does not exist on its own server",
        "550 Reply-To address is invalid",
        "550 Invalid address in To: header",
        "550 Host name not found for 192.0.2.4",
        "550 5.7.1 The d= domain of your signature does not exist",
        "550 your mail server's hostname is invalid",
        "451 4.3.0 account database not found",
        "450 user lookup failed, try again later",
        "550 5.1.8 Originator address does not exist",
        "550 5.7.1 The user you claim to be does not exist on your own server",
        "550 We checked: the mailbox you send from cannot receive mail",
        "550 5.7.1 Message refused: unknown user agent in X-Mailer",
        "550 5.7.1 Client host [192.0.2.1] does not exist in our whitelist",
        "450 4.2.0 User mailbox is locked by another process",
        "554 5.4.6 invalid alias: ada@example.com includes itself",
        "550 List is closed; address not a member",
    ],
)
def test_nobody_is_suppressed_where_the_sender_is_spoken_of_too(reply: str) -> None:
    assert explain_reply(reply).findings[0].rule.cause.family is not Family.SUPPRESS


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <ada@example.com> User doesn't exist in our system, please check the sender typed it right",
        "550 5.1.1 Recipient not found. Sender: check the address",
        "550 5.1.10 No such user here; the sender should correct the address",
    ],
)
def test_a_code_of_the_recipient_leaves_no_doubt_where_the_sender_is_only_spoken_to(reply: str) -> None:
    assert cause_of(reply) == "recipient_unknown"
