"""Mails and mailboxes explained: a report for each failed recipient that they tell of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from probe.grammar.bounce import bounces
from probe.grammar.intake import Kind
from probe.grammar.mime import MAX_MAIL
from probe.rules import Report
from probe.run.explain import nothing_found
from probe.run.sources import MAX_LINE, Asked, read_all

__all__ = ["READERS"]


def _mail(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    yield from _one_mail(read_all(source, MAX_MAIL, name, asked), name, asked)


def _one_mail(data: bytes, name: str, asked: Asked) -> Iterator[Report]:
    found = bounces(data)
    if found and found[-1].cut:
        asked.note(f"{name}: only the first {len(found):,} recipients of this mail are told")
    if not found:
        yield nothing_found(name)
    for told in found:
        yield asked.told(told)


# The line between two mails of an mbox; a sentence may begin with "From", too, unless a time stands in it.
_FROM = re.compile(rb"From \S{1,320} {1,2}(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b")
_TIMED = re.compile(_FROM.pattern + rb" {1,2}[A-Z][a-z]{2} {1,2}[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2} ")


def _mbox(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """A mailbox, mail by mail; a mail beyond the limit loses its end."""
    kept: list[bytes] = []
    size = number = longer = 0
    blank = True
    while line := source.readline(MAX_LINE):
        if kept and (blank or _TIMED.match(line)) and _FROM.match(line):
            number += 1
            yield from _one_mail(b"".join(kept), f"{name} #{number}", asked)
            kept, size = [], 0
        blank = line in {b"\n", b"\r\n"}
        if size < MAX_MAIL and (kept or not blank):
            kept.append(line)
        longer += size < MAX_MAIL <= size + len(line)
        size += len(line)
    if kept:
        yield from _one_mail(b"".join(kept), f"{name} #{number + 1}", asked)
    if longer:
        asked.note(
            f"{name}: mails longer than {MAX_MAIL >> 20} MiB, of which the end is not read: {longer:,}"
        )


READERS = {Kind.MAIL: _mail, Kind.MBOX: _mbox}
