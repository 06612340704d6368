"""The picture for the README: each goal's ratio as a bar, where 1 is the peer it is measured against."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator

from tests.bench.measure import Line

__all__ = ["draw"]

ROW, LEFT, WIDE, RIGHT = 40, 300, 330, 70
LEGEND = {"goal": "as good as we aim for", "must": "good enough", "MISSED": "not yet good enough"}
COLOURS = {"goal": "#2b8a3e", "must": "#74b816", "MISSED": "#e67700"}


def draw(lines: Iterable[Line]) -> str:
    """An SVG of the lines that compare with a peer: shorter is better, the line is the peer."""
    chosen = [line for line in lines if line.against != "-" and line.reached > 0]
    height = ROW * (len(chosen) + 2)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDE + RIGHT}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13" role="img">'
        "<title>probe against its peers: shorter is better</title>"
        '<rect width="100%" height="100%" fill="#fff"/>'
    )
    return head + "".join(_bars(chosen)) + _peer(height) + "".join(_legend(height)) + "</svg>\n"


def _bars(lines: list[Line]) -> Iterator[str]:
    for row, line in enumerate(lines):
        ratio = 1 / line.reached if line.more_is_better else line.reached  # of a rate, the time for one
        top = ROW * (row + 1)
        yield (
            f'<text x="{LEFT - 8}" y="{top + 12}" text-anchor="end">{html.escape(line.what)}</text>'
            f'<text x="{LEFT - 8}" y="{top + 26}" text-anchor="end" font-size="11" fill="#495057">'
            f"of {html.escape(line.against)}</text>"
            f'<rect x="{LEFT}" y="{top + 4}" width="{_width(ratio):.1f}" height="20" rx="2" '
            f'fill="{COLOURS[line.verdict]}"/>'
            f'<text x="{LEFT + WIDE + 8}" y="{top + 19}">{_words(ratio)}</text>'
        )


def _width(ratio: float) -> float:
    """Logarithmic from 1/100 to 2, so that a hundredth can still be seen."""
    least, most = math.log(0.005), math.log(2)
    return WIDE * (min(max(math.log(ratio), least), most) - least) / (most - least)


def _words(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"1/{1 / ratio:.0f}"


def _legend(height: int) -> Iterator[str]:
    for at, (verdict, words) in enumerate(LEGEND.items()):
        x = 40 + at * 210
        yield (
            f'<rect x="{x}" y="{height - 22}" width="12" height="12" rx="2" fill="{COLOURS[verdict]}"/>'
            f'<text x="{x + 18}" y="{height - 12}" font-size="11" fill="#495057">{words}</text>'
        )


def _peer(height: int) -> str:
    x = LEFT + _width(1)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{height - 34}" stroke="#343a40" stroke-dasharray="3 3"/>'
        f'<text x="{x:.1f}" y="14" text-anchor="middle" fill="#343a40">the peer</text>'
    )
