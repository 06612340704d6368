"""DKIM keys: which selectors have one, what each is worth, and what is proven to be missing (RFC 6376).

Selectors cannot be listed. *Missing* is said only where DNS proves it; a key that exists at a selector
nobody named is *unknown*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probe.checks import Domain, Judgement
from probe.checks._dkim_keys import Assessment
from probe.checks._dkim_rules import RULE, RULES
from probe.checks._dkim_search import Ladder, Selector, domainkey, ladder_of
from probe.checks._dmarc_discovery import exists
from probe.checks._evidence import evidence, pasted, printable, seen_answer, state, unknown, zone_line
from probe.checks._once import asked_once, once
from probe.checks.mx import silent
from probe.facts import Question, Records, Status
from probe.grammar import dkim as grammar
from probe.rules import Finding, State, Verdict

__all__ = ["RULES", "ask", "judge"]

_OTHERWISE = {"dkim/not-sending": State.NOT_APPLICABLE, "dkim/parent-key": State.MISSING}
_THERE = frozenset({Status.OK, Status.NODATA})
_ROTATING = ("selector1", "selector2")
_SIZES = frozenset({"weak-key", "short-key", "large-key"})
_MISSING = frozenset({"dkim/missing", "dkim/selector-missing"})


@asked_once
def ask(domain: Domain, seen: Records) -> tuple[Question, ...]:
    """Rung by rung: each is asked at once, the next when its answers leave something to find."""
    return ladder_of(domain, seen).questions


@once
def judge(domain: Domain, seen: Records) -> Judgement:
    """What each selector's key is worth; the state is that of the selectors told, where any were."""
    ladder = ladder_of(domain, seen)
    findings = tuple(_findings(ladder, seen))
    verdict = state(findings)
    if verdict is State.INVALID:
        failed = {finding.rule.id for finding in findings if finding.verdict is Verdict.FAIL}
        verdict = State.MISSING if failed <= _MISSING else verdict
    verdict = next((_OTHERWISE[each.rule.id] for each in findings if each.rule.id in _OTHERWISE), verdict)
    return Judgement(verdict, findings, _evaluation(ladder))


def _evaluation(ladder: Ladder) -> Mapping[str, object]:
    told: dict[str, object] = {
        each.name: each.key.told() for each in ladder.selectors if each.key is not None
    }
    if not told and (wildcard := ladder.usable.get("*")):
        told["*"] = wildcard.told()
    return told


def _findings(ladder: Ladder, seen: Records) -> Iterator[Finding]:
    yield from _names(ladder.domain)
    if ladder.proven_none:
        yield _none(ladder, seen)
        return
    for each in ladder.selectors:
        if each.told:
            yield from _told(each, ladder)
        elif (each.key is not None or each.dangling) and ladder.hidden is None:
            yield from _guessed(each, ladder.usable)
    if ladder.hidden is not None and any(each.key or each.dangling for each in ladder.selectors):
        yield unknown(RULE["unknown"], seen, ladder.hidden)
    yield from _rotation(ladder)
    usable, unused = ladder.usable, ladder.places.control
    if ladder.wildcard is not None and ladder.wildcard.revoked:
        yield _finding("wildcard-revoked", unused, ladder)
    elif usable and ladder.wildcard is not None:
        yield _finding("wildcard", unused, ladder, f"an unused selector has a key: {unused.name}")
    if usable and all(key.type == "ed25519" for key in usable.values()):
        name = next(iter(usable))
        asked = unused if name == "*" else Question(grammar.key_name(name, ladder.domain.name), "TXT")
        yield _finding("ed25519-only", asked, ladder, ", ".join(usable))
    if not usable and not ladder.given and not any(each.key or each.dangling for each in ladder.selectors):
        parked = (ladder.unanswered or ladder.hidden) is None and silent(ladder.domain, seen)
        yield _none(ladder, seen) if parked else _undecided(ladder)


def _names(domain: Domain) -> Iterator[Finding]:
    for name in domain.selectors[:20]:
        if not grammar.selector(name):
            yield Finding(RULE["selector-name"], {"question": str(domainkey(domain))}, printable(name)[:100])


def _none(ladder: Ladder, seen: Records) -> Finding:
    """Proven: nothing is there. Right for a domain that says it sends nothing."""
    domain = ladder.domain
    if silent(domain, seen):
        return _finding("not-sending", ladder.places.above, ladder)
    if ladder.parent is not None and not ladder.given:
        above = seen_answer(seen, ladder.parent)
        if not above.known:  # whether the organization signs for it
            return unknown(RULE["unknown"], seen, ladder.parent)
        if above.status in _THERE:
            return _finding("parent-key", ladder.parent, ladder, ladder.parent.name.partition(".")[2])
    detail = f"asked for: {', '.join(ladder.given)}" if ladder.given else ""
    detail = "the domain does not exist" if exists(domain.name, seen) is False else detail
    return _finding("missing", ladder.places.above, ladder, detail, _advice(ladder))


def _advice(ladder: Ladder) -> str:
    """The fix where the sending service is known."""
    service = next((one for one in ladder.providers if one.sends), None)
    if service is None:
        return ""
    names = ", ".join(grammar.key_name(name, ladder.domain.name) for name in service.selectors[:3])
    return f"Turn on DKIM at {service.name} and publish what it shows{f' ({names})' if names else ''}."


def _undecided(ladder: Ladder) -> Finding:
    """No key was found and none is proven to be missing: a lookup failed, or nobody knows the selector."""
    if (failed := ladder.unanswered) is not None:
        return unknown(RULE["unknown"], ladder.seen, failed)
    tried = sum(each.answer.known for each in ladder.selectors)
    named = ", ".join(one.name for one in ladder.providers)
    detail = f"{tried} selectors tried" + (f"; sends through {named}" if named else "")
    return _finding("selector-unknown", ladder.places.above, ladder, detail)


def _told(each: Selector, ladder: Ladder) -> Iterator[Finding]:
    """A selector the operator named: whatever is wrong with it breaks mail."""
    if not each.answer.known:
        yield unknown(RULE["unknown"], ladder.seen, each.question)
    elif each.key is not None:
        yield from _of_key(each, each.key)
    elif each.answer.values:
        text = printable(each.answer.values[0])[:200]
        fact = evidence(each.question, each.answer, each.answer.values[0])
        yield Finding(RULE["not-a-key"], fact, text, _theirs(each, "not-a-key"))
    elif each.dangling:
        yield _dangling(each, "dangling-alias")
    else:
        others = [name for name in ladder.usable if name != each.name]
        detail = f"{each.name}; keys are at: {', '.join(others)}" if others else each.name
        yield Finding(RULE["selector-missing"], evidence(each.question, each.answer), detail, _advice(ladder))


def _guessed(each: Selector, usable: Mapping[str, Assessment]) -> Iterator[Finding]:
    """A selector that was guessed: broken keys beside a good one may be leftovers."""
    if each.dangling:
        yield _dangling(each, "spare-dangling" if usable else "dangling-alias")
    elif each.key is not None and usable and not each.key.usable:
        problem = "retired" if each.key.revoked else "spare-broken"
        words = [
            each.name,
            RULE[each.key.problem].title if problem == "spare-broken" else "",
            each.key.detail,
        ]
        record = evidence(each.question, each.answer, each.key.text)
        yield Finding(RULE[problem], record, ": ".join(filter(None, words)), _fix(each, each.key))
    elif each.key is not None:
        yield from _of_key(each, each.key)


def _rotation(ladder: Ladder) -> Iterator[Finding]:
    """Microsoft 365 signs with two selectors in turn: an alias for one of them tells the other's."""
    by_name = {each.name: each for each in ladder.selectors if each.name in _ROTATING}
    for name, other in (_ROTATING, _ROTATING[::-1]):
        here, there = by_name.get(name), by_name.get(other)
        if here is None or there is None or not here.answer.aliases or there.told:
            continue
        target = here.answer.aliases[0]
        absent = there.answer.known and not there.answer.values and not there.answer.aliases
        if absent and target.startswith(f"{name}-"):
            line = zone_line(there.question.name, "CNAME", f"{other}{target.removeprefix(name)}.")
            yield Finding(
                RULE["rotation-stops"], evidence(there.question, there.answer), other, f"Publish: {line}"
            )


def _dangling(each: Selector, problem: str) -> Finding:
    detail = f"{each.name} -> {each.answer.aliases[-1]}"
    return Finding(RULE[problem], evidence(each.question, each.answer), detail)


def _of_key(each: Selector, key: Assessment) -> Iterator[Finding]:
    record = evidence(each.question, each.answer, key.text)
    if key.problem:
        fix = _fix(each, key) or _theirs(each, key.problem)
        yield Finding(RULE[key.problem], record, _worded(each.name, key.detail), fix)
    for problem, detail, better in key.remarks:
        fix = _replaced(each, better) or (_theirs(each, problem) if problem in _SIZES else "")
        yield Finding(RULE[problem], record, _worded(each.name, detail), fix)


def _worded(selector: str, detail: str) -> str:
    return f"{selector}: {printable(detail)}" if detail else selector


def _fix(each: Selector, key: Assessment) -> str:
    """The record to publish instead, where what was meant can be told."""
    return _replaced(each, key.meant)


def _replaced(each: Selector, record: str) -> str:
    return pasted(each.question, each.answer, record, "Replace it by: ") if record else ""


def _theirs(each: Selector, problem: str) -> str:
    """The fix for the key of a service, which an alias leads to; empty where the key is the domain's own."""
    home = each.question.name.rpartition("._domainkey.")[2]
    if not each.answer.aliases or each.answer.aliases[-1].endswith(f".{home}"):
        return ""
    owned = printable(each.answer.aliases[-1])
    if problem in _SIZES:
        return f"The key is the service's, at {owned}: choose its option of 2048 bits, or ask the service."
    words = RULE[problem].fix
    return f"At {owned}, by its owner: {words[:1].lower()}{words[1:]}"


def _finding(problem: str, asked: Question, ladder: Ladder, detail: str = "", fix: str = "") -> Finding:
    return Finding(RULE[problem], evidence(asked, seen_answer(ladder.seen, asked)), detail, fix)
