"""SPF (RFC 7208): who may send for the domain, whether the record says so rightly, and for whom it passes.

The evaluation, ready for JSON: ``record``, ``result`` (for the sending addresses; None when none was
given and the record is sound), ``lookups``, ``void_lookups``, ``addresses`` (IPv4), ``addresses_ipv6``,
``exact`` (whether that is all that can be said), ``explanation``, ``trace``, and ``senders``, one entry
for each sending address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from probe.checks import Domain, Judgement, _spf_policy, _spf_provider, _spf_written
from probe.checks import _providers as providers
from probe.checks._dkim_search import caution
from probe.checks._evidence import evidence, nonexistent, printable, seen_answer, unknown, zone_line
from probe.checks._once import asked_once, once
from probe.checks._spf_audit import Audit, audited, offered, unseen
from probe.checks._spf_evaluate import evaluate
from probe.checks._spf_fixes import authorises, corrected, edited, merged, misspelt, publish, why_passed_over
from probe.checks._spf_result import Evaluation, Result, Sender, records_of
from probe.checks._spf_rules import RULES, rule, state_of
from probe.checks._spf_tree import survey
from probe.checks.mx import null
from probe.facts import Question, Records, Status
from probe.grammar import spf
from probe.rules import Finding, State

__all__ = ["RULES", "ask", "judge"]

_MOST_ADDRESSES = 10  # sending addresses that are evaluated
_RANK = (State.INVALID, State.MISSING, State.UNKNOWN, State.WARN, State.VALID)


@asked_once
def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """What is still to be asked: the record, the tree below it level by level, and each sender's own path."""
    answer = seen.asked(domain.name, "TXT")
    if answer is None:
        yield Question(domain.name, "TXT")
    if seen.asked(domain.name, "MX") is None:
        yield Question(domain.name, "MX")
    if answer is not None and answer.known:
        records = records_of(answer.values)
        if not records and answer.status is not Status.NXDOMAIN:
            yield Question(domain.name, "SPF")
        record = spf.parse(records[0]) if len(records) == 1 else None
        for draft in _spf_written.drafts(answer, record) if record is not None else _drafts(domain, seen):
            yield from unseen(domain.name, draft, seen)
        if record is not None and not record.problems:
            yield from (missing := survey(domain.name, record, seen).missing)
            if not missing:
                yield from _spf_provider.questions(audited(domain, seen))
    if domain.sending_ips:
        for sender in (*senders(domain), *heloes(domain)):
            yield from evaluate(sender, seen).missing


@once
def judge(domain: Domain, seen: Records) -> Judgement:
    """What the answers say; total, whatever was answered or not."""
    findings, facts = _judged(domain, seen)
    told = tuple(findings)
    state = min((state_of(finding.rule) for finding in told), key=_RANK.index, default=State.VALID)
    return Judgement(state, told, facts)


def senders(domain: Domain) -> tuple[Sender, ...]:
    """The sending addresses with the names they use; what is no address is left out."""
    if not domain.sending_ips:
        return ()
    mail_from = domain.mail_from.strip("<>") or f"postmaster@{domain.name}"
    found = []
    for text in domain.sending_ips[:_MOST_ADDRESSES]:
        try:
            found.append(Sender(ipaddress.ip_address(text), domain.helo or domain.name, mail_from))
        except ValueError:
            continue
    return tuple(found)


def heloes(domain: Domain) -> tuple[Sender, ...]:
    """The sending addresses as they stand for a bounce: the HELO name is checked, where it was given."""
    if not domain.helo or domain.helo.lower() == domain.name:
        return ()
    return tuple(replace(sender, mail_from="") for sender in senders(domain))


def _judged(domain: Domain, seen: Records) -> tuple[list[Finding], dict[str, object]]:
    question = Question(domain.name, "TXT")
    answer = seen_answer(seen, question)
    checked = [(sender, evaluate(sender, seen)) for sender in senders(domain)]
    facts = _facts(checked)
    records = records_of(answer.values)
    if not answer.known:
        facts["result"] = Result.TEMPERROR.value
        return [unknown(rule("unknown"), seen, question)], facts
    if len(records) != 1:
        facts["result"] = (Result.PERMERROR if records else Result.NONE).value
        findings = [_several(domain, seen, records)] if records else [_nothing(domain, seen)]
        return findings, facts
    audit = audited(domain, seen)
    facts["record"] = printable(records[0])
    greeted = [(sender, evaluate(sender, seen)) for sender in heloes(domain)]
    # Most HELO names have no record, and that is no fault.
    greeted = [pair for pair in greeted if pair[1].result is not Result.NONE]
    findings = list(_findings(audit, [*checked, *greeted]))
    if audit.tree is not None:
        facts["lookups"] = audit.tree.count
        facts["void_lookups"] = len(audit.tree.voids)
        if audit.sound:
            facts["addresses"], facts["addresses_ipv6"] = audit.addresses
            facts["exact"] = audit.reached[1]
        if not checked:
            facts["trace"] = audit.trace()
    if not audit.sound:
        facts["result"] = facts["result"] or Result.PERMERROR.value
    elif audit.tree is not None and audit.tree.failed and not checked:
        facts["result"] = Result.TEMPERROR.value
    return findings, facts


def _findings(audit: Audit, checked: list[tuple[Sender, Evaluation]]) -> Iterator[Finding]:
    """All that is to be said of the one record and its policy."""
    told = list(_as_published(audit))
    yield from told
    if audit.tree is not None:
        if audit.nobody:
            yield _nobody(audit, mended=any(finding.fix for finding in told))
        yield from _spf_provider.left_out(audit)
    yield from _spf_policy.senders(audit, checked)
    yield from _spf_written.place(audit)


def _as_published(audit: Audit) -> Iterator[Finding]:
    yield from _spf_written.text(audit)
    if audit.tree is not None:
        yield from _spf_policy.below(audit, audit.tree)
        yield from _spf_policy.limits(audit, audit.tree)
        yield from _spf_written.terms(audit)
        yield from _spf_policy.reach(audit, audit.tree)


def _facts(checked: list[tuple[Sender, Evaluation]]) -> dict[str, object]:
    """The evaluation before anything is known of the record."""
    told = [
        {
            "ip": str(sender.address),
            "helo": sender.helo,
            "mail_from": sender.mail_from,
            "result": (Result.TEMPERROR if found.missing else found.result).value,
            "reason": printable(found.reason),
            "lookups": found.lookups,
            "void_lookups": found.void_lookups,
            "explanation": found.explanation,
            "trace": [
                {
                    "domain": step.domain,
                    "term": printable(step.term),
                    "outcome": step.outcome,
                    "lookups": step.lookups,
                    "void_lookups": step.void_lookups,
                }
                for step in found.trace
            ],
        }
        for sender, found in checked
    ]
    worst = next((entry for entry in told if entry["result"] != Result.PASS), told[0] if told else None)
    return {
        "record": None,
        "result": worst["result"] if worst else None,
        "lookups": 0,
        "void_lookups": 0,
        "addresses": None,
        "addresses_ipv6": None,
        "exact": False,
        "explanation": worst["explanation"] if worst else "",
        "trace": worst["trace"] if worst else [],
        "senders": told,
    }


def _several(domain: Domain, seen: Records, records: tuple[str, ...]) -> Finding:
    answer = seen_answer(seen, Question(domain.name, "TXT"))
    one = _merged(records)
    fixed = offered(domain.name, one, seen, "Delete them and publish")
    shown = " | ".join(printable(record) for record in records[:5])
    return Finding(
        rule("several"),
        evidence(Question(domain.name, "TXT"), answer, shown),
        f"{len(records)} records begin with v=spf1",
        fixed,
    )


def _merged(records: tuple[str, ...]) -> str:
    """Several records as one; empty where one of them holds a mistake that cannot be corrected."""
    parsed = [spf.parse(text) for text in map(corrected, map(spf.parse, records)) if text]
    return merged(parsed) if len(parsed) == len(records) else ""


def _drafts(domain: Domain, seen: Records) -> Iterator[str]:
    """The records that may be proposed where there are several, or none but one that does not count."""
    values = seen.of(domain.name, "TXT")
    if records := records_of(values):
        yield _merged(records)
    else:
        yield from [meant for meant in map(misspelt, values) if meant][:1]
        yield from [value for value in seen.of(domain.name, "SPF") if spf.is_record(value)][:1]


def _nothing(domain: Domain, seen: Records) -> Finding:
    """No record: the domain does not exist, it has one that does not count, or it has none."""
    question = Question(domain.name, "TXT")
    answer = seen_answer(seen, question)
    if nonexistent(seen, domain.name):
        return Finding(rule("no-domain"), evidence(question, answer), f"{domain.name} does not exist")
    nearly = [(value, meant) for value in answer.values if (meant := misspelt(value)) is not None]
    if nearly:
        value, meant = next((pair for pair in nearly if pair[1]), nearly[0])
        return Finding(
            rule("misspelt"),
            evidence(question, answer, value),
            why_passed_over(value),
            offered(domain.name, meant, seen),
        )
    old = Question(domain.name, "SPF")
    retired = [value for value in seen.of(domain.name, "SPF") if spf.is_record(value)]
    if retired:
        return Finding(
            rule("obsolete-type"),
            evidence(old, seen_answer(seen, old), retired[0]),
            "",
            offered(domain.name, retired[0], seen),
        )
    if answer.aliases:
        owner = printable(answer.aliases[-1])
        aside = (
            f"{domain.name} is an alias and has no record of its own: send with another name, or have the"
            f" record published at {owner}, by its owner."
        )
        return Finding(rule("none"), evidence(question, answer), f"an alias of {owner}", aside)
    proposed, because = proposal(domain, seen)
    line = zone_line(domain.name, "TXT", proposed)
    denied = "nxdomain for TXT, though the name has other records: its servers contradict themselves"
    detail = denied if answer.status is Status.NXDOMAIN else ""
    return Finding(
        rule("none"),
        evidence(question, answer),
        detail,
        "\n".join(filter(None, (f"{because}: {line}", caution(domain.name, seen)))),
    )


def _nobody(audit: Audit, *, mended: bool) -> Finding:
    """The finding, with what is named to no effect (``?mx``) let in, else with a first record.

    Without either where another finding has `mended` the record: a name has one record to paste.
    """
    named = ", ".join(term.text for term in audit.record.mechanisms[:10])
    if mended:
        return audit.found("nobody", named)
    text = edited(audit.record, lambda term: term.text if term is audit.record.all else term.text.lstrip("?"))
    because = "If what it names is what sends"
    today = edited(audit.record, lambda term: term.text)
    if text == today or not authorises(text):
        text, because = proposal(audit.domain, audit.seen)
    fix = "" if text == today else publish(audit.domain.name, audit.seen, text, f"{because}: ")
    return audit.found("nobody", named, fix)


def proposal(domain: Domain, seen: Records) -> tuple[str, str]:
    """A first record for a domain that has none, and why this one."""
    answer = seen_answer(seen, Question(domain.name, "MX"))
    hosts = [value.partition(" ")[2] for value in answer.values]
    provider = providers.find(domain.provider) or providers.recognise(hosts)
    own = [f"ip{sender.address.version}:{sender.address}" for sender in senders(domain)]
    if provider is not None and provider.spf:
        theirs = f"include:{providers.to_include(provider, hosts)}"
        return spf.joined((*own, theirs, "~all")), f"For {provider.name}"
    if own:
        return spf.joined((*own, "~all")), "For the addresses given"
    if hosts and not null(domain.name, seen):
        return spf.joined(("mx", "~all")), "If the MX hosts are what sends"
    return spf.joined(("-all",)), "If it sends no mail"
