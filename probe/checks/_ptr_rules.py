"""What may be wrong with the name of an address, one rule a problem; what meets it is `ptr.judge`'s part."""

from __future__ import annotations

from probe.checks._evidence import READ, problem, rfc, unknown_rule
from probe.rules import Source, Verdict

__all__ = [
    "GENERIC",
    "HELO_ELSEWHERE",
    "HELO_OTHER",
    "MANY",
    "MX_NONE",
    "MX_NOT_CONFIRMED",
    "NONE",
    "NOT_A_HOSTNAME",
    "NOT_CONFIRMED",
    "PRIVATE",
    "RULES",
    "UNKNOWN",
]

_GMAIL = Source("https://support.google.com/a/answer/81126", "vendor", READ)
_YAHOO = Source("https://senders.yahooinc.com/best-practices/", "vendor", READ)

UNKNOWN = unknown_rule("ptr", "The name of an address", _GMAIL)
NONE = problem(
    id="ptr/none",
    verdict=Verdict.FAIL,
    title="The sending address has no reverse name (PTR)",
    meaning="Gmail, Yahoo, Microsoft and Apple want a name for the address; without one mail is deferred or "
    "refused, however well it is signed.",
    fix="Ask whoever owns the address (the hosting provider) to set its PTR record to the server's name.",
    dont="Put a PTR record into your own zone: reverse zones belong to the owner of the address.",
    source=_GMAIL,
    predicts=("421 4.7.23", "550 5.7.25"),
)
NOT_CONFIRMED = problem(
    id="ptr/not-confirmed",
    verdict=Verdict.FAIL,
    title="The reverse name does not lead back to the address",
    meaning="The name of the address has no address record with the same address (FCrDNS), so anybody could "
    "have written it, and receivers count it as no name at all.",
    fix="Give the name an address record with this address, or set the PTR to a name that has one.",
    source=_GMAIL,
    predicts=("421 4.7.23", "550 5.7.25"),
)
NOT_A_HOSTNAME = problem(
    id="ptr/not-a-hostname",
    verdict=Verdict.FAIL,
    title="The PTR record does not hold a host name",
    meaning="An address, a bare word or characters outside letters, digits and hyphens stand where the name "
    "belongs; receivers take it as missing or as an attack.",
    fix="Have the PTR record set to the full name of the server.",
    source=rfc(1123, "2.1"),
)
GENERIC = problem(
    id="ptr/generic",
    verdict=Verdict.WARN,
    title="The reverse name looks like that of an access line, not of a mail server",
    meaning="Names made out of the address are given to whole networks by their provider; Yahoo asks for a "
    "name of the sender's own, and filters score such names down.",
    fix="Have the PTR record set to a name under your own domain without the address in it (mail or smtp "
    "before the domain), and give that name the address.",
    source=_YAHOO,
)
PRIVATE = problem(
    id="ptr/private-address",
    verdict=Verdict.WARN,
    title="This is not the address receivers see",
    meaning="The address given is private; mail leaves through another one, which is the one that counts.",
    fix="Give the public address that mail leaves from (--sending-ip).",
    source=rfc(6890, "2.2.2"),
)
MANY = problem(
    id="ptr/many",
    verdict=Verdict.NOTE,
    title="The address has many names",
    meaning="Receivers look at a few of them, in no set order, so which one counts is chance.",
    fix="Keep one PTR record: the name the server says in HELO.",
    source=rfc(7208, "4.6.4"),
)
HELO_OTHER = problem(
    id="ptr/helo-mismatch",
    verdict=Verdict.WARN,
    title="The server says another name in HELO than its address has",
    meaning="Both are right on their own, but filters like them to agree.",
    fix="Say the reverse name in HELO, or have the PTR record set to the HELO name.",
    source=rfc(5321, "4.1.1.1"),
)
HELO_ELSEWHERE = problem(
    id="ptr/helo-not-confirmed",
    verdict=Verdict.WARN,
    title="The HELO name does not lead to the sending address",
    meaning="The name said in HELO must be one with address records; one that leads elsewhere looks forged.",
    fix="Give the HELO name an address record with the sending address.",
    source=rfc(5321, "4.1.1.1"),
)
MX_NONE = problem(
    id="ptr/mx-none",
    verdict=Verdict.NOTE,
    title="An MX host's address has no reverse name",
    meaning="It does no harm where mail only arrives. If mail also leaves from there, receivers refuse it.",
    fix="If this host sends, have a PTR record set; otherwise tell which address does (--sending-ip).",
    source=_GMAIL,
)
MX_NOT_CONFIRMED = problem(
    id="ptr/mx-not-confirmed",
    verdict=Verdict.NOTE,
    title="An MX host's reverse name does not lead back to it",
    meaning="It does no harm where mail only arrives. If mail also leaves from there, receivers refuse it.",
    fix="If this host sends, make name and address agree; otherwise tell which address does (--sending-ip).",
    source=_GMAIL,
)

RULES = (
    UNKNOWN,
    NONE,
    NOT_CONFIRMED,
    NOT_A_HOSTNAME,
    GENERIC,
    PRIVATE,
    MANY,
    HELO_OTHER,
    HELO_ELSEWHERE,
    MX_NONE,
    MX_NOT_CONFIRMED,
)
