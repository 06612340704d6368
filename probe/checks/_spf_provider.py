"""Whether the policy lets in the provider that mail is sent through, or that hosts the mailboxes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from probe.checks import _providers as providers
from probe.checks import _spf_fixes as fixes
from probe.checks._evidence import seen_answer, unknown
from probe.checks._spf_audit import Audit, unseen
from probe.checks._spf_networks import covers
from probe.checks._spf_reach import authorised
from probe.checks._spf_result import records_of
from probe.checks._spf_rules import rule
from probe.checks._spf_tree import Fate, survey
from probe.checks.mx import hosts
from probe.facts import Question
from probe.grammar import spf
from probe.grammar.spf import Term
from probe.rules import Confidence, Finding

__all__ = ["left_out", "questions", "respelt"]


def questions(audit: Audit) -> Iterator[Question]:
    """What must be known of a provider that the record does not name, to say that it is left out."""
    if (meant := respelt(audit)) != audit.text:
        yield from unseen(audit.domain.name, meant, audit.seen)
    provider = _in_question(audit)
    if provider is not None:
        question = Question(_included(provider, audit), "TXT")
        yield question
        records = records_of(seen_answer(audit.seen, question).values)
        if len(records) == 1:
            yield from survey(question.name, spf.parse(records[0]), audit.seen).missing


def respelt(audit: Audit) -> str:
    """The record as it is, but for the includes that are slips of those of providers."""
    lost = audit.tree.having(Fate.NO_RECORD) if audit.tree is not None else ()
    names = {each.term.at: each.term.literal or "" for each in lost if each.parent < 0}
    meant = {at: provided for at, name in names.items() if (provided := providers.nearly(name))}
    if not meant:
        return audit.text
    there = {term.text.lower() for term in audit.record.terms}
    return fixes.edited(
        audit.record, lambda term: _instead(term, meant[term.at], there) if term.at in meant else term.text
    )


def _instead(term: Term, name: str, there: Collection[str]) -> str | None:
    """The term with another name; None where the record has that already."""
    text = f"{term.text.removesuffix(term.spec)}{name}"
    return None if text.lower() in there else text


def left_out(audit: Audit) -> Iterator[Finding]:
    """The finding, where the provider is neither named nor covered."""
    provider = _in_question(audit)
    if provider is None:
        return
    given = bool(providers.find(audit.domain.provider))
    name = _included(provider, audit)
    asked = Question(name, "TXT")
    answer = seen_answer(audit.seen, asked)
    if given and not answer.known:
        yield unknown(rule("unknown"), audit.seen, asked)
    records = records_of(answer.values)
    if len(records) != 1 or spf.parse(records[0]).problems:
        return
    theirs, _ = authorised(survey(name, spf.parse(records[0]), audit.seen), audit.seen)
    ours, _ = audit.reached
    if not theirs or covers(ours, theirs):
        return
    fix = audit.offer(fixes.with_terms(audit.record, (f"include:{name}",)))
    yield audit.found(
        "provider-missing" if given else "mailbox-host-missing",
        f"{provider.name}: no include:{name}",
        fix,
        confidence=Confidence.CERTAIN if given else Confidence.LIKELY,
    )


def _included(provider: providers.Provider, audit: Audit) -> str:
    return providers.to_include(provider, hosts(audit.domain.name, audit.seen))


def _in_question(audit: Audit) -> providers.Provider | None:
    tree = audit.tree
    given = providers.find(audit.domain.provider) if audit.domain.provider else None
    exchanges = audit.seen.of(audit.domain.name, "MX")
    provider = given or providers.recognise(value.partition(" ")[2] for value in exchanges)
    if tree is None or provider is None or not provider.spf or not (given or provider.sends):
        return None
    if any(lookup.question is not None and lookup.question.name in provider.spf for lookup in tree.lookups):
        return None
    varying = any(lookup.term.name != "ptr" for lookup in tree.having(Fate.VARIES))
    return provider if audit.sound and not (tree.cut or tree.failed or varying) else None
