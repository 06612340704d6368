"""Words on a terminal: verdicts in colour, paragraphs, labelled lines and quotations of a width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator

from probe import facts
from probe.facts import counted
from probe.render import Style, printable
from probe.rules import Verdict

__all__ = ["bold", "dim", "headed", "labelled", "quotation", "shortened", "verdict_word", "wrapped"]

_COLOURS = {
    Verdict.OK: "32",
    Verdict.NOTE: "36",
    Verdict.WARN: "33",
    Verdict.WAIT: "34",
    Verdict.UNKNOWN: "35",
    Verdict.FAIL: "1;31",
}
_LONGEST = 400  # characters of a quoted line
_SHORTEST = 24  # characters that a text keeps however narrow the terminal is
_RECORD = re.compile(r"\S{1,254}\. IN [A-Z]{1,10} ")
_BEFORE_RECORD = re.compile(rf"(?<=:) (?={_RECORD.pattern})")


def verdict_word(verdict: Verdict, style: Style, word: str = "", width: int = 7) -> str:
    """A verdict (or another word of its colour) in a column; only *fail* shouts."""
    shown = (word or (str(verdict).upper() if verdict is Verdict.FAIL else str(verdict))).ljust(width)
    return _painted(_COLOURS[verdict], shown, style)


def bold(text: str, style: Style) -> str:
    """What names the subject, or what to do."""
    return _painted("1", text, style)


def dim(text: str, style: Style) -> str:
    """What only some readers look for."""
    return _painted("2", text, style)


def _painted(colour: str, text: str, style: Style) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if style.colour else text


def wrapped(text: str, style: Style, indent: str = "  ", hang: str | None = None) -> Iterator[str]:
    """A paragraph; words are not broken at hyphens, for a reader may copy a command.

    `hang` indents every line but the first, where that is another indent.
    """
    further = indent if hang is None else hang
    for paragraph in printable(text).split("\n"):
        yield from textwrap.wrap(
            paragraph, style.width, initial_indent=indent, subsequent_indent=further, break_on_hyphens=False
        )


def plain(text: str, _style: Style) -> str:
    """Text as most of it is."""
    return text


def headed(
    head: str, text: str, style: Style, width: int = 8, paint: Callable[[str, Style], str] = plain
) -> Iterator[str]:
    """A text after a word that takes `width` columns, whatever its colour; it goes on below itself."""
    first, *rest = [*wrapped(text, style, " " * width)] or [""]
    yield head + paint(first[width:], style)
    yield from (" " * width + paint(more[width:], style) for more in rest)


def shortened(text: str, width: int, least: int = _SHORTEST) -> str:
    """The text, cut where it is longer than a line has room for."""
    return facts.shortened(text, max(least, width))


def labelled(label: str, text: str, style: Style) -> Iterator[str]:
    """A label and its text. Records and other lines to paste stand on lines of their own, unbroken."""
    head, hang = f"  {label:<8} ", " " * 11
    first, *rest = _BEFORE_RECORD.sub("\n", printable(text)).split("\n")
    room = style.width - len(hang)
    lines = [first] if _RECORD.match(first) else _sentence(first, room)
    painted = dim(head, style) if label == "Source" else bold(head, style) if label == "Fix" else head
    for index, line in enumerate([*lines, *rest]):
        shown = dim(line, style) if label == "Source" else line
        yield (hang if index else painted) + shown


def _sentence(text: str, room: int) -> list[str]:
    return textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False) or [""]


def quotation(text: str, style: Style, most: int) -> Iterator[str]:
    """Words of a peer behind a bar; a line that is too long goes on further in."""
    lines = [printable(line) for line in text.split("\n")]
    for line in lines[:most]:
        pieces = textwrap.wrap(
            facts.shortened(line, _LONGEST), style.width - 4, subsequent_indent="  ", break_on_hyphens=False
        )
        yield from (f"  | {piece}" for piece in pieces or [""])
    if len(lines) > most:
        yield f"  | ... {counted(len(lines) - most, 'more line')} (-v)"
