"""What may be wrong with MX: one rule a problem. Which fact meets a rule is `mx.judge`'s part."""

from __future__ import annotations

from probe.checks._evidence import READ, problem, rfc, unknown_rule
from probe.rules import Source, Verdict

__all__ = ["FOLLOWED", "RULES"]

FOLLOWED = 10  # hosts; a thousand MX records must not become two thousand questions

UNKNOWN = unknown_rule("mx", "The mail servers", rfc(5321, "5.1"))
NO_DOMAIN = problem(
    id="mx/no-such-domain",
    verdict=Verdict.FAIL,
    title="The domain does not exist",
    meaning="DNS says that nothing at all is published under this name (NXDOMAIN); receivers refuse mail "
    "from it.",
    fix="Check the spelling; if it is right, the registration has lapsed or the zone is not delegated.",
    source=rfc(8020, "2"),
)
NONE = problem(
    id="mx/none",
    verdict=Verdict.FAIL,
    title="The domain cannot receive mail",
    meaning="It has neither MX nor address records, so replies and bounces are lost, and receivers that "
    "check whether a sender can be answered refuse its mail.",
    fix="Publish an MX record for the server that takes the domain's mail.",
    source=rfc(5321, "5.1"),
)
IMPLICIT = problem(
    id="mx/implicit",
    verdict=Verdict.WARN,
    title="No MX record: mail goes to the domain's own address",
    meaning="Without an MX record senders fall back to the address record, which is usually a web server.",
    fix="Say where mail goes with an MX record.",
    source=rfc(5321, "5.1"),
)
NULL = problem(
    id="mx/null",
    verdict=Verdict.WARN,
    title="The domain says that it accepts no mail (null MX)",
    meaning="Right for a domain that never sends. A domain that does send cannot be answered, and receivers "
    "may refuse it for that.",
    fix="If the domain sends mail, replace the null MX by the server that takes its replies and bounces.",
    source=rfc(7505, "4.2"),
    predicts=("550 5.7.27",),
)
PARKED = problem(
    id="mx/no-mail",
    verdict=Verdict.NOTE,
    title="The domain takes no mail and sends none",
    meaning="A null MX beside v=spf1 -all: together they say that this domain has nothing to do with mail.",
    fix="Nothing, if it is meant so.",
    source=rfc(7505, "4.2"),
)
NULL_MISSING = problem(
    id="mx/null-missing",
    verdict=Verdict.NOTE,
    title="The domain sends no mail, and does not say that it takes none",
    meaning="SPF says that no mail comes from it (v=spf1 -all). Without a null MX senders try its address "
    "record, and whoever mails it waits days for the bounce.",
    fix="Publish a null MX (0 .), unless the domain is to receive mail.",
    source=rfc(7505, "1"),
)
NULL_AND_OTHERS = problem(
    id="mx/null-and-others",
    verdict=Verdict.FAIL,
    title="A null MX stands beside other MX records",
    meaning="A null MX must be the only one; what senders do with both is undefined, and some will not "
    "deliver.",
    fix="Keep either the null MX or the others.",
    source=rfc(7505, "3"),
)
UNREACHABLE = problem(
    id="mx/unreachable",
    verdict=Verdict.FAIL,
    title="No mail server of the domain has an address on the Internet",
    meaning="Whatever its mail is sent to leads nowhere, so all mail to the domain fails.",
    fix="Publish an MX host that has a public address.",
    source=rfc(5321, "5.1"),
)
LITERAL = problem(
    id="mx/address-literal",
    verdict=Verdict.FAIL,
    title="An MX record holds an address instead of a host name",
    meaning="MX takes a host name; an address there is looked up as a name, does not exist, and mail fails.",
    fix="Give the server a name with an address record, and point the MX at that name.",
    source=rfc(5321, "5.1"),
)
NO_ADDRESS = problem(
    id="mx/no-address",
    verdict=Verdict.WARN,
    title="An MX host has no address",
    meaning="Senders that try this host first lose time or give up, depending on their patience.",
    fix="Give the host an address record, or remove its MX record.",
    source=rfc(5321, "5.1"),
)
PRIVATE = problem(
    id="mx/private-address",
    verdict=Verdict.WARN,
    title="Mail goes to an address that is not on the Internet",
    meaning="Private, loopback and link-local addresses mean another machine to every sender.",
    fix="Publish the public address of the server, or take away what leads to this one.",
    source=rfc(6890, "2.2.2"),
)
CNAME = problem(
    id="mx/cname-target",
    verdict=Verdict.WARN,
    title="An MX host is an alias (CNAME)",
    meaning="An MX must name a host that has address records itself; some senders do not follow the alias.",
    fix="Point the MX at the name behind the alias.",
    source=rfc(2181, "10.3"),
)
BAD_NAME = problem(
    id="mx/not-a-hostname",
    verdict=Verdict.WARN,
    title="An MX target is not a valid host name",
    meaning="Host names hold letters, digits and inner hyphens; strict senders refuse anything else.",
    fix="Rename the host and point the MX at the new name.",
    source=rfc(1123, "2.1"),
)
DUPLICATE = problem(
    id="mx/duplicate",
    verdict=Verdict.NOTE,
    title="The same MX host is listed twice",
    meaning="It is tried again at another preference; no harm, but not the spare server it looks like.",
    fix="Keep one record for each host.",
    source=rfc(5321, "5.1"),
)
IPV6_ONLY = problem(
    id="mx/ipv6-only",
    verdict=Verdict.WARN,
    title="No MX host has an IPv4 address",
    meaning="Senders without IPv6, still many, cannot deliver.",
    fix="Give at least one MX host an IPv4 address.",
    source=rfc(3974),
)
MIXED = problem(
    id="mx/mixed-providers",
    verdict=Verdict.WARN,
    title="The MX records belong to different mail providers",
    meaning="Each provider answers only for its own mailboxes, so part of the mail is refused or lands "
    "where nobody looks. It is usually what a move between providers left behind.",
    fix="Keep the records of the provider that holds the mailboxes.",
    source=Source("https://support.google.com/a/answer/174125", "vendor", READ),
)
MANY = problem(
    id="mx/many",
    verdict=Verdict.NOTE,
    title="There are more MX hosts than were followed",
    meaning=f"The {FOLLOWED} most preferred were looked at; senders, too, stop after a few.",
    fix="Publish a handful of hosts; use several addresses behind one name for more.",
    source=rfc(5321, "5.1"),
)

RULES = (
    UNKNOWN,
    NO_DOMAIN,
    NONE,
    IMPLICIT,
    NULL,
    PARKED,
    NULL_MISSING,
    NULL_AND_OTHERS,
    UNREACHABLE,
    LITERAL,
    NO_ADDRESS,
    PRIVATE,
    CNAME,
    BAD_NAME,
    DUPLICATE,
    IPV6_ONLY,
    MIXED,
    MANY,
)
