"""Providers told from the DNS of a domain: the table `_providers.toml`, and who a domain's MX belong to."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from probe.rules import Source

__all__ = ["Provider", "find", "including", "matches", "recognise", "table", "with_targets"]


@dataclass(frozen=True, slots=True)
class Provider:
    """A mail provider as it shows in DNS.

    `mx` and `targets` are patterns (`*` is any run of characters) of MX hosts and of the names that DKIM
    selectors point to; `spf` the names a customer includes, the first being the one to recommend;
    `selectors` the DKIM selectors it uses. `sends` is false where its MX do not show that mail leaves
    through it under the domain's own envelope.
    """

    id: str
    name: str
    source: Source
    mx: tuple[str, ...] = ()
    spf: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    sends: bool = True


@functools.cache
def table() -> tuple[Provider, ...]:
    """Every provider, in the order of the file."""
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["provider"]
    return tuple(_provider(row) for row in rows)


def _provider(row: dict[str, object]) -> Provider:
    source = row.pop("source")
    assert isinstance(source, dict)
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Provider(**fields, source=Source(source["url"], source["kind"], str(source["read"])))  # type: ignore[arg-type]  # the file is checked by a test


def find(name: str) -> Provider | None:
    """The provider with this id, or None."""
    return next((provider for provider in table() if provider.id == name), None)


def recognise(hosts: Iterable[str]) -> Provider | None:
    """Whose MX these are: the provider of the first host that anyone's pattern matches, or None."""
    return next((provider for host in hosts if (provider := _of_host(host)) is not None), None)


@functools.lru_cache(maxsize=4096)
def _of_host(host: str) -> Provider | None:
    return next((one for one in table() if any(matches(host, pattern) for pattern in one.mx)), None)


def including(names: Iterable[str]) -> tuple[Provider, ...]:
    """The providers whose customers include one of these names in their SPF records, in the table's order."""
    places = {place for name in names for place in _by_include().get(name, ())}
    return tuple(table()[place] for place in sorted(places))


@functools.cache
def _by_include() -> Mapping[str, tuple[int, ...]]:
    """The places in the table by the name to include."""
    names = {name for provider in table() for name in provider.spf}
    return {name: tuple(at for at, one in enumerate(table()) if name in one.spf) for name in names}


@functools.cache
def with_targets() -> tuple[Provider, ...]:
    """The providers whose customers' DKIM selectors are aliases, in the table's order."""
    return tuple(one for one in table() if one.targets)


def matches(name: str, pattern: str) -> bool:
    """Whether a name is what a pattern describes: `*` is any run of characters.

    Many patterns hold the domain's own name and are used for it alone: no regex is compiled for that.
    """
    begin, star, rest = pattern.partition("*")
    if not star:
        return name == pattern
    *inner, end = rest.split("*")
    if not (name.endswith(end) and name.startswith(begin)):
        return False
    at = len(begin)
    for part in inner:
        if (found := name.find(part, at)) < 0:
            return False
        at = found + len(part)
    return at + len(end) <= len(name)
