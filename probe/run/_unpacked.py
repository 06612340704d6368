"""Streams inside streams: compressed, in UTF-16, archived, a log in JSON. Each is read as far as it can be.

None of them is held whole, but an archive that comes by a pipe.
"""

from __future__ import annotations

import codecs
import datetime as dt
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol, cast

from probe.grammar.intake import HEAD, Kind, encoding
from probe.rules import Report
from probe.run.explain import not_read, nothing_found
from probe.run.sources import Asked, explain_stream, read_all

__all__ = ["READERS"]

_PIECE = 64 * 1024
_MAX_ARCHIVE = 256 * 1024 * 1024  # bytes of an archive; it must be held to be read
_MAX_UNPACKED = 8 * 1024 * 1024 * 1024  # bytes that its files may hold together
_MAX_FILES = 200_000
_OFFICE = frozenset({"[Content_Types].xml", "mimetype"})


class _Packed(Protocol):
    """What unpacks as it is read."""

    def read1(self, size: int, /) -> bytes: ...


class Unpacked(io.RawIOBase):
    """What a compressed stream holds; `damaged` tells that the end which was read is not its own.

    Damage ends the stream rather than the reading: what came before is worth as much as ever, and its reader
    must have the chance to tell of it.
    """

    def __init__(self, packed: _Packed) -> None:
        self.damaged = False
        self._packed = packed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader gives no other
        if self.damaged:
            return 0
        try:
            piece = self._packed.read1(len(buffer))
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError):
            self.damaged = True
            return 0
        buffer[: len(piece)] = piece
        return len(piece)


class Poured(io.RawIOBase):
    """Pieces of bytes, none of them empty, as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # as above
        piece = self._rest or next(self._pieces, b"")
        size = min(len(buffer), len(piece))
        buffer[:size] = piece[:size]
        self._rest = piece[size:]
        return size


def _inner(stream: io.BufferedIOBase, name: str, asked: Asked) -> Iterator[Report]:
    """The reports of what was inside, unless there were too many layers around it."""
    if not asked.layers:
        yield not_read(name, "it is compressed more than 2 times")
        return
    asked.layers -= 1
    try:
        yield from explain_stream(cast("BinaryIO", stream), name, asked)
    finally:
        asked.layers += 1


# -- compressed --------------------------------------------------------------------------------------


def _gzip(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    yield from _unpacked(Unpacked(gzip.GzipFile(fileobj=source)), name, asked)


def _unpacked(source: Unpacked, name: str, asked: Asked) -> Iterator[Report]:
    stream = io.BufferedReader(source)
    if asked.layers and not stream.peek(1) and source.damaged:
        yield not_read(name, "the compressed file is damaged")
        return
    yield from _inner(stream, name, asked)
    if source.damaged:
        asked.note(f"{name}: the compressed file is damaged; what came before was read")


def _zip(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """The files of an archive, in the order of their names."""
    data = read_all(source, _MAX_ARCHIVE, name, asked)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        files = sorted(filter(_shown, archive.infolist()), key=lambda one: one.filename)
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        NotImplementedError,
    ):  # the last: of a version unknown to it
        yield not_read(name, "the archive is damaged")
        return
    if any(one.filename in _OFFICE for one in files):
        yield not_read(name, "it is an Office file; hand over the text, or a table as CSV")
        return
    if len(files) > _MAX_FILES:
        asked.note(f"{name}: only the first {_MAX_FILES:,} of {len(files):,} files are read")
    left = _MAX_UNPACKED
    for one in files[:_MAX_FILES]:
        left -= one.file_size
        if left < 0:
            yield not_read(one.filename, "the archive holds too much; unpack it first")
            return
        try:
            inner = archive.open(one)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):  # no password
            yield not_read(one.filename, "it is encrypted or damaged")
            continue
        yield from _unpacked(Unpacked(cast("_Packed", inner)), one.filename, asked)
    if not files:
        yield nothing_found(name, "there is no file in it")


def _shown(file: zipfile.ZipInfo) -> bool:
    """Whether it is a file, and none that an operating system hides beside others."""
    return not file.is_dir() and not file.filename.rpartition("/")[2].startswith(".")


# -- written otherwise -------------------------------------------------------------------------------


def _utf16(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    head = source.read(HEAD)
    rest = recoded(head, source, encoding(head))
    yield from explain_stream(cast("BinaryIO", io.BufferedReader(Poured(rest))), name, asked)


def _wrapped(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    lines = Unwrapped(source)
    stream = io.BufferedReader(Poured(lines.read()))
    if stream.peek(1):
        yield from _inner(stream, name, asked)
        if lines.broken:
            asked.note(f"{name}: lines that are no JSON: {lines.broken:,}")
    else:
        yield not_read(name, "it begins like a log in JSON and is none")


def recoded(head: bytes, stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The text of a stream in UTF-8; `head` was read of it."""
    decoder = codecs.getincrementaldecoder(name)("replace")
    piece = head
    while piece:
        if text := decoder.decode(piece):
            yield text.encode("utf-8", "replace")
        piece = stream.read(_PIECE)
    if text := decoder.decode(b"", final=True):
        yield text.encode("utf-8", "replace")


# -- a log in JSON -----------------------------------------------------------------------------------

_TEXT = ("MESSAGE", "message", "msg", "log", "line", "_raw", "textPayload")
_TIME = ("time", "timestamp", "@timestamp", "ts", "date")
_LINE = 1024 * 1024


class Unwrapped:
    """The lines of a log whose lines are JSON objects; `broken` counts those that are none."""

    def __init__(self, stream: BinaryIO) -> None:
        self.broken = 0
        self._stream = stream

    def read(self) -> Iterator[bytes]:
        """The lines as syslog has them."""
        while line := self._stream.readline(_LINE):
            try:
                told = json.loads(line)
            except (ValueError, RecursionError):
                told = None
            if isinstance(told, dict):
                yield _logged(told) + b"\n"
            else:
                self.broken += bool(line.strip())


def _logged(told: dict[str, object]) -> bytes:
    """A line as syslog has it; who said it and when is put before words that do not tell."""
    words = next((told[name] for name in _TEXT if isinstance(told.get(name), str | list)), "")
    if isinstance(words, list):  # journald has bytes for what is no UTF-8
        text = bytes(one for one in words if isinstance(one, int) and 0 <= one < 256)
    else:
        text = str(words).encode("utf-8", "replace")
    text = b" ".join(text.split(b"\n")).strip()
    program = str(told.get("SYSLOG_IDENTIFIER", ""))[:64]
    if not program:
        return text
    host = str(told.get("_HOSTNAME", "") or "-")[:255].split(" ")[0]
    return (
        f"{_when(told)} {host} {program}[{str(told.get('_PID', 0))[:8]}]: ".encode("utf-8", "replace") + text
    )


def _when(told: dict[str, object]) -> str:
    stamp = str(told.get("__REALTIME_TIMESTAMP", ""))[:20]
    try:
        at = dt.datetime.fromtimestamp(int(stamp) // 1_000_000, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return next((str(told[name])[:32] for name in _TIME if isinstance(told.get(name), str)), "-")
    return at.strftime("%Y-%m-%dT%H:%M:%S")


READERS = {Kind.GZIP: _gzip, Kind.ZIP: _zip, Kind.UTF16: _utf16, Kind.WRAPPED: _wrapped}
