"""What a run has begun and what it has ended, written down so that nothing is lost and nothing done twice.

Lines of JSON, each with its sum behind it; one writer. `begin` returns when the line is on the disk: only
then may a login leave. A line that a crash cut off is dropped when the journal is opened again, since nothing
followed it. Of a journal that is damaged elsewhere nothing is believed: what cannot be read may be a login.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["BusyError", "DamagedError", "Journal", "JournalError"]

VERSION = 2
_LONGEST = 16 << 20  # bytes of a line: a dozen replies of the greatest size, each told three times
_DATASYNC = getattr(os, "fdatasync", os.fsync)  # not every system has it


class JournalError(ValueError):
    """The file is no journal, or one of another list; the sentence says which."""


class BusyError(JournalError):
    """Another process is writing this journal."""


class DamagedError(JournalError):
    """What an earlier run wrote cannot be read, so that nobody knows which logins have left."""


class Journal:
    """The journal of one list. `digest` names what the list holds; it never holds a secret.

    `begun` are the keys whose login may have left, `ended` what was found for those that came to an end,
    `written` is when an earlier run last wrote here (seconds since the epoch).
    OSError of `begin` and `end` means that nothing more can be recorded; `broken` keeps its words.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.digest = digest
        self.begun: set[str] = set()
        self.ended: dict[str, Mapping[str, Any]] = {}
        self.complete = False
        self.written = 0.0
        self.broken = ""
        self._file = -1

    def open(self, *, anew: bool = False) -> None:
        """Take the journal for this process, and read what is there.

        `anew` forgets what an earlier run wrote. `JournalError` where it belongs to another list, or is
        damaged.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            self._adopt()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise BusyError("another run of this list is under way") from None
        if anew:
            self.forget()
            return
        self.written = os.fstat(self._file).st_mtime
        try:
            self._read()
        except JournalError:
            self.close()
            raise
        if not os.fstat(self._file).st_size:
            self.forget()

    def _adopt(self) -> None:
        """Takes over the journal that the same list has under another name, or in a copy."""
        first = self._first()
        for other in self.path.parent.glob("*.jsonl"):
            with contextlib.suppress(OSError), other.open("rb") as file:
                if file.read(len(first)) == first:
                    other.rename(self.path)
                    return

    def _first(self) -> bytes:
        return _line({"journal": VERSION, "list": self.digest})

    def forget(self) -> None:
        """Begin anew: what an earlier run wrote is gone."""
        os.ftruncate(self._file, 0)
        self.begun, self.ended, self.complete = set(), {}, False
        self._write(self._first())

    def close(self) -> None:
        """Let go of the journal."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @property
    def unfinished(self) -> bool:
        """Whether an earlier run began logins here and did not come to the end of its list."""
        return bool(self.begun or self.ended) and not self.complete

    def begin(self, key: str) -> None:
        """Writes down that a login is about to leave; durable when this returns."""
        self.begun.add(key)
        self._write(_line({"begin": key}))

    def end(self, key: str, found: Mapping[str, Any]) -> None:
        """Writes down what was found. What is found is not kept here: nobody asks for it in this run.

        Of more than a line can hold only the end is written down: then it is known that it was tried.
        """
        line = _line({"end": key, "found": found})
        self._write(line if len(line) < _LONGEST else _line({"end": key, "found": {}}))

    def finish(self) -> None:
        """Writes down that the list has come to its end."""
        self._write(_line({"finished": True}))
        self.complete = True

    # -- lines ------------------------------------------------------------------------------------

    def _write(self, line: bytes) -> None:
        """Puts a line on the disk; where that fails, the file is as it was before."""
        data = memoryview(line)
        size = os.fstat(self._file).st_size
        try:
            while data:
                data = data[os.write(self._file, data) :]
            _DATASYNC(self._file)
        except OSError as problem:
            self.broken = os.strerror(problem.errno or 0)
            os.ftruncate(self._file, size)  # half a line would spoil the next
            raise

    def _read(self) -> None:
        """Takes every line; only an end that a crash cut off is dropped, as nothing followed it.

        `DamagedError` where another line cannot be read: it may say of a login that it has left.
        """
        whole = number = damaged = 0
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            while data := file.readline(_LONGEST):
                if not data.endswith(b"\n") and len(data) < _LONGEST:
                    break
                number, whole, line = number + 1, whole + len(data), _parsed(data)
                if number == 1:
                    self._recognise(line)
                elif line:
                    self._take(line)
                else:
                    damaged = damaged or number
        if damaged and not self.complete:
            raise DamagedError(f"is damaged in line {damaged}, so that nobody knows which logins have left")
        os.ftruncate(self._file, whole)
        if number and (line := _parsed(data) or _parsed(data[:-1])):  # it lacks nothing but its end
            self._take(line)
            self._write(_line(line))

    def _recognise(self, line: Mapping[str, Any]) -> None:
        if line.get("journal") != VERSION:
            raise DamagedError("is no journal of this version")
        if line.get("list") != self.digest:
            raise JournalError("is about a list that has changed since")

    def _take(self, line: Mapping[str, Any]) -> None:
        if isinstance(key := line.get("begin"), str):
            self.begun.add(key)
        elif isinstance(key := line.get("end"), str) and isinstance(line.get("found"), dict):
            self.ended[key] = line["found"]
        elif line.get("finished"):
            self.complete = True


def _line(told: Mapping[str, Any]) -> bytes:
    data = json.dumps(told, separators=(",", ":")).encode()
    return data + _sum(data)


def _sum(data: bytes) -> bytes:
    return b" %08x\n" % zlib.crc32(data)


def _parsed(data: bytes) -> Mapping[str, Any]:
    """What a line says, with or without its end; nothing where its sum is another than was written."""
    told = data.removesuffix(b"\n")[:-9]
    if told + _sum(told) != data.removesuffix(b"\n") + b"\n":
        return {}
    try:
        line = json.loads(told)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}
