"""Scenarios as their files tell them: where the files are, and how one becomes a `Scenario`.

What a file may hold is told in `scenario`, and its types there are what is allowed: a key that is none of
theirs, a value of another type and a word that is not among those of its field are errors.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from .scenario import Ask, Expect, Scenario, Server, Zone
from .script import STAGES, ScenarioError, acts, known, seconds

__all__ = ["folder", "load", "load_all", "parse"]

_MAX_FILE = 1 << 20
_LARGEST = 65_535  # whole number: ports, and counts of what a server saw
_MOST_SERVERS = 64  # of one kind in one world
_PAGE = ("status", "type", "body", "date", "location", "form", "then")


def folder() -> Path:
    """Where the scenarios are: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parents[1]
    shipped = package / "_scenarios"
    return shipped if shipped.is_dir() else package.parent / "scenarios"


def load(name: str | Path) -> Scenario:
    """One scenario, by its name in `folder` or by the path of a file; `ScenarioError` says what is wrong."""
    path = Path(name)
    if path.suffix != ".toml":
        path = folder() / f"{name}.toml"
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise ScenarioError(f"{name}: {_absent(name, error)}") from error
    return parse(data.decode("utf-8", "replace"), path.stem)


def _absent(name: str | Path, error: OSError) -> str:
    """Why there is no scenario of that name, and what to do."""
    if Path(name).suffix == ".toml":
        return f"no such scenario ({error.strerror})"
    if os.path.exists(name):  # noqa: PTH110 - a Path raises for a name that is too long
        return "a scenario is a file whose name ends in .toml"
    if any(char in str(name) for char in "*?["):
        return (
            f"one scenario is wanted, not a pattern; `probe scenarios list '{name}'` names those that match"
        )
    return "no such scenario; `probe scenarios list` names those there are"


def load_all(pattern: str = "*") -> tuple[Scenario, ...]:
    """Every scenario whose name matches a glob, by name."""
    found = (path for path in folder().glob("*.toml") if fnmatchcase(path.stem, pattern))
    return tuple(load(path) for path in sorted(found))


def parse(text: str, name: str) -> Scenario:
    """A scenario from the text of its file; `ScenarioError` names file, key and what is allowed."""
    if len(text.encode("utf-8", "surrogatepass")) > _MAX_FILE:
        raise ScenarioError(f"{name}: larger than 1 MiB")
    try:
        return _scenario(name, tomllib.loads(text))
    except ScenarioError:
        raise
    except ValueError as error:  # not TOML, or a number of more digits than Python reads
        raise ScenarioError(f"{name}: not TOML: {error}") from error
    except RecursionError as error:
        raise ScenarioError(f"{name}: nested too deeply") from error


def _scenario(name: str, table: Mapping[str, object]) -> Scenario:
    known(name, "the top", table, ("about", "probe", "smtp", "more", "dns", "expect"))
    about = table.get("about")
    if not isinstance(about, str) or not about.strip():
        raise ScenarioError(f"{name}: about: a sentence is wanted")
    probe = _read(Ask, name, "probe", _table(name, "probe", table.get("probe", {})))
    smtp = None
    if "smtp" in table or ("dns" not in table and probe.run in {"creds", "rcpt"}):
        smtp = _server(name, _table(name, "smtp", table.get("smtp", {})))
    more = {
        host: _server(name, {**_table(name, f'more."{host}"', value), "host": host})
        for host, value in _table(name, "more", table.get("more", {})).items()
    }
    dns = _zone(name, _table(name, "dns", table["dns"])) if "dns" in table else None
    if len(more) > _MOST_SERVERS or (dns and len(dns.servers) > _MOST_SERVERS):
        raise ScenarioError(f"{name}: more than {_MOST_SERVERS} servers")
    expect = _read(Expect, name, "expect", _table(name, "expect", table.get("expect", {})))
    return Scenario(name, about.strip(), probe, smtp, dns, expect, MappingProxyType(more))


def _server(name: str, table: Mapping[str, object]) -> Server:
    plain = {key: value for key, value in table.items() if key not in STAGES}
    scripts = {key: value for key, value in table.items() if key in STAGES}
    own = sorted({item.name for item in fields(Server)} - {"script"})
    known(name, "[smtp]", plain, (*own, *STAGES))
    script = {stage: tuple(acts(f"{name}: [smtp] {stage}", value)) for stage, value in scripts.items()}
    server = _read(Server, name, "smtp", {**plain, "script": MappingProxyType(script)})
    _host(f"{name}: [smtp] host", server.host)
    for host in server.names:
        _host(f"{name}: [smtp] names", host)
    return server


def _zone(name: str, table: Mapping[str, object]) -> Zone:
    """``[dns]``, but for the zone text: it is read when its server starts."""
    zone = _read(Zone, name, "dns", table)
    for url, page in zone.web.items():
        where = f"{name}: [dns] web"
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise ScenarioError(f"{where}: {url!r} is no URL: {error}") from error
        if parts.scheme != "https":
            raise ScenarioError(f"{where}: {url!r}: a URL that begins with https:// is wanted")
        _host(f"{where}: {url!r}", parts.hostname or "")
        if isinstance(page, Mapping):
            known(name, f"[dns] web: {url!r}", page, _PAGE)
    return zone


def _host(where: str, name: str) -> None:
    """Refuses what can stand in no certificate; a name may well be one that DNS does not know."""
    if not name.isascii() or not name.isprintable() or not 1 <= len(name) <= 253 or " " in name:
        raise ScenarioError(f"{where}: a host name is wanted, as DNS writes it, not {name!r}")


# -- validation -----------------------------------------------------------------------------------

_Table = TypeVar("_Table", Ask, Server, Zone, Expect)


def _table(name: str, key: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{name}: [{key}]: a table is wanted")
    return value


def _read(kind: type[_Table], name: str, key: str, table: Mapping[str, object]) -> _Table:
    """A table as its dataclass: unknown keys, wrong types and words that are not allowed are errors."""
    known(name, f"[{key}]", table, tuple(item.name for item in fields(kind)))
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for item in fields(kind):
        if item.name not in table:
            assert item.default is not MISSING or item.default_factory is not MISSING
            continue
        value = _typed(f"{name}: [{key}] {item.name}", hints[item.name], table[item.name])
        allowed = item.metadata.get("allowed")
        if allowed and value not in allowed:
            choices = ", ".join(choice for choice in allowed if choice)
            raise ScenarioError(f"{name}: [{key}] {item.name}: {value!r} is not one of {choices}")
        values[item.name] = value
    return kind(**values)


def _typed(where: str, hint: Any, value: object) -> object:
    """A value as its field wants it: arrays become tuples, whole numbers may stand for seconds."""
    if get_origin(hint) in {Union, UnionType}:
        hint = next(choice for choice in get_args(hint) if choice is not type(None))
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if origin is not None and origin is not tuple and isinstance(value, Mapping):
        wanted = get_args(hint)[1]
        if wanted is float:
            value = {key: _typed(f"{where}.{key}", float, number) for key, number in value.items()}
        elif wanted is str:
            value = {key: _typed(f"{where}.{key}", str, text) for key, text in value.items()}
        return MappingProxyType(dict(value))
    if hint is float:
        return seconds(where, value)
    if hint is int and type(value) is int and 0 <= value <= _LARGEST:
        return value
    if (hint is str and isinstance(value, str)) or (hint is bool and isinstance(value, bool)):
        return value
    words = {str: "a string", int: f"a whole number from 0 to {_LARGEST}", bool: "true or false"}
    wanted_words = words.get(hint, "an array of strings" if origin is tuple else "a table")
    raise ScenarioError(f"{where}: {wanted_words} is wanted, not {value!r}")
