"""MTA-STS: record, policy and MX hosts must agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.checks import Domain, find
from probe.facts import Answer, Question, Records, Status
from probe.grammar import mtasts
from tests.checks_world import Audit, Page, World, audit

URL = "https://mta-sts.example.test/.well-known/mta-sts.txt"
MX = "example.test MX 10 mx.example.test\n mx.example.test A 203.0.113.1\n"
RECORD = MX + "_mta-sts.example.test TXT v=STSv1; id=20261121T120000;"
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 604800\r\n"


def seen(world: str, page: Page | None = POLICY, **told: Any) -> Audit:
    return audit("mta_sts", "example.test", world, web={} if page is None else {URL: page}, **told)


def test_good() -> None:
    found = seen(RECORD)
    assert (found.state, found.ids) == ("valid", [])
    assert found.evaluation == {
        "id": "20261121T120000",
        "mode": "enforce",
        "max_age": 604800,
        "mx": ["mx.example.test"],
    }


def test_absent_is_a_note_with_a_policy_that_fits() -> None:
    found = seen(MX)
    assert (found.state, found.ids) == ("missing", ["mta_sts/none"])
    assert "mode: testing\nmx: mx.example.test\nmax_age: 604800" in found.fixes["mta_sts/none"]


def test_a_domain_without_mail_needs_none() -> None:
    assert seen("example.test MX 0 .").state == "not_applicable"


RECORDS = {
    "two": ("v=STSv1; id=1;\n_mta-sts.example.test TXT v=STSv1; id=2", "mta_sts/several"),
    "no id": ("v=STSv1;", "mta_sts/syntax"),
    "id with a hyphen": ("v=STSv1; id=2026-11-21", "mta_sts/syntax"),
    "id too long": (f"v=STSv1; id={'1' * 33}", "mta_sts/syntax"),
    "the name of the tag in capitals": ("V=STSv1; id=1", "mta_sts/misspelt"),
    "the version last": ("id=1; v=STSv1", "mta_sts/misspelt"),
    "no semicolon": ("v=STSv1 id=1", "mta_sts/misspelt"),
    "the version alone": ("v=STSv1", "mta_sts/misspelt"),
    "a space before the equals sign": ("v =STSv1; id=1", "mta_sts/misspelt"),
}


@pytest.mark.parametrize("case", RECORDS)
def test_records(case: str) -> None:
    text, rule = RECORDS[case]
    found = seen(f"{MX}_mta-sts.example.test TXT {text}")
    assert (found.state, found.ids) == ("invalid", [rule])
    assert not any(question.type == "HTTP" for question in found.asked)


@pytest.mark.parametrize(
    "records",
    [
        "v=STSv1; id=1-1\n_mta-sts.example.test TXT v=STSv1; id=2",
        "v=STSv1; id=1-1",
        "v=stsv1; id=1",
    ],
)
def test_a_policy_that_nobody_has_read_is_served_anew_before_the_record(records: str) -> None:
    found = seen(f"{MX}_mta-sts.example.test TXT {records}", POLICY.replace("mx: mx", "mx: old"))
    (fix,) = found.fixes.values()
    words, _, rest = fix.partition(f": {URL}\n")
    assert words == "Serve this file, then publish the record in place of what is there"
    policy, _, record = rest.partition("\n\n")
    assert mtasts.policy(policy).mode == "testing"
    text = record.partition('"')[2].rstrip('"')
    followed = seen(f"{MX}_mta-sts.example.test TXT {text}", policy)
    assert followed.ids == ["mta_sts/testing"]


@pytest.mark.parametrize("text", ["v=STSv2; id=1", "v=spf1 -all", "sts-verification=1"])
def test_other_texts_are_no_records(text: str) -> None:
    assert seen(f"{MX}_mta-sts.example.test TXT {text}").ids == ["mta_sts/none"]


def page(code: str, body: str = POLICY, kind: str = "text/plain; charset=utf-8") -> tuple[str, ...]:
    return (code, kind, "", body)


PAGES: dict[str, tuple[Page, str, list[str]]] = {
    "404": (page("404"), "invalid", ["mta_sts/policy-absent"]),
    "redirected": (page("301"), "invalid", ["mta_sts/policy-absent"]),
    "503": (page("503"), "unknown", ["mta_sts/unknown"]),
    "too many of us": (page("429"), "unknown", ["mta_sts/unknown"]),
    "html": (page("200", POLICY, "text/html"), "valid", ["mta_sts/content-type"]),
    "no policy at all": (page("200", "<html>"), "invalid", ["mta_sts/policy-syntax"]),
    "no mx": (
        page("200", POLICY.replace("mx: mx.example.test\r\n", "")),
        "invalid",
        ["mta_sts/policy-syntax"],
    ),
    "wrong mode": (page("200", POLICY.replace("enforce", "strict")), "invalid", ["mta_sts/policy-syntax"]),
    "too long kept": (
        page("200", POLICY.replace("604800", "31557601")),
        "invalid",
        ["mta_sts/policy-syntax"],
    ),
    "other host": (page("200", POLICY.replace("mx: mx", "mx: mail")), "invalid", ["mta_sts/mx-mismatch"]),
    "other host, testing": (
        page("200", POLICY.replace("mx: mx", "mx: mail").replace("enforce", "testing")),
        "warn",
        ["mta_sts/mx-mismatch-testing", "mta_sts/testing"],
    ),
    "wildcard": (page("200", POLICY.replace("mx.example", "*.example")), "valid", []),
    "off": (page("200", "version: STSv1\nmode: none\nmax_age: 86400"), "valid", ["mta_sts/off"]),
    "an hour": (page("200", POLICY.replace("604800", "3600")), "valid", ["mta_sts/short-lived"]),
    "unknown keys": (page("200", POLICY + "colour: blue\r\n"), "valid", []),
    "expired certificate": (
        Answer(Status.GARBLED, detail="tls: certificate has expired"),
        "invalid",
        ["mta_sts/policy-tls"],
    ),
    "no host": (Answer(Status.NXDOMAIN, detail="no address"), "invalid", ["mta_sts/policy-absent"]),
    "timeout": (Answer(Status.TIMEOUT), "unknown", ["mta_sts/unknown"]),
    "no HTTP client": (Answer(Status.SKIPPED, detail="needs the extra"), "unknown", ["mta_sts/unknown"]),
}


@pytest.mark.parametrize("case", PAGES)
def test_policies(case: str) -> None:
    answer, state, ids = PAGES[case]
    found = seen(RECORD, answer)
    assert (found.state, sorted(found.ids)) == (state, ids)


def test_a_failed_lookup_is_unknown() -> None:
    found = seen(RECORD, broken={"_mta-sts.example.test TXT": "servfail"})
    assert (found.state, found.ids) == ("unknown", ["mta_sts/unknown"])


def test_unknown_mx_hosts_are_no_mismatch() -> None:
    found = seen(RECORD, broken={"example.test MX": "timeout"})
    assert (found.state, found.ids) == ("unknown", ["mta_sts/unknown"])


ADDRESS = "example.test A 203.0.113.1\n"


def test_without_mx_the_domain_itself_takes_the_mail() -> None:
    fix = seen(ADDRESS).fixes["mta_sts/none"]
    assert "\nmx: example.test\n" in fix


@pytest.mark.parametrize("world", ["", "example.test TXT hello", "example.test MX 10 203.0.113.1"])
def test_there_is_no_policy_for_what_no_host_takes(world: str) -> None:
    assert "mx:" not in seen(world).fixes["mta_sts/none"]
    announced = f"{world}\n_mta-sts.example.test TXT v=STSv1; id=1"
    assert "mx:" not in seen(announced, page("404")).fixes["mta_sts/policy-absent"]


def test_a_policy_leaves_out_nobody_where_nothing_takes_mail() -> None:
    lonely = "_mta-sts.example.test TXT v=STSv1; id=1\nexample.test TXT hello"
    assert seen(lonely).ids == []
    assert seen(lonely, broken={"example.test A": "timeout"}).ids == []
    assert seen(f"{lonely}\nexample.test A 203.0.113.1").ids == ["mta_sts/mx-mismatch"]


def test_nor_for_hosts_that_could_not_be_looked_up() -> None:
    assert "mx:" not in seen(MX, broken={"example.test MX": "timeout"}).fixes["mta_sts/none"]


def followed(fix: str) -> tuple[str, str]:
    """The policy file and the record of a fix, as they are published."""
    written, _, record = fix.partition("\n\n")
    address, _, file = written.partition("\n")
    assert address.endswith(URL)
    return file, record.partition("TXT ")[2].strip('"')


@given(
    hosts=st.lists(
        st.sampled_from(["mx.example.test", "a.host.test", "MX.b.test.", "203.0.113.1", "x_y.test"])
    )
    | st.just([f"m{at}.example.test" for at in range(40)]),
    record=st.sampled_from(["v=STSv1; id=1", "v=STSv1", "V=STSv1; id=1", "hello"]),
    body=st.lists(st.sampled_from([*POLICY.split("\r\n"), "mode: testing", "mx: x y", "max_age: 5"])).map(
        "\n".join
    ),
)
def test_a_policy_to_paste_can_be_read_and_leaves_out_no_host(
    hosts: list[str], record: str, body: str
) -> None:
    world = ADDRESS + "".join(f"example.test MX {at} {host}\n" for at, host in enumerate(hosts))
    found = seen(f"{world}_mta-sts.example.test TXT {record}", page("200", body))
    for fix in found.fixes.values():
        if "\n\n" not in fix:
            continue
        file, announced = followed(fix)
        policy = mtasts.policy(file)
        assert not policy.problems
        after = seen(f"{world}_mta-sts.example.test TXT {announced}", page("200", file))
        assert set(after.ids) <= {"mta_sts/testing"}


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (POLICY, True),
        (POLICY.replace("enforce", "testing"), True),
        (POLICY.replace("enforce", "none"), False),
        (POLICY.replace("mx: mx.example.test", "mx: *.host.test"), False),
        ("no policy", False),
    ],
)
def test_an_mx_is_moved_to_no_host_that_the_policy_leaves_out(body: str, first: bool) -> None:
    alias = (
        "example.test MX 10 mx.example.test\nmx.example.test CNAME srv.host.test\nsrv.host.test A 203.0.113.1"
    )
    asked, domain = Question(URL, "HTTP"), Domain("example.test")
    world = World(alias, {}, (), {URL: page("200", body)})
    seen = Records()
    for _ in range(3):
        seen = seen.including({each: world.answer(each) for each in (asked, *find("mx").ask(domain, seen))})
    (finding,) = find("mx").judge(domain, seen).findings
    line = "example.test. IN MX 10 srv.host.test."
    policy = f"First add mx: srv.host.test to {URL} and give its record a new id; then:\n"
    assert finding.fix == (policy if first else "") + line


@pytest.mark.parametrize(
    ("pattern", "host", "covered"),
    [
        ("mx.example.test", "mx.example.test", True),
        ("*.example.test", "mx.example.test", True),
        ("*.example.test", "a.mx.example.test", False),
        ("*.example.test", "example.test", False),
        ("mx.example.test", "mx2.example.test", False),
    ],
)
def test_patterns(pattern: str, host: str, covered: bool) -> None:
    assert mtasts.covers(pattern, host) is covered


@given(st.text(max_size=500) | st.lists(st.sampled_from(POLICY.split("\r\n"))).map("\n".join))
def test_any_text_is_read(text: str) -> None:
    policy = mtasts.policy(text)
    assert policy.mode in {"", "enforce", "testing", "none"}
    assert 0 <= policy.max_age <= mtasts.MAX_AGE
    assert mtasts.record(text).id is not None
