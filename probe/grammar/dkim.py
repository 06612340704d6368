"""DKIM key records (RFC 6376 section 3.6.1, RFC 8301, RFC 8463), and what panels do to them.

A record is read twice: strictly, as a verifier does, and once more with the marks of careless pasting
taken off, so that whoever audits it can offer the record that was meant.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from probe.grammar import tags

__all__ = ["Key", "damage", "declared_length", "key_name", "parse", "repaired", "rewritten", "selector"]

_FWS = str.maketrans("", "", " \t\r\n")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_MEANT = re.compile(r"dkim1|domainkey|(?:^|[;\s\"'])[kp]\s*=|MII[A-Za-z]|BEGIN [A-Z ]*KEY", re.IGNORECASE)

# A whole line of a zone file; looked for at the start of a value only, so the scan stays short.
_OWNER = re.compile(r"\A.{0,300}?_domainkey.{0,300}?\bTXT\b", re.IGNORECASE)
# A tag begins wherever its name and an equals sign (or a colon) stand, so that a lost semicolon is found too.
_RUN_ON = re.compile(r"[;,\s]{1,16}([vkhstnp])\s{0,16}[=:]")
_PEM = re.compile(r"-----(?:BEGIN|END)[A-Z ]{0,40}-----")
_ENTITY = re.compile(r"&(?:quot|amp|#39|#34|nbsp);")

# What is found in published records, and what was meant; looked for in this order.
_DAMAGE = (
    ("the record's name and type inside the value", _OWNER),
    ("a PEM header inside the value", _PEM),
    ("backslashes of a zone file inside the value", re.compile(r"\\")),
    ("quotation marks inside the value", re.compile("[\"'\u201c\u201d\u201e`]|\xe2\x80[\x9c\x9d\x9e]")),
    ("HTML entities inside the value", _ENTITY),
    ("parentheses of a zone file inside the value", re.compile(r"[()]")),
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key record as a verifier reads it.

    `type` is the k= tag (``rsa`` where absent). `data` are the decoded bytes of p=; None where p= is
    missing or is not base64, empty where the key is revoked. `hashes` is empty where any is allowed.
    """

    text: str
    tags: tags.TagList
    type: str
    data: bytes | None
    hashes: tuple[str, ...]
    services: tuple[str, ...]
    flags: tuple[str, ...]
    notes: str

    @property
    def revoked(self) -> bool:
        """Whether the owner withdrew the key: p= is there and empty."""
        return "p" in self.tags and not self.tags["p"].translate(_FWS)

    @property
    def beginning(self) -> bytes:
        """What can be decoded of a p= that ends in the middle of a base64 group; empty where nothing can."""
        bare = self.tags.values.get("p", "").translate(_FWS)
        return (_decoded(bare[: len(bare) // 4 * 4]) or b"") if self.data is None else b""

    @property
    def unpadded(self) -> bytes:
        """What p= says once the lost ``=`` at its end is put back; empty where that is not what is wrong.

        The grammar allows its absence (RFC 6376 section 2.10), and not every verifier does.
        """
        bare = self.tags.values.get("p", "").translate(_FWS)
        return (_decoded(bare + "=" * (-len(bare) % 4)) or b"") if self.data is None else b""

    @property
    def version_valid(self) -> bool:
        """Whether v= is absent, or first and exactly DKIM1 (RFC 6376 section 3.6.1)."""
        return "v" not in self.tags or (self.tags.first == "v" and self.tags["v"] == "DKIM1")

    @property
    def testing(self) -> bool:
        """``t=y``: verifiers must not treat signed mail differently from unsigned mail."""
        return "y" in self.flags

    @property
    def strict(self) -> bool:
        """``t=s``: the domain of i= must equal d=, a subdomain of it is not enough."""
        return "s" in self.flags

    @property
    def meant(self) -> bool:
        """Whether somebody meant a DKIM key by this value."""
        return _MEANT.search(self.text[:1024]) is not None


def parse(text: str) -> Key:
    """The key record in a TXT value. Total: what is not there stays empty."""
    found = tags.read(text)
    value = found.values.get
    return Key(
        text=text,
        tags=found,
        type=value("k", "rsa").lower(),
        data=_decoded(found["p"]) if "p" in found else None,
        hashes=_listed(value("h", "")),
        services=_listed(value("s", "*")),
        flags=_listed(value("t", "")),
        notes=value("n", ""),
    )


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in value.split(":")[:50] if part.strip())


def _decoded(value: str) -> bytes | None:
    bare = value.translate(_FWS)
    if not bare.isascii():
        return None
    try:
        return base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        return None


def damage(text: str) -> str:
    """What a panel or a careless paste left in the value, in words; empty where nothing shows."""
    return next((words for words, pattern in _DAMAGE if pattern.search(text[:65_536])), "")


def repaired(text: str) -> str:
    """The record that was probably meant: marks of pasting taken off, tags apart and in their usual order."""
    bare = text[:65_536]
    for mark in (_OWNER, _PEM, _ENTITY):
        bare = mark.sub("", bare)
    bare = re.sub("\\\\[nrt]|[\\\\\"'()\u201c\u201d\u201e`]|\xe2\x80[\x9c\x9d\x9e]", "", bare)
    found = tags.read(_RUN_ON.sub(r"; \1=", bare))
    if not found.pairs and re.fullmatch(r"\s*MI[A-Za-z0-9+/=\s]+", bare):
        found = tags.read(f"p={bare}")
    values = {name.strip().lower(): value for name, value in reversed(found.pairs)}
    if "p" not in values:
        return ""
    kept = [f"{name}={values[name]}" for name in ("h", "s", "t") if values.get(name)]
    return "; ".join(
        ("v=DKIM1", "k=" + (values.get("k") or "rsa"), *kept, "p=" + values["p"].translate(_FWS))
    )


def rewritten(key: Key, **changes: str) -> str:
    """The record with some tags changed; an empty value leaves the tag out."""
    values = {"k": "rsa", **key.tags.values, **changes}
    kept = [f"{name}={values[name]}" for name in ("k", "h", "s", "t") if values.get(name)]
    return "; ".join(("v=DKIM1", *kept, "p=" + values.get("p", "").translate(_FWS)))


def declared_length(data: bytes) -> int | None:
    """How many bytes the outer DER SEQUENCE says it has, header included; None where it is none."""
    if len(data) < 2 or data[0] != 0x30:
        return None
    if data[1] < 0x80:
        return data[1] + 2
    size = data[1] & 0x7F
    if not 1 <= size <= 3 or len(data) < 2 + size:
        return None
    return int.from_bytes(data[2 : 2 + size], "big") + 2 + size


def selector(text: str) -> str:
    """The selector in what people paste (``S1._domainkey.example.com.``); empty where it can be none."""
    bare = text.strip().rstrip(".").lower().partition("._domainkey")[0]
    return bare if len(bare) <= 200 and all(map(_LABEL.match, bare.split("."))) else ""


def key_name(selector: str, domain: str) -> str:
    """Where the key of a selector stands (RFC 6376 section 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"
