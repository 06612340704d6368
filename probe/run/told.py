"""What an operator tells about a domain and the way it sends: words checked before anything is asked."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace

from probe.checks import Domain
from probe.checks._providers import table
from probe.checks._suffixes import is_suffix
from probe.grammar import dkim
from probe.grammar.address import address
from probe.grammar.hostname import Hostname, hostname

__all__ = ["domain", "sender"]

_MOST_ADDRESSES, _MOST_SELECTORS = 10, 20  # what the checks look at


def domain(text: str) -> Hostname:
    """The domain in `text`, noted where it is one that nobody can own; ValueError says what is wrong."""
    read = hostname(text)
    if "." in read.name and is_suffix(read.name):
        note = f"{read.shown} is a public suffix: people register names below it, mail is not sent from it"
        return replace(read, notes=(*read.notes, note))
    return read


def sender(
    *,
    selectors: Iterable[str] = (),
    addresses: Iterable[str] = (),
    helo: str = "",
    mail_from: str = "",
    provider: str = "",
    options: Iterable[str] = (),
) -> Domain:
    """A `Domain` still without a name; ValueError with a sentence that names the option at fault."""
    return Domain(
        name="",
        sending_ips=_few("--sending-ip", map(_address, addresses), _MOST_ADDRESSES),
        helo=_helo(helo),
        mail_from=_mail_from(mail_from),
        selectors=_few("--dkim-selector", map(_selector, selectors), _MOST_SELECTORS),
        provider=_provider(provider),
        options=frozenset(options),
    )


def _few(option: str, values: Iterable[str], most: int) -> tuple[str, ...]:
    """Each value once; more than the checks look at would be passed over in silence."""
    found = tuple(dict.fromkeys(values))
    if len(found) > most:
        raise ValueError(f"{option} was given {len(found)} times; one audit takes at most {most}")
    return found


def _address(text: str) -> str:
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        raise ValueError(f"--sending-ip {text!r} is no IP address") from None
    return str(getattr(found, "ipv4_mapped", None) or found)  # IPv4 as a socket of IPv6 shows it


def _helo(text: str) -> str:
    try:
        return hostname(text).name if text else ""
    except ValueError as problem:
        raise ValueError(f"--helo: {problem}") from None


def _mail_from(text: str) -> str:
    try:
        return str(address(text)) if text else ""
    except ValueError as problem:
        raise ValueError(f"--mail-from {text!r} {problem}") from None


def _selector(text: str) -> str:
    """The selector alone, also where the whole name of its record was given."""
    if not (selector := dkim.selector(text)):
        raise ValueError(
            f"--dkim-selector {text!r} is no selector: give what stands after s= in DKIM-Signature"
        )
    return selector


def _provider(text: str) -> str:
    known = sorted(one.id for one in table())
    if text and text not in known:
        raise ValueError(
            f"there is no provider {text!r} whose customers' records are known; there are {', '.join(known)}"
        )
    return text
