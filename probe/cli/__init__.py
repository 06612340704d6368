"""The door: one small file a command. A command parses words, calls one verb, renders and exits.

The folder is the registry: a file here is a command of its name, with a function `command` or, where it
has commands of its own, a typer application `app`. Files are imported when their command is asked for,
so that `--help` and `explain` start fast.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

__all__ = ["app", "main"]

EPILOG = (
    "Exit codes: 0 nothing found, 1 the thing probed is not OK, 2 usage or input, 3 could not tell, "
    "4 stopped by a safety brake, 130 interrupted."
)


@functools.cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name[0] != "_"))


class _Files(Mapping[str, TyperCommand | TyperGroup]):
    """The files of this folder as commands, each imported when it is asked for."""

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        if name not in _names():
            raise KeyError(name)
        return _command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


class Commands(TyperGroup):
    """The commands, in alphabetical order."""

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self.commands = _Files()  # type: ignore[assignment]  # nobody adds a command but by a file

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Runs a command; what typer would end in silence, or with the code of a failure, ends here."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _end("interrupted", 130)
        except BrokenPipeError:
            _discard_output()  # whoever read our output has seen enough
            sys.exit(141)


@functools.cache
def _command(name: str) -> TyperCommand | TyperGroup:
    module = importlib.import_module(f"{__name__}.{name}")
    if (group := getattr(module, "app", None)) is not None:
        made: Any = get_command(group)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name, epilog=getattr(module, "EPILOG", None))(module.command)
        made = get_command(single)
    made.name = name
    assert isinstance(made, TyperCommand | TyperGroup)
    return made


# What a machine has too few of; no fault of ours, and nothing that a server said.
_STARVED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
# Why stdout takes no more. Inputs and files of our own are read and written where their errors are told.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)


def _version(wanted: bool) -> None:
    if wanted:
        from probe import __version__

        typer.echo(f"probe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Ask mail servers and DNS what a sender needs to know before a launch.

    \b
    probe preflight inboxes.csv     which inboxes are ready?
    probe creds ada@example.com     can it log in and send?
    probe dns example.com           what receivers see of it
    probe explain "550 5.7.26 ..."  what a reply means
    probe demo                      a tour without a network
    """  # noqa: D301  # the \b is typer's mark for lines that stay


_FORMAT = re.compile("--format|-v*f")  # short options may stand in one word, -v as often as one likes
_NAGIOS = re.compile("--format=nagios|-v*fnagios")
_PLUGIN_UNKNOWN = 3  # monitoring plugins: the check could not be made
COLLECT_AFTER = 10_000  # new objects; reports come by the thousand and hold no cycles, so fewer looks do


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program with its own words (None), or with others; it ends the process."""
    if arguments is None:
        gc.freeze()  # what was imported stays: the collector need not go through it again
        gc.set_threshold(COLLECT_AFTER)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets an escape, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = _as_typed(sys.argv[1:] if arguments is None else arguments)
    try:
        _run(words)
    except SystemExit as ended:
        if ended.code and _monitored(words) and not _told(ended):
            _tell_monitoring()
        raise


def _run(words: Sequence[str]) -> NoReturn:
    """Runs the program; what no command expects becomes a sentence and a code."""
    try:
        app(args=words, prog_name="probe")
    except Exception as problem:
        if os.environ.get("PROBE_DEBUG"):
            raise
        if isinstance(problem, OSError) and problem.errno in _STARVED:
            _end(f"this machine has run out of something: {problem.strerror}", 3)
        if isinstance(problem, OSError) and problem.errno in _FULL:
            _discard_output()
            _end(f"the output could not be written: {problem.strerror}", 4)
        _end(f"a bug in probe, please report it: {type(problem).__name__} (PROBE_DEBUG=1 shows where)", 3)
    sys.exit(0)


def _monitored(words: Sequence[str]) -> bool:
    """Whether a monitoring system reads the exit code: to it 2 is CRITICAL, and 4 is out of bounds."""
    asked = zip(("", *words), words, strict=False)
    return any(
        _NAGIOS.fullmatch(word) or (word == "nagios" and _FORMAT.fullmatch(before)) for before, word in asked
    )


def _told(ended: SystemExit) -> bool:
    """Whether the code says what was found; the format's own codes say it as monitoring reads it."""
    from probe.cli._output import Told

    return isinstance(ended, Told)


def _tell_monitoring() -> NoReturn:
    """Ends as a plugin whose check could not be made: with a line on stdout, for nothing else is read."""
    from probe.cli._messages import last_said
    from probe.render.nagios import unasked

    with contextlib.suppress(OSError):  # what cannot be written has been told of
        sys.stdout.write(unasked(last_said() or "probe: the command line is wrong; try it on a terminal"))
        sys.stdout.flush()
    sys.exit(_PLUGIN_UNKNOWN)


def _nowhere() -> TextIO:
    """Stands for a stream that was closed before we began: nobody wants what is written to it."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _discard_output() -> None:
    """What stdout still holds goes nowhere: Python would try to write it once more when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _as_typed(arguments: Sequence[str]) -> list[str]:
    """The words as they were typed: in a locale of ASCII, UTF-8 arrives as surrogates."""
    return [
        os.fsencode(word).decode("utf-8", "surrogateescape") if not word.isascii() else word
        for word in arguments
    ]


def _end(message: str, code: int) -> NoReturn:
    from probe.cli._messages import say

    say(f"probe: {message}")
    sys.exit(code)
