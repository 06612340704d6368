"""DNS checks, one file each: `RULES`, `ask` and `judge`. The folder is the registry.

A check asks until it has no more questions, then it judges: two pure functions of what has been seen.
The runner fetches what is new, once for the whole run, and calls `ask` again until nobody asks.

A file whose name begins with an underscore is no check: it holds what checks are made of (the providers, the
lists, the words of evidence), and rooms that may import this one may import it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, cast

from probe.facts import Question, Records
from probe.rules import Finding, Rule, State

__all__ = ["Check", "Domain", "Judgement", "every", "find"]


@dataclass(frozen=True, slots=True)
class Domain:
    """What is audited, and what the operator told about the way it sends.

    `name` is in lower-case A-labels without final dot. `sending_ips` are the addresses mail leaves
    from, `helo` the name said there, `mail_from` the envelope sender (empty: postmaster at the name),
    `selectors` DKIM selectors given, `provider` the id of a provider (one that `_providers.toml` does not
    have, and an empty one: recognise it). `options` names the checks and parts that are asked for by name
    ("dnsbl", "rdap", "authoritative").
    """

    name: str
    sending_ips: tuple[str, ...] = ()
    helo: str = ""
    mail_from: str = ""
    selectors: tuple[str, ...] = ()
    provider: str = ""
    options: frozenset[str] = frozenset()

    def __hash__(self) -> int:
        # What is remembered is looked up by domain a hundred times an audit: the name tells them apart.
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a check concludes: the state of its area, the findings, and what it computed (for JSON)."""

    state: State
    findings: tuple[Finding, ...] = ()
    evaluation: object = None


class Check(Protocol):
    """The shape of a file in this folder. Its name is the area, and the first part of its rules' ids."""

    RULES: tuple[Rule, ...]
    ask: Callable[[Domain, Records], Iterable[Question]]
    judge: Callable[[Domain, Records], Judgement]


@functools.cache
def every() -> tuple[str, ...]:
    """The areas, in alphabetical order: the names of the files in this folder."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name[0] != "_"))


@functools.cache
def find(area: str) -> Check:
    """The check of one area."""
    return cast("Check", importlib.import_module(f"{__name__}.{area}"))
