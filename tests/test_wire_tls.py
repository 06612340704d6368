"""What a certificate says of itself, and that none can end a session in an error of ours."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from probe.fakes.tls import _leaf_file
from probe.wire.tls import describing, tls_facts

GOOD = ssl.PEM_cert_to_DER_cert(
    Path(_leaf_file("good", ("mx.example.test",))).read_text().partition("-----END PRIVATE KEY-----\n")[2]
)

# A leaf with a few bytes changed: clients that verify refuse each, and the second look must bear it.
UNREADABLE = {
    "X.509 version 2, which nobody issues": (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01"),
    "X.509 version 200": (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x48"),
    "a curve that nobody knows": (b"\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x2a\x86\x48\xce\x3d\x03\x01\x6f"),
    "a kind of key that nobody knows": (b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x2a\x86\x48\xce\x3d\x02\x6f"),
    "a serial number of the wrong type": (b"\xa0\x03\x02\x01\x02\x02", b"\xa0\x03\x02\x01\x02\x05"),
}  # fmt: skip


class Handshaken:
    """A finished handshake with a server that showed these bytes as its certificate."""

    session_reused = False

    def __init__(self, der: bytes) -> None:
        self.context = describing()
        self.der = der

    def cipher(self) -> tuple[str, str, int]:
        return "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256

    def version(self) -> str:
        return "TLSv1.3"

    def getpeercert(self, *, binary_form: bool) -> bytes:
        assert binary_form
        return self.der


def described(der: bytes) -> object:
    return tls_facts(Handshaken(der), "mx.example.test").certificate  # type: ignore[arg-type]  # its shape


def test_a_certificate_is_described() -> None:
    assert described(GOOD) is not None


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
def test_one_that_cannot_be_read_is_left_to_the_verdict_of_the_handshake(change: tuple[bytes, bytes]) -> None:
    assert GOOD.count(change[0]) == 1
    assert described(GOOD.replace(*change)) is None
