"""Gathers answers to questions that are declared, as the checks declare theirs: ask until nobody asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import islice

from probe.facts import Answer, Question, Records, Status
from probe.wire.http import KINDS
from probe.wire.network import Network

__all__ = ["gather"]

_ROUNDS = 12
_SPENT = Answer(Status.SKIPPED, detail="the budget of questions or time was spent")


async def gather(
    ask: Callable[[Records], Iterable[Question]],
    network: Network,
    seen: Records | None = None,
    *,
    most: int = 60,
    within: float = 15.0,
) -> Records:
    """What is known once every question of `ask` has its answer; at most `most` of them, in `within` seconds.

    What is beyond that is answered with `Status.SKIPPED`: unknown, and said so.
    """
    seen = seen or Records()
    until = time.monotonic() + within
    for _ in range(_ROUNDS):
        wanted = [one for one in dict.fromkeys(islice(ask(seen), 4 * most)) if one not in seen]
        if not wanted:
            break
        room = max(most - len(seen), 0) if time.monotonic() < until else 0
        answers = dict.fromkeys(wanted[room:], _SPENT)
        if room:
            answers |= await _answers(wanted[:room], network, until - time.monotonic())
        seen = seen.including(answers)
    return seen


async def _answers(wanted: list[Question], network: Network, within: float) -> dict[Question, Answer]:
    """DNS answers and documents, all at once."""
    names = tuple(one for one in wanted if one.type not in KINDS)
    pages = [one for one in wanted if one.type in KINDS]

    async def page(question: Question) -> Answer:
        try:
            async with asyncio.timeout(within):
                return await network.fetch(question)
        except TimeoutError:
            return Answer(Status.TIMEOUT, detail="no answer in the time allowed")

    if not pages:
        return dict(await network.ask(names))
    found, fetched = await asyncio.gather(network.ask(names), asyncio.gather(*map(page, pages)))
    return {**found, **dict(zip(pages, fetched, strict=True))}
