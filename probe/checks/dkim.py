"""DKIM keys: which selectors have one, what each is worth, and what is proven to be missing (RFC 6376).

Selectors cannot be listed. *Missing* is said only where DNS proves it; a key that exists at a selector
nobody named is *unknown*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probe.checks import Domain, Judgement
from probe.checks._dkim_keys import Assessment, assess
from probe.checks._dkim_rules import RULE, RULES
from probe.checks._dkim_search import (
    Selector,
    control,
    domainkey,
    echoes,
    found_keys,
    given,
    proven_none,
    providers,
    rungs,
    selectors,
)
from probe.checks._dmarc_discovery import exists
from probe.checks._evidence import evidence, printable, seen_answer, state, unknown, zone_line
from probe.facts import Question, Records
from probe.grammar import dkim as grammar
from probe.rules import Finding, State, Verdict

__all__ = ["RULES", "ask", "judge"]

_MISSING = frozenset({"dkim/missing", "dkim/selector-missing"})


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """Rung by rung: each is asked at once, the next when its answers leave something to find."""
    for rung in rungs(domain, seen):
        yield from rung


def judge(domain: Domain, seen: Records) -> Judgement:
    """What each selector's key is worth; the state is that of the selectors told, where any were."""
    findings = tuple(_findings(domain, seen))
    failed = {finding.rule.id for finding in findings if finding.verdict is Verdict.FAIL}
    verdict = State.MISSING if failed and failed <= _MISSING else state(findings)
    if any(finding.rule.id == "dkim/not-sending" for finding in findings):
        verdict = State.NOT_APPLICABLE
    return Judgement(verdict, findings, _evaluation(domain, seen))


def _evaluation(domain: Domain, seen: Records) -> Mapping[str, object]:
    asked = selectors(domain, seen)
    told: dict[str, object] = {each.name: each.key.told() for each in asked if each.key is not None}
    if not told and (wildcard := found_keys(domain, seen).get("*")):
        told["*"] = wildcard.told()
    return told


def _findings(domain: Domain, seen: Records) -> Iterator[Finding]:
    asked = selectors(domain, seen)
    usable = found_keys(domain, seen)
    yield from _names(domain)
    if proven_none(domain, seen):
        yield from _none(domain, seen)
        return
    for each in asked:
        if each.told:
            yield from _told(each, domain, seen)
        elif each.key is not None or each.dangling:
            yield from _guessed(each, usable)
    if "*" in usable or (usable and assess(tuple(sorted(echoes(domain, seen))))):
        yield _finding(
            "wildcard", control(domain), seen, f"an unused selector has a key: {control(domain).name}"
        )
    if usable and all(key.type == "ed25519" for key in usable.values()):
        yield _finding("ed25519-only", _first(usable, domain), seen, ", ".join(usable))
    if not usable and not given(domain) and not any(each.key or each.dangling for each in asked):
        yield _undecided(domain, seen)


def _names(domain: Domain) -> Iterator[Finding]:
    for name in domain.selectors:
        if not grammar.selector(name):
            asked = Question(f"_domainkey.{domain.name}", "TXT")
            yield Finding(RULE["selector-name"], {"question": str(asked)}, printable(name)[:100])


def _none(domain: Domain, seen: Records) -> Iterator[Finding]:
    """Proven: nothing is there. Right for a domain that says it sends nothing."""
    spf = [
        value.lower().split() for value in seen.of(domain.name, "TXT") if value.lower().startswith("v=spf1")
    ]
    if spf == [["v=spf1", "-all"]] and not given(domain) and not domain.sending_ips:
        yield _finding("not-sending", domainkey(domain), seen)
        return
    detail = f"asked for: {', '.join(given(domain))}" if given(domain) else ""
    detail = "the domain does not exist" if exists(domain.name, seen) is False else detail
    yield _finding("missing", domainkey(domain), seen, detail, _advice(domain, seen))


def _advice(domain: Domain, seen: Records) -> str:
    """The fix where the sending service is known."""
    service = next((one for one in providers(domain, seen) if one.sends), None)
    if service is None:
        return ""
    where = f" ({', '.join(grammar.key_name(name, domain.name) for name in service.selectors[:3])})"
    return f"Turn on DKIM at {service.name} and publish what it shows{where if service.selectors else ''}."


def _undecided(domain: Domain, seen: Records) -> Finding:
    """No key was found and none is proven to be missing: a lookup failed, or nobody knows the selector."""
    for asked in (control(domain), domainkey(domain)):
        if not seen_answer(seen, asked).known:
            return unknown(RULE["unknown"], seen, asked)
    guessed = selectors(domain, seen)
    failed = [each for each in guessed if not each.answer.known]
    named = ", ".join(one.name for one in providers(domain, seen))
    detail = f"{len(guessed) - len(failed)} selectors tried" + (f"; sends through {named}" if named else "")
    return _finding("selector-unknown", domainkey(domain), seen, detail)


def _told(each: Selector, domain: Domain, seen: Records) -> Iterator[Finding]:
    """A selector the operator named: whatever is wrong with it breaks mail."""
    if not each.answer.known:
        yield unknown(RULE["unknown"], seen, each.question)
    elif each.key is not None:
        yield from _of_key(each, each.key)
    elif each.answer.values:
        text = printable(each.answer.values[0])[:200]
        yield Finding(RULE["not-a-key"], evidence(each.question, each.answer, each.answer.values[0]), text)
    elif each.dangling:
        yield _dangling(each, "dangling-alias")
    else:
        others = [name for name in found_keys(domain, seen) if name != each.name]
        detail = f"{each.name}; keys are at: {', '.join(others)}" if others else each.name
        yield Finding(
            RULE["selector-missing"], evidence(each.question, each.answer), detail, _advice(domain, seen)
        )


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


def _dangling(each: Selector, problem: str) -> Finding:
    detail = f"{each.name} -> {each.answer.aliases[-1]}"
    return Finding(RULE[problem], evidence(each.question, each.answer), detail)


def _of_key(each: Selector, key: Assessment) -> Iterator[Finding]:
    record = evidence(each.question, each.answer, key.text)
    if key.problem:
        yield Finding(RULE[key.problem], record, _worded(each.name, key.detail), _fix(each, key))
    for problem, detail, better in key.remarks:
        yield Finding(RULE[problem], record, _worded(each.name, detail), _replaced(each, better))


def _worded(selector: str, detail: str) -> str:
    return f"{selector}: {printable(detail)}" if detail else selector


def _fix(each: Selector, key: Assessment) -> str:
    """The record to publish instead, where what was meant can be told."""
    return _replaced(each, key.meant)


def _replaced(each: Selector, record: str) -> str:
    return f"Replace it by: {zone_line(each.question.name, 'TXT', record)}" if record else ""


def _finding(problem: str, asked: Question, seen: Records, detail: str = "", fix: str = "") -> Finding:
    return Finding(RULE[problem], evidence(asked, seen_answer(seen, asked)), detail, fix)


def _first(usable: Mapping[str, Assessment], domain: Domain) -> Question:
    name = next(iter(usable))
    return control(domain) if name == "*" else Question(grammar.key_name(name, domain.name), "TXT")
