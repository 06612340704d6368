"""TOML in, one plain table out: what the catalogue loads in milliseconds instead of parsing it anew.

The compiled table is kept like byte code, beside the files or in the user's cache, under a key made of
every file's name, size and time. `compiled` never raises at a user: a file that cannot be read is left
out. `problems` is the strict reader that tests use.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from probe.catalogue import _patterns
from probe.facts import Ending, Stage
from probe.rules import Cause, Confidence, Outcome, Priority, Retry, Verdict

__all__ = ["compiled", "problems", "table"]

_TEXTS = ("title", "meaning", "fix", "dont", "check", "disputed", "retry_after")
_LISTS = ("stage", "code", "enhanced", "text", "ending", "mechanism", "side", "sample", "also", "predicts")
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
_FLAGS = ("permanent", "recipient_bad", "sender_must_act")
_ENTRY_KEYS = frozenset(
    ("id", "verdict", "cause", "outcome", "retry", "priority", "confidence", "rank", "source", "anywhere")
) | {*_TEXTS, *_LISTS, *_FLAGS}
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
        "at_once", "per_minute", "spf", "dkim", "note", "source",
    )
)  # fmt: skip
_FILE_KEYS = frozenset(("provider", "reply", "rule", "source", "vocabulary", "defaults"))
_SOURCE_KEYS = frozenset(("url", "kind", "read"))
_CODE = re.compile(r"[2-5][0-9x]{2}")
_STATUS = re.compile(r"[245x]\.[0-9]{1,3}\.(?:[0-9]{1,3}|x)")
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){0,12}")

# What a cause says when its entry does not: verdicts follow the action family.
_VERDICTS: Mapping[str, str] = {
    "mailbox_full": "wait",
    "rate_limit": "wait",
    "greylist": "wait",
    "receiver_unavailable": "wait",
    "sender_quota": "wait",
    "success": "ok",
    "unknown": "unknown",
}


def compiled(folder: Path) -> Mapping[str, Any]:
    """The table of a folder of TOML files, from the kept form where that is current."""
    files = sorted(_seen(entry) for entry in os.scandir(folder) if entry.name.endswith(".toml"))
    made_by = [_seen(Path(file)) for file in (__file__, _patterns.__file__)]
    key = [sys.version, made_by, files]
    for place in _places(folder):
        with contextlib.suppress(OSError, ValueError, EOFError, TypeError, LookupError):
            kept = marshal.loads(place.read_bytes())  # noqa: S302  # our own byte code, as trusted as .pyc
            if kept["key"] == key:
                return kept["table"]  # type: ignore[no-any-return]  # marshal knows no types
    made = table(_parsed(folder / name for name, *_ in files))
    _keep(folder, marshal.dumps({"key": key, "table": made}))
    return made


def _seen(file: os.DirEntry[str] | Path) -> tuple[str, int, int]:
    state = file.stat()
    return file.name, state.st_size, state.st_mtime_ns


def _places(folder: Path) -> Iterator[Path]:
    """Where the kept form may lie: with the byte code, else in the user's cache."""
    beside = Path(importlib.util.cache_from_source(str(folder / "catalogue.py")))
    if not sys.dont_write_bytecode:
        yield beside.with_suffix(".table")
    root = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    with contextlib.suppress(RuntimeError):  # nobody has a home here
        yield Path(root).expanduser() / "probe" / f"{beside.stem}.table"


def _keep(folder: Path, data: bytes) -> None:
    import tempfile  # noqa: PLC0415  # only when the kept form is stale

    for place in _places(folder):
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
                file.write(data)
            Path(file.name).replace(place)  # readers see the old table or the new one, never half of it
            return


def _parsed(paths: Iterable[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import tomllib  # noqa: PLC0415  # only when the kept form is stale

    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            yield path.stem, tomllib.loads(path.read_text("utf-8"))


# -- the table ------------------------------------------------------------------------------------


def table(files: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The compiled table of parsed files; the order of the files does not show in it."""
    rules: dict[str, dict[str, Any]] = {}
    entries: list[dict[str, Any]] = []
    providers: dict[str, dict[str, Any]] = {}
    for stem, data in sorted(files, key=lambda file: file[0]):
        source = data.get("source", {})
        if "provider" in data:
            providers[stem] = _provider(stem, data["provider"], source)
        for each in data.get("rule", ()):
            rules[f"{stem}/{each['id']}"] = _rule(stem, each, source)
        for own in data.get("reply", ()):
            each = data.get("defaults", {}) | own
            rules[f"{stem}/{each['id']}"] = _rule(stem, each, source)
            provider = stem if "provider" in data else ""
            entries.append(_entry(stem, each, provider, data.get("vocabulary", {})))
    for one in rules.values():
        _inherit(one, rules)
    entries.sort(key=lambda entry: entry["id"])
    return {"rules": rules, "entries": entries, "providers": providers, "index": _index(entries)}


def _listed(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _source(own: Any, default: Any) -> dict[str, str]:
    given = own or default
    return {key: str(given.get(key, "")) for key in ("url", "kind", "read")}


def _rule(stem: str, each: Mapping[str, Any], source: Any) -> dict[str, Any]:
    cause = each.get("cause", "unknown")
    made: dict[str, Any] = {key: " ".join(str(each[key]).split()) for key in _TEXTS if key in each}
    made |= {key: each[key] for key in (*_FLAGS, "outcome", "retry", "priority") if key in each}
    return made | {
        "id": f"{stem}/{each['id']}",
        "cause": cause,
        "verdict": each.get("verdict") or _VERDICTS.get(cause, "fail"),
        "source": _source(each.get("source"), source),
        "predicts": _listed(each.get("predicts")),
    }


def _inherit(rule: dict[str, Any], rules: Mapping[str, Mapping[str, Any]]) -> None:
    """Fill meaning, fix and dont from the entry that speaks for the cause: `standard/<cause>`."""
    general = rules.get(f"standard/{rule['cause'].replace('_', '-')}", {})
    if "fix" not in rule and "dont" in general:
        rule.setdefault("dont", general["dont"])
    for key in ("title", "meaning", "fix", "check"):
        rule.setdefault(key, general.get(key, ""))
    rule.setdefault("dont", "")


def _entry(
    stem: str, each: Mapping[str, Any], provider: str, vocabulary: Mapping[str, str]
) -> dict[str, Any]:
    made: dict[str, Any] = {key: _listed(each.get(key)) for key in _LISTS}
    made["text"] = [one for text in made["text"] if _sound(one := _pattern(text, vocabulary))]
    made["worth"] = [_worth(one) for one in made["text"]]
    made["mechanism"] = [one.lower() for one in made["mechanism"]]
    return made | {
        "id": f"{stem}/{each['id']}",
        "provider": provider,
        "rank": int(each.get("rank", 0)),
        "confidence": each.get("confidence", ""),
        "check": " ".join(str(each.get("check", "")).split()),
        "disputed": " ".join(str(each.get("disputed", "")).split()),
        "anywhere": bool(each.get("anywhere", False)),
    }


def _pattern(text: str, vocabulary: Mapping[str, str]) -> str:
    """A pattern as it is matched; a word the vocabulary lacks stays, and is found by `problems`."""
    with contextlib.suppress(KeyError):
        text = _patterns.expanded(text, vocabulary)
    return _patterns.fold_pattern(text)


def _sound(pattern: str) -> bool:
    with contextlib.suppress(re.error):
        return bool(re.compile(pattern))
    return False  # an author's slip costs one pattern, never a reading


def _worth(pattern: str) -> int:
    try:
        return _patterns.width(pattern)
    except re.error:
        return 0


def _provider(stem: str, each: Mapping[str, Any], source: Any) -> dict[str, Any]:
    submission = each.get("submission", [])
    if isinstance(submission, Mapping):
        submission = [submission]
    made: dict[str, Any] = {
        key: [one.lower() for one in _listed(each.get(key))] for key in ("mx", "domains", "signs")
    }
    return made | {
        "id": stem,
        "name": str(each.get("name", stem)),
        "submission": [
            [
                str(one.get("host", "")),
                int(one.get("port", 587)),
                str(one.get("tls", "starttls")),
                [name.lower() for name in _listed(one.get("only"))],
            ]
            for one in submission
        ],
        "password": str(each.get("password", "")),
        "app_password_url": str(each.get("app_password_url", "")),
        "at_once": int(each.get("at_once", 5)),
        "per_minute": int(each.get("per_minute", 0)),
        "note": " ".join(str(each.get("note", "")).split()),
        "source": _source(each.get("source"), source),
    }


def _index(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Where to look: patterns by their rarest required gram, bare entries by code, faults by ending."""
    samples = [_patterns.fold(sample) for entry in entries for sample in entry["sample"]]
    replies = samples[:: max(1, len(samples) // 150)]
    patterns: list[tuple[int, int, tuple[str, ...]]] = []
    index: dict[str, Any] = {"enhanced": {}, "code": {}, "rest": [], "ending": {}}
    for number, entry in enumerate(entries):
        if entry["text"] and not entry["ending"]:
            patterns += [(number, place, _rarest(one, replies)) for place, one in enumerate(entry["text"])]
            continue
        kind = next((kind for kind in ("ending", "enhanced", "code") if entry[kind]), "rest")
        for one in _keys(kind, entry):
            index[kind].setdefault(one, []).append(number)
        if not _keys(kind, entry):
            index["rest"].append(number)
    return index | _grammed(patterns)


def _keys(kind: str, entry: Mapping[str, Any]) -> list[str]:
    """The exact values under which an entry without words is found; none where only a search finds it."""
    keys = [
        key
        for one in entry.get(kind, ())
        for key in ([f"4{one[1:]}", f"5{one[1:]}"] if one[0] == "x" else [one])
    ]
    return [] if kind != "ending" and any("x" in key for key in keys) else keys


def _grammed(patterns: list[tuple[int, int, tuple[str, ...]]]) -> dict[str, Any]:
    grams: dict[str, list[tuple[int, int, str]]] = {}
    always: list[tuple[int, int, str]] = []
    common = Counter(gram for _, _, words in patterns for word in words for gram in _patterns.grams(word))
    for number, place, words in patterns:
        for word in words or ("",):
            if len(word) < _patterns.GRAM:
                always.append((number, place, word))
            else:
                rarest = min(_patterns.grams(word), key=lambda gram: (common[gram], gram))
                grams.setdefault(rarest, []).append((number, place, word))
    return {"grams": grams, "always": always}


def _rarest(pattern: str, replies: list[str]) -> tuple[str, ...]:
    """The set of required literals that fewest replies contain: where it is absent, nothing need be tried."""
    try:
        options = _patterns.required(pattern)
    except re.error:
        return ()
    return min(options, key=lambda words: _common(words, replies), default=())


def _common(words: tuple[str, ...], replies: list[str]) -> tuple[int, int]:
    seen = sum(any(word in reply for word in words) for reply in replies)
    return (seen if min(map(len, words)) >= _patterns.GRAM else len(replies)), -min(map(len, words))


# -- the strict reader ----------------------------------------------------------------------------


def problems(folder: Path) -> list[str]:
    """Everything that is wrong with the files of a folder, a line each; empty when they are sound."""
    import tomllib  # noqa: PLC0415  # only in tests

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
        yield from (f"{key}: no such value: {one}" for one in _listed(each.get(key)) if one not in choices)
    yield from (f"no code: {one}" for one in _listed(each.get("code")) if not _CODE.fullmatch(one))
    yield from (
        f"no enhanced code: {one}" for one in _listed(each.get("enhanced")) if not _STATUS.fullmatch(one)
    )
    yield from (f"{key} is true or false" for key in _FLAGS if not isinstance(each.get(key, False), bool))
    for pattern in _listed(each.get("text")):
        if why := _patterns.unsafe(_pattern(pattern, file.get("vocabulary", {}))):
            yield f"{pattern!r}: {why}"
    if kind == "reply":
        yield from _wrong_reply(each)


def _wrong_reply(each: Mapping[str, Any]) -> Iterator[str]:
    if not any(each.get(key) for key in ("code", "enhanced", "text", "ending", "stage")):
        yield "nothing says when it applies"
    if not each.get("sample") and not each.get("ending"):
        yield "no sample"
    if each.get("outcome") == Outcome.BAD_CREDS and any(one[0] == "4" for one in _listed(each.get("code"))):
        yield "a 4xx reply never proves bad credentials"
