"""Courtesy towards other people's servers: few sessions a host and minute."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

__all__ = ["Pace", "Pause", "silently"]

Pause = Callable[[float, str], Awaitable[None]]  # waits some seconds; the words say for what


async def silently(seconds: float, _why: str) -> None:
    """Waits without a word."""
    await asyncio.sleep(seconds)


class Pace:
    """At most `most` sessions with one host in any `within` seconds; the next one waits its turn."""

    def __init__(
        self,
        most: int = 6,
        within: float = 60.0,
        *,
        pause: Pause = silently,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = most
        self.within = within
        self.pause = pause
        self.clock = clock
        self._begun: dict[str, deque[float]] = {}

    async def turn(self, host: str) -> None:
        """Returns when a session with this host may begin."""
        begun = self._begun.setdefault(host.lower(), deque(maxlen=self.most))
        if len(begun) == self.most and (left := begun[0] + self.within - self.clock()) > 0:
            await self.pause(left, f"until {host} is asked again")
        begun.append(self.clock())
