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


# The line between two mails of an mbox; a sentence may begin with "From", too.
_FROM = re.compile(rb"From \S{1,320} {1,2}(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b")


def _mbox(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """A mailbox, mail by mail; a mail beyond the limit loses its end."""
    kept: list[bytes] = []
    size = number = longer = 0
    blank = True
    while line := source.readline(MAX_LINE):
        if blank and kept and _FROM.match(line):
            number += 1
            yield from _one_mail(b"".join(kept), f"{name} #{number}", asked)
            kept, size = [], 0
        if size < MAX_MAIL:
            kept.append(line)
        longer += size < MAX_MAIL <= size + len(line)
        size += len(line)
        blank = line in {b"\n", b"\r\n"}
    if kept:
        yield from _one_mail(b"".join(kept), f"{name} #{number + 1}", asked)
    if longer:
        asked.note(
            f"{name}: mails longer than {MAX_MAIL >> 20} MiB, of which the end is not read: {longer:,}"
        )


READERS = {Kind.MAIL: _mail, Kind.MBOX: _mbox}
