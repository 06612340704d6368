"""The door: a few go straight in, a crowd in order of arrival, and who gives up keeps nobody waiting."""

from __future__ import annotations

import asyncio

from probe.wire.admission import Admission

FEW, CROWD = 50, 120


async def crowd(size: int, *, impatient: int = -1) -> tuple[list[int], int]:
    """Who came in, in order, and how many had to wait, where everybody stays until all are in."""
    door, inside, leave = Admission(), list[int](), asyncio.Event()

    async def visit(number: int) -> None:
        async with door:
            inside.append(number)
            await leave.wait()

    visits = [asyncio.create_task(visit(number)) for number in range(size)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    at_once = len(inside)
    if impatient >= 0:
        visits[impatient].cancel()
    while len(inside) < size - (impatient >= 0):  # noqa: ASYNC110 - the door tells nobody
        await asyncio.sleep(0.001)
    leave.set()
    await asyncio.gather(*visits, return_exceptions=True)
    return inside, size - at_once


def test_a_few_do_not_wait() -> None:
    assert asyncio.run(crowd(FEW)) == (list(range(FEW)), 0)


def test_a_crowd_comes_in_one_after_the_other() -> None:
    inside, waited = asyncio.run(crowd(CROWD))
    assert inside == list(range(CROWD))
    assert waited > 0


def test_who_gives_up_keeps_nobody_waiting() -> None:
    inside, _ = asyncio.run(crowd(CROWD, impatient=CROWD - 10))
    assert inside == [number for number in range(CROWD) if number != CROWD - 10]
