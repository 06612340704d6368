"""How to tell a report, one file a format. Renderers see reports and nothing else.

The folder is the registry: a file has `EXTENSIONS` (what `-o FILE` ends in) and `render`, which takes
reports as they come and yields text as it is ready, so that a long run streams. A format that is read by
a program with exit codes of its own has `exit_code` too, which takes verdicts. A file whose name begins with
an underscore is no format: it holds what several of them, or the commands, share.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from probe.rules import Report

__all__ = ["Renderer", "Style", "by_extension", "every", "find", "printable"]


@dataclass(frozen=True, slots=True)
class Style:
    """How a reader wants it: colour (a terminal), how much (0 findings, 1 the transcript too), width.

    `compared`: the reports are what changed since an earlier run, so that none of them is good news.
    """

    colour: bool = False
    verbose: int = 0
    width: int = 100
    compared: bool = False


class Renderer(Protocol):
    """The shape of a file in this folder; its name is the format's."""

    EXTENSIONS: tuple[str, ...]

    def render(self, reports: Iterable[Report], style: Style) -> Iterator[str]:
        """The text of some reports, in pieces."""


@functools.cache
def every() -> tuple[str, ...]:
    """The formats, in alphabetical order."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name[0] != "_"))


def find(name: str) -> Renderer:
    """The renderer of one format; KeyError where there is none."""
    if name not in every():
        raise KeyError(name)
    return cast("Renderer", importlib.import_module(f"{__name__}.{name}"))


def by_extension(file: str) -> str:
    """The format that a file's name asks for; KeyError where none does."""
    for name in every():
        if file.lower().endswith(find(name).EXTENSIONS):
            return name
    raise KeyError(file)


def printable(text: str) -> str:
    """The text with everything that could move a cursor or hide a word made visible; line ends stay.

    What a peer said is printable since it was captured; this is for names that a user typed.
    """
    if text.isprintable():
        return text
    shown = (
        char if char.isprintable() or char == "\n" else _escaped(ord(char)) for char in text.expandtabs()
    )
    return "".join(shown)


def _escaped(point: int) -> str:
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
