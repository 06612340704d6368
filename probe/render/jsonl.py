"""JSON Lines: one report a line, as soon as it is there.

A line is what `json.as_json` makes of a report. What is the same for many reports, the words of a rule and
tables that are shared, is encoded once; each report is encoded with holes, into which that is put.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring_ascii as _text

from probe.render import Style
from probe.render.json import around, finding_as_json
from probe.rules import Finding, Report, Rule, Shared

EXTENSIONS = (".jsonl", ".ndjson")

# What `as_json` makes is a tree: nothing in it is looked for in a circle.
_encoded = json.JSONEncoder(check_circular=False).encode
_encoded_once = functools.lru_cache(maxsize=256)(_encoded)

# Marks where a part that is encoded on its own goes in. Nothing of ours is written like it: no member of
# the contract has an empty name, and in a text the quotation marks are escaped. A report that was read from a
# file may have one among its evaluations; it has nothing `Shared`, so that its only hole is that of the
# findings, which comes first, and nothing behind it is split.
_HOLE = {"": None}
_CUT = _encoded(_HOLE)

# Words of a finding, and not of its rule.
_OWN = frozenset({"confidence", "fix", "detail", "matched", "alternates", "evidence"})
# The frames of rules that were met. One that was read from a file may be of any length: it is not kept.
_frames: dict[Rule, str] = {}
_ORDINARY, _KEPT = 8000, 1024  # characters, frames


def render(reports: Iterable[Report], _style: Style) -> Iterator[str]:
    """A line for each report."""
    for report in reports:
        told = report.evaluations
        shared = {area: _encoded_once(each) for area, each in told.items() if isinstance(each, Shared)}
        holes = {"findings": _HOLE, "evaluations": {**told, **dict.fromkeys(shared, _HOLE)}}
        first, *rest = _encoded({**around(report), **holes}).split(_CUT, 1 + len(shared))
        found = f"[{', '.join(map(_finding, report.findings))}]"
        filled = zip((found, *shared.values()), rest, strict=True)
        yield f"{first}{''.join(map(''.join, filled))}\n"


def _finding(finding: Finding) -> str:
    """What `json.finding_as_json` makes of a finding, encoded."""
    evidence = ", ".join([f"{_text(name)}: {_text(fact)}" for name, fact in finding.evidence.items()])
    return _frame(finding.rule) % (
        _text(finding.confidence),
        _text(finding.remedy),
        _text(finding.detail),
        _text(finding.matched),
        _encoded(finding.alternates) if finding.alternates else "[]",
        f"{{{evidence}}}",
    )


def _frame(rule: Rule) -> str:
    """A finding of this rule in JSON, with ``%s`` for each of its `_OWN` words, in their order."""
    if (frame := _frames.get(rule)) is not None:
        return frame
    shape = finding_as_json(Finding(rule, {}))
    words = (
        (name, "%s" if name in _OWN else _encoded(word).replace("%", "%%")) for name, word in shape.items()
    )
    frame = f"{{{', '.join(f'{_text(name)}: {word}' for name, word in words)}}}"
    if len(frame) <= _ORDINARY and len(_frames) < _KEPT:
        _frames[rule] = frame
    return frame
