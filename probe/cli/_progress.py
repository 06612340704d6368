"""Progress on stderr: a line that moves on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from probe.cli._messages import say
from probe.facts import shortened
from probe.render import printable

if TYPE_CHECKING:
    from rich.live import Live

    from probe.run.preflight import Preflight

__all__ = ["Line", "Shown"]

_OFTEN = 0.25  # seconds between drawings on a terminal
_SELDOM = 10.0  # seconds between plain lines


def _moves() -> bool:
    """Whether stderr is a terminal on which a line can be drawn anew."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _columns() -> int:
    """Columns of stderr."""
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80  # 0: it does not say
    return 80


class Line:
    """A line on stderr that is drawn anew in place; where that cannot be, it is not drawn."""

    def __init__(self) -> None:
        self.moves = _moves()
        self._drawn = False

    def draw(self, text: str) -> None:
        """Shows the text in place of what the line held. `clear` before something else is written."""
        if self.moves:
            self._drawn = True
            shown = shortened(printable(text), _columns() - 1)  # a line that wraps cannot be taken away
            sys.stderr.write(f"\r\x1b[K{shown}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Takes the line away, where it is."""
        if self._drawn:
            self.draw("")
            self._drawn = False


class Shown:
    """The progress of a run. `hide` before something else is written to the terminal."""

    def __init__(self, run: Preflight) -> None:
        self.run = run
        self._live: Live | None = None
        if _moves():
            from rich.console import Console
            from rich.live import Live

            # What is said on stderr while it is shown goes above it. stdout is not the terminal's to take:
            # it may be a file.
            self._live = Live(
                console=Console(stderr=True), auto_refresh=False, transient=True, redirect_stdout=False
            )

    async def follow(self) -> None:
        """Shows how far the run is, until cancelled."""
        import asyncio

        while True:
            await asyncio.sleep(_OFTEN if self._live is not None else _SELDOM)
            if self._live is None:
                say(f"probe: {self.line()}")
            else:
                self.draw()

    def draw(self) -> None:
        """Draws the moving line, where there is one."""
        if self._live is not None:
            from rich.text import Text

            self._live.start()
            self._live.update(Text(self.line(), overflow="ellipsis", no_wrap=True), refresh=True)

    def hide(self) -> None:
        """Takes the moving line away."""
        if self._live is not None and self._live.is_started:
            self._live.stop()

    def line(self) -> str:
        """Done, rate, time left, verdicts, and which hosts are slowed and why."""
        now = self.run.progress
        spent = max(time.monotonic() - now.began, 1e-6)
        rate = now.done / spent
        left = (now.total - now.done) / rate if now.done else 0.0
        words = [f"{now.done} of {now.total}", f"{rate:.1f} a second"]
        if now.done and now.done < now.total:
            words.append(f"about {_span(left)} left")
        words += [f"{count} {verdict}" for verdict, count in sorted(now.verdicts.items())]
        slowed = [f"{host}: {why}" for host, why in self.run.lanes.slowed().items()]
        words += slowed[:3] + ([f"and {len(slowed) - 3} more"] if len(slowed) > 3 else [])
        return ", ".join(words)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
