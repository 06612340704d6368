"""SPF macros (RFC 7208 section 7): ``%{ir}.%{v}._spf.%{d2}`` read into parts, and expanded.

Reading tells whether the text is well formed; expanding is pure: the values of the letters are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["DOMAIN_LETTERS", "EXPLANATION_LETTERS", "Macro", "MalformedError", "expand", "letters", "parse"]

DOMAIN_LETTERS = frozenset("slodiphv")
EXPLANATION_LETTERS = DOMAIN_LETTERS | frozenset("crt")

# What stands for itself: the visible characters but the percent sign; an explanation may hold spaces too.
_PIECE = re.compile(
    r"(?P<literal>[\x21-\x24\x26-\x7e]+)|(?P<space> +)|%(?P<quoted>[%_-])"
    r"|%\{(?P<letter>[A-Za-z])(?P<digits>[0-9]*)(?P<reverse>[rR]?)(?P<delimiters>[.\-+,/_=]*)\}"
)
_QUOTED = {"%": "%", "_": " ", "-": "%20"}
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# No name has more labels, so a larger number keeps everything; it also bounds what is turned into an int.
_MANY = 128


class MalformedError(ValueError):
    """The text is no macro string. `at` is the place, counted from 0, `reason` our words."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Macro:
    """One macro: its letter in lower case and the transformers (section 7.1).

    `keep` is how many parts remain, counted from the right (0: all), `reverse` turns the parts around
    first, `delimiters` are the characters that part them, `escape` is set by an upper-case letter.
    """

    letter: str
    keep: int = 0
    reverse: bool = False
    delimiters: str = "."
    escape: bool = False

    def apply(self, value: str) -> str:
        """The value of the letter, transformed; parts are joined by dots."""
        if self.keep or self.reverse or self.delimiters != ".":
            parts = re.split(f"[{re.escape(self.delimiters)}]", value)
            if self.reverse:
                parts.reverse()
            value = ".".join(parts[-self.keep :])
        return _percent(value) if self.escape else value


Part = str | Macro


def parse(text: str, allowed: frozenset[str] = DOMAIN_LETTERS, *, spaces: bool = False) -> tuple[Part, ...]:
    """The parts of a macro string; `allowed` are its letters, `spaces` are taken in explanations only.

    Raises `MalformedError` at the first character that fits no rule.
    """
    parts: list[Part] = []
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None or (found["space"] and not spaces):
            raise MalformedError(at, _complaint(text, at))
        parts.append(_part(found, allowed))
        at = found.end()
    return tuple(parts)


def _part(found: re.Match[str], allowed: frozenset[str]) -> Part:
    if found["letter"] is None:
        return _QUOTED[found["quoted"]] if found["quoted"] else found[0]
    letter, digits = found["letter"], found["digits"]
    if letter.lower() not in allowed:
        known = letter.lower() in EXPLANATION_LETTERS
        where = "belongs to explanations only" if known else "does not exist"
        raise MalformedError(found.start(), f'the macro letter "{letter}" {where}')
    keep = _MANY if len(digits) > 3 else int(digits or "0")
    if digits and not keep:
        raise MalformedError(found.start(), "a macro cannot keep 0 parts")
    return Macro(letter.lower(), keep, bool(found["reverse"]), found["delimiters"] or ".", letter.isupper())


def _complaint(text: str, at: int) -> str:
    if text[at] != "%":
        return "a character that may not stand here"
    if text.startswith("%{", at):
        return "a macro that is not well formed" if "}" in text[at:] else "a macro without closing brace"
    return "a percent sign that begins no macro (write %% for a percent sign)"


def letters(parts: tuple[Part, ...]) -> frozenset[str]:
    """The letters that occur, in lower case."""
    return frozenset(part.letter for part in parts if isinstance(part, Macro))


def expand(parts: tuple[Part, ...], value: Callable[[str], str]) -> str:
    """The text, with every macro replaced; `value` gives what a lower-case letter stands for."""
    return "".join(part if isinstance(part, str) else part.apply(value(part.letter)) for part in parts)


def _percent(value: str) -> str:
    """URL escaping as section 7.3 asks for it: all but the unreserved characters of RFC 3986."""
    if _UNRESERVED.issuperset(value):
        return value
    return "".join(
        char if char in _UNRESERVED else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
        for char in value
    )
