"""PTR: the name of a sending address, there and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.grammar.rdns import generic, is_hostname, reversed_address
from tests.checks_world import audit

IP = "203.0.113.7"
PTR = "7.113.0.203.in-addr.arpa PTR"
GOOD = f"{PTR} mail.example.test\n mail.example.test A {IP}"
V6 = "2001:db8::25"
V6_PTR = f"{reversed_address(V6)}.ip6.arpa PTR"

WORLDS = {
    "good": (GOOD, "valid", []),
    "no name": ("", "missing", ["ptr/none"]),
    "not back": (
        f"{PTR} mail.example.test\n mail.example.test A 203.0.113.8",
        "invalid",
        ["ptr/not-confirmed"],
    ),
    "name without address": (f"{PTR} mail.example.test", "invalid", ["ptr/not-confirmed"]),
    "an address as name": (f"{PTR} 203.0.113.9", "invalid", ["ptr/not-a-hostname"]),
    "escape bytes": (
        PTR + r" \027[2J\032<script>alert\(1\)</script>.example.test",
        "invalid",
        ["ptr/not-a-hostname"],
    ),
    "a bare word": (f"{PTR} localhost", "invalid", ["ptr/not-a-hostname"]),
    "made of the address": (
        f"{PTR} host-203-0-113-7.isp.test\n host-203-0-113-7.isp.test A {IP}",
        "warn",
        ["ptr/generic"],
    ),
    "classless delegation": (
        f"""7.113.0.203.in-addr.arpa CNAME 7.0-15.113.0.203.in-addr.arpa
            7.0-15.113.0.203.in-addr.arpa PTR mail.example.test
            mail.example.test A {IP}""",
        "valid",
        [],
    ),
    "two names, one good": (
        f"{PTR} other.example.test\n {PTR} mail.example.test\n mail.example.test A {IP}",
        "valid",
        [],
    ),
    "eleven names": (
        GOOD + "".join(f"\n {PTR} n{at}.example.test" for at in range(10)),
        "valid",
        ["ptr/many"],
    ),
}


@pytest.mark.parametrize("case", WORLDS)
def test_world(case: str) -> None:
    world, state, ids = WORLDS[case]
    found = audit("ptr", "example.test", world, sending_ips=(IP,))
    assert (found.state, sorted(found.ids)) == (state, ids)


def test_ipv6_goes_by_nibbles() -> None:
    world = f"{V6_PTR} mail.example.test\n mail.example.test AAAA 2001:db8:0:0::25"
    found = audit("ptr", "example.test", world, sending_ips=(V6,))
    assert (found.state, found.ids) == ("valid", [])


@pytest.mark.parametrize("broken", ["7.113.0.203.in-addr.arpa PTR", "mail.example.test A"])
def test_a_failed_lookup_is_unknown(broken: str) -> None:
    found = audit("ptr", "example.test", GOOD, sending_ips=(IP,), broken={broken: "servfail"})
    assert (found.state, found.ids) == ("unknown", ["ptr/unknown"])


def test_helo() -> None:
    told: dict[str, Any] = {"sending_ips": (IP,), "helo": "out.example.test"}
    elsewhere = audit("ptr", "example.test", GOOD + "\nout.example.test A 203.0.113.9", **told)
    assert elsewhere.ids == ["ptr/helo-mismatch", "ptr/helo-not-confirmed"]
    assert elsewhere.fixes["ptr/helo-not-confirmed"] == f"out.example.test. IN A {IP}"
    other = audit("ptr", "example.test", GOOD + f"\nout.example.test A {IP}", **told)
    assert other.ids == ["ptr/helo-mismatch"]
    same = audit("ptr", "example.test", GOOD, sending_ips=(IP,), helo="mail.example.test")
    assert same.ids == []


def test_a_private_address_is_not_asked_for() -> None:
    found = audit("ptr", "example.test", sending_ips=("10.0.0.1",))
    assert (found.ids, found.asked) == (["ptr/private-address"], ())


def test_the_fix_names_who_must_act() -> None:
    found = audit("ptr", "example.test", sending_ips=(IP,), helo="out.example.test")
    line = f"Have the owner of {IP} publish: 7.113.0.203.in-addr.arpa. IN PTR out.example.test."
    assert found.fixes["ptr/none"] == f"First publish: out.example.test. IN A {IP}\nThen h{line[1:]}"
    leading = audit(
        "ptr", "example.test", f"out.example.test A {IP}", sending_ips=(IP,), helo="out.example.test"
    )
    assert leading.fixes["ptr/none"] == line


def test_without_a_name_the_address_lacks_one_whatever_is_unknown_of_helo() -> None:
    told: dict[str, Any] = {"sending_ips": (IP,), "helo": "out.example.test"}
    found = audit("ptr", "example.test", broken={"out.example.test A": "timeout"}, **told)
    assert (found.state, sorted(found.ids)) == ("missing", ["ptr/none", "ptr/unknown"])
    led = audit("ptr", "example.test", f"{GOOD}\nout.example.test A 203.0.113.9", **told)
    assert (led.state, "ptr/helo-not-confirmed" in led.ids) == ("warn", True)


def test_the_name_of_another_is_not_the_senders_to_publish() -> None:
    world = f"{PTR} web.isp.test\nweb.isp.test A 203.0.113.9"
    found = audit("ptr", "example.test", world, sending_ips=(IP,), helo="mx.example.test")
    assert found.fixes["ptr/not-confirmed"].startswith(f"First publish: mx.example.test. IN A {IP}\n")
    greeting = audit("ptr", "example.test", world, sending_ips=(IP,), helo="out.isp.test")
    assert greeting.fixes["ptr/not-confirmed"].startswith("First publish: mail.example.test. IN A ")
    assert greeting.fixes["ptr/helo-not-confirmed"] == ""
    own = audit("ptr", "example.test", f"{PTR} web.example.test", sending_ips=(IP,))
    assert own.fixes["ptr/not-confirmed"] == f"web.example.test. IN A {IP}"
    aliased = f"{PTR} web.example.test\nweb.example.test CNAME isp.test\nisp.test A 203.0.113.9"
    found = audit("ptr", "example.test", aliased, sending_ips=(IP,))
    assert found.fixes["ptr/not-confirmed"] == f"At isp.test, by its owner: isp.test. IN A {IP}"


NAMES = {
    "mail.example.com": False,
    "o1.ptr123.sendgrid.net": False,
    "mail-wr1-f41.google.com": False,
    "a10-5.smtp-out.amazonses.com": False,
    "dynamics.example.com": False,
    "203-0-113-7.isp.example.com": True,
    "7.113.0.203.static.example.com": True,
    "ec2-203-0-113-7.compute-1.amazonaws.com": True,
    "host203000113007.example.com": True,
    "cb007107.example.com": True,
    "x.dyn.example.com": True,
    "client.dsl.example.com": True,
    "unassigned.example.com": True,
}


@pytest.mark.parametrize(
    ("helo", "better", "before"),
    [
        ("", "mail.example.test", f"First publish: mail.example.test. IN A {IP}\n"),
        ("out.example.test", "out.example.test", ""),
    ],
)
def test_a_name_made_of_the_address_is_no_better_under_the_own_domain(
    helo: str, better: str, before: str
) -> None:
    name = "mail-203-0-113-7.example.test"
    world = f"7.113.0.203.in-addr.arpa PTR {name}\n {name} A {IP}\n out.example.test A {IP}"
    found = audit("ptr", "example.test", world, sending_ips=(IP,), helo=helo)
    line = f"7.113.0.203.in-addr.arpa. IN PTR {better}."
    owner = f"ave the owner of {IP} publish: {line}"
    assert found.fixes["ptr/generic"] == (f"{before}Then h{owner}" if before else f"H{owner}")
    followed = f"7.113.0.203.in-addr.arpa PTR {better}\n {better} A {IP}"
    assert audit("ptr", "example.test", followed, sending_ips=(IP,), helo=helo).ids == []


@pytest.mark.parametrize("name", NAMES)
def test_generic_names(name: str) -> None:
    assert bool(generic(name, IP)) is NAMES[name]


@given(st.text(max_size=300), st.sampled_from([IP, V6]))
def test_any_name_can_be_judged(name: str, address: str) -> None:
    assert isinstance(generic(name, address), str)
    assert is_hostname(name) in {True, False}


MX = f"example.test MX 10 mail.example.test\n mail.example.test A {IP}"


@pytest.mark.parametrize(
    ("world", "ids"),
    [
        (f"{MX}\n {PTR} mail.example.test", []),
        (MX, ["ptr/mx-none"]),
        (f"{MX}\n {PTR} other.example.test", ["ptr/mx-not-confirmed"]),
    ],
)
def test_without_a_sending_address_mx_hosts_are_worth_a_note(world: str, ids: list[str]) -> None:
    found = audit("ptr", "example.test", world)
    assert (found.state, found.ids) == ("not_applicable", ids)
