"""`probe diff`: what is new, changed or fixed between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._messages import refuse, say
from probe.cli._output import FAIL_ON, FORMAT, OUTPUT, VERBOSE, Output

if TYPE_CHECKING:
    from probe.rules import Verdict

EPILOG = """\b
Examples:
  probe diff monday.jsonl friday.jsonl
  probe diff monday.jsonl friday.jsonl -o changes.html --fail-on warn
  probe dns example.com --baseline last.jsonl -o last.jsonl   while probing

A finding that is gone counts as fixed only where the later run could tell. The exit code is that of what
is new or changed: 0 where nothing got worse."""


def command(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The earlier run: JSON or JSON Lines.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The later run; - is stdin.")],
    format: str = FORMAT,
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    verbose: int = VERBOSE,
) -> None:
    """Tell what changed since an earlier run.

    What is new, changed or fixed. Subjects are matched by kind and name. Every format tells the
    difference as reports, each with its new and changed findings; the counts go to stderr.
    """
    from probe.cli._runs import load
    from probe.render._changes import Changes

    if before == after == "-":
        refuse("only one of the two runs can come from stdin")
    out = Output(format, output, fail_on, verbose, read=[before, after])
    changes = Changes(load([before]))
    verdicts: list[Verdict] = []
    out.write(changes.of(load([after])), verdicts, compared=True)
    say(f"probe: {changes}")
    out.end(verdicts)
