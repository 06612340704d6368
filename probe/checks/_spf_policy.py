"""What is right and wrong with a whole SPF policy: its limits, its far ends, and whom it lets in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from probe.checks import _spf_fixes as fixes
from probe.checks._evidence import evidence, printable, routable, seen_answer, unknown
from probe.checks._providers import nearly
from probe.checks._spf_audit import BROKEN, MOST_ALIKE, Audit, again
from probe.checks._spf_networks import EVERYTHING, count
from probe.checks._spf_provider import respelt
from probe.checks._spf_reach import authorised
from probe.checks._spf_result import MOST_LOOKUPS, MOST_VOIDS, Evaluation, Result, Sender, records_of
from probe.checks._spf_rules import rule
from probe.checks._spf_tree import Fate, Lookup, Tree
from probe.checks._suffixes import organizational
from probe.grammar import spf
from probe.grammar.spf import Term
from probe.rules import Finding

__all__ = ["below", "limits", "reach", "senders"]

_ALL_IP4, _ALL_IP6 = count(EVERYTHING)
_NEARLY_ALL_IP4 = _ALL_IP4 * 99 // 100
_WIDE_IP4 = 2**25
_REFUSED = frozenset({Result.FAIL, Result.SOFTFAIL, Result.NEUTRAL})


def below(audit: Audit, tree: Tree) -> Iterator[Finding]:
    """What is wrong at the other ends of includes, redirects and mx, and what could not be seen."""
    for lookup in tree.having(*BROKEN)[:MOST_ALIKE]:
        problem, words = BROKEN[lookup.fate]
        yield _at(audit, tree, lookup, problem, words)
    for lookup in tree.having(Fate.NO_NAME)[:MOST_ALIKE]:
        yield audit.found("no-name", lookup.term.text, _cure(audit, tree, lookup))
    for question in tree.failed[:MOST_ALIKE]:
        yield unknown(rule("unknown"), audit.seen, question)


def _at(audit: Audit, tree: Tree, lookup: Lookup, problem: str, words: str) -> Finding:
    """A finding about the far end of a lookup: the fact is that answer, not the domain's own record."""
    question = lookup.question or audit.question
    answer = seen_answer(audit.seen, question)
    theirs = (
        next(iter(records_of(answer.values)), "") if question.type == "TXT" else ", ".join(answer.values[:15])
    )
    told = evidence(question, answer, theirs or audit.text)
    whose = "" if lookup.parent < 0 else f" in the record of {lookup.domain}"
    name = question.name if lookup.question else "what it names"
    if lookup.fate is Fate.NO_RECORD and (meant := nearly(name)) not in {"", name}:
        words += f"; {meant} is meant?"
    detail = printable(f"{lookup.term.text}{whose}: {name} {words}")
    return Finding(rule(problem), told, detail, _cure(audit, tree, lookup))


def _cure(audit: Audit, tree: Tree, lookup: Lookup) -> str:
    """The record without all such terms; somebody else's is theirs to correct, and left in while it works."""
    if lookup.fate in BROKEN:
        kept = audit.offer(respelt(audit))
    else:
        kept = audit.without(*(each.term for each in tree.having(lookup.fate) if each.parent < 0))
    if lookup.parent < 0:
        return kept
    if organizational(lookup.domain) == organizational(audit.domain.name):
        return _mended(audit, tree, lookup) or (kept if lookup.fate in BROKEN else "")
    theirs = f"The record of {lookup.domain} is for its owner to correct."
    return f"{theirs} Until then: {kept}" if kept and lookup.fate in BROKEN else theirs


def _mended(audit: Audit, tree: Tree, lookup: Lookup) -> str:
    """Another record of the organization's own, without all such terms; empty where nobody would be left."""
    alike = tree.having(*BROKEN) if lookup.fate in BROKEN else tree.having(lookup.fate)
    dropped = [each.term for each in alike if each.domain == lookup.domain]
    text = fixes.without(tree.records[lookup.domain], dropped)
    return fixes.publish(lookup.domain, audit.seen, text) if fixes.authorises(text) else ""


def limits(audit: Audit, tree: Tree) -> Iterator[Finding]:
    """Ten lookups and two void ones, counted term by term (section 4.6.4)."""
    if tree.count > MOST_LOOKUPS:
        least = "at least " if tree.cut else ""
        detail = f"{least}{tree.count} of {MOST_LOOKUPS}: {_listed(tree)}"
        yield audit.found("too-many-lookups", detail, _lighter(audit, tree))
    elif tree.count == MOST_LOOKUPS and not tree.cut:
        yield audit.found("at-lookup-limit", _listed(tree))
    if len(tree.voids) > MOST_VOIDS:
        named = ", ".join(str(lookup.question) for lookup in tree.voids[:10])
        own = [lookup.term for lookup in tree.voids if lookup.parent < 0]
        enough = len(tree.voids) - len(own) <= MOST_VOIDS
        dropped = own if enough else [tree.root(lookup).term for lookup in tree.voids]
        detail = f"{len(tree.voids)} of {MOST_VOIDS}: {named}"
        yield audit.found("too-many-voids", detail, audit.without(*dropped))
    else:
        for lookup in tree.voids:
            asked = lookup.question or audit.question
            status = seen_answer(audit.seen, asked).status
            yield _at(audit, tree, lookup, "void-lookup", f"has nothing of type {asked.type} ({status})")


def _listed(tree: Tree) -> str:
    return ", ".join(str(cost) for cost in tree.own[:20])


def _lighter(audit: Audit, tree: Tree) -> str:
    """The record below the limit again: first without what does nothing, then without a service."""
    seen: set[str] = set()
    void = {lookup.term.at for lookup in tree.voids if lookup.parent < 0}
    idle = [c for c in tree.own if c.term.name == "ptr" or again(c.term, seen) or c.term.at in void]
    enough = tree.count - sum(cost.count for cost in idle) <= MOST_LOOKUPS
    dropped = idle if enough else fixes.to_drop(tree.own, MOST_LOOKUPS)
    if len(dropped) == len(tree.own):
        return ""
    named = ", ".join(str(cost) for cost in dropped[:10])
    left = tree.count - sum(cost.count for cost in dropped)
    least = "at least " if any(not cost.exact for cost in tree.own if cost not in dropped) else ""
    text = audit.without(*(cost.term for cost in dropped))
    if not text:
        return ""
    advice = f"Drop {named} ({least}{left} remain), or give that mail a subdomain with its own record."
    return f"{advice} {text}"


def reach(audit: Audit, tree: Tree) -> Iterator[Finding]:
    """Whether practically everybody is let in."""
    if audit.record.all is not None and audit.record.all.qualifier == "+":
        return
    four, six = audit.addresses
    if four < _WIDE_IP4 and six < _ALL_IP6 // 2:
        return
    wide = [term for term in audit.record.terms if _is_wide(audit, tree, term)]
    many = f"{four} IPv4 addresses" if four >= _WIDE_IP4 else "half of all IPv6 addresses or more"
    detail = f"{many}: {', '.join(term.text for term in wide[:10]) or 'all terms together'}"
    if four >= _NEARLY_ALL_IP4 or six >= _ALL_IP6 // 2:
        yield audit.found("effectively-all", detail, audit.without(*wide))
    else:
        yield audit.found("very-wide", detail)


def _is_wide(audit: Audit, tree: Tree, term: Term) -> bool:
    if term.qualifier != "+" and term.name != "redirect":
        return False
    four, six = count(authorised(tree, audit.seen, term)[0])
    return four > _WIDE_IP4 // 2 or six >= _ALL_IP6 // 4


def senders(audit: Audit, checked: Iterable[tuple[Sender, Evaluation]]) -> Iterator[Finding]:
    """Whether each sending address passes, for MAIL FROM (else for the HELO name, section 2.3).

    Of one that is not on the Internet nothing follows: receivers see another.
    """
    for sender, found in checked:
        if not routable(str(sender.address)):
            continue
        own = sender.identity[1].lower() == audit.domain.name
        failed = found.failed or next(iter(found.missing), None)
        if failed is not None:
            if audit.tree is None or failed not in audit.tree.failed:
                yield unknown(rule("unknown"), audit.seen, failed)
        elif found.result in _REFUSED or (found.result is not Result.PASS and (audit.sound or not own)):
            yield _refused(audit, sender, found, own=own)


def _refused(audit: Audit, sender: Sender, found: Evaluation, *, own: bool) -> Finding:
    detail = f"{sender.address}: {found.result} ({found.reason})"
    if not sender.mail_from:
        return audit.found("helo-not-authorised", detail)
    term = f"ip{sender.address.version}:{sender.address}"
    envelope = sender.identity[1].lower()
    fix = ""
    if own and not audit.record.problems:
        fix = audit.publish(fixes.with_terms(audit.record, (term,)))
    elif found.result is Result.NONE and organizational(envelope) == organizational(audit.domain.name):
        fix = fixes.publish(envelope, audit.seen, spf.joined((term, "~all")))
    return audit.found("not-authorised", detail, fix)
