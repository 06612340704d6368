"""What commands read and write by name: stdin, files that others should not read, files that appear whole."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import typer

from probe.cli._messages import refuse, say

__all__ = ["check_apart", "check_writable", "piped", "stdin", "warn_of_readers", "write_whole"]


def stdin() -> BinaryIO:
    """Stdin as bytes; a process may be started without one."""
    if sys.stdin is None:
        refuse("stdin is closed: there is nothing to read")
    return sys.stdin.buffer


def piped(most: int, what: str) -> bytes:
    """All that stdin holds; refused where it is more than `most` bytes, too many for a `what`."""
    try:
        data = stdin().read(most + 1)
    except OSError as problem:
        refuse(f"stdin: {problem.strerror}")
    if len(data) > most:
        refuse(f"stdin holds more than {_size(most)}: that is no {what}")
    return data


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >> 20 else f"{count >> 10} KiB"


def warn_of_readers(path: Path) -> None:
    """Says that a file with secrets in it can be read by others, where it can."""
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
            say(
                f"warning: others on this machine can read {path} (mode {stat.S_IMODE(mode):04o}); "
                "chmod 600 it"
            )


def check_writable(option: str, file: str) -> None:
    """Refuses a file that could not be written in the end, before anything is sent."""
    path = Path(file)
    if path.is_dir():
        refuse(f"{option} {file} is a directory; give a file name")
    if not path.parent.is_dir():
        refuse(f"{option} {file}: the directory {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        refuse(f"{option} {file}: the directory {path.parent} cannot be written to")


def check_apart(written: Sequence[tuple[str, str]], read: Iterable[str]) -> None:
    """Refuses files to be written (option, name) that are one file, or one of those that are read."""
    for index, (option, file) in enumerate(written):
        if any(_same(file, one) for one in read):
            refuse(f"{option} {file} is a file that is read, and would be overwritten; give another name")
        for earlier, other in written[:index]:
            if Path(file).resolve() == Path(other).resolve():
                refuse(f"{earlier} {other} and {option} {file} are one file; give two names")


def _same(one: str, other: str) -> bool:
    """Whether two names, of which some name nothing, lead to one file."""
    with contextlib.suppress(OSError, ValueError):
        return Path(one).samefile(os.path.expanduser(other))  # noqa: PTH111  # a Path raises for no home
    return False


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """The file appears whole or not at all, readable by its owner alone: some hold passwords."""
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.writelines(pieces)
        Path(temporary).replace(path)
    except OSError as problem:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        say(f"probe: {path} could not be written: {problem.strerror}")
        raise typer.Exit(4) from None
