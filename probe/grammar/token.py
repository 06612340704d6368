"""What an OAuth 2 token says of itself; read, never verified: only the server it is made for can do that.

Microsoft's access tokens for organizations are JSON Web Tokens (RFC 7519, RFC 9068). Google's, and those
of personal accounts, are opaque: nothing can be read there but the prefix that Google gives to each kind.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

__all__ = ["Claims", "claims", "kind"]

_SHORTEST = 30  # characters of any of Google's secrets; a password may begin like one
_LONGEST = 32 * 1024  # characters of a token that is read
_MOST = 50  # audiences, scopes or roles
_FAR = 1e11  # seconds: no token is for the sixth millennium
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
