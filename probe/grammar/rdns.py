"""Reverse names (RFC 1035 section 3.5, RFC 3596 section 2.5): how they are asked for, and who made them."""

from __future__ import annotations

import functools
import ipaddress
import re

from probe.grammar.hostname import askable

__all__ = ["generic", "is_hostname", "reversed_address"]

_RUNS = re.compile(r"[0-9]+")
_HEX = re.compile(r"[0-9a-f]{8,}")
_WORDS = re.compile(r"[a-z]+")

# Words that access networks and clouds build names of addresses with; whole words, so that
# "dynamics.example" and "poolside.example" are left alone.
_ACCESS = frozenset(
    {
        "adsl",
        "broadband",
        "cable",
        "cpe",
        "dhcp",
        "dial",
        "dialin",
        "dialup",
        "dip",
        "dsl",
        "dyn",
        "dynamic",
        "dynamicip",
        "ftth",
        "ppp",
        "pppoe",
        "pool",
        "vdsl",
    }
)
_LABELS = frozenset({"localhost", "localdomain", "unassigned", "unknown", "unallocated"})


@functools.lru_cache(maxsize=4096)
def reversed_address(address: str) -> str:
    """The labels of an address in reverse: ``7.113.0.203`` or 32 nibbles; ValueError where it is none."""
    parsed = ipaddress.ip_address(address)
    return parsed.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


@functools.lru_cache(maxsize=4096)
def is_hostname(name: str) -> bool:
    """Whether a name is a host name: letters, digits, inner hyphens (RFC 1123 section 2.1), no address."""
    labels = name.split(".")
    return (
        askable(name)
        and len(labels) > 1
        and not labels[-1].isdigit()
        and all(
            label.replace("-", "a").isalnum() and label[0] != "-" and label[-1] != "-" for label in labels
        )
    )


def generic(name: str, address: str) -> str:
    """Why a name looks like one that an access network gave out, or an empty string.

    Signs: the address itself in the name (decimal, in order or reversed, padded or in hex), or words of
    access networks. The last two labels are the owner's own name and are not looked at.
    """
    name = name.lower()
    if name.split(".", 1)[0] in _LABELS:
        return "the name says that the address is not in use"
    own = name.rsplit(".", 2)[0] if name.count(".") > 1 else ""
    if _holds(own, address):
        return "the name is made out of the address"
    words = sorted(_ACCESS.intersection(_WORDS.findall(own)))
    return f"the name says {words[0]!r}, as those of access networks do" if words else ""


def _holds(own: str, address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if parsed.version == 6:
        nibbles = parsed.exploded.replace(":", "")
        bare = own.replace("-", "").replace(".", "")
        return nibbles in bare or nibbles[::-1] in bare or parsed.compressed.replace(":", "-") in own
    octets = [int(octet) for octet in parsed.exploded.split(".")]
    runs = _RUNS.findall(own)
    if any(f"{''.join(f'{octet:03}' for octet in order)}" in runs for order in (octets, octets[::-1])):
        return True
    numbers = [int(run) for run in runs if len(run) <= 3]
    windows = [numbers[at : at + 4] for at in range(len(numbers) - 3)]
    if octets in windows or octets[::-1] in windows:
        return True
    digits = parsed.packed.hex()
    return any(digits in run for run in _HEX.findall(own))
