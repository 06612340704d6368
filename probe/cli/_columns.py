"""Lists of names: a line each for a program that reads them, as wide as the terminal for a person."""

from __future__ import annotations

import sys
import textwrap

from probe.cli._output import width

__all__ = ["hung", "row"]

_NARROWEST = 24  # columns that a text needs beside its head
_BELOW = " " * 4


def row(head: str, text: str) -> str:
    """A name and what is told of it: one line, whatever its length, where stdout is no terminal."""
    return hung(head, text) if sys.stdout.isatty() else head + text


def hung(head: str, text: str) -> str:
    """The text beside its head, or below where there is no room; an address to copy is not broken."""
    beside = width() - len(head) >= _NARROWEST
    hang = " " * len(head) if beside else _BELOW
    lines = [
        part
        for line in text.split("\n")
        for part in textwrap.wrap(line, width() - len(hang), break_on_hyphens=False, break_long_words=False)
    ]
    first = head if beside else f"{head.rstrip()}\n{hang}"
    return first + f"\n{hang}".join(lines)
