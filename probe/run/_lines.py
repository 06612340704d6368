"""Replies explained as they come, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from probe.facts import Stage
from probe.grammar.intake import Kind
from probe.rules import Report
from probe.run.explain import explain_reply, not_read
from probe.run.sources import MAX_LINE, Asked

__all__ = ["READERS"]

_KEYS = frozenset({"reply", "mx", "stage", "provider", "recipient", "sender"})


def _lines(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """JSON objects with a `reply`, one a line: one report a line, in order, whatever a line holds."""
    number = 0
    while line := source.readline(MAX_LINE):
        number += 1
        if not line.strip():
            continue
        long = not line.endswith(b"\n") and len(line) >= MAX_LINE
        while long and (more := source.readline(MAX_LINE)) and not more.endswith(b"\n"):
            pass
        yield _line(line, number, name, asked)


def _line(line: bytes, number: int, name: str, asked: Asked) -> Report:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return not_read(name, f"line {number} is no JSON object")
    said = {key: str(value) for key, value in told.items() if isinstance(value, (str, int)) and key in _KEYS}
    report = explain_reply(
        said.get("reply", ""),
        stage=Stage.named(said.get("stage", "").lower()) or asked.stage,
        provider=said.get("provider", "") or asked.provider,
        mx=said.get("mx", "") or asked.mx,
        recipient=said.get("recipient", ""),
        sender=said.get("sender", ""),
    )
    asked.count(report, _when(told["at"]) if "at" in told else 0.0)
    return report


def _when(at: object) -> float:
    from probe.grammar.delivery import seconds  # noqa: PLC0415 -- few lines say when

    return seconds(at)


READERS = {Kind.LINES: _lines}
