"""What may be wrong with DMARC: one rule a problem. Which fact meets a rule is `dmarc.judge`'s part."""

from __future__ import annotations

from probe.checks._evidence import problem, rfc, unknown_rule
from probe.rules import Cause, Rule, Source, Verdict

__all__ = ["RULE", "RULES"]

_TAGS = rfc(9989, "4.7")
_SYNTAX = rfc(9989, "4.8")
_WALK = rfc(9989, "4.10")
_POLICY = rfc(9989, "4.10.1")
_ORG = rfc(9989, "4.10.2")
_REPORTS = rfc(9990, "4")
_REFUSALS = ("421 4.7.31", "421 4.7.40", "550 5.7.40", "550 5.7.515")


def _rule(
    name: str,
    verdict: Verdict,
    title: str,
    meaning: str,
    fix: str,
    source: Source,
    dont: str = "",
    predicts: tuple[str, ...] = (),
) -> Rule:
    return problem(
        id=f"dmarc/{name}",
        verdict=verdict,
        cause=Cause.EMAIL_AUTH,
        title=title,
        meaning=meaning,
        fix=fix,
        source=source,
        dont=dont,
        predicts=predicts,
    )


_FAIL, _WARN, _NOTE, _UNKNOWN = Verdict.FAIL, Verdict.WARN, Verdict.NOTE, Verdict.UNKNOWN

RULES: tuple[Rule, ...] = (
    unknown_rule("dmarc", "The DMARC record", _WALK),
    _rule(
        "missing",
        _FAIL,
        "No DMARC record applies to this domain",
        "Neither the name nor a parent publishes one. Gmail, Yahoo and Microsoft ask it of bulk senders.",
        "Publish a record at _dmarc with p=none and a report address; tighten it once reports look right.",
        _POLICY,
        dont="Start with p=reject before the reports show that all of your mail is aligned.",
        predicts=_REFUSALS,
    ),
    _rule(
        "unguarded",
        _WARN,
        "A domain that sends no mail has no DMARC record",
        "Its SPF record says that all mail in its name is forged; receivers may deliver it without a policy.",
        "Publish a record at _dmarc with p=reject: there is no mail that it could stop.",
        _POLICY,
    ),
    _rule(
        "apex-record",
        _FAIL,
        "The DMARC record stands at the domain itself",
        "Receivers ask for it at _dmarc below the domain only; at the domain it is just another TXT value.",
        "Move the record to _dmarc and remove it from the domain itself.",
        _WALK,
        predicts=_REFUSALS,
    ),
    _rule(
        "not-recognised",
        _FAIL,
        "What stands at _dmarc is discarded by receivers",
        "A record counts only if it begins with v=DMARC1, in these capitals.",
        "Write it so that v=DMARC1 comes first.",
        _TAGS,
        predicts=_REFUSALS,
    ),
    _rule(
        "several",
        _FAIL,
        "There are several DMARC records",
        "Where more than one is found all of them are discarded, so none applies.",
        "Leave one record, the mildest, and delete the others: today no policy applies at all.",
        _WALK,
        predicts=_REFUSALS,
    ),
    _rule(
        "no-policy",
        _FAIL,
        "The record asks for nothing",
        "p (or sp, np) is missing or not one of none, quarantine, reject, and there is no report address that"
        " would save the record: receivers do not apply DMARC.",
        "Write p=none, p=quarantine or p=reject, and a rua address.",
        _POLICY,
        predicts=_REFUSALS,
    ),
    _rule(
        "policy-ignored",
        _WARN,
        "The policy is taken for p=none",
        "p (or sp, np) is missing or not one of none, quarantine, reject. Because a report address is there,"
        " receivers act as if p=none was written.",
        "Write the policy that is meant.",
        _POLICY,
    ),
    _rule(
        "bad-value",
        _WARN,
        "A tag has a value that means nothing",
        "Receivers ignore the tag and take its default.",
        "Correct the value or leave the tag out.",
        _TAGS,
    ),
    _rule(
        "syntax",
        _WARN,
        "Part of the record is no tag",
        "A tag is a name, an equals sign and a value; tags are separated by semicolons. The rest is ignored.",
        "Write the record with semicolons between its tags.",
        _SYNTAX,
    ),
    _rule(
        "misspelt-tag",
        _WARN,
        "A tag seems to be misspelt",
        "Receivers ignore tags they do not know, so what was meant does not happen.",
        "Correct the tag's name.",
        _TAGS,
    ),
    _rule(
        "unknown-tag",
        _NOTE,
        "The record has a tag that no RFC knows",
        "Receivers ignore it.",
        "Leave it out.",
        _TAGS,
    ),
    _rule(
        "duplicate-tag",
        _WARN,
        "A tag occurs more than once",
        "Which one counts differs from receiver to receiver.",
        "Leave one of them.",
        _SYNTAX,
    ),
    _rule(
        "order",
        _NOTE,
        "p does not follow v",
        "RFC 9989 allows any order after v; receivers of RFC 7489 may demand that p comes second.",
        "Write p directly after v=DMARC1.",
        rfc(7489, "6.4"),
    ),
    _rule(
        "monitoring-only",
        _NOTE,
        "The policy is p=none",
        "Receivers report and do nothing else. It satisfies the large receivers' rules and stops no forgery.",
        "When the reports show that all of your mail is aligned, go to p=quarantine, then p=reject.",
        _TAGS,
    ),
    _rule(
        "subdomains-open",
        _WARN,
        "Names below the domain are protected less than the domain",
        "sp asks for less than p for the names below, or np for those that do not exist: whoever forges mail"
        " uses one of them.",
        "Leave out what is weaker once the reports show that all mail of those names aligns.",
        _TAGS,
    ),
    _rule(
        "testing",
        _WARN,
        "The policy is in test mode",
        "With t=y receivers of RFC 9989 apply one level less than is written; receivers of RFC 7489 do not"
        " know the tag and apply the policy in full, unless pct=0 stands beside it.",
        "Once the reports show that all of your mail is aligned, leave t=y out.",
        _TAGS,
    ),
    _rule(
        "percentage",
        _WARN,
        "pct no longer means what it meant",
        "RFC 9989 removed pct: such receivers apply the policy to all mail. Receivers of RFC 7489 sample it.",
        "Publish the policy that all mail may meet, without pct; until then t=y beside pct=0.",
        rfc(9989),
        dont="Use pct=0 alone as a safe rollout.",
    ),
    _rule(
        "removed-tag",
        _NOTE,
        "The record has a tag that RFC 9989 removed",
        "Newer receivers ignore it.",
        "Leave it out.",
        rfc(9989),
    ),
    _rule(
        "no-reports",
        _NOTE,
        "Nobody receives aggregate reports",
        "Without rua you do not see who sends in your name, or which of your own mail fails.",
        "Add a rua address that is read.",
        _TAGS,
    ),
    _rule(
        "bad-report-address",
        _WARN,
        "A report address cannot be mailed to",
        "rua and ruf hold mailto: URIs, separated by commas.",
        "Write it as mailto:name@domain.",
        _TAGS,
    ),
    _rule(
        "report-not-authorised",
        _WARN,
        "Another domain has not agreed to receive your reports",
        "Receivers ask the destination for a record that allows it, and send nothing without one.",
        "Name an address of your own domain, or ask the owner of the destination to publish the record.",
        _REPORTS,
    ),
    _rule(
        "report-unknown",
        _UNKNOWN,
        "Whether reports may be sent to another domain could not be looked up",
        "The destination's answer is missing; this says nothing about your own record.",
        "Ask again later.",
        _REPORTS,
    ),
    _rule(
        "report-undeliverable",
        _WARN,
        "The domain of a report address takes no mail",
        "It does not exist, has neither MX nor address records, or says by a null MX that it takes nothing.",
        "Write an address whose domain receives mail.",
        rfc(7505),
    ),
    _rule(
        "inherited",
        _NOTE,
        "The record of a parent domain applies",
        "The name publishes none of its own, so what its organizational domain asks for subdomains counts.",
        "Nothing, unless this name shall have a policy of its own.",
        _POLICY,
    ),
    _rule(
        "receivers-differ",
        _WARN,
        "Receivers old and new reach different conclusions",
        "RFC 9989 walks up the tree; RFC 7489 uses a list of public suffixes and knows neither np nor psd.",
        "Publish a record at the organizational domain, and at this name one that says the same.",
        _ORG,
    ),
    _rule(
        "parent-without-record",
        _WARN,
        "The parent publishes no record, so this name stands alone",
        "Under RFC 9989 a name whose parents have no record is its own organizational domain: signatures and"
        " envelopes of the parent no longer align with it. Under RFC 7489 they do.",
        "Publish a record at the parent.",
        _ORG,
    ),
    _rule(
        "public-suffix-claim",
        _WARN,
        "psd=y is published by a domain that is no public suffix",
        "It makes every name directly below an organizational domain of its own, so they do not align.",
        "Leave psd out; psd=y is for registries.",
        _ORG,
    ),
    _rule(
        "delegated",
        _NOTE,
        "The record is kept by somebody else",
        "_dmarc is an alias; the name it points to decides what receivers read.",
        "Nothing, as long as you trust that name's owner.",
        _WALK,
    ),
    _rule(
        "dangling-alias",
        _FAIL,
        "_dmarc points to a name without a record",
        "The alias is followed and nothing is found there, so no record of this name applies.",
        "Publish the record where the alias points, or in its place.",
        _WALK,
        predicts=_REFUSALS,
    ),
    _rule(
        "unrelated-text",
        _NOTE,
        "Other text stands beside the record",
        "Receivers discard what does not begin with v=DMARC1; it belongs elsewhere.",
        "Move it to where it is asked for.",
        _WALK,
    ),
    _rule(
        "walk-incomplete",
        _NOTE,
        "A name above the record could not be asked",
        "The record itself is known; the organizational domain might be a different one.",
        "Nothing: it is the zone of others.",
        _WALK,
    ),
    _rule(
        "spf-not-aligned",
        _WARN,
        "SPF cannot pass DMARC with this envelope sender",
        "The domain of MAIL FROM does not align with the domain in From, so only DKIM can make mail pass.",
        "Send with an envelope sender below the same organizational domain, or rely on an aligned DKIM key.",
        rfc(9989, "4.4"),
        predicts=("421 4.7.32", "421 5.7.32"),
    ),
    _rule(
        "nothing-aligns",
        _FAIL,
        "All mail of this domain fails its own DMARC policy",
        "There is neither an SPF record that aligns nor a DKIM key, and the policy acts on what fails.",
        "Publish an SPF record and a DKIM key for this domain before mail is sent.",
        rfc(9989, "4.4"),
        predicts=("550 5.7.26", "550 5.7.509", "550 5.7.515"),
    ),
)

RULE = {rule.id.partition("/")[2]: rule for rule in RULES}
