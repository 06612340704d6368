"""Block lists as data: which are asked, what their answers mean, and which are dead.

An answer is read by its list only. What a list says when it refuses to answer (RFC 5782 leaves that to
the lists) is neither a listing nor a clean bill.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from probe.checks._evidence import READ, rfc
from probe.rules import Source

__all__ = ["BY_ZONE", "LISTS", "List", "Meaning", "dead", "meanings", "unlisted"]


class Meaning(enum.StrEnum):
    """What one answer says."""

    LISTED = "listed"
    POLICY = "policy"  # the network says that no mail leaves there directly; no reputation
    WATCHED = "watched"  # a weaker listing: seen, not condemned
    REFUSED = "refused"  # the list did not answer the question


@dataclass(frozen=True, slots=True)
class List:
    """One list. `of` is what it lists, ``address`` or ``domain``.

    `codes` are answers and what they say; with `bits` the last octet is a set of flags instead. `listed`
    and `clean` are the labels of the test points, which must and must not be listed (RFC 5782 section 5).
    `look` is where a person reads why, and asks to be taken off.
    """

    zone: str
    of: str
    source: Source
    look: str = ""
    codes: Mapping[str, tuple[Meaning, str]] = field(default_factory=dict)
    bits: Mapping[int, tuple[Meaning, str]] = field(default_factory=dict)
    listed: str = "2.0.0.127"
    clean: str = "1.0.0.127"
    ipv6: bool = False
    default: bool = True


_LISTED, _POLICY, _WATCHED, _REFUSED = Meaning.LISTED, Meaning.POLICY, Meaning.WATCHED, Meaning.REFUSED
_SPAMHAUS = Source(
    "https://docs.spamhaus.com/datasets/docs/source/10-data-type-documentation/datasets/040-zones.html",
    "vendor",
    READ,
)
_SPAMHAUS_REFUSES = {
    "127.255.255.252": (_REFUSED, "the name of the list is mistyped"),
    "127.255.255.254": (_REFUSED, "questions through public resolvers are not answered"),
    "127.255.255.255": (_REFUSED, "too many questions from this resolver"),
}
_URIBL = Source("https://uribl.com/about.shtml", "vendor", READ)
_SURBL = Source("https://surbl.org/lists", "vendor", READ)

LISTS = (
    List(
        zone="zen.spamhaus.org",
        of="address",
        source=_SPAMHAUS,
        look="https://check.spamhaus.org/",
        codes={
            "127.0.0.2": (_LISTED, "SBL: a source of spam"),
            "127.0.0.3": (_LISTED, "CSS: snowshoe and low-reputation sending"),
            "127.0.0.4": (_LISTED, "XBL: an infected or hijacked machine"),
            "127.0.0.5": (_LISTED, "XBL"),
            "127.0.0.6": (_LISTED, "XBL"),
            "127.0.0.7": (_LISTED, "XBL"),
            "127.0.0.9": (_LISTED, "DROP: a hijacked or criminal network"),
            "127.0.0.10": (_POLICY, "PBL: by the policy of the network's owner"),
            "127.0.0.11": (_POLICY, "PBL: by Spamhaus, as an end user's network"),
            "127.0.0.30": (_LISTED, "BCL: a botnet controller"),
            **_SPAMHAUS_REFUSES,
        },
        ipv6=True,
    ),
    List(
        zone="bl.spamcop.net",
        of="address",
        source=Source("https://www.spamcop.net/bl.shtml", "vendor", READ),
        look="https://www.spamcop.net/bl.shtml",
        codes={"127.0.0.2": (_LISTED, "reported by SpamCop's users")},
    ),
    List(
        zone="psbl.surriel.com",
        of="address",
        source=Source("https://psbl.org/", "vendor", READ),
        look="https://psbl.org/",
        codes={"127.0.0.2": (_LISTED, "sent to a spam trap")},
    ),
    List(
        zone="b.barracudacentral.org",
        of="address",
        source=Source("https://www.barracudacentral.org/rbl/how-to-use", "vendor", READ),
        look="https://www.barracudacentral.org/rbl/removal-request",
        codes={"127.0.0.2": (_LISTED, "poor reputation at Barracuda")},
        default=False,  # answers only resolvers whose address was registered
    ),
    List(
        zone="dbl.spamhaus.org",
        of="domain",
        source=_SPAMHAUS,
        look="https://check.spamhaus.org/",
        codes={
            "127.0.1.2": (_LISTED, "a spam domain or one of low reputation"),
            "127.0.1.4": (_LISTED, "phishing"),
            "127.0.1.5": (_LISTED, "malware"),
            "127.0.1.6": (_LISTED, "a botnet controller"),
            "127.0.1.102": (_LISTED, "a good domain, abused for spam"),
            "127.0.1.103": (_LISTED, "a redirector, abused for spam"),
            "127.0.1.104": (_LISTED, "a good domain, abused for phishing"),
            "127.0.1.105": (_LISTED, "a good domain, abused for malware"),
            "127.0.1.106": (_LISTED, "a good domain, abused by a botnet controller"),
            "127.0.1.255": (_REFUSED, "an address was asked of a list of domains"),
            **_SPAMHAUS_REFUSES,
        },
        listed="dbltest.com",
        clean="invalid",
    ),
    List(
        zone="multi.surbl.org",
        of="domain",
        source=_SURBL,
        look="https://surbl.org/surbl-analysis",
        codes={"127.0.0.1": (_REFUSED, "questions from this resolver are blocked")},
        bits={
            8: (_LISTED, "PH: phishing"),
            16: (_LISTED, "MW: malware"),
            64: (_LISTED, "ABUSE: spam and abuse"),
            128: (_LISTED, "CR: a cracked site"),
        },
        listed="surbl-org-permanent-test-point.com",
        clean="invalid",
    ),
    List(
        zone="multi.uribl.com",
        of="domain",
        source=_URIBL,
        look="https://admin.uribl.com/",
        bits={
            1: (_REFUSED, "questions from this resolver are refused"),
            2: (_LISTED, "black"),
            4: (_WATCHED, "grey"),
            8: (_WATCHED, "red"),
        },
        listed="test.uribl.com",
        clean="invalid",
    ),
)
BY_ZONE = {each.zone: each for each in LISTS}

# Zones that stopped, that answer for everything, or that list whole networks. They are never asked: their
# answers are false alarms. A suffix stands for every zone below it.
_DEAD = {
    "sorbs.net": "shut down on 2024-06-05",
    "spamcannibal.org": "its domain lapsed in 2019 and then listed everybody",
    "db.wpbl.info": "no longer run",
    "ix.dnsbl.manitu.net": "no longer run",
    "dnsbl.cyberlogic.net": "no longer run",
    "virbl.bit.nl": "no longer run",
    "msrbl.net": "no longer run",
    "wormrbl.imp.ch": "no longer run",
    "cbl.abuseat.org": "merged into zen.spamhaus.org",
    "dnsbl-2.uceprotect.net": "lists whole networks, not senders",
    "dnsbl-3.uceprotect.net": "lists whole networks, not senders",
    "nszones.com": "a fraud, according to Spamhaus",
    "bad.psky.me": "a fraud, according to Spamhaus",
}

_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_ERRORS = ipaddress.ip_network("127.255.255.0/24")


def dead(zone: str) -> str:
    """Why a zone is never asked; empty where it may be."""
    return next((why for end, why in _DEAD.items() if zone == end or zone.endswith(f".{end}")), "")


def unlisted(zone: str) -> List:
    """A list that is not in the table: any answer in 127.0.0.0/8 but 127.0.0.1 is a listing (RFC 5782)."""
    return List(zone=zone, of="address", source=rfc(5782, "2.1"))


def meanings(asked: List, answer: str) -> list[tuple[Meaning, str]]:
    """What one A record of a list says; several things where it is a set of flags."""
    try:
        address = ipaddress.ip_address(answer)
    except ValueError:
        return [(_REFUSED, f"{answer!r} is no answer of a list")]
    if answer in asked.codes:
        return [asked.codes[answer]]
    if address not in _LOOPBACK:
        return [(_REFUSED, "an answer outside 127.0.0.0/8: a resolver on the way rewrites answers")]
    if address in _ERRORS or answer == "127.0.0.1":
        return [(_REFUSED, "the list's way to say that it does not answer this resolver")]
    if not (asked.codes or asked.bits):
        return [(_LISTED, "listed")]
    last = int(answer.rpartition(".")[2])
    found = [said for bit, said in asked.bits.items() if last & bit]
    return found or [(_REFUSED, "an answer that this list does not document")]
