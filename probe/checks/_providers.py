"""Providers told from the DNS of a domain: the table `_providers.toml`, and who a domain's MX belong to."""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from probe.rules import Source

__all__ = ["Provider", "find", "recognise", "table"]


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
    for provider in table():
        if any(fnmatch.fnmatchcase(host, pattern) for pattern in provider.mx):
            return provider
    return None
