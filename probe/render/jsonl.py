"""JSON Lines: one report a line, as soon as it is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from probe.render import Style
from probe.render.json import as_json
from probe.rules import Report

EXTENSIONS = (".jsonl", ".ndjson")

# What `as_json` makes is a tree: nothing in it is looked for in a circle.
_encoded = json.JSONEncoder(check_circular=False).encode


def render(reports: Iterable[Report], _style: Style) -> Iterator[str]:
    """A line for each report."""
    for report in reports:
        yield _encoded(as_json(report)) + "\n"
