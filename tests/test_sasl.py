"""The mechanisms speak as their RFCs show, and stop where going on would be wrong."""

from __future__ import annotations

import base64

import pytest

from probe.facts import Secret
from probe.grammar import sasl
from probe.grammar.sasl import Abort


def talk(
    mechanism: str, *challenges: bytes, user: str = "user", secret: str = "pencil", nonce: str = "n"
) -> list[bytes | None]:
    exchange = sasl.exchange(mechanism, user, Secret(secret), nonce)
    return [next(exchange), *(exchange.send(asked) for asked in challenges)]


def test_plain() -> None:
    assert talk("PLAIN", user="tim", secret="tanstaaftanstaaf") == [
        b"\0tim\0tanstaaftanstaaf"
    ]  # RFC 4616 section 4


@pytest.mark.parametrize(
    ("prompts", "answers"),
    [
        ((b"Username:", b"Password:"), [b"user", b"pencil"]),
        ((b"Password:", b"Username:"), [b"pencil", b"user"]),
        ((b"", b""), [b"user", b"pencil"]),
        ((b"User Name\0", b"Password\0"), [b"user", b"pencil"]),
        ((b"Nom d'utilisateur", b"Mot de passe"), [b"user", b"pencil"]),
        (("Пароль:".encode(), "Имя пользователя:".encode()), [b"pencil", b"user"]),
        ((b"Kennwort:", b"Benutzername:"), [b"pencil", b"user"]),
        ((b"Username:", b"User's password:"), [b"user", b"pencil"]),
        ((b"Login:", b"PIN:"), [b"user", b"pencil"]),
    ],
)
def test_login_answers_what_is_asked(prompts: tuple[bytes, bytes], answers: list[bytes]) -> None:
    assert talk("LOGIN", *prompts) == [None, *answers]


def test_login_never_says_the_password_at_a_second_prompt_for_the_user() -> None:
    with pytest.raises(Abort, match="prompt-repeated"):
        talk("LOGIN", b"Username:", b"Username:")
    with pytest.raises(Abort, match="prompt-repeated"):
        talk("LOGIN", b"Benutzername:", b"Benutzername:")


def test_cram_md5() -> None:
    challenge = base64.b64decode(
        "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
    )  # RFC 2195 section 2
    assert talk("CRAM-MD5", challenge, user="tim", secret="tanstaaftanstaaf") == [
        None,
        b"tim b913a602c7eda7a495b4e6e7334d3890",
    ]


NONCE = "rOprNGfwEbeRWgbNEkqO"  # RFC 7677 section 3
FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
PROOF = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_scram_sha_256() -> None:
    assert talk("SCRAM-SHA-256", FIRST, FINAL, nonce=NONCE) == [b"n,,n=user,r=" + NONCE.encode(), PROOF, b""]


@pytest.mark.parametrize("final", [FINAL + b",m=more", b"e=invalid-proof", b"e=other-error,m=more"])
def test_scram_answers_a_proof_with_extensions_and_an_error_with_nothing(final: bytes) -> None:
    assert talk("SCRAM-SHA-256", FIRST, final, nonce=NONCE)[1:] == [PROOF, b""]


ACCEPTED_AT = [
    ("PLAIN", (), True),
    ("LOGIN", (), False),
    ("LOGIN", (b"Username:",), False),
    ("LOGIN", (b"Password:",), False),
    ("LOGIN", (b"Username:", b"Password:"), True),
    ("CRAM-MD5", (), False),
    ("CRAM-MD5", (b"<1@mx>",), True),
    ("XOAUTH2", (), True),
    ("OAUTHBEARER", (), True),
    ("SCRAM-SHA-256", (), False),
    ("SCRAM-SHA-256", (FIRST,), False),
    ("SCRAM-SHA-256", (FIRST, b"e=other-error"), False),
    ("SCRAM-SHA-256", (FIRST, FINAL), True),
]


@pytest.mark.parametrize(("mechanism", "challenges", "concluded"), ACCEPTED_AT)
def test_an_acceptance_before_the_end_concludes_nothing(
    mechanism: str, challenges: tuple[bytes, ...], concluded: bool
) -> None:
    speaks = sasl.exchange(mechanism, "user", Secret("pencil"), NONCE)
    next(speaks)
    for asked in challenges:
        speaks.send(asked)
    assert sasl.concluded(speaks, "Authentication successful") is concluded


@pytest.mark.parametrize(("beside", "concluded"), [(FINAL, True), (b"v=AAAA", False), (FIRST, False)])
def test_a_proof_beside_the_acceptance_is_as_good_as_one_before_it(beside: bytes, concluded: bool) -> None:
    speaks = sasl.exchange("SCRAM-SHA-256", "user", Secret("pencil"), NONCE)
    next(speaks)
    speaks.send(FIRST)
    assert sasl.concluded(speaks, base64.b64encode(beside).decode()) is concluded


def test_what_the_proof_waits_for_beside_an_acceptance_is_no_proof() -> None:
    speaks = sasl.exchange("SCRAM-SHA-256", "user", Secret("pencil"), NONCE)
    next(speaks)
    assert not sasl.concluded(speaks, base64.b64encode(FIRST).decode())


@pytest.mark.parametrize(
    ("challenges", "reason"),
    [
        ((b"r=other,s=QSXCR+Q6sek8bf92,i=4096",), "challenge-unreadable"),
        ((b"hello",), "challenge-unreadable"),
        ((b"r=" + NONCE.encode() + b"x,s=!!!!,i=4096",), "challenge-unreadable"),
        ((b"r=" + NONCE.encode() + b"x,s=QSXCR,i=4096",), "challenge-unreadable"),
        ((b"r=" + NONCE.encode() + b"x,s=QSXC,i=9999999999",), "scram-too-costly"),
        ((FIRST, b"v=AAAA"), "server-not-genuine"),
        ((FIRST, FINAL[:-1] + b"A"), "server-not-genuine"),
    ],
)
def test_scram_stops(challenges: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(Abort, match=reason):
        talk("SCRAM-SHA-256", *challenges, nonce=NONCE)


def test_tokens() -> None:
    assert talk("XOAUTH2", b"{}", user="a@b.example", secret="ya29.x") == [
        b"user=a@b.example\x01auth=Bearer ya29.x\x01\x01",
        b"",
    ]
    assert talk("OAUTHBEARER", b"{}", user="a@b.example", secret="ya29.x") == [
        b"n,a=a@b.example,\x01auth=Bearer ya29.x\x01\x01",
        b"\x01",
    ]


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("VXNlcm5hbWU6", b"Username:"),
        ("", b""),
        ("Username:", b"Username:"),
        ("Password", b"Password"),  # valid base64, and meant as it stands
        ("Benutzername:", b"Benutzername:"),
    ],
)
def test_challenges(text: str, decoded: bytes) -> None:
    assert sasl.challenge(text) == decoded


def test_the_error_of_a_token_is_read() -> None:
    error = base64.b64encode(
        b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'
    ).decode()
    assert (
        sasl.oauth_error(error)
        == '{"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"}'
    )
    assert sasl.oauth_error("VXNlcm5hbWU6") == ""
    assert sasl.oauth_error("[" * 5000) == ""


@pytest.mark.parametrize(
    ("typed", "hashed"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0007", "\u0007"),
        ("a\u00a0b", "a b"),
    ],
)
def test_saslprep(typed: str, hashed: str) -> None:
    assert sasl.prepared(typed) == hashed  # RFC 4013 section 3
