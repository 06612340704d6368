"""Slips of fingers, as they are really published: what was meant is found, and no fix stops all mail."""

from __future__ import annotations

import pytest

from probe.checks import Domain, find
from probe.checks._dmarc_fix import completed, meant_tag
from probe.checks._slips import meant_word
from probe.checks._spf_fixes import meant, misspelt
from probe.facts import Answer, Question, Records, Status


@pytest.mark.parametrize(
    ("typed", "tag"),
    [("rau", "rua"), ("ura", "rua"), ("fru", "ruf"), ("ps", "sp"), ("adikm", "adkim"), ("asfp", "aspf")],
)
def test_a_tag_with_its_letters_in_another_order(typed: str, tag: str) -> None:
    assert meant_tag(typed) == tag


def test_the_address_of_a_transposed_tag_is_kept() -> None:
    record = completed("v=DMARC1; p=none; rau=mailto:ada@example.test", "example.test")
    assert record == "v=DMARC1; p=none; rua=mailto:ada@example.test"


def test_a_word_that_is_near_to_nothing() -> None:
    assert meant_word("zebra", ("include", "all")) == ""


@pytest.mark.parametrize(
    ("typed", "term"),
    [
        ("inculde:a.example", "include:a.example"),
        ("includes:a.example", "include:a.example"),
        ("include;a.example", "include:a.example"),
        ("~inculde:a.example", "~include:a.example"),
        ("-al", "-all"),
        ("~alll", "~all"),
        ("-a11", "-all"),
        ("ipv4:192.0.2.1", "ip4:192.0.2.1"),
        ("zebra:a.example", ""),
        ("ip4:192.0.2", ""),
        ("-ip4:192.0.2.1,192.0.2.2", "-ip4:192.0.2.1 -ip4:192.0.2.2"),
    ],
)
def test_a_mechanism_that_was_misspelt(typed: str, term: str) -> None:
    assert meant(typed) == term


@pytest.mark.parametrize(
    ("typed", "record"),
    [
        ("v=spf1-all", "v=spf1 -all"),
        ("vspf1 mx -all", "v=spf1 mx -all"),
        ("v-spf1 mx ~all", "v=spf1 mx ~all"),
        ("v:spf1 mx ~all", "v=spf1 mx ~all"),
        ("spf-checker-verification=1", None),
        ("spfmx-token", None),
    ],
)
def test_a_record_whose_beginning_was_misspelt(typed: str, record: str | None) -> None:
    assert misspelt(typed) == record


def _spf(text: str, more: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Findings and fixes for a record, and others by name."""
    texts = {"example.test": text, **(more or {})}
    answers = {Question(name, "TXT"): Answer(Status.OK, (value,)) for name, value in texts.items()}
    answers |= {Question("example.test", "MX"): Answer(Status.NODATA)}
    answers |= {Question(f"gone{n}.example", "TXT"): Answer(Status.NXDOMAIN) for n in range(3)}
    told = find("spf").judge(Domain("example.test"), Records(answers))
    return [(finding.rule.id, finding.fix) for finding in told.findings]


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 include:gone1.example -all",
        "v=spf1 include:example.test -all",
        "v=spf1 ip4:0.0.0.0/0 -all",
        "v=spf1 ptr -all",
    ],
)
def test_no_fix_leaves_a_record_that_stops_all_mail(text: str) -> None:
    found = _spf(text)
    assert found
    assert not [fix for _, fix in found if "v=spf1 -all" in fix]


def test_what_still_lets_somebody_in_is_offered() -> None:
    (found,) = _spf("v=spf1 include:gone1.example ip4:192.0.2.1 -all")
    words = "Publish, without include:gone1.example, which would be a permerror"
    line = 'example.test. IN TXT "v=spf1 ip4:192.0.2.1 -all"'
    assert found == ("spf/include-without-record", f"{words}: {line}")


def test_records_that_cannot_be_merged_within_ten_lookups_are_not_merged() -> None:
    texts = tuple(f"v=spf1 {' '.join(f'include:s{n}{m}.example' for m in range(6))} -all" for n in range(2))
    seen = Records({Question("example.test", "TXT"): Answer(Status.OK, texts)})
    (found,) = find("spf").judge(Domain("example.test"), seen).findings
    assert found.rule.id == "spf/several"
    assert " IN TXT " not in found.fix


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("v=spf1 +all", ""),
        ("v=spf1 a ip4:0.0.0.0/0 +all", 'Publish: example.test. IN TXT "v=spf1 a ~all"'),
        ("v=spf1 mx ?all", 'Publish: example.test. IN TXT "v=spf1 mx ~all"'),
        ("v=spf1 include:gone1.example ?all", ""),
    ],
)
def test_another_end_stops_nobody_who_sends(text: str, fix: str) -> None:
    ends = {"spf/allows-all", "spf/neutral-all"}
    assert [told for rule, told in _spf(text) if rule in ends] == [fix]


def test_a_record_that_names_no_sender_gets_the_mx_hosts() -> None:
    answers = {
        Question("example.test", "TXT"): Answer(Status.OK, ("v=spf1 +all",)),
        Question("example.test", "MX"): Answer(Status.OK, ("10 mx.example.test",)),
    }
    (found,) = find("spf").judge(Domain("example.test"), Records(answers)).findings
    assert found.fix == 'If the MX hosts are what sends: example.test. IN TXT "v=spf1 mx ~all"'
