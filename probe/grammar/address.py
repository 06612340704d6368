"""How to read an address of an envelope (RFC 5321 section 4.1.2, RFC 6531)."""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass

import idna

from probe.grammar.hostname import LONGEST_NAME

__all__ = ["Address", "address"]

_MAX = 254  # RFC 5321 section 4.5.3.1.3 less the angle brackets
_ATOMS = re.compile(r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,\"]+\Z")
_QUOTED = re.compile(r"\"(?:[^\"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*\"\Z")
_DOMAIN = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\Z")
_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]{2,45})\]\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: `local` as typed, `domain` in lower-case A-labels, or an address literal in brackets."""

    local: str
    domain: str

    @property
    def international(self) -> bool:
        """Whether it needs SMTPUTF8 (RFC 6531): only the local part can, the domain has A-labels."""
        return not self.local.isascii()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


@functools.lru_cache(maxsize=256)  # one probe reads the same address several times
def address(text: str) -> Address:
    """The address in `text`; ValueError with a sentence that says what is wrong.

    Nothing is mended: an address with a space, angle brackets, a control or an invisible character is
    refused rather than read as another one.
    """
    for char in text:
        if char in "\r\n\0":
            raise ValueError("holds a line break or a NUL")
        if not char.isprintable():
            raise ValueError(f"holds the invisible character U+{ord(char):04X}")
    if "<" in text or ">" in text:
        raise ValueError("holds an angle bracket; give the address alone")
    local, at, domain = text.rpartition("@")
    if not at or not local:
        raise ValueError("is not an address: it needs a local part, an @ and a domain")
    if not domain:
        raise ValueError("ends in an @: the domain is missing")
    if not _QUOTED.match(local) and not all(_ATOMS.match(atom) for atom in local.split(".")):
        raise ValueError(f"has a local part that must be quoted or is mistyped: {local}")
    if (literal := _LITERAL.match(domain)) is not None:
        domain = _literal(literal[1])
    else:
        try:
            domain = idna.encode(domain, uts46=True).decode() if not domain.isascii() else domain.lower()
        except idna.IDNAError as problem:
            raise ValueError(f"has a domain that is no domain name: {problem}") from None
        if not _DOMAIN.match(domain) or len(domain) > LONGEST_NAME:
            raise ValueError(f"has a domain that is no domain name: {domain}")
    if len(local.encode()) > 64 or len(local.encode()) + len(domain) >= _MAX:
        raise ValueError("is longer than RFC 5321 allows (64 octets before the @, 254 in all)")
    return Address(local, domain)


def _literal(text: str) -> str:
    """An address literal (RFC 5321 section 4.1.3)."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"has an address literal that is no address: [{text}]") from None
    return f"[IPv6:{parsed}]" if parsed.version == 6 else f"[{parsed}]"
