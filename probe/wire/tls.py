"""TLS contexts, and what a certificate says of itself."""

from __future__ import annotations

import functools
import hashlib
import os
import ssl
from pathlib import Path

from probe.facts import Certificate, Tls, escape

__all__ = ["Sessions", "describing", "root_directory", "tls_facts", "verifying"]

MOST_NAMES = 10  # of a certificate that has thousands
MOST_SESSIONS = 1024  # servers of one run whose sessions are kept


def verifying(ca_file: str = "") -> ssl.SSLContext:
    """A context that verifies chain and name: TLS 1.2 at least, roots of the system or of `ca_file` alone.

    Build one for a whole run: building costs more than a handshake. OSError or ssl.SSLError where the
    file cannot be read as certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 9525 section 2: the subject proves no name
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    elif (directory := root_directory()) is not None:
        context.load_verify_locations(capath=directory)  # read lazily: 0.2 ms instead of 26
    else:
        context.load_default_certs()
    return context


def describing() -> ssl.SSLContext:
    """A context that verifies nothing, only to look at a certificate that failed: no secret goes there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Sessions:
    """TLS sessions by server, kept for one run and one context (RFC 8446 section 2.2).

    The first connection to a server proves its certificate in full and leaves a session; later ones take
    it up and save the handshake's signatures. One session a server: reading it costs as much as it saves.
    """

    def __init__(self) -> None:
        self._kept: dict[str, ssl.SSLSession] = {}

    def resume(self, tls: ssl.SSLObject, server: str) -> None:
        """Offer what was kept for a server, before the handshake."""
        if (session := self._kept.get(server)) is not None:
            tls.session = session

    def keep(self, tls: ssl.SSLObject, server: str) -> None:
        """Remember the session of a verified connection that has heard the server's ticket."""
        if tls.session_reused or server in self._kept or len(self._kept) >= MOST_SESSIONS:
            return
        session = tls.session
        if session is not None and session.has_ticket:
            self._kept[server] = session


def root_directory() -> str | None:
    """The system's directory of hashed roots, where nobody overrules it by environment."""
    paths = ssl.get_default_verify_paths()
    if os.environ.get(paths.openssl_cafile_env) or os.environ.get(paths.openssl_capath_env):
        return None
    for directory in (paths.capath, "/etc/ssl/certs"):
        if directory and any(Path(directory).glob("*.0")):
            return directory
    return None


def tls_facts(tls: ssl.SSLObject, wanted: str) -> Tls:
    """What a finished handshake came to; chain and name are verified by the context it was made with."""
    cipher = tls.cipher()
    der = tls.getpeercert(binary_form=True)
    unchecked = tls.context.verify_mode is ssl.CERT_NONE
    return Tls(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        wanted=wanted,
        certificate=_described(der) if der else None,
        error="not verified" if unchecked else "",
        resumed=bool(tls.session_reused),
    )


@functools.lru_cache(maxsize=256)  # a fleet meets few certificates, and meets them often
def _described(der: bytes) -> Certificate | None:
    from cryptography import x509  # noqa: PLC0415  # 70 ms that a probe without TLS need not pay
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    unreadable = (
        ValueError, TypeError, UnsupportedAlgorithm,
        x509.InvalidVersion, x509.UnsupportedGeneralNameType, x509.DuplicateExtension,
    )  # fmt: skip
    try:
        leaf = x509.load_der_x509_certificate(der)
        names = _names(leaf)
        return Certificate(
            subject=_clean(leaf.subject.rfc4514_string()),
            issuer=_clean(leaf.issuer.rfc4514_string()),
            names=tuple(_clean(name) for name in names[:MOST_NAMES]),
            total=len(names),
            not_before=leaf.not_valid_before_utc.isoformat(),
            not_after=leaf.not_valid_after_utc.isoformat(),
            key=_key(leaf),
            fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        )
    except unreadable:
        return None  # a certificate that cannot be read is described by the handshake's verdict alone


def _names(leaf: object) -> list[str]:
    from cryptography import x509  # noqa: PLC0415

    assert isinstance(leaf, x509.Certificate)
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _key(leaf: object) -> str:
    """The kind of the key, and the SHA-256 of its SubjectPublicKeyInfo, which DANE records name."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415

    assert isinstance(leaf, x509.Certificate)
    key = leaf.public_key()
    kind = type(key).__name__.removesuffix("PublicKey").lstrip("_")
    if isinstance(key, rsa.RSAPublicKey):
        kind = f"RSA {key.key_size}"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        kind = f"EC {key.curve.name}"
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"{kind} sha256:{hashlib.sha256(spki).hexdigest()}"


def _clean(text: str) -> str:
    return escape(text[:300].encode("utf-8", "surrogateescape"))
