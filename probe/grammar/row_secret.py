"""What a row of a list has for a secret: a password, an access token, or what one is exchanged for.

What cannot be a secret is a problem of its row: sent, it would be one more refused login. Sentences quote
none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from probe.facts import Grant, Secret

__all__ = ["PASSWORD", "TOKEN", "first_of", "secret_of"]

PASSWORD, TOKEN = "password", "access token"

_BREAK = re.compile(r"[\r\n\0]")
# What stands in a cell instead of a secret.
_NO_SECRETS = {
    r"#{4,}|#(?:REF!|NAME\?|VALUE!|N/A|DIV/0!|NUM!|NULL!|ERROR!)": "what a spreadsheet shows instead of it",
    r"[0-9](?:[.,][0-9]{1,15})?E\+[0-9]{1,3}": "a number that a spreadsheet has rounded",
    r'="[^"]*"': "a formula; the text between its quotes may be it",
    r"[*•●]{4,}": "masked",
    r"null|none|nan|n/?a|undefined": "a word for an empty cell",
}
_NO_SECRET = re.compile(rf"\s*(?:{'|'.join(f'({pattern})' for pattern in _NO_SECRETS)})\s*\Z", re.IGNORECASE)
_NOTHING = re.compile(r"(?:null|none|nan|n/?a|undefined)\Z", re.IGNORECASE)


def secret_of(told: Mapping[str, str]) -> tuple[str, str, Grant | None]:
    """What the secret of a row is, the secret, and how an access token is got for it where it is none.

    A refresh token with its application goes before an access token, which was good for an hour when the
    row was written, and a password before an application by itself: what some exports call client_id is
    another thing. So is what some call tenant, which is looked at where a directory is asked.
    """
    filled = {name: told.get(name, "") for name in ("smtp_password", "password") if _cell(told, name)}
    password = first_of(filled or told, "smtp_password", "password")
    names = ("access_token", "refresh_token", "client_id", "client_secret", "tenant")
    access, refresh, client, own, where = (_cell(told, name) for name in names)
    if client and refresh:
        secret = _plausible("refresh token", refresh)
        application = Secret(_plausible("client_secret", own) if own else "")
        return "refresh token", secret, Grant(_id(client), application, where)
    if access:
        return TOKEN, _plausible(TOKEN, access), None
    if client and own and (not password.strip() or _NOTHING.match(password.strip())):
        secret = _plausible("client_secret", own)
        return "client_secret", secret, Grant(_id(client), tenant=where, alone=True)
    if not password and refresh:
        raise ValueError(
            "a refresh token is good only with the id of the application it was given to: no client_id"
        )
    if not password:
        raise ValueError("no password")
    return PASSWORD, _plausible(PASSWORD, password), None


def _id(client: str) -> str:
    """The id of an application; ValueError where it can be none (RFC 6749 appendix A.1), not quoting it."""
    if not (client.isascii() and client.isprintable()):
        raise ValueError("the client_id holds a line break or another character that no id has")
    return client


def _cell(told: Mapping[str, str], name: str) -> str:
    """A cell that many exports leave empty, also where they have a word for that."""
    cell = told.get(name, "").strip()
    return "" if cell and _NOTHING.match(cell) else cell


def _plausible(what: str, secret: str) -> str:
    """A secret that may be one; ValueError without quoting it."""
    if (found := _NO_SECRET.match(secret)) and found.lastindex:
        why = [*_NO_SECRETS.values()][found.lastindex - 1]
        raise ValueError(f"the {what} is {why}; put the {what} there, or where it is (env:NAME)")
    if _BREAK.search(secret):
        raise ValueError(f"the {what} holds a line break or a NUL, which no login can carry")
    return secret


def first_of(told: Mapping[str, str], *names: str) -> str:
    """The first of these cells that is not empty."""
    return next((told[name] for name in names if told.get(name, "")), "")
