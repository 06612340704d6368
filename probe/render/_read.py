"""The JSON contract read back: any run can be told again in another format, or compared with a later one.

Reads what `probe.render.json` and `probe.render.jsonl` write: one object, an envelope, or a line a report.
Fields this version does not know are left aside; a field that says what no report says is an error with
its place. Reading and writing again gives the same JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar

from probe.facts import Transcript
from probe.rules import (
    Cause,
    Confidence,
    Finding,
    Outcome,
    Priority,
    Report,
    Retry,
    Rule,
    Source,
    State,
    Verdict,
)

__all__ = ["LONGEST", "read", "reports"]

LONGEST = 64 << 20  # characters of one JSON value: a report of a huge fleet stays far below
_Word = TypeVar("_Word", bound=Enum)


def reports(lines: Iterable[str]) -> Iterator[Report]:
    """The reports in some text, given line by line; ValueError tells the line and what is wrong there.

    Lines that each hold a report are read as they come. Where the first line holds no whole value, the
    text is one value over many lines.
    """
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            value = _parsed(line)
        except _UnfinishedError:
            rest = _joined(line, (more for _, more in numbered))
            yield from _several(_whole(rest), "")
            return
        except ValueError as problem:
            raise ValueError(f"line {number}: {problem}") from None
        yield from _several(value, f"line {number}: ")


class _UnfinishedError(ValueError):
    """The value goes on after this line."""


def _joined(first: str, rest: Iterable[str]) -> str:
    parts, length = [first], len(first)
    for line in rest:
        parts.append(line)
        length += len(line)
        if length > LONGEST:
            raise ValueError(f"more than {LONGEST >> 20} MiB in one JSON value")
    return "".join(parts)


def _parsed(line: str) -> object:
    if len(line) > LONGEST:
        raise ValueError(f"more than {LONGEST >> 20} MiB in one line")
    try:
        return _value(line)
    except json.JSONDecodeError as problem:
        if not line[problem.pos :].strip():
            raise _UnfinishedError(str(problem)) from None
        raise ValueError(f"no JSON ({problem.msg}, column {problem.colno})") from None


def _whole(text: str) -> object:
    try:
        return _value(text)
    except json.JSONDecodeError as problem:
        raise ValueError(f"line {problem.lineno}: no JSON ({problem.msg}, column {problem.colno})") from None


def _value(text: str) -> object:
    try:
        value: object = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep for a report") from None
    return value


def _several(value: object, where: str) -> Iterator[Report]:
    if isinstance(value, Mapping) and isinstance(value.get("reports"), list):
        _version(value, where)
        for index, one in enumerate(value["reports"]):
            yield _placed(one, f"{where}report {index + 1}: ")
    else:
        yield _placed(value, where)


def _placed(value: object, where: str) -> Report:
    try:
        return read(value)
    except ValueError as problem:
        raise ValueError(f"{where}{problem}") from None


def _version(value: Mapping[str, Any], where: str = "") -> None:
    if (version := value.get("schema_version")) != 1:
        told = f"schema_version {version!r:.20}" if version is not None else "no schema_version"
        raise ValueError(f"{where}{told}; this reads version 1 of the reports that probe writes as JSON")


# -- one report -----------------------------------------------------------------------------------


def read(value: object) -> Report:
    """One report in the shape of the contract, as `probe.render.json.as_json` writes it."""
    value = _fields(value, "a report")
    _version(value)
    outcome = value.get("outcome")
    return Report(
        kind=_text(value, "kind"),
        subject=_text(value, "subject"),
        findings=tuple(_finding(one) for one in _list(value, "findings")),
        outcome=None if outcome is None else _word(Outcome, outcome, "outcome"),
        states={area: _word(State, state, "states") for area, state in _words(value, "states").items()},
        facts=_words(value, "facts"),
        evaluations=_object(value, "evaluations"),
        transcript=_transcript(_texts(value, "transcript")),
        timings={step: _number(took) / 1000 for step, took in _object(value, "timings_ms").items()},
    )


def _finding(value: object) -> Finding:
    value = _fields(value, "a finding")
    source = _object(value, "source")
    rule = Rule(
        id=_text(value, "id"),
        verdict=_word(Verdict, value.get("verdict"), "verdict"),
        cause=_word(Cause, value.get("cause"), "cause"),
        title=_text(value, "title"),
        meaning=_text(value, "meaning"),
        fix=_text(value, "fix"),
        source=Source(_text(source, "url"), _text(source, "kind"), _text(source, "read")),
        dont=_text(value, "dont"),
        permanent=value.get("permanent") is True,
        recipient_bad=value.get("recipient_bad") is True,
        sender_must_act=value.get("sender_must_act") is True,
        retry=_word(Retry, _text(value, "retry").replace("_", " "), "retry"),
        retry_after=_text(value, "retry_after"),
        priority=_word(Priority, value.get("priority"), "priority"),
        predicts=_texts(value, "predicts"),
    )
    return Finding(
        rule,
        _words(value, "evidence"),
        detail=_text(value, "detail"),
        confidence=_word(Confidence, value.get("confidence"), "confidence"),
        matched=_text(value, "matched"),
        alternates=_texts(value, "alternates"),
    )


def _transcript(lines: tuple[str, ...]) -> Transcript | None:
    if not lines:
        return None
    if any("\n" in line for line in lines):
        raise ValueError("transcript: a line holds a line end")
    try:
        return Transcript.parse("\n".join(lines))
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        told = str(problem) if type(problem) is ValueError else "a line that probe does not write"
        raise ValueError(f"transcript: {told:.100}") from None


def _fields(value: object, name: str) -> Mapping[str, Any]:
    held = value if isinstance(value, Mapping) else None
    if held is None:
        raise ValueError(f"not {name}: no JSON object")
    return held


def _word(kind: type[_Word], value: object, name: str) -> _Word:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{name}: {value!r:.40} is none of {', '.join(one.value for one in kind)}") from None


def _text(value: Mapping[str, Any], name: str) -> str:
    if isinstance(text := value.get(name), str):
        return text
    raise ValueError(f"{name}: {'missing' if text is None else 'not a string'}")


def _list(value: Mapping[str, Any], name: str) -> list[object]:
    if isinstance(several := value.get(name), list):
        return several
    raise ValueError(f"{name}: {'missing' if several is None else 'not a list'}")


def _texts(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = tuple(one for one in _list(value, name) if isinstance(one, str))
    if len(texts) != len(value[name]):
        raise ValueError(f"{name}: not a list of strings")
    return texts


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if isinstance(held := value.get(name), Mapping):
        return held
    raise ValueError(f"{name}: {'missing' if held is None else 'not an object'}")


def _words(value: Mapping[str, Any], name: str) -> Mapping[str, str]:
    held = _object(value, name)
    if all(isinstance(one, str) for one in held.values()):
        return held
    raise ValueError(f"{name}: holds something else than strings")


def _number(value: object) -> float:
    if isinstance(value, int | float) and 0 <= value < 1e12:
        return float(value)
    raise ValueError("timings_ms: not a number of milliseconds")
