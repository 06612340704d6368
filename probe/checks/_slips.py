"""Which word was meant by one that nobody knows: the slips of fingers that are really published."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["meant_word"]

_LONGEST = 20
_CLOSE = 0.7


def meant_word(typed: str, known: Iterable[str]) -> str:
    """The known word with the same letters in another order, else the closest; empty where none is close."""
    word = typed[:_LONGEST].lower()
    words = tuple(known)
    letters = sorted(word)
    for each in words:
        if sorted(each) == letters:
            return each
    return next(iter(difflib.get_close_matches(word, words, 1, _CLOSE)), "")
