"""The rules of the checks: whole, shown by a scenario, and never asking for more than their verdict says."""

from __future__ import annotations

import pytest

from probe.checks import every, find
from probe.fakes.reading import load_all
from probe.rules import Cause, Rule, Verdict

# verdict: permanent, sender must act, retry, priority
ANSWERS = {
    Verdict.NOTE: (False, False, "no", "info"),
    Verdict.UNKNOWN: (False, False, "no", "monitor"),
    Verdict.WARN: (False, True, "after fix", "fix soon"),
    Verdict.FAIL: (True, True, "after fix", "critical"),
}
CAUSES = {Verdict.NOTE: Cause.SUCCESS, Verdict.UNKNOWN: Cause.UNKNOWN}
RULES = {rule.id: rule for area in every() for rule in find(area).RULES}
SHOWN = {rule for each in load_all("dns-*") for rule in each.expect.findings or ()}


@pytest.mark.parametrize("area", every())
def test_the_rules_of_an_area_bear_its_name_and_are_told_apart(area: str) -> None:
    ids = [rule.id for rule in find(area).RULES]
    assert all(one.startswith(f"{area}/") for one in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_has_a_source_a_meaning_and_a_fix(rule: Rule) -> None:
    assert rule.source.url.startswith("https://")
    assert all((rule.title, rule.meaning, rule.fix))
    assert not rule.title.endswith(".")


@pytest.mark.parametrize("rule", RULES)
def test_a_scenario_shows_the_rule(rule: str) -> None:
    assert rule in SHOWN


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_no_more_urgent_than_its_verdict(rule: Rule) -> None:
    permanent, must_act, retry, priority = ANSWERS[rule.verdict]
    assert rule.cause is CAUSES.get(rule.verdict, rule.cause)
    assert rule.answer("permanent") is permanent
    assert rule.answer("sender_must_act") is must_act
    assert str(rule.answer("priority")) == priority
    # What a good name alone mends is sent more slowly meanwhile.
    assert str(rule.answer("retry")) == ("slower" if rule.cause is Cause.REPUTATION else retry)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_only_what_is_wrong_predicts_replies(rule: Rule) -> None:
    assert not rule.predicts or rule.verdict in {Verdict.FAIL, Verdict.WARN}
