"""Reports that an earlier run wrote: read for `convert`, `diff` and `--baseline`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from probe.cli._files import stdin
from probe.cli._messages import refuse

if TYPE_CHECKING:
    from probe.rules import Report

__all__ = ["load"]


_GIVE = "give what -f json, -f jsonl or -o FILE.jsonl wrote"


def load(files: Iterable[str]) -> Iterator[Report]:
    """The reports of JSON or JSON Lines files (``-`` is stdin) as they are read; exit 2 where none is."""
    for file in files:
        yield from _read(file)


def _read(file: str) -> Iterator[Report]:
    from probe.render._read import LONGEST, reports

    found = 0
    name = "stdin" if file == "-" else file
    try:
        with _opened(file) as text:
            for report in reports(iter(lambda: text.readline(LONGEST + 1), "")):
                found += 1
                yield report
    except UnicodeDecodeError:
        refuse(f"{name} is not UTF-8 text, so it is no report; {_GIVE}")
    except OSError as problem:
        refuse(f"{name} cannot be read: {problem.strerror}")
    except ValueError as problem:
        refuse(f"{name}, {problem}; {_GIVE}")
    if not found:
        refuse(f"{name} holds no report; {_GIVE}")


@contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    """A file, or stdin, as UTF-8 whatever the locale says; stdin stays open."""
    if file != "-":
        with Path(file).open(encoding="utf-8-sig") as text:
            yield text
        return
    piped = io.TextIOWrapper(stdin(), encoding="utf-8-sig")
    try:
        yield piped
    finally:
        piped.detach()
