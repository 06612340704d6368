"""Gathers answers to questions that are declared, as the checks declare theirs: ask until nobody asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Protocol

from probe.facts import Answer, Question, Records, Status
from probe.wire.http import KINDS
from probe.wire.network import Network

__all__ = ["Fetch", "answers", "gather"]

_ROUNDS = 12
_SPENT = Answer(Status.SKIPPED, detail="the budget of questions or time was spent")

Fetch = Callable[[Question], Awaitable[Answer]]


class Ask(Protocol):
    """What answers questions to the DNS, each, in so many seconds."""

    def __call__(
        self, questions: Iterable[Question], /, *, within: float
    ) -> Awaitable[dict[Question, Answer]]: ...


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
        found = dict.fromkeys(wanted[room:], _SPENT)
        if room:
            left = until - time.monotonic()
            found |= await answers(wanted[:room], network.ask, network.fetch, left)
        seen = seen.including(found)
    return seen


async def answers(
    wanted: Sequence[Question], ask: Ask, fetch: Fetch, within: float
) -> dict[Question, Answer]:
    """DNS answers from `ask` and documents from `fetch`, all at once; what takes longer is unknown."""
    documents = [question for question in wanted if question.type in KINDS]
    if not documents:
        return await ask(wanted, within=within)
    lookups = [question for question in wanted if question.type not in KINDS]

    async def document(question: Question) -> Answer:
        try:
            async with asyncio.timeout(within):
                return await fetch(question)
        except TimeoutError:
            return Answer(Status.TIMEOUT, detail="no answer in the time allowed")

    found, pages = await asyncio.gather(
        ask(lookups, within=within), asyncio.gather(*map(document, documents))
    )
    return {**found, **dict(zip(documents, pages, strict=True))}
