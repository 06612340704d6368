"""NS, SOA and RDAP: the delegation, the servers themselves, and the registration."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.facts import Answer, Status
from probe.grammar import rdap
from tests.checks_world import Audit, Page, audit

NS = """
    example.test     NS ns1.example.test
    example.test     NS ns2.example.test
    ns1.example.test A  203.0.113.1
    ns2.example.test A  198.51.100.1
"""
DELEGATIONS = {
    "good": (NS, "valid", []),
    "no such domain": ("", "missing", []),
    "not a zone of its own": ("www.example.test A 203.0.113.1", "not_applicable", []),
    "one server": (
        "example.test NS ns1.example.test\n ns1.example.test A 203.0.113.1",
        "warn",
        ["ns_soa/single-server"],
    ),
    "a server without address": (NS + "example.test NS gone.example.test", "warn", ["ns_soa/no-address"]),
    "a private server": (
        NS + "example.test NS in.example.test\n in.example.test A 10.0.0.1",
        "warn",
        ["ns_soa/private-address"],
    ),
    "an alias": (
        NS + "example.test NS a.example.test\n a.example.test CNAME ns1.example.test",
        "warn",
        ["ns_soa/cname-target"],
    ),
    "one network": (NS.replace("198.51.100.1", "203.0.113.2"), "valid", ["ns_soa/one-network"]),
}


@pytest.mark.parametrize("case", DELEGATIONS)
def test_delegation(case: str) -> None:
    world, state, ids = DELEGATIONS[case]
    found = audit("ns_soa", "example.test", world)
    assert (found.state, found.ids) == (state, ids)
    assert not any("@" in question.type for question in found.asked)


ONE = NS.replace("198.51.100.1", "203.0.113.2")


def test_ipv6_is_asked_only_where_ipv4_is_one_network() -> None:
    assert {str(question) for question in audit("ns_soa", "example.test", ONE).asked} >= {
        "ns1.example.test AAAA",
        "ns2.example.test AAAA",
    }
    assert not any(question.type == "AAAA" for question in audit("ns_soa", "example.test", NS).asked)


@pytest.mark.parametrize("broken", ["ns2.example.test A", "ns2.example.test AAAA"])
def test_one_network_is_said_of_known_addresses_only(broken: str) -> None:
    assert "ns_soa/one-network" not in audit("ns_soa", "example.test", ONE, broken={broken: "timeout"}).ids


def test_one_network_is_not_said_of_servers_that_were_not_followed() -> None:
    many = "".join(
        f"example.test NS ns{at}.example.test\n ns{at}.example.test A 203.0.113.{at}\n" for at in range(1, 12)
    )
    assert audit("ns_soa", "example.test", many).ids == []


@pytest.mark.parametrize("broken", ["example.test NS", "ns1.example.test A"])
def test_a_failed_lookup_is_unknown(broken: str) -> None:
    found = audit("ns_soa", "example.test", NS, broken={broken: "servfail"})
    assert (found.state, found.ids) == ("unknown", ["ns_soa/unknown"])


def direct(*lines: str, broken: dict[str, str] | None = None) -> Audit:
    told = [f"example.test {kind}@{address} {value}" for kind, value in SAME for address in ADDRESSES]
    keys = {line.split()[1] for line in lines}
    world = NS + "\n".join([*(line for line in told if line.split()[1] not in keys), *lines])
    return audit("ns_soa", "example.test", world, broken=broken or {}, options=frozenset({"authoritative"}))


ADDRESSES = ("203.0.113.1", "198.51.100.1")
SAME = (
    ("SOA", "ns1.example.test h.example.test 7 1 1 1 1"),
    ("MX", "10 mx.example.test"),
    ("TXT", "v=spf1 -all"),
)
SOA = "ns1.example.test h.example.test 8 1 1 1 1"


def test_servers_that_agree() -> None:
    found = direct()
    assert (found.state, found.ids) == ("valid", [])
    assert found.evaluation["serials"] == dict.fromkeys(ADDRESSES, "7")


def test_servers_that_differ() -> None:
    found = direct("example.test TXT@198.51.100.1 v=spf1 +all")
    assert found.ids == ["ns_soa/answers-differ"]
    assert found.details == {
        "ns_soa/answers-differ": "TXT: 198.51.100.1 has v=spf1 +all, 203.0.113.1 has not"
    }
    assert direct(f"example.test SOA@198.51.100.1 {SOA}").ids == ["ns_soa/serials-differ"]


def test_servers_that_do_not_serve() -> None:
    assert direct(broken={"example.test SOA@198.51.100.1": "refused"}).ids == ["ns_soa/lame"]
    silent = direct(broken={"example.test SOA@198.51.100.1": "timeout"})
    assert (silent.state, silent.ids) == ("unknown", ["ns_soa/silent-server"])


# -- RDAP -----------------------------------------------------------------------------------------

BOOTSTRAP = json.dumps({"services": [[["test", "example"], ["http://insecure.test", "https://rdap.test"]]]})


def registered(dates: dict[str, str], *, code: str = "200", status: tuple[str, ...] = ()) -> Audit:
    body = json.dumps(
        {
            "objectClassName": "domain",
            "status": status,
            "events": [{"eventAction": action, "eventDate": date} for action, date in dates.items()],
        }
    )
    page = (code, "application/rdap+json", "Sat, 21 Nov 2026 12:00:00 GMT", body)
    web: dict[str, Page] = {
        "https://data.iana.org/rdap/dns.json": BOOTSTRAP,
        "https://rdap.test/domain/example.test": page,
    }
    return audit("rdap", "example.test", web=web, options=frozenset({"rdap"}))


def test_rdap_is_asked_by_option_only() -> None:
    found = audit("rdap", "example.test")
    assert (found.state, found.asked) == ("not_applicable", ())


REGISTRATIONS = {
    "old": ({"registration": "2009-01-01T00:00:00Z", "expiration": "2027-06-01T00:00:00Z"}, "valid", []),
    "ten days old": ({"registration": "2026-11-11T12:00:00Z"}, "warn", ["rdap/young"]),
    "ends next week": ({"expiration": "2026-11-28T12:00:00Z"}, "warn", ["rdap/expires-soon"]),
    "ended": ({"expiration": "2026-11-01T12:00:00Z"}, "invalid", ["rdap/expired"]),
}


@pytest.mark.parametrize("case", REGISTRATIONS)
def test_registrations(case: str) -> None:
    dates, state, ids = REGISTRATIONS[case]
    found = registered(dates)
    assert (found.state, found.ids) == (state, ids)


def test_status() -> None:
    assert registered({}, status=("client hold",)).ids == ["rdap/on-hold"]
    assert registered({}, status=("redemption period",)).ids == ["rdap/expired"]
    assert registered({}, code="404").ids == ["rdap/not-registered"]
    assert registered({}, code="429").ids == ["rdap/unknown"]
    assert registered({"registration": "2026-11-11T12:00:00Z"}).evaluation["age_days"] == 10


def test_a_subdomain_is_looked_up_at_its_registration() -> None:
    body = '{"objectClassName": "domain", "events": []}'
    missing = ("404", "", "", "{}")
    web: dict[str, Page] = {
        "https://data.iana.org/rdap/dns.json": BOOTSTRAP,
        "https://rdap.test/domain/mail.example.test": missing,
        "https://rdap.test/domain/example.test": body,
    }
    found = audit("rdap", "mail.example.test", web=web, options=frozenset({"rdap"}))
    assert (found.state, found.evaluation["name"]) == ("valid", "example.test")


def test_what_cannot_be_asked_is_unknown() -> None:
    on = frozenset({"rdap"})
    bootstrap: dict[str, Page] = {"https://data.iana.org/rdap/dns.json": BOOTSTRAP}
    assert audit("rdap", "example.test", options=on).ids == ["rdap/unknown"]
    assert audit("rdap", "example.zz", web=bootstrap, options=on).details == {
        "rdap/unknown": "no RDAP server is known for .zz"
    }
    bootstrap["https://rdap.test/domain/example.test"] = Answer(Status.TIMEOUT)
    assert audit("rdap", "example.test", web=bootstrap, options=on).ids == ["rdap/unknown"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["services", "events", "status", "objectClassName", "eventDate"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(_json.map(json.dumps) | st.text(max_size=100))
def test_any_document_is_read(body: str) -> None:
    assert isinstance(rdap.server(body, "test"), str)
    rdap.registration(body)
    rdap.moment(body)


@pytest.mark.parametrize(
    "text", ["Mon, 01 Jan 99999999999999999999 00:00:00 +0000", "Mon, 01 Jan 2026 00:00:00 +99999999999999"]
)
def test_a_time_that_no_calendar_has_is_none(text: str) -> None:
    assert rdap.moment(text) is None


def test_deep_documents() -> None:
    assert rdap.registration("[" * 100_000) is None
