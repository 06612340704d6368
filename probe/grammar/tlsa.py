"""TLSA: what a DANE record binds a server to (RFC 6698 section 2, RFC 7672 section 3.1 for SMTP)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Record", "record"]

_LENGTHS = {1: 64, 2: 128}  # hex digits of SHA-256 and SHA-512


@dataclass(frozen=True, slots=True)
class Record:
    """Usage, selector, matching type and data (hex). `problem` says why SMTP cannot use it, if it cannot."""

    usage: int
    selector: int
    matching: int
    data: str
    problem: str = ""


def record(value: str) -> Record:
    """Reads a TLSA value in presentation form; total."""
    fields = value.split(maxsplit=3)
    numbers = [
        int(field) if field.isascii() and field.isdigit() and len(field) < 4 else -1 for field in fields[:3]
    ]
    if len(fields) < 4 or min(numbers) < 0:
        return Record(-1, -1, -1, "", "not three numbers and data")
    usage, selector, matching = numbers
    data = "".join(fields[3].split()).lower()
    return Record(usage, selector, matching, data, _problem(usage, selector, matching, data))


def _problem(usage: int, selector: int, matching: int, data: str) -> str:
    if usage in {0, 1}:
        return f"usage {usage} asks for a public CA, which SMTP does not use (RFC 7672 section 3.1.3)"
    if usage not in {2, 3}:
        return f"usage {usage} is not defined"
    if selector not in {0, 1}:
        return f"selector {selector} is not defined"
    if matching not in {0, 1, 2}:
        return f"matching type {matching} is not defined"
    if not data or data.strip("0123456789abcdef"):
        return "the data is not hexadecimal"
    if matching in _LENGTHS and len(data) != _LENGTHS[matching]:
        return f"the digest has {len(data) // 2} bytes instead of {_LENGTHS[matching] // 2}"
    return ""
