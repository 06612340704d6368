"""What a run has begun and what it has ended, written down so that nothing is lost and nothing done twice.

JSON Lines, one writer. `begin` returns when the line is on the disk: only then may a login leave. A line
that a crash cut off is dropped when the journal is opened again, since nothing followed it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["BusyError", "Journal", "JournalError"]

VERSION = 1
_LONGEST = 16 << 20  # bytes of a line: a dozen replies of the greatest size, each told three times
_DATASYNC = getattr(os, "fdatasync", os.fsync)  # not every system has it


class JournalError(ValueError):
    """The file is no journal, or one of another list; the sentence says which."""


class BusyError(JournalError):
    """Another process is writing this journal."""


class Journal:
    """The journal of one list. `digest` names what the list holds; it never holds a secret.

    `begun` are the keys whose login may have left, `ended` what was found for those that came to an end.
    OSError of `begin` and `end` means that nothing more can be recorded; `broken` keeps its words.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.digest = digest
        self.begun: set[str] = set()
        self.ended: dict[str, Mapping[str, Any]] = {}
        self.complete = False
        self.broken = ""
        self._file = -1

    def open(self, *, anew: bool = False) -> None:
        """Take the journal for this process, and read what is there.

        `anew` forgets what an earlier run wrote. `JournalError` where it belongs to another list.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise BusyError("another run of this list is under way") from None
        if anew:
            self.forget()
            return
        try:
            self._read()
        except JournalError:
            self.close()
            raise
        if not os.fstat(self._file).st_size:
            self.forget()

    def forget(self) -> None:
        """Begin anew: what an earlier run wrote is gone."""
        os.ftruncate(self._file, 0)
        self.begun, self.ended, self.complete = set(), {}, False
        self._write(_line({"journal": VERSION, "list": self.digest}))

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
        """Takes every line that can be read; only an end that a crash cut off is dropped.

        A line in the middle that is none of ours is passed over: what is behind it says which logins left.
        """
        whole = at = 0
        piece = False  # of a line that is longer than any of ours
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            while data := file.readline(_LONGEST):
                ended = data.endswith(b"\n")
                if at == 0 and (ended or len(data) == _LONGEST):
                    self._recognise(_parsed(data))
                elif ended and not piece:
                    self._take(_parsed(data))
                at += len(data)
                whole = at if ended else whole
                piece = not ended
        os.ftruncate(self._file, whole)

    def _recognise(self, line: Mapping[str, Any]) -> None:
        if line.get("journal") != VERSION:
            raise JournalError("is no journal of this version")
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
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        line = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}
