"""What may be wrong with MTA-STS: one rule a problem. Which fact meets a rule is `mta_sts.judge`'s part."""

from __future__ import annotations

from probe.checks._evidence import problem, rfc, unknown_rule
from probe.rules import Verdict

__all__ = [
    "ABSENT",
    "BRIEF",
    "MISMATCH",
    "MISMATCH_TESTING",
    "MISSPELT",
    "NONE",
    "OFF",
    "POLICY",
    "RULES",
    "SEVERAL",
    "SYNTAX",
    "TESTING",
    "TLS",
    "TYPE",
    "UNKNOWN",
]

UNKNOWN = unknown_rule("mta_sts", "The MTA-STS record or policy", rfc(8461, "3"))
NONE = problem(
    id="mta_sts/none",
    verdict=Verdict.NOTE,
    title="No MTA-STS policy",
    meaning="Nothing promises that mail to the domain travels encrypted. It is optional and changes nothing "
    "about mail you send.",
    fix="If you want it: publish a policy file in testing mode first, then the record.",
    source=rfc(8461, "3.1"),
)
MISSPELT = problem(
    id="mta_sts/misspelt",
    verdict=Verdict.WARN,
    title="A TXT record looks like MTA-STS, but is not one",
    meaning="A record counts only when it begins with exactly v=STSv1 and a semicolon; senders pass over "
    "this one and never fetch the policy.",
    fix="Publish the record with the right beginning.",
    source=rfc(8461, "3.1"),
)
SEVERAL = problem(
    id="mta_sts/several",
    verdict=Verdict.WARN,
    title="Several MTA-STS records",
    meaning="With more than one record senders act as if there were none.",
    fix="Keep one of them.",
    source=rfc(8461, "3.1"),
)
SYNTAX = problem(
    id="mta_sts/syntax",
    verdict=Verdict.WARN,
    title="The MTA-STS record cannot be used",
    meaning="Senders that cannot read the record act as if there were no policy.",
    fix="Publish the record in its exact form.",
    source=rfc(8461, "3.1"),
)
TLS = problem(
    id="mta_sts/policy-tls",
    verdict=Verdict.WARN,
    title="The policy server's certificate does not hold",
    meaning="The policy may only be fetched under a certificate valid for the mta-sts name; senders ignore "
    "it.",
    fix="Give the policy host a certificate of a public CA for its name.",
    source=rfc(8461, "3.3"),
)
ABSENT = problem(
    id="mta_sts/policy-absent",
    verdict=Verdict.WARN,
    title="The record announces a policy that is not there",
    meaning="Senders want the file with status 200 at its exact place, without redirection; without it "
    "there is no policy.",
    fix="Serve the policy file, or remove the record.",
    source=rfc(8461, "3.3"),
)
TYPE = problem(
    id="mta_sts/content-type",
    verdict=Verdict.NOTE,
    title="The policy is not served as text/plain",
    meaning="Senders should check the media type, and some refuse the policy for it.",
    fix="Serve the file with Content-Type: text/plain.",
    source=rfc(8461, "3.2"),
)
POLICY = problem(
    id="mta_sts/policy-syntax",
    verdict=Verdict.WARN,
    title="The policy file cannot be used",
    meaning="A policy that breaks the grammar is ignored.",
    fix="Serve a policy in its exact form.",
    source=rfc(8461, "3.2"),
)
MISMATCH = problem(
    id="mta_sts/mx-mismatch",
    verdict=Verdict.FAIL,
    title="The enforced policy leaves out an MX host",
    meaning="Senders that honour MTA-STS do not deliver to that host; replies and bounces are lost with it.",
    fix="Add the host to the policy and give the record a new id.",
    source=rfc(8461, "4.1"),
)
MISMATCH_TESTING = problem(
    id="mta_sts/mx-mismatch-testing",
    verdict=Verdict.WARN,
    title="The policy, in testing mode, leaves out an MX host",
    meaning="Nothing is lost yet; with mode: enforce mail to that host would be.",
    fix="Add the host to the policy and give the record a new id.",
    source=rfc(8461, "4.1"),
)
TESTING = problem(
    id="mta_sts/testing",
    verdict=Verdict.NOTE,
    title="The policy is in testing mode",
    meaning="Failures are reported, nothing is refused: mail may still travel in clear.",
    fix="When the TLS reports are clean, set mode: enforce and give the record a new id.",
    source=rfc(8461, "5"),
)
OFF = problem(
    id="mta_sts/off",
    verdict=Verdict.NOTE,
    title="The policy says that there is no policy",
    meaning="Mode none is how a domain leaves MTA-STS; it is meant to stand for a while only.",
    fix="Once max_age has passed, remove the record and the file.",
    source=rfc(8461, "8.3"),
)
BRIEF = problem(
    id="mta_sts/short-lived",
    verdict=Verdict.NOTE,
    title="The policy is kept for less than a day",
    meaning="A policy protects only as long as senders remember it; weeks are expected.",
    fix="Raise max_age to 604800 (a week) or more.",
    source=rfc(8461, "3.2"),
)

RULES = (
    UNKNOWN,
    NONE,
    MISSPELT,
    SEVERAL,
    SYNTAX,
    TLS,
    ABSENT,
    TYPE,
    POLICY,
    MISMATCH,
    MISMATCH_TESTING,
    TESTING,
    OFF,
    BRIEF,
)
