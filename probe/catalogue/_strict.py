"""The strict reader of the catalogue's files: for tests and for authors, never at run time."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from probe.catalogue import _patterns
from probe.catalogue._table import FLAGS, LISTS, TEXTS, listed, pattern_of
from probe.facts import Ending, Stage
from probe.rules import Cause, Confidence, Outcome, Priority, Retry, Verdict

__all__ = ["problems"]

_CHOICES: Mapping[str, frozenset[str]] = {
    "verdict": frozenset(Verdict),
    "cause": frozenset(cause.value for cause in Cause),
    "outcome": frozenset(Outcome),
    "retry": frozenset(Retry),
    "priority": frozenset(Priority),
    "confidence": frozenset(Confidence),
    "stage": frozenset(Stage),
    "ending": frozenset(Ending),
    "also": frozenset(cause.value for cause in Cause),
    "side": frozenset(("submission", "mx")),
}
_ENTRY_KEYS = frozenset(
    ("id", "verdict", "cause", "outcome", "retry", "priority", "confidence", "rank", "source", "anywhere")
) | {*TEXTS, *LISTS, *FLAGS}
_RULE_KEYS = _ENTRY_KEYS - {
    "stage",
    "code",
    "enhanced",
    "text",
    "ending",
    "mechanism",
    "side",
    "rank",
    "anywhere",
}
_PROVIDER_KEYS = frozenset(
    (
        "name", "mx", "domains", "submission", "signs", "mechanisms", "password", "app_password_url",
        "token_url", "token_scope", "token_scope_alone", "at_once", "per_minute", "note", "source",
    )
)  # fmt: skip
_FILE_KEYS = frozenset(("provider", "reply", "rule", "source", "vocabulary", "defaults"))
_SOURCE_KEYS = frozenset(("url", "kind", "read"))
_CODE = re.compile(r"[2-5][0-9x]{2}")
_STATUS = re.compile(r"[245x]\.[0-9]{1,3}\.(?:[0-9]{1,3}|x)")
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){0,12}")


def problems(folder: Path) -> list[str]:
    """Everything that is wrong with the files of a folder, a line each; empty when they are sound."""
    found: list[str] = []
    seen: set[str] = set()
    for path in sorted(folder.glob("*.toml")):
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except ValueError as error:
            found.append(f"{path.name}: {error}")
            continue
        found += [f"{path.name}: unknown table {key}" for key in sorted(data.keys() - _FILE_KEYS)]
        if "provider" in data:
            found += [
                f"{path.name}: [provider] {one}"
                for one in _wrong_provider(data["provider"], data.get("source"))
            ]
        for kind, keys in (("reply", _ENTRY_KEYS), ("rule", _RULE_KEYS)):
            for each in data.get(kind, ()):
                name = f"{path.stem}/{each.get('id', '?')}"
                if name in seen:
                    found.append(f"{name}: a second time")
                seen.add(name)
                whole = data.get("defaults", {}) | each if kind == "reply" else each
                found += [f"{name}: {one}" for one in _wrong(whole, keys, data, kind)]
    return found


def _wrong_source(own: Any, default: Any) -> Iterator[str]:
    source = own or default
    if not isinstance(source, Mapping):
        yield "no source"
        return
    if set(source) != _SOURCE_KEYS:
        yield f"a source has url, kind and read, not {sorted(source)}"
    if source.get("kind") not in {"rfc", "vendor", "observed"}:
        yield f"no kind of source: {source.get('kind')}"
    if not re.fullmatch(r"https://\S{4,300}", str(source.get("url", ""))):
        yield f"no URL: {source.get('url')}"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(source.get("read", ""))):
        yield f"no date: {source.get('read')}"


def _wrong_provider(each: Mapping[str, Any], default: Any) -> Iterator[str]:
    yield from (f"unknown key {key}" for key in sorted(each.keys() - _PROVIDER_KEYS))
    yield from _wrong_source(each.get("source"), default)
    if not each.get("name"):
        yield "no name"
    if (
        not each.get("mx")
        and not each.get("domains")
        and not each.get("signs")
        and not each.get("submission")
    ):
        yield "nothing to recognise it by"


def _wrong(
    each: Mapping[str, Any], keys: frozenset[str], file: Mapping[str, Any], kind: str
) -> Iterator[str]:
    yield from (f"unknown key {key}" for key in sorted(each.keys() - keys))
    yield from _wrong_source(each.get("source"), file.get("source"))
    if not _NAME.fullmatch(str(each.get("id", ""))):
        yield "an id is lower-case words with hyphens"
    if not each.get("title"):
        yield "no title"
    if "cause" not in each and each.get("verdict") not in {"ok", "note", "warn"}:
        yield "no cause"
    for key, choices in _CHOICES.items():
        yield from (f"{key}: no such value: {one}" for one in listed(each.get(key)) if one not in choices)
    yield from (f"no code: {one}" for one in listed(each.get("code")) if not _CODE.fullmatch(one))
    yield from (
        f"no enhanced code: {one}" for one in listed(each.get("enhanced")) if not _STATUS.fullmatch(one)
    )
    yield from (f"{key} is true or false" for key in FLAGS if not isinstance(each.get(key, False), bool))
    for pattern in listed(each.get("text")):
        if why := _patterns.unsafe(pattern_of(pattern, file.get("vocabulary", {}))):
            yield f"{pattern!r}: {why}"
    if kind == "reply":
        yield from _wrong_reply(each)


def _wrong_reply(each: Mapping[str, Any]) -> Iterator[str]:
    if not any(each.get(key) for key in ("code", "enhanced", "text", "ending", "stage")):
        yield "nothing says when it applies"
    if not each.get("sample") and not each.get("ending"):
        yield "no sample"
    if each.get("outcome") == Outcome.BAD_CREDS and any(one[0] == "4" for one in listed(each.get("code"))):
        yield "a 4xx reply never proves bad credentials"
