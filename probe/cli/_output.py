"""What every command does with its reports: render to stdout and files, and end with the right code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from probe import render
from probe.cli._completion import FORMATS, VERDICTS
from probe.cli._files import check_apart, check_writable, write_whole
from probe.cli._messages import refuse, say
from probe.render import Style
from probe.rules import Report, Verdict, worst

if TYPE_CHECKING:
    from probe.render._changes import Changes

__all__ = [
    "BASELINE",
    "FAIL_ON",
    "FORMAT",
    "OUTPUT",
    "VERBOSE",
    "Output",
    "Told",
    "as_files_are",
    "exit_code",
    "width",
]

FORMAT = typer.Option(
    "text",
    "-f",
    "--format",
    help="What stdout gets: text, json, jsonl, csv, html, junit, md, nagios or prom.",
    metavar="FORMAT",
    autocompletion=FORMATS,
)
OUTPUT = typer.Option(
    [],
    "-o",
    "--output",
    help="Write the report to FILE too; its extension picks the format. Repeatable.",
    metavar="FILE",
)
FAIL_ON = typer.Option(
    "fail",
    "--fail-on",
    help="The verdict from which the exit code is 1: note, warn or fail.",
    metavar="VERDICT",
    autocompletion=VERDICTS,
)
BASELINE = typer.Option(
    "",
    "--baseline",
    help="An earlier run (-o FILE.jsonl): stdout and exit code tell only what is new, changed or fixed.",
    metavar="FILE",
)
VERBOSE = typer.Option(
    0,
    "-v",
    "--verbose",
    count=True,
    show_default=False,
    help="Show the whole transcript, secrets replaced.",
)

_UNTOLD = {Verdict.WAIT, Verdict.UNKNOWN}


class Told(SystemExit):
    """The end of a command that told what it found; it carries the exit code."""


class Output:
    """Where the reports go. Made, and its files checked, before anything is sent."""

    def __init__(
        self,
        format: str,
        files: Sequence[str],
        fail_on: str,
        verbose: int = 0,
        baseline: str = "",
        *,
        read: Iterable[str] = (),
        beside: Iterable[tuple[str, str]] = (),
    ) -> None:
        """`format` may be empty beside files. `baseline` is a file that an earlier run wrote.

        `read` are the inputs and the files of secrets, which nothing overwrites; names of no file do not
        matter. `beside` are the files that the command writes itself, each with its option.
        """
        if (format or not files) and format not in render.every():
            refuse(f"there is no format {format!r}; choose one of {', '.join(render.every())}")
        self.format = format
        self.files = [(file, _format_of(file)) for file in files]
        besides = [(option, file) for option, file in beside if file]
        for option, file in besides:
            check_writable(option, file)
        check_apart([*(("-o", file) for file in files), *besides], [*read])
        self.fail_on = _threshold(fail_on)
        self.verbose = verbose
        self.changes = _changes(baseline) if baseline else None

    def finish(self, reports: Iterable[Report]) -> NoReturn:
        """Render, write, and end with the exit code of the reports."""
        verdicts: list[Verdict] = []
        self.write(reports, verdicts)
        self.end(verdicts)

    def end(self, verdicts: Iterable[Verdict], stopped: int = 0) -> NoReturn:
        """End with the exit code of some verdicts, or with that of a run that was `stopped` early.

        A format that monitoring reads has codes of its own, which say what its line says: of a run that was
        stopped at best that it could not tell.
        """
        own = getattr(render.find(self.format), "exit_code", None) if self.format else None
        if own is not None:
            raise Told(own([*verdicts, Verdict.UNKNOWN] if stopped else verdicts))
        raise Told(stopped or exit_code(verdicts, self.fail_on))

    def write(
        self, reports: Iterable[Report], verdicts: list[Verdict] | None = None, *, compared: bool = False
    ) -> None:
        """Render to stdout as the reports come, and to every file when all are there.

        Against a baseline stdout gets what changed; files get everything, so that one of them can be the
        next baseline. `verdicts` receives those of what stdout is about. `compared`: the reports are what
        changed already.
        """
        if self.format != "text":
            as_files_are()
        changed = compared or self.changes is not None
        style = Style(colour=_coloured(), verbose=self.verbose, width=width(), compared=changed)
        kept: list[Report] = []
        seen = _kept(reports, kept) if self.files else reports
        told = self.changes.of(seen) if self.changes is not None else seen
        noted = _noted(told, verdicts if verdicts is not None else [])
        for piece in render.find(self.format).render(noted, style) if self.format else _nothing(noted):
            sys.stdout.write(piece)
            sys.stdout.flush()
        if self.changes is not None:
            say(f"probe: {self.changes}")
        for file, chosen in self.files:
            text = "".join(render.find(chosen).render(kept, Style(verbose=self.verbose, compared=compared)))
            write_whole(Path(file), [text.encode("utf-8", "backslashreplace")])


def exit_code(verdicts: Iterable[Verdict], fail_on: Verdict = Verdict.FAIL) -> int:
    """1 where a verdict reaches `fail_on`, else 3 where something could not be told, else 0.

    ``wait`` and ``unknown`` rank above ``warn``, but are looked at after it: with ``--fail-on warn`` a run
    that has both a warning and something untold ends with 1.
    """
    found = set(verdicts)
    told = found - _UNTOLD
    if told and worst(told).rank >= fail_on.rank:
        return 1
    return 3 if found & _UNTOLD else 0


def as_files_are() -> None:
    """What a program reads is UTF-8, as some of the formats say of themselves, whatever the locale is.

    What UTF-8 cannot carry is an escape, as in the files: an encoding by itself would bring errors back.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def _noted(reports: Iterable[Report], verdicts: list[Verdict]) -> Iterator[Report]:
    for report in reports:
        verdicts.append(report.verdict)
        yield report


def _nothing(reports: Iterable[Report]) -> Iterator[str]:
    """Goes through the reports and renders none."""
    for _ in reports:
        yield from ()


def _changes(baseline: str) -> Changes:
    from probe.cli._runs import load
    from probe.render._changes import Changes

    if not os.path.lexists(baseline):
        refuse(
            f"--baseline {baseline}: there is no such file; make the first run without it, with -o {baseline}"
        )
    return Changes(load([baseline]))


def _kept(reports: Iterable[Report], kept: list[Report]) -> Iterator[Report]:
    for report in reports:
        kept.append(report)
        yield report


def _threshold(word: str) -> Verdict:
    if word not in {"note", "warn", "fail"}:
        refuse(f"--fail-on takes note, warn or fail, not {word!r}")
    return Verdict(word)


def _format_of(file: str) -> str:
    try:
        chosen = render.by_extension(file)
    except KeyError:
        endings = sorted(ending for name in render.every() for ending in render.find(name).EXTENSIONS)
        refuse(f"{file}: the extension picks the format; use one of {' '.join(endings)}")
    check_writable("-o", file)
    return chosen


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of stdout; as many as a page bears where it is no terminal."""
    if not sys.stdout.isatty():
        return 100
    with contextlib.suppress(OSError):
        return max(60, min(120, os.get_terminal_size(1).columns))
    return 100
