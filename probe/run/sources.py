"""Whatever somebody hands over, explained as it streams: replies, mails, mailboxes, logs, webhooks."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from probe.facts import Stage
from probe.fleet import PRESETS, Thresholds
from probe.grammar import maillog
from probe.grammar.delivery import Delivery
from probe.grammar.intake import HEAD, Kind, kind_of
from probe.grammar.maillog import Logged
from probe.rules import Report
from probe.run.bounces import Pile, nothing_found
from probe.run.explain import explain_reply

__all__ = ["Asked", "explain_folder", "explain_stream", "explain_text"]

_STAGES = {str(stage): stage for stage in Stage}
_MAX_LINE = 1024 * 1024  # bytes of one line of JSON
_MAX_VALUE = 32 * 1024 * 1024  # bytes of one JSON value
_MAX_MAIL = 16 * 1024 * 1024
_MAX_PASTED = 1024 * 1024
_MAX_FILES = 200_000
_FEW = 20  # lines of a log that are told one by one where not all are wanted
_LOGS: dict[Kind, Callable[[Iterator[list[bytes]]], Iterator[Logged]]] = {
    Kind.POSTFIX: maillog.postfix,
    Kind.EXIM: maillog.exim,
    Kind.POWERMTA: maillog.powermta,
}


def _silent(_note: str) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Asked:
    """What the caller knows (`stage`, `provider`, `mx`), and what is wanted.

    `every`: a report for each failed line of a log, however many (else the pile alone when they are many).
    `note` hears of what was left out. `pile` counts everything that passes; `wants_pile` becomes true when
    what came is a log, which is understood as a whole.
    """

    stage: Stage | None = None
    provider: str = ""
    mx: str = ""
    thresholds: Thresholds = PRESETS["usual"]
    every: bool = False
    wants_pile: bool = False
    note: Callable[[str], None] = _silent
    pile: Pile = field(default_factory=lambda: Pile("-"))

    def __post_init__(self) -> None:
        self.pile.thresholds, self.pile.stage = self.thresholds, self.stage
        self.pile.provider, self.pile.mx = self.provider, self.mx


def explain_text(text: str, asked: Asked) -> Iterator[Report]:
    """The reports of something pasted: nearly always one reply."""
    yield from explain_stream(io.BytesIO(text.encode("utf-8", "surrogateescape")), "-", asked)


def explain_folder(folder: Path, asked: Asked) -> Iterator[Report]:
    """The reports of a Maildir, or of the files of a folder, in the order of their names."""
    boxes = [folder / name for name in ("cur", "new") if (folder / name).is_dir()] or [folder]
    files = sorted(path for box in boxes for path in box.iterdir() if path.is_file() and path.name[0] != ".")
    if len(files) > _MAX_FILES:
        asked.note(f"{folder}: only the first {_MAX_FILES:,} of {len(files):,} files are read")
    for path in files[:_MAX_FILES]:
        try:
            with path.open("rb") as file:
                yield from explain_stream(cast("BinaryIO", file), path.name, asked)
        except OSError as problem:
            asked.note(f"{path}: {problem.strerror}")


def explain_stream(stream: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """The reports of whatever `stream` holds, as they come; `name` stands for it where it tells of nobody."""
    head = _beginning(stream)
    if head.startswith(b"\x1f\x8b"):
        unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=cast("BinaryIO", _Joined(head, stream))))
        try:
            yield from explain_stream(unpacked, name, asked)
        except (OSError, EOFError):
            asked.note(f"{name}: the compressed file is damaged; what came before was read")
        return
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, as a spreadsheet or an editor saves it
        text = (head + stream.read(_MAX_PASTED)).decode("utf-16", "replace")
        yield from explain_stream(io.BytesIO(text.encode()), name, asked)
        return
    kind, source = kind_of(head), cast("BinaryIO", _Joined(head, stream))
    if kind in _LOGS:
        yield from _log(_LOGS[kind](maillog.lines(source)), name, asked)
    else:
        yield from _READERS[kind](source, name, asked)


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
    if not head.lstrip().startswith(b"{") and kind_of(head) not in _LOGS:  # those are answered line by line
        while len(head) < HEAD and (piece := read(HEAD - len(head))):
            head += piece
    return head


def _all(source: BinaryIO, limit: int, name: str, asked: Asked) -> bytes:
    """What is left of a stream, at most `limit` bytes."""
    pieces, size = [], 0
    while size <= limit and (piece := source.read(min(maillog.CHUNK, limit + 1 - size))):
        pieces.append(piece)
        size += len(piece)
    if size > limit:
        asked.note(f"{name}: only the first {limit >> 20} MiB are read")
    return b"".join(pieces)[:limit]


# -- replies --------------------------------------------------------------------------------------

_OPENS = re.compile(r"\s{0,9}[\"'(\[]{0,2}([2-5][0-9]{2})([- ]|$)")
_TELLS = re.compile(
    r"deliver|undeliverable|recipient|unzustell|remis|entreg|配信|退信|could not be|failed", re.IGNORECASE
)


def _pasted(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    text = _all(source, _MAX_PASTED, name, asked).decode("utf-8", "replace").removeprefix("\ufeff")
    yield from _notice(text, asked) or (_reply(reply, asked) for reply in _replies(text))


def _reply(text: str, asked: Asked, **told: str) -> Report:
    report = explain_reply(
        text,
        stage=asked.stage,
        provider=asked.provider or told.get("provider", ""),
        mx=asked.mx or told.get("mx", ""),
        recipient=told.get("recipient", ""),
        sender=told.get("sender", ""),
    )
    asked.pile.count(report)
    return report


def _replies(text: str) -> list[str]:
    """The replies of a pasted text: one, unless every line opens or continues one of its own."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not 1 < len(lines) <= 10_000 or not all(_OPENS.match(line[:40]) for line in lines):
        return [text]
    replies: list[list[str]] = []
    goes_on = ""
    for line in lines:
        found = _OPENS.match(line[:40])
        code, mark = (found[1], found[2]) if found else ("", "")
        if goes_on and code == goes_on:
            replies[-1].append(line)
        else:
            replies.append([line])
        goes_on = code if mark == "-" else ""
    return ["\n".join(reply) for reply in replies]


def _notice(text: str, asked: Asked) -> list[Report]:
    """The body of a bounce, pasted without its header."""
    if len(text) < 120 or text.count("\n") + text.count("<br") < 3 or _OPENS.match(text[:40]):
        return []
    if "@" not in text or not _TELLS.search(text[:4096]):
        return []
    from probe.grammar.bounce import pasted_bounce  # noqa: PLC0415 -- a reply needs no reader of mail

    return [_told(told, asked) for told in pasted_bounce(text)]


def _told(told: Delivery, asked: Asked) -> Report:
    return asked.pile.explained(told, asked.pile.delivery(told))


def _lines(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """JSON objects with a `reply`, one a line: one report a line, in order, whatever a line holds."""
    while line := source.readline(_MAX_LINE):
        if not line.strip():
            continue
        long = not line.endswith(b"\n") and len(line) >= _MAX_LINE
        while long and (more := source.readline(_MAX_LINE)) and not more.endswith(b"\n"):
            pass
        yield _line(line, name, asked)


def _line(line: bytes, name: str, asked: Asked) -> Report:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return nothing_found(name, "this line is no JSON object")
    said = {key: str(value) for key, value in told.items() if isinstance(value, (str, int)) and key in _KEYS}
    stage = said.get("stage", "").lower()
    report = explain_reply(
        said.get("reply", ""),
        stage=_STAGES.get(stage, asked.stage),
        provider=said.get("provider", "") or asked.provider,
        mx=said.get("mx", "") or asked.mx,
        recipient=said.get("recipient", ""),
        sender=said.get("sender", ""),
    )
    at = told.get("at", 0)
    asked.pile.count(report, at=float(at) if isinstance(at, (int, float)) else _seconds(str(at)))
    return report


_KEYS = frozenset({"reply", "mx", "stage", "provider", "recipient", "sender"})


def _seconds(text: str) -> float:
    import datetime as dt  # noqa: PLC0415 -- few lines say when

    try:
        return dt.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


# -- mails ----------------------------------------------------------------------------------------


def _mail(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    yield from _one_mail(_all(source, _MAX_MAIL, name, asked), name, asked)


def _one_mail(data: bytes, name: str, asked: Asked) -> Iterator[Report]:
    from probe.grammar.bounce import bounces  # noqa: PLC0415 -- only a mail needs the reader of mail
    from probe.grammar.status import MAX_RECIPIENTS  # noqa: PLC0415

    found = bounces(data)
    if len(found) >= MAX_RECIPIENTS:
        asked.note(f"{name}: only the first {MAX_RECIPIENTS:,} recipients of this mail are told")
    if not found:
        yield nothing_found(name)
    for told in found:
        yield _told(told, asked)


# The line between two mails of an mbox; a sentence may begin with "From", too.
_FROM = re.compile(rb"From \S{1,320} {1,2}(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b")


def _mbox(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    """A mailbox, mail by mail; a mail beyond the limit loses its end."""
    kept: list[bytes] = []
    size = number = 0
    blank = True
    while line := source.readline(_MAX_LINE):
        if blank and kept and _FROM.match(line):
            number += 1
            yield from _one_mail(b"".join(kept), f"{name} #{number}", asked)
            kept, size = [], 0
        if size < _MAX_MAIL:
            kept.append(line)
            size += len(line)
        blank = line in {b"\n", b"\r\n"}
    if kept:
        yield from _one_mail(b"".join(kept), f"{name} #{number + 1}", asked)


# -- events ---------------------------------------------------------------------------------------


def _webhook(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    from probe.grammar.webhook import events, loads  # noqa: PLC0415

    try:
        found = events(loads(_all(source, _MAX_VALUE, name, asked)))
    except ValueError:
        yield nothing_found(name, "it begins like JSON and is none, or is nested too deeply")
        return
    if not found:
        yield nothing_found(name)
    for told in found:
        yield _told(told, asked)


def _events(source: BinaryIO, name: str, asked: Asked) -> Iterator[Report]:
    from probe.grammar.webhook import events, loads  # noqa: PLC0415

    any_found = False
    broken = 0
    while line := source.readline(_MAX_LINE):
        try:
            found = events(loads(line)) if line.strip() else []
        except ValueError:
            broken += 1
            continue
        for told in found:
            any_found = True
            reading = asked.pile.delivery(told)
            if asked.every or asked.pile.seen <= _FEW:
                yield asked.pile.explained(told, reading)
    asked.wants_pile = any_found
    if broken:
        asked.note(f"{name}: {broken:,} lines are no JSON")
    if not any_found:
        yield nothing_found(name)


# -- logs -----------------------------------------------------------------------------------------


def _log(deliveries: Iterator[Logged], name: str, asked: Asked) -> Iterator[Report]:
    """A log: all failed lines where they are few or all are wanted, and always the pile."""
    pile = asked.pile
    count = pile.logged
    before = pile.seen
    few: list[Report] = []
    for logged in deliveries:
        reading = count(logged)
        if reading is None:
            continue
        if asked.every:
            yield pile.explained(maillog.delivery(logged), reading, whole=False)
        elif len(few) <= _FEW:
            few.append(pile.explained(maillog.delivery(logged), reading))
    if pile.seen == before:
        yield nothing_found(name, "no line tells of a delivery to another server")
        return
    asked.wants_pile = True
    if len(few) <= _FEW:
        yield from few


def _empty(_source: BinaryIO, name: str, _asked: Asked) -> Iterator[Report]:
    yield nothing_found(name, "there is nothing in it")


_READERS: dict[Kind, Callable[[BinaryIO, str, Asked], Iterator[Report]]] = {
    Kind.REPLY: _pasted,
    Kind.LINES: _lines,
    Kind.MAIL: _mail,
    Kind.MBOX: _mbox,
    Kind.EVENTS: _events,
    Kind.WEBHOOK: _webhook,
    Kind.EMPTY: _empty,
}
