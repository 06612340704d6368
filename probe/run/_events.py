"""Webhooks and events explained, one JSON value or one a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from probe.grammar.intake import Kind
from probe.grammar.webhook import MAX_EVENTS, MAX_NOTICES, events, loads, values
from probe.rules import Report
from probe.run.explain import not_read, nothing_found
from probe.run.sources import FEW, MAX_LINE, Asked, read_all

__all__ = ["READERS"]

_MAX_VALUE = 32 * 1024 * 1024  # bytes of one JSON value


def _webhook(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    data = read_all(source, _MAX_VALUE, name, asked)
    try:
        found = events(loads(data))
    except ValueError:
        text = data.decode("utf-8", "replace")
        several, at = values(text)
        if not any(isinstance(value, dict | list) for value in several):
            yield not_read(name, "it begins like JSON and is none, or is nested too deeply")
            return
        found = events(several)
        if at < len(text):
            asked.note(f"{name}: JSON ends at character {at:,} of {len(text):,}; what came before was read")
    if not found:
        yield nothing_found(name)
    for told in found:
        yield asked.told(told)
    if len(found) == MAX_EVENTS:
        asked.note(f"{name}: only the first {MAX_EVENTS:,} events are read")
    _tell_unread(sum(told.unread for told in found), name, asked)


def _events(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    any_found = False
    broken = past = 0
    while line := source.readline(MAX_LINE):
        try:
            found = events(loads(line)) if line.strip() else []
        except ValueError:
            broken += 1
            continue
        for told in found:
            any_found = True
            past += told.unread
            reading = asked.pile.delivery(told)
            if asked.every or asked.pile.seen <= FEW:
                yield asked.pile.explained(told, reading)
    asked.wants_pile = any_found
    unread = f"lines that are no JSON: {broken:,}" if broken else ""
    if not any_found:
        yield not_read(name, unread) if unread else nothing_found(name)
    elif unread:
        asked.note(f"{name}: {unread}")
    _tell_unread(past, name, asked)


def _tell_unread(count: int, name: str, asked: Asked) -> None:
    if count:
        asked.note(
            f"{name}: of the mails that events carry only the first {MAX_NOTICES >> 20} MiB are read; "
            f"events whose mail came later: {count:,}"
        )


READERS = {Kind.WEBHOOK: _webhook, Kind.EVENTS: _events}
