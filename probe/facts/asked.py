"""What was asked: an inbox, and the time that is given."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from probe.facts.text import Secret

__all__ = ["Grant", "Inbox", "Limits", "TlsMode"]


class TlsMode(enum.StrEnum):
    """How TLS starts: after STARTTLS (RFC 3207), at once (RFC 8314), or not at all."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Grant:
    """How an access token is got for an inbox whose secret is not one (RFC 6749).

    Either the inbox's secret is a refresh token (section 6), and `secret` is that of the application, where
    it has one; or the application acts for itself (`alone`, section 4.4) and the inbox's secret is its own.
    `client` is the application's id, `tenant` the directory it is known in, at Microsoft (empty: any).
    """

    client: str
    secret: Secret = field(default_factory=lambda: Secret(""))
    tenant: str = ""
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Inbox:
    """A sending inbox and how to reach it; what is empty is found out.

    `user` is the login name (empty: the address). `host`, `port` and `tls` are the submission server
    (empty, 0, None: found by domain, MX and SRV). `mechanism` is ``auto`` or a SASL name in lower
    case; with ``xoauth2`` and ``oauthbearer`` the secret is an access token. `mail_from` and `rcpt_to`
    are the envelope (empty: the address). `provider` is an id in the catalogue (empty: recognised). With
    a `grant` the secret never goes to the mail server: it is exchanged for an access token first.
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
    grant: Grant | None = None


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
