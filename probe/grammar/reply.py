"""How to read replies: bytes in, `Reply` and `Fault` out (RFC 5321 section 4.2).

The reader is strict and never raises. What it returns does not depend on how TCP cut the stream, and no
peer can make it keep more than one reply of the size allowed below.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from probe.facts import BARE, Ending, Fault, Reply, escape

__all__ = ["MAX_LINE", "MAX_LINES", "MAX_REPLY", "ReplyReader", "reply"]

MAX_LINE = 8 * 1024  # bytes in one line; RFC 5321 asks for 512
MAX_REPLY = 64 * 1024  # bytes in one reply
_USUAL = 512  # bytes of a reply that is read in one go, and worth remembering
MAX_LINES = 512  # lines in one reply; 60-line legal notices exist

# Three ASCII digits in column 0, the first 2 to 5, then a space, a hyphen or nothing at all.
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])|\r?\Z)")
# A whole reply of such lines: the same code in all of them, a hyphen behind it in all but the last.
_WHOLE = re.compile(rb"([2-5][0-9]{2})(?:-[^\n]*\n\1)*(?: [^\n]*|\r?)\n")

Redact = Callable[[tuple[bytes, ...]], tuple[bytes, ...]]


def _unchanged(lines: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return lines


class ReplyReader:
    """An incremental reader: `feed` it bytes, take what it returns, ask for `rest` when the stream ends.

    After a `Fault` nothing more is believed and nothing more is read. `redact` sees the lines of each
    reply as bytes before anything is kept.
    """

    def __init__(self, redact: Redact = _unchanged) -> None:
        self.redact = redact
        self.broken = False
        self._tail = b""  # of a line whose end has not come yet
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Reply | Fault]:
        """The replies that `data` completes; a `Fault` is the last one there will be."""
        done: list[Reply | Fault] = []
        if self.broken:
            return done
        if not self._tail and not self._lines and not (data := self._usual(data, done)):
            return done
        *lines, self._tail = (self._tail + data).split(b"\n")
        for line in lines:
            if (read := self._line(line)) is not None:
                done.append(read)
                if self.broken:
                    return done
        if len(self._tail) > MAX_LINE:
            done.append(self._fault(Ending.TOO_LONG, f"a line of more than {MAX_LINE} bytes"))
        return done

    def _usual(self, data: bytes, done: list[Reply | Fault]) -> bytes:
        """Takes the replies that stand whole and short at the front of `data`; the rest of it.

        So most are read; what is cut, long or wrong is read line by line, with the same result.
        """
        at, size = 0, len(data)
        while at < size and (found := _WHOLE.match(data, at)) is not None and found.end() - at <= _USUAL:
            whole, code = found.group(0, 1)
            done.append(_remembered(int(code), self.redact(tuple(whole[:-1].split(b"\n")))))
            at = found.end()
        return data[at:]

    def rest(self) -> tuple[str, ...]:
        """What has been heard of a reply that is not complete, printable."""
        tail = [self._tail[:MAX_LINE]] if self._tail else []
        shown = self.redact((*self._lines, *tail))
        whole = len(self._lines)
        return (*map(_printable, shown[:whole]), *map(escape, shown[whole:]))

    def take(self) -> tuple[str, ...]:
        """`rest`, and forget it."""
        if not self._lines and not self._tail:
            return ()
        rest = self.rest()
        self._lines, self._size, self._tail = [], 0, b""
        return rest

    def _shown(self, lines: list[bytes]) -> tuple[str, ...]:
        return tuple(map(_printable, self.redact(tuple(lines))))

    def _line(self, line: bytes) -> Reply | Fault | None:
        # A bare LF is tolerated and marked; RFC 5321 section 2.3.8 wants CR LF.
        self._lines.append(line)
        self._size += len(line) + 1
        found = _LINE.match(line)
        if len(line) > MAX_LINE:
            return self._fault(Ending.TOO_LONG, f"a line of more than {MAX_LINE} bytes")
        if found is None:
            return self._fault(Ending.GARBLED, "not an SMTP reply line")
        if self._lines[0][:3] != found[1]:
            return self._fault(Ending.GARBLED, "the lines of one reply have different codes")
        if len(self._lines) > MAX_LINES or self._size > MAX_REPLY:
            return self._fault(
                Ending.TOO_LONG, f"a reply of more than {MAX_LINES} lines or {MAX_REPLY} bytes"
            )
        if found[2] == b"-":
            return None
        shown, size = self.redact(tuple(self._lines)), self._size
        self._lines, self._size = [], 0
        code = int(found[1])  # of the line as it came: what is shown may be hidden whole
        return _remembered(code, shown) if size <= _USUAL else _reply(code, shown)

    def _fault(self, ending: Ending, detail: str) -> Fault:
        self.broken = True
        lines, self._lines, self._tail = self._lines, [], b""
        if ending is Ending.TOO_LONG:
            lines = [line[:200] for line in lines[:3]]
        return Fault(ending, detail, self._shown(lines))


def _reply(code: int, lines: tuple[bytes, ...]) -> Reply:
    return Reply(code, tuple(map(_printable, lines)))


_remembered = functools.lru_cache(maxsize=1024)(_reply)  # servers say the same to every inbox


def _printable(line: bytes) -> str:
    return escape(line[:-1]) if line[-1:] == b"\r" else escape(line) + BARE


def reply(text: str) -> Reply:
    """The reply that stands in `text`, one line a line; ValueError where it is none."""
    reader = ReplyReader()
    read = reader.feed("".join(f"{line}\r\n" for line in text.strip("\n").split("\n")).encode())
    if len(read) != 1 or not isinstance(read[0], Reply):
        raise ValueError(f"not one SMTP reply: {text!r}")
    return read[0]
