"""How to read mail logs at speed: Postfix, sendmail and OpenSMTPD by syslog, Exim, PowerMTA accounting.

A log is mostly lines that say nothing about a delivery, so bytes are looked at before anything is parsed, and
a delivery is a plain tuple (`Logged`) of slices until somebody wants more. Memory is bounded, whatever comes.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from probe.facts import Stage
from probe.grammar.delivery import Delivery, codes, spoken, unrepeated

__all__ = ["CHUNK", "Logged", "delivery", "exim", "lines", "logged_reply", "postfix", "powermta"]

CHUNK = 1024 * 1024
MAX_LINE = 64 * 1024  # bytes that are kept of a line that goes on; the rest of it is skipped
MAX_SENDERS = 50_000  # queue ids whose sender is remembered

_HOUR = 3600


class Logged(NamedTuple):
    """A line that tells of a delivery, in the log's bytes.

    `action` is sent, bounced, deferred or expired; `relay` the host as it stands there
    (``mx.example.com[192.0.2.1]:25``), `said` the text in full, `hour` the hours since the epoch (0: the log
    does not tell).
    """

    action: bytes
    recipient: bytes
    relay: bytes
    said: bytes
    sender: bytes = b""
    hour: int = 0


def lines(stream: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of a stream in lists, without line ends.

    A line beyond `MAX_LINE` whose end does not come with it keeps its beginning: so none is longer than a
    chunk and that.
    """
    read = getattr(stream, "read1", stream.read)  # of a pipe what is there: somebody may be watching
    rest = b""
    skipping = False
    while chunk := read(CHUNK):
        if skipping:
            end = chunk.find(b"\n")
            if end < 0:
                continue
            chunk, skipping = chunk[end + 1 :], False
        many = (rest + chunk if rest else chunk).split(b"\n")
        rest = many.pop()
        if len(rest) > MAX_LINE:
            many.append(rest[:MAX_LINE])
            rest, skipping = b"", True
        yield many
    if rest:
        yield [rest]


# -- time -----------------------------------------------------------------------------------------

_SYSLOG = re.compile(rb"([A-Z][a-z]{2}) ([ 0-9][0-9]) ([0-9]{2})\Z")
_ISO = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2})\Z")
_MONTHS = {name: at for at, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


class _Clock:
    """Hours of lines, remembered by the bytes that show them.

    Syslog names no year: a fixed leap year stands in, and January after December is in the next one.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, int] = {}
        self.year = 2024
        self.last = 0

    def hour(self, line: bytes) -> int:
        head = line[:13] if line[:1].isdigit() else line[:9]
        hour = self.known.get(head)
        if hour is None:
            if len(self.known) > 10_000:
                self.known.clear()
            hour = self.known[head] = self.read(head)
        return hour

    def read(self, head: bytes) -> int:
        try:
            if found := _ISO.match(head):
                return _hours(*map(int, found.groups()))
            if (found := _SYSLOG.match(head)) and found[1] in _MONTHS:
                month = _MONTHS[found[1]]
                if month == 1 and self.last == 12:
                    self.year += 1
                self.last = month
                return _hours(self.year, month, int(found[2]), int(found[3]))
        except ValueError:
            pass
        return 0


def _hours(year: int, month: int, day: int, hour: int) -> int:
    return int(dt.datetime(year, month, day, hour, tzinfo=dt.UTC).timestamp()) // _HOUR


# -- Postfix --------------------------------------------------------------------------------------

_POSTFIX = re.compile(
    rb"\]: (\w{4,20}): to=<([^>]{0,512})>,(?: orig_to=<[^>]{0,512}>,)? relay=([^,]{1,400}), "
    rb"[^(]{0,200}status=(\w{4,12}) \((.*)\)?",
    re.DOTALL,
)
_SENDMAIL = re.compile(
    rb"\]: (\w{4,20}): to=<?([^,<>]{1,512})>?,(?:[^,]{0,200}, ){0,12}?(?:relay=([^,]{0,400}), )?"
    rb"dsn=[0-9.]{3,12}, stat=(.{0,4096})",
    re.DOTALL,
)
_OPENSMTPD = re.compile(
    rb" from=<([^>]{0,512})> to=<([^>]{0,512})> .{0,600}?relay=\"([^\"]{0,400})\" .{0,200}?"
    rb"result=\"?(\w{2,12})\"? stat=\"([^\"]{0,4096})",
    re.DOTALL,
)
_RESULTS = {b"Ok": b"sent", b"PermFail": b"bounced", b"TempFail": b"deferred"}
_FROM = re.compile(rb"\]: (\w{4,20}): from=<([^>]{0,512})>")


def postfix(batches: Iterable[list[bytes]]) -> Iterator[Logged]:
    """The deliveries of a syslog: Postfix (``status=``), sendmail (``stat=``), OpenSMTPD (``result=``)."""
    clock = _Clock()
    hour_of = clock.hour
    senders: dict[bytes, bytes] = {}
    match, sender_of = _POSTFIX.search, _FROM.search
    for batch in batches:
        for line in batch:
            if b"status=" in line:
                if found := match(line):
                    queue, recipient, relay, action, said = found.groups()
                    sender = senders.get(queue, b"")
                    yield Logged(action, recipient, relay, said.rstrip(b"\r)"), sender, hour_of(line))
            elif b" stat=" in line:
                if other := _other(line, senders, hour_of(line)):
                    yield other
            elif b": from=<" in line and (found := sender_of(line)):
                _remember(senders, found[1], found[2])


def _other(line: bytes, senders: dict[bytes, bytes], hour: int) -> Logged | None:
    """A line of sendmail or OpenSMTPD."""
    if found := _OPENSMTPD.search(line):
        sender, recipient, relay, result, said = found.groups()
        host = re.sub(rb"^\S{1,64} \(([^()]{1,255})\).*", rb"\1", relay)
        return Logged(_RESULTS.get(result, b"bounced"), recipient, host, said, sender, hour)
    if found := _SENDMAIL.search(line):
        queue, recipient, relay, said = found.groups()
        action = (
            b"sent"
            if said.startswith(b"Sent")
            else b"deferred"
            if said.startswith(b"Deferred")
            else b"bounced"
        )
        host = (relay or b"").partition(b" ")[0].rstrip(b".")
        return Logged(action, recipient, host, said.rstrip(b"\r"), senders.get(queue, b""), hour)
    return None


def _remember(senders: dict[bytes, bytes], queue: bytes, sender: bytes) -> None:
    """Keeps whose message a queue id is; the older half is forgotten when there are too many."""
    if len(senders) >= MAX_SENDERS:
        for old in list(senders)[: MAX_SENDERS // 2]:
            del senders[old]
    senders[queue] = sender


# -- Exim -----------------------------------------------------------------------------------------

_EXIM = re.compile(
    rb"(?:^|\s)(\w{4,16}-\w{4,16}-\w{2,8}) (\*\*|==|=>|->|<=) "
    rb"([^\s<]{0,512})(?: <([^>]{0,512})>)?(.{0,8192})",
    re.DOTALL,
)
_EXIM_MARK = re.compile(rb" (?:\*\*|==|=>|->|<=) ")
_EXIM_HOST = re.compile(rb" H=(\S{1,255})(?: \[([0-9A-Fa-f.:]{3,45})\])?")
_EXIM_SAID = re.compile(
    rb" (?:H=\S{1,255}(?: \[[^\]]{3,45}\](?::[0-9]{1,5})?)?|[RTXIP]=\S{0,512}|CV=\S{1,8}|DT=\S{1,20}|"
    rb"DN=\"[^\"]{0,300}\"|F=<[^>]{0,512}>|defer \(-?[0-9]{1,5}\)[^:]{0,80}?)(?=[: ])"
)
_EXIM_ACTIONS = {b"**": b"bounced", b"==": b"deferred", b"=>": b"sent", b"->": b"sent"}


def exim(batches: Iterable[list[bytes]]) -> Iterator[Logged]:
    """The deliveries of an Exim main log (``**`` failed, ``==`` deferred, ``=>`` delivered)."""
    clock = _Clock()
    senders: dict[bytes, bytes] = {}
    for batch in batches:
        for line in batch:
            if not _EXIM_MARK.search(line) or not (found := _EXIM.search(line)):
                continue
            queue, mark, first, inner, rest = found.groups()
            if mark == b"<=":
                _remember(senders, queue, first)
                continue
            if (action := _EXIM_ACTIONS.get(mark)) is None:
                continue
            recipient = inner if inner and b"@" in inner else first.rstrip(b":")
            host = _EXIM_HOST.search(rest)
            relay = (host[1] + (b"[" + host[2] + b"]" if host[2] else b"")) if host else b""
            sender = senders.get(queue, b"")
            yield Logged(action, recipient, relay, _exim_said(rest), sender, clock.hour(line))


def _exim_said(rest: bytes) -> bytes:
    """What stands after the fields of an Exim line."""
    at = 0
    while found := _EXIM_SAID.match(rest, at):
        at = found.end()
    return rest[at:].lstrip(b": ").rstrip(b"\r")


# -- PowerMTA -------------------------------------------------------------------------------------

_PMTA = {
    "d": b"sent", "b": b"bounced", "rb": b"bounced", "t": b"deferred", "tq": b"deferred", "f": b"complaint",
}  # fmt: skip


def powermta(batches: Iterable[list[bytes]]) -> Iterator[Logged]:
    """The deliveries of a PowerMTA accounting file: CSV whose header begins with ``type``."""
    places: dict[str, int] = {}
    times: dict[str, int] = {}
    for batch in batches:
        for row in map(_row, batch):
            if not row:
                continue
            if row[0].strip().lower() == "type":
                places = {name.strip().lower(): at for at, name in enumerate(row[:200])}
                continue
            action = _PMTA.get(row[0].strip().lower(), b"")
            if not action or not places:
                continue
            shown = _cell(row, places, "timelogged")[:13]
            if (hour := times.get(shown)) is None:
                if len(times) > 10_000:
                    times.clear()
                hour = times[shown] = _when(_cell(row, places, "timelogged"))
            said = _cell(row, places, "dsndiag") or _cell(row, places, "dsnstatus")
            yield Logged(
                action,
                _cell(row, places, "rcpt").encode(),
                re.sub(r"\s*\(([^)]*)\)", r"[\1]", _cell(row, places, "dsnmta")).encode(),
                re.sub(r"^\s*[a-z0-9-]+;\s*", "", said).encode(),
                _cell(row, places, "orig").encode(),
                hour,
            )


def _row(line: bytes) -> list[str]:
    """The cells of one line: a record is a line, so a lost quotation mark costs no more than one."""
    text = " ".join(line.decode("utf-8", "replace").replace("\0", "").splitlines())
    try:
        return next(csv.reader((text,)), [])
    except csv.Error:
        return []


def _cell(row: list[str], places: dict[str, int], name: str) -> str:
    at = places.get(name, -1)
    return row[at] if 0 <= at < len(row) else ""


def _when(text: str) -> int:
    try:
        if text.replace(".", "", 1).isdigit():
            return int(float(text)) // _HOUR
        year, month, day, hour = map(int, re.findall(r"[0-9]{1,4}", text[:40])[:4])
        return _hours(year, month, day, hour)
    except (ValueError, TypeError, OverflowError):
        return 0


# -- a line as a delivery --------------------------------------------------------------------------

_ACTION = {
    b"sent": "delivered",
    b"bounced": "failed",
    b"expired": "failed",
    b"deferred": "delayed",
    b"complaint": "complaint",
}


def delivery(logged: Logged) -> Delivery:
    """A logged line as a `Delivery`."""
    reply, stage, code, enhanced = _spoken(logged.said)
    relay = logged.relay.decode("utf-8", "replace")
    return Delivery(
        recipient=logged.recipient.decode("utf-8", "replace"),
        reply=reply,
        action=_ACTION.get(logged.action, "failed"),
        code=code,
        enhanced=enhanced,
        stage=stage,
        sender=logged.sender.decode("utf-8", "replace"),
        remote_mta="" if relay == "none" else relay.partition("[")[0].rstrip("."),
        at=float(logged.hour * _HOUR),
    )


def logged_reply(said: bytes) -> str:
    """What the server said, out of the words that a log has for it."""
    return _spoken(said)[0]


def _spoken(said: bytes) -> tuple[str, Stage | None, str, str]:
    """The reply, its stage where that is told, its code and enhanced code."""
    words, stage = spoken(said.decode("utf-8", "replace"))
    code, enhanced = codes(words)
    return unrepeated(words, code), stage, code, enhanced
