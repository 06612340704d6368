"""What a published DKIM key is worth: its type and size read from the key itself, and what is wrong.

`assess` looks at all TXT values of one selector. The words in `problem` and `remarks` are the problem parts
of rules in `_dkim_rules`.
"""

from __future__ import annotations

import base64
import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from probe.grammar import dkim
from probe.grammar.dkim import Key

__all__ = ["Assessment", "assess"]

_SMALLEST, _ADVISED, _LARGEST = 1024, 2048, 4096  # RFC 8301 section 3.2
_ED25519 = 32  # bytes, RFC 8463 section 4.2
_MAX_VALUES = 20
# What is the matter where tags that are put apart make a key.
_RUN_ON = {"no-key": "a key stands there, but not as a tag p=", "not-base64": "another tag runs on in p="}


@dataclass(frozen=True, slots=True)
class Assessment:
    """One selector's key. `problem` is empty where verifiers can use the key.

    `type` and `bits` are those of the key itself (rsa, ed25519; 0: not readable). `detail` says what is
    particular, `remarks` are lesser faults: problem, detail, and the record that is better. `meant` is
    the record to publish instead.
    """

    text: str
    problem: str = ""
    detail: str = ""
    type: str = ""
    bits: int = 0
    remarks: tuple[tuple[str, str, str], ...] = ()
    meant: str = ""
    flags: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether a verifier can use the key."""
        return not self.problem

    @property
    def revoked(self) -> bool:
        """Whether the owner withdrew it."""
        return self.problem == "revoked"

    def told(self) -> Mapping[str, object]:
        """The form in JSON."""
        return {
            "type": self.type or None,
            "bits": self.bits or None,
            "usable": self.usable,
            "revoked": self.revoked,
            "problem": self.problem or None,
            "flags": list(self.flags),
        }


_PRIVATE = Assessment("", problem="private-key")  # it is not repeated


@functools.lru_cache(maxsize=1024)
def assess(values: tuple[str, ...]) -> Assessment | None:
    """The key that TXT values at a selector make; None where nobody meant a key by any of them."""
    values = values[:_MAX_VALUES]
    keys = [key for key in map(dkim.parse, values) if key.meant]
    if not keys:
        return None
    if len(values) > 1 and (whole := _joined(values)) is not None:
        detail = f"{len(values)} TXT records, each with a part of one key"
        return replace(whole, problem="split", detail=detail, meant=whole.text)
    if len(keys) > 1:
        usable = [each for each in map(_one, keys) if each.usable]
        first = usable[0] if usable else _one(keys[0])
        return replace(first, problem="several", detail=f"{len(keys)} key records", meant="")
    return _one(keys[0])


def _joined(values: tuple[str, ...]) -> Assessment | None:
    """The key that the values make when put together, where none of them is one alone."""
    if len(values) > 3 or any(_one(dkim.parse(value)).usable for value in values):
        return None
    for order in itertools.permutations(values):
        key = dkim.parse("".join(order))
        if key.tags.first == "v" and (whole := _one(key)).usable:
            return whole
    return None


def _one(key: Key) -> Assessment:
    """One record: as a verifier reads it, and where that fails, as it was probably meant."""
    if "PRIVATE KEY" in key.text[:4096]:
        return _PRIVATE
    found = _strictly(key)
    # A note in quotation marks harms nobody: marks of pasting explain a failure, they are none.
    if found.problem not in {"", "revoked"} and (damage := dkim.damage(key.text)):
        return _as_meant(key, found, "pasted", damage)
    if found.problem in _RUN_ON:
        apart = _as_meant(key, found, found.problem, _RUN_ON[found.problem])
        return apart if apart.meant or apart is _PRIVATE else found
    return found


def _as_meant(key: Key, found: Assessment, problem: str, detail: str) -> Assessment:
    """The key of the record that was probably meant, with what keeps verifiers from reading this one."""
    meant = dkim.repaired(key.text)
    mended = _strictly(dkim.parse(meant)) if meant else found
    if mended is _PRIVATE:
        return mended
    better = meant if mended.usable else ""
    return replace(mended, text=key.text, problem=problem, detail=detail, meant=better)


def _strictly(key: Key) -> Assessment:
    """Fault by fault, in the order in which a verifier stumbles."""
    found = Assessment(key.text, flags=key.flags)
    if key.tags.duplicates:
        return replace(found, problem="duplicate-tag", detail=", ".join(key.tags.duplicates[:5]))
    if not key.version_valid:
        detail = "v= is not first" if key.tags["v"] == "DKIM1" else f"v={key.tags['v'][:40]}"
        return _as_meant(key, found, "version", detail)
    if key.data and _private(key.data):
        return _PRIVATE
    if key.revoked:
        return replace(found, problem="revoked", type=key.type if key.type in {"rsa", "ed25519"} else "")
    if key.data is None:
        if (cut := _cut(key.beginning, found)) is not None:
            return cut
        if key.unpadded:
            whole = _strictly(
                dkim.parse(meant := dkim.rewritten(key, p=base64.b64encode(key.unpadded).decode()))
            )
            if whole.usable:
                return replace(whole, text=key.text, remarks=(*whole.remarks, ("unpadded", "", meant)))
        return replace(found, problem="not-base64" if "p" in key.tags else "no-key")
    if key.type == "rsa":
        found = _rsa(key, key.data, found)
    elif key.type == "ed25519":
        found = _ed25519(key, key.data, found)
    else:
        found = replace(found, problem="unknown-type", detail=f"k={key.type[:40]}")
    return found if found.problem else _limited(key, found)


def _limited(key: Key, found: Assessment) -> Assessment:
    """What the record lets a readable key be used for, and what is to be said of its size."""
    if key.hashes and "sha256" not in key.hashes:
        detail = f"h={':'.join(key.hashes)[:80]}"
        return replace(found, problem="hash", detail=detail, meant=dkim.rewritten(key, h=""))
    if not {"*", "email"} & set(key.services):
        detail = f"s={':'.join(key.services)[:80]}"
        return replace(found, problem="service", detail=detail, meant=dkim.rewritten(key, s=""))
    remarks = list(found.remarks)
    if key.tags.malformed:
        remarks.append(("syntax", ", ".join(key.tags.malformed[:3])[:80], dkim.rewritten(key)))
    if key.testing:
        flags = ":".join(flag for flag in key.flags if flag != "y")
        remarks.append(("testing", "t=y", dkim.rewritten(key, t=flags)))
    if key.strict:
        remarks.append(("strict", "t=s", ""))
    if found.bits > _LARGEST:
        remarks.append(("large-key", f"{found.bits} bits", ""))
    if found.type == "rsa" and found.bits < _ADVISED:
        remarks.append(("weak-key", f"{found.bits} bits", ""))
    return replace(found, remarks=tuple(remarks))


def _rsa(key: Key, data: bytes, found: Assessment) -> Assessment:
    if len(data) == _ED25519:
        detail = "k=rsa, and p= holds an ed25519 key"
        meant = dkim.rewritten(key, k="ed25519")
        return replace(found, problem="wrong-type", detail=detail, type="ed25519", bits=256, meant=meant)
    kind, bits, wrapped = _public(data)
    if kind == "rsa":
        found = replace(found, type="rsa", bits=bits)
        if bits < _SMALLEST:
            return replace(found, problem="short-key", detail=f"{bits} bits")
        # A SubjectPublicKeyInfo begins with a SEQUENCE of its own, a bare RSAPublicKey with the modulus.
        if data[_header(data) : _header(data) + 1] != b"\x02":
            return found
        meant = dkim.rewritten(key, p=base64.b64encode(wrapped).decode())
        return replace(found, remarks=(("bare-key", "RSAPublicKey", meant),))
    if kind:
        return replace(found, problem="wrong-type", detail=f"k=rsa, and p= holds an {kind} key", type=kind)
    if (cut := _cut(data, found)) is not None:
        return cut
    return replace(found, problem="unreadable", detail=f"{len(data)} bytes that are no RSA key")


def _ed25519(key: Key, data: bytes, found: Assessment) -> Assessment:
    if len(data) == _ED25519:
        return replace(found, type="ed25519", bits=256)
    kind, bits, _ = _public(data)
    if kind == "rsa":
        detail = "k=ed25519, and p= holds an RSA key"
        meant = dkim.rewritten(key, k="rsa")
        return replace(found, problem="wrong-type", detail=detail, type=kind, bits=bits, meant=meant)
    detail = f"{len(data)} bytes; an ed25519 key is 32, without any wrapping"
    bare = base64.b64encode(data[-_ED25519:]).decode() if kind == "ed25519" else ""
    meant = dkim.rewritten(key, p=bare) if bare else ""
    return replace(found, problem="unreadable", detail=detail, type="ed25519", meant=meant)


def _cut(data: bytes, found: Assessment) -> Assessment | None:
    """The finding for a key whose bytes end before it says so itself."""
    declared = dkim.declared_length(data)
    if declared is None or declared <= len(data):
        return None
    return replace(
        found, problem="truncated", detail=f"{len(data)} of {declared} bytes are there", type="rsa"
    )


def _header(data: bytes) -> int:
    """The length of the header of a DER value."""
    if len(data) < 2:
        return len(data)
    return 2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)


def _public(data: bytes) -> tuple[str, int, bytes]:
    """Type, size and SubjectPublicKeyInfo of a DER public key; ``("", 0, b"")`` where it cannot be read."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only a domain with keys pays
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_der_public_key,
    )

    try:
        key = load_der_public_key(data)
        wrapped = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return "", 0, b""
    if isinstance(key, RSAPublicKey):
        return "rsa", key.key_size, wrapped
    return ("ed25519", 256, wrapped) if isinstance(key, Ed25519PublicKey) else ("other", 0, wrapped)


def _private(data: bytes) -> bool:
    """Whether these bytes are a private key (PKCS #1 or #8): version 0 stands right behind the header."""
    start = _header(data)
    return data[start : start + 3] == b"\x02\x01\x00" and data[start + 3 : start + 4] in {b"\x02", b"\x30"}
