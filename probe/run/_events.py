"""Webhooks and events explained, one JSON value or one a line."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import re
import urllib.parse
from collections.abc import Iterator
from typing import BinaryIO

from probe.grammar.delivery import Delivery, codes
from probe.grammar.intake import Kind
from probe.grammar.table import columns
from probe.grammar.webhook import MAX_EVENTS, MAX_NOTICES, events, loads, values
from probe.rules import Report
from probe.run.explain import not_read, nothing_found
from probe.run.sources import FEW, MAX_LINE, Asked, read_all

__all__ = ["READERS"]

_MAX_FORM = 8 * 1024 * 1024  # characters of a form
_MAX_VALUE = 32 * 1024 * 1024  # bytes of one JSON value


def _webhook(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    data = read_all(source, _MAX_VALUE, name, asked)
    if data[:1] not in b"{[\xef \t\r\n":
        data = _form(data)
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


def _form(data: bytes) -> bytes:
    """The fields of a form, which may hold JSON, as JSON."""
    text = data[:_MAX_FORM].decode("utf-8", "replace")
    return json.dumps(dict(urllib.parse.parse_qsl(text))).encode()


def _table(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """Rows of CSV: an event each, by the names of their columns."""
    told = other = broken = 0
    for row in _rows(source):
        found = _apart(events(row)) if row else []
        told += len(found)
        other += bool(row) and not found
        broken += row is None
        yield from _counted(found, asked)
    asked.wants_pile |= bool(told)
    if not told:
        yield nothing_found(name)
    elif other:
        asked.note(f"{name}: rows that tell of no delivery: {other:,}")
    if broken:
        asked.note(f"{name}: rows that could not be read: {broken:,}")


def _rows(source: BinaryIO) -> Iterator[dict[str, str] | None]:
    """The rows of a table, by the names of its columns; None for one that cannot be read."""
    header, between = b"", b","
    while not header and (line := source.readline(MAX_LINE)):
        header, between = columns(line.removeprefix(b"\xef\xbb\xbf"))
    if not header:
        return
    lines = [_line(header.removeprefix(b"#Fields:"))]
    rest = map(_line, iter(lambda: source.readline(MAX_LINE), b""))
    rows = csv.reader(itertools.chain(lines, rest), delimiter=between.decode())
    names: list[str] = []
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        if names:
            yield {name: cell for name, cell in zip(names, row, strict=False) if cell}
        names = names or [name.strip() for name in row]


def _counted(found: list[Delivery], asked: Asked) -> Iterator[Report]:
    """Reports of deliveries, all of which are counted; of the first ones, where not all are wanted."""
    for told in found:
        reading = asked.pile.delivery(told)
        if asked.every or asked.pile.seen <= FEW:
            yield asked.pile.explained(told, reading)


def _line(line: bytes) -> str:
    return line.decode("utf-8", "replace").replace("\0", "")


def _apart(found: list[Delivery]) -> list[Delivery]:
    """The recipients of one row, each with its own reply: else nobody knows whose the reply is."""
    if len(found) < 2:
        return found
    replies = re.split(r";(?=\s{0,3}[245][0-9]{2}[ -])", found[0].reply)
    if len(replies) != len(found):
        return [dataclasses.replace(one, reply="", code="", enhanced="") for one in found]
    told = ((one, reply.strip(), *codes(reply)) for one, reply in zip(found, replies, strict=True))
    return [
        dataclasses.replace(one, reply=reply, code=code, enhanced=more) for one, reply, code, more in told
    ]


def _events(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    told = broken = past = 0
    while line := source.readline(MAX_LINE):
        try:
            found = events(loads(line)) if line.strip() else []
        except ValueError:
            broken += 1
            continue
        told += len(found)
        past += sum(one.unread for one in found)
        yield from _counted(found, asked)
    asked.wants_pile |= bool(told)
    unread = f"lines that are no JSON: {broken:,}" if broken else ""
    if not told:
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


READERS = {Kind.WEBHOOK: _webhook, Kind.EVENTS: _events, Kind.TABLE: _table}
