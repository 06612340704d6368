"""DNSSEC: whether the zone is signed, and whether a validating resolver believes it.

RFC 4035 section 4.9.3 (AD), RFC 8914 (extended errors), RFC 9905 (SHA-1). Validation is the resolver's: one
that does not validate sets no AD flag, and then nothing is concluded from its absence.
"""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks import Domain, Judgement
from probe.checks._evidence import (
    evidence,
    printable,
    problem,
    rfc,
    seen_answer,
    state,
    unknown,
    unknown_rule,
)
from probe.facts import Question, Records, Status
from probe.rules import Finding, State, Verdict

__all__ = ["RULES", "ask", "judge"]

UNKNOWN = unknown_rule("dnssec", "The DS record", rfc(4035, "4.9.3"))
UNSIGNED = problem(
    id="dnssec/unsigned",
    verdict=Verdict.NOTE,
    title="The zone is not signed",
    meaning="Its answers can be forged on the way. Most zones are not signed, and no large receiver asks "
    "for it.",
    fix="If you want it, switch DNSSEC on at the DNS provider, then publish the DS record at the registrar.",
    source=rfc(9364, "1.1"),
)
BOGUS = problem(
    id="dnssec/bogus",
    verdict=Verdict.FAIL,
    title="The zone's signatures do not verify",
    meaning="Validating resolvers, most receivers among them, get no answer for any name of the zone: no "
    "MX, no SPF, no DKIM.",
    fix="Sign the zone again, or have the registrar remove the DS record until it is signed.",
    dont="Publish new records in the meantime: nobody who validates will see them.",
    source=rfc(8914, "4.7"),
)
NOT_VALIDATED = problem(
    id="dnssec/not-validated",
    verdict=Verdict.NOTE,
    title="The zone is signed, but this resolver does not say whether the signatures verify",
    meaning="Its answers carry no AD flag: either it does not validate, or something on the way drops the "
    "flag.",
    fix="Ask a validating resolver (--resolver) to be sure.",
    source=rfc(4035, "4.9.3"),
)
WEAK = problem(
    id="dnssec/weak-algorithm",
    verdict=Verdict.WARN,
    title="The zone is signed with an algorithm that resolvers are giving up",
    meaning="RSA with SHA-1 and older algorithms must not be used any more; resolvers treat a zone that is "
    "signed with them as unsigned.",
    fix="Move the zone to ECDSA P-256 (13) and publish a DS record with SHA-256 (2).",
    source=rfc(9905, "2"),
)
DIGEST = problem(
    id="dnssec/weak-digest",
    verdict=Verdict.WARN,
    title="The DS record holds the key's digest in an old form",
    meaning="The zone's own signatures are fine. SHA-1 and GOST must not be used for DS records any more; "
    "SHA-256 is what every resolver reads.",
    fix="Publish a DS record of the same key with SHA-256 (digest type 2), then remove this one.",
    source=rfc(9904),
)

RULES = (UNKNOWN, UNSIGNED, BOGUS, NOT_VALIDATED, WEAK, DIGEST)

# What resolvers say (RFC 8914) where an answer is there and its signatures are not good.
_BOGUS = frozenset(
    {
        "DNSSEC Bogus",
        "Signature Expired",
        "Signature Not Yet Valid",
        "DNSKEY Missing",
        "RRSIGs Missing",
        "NSEC Missing",
    }
)
_FIELDS = 4  # of a DS record: key tag, algorithm, digest type, digest
_WEAK_ALGORITHMS = {"1": "RSAMD5", "3": "DSA", "5": "RSASHA1", "6": "DSA", "7": "RSASHA1", "12": "GOST"}
_WEAK_DIGESTS = {"1": "SHA-1", "3": "GOST"}


def _questions(domain: Domain) -> tuple[Question, Question]:
    return Question(domain.name, "DS"), Question(domain.name, "MX")


def ask(domain: Domain, _seen: Records) -> Iterator[Question]:
    """DS, which the parent zone answers, and MX, which the zone itself answers."""
    yield from _questions(domain)


def judge(domain: Domain, seen: Records) -> Judgement:
    """``evaluation`` holds the DS records and whether the resolver vouches for the zone."""
    delegation, own = _questions(domain)
    signer, answer = seen_answer(seen, delegation), seen_answer(seen, own)
    told = {"ds": [printable(value) for value in signer.values[:20]], "authenticated": answer.authenticated}
    for question, each in ((own, answer), (delegation, signer)):
        if each.status is Status.SERVFAIL and each.detail in _BOGUS:
            finding = Finding(BOGUS, evidence(question, each, "; ".join(signer.values[:4])), each.detail)
            return Judgement(State.INVALID, (finding,), told)
    if not signer.known:
        return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, delegation),), told)
    if Status.NXDOMAIN in {signer.status, answer.status}:
        return Judgement(State.NOT_APPLICABLE)
    weak = tuple(_weak(delegation, signer.values, seen))
    if answer.authenticated:
        return Judgement(state(weak), weak, told)
    if not signer.values:
        return Judgement(State.MISSING, (Finding(UNSIGNED, evidence(delegation, signer)),), told)
    if not answer.known:
        return Judgement(State.UNKNOWN, (unknown(UNKNOWN, seen, own), *weak), told)
    blind = Finding(NOT_VALIDATED, evidence(delegation, signer, "; ".join(signer.values[:4])))
    return Judgement(State.UNKNOWN, (blind, *weak), told)


def _weak(question: Question, values: tuple[str, ...], seen: Records) -> Iterator[Finding]:
    """DS records none of which is made of algorithms that last.

    RSA with SHA-1 is deprecated by RFC 9905, GOST by RFC 9906; of the older ones, and of SHA-1 as a digest,
    the registries of RFC 9904 say so. A weak digest of a lasting algorithm needs no more than a DS record.
    """
    found = [
        (_WEAK_ALGORITHMS.get(fields[1], ""), _WEAK_DIGESTS.get(fields[2], ""))
        for fields in (value.split(maxsplit=3) for value in values[:20])
        if len(fields) == _FIELDS
    ]
    if not found or len(found) < len(values[:20]) or not all(map(any, found)):
        return
    rule, detail = next(
        ((DIGEST, digest) for algorithm, digest in found if not algorithm), (WEAK, found[0][0])
    )
    yield Finding(rule, evidence(question, seen_answer(seen, question), "; ".join(values[:4])), detail)
