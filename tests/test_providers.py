"""The provider files: how a provider is recognised, where it takes mail, and what its refusals prove."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from probe import catalogue
from probe.checks import _providers
from probe.cli import app
from probe.facts import Reply, Stage
from probe.grammar import pasted, sasl
from probe.rules import Cause, Outcome, Verdict

SHARED = Path(__file__).parents[2] / "shared" / "data" / "replies"
PROVIDERS = catalogue.providers()


def reply(text: str) -> Reply:
    return Reply(int(text[:3]), tuple(text.split("\n")))


# -- the tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.id)
def test_a_provider_says_who_it_is_where_it_takes_mail_and_what_password_it_wants(
    provider: catalogue.Provider,
) -> None:
    assert provider.name
    assert provider.mx or provider.domains or provider.submission
    assert bool(provider.submission) == bool(provider.password)  # a filter before a server has neither
    assert provider.source.url.startswith("https://")
    assert provider.source.kind in {"vendor", "observed"}
    assert provider.app_password_url == "" or provider.app_password_url.startswith("https://")
    assert 1 <= provider.at_once <= 50
    for server in provider.submission:
        assert server.host == server.host.lower()
        assert server.port in {465, 587, 2525}
        assert server.tls in ({"implicit"} if server.port == 465 else {"implicit", "starttls"})


def test_the_mechanisms_that_a_provider_prefers_are_names_that_a_plan_compares() -> None:
    qq, google = catalogue.provider("qq"), catalogue.provider("google")
    assert qq.mechanisms == ("LOGIN", "PLAIN")
    assert google.mechanisms == ("XOAUTH2", "OAUTHBEARER", "PLAIN", "LOGIN")
    for one in PROVIDERS:
        assert set(one.mechanisms) <= set(sasl.MECHANISMS)
        # What proves nothing when it is refused is never tried before what does.
        assert not one.mechanisms or one.mechanisms[0] != "CRAM-MD5"


def test_no_two_providers_claim_one_domain_or_one_mail_exchanger() -> None:
    for field in ("mx", "domains"):
        claims = [(name, one.id) for one in PROVIDERS for name in getattr(one, field)]
        assert len({name for name, _ in claims}) == len(claims)


def test_the_files_of_providers_are_sound() -> None:
    names = tuple(f"{provider.id}." for provider in PROVIDERS) + tuple(f"{one.id}/" for one in PROVIDERS)
    assert [problem for problem in catalogue.problems() if problem.startswith(names)] == []


BY_MX = {
    "aspmx.l.google.com": "google",
    "smtp.google.com": "google",
    "alt1.aspmx.l.googlemail.com.": "google",
    "example-com.mail.protection.outlook.com": "microsoft",
    "example-com.a-v1.mx.microsoft": "microsoft",
    "outlook-com.olc.protection.outlook.com": "microsoft",
    "mta5.am0.yahoodns.net": "yahoo",
    "mx01.mail.icloud.com": "apple",
    "mx.zoho.eu": "zoho",
    "in1-smtp.messagingengine.com": "fastmail",
    "mailstore1.secureserver.net": "godaddy",
    "mx1.privateemail.com": "namecheap",
    "mx00.ionos.de": "ionos",
    "mx00.kundenserver.de": "ionos",
    "mx1.mail.ovh.net": "ovh",
    "mx1.hostinger.com": "hostinger",
    "mx1.emailsrvr.com": "rackspace",
    "aspmx1.migadu.com": "migadu",
    "mailserver.purelymail.com": "purelymail",
    "mx1.titan.email": "titan",
    "mx00.emig.gmx.net": "gmx",
    "mx-ha.web.de": "gmx",
    "mx.yandex.net": "yandex",
    "mxs.mail.ru": "mailru",
    "mx3.qq.com": "qq",
    "163mx00.mxmail.netease.com": "netease",
    "mail.protonmail.ch": "proton",
    "inbound-smtp.eu-west-1.amazonaws.com": "workmail",
    "smtp-in.orange.fr": "orange",
    "smtpz4.laposte.net": "laposte",
    "mx1.comcast.net": "comcast",
}


@pytest.mark.parametrize(("host", "id"), BY_MX.items())
def test_a_provider_is_recognised_by_its_mail_exchangers(host: str, id: str) -> None:
    found = catalogue.provider_of_mx([host])
    assert found is not None
    assert found.id == id


# What the checks know of a provider stands apart: which records its customers publish.
PUBLISHED = [pattern.replace("*", "0") for one in _providers.table() for pattern in one.mx]
# At the hosts where Amazon SES receives, WorkMail does too: it is WorkMail that one logs in to.
ONE_HOST = {"amazonses": "workmail"}


@pytest.mark.parametrize("host", [*BY_MX, *PUBLISHED])
def test_what_is_logged_in_to_is_what_records_are_known_of(host: str) -> None:
    known, publishing = catalogue.provider_of_mx([host]), _providers.recognise([host.rstrip(".")])
    if known is not None and publishing is not None:
        assert known.id in {publishing.id, ONE_HOST.get(publishing.id)}


def test_a_stranger_s_mail_exchanger_is_nobody_s() -> None:
    assert catalogue.provider_of_mx(["mx.example.com", "google.com.example.net", "notgoogle.com"]) is None


BY_DOMAIN = {
    "gmail.com": "google",
    "hotmail.co.uk": "microsoft",
    "outlook.com": "microsoft",
    "yahoo.co.uk": "yahoo",
    "aol.com": "yahoo",
    "me.com": "apple",
    "zohomail.eu": "zoho",
    "web.de": "gmx",
    "ya.ru": "yandex",
    "bk.ru": "mailru",
    "foxmail.com": "qq",
    "126.com": "netease",
    "proton.me": "proton",
    "wanadoo.fr": "orange",
    "sbcglobal.net": "att",
}


@pytest.mark.parametrize(("domain", "id"), BY_DOMAIN.items())
def test_a_provider_is_recognised_by_the_domains_it_gives_away(domain: str, id: str) -> None:
    found = catalogue.provider_of_domain(domain)
    assert found is not None
    assert found.id == id


@pytest.mark.parametrize("domain", ["yahoo.co.jp", "outlook.example.com", "example.com", "live.example"])
def test_a_domain_that_only_looks_like_a_provider_s_is_not(domain: str) -> None:
    assert catalogue.provider_of_domain(domain) is None


@pytest.mark.parametrize(
    ("host", "id"),
    [
        ("smtp.gmail.com", "google"),
        ("SMTP.Office365.com", "microsoft"),
        ("smtp.aol.com", "yahoo"),
        ("email-smtp.eu-central-1.amazonaws.com", "amazonses"),
        ("smtp-relay.brevo.com", "brevo"),
        ("smtp.postmarkapp.com", "postmark"),
        ("smtp.sendgrid.net", "sendgrid"),
        ("smtp.eu.mailgun.org", "mailgun"),
        ("smtpout.secureserver.net", "godaddy"),
        ("smtp.exmail.qq.com", "qq"),
    ],
)
def test_a_provider_is_recognised_by_its_submission_server(host: str, id: str) -> None:
    found = catalogue.provider_of_host(host)
    assert found is not None
    assert found.id == id


@pytest.mark.parametrize(
    ("words", "id"),
    [
        ("220 smtp.gmail.com ESMTP 5b1f17b1804b1-4 - gsmtp", "google"),
        ("220 VI1PR04CA0050.outlook.office365.com Microsoft ESMTP MAIL Service ready", "microsoft"),
        ("220 smtp.mail.yahoo.com ESMTP ready", "yahoo"),
        ("220 smtp.qq.com Esmtp QQ Mail Server", "qq"),
        ("220 email-smtp.amazonaws.com ESMTP SimpleEmailService-186868", "amazonses"),
        ("220 gmx.net (mrgmx105) Nemesis ESMTP Service ready", "gmx"),
    ],
)
def test_a_provider_betrays_itself_in_its_own_words(words: str, id: str) -> None:
    found = catalogue.provider_of_text(words)
    assert found is not None
    assert found.id == id


@pytest.mark.parametrize(
    ("label", "id"),
    [
        ("google", "google"),
        ("Microsoft 365", "microsoft"),
        ("outlook.com", "microsoft"),
        ("iCloud", "apple"),
        ("Amazon-SES", "amazonses"),
        ("mail.ru", "mailru"),
        ("google-relay", "google"),
        ("aol", "yahoo"),
    ],
)
def test_a_provider_answers_to_what_people_call_it(label: str, id: str) -> None:
    found = catalogue.provider_named(label)
    assert found is not None
    assert found.id == id


@pytest.mark.parametrize("label", ["", "mail", "generic", "postfix-dovecot", "x" * 100_000])
def test_a_label_that_names_nobody_or_many_names_no_provider(label: str) -> None:
    assert catalogue.provider_named(label) is None


SERVERS = [
    ("google", ("example.com", "aspmx.l.google.com"), "smtp.gmail.com"),
    ("microsoft", ("example.com", "example-com.mail.protection.outlook.com"), "smtp.office365.com"),
    ("microsoft", ("hotmail.com",), "smtp-mail.outlook.com"),
    ("yahoo", ("yahoo.com",), "smtp.mail.yahoo.com"),
    ("yahoo", ("aol.com",), "smtp.aol.com"),
    ("zoho", ("zohomail.eu", "mx.zoho.eu"), "smtp.zoho.eu"),
    ("zoho", ("example.com", "mx.zoho.in"), "smtppro.zoho.in"),
    ("gmx", ("gmx.com",), "mail.gmx.com"),
    ("gmx", ("web.de",), "smtp.web.de"),
    ("ionos", ("example.com", "mx01.ionos.co.uk"), "smtp.ionos.co.uk"),
    ("netease", ("126.com",), "smtp.126.com"),
    ("workmail", ("example.com", "inbound-smtp.eu-west-1.amazonaws.com"), "smtp.mail.eu-west-1.awsapps.com"),
]


@pytest.mark.parametrize(("id", "names", "host"), SERVERS)
def test_a_provider_with_many_servers_says_which_serves_whom(
    id: str, names: tuple[str, ...], host: str
) -> None:
    assert catalogue.provider(id).servers(*names)[0].host == host


@pytest.mark.parametrize(
    ("who", "id"),
    [("google", "google"), ("iCloud", "apple"), ("web.de", "gmx"), ("mx1.titan.email", "titan")],
)
def test_the_command_finds_a_provider_by_what_the_user_has(who: str, id: str) -> None:
    told = CliRunner().invoke(app, ["providers", who, "-f", "json"])
    assert told.exit_code == 0
    assert [one["id"] for one in json.loads(told.stdout)] == [id]


def test_the_command_lists_every_provider_and_refuses_a_stranger() -> None:
    told = CliRunner().invoke(app, ["providers"])
    assert told.exit_code == 0
    assert len(told.stdout.splitlines()) == len(PROVIDERS)
    assert CliRunner().invoke(app, ["providers", "nobody.example"]).exit_code == 2


# -- what a refused login proves --------------------------------------------------------------------

REFUSED = [  # the credentials themselves, and the words prove it
    ("google/bad-credentials", "plain", "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials a1 - gsmtp"),
    ("google/bad-token", "xoauth2", "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials a1 - gsmtp"),
    ("google/app-password-required", "plain", "534-5.7.9 Application-specific password required. For more information, go to\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor a1 - gsmtp"),
    ("microsoft/credentials-incorrect", "login", "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect."),
    ("yahoo/incorrect-password", "plain", "535 5.7.0 (#MBR1212) Incorrect username or password."),
    ("apple/app-password-required", "plain", "535 5.7.8 Error: authentication failed"),
    ("zoho/authentication-failed", "login", "535 Authentication Failed"),
    ("gmx/credentials-invalid", "plain", "535 Authentication credentials invalid"),
    ("yandex/invalid-password", "plain", "535 5.7.8 Error: authentication failed: Invalid user or password!"),
    ("mailru/app-password-required", "plain", "535 5.7.0 NEOBHODIM parol prilozheniya https://help.mail.ru/mail/security/protection/external / Application password is REQUIRED"),
    ("qq/authorization-code-required", "login", "535 Login Fail. Please enter your authorization code to login. More information in http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256"),
    ("proton/token-required", "plain", "535 5.7.8 Error: authentication failed: authentication failed"),
    ("amazonses/credentials-invalid", "plain", "535 Authentication Credentials Invalid"),
    ("sendgrid/bad-password", "plain", "535 Authentication failed: Bad username / password"),
    ("mailgun/bad-credentials", "plain", "535 5.7.0 Mailgun is not loving your login or password"),
    ("brevo/invalid-login", "login", "535 5.7.0 Invalid login or password"),
]  # fmt: skip

UNJUDGED = [  # a refusal that leaves the password unjudged, or does not say
    ("google/web-login-required", "plain", "534-5.7.14 Please log in via your web browser and then try again.\n534 5.7.14  https://support.google.com/mail/answer/78754 a1 - gsmtp"),
    ("google/web-login-required", "plain", "534-5.7.9 Please log in with your web browser and then try again. For more information, go to\n534 5.7.9  https://support.google.com/mail/?p=WebLoginRequired a1 - gsmtp"),
    ("google/too-many-logins", "plain", "454 4.7.0 Too many login attempts, please try again later. a1 - gsmtp"),
    ("google/auth-unavailable", "plain", "454 4.7.0 Cannot authenticate due to a temporary system problem. Try again later."),
    ("google/mechanism-unknown", "cram-md5", "504 5.7.4 Unrecognized authentication type. a1 - gsmtp"),
    ("microsoft/smtp-auth-disabled-tenant", "login", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information."),
    ("microsoft/smtp-auth-disabled-tenant", "xoauth2", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information."),
    ("microsoft/smtp-auth-disabled-mailbox", "login", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information."),
    ("microsoft/basic-auth-disabled", "login", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [CP0PR80CA0014.lamprd80.prod.outlook.com 2024-10-10T20:31:23.429Z 08DCE853B9232A86]"),
    ("microsoft/basic-auth-retired", "login", "550 5.7.30 Basic authentication is not supported for Client Submission."),
    ("microsoft/security-defaults", "login", "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator."),
    ("microsoft/account-locked", "login", "535 5.7.139 Authentication unsuccessful, account locked."),
    ("microsoft/conditional-access", "login", "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator."),
    ("microsoft/federation-unreachable", "login", "535 5.7.139 Authentication unsuccessful, federated STS service was unreachable."),
    ("microsoft/auth-unsuccessful", "login", "535 5.7.3 Authentication unsuccessful [DB6P18901CA0015.EURP189.PROD.OUTLOOK.COM]"),
    ("microsoft/token-refused", "xoauth2", "535 5.7.3 Authentication unsuccessful [DB6P18901CA0015.EURP189.PROD.OUTLOOK.COM]"),
    ("microsoft/mailbox-inaccessible", "login", "550 Mailbox cannot be accessed [CWXP265CA0023.GBRP265.PROD.OUTLOOK.COM]"),
    ("microsoft/auth-temporary", "login", "454 4.7.0 Temporary authentication failure"),
    ("yahoo/too-many-bad-auth", "plain", "535 5.7.0 (#AUTH005) Too many bad auth attempts."),
    ("godaddy/auth-at-mx", "plain", "535 Authentication not allowed on IBSMTP Servers. IB401"),
    ("ovh/authentication-failed", "plain", "535 5.7.1 Authentication failed"),
    ("qq/system-busy", "login", "535 Error: authentication failed, system busy"),
    ("netease/smtp-not-enabled", "login", "550 User has no permission"),
    ("netease/smtp-not-enabled", "login", r"550 \xd3\xc3\xbb\xa7\xce\xde\xc8\xa8\xb5\xc7\xc2\xbd"),
    ("yandex/eula", "plain", "535 5.7.8 Error: authentication failed: Please accept EULA first."),
    ("yandex/captcha", "plain", "535 5.7.8 Error: authentication failed: Your message looks like spam. You need to use web for sending or prove you are not a robot using the following link http://ya.cc/x"),
    ("tiscali/password-too-simple", "plain", "535 5.7.0 authentication rejected: your password is too simple"),
    ("brevo/unauthorized-ip", "login", "525 5.7.1 Unauthorized IP address"),
    ("sendgrid/credits", "plain", "451 Authentication failed: Maximum credits exceeded"),
    ("sendgrid/basic-auth", "plain", "535 Authentication failed: Basic authentication is not allowed with 2FA enabled"),
    ("amazonses/old-credential", "plain", "454 Throttling failure: Maximum SigV2 SMTP sending rate exceeded."),
]  # fmt: skip


@pytest.mark.parametrize(("id", "mechanism", "said"), REFUSED, ids=[row[0] for row in REFUSED])
def test_words_that_prove_the_credentials_refused(id: str, mechanism: str, said: str) -> None:
    match = catalogue.read(
        reply(said), stage=Stage.AUTH, provider=id.split("/", maxsplit=1)[0], mechanism=mechanism
    )
    assert match.entry.id == id
    assert match.rule.outcome is Outcome.BAD_CREDS
    assert match.rule.cause is Cause.CREDENTIALS
    assert match.rule.verdict is Verdict.FAIL


@pytest.mark.parametrize(("id", "mechanism", "said"), UNJUDGED, ids=[row[0] for row in UNJUDGED])
def test_a_refusal_that_does_not_judge_the_credentials_proves_nothing(
    id: str, mechanism: str, said: str
) -> None:
    match = catalogue.read(
        reply(said), stage=Stage.AUTH, provider=id.split("/", maxsplit=1)[0], mechanism=mechanism
    )
    assert match.entry.id == id
    assert match.rule.outcome is None
    assert match.rule.verdict in {Verdict.FAIL, Verdict.WAIT}


def test_only_a_5xx_reply_at_auth_proves_bad_credentials() -> None:
    proving = [entry for entry in catalogue.entries() if entry.rule.outcome is Outcome.BAD_CREDS]
    assert proving
    for entry in proving:
        assert entry.stage == {Stage.AUTH}, entry.id
        assert all(code[0] == "5" for code in entry.code), entry.id


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_a_password_that_works_at_microsoft_365_is_warned_of_with_the_dates(mechanism: str) -> None:
    heard = reply("235 2.7.0 Authentication successful")
    match = catalogue.read(heard, stage=Stage.AUTH, provider="microsoft", mechanism=mechanism)
    assert match.entry.id == "microsoft/password-ends"
    assert match.rule.verdict is Verdict.WARN
    for date in ("December 2026", "second half of 2027"):
        assert date in match.rule.meaning


@pytest.mark.parametrize(
    ("provider", "mechanism"), [("microsoft", "xoauth2"), ("google", "plain"), ("", "login")]
)
def test_a_token_at_microsoft_or_a_password_elsewhere_is_not(provider: str, mechanism: str) -> None:
    heard = reply("235 2.7.0 Authentication successful")
    match = catalogue.read(heard, stage=Stage.AUTH, provider=provider, mechanism=mechanism)
    assert match.entry.id != "microsoft/password-ends"


def test_a_421_that_says_never_is_not_taken_for_a_pause() -> None:
    said = "421 4.7.1 [TS03] All messages from 192.0.2.7 will be permanently deferred; Retrying will NOT succeed."
    match = catalogue.read(reply(said), provider="yahoo")
    assert match.rule.verdict is Verdict.FAIL
    assert match.rule.answer("permanent") is True
    assert match.rule.cause is Cause.BLOCKLIST


def test_the_same_knowledge_in_a_4xx_reply_is_for_now() -> None:
    said = "421 4.7.23 The sending IP address for this message doesn't have a PTR record"
    match = catalogue.read(reply(said), provider="google")
    assert match.rule.verdict is Verdict.WAIT
    assert match.rule.answer("permanent") is False
    assert match.rule.answer("sender_must_act") is True


# -- the same words elsewhere ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "421 Service not available, closing transmission channel",
        "554 5.7.1 <ada@example.com>: Recipient address rejected: Access denied",
        "454 4.7.0 Temporary authentication failure: generic failure",
        "530 5.7.0 Must issue a STARTTLS command first",
        "535 5.7.8 Error: authentication failed: generic failure",
        "535 5.7.8 Authentication credentials invalid",
        "550 5.1.1 <ada@example.com>: user does not exist - sorry",
    ],
)
def test_common_words_of_a_stranger_are_not_taken_for_a_provider_s(said: str) -> None:
    assert catalogue.read(reply(said)).entry.provider == ""


# -- every reply that providers document ------------------------------------------------------------


def rows(name: str) -> Iterator[dict[str, Any]]:
    path = SHARED / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("the labelled replies are not beside this checkout")
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def wrong(row: dict[str, Any], match: catalogue.Match) -> str:
    cause = match.rule.cause.value
    if cause == row["root_cause"] or cause in row["alt"]:
        return ""
    return f"{row['id']}: {cause} ({match.entry.id}), not {row['root_cause']}"


@pytest.mark.parametrize("provider", ["google", "microsoft", "yahoo"])
def test_every_reply_the_big_three_document_is_read_with_its_root_cause(provider: str) -> None:
    misses = []
    for row in rows(provider):
        enhanced = (
            (row.get("live_enhanced") or row["enhanced"] or "").split("-")[0].split("_")[0].split(" ")[0]
        )
        match = catalogue.read_words(
            row["text"],
            code=int(row["smtp_code"] or 0),
            enhanced=enhanced if enhanced.count(".") == 2 else "",
            provider=provider,
        )
        misses.append(wrong(row, match))
    assert [miss for miss in misses if miss] == []


def test_what_providers_answer_at_login_and_submission_is_read_with_its_root_cause() -> None:
    misses = []
    for row in rows("auth_replies"):
        if catalogue.provider_named(row["provider"]) is None:
            continue
        heard = pasted.read(row["reply"])
        match = catalogue.read_words(
            heard.text,
            code=heard.code,
            enhanced=heard.enhanced,
            stage=Stage(row["stage"]) if row["stage"] in set(Stage) else None,
            provider=row["provider"],
        )
        misses.append(wrong(row, match))
        proven = match.rule.outcome is Outcome.BAD_CREDS
        assert not proven or row["verdict"] in {"bad_credentials", "app_password_required"}, row["id"]
    assert len([miss for miss in misses if miss]) <= len(misses) * 0.02, misses
