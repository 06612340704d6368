"""`probe convert`: a run that is over, told again in another format."""

from __future__ import annotations

from typing import Annotated

import typer

from probe.cli._completion import FORMATS
from probe.cli._output import FAIL_ON, OUTPUT, VERBOSE, Output

EPILOG = """\b
Examples:
  probe convert run.jsonl -o report.html -o report.csv
  probe convert run.jsonl -f md
  probe convert run.jsonl -f nagios
  probe creds ada@example.com -f json | probe convert - -o ada.html

The exit code is that of the run, by its verdicts; nothing is probed again."""


def command(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Reports as JSON or JSON Lines; - reads them from stdin."),
    ],
    format: Annotated[
        str,
        typer.Option(
            "-f",
            "--format",
            metavar="FORMAT",
            autocompletion=FORMATS,
            help="What stdout gets; default: text, and nothing where -o is given.",
        ),
    ] = "",
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    verbose: int = VERBOSE,
) -> None:
    """Tell a run that is over in another format.

    As a page, a table, a line for monitoring. Reads what `-f json`, `-f jsonl` and `-o run.jsonl` wrote.
    Several files are told as one run.
    """
    from probe.cli._runs import load

    out = Output(format or ("" if output else "text"), output, fail_on, verbose, read=files)
    out.finish(load(files))
