"""How a host is asked: so many at once, so many a minute, less when it complains, not at all after refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from probe.run._lanes import Burden, Lane, Lanes
from probe.run._signs import Sign


class Clock:
    """A clock that a test sets; timers of the loop are let through by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lane(clock: Clock, refused: list[float] | None = None, **pace: Any) -> Lane:
    return Lane("h", Burden(**{"brake": 100, **pace}), clock, lambda: 0.5, refused or [])


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


async def entered(one: Lane, count: int) -> list[asyncio.Task[bool]]:
    tasks = [asyncio.create_task(one.enter()) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def inside(tasks: list[asyncio.Task[bool]]) -> int:
    return sum(task.done() and task.result() for task in tasks)


async def cancelled(tasks: list[asyncio.Task[bool]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_so_many_at_once() -> None:
    async def scenario() -> None:
        one = lane(Clock(), at_once=3)
        tasks = await entered(one, 5)
        assert inside(tasks) == 3
        one.leave()
        await asyncio.sleep(0)
        assert inside(tasks) == 4
        await cancelled(tasks)

    run(scenario())


def test_if_all_failed_together_the_brake_would_still_hold() -> None:
    async def scenario() -> None:
        one = lane(Clock(), at_once=50, brake=4)
        tasks = await entered(one, 50)
        assert inside(tasks) == 4
        for _ in range(4):
            one.leave(Sign.REFUSED)
        await asyncio.gather(*tasks)
        assert inside(tasks) == 4
        assert one.braked

    run(scenario())


def test_after_a_refused_login_one_at_a_time() -> None:
    async def scenario() -> None:
        one = lane(Clock(), at_once=3)
        tasks = await entered(one, 9)
        for _ in range(3):
            one.leave(Sign.REFUSED)
        await asyncio.sleep(0)
        assert inside(tasks) == 4
        await cancelled(tasks)

    run(scenario())


def test_refusals_are_forgotten_after_the_window() -> None:
    async def scenario() -> None:
        clock = Clock()
        one = lane(clock, [599.0, 10.0], brake=2, window=600)
        clock.now += 2
        assert one.room() == 1
        assert not one.braked
        assert lane(clock, [5.0, 10.0], brake=2).room() <= 0

    run(scenario())


def test_what_closed_a_lane_is_told_however_late_somebody_asks() -> None:
    async def scenario() -> None:
        clock = Clock()
        one = lane(clock, at_once=50, brake=4, window=600)
        tasks = await entered(one, 50)
        for _ in range(4):
            one.leave(Sign.REFUSED)
        await asyncio.gather(*tasks)
        assert one.braked
        clock.now += 700
        assert not await one.enter()
        assert one.why == "4 logins were refused"

    run(scenario())


def test_a_complaint_halves_and_pauses() -> None:
    async def scenario() -> None:
        clock = Clock()
        one = lane(clock, at_once=8, pause=4.0)
        tasks = await entered(one, 20)
        assert inside(tasks) == 8
        for _ in range(8):
            one.leave(Sign.SLOWER if one.slowed == "" else Sign.FINE)
        await asyncio.sleep(0)
        assert inside(tasks) == 8  # nobody new while it pauses
        clock.now += 4.1
        one._timed()
        await asyncio.sleep(0)
        assert inside(tasks) == 8 + 4
        await cancelled(tasks)

    run(scenario())


def test_logins_without_an_answer_count_as_refused_ones_do() -> None:
    async def scenario() -> None:
        one = lane(Clock(), at_once=50, brake=3)
        tasks = await entered(one, 50)
        for sign in (Sign.UNANSWERED, Sign.REFUSED, Sign.UNANSWERED):
            one.leave(sign)
        assert (await asyncio.gather(*tasks)).count(True) == 3
        assert one.why == "1 login was refused, 2 logins got no clear answer"

    run(scenario())


def test_neither_a_burst_nor_what_follows_a_login_makes_a_host_one_that_only_puts_off() -> None:
    async def scenario() -> None:
        clock = Clock()
        one = lane(clock, at_once=8, pause=1.0, longest=1.0, patience=2)
        tasks = await entered(one, 16)
        for _ in range(3):  # 8, 4 and 2 at once
            one.leave(Sign.SLOWER)
        assert not one.weary
        for _ in range(5):
            one.leave(Sign.SLOWER, proven=True)  # greylisted at RCPT
        assert not one.weary
        for _ in range(2):
            clock.now += 1.1
            one._timed()
            await asyncio.sleep(0)
            one.leave(Sign.SLOWER)
        assert one.weary
        await cancelled(tasks)

    run(scenario())


def test_a_host_that_only_ever_puts_off_is_left_alone() -> None:
    async def scenario() -> None:
        clock = Clock()
        one = lane(clock, at_once=1, pause=1.0, longest=1.0, patience=3)
        tasks = await entered(one, 9)
        for sign in (Sign.SLOWER, Sign.SLOWER, Sign.FINE, Sign.SLOWER, Sign.SLOWER, Sign.SLOWER):
            assert not one.braked
            one.leave(sign)
            clock.now += 1.1
            one._timed()
            await asyncio.sleep(0)
        assert (await asyncio.gather(*tasks)).count(True) == 6
        assert (one.braked, one.why) == (True, "3 sessions in a row were put off")

    run(scenario())


def test_so_many_a_minute() -> None:
    async def scenario() -> None:
        clock = Clock()
        one = lane(clock, at_once=10, per_minute=30)
        tasks = await entered(one, 3)
        assert inside(tasks) == 1
        clock.now += 2.01
        one._timed()
        await asyncio.sleep(0)
        assert inside(tasks) == 2
        await cancelled(tasks)

    run(scenario())


def test_whoever_goes_away_gives_the_place_back() -> None:
    async def scenario() -> None:
        one = lane(Clock(), at_once=1)
        tasks = await entered(one, 3)
        tasks[1].cancel()
        await asyncio.sleep(0)
        one.leave()
        await asyncio.sleep(0)
        assert tasks[2].done()
        await cancelled(tasks)

    run(scenario())


def test_a_place_that_was_given_to_somebody_who_went_is_given_on() -> None:
    async def scenario() -> None:
        one = lane(Clock(), at_once=1)
        first = await entered(one, 1)
        waiting = [asyncio.create_task(one.enter()) for _ in range(2)]
        await asyncio.sleep(0)
        one.leave()
        waiting[0].cancel()  # in the very moment in which it was let in
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert waiting[1].done()
        await cancelled([*first, *waiting])

    run(scenario())


@pytest.mark.parametrize("count", [1, 5])
def test_a_closed_lane_lets_nobody_in(count: int) -> None:
    async def scenario() -> None:
        lanes = Lanes(Clock(), lambda _name, _window: [])
        one = lanes.of("h", Burden(at_once=1))
        tasks = await entered(one, count)
        lanes.close()
        assert (await asyncio.gather(*tasks)).count(True) == 1
        assert not await one.enter()

    run(scenario())
