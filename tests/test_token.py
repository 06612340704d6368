"""What a token says of itself, and what is done with one that no server could take."""

from __future__ import annotations

import base64
import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import Inbox, Secret
from probe.grammar.token import Claims, claims, kind
from probe.judge import typed, withheld

TENANT = "https://sts.windows.net/00000000-0000-4000-8000-000000000000/"
OUTLOOK = "https://outlook.office.com"
GRAPH = "00000003-0000-0000-c000-000000000000"
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def coded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def jwt(**told: object) -> str:
    return f"{coded({'alg': 'RS256'})}.{coded(told)}.c2lnbmF0dXJl"


def inbox(secret: str, mechanism: str = "xoauth2") -> Inbox:
    return Inbox("ada@example.com", Secret(secret), mechanism=mechanism)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({}, Claims()),
        ({"iss": TENANT, "aud": OUTLOOK}, Claims(TENANT, (OUTLOOK,))),
        ({"aud": ["a", "b", 3]}, Claims(audiences=("a", "b"))),
        ({"scp": "SMTP.Send IMAP"}, Claims(scopes=("SMTP.Send", "IMAP"))),
        ({"scope": "mail send"}, Claims(scopes=("mail", "send"))),
        ({"roles": ["SMTP.SendAsApp"]}, Claims(roles=("SMTP.SendAsApp",))),
        ({"exp": 1795262400}, Claims(expires=1795262400.0)),
        ({"exp": "tomorrow", "iss": 7, "aud": None, "scp": {}}, Claims()),
        ({"exp": 10**400}, Claims()),
        ({"exp": float("nan")}, Claims()),
        ({"exp": -1}, Claims()),
    ],
)
def test_what_a_token_claims(told: dict[str, object], read: Claims) -> None:
    assert claims(jwt(**told)) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "a.b.c",
        "ya29.a0Af.x",
        "one.two.three.four.five",
        f"{coded([])}.{coded({})}.x",
        jwt() + "x" * 40_000,
    ],
)
def test_what_is_no_json_web_token_claims_nothing(text: str) -> None:
    assert claims(text) is None


@given(st.text(), st.text(), st.text())
def test_any_text_is_read_or_left(one: str, two: str, three: str) -> None:
    claims(f"{one}.{two}.{three}")
    read = claims(f"{coded({})}.{base64.urlsafe_b64encode(two.encode('utf-8', 'replace')).decode()}.{three}")
    assert read is None or isinstance(read, Claims)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("ya29." + "x" * 100, "access token"),
        ("1//0e" + "x" * 98, "refresh token"),
        ("GOCSPX-" + "x" * 28, "client secret"),
        ("1/2", ""),
        ("1//2 is a password", ""),
    ],
)
def test_googles_secrets_are_told_apart_by_their_beginnings(secret: str, words: str) -> None:
    assert kind(secret) == words


@pytest.mark.parametrize(
    ("secret", "problem", "words"),
    [
        ("ya29." + "x" * 100, "", ""),
        ("EwB4A8l6" + "x" * 100, "", ""),  # of a personal account: opaque
        ("1//0e" + "x" * 100, "token-of-another-kind", "Google's refresh token"),
        ("GOCSPX-" + "x" * 28, "token-of-another-kind", "Google's client secret"),
        (jwt(iss=TENANT, aud=OUTLOOK, scp="SMTP.Send"), "", ""),
        (jwt(iss=TENANT, aud="https://outlook.office365.us", roles=["SMTP.SendAsApp"]), "", ""),
        (jwt(iss=TENANT, aud="00000002-0000-0ff1-ce00-000000000000", scp="smtp.send"), "", ""),
        (jwt(iss=TENANT), "", ""),
        (jwt(iss="https://idp.example/", aud="https://graph.microsoft.com"), "", ""),  # not Microsoft's to judge
        (jwt(iss=TENANT, aud="https://graph.microsoft.com"), "token-for-another-service", "an access token for https://graph.microsoft.com"),
        (jwt(iss=TENANT, aud="\x1b[31m\ud800"), "token-for-another-service", "an access token for \\x1b[31m\\\\ud800"),
        (jwt(exp=NOON.timestamp() + 60), "", ""),
        (jwt(exp=NOON.timestamp() - 60), "", ""),  # clocks differ
        (jwt(exp=NOON.timestamp() - 301), "token-expired", "an access token that ended 2026-11-21 11:54 UTC"),
    ],
)  # fmt: skip
def test_a_token_that_no_server_could_take_stays_here(secret: str, problem: str, words: str) -> None:
    at = "microsoft"
    assert withheld(inbox(secret), NOON, provider=at) == ((problem, words) if problem else None)
    assert withheld(inbox(secret, "plain"), NOON, provider=at) is None
    found = [finding.rule.id for finding in typed(inbox(secret), NOON, provider=at)]
    assert found == ([f"credentials/{problem}"] if problem else [])


@pytest.mark.parametrize(
    ("secret", "mechanism", "problem", "words"),
    [
        (jwt(iss=TENANT, aud=OUTLOOK, scp="IMAP.AccessAsUser.All"), "xoauth2", "token-without-smtp", "an access token that allows IMAP.AccessAsUser.All"),
        (jwt(iss=TENANT, aud=OUTLOOK), "oauthbearer", "token-without-smtp", "an access token that allows nothing"),
        (jwt(iss=TENANT, aud=OUTLOOK, scp="a b c d e f g"), "xoauth2", "token-without-smtp", "an access token that allows a b c d e f g"),
        (jwt(iss=TENANT, aud=OUTLOOK, scp="SMTP.Send"), "auto", "token-as-password", "a JSON Web Token"),
        ("ya29." + "x" * 100, "plain", "token-as-password", "Google's access token"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_token_that_is_sent(secret: str, mechanism: str, problem: str, words: str) -> None:
    (finding,) = typed(inbox(secret, mechanism), NOON, provider="microsoft")
    assert (finding.rule.id, finding.evidence["secret"]) == (f"credentials/{problem}", words)


@pytest.mark.parametrize("secret", ["1//0e" + "x" * 98, "GOCSPX-" + "x" * 28])
@pytest.mark.parametrize("provider", ["", "google", "zoho"])
def test_what_is_for_googles_token_server_is_not_tried_as_a_password(secret: str, provider: str) -> None:
    (finding,) = typed(inbox(secret, "auto"), NOON, provider=provider)
    assert finding.rule.id == "credentials/token-of-another-kind"
    (finding,) = typed(inbox(secret, "plain"), NOON, provider=provider)  # who names the mechanism means it
    assert finding.rule.id == "credentials/token-as-password"


@pytest.mark.parametrize("provider", ["", "google", "zoho"])
@pytest.mark.parametrize("audience", ["api://the-mail-server", "https://mail.example.com/"])
def test_a_directory_of_microsoft_may_vouch_for_the_users_of_another_server(
    provider: str, audience: str
) -> None:
    secret = jwt(iss=TENANT, aud=audience, exp=NOON.timestamp() + 60)
    assert list(typed(inbox(secret), NOON, provider=provider)) == []


@pytest.mark.parametrize("provider", ["", "google", "microsoft"])
@pytest.mark.parametrize(
    "audience", ["https://graph.microsoft.com", "https://graph.microsoft.com/", GRAPH, [GRAPH]]
)
def test_a_token_for_graph_is_for_no_mail_server(provider: str, audience: object) -> None:
    found = withheld(inbox(jwt(iss=TENANT, aud=audience)), NOON, provider=provider)
    assert found is not None
    assert found[0] == "token-for-another-service"
