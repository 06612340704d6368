"""A terminal to write to, for processes that show how far they are."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def terminal() -> Iterator[tuple[int, bytearray]]:
    """The end that a process writes to, and what it wrote: whole once the block is left."""
    ours, theirs = os.openpty()
    shown = bytearray()

    def read() -> None:
        with suppress(OSError):  # nobody holds the other end any more
            while piece := os.read(ours, 4096):
                shown.extend(piece)

    reading = threading.Thread(target=read)
    reading.start()
    try:
        yield theirs, shown
    finally:
        os.close(theirs)
        reading.join()
        os.close(ours)


def left_on(shown: bytes | bytearray) -> str:
    """What stays on the screen of lines that were cleared and drawn anew."""
    lines = shown.decode().replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition("\r\x1b[K")[2] for line in lines)
