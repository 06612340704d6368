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
_SLOWEST = 8.0  # how many times slower a busy machine is taken to be
_LATE = 0.02  # seconds the event loop may lag and still count as keeping up


class Admission:
    """The door of one run; `async with` it for the length of a session. Entered in order of arrival."""

    def __init__(self) -> None:
        self._inside = 0
        self._ended = 0
        self._cost = _COST
        self._spent = 0.0  # processor seconds when the estimate was last made
        self._slower = 1.0  # than this machine would be, had it nothing else to do
        self._next = 0.0  # when the next session may begin, in the event loop's time
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        if self._inside >= _AT_ONCE or self._turn.locked():
            if not self._turn.locked():  # nobody waits, so nothing is late
                self._next = max(self._next, asyncio.get_running_loop().time())
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
        """Until the next session may begin: its time has come, and the event loop keeps up."""
        loop = asyncio.get_running_loop()
        if (rest := self._next - loop.time()) > 0:
            await asyncio.sleep(rest)
        while (lag := loop.time() - self._next) > _LATE:
            self._slower = min(self._slower * 1.25, _SLOWEST)
            self._next = loop.time() + lag
            await asyncio.sleep(lag)  # those inside need the loop first
        self._slower = max(self._slower * 0.99, 1.0)
        self._next += self._slower * self._cost / _BUSY
