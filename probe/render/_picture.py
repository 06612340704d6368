"""The fleet as a picture: a row a cause, a square a subject. Pure geometry; the template draws it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probe.rules import Verdict

__all__ = ["Picture", "Row", "Square", "bar", "picture"]

WIDTH = 960  # of the drawing, in its own units
_LABELS = 378  # what the labels on the left take
_PITCH = 12  # from square to square
_LINE = 20  # the height of a row of one line
_MOST_ROWS = 16
_MOST_SQUARES = 2_000  # beyond, a square stands for several
_LONGEST = 50  # characters of a label


@dataclass(frozen=True, slots=True)
class Square:
    """A subject: its place, its words for a pointer that rests on it, and where it is told in full."""

    x: int
    y: int
    verdict: Verdict
    title: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Row:
    """A cause: its label, how many have it, and their squares."""

    label: str
    verdict: Verdict
    count: int
    y: int
    squares: tuple[Square, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows, worst first and largest first; a square stands for `each` subjects."""

    rows: tuple[Row, ...]
    height: int
    each: int = 1
    width: int = WIDTH
    labels: int = _LABELS


_Subject = tuple[str, Verdict, str, str]  # subject, verdict, cause, anchor


def picture(subjects: Iterable[_Subject]) -> Picture:
    """The picture of subjects, each under the one cause that decides it."""
    causes: dict[tuple[Verdict, str], list[_Subject]] = {}
    for subject in subjects:
        causes.setdefault((subject[1], subject[2]), []).append(subject)
    ranked = sorted(causes.items(), key=lambda one: (-one[0][0].rank, -len(one[1]), one[0][1]))
    each = 1 + sum(len(several) for _, several in ranked) // _MOST_SQUARES
    rows: list[Row] = []
    y = 0
    for (verdict, label), several in _folded(ranked):
        row = _row(label, verdict, several, y, each)
        rows.append(row)
        y = max(square.y for square in row.squares) + _LINE
    return Picture(tuple(rows), y, each)


def _folded(
    ranked: list[tuple[tuple[Verdict, str], list[_Subject]]],
) -> list[tuple[tuple[Verdict, str], list[_Subject]]]:
    """Not more rows than a picture can hold: the smallest causes of a verdict share one."""
    if len(ranked) <= _MOST_ROWS:
        return ranked
    kept = sorted(ranked, key=lambda one: -len(one[1]))[: _MOST_ROWS - len(Verdict)]
    rest: dict[Verdict, list[list[_Subject]]] = {}
    for (verdict, label), several in ranked:
        if ((verdict, label), several) not in kept:
            rest.setdefault(verdict, []).append(several)
    for verdict, lists in rest.items():
        label = "other causes" if len(lists) > 1 else lists[0][0][2]
        kept.append(((verdict, label), [subject for several in lists for subject in several]))
    return sorted(kept, key=lambda one: (-one[0][0].rank, one[0][1] == "other causes", -len(one[1])))


def _row(label: str, verdict: Verdict, subjects: list[_Subject], y: int, each: int) -> Row:
    across = (WIDTH - _LABELS) // _PITCH
    squares = tuple(
        Square(
            _LABELS + index % across * _PITCH,
            y + index // across * _PITCH,
            verdict,
            f"{subject[0]}: {subject[2]}",
            subject[3],
        )
        for index, subject in enumerate(subjects[::each])
    )
    shown = label if len(label) <= _LONGEST else f"{label[: _LONGEST - 3]}..."
    return Row(shown, verdict, len(subjects), y, squares)


def bar(counts: Mapping[Verdict, int]) -> tuple[tuple[Verdict, float, float], ...]:
    """A bar of `WIDTH` in proportion: verdict, start and length of each part that is not empty."""
    total = sum(counts.values()) or 1
    parts: list[tuple[Verdict, float, float]] = []
    start = 0.0
    for verdict, count in counts.items():
        length = WIDTH * count / total
        if count:
            parts.append((verdict, round(start, 2), round(length, 2)))
        start += length
    return tuple(parts)
