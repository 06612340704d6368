"""The login plan, as dialogues: what we say is written beside what the server says."""

from __future__ import annotations

import base64

import pytest

from probe.facts import Ending, Fault, Inbox, Reply, Secret, TlsMode, Turn
from probe.grammar.command import Command, Handshake
from probe.grammar.reply import reply
from probe.plans.creds import Login, creds

ADA = Inbox("ada@example.com", Secret("correct horse"))
GREETING = "S: 220 mx"
HELLO = ["C: EHLO me", "S: 250-mx|250-STARTTLS|250 AUTH PLAIN"]
TLS = ["C: STARTTLS", "S: 220 go", "TLS"]
SECURE = ["C: EHLO me", "S: 250-mx|250-PIPELINING|250 AUTH PLAIN LOGIN"]
PLAIN = (
    f"C: AUTH PLAIN {base64.b64encode(b'%sada@example.com%scorrect horse' % (bytes(1), bytes(1))).decode()}"
)
START = [GREETING, *HELLO, *TLS, *SECURE]
ENVELOPE = [
    "C: MAIL FROM:<ada@example.com>", "C: RCPT TO:<ada@example.com>", "C: RSET", "C: QUIT",
    "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 221 bye",
]  # fmt: skip
BYE = ["C: QUIT", "S: 221 bye"]


def hold(script: list[str], login: Login) -> str:
    """Play a dialogue: every line of ours must be the script's next; the plan's reason is returned."""
    plan = creds(login)
    lines = list(script)
    flight = next(plan)
    try:
        while True:
            turns = []
            for step in flight:
                if isinstance(step, Command):
                    assert f"C: {step.line.decode()}" == lines.pop(0)
                elif isinstance(step, Handshake):
                    assert lines.pop(0) == "TLS"
            for step in flight:
                said = step.shown if isinstance(step, Command) else ""
                heard = None if isinstance(step, Handshake) else _heard(lines.pop(0))
                turns.append(Turn(step.stage, said, heard))
            flight = plan.send(tuple(turns))
    except StopIteration as end:
        assert not lines, f"never reached: {lines}"
        return str(end.value)


def _heard(line: str) -> Reply | Fault:
    mark, _, words = line.partition(" ")
    return reply(words.replace("|", "\n")) if mark == "S:" else Fault(Ending(words))


def login(inbox: Inbox = ADA, tls: TlsMode = TlsMode.STARTTLS, **more: object) -> Login:
    return Login(inbox, tls, "me", **more)  # type: ignore[arg-type]


def ada(**more: object) -> Inbox:
    return Inbox("ada@example.com", Secret("correct horse"), **more)  # type: ignore[arg-type]


def test_a_good_inbox() -> None:
    assert hold([*START, PLAIN, "S: 235 ok", *ENVELOPE], login()) == ""


def test_without_pipelining_every_word_waits_for_its_answer() -> None:
    script = [
        GREETING, *HELLO, *TLS, "C: EHLO me", "S: 250-mx|250 AUTH PLAIN", PLAIN, "S: 235 ok",
        "C: MAIL FROM:<ada@example.com>", "S: 250 ok", "C: RCPT TO:<ada@example.com>", "S: 250 ok",
        "C: RSET", "S: 250 ok", *BYE,
    ]  # fmt: skip
    assert hold(script, login()) == ""


def test_implicit_tls_starts_with_the_handshake() -> None:
    assert hold(["TLS", GREETING, *SECURE, PLAIN, "S: 235 ok", *ENVELOPE], login(tls=TlsMode.IMPLICIT)) == ""


@pytest.mark.parametrize("code", [530, 535, 538, 454, 432, 450, 501, 503, 525, 550, 599, 250, 354])
def test_one_auth_whatever_the_refusal(code: int) -> None:
    assert hold([*START, PLAIN, f"S: {code} no", *BYE], login()) == ""


@pytest.mark.parametrize("ending", ["closed", "reset", "timeout", "garbled", "too-long"])
def test_no_auth_again_and_no_word_after_a_lost_connection(ending: str) -> None:
    assert hold([*START, PLAIN, f"-- {ending}"], login()) == ""


@pytest.mark.parametrize("refusal", ["504 5.5.4 unrecognized", "534 5.7.9 mechanism is too weak"])
def test_a_second_auth_only_where_the_mechanism_was_refused(refusal: str) -> None:
    words = [f"C: {base64.b64encode(text).decode()}" for text in (b"ada@example.com", b"correct horse")]
    script = [
        *START,
        PLAIN,
        f"S: {refusal}",
        "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6",
        words[0],
        "S: 334 UGFzc3dvcmQ6",
        words[1],
    ]
    assert hold([*script, "S: 535 no", *BYE], login()) == ""


def test_never_a_third() -> None:
    script = [*START[:-1], "S: 250-mx|250 AUTH PLAIN LOGIN CRAM-MD5"]
    assert hold([*script, PLAIN, "S: 504 no", "C: AUTH LOGIN", "S: 504 no", *BYE], login()) == ""


@pytest.mark.parametrize("reason", ["Application-specific password required", "your password is too weak"])
def test_534_for_another_reason_is_about_the_password(reason: str) -> None:
    assert hold([*START, PLAIN, f"S: 534 5.7.9 {reason}", *BYE], login()) == ""


@pytest.mark.parametrize(
    ("offered", "reason"),
    [
        ("250 mx", "auth-not-offered"),
        ("250-mx|250 AUTH", "auth-not-offered"),
        ("250-mx|250 AUTH GSSAPI NTLM SCRAM-SHA-256", "no-common-mechanism"),
        ("250-mx|250 AUTH XOAUTH2 OAUTHBEARER", "password-not-offered"),
    ],
)
def test_nothing_is_sent_where_no_mechanism_fits(offered: str, reason: str) -> None:
    assert hold([*START[:-1], f"S: {offered}", *BYE], login()) == reason


def test_a_mechanism_by_name_is_used_or_nothing() -> None:
    assert hold([*START, *BYE], login(ada(mechanism="cram-md5"))) == "mechanism-not-offered"


def test_a_stripped_starttls_ends_the_session() -> None:
    assert hold([GREETING, "C: EHLO me", "S: 250-mx|250 AUTH PLAIN", *BYE], login()) == "starttls-not-offered"


def test_no_password_without_tls_unless_told_so() -> None:
    open_wire = [GREETING, "C: EHLO me", "S: 250-mx|250-PIPELINING|250 AUTH PLAIN"]
    assert hold([*open_wire, *BYE], login(tls=TlsMode.NONE)) == "plaintext-not-allowed"
    assert (
        hold([*open_wire, PLAIN, "S: 235 ok", *ENVELOPE], login(tls=TlsMode.NONE, allow_plaintext=True)) == ""
    )


@pytest.mark.parametrize("code", [250, 354, 421, 454, 502, 530, 554])
def test_starttls_refused_is_the_end(code: int) -> None:
    assert hold([GREETING, *HELLO, "C: STARTTLS", f"S: {code} no", *BYE], login()) == ""


def test_helo_where_ehlo_is_refused() -> None:
    script = [GREETING, "C: EHLO me", "S: 502 no", "C: HELO me", "S: 250 mx", *BYE]
    assert hold(script, login()) == "starttls-not-offered"


def test_offers_from_before_tls_are_forgotten() -> None:
    assert hold([GREETING, *HELLO, *TLS, "C: EHLO me", "S: 250 mx", *BYE], login()) == "auth-not-offered"


@pytest.mark.parametrize("greeting", ["421 busy", "554 no", "354 what", "450 later"])
def test_a_greeting_that_is_none(greeting: str) -> None:
    assert hold([f"S: {greeting}", *BYE], login()) == ""


def test_a_server_that_never_stops_asking_is_cancelled() -> None:
    script = [*START, PLAIN, "S: 334 ", "C: *", "S: 501 cancelled", *BYE]
    assert hold(script, login()) == "unexpected-challenge"


def test_login_says_the_password_once() -> None:
    words = [f"C: {base64.b64encode(text).decode()}" for text in (b"ada@example.com", b"correct horse")]
    script = [
        *START,
        "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6",
        words[0],
        "S: 334 UGFzc3dvcmQ6",
        words[1],
        "S: 334 UGFzc3dvcmQ6",
        "C: *",
        "S: 501 cancelled",
        *BYE,
    ]
    assert hold(script, login(ada(mechanism="login"))) == "unexpected-challenge"


@pytest.mark.parametrize("mechanism", ["login", "cram-md5"])
def test_nothing_rests_on_a_yes_to_a_secret_that_was_not_said(mechanism: str) -> None:
    script = [*START[:-1], f"S: 250-mx|250 AUTH {mechanism}", f"C: AUTH {mechanism.upper()}", "S: 235 ok"]
    assert hold([*script, *BYE], login(ada(mechanism=mechanism))) == "accepted-unheard"


def test_nothing_rests_on_a_yes_to_a_long_token_that_still_waits() -> None:
    token = Inbox("ada@example.com", Secret("y" * 600), mechanism="xoauth2")
    script = [*START[:-1], "S: 250-mx|250 AUTH XOAUTH2", "C: AUTH XOAUTH2", "S: 235 ok", *BYE]
    assert hold(script, login(token)) == "accepted-unheard"


def test_a_long_token_does_not_ride_on_the_command_line() -> None:
    token = Inbox("ada@example.com", Secret("y" * 600), mechanism="xoauth2")
    said = base64.b64encode(b"user=ada@example.com\x01auth=Bearer " + b"y" * 600 + b"\x01\x01").decode()
    script = [
        *START[:-1],
        "S: 250-mx|250-PIPELINING|250 AUTH XOAUTH2",
        "C: AUTH XOAUTH2",
        "S: 334 ",
        f"C: {said}",
        "S: 235 ok",
    ]
    assert hold([*script, *ENVELOPE], login(token)) == ""


def test_a_refused_token_is_answered_with_an_empty_line() -> None:
    token = Inbox("ada@example.com", Secret("ya29"), mechanism="xoauth2")
    said = base64.b64encode(b"user=ada@example.com\x01auth=Bearer ya29\x01\x01").decode()
    script = [
        *START[:-1],
        "S: 250-mx|250 AUTH XOAUTH2",
        f"C: AUTH XOAUTH2 {said}",
        "S: 334 e30=",
        "C: ",
        "S: 535 no",
    ]
    assert hold([*script, *BYE], login(token)) == ""


def test_an_international_address_needs_smtputf8() -> None:
    inbox = Inbox("müller@example.com", Secret("pw"), mechanism="plain")
    said = f"C: AUTH PLAIN {base64.b64encode(bytes(1) + 'müller@example.com'.encode() + bytes(1) + b'pw').decode()}"
    assert hold([*START, said, "S: 235 ok", *BYE], login(inbox)) == "smtputf8-not-offered"
    offering = [*START[:-1], "S: 250-mx|250-SMTPUTF8|250-PIPELINING|250 AUTH PLAIN", said, "S: 235 ok"]
    envelope = [line.replace("ada", "müller") for line in ENVELOPE]
    envelope[0] += " SMTPUTF8"
    assert hold([*offering, *envelope], login(inbox)) == ""


def test_a_provider_may_prefer_login() -> None:
    words = [f"C: {base64.b64encode(text).decode()}" for text in (b"ada@example.com", b"correct horse")]
    script = [
        *START,
        "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6",
        words[0],
        "S: 334 UGFzc3dvcmQ6",
        words[1],
        "S: 235 ok",
    ]
    assert hold([*script, *ENVELOPE], login(prefer=("LOGIN",))) == ""


def test_without_tls_what_hides_the_password_comes_before_what_a_provider_prefers() -> None:
    script = [
        GREETING,
        "C: EHLO me",
        "S: 250-mx|250-PIPELINING|250 AUTH PLAIN LOGIN CRAM-MD5",
        "C: AUTH CRAM-MD5",
        "S: 535 no",
        *BYE,
    ]
    assert hold(script, login(tls=TlsMode.NONE, allow_plaintext=True, prefer=("LOGIN", "PLAIN"))) == ""


@pytest.mark.parametrize("refused", ["MAIL", "RCPT"])
def test_a_refused_envelope_ends_politely(refused: str) -> None:
    envelope = ["C: MAIL FROM:<ada@example.com>", "S: 550 no" if refused == "MAIL" else "S: 250 ok"]
    if refused == "RCPT":
        envelope += ["C: RCPT TO:<ada@example.com>", "S: 550 no"]
    script = [*START[:-1], "S: 250-mx|250 AUTH PLAIN", PLAIN, "S: 235 ok", *envelope, *BYE]
    assert hold(script, login()) == ""


@pytest.mark.parametrize(
    "bad", ["a\r\nRSET@x.example", "a\0@x.example", "a>b@x.example", "a b@x.example", "@x.example"]
)
def test_no_field_becomes_a_command(bad: str) -> None:
    with pytest.raises(ValueError, match=r"line break|invisible|angle bracket|quoted|not an address"):
        hold([*START, PLAIN, "S: 235 ok"], login(ada(mail_from=bad)))
