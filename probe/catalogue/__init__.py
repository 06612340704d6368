"""What replies mean, as data: every TOML file in this folder, and how the best reading is found.

`read` is total: it answers for every reply and every fault, in any language, with the words that were
decisive, other readings, and how sure it is. The most specific entry wins (words over provider over
enhanced code over stage over code), so the order of files and entries never matters.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from probe.catalogue import _compile, _match
from probe.catalogue._entry import Entry, Match, Provider, Submission, rule_of
from probe.catalogue._patterns import fold
from probe.facts import Fault, Reply, Stage
from probe.rules import Cause, Rule

__all__ = [
    "Entry",
    "Match",
    "Provider",
    "Submission",
    "entries",
    "entry",
    "fold",
    "general",
    "problems",
    "provider",
    "provider_named",
    "provider_of_domain",
    "provider_of_host",
    "provider_of_mx",
    "provider_of_text",
    "providers",
    "read",
    "read_words",
    "rule",
    "rules",
]

FOLDER = Path(__file__).parent


@functools.cache
def _library() -> _match.Library:
    return _match.Library(_compile.compiled(FOLDER))


# -- reading --------------------------------------------------------------------------------------


def read(
    heard: Reply | Fault,
    *,
    stage: Stage | None = None,
    provider: str = "",
    mechanism: str = "",
    side: str = "",
) -> Match:
    """The best reading of one reply or fault; it always answers.

    `provider` is an id or a name (empty: recognised by its signs in the words), `mechanism` the SASL
    name that was used, `side` is ``submission`` (our own provider), ``mx`` (a recipient's server) or empty.
    """
    if isinstance(heard, Fault):
        return _library().fault(heard, stage, provider, mechanism)
    return read_words(
        heard.text,
        code=heard.code,
        enhanced=heard.enhanced or "",
        stage=stage,
        provider=provider,
        mechanism=mechanism,
        side=side,
    )


def read_words(
    words: str,
    *,
    code: int = 0,
    enhanced: str = "",
    stage: Stage | None = None,
    provider: str = "",
    mechanism: str = "",
    side: str = "",
) -> Match:
    """The same for words that somebody pasted, where the code (0) or the enhanced code may be lost."""
    if provider and provider not in _by_id():
        provider = named.id if (named := provider_named(provider)) else ""
    heard = _match.Heard(fold(words), code, enhanced, stage, provider, mechanism.lower(), side)
    return _read(heard)


@functools.lru_cache(maxsize=256)  # servers say the same words to every inbox
def _read(heard: _match.Heard) -> Match:
    return _library().reply(heard)


# -- looking up -----------------------------------------------------------------------------------


def rule(id: str) -> Rule:
    """The rule of an id such as ``google/app-password-required``; KeyError for an id nobody wrote."""
    return rule_of(_library().rules[id])


def rules() -> tuple[Rule, ...]:
    """Every rule, of replies and of sessions, by id."""
    return tuple(map(rule, sorted(_library().rules.asleep)))


def entry(id: str) -> Entry:
    """The reply entry of an id; KeyError for an id nobody wrote."""
    return _library().named(id)


def entries() -> tuple[Entry, ...]:
    """Every reply entry, by id."""
    return tuple(_library().entries.every())


def general(cause: Cause) -> Rule:
    """What is always true of a cause: the entry ``standard/<cause>``."""
    return rule(f"standard/{cause.value.replace('_', '-')}")


def problems(folder: Path = FOLDER) -> list[str]:
    """Everything wrong with the files of a folder, a line each (strict: for tests and authors)."""
    from probe.catalogue import _strict  # noqa: PLC0415  # for tests and authors only

    return _strict.problems(folder)


# -- providers ------------------------------------------------------------------------------------


@functools.cache
def providers() -> tuple[Provider, ...]:
    """Every provider, by id."""
    return tuple(_library().providers.every())


@functools.cache
def _by_id() -> Mapping[str, Provider]:
    return {one.id: one for one in providers()}


def provider(id: str) -> Provider:
    """The provider of an id; KeyError for an id nobody wrote."""
    return _by_id()[id]


@functools.lru_cache(maxsize=256)
def provider_named(label: str) -> Provider | None:
    """The provider that people call so: its id, or a part of its name ("Microsoft 365", "iCloud", "gmail").

    None where no provider, or more than one, is called so.
    """
    words = re.findall(r"[a-z0-9]{1,40}", label[:200].lower())
    if not words:
        return None
    for called in ("".join(words), *words[:1]):
        if called in _by_id():
            return _by_id()[called]
        if len(called) >= 3:
            found = [one for one in providers() if called in re.sub(r"[^a-z0-9]", "", one.name.lower())]
            if len(found) == 1:
                return found[0]
    return None


def provider_of_mx(hosts: Iterable[str]) -> Provider | None:
    """The provider that runs these mail exchangers; the first host that is known decides."""
    found = (_globbed(host, "mx") for host in hosts)
    return next((one for one in found if one), None)


@functools.lru_cache(maxsize=256)
def provider_of_domain(domain: str) -> Provider | None:
    """The provider whose own (consumer) domain this is."""
    return _globbed(domain, "domains")


@functools.lru_cache(maxsize=256)
def provider_of_host(host: str) -> Provider | None:
    """The provider of a submission server or mail exchanger."""
    name = _name(host)
    return next(
        (one for one in providers() if any(name == served.host for served in one.submission)), None
    ) or _globbed(name, "mx")


@functools.lru_cache(maxsize=64)
def provider_of_text(text: str) -> Provider | None:
    """The provider that a banner's or reply's own words betray."""
    library = _library()
    return _by_id().get(library.signed(library.literals(fold(text))))


def _name(host: str) -> str:
    return host.strip().rstrip(".").lower()


@functools.cache
def _globs(field: str) -> tuple[dict[str, Provider], tuple[tuple[str, Provider], ...]]:
    exact: dict[str, Provider] = {}
    globs: list[tuple[str, Provider]] = []
    for one in providers():
        for pattern in getattr(one, field):
            if "*" in pattern:
                globs.append((pattern, one))
            else:
                exact[pattern] = one
    return exact, tuple(sorted(globs, key=lambda pair: -len(pair[0])))


@functools.lru_cache(maxsize=256)  # the replies of a log come from few servers
def _globbed(host: str, field: str) -> Provider | None:
    name = _name(host)
    exact, globs = _globs(field)
    if name in exact:
        return exact[name]
    return next((one for pattern, one in globs if _like(name, pattern)), None)


def _like(name: str, pattern: str) -> bool:
    """Whether a name is of a glob whose ``*`` stands for anything, dots included (linear: no regex)."""
    head, *middle, tail = pattern.split("*")
    if not (name.startswith(head) and name.endswith(tail) and len(name) >= len(head) + len(tail)):
        return False
    place = len(head)
    for part in middle:
        place = name.find(part, place, len(name) - len(tail))
        if place < 0:
            return False
        place += len(part)
    return True
