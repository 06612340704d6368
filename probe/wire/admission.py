"""When a session may begin: no faster than this machine serves those that have begun.

Where thousands are asked for at once, each would wait for the processor in the middle of its session, and
would report that as the server's time, or as its timeout. So they wait at the door instead, where nobody
is kept waiting and no clock runs.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

__all__ = ["Admission"]

_AT_ONCE = 50  # sessions that need no pacing: together they keep nobody waiting for long
_BUSY = 0.85  # of the processor that sessions may take
_COST = 0.002  # seconds of processor a session takes, until it is known
_SEEN = 25  # sessions that make an estimate better
_CREDIT = 0.01  # seconds of lateness that are caught up with: timers come in milliseconds
_LATE = 0.02  # seconds the event loop may lag and still count as keeping up


class Admission:
    """The door of one run; `async with` it for the length of a session. Entered in order of arrival."""

    def __init__(self) -> None:
        self._inside = 0
        self._ended = 0
        self._cost = _COST
        self._spent = 0.0  # processor seconds when the estimate was last made
        self._next = 0.0  # when the next session may begin, in the event loop's time
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        if self._inside >= _AT_ONCE or self._turn.locked():
            async with self._turn:
                await self._wait()
        self._inside += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside -= 1
        self._ended += 1
        if self._ended % _SEEN == 0:
            spent = time.thread_time()
            if self._spent:
                self._cost += ((spent - self._spent) / _SEEN - self._cost) / 4
            self._spent = spent

    async def _wait(self) -> None:
        """Until the next session may begin; a loop that lags makes the one after it wait longer."""
        loop = asyncio.get_running_loop()
        due = max(self._next, loop.time() - _CREDIT)
        await asyncio.sleep(max(0.0, due - loop.time()))
        lag = max(0.0, loop.time() - max(due, self._next) - _LATE)
        self._next = due + self._cost / _BUSY + lag
