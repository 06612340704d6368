"""DMARC: which record applies to this very name, what it asks, and what it does to mail (RFC 9989).

Receivers of RFC 7489 are still about; where they conclude otherwise, both verdicts are told. The check is
silent about the parents' zones except for what they mean for this name.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from probe.checks import Domain, Judgement, _suffixes
from probe.checks._dmarc_alignment import Alignment, aligned, envelope_domain
from probe.checks._dmarc_discovery import (
    Discovery,
    Older,
    discover,
    discover_7489,
    exists,
    question,
    walk,
)
from probe.checks._dmarc_fix import line, meant_tag, repaired, takes_no_mail, without_host
from probe.checks._dmarc_kept import absent, own_name
from probe.checks._dmarc_rules import RULE, RULES
from probe.checks._evidence import evidence, nonexistent, printable, seen_answer, state, unknown, zone_line
from probe.checks._once import asked_once, once
from probe.checks.mx import null, silent
from probe.facts import Question, Records, Status
from probe.grammar import dmarc
from probe.grammar.dmarc import Policy, Psd, Record
from probe.grammar.hostname import askable
from probe.rules import Finding, State

__all__ = ["RULES", "ask", "judge"]

_UNREADABLE = frozenset({"dmarc/several", "dmarc/not-recognised"})  # something is published, and is discarded
_ASIDE = "dmarc/report-unknown"  # tells nothing about the record itself
_MAX_REPORT_DOMAINS = 5


@asked_once
def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """The whole walk at once (eight questions at most), then what the report addresses need."""
    name = domain.name
    yield Question(name, "TXT")
    envelope = envelope_domain(domain)
    steps = walk(name) if envelope == name else (*walk(name), *walk(envelope))
    walks = dict.fromkeys([asked for _, asked in steps])
    yield from walks
    yield Question(envelope, "TXT")
    if seen.answers.keys() >= walks.keys():
        found = discover(name, seen)
        if found.record is None or (found.record_at == name and not found.record.rua):
            yield Question(_suffixes.organizational(name), "MX")  # a report address to propose
        if found.record is not None and found.record_at is not None:
            for where in _report_domains(found.record):
                yield Question(where, "MX")
                if (asked := _permission(found.record_at, where)) is not None:
                    yield asked


@once
def judge(domain: Domain, seen: Records) -> Judgement:
    """What applies, what is wrong with it, and what both generations of receivers conclude."""
    found, older = discover(domain.name, seen), discover_7489(domain.name, seen)
    alignment = aligned(domain, found, seen)
    findings = tuple(_findings(domain, found, older, alignment, seen))
    return Judgement(_state(found, findings), findings, _evaluation(found, older, alignment))


def _state(found: Discovery, findings: tuple[Finding, ...]) -> State:
    problems = [finding.rule.id for finding in findings]
    if found.record is None and not found.failed and _UNREADABLE.isdisjoint(problems):
        return State.MISSING
    return state([finding for finding in findings if finding.rule.id != _ASIDE])


def _evaluation(found: Discovery, older: Older, alignment: Alignment) -> Mapping[str, object]:
    return {
        "record_at": found.record_at,
        "record": printable(found.record.text) if found.record else None,
        "org_domain": found.org,
        "policy": str(found.policy) if found.policy else None,
        "org_domain_7489": older.org,
        "policy_7489": str(older.policy) if older.policy else None,
        "queries": [f"_dmarc.{name}" for name in found.asked],
        "alignment": alignment.told(),
    }


def _findings(
    domain: Domain, found: Discovery, older: Older, alignment: Alignment, seen: Records
) -> Iterator[Finding]:
    for name in found.failed[:1]:
        yield unknown(RULE["unknown"], seen, question(name))
    yield from own_name(domain, found, seen)
    if found.record is None or found.record_at is None:
        if not found.failed:
            yield from absent(domain, found, seen)
        return
    parked = found.record_at == domain.name and silent(domain, seen)
    facts = _Published(found.record_at, found.record, seen, parked=parked)
    yield from _inheritance(domain.name, found, facts, seen)
    # A registry's record is its own affair: only what it asks for here is told.
    if found.record_at in {found.org, domain.name}:
        yield from _policy(found.policy, facts)
        yield from _tags(facts)
        yield from _reports(facts)
    yield from _generations(found, older, facts)
    yield from _prediction(found, alignment, facts)
    for name in found.holes[:1]:
        yield Finding(
            RULE["walk-incomplete"], evidence(question(name), seen_answer(seen, question(name))), name
        )


class _Published:
    """A record and where it stands: what most findings of this check are made of."""

    def __init__(self, at: str, record: Record, seen: Records, *, parked: bool) -> None:
        self.at, self.record, self.seen, self.parked = at, record, seen, parked

    def finding(self, problem: str, detail: str = "", fix: str = "") -> Finding:
        """One finding on this record."""
        asked = question(self.at)
        told = evidence(asked, seen_answer(self.seen, asked), self.record.text)
        return Finding(RULE[problem], told, detail, fix)

    def mended(self, problem: str, detail: str = "") -> Finding:
        """As `finding`, with the completed record as the fix."""
        return self.finding(problem, detail, self.repaired())

    def repaired(self) -> str:
        """The completed record, where it is not complete."""
        return repaired(self.at, self.seen, self.record, parked=self.parked)

    def later(self, mail: str = "all mail", **changes: str) -> str:
        """The fix that asks for more than this record does, so that mail may be lost by it."""
        then = line(self.at, self.seen, self.record.text, **changes)
        return f"Once the reports show that {mail} aligns: {then}"


def _inheritance(name: str, found: Discovery, facts: _Published, seen: Records) -> Iterator[Finding]:
    if found.record_at == name:
        return
    policy = found.policy or "no policy"
    if facts.record.np is not None and exists(name, seen) is None:
        yield unknown(RULE["unknown"], seen, Question(name, "TXT"))
        policy = "np or sp, by whether the name exists,"
    yield facts.finding("inherited", f"{facts.at} asks for {policy} here")


def _policy(asked: Policy | None, facts: _Published) -> Iterator[Finding]:
    """What the record asks for, and what of it is `asked` of the name itself, which may inherit it."""
    record = facts.record
    if record.broken:
        wrong = ", ".join(
            f"{name}={printable(record.invalid[name])[:60]}"
            for name in ("p", "sp", "np")
            if name in record.invalid
        )
        problem = "policy-ignored" if record.applies else "no-policy"
        yield facts.mended(problem, wrong or "p is missing")
        return
    acts = not {record.p, record.sp, record.np} <= {None, Policy.NONE}
    if record.p is Policy.NONE and asked in {None, Policy.NONE}:
        detail = "t=y has no effect on it" if record.testing and not acts else ""
        later = facts.later(p="quarantine") if acts else facts.later(p="quarantine", t="")
        yield facts.finding("monitoring-only", detail, later)
    weaker = {
        name: policy
        for name, policy in (("sp", record.sp), ("np", record.np))
        if policy is not None and record.p is not None and _weaker(policy, record.p)
    }
    if weaker:
        named = ", ".join(f"{name}={policy}" for name, policy in weaker.items())
        fix = facts.later("all mail of the names below", **dict.fromkeys(weaker, ""))
        yield facts.finding("subdomains-open", f"p={record.p}, {named}", fix=fix)
    if (record.testing and acts) or _sampled(record):
        yield from _held_back(facts)


def _held_back(facts: _Published) -> Iterator[Finding]:
    """A policy that shall not act on all mail yet, by t or by pct: what either generation makes of it."""
    record = facts.record
    below = record.p is Policy.NONE  # there sp is what they act on
    newer, older = record.requested(below=below, exists=True), record.requested_7489(below=below)
    if record.testing:
        fix = facts.later(t="") if record.pct else facts.later(t="", pct="")
        yield facts.finding("testing", f"RFC 9989: {newer}; RFC 7489: {older}", fix=fix)
    if _sampled(record) and record.pct:
        detail = f"RFC 9989: {newer}; RFC 7489: {record.pct} % {older}"
        yield facts.finding("percentage", detail, fix=facts.later(pct=""))
    elif not record.testing:
        yield facts.mended("percentage", f"RFC 9989: {newer}; RFC 7489: {older}")


def _sampled(record: Record) -> bool:
    """Whether pct means something to receivers of RFC 7489; as pct=0 beside t=y it means that to all."""
    return record.pct < 100 and not {record.p, record.sp} <= {None, Policy.NONE}


def _weaker(one: Policy, other: Policy) -> bool:
    scale = tuple(Policy)
    return scale.index(one) < scale.index(other)


def _tags(facts: _Published) -> Iterator[Finding]:
    record = facts.record
    values = [name for name in record.invalid if name not in {"p", "sp", "np", "rua", "ruf"}]
    for name in values:
        yield facts.mended("bad-value", f"{name}={printable(record.invalid[name])[:60]}")
    if record.tags.malformed:
        pieces = ", ".join(printable(piece)[:60] for piece in record.tags.malformed[:3])
        yield facts.mended("syntax", pieces)
    for name in record.unknown[:5]:
        close = meant_tag(name)
        if close:
            yield facts.mended("misspelt-tag", f"{printable(name)}: {close} is meant?")
        else:
            yield facts.finding("unknown-tag", printable(name)[:60])
    if record.tags.duplicates:
        yield facts.mended("duplicate-tag", ", ".join(record.tags.duplicates[:5]))
    removed = [name for name in record.removed if not (name == "pct" and _sampled(record))]
    sizes = [one.uri for one in (*record.rua, *record.ruf) if one.size]
    if removed or sizes:
        yield facts.mended("removed-tag", ", ".join((*removed, *map(printable, sizes[:3]))))
    names = [name.lower() for name, _ in record.tags.pairs]
    if record.p is not None and names[1:2] != ["p"]:
        yield facts.mended("order")


def _reports(facts: _Published) -> Iterator[Finding]:
    record = facts.record
    if not record.rua:
        home = _suffixes.organizational(facts.at)
        elsewhere = f"If you want reports, name an address at another domain: no mail comes to {home}."
        silent = takes_no_mail(home, facts.seen)
        meant = facts.repaired()
        reporting = meant if "rua=" in meant else ""  # no mailbox is known to be there
        yield facts.finding("no-reports", fix=elsewhere if silent else reporting)
    bad = [one.uri for one in (*record.rua, *record.ruf) if not one.domain]
    if bad:
        yield facts.mended("bad-report-address", ", ".join(printable(uri)[:80] for uri in bad[:3]))
    for where in _report_domains(record):
        yield from _destination(where, facts)


def _destination(where: str, facts: _Published) -> Iterator[Finding]:
    mail = Question(where, "MX")
    answer = seen_answer(facts.seen, mail)
    gone = answer.status is Status.NXDOMAIN and (answer.aliases or nonexistent(facts.seen, where))
    if gone or null(where, facts.seen) or without_host(where, facts.seen):
        yield Finding(RULE["report-undeliverable"], evidence(mail, answer, *answer.values[:1]), where)
        return
    asked = _permission(facts.at, where)
    if asked is None:
        return
    answer = seen_answer(facts.seen, asked)
    if not answer.known:
        yield Finding(RULE["report-unknown"], evidence(asked, answer), f"{asked}: {answer.status}")
    elif not any(dmarc.is_record(value) for value in answer.values):
        published = zone_line(asked.name, "TXT", "v=DMARC1")
        fix = f"Name an address of your own domain, or have the owner of {where} publish: {published}"
        yield Finding(RULE["report-not-authorised"], evidence(asked, answer), where, fix)


def _report_domains(record: Record) -> tuple[str, ...]:
    named = [one.domain for one in (*record.rua, *record.ruf) if one.domain and one.domain[0] != "["]
    return tuple([name for name in dict.fromkeys(named) if askable(name)])[:_MAX_REPORT_DOMAINS]


@functools.lru_cache(maxsize=1024)
def _permission(at: str, where: str) -> Question | None:
    """Where a destination outside the publisher's organization permits reports (RFC 9990 section 4).

    None for a destination inside.
    """
    asked = Question(f"{at}._report._dmarc.{where}", "TXT")
    outside = _suffixes.organizational(at) != _suffixes.organizational(where)
    return asked if outside and askable(asked.name) else None


def _generations(found: Discovery, older: Older, facts: _Published) -> Iterator[Finding]:
    """Where RFC 9989 and RFC 7489 part, other than by pct and t."""
    if facts.record.psd is Psd.YES and not _suffixes.is_suffix(facts.at):
        yield facts.mended("public-suffix-claim", facts.at)
    if not found.rooted:
        return  # what stands there may be what makes them agree
    alone = found.org == found.author == found.record_at and facts.record.psd is Psd.UNSAID
    if alone and older.org != found.org and not _suffixes.is_suffix(found.author):
        inside = [
            one.uri for one in facts.record.rua if one.domain and not _permission(older.org, one.domain)
        ]
        report = f"rua={','.join(inside)}" if inside else ""  # where those of this name are read already
        fix = line(older.org, facts.seen, report, "Publish: ")
        yield facts.finding("parent-without-record", _both(found, older), fix=fix)
    elif older.org != found.org or older.record_at != found.record_at or _nonexistent(found, facts):
        yield facts.finding("receivers-differ", _both(found, older), _reconciled(found, older, facts))


def _reconciled(found: Discovery, older: Older, facts: _Published) -> str:
    """What makes both generations agree, where it is a tag; empty where it is a record that is missing."""
    if facts.record.psd is Psd.NO and found.org != older.org:
        return (
            f"Nothing, if {facts.at} is meant to be an organizational domain of its own: only newer receivers"
            " know psd=n. Otherwise leave it out."
        )
    if (older.org, older.record_at) == (found.org, found.record_at):
        return (
            "Nothing, if np is meant: only newer receivers know it, others apply sp or p. Else leave it out."
        )
    return ""


def _nonexistent(found: Discovery, facts: _Published) -> bool:
    """Whether np decided, which RFC 7489 does not know."""
    record = facts.record
    return (
        found.record_at != found.author
        and record.np not in {None, record.sp or record.p}
        and exists(found.author, facts.seen) is False
    )


def _both(found: Discovery, older: Older) -> str:
    newer = _said(found.record_at, found.policy, found.org)
    return f"RFC 9989: {newer}; RFC 7489: {_said(older.record_at, older.policy, older.org)}"


def _said(at: str | None, policy: Policy | None, org: str) -> str:
    return f"{policy or 'no policy'} by {at or 'no record'}, organizational domain {org}"


def _realigned(found: Discovery, alignment: Alignment, facts: _Published) -> str:
    """The fix where the envelope would align but for aspf=s; empty where it is somebody else's."""
    if facts.record.aspf != "s" or discover(alignment.spf_domain, facts.seen).org != found.org:
        return ""
    relaxed = line(facts.at, facts.seen, facts.record.text, aspf="")
    return f"Send with an envelope sender at {found.author} itself, or leave aspf=s out: {relaxed}"


def _prediction(found: Discovery, alignment: Alignment, facts: _Published) -> Iterator[Finding]:
    if alignment.spf is False:
        strict = " (aspf=s)" if facts.record.aspf == "s" else ""
        detail = f"{alignment.spf_domain} and {found.author}{strict}"
        yield facts.finding("spf-not-aligned", detail, _realigned(found, alignment, facts))
    spf_useless = alignment.spf is False or alignment.spf_published is False
    if spf_useless and alignment.dkim is False and found.policy not in {None, Policy.NONE}:
        yield facts.finding("nothing-aligns", f"policy {found.policy}")
