"""The window on token servers (RFC 6749): a form is sent once a run, and again when its token is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from probe.facts import Answer, Status
from probe.grammar.token import Denied, Granted, answered
from probe.wire.http import Web

__all__ = ["Tokens"]

_EARLY = 60.0  # seconds before its end at which a token is not used any more
_MOST = 4096  # answers that are kept

Told = Granted | Denied | Answer


class Tokens:
    """Asks token servers; one for a run. What they hand out, and what they refuse, is kept in memory only."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._kept: dict[tuple[str, ...], tuple[float, Told]] = {}
        self._turns: dict[tuple[str, ...], asyncio.Lock] = {}

    async def ask(self, url: str, form: Mapping[str, str]) -> Told:
        """A token, why there is none, or the answer that could not be read or did not come."""
        key = (url, *form.values())
        async with self._turns.setdefault(key, asyncio.Lock()):
            until, told = self._kept.get(key, (0.0, None))
            if told is None or until <= time.monotonic():
                told = await self._asked(url, form)
                lasts = told.seconds - _EARLY if isinstance(told, Granted) else float("inf")
                if len(self._kept) >= _MOST:
                    self._kept.clear()
                    self._turns.clear()
                self._kept[key] = (time.monotonic() + lasts, told)
            return told

    async def _asked(self, url: str, form: Mapping[str, str]) -> Told:
        answer = await self._web.post(url, form)
        if answer.status is not Status.OK:
            return answer
        status, *_, body = answer.values
        told = answered(body)
        if told is None:
            return Answer(
                Status.GARBLED,
                server=answer.server,
                detail=f"HTTP status {status}, and no JSON of a token server",
            )
        return told
