"""An inbox that has a grant instead of a token: what is sent for one, what comes back, and what stays secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import Grant, Inbox, Network, Secret, catalogue, check_creds
from probe.facts import Answer, Status
from probe.fakes.http import FakeWeb
from probe.fakes.tls import ca_file, server_context
from probe.grammar.token import Denied, Granted, answered, public, tenant
from probe.judge import denied, grant
from probe.rules import Finding
from probe.run.grant import with_token
from probe.wire.token import Tokens

MICROSOFT = "https://login.microsoftonline.com/{}/oauth2/v2.0/token"
CLIENT = "6731de76-14a6-49ae-97bc-6eba6914391e"
BY_ITSELF = Grant("the-application", alone=True)
TOKEN = {"access_token": "the.access.token", "expires_in": 3599}
ADA = Inbox("ada@example.test", Secret("the-secret-of-it"), grant=BY_ITSELF)


def page(told: object, **more: object) -> dict[str, object]:
    return {"type": "application/json", "body": json.dumps(told), **more}


def granted(pages: Mapping[str, object], *inboxes: Inbox) -> tuple[list[Inbox | Finding], FakeWeb]:
    """What comes of these inboxes at Microsoft, asked all at once; and the server that was asked."""

    async def run() -> tuple[list[Inbox | Finding], FakeWeb]:
        host = "login.microsoftonline.com"
        async with FakeWeb(pages, server_context("good", (host,))) as server:
            sites = {(host, 443): ("127.0.0.1", server.port)}
            async with Network(ca_file=ca_file(), sites=sites) as network:
                asked = (with_token(one, one.grant, "microsoft", network) for one in inboxes if one.grant)
                return list(await asyncio.gather(*asked)), server

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ('{"access_token": "a.b.c", "expires_in": 3599}', Granted(Secret("a.b.c"), 3599)),
        ('{"access_token": "a.b.c"}', Granted(Secret("a.b.c"), 600)),
        ('{"access_token": "a.b.c", "expires_in": -1}', Granted(Secret("a.b.c"), 600)),
        ('{"access_token": "a.b.c", "expires_in": NaN}', Granted(Secret("a.b.c"), 600)),
        ('{"error": "invalid_grant"}', Denied("invalid_grant")),
        (
            '{"error": "invalid_grant", "error_description": "AADSTS70008: it has expired"}',
            Denied("invalid_grant", "AADSTS70008", "AADSTS70008: it has expired"),
        ),
        ('{"error": "x", "error_description": 7}', Denied("x")),
        ('{"error": "invalid_grant", "error_subtype": "invalid_rapt"}', Denied("invalid_rapt")),
        ('{"access_token": "line\\nbreak"}', None),
        ('{"access_token": ""}', None),
        ('{"access_token": 7}', None),
        ('{"error": {"code": 400}}', None),
        ("[]", None),
        ("{}", None),
        ("<h1>no</h1>", None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_what_a_token_server_answers(body: str, read: Granted | Denied | None) -> None:
    assert answered(body) == read


@given(st.text())
def test_any_answer_is_read_or_left(body: str) -> None:
    assert answered(body) is None or body
    assert answered(json.dumps({"access_token": body})) in (None, Granted(Secret(body), 600))


@pytest.mark.parametrize("text", ["example.test", "a.xn--p1ai", CLIENT, CLIENT.upper(), "common"])
def test_a_directory(text: str) -> None:
    assert tenant(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "a/b", "a b", "../x", "a?b.test", "-a.test", "a#b.test", "a@b.test", "é.test", "a..test"),
        *("a.test\n", "x" * 300, "a." * 200 + "test", "192.0.2.1"),
    ],
)
def test_what_would_change_the_address_is_no_directory(text: str) -> None:
    with pytest.raises(ValueError, match="the tenant is no id"):
        tenant(text)


@pytest.mark.parametrize("text", ["hunter2", "correcthorse", "Xy8Q~the-value-of-the-secret", "M1crosoft"])
def test_a_secret_in_the_place_of_a_directory_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="the tenant is no id") as refused:
        tenant(text)
    assert text not in str(refused.value)


def test_the_inbox_logs_in_with_the_token_and_without_the_grant() -> None:
    (one,), _ = granted({MICROSOFT.format("example.test"): page(TOKEN)}, ADA)
    assert one == replace(ADA, secret=Secret("the.access.token"), mechanism="xoauth2", grant=None)


def test_a_mechanism_that_was_named_stays() -> None:
    bearer = replace(ADA, mechanism="oauthbearer")
    (one,), _ = granted({MICROSOFT.format("example.test"): page(TOKEN)}, bearer)
    assert isinstance(one, Inbox)
    assert one.mechanism == "oauthbearer"


def test_a_mechanism_for_passwords_has_no_use_for_a_grant() -> None:
    with pytest.raises(ValueError, match="mechanism 'plain' takes a password; a grant is for a token"):
        asyncio.run(check_creds(replace(ADA, mechanism="plain")))


def test_auto_may_be_written_in_capitals() -> None:
    (one,), _ = granted({MICROSOFT.format("example.test"): page(TOKEN)}, replace(ADA, mechanism="AUTO"))
    assert isinstance(one, Inbox)
    assert one.mechanism == "xoauth2"


def test_the_inboxes_of_an_application_share_one_request() -> None:
    url = MICROSOFT.format("example.test")
    inboxes = [replace(ADA, address=f"i{number}@example.test") for number in range(20)]
    found, server = granted({url: page(TOKEN)}, *inboxes)
    assert all(isinstance(one, Inbox) for one in found)
    assert server.served == {url: 1}


def test_a_directory_that_can_be_none_is_not_asked_and_not_shown() -> None:
    (found,), server = granted({}, replace(ADA, grant=replace(BY_ITSELF, tenant="hunter2")))
    assert isinstance(found, Finding)
    assert (found.rule.id, server.served) == ("grant/tenant-unknown", {})
    assert "hunter2" not in str((found.evidence, found.detail))


@pytest.mark.parametrize("address", ["ada@[192.0.2.1]", "ada@[IPv6:2001:db8::1]"])
def test_an_address_whose_domain_is_no_directory_is_not_asked_for(address: str) -> None:
    (found,), server = granted({}, replace(ADA, address=address))
    assert isinstance(found, Finding)
    assert (found.rule.id, server.served) == ("grant/tenant-unknown", {})


def test_a_refusal_is_asked_for_once_too() -> None:
    url = MICROSOFT.format("example.test")
    inboxes = [replace(ADA, address=f"i{number}@example.test") for number in range(20)]
    found, server = granted({url: page({"error": "invalid_client"}, status=401)}, *inboxes)
    assert {one.rule.id for one in found if isinstance(one, Finding)} == {"grant/client-refused"}
    assert server.served == {url: 1}


class Script:
    """A token server that says one answer after the other, and the clock beside it."""

    def __init__(self, *says: object, status: int = 200) -> None:
        self.says = list(says)
        self.status = status
        self.asked = 0
        self.now = 1000.0

    async def post(self, _url: str, _form: Mapping[str, str]) -> Answer:
        told = self.says[min(self.asked, len(self.says) - 1)]
        self.asked += 1
        if isinstance(told, Answer):
            return told
        return Answer(Status.OK, (str(self.status), "application/json", "", json.dumps(told)))


def asked_at(script: Script, *moments: float, form: Mapping[str, str] | None = None) -> list[object]:
    """What is told at these seconds of a run; every question has a refresh token of its own with a form."""
    tokens = Tokens(script, lambda: script.now)

    async def run() -> list[object]:
        told: list[object] = []
        for number, moment in enumerate(moments):
            script.now = 1000.0 + moment
            said = {"client_id": CLIENT, "refresh_token": str(number) if form is None else "the same"}
            told.append(await tokens.ask(MICROSOFT, {**said, **(form or {})}))
        return told

    return asyncio.run(run())


SAME: Mapping[str, str] = {"scope": "mail"}


@pytest.mark.parametrize(
    ("seconds", "moments", "asked"),
    [
        (3600, (0, 3539), 1),
        (3600, (0, 3541), 2),  # nobody is let wait with a token that is nearly over
        (3600, (0, 3541, 7000, 7082), 3),  # two hours
        (60, (0, 29), 1),
        (60, (0, 31), 2),
        (-5, (0, 500), 1),  # a time that is none: ten minutes
    ],
)
def test_a_token_is_used_until_it_is_nearly_over(
    seconds: float, moments: tuple[float, ...], asked: int
) -> None:
    script = Script({**TOKEN, "expires_in": seconds})
    assert all(isinstance(one, Granted) for one in asked_at(script, *moments, form=SAME))
    assert script.asked == asked


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (Answer(Status.TIMEOUT), 200),
        (Answer(Status.UNREACHABLE), 200),
        ({"error": "temporarily_unavailable"}, 400),
        ({"error": "too_many"}, 429),
        ("<h1>no</h1>", 503),
    ],
)
def test_what_passes_is_told_for_two_seconds_and_asked_again_then(first: object, status: int) -> None:
    script = Script(first, status=status)
    asked_at(script, 0, 1.9, form=SAME)
    assert script.asked == 1
    asked_at(script, 0, 2.1, form=SAME)
    assert script.asked == 3


@pytest.mark.parametrize(
    ("error", "words", "asked"),
    [
        ("invalid_client", "AADSTS7000215: Invalid client secret provided.", 1),
        ("invalid_client", "AADSTS7000222: The provided client secret keys are expired.", 1),
        ("invalid_client", "", 1),
        ("deleted_client", "The OAuth client was deleted.", 1),
        ("unauthorized_client", "AADSTS700016: not found in the directory 'one'", 5),
        ("invalid_client", "AADSTS7000229: missing service principal in the tenant", 5),
        ("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.", 5),
        ("invalid_grant", "", 5),
    ],
)
def test_an_application_that_is_refused_is_not_asked_for_with_every_refresh_token(
    error: str, words: str, asked: int
) -> None:
    script = Script({"error": error, "error_description": words}, status=400)
    told = asked_at(script, 0, 100, 200, 300, 400)
    assert {one.words for one in told if isinstance(one, Denied)} == {words}
    assert script.asked == asked


def test_what_was_sent_is_no_token() -> None:
    (told,) = asked_at(Script({"access_token": CLIENT}), 0)
    assert isinstance(told, Answer)
    assert (told.status, told.detail) == (Status.GARBLED, "what was sent came back as the token")


@pytest.mark.parametrize("status", [201, 302, 307, 400, 401])
def test_a_token_comes_with_status_200(status: int) -> None:
    assert answered(json.dumps(TOKEN), status) is None


@pytest.mark.parametrize("body", ["", "<h1>busy</h1>", "{}", '{"error": {"code": 503}}', json.dumps(TOKEN)])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_may_answer_in_any_form(body: str, status: int) -> None:
    told = answered(body, status)
    assert told == Denied("", words=f"HTTP status {status}", passing=True)
    finding = denied(told, MICROSOFT, CLIENT, [])
    assert (finding.rule.id, finding.detail) == ("grant/token-server-later", f"HTTP status {status}")


def test_the_words_of_a_token_server_are_printable_and_bounded_and_hold_no_secret() -> None:
    words = "\x1b[31m AADSTS1: " + "the-secret-of-it " * 3 + "dGhlLXNlY3JldC1vZi1pdA== " + "x" * 5000
    told = Denied("invalid_grant\n", "", words)
    finding = denied(told, MICROSOFT, CLIENT, [Secret("the-secret-of-it")])
    assert finding.rule.id == "grant/token-server-unclear"
    assert finding.detail.startswith("\\x1b[31m AADSTS1: *** *** *** *** xxx")
    assert len(finding.detail) < 500
    assert "the-secret" not in str(finding.evidence)


@pytest.mark.parametrize(
    ("error", "words", "rule"),
    [
        ("invalid_grant", "Token has been expired or revoked.", "refresh-token-ended"),
        ("invalid_grant", "The account has been deleted", "account-unknown"),
        (
            "invalid_grant",
            "AADSTS50133: Session is invalid due to password expiration",
            "refresh-token-ended",
        ),
        ("invalid_grant", "AADSTS50078: Presented multifactor authentication has expired", "sign-in-needed"),
        ("invalid_grant", "AADSTS50144: The password has expired", "sign-in-needed"),
        ("invalid_grant", "AADSTS65001: has not consented", "consent-missing"),
        ("unauthorized_client", "AADSTS700016: not found", "client-refused"),
        ("invalid_request", "AADSTS9001023: isn't supported over /common", "tenant-wanted"),
        ("invalid_request", "Please use the /consumers endpoint to serve this request.", "tenant-wanted"),
        ("invalid_client", "AADSTS650052: hasn't subscribed to", "no-exchange"),
        ("invalid_grant", "AADSTS50196: a client loop", "token-server-later"),
        ("internal_failure", "", "token-server-later"),
        ("invalid_grant", "AADSTS99999999: of tomorrow", "refresh-token-ended"),  # the error is still known
        ("error_of_tomorrow", "", "token-server-unclear"),
    ],
)
def test_why_there_is_no_token(error: str, words: str, rule: str) -> None:
    body = json.dumps({"error": error, "error_description": words})
    told = answered(body, 400)
    assert isinstance(told, Denied)
    assert denied(told, MICROSOFT, CLIENT, []).rule.id == f"grant/{rule}"


@pytest.mark.parametrize("status", [Status.TIMEOUT, Status.UNREACHABLE, Status.GARBLED, Status.SKIPPED])
def test_no_answer_says_nothing_of_the_inbox(status: Status) -> None:
    finding = denied(Answer(status, detail="why"), MICROSOFT, CLIENT, [])
    assert (finding.rule.id, finding.rule.verdict, finding.detail) == (
        "grant/token-server-silent",
        "unknown",
        "why",
    )


def test_what_is_wrong_with_an_answer_is_told_without_the_secret_in_it() -> None:
    told = Answer(Status.GARBLED, detail="illegal status line: bytearray(b'the-secret-of-it')")
    finding = denied(told, MICROSOFT, CLIENT, [Secret("the-secret-of-it")])
    assert finding.detail == "illegal status line: bytearray(b'***')"


@pytest.mark.parametrize("before", range(85, 101))
def test_a_secret_that_a_cut_would_part_is_hidden_before_it(before: int) -> None:
    finding = denied(
        Denied("x" * before + " the-secret-of-it"), MICROSOFT, CLIENT, [Secret("the-secret-of-it")]
    )
    assert finding.evidence["error"] == ("x" * before + " ***")[:100]


def test_a_secret_that_was_given_as_the_id_is_not_shown_when_the_server_repeats_it() -> None:
    words = "AADSTS700016: Application with identifier 'Xy8Q~the-value-of-it' was not found"
    url = MICROSOFT.format("example.test")
    swapped = replace(ADA, secret=Secret(CLIENT), grant=Grant("Xy8Q~the-value-of-it", alone=True))
    said = page({"error": "unauthorized_client", "error_description": words}, status=400)
    (found,), _ = granted({url: said}, swapped)
    assert isinstance(found, Finding)
    assert found.detail == "AADSTS700016: Application with identifier '***' was not found"


@pytest.mark.parametrize(
    ("client", "told"),
    [
        (CLIENT, True),
        ("000000004C12AE6F", True),
        ("407408718192-abc9.apps.googleusercontent.com", True),
        ("Xy8Q~the-value-of-it", False),
        ("GOCSPX-of-the-application", False),
        (f"{CLIENT}\n", False),
        ("", False),
    ],
)
def test_an_id_of_an_application_is_no_secret(client: str, told: bool) -> None:
    assert public(client) is told


def test_every_number_is_read_in_one_way_and_every_rule_is_there() -> None:
    numbers = [number for told in grant._NUMBERS.values() for number in told]
    assert len(numbers) == len(set(numbers))
    named = {*grant._NUMBERS, *grant._ERRORS, *grant._WORDS.values()}
    assert {catalogue.rule(f"grant/{rule}").id for rule in named} == {f"grant/{rule}" for rule in named}
    assert {catalogue.rule(rule).id for rule in grant._REFUSED} == grant._REFUSED


def test_a_grant_shows_no_secret() -> None:
    assert "hunter2" not in repr(Grant("id", Secret("hunter2")))
