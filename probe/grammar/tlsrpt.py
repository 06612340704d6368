"""TLS reporting: the TXT record at ``_smtp._tls`` (RFC 8460 section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from probe.grammar import tags

__all__ = ["Record", "announces", "record"]

_TARGETS = 20


@dataclass(frozen=True, slots=True)
class Record:
    """Where reports go: ``mailto:`` and ``https:`` addresses, in order. `problems` are sentences."""

    rua: tuple[str, ...]
    problems: tuple[str, ...] = ()


def announces(text: str) -> bool:
    """Whether a TXT value begins as a TLS-RPT record does; every other one is ignored."""
    return tags.read(text[:100]).pairs[:1] == (("v", "TLSRPTv1"),)


def record(text: str) -> Record:
    """Reads a TXT value that `announces` itself."""
    found = tags.read(text)
    problems = [f"{piece!r} is no tag" for piece in found.malformed]
    targets = [each.strip() for each in found["rua"].split(",", _TARGETS)] if "rua" in found else []
    if not any(targets):
        problems.append("rua, the address for reports, is missing")
    problems += (
        f"{target!r} is neither mailto: with an address nor https:"
        for target in targets
        if not _usable(target)
    )
    problems += (f"{name!r} stands there twice" for name in found.duplicates)
    return Record(tuple(target for target in targets if target), tuple(problems[:10]))


def _usable(target: str) -> bool:
    scheme, _, rest = target.partition(":")
    if scheme.lower() == "mailto":
        local, at, domain = rest.partition("?")[0].rpartition("@")
        return bool(local and at and "." in domain and " " not in rest)
    return scheme.lower() == "https" and rest.startswith("//") and len(rest) > 2 and " " not in rest
