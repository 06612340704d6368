"""Sets of addresses as spans: who is let in first, how many, and what covers what."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.checks._spf_networks import EVERYTHING, Span, count, covers, decide, network_span, union

spans = st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
layers = st.lists(st.tuples(st.booleans(), st.lists(spans, max_size=4)), max_size=6)


def span(text: str) -> Span:
    return network_span(ipaddress.ip_network(text))


def members(held: Sequence[Span]) -> set[int]:
    return {place for low, high in held for place in range(low, high + 1)}


@settings(max_examples=200, deadline=None)
@given(layers)
def test_the_first_layer_that_holds_an_address_decides(given_layers: list[tuple[bool, list[Span]]]) -> None:
    expected = set()
    for place in range(60):
        first = next((yes for yes, held in given_layers if place in members(held)), False)
        if first:
            expected.add(place)
    assert members(decide(given_layers)) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(spans, max_size=8), st.lists(spans, max_size=8))
def test_union_count_and_cover(some: list[Span], others: list[Span]) -> None:
    assert members(union(some)) == members(some)
    assert count(some) == (len(members(some)), 0)
    assert covers(some, others) == (members(others) <= members(some))


@pytest.mark.parametrize(
    ("networks", "four", "six"),
    [
        (["192.0.2.0/24"], 256, 0),
        (["192.0.2.0/24", "192.0.2.128/25", "192.0.3.0/24"], 512, 0),
        (["0.0.0.0/1", "128.0.0.0/1"], 2**32, 0),
        (["2001:db8::/32", "2001:db8::1/128"], 0, 2**96),
        (["255.255.255.255/32", "::/128"], 1, 1),
        (["0.0.0.0/0", "::/0"], 2**32, 2**128),
        ([], 0, 0),
    ],
)
def test_addresses_are_counted_once(networks: list[str], four: int, six: int) -> None:
    assert count(span(network) for network in networks) == (four, six)


def test_everything_is_everything() -> None:
    assert count(EVERYTHING) == (2**32, 2**128)
    assert union([*EVERYTHING, *EVERYTHING]) == EVERYTHING
    assert covers(EVERYTHING, EVERYTHING)
    assert decide([(True, EVERYTHING), (True, EVERYTHING), (False, EVERYTHING)]) == EVERYTHING
    assert decide([(False, [span("10.0.0.0/8")]), (True, EVERYTHING)]) != EVERYTHING
