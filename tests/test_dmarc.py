"""DMARC: the walk up the tree, the policy for this very name, and the record that was meant."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.checks import Domain, Judgement, _suffixes, dmarc, mx
from probe.checks._dmarc_fix import completed, meant_tag
from probe.facts import Status
from probe.grammar import dmarc as grammar
from probe.grammar import tags
from probe.grammar.dmarc import Policy
from probe.rules import State, Verdict, worst
from tests.spf_world import World, Zone

SHARED = Path(__file__).parents[2] / "shared" / "data" / "dns" / "dmarc" / "rfc9989-cases.yml"
RUA = "rua=mailto:dmarc@example.com"


def record(text: str, name: str = "example.com") -> Zone:
    return {f"_dmarc.{name}": {"TXT": [text]}}


def audit(
    zone: Zone, name: str = "example.com", broken: dict[str, Status] | None = None, mail_from: str = ""
) -> tuple[Judgement, Mapping[str, Any]]:
    exists: Zone = {"example.com": {"A": ["192.0.2.1"]}}
    world = World({**exists, **zone}, broken)
    domain = Domain(name, mail_from=mail_from)
    found = dmarc.judge(domain, world.settle(lambda seen: dmarc.ask(domain, seen)))
    assert isinstance(found.evaluation, Mapping)
    assert sum(question.name.startswith("_dmarc.") for question in world.asked) <= 16
    return found, found.evaluation


def worst_of(found: Judgement) -> int:
    return list(Verdict).index(worst([finding.verdict for finding in found.findings]))


def problems(found: Judgement) -> list[str]:
    return sorted(finding.rule.id.partition("/")[2] for finding in found.findings)


# -- the names a receiver asks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("example.com", ["example.com", "com"]),
        ("com", ["com"]),
        ("a.mail.example.com", ["a.mail.example.com", "mail.example.com", "example.com", "com"]),
        ("a.b.c.d.e.f.example.com", ["a.b.c.d.e.f.example.com", "b.c.d.e.f.example.com"]),
        ("x.a.b.c.d.e.f.example.com", ["x.a.b.c.d.e.f.example.com", "b.c.d.e.f.example.com"]),
        ("a.b.c.d.e.f.g.h.i.j.k.example.com", ["a.b.c.d.e.f.g.h.i.j.k.example.com", "g.h.i.j.k.example.com"]),
    ],
)
def test_the_walk_begins(name: str, asked: list[str]) -> None:
    assert list(grammar.walk(name))[: len(asked)] == asked


@given(st.lists(st.sampled_from(["a", "bc", "example"]), min_size=1, max_size=30))
def test_the_walk_asks_at_most_eight_names_and_ends_at_the_top(labels: list[str]) -> None:
    walked = grammar.walk(".".join(labels))
    assert walked[0] == ".".join(labels)
    assert walked[-1] == labels[-1]
    assert len(walked) <= 8
    assert all(walked[0].endswith(name) for name in walked)


# -- a record is read as a receiver reads it --------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1",
        "v=DMARC1;",
        "v = DMARC1 ; p=none",
        "V=DMARC1;p=none",
        "v=DMARC1; p=none; ",
        "v=DMARC1;;p=none",
    ],
)
def test_a_receiver_keeps(text: str) -> None:
    assert grammar.is_record(text)


@pytest.mark.parametrize(
    "text",
    [
        "v=dmarc1; p=none",
        "v=DMARC1x; p=none",
        "v=DMARC10",
        "p=none; v=DMARC1",
        " v=DMARC1; p=none",
        '"v=DMARC1; p=none"',
    ],
)
def test_a_receiver_discards_and_somebody_meant_it(text: str) -> None:
    assert not grammar.is_record(text)
    assert grammar.resembles(text)


@pytest.mark.parametrize(
    "text", ["v=spf1 -all", "hijacked", "google-site-verification=x", "", "o=~; r=a@b.c"]
)
def test_other_text_is_not_taken_for_a_record(text: str) -> None:
    assert not grammar.is_record(text)
    assert not grammar.resembles(text)


@pytest.mark.parametrize(
    ("text", "below", "exists", "policy", "older"),
    [
        ("p=reject", False, True, "reject", "reject"),
        ("p=Reject", False, True, "reject", "reject"),
        ("p = reject", False, True, "reject", "reject"),
        ("p=reject; sp=none", True, True, "none", "none"),
        ("p=reject; sp=none; np=quarantine", True, False, "quarantine", "none"),
        ("p=reject; np=none", True, False, "none", "reject"),
        ("p=quarantine; np=reject", True, True, "quarantine", "quarantine"),
        ("p=reject; t=y", False, True, "quarantine", "reject"),
        ("p=quarantine; t=Y", False, True, "none", "quarantine"),
        ("p=none; t=y", False, True, "none", "none"),
        ("p=reject; t=yes", False, True, "reject", "reject"),
        ("p=reject; sp=quarantine; t=y", True, True, "none", "quarantine"),
        ("p=reject; pct=0", False, True, "reject", "quarantine"),
        ("p=quarantine; pct=0", False, True, "quarantine", "none"),
        ("p=reject; pct=50", False, True, "reject", "reject"),
        ("p=reject; pct=many", False, True, "reject", "reject"),
        ("p=block", False, True, None, None),
        ("adkim=s", False, True, None, None),
        (f"p=block; {RUA}", False, True, "none", "none"),
        (RUA, False, True, "none", "none"),
        (f"p=reject; sp=nope; {RUA}", False, True, "none", "none"),
        ("p=reject; np=nope", False, True, None, "reject"),
        ("p=reject; sp=nope; rua=dmarc@example.com", True, True, None, None),
        ("p=reject; sp=nope; rua=mailto:", True, True, None, None),
        ("p=block; rua=mailto:dmarc@example.com!10m", False, True, "none", "none"),
    ],
)
def test_the_policy_asked_for(
    text: str, *, below: bool, exists: bool, policy: str | None, older: str | None
) -> None:
    found = grammar.parse(f"v=DMARC1; {text}")
    assert found is not None
    assert found.requested(below=below, exists=exists) == policy
    assert found.requested_7489(below=below) == older


@given(st.text(max_size=400))
@settings(deadline=None, max_examples=200)
def test_any_text_is_read_and_completed_without_an_exception(text: str) -> None:
    grammar.parse(text)
    grammar.resembles(text)
    tags.read(text)
    for meant in (completed(text, "example.com"), completed(f"v=DMARC1; {text}", "example.com")):
        whole = grammar.parse(meant)
        assert whole is not None
        assert whole.applies
        assert whole.reports
        assert not whole.invalid
        assert completed(meant, "example.com") == meant


@pytest.mark.parametrize(
    ("tag", "invalid"),
    [
        ("fo=1", False),
        ("fo=1:d:s", False),
        ("fo=2", True),
        ("fo=", True),
        ("adkim=x", True),
        ("psd=n", False),
    ],
)
def test_a_value_that_means_nothing_is_told(tag: str, *, invalid: bool) -> None:
    found = grammar.parse(f"v=DMARC1; p=none; {tag}")
    assert found is not None
    assert (tag.partition("=")[0] in found.invalid) is invalid


def test_a_tag_list_keeps_what_it_does_not_understand() -> None:
    found = tags.read("a=1; b = 2 ;; nothing; =3; a=4; c=")
    assert found.pairs == (("a", "1"), ("b", "2"), ("a", "4"), ("c", ""))
    assert found.malformed == ("nothing", "=3")
    assert found.duplicates == ("a",)
    assert found["a"] == "1"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", "v=DMARC1; p=none; rua=mailto:dmarc-reports@example.com"),
        ("v=DMARC1; p=rejct", "v=DMARC1; p=reject; rua=mailto:dmarc-reports@example.com"),
        ("v=DMARC1 p=reject rua=mailto:a@example.com", "v=DMARC1; p=reject; rua=mailto:a@example.com"),
        (
            "v=DMARC1; policy=reject; ruaa=mailto:a@example.com",
            "v=DMARC1; p=reject; rua=mailto:a@example.com",
        ),
        (
            "v=dmarc1; p:quarantine; rua=a@example.com, mailto:b@example.net!10m; pct=50; ri=3600",
            "v=DMARC1; p=quarantine; pct=50; rua=mailto:a@example.com,mailto:b@example.net",
        ),
        (
            "v=DMARC1; p=reject; t=Y; ri=60; rua=a@example.com",
            "v=DMARC1; p=reject; t=y; rua=mailto:a@example.com",
        ),
        (
            "v=DMARC1; p=reject; pct=0; rua=a@example.com",
            "v=DMARC1; p=reject; t=y; pct=0; rua=mailto:a@example.com",
        ),
        ("v=DMARC1; p=none; pct=0; rua=mailto:a@example.com", "v=DMARC1; p=none; rua=mailto:a@example.com"),
        (
            "v=DMARC1; p=reject; sp=none; adkim=s; aspf=r; fo=1; rua=mailto:a@example.com",
            "v=DMARC1; p=reject; sp=none; adkim=s; fo=1; rua=mailto:a@example.com",
        ),
        (
            "v=DMARC1; p=reject; psd=y; rua=mailto:a@example.com",
            "v=DMARC1; p=reject; rua=mailto:a@example.com",
        ),
        (
            "v=DMARC1; p=none; rua=mailto:a@example.com; mailto:b@example.com; ruf=mailto:c@example.com",
            "v=DMARC1; p=none; rua=mailto:a@example.com,mailto:b@example.com; ruf=mailto:c@example.com",
        ),
        (
            "v=DMARC1; p=none; rua=mailto:a@example.com; rua=mailto:b@example.com",
            "v=DMARC1; p=none; rua=mailto:a@example.com,mailto:b@example.com",
        ),
    ],
)
def test_the_record_that_was_meant(text: str, meant: str) -> None:
    assert completed(text, "example.com") == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [("ruaa", "rua"), ("rufa", "ruf"), ("policy", "p"), ("adkin", "adkim"), ("zz", ""), ("x" * 500, "")],
)
def test_a_misspelt_tag_is_recognised(name: str, meant: str) -> None:
    assert meant_tag(name) == meant


# -- the domain --------------------------------------------------------------------------------------


def test_both_verdicts_are_told_where_receivers_differ() -> None:
    found, told = audit(
        {
            **record("v=DMARC1; p=none"),
            **record("v=DMARC1; p=reject; psd=n; rua=mailto:d@example.com", "b.example.com"),
            "a.b.example.com": {"A": ["192.0.2.1"]},
        },
        "a.b.example.com",
    )
    assert (told["record_at"], told["org_domain"], told["policy"]) == (
        "b.example.com",
        "b.example.com",
        "reject",
    )
    assert (told["org_domain_7489"], told["policy_7489"]) == ("example.com", "none")
    assert told["queries"] == ["_dmarc.a.b.example.com", "_dmarc.b.example.com"]
    assert problems(found) == ["inherited", "receivers-differ"]
    assert "only newer receivers know psd=n" in found.findings[-1].fix


@pytest.mark.parametrize("status", [s for s in Status if not s.known])
def test_a_failed_lookup_is_unknown_and_never_missing(status: Status) -> None:
    found, told = audit({}, broken={"_dmarc.example.com TXT": status})
    assert (found.state, problems(found)) == (State.UNKNOWN, ["unknown"])
    assert found.findings[0].evidence["question"] == "_dmarc.example.com TXT"
    assert found.findings[0].evidence["status"] == status
    assert told["policy"] is None


def test_a_record_above_a_failed_lookup_is_not_taken_for_the_answer() -> None:
    zone = record("v=DMARC1; p=reject")
    found, told = audit(zone, "news.example.com", broken={"_dmarc.news.example.com TXT": Status.SERVFAIL})
    assert (found.state, problems(found)) == (State.UNKNOWN, ["unknown"])
    assert (told["record_at"], told["policy"]) == (None, None)


def test_a_hole_above_the_record_does_not_hide_the_record() -> None:
    found, told = audit(record(f"v=DMARC1; p=reject; {RUA}"), broken={"_dmarc.com TXT": Status.REFUSED})
    assert (found.state, problems(found), told["policy"]) == (State.VALID, ["walk-incomplete"], "reject")


def test_existence_matters_only_to_np() -> None:
    zone = record(f"v=DMARC1; p=reject; np=none; {RUA}")
    found, told = audit(zone, "ghost.example.com")
    assert told["policy"] == "none"
    assert found.findings[-1].rule.id == "dmarc/receivers-differ"
    assert found.findings[-1].fix.startswith("Nothing, if np is meant")
    _, told = audit({**zone, "real.example.com": {"A": ["192.0.2.1"]}}, "real.example.com")
    assert told["policy"] == "reject"
    found, _ = audit(zone, "ghost.example.com", broken={"ghost.example.com TXT": Status.SERVFAIL})
    assert found.state is State.UNKNOWN


def test_the_findings_carry_the_record_and_a_fix_to_paste() -> None:
    found, _ = audit(record("v=DMARC1; p=rejct"))
    finding = next(each for each in found.findings if each.rule.id == "dmarc/no-policy")
    assert finding.evidence["record"] == "v=DMARC1; p=rejct"
    assert finding.fix == (
        "Replace the record by this one, and raise p once the reports show that all mail aligns: "
        '_dmarc.example.com. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@example.com"'
    )


tag_lists = st.lists(
    st.one_of(
        st.builds("{}={}".format, st.sampled_from(["p", "sp", "np"]), st.sampled_from(Policy)),
        st.sampled_from(
            ["t=y", "t=n", "t=yes", "pct=0", "pct=5", "pct=050", "pct=x", "ri=60", "fo=1", "psd=n", "psd=y", "x=1", "adkim=s"]
        ),
        st.sampled_from([RUA, "rua=mailto:d@example.com!10m", "rua=d@example.com", "ruf=mailto:f@example.com", "p", "tt=y"]),
    ),
    max_size=7,
)  # fmt: skip


def asked_of(record: grammar.Record) -> list[int]:
    """How much is asked for the name, for those below it, and for how much of their mail, by age of receiver."""
    newer = [
        record.requested(below=below, exists=exists)
        for below, exists in ((False, True), (True, True), (True, False))
    ]
    older = [record.requested_7489(below=below) for below in (False, True)]
    asked = [list(Policy).index(policy or Policy.NONE) for policy in (*newer, *older)]
    return [*asked, record.pct if any(asked[3:]) else 0]


def pasted(fix: str) -> str:
    """The record in a fix, its strings joined; empty where there is none."""
    return "".join(re.findall(r'"([^"]*)"', fix.partition("IN TXT ")[2]))


@settings(max_examples=300, deadline=None)
@given(tag_lists)
def test_what_is_handed_out_asks_for_no_more_than_today(tags_said: list[str]) -> None:
    today = grammar.parse("; ".join(("v=DMARC1", *tags_said)))
    assert today is not None
    before, _ = audit(record(today.text))
    for finding in before.findings:
        followed = grammar.parse(pasted(finding.fix))
        if followed is None:
            continue
        after, _ = audit(record(followed.text))
        assert finding.rule.id not in {each.rule.id for each in after.findings}, followed.text
        if finding.fix.startswith("Once the reports show"):
            continue  # the next stage
        assert worst_of(after) <= worst_of(before), followed.text
        assert all(map(operator.le, asked_of(followed), asked_of(today))), followed.text


@pytest.mark.parametrize(
    ("records", "words", "one"),
    [
        (
            ["p=none; rua=mailto:agg@example.com", "p=reject; rua=mailto:d@example.com"],
            "Leave only this one, and raise p once the reports show that all mail aligns: ",
            "p=none; rua=mailto:agg@example.com,mailto:d@example.com",
        ),
        (
            [
                "p=none; rua=mailto:a@example.com",
                "p=none; rua=mailto:b@example.com!1m; ruf=mailto:f@example.com",
            ],
            "Leave only: ",
            "p=none; rua=mailto:a@example.com,mailto:b@example.com; ruf=mailto:f@example.com",
        ),
        (
            ["p=reject; adkim=s; aspf=s; t=y", "p=reject; sp=none; np=quarantine; adkim=s"],
            "Leave only this one, and raise p once the reports show that all mail aligns: ",
            "p=none; adkim=s; rua=mailto:dmarc-reports@example.com",
        ),
        (
            ["p=reject; sp=quarantine; pct=0", "p=quarantine; np=reject; rua=x"],
            "Leave only this one, and raise p once the reports show that all mail aligns: ",
            "p=none; rua=mailto:dmarc-reports@example.com",
        ),
        (
            ["p=none; t=y; pct=0; rua=mailto:a@example.com", "p=none; sp=reject; pct=0"],
            "Leave only: ",
            "p=none; rua=mailto:a@example.com",
        ),
    ],
)
def test_several_records_become_the_mildest_that_reports_to_all(
    records: list[str], words: str, one: str
) -> None:
    found, _ = audit({"_dmarc.example.com": {"TXT": [f"v=DMARC1; {text}" for text in records]}})
    (finding,) = found.findings
    assert finding.fix.startswith(f"{words}_dmarc.example.com. ")
    assert pasted(finding.fix) == f"v=DMARC1; {one}"


SENDS: Zone = {"example.com": {"TXT": ["v=spf1 mx -all"], "MX": ["1 mx.example.com"]}}
SILENT: Zone = {"example.com": {"TXT": ["v=spf1 -all"], "MX": ["1 mx.example.com"]}}
AT_ONCE, LATER = ": ", " this one, and raise p once the reports show that all mail aligns: "


@pytest.mark.parametrize(
    ("zone", "texts", "fix"),
    [
        (SENDS, ["v=dmarc1; p=reject"], f"Replace it by{LATER}p=none"),
        (SENDS, ["v=dmarc1; p=none"], f"Replace it by{AT_ONCE}p=none"),
        (
            SENDS,
            ["v=dmarc1; p=none; sp=reject"],
            f"Replace it by{LATER.replace('raise p', 'raise sp')}p=none",
        ),
        (SENDS, ["v=dmarc1; p=reject; t=y; pct=0"], f"Replace it by{LATER}p=none"),
        (SENDS, ["v=DMARC1; p=rejct"], f"Replace the record by{LATER}p=none"),
        (SENDS, ["v=DMARC1; p=reject", "v=DMARC1; p=reject; t=y"], f"Leave only{LATER}p=none"),
        (SILENT, ["v=dmarc1; p=reject"], f"Replace it by{AT_ONCE}p=reject"),
        (SILENT, ["v=DMARC1; p=rejct"], f"Replace the record by{AT_ONCE}p=reject"),
        (SILENT, ["v=DMARC1; p=reject", "v=DMARC1; p=reject"], f"Leave only{AT_ONCE}p=reject"),
    ],
)
def test_what_did_not_act_so_far_begins_with_what_loses_no_mail(
    zone: Zone, texts: list[str], fix: str
) -> None:
    found, _ = audit({**zone, "_dmarc.example.com": {"TXT": texts}})
    words, _, asked = fix.rpartition(": ")
    assert found.findings[0].fix == (
        f'{words}: _dmarc.example.com. IN TXT "v=DMARC1; {asked}; rua=mailto:dmarc-reports@example.com"'
    )


@pytest.mark.parametrize(
    ("spf", "fix"),
    [
        ("v=spf1 mx -all", f"Publish instead{LATER}p=none"),
        ("v=spf1 -all", f"Publish instead{AT_ONCE}p=reject"),
    ],
)
def test_a_record_at_the_domain_itself_moves_below_it_as_what_loses_no_mail(spf: str, fix: str) -> None:
    found, _ = audit({"example.com": {"TXT": [spf, "v=DMARC1; p=reject"], "MX": ["1 mx.example.com"]}})
    words, _, asked = fix.rpartition(": ")
    assert found.findings[0].fix.startswith(f'{words}: _dmarc.example.com. IN TXT "v=DMARC1; {asked}; rua=')


def test_below_a_record_that_acts_one_that_did_not_may_ask_for_as_much() -> None:
    zone = {
        **record(f"v=DMARC1; p=quarantine; {RUA}"),
        "_dmarc.news.example.com": {"TXT": ["v=dmarc1; p=reject"]},
    }
    found, _ = audit(zone, "news.example.com")
    assert found.findings[0].fix.startswith(f"Replace it by{LATER}_dmarc.news.example.com. ")
    assert "; p=quarantine; " in found.findings[0].fix


PARKED: Zone = {"example.com": {"TXT": ["v=spf1 -all"], "MX": ["0 ."]}}


@pytest.mark.parametrize(
    ("zone", "name", "first"),
    [
        (PARKED, "example.com", "_dmarc.example.com: v=DMARC1; p=reject"),
        ({"example.com": {"TXT": ["v=spf1 -all"]}}, "example.com", "_dmarc.example.com: v=DMARC1; p=reject"),
        (
            {"example.com": {"TXT": ["v=spf1 -all"], "MX": ["1 mx.example.com"]}},
            "example.com",
            "_dmarc.example.com: v=DMARC1; p=reject; rua=mailto:dmarc-reports@example.com",
        ),
        ({"example.com": {"MX": ["0 ."]}}, "example.com", "_dmarc.example.com: v=DMARC1; p=none"),
        (
            {"news.example.com": {"TXT": ["v=spf1 -all"]}},
            "news.example.com",
            "_dmarc.example.com: v=DMARC1; p=none; rua=mailto:dmarc-reports@example.com",
        ),
        (
            {"news.example.co.uk": {"TXT": ["v=spf1 mx -all"]}},
            "news.example.co.uk",
            "_dmarc.example.co.uk: v=DMARC1; p=none; rua=mailto:dmarc-reports@example.co.uk",
        ),
        (
            {**PARKED, "a.example.com": {"MX": ["1 mx.b.com"]}},
            "a.example.com",
            "_dmarc.example.com: v=DMARC1; p=none",
        ),
    ],
)
def test_the_first_record_can_be_published_as_it_is(zone: Zone, name: str, first: str) -> None:
    found, _ = audit(zone, name)
    (finding,) = found.findings
    where, _, text = first.partition(": ")
    assert (finding.fix.split()[1], pasted(finding.fix)) == (f"{where}.", text)
    followed, _ = audit({**zone, where: {"TXT": [text]}}, name)
    assert worst_of(followed) <= list(Verdict).index(Verdict.NOTE)


def test_a_parked_domain_is_not_told_to_read_reports_where_no_mail_comes() -> None:
    found, _ = audit({**PARKED, **record("v=DMARC1; p=reject")})
    elsewhere = "If you want reports, name an address at another domain: no mail comes to example.com."
    assert [(finding.rule.id, finding.fix) for finding in found.findings] == [("dmarc/no-reports", elsewhere)]


@pytest.mark.parametrize(("text", "told"), [(["v=spf1 -all"], []), ([], ["report-undeliverable"])])
def test_reports_come_to_a_domain_that_exists_though_its_mx_is_denied(
    text: list[str], told: list[str]
) -> None:
    zone: Zone = {"example.com": {"TXT": text}, **record(f"v=DMARC1; p=none; {RUA}")}
    found, _ = audit(
        zone,
        broken={"example.com MX": Status.NXDOMAIN, **({} if text else {"example.com TXT": Status.NXDOMAIN})},
    )
    assert [one for one in problems(found) if one.startswith("report-")] == told


@pytest.mark.parametrize(
    ("today", "name", "told"),
    [
        ("p=none; t=y", "example.com", ["monitoring-only"]),
        ("p=none; sp=quarantine; t=y", "example.com", ["monitoring-only", "testing"]),
        ("p=none; sp=reject", "sub.example.com", ["inherited"]),
        ("p=none; sp=none", "sub.example.com", ["inherited", "monitoring-only"]),
        ("p=none; np=reject", "gone.example.com", ["inherited", "receivers-differ"]),
    ],
)
def test_a_policy_is_weak_only_for_the_names_it_is_applied_to(today: str, name: str, told: list[str]) -> None:
    zone: Zone = {"sub.example.com": {"A": ["192.0.2.1"]}, **record(f"v=DMARC1; {today}; {RUA}")}
    assert problems(audit(zone, name)[0]) == told


def test_reports_do_not_come_to_a_domain_without_any_host() -> None:
    zone: Zone = {"example.com": {"TXT": ["v=spf1 a mx -all"]}, **record(f"v=DMARC1; p=reject; {RUA}")}
    domain, world = Domain("example.com"), World(zone)
    seen = world.settle(lambda known: [*dmarc.ask(domain, known), *mx.ask(domain, known)])
    assert problems(dmarc.judge(domain, seen)) == ["report-undeliverable"]


@pytest.mark.parametrize(
    ("sending", "rule", "policy"), [((), "unguarded", "reject"), (("192.0.2.1",), "missing", "none")]
)
def test_who_is_told_to_send_begins_with_what_loses_no_mail(
    sending: tuple[str, ...], rule: str, policy: str
) -> None:
    world = World({"example.com": {"TXT": ["v=spf1 -all"]}})
    domain = Domain("example.com", sending_ips=sending)
    (found,) = dmarc.judge(domain, world.settle(lambda seen: dmarc.ask(domain, seen))).findings
    assert (found.rule.id, f"p={policy}" in found.fix) == (f"dmarc/{rule}", True)


@pytest.mark.parametrize("text", ["v=dmarc1; p=reject", f"v=DMARC1; p=rejct; {RUA}"])
@pytest.mark.parametrize(("sending", "policy"), [((), "reject"), (("192.0.2.1",), "none")])
def test_what_did_not_act_so_far_acts_at_once_only_where_nothing_is_sent(
    text: str, sending: tuple[str, ...], policy: str
) -> None:
    world = World({"example.com": {"TXT": ["v=spf1 -all"]}, **record(text)})
    domain = Domain("example.com", sending_ips=sending)
    found = dmarc.judge(domain, world.settle(lambda seen: dmarc.ask(domain, seen)))
    (fix,) = {one.fix for one in found.findings if one.rule.id != "dmarc/no-reports" and one.fix}
    assert f"p={policy}" in fix


def test_of_a_parent_that_was_not_answered_nothing_follows() -> None:
    zone = record(f"v=DMARC1; p=reject; {RUA}", "sub.example.com")
    refused = {"_dmarc.example.com TXT": Status.REFUSED}
    assert problems(audit(zone, "sub.example.com")[0]) == ["parent-without-record"]
    assert problems(audit(zone, "sub.example.com", refused)[0]) == ["walk-incomplete"]
    registry = {"_dmarc.com TXT": Status.REFUSED}
    assert "parent-without-record" in problems(audit(zone, "sub.example.com", registry)[0])


def test_the_first_record_of_a_parent_reports_where_that_of_the_name_does() -> None:
    rua = "rua=mailto:a@example.com,mailto:b@example.net"
    found, _ = audit(record(f"v=DMARC1; p=reject; {rua}", "sub.example.com"), "sub.example.com")
    told = next(one for one in found.findings if one.rule.id == "dmarc/parent-without-record")
    assert pasted(told.fix) == "v=DMARC1; p=none; rua=mailto:a@example.com"


def test_no_mailbox_is_offered_at_a_parent_of_which_nothing_is_known() -> None:
    zone: Zone = {"sub.example.com": {"MX": ["10 mx.example.com"]}, **record("v=DMARC1; p=reject")}
    found, _ = audit({"example.com": {"MX": ["0 ."]}, **zone}, "sub.example.com")
    assert [(one.rule.id, one.fix) for one in found.findings] == [
        ("dmarc/inherited", ""),
        ("dmarc/no-reports", ""),
    ]
    found, _ = audit({**zone, **record("v=DMARC1; p=reject; fo=0")}, "sub.example.com")
    assert [one.fix for one in found.findings if one.rule.id == "dmarc/no-reports"] == [""]


def test_an_envelope_below_the_domain_aligns_once_aspf_is_not_strict() -> None:
    text = f"v=DMARC1; p=reject; aspf=s; {RUA}"
    found, _ = audit(record(text), mail_from="x@bounce.example.com")
    told = next(one for one in found.findings if one.rule.id == "dmarc/spf-not-aligned")
    assert told.detail == "bounce.example.com and example.com (aspf=s)"
    assert pasted(told.fix) == f"v=DMARC1; p=reject; {RUA}"
    elsewhere, _ = audit(record(text), mail_from="x@bounce.example.net")
    assert [one.fix for one in elsewhere.findings if one.rule.id == "dmarc/spf-not-aligned"] == [""]


def test_an_alias_to_text_that_is_no_record_is_dangling() -> None:
    zone: Zone = {"_dmarc.example.com": {"CNAME": ["d.svc.test"]}, "d.svc.test": {"TXT": ["hello"]}}
    assert problems(audit(zone)[0]) == ["dangling-alias"]


def test_no_record_to_publish_asks_for_reports_where_no_mail_comes() -> None:
    zone: Zone = {"_dmarc.example.com": {"CNAME": ["d.svc.test"]}, "d.svc.test": {"A": ["192.0.2.1"]}}
    found, _ = audit({"example.com": {"MX": ["0 ."]}, **zone})
    assert found.findings[0].rule.id == "dmarc/dangling-alias"
    assert found.findings[0].fix.endswith('_dmarc.example.com. IN TXT "v=DMARC1; p=none"')


@pytest.mark.parametrize(
    ("today", "problem", "then"),
    [
        ("p=reject; sp=none", "subdomains-open", "p=reject"),
        ("p=reject; sp=none; np=reject", "subdomains-open", "p=reject; np=reject"),
        ("p=quarantine; sp=reject; np=none", "subdomains-open", "p=quarantine; sp=reject"),
        ("p=reject; t=y", "testing", "p=reject"),
        ("p=reject; t=y; pct=0", "testing", "p=reject"),
        ("p=reject; pct=5", "percentage", "p=reject"),
        ("p=none; t=y", "monitoring-only", "p=quarantine"),
        ("p=none; sp=reject; t=y", "monitoring-only", "p=quarantine; sp=reject; t=y"),
    ],
)
def test_more_is_asked_once_the_reports_allow_it(today: str, problem: str, then: str) -> None:
    found, _ = audit(record(f"v=DMARC1; {today}; {RUA}"))
    fix = next(each.fix for each in found.findings if each.rule.id == f"dmarc/{problem}")
    assert fix.startswith("Once the reports show that all mail ")
    assert pasted(fix) == f"v=DMARC1; {then}; {RUA}"


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=none; ri=60",
        "v=DMARC1; p=reject",
        "v=DMARC1; p=reject; t=y",
        "DMARC1; p=none",
        "v=DMARC1; p=rejct",
    ],
)
def test_what_stands_at_the_end_of_an_alias_is_its_owners(text: str) -> None:
    zone: Zone = {"_dmarc.example.com": {"CNAME": ["d.svc.test"]}, "d.svc.test": {"TXT": [text]}}
    found, _ = audit(zone)
    fixes = [finding.fix for finding in found.findings if "IN TXT" in finding.fix]
    assert fixes
    assert all("At d.svc.test, by its owner: " in fix and "d.svc.test. IN TXT" in fix for fix in fixes)
    assert not any("_dmarc.example.com. IN TXT" in fix for fix in fixes)


def test_a_long_fix_is_cut_at_255_bytes() -> None:
    addresses = ",".join(f"mailto:dmarc-{number:02}@example.com" for number in range(10))
    found, _ = audit(record(f"v=DMARC1; p=reject; pct=20; rua={addresses}"))
    fix = next(each.fix for each in found.findings if each.rule.id == "dmarc/percentage")
    strings = fix.partition("TXT ")[2].strip('"').split('" "')
    assert [len(string) <= 255 for string in strings] == [True, True]


def test_report_addresses_of_others_are_asked_for_a_few_times_only() -> None:
    addresses = ",".join(f"mailto:d@reports{number}.net" for number in range(40))
    domain = Domain("example.com")
    world = World(record(f"v=DMARC1; p=reject; rua={addresses}"))
    dmarc.judge(domain, world.settle(lambda seen: dmarc.ask(domain, seen)))
    assert len(world.asked) <= 16


def test_one_round_trip_finds_the_record_of_any_name() -> None:
    world = World(record("v=DMARC1; p=reject"))
    domain = Domain("a.b.c.example.com")
    world.settle(lambda seen: dmarc.ask(domain, seen))
    assert world.rounds == 1


@pytest.mark.parametrize(
    ("mail_from", "text", "aligned"),
    [
        ("", "adkim=r", True),
        ("b@bounces.example.com", "aspf=r", True),
        ("b@bounces.example.com", "aspf=s", False),
        ("b@example.net", "aspf=r", False),
    ],
)
def test_the_envelope_aligns_or_does_not(mail_from: str, text: str, *, aligned: bool) -> None:
    _, told = audit(record(f"v=DMARC1; p=reject; {text}; {RUA}"), mail_from=mail_from)
    assert told["alignment"]["spf"]["aligned"] is aligned


@pytest.mark.parametrize(
    ("name", "organizational"),
    [
        ("a.b.example.com", "example.com"),
        ("a.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("a.b.test", "b.test"),
        ("test", "test"),
    ],
)
def test_the_older_organizational_domain(name: str, organizational: str) -> None:
    assert _suffixes.organizational(name) == organizational


# -- cases gathered from the field ------------------------------------------------------------------


def cases() -> list[dict[str, Any]]:
    if not SHARED.exists():
        return []
    found: list[dict[str, Any]] = yaml.safe_load(SHARED.read_text("utf-8"))
    return found


def world_of(case: Mapping[str, Any]) -> World:
    zone: dict[str, dict[str, list[str]]] = {}
    broken: dict[str, Status] = {}
    for name, held in case["zone"].items():
        if isinstance(held, str):
            broken[f"{name} TXT"] = Status(held.lower())
            zone[name] = {}
        else:
            zone[name] = {
                kind: ["".join(value) if isinstance(value, list) else str(value) for value in values]
                for kind, values in held.items()
            }
    return World(zone, broken)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared DMARC cases are not there")
@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case["id"]))
def test_shared_case(case: dict[str, Any]) -> None:
    domain, world, wanted = Domain(case["author"]), world_of(case), case["expect"]
    found = dmarc.judge(domain, world.settle(lambda seen: dmarc.ask(domain, seen)))
    told = found.evaluation
    assert isinstance(told, Mapping)
    names = {"record_at": "record_at", "org": "org_domain", "policy": "policy", "queries": "queries"}
    expected = {names[key]: value for key, value in wanted.items() if key in names}
    if "policy7489" in case:
        expected["policy_7489"] = case["policy7489"]
    if "org7489" in case:
        expected["org_domain_7489"] = case["org7489"]
    assert {key: told[key] for key in expected} == expected
    if wanted.get("result") == "temperror":
        assert found.state is State.UNKNOWN
    for mechanism in ("spf", "dkim"):
        for identifier in case.get(f"{mechanism}_pass", ()):
            assert aligns(case, identifier) is wanted.get(f"{mechanism}_aligned", True)


def aligns(case: Mapping[str, Any], identifier: str) -> bool:
    """The alignment of an identifier, asked for as an envelope sender: the rule is the same for d=."""
    world = world_of(case)
    domain = Domain(case["author"], mail_from=f"postmaster@{identifier}")
    found = dmarc.judge(domain, world.settle(lambda seen: dmarc.ask(domain, seen)))
    assert isinstance(found.evaluation, Mapping)
    aligned = found.evaluation["alignment"]["spf"]["aligned"]
    assert isinstance(aligned, bool)
    return aligned


def test_policies_are_on_a_scale() -> None:
    assert [policy.lowered for policy in Policy] == [Policy.NONE, Policy.NONE, Policy.QUARANTINE]
