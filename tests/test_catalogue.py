"""The catalogue as a whole: sound files, every entry provable by its own samples, no order, no slow pattern."""

from __future__ import annotations

import datetime as dt
import errno
import json
import random
import tomllib
from pathlib import Path

import pytest

from probe import catalogue
from probe.catalogue import Entry, Match, _compile, _entry, _match, _patterns, _table
from probe.facts import Ending, Fault, Reply, Stage
from probe.grammar import pasted
from probe.rules import Cause, Confidence, Family, Outcome, Retry, Verdict

SHARED = Path(__file__).parents[2] / "shared" / "data" / "replies"
FILES = sorted(catalogue.FOLDER.glob("*.toml"))
SAMPLES = [(entry, sample) for entry in catalogue.entries() for sample in entry.samples]


def stage_of(entry: Entry) -> Stage | None:
    """Where a sample of an entry is heard: its only stage, else RCPT if that is one of them."""
    if not entry.stage:
        return None
    return Stage.RCPT if Stage.RCPT in entry.stage else min(entry.stage)


def heard(entry: Entry, sample: str) -> _match.Heard:
    said = pasted.read(sample)
    return _match.Heard(
        catalogue.fold(said.text),
        said.code,
        said.enhanced,
        stage_of(entry),
        entry.provider,
        min(entry.mechanism, default=""),
        min(entry.side, default=""),
    )


def reading(entry: Entry, sample: str, library: _match.Library) -> Match:
    if entry.ending:
        fault = Fault(min(entry.ending), sample)
        return library.fault(fault, stage_of(entry), entry.provider, "")
    return library.reply(heard(entry, sample))


LIBRARY = catalogue._library()


def test_every_file_is_sound() -> None:
    assert catalogue.problems() == []


@pytest.mark.parametrize(("entry", "sample"), SAMPLES, ids=lambda value: getattr(value, "id", None))
def test_every_entry_is_the_best_match_of_its_own_samples(entry: Entry, sample: str) -> None:
    match = reading(entry, sample, LIBRARY)
    assert match.entry.id == entry.id, f"{match.entry.id} by {match.matched!r}"


@pytest.mark.parametrize(("entry", "sample"), SAMPLES, ids=lambda value: getattr(value, "id", None))
def test_no_two_entries_claim_one_reply_with_equal_right(entry: Entry, sample: str) -> None:
    if not entry.ending:
        told = heard(entry, sample)
        worded = LIBRARY._worded(told, LIBRARY.literals(told.text))
        readings = _match._ranked([*worded, *LIBRARY._bare(told)])
        equals = {one.entry.id for one in readings if one.score == readings[0].score}
        assert equals == {entry.id}


def test_every_entry_is_reachable() -> None:
    without = [entry.id for entry in catalogue.entries() if not entry.samples and not entry.ending]
    assert without == []
    for entry in catalogue.entries():
        if entry.ending and not entry.samples:
            match = LIBRARY.fault(Fault(min(entry.ending), "words"), stage_of(entry), entry.provider, "")
            assert match.entry.id == entry.id


def test_the_order_of_files_does_not_matter() -> None:
    files = [(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in FILES]
    straight = _table.table(files)
    shuffler = random.Random(7)
    for _ in range(2):
        shuffler.shuffle(files)
        assert _table.table(files) == straight


def test_the_same_reply_reads_the_same_a_hundred_times() -> None:
    said = Reply(550, ("550 5.7.1 Client host rejected: blocked using zen.example.org, relay denied",))
    assert len({catalogue.read(said).entry.id for _ in range(100)}) == 1


# -- patterns -------------------------------------------------------------------------------------


def test_every_pattern_is_linear() -> None:
    slow = [
        (entry.id, pattern, why)
        for entry in catalogue.entries()
        for pattern in entry.words
        if (why := _patterns.unsafe(pattern))
    ]
    assert slow == []


@pytest.mark.parametrize("filler", ["a", " ", "user ", "\\x", "@", "<", "1.", "é", "spf "])
def test_sixty_four_kibibytes_of_anything_are_read(filler: str) -> None:
    text = filler * (65536 // len(filler))
    assert catalogue.read_words(text, code=550).entry.id
    assert len(catalogue.fold(text)) <= _patterns.LIMIT * 2


def test_every_pattern_against_long_fillers() -> None:
    for filler in ("a" * _patterns.LIMIT, " " * _patterns.LIMIT, "user unknown " * 300):
        for entry in catalogue.entries():
            for pattern in entry.words:
                _entry.words_in(pattern, filler)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a+)+b", "an unbounded repetition"),
        ("(?:ab{0,9}){0,9}", "a repetition inside a repetition"),
        (".{0,500}", "a gap of 500"),
        (r"(a)\1", "a back-reference"),
        ("(", "not a pattern"),
        ("user(?:s| name)? unknown.{0,40}here", ""),
    ],
)
def test_what_a_pattern_may_not_be(pattern: str, why: str) -> None:
    assert _patterns.unsafe(pattern).startswith(why)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("user unknown", (("user unknown",),)),
        ("(?:no|such) user", (("no", "such"), (" user",))),
        ("mailbox(?: is)? full", (("mailbox",), (" full",))),
        ("(?:green|white) ?list", (("green", "white"), ("list",))),
        (r"\d{3}", ()),
        ("(?:one|[0-9])", ()),
    ],
)
def test_the_literals_a_pattern_cannot_do_without(
    pattern: str, literals: tuple[tuple[str, ...], ...]
) -> None:
    assert _patterns.required(pattern) == literals


def test_the_index_misses_no_match() -> None:
    texts = [catalogue.fold(pasted.read(sample).text) for entry, sample in SAMPLES if not entry.ending]
    for text in texts[::7]:
        candidates = set(LIBRARY.candidates(LIBRARY.literals(text)))
        for number, pattern, least, _ in LIBRARY.patterns.every():
            assert (number, pattern, least) in candidates or _entry.words_in(pattern, text) is None


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Boîte\r\n PLEINE  ", "boite pleine"),
        ("User doesn’t exist", "user doesnt exist"),
        ("<ada@example.com>... User unknown", "<>... user unknown"),
        ("bo\\xeete pleine", "boite pleine"),
        ("ﾒｰﾙ", "メール"),
        ("Straße", "strasse"),
        ("Ёлка и йод", "елка и иод"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert catalogue.fold(text) == folded
    assert catalogue.fold(folded) == folded


# -- knowledge ------------------------------------------------------------------------------------


def test_every_cause_has_an_entry_that_speaks_for_it() -> None:
    for cause in Cause:
        rule = catalogue.general(cause)
        assert rule.cause is cause
        assert rule.title
        assert rule.meaning
        assert rule.fix


def test_every_rule_says_what_it_means_and_what_to_do() -> None:
    assert [rule.id for rule in catalogue.rules() if not (rule.title and rule.meaning and rule.fix)] == []


def test_sources_older_than_a_year_are_listed() -> None:
    newest = max(rule.source.read for rule in catalogue.rules())
    year_before = dt.date.fromisoformat(newest) - dt.timedelta(days=365)
    old = [rule.id for rule in catalogue.rules() if dt.date.fromisoformat(rule.source.read) < year_before]
    assert old == []


ENHANCED = {
    "0": range(1), "1": range(11), "2": range(5), "3": range(6), "4": range(8), "5": range(7), "6": range(11),
    "7": range(31),
}  # fmt: skip
POSITIVE = {"1.5", "3.6"}  # the registry's two successes have no 4yz or 5yz form


@pytest.mark.parametrize(
    "status", [f"{subject}.{detail}" for subject, details in ENHANCED.items() for detail in details]
)
def test_every_registered_enhanced_code_has_a_reading(status: str) -> None:
    if status in POSITIVE:
        assert catalogue.read_words("", code=250, enhanced=f"2.{status}").cause is Cause.SUCCESS
    else:
        match = catalogue.read_words("", code=550, enhanced=f"5.{status}")
        assert match.entry.id == f"standard/enhanced-{status.replace('.', '-')}"


CODES = (
    "211 214 220 221 235 250 251 252 334 354 421 422 430 432 450 451 452 453 454 455 458 459 500 "
    "501 502 503 504 510 511 512 513 521 523 524 525 530 534 535 538 541 550 551 552 553 554 555 556 571"
)


@pytest.mark.parametrize("code", CODES.split())
def test_every_reply_code_has_a_reading(code: str) -> None:
    match = catalogue.read(Reply(int(code), (code,)))
    assert match.rule.title
    assert (match.cause is Cause.SUCCESS) == (code[0] in "23")


def test_every_row_of_the_seeds_is_covered() -> None:
    path = SHARED / "seeds.jsonl"
    if not path.exists():
        pytest.skip("the seeds lie beside the project, and are not here")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    coded = [row for row in rows if row["smtp_code"][:3].isdigit()]
    blank = []
    for row in coded:
        code = int(row["smtp_code"][:3])
        words = row["text"] or row["title"] or row["meaning"]
        match = catalogue.read_words(words, code=code, enhanced=row["enhanced"].split(" ")[0])
        if match.cause is Cause.UNKNOWN and row["enhanced"]:
            blank.append(row["id"])
    assert len(coded) > 150
    assert blank == []


# -- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "stage", "cause"),
    [
        ("550 5.7.1 Client host rejected: cannot find your reverse hostname", Stage.RCPT, Cause.SENDER_DNS),
        (
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example.org",
            None,
            Cause.BLOCKLIST,
        ),
        ("450 4.7.1 <ada@example.com>: Recipient address rejected: Greylisted", Stage.RCPT, Cause.GREYLIST),
        (
            "550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown",
            Stage.RCPT,
            Cause.RECIPIENT_UNKNOWN,
        ),
        (
            "450 4.1.8 <ada@example.com>: Sender address rejected: Domain not found",
            Stage.MAIL,
            Cause.SENDER_DNS,
        ),
        ("554 5.7.1 <ada@example.com>: Relay access denied", Stage.RCPT, Cause.RELAY),
        ("552 5.3.4 Message size exceeds fixed limit", Stage.MAIL, Cause.MESSAGE_FORMAT),
        ("552 5.2.2 Over quota", Stage.RCPT, Cause.MAILBOX_FULL),
        ("550 5.4.5 Daily sending quota exceeded", Stage.DATA, Cause.SENDER_QUOTA),
        ("421 4.7.0 Too many connections from 192.0.2.1", Stage.CONNECT, Cause.RATE_LIMIT),
        ("550 5.7.23 SPF validation failed", Stage.MAIL, Cause.EMAIL_AUTH),
        ("550 Virus found", Stage.DATA, Cause.CONTENT),
        ("503 5.5.1 Error: need MAIL command", Stage.RCPT, Cause.PROTOCOL),
        ("451 4.3.0 Temporary lookup failure", Stage.RCPT, Cause.RECEIVER_UNAVAILABLE),
        ("550 Access denied", Stage.RCPT, Cause.POLICY),
        ("550 Benutzer unbekannt", Stage.RCPT, Cause.RECIPIENT_UNKNOWN),
        ("550 收件人不存在", Stage.RCPT, Cause.RECIPIENT_UNKNOWN),
        ("550", Stage.RCPT, Cause.UNKNOWN),
        # what Postfix says before any reason blames nobody
        ("554 5.7.1 <a@b.example>: Recipient address rejected: Not authorized", Stage.RCPT, Cause.POLICY),
        (
            "554 5.7.1 <a@b.example>: Recipient address rejected: internal use only",
            None,
            Cause.RECIPIENT_POLICY,
        ),
        (
            "554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: Throttling quota exceeded",
            None,
            Cause.RATE_LIMIT,
        ),
        ("550 5.1.1 <a@b.example>: Recipient address rejected: b.example", None, Cause.RECIPIENT_UNKNOWN),
        ("550 5.7.1 address rejected by policy", Stage.RCPT, Cause.POLICY),
        # a test of an address that failed: of which address, and did anybody answer?
        ("550 5.1.1 Recipient verification failed", Stage.RCPT, Cause.RECIPIENT_UNKNOWN),
        ("450 4.1.1 Recipient verification failed", Stage.RCPT, Cause.RECEIVER_UNAVAILABLE),
        ("454 4.1.1 The recipient could not be verified at this time", None, Cause.RECEIVER_UNAVAILABLE),
        ("550-Callout verification failed:\n550 550 User unknown", Stage.RCPT, Cause.RECIPIENT_UNKNOWN),
        ("503 5.5.1 No valid RCPT TO", Stage.DATA, Cause.PROTOCOL),
        ("550 mailbox is closed to external mail", Stage.RCPT, Cause.RECIPIENT_POLICY),
        ("452 4.2.2 Sender over quota, try later", Stage.RCPT, Cause.SENDER_QUOTA),
        # a provider's own short codes are its own wherever they are heard
        ("554 HL:ITC 163 mx1", Stage.GREETING, Cause.RATE_LIMIT),
        ("550 MI:SPB 163 mx14", Stage.MAIL, Cause.POLICY),
        (
            "501 Connection rejected by policy [7.7], please visit www.messagelabs.com/support",
            None,
            Cause.BLOCKLIST,
        ),
        ("421 RP-002 Unfortunately, some messages from 192.0.2.7 weren't sent.", None, Cause.REPUTATION),
        ("550 Mailbox unavailable or access denied", Stage.RCPT, Cause.POLICY),
        # whose mail it is that goes out, and whose number is full
        ("554 5.1.8 email outgoing blocked", None, Cause.SENDER_SUSPENDED),
        (
            "554 5.7.0 The limit on the number of allowed outgoing messages was exceeded",
            None,
            Cause.SENDER_QUOTA,
        ),
        ("550 Maximum number of recipients per day reached for this sender", None, Cause.SENDER_QUOTA),
        ("550 5.1.1 <a@b.example>... We do not accept mail for this user", None, Cause.RECIPIENT_UNKNOWN),
        ("550 5.7.1 Sender domain b.example is not verified for this account", None, Cause.RELAY),
        ("450 The from.email domain must be verified in your account to send emails.", None, Cause.RELAY),
        ("l'indirizzo non è stato trovato", None, Cause.RECIPIENT_UNKNOWN),
        # the words of who reports are not the server's
        (
            "Failed to deliver to 'a@b.example' SMTP module(domain b.example) reports: 550 Access denied",
            None,
            Cause.POLICY,
        ),
        ("Can't send mail - all recipients were rejected: 554 Message refused by policy", None, Cause.POLICY),
        (
            "SMTP error from remote mail server after RCPT TO:<a@b.example>: 550 User unknown",
            None,
            Cause.RECIPIENT_UNKNOWN,
        ),
        ("Mailbox unavailable. The server response was: 5.7.1 Access denied", None, Cause.POLICY),
        # whose name a login may send in
        ("553 5.7.0 Unauthorized use of sender address", Stage.MAIL, Cause.RELAY),
        ("550 Envelope domain 'a.example' doesn't match AUTH domain 'b.example'", Stage.MAIL, Cause.RELAY),
        ("550 5.7.1 Sender address not allowed.", Stage.MAIL, Cause.POLICY),
        ("501 5.1.7 sender a@b.example contains a domain with no valid MX records", None, Cause.SENDER_DNS),
        # the dialogue, not the password
        ("535 5.7.0 bad scram protocol message", Stage.AUTH, Cause.PROTOCOL),
        ("503 5.5.1 AUTH not allowed.", Stage.AUTH, Cause.PROTOCOL),
    ],
)
def test_replies_are_read_by_meaning(reply: str, stage: Stage | None, cause: Cause) -> None:
    said = pasted.read(reply)
    match = catalogue.read_words(said.text, code=said.code, enhanced=said.enhanced, stage=stage)
    assert match.cause is cause, match.entry.id


BAD, NOT_PROVEN = Outcome.BAD_CREDS, None


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("535", BAD),
        ("535 5.7.8", BAD),
        ("535 5.7.8 Error: authentication failed: authentication failure", BAD),
        ("535 Incorrect authentication data", BAD),
        ("535 5.7.0 Invalid login or password", BAD),
        ("535 5.7.8 Authentication credentials invalid", BAD),
        ("535 5.7.0 Account locked", NOT_PROVEN),
        ("535 Your mailbox is suspended", NOT_PROVEN),
        ("535 5.7.0 Too many failed login attempts", NOT_PROVEN),
        ("535 Login from this IP is not allowed", NOT_PROVEN),
        ("535 SMTP access is disabled", NOT_PROVEN),
        ("535 5.7.8 Error: authentication failed: generic failure", NOT_PROVEN),
        ("535 Temporary authentication failure", NOT_PROVEN),
        ("535 5.7.8 Error: authentication failed: Invalid authentication mechanism", NOT_PROVEN),
        ("535 Encryption required for requested authentication mechanism", NOT_PROVEN),
        ("535 5.7.14", NOT_PROVEN),
        ("530 5.7.0 Authentication required", NOT_PROVEN),
        ("538 5.7.11 Encryption required", NOT_PROVEN),
        ("534 5.7.9 Authentication mechanism is too weak", NOT_PROVEN),
        ("503 5.5.1 Error: authentication not enabled", NOT_PROVEN),
        ("501 5.5.2 Invalid base64 data", NOT_PROVEN),
        ("454 4.7.0 Temporary authentication failure", NOT_PROVEN),
        ("421 4.7.0 Invalid login or password", NOT_PROVEN),
        ("454 4.7.8 Authentication failed", NOT_PROVEN),
        ("550 5.7.1 Authentication failed", NOT_PROVEN),
        ("535 5.7.8 Error: authentication failed: user not found: no secret in database", BAD),
        ("535 5.7.8 Error: authentication failed: no worthy mechs found", NOT_PROVEN),
        ("535 Authentication not implemented", NOT_PROVEN),
        ("535 5.7.8 auth socket not available", NOT_PROVEN),
        ("535 Login fail. Account abnormal", NOT_PROVEN),
        ("535 5.7.8 This login is only allowed from the campus", NOT_PROVEN),
        ("535 5.5.2", NOT_PROVEN),
        ("535 5.7.4", NOT_PROVEN),
        ("535 Identifiant ou mot de passe incorrect", BAD),
        ("535 Błędny login lub hasło", BAD),
        ("535 请使用授权码登录", BAD),
        ("535 Compte suspendu pour cause de spam", NOT_PROVEN),
        ("535 Учетная запись заблокирована", NOT_PROVEN),
        ("535 账号已被冻结", NOT_PROVEN),
        ("535 未开启SMTP服务", NOT_PROVEN),
        ("535 SMTP-Zugang nicht freigeschaltet", NOT_PROVEN),
        ("535 Trop de tentatives de connexion", NOT_PROVEN),
        ("535 密码错误次数过多", NOT_PROVEN),
        ("535 Vorübergehender Fehler", NOT_PROVEN),
        ("535 Connexion refusée depuis votre pays", NOT_PROVEN),
        ("535 Ihre IP-Adresse ist gesperrt", NOT_PROVEN),
        ("535 Tageslimit überschritten", NOT_PROVEN),
        ("535 5.7.8 Client certificate is required", NOT_PROVEN),
        ("535 Tenant not found", NOT_PROVEN),
        ("535 The SMTP service is unavailable", NOT_PROVEN),
        ("535 Password reset required", NOT_PROVEN),
        ("535 5.7.8 Email address is incorrect", BAD),
        ("535 API key not found", BAD),
        ("535 5.7.8 Ihr Postfach ist voll", NOT_PROVEN),
        ("535 Le certificat a expiré", NOT_PROVEN),
        ("535 El servicio no está disponible", NOT_PROVEN),
        ("535 Ditt konto är inaktiverat", NOT_PROVEN),
        ("535 Ваш обліковий запис заблоковано", NOT_PROVEN),
        ("535 Usuario o contraseña incorrectos en el servidor", BAD),
        ("535 5.7.8 认证失败", BAD),
    ],
)
def test_only_a_refusal_of_the_credentials_is_bad_creds(reply: str, outcome: Outcome | None) -> None:
    match = catalogue.read(Reply(int(reply[:3]), (reply,)), stage=Stage.AUTH)
    assert match.rule.outcome is outcome, match.entry.id


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.EHLO, Stage.AUTH, Stage.MAIL])
@pytest.mark.parametrize("subject", ["1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.0", "2.1", "2.2", "7.17"])
@pytest.mark.parametrize(
    "words",
    [
        "",
        "User unknown",
        "Mailbox disabled",
        "Unrouteable address",
        "Mailbox is frozen",
        "nothing that anybody knows",
    ],
)
def test_before_rcpt_nobody_is_suppressed(stage: Stage, subject: str, words: str) -> None:
    match = catalogue.read_words(words, code=550, enhanced=f"5.{subject}", stage=stage)
    assert match.cause.family not in (Family.SUPPRESS, Family.HOLD), match.entry.id


@pytest.mark.parametrize("enhanced", ["5.2.2", "5.3.0", "5.6.0", "5.7.1", "5.7.26"])
def test_weak_words_condemn_no_recipient_beside_a_code_about_something_else(enhanced: str) -> None:
    match = catalogue.read_words("Recipient rejected", code=550, enhanced=enhanced, stage=Stage.RCPT)
    assert (match.cause, match.confidence) == (Cause.RECIPIENT_UNKNOWN, Confidence.UNCERTAIN)


def test_a_reply_for_now_is_never_permanent() -> None:
    for_good = catalogue.read(Reply(550, ("550 5.1.1 User unknown",)), stage=Stage.RCPT)
    for_now = catalogue.read(Reply(450, ("450 4.1.1 User unknown",)), stage=Stage.RCPT)
    assert for_good.rule.verdict is Verdict.FAIL
    assert for_good.rule.answer("recipient_bad") is True
    assert for_now.rule.verdict is Verdict.WAIT
    assert for_now.rule.answer("recipient_bad") is False
    assert for_now.rule.answer("permanent") is False
    assert for_now.rule.answer("retry") is Retry.YES


@pytest.mark.parametrize(
    ("stage", "fault", "id"),
    [
        (Stage.CONNECT, Fault(Ending.REFUSED), "network/refused"),
        (Stage.CONNECT, Fault(Ending.TIMEOUT), "network/connect-timeout"),
        (Stage.CONNECT, Fault(Ending.UNREACHABLE), "network/unreachable"),
        (Stage.GREETING, Fault(Ending.TIMEOUT), "network/greeting-timeout"),
        (Stage.GREETING, Fault(Ending.RESET), "network/connect-reset"),
        (
            Stage.GREETING,
            Fault(Ending.GARBLED, "x", ("HTTP/1.1 400 Bad Request",)),
            "network/looks-like-http",
        ),
        (Stage.GREETING, Fault(Ending.GARBLED, "x", ("+OK Dovecot ready.",)), "network/looks-like-pop3"),
        (
            Stage.GREETING,
            Fault(Ending.GARBLED, "x", ("* OK [CAPABILITY IMAP4rev1]",)),
            "network/looks-like-imap",
        ),
        (Stage.GREETING, Fault(Ending.GARBLED, "x", ("SSH-2.0-OpenSSH_9.2",)), "network/looks-like-ssh"),
        (Stage.GREETING, Fault(Ending.GARBLED, "x", ("\\x15\\x03\\x01",)), "network/looks-like-tls"),
        (Stage.TLS, Fault(Ending.TLS, "certificate has expired"), "tls/certificate-expired"),
        (
            Stage.TLS,
            Fault(Ending.TLS, "unable to get local issuer certificate"),
            "tls/certificate-issuer-unknown",
        ),
        (
            Stage.TLS,
            Fault(Ending.TLS, "Hostname mismatch, certificate is not valid for 'a'"),
            "tls/certificate-wrong-name",
        ),
        (Stage.TLS, Fault(Ending.TLS, "ee key too small"), "tls/certificate-weak"),
        (Stage.TLS, Fault(Ending.TLS, "unsuitable certificate purpose"), "tls/certificate-wrong-purpose"),
        (Stage.TLS, Fault(Ending.TLS, "tlsv1 alert protocol version"), "tls/protocol-too-old"),
        (Stage.TLS, Fault(Ending.TLS, "sslv3 alert handshake failure"), "tls/handshake-refused"),
        (Stage.TLS, Fault(Ending.TLS, "wrong version number"), "tls/plain-on-tls-port"),
        (Stage.TLS, Fault(Ending.TIMEOUT), "tls/handshake-timeout"),
        (Stage.AUTH, Fault(Ending.CLOSED), "network/auth-hangup"),
        (Stage.AUTH, Fault(Ending.TIMEOUT), "network/auth-timeout"),
        (Stage.RCPT, Fault(Ending.RESET), "network/hangup"),
        (Stage.RCPT, Fault(Ending.TOO_LONG), "network/too-long"),
        (Stage.RCPT, Fault(Ending.GARBLED), "network/garbled"),
    ],
)
def test_the_absence_of_a_reply_is_read_too(stage: Stage, fault: Fault, id: str) -> None:
    match = catalogue.read(fault, stage=stage)
    assert match.entry.id == id
    assert match.rule.outcome is None


def test_every_ending_at_every_stage_has_a_reading() -> None:
    for stage in Stage:
        for ending in Ending:
            match = catalogue.read(Fault(ending), stage=stage)
            assert match.entry.ending
            assert match.cause.family.value != "suppress"


def test_codes_alone_are_uncertain_and_words_against_codes_give_alternates() -> None:
    bare = catalogue.read(Reply(554, ("554 5.7.1",)), stage=Stage.RCPT)
    assert bare.confidence is Confidence.UNCERTAIN
    assert bare.alternates
    torn = catalogue.read(Reply(550, ("550 5.1.1 Message refused: over quota",)), stage=Stage.RCPT)
    assert torn.cause is Cause.MAILBOX_FULL
    assert Cause.RECIPIENT_UNKNOWN in {other.rule.cause for other in torn.alternates}


def test_a_provider_is_recognised_by_name() -> None:
    named = {word: catalogue.provider_named(word) for word in ("google", "microsoft365", "", "nobody at all")}
    assert {word: one.id if one else "" for word, one in named.items()} == {
        "google": "google",
        "microsoft365": "microsoft",
        "": "",
        "nobody at all": "",
    }


# -- the strict reader and the kept form ----------------------------------------------------------

GOOD = """
source = { url = "https://example.com/replies", kind = "vendor", read = 2026-11-21 }
[[reply]]
id = "nobody"
text = "nobody here"
cause = "recipient_unknown"
title = "Nobody"
sample = "550 nobody here"
"""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("", ""), ""),
        (('id = "nobody"', 'id = "No Body"'), "an id is lower-case words"),
        (('cause = "recipient_unknown"', 'cause = "bad luck"'), "cause: no such value: bad luck"),
        (('title = "Nobody"', ""), "no title"),
        (('sample = "550 nobody here"', ""), "no sample"),
        (('kind = "vendor"', 'kind = "rumour"'), "no kind of source"),
        (('text = "nobody here"', 'text = "(a+)+"'), "an unbounded repetition"),
        (('text = "nobody here"', 'code = "5500"'), "no code: 5500"),
        (('text = "nobody here"', 'enhanced = "7.1"'), "no enhanced code: 7.1"),
        (('text = "nobody here"', 'smell = "bad"'), "unknown key smell"),
        (("[[reply]]", "[[replies]]"), "unknown table replies"),
        (('text = "nobody here"', 'text = "{who} here"'), ""),
    ],
)
def test_the_strict_reader_names_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    (tmp_path / "one.toml").write_text(GOOD.replace(*change), "utf-8")
    found = catalogue.problems(tmp_path)
    assert any(complaint in one for one in found) if complaint else found == []


def test_the_kept_form_follows_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "catalogue"
    folder.mkdir()
    path = folder / "one.toml"
    path.write_text(GOOD, "utf-8")
    first = _compile.compiled(folder)
    assert _compile.compiled(folder) == first
    path.write_text(GOOD.replace("Nobody", "Nobody there"), "utf-8")
    rules = _compile.Rows[str, dict[str, str]](_compile.compiled(folder)["rules"], dict)
    assert rules["one/nobody"]["title"] == "Nobody there"


def test_a_kept_form_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Path, _target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(Path, "replace", full)
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "one.toml").write_text(GOOD, "utf-8")
    assert set(_compile.compiled(folder)["rules"]) == {"one/nobody"}
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["one.toml"]


def test_a_broken_kept_form_and_a_broken_file_cost_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "one.toml").write_text(GOOD, "utf-8")
    (folder / "two.toml").write_text("not = [toml", "utf-8")
    _compile.compiled(folder)
    for place in _compile._places(folder):
        if place.exists():
            place.write_bytes(b"rubbish")
    assert set(_compile.compiled(folder)["rules"]) == {"one/nobody"}
