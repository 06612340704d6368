"""What checks remember: it saves work, and never changes what they say."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.checks import Domain, find
from probe.checks._dkim_search import ladder_of
from probe.checks._dmarc_discovery import discover
from probe.checks._providers import Provider, including, matches, table
from probe.checks._spf_reach import _remembered_list, _remembered_text, authorised
from probe.checks._spf_tree import survey
from probe.facts import Answer, Question, Records, Status
from probe.grammar import spf
from tests.spf_world import World

WORLD = World(
    {
        "example.com": {"TXT": ["v=spf1 include:one.example -all"], "MX": ["10 mx.example.com"]},
        "one.example": {"TXT": ["v=spf1 include:two.example -all"]},
        "two.example": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]},
        "_dmarc.example.com": {"TXT": ["v=DMARC1; p=reject"]},
        "mx.example.com": {"A": ["192.0.2.1"]},
    }
)
NAME = "example.com"
MORE = {Question("elsewhere.example", "A"): Answer(Status.OK, ("192.0.2.9",))}


def settled(area: str) -> Records:
    check = find(area)
    return WORLD.settle(lambda seen: check.ask(Domain(NAME), seen))


def test_a_policy_that_is_wholly_known_is_not_surveyed_again() -> None:
    seen = settled("spf")
    record = spf.parse(seen.of(NAME, "TXT")[0])
    tree = survey(NAME, record, seen)
    assert tree.whole
    assert survey(NAME, record, seen.including(MORE)) is tree


def test_a_policy_with_an_open_question_is_surveyed_again() -> None:
    record = spf.parse("v=spf1 include:one.example -all")
    seen = Records()
    tree = survey(NAME, record, seen)
    assert not tree.whole
    asked = tree.missing[0]
    assert survey(NAME, record, seen.including({asked: WORLD.answer(asked)})).count == 2


@pytest.mark.parametrize(("count", "kept"), [(5, True), (600, False)])
def test_a_list_of_any_length_lets_in_the_same_and_an_ordinary_one_is_kept(count: int, *, kept: bool) -> None:
    listed = " ".join(f"ip4:10.{number // 250}.{number % 250}.0/32" for number in range(count))
    texts = {"own.example": "v=spf1 include:list.example -all", "list.example": f"v=spf1 {listed} -all"}
    seen = Records({Question(name, "TXT"): Answer(Status.OK, (text,)) for name, text in texts.items()})
    _remembered_text.cache_clear()
    _remembered_list.cache_clear()
    tree = survey("own.example", spf.parse(texts["own.example"]), seen)
    spans, exact = authorised(tree, seen)
    assert exact
    assert len(spans) == count
    assert (spans, exact) == authorised(tree, seen)
    assert _remembered_text.cache_info().currsize == (2 if kept else 1)
    assert _remembered_list.cache_info().currsize == (1 if kept else 0)


def test_only_open_questions_are_told_and_none_of_them_twice() -> None:
    check, domain = find("spf"), Domain(NAME)
    asked = tuple(check.ask(domain, Records()))
    assert asked == (Question(NAME, "TXT"), Question(NAME, "MX"))
    seen = Records({question: WORLD.answer(question) for question in asked})
    assert tuple(check.ask(domain, seen)) == (Question("one.example", "TXT"),)
    assert tuple(check.ask(domain, settled("spf"))) == ()


def test_a_walk_and_a_ladder_that_are_answered_stay() -> None:
    seen = settled("dmarc")
    assert discover(NAME, seen.including(MORE)) is discover(NAME, seen)
    seen = settled("dkim")
    assert ladder_of(Domain(NAME), seen).climbed
    assert ladder_of(Domain(NAME), seen.including(MORE)) is ladder_of(Domain(NAME), seen)


def test_an_inherited_policy_is_looked_for_again_since_it_hangs_on_whether_the_name_exists() -> None:
    check, domain = find("dmarc"), Domain("below.example.com")
    seen = WORLD.settle(lambda known: check.ask(domain, known))
    assert discover(domain.name, seen).record_at == NAME
    assert not discover(domain.name, seen).settled


def test_domains_of_one_name_are_told_apart() -> None:
    plain, told = Domain(NAME), Domain(NAME, selectors=("s1",))
    seen = Records()
    assert hash(plain) == hash(told)
    assert find("dkim").ask(plain, seen) != find("dkim").ask(told, seen)


def test_records_that_are_forgotten_are_worked_out_again() -> None:
    seen = settled("dmarc")
    before = discover(NAME, seen)
    seen.forget()
    assert discover(NAME, seen) == before
    assert discover(NAME, seen) is not before


words = st.text("ab.", max_size=6)


@settings(max_examples=300, deadline=None)
@given(words, st.lists(words, min_size=1, max_size=4).map("*".join))
def test_a_pattern_is_matched_as_a_shell_does(name: str, pattern: str) -> None:
    assert matches(name, pattern) == fnmatchcase(name, pattern)


@pytest.mark.parametrize("provider", [one for one in table() if one.spf], ids=lambda one: one.id)
def test_a_provider_is_found_by_each_name_to_include(provider: Provider) -> None:
    assert all(provider in including([name]) for name in provider.spf)


def test_providers_come_in_the_order_of_the_table() -> None:
    names = [name for one in reversed(table()) for name in one.spf]
    assert including(names) == tuple(one for one in table() if one.spf)
    assert including(["nobody.example"]) == ()
