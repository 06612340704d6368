"""MTA-STS: the TXT record and the policy file (RFC 8461 sections 3.1 and 3.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probe.grammar import tags
from probe.grammar.rdns import is_hostname

__all__ = ["MAX_AGE", "Policy", "Record", "announces", "covers", "policy", "record", "resembles"]

MAX_AGE = 31_557_600  # seconds; RFC 8461 section 3.2
_MODES = ("enforce", "testing", "none")
_VERSION = re.compile(r"v=STSv1[ \t]*;")
_ID = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_NEARLY = re.compile(r"\bsts(?:v(?:1|\b)|1|[ ;]|\Z)", re.IGNORECASE)
_LINES = 1000
_PATTERNS = 200


@dataclass(frozen=True, slots=True)
class Record:
    """The record at ``_mta-sts``: the id that changes when the policy does. `problems` are sentences."""

    id: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy file. `mode` is enforce, testing or none (empty: unusable); `max_age` in seconds.

    `mx` are patterns, in lower case: host names, or ``*.`` for exactly one label. `problems` are
    sentences: what makes the policy invalid to a strict sender.
    """

    mode: str
    max_age: int
    mx: tuple[str, ...]
    problems: tuple[str, ...] = ()


def announces(text: str) -> bool:
    """Whether a TXT value begins as an MTA-STS record does; every other one is ignored."""
    return _VERSION.match(text) is not None


def resembles(text: str) -> bool:
    """Whether a TXT value that does not announce itself was meant to be such a record."""
    return not announces(text) and _NEARLY.search(text[:200]) is not None


def record(text: str) -> Record:
    """Reads a TXT value that `announces` itself."""
    found = tags.read(text)
    problems = [f"{piece!r} is no tag" for piece in found.malformed]
    identity = found.values.get("id", "")
    if not identity:
        problems.append("the id is missing")
    elif not _ID.match(identity):
        problems.append(f"the id {identity!r} is not 1 to 32 letters and digits")
    problems += (f"{name!r} stands there twice" for name in found.duplicates)
    return Record(identity, tuple(problems[:10]))


def policy(body: str) -> Policy:
    """Reads a policy file; total. Lines end in CRLF or LF, keys are exact, unknown keys are ignored."""
    values: dict[str, str] = {}
    patterns: list[str] = []
    problems: list[str] = []
    lines = body.split("\n", _LINES)
    for line in (each.strip(" \t\r") for each in lines[:_LINES]):
        key, colon, value = line.partition(":")
        key, value = key.strip(), value.strip()
        if not line:
            continue
        if not colon:
            problems.append(f"{line[:60]!r} is no key and value")
        elif key == "mx":
            patterns.append(value.lower().removesuffix("."))
        else:
            values.setdefault(key, value)
    if values.get("version") != "STSv1":
        problems.append("the version is not STSv1")
    mode = values.get("mode", "")
    if mode not in _MODES:
        problems.append(
            f"the mode {mode[:40]!r} is not enforce, testing or none" if mode else "the mode is missing"
        )
        mode = ""
    age = values.get("max_age", "")
    seconds = int(age) if age.isascii() and age.isdigit() and len(age) <= 10 else -1
    if not 0 <= seconds <= MAX_AGE:
        problems.append(
            f"max_age {age[:20]!r} is not a number of seconds up to {MAX_AGE}"
            if age
            else "max_age is missing"
        )
        seconds = 0
    problems += (
        f"mx {pattern[:60]!r} is no host name"
        for pattern in patterns
        if not is_hostname(pattern.removeprefix("*."))
    )
    if not patterns and mode != "none":
        problems.append("no mx is allowed")
    return Policy(mode, seconds, tuple(patterns[:_PATTERNS]), tuple(problems[:10]))


def covers(pattern: str, host: str) -> bool:
    """Whether an mx pattern allows a host; ``*.`` stands for exactly one label (RFC 8461 section 4.1)."""
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:]
    return host == pattern
