"""What a person at the terminal is told beside the result."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from probe.render import printable

__all__ = ["last_said", "refuse", "say"]

_said = [""]
_LONGEST = 1_000  # characters of a complaint: what was typed may be a whole file


def refuse(message: str) -> NoReturn:
    """End with exit code 2 and one sentence that says what to do: nothing has been sent."""
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
    say(f"probe: {message}")
    raise typer.Exit(2)


def say(message: str) -> None:
    """A message for the person at the terminal; stdout belongs to the result."""
    _said[0] = message
    sys.stderr.write(f"{printable(message)}\n")


def last_said() -> str:
    """The last message, for who sees stdout alone; empty where there was none."""
    return _said[0]
