"""The words of a catalogue entry: folding text, the literals a pattern cannot do without, linearity.

Patterns are regular expressions over *folded* text: lower case, single spaces, no accents on Latin and
Cyrillic letters, no apostrophes. A pattern is searched only where one of its required literals occurs;
most patterns are plain words, for which that search is the whole match.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from re import _constants as _op  # type: ignore[attr-defined]  # the stdlib's parser has no public name
from re import _parser as _sre  # type: ignore[attr-defined]  # nor has its tree
from typing import Any

__all__ = ["LIMIT", "expanded", "fold", "fold_pattern", "grams", "plain", "required", "unsafe", "width"]

LIMIT = 4096  # characters of a reply that are matched; what follows is never looked at
GRAM = 3
MOST = 160  # the widest bounded gap a pattern may have

_SPACE = re.compile(r"\s+")
_MARKS = re.compile("[\u0300-\u036f]")
_WORD = re.compile(r"\{([a-z][a-z_]{0,30})\}")
_ADDRESS = re.compile(r"<?[^\s<>@,;:\"'()\[\]]{1,64}@[a-z0-9.\[\]:-]{1,255}>?")
_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])", re.IGNORECASE)
_RUN = re.compile(rb"[\x80-\xff]+")
_QUOTES = str.maketrans(
    {
        "\u2018": "",
        "\u2019": "",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u0142": "l",  # letters that no normalisation takes apart
        "\u00f8": "o",
        "\u0111": "d",
        "\u00e6": "ae",
        "\u0153": "oe",
        "\u0131": "i",
    }
)
_ESCAPE = re.compile(r"(\\.)")
_META = frozenset(".^$*+?{}[]\\|()")


def fold(text: str) -> str:
    """Text as patterns see it: the first `LIMIT` characters, folded, addresses as ``<>``, no apostrophes."""
    text = text[:LIMIT]
    if "\\x" in text:
        text = _unescaped(text)
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_QUOTES)).casefold()
        text = unicodedata.normalize("NFC", _MARKS.sub("", text))
    if "@" in text:
        text = _ADDRESS.sub("<>", text)
    return " ".join(text.replace("'", "").split())


def _unescaped(text: str) -> str:
    """Text with its escaped bytes read in the charset they look like: GBK, EUC-JP, Cyrillic or Latin-1.

    What decodes as UTF-8 was kept when the reply was captured, even where it was half a Chinese character:
    so the whole is turned back into bytes first.
    """
    data, escaped = _BYTE.subn(lambda found: bytes((int(found[1], 16),)), text.encode("utf-8", "replace"))
    runs = _RUN.findall(data)
    torn = escaped * 4 < sum(map(len, runs))  # UTF-8 with a byte or two lost
    return data.decode("utf-8" if torn or not runs else _charset(runs), "replace")


def _charset(runs: list[bytes]) -> str:
    """The charset of runs of high bytes: pairs, long words of single letters, or single accents."""
    high = b"".join(runs)
    if min(high) < 0xC0 and all(len(run) % 2 == 0 for run in runs):
        leads = high[::2]
        if any(lead in (0xA4, 0xA5) for lead in leads):  # hiragana, katakana
            return "euc_jp"
        if sum(0xB0 <= lead <= 0xD7 for lead in leads) * 2 > len(leads):  # the common characters of GB 2312
            return "gbk"
    if len(high) >= 3 * len(runs):
        return "cp1251" if sum(byte >= 0xE0 for byte in high) * 2 > len(high) else "koi8_r"
    return "latin-1"


def expanded(pattern: str, vocabulary: Mapping[str, str]) -> str:
    """A pattern with each ``{word}`` of a file's vocabulary written out; KeyError for a word it lacks."""
    for _ in range(3):  # words may use words
        pattern = _WORD.sub(lambda found: f"(?:{vocabulary[found[1]]})", pattern)
    return pattern


def fold_pattern(pattern: str) -> str:
    r"""A pattern in folded letters: escapes such as ``\S`` keep their case, words do not."""
    parts = _ESCAPE.split(pattern)  # words, escape, words, escape, ..., words
    return "".join(part if place % 2 else _lowered(part) for place, part in enumerate(parts))


def _lowered(words: str) -> str:
    words = unicodedata.normalize("NFKD", words.replace("'", "").lower().translate(_QUOTES)).casefold()
    return _SPACE.sub(" ", unicodedata.normalize("NFC", _MARKS.sub("", words)))


def grams(text: str) -> set[str]:
    """Every run of three characters of a text."""
    return set(map("".join, zip(text, text[1:], text[2:], strict=False)))


def plain(pattern: str) -> bool:
    """Whether a pattern is only words, so that `in` matches it."""
    return _META.isdisjoint(pattern)


# -- what the stdlib's parser tells of a pattern --------------------------------------------------


def required(pattern: str) -> tuple[tuple[str, ...], ...]:
    """Sets of literals: every match contains at least one literal of each set; empty where none is known."""
    if plain(pattern):
        return ((pattern,),)
    return tuple(tuple(sorted(one)) for one in _options(_sre.parse(pattern)))


def _options(tree: Any) -> list[frozenset[str]]:
    options: list[frozenset[str]] = []
    run = ""
    for op, value in tree:
        if op is _op.LITERAL:
            run += chr(value)
            continue
        if run:
            options.append(frozenset((run,)))
        run = ""
        if inner := _inside(op, value):
            options.append(inner)
    if run:
        options.append(frozenset((run,)))
    return options


def _required(tree: Any) -> frozenset[str] | None:
    options = _options(tree)
    return max(options, key=lambda option: (min(map(len, option)), -len(option)), default=None)


def _inside(op: Any, value: Any) -> frozenset[str] | None:
    if op is _op.SUBPATTERN:
        return _required(value[3])
    if op in (_op.MAX_REPEAT, _op.MIN_REPEAT):
        return _required(value[2]) if value[0] else None
    if op is _op.BRANCH:
        found = [_required(branch) for branch in value[1]]
        return None if None in found else frozenset().union(*(one for one in found if one))
    return None


def width(pattern: str) -> int:
    """The fewest letters a match has: what a pattern is worth, its gaps not counted."""
    return len(pattern) if plain(pattern) else int(_sre.parse(pattern).getwidth()[0])


def unsafe(pattern: str) -> str:
    """Why matching a pattern may take more than linear time; empty where it cannot."""
    try:
        tree = _sre.parse(pattern)
    except re.error as error:
        return f"not a pattern: {error}"
    return next(_complaints(tree, inside=False), "")


def _complaints(tree: Any, *, inside: bool) -> Iterator[str]:
    for op, value in tree:
        if op in (_op.MAX_REPEAT, _op.MIN_REPEAT):
            yield from _repeated(*value, inside=inside)
        elif op is _op.SUBPATTERN:
            yield from _complaints(value[3], inside=inside)
        elif op is _op.BRANCH:
            for branch in value[1]:
                yield from _complaints(branch, inside=inside)
        elif op in (_op.ASSERT, _op.ASSERT_NOT):
            yield from _complaints(value[1], inside=inside)
        elif op in (_op.GROUPREF, _op.GROUPREF_EXISTS):
            yield "a back-reference"


def _repeated(_: int, most: Any, body: Any, *, inside: bool) -> Iterator[str]:
    if most is _op.MAXREPEAT:
        yield "an unbounded repetition"
    elif most > MOST:
        yield f"a gap of {most}, wider than {MOST}"
    elif inside and most > 1:
        yield "a repetition inside a repetition"
    yield from _complaints(body, inside=inside or most > 1)
