"""A certificate authority and its leaves, made at run time: good ones, and every way of being bad.

Keys and certificates live for the process, in a private temporary directory (the ``ssl`` module reads
them from files only). They are worth nothing to anybody.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import ipaddress
import shutil
import ssl
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

__all__ = ["ca_file", "server_context"]

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_DAY = dt.timedelta(days=1)
_HERE = ("localhost", "127.0.0.1", "::1")  # every fake listens on loopback, under any name it plays


@dataclass(frozen=True, slots=True)
class _Issuer:
    key: _Key
    certificate: x509.Certificate


def ca_file() -> str:
    """The path of the PEM file of the one authority that clients of the fakes should trust."""
    return _ca_file("root")


def server_context(cert: str, names: tuple[str, ...], version: str = "") -> ssl.SSLContext:
    """A server's TLS context with one kind of certificate (``scenario.CERTIFICATES``) for some names.

    `version` (``1.0`` .. ``1.3``) is the only TLS version it speaks; empty: 1.2 and newer.
    """
    return _context(cert, tuple(names), version)


@functools.lru_cache(maxsize=256)
def _context(cert: str, names: tuple[str, ...], version: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the point here
        if version:
            wanted = ssl.TLSVersion[f"TLSv{version.replace('.', '_')}".removesuffix("_0")]
            context.minimum_version = wanted
            context.maximum_version = wanted
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_2
    if version in {"1.0", "1.1"} or cert == "weak-key":
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(_leaf_file(cert, names))
    return context


@functools.cache
def _folder() -> Path:
    path = Path(tempfile.mkdtemp(prefix="probe-fakes-"))
    atexit.register(_remove, path)
    return path


def _remove(path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C pressed twice
        shutil.rmtree(path, ignore_errors=True)


@functools.cache
def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


@functools.cache
def _authority(name: str) -> _Issuer:
    titles = {
        "root": "Probe Test Root",
        "other": "Somebody Else's Root",
        "intermediate": "Probe Test Intermediate",
    }
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(titles[name])
    issuer = _authority("root") if name == "intermediate" else None
    builder = _builder(subject, issuer.certificate.subject if issuer else subject, key, -365, 3650)
    builder = (
        builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0 if issuer else None), critical=True
        )
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        builder = builder.add_extension(_authority_key(issuer), critical=False)
    return _Issuer(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


@functools.cache
def _ca_file(name: str) -> str:
    path = _folder() / f"{name}-ca.pem"
    path.write_bytes(_authority(name).certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)


_HOSTILE_NAME = "mail\x1b[2J\x1b]0;title\x07\u202ereversed<b>bold</b>=cmd"


@functools.lru_cache(maxsize=256)
def _leaf_file(cert: str, names: tuple[str, ...]) -> str:
    """The PEM file (key, leaf, chain) of one kind of certificate for some names."""
    root = _authority("root")
    days = {"expired": (-400, -1), "not-yet-valid": (10, 400), "expiring": (-87, 3)}.get(cert, (-30, 365))
    issuer = {
        "unknown-ca": _authority("other"),
        "missing-intermediate": _authority("intermediate"),
        "chained": _authority("intermediate"),
        "self-signed": None,
    }.get(cert, root)
    key: _Key = (
        rsa.generate_private_key(65537, 1024)  # noqa: S505 - a weak key is what this one is for
        if cert == "weak-key"
        else ec.generate_private_key(ec.SECP256R1())
    )
    wanted: Sequence[str] = (*names, *_HERE)
    if cert == "wrong-name":
        wanted = ("mail.other.test",)
    elif cert == "wildcard":
        wanted = (*dict.fromkeys(f"*.{name.partition('.')[2]}" for name in names), *_HERE)
    elif cert == "huge":
        wanted = (*wanted, *(f"host-{number}.customers.example.test" for number in range(2000)))
    subject = _name(_HOSTILE_NAME if cert == "hostile" else wanted[0])
    builder = _builder(subject, issuer.certificate.subject if issuer else subject, key, *days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    purpose: ObjectIdentifier = (
        ExtendedKeyUsageOID.CLIENT_AUTH if cert == "client-only" else ExtendedKeyUsageOID.SERVER_AUTH
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if issuer:
        builder = builder.add_extension(_authority_key(issuer), critical=False)
    if cert != "name-in-subject-only":
        builder = builder.add_extension(x509.SubjectAlternativeName(_general(wanted)), critical=False)
    leaf = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    chain = [leaf]
    if cert == "chained":
        chain.append(_authority("intermediate").certificate)
    path = _folder() / f"leaf-{len(list(_folder().iterdir()))}.pem"
    path.touch(mode=0o600)
    path.write_bytes(_pem(key, chain))
    return str(path)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _Key, first: int, last: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() + first * _DAY)
        .not_valid_after(_now() + last * _DAY)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key(issuer: _Issuer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _general(names: Iterable[str]) -> list[x509.GeneralName]:
    general: list[x509.GeneralName] = []
    for name in names:
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            general.append(x509.DNSName(name))
    return general


def _pem(key: _Key, chain: Iterable[x509.Certificate]) -> bytes:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + b"".join(part.public_bytes(serialization.Encoding.PEM) for part in chain)
