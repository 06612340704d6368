"""Mail logs explained: their failed lines where they are few or all are wanted, and always the pile."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import BinaryIO

from probe.grammar import maillog, qmail
from probe.grammar.intake import Kind
from probe.grammar.maillog import Logged
from probe.rules import Report
from probe.run.explain import nothing_found
from probe.run.sources import FEW, Asked

__all__ = ["READERS"]

_Lines = Callable[[Iterator[list[bytes]]], Iterator[Logged]]


def _log(read: _Lines, source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    pile = asked.pile
    count = pile.logged
    before = pile.seen
    few: list[Report] = []
    for logged in read(maillog.lines(source)):
        reading = count(logged)
        if reading is None:
            continue
        if asked.every:
            yield pile.explained(maillog.delivery(logged), reading, whole=False)
        elif len(few) <= FEW:
            few.append(pile.explained(maillog.delivery(logged), reading))
    if pile.seen == before:
        yield nothing_found(name, "no line tells of a delivery to another server")
        return
    asked.wants_pile = True
    if len(few) <= FEW:
        yield from few


READERS = {
    kind: functools.partial(_log, lines)
    for kind, lines in {
        Kind.POSTFIX: maillog.postfix,
        Kind.EXIM: maillog.exim,
        Kind.POWERMTA: maillog.powermta,
        Kind.QMAIL: qmail.qmail,
    }.items()
}
