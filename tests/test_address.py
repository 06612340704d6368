"""Addresses of an envelope: what is read as it was meant, and what is refused with a reason."""

from __future__ import annotations

import pytest

from probe.grammar.address import address

READ = {
    "ada@EXAMPLE.com": "ada@example.com",
    "Ada+list@example.com": "Ada+list@example.com",
    '"a b"@example.com': '"a b"@example.com',
    "ada@müller.example": "ada@xn--mller-kva.example",
    "ada@example。com": "ada@example.com",
    "jörg@example.com": "jörg@example.com",
    "ada@[192.0.2.1]": "ada@[192.0.2.1]",
    "ada@[IPv6:2001:db8::1]": "ada@[IPv6:2001:db8::1]",
    "ada@[ipv6:2001:DB8:0::1]": "ada@[IPv6:2001:db8::1]",
    "ada@[2001:db8::1]": "ada@[IPv6:2001:db8::1]",
}

REFUSED = {
    "ada": "is not an address",
    "ada@": "the domain is missing",
    "@example.com": "is not an address",
    "ada@example..com": "no domain name",
    "ada@example.com.": "no domain name",
    "ada@☃.example": "no domain name",
    "a b@example.com": "must be quoted",
    "ada@one.example, bob@two.example": "must be quoted",
    "<ada@example.com>": "angle bracket",
    "ada@example.com\r\nDATA": "line break",
    "ada@ex\u200bample.com": "invisible character U\\+200B",
    "ada@[999.1.1.1]": "address literal that is no address",
    "ada@[IPv6:1::2::3]": "address literal that is no address",
    "ada@[]": "no domain name",
    "a" * 65 + "@example.com": "longer than RFC 5321 allows",
}


@pytest.mark.parametrize("typed", READ)
def test_an_address_is_read(typed: str) -> None:
    assert str(address(typed)) == READ[typed]


@pytest.mark.parametrize("typed", REFUSED)
def test_what_is_none_is_refused_with_a_reason(typed: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[typed]):
        address(typed)
