"""An independent implementation as the witness: random policies in random zones, the same result.

Known differences, told by pyspf's own words (`DIFFERENT`):

- pyspf counts every empty answer as a void lookup, those for the addresses of MX hosts and for ``%{p}``
  too; RFC 7208 section 4.6.4 speaks of terms.
- pyspf finds an include or redirect of the very domain wrong before it comes to it, even behind ``all``;
  section 4.6 asks for that with syntax errors only.
- pyspf finds an unknown modifier wrong that stands twice; section 6 wants those ignored wherever and
  however often they stand.
- pyspf counts a redirect as a lookup where a mechanism has matched and it is never followed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from probe.checks import Domain
from probe.checks import spf as check
from probe.checks._spf_audit import Audit
from probe.checks._spf_evaluate import evaluate
from probe.checks._spf_networks import covers, network_span
from probe.checks._spf_reach import authorised
from probe.checks._spf_result import Result, Sender, records_of
from probe.facts import Question, Status
from tests.spf_world import World

pyspf = pytest.importorskip("spf", reason="pyspf is not installed")

NAMES = ("a.test", "b.test", "c.test", "d.test", "void.test")
HOSTS = ("h1.test", "h2.test")
FOUR = ("192.0.2.1", "192.0.2.130", "198.51.100.1", "203.0.113.9")
SIX = ("2001:db8::1", "2001:db8:1::1")

names = st.sampled_from((*NAMES, *HOSTS))
qualifiers = st.sampled_from(("", "+", "-", "~", "?"))
cidr4 = st.sampled_from(("", "/0", "/24", "/25", "/32", "/33"))
cidr6 = st.sampled_from(("", "//0", "//48", "//128", "//129"))
macros = st.sampled_from(
    ("%{d}", "%{i}.a.test", "%{ir}.a.test", "%{l}.b.test", "%{d2}", "%{o}", "%{h}", "%{x}.a.test")
)


@st.composite
def terms(draw: st.DrawFn) -> str:
    qualifier = draw(qualifiers)
    kind = draw(
        st.sampled_from(("all", "ip4", "ip6", "a", "mx", "include", "exists", "ptr", "redirect", "odd"))
    )
    if kind == "all":
        return f"{qualifier}all"
    if kind == "ip4":
        return f"{qualifier}ip4:{draw(st.sampled_from(FOUR))}{draw(cidr4)}"
    if kind == "ip6":
        return f"{qualifier}ip6:{draw(st.sampled_from(SIX))}{draw(cidr6).removeprefix('/')}"
    if kind in {"a", "mx"}:
        name = draw(st.one_of(st.just(""), names.map(":{}".format), macros.map(":{}".format)))
        return f"{qualifier}{kind}{name}{draw(cidr4)}{draw(cidr6)}"
    if kind in {"include", "exists"}:
        return f"{qualifier}{kind}:{draw(st.one_of(names, macros))}"
    if kind == "ptr":
        return f"{qualifier}ptr{draw(st.sampled_from(('', ':test', ':a.test')))}"
    if kind == "redirect":
        return f"redirect={draw(names)}"
    return draw(
        st.sampled_from(("moo", "a:192.0.2.1", "include", "all:x", "x=y", "ip4:1.2.3", "a:x", "mx:", "=all"))
    )


records = st.builds(lambda parts: " ".join(("v=spf1", *parts)), st.lists(terms(), max_size=5))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    zone: dict[str, dict[str, list[str]]] = {}
    for host in HOSTS:
        zone[host] = {
            "A": draw(st.lists(st.sampled_from(FOUR), min_size=1, max_size=2, unique=True)),
            "AAAA": draw(st.lists(st.sampled_from(SIX), min_size=1, max_size=2, unique=True)),
        }
    for name in NAMES[:-1]:
        zone[name] = {
            "TXT": draw(
                st.lists(records, min_size=1, max_size=1) | st.lists(records, max_size=2, unique=True)
            ),
            "A": draw(st.lists(st.sampled_from(FOUR), max_size=2, unique=True)),
            "AAAA": draw(st.lists(st.sampled_from(SIX), max_size=1)),
            "MX": [f"10 {host}" for host in draw(st.lists(st.sampled_from(HOSTS), max_size=2, unique=True))],
        }
    for address in (*FOUR, *SIX):
        zone[ipaddress.ip_address(address).reverse_pointer] = {
            "PTR": draw(st.lists(st.sampled_from(HOSTS), max_size=2, unique=True))
        }
    broken = draw(st.dictionaries(st.sampled_from(NAMES[:3]), st.just(Status.TIMEOUT), max_size=1))
    for name in broken:
        zone[name] = {}
    return World(zone, broken)


DIFFERENT = ("Void lookup limit", "trivial recursion", "x= MUST appear at most once")


def oracle(world: World, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> tuple[str, int, str]:
    def look(name: str, kind: str, *_: Any) -> Iterator[tuple[tuple[str, str], Any]]:
        answer = world.answer(Question(name.lower(), kind))
        if not answer.known:
            raise pyspf.TempError("DNS timeout")
        for value in answer.values:
            told: Any = value
            if kind == "TXT":
                told = (value.encode("latin-1"),)
            elif kind == "MX":
                preference, host = value.split(" ")
                told = (int(preference), host)
            yield (name, kind), told

    monkeypatch.setattr(pyspf, "DNSLookup", look)
    query = pyspf.query(i=str(sender.address), s=sender.mail_from, h=sender.helo, strict=True)
    result, _, words = query.check()
    return result, query.lookups, words


@settings(max_examples=100, deadline=None)
@given(
    world=worlds(),
    address=st.sampled_from((*FOUR, *SIX)),
    helo=st.sampled_from(("h1.test", "a.test", "unknown.invalid")),
)
def test_the_oracle_agrees(world: World, address: str, helo: str) -> None:
    sender = Sender(ipaddress.ip_address(address), helo, "ada.b@a.test")
    seen = world.settle(lambda known: evaluate(sender, known).missing)
    ours = evaluate(sender, seen)
    with pytest.MonkeyPatch.context() as monkeypatch:
        theirs, lookups, words = oracle(world, sender, monkeypatch)
    assume(ours.result == theirs or not any(known in words for known in DIFFERENT))
    assert ours.result == theirs, words
    if ours.result not in {Result.PERMERROR, Result.TEMPERROR} and "redirect=" not in repr(world):
        assert ours.lookups == lookups


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_the_addresses_that_are_counted_are_those_that_pass(world: World) -> None:
    domain = Domain("a.test", sending_ips=(*FOUR, *SIX))
    seen = world.settle(lambda known: check.ask(domain, known))
    assume(len(records_of(seen.answers[Question("a.test", "TXT")].values)) == 1)
    audit = Audit(domain, seen)
    assume(audit.sound and audit.tree is not None)
    assert audit.tree is not None
    spans, exact = authorised(audit.tree, seen)
    for address in map(ipaddress.ip_address, (*FOUR, *SIX)):
        found = evaluate(Sender(address, "h1.test", "ada@a.test"), seen)
        if found.result in {Result.PERMERROR, Result.TEMPERROR}:
            continue
        inside = covers(spans, [network_span(ipaddress.ip_network(address))])
        if exact:
            assert (found.result is Result.PASS) == inside
        assert found.lookups <= audit.tree.count
