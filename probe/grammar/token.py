"""OAuth 2 tokens: what one says of itself, and what a token server says instead of one.

The claims are read, never verified: only the server a token is made for can do that.

Microsoft's access tokens for organizations are JSON Web Tokens (RFC 7519, RFC 9068). Google's, and those
of personal accounts, are opaque: nothing can be read there but the prefix that Google gives to each kind.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

from probe.facts import Secret

__all__ = ["Claims", "Denied", "Granted", "answered", "claims", "kind", "public", "tenant"]

_SHORTEST = 30  # characters of any of Google's secrets; a password may begin like one
_LONGEST = 32 * 1024  # characters of a token that is read
_MOST = 50  # audiences, scopes or roles
_UNTOLD = 600.0  # seconds that a token is used whose time is not told
_CODE = re.compile(r"\bAADSTS[0-9]{5,9}\b")
_UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,9}[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
_TENANT = re.compile(rf"(?:{_UUID}|common|organizations|consumers|(?=.{{1,253}}\Z){_DOMAIN})\Z")
# Microsoft's are UUIDs, those of applications of personal accounts were 16 digits; Google's are host names.
_GOOGLES_CLIENT = r"[0-9]{1,30}(?:-[0-9a-z]{1,64})?\.apps\.googleusercontent\.com"
_CLIENT = re.compile(rf"(?:{_UUID}|[0-9A-Fa-f]{{16}}|{_GOOGLES_CLIENT})\Z")
_FAR = 1e11  # seconds: no token is for the sixth millennium
_PASSING = {"internal_failure", "server_error", "slow_down", "temporarily_unavailable"}
_OF_ALL = {"deleted_client", "disabled_client", "invalid_client"}
# Its secret is missing, wrong, ended or unwanted. Others of its refusals may hold in one directory alone.
_OF_ALL_CODES = {"AADSTS7000218", "AADSTS7000216", "AADSTS7000215", "AADSTS7000222", "AADSTS700025"}
_GOOGLES = {"ya29.": "access token", "1//": "refresh token", "GOCSPX-": "client secret"}


@dataclass(frozen=True, slots=True)
class Claims:
    """Who made a token, for whom, what it allows, and until when (seconds since the epoch; None: untold).

    `scopes` are what a user lets an application do (``scp``, or ``scope`` of RFC 9068), `roles` what an
    application may do by itself.
    """

    issuer: str = ""
    audiences: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    expires: float | None = None


def kind(text: str) -> str:
    """Which of Google's secrets this is, in words; empty where nothing shows it."""
    if len(text) < _SHORTEST:
        return ""
    return next((words for prefix, words in _GOOGLES.items() if text.startswith(prefix)), "")


def claims(text: str) -> Claims | None:
    """What a JSON Web Token claims; None for anything else, and for one that is encrypted."""
    parts = text.strip().split(".", 3)
    if len(parts) != 3 or len(text) > _LONGEST or _object(parts[0]) is None:
        return None
    if (told := _object(parts[1])) is None:
        return None
    expires = told.get("exp")
    issuer = told.get("iss")
    return Claims(
        issuer=issuer if isinstance(issuer, str) else "",
        audiences=_words(told.get("aud")),
        scopes=_words(told.get("scp", told.get("scope"))),
        roles=_words(told.get("roles")),
        expires=float(expires) if isinstance(expires, int | float) and 0 <= expires < _FAR else None,
    )


def _object(part: str) -> dict[str, object] | None:
    """The JSON object in one part of a token (base64url without padding, RFC 7515 section 2)."""
    try:
        read = json.loads(base64.urlsafe_b64decode(part.encode("ascii") + b"=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _words(value: object) -> tuple[str, ...]:
    """The words of a claim that is one text, its parts between spaces, or a list of texts."""
    listed = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(word for word in listed[:_MOST] if isinstance(word, str))


# -- the token server -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token, and for how many seconds it is good (RFC 6749 section 5.1)."""

    token: Secret
    seconds: float


@dataclass(frozen=True, slots=True)
class Denied:
    """Why there is none (RFC 6749 section 5.2), Microsoft's own code (or none), and the server's words.

    `passing` is what the server says of itself, and not of us.
    """

    error: str
    code: str = ""
    words: str = ""
    passing: bool = False

    @property
    def of_all(self) -> bool:
        """Whether the application is refused for what it is: whoever else comes with it hears the same."""
        return self.code in _OF_ALL_CODES or (not self.code and self.error in _OF_ALL)


def public(client: str) -> bool:
    """Whether this is an application's id, as Microsoft and Google make them, and not what else was given."""
    return bool(_CLIENT.match(client))


def tenant(text: str) -> str:
    """A directory of Microsoft's, by its id or one of its domains, or a word for any; ValueError for others.

    It becomes a part of a URL, and where columns have shifted it is somebody's password.
    """
    if not _TENANT.match(text):
        raise ValueError("the tenant is no id of a directory and no domain")
    return text


def answered(body: str, status: int = 200) -> Granted | Denied | None:
    """What a token server's answer says; None where it says nothing that can be read.

    RFC 6749 section 5: a token comes with status 200. A server that is busy may answer in any form.
    """
    told = _told(body)
    token, error = told.get("access_token"), told.get("error")
    if status == 200 and isinstance(token, str) and token.isascii() and token.isprintable() and token:
        seconds = told.get("expires_in")
        lasts = seconds if isinstance(seconds, int | float) and 0 < seconds < _FAR else _UNTOLD
        return Granted(Secret(token), lasts)
    busy = status == 429 or status >= 500
    if not isinstance(error, str) or not error:
        return Denied("", words=f"HTTP status {status}", passing=True) if busy else None
    words = told.get("error_description")
    words = words if isinstance(words, str) else ""
    found = _CODE.search(words)
    # Google tells a sign-in that has to be renewed by a subtype of an ordinary error.
    subtype = told.get("error_subtype")
    error = subtype if subtype == "invalid_rapt" else error
    return Denied(error, found[0] if found else "", words, busy or error in _PASSING)


def _told(body: str) -> dict[str, object]:
    """The JSON object of an answer, an empty one for anything else."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
