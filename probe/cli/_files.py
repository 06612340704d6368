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
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG  # what is not there yet will be a file
    except (OSError, ValueError) as problem:
        refuse(f"{option} {file}: {getattr(problem, 'strerror', None) or problem}")
    if stat.S_ISDIR(mode):
        refuse(f"{option} {file} is a directory; give a file name")
    if _flows(mode):
        if not os.access(path, os.W_OK):
            refuse(f"{option} {file} cannot be written to")
        return
    if not stat.S_ISREG(mode):
        refuse(f"{option} {file} is neither a file nor a pipe; give a file name")
    folder = _led_to(path).parent
    if not folder.is_dir():
        refuse(f"{option} {file}: the directory {folder} does not exist")
    if not os.access(folder, os.W_OK):
        refuse(f"{option} {file}: the directory {folder} cannot be written to")


def _flows(mode: int) -> bool:
    """Whether it is a pipe, a terminal or a null device: bytes are sent there, and nothing is replaced."""
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _flowing(path: Path) -> bool:
    return path.exists() and _flows(path.stat().st_mode)


def _led_to(path: Path) -> Path:
    """What a link leads to: the file behind it is replaced, and the link stays."""
    return path.resolve() if path.is_symlink() else path


def check_apart(written: Sequence[tuple[str, str]], read: Iterable[str]) -> None:
    """Refuses files to be written (option, name) that are one file, or one of those that are read.

    Pipes and devices overwrite nothing: a terminal is read and written, a null device takes everything.
    """
    written = [(option, file) for option, file in written if not _flowing(Path(file))]
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
    """The file appears whole or not at all, readable by its owner alone: some hold passwords.

    A pipe or a device gets the bytes as it is: putting a file in its place would destroy it.
    """
    try:
        if _flowing(path):
            with path.open("wb") as opened:
                opened.writelines(pieces)
        else:
            _replace(_led_to(path), pieces)
    except OSError as problem:
        say(f"probe: {path} could not be written: {problem.strerror}")
        raise typer.Exit(4) from None


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    """Puts a new file in the place of one; nothing of it is left behind where that fails."""
    # A name of its own, not one made of the file's: that may be as long as names can be.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".probe-", delete=False) as file:
        try:
            file.writelines(pieces)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
