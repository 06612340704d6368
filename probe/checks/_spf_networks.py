"""Sets of addresses as spans on one number line: exact unions, counts and first-match decisions.

IPv4 lies at 0 to 2^32 - 1, IPv6 right after it, so one sorted list holds both families. Everything is
O(n log n) in the number of spans: the lists come from other people's zones.
"""

from __future__ import annotations

import heapq
import ipaddress
from collections.abc import Iterable, Sequence

__all__ = ["EVERYTHING", "Span", "count", "covers", "decide", "network_span", "reachable", "size", "union"]

Span = tuple[int, int]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IP4_END = 2**32 - 1
_IP6_START = 2**32
EVERYTHING: tuple[Span, ...] = ((0, _IP4_END), (_IP6_START, _IP6_START + 2**128 - 1))


def network_span(network: Network) -> Span:
    """The place of a network on the line."""
    start = int(network.network_address) + (_IP6_START if network.version == 6 else 0)
    return start, start + network.num_addresses - 1


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same addresses in disjoint spans, in order; the two families are never joined into one span."""
    merged: list[Span] = []
    for low, high in sorted(spans):
        last = merged[-1][1] if merged else -2
        if low <= last + 1 and not last < _IP6_START <= low:
            merged[-1] = (merged[-1][0], max(last, high))
        else:
            merged.append((low, high))
    return tuple(merged)


# What no mail from outside comes from: the special-purpose registries (RFC 6890), and all of IPv6 but its
# global unicast. In disjoint spans, as those of a policy are.
_UNREACHABLE = union(
    network_span(ipaddress.ip_network(text))
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/3", "4000::/2", "8000::/1"),
    )
)


def reachable(spans: Iterable[Span]) -> bool:
    """Whether there is an address in a `union` that mail can come from."""
    return not all(any(begin <= low and high <= end for begin, end in _UNREACHABLE) for low, high in spans)


def count(spans: Iterable[Span]) -> tuple[int, int]:
    """How many IPv4 and IPv6 addresses are in some spans, each address counted once."""
    return size(union(spans))


def size(spans: Iterable[Span]) -> tuple[int, int]:
    """As `count`, of spans that are disjoint, as those of a `union`."""
    four = six = 0
    for low, high in spans:
        if low < _IP6_START:
            four += high - low + 1
        else:
            six += high - low + 1
    return four, six


def covers(outer: Iterable[Span], inner: Iterable[Span]) -> bool:
    """Whether every address of `inner` is in `outer`."""
    outer = tuple(outer)
    return count((*outer, *inner)) == count(outer)


def decide(layers: Sequence[tuple[bool, Iterable[Span]]]) -> tuple[Span, ...]:
    """The addresses whose first layer that holds them says yes.

    `layers` are in order, as the mechanisms of a record are; an address that no layer holds is not in the
    result. A sweep along the line: among the spans open at a place, the earliest layer decides.
    """
    deciding = max((at for at, (agrees, _) in enumerate(layers, 1) if agrees), default=0)
    if all(agrees for agrees, _ in layers[:deciding]):  # as in nearly every record: refusals come last
        return union(span for _, held in layers[:deciding] for span in held)
    spans = sorted((low, high, index) for index, (_, held) in enumerate(layers) for low, high in held)
    chosen: list[Span] = []
    opened: list[tuple[int, int]] = []  # a heap of (layer, last address)
    following = 0
    place = 0
    while following < len(spans) or opened:
        if not opened:
            place = max(place, spans[following][0])
        while following < len(spans) and spans[following][0] <= place:
            _, high, index = spans[following]
            heapq.heappush(opened, (index, high))
            following += 1
        while opened and opened[0][1] < place:
            heapq.heappop(opened)
        if not opened:
            continue
        index, high = opened[0]
        end = min(high, spans[following][0] - 1) if following < len(spans) else high
        if layers[index][0]:
            chosen.append((place, end))
        place = end + 1
    return union(chosen)
