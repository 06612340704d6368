"""TOML in, one plain table out: rules, entries and providers as rows that sleep, and the index over them.

Nothing of this is imported where the compiled table is current.
"""

from __future__ import annotations

import contextlib
import marshal
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from probe.catalogue import _patterns

__all__ = ["FLAGS", "LISTS", "TEXTS", "listed", "parsed", "pattern_of", "table"]

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


def parsed(paths: Iterable[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The files that can be read, by their names."""
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            yield path.stem, tomllib.loads(path.read_text("utf-8"))


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
        "rules": _asleep(rules),
        "entries": _asleep(entries),
        "providers": _asleep(providers),
        "index": _index(entries, providers),
    }


def _asleep(rows: Mapping[str, Any] | list[Any]) -> dict[str, bytes] | list[bytes]:
    if isinstance(rows, list):
        return [marshal.dumps(one) for one in rows]
    return {name: marshal.dumps(one) for name, one in rows.items()}


def listed(value: Any) -> list[str]:
    """The texts of a value that may stand alone or in a list; none where it is missing or empty."""
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
        "mechanisms": [one.upper() for one in listed(each.get("mechanisms"))],
        "password": str(each.get("password", "")),
        "app_password_url": str(each.get("app_password_url", "")),
        **{key: str(each.get(key, "")) for key in ("token_url", "token_scope", "token_scope_alone")},
        "at_once": int(each.get("at_once", 5)),
        "per_minute": int(each.get("per_minute", 0)),
        "note": " ".join(str(each.get("note", "")).split()),
        "source": _source(each.get("source"), source),
    }


# -- the index ------------------------------------------------------------------------------------

Needs = tuple[tuple[str, ...], ...]  # sets of literals: a pattern matches only where one of each stands


def _index(entries: list[dict[str, Any]], providers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Where to look: patterns by their rarest literals, bare entries by code, faults by ending.

    `patterns` are (the entry's number, the pattern, the fewest letters of a match, what else it needs).
    `grams` holds literals by their rarest run of three letters, each with the places of the patterns that
    it betrays; `short` those that are too short for one. `signs` are the literals that betray a provider.
    """
    samples = [_patterns.fold(sample) for entry in entries for sample in entry["sample"]]
    replies = samples[:: max(1, len(samples) // 150)]
    patterns: list[tuple[int, str, int, Needs]] = []
    betrayed: dict[str, list[int]] = {}
    index: dict[str, Any] = {"enhanced": {}, "code": {}, "rest": [], "ending": {}}
    for number, entry in enumerate(entries):
        if entry["text"] and not entry["ending"]:
            for pattern in entry["text"]:
                rarest, *others = _needs(pattern, replies)
                for word in rarest:
                    betrayed.setdefault(word, []).append(len(patterns))
                patterns.append((number, pattern, _worth(pattern), tuple(others)))
            continue
        kind = next((kind for kind in ("ending", "enhanced", "code") if entry[kind]), "rest")
        for one in _keys(kind, entry):
            index[kind].setdefault(one, []).append(number)
        if not _keys(kind, entry):
            index["rest"].append(number)
    signs = {sign: name for name, one in sorted(providers.items(), reverse=True) for sign in one["signs"]}
    needed = {word for *_, needs in patterns for words in needs for word in words}
    literals = {word: betrayed.get(word, []) for word in sorted(needed.union(betrayed, signs))}
    return index | {
        "ids": {entry["id"]: number for number, entry in enumerate(entries)},
        "patterns": _asleep(patterns),
        "grams": _asleep(_grammed(literals, samples)),
        "short": {word: places for word, places in literals.items() if len(word) < _patterns.GRAM},
        "signs": signs,
    }


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


def _grammed(literals: Mapping[str, list[int]], replies: list[str]) -> dict[str, dict[str, list[int]]]:
    """Literals by the run of three letters that fewest replies contain."""
    common = Counter(gram for text in (*replies, *literals) for gram in _patterns.grams(text))
    grams: dict[str, dict[str, list[int]]] = {}
    for word, places in literals.items():
        if runs := _patterns.grams(word):
            grams.setdefault(min(runs, key=lambda gram: (common[gram], gram)), {})[word] = places
    return grams
