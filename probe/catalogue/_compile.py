"""TOML in, one plain table out: what the catalogue loads in milliseconds instead of parsing it anew.

The compiled table is kept like byte code, beside the files or in the user's cache, under a key made of
every file's name, size and time. A command needs a handful of its rows: so each row of a rule, an entry
or a provider sleeps as bytes until `row` wakes it, and only the index is there at once.
`compiled` never raises at a user: a file that cannot be read is left out. What is wrong with one,
`_strict` tells.
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

__all__ = ["FLAGS", "LISTS", "TEXTS", "compiled", "listed", "pattern_of", "row", "table"]

TEXTS = ("title", "meaning", "fix", "dont", "check", "disputed", "retry_after")
LISTS = ("stage", "code", "enhanced", "text", "ending", "mechanism", "side", "sample", "also", "predicts")
FLAGS = ("permanent", "recipient_bad", "sender_must_act")
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
    return {
        "rules": {name: marshal.dumps(one) for name, one in rules.items()},
        "entries": [marshal.dumps(one) for one in entries],
        "providers": {name: marshal.dumps(one) for name, one in providers.items()},
        "index": _index(entries, providers),
    }


def row(asleep: bytes) -> dict[str, Any]:
    """A row of the table as it was before it was laid to sleep."""
    return marshal.loads(asleep)  # type: ignore[no-any-return]  # noqa: S302  # as in `compiled`


def listed(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _source(own: Any, default: Any) -> dict[str, str]:
    given = own or default
    return {key: str(given.get(key, "")) for key in ("url", "kind", "read")}


def _rule(stem: str, each: Mapping[str, Any], source: Any) -> dict[str, Any]:
    cause = each.get("cause", "unknown")
    made: dict[str, Any] = {key: " ".join(str(each[key]).split()) for key in TEXTS if key in each}
    made |= {key: each[key] for key in (*FLAGS, "outcome", "retry", "priority") if key in each}
    return made | {
        "id": f"{stem}/{each['id']}",
        "cause": cause,
        "verdict": each.get("verdict") or _VERDICTS.get(cause, "fail"),
        "source": _source(each.get("source"), source),
        "predicts": listed(each.get("predicts")),
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
    made: dict[str, Any] = {key: listed(each.get(key)) for key in LISTS}
    made["text"] = [one for text in made["text"] if _sound(one := pattern_of(text, vocabulary))]
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


def pattern_of(text: str, vocabulary: Mapping[str, str]) -> str:
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
        key: [one.lower() for one in listed(each.get(key))] for key in ("mx", "domains", "signs")
    }
    return made | {
        "id": stem,
        "name": str(each.get("name", stem)),
        "submission": [
            [
                str(one.get("host", "")),
                int(one.get("port", 587)),
                str(one.get("tls", "starttls")),
                [name.lower() for name in listed(one.get("only"))],
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


# -- the index ------------------------------------------------------------------------------------

Needs = tuple[tuple[str, ...], ...]
"""Sets of literals: a pattern matches only where one of each set stands."""


def _index(entries: list[dict[str, Any]], providers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Where to look: patterns by their rarest literals, bare entries by code, faults by ending.

    `patterns` are (the entry's number, the pattern, the fewest letters of a match, what else it needs),
    `starts` their places by the literals that betray them, `signs` the providers by theirs. `grams` are
    all these literals by their rarest run of three letters, `short` those that are too short for one.
    """
    samples = [_patterns.fold(sample) for entry in entries for sample in entry["sample"]]
    replies = samples[:: max(1, len(samples) // 150)]
    patterns: list[tuple[int, str, int, Needs]] = []
    index: dict[str, Any] = {"enhanced": {}, "code": {}, "rest": [], "ending": {}, "starts": {}}
    for number, entry in enumerate(entries):
        if entry["text"] and not entry["ending"]:
            for pattern in entry["text"]:
                rarest, *others = _needs(pattern, replies)
                for word in rarest:
                    index["starts"].setdefault(word, []).append(len(patterns))
                patterns.append((number, pattern, _worth(pattern), tuple(others)))
            continue
        kind = next((kind for kind in ("ending", "enhanced", "code") if entry[kind]), "rest")
        for one in _keys(kind, entry):
            index[kind].setdefault(one, []).append(number)
        if not _keys(kind, entry):
            index["rest"].append(number)
    index["signs"] = {
        sign: name for name, one in sorted(providers.items(), reverse=True) for sign in one["signs"]
    }
    needed = {word for *_, needs in patterns for words in needs for word in words}
    literals = needed.union(index["starts"], index["signs"])
    ids = {entry["id"]: number for number, entry in enumerate(entries)}
    return index | {"ids": ids, "patterns": patterns} | _grammed(sorted(literals), samples)


def _keys(kind: str, entry: Mapping[str, Any]) -> list[str]:
    """The exact values under which an entry without words is found; none where only a search finds it."""
    keys = [
        key
        for one in entry.get(kind, ())
        for key in ([f"4{one[1:]}", f"5{one[1:]}"] if one[0] == "x" else [one])
    ]
    return [] if kind != "ending" and any("x" in key for key in keys) else keys


def _needs(pattern: str, replies: list[str]) -> Needs:
    """What a pattern cannot match without, the set that fewest replies contain first.

    After the first, sets with a literal too short for a gram are left out: they stand nearly everywhere.
    """
    try:
        options = _patterns.required(pattern)
    except re.error:
        options = ()
    rarest, *others = sorted(options, key=lambda words: _common(words, replies)) or [("",)]
    return rarest, *(words for words in others if min(map(len, words)) >= _patterns.GRAM)


def _common(words: tuple[str, ...], replies: list[str]) -> tuple[int, int]:
    seen = sum(any(word in reply for word in words) for reply in replies)
    return (seen if min(map(len, words)) >= _patterns.GRAM else len(replies)), -min(map(len, words))


def _grammed(literals: list[str], replies: list[str]) -> dict[str, Any]:
    """Literals by the run of three letters that fewest replies contain."""
    common = Counter(gram for text in (*replies, *literals) for gram in _patterns.grams(text))
    grams: dict[str, list[str]] = {}
    for word in literals:
        if runs := _patterns.grams(word):
            grams.setdefault(min(runs, key=lambda gram: (common[gram], gram)), []).append(word)
    return {"grams": grams, "short": [word for word in literals if len(word) < _patterns.GRAM]}
