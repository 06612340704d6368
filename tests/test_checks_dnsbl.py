"""DNSBL: lists that answer, refuse, list everybody, or are silent."""

from __future__ import annotations

import pytest

from probe.checks._dnsbl_lists import LISTS, List, Meaning, meanings
from tests.checks_world import audit

IP = "203.0.113.7"
ZEN = "zen.spamhaus.org"
ON = frozenset({"dnsbl"})
HEALTHY = """
    2.0.0.127.zen.spamhaus.org        A 127.0.0.2
    2.0.0.127.bl.spamcop.net          A 127.0.0.2
    2.0.0.127.psbl.surriel.com        A 127.0.0.2
    dbltest.com.dbl.spamhaus.org      A 127.0.1.2
    surbl-org-permanent-test-point.com.multi.surbl.org A 127.0.0.254
    test.uribl.com.multi.uribl.com    A 127.0.0.14
"""


def test_nothing_is_asked_without_the_option() -> None:
    found = audit("dnsbl", "example.test", HEALTHY, sending_ips=(IP,))
    assert (found.state, found.asked) == ("not_applicable", ())


def test_clean() -> None:
    found = audit("dnsbl", "example.test", HEALTHY, sending_ips=(IP,), options=ON)
    assert (found.state, found.ids) == ("valid", [])
    assert found.evaluation[ZEN] == {IP: "not listed"}
    assert found.evaluation["multi.uribl.com"] == {"example.test": "not listed"}


CASES = {
    "SBL": (f"7.113.0.203.{ZEN} A 127.0.0.2", "invalid", ["dnsbl/listed"]),
    "PBL is policy": (f"7.113.0.203.{ZEN} A 127.0.0.10", "warn", ["dnsbl/policy"]),
    "both": (
        f"7.113.0.203.{ZEN} A 127.0.0.4\n 7.113.0.203.{ZEN} A 127.0.0.11",
        "invalid",
        ["dnsbl/listed", "dnsbl/policy"],
    ),
    "a public resolver": (f"7.113.0.203.{ZEN} A 127.255.255.254", "unknown", ["dnsbl/unknown"]),
    "rewritten": (f"7.113.0.203.{ZEN} A 198.51.100.80", "unknown", ["dnsbl/unknown"]),
    "the domain, phishing": ("example.test.dbl.spamhaus.org A 127.0.1.4", "invalid", ["dnsbl/domain-listed"]),
    "SURBL flags": ("example.test.multi.surbl.org A 127.0.0.72", "invalid", ["dnsbl/domain-listed"]),
    "SURBL blocks": ("example.test.multi.surbl.org A 127.0.0.1", "unknown", ["dnsbl/unknown"]),
    "URIBL refuses, whatever else": (
        "example.test.multi.uribl.com A 127.0.0.255",
        "unknown",
        ["dnsbl/unknown"],
    ),
    "an answer nobody documents": (f"7.113.0.203.{ZEN} A 127.0.0.99", "unknown", ["dnsbl/unknown"]),
    "URIBL grey": ("example.test.multi.uribl.com A 127.0.0.4", "warn", ["dnsbl/watched"]),
}


DOCUMENTED = [
    (each, answer)
    for each in LISTS
    for answer in (*each.codes, *(f"127.0.0.{bit}" for bit in each.bits))
    if each.zone in HEALTHY
]


@pytest.mark.parametrize(("asked", "answer"), DOCUMENTED, ids=lambda value: getattr(value, "zone", value))
def test_each_documented_answer_speaks_of_what_the_list_lists(asked: List, answer: str) -> None:
    subject = "example.test" if asked.of == "domain" else "7.113.0.203"
    found = audit(
        "dnsbl",
        "example.test",
        f"{HEALTHY} {subject}.{asked.zone} A {answer}",
        sending_ips=(IP,),
        options=frozenset({f"dnsbl:{asked.zone}"}),
    )
    titles = [finding.rule.title for finding in found.judgement.findings]
    assert titles == ["A block list did not answer"] or all(f" {asked.of}" in title for title in titles)
    assert titles


@pytest.mark.parametrize("case", CASES)
def test_answers(case: str) -> None:
    world, state, ids = CASES[case]
    found = audit("dnsbl", "example.test", HEALTHY + world, sending_ips=(IP,), options=ON)
    assert (found.state, sorted(found.ids)) == (state, ids)


OWN = frozenset({"dnsbl:bl.example.net"})
ILL = {
    "lists everybody": (
        """2.0.0.127.bl.example.net A 127.0.0.2
           1.0.0.127.bl.example.net A 127.0.0.2
           7.113.0.203.bl.example.net A 127.0.0.2""",
        {},
    ),
    "empty": ("bl.example.net SOA x", {}),
    "refuses": ("2.0.0.127.bl.example.net A 127.255.255.254", {}),
    "fails": ("", {"2.0.0.127.bl.example.net A": "servfail"}),
    "silent": ("2.0.0.127.bl.example.net A 127.0.0.2", {"1.0.0.127.bl.example.net A": "timeout"}),
}


@pytest.mark.parametrize("case", ILL)
def test_an_ill_list_is_not_believed_and_not_asked(case: str) -> None:
    world, broken = ILL[case]
    found = audit("dnsbl", "example.test", world, broken=broken, sending_ips=(IP,), options=OWN)
    assert (found.state, found.ids) == ("unknown", ["dnsbl/unknown"])
    assert len(found.asked) == 2


def test_a_healthy_list_that_fails_in_the_middle() -> None:
    world = "2.0.0.127.bl.example.net A 127.0.0.2"
    found = audit(
        "dnsbl",
        "example.test",
        world,
        broken={"7.113.0.203.bl.example.net A": "timeout"},
        sending_ips=(IP,),
        options=OWN,
    )
    assert found.details == {"dnsbl/unknown": f"{IP} in bl.example.net: timeout"}


def test_dead_lists_are_never_asked() -> None:
    found = audit(
        "dnsbl", "example.test", sending_ips=(IP,), options=frozenset({"dnsbl:spam.dnsbl.sorbs.net"})
    )
    assert (found.ids, found.asked) == (["dnsbl/dead-list"], ())


def test_a_subdomain_is_looked_up_with_its_registration() -> None:
    found = audit(
        "dnsbl", "news.example.test", HEALTHY + "example.test.dbl.spamhaus.org A 127.0.1.2", options=ON
    )
    assert found.ids == ["dnsbl/domain-listed"]
    assert found.evaluation["dbl.spamhaus.org"] == {
        "news.example.test": "not listed",
        "example.test": "domain-listed",
    }


def test_ipv6_is_asked_only_where_it_is_listed() -> None:
    found = audit("dnsbl", "example.test", HEALTHY, sending_ips=("2001:db8::1",), options=ON)
    asked = {question.name for question in found.asked}
    assert any(name.endswith(f"8.b.d.0.1.0.0.2.{ZEN}") for name in asked)
    assert not any("spamcop" in name for name in asked)


@pytest.mark.parametrize("asked", LISTS, ids=lambda each: each.zone)
def test_refusals_are_never_listings(asked: List) -> None:
    for answer in ("127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.0.1", "192.0.2.80", "x"):
        assert {meaning for meaning, _ in meanings(asked, answer)} == {Meaning.REFUSED}
