"""What was asked: an inbox, and the time that is given."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from probe.facts.text import Secret

__all__ = ["Inbox", "Limits", "TlsMode"]


class TlsMode(enum.StrEnum):
    """How TLS starts: after STARTTLS (RFC 3207), at once (RFC 8314), or not at all."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Inbox:
    """A sending inbox and how to reach it; what is empty is found out.

    `user` is the login name (empty: the address). `host`, `port` and `tls` are the submission server
    (empty, 0, None: found by domain, MX and SRV). `mechanism` is ``auto`` or a SASL name in lower
    case; with ``xoauth2`` and ``oauthbearer`` the secret is an access token. `mail_from` and `rcpt_to`
    are the envelope (empty: the address). `provider` is an id in the catalogue (empty: recognised).
    """

    address: str
    secret: Secret
    user: str = ""
    host: str = ""
    port: int = 0
    tls: TlsMode | None = None
    mechanism: str = "auto"
    mail_from: str = ""
    rcpt_to: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds allowed for each step and for a whole session (RFC 5321 section 4.5.3.2, tightened).

    Servers slow a bad login down on purpose, so AUTH is given a minute.
    """

    connect: float = 15
    greeting: float = 60
    ehlo: float = 30
    starttls: float = 30
    tls: float = 30
    auth: float = 60
    mail: float = 60
    rcpt: float = 60
    rset: float = 10
    quit: float = 2
    deadline: float = 180
