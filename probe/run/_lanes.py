"""How fast a host may be asked: sessions at once, logins a minute, and when to stop asking.

A lane is one host as it sees us. It narrows when the host complains, and closes when too many logins failed
there, as those who count them ban the address they come from with all its inboxes; or when the host only
ever asks for less.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from probe.facts import counted
from probe.run._signs import Sign, failures

__all__ = ["Burden", "Lane", "Lanes"]


@dataclass(frozen=True, slots=True)
class Burden:
    """What a host is asked to bear.

    `at_once` sessions, `per_minute` logins (0: no limit), and at most `brake` logins that it refused or
    did not answer within `window` seconds. `pause` is what is waited, in seconds, after the first complaint;
    each further one doubles it up to `longest`, a session without one halves it again, and after `patience`
    of them in a row no more is asked.
    """

    at_once: int = 5
    per_minute: int = 0
    brake: int = 4
    window: float = 600.0
    pause: float = 5.0
    longest: float = 120.0
    patience: int = 10


class Lane:
    """One host. `enter` before a session, `leave` after it.

    `braked` tells that it is closed for this run and `why` for what, `slowed` why it is asked less than it
    might be.
    """

    def __init__(
        self,
        name: str,
        burden: Burden,
        clock: Callable[[], float],
        chance: Callable[[], float],
        refused: list[float],
    ) -> None:
        self.name = name
        self.burden = burden
        self.slowed = ""
        self.braked = False
        self.closed = False
        self._clock = clock
        self._chance = chance
        self._limit = 1 if refused else burden.at_once
        self._active = 0
        self._complaints = 0
        self._in_a_row = 0
        self._after = 0.0
        now = clock()
        self._failed = deque((at, Sign.EARLIER) for at in sorted(now - ago for ago in refused))
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self) -> bool:
        """Wait for a place; False where the lane was closed instead."""
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.result():
                self._active -= 1
                self._admit()
            raise

    def leave(self, sign: Sign = Sign.FINE, *, proven: bool = False) -> None:
        """Give the place back, with what the session told; `proven`: its login was taken."""
        self._active -= 1
        now = self._clock()
        if proven or sign is not Sign.SLOWER:
            self._in_a_row = self._in_a_row if self.braked else 0
        elif self._limit == 1:  # of a burst some are put off by any server
            self._in_a_row += 1
        if said := failures([sign]):
            self._failed.append((now, sign))
            self._limit = 1
            self.slowed = said
        elif sign is Sign.SLOWER:
            self._complaints += 1
            self._limit = max(1, self._limit // 2)
            wait = min(self.burden.longest, self.burden.pause * 2 ** (self._complaints - 1))
            self._after = max(self._after, now + wait * (0.5 + self._chance()))
            self.slowed = "the server asks for less"
        else:
            self._complaints = max(0, self._complaints - 1)
        self._admit()

    def close(self) -> None:
        """Let nobody in any more."""
        self.closed = True
        self._admit()

    def room(self) -> int:
        """How many sessions there is place for now: if all of them failed, the brake would still hold."""
        now = self._clock()
        while not self.braked and self._failed and self._failed[0][0] <= now - self.burden.window:
            self._failed.popleft()  # those that closed the lane are its reason for as long as it is closed
        left = self.burden.brake - len(self._failed)
        if left <= 0 or self.weary:
            self.braked = True
        return min(self._limit, left) - self._active

    @property
    def weary(self) -> bool:
        """Whether the host put off one session after the other."""
        return self._in_a_row >= self.burden.patience

    @property
    def why(self) -> str:
        """What became of the logins there lately, in words; of a lane that is braked, before it was."""
        if self.weary:
            return counted(self._in_a_row, "session") + " in a row were put off"
        return failures(sign for _, sign in self._failed)

    def _admit(self) -> None:
        while self._waiting:
            if self._waiting[0].done():  # whoever waited has gone
                self._waiting.popleft()
                continue
            room = self.room()
            if self.closed or self.braked:
                self._waiting.popleft().set_result(False)
                continue
            wait = self._after - self._clock()
            if room <= 0 or wait > 0:
                if room > 0:
                    self._again(wait)
                return
            self._active += 1
            if self.burden.per_minute:
                self._after = self._clock() + 60 / self.burden.per_minute
            self._waiting.popleft().set_result(True)

    def _again(self, wait: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._timed)

    def _timed(self) -> None:
        self._timer = None
        self._admit()


class Lanes:
    """The lanes of a run, by name. `refused` tells how many seconds ago logins failed at a host."""

    def __init__(
        self,
        clock: Callable[[], float],
        refused: Callable[[str, float], list[float]],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._refused = refused
        self._chance = chance
        self._lanes: dict[str, Lane] = {}

    def of(self, name: str, burden: Burden) -> Lane:
        """The lane of a host."""
        if name not in self._lanes:
            refused = self._refused(name, burden.window)
            self._lanes[name] = Lane(name, burden, self._clock, self._chance, refused)
        return self._lanes[name]

    def close(self) -> None:
        """Close all of them."""
        for lane in self._lanes.values():
            lane.close()

    def braked(self) -> tuple[Lane, ...]:
        """Those that the brake has closed."""
        return tuple(lane for lane in self._lanes.values() if lane.braked)

    def slowed(self) -> dict[str, str]:
        """Which hosts are asked less than they might be, and why."""
        return {name: lane.slowed for name, lane in self._lanes.items() if lane.slowed}
