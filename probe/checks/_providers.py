"""Providers told from the DNS of a domain: the table `_providers.toml`, and who a domain's MX belong to."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.rules import Source

__all__ = [
    "Provider",
    "filled",
    "find",
    "including",
    "leading",
    "matches",
    "nearly",
    "recognise",
    "table",
    "to_include",
]

_LONGEST, _ONE_SLIP = 80, 0.91  # of a name of 12 characters; two slips of one of 25
_OPEN = re.compile(r"[*}]")


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
    places = [place for place, pattern in _likely("mx", host) if matches(host, pattern)]
    return table()[min(places)] if places else None


def leading(aliases: Iterable[str], domain: str, but: Iterable[Provider]) -> tuple[Provider, ...]:
    """The providers, `but` for some, whose customers' DKIM selectors are aliases of such names, in order."""
    known = {one.id for one in but}
    places = {
        place
        for alias in aliases
        for place, pattern in _likely("targets", alias)
        if table()[place].id not in known and matches(alias, filled(pattern, domain))
    }
    return tuple([table()[place] for place in sorted(places)])


def filled(pattern: str, domain: str) -> str:
    """A pattern or a selector that holds the customer's domain, for this domain."""
    if "{" not in pattern:
        return pattern
    return pattern.replace("{domain}", domain).replace("{dashed}", domain.replace(".", "-"))


def _likely(kind: str, name: str) -> Sequence[tuple[int, str]]:
    """The patterns whose end may be that of a name, with their providers' places in the table."""
    patterns = _by_end(kind)
    return patterns.get(_end(name)) or patterns[""]


@functools.cache
def _by_end(kind: str) -> Mapping[str, Sequence[tuple[int, str]]]:
    """The patterns of one kind by the last two labels of what they match; with each those that end openly."""
    closed: dict[str, list[tuple[int, str]]] = {}
    opened: list[tuple[int, str]] = []
    for place, provider in enumerate(table()):
        for pattern in getattr(provider, kind):
            fixed = _OPEN.split(pattern)[-1]
            ends = fixed == pattern or fixed.count(".") > 1
            (closed.setdefault(_end(fixed), []) if ends else opened).append((place, pattern))
    return {"": opened, **{end: [*patterns, *opened] for end, patterns in closed.items()}}


def _end(name: str) -> str:
    return ".".join(name.rsplit(".", 2)[-2:])


def including(names: Iterable[str]) -> tuple[Provider, ...]:
    """The providers whose customers include one of these names in their SPF records, in the table's order."""
    places = {place for name in names for place in _by_include().get(name, ())}
    return tuple(table()[place] for place in sorted(places))


def to_include(provider: Provider, hosts: Iterable[str]) -> str:
    """The name that a customer with these MX hosts includes: that of their region, else the first.

    The end of a host tells its region, and that of a name whose servers it lists.
    """
    ends = {_top(host) for host in hosts if _of_host(host) is provider}
    return next((name for name in provider.spf if _top(name) in ends), provider.spf[0])


def _top(name: str) -> str:
    return name.rpartition(".")[2].lower()


@functools.lru_cache(maxsize=512)
def nearly(name: str) -> str:
    """The name to include that this one is a slip of, for its author's customers; empty where it is none."""
    return next(iter(difflib.get_close_matches(name[:_LONGEST].lower(), _by_include(), 1, _ONE_SLIP)), "")


@functools.cache
def _by_include() -> Mapping[str, tuple[int, ...]]:
    """The places in the table by the name to include."""
    names = {name for provider in table() for name in provider.spf}
    return {name: tuple(at for at, one in enumerate(table()) if name in one.spf) for name in names}


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
