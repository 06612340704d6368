"""What Gmail, Yahoo, Microsoft and Apple require of a sender, row by row, and who can see whether it is met.

`sees` names the observation of `_receivers_seen` that decides a row; what an empty one asks for is seen by
no DNS question.
"""

from __future__ import annotations

from dataclasses import dataclass

from probe.checks._evidence import READ
from probe.rules import Source

__all__ = ["RECEIVERS", "ROWS", "Receiver", "Row"]


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver, the mailboxes its rules protect, whom it calls a bulk sender, and where it says so."""

    id: str
    name: str
    scope: str
    bulk: str
    source: Source


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement. `bulk` marks those for bulk senders only; `replies` are what a failure provokes."""

    receiver: str
    id: str
    wanted: str
    sees: str = ""
    bulk: bool = False
    replies: tuple[str, ...] = ()


def _vendor(url: str) -> Source:
    return Source(url, "vendor", READ)


GMAIL = _vendor("https://support.google.com/a/answer/81126")
_YAHOO = _vendor("https://senders.yahooinc.com/best-practices/")
_MICROSOFT = _vendor(
    "https://techcommunity.microsoft.com/blog/microsoftdefenderforoffice365blog/strengthening-email-ecosystem-"
    "outlook%E2%80%99s-new-requirements-for-high%E2%80%90volume-senders/4399730"
)
_APPLE = _vendor("https://support.apple.com/en-us/102322")

RECEIVERS = (
    Receiver("google", "Gmail", "personal Gmail mailboxes", "about 5,000 messages in 24 hours, ever", GMAIL),
    Receiver("yahoo", "Yahoo", "Yahoo and AOL mailboxes", "no number is given", _YAHOO),
    Receiver(
        "microsoft", "Outlook.com", "Outlook.com, Hotmail, Live, MSN", "over 5,000 messages a day", _MICROSOFT
    ),
    Receiver("apple", "iCloud", "iCloud Mail mailboxes", "no number is given", _APPLE),
)

_LEVEL = ("550 5.7.515",)

ROWS = (
    Row(
        "google", "any-authentication", "SPF or DKIM that passes", "any", replies=("421 4.7.26", "550 5.7.26")
    ),
    Row("google", "spf", "an SPF record", "spf", bulk=True, replies=("421 4.7.27", "550 5.7.27")),
    Row(
        "google",
        "dkim",
        "a DKIM key, 1024 bits or more",
        "dkim",
        bulk=True,
        replies=("421 4.7.30", "550 5.7.30"),
    ),
    Row(
        "google",
        "dmarc",
        "a DMARC record, p=none is enough",
        "dmarc",
        bulk=True,
        replies=("421 4.7.31", "421 4.7.40", "550 5.7.40"),
    ),
    Row(
        "google",
        "alignment",
        "From aligned with the SPF or the DKIM domain",
        "alignment",
        bulk=True,
        replies=("421 4.7.32", "421 5.7.32"),
    ),
    Row(
        "google",
        "reverse-dns",
        "a PTR that leads back to the address",
        "reverse",
        replies=("421 4.7.23", "550 5.7.25"),
    ),
    Row("google", "tls", "TLS on every connection", replies=("421 4.7.29", "550 5.7.29")),
    Row("google", "spam-rate", "complaints below 0.1 %, never 0.3 % (Postmaster Tools)"),
    Row(
        "google",
        "unsubscribe",
        "one-click unsubscribe in marketing mail (RFC 8058), done in 48 hours",
        bulk=True,
    ),
    Row("yahoo", "any-authentication", "SPF or DKIM that passes", "any"),
    Row("yahoo", "spf", "an SPF record", "spf", bulk=True),
    Row("yahoo", "dkim", "a DKIM key", "dkim", bulk=True),
    Row("yahoo", "dmarc", "a DMARC record", "dmarc", bulk=True),
    Row("yahoo", "alignment", "From aligned with the SPF or the DKIM domain", "alignment", bulk=True),
    Row("yahoo", "reverse-dns", "forward and reverse DNS that agree", "reverse"),
    Row("yahoo", "spam-rate", "complaints below 0.3 %"),
    Row("yahoo", "unsubscribe", "one-click unsubscribe (RFC 8058), done in 2 days", bulk=True),
    Row("microsoft", "spf", "SPF passes", "spf-passes", bulk=True, replies=_LEVEL),
    Row("microsoft", "dkim", "DKIM passes", "dkim-passes", bulk=True, replies=_LEVEL),
    Row("microsoft", "dmarc", "a DMARC record, p=none is enough", "dmarc", bulk=True, replies=_LEVEL),
    Row("microsoft", "alignment", "From aligned with SPF or DKIM", "alignment", bulk=True, replies=_LEVEL),
    Row("microsoft", "replies", "a From or Reply-To address that receives mail", "replies"),
    Row("microsoft", "unsubscribe", "an unsubscribe link that works"),
    Row("apple", "spf", "an SPF record", "spf", bulk=True),
    Row("apple", "dkim", "a DKIM key", "dkim", bulk=True),
    Row("apple", "dmarc", "a DMARC record", "dmarc", bulk=True),
    Row("apple", "reverse-dns", "reverse DNS that shows your domain", "reverse", bulk=True),
)
