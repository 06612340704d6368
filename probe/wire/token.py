"""The window on token servers (RFC 6749): a form is sent once a run, and again when its token is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from probe.facts import Answer, Status
from probe.grammar.token import Denied, Granted, answered

__all__ = ["Tokens"]

_EARLY = 60.0  # seconds before its end at which a token is not used any more, or half of its time
_AGAIN = 2.0  # seconds after which is asked again what may be otherwise by then
_MOST = 4096  # answers that are kept

Told = Granted | Denied | Answer


class _Posts(Protocol):
    async def post(self, url: str, form: Mapping[str, str]) -> Answer: ...


class Tokens:
    """Asks token servers; one for a run. What they hand out, and what they refuse, is kept in memory only.

    `clock` tells seconds that never go back.
    """

    def __init__(self, web: _Posts, clock: Callable[[], float] = time.monotonic) -> None:
        self._web = web
        self._clock = clock
        self._kept: dict[tuple[str, ...], tuple[float, Told]] = {}
        self._turns: dict[tuple[str, ...], asyncio.Lock] = {}

    async def ask(self, url: str, form: Mapping[str, str]) -> Told:
        """A token, why there is none, or the answer that could not be read or did not come.

        An application that is refused for what it is, is not asked for again with the next refresh token;
        those under way at that moment are not held back.
        """
        key = (url, *form.values())
        application = (url, form.get("client_id", ""), form.get("client_secret", ""))
        if (told := self._known(key) or self._known(application)) is not None:
            return told  # before it takes a turn: of an application that is refused there may be many
        async with self._turns.setdefault(key, asyncio.Lock()):
            told = self._known(key) or self._known(application)
            if told is None:
                told = await self._asked(url, form)
                self._keep(application if isinstance(told, Denied) and told.of_all else key, told)
            return told

    def _known(self, key: tuple[str, ...]) -> Told | None:
        until, told = self._kept.get(key, (0.0, None))
        return told if self._clock() < until else None

    def _keep(self, key: tuple[str, ...], told: Told) -> None:
        if len(self._kept) >= _MOST:
            self._kept.clear()
            self._turns.clear()
        self._kept[key] = (self._clock() + _lasts(told), told)

    async def _asked(self, url: str, form: Mapping[str, str]) -> Told:
        answer = await self._web.post(url, form)
        if answer.status is not Status.OK:
            return answer
        status, *_, body = answer.values
        told = answered(body, int(status))
        if isinstance(told, Granted) and told.token.reveal() in form.values():
            problem = "what was sent came back as the token"  # a mail server must not get that
        elif told is None:
            problem = f"HTTP status {status}, and no JSON of a token server"
        else:
            return told
        return Answer(Status.GARBLED, server=answer.server, detail=problem)


def _lasts(told: Told) -> float:
    """For how many seconds an answer stands."""
    if isinstance(told, Granted):
        return max(told.seconds - _EARLY, told.seconds / 2)
    return _AGAIN if isinstance(told, Answer) or told.passing else float("inf")
