"""Whatever somebody hands over, explained as it streams: replies here, the rest by readers of their own."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from probe.facts import Stage
from probe.grammar.expression import Expression
from probe.grammar.intake import HEAD, Kind, binary, kind_of
from probe.rules import Report
from probe.run.explain import explain_reply, not_read, nothing_found

if TYPE_CHECKING:
    from probe.grammar.delivery import Delivery
    from probe.run.bounces import Pile

__all__ = [
    "FEW",
    "MAX_LINE",
    "USUAL",
    "Asked",
    "explain_folder",
    "explain_stream",
    "explain_text",
    "read_all",
]

FEW = 20  # lines of a log that are told one by one where not all are wanted
MAX_LINE = 1024 * 1024  # bytes of one line of JSON or mail
USUAL = "usual"  # the preset of thresholds

_CHUNK = 1024 * 1024
_MAX_PASTED = 1024 * 1024
_MAX_FILES = 200_000
_MAILDIR = frozenset({"cur", "new", "tmp"})
# Who reads what is no reply: much that a reply does not need, imported when it comes.
_READERS = {
    Kind.LINES: "_lines",
    Kind.MAIL: "_mails",
    Kind.MBOX: "_mails",
    Kind.EVENTS: "_events",
    Kind.WEBHOOK: "_events",
    Kind.TABLE: "_events",
    Kind.POSTFIX: "_logs",
    Kind.EXIM: "_logs",
    Kind.POWERMTA: "_logs",
    Kind.QMAIL: "_logs",
    Kind.GZIP: "_unpacked",
    Kind.ZIP: "_unpacked",
    Kind.UTF16: "_unpacked",
    Kind.WRAPPED: "_unpacked",
}


def _silent(_note: str) -> None:
    """Nobody listens."""


@dataclass
class Asked:
    """What the caller knows (`stage`, `provider`, `mx`), and what is wanted.

    `preset` names the thresholds of the pile. `every`: a report for each failed line of a log, however many
    (else the pile alone when they are many). `note` hears of what was left out. `pile` counts everything
    that passes; `wants_pile` becomes true when what came is a log, which is understood as a whole. `layers`
    of compression are taken off, one inside the other: each may hold a thousand times what it weighs.
    """

    stage: Stage | None = None
    provider: str = ""
    mx: str = ""
    preset: str = USUAL
    every: bool = False
    wants_pile: bool = False
    note: Callable[[str], None] = _silent
    layers: int = 2
    _pile: Pile | None = field(default=None, init=False)
    _uncounted: list[tuple[Report, float]] = field(default_factory=list, init=False)

    @property
    def pile(self) -> Pile:
        """All that has passed."""
        if self._pile is None:
            from probe.fleet import PRESETS  # noqa: PLC0415 -- one reply makes no pile
            from probe.run.bounces import Pile  # noqa: PLC0415

            self._pile = Pile("-", PRESETS[self.preset], self.stage, self.provider, self.mx)
        while self._uncounted:
            report, at = self._uncounted.pop(0)
            self._pile.count(report, at=at)
        return self._pile

    def count(self, report: Report, at: float = 0.0) -> None:
        """Counts a report of one reply; the last waits for another, or for who asks for the pile."""
        if self._uncounted:
            self.pile.count(report, at=at)
        else:
            self._uncounted.append((report, at))

    def told(self, told: Delivery) -> Report:
        """The report of one delivery, counted."""
        return self.pile.explained(told, self.pile.delivery(told))


def explain_text(text: str, asked: Asked) -> Iterator[Report]:
    """The reports of something pasted: nearly always one reply."""
    yield from explain_stream(io.BytesIO(text.encode("utf-8", "surrogateescape")), "-", asked)


def explain_folder(folder: Path, asked: Asked) -> Iterator[Report]:
    """The reports of a Maildir, or of the files of a folder, in the order of their names."""
    boxes = [folder / name for name in ("cur", "new") if (folder / name).is_dir()] or [folder]
    files = sorted(
        path for box in boxes for path in box.iterdir() if path.name[0] != "." and not path.is_dir()
    )
    if len(files) > _MAX_FILES:
        asked.note(f"{folder}: only the first {_MAX_FILES:,} of {len(files):,} files are read")
    inside = sum(path.is_dir() and path.name not in _MAILDIR for path in folder.iterdir())
    if inside:
        asked.note(f"{folder}: folders inside it are not read: {inside:,}")
    for path in files[:_MAX_FILES]:
        try:
            if not path.is_file() and path.exists():
                yield not_read(path.name, "it is a pipe, a socket or a device")
                continue
            with path.open("rb") as file:
                yield from explain_stream(cast("BinaryIO", file), path.name, asked)
        except OSError as problem:
            yield not_read(path.name, problem.strerror or "")
    if not files:
        yield nothing_found(folder.name or str(folder), "there is no file in it")


def explain_stream(stream: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """The reports of whatever `stream` holds, as they come; `name` stands for it where it tells of nobody."""
    head = _beginning(stream)
    yield from _reader(kind_of(head))(cast("BinaryIO", _Joined(head, stream)), name, asked)


def _reader(kind: Kind) -> _Reader:
    if kind not in _READERS:
        return _REPLIES[kind]
    readers = importlib.import_module(f"probe.run.{_READERS[kind]}").READERS
    return cast("Mapping[Kind, _Reader]", readers)[kind]


class _Joined:
    """A stream whose beginning was already read."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self.head, self.rest = io.BytesIO(head), rest

    def read(self, size: int = -1) -> bytes:
        return self.head.read(size) or self.rest.read(size)

    def read1(self, size: int = -1) -> bytes:
        read = getattr(self.rest, "read1", self.rest.read)
        return self.head.read(size) or cast("bytes", read(size))

    def readline(self, size: int = -1) -> bytes:
        line = self.head.readline(size)
        if line.endswith(b"\n") or (0 <= size <= len(line)):
            return line
        return line + self.rest.readline(size if size < 0 else size - len(line))

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return True


def _beginning(stream: BinaryIO) -> bytes:
    """Enough to tell what it is; of a pipe no more than that: somebody may be waiting for an answer."""
    read = getattr(stream, "read1", stream.read)
    head = b""
    while len(head) < HEAD and b"\n" not in head:
        piece = read(HEAD - len(head))
        if not piece:
            break
        head += piece
    by_the_line = head.lstrip().startswith(b"{") or _READERS.get(kind_of(head)) == "_logs"
    if not by_the_line:  # those are answered as their lines come
        while len(head) < HEAD and (piece := read(HEAD - len(head))):
            head += piece
    return head


def read_all(source: BinaryIO, limit: int, name: str, asked: Asked) -> bytes:
    """What is left of a stream, at most `limit` bytes."""
    pieces, size = [], 0
    while size <= limit and (piece := source.read(min(_CHUNK, limit + 1 - size))):
        pieces.append(piece)
        size += len(piece)
    if size > limit:
        asked.note(f"{name}: only the first {limit >> 20} MiB are read")
    return b"".join(pieces)[:limit]


# -- replies --------------------------------------------------------------------------------------

_OPENS = Expression(r"\s{0,9}[\"'(\[]{0,2}([2-5][0-9]{2})([- ]|$)")
_SET_IN = Expression(r"^(?:> ?|[ \t]{1,8})", re.MULTILINE)
_STATUS = Expression(r"^(?:final|original)-recipient\s{0,3}:", re.MULTILINE | re.IGNORECASE)
# How people begin a letter; mail servers greet nobody by name.
_GREETS = Expression(
    r"\s{0,20}(?:hi|hello|hey|dear|hallo|liebe[r]?|bonjour|hola|ciao)\s{1,3}[^\W\d_]{2,30}\s?[,!]?\s{0,3}\n",
    re.IGNORECASE,
)
_TIMED = Expression(r"^\W{0,3}[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}", re.MULTILINE)
_TELLS = Expression(
    r"deliver|undeliverable|recipient|unzustell|remis|entreg|配信|退信|could not be|failed", re.IGNORECASE
)


def _pasted(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    text = read_all(source, _MAX_PASTED, name, asked).decode("utf-8", "replace").removeprefix("\ufeff")
    if text[:1] in {">", " ", "\t"}:  # a mail that was quoted or set in
        bare = _SET_IN.compiled.sub("", text).encode("utf-8", "surrogateescape")
        if kind_of(bare) in {Kind.MAIL, Kind.MBOX}:
            yield from explain_stream(io.BytesIO(bare), name, asked)
            return
    yield from _session(text, asked) or _notice(text, asked) or _named(text, asked) or _plain(text, asked)


def _plain(text: str, asked: Asked) -> Iterator[Report]:
    return (_reply(reply, asked) for reply in _replies(text))


def _reply(text: str, asked: Asked, stage: Stage | None = None, **told: str) -> Report:
    report = explain_reply(
        text,
        stage=asked.stage or stage,
        provider=asked.provider or told.get("provider", ""),
        mx=asked.mx or told.get("mx", ""),
        recipient=told.get("recipient", ""),
        sender=told.get("sender", ""),
    )
    asked.count(report)
    return report


def _replies(text: str) -> list[str]:
    """The replies of a pasted text: one, unless every line opens or continues one of its own."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not all(_OPENS.compiled.match(line[:40]) for line in lines):
        return [text]
    replies: list[list[str]] = []
    goes_on = ""
    for line in lines:
        found = _OPENS.compiled.match(line[:40])
        code, mark = (found[1], found[2]) if found else ("", "")
        if goes_on and code == goes_on:
            replies[-1].append(line)
        else:
            replies.append([line])
        goes_on = code if mark == "-" else ""
    return ["\n".join(reply) for reply in replies]


_SPOKEN = Expression(
    r"^[^\n]{0,60}(?:EHLO|HELO|MAIL FROM|RCPT TO|AUTH|STARTTLS)\b", re.MULTILINE | re.IGNORECASE
)
# Replies by their recipients: as smtplib raises them, or an address before each reply.
_RAISED = Expression(
    r"""['"]([^'"\s@]{1,64}@[^'"\s]{1,255})['"]:\s{0,3}\(([2-5][0-9]{2}),\s{0,3}b?(?:'([^'\n]{0,4096})'|"([^"\n]{0,4096})")\)"""
)
_LISTED = Expression(
    r"\W{0,3}([^\s@<>\"',;:]{1,64}@[^\s@<>\"',;:]{1,255})[>\"',;:\s]{1,5}([2-5][0-9]{2}[ -][^\n]{1,4096})"
)


def _session(text: str, asked: Asked) -> list[Report]:
    """A session with a server: each reply that refused something, to the command it answered."""
    if "\n" not in text or not _SPOKEN.compiled.search(text):
        return []
    from probe.grammar.session import session  # noqa: PLC0415 -- a reply is no session

    return [
        _reply(one.reply, asked, one.stage, recipient=one.recipient, sender=one.sender)
        for one in session(text)
    ]


def _named(text: str, asked: Asked) -> list[Report]:
    """Replies that stand by their recipients, each by its own."""
    if "@" not in text:
        return []
    raised = _RAISED.compiled.findall(text)
    if raised:
        return [_reply(f"{code} {one or other}", asked, recipient=who) for who, code, one, other in raised]
    lines = [line for line in text.splitlines() if line.strip()]
    found = [_LISTED.compiled.match(line[:5000]) for line in lines]
    if not lines or not all(found):
        return []
    return [
        _reply(one[2].partition('","')[0].rstrip("\"', "), asked, recipient=one[1]) for one in found if one
    ]


def _notice(text: str, asked: Asked) -> list[Report]:
    """The body of a bounce, pasted without its header."""
    fields = _STATUS.compiled.search(text) is not None
    if not fields and not (len(text) >= 120 and text.count("\n") + text.count("<br") >= 3):
        return []
    if "@" not in text or _OPENS.compiled.match(text[:40]) or _GREETS.compiled.match(text):
        return []
    if not fields and not _TELLS.compiled.search(text[:4096]):
        return []
    if len(_TIMED.compiled.findall(text[:8192])) > 2:  # a log of a program that is not known names anybody
        return []
    from probe.grammar.bounce import pasted_bounce  # noqa: PLC0415 -- a reply needs no reader of mail

    found = pasted_bounce(text)
    if found and found[-1].cut:
        asked.note(f"only the first {len(found):,} recipients of what was pasted are told")
    return [asked.told(told) for told in found]


def _binary(source: BinaryIO, name: str, _asked: Asked) -> Iterator[Report]:
    yield not_read(name, binary(source.read(HEAD)))


def _empty(_source: BinaryIO, name: str, _asked: Asked) -> Iterator[Report]:
    yield nothing_found(name, "there is nothing in it")


_Reader = Callable[[BinaryIO, str, Asked], Iterator[Report]]
_REPLIES: Mapping[Kind, _Reader] = {
    Kind.REPLY: _pasted,
    Kind.BINARY: _binary,
    Kind.EMPTY: _empty,
}
