"""What a person at the terminal is told beside the result."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NoReturn

import typer

from probe.render import printable

__all__ = ["guessed", "last_said", "refuse", "say"]

_said = [""]  # the last message
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


def guessed(typed: str, known: Iterable[str]) -> str:
    """``; did you mean google?`` where a known word is spelled much like the one typed, else empty."""
    import difflib

    near = difflib.get_close_matches(typed.lower(), known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def last_said() -> str:
    """The last message, for who sees stdout alone; empty where there was none."""
    return _said[0]
