"""A compressed stream read as far as it can be: where it is damaged or cut off, it ends."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO

__all__ = ["Unpacked"]


class Unpacked(io.RawIOBase):
    """What a gzip stream holds; `damaged` tells that the end which was read is not its own.

    Damage ends the stream rather than the reading: what came before is worth as much as ever, and its reader
    must have the chance to tell of it.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self.damaged = False
        self._inner = gzip.GzipFile(fileobj=packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader gives no other
        if self.damaged:
            return 0
        try:
            piece = self._inner.read1(len(buffer))
        except (OSError, EOFError, zlib.error):
            self.damaged = True
            return 0
        buffer[: len(piece)] = piece
        return len(piece)
