"""What replies have in common: their words, with addresses, hosts, numbers and ids masked."""

from __future__ import annotations

import re

__all__ = ["masked", "template"]

# A token with a digit in it, unless it is a reply code or an enhanced code. Each token is looked at once.
_TOKEN = re.compile(
    rb"(?<![^\s<>()\[\],;'\"=])(?![245][0-9]{2}[ -]|[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9.]))"
    rb"(?>[^\s0-9<>()\[\],;'\"=]*)[0-9][^\s<>()\[\],;'\"=]*"
)
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']{1,128}@[^\s<>()\[\],;:\"']{1,255}")
_LINK = re.compile(r"https?://[^\s<>\"']{1,500}")
_HOST = re.compile(r"(?<![\w.@-])(?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,24}(?![\w-])", re.IGNORECASE)
_IP = re.compile(
    r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.])|"
    r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])",
    re.IGNORECASE,
)
_ID = re.compile(
    r"(?<![\w.])(?=[\w+/=.-]{0,80}[0-9])(?![245][0-9]{2}(?![\w])|[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![\w.]))"
    r"[\w+/=-]{1,120}(?:\.[\w+/=-]{1,120}){0,4}"
)


def masked(said: bytes) -> bytes:
    """Bytes whose tokens with digits are ``#``: replies that differ in ids and addresses only come out equal.

    Fast and coarse, for looking a reading up; `template` is for people.
    """
    return _TOKEN.sub(b"#", said)


def template(text: str) -> str:
    """A reply's words with ``<address>``, ``<link>``, ``<ip>``, ``<host>``, ``<id>`` for what changes."""
    text = _LINK.sub("<link>", text[:1000])
    text = _ADDRESS.sub("<address>", text)
    text = _IP.sub("<ip>", text)
    text = _HOST.sub("<host>", text)
    return _ID.sub("<id>", text)
