"""What can be said of a login before anything is sent; nothing of the secret is shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from probe import catalogue
from probe.facts import Inbox, escape
from probe.grammar import sasl, token
from probe.judge.session import listed
from probe.rules import Finding

__all__ = ["typed", "withheld"]

_MICROSOFT = "microsoft"  # the provider, and who makes tokens in its directories
_ISSUERS = ("https://sts.windows.net/", "https://login.microsoftonline.com/")
_EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"  # Exchange Online, where a token names it by its id
_GRAPH = ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000")
_MAY_SEND = {"smtp.send", "smtp.sendasapp"}
_LENIENT = 300  # seconds that servers overlook, as clocks differ (RFC 7519 section 4.1.4)
_QUOTES = ('""', "''", "“”", "„“", "«»", "\u2018\u2019")


def typed(inbox: Inbox, now: dt.datetime | None = None, *, provider: str = "") -> Iterator[Finding]:
    """The findings about a secret and a user name as they were typed: said, never silently mended.

    `now` (aware; the default is the present) is when a token had to be valid, `provider` an id of the
    catalogue, where it was known before the session.
    """
    if inbox.grant is not None:
        return  # what goes to the mail server is not there yet
    secret = inbox.secret.reveal()
    if (problem := withheld(inbox, now, provider=provider)) is not None:
        yield _lint(*problem)
    elif inbox.mechanism.upper() in sasl.TOKEN:
        yield from _token(secret)
    else:
        yield from _password(secret)


def withheld(inbox: Inbox, now: dt.datetime | None = None, *, provider: str = "") -> tuple[str, str] | None:
    """Why a secret stays here, as the server could not take it; None where it may be sent.

    The problem part of a rule of ``credentials.toml``, and what shows it. What a token says of itself is
    believed: nobody gains by such a lie. For whom it must be is known of Microsoft's own servers alone:
    others let its directories vouch for their users too, but with no token for Graph.
    """
    mechanism, secret = inbox.mechanism.upper(), inbox.secret.reveal()
    if mechanism in {"AUTO", *sasl.TOKEN} and (given := token.kind(secret)) not in {"", "access token"}:
        return "token-of-another-kind", f"Google's {given}"
    if mechanism not in sasl.TOKEN or (told := token.claims(secret)) is None:
        return None
    now = now or dt.datetime.now(dt.UTC)
    if told.expires is not None and told.expires + _LENIENT <= now.timestamp():
        ended = dt.datetime.fromtimestamp(told.expires, dt.UTC)
        return "token-expired", f"an access token that ended {ended:%Y-%m-%d %H:%M} UTC"
    if _elsewhere(told, provider):
        return "token-for-another-service", f"an access token for {_shown(told.audiences)}"
    return None


def _elsewhere(told: token.Claims, provider: str) -> bool:
    """Whether a token of Microsoft's is for a service that this server is not."""
    if not told.audiences or not told.issuer.startswith(_ISSUERS):
        return False
    return (provider == _MICROSOFT and not _for_exchange(told)) or all(
        audience.rstrip("/") in _GRAPH for audience in told.audiences
    )


def _for_exchange(told: token.Claims) -> bool:
    return any("outlook" in audience or audience == _EXCHANGE for audience in told.audiences)


def _token(secret: str) -> Iterator[Finding]:
    if len(secret) < 32 or " " in secret.strip():
        yield _lint("token-expected", f"{len(secret)} characters")
    told = token.claims(secret)
    if told is None or not told.issuer.startswith(_ISSUERS) or not _for_exchange(told):
        return
    allowed = (*told.scopes, *told.roles)
    if _MAY_SEND.isdisjoint(map(str.lower, allowed)):
        yield _lint("token-without-smtp", f"an access token that allows {_shown(allowed) or 'nothing'}")


def _shown(words: tuple[str, ...]) -> str:
    return listed(escape(word.encode("utf-8", "backslashreplace")) for word in words)


def _password(secret: str) -> Iterator[Finding]:
    if (given := token.kind(secret)) or token.claims(secret) is not None:
        yield _lint("token-as-password", f"Google's {given}" if given else "a JSON Web Token")
    if secret != secret.strip(" "):
        end = "begins" if secret[:1] == " " else "ends"
        yield _lint("space-around", f"it {end} with a space")
    groups = secret.strip(" ").split(" ")
    if [len(group) for group in groups] == [4, 4, 4, 4] and "".join(groups).isalpha():
        yield _lint("app-password-in-groups", "four groups of four letters")
    if not secret.isprintable():  # of all that separates, an ordinary space alone is printable
        yield _lint("invisible-character", "a character that cannot be seen")
    if len(secret) > 2 and secret[0] + secret[-1] in _QUOTES:
        yield _lint("quotes-around", "quotation marks at both ends")


def _lint(problem: str, what: str) -> Finding:
    return Finding(catalogue.rule(f"credentials/{problem}"), {"secret": what})
