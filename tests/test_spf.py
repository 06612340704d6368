"""The audit: zones in, findings and records to paste out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.checks import Domain, Judgement, _providers
from probe.checks import spf as check
from probe.checks._evidence import zone_line
from probe.checks._spf_result import queryable, shortened
from probe.facts import Answer, Question, Records, Status
from probe.grammar import spf
from probe.rules import Finding, State, Verdict, worst
from probe.run import told
from tests.spf_world import World

NAME = "example.test"
GOOD = {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}

Zone = dict[str, Mapping[str, Sequence[str]]]


def settle(world: World, **told: Any) -> tuple[Judgement, Domain, Records]:
    domain = Domain(NAME, **told)
    seen = world.settle(lambda known: check.ask(domain, known))
    return check.judge(domain, seen), domain, seen


def audit(zone: Zone, broken: Mapping[str, Status] | None = None, **told: Any) -> Judgement:
    return settle(World(zone, broken), **told)[0]


def of(text: str, more: Zone | None = None, **told: Any) -> Judgement:
    return audit({NAME: {"TXT": [text]}, **(more or {})}, **told)


def problems(judgement: Judgement) -> list[str]:
    return [finding.rule.id.removeprefix("spf/") for finding in judgement.findings]


def facts(judgement: Judgement) -> dict[str, Any]:
    assert isinstance(judgement.evaluation, dict)
    return judgement.evaluation


def published(finding: Finding) -> str:
    """The record that a fix proposes, its strings joined."""
    _, _, line = finding.fix.rpartition(f"{NAME}. IN TXT ")
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', line))


# -- the tree ---------------------------------------------------------------------------------------


def wide(count: int, more: str = "") -> Zone:
    names = [f"i{k}.test" for k in range(count)]
    zone: Zone = {name: {"TXT": [f"v=spf1 ip4:198.51.100.{at} -all"]} for at, name in enumerate(names)}
    zone[NAME] = {"TXT": [f"v=spf1 {' '.join(f'include:{name}' for name in names)}{more} -all"]}
    return zone


def test_a_tree_costs_its_depth_in_rounds() -> None:
    zone = wide(6)
    zone["i0.test"] = {"TXT": ["v=spf1 include:deep.test a:host.test mx:host.test -all"]}
    zone["deep.test"] = {"TXT": ["v=spf1 ip4:203.0.113.0/24 -all"]}
    zone["host.test"] = {"A": ["203.0.113.5"], "MX": ["10 host.test"]}
    world = World(zone)
    judgement, _, _ = settle(world)
    assert judgement.state is State.VALID
    assert world.rounds == 3
    assert len(world.asked) == len(set(world.asked)) == 2 + 6 + 1 + 3
    assert (facts(judgement)["lookups"], facts(judgement)["addresses"]) == (9, 5 + 256)


@pytest.mark.parametrize(("count", "found"), [(9, []), (10, ["at-lookup-limit"]), (11, ["too-many-lookups"])])
def test_ten_lookups_are_the_limit(count: int, found: list[str]) -> None:
    judgement = audit(wide(count))
    assert problems(judgement) == found
    assert facts(judgement)["lookups"] == count
    assert facts(judgement)["result"] == ("permerror" if count > 10 else None)
    assert judgement.state is (State.INVALID if count > 10 else State.VALID)


def test_past_the_limit_lookups_are_counted_and_not_asked() -> None:
    zone = wide(5)
    for k in range(5):
        zone[f"i{k}.test"] = {"TXT": [f"v=spf1 {' '.join(f'include:j{k}{m}.test' for m in range(5))} -all"]}
    world = World(zone)
    judgement, _, _ = settle(world)
    assert facts(judgement)["lookups"] == 30
    assert not [question for question in world.asked if question.name.startswith("j")]
    assert judgement.findings[0].detail.startswith("at least 30 of 10: include:i0.test at least 6")


def test_a_policy_a_little_past_the_limit_is_seen_whole() -> None:
    zone = wide(8)
    zone["i7.test"] = {"TXT": ["v=spf1 include:j0.test include:j1.test -all"]}
    zone["j0.test"] = {"TXT": ["v=spf1 include:k0.test include:k1.test -all"]}
    zone |= {name: {"TXT": ["v=spf1 -all"]} for name in ("j1.test", "k0.test", "k1.test")}
    (finding,) = audit(zone).findings
    assert finding.detail.startswith("12 of 10: ")
    assert finding.fix.startswith("Drop include:i7.test 5 (7 remain)")


def test_a_chain_without_end_is_left_soon() -> None:
    zone: Zone = {f"n{k}.test": {"TXT": [f"v=spf1 include:n{k + 1}.test -all"]} for k in range(60)}
    zone[NAME] = {"TXT": ["v=spf1 include:n0.test -all"]}
    world = World(zone)
    judgement, _, _ = settle(world)
    assert judgement.state is State.INVALID
    assert len(world.asked) <= 14


def test_the_include_to_drop_is_named_with_its_cost() -> None:
    zone = wide(8)
    zone["i3.test"] = {"TXT": ["v=spf1 a:h.test a:h.test mx:h.test -all"]}
    zone["h.test"] = {"A": ["192.0.2.9"], "MX": ["1 h.test"]}
    (finding,) = audit(zone).findings
    assert finding.fix.startswith("Drop include:i0.test 1 (10 remain)")
    zone["i3.test"] = {"TXT": ["v=spf1 a:h.test a:h.test a:h.test a:h.test mx:h.test -all"]}
    (finding,) = audit(zone).findings
    assert finding.fix.startswith("Drop include:i3.test 6 (7 remain)")
    assert "include:i3.test" not in published(finding)


def test_what_does_nothing_is_dropped_before_what_sends() -> None:
    zone = wide(9, " ptr include:i0.test")
    too_many, *_ = audit(zone).findings
    assert too_many.rule.id == "spf/too-many-lookups"
    assert published(too_many) == f"v=spf1 {' '.join(f'include:i{k}.test' for k in range(9))} -all"


def test_a_bomb_six_wide_and_seven_deep_is_left_alone() -> None:
    zone: Zone = {NAME: {"TXT": [f"v=spf1{' include:t1.test' * 6}"]}}
    for k in range(1, 8):
        zone[f"t{k}.test"] = {"TXT": [f"v=spf1{f' include:t{k + 1}.test' * 6}"]}
    world = World(zone)
    judgement, _, _ = settle(world, sending_ips=("192.0.2.1",))
    assert "too-many-lookups" in problems(judgement)
    assert len(world.asked) <= 12


@pytest.mark.parametrize(
    "text",
    [
        "a " * 32_000,
        " ".join(f"{'+-'[k % 2]}ip4:{k % 223 + 1}.{k % 250}.0.0/{8 + k % 20}" for k in range(3_000)),
        "%{" * 30_000,
        "ip4:1.1.1.1" * 5_000,
        "a" + "/1" * 30_000,
        "x " * 30_000,
        "a=b " * 16_000,
        "include:" + "a." * 30_000 + "com",
        "a:%{d9r.-+,/_=}.test " * 3_000,
    ],
    ids=["a", "ip4", "braces", "one-word", "slashes", "unknown", "modifiers", "labels", "macros"],
)
def test_a_record_of_64_kib_is_read_and_told_briefly(text: str) -> None:
    world = World({NAME: {"TXT": [f"v=spf1 {text}"]}})
    judgement, _, _ = settle(world, sending_ips=("192.0.2.1", "2001:db8::1"))
    assert len(world.asked) <= 20
    for finding in judgement.findings:
        assert len(finding.detail) <= 2_000
        assert len(finding.fix) <= 6_000
        assert len(finding.evidence["record"]) <= 2_000
    assert len(facts(judgement)["trace"]) <= 200


@pytest.mark.parametrize(
    ("zone", "detail"),
    [
        ({NAME: {"TXT": [f"v=spf1 include:{NAME} -all"]}}, f"include:{NAME}: {NAME} is being read already"),
        (
            {NAME: {"TXT": ["v=spf1 redirect=b.test"]}, "b.test": {"TXT": [f"v=spf1 redirect={NAME}"]}},
            f"redirect={NAME} in the record of b.test: {NAME} is being read already",
        ),
    ],
)
def test_loops_are_named_where_they_close(zone: Zone, detail: str) -> None:
    judgement = audit(zone)
    assert [(f.rule.id, f.detail) for f in judgement.findings] == [("spf/loop", detail)]
    assert facts(judgement)["result"] == "permerror"


def test_an_include_that_depends_on_the_message_is_counted_and_not_followed() -> None:
    judgement = of("v=spf1 include:%{i}._ip.%{h}._ehlo.vendor.test -all")
    assert problems(judgement) == ["macros"]
    assert facts(judgement)["lookups"] == 1
    assert facts(judgement)["exact"] is False


# -- unknown is not missing -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [s for s in Status if not s.known])
def test_a_failed_lookup_says_nothing_about_the_record(status: Status) -> None:
    judgement = audit({}, {f"{NAME} TXT": status})
    (finding,) = judgement.findings
    assert (judgement.state, finding.rule.id, finding.verdict) == (
        State.UNKNOWN,
        "spf/unknown",
        Verdict.UNKNOWN,
    )
    assert finding.evidence == {"question": f"{NAME} TXT", "status": status.value, "server": "192.0.2.53"}


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("include:x.test", "x.test TXT"),
        ("redirect=x.test", "x.test TXT"),
        ("a:x.test", "x.test A"),
        ("a:x.test", "x.test AAAA"),
        ("mx:x.test", "x.test MX"),
        ("exists:x.test", "x.test A"),
    ],
)
def test_a_failed_lookup_below_is_named(text: str, question: str) -> None:
    zone: Zone = {NAME: {"TXT": [f"v=spf1 ip4:192.0.2.0/24 {text}{'' if '=' in text else ' -all'}"]}}
    judgement = audit(zone, {question: Status.SERVFAIL})
    found = [finding for finding in judgement.findings if finding.rule.id == "spf/unknown"]
    assert judgement.state is State.UNKNOWN
    assert [finding.evidence["question"] for finding in found] == [question]
    assert facts(judgement)["result"] == "temperror"


def test_a_syntax_error_is_certain_even_where_an_include_is_not() -> None:
    judgement = audit({NAME: {"TXT": ["v=spf1 include:x.test moo -all"]}}, {"x.test": Status.TIMEOUT})
    assert judgement.state is State.INVALID


def test_questions_beyond_the_budget_are_unknown() -> None:
    zone = wide(3)
    world = World(zone)
    domain = Domain(NAME)
    seen = Records({q: world.answer(q) for q in check.ask(domain, Records())})
    skipped = dict.fromkeys(check.ask(domain, seen), Answer(Status.SKIPPED))
    judgement = check.judge(domain, seen.including(skipped))
    assert judgement.state is State.UNKNOWN
    assert set(problems(judgement)) == {"unknown"}
    assert check.judge(domain, Records()).state is State.UNKNOWN
    assert check.judge(domain, seen).evaluation is not None


# -- names ------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 70), min_size=1, max_size=12))
def test_a_name_that_is_too_long_loses_labels_on_the_left(lengths: list[int]) -> None:
    name = ".".join("a" * length for length in lengths)
    labels = name.split(".")
    while len(".".join(labels)) > 253:
        labels = labels[1:]
    assert shortened(name) == ".".join(labels)


def test_a_label_that_is_too_long_stays_so() -> None:
    assert shortened("a." + "b" * 300) not in {"", "a"}
    assert queryable(shortened("a." + "b" * 300)) is None


# -- records to paste -------------------------------------------------------------------------------

CURED: list[tuple[str, Zone, str]] = [
    ("syntax", {NAME: {"TXT": ["v=spf1 -a:192.0.2.1 ip4:192.0.2.7:25 -all"]}}, "v=spf1 -ip4:192.0.2.1 ip4:192.0.2.7 -all"),
    ("syntax", {NAME: {"TXT": ["v=spf1 ip4: 192.0.2.1 include: x.test - all"]}, "x.test": GOOD}, "v=spf1 ip4:192.0.2.1 include:x.test -all"),
    ("syntax", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.0/255.255.255.0 ip6:192.0.2.9 ~all"]}}, "v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.9 ~all"),
    ("syntax", {NAME: {"TXT": ["v=spf1 ip4:x.test -all"]}, "x.test": {"A": ["192.0.2.8"]}}, "v=spf1 a:x.test -all"),
    ("misspelt", {NAME: {"TXT": ["site-verification=x v=spf1 ip4:192.0.2.1 -all"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("syntax", {NAME: {"TXT": ["v=spf1 mx,ip4:192.0.2.1,192.0.2.2,-all"]}}, "v=spf1 mx ip4:192.0.2.1 ip4:192.0.2.2 -all"),
    ("non-ascii", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.0/24 \xe2\x80\x93all"]}}, "v=spf1 ip4:192.0.2.0/24 -all"),
    ("non-ascii", {NAME: {"TXT": ["v=spf1 include:_spf.m\xc3\xbcller.test -all"]}, "_spf.xn--mller-kva.test": GOOD}, "v=spf1 include:_spf.xn--mller-kva.test -all"),
    ("misspelt", {NAME: {"TXT": ['"v=spf1 mx -all"']}}, "v=spf1 mx -all"),
    ("misspelt", {NAME: {"TXT": ["v=spf1;mx -all"]}}, "v=spf1 mx -all"),
    ("misspelt", {NAME: {"TXT": ["v=spf1\xc2\xa0mx -all"]}}, "v=spf1 mx -all"),
    ("misspelt", {NAME: {"TXT": ["v=spf1include:a.test -all"]}, "a.test": GOOD}, "v=spf1 include:a.test -all"),
    ("misspelt", {NAME: {"TXT": ["spf1 mx -all"]}}, "v=spf1 mx -all"),
    ("misspelt", {NAME: {"TXT": ["spf1 ip4: 192.0.2.1, a -all."]}}, "v=spf1 ip4:192.0.2.1 a -all"),
    ("obsolete-type", {NAME: {"SPF": ["v=spf1 mx -all"]}}, "v=spf1 mx -all"),
    ("several", {NAME: {"TXT": ["v=spf1 a mx -all", "v=spf1 mx include:x.test ~all"]}, "x.test": GOOD}, "v=spf1 a mx include:x.test ~all"),
    ("several", {NAME: {"TXT": ["v=spf1 a -all", "v=spf1 redirect=x.test"]}, "x.test": GOOD}, "v=spf1 a include:x.test -all"),
    ("several", {NAME: {"TXT": ["v=spf1 a +all", "v=spf1 a ?all"]}}, "v=spf1 a ~all"),
    ("several", {NAME: {"TXT": ["v=spf1 +mx ip4:192.0.2.1 ~all", "v=spf1 mx include;x.test -all"]}, "x.test": GOOD}, "v=spf1 mx ip4:192.0.2.1 include:x.test ~all"),
    ("several", {NAME: {"TXT": ["v=spf1 mx include:bad.test -all", "v=spf1 ip4:192.0.2.1 include:gone.test ~all"]}, "bad.test": {"TXT": ["v=spf1 moo"]}}, "v=spf1 mx ip4:192.0.2.1 ~all"),
    ("after-all", {NAME: {"TXT": ["v=spf1 a ?all a:x.test"]}, "x.test": {"A": ["192.0.2.8"]}}, "v=spf1 a a:x.test ?all"),
    ("include-without-record", {NAME: {"TXT": ["v=spf1 a include:x.test -all"]}}, "v=spf1 a -all"),
    ("include-without-record", {NAME: {"TXT": ["v=spf1 a include:x.test include:y.test -all"]}}, "v=spf1 a -all"),
    ("include-without-record", {NAME: {"TXT": ["v=spf1 include:_spf.gogle.com -all"]}, "_spf.google.com": GOOD}, "v=spf1 include:_spf.google.com -all"),
    ("include-without-record", {NAME: {"TXT": ["v=spf1 include:_spf.google.com include:_spf.gogle.com -all"]}, "_spf.google.com": GOOD}, "v=spf1 include:_spf.google.com -all"),
    ("void-lookup", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 a:x.test -all"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("void-lookup", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 a:x.test mx:y.test -all"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("allows-all", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 +all"]}}, "v=spf1 ip4:192.0.2.1 ~all"),
    ("effectively-all", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 ip4:0.0.0.0/0 -all"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("neutral-all", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 ?all"]}}, "v=spf1 ip4:192.0.2.1 ~all"),
    ("no-all", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1"]}}, "v=spf1 ip4:192.0.2.1 ~all"),
    ("no-all", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 mx", "site-verification=x", "include:x.test ~all"]}, "x.test": GOOD}, "v=spf1 ip4:192.0.2.1 mx include:x.test ~all"),
    ("no-all", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 include:x.te", "st ~all"]}, "x.test": GOOD}, "v=spf1 ip4:192.0.2.1 include:x.test ~all"),
    ("ptr", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 ptr -all"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("after-all", {NAME: {"TXT": ["v=spf1 -all ip4:192.0.2.1"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("redirect-ignored", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 -all redirect=x.test"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("duplicate-term", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 +ip4:192.0.2.1 -all"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("ignored-term", {NAME: {"TXT": ["v=spf1 ip4=192.0.2.1 v=spf1 -all"]}}, "v=spf1 ip4:192.0.2.1 -all"),
    ("nobody", {NAME: {"TXT": ["v=spf1 ?a:x.test ?all"]}, "x.test": {"A": ["192.0.2.8"]}}, "v=spf1 a:x.test ?all"),
    ("nobody", {NAME: {"TXT": ["v=spf1 ~all"], "MX": ["1 smtp.google.com"]}}, "v=spf1 include:_spf.google.com ~all"),
    ("nobody", {NAME: {"TXT": ["v=spf1 ip4:192.168.0.1 -all"]}}, "v=spf1 -all"),
    ("private-address", {NAME: {"TXT": ["v=spf1 ip4:192.0.2.1 ip4:127.0.0.1 -all"]}}, "v=spf1 ip4:192.0.2.1 -all"),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "zone", "proposed"), CURED)
def test_the_fix_is_a_record_that_cures(problem: str, zone: Zone, proposed: str) -> None:
    finding = next(f for f in audit(zone).findings if f.rule.id == f"spf/{problem}")
    assert published(finding) == proposed
    assert not spf.parse(proposed).problems
    assert problem not in problems(audit({**zone, NAME: {"TXT": [proposed], "A": ["192.0.2.5"]}}))


# -- what is handed out, followed ---------------------------------------------------------------------

# Domains to include, by what they cost beyond the include itself; one has no record.
BELOW: Zone = {
    **{f"i{k}.test": {"TXT": [f"v=spf1 ip4:198.51.100.{k} -all"]} for k in range(9)},
    "two.test": {"TXT": ["v=spf1 include:i0.test include:i1.test -all"]},
    "four.test": {"TXT": ["v=spf1 include:two.test include:i2.test ?all"]},
    "_spf.google.com": {"TXT": ["v=spf1 include:i7.test include:i8.test ip4:203.0.113.0/24 ~all"]},
    "host.test": {"A": ["192.0.2.9"]},
    "inside.test": {"A": ["10.0.0.1"]},
}
ALL_NINE = " ".join(f"include:i{k}.test" for k in range(9))
BEYOND: list[tuple[str, Zone]] = [
    ("mailbox-host-missing", {NAME: {"TXT": [f"v=spf1 {ALL_NINE} -all"], "MX": ["1 smtp.google.com"]}}),
    ("several", {NAME: {"TXT": ["v=spf1 include:four.test a:host.test -all", f"v=spf1 {ALL_NINE} ~all"]}}),
    ("ignored-term", {NAME: {"TXT": [f"v=spf1 {ALL_NINE} include=two.test include=four.test -all"]}}),
    ("syntax", {NAME: {"TXT": [f"v=spf1 {ALL_NINE} inculde:two.test -all"]}}),
    ("misspelt", {NAME: {"TXT": [f"spf1 {ALL_NINE} include:two.test -all"]}}),
    ("non-ascii", {NAME: {"TXT": [f"v=spf1 {ALL_NINE} include:two.test \xe2\x80\x93all"]}}),
    ("obsolete-type", {NAME: {"SPF": [f"v=spf1 {ALL_NINE} include:two.test -all"]}}),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "zone"), BEYOND)
def test_no_record_beyond_ten_lookups_is_handed_out(problem: str, zone: Zone) -> None:
    finding = next(f for f in audit({**BELOW, **zone}).findings if f.rule.id == f"spf/{problem}")
    assert "lookups of 10: first remove what no longer sends" in finding.fix
    assert "v=spf1" not in finding.fix


@pytest.mark.parametrize(
    "text", ["v=spf1 ip4:192.0.2.1 ?all", "v=spf1 inculde:i1.test -all", "v=spf1 ?all", "spf1 mx -all"]
)
def test_what_stands_at_the_end_of_an_alias_is_its_owners(text: str) -> None:
    zone: Zone = {**BELOW, NAME: {"CNAME": ["svc.test"]}, "svc.test": {"TXT": [text], "MX": ["10 host.test"]}}
    fixes = [finding.fix for finding in audit(zone).findings if "IN TXT" in finding.fix]
    assert fixes
    assert all(fix.startswith("At svc.test, by its owner: ") and "svc.test. IN TXT" in fix for fix in fixes)
    assert not any(f"{NAME}. IN TXT" in fix for fix in fixes)


def test_no_record_is_handed_out_for_an_alias_without_one() -> None:
    (finding,) = audit({NAME: {"CNAME": ["svc.test"]}, "svc.test": {"A": ["192.0.2.9"]}}).findings
    assert finding.rule.id == "spf/none"
    assert "IN TXT" not in finding.fix


def test_records_with_a_mistake_that_cannot_be_corrected_are_not_merged_without_it() -> None:
    (finding,) = audit({NAME: {"TXT": ["v=spf1 mx ~all", "v=spf1 ip4:1.2.3 -all"]}}).findings
    assert (finding.rule.id, finding.fix) == ("spf/several", "")


@pytest.mark.parametrize(
    ("text", "more", "nobody"),
    [
        ("~all", {}, True),
        ("-all", {}, False),
        ("?a ~all", {}, True),
        ("a ~all", {}, False),
        ("ip4:192.168.1.10 ip4:10.0.0.0/8 -all", {}, True),
        ("ip6:fd00::/8 ip6:fe80::1 -all", {}, True),
        ("ip6:2001:db8::1 -all", {}, False),
        ("ip4:192.168.0.0/15 -all", {}, False),
        ("-ip4:203.0.113.0/24 ip4:203.0.113.7 -all", {}, True),
        ("exists:%{i}.x.test -all", {}, False),
        ("a:inside.test -all", {}, True),
        ("include:empty.test ~all", {"empty.test": {"TXT": ["v=spf1 -all"]}}, True),
        ("redirect=empty.test", {"empty.test": {"TXT": ["v=spf1 -all"]}}, False),
        ("redirect=soft.test", {"soft.test": {"TXT": ["v=spf1 ~all"]}}, True),
        ("include:nowhere.test ~all", {}, False),
    ],
)
def test_a_record_that_lets_nobody_pass_is_told(text: str, more: Zone, *, nobody: bool) -> None:
    zone: Zone = {**BELOW, NAME: {"TXT": [f"v=spf1 {text}"], "A": ["203.0.113.7"]}, **more}
    assert ("nobody" in problems(audit(zone))) is nobody


@pytest.mark.parametrize(
    ("text", "told", "one"),
    [
        ("include=two.test ~all", "ignored-term", "include:two.test ~all"),
        ("-all mx", "after-all", "mx -all"),
        ("?all", "neutral-all", "mx ~all"),
        ("", "no-all", "mx ~all"),
        ("~all", "nobody", "mx ~all"),
        ("?mx ~all", "nobody", "mx ~all"),
    ],
)
def test_where_nobody_passes_one_record_is_told_to_paste(text: str, told: str, one: str) -> None:
    judged = audit(
        {NAME: {"TXT": [f"v=spf1 {text}"], "MX": ["10 mx.test"]}, "mx.test": {"A": ["203.0.113.7"]}, **BELOW}
    )
    assert "nobody" in problems(judged)
    fixes = [(f.rule.id, f.fix.partition('"')[2].rstrip('"')) for f in judged.findings if f.fix]
    assert fixes == [(f"spf/{told}", f"v=spf1 {one}")]


def test_a_record_that_works_is_not_replaced_by_one_that_does_not() -> None:
    judged = of("v=spf1 ip4:192.0.2.1 include=nowhere.test -all")
    assert [(f.rule.id, published(f)) for f in judged.findings] == [
        ("spf/ignored-term", "v=spf1 ip4:192.0.2.1 -all")
    ]
    judged = of(
        "v=spf1 ip4:192.0.2.1 a=nowhere.test mx=nowhere.test ptr=x.test a:nowhere.test exists=nowhere.test -all"
    )
    assert "spf/ignored-term" in {f.rule.id for f in judged.findings if not f.fix}


pieces = st.sampled_from(
    ["a", "mx", "+a", "ptr", "a:host.test", "mx:nowhere.test", "a:inside.test", "ip4:192.0.2.1", "+ip4:192.0.2.1", "-ip4:192.0.2.7",
     "ip4:10.0.0.1", "ip4:192.0.2.1:25", "192.0.2.3", "ip4:1.2.3", "include;i3.test", "inculde:two.test", "include=four.test",
     "include=two.test", "include=nowhere.test", "redirect=i4.test", "redirect=nowhere.test", "include:nowhere.test",
     "include:example.test", "include:two.test", "include:four.test", "exists:%{i}.x.test", "ip4:0.0.0.0/0", "\xe2\x80\x93all", "?all",
     "~all", "-all", "+all", *(f"include:i{k}.test" for k in range(9))]
)  # fmt: skip
written = st.lists(pieces, max_size=14).flatmap(
    lambda terms: st.sampled_from(["v=spf1", "v=spf1", "spf1"]).map(lambda v: " ".join((v, *terms)))
)


def _worst(judged: Judgement) -> int:
    return list(Verdict).index(worst([finding.verdict for finding in judged.findings]))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(written, min_size=1, max_size=2), st.sampled_from(["1 smtp.google.com", "10 host.test", "0 ."])
)
def test_what_is_handed_out_makes_nothing_worse(held: list[str], exchange: str) -> None:
    zone: Zone = {**BELOW, NAME: {"TXT": held, "MX": [exchange], "A": ["192.0.2.5"]}}
    before = audit(zone)
    for finding in before.findings:
        if not (text := published(finding)):
            continue
        after = audit({**zone, NAME: {**zone[NAME], "TXT": [text]}})
        assert _worst(after) <= _worst(before), (finding.rule.id, text)


def test_glued_strings_are_taken_apart() -> None:
    text = "v=spf1 include:a.testip4:192.0.2.1 -all"
    answer = Answer(Status.OK, (text,), chunks=((21, len(text) - 21),))
    included = Answer(Status.OK, ("v=spf1 -all",))
    seen = Records({Question(NAME, "TXT"): answer, Question("a.test", "TXT"): included})
    (finding,) = check.judge(Domain(NAME), seen).findings
    assert finding.rule.id == "spf/glued"
    assert published(finding) == "v=spf1 include:a.test ip4:192.0.2.1 -all"


@pytest.mark.parametrize(
    "strings",
    [
        ("v=spf1 ip6:2001:db8:", "a:1::/64 -all"),
        ("v=spf1 ip4:192.", "0.2.0/24 -all"),
        ("v=spf1 include:exa", "mple.test -all"),
        ("v=spf1 ip4:192.0.2.0/24 ", "-all"),
        ("v=spf1 ip4:192.0.2.0/24", " -all"),
    ],
)
def test_strings_may_be_cut_anywhere(strings: tuple[str, ...]) -> None:
    answer = Answer(Status.OK, ("".join(strings),), chunks=(tuple(map(len, strings)),))
    domain = Domain(NAME)
    seen = Records({Question(NAME, "TXT"): answer, Question(NAME, "MX"): Answer(Status.NODATA)})
    assert "glued" not in problems(check.judge(domain, seen))


def test_long_records_are_cut_at_spaces_into_strings_of_255_bytes() -> None:
    text = "v=spf1 " + " ".join(f"ip4:192.0.2.{k}" for k in range(60)) + " -all"
    strings = re.findall(r'"([^"]*)"', zone_line(NAME, "TXT", text))
    assert "".join(strings) == text
    assert all(len(part) <= 255 for part in strings)
    assert all(part.endswith(" ") for part in strings[:-1])


@pytest.mark.parametrize(
    ("records", "told", "proposed"),
    [
        ({"MX": ["1 smtp.google.com"]}, {}, "v=spf1 include:_spf.google.com ~all"),
        ({"MX": ["1 smtp.google.com"]}, {"provider": "microsoft"}, "v=spf1 include:spf.protection.outlook.com ~all"),
        ({"MX": ["10 mx.zoho.eu", "20 mx2.zoho.eu"]}, {}, "v=spf1 include:zohomail.eu ~all"),
        ({"MX": ["10 mx.zoho.com", "20 mx.elsewhere.eu"]}, {}, "v=spf1 include:zohomail.com ~all"),
        ({"MX": ["10 mx00.ionos.de"]}, {}, "v=spf1 include:_spf.kundenserver.de ~all"),
        ({"MX": ["1 mx.test"]}, {"sending_ips": ("192.0.2.1", "2001:db8::1")}, "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all"),
        ({"MX": ["1 mx.test"]}, {}, "v=spf1 mx ~all"),
        ({"MX": ["0 ."]}, {}, "v=spf1 -all"),
        ({"A": ["192.0.2.1"]}, {}, "v=spf1 -all"),
    ],
)  # fmt: skip
def test_a_first_record_is_proposed(
    records: dict[str, list[str]], told: dict[str, Any], proposed: str
) -> None:
    judgement = audit({NAME: records}, **told)
    assert (judgement.state, problems(judgement)) == (State.MISSING, ["none"])
    assert published(judgement.findings[0]) == proposed


# -- senders and providers --------------------------------------------------------------------------


def test_each_sending_address_is_evaluated() -> None:
    zone: Zone = {NAME: GOOD, "bounce.test": {"TXT": ["v=spf1 ip4:198.51.100.1 ~all"]}}
    judgement = audit(zone, sending_ips=("192.0.2.1", "198.51.100.1", "no address"))
    assert [entry["result"] for entry in facts(judgement)["senders"]] == ["pass", "fail"]
    assert facts(judgement)["result"] == "fail"
    assert problems(judgement) == ["not-authorised"]
    assert published(judgement.findings[0]) == "v=spf1 ip4:198.51.100.1 ip4:192.0.2.0/24 -all"
    elsewhere = audit(zone, sending_ips=("198.51.100.1",), mail_from="<ada@bounce.test>", helo="mta.test")
    assert facts(elsewhere)["result"] == "pass"
    assert facts(elsewhere)["senders"][0]["helo"] == "mta.test"


def test_of_an_address_inside_a_network_nothing_follows() -> None:
    judged = of("v=spf1 ip4:192.0.2.0/24 -all", sending_ips=("10.0.0.5",))
    assert (problems(judged), judged.state, facts(judged)["result"]) == ([], State.VALID, "fail")


def test_ipv4_as_a_socket_of_ipv6_shows_it_is_ipv4() -> None:
    assert told.sender(addresses=["::ffff:192.0.2.9", "2001:DB8::9"]).sending_ips == (
        "192.0.2.9",
        "2001:db8::9",
    )


def test_an_envelope_domain_without_record_authorises_nobody() -> None:
    judgement = audit({NAME: GOOD}, sending_ips=("192.0.2.1",), mail_from="ada@bounce.test")
    assert problems(judgement) == ["not-authorised"]
    assert judgement.findings[0].fix == ""
    assert facts(judgement)["result"] == "none"
    below = audit({NAME: GOOD}, sending_ips=("192.0.2.1",), mail_from=f"ada@bounce.{NAME}")
    assert below.findings[0].fix == f'Publish: bounce.{NAME}. IN TXT "v=spf1 ip4:192.0.2.1 ~all"'


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("spf.google.com", "_spf.google.com"),
        ("_spf.goolge.com", "_spf.google.com"),
        ("spf.protection.outlook.co", "spf.protection.outlook.com"),
        ("sendgird.net", "sendgrid.net"),
        ("_spf.foo.com", ""),
        ("mail.example.test", ""),
        ("x" * 5000, ""),
    ],
)
def test_a_slip_in_a_providers_name_is_known(name: str, meant: str) -> None:
    assert _providers.nearly(name) == meant


def test_an_include_that_is_a_slip_is_told_with_what_is_meant() -> None:
    told = of("v=spf1 ip4:192.0.2.1 ~include:_spf.gogle.com -all", {"_spf.google.com": GOOD}).findings[0]
    assert told.detail.endswith("_spf.gogle.com has no SPF record; _spf.google.com is meant?")
    assert published(told) == "v=spf1 ip4:192.0.2.1 ~include:_spf.google.com -all"
    alone = of("v=spf1 ip4:192.0.2.1 include:_spf.gogle.com -all").findings[0]
    assert published(alone) == "v=spf1 ip4:192.0.2.1 -all"


@pytest.mark.parametrize(
    ("below", "place", "told"),
    [
        ("v=spf1 include:gone.test ip4:192.0.2.1 -all", f"_spf.{NAME}", "v=spf1 ip4:192.0.2.1 -all"),
        ("v=spf1 a:gone.test ip4:192.0.2.1 -all", f"_spf.{NAME}", "v=spf1 ip4:192.0.2.1 -all"),
        ("v=spf1 include:gone.test -all", NAME, "v=spf1 ip4:192.0.2.9 -all"),
    ],
)
def test_a_record_of_the_organizations_own_is_its_own_to_mend(below: str, place: str, told: str) -> None:
    text = f"v=spf1 include:_spf.{NAME} ip4:192.0.2.9 -all"
    (found,) = of(text, {f"_spf.{NAME}": {"TXT": [below]}}).findings
    assert found.fix.endswith(f'{place}. IN TXT "{told}"')


def test_a_text_of_another_purpose_changes_nothing() -> None:
    zone: Zone = {"x.test": GOOD}
    text = "v=spf1 ip4:192.0.2.1 include=x.test"
    alone = audit({**zone, NAME: {"TXT": [text]}})
    beside = audit({**zone, NAME: {"TXT": [text, "site-verification=x"]}})
    assert [(f.rule.id, f.fix) for f in alone.findings] == [(f.rule.id, f.fix) for f in beside.findings]


@pytest.mark.parametrize("values", [["spf1 moo", "spf1 mx -all"], ["spf1 mx -all", "spf1 moo"]])
def test_of_several_misspelt_records_the_one_that_can_be_told_is(values: list[str]) -> None:
    (told,) = audit({NAME: {"TXT": values, "MX": ["10 mx.test"]}}).findings
    assert published(told) == "v=spf1 mx -all"


def test_prose_about_spf_is_no_record() -> None:
    assert problems(audit({NAME: {"TXT": ["see v=spf1 as RFC 7208 has it"]}})) == ["none"]


def test_the_explanation_of_a_fail_is_told_printably() -> None:
    zone: Zone = {
        NAME: {"TXT": ["v=spf1 -all exp=why.test"]},
        "why.test": {"TXT": ["%{i} may not send for %{d}%_\x1b[2J"]},
    }
    assert facts(audit(zone, sending_ips=("192.0.2.1",)))["explanation"] == ""
    zone["why.test"] = {"TXT": ["%{i} may not send for %{d}, see %{S}"]}
    explained = facts(audit(zone, sending_ips=("192.0.2.1",)))["explanation"]
    assert explained == "192.0.2.1 may not send for example.test, see postmaster%40example.test"


GOOGLE: Zone = {"_spf.google.com": {"TXT": ["v=spf1 ip4:198.51.100.0/24 ~all"]}}
AT_GOOGLE = {"MX": ["1 smtp.google.com"]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("include:_spf.google.com ~all", []),
        ("redirect=_spf.google.com", []),
        ("include:nested.test ~all", []),
        ("ip4:198.51.100.0/24 ~all", []),
        ("ip4:198.51.100.0/25 ~all", ["mailbox-host-missing"]),
        ("include:%{i}.vendor.test ~all", ["macros"]),
    ],
)
def test_the_host_of_the_mailboxes_is_looked_for(text: str, found: list[str]) -> None:
    zone: Zone = {
        **GOOGLE,
        NAME: {"TXT": [f"v=spf1 {text}"], **AT_GOOGLE},
        "nested.test": {"TXT": ["v=spf1 include:_spf.google.com ~all"]},
    }
    assert problems(audit(zone)) == found


def test_nothing_is_said_of_a_provider_that_cannot_be_looked_up() -> None:
    zone: Zone = {NAME: {**GOOD, **AT_GOOGLE}}
    judgement = audit(zone, {"_spf.google.com": Status.TIMEOUT})
    assert (judgement.state, problems(judgement)) == (State.VALID, [])


def test_whether_a_provider_that_was_told_is_let_in_is_unknown_where_it_cannot_be_looked_up() -> None:
    judgement = audit({NAME: GOOD}, {"sendgrid.net": Status.TIMEOUT}, provider="sendgrid")
    assert (judgement.state, problems(judgement)) == (State.UNKNOWN, ["unknown"])


def test_providers_are_complete() -> None:
    table = _providers.table()
    assert len({provider.id for provider in table}) == len(table)
    for provider in table:
        assert provider.source.url.startswith("https://"), provider.id
        assert provider.mx or provider.spf or provider.selectors, provider.id
    assert _providers.recognise(["mail.nobody.test"]) is None
    assert _providers.find("google") is _providers.recognise(["aspmx.l.google.com"])


# -- everything -------------------------------------------------------------------------------------

words = st.sampled_from(
    ["v=spf1", " ", "a", "mx", "ptr", "include:", "ip4:", "192.0.2.1", "/0", "//0", "redirect=", "exp=", "%{i}", "%{d}",
     "%", "-all", "+all", "~", ".test", "x", "\xa0", "\xe2\x80\x93", '"', "ip6:::", "\x00", "exists:", ":", "=", "b.test"]
)  # fmt: skip
texts = st.lists(words, max_size=12).map("".join) | st.lists(words, max_size=12).map(
    lambda w: "v=spf1 " + " ".join(w)
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from([NAME, "x.test", "b.test", "a.test"]), st.lists(texts, max_size=3)),
    st.dictionaries(st.sampled_from([NAME, "b.test", "x.test A"]), st.sampled_from(Status)),
)
def test_any_zone_is_judged(published_texts: dict[str, list[str]], broken: dict[str, Status]) -> None:
    zone: Zone = {name: {"TXT": held, "A": ["192.0.2.1"]} for name, held in published_texts.items()}
    judgement = audit(zone, broken, sending_ips=("192.0.2.1", "2001:db8::1"))
    for finding in judgement.findings:
        assert finding.evidence["question"]
        assert finding.detail.isprintable()
        assert finding.fix.isprintable()
    if judgement.state in {State.INVALID, State.MISSING}:
        assert judgement.findings
