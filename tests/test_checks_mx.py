"""MX: each world is a zone, each expectation the ids and the state."""

from __future__ import annotations

import pytest

from probe.checks.mx import implicit
from probe.facts import Answer, Question, Records, Status
from tests.checks_world import audit

GOOD = """
    example.test     MX   10 mx1.example.test
    example.test     MX   20 mx2.example.test
    mx1.example.test A    203.0.113.1
    mx2.example.test A    198.51.100.1
    mx2.example.test AAAA 2001:db8::1
"""

WORLDS = {
    "good": (GOOD, "valid", []),
    "no such domain": ("", "missing", ["mx/no-such-domain"]),
    "nothing that takes mail": ("example.test TXT x", "missing", ["mx/none"]),
    "no MX but an address": ("example.test A 203.0.113.1", "warn", ["mx/implicit"]),
    "null MX": ("example.test MX 0 .", "warn", ["mx/null"]),
    "null MX beside a real one": (
        "example.test MX 0 .\n example.test MX 10 mx.example.test\n mx.example.test A 203.0.113.1",
        "invalid",
        ["mx/null-and-others"],
    ),
    "alias": (
        "example.test MX 10 a.example.test\n a.example.test CNAME b.example.test\n b.example.test A 203.0.113.1",
        "warn",
        ["mx/cname-target"],
    ),
    "an alias that leads nowhere": (
        GOOD + "example.test MX 5 a.example.test\n a.example.test CNAME gone.test",
        "warn",
        ["mx/no-address"],
    ),
    "address literal": (
        "example.test MX 10 203.0.113.1",
        "invalid",
        ["mx/address-literal", "mx/unreachable"],
    ),
    "one host without address": (
        GOOD + "example.test MX 5 gone.example.test",
        "warn",
        ["mx/no-address"],
    ),
    "nothing but a dangling name": (
        "example.test MX 10 gone.example.test",
        "invalid",
        ["mx/no-address", "mx/unreachable"],
    ),
    "private and metadata addresses": (
        """example.test MX 10 m.example.test
           m.example.test A 169.254.169.254
           m.example.test A 10.1.2.3
           m.example.test AAAA ::1""",
        "invalid",
        ["mx/private-address", "mx/unreachable"],
    ),
    "localhost beside a good host": (
        GOOD + "example.test MX 5 localhost",
        "warn",
        ["mx/private-address"],
    ),
    "same host twice": (
        "example.test MX 10 mx.example.test\n example.test MX 20 mx.example.test\n mx.example.test A 203.0.113.1",
        "valid",
        ["mx/duplicate"],
    ),
    "IPv6 only": (
        "example.test MX 10 mx.example.test\n mx.example.test AAAA 2001:db8::1",
        "warn",
        ["mx/ipv6-only"],
    ),
    "two providers": (
        """example.test MX 1 aspmx.l.google.com
           example.test MX 10 example-test.mail.protection.outlook.com
           aspmx.l.google.com A 203.0.113.1
           example-test.mail.protection.outlook.com A 203.0.113.2""",
        "warn",
        ["mx/mixed-providers"],
    ),
    "underscore": (
        "example.test MX 10 my_mx.example.test\n my_mx.example.test A 203.0.113.1",
        "warn",
        ["mx/not-a-hostname"],
    ),
}


@pytest.mark.parametrize("case", WORLDS)
def test_world(case: str) -> None:
    world, state, ids = WORLDS[case]
    found = audit("mx", "example.test", world)
    assert (found.state, sorted(found.ids)) == (state, ids)


@pytest.mark.parametrize("how", ["servfail", "refused", "timeout", "truncated", "garbled", "skipped"])
def test_a_failed_lookup_is_unknown(how: str) -> None:
    found = audit("mx", "example.test", GOOD, broken={"example.test MX": how})
    assert (found.state, found.ids) == ("unknown", ["mx/unknown"])
    assert found.judgement.findings[0].evidence["question"] == "example.test MX"
    assert found.judgement.findings[0].evidence["status"] == how


def test_a_failed_address_does_not_make_the_domain_unreachable() -> None:
    world = "example.test MX 10 mx.example.test"
    broken = {"mx.example.test A": "timeout", "mx.example.test AAAA": "timeout"}
    found = audit("mx", "example.test", world, broken=broken)
    assert (found.state, found.ids) == ("unknown", ["mx/unknown"])


def test_a_thousand_hosts_cost_twenty_questions() -> None:
    world = "\n".join(f"example.test MX {at} m{at}.example.test" for at in range(1000))
    found = audit("mx", "example.test", world + "\n" + "m0.example.test A 203.0.113.1")
    assert len(found.asked) == 21
    assert "mx/many" in found.ids
    assert "mx/unreachable" not in found.ids
    assert found.details["mx/many"] == "1000 hosts, 10 followed"


def test_fixes_are_records_to_paste() -> None:
    found = audit("mx", "example.test", WORLDS["alias"][0])
    assert found.fixes["mx/cname-target"] == "example.test. IN MX 10 b.example.test."
    found = audit("mx", "example.test", WORLDS["address literal"][0])
    assert found.fixes["mx/address-literal"] == (
        "mail.example.test. IN A 203.0.113.1\nexample.test. IN MX 10 mail.example.test."
    )
    found = audit("mx", "example.test", WORLDS["no MX but an address"][0])
    assert found.fixes["mx/implicit"] == "example.test. IN MX 10 example.test."


@pytest.mark.parametrize(
    ("domain", "host", "meant"),
    [
        ("example.test", "mail.example.test.example.test", "example.test. IN MX 10 mail.example.test."),
        ("example.test", "example.test.example.test", "example.test. IN MX 10 example.test."),
        ("example.test", "smtp.google.com.example.test", "example.test. IN MX 10 smtp.google.com."),
        (
            "news.example.test",
            "mail.example.test.example.test",
            "news.example.test. IN MX 10 mail.example.test.",
        ),
        (
            "example.test",
            "203.0.113.7.example.test",
            "mail.example.test. IN A 203.0.113.7\nexample.test. IN MX 10 mail.example.test.",
        ),
        ("example.test", "10.0.0.1.example.test", ""),
        ("example.test", "mail.host.example.test", ""),
        ("example.test", "mail.host.test", ""),
    ],
)
def test_a_final_dot_that_is_missing_is_seen(domain: str, host: str, meant: str) -> None:
    found = audit("mx", domain, f"{domain} MX 10 {host}")
    assert found.ids == ["mx/no-address", "mx/unreachable"]
    fix = found.fixes["mx/no-address"]
    assert (
        fix.removeprefix("A final dot is missing, so the name of the zone was added to the host. Write:\n")
        == meant
    )


SILENT = "example.test TXT v=spf1 -all"


@pytest.mark.parametrize(
    ("world", "state"),
    [(SILENT, "missing"), (f"{SILENT}\nexample.test A 203.0.113.1", "valid")],
    ids=["nothing", "an address"],
)
def test_a_domain_that_sends_nothing_is_told_of_the_null_mx(world: str, state: str) -> None:
    found = audit("mx", "example.test", world)
    assert (found.state, found.ids) == (state, ["mx/null-missing"])
    assert found.fixes["mx/null-missing"] == "example.test. IN MX 0 ."
    told = audit("mx", "example.test", world, sending_ips=("203.0.113.1",))
    assert told.ids in (["mx/none"], ["mx/implicit"])
    followed = audit("mx", "example.test", f"{world}\nexample.test MX 0 .")
    assert (followed.state, followed.ids) == ("valid", ["mx/no-mail"])


@pytest.mark.parametrize(
    ("text", "expected"), [("v=spf1 mx -all", "mx/implicit"), ("v=spf1 -all", "mx/null-missing")]
)
def test_no_mx_is_to_be_pasted_beside_an_alias(text: str, expected: str) -> None:
    world = f"app.example.test CNAME host.test\nhost.test A 203.0.113.1\nhost.test TXT {text}"
    found = audit("mx", "app.example.test", world)
    assert "an alias of host.test" in found.fixes[expected]
    assert " IN MX " not in found.fixes[expected]


def test_the_evaluation_names_hosts_and_addresses() -> None:
    assert audit("mx", "example.test", GOOD).evaluation["hosts"][1] == {
        "preference": 20,
        "host": "mx2.example.test",
        "addresses": ["198.51.100.1", "2001:db8::1"],
    }


@pytest.mark.parametrize("status", Status)
def test_an_address_takes_the_place_of_mx_where_there_is_known_to_be_none(status: Status) -> None:
    mail = {
        Question("example.test", "MX"): Answer(status, ("10 mx.example.test",) if status is Status.OK else ())
    }
    text = {Question("example.test", "TXT"): Answer(Status.OK, ("v=spf1 -all",))}
    assert implicit("example.test", Records(mail)) is (status is Status.NODATA)
    assert implicit("example.test", Records(mail | text)) is (status in {Status.NODATA, Status.NXDOMAIN})
    assert not implicit("example.test", Records(text))
