"""What is known about SPF records: one rule for each problem, with the section that states it."""

from __future__ import annotations

from probe.checks._evidence import READ, problem, rfc, unknown_rule
from probe.rules import Cause, Rule, Source, State, Verdict

__all__ = ["RULES", "rule", "state_of"]

_SENDERS = Source("https://support.google.com/a/answer/81126", "vendor", READ)

# The replies that RFC 7372 names for a failed SPF check and for one in error, and Gmail's own.
_REFUSED = ("550 5.7.23", "550 5.7.26", "550 5.7.27", "421 4.7.27")
_ERROR = ("550 5.7.24", *_REFUSED[1:])

_FAIL, _WARN, _NOTE = Verdict.FAIL, Verdict.WARN, Verdict.NOTE


def _rule(
    name: str,
    verdict: Verdict,
    title: str,
    meaning: str,
    fix: str,
    source: str | Source,
    *,
    dont: str = "",
    predicts: tuple[str, ...] = (),
) -> Rule:
    return problem(
        id=f"spf/{name}",
        verdict=verdict,
        cause=Cause.EMAIL_AUTH,
        title=title,
        meaning=meaning,
        fix=fix,
        source=rfc(7208, source) if isinstance(source, str) else source,
        dont=dont,
        predicts=predicts,
    )


RULES: tuple[Rule, ...] = (
    unknown_rule("spf", "The SPF policy", rfc(7208, "4.4")),
    _rule(
        "no-domain",
        _FAIL,
        "The domain does not exist, so it has no SPF record",
        "DNS says that there is no such name. Receivers refuse mail from a domain that does not exist.",
        "Check the spelling and that the domain is registered and delegated.",
        "4.3",
        predicts=("550 5.1.8", "550 5.7.27"),
    ),
    _rule(
        "none",
        _FAIL,
        "No SPF record",
        "The domain does not say who may send for it. Large receivers want SPF or DKIM from everybody, "
        "both from bulk senders.",
        "Publish one TXT record at the domain that names every service that sends for it.",
        _SENDERS,
        dont="Publish more than one record that begins with v=spf1.",
        predicts=_REFUSED[1:],
    ),
    _rule(
        "obsolete-type",
        _FAIL,
        "The SPF record has type SPF, which nobody reads",
        "RFC 7208 retired the record type SPF (99). Receivers look at TXT only and find nothing.",
        "Publish the same text as a TXT record.",
        "3.1",
        predicts=_REFUSED[1:],
    ),
    _rule(
        "misspelt",
        _FAIL,
        "A TXT record looks like SPF, but is not one",
        "A record counts only when it begins with exactly v=spf1 and a space. Receivers pass over this "
        "one, as if there were none.",
        "Publish the record with the right beginning.",
        "4.5",
        predicts=_REFUSED[1:],
    ),
    _rule(
        "several",
        _FAIL,
        "Several SPF records",
        "A domain may have one SPF record. With more, SPF ends in a permerror and nobody is authorised.",
        "Merge them into one record and delete the others.",
        "4.5",
        dont="Keep a record for each service: they must be one.",
        predicts=_ERROR,
    ),
    _rule(
        "syntax",
        _FAIL,
        "The SPF record has a syntax error",
        "One mistake anywhere in the record makes all of SPF a permerror, for every sender.",
        "Correct the marked place.",
        "4.6",
        predicts=_ERROR,
    ),
    _rule(
        "non-ascii",
        _FAIL,
        "The SPF record holds a character that is not ASCII",
        "Records are plain ASCII. Dashes, quotes and spaces from a word processor look right and are a "
        "permerror.",
        "Type the record anew, with plain characters.",
        "3.1",
        predicts=_ERROR,
    ),
    _rule(
        "glued",
        _FAIL,
        "Two strings of the record are glued together without a space",
        "The strings of a TXT record are joined with nothing between them, so two terms became one word.",
        "Put a space at the end of the first string.",
        "3.3",
        predicts=_ERROR,
    ),
    _rule(
        "too-many-lookups",
        _FAIL,
        "More than ten DNS lookups",
        "The eleventh lookup is a permerror: receivers stop, and whoever comes later in the record is "
        "not authorised.",
        "Remove services that no longer send, or move one to a subdomain with a record of its own.",
        "4.6.4",
        dont="Copy a provider's addresses into the record: they change without notice.",
        predicts=_ERROR,
    ),
    _rule(
        "at-lookup-limit",
        _WARN,
        "All ten DNS lookups are used",
        "The record works today. One more lookup, even in a provider's record, makes SPF a permerror.",
        "Make room: remove what no longer sends.",
        "4.6.4",
    ),
    _rule(
        "too-many-voids",
        _FAIL,
        "More than two void lookups",
        "Terms that name things without records in DNS are void lookups; the third is a permerror at "
        "most receivers.",
        "Remove the terms that find nothing.",
        "4.6.4",
        predicts=_ERROR,
    ),
    _rule(
        "void-lookup",
        _WARN,
        "A term finds nothing in DNS",
        "The name has no record of the kind that is asked for: the term authorises nobody and costs a "
        "lookup. Three of them are a permerror.",
        "Remove the term, or publish what it names.",
        "4.6.4",
    ),
    _rule(
        "no-name",
        _WARN,
        "A term names something that is no domain name",
        "A label is empty or longer than 63 characters, so nothing can be asked for: the term authorises "
        "nobody and still counts as a lookup.",
        "Correct the name, or remove the term.",
        "4.8",
    ),
    _rule(
        "loop",
        _FAIL,
        "The record includes itself",
        "An include or redirect leads back to a record that is being read. That never ends within ten "
        "lookups: a permerror.",
        "Remove the term that closes the circle.",
        "4.6.4",
        predicts=_ERROR,
    ),
    _rule(
        "include-without-record",
        _FAIL,
        "An include names a domain without SPF record",
        "An include or redirect of a domain that has no SPF record is a permerror, for every sender "
        "that comes so far.",
        "Remove the term, or correct the name.",
        "5.2",
        predicts=_ERROR,
    ),
    _rule(
        "include-broken",
        _FAIL,
        "An included SPF record is broken",
        "The other domain's record is itself a permerror, and that makes this one a permerror too.",
        "Remove the term until its owner has corrected the record.",
        "5.2",
        predicts=_ERROR,
    ),
    _rule(
        "too-many-mx",
        _FAIL,
        "An mx term leads to more than ten hosts",
        "Receivers look at ten MX hosts and no more; an mx term with more is a permerror.",
        "Name the sending addresses with ip4: and ip6: instead of mx.",
        "4.6.4",
        predicts=_ERROR,
    ),
    _rule(
        "allows-all",
        _FAIL,
        "The record authorises the whole Internet (+all)",
        "Everybody passes SPF for this domain, spammers first. Filters count such a record against the "
        "domain.",
        "Name the services that send, and end the record in ~all or -all.",
        "5.1",
    ),
    _rule(
        "effectively-all",
        _FAIL,
        "The record authorises nearly every address there is",
        "It does not say +all, but its networks or includes let practically everybody pass.",
        "Replace the wide term with the addresses that really send.",
        "5.6",
    ),
    _rule(
        "very-wide",
        _WARN,
        "The record authorises tens of millions of addresses",
        "No sender needs so many. Whoever gets hold of one of them passes SPF for this domain.",
        "Narrow the networks to the addresses that really send.",
        "5.6",
    ),
    _rule(
        "neutral-all",
        _WARN,
        "The record ends in ?all",
        "Whoever is not listed gets a neutral result, the same as with no record: the policy says nothing.",
        "End the record in ~all, later in -all.",
        "8.2",
    ),
    _rule(
        "no-all",
        _WARN,
        "The record has no end",
        "Without all or redirect= whoever is not listed gets a neutral result: the policy says nothing "
        "about them.",
        "End the record in ~all, later in -all.",
        "4.7",
    ),
    _rule(
        "sends-nothing",
        _NOTE,
        "The record says that this domain sends no mail",
        "v=spf1 -all authorises nobody. That is right for a parked domain and wrong for one that sends.",
        "Leave it so, or name the services that send.",
        "10.1.2",
    ),
    _rule(
        "nobody",
        _WARN,
        "The record lets nobody pass",
        "No address that mail can come from passes, so no mail passes SPF, and DMARC rests on DKIM alone.",
        "Name the services that send; if none does, publish v=spf1 -all.",
        "4.6.2",
    ),
    _rule(
        "ptr",
        _WARN,
        "The record uses ptr",
        "The ptr mechanism is slow and unreliable, RFC 7208 says not to publish it, and some receivers "
        "pass over it.",
        "Replace ptr with the addresses: ip4:, ip6: or a:.",
        "5.5",
    ),
    _rule(
        "after-all",
        _WARN,
        "Terms after all are never read",
        "all matches everybody, so the mechanisms after it have no effect.",
        "Move all to the end.",
        "5.1",
    ),
    _rule(
        "redirect-ignored",
        _WARN,
        "redirect= beside all has no effect",
        "A redirect is followed only when no mechanism matched, and all always matches.",
        "Remove all, or the redirect=.",
        "6.1",
    ),
    _rule(
        "ignored-term",
        _WARN,
        "A mechanism is written as a modifier, and ignored",
        "Receivers pass over modifiers (name=value) they do not know: nothing is authorised by it.",
        "Write a colon instead of the equals sign.",
        "6",
    ),
    _rule(
        "duplicate-term",
        _NOTE,
        "A term stands twice",
        "The second one changes nothing; where it looks something up it costs a lookup.",
        "Remove the second one.",
        "4.6.4",
    ),
    _rule(
        "macros",
        _NOTE,
        "The record depends on each message (macros)",
        "What a macro expands to is known only when a message arrives, so not all of the policy can be "
        "told from outside.",
        "Nothing, if it is meant so. Give --sending-ip to have the policy evaluated for an address.",
        "7",
    ),
    _rule(
        "private-address",
        _WARN,
        "The record names addresses that are not on the Internet",
        "Receivers never see mail from a private, loopback or reserved address: the term authorises nobody.",
        "Replace it with the public address that mail leaves from.",
        Source("https://www.rfc-editor.org/rfc/rfc6890", "rfc", READ),
    ),
    _rule(
        "over-450",
        _NOTE,
        "The record is longer than 450 bytes",
        "Answers beyond 512 bytes do not fit into a classic DNS packet; RFC 7208 advises to stay below 450.",
        "Shorten it when you next change it.",
        "3.4",
    ),
    _rule(
        "over-512",
        _WARN,
        "The record is longer than 512 bytes",
        "The answer does not fit into a classic DNS packet. Where DNS over TCP or large packets are "
        "blocked, SPF cannot be checked.",
        "Shorten it: remove what no longer sends, merge neighbouring networks.",
        "3.4",
    ),
    _rule(
        "alias",
        _NOTE,
        "The domain is an alias, and the SPF record is its target's",
        "The name is a CNAME. Whoever runs the target decides who may send for this domain.",
        "Nothing, if the target is the service that sends for this name.",
        Source("https://www.rfc-editor.org/rfc/rfc1034#section-3.6.2", "rfc", READ),
    ),
    _rule(
        "beside-cname",
        _WARN,
        "A TXT record stands beside a CNAME",
        "A name with a CNAME may have no other record. Some resolvers see the TXT record, others only "
        "the target's.",
        "Remove the CNAME, or publish the record at the target.",
        Source("https://www.rfc-editor.org/rfc/rfc1034#section-3.6.2", "rfc", READ),
    ),
    _rule(
        "not-authorised",
        _FAIL,
        "A sending address is not authorised",
        "Mail that leaves from this address does not pass SPF for this envelope sender.",
        "Add the address to the record.",
        "2.6",
        predicts=_REFUSED,
    ),
    _rule(
        "helo-not-authorised",
        _WARN,
        "The HELO name does not authorise the sending address",
        "Receivers may check the name said at HELO too, and for bounces they have no other. Its policy does "
        "not let this address pass.",
        "Add the address to the SPF record of the HELO name, or say another name.",
        "2.3",
    ),
    _rule(
        "provider-missing",
        _FAIL,
        "The provider you send through is not authorised",
        "The policy does not name the provider that was given, and does not cover its addresses.",
        "Add the provider's include.",
        "5.2",
        predicts=_REFUSED,
    ),
    _rule(
        "mailbox-host-missing",
        _WARN,
        "The provider that hosts the mailboxes is not authorised",
        "The MX records belong to a provider that the policy does not name. Mail sent from these "
        "mailboxes would not pass SPF.",
        "Add the provider's include, if mail is sent through it.",
        "5.2",
    ),
)

_BY_NAME = {rule.id: rule for rule in RULES}

# What a finding says about the record, where it is not what its verdict says.
_STATES = {
    "none": State.MISSING,
    "no-domain": State.MISSING,
    "obsolete-type": State.MISSING,
    "misspelt": State.MISSING,
    "allows-all": State.WARN,
    "effectively-all": State.WARN,
    "not-authorised": State.WARN,
    "provider-missing": State.WARN,
    "helo-not-authorised": State.VALID,
    "at-lookup-limit": State.VALID,
    "void-lookup": State.VALID,
    "private-address": State.VALID,
}
_BY_VERDICT = {_FAIL: State.INVALID, Verdict.UNKNOWN: State.UNKNOWN, _WARN: State.WARN}


def rule(name: str) -> Rule:
    """The rule ``spf/<name>``."""
    return _BY_NAME[f"spf/{name}"]


def state_of(found: Rule) -> State:
    """What a rule that was met says about the state of the record."""
    return _STATES.get(found.id.removeprefix("spf/"), _BY_VERDICT.get(found.verdict, State.VALID))
