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

__all__ = ["CHUNK", "Logged", "delivery", "exim", "lines", "logged_reply", "postfix", "powermta", "remember"]

CHUNK = 1024 * 1024
MAX_LINE = 64 * 1024  # bytes that are kept of a line that goes on; the rest of it is skipped
_MAX_PEOPLE = 1000  # recipients that one line names
MAX_SENDERS = 50_000  # queue ids of which something is remembered, such as the sender

_HOUR = 3600


class Logged(NamedTuple):
    """A line that tells of a delivery, in the log's bytes.

    `action` is sent, bounced, deferred, or another word of the log; `relay` the host as it stands there
    (``mx.example.com[192.0.2.1]:25``), `said` the text in full, `hour` the hours since the epoch (0: the log
    does not tell), `status` the enhanced status code that the log has beside the words.
    """

    action: bytes
    recipient: bytes
    relay: bytes
    said: bytes
    sender: bytes = b""
    hour: int = 0
    status: bytes = b""


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
# Where a line does not begin with its time: after a priority (RFC 5424), the name of a container, a bracket.
_TIME = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}(?=:)|[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}(?=:)")
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
        if not hour and (found := _TIME.search(line, 0, 80)):
            return self.read(found[0])
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
    rb": to=<([^>]{0,512})>,(?: orig_to=<[^>]{0,512}>,)? relay=([^,]{1,400}), "
    rb"([^(]{0,200})status=(\w{4,13}) \((.*)",
    re.DOTALL,
)
_SENDMAIL = re.compile(
    rb"(?:^|\s)(\w{4,20}): to=(\S{1,4096}), (?:[^,]{0,200}, ){0,12}?(?:relay=([^,]{0,400}), )?"
    rb"dsn=([0-9.]{3,12}), (?:reply=(.{1,4096}?), )?stat=(.{0,4096})",
    re.DOTALL,
)
_OPENSMTPD = re.compile(
    rb" from=<([^>]{0,512})> to=<([^>]{0,512})> (.{0,600}?)result=\"?(\w{2,12})\"? stat=\"([^\"]{0,4096})",
    re.DOTALL,
)
_RELAY = re.compile(rb"relay=\"(?:\S{1,64} \()?([^\"()]{0,400})")
_RESULTS = {b"Ok": b"sent", b"PermFail": b"bounced", b"TempFail": b"deferred"}
_CLASSES = {b"2": b"sent", b"4": b"deferred"}
_FROM = re.compile(rb": from=<([^>]{0,512})>")


def postfix(batches: Iterable[list[bytes]]) -> Iterator[Logged]:
    """The deliveries of a syslog: Postfix (``status=``), sendmail (``stat=``), OpenSMTPD (``result=``)."""
    clock = _Clock()
    hour_of = clock.hour
    senders: dict[bytes, bytes] = {}
    match, sender_of = _POSTFIX.match, _FROM.match  # behind an address may stand what a stranger wrote
    for batch in batches:
        for line in batch:
            if b"status=" in line:
                at = line.find(b": to=<")
                if at >= 0 and line.count(b": ", 0, at) < 2 and (found := match(line, at)):
                    recipient, relay, more, action, said = found.groups()
                    sender = senders.get(line[:at].rpartition(b" ")[2], b"")
                    said = said.rstrip(b"\r").removesuffix(b")")
                    status = b"" if action == b"sent" else more.partition(b"dsn=")[2].rstrip(b", ")
                    yield Logged(action, recipient, relay, said, sender, hour_of(line), status)
            elif b" stat=" in line:
                yield from _other(line, senders, hour_of(line))
            elif (at := line.find(b": from=<")) >= 0 and (found := sender_of(line, at)):
                remember(senders, line[:at].rpartition(b" ")[2], found[1])


def _quoted(line: bytes, at: int) -> bool:
    """Whether what stands at a place was chosen by a stranger: an address may hold a line of a log."""
    return any(mark in line[1:at] for mark in (b"<", b'"'))


def _other(line: bytes, senders: dict[bytes, bytes], hour: int) -> Iterator[Logged]:
    """A line of sendmail, which may name several recipients, or of OpenSMTPD."""
    found = _OPENSMTPD.search(line) or _SENDMAIL.search(line)
    if not found or _quoted(line, found.start()):
        return
    if found.re is _OPENSMTPD:
        sender, recipient, more, result, said = found.groups()
        relay = host[1] if (host := _RELAY.search(more)) else b""
        yield Logged(_RESULTS.get(result, b"bounced"), recipient, relay, said, sender, hour)
    else:
        queue, people, relay, status, reply, stat = found.groups()
        action = b"deferred" if stat.startswith(b"Deferred") else _CLASSES.get(status[:1], b"bounced")
        relay = (relay or b"").partition(b" ")[0].rstrip(b".")
        said = (reply or stat).rstrip(b"\r")
        for recipient in people.split(b",")[:_MAX_PEOPLE]:
            who = recipient.strip(b"<>")
            yield Logged(action, who, relay, said, senders.get(queue, b""), hour, status)


def remember(known: dict[bytes, bytes], queue: bytes, what: bytes) -> None:
    """Keeps what was told of a queue id; the older half is forgotten when there are too many."""
    if len(known) >= MAX_SENDERS:
        for old in list(known)[: MAX_SENDERS // 2]:
            del known[old]
    known[queue] = what


# -- Exim -----------------------------------------------------------------------------------------

_EXIM = re.compile(
    rb"(?:^|\s)(\w{4,16}-\w{4,16}-\w{2,8}) (\*\*|==|=>|->|>>|<=) "
    rb"([^\s<]{0,512})(?: <([^>]{0,512})>)?(.{0,8192})",
    re.DOTALL,
)
_EXIM_MARK = re.compile(rb" (?:\*\*|==|=>|->|>>|<=) ")
_EXIM_HOST = re.compile(rb" H=(\S{1,255})(?: \[([0-9A-Fa-f.:]{3,45})\])?")
_EXIM_SAID = re.compile(
    rb" (?:H=\S{1,255}(?: \[[^\]]{3,45}\](?::[0-9]{1,5})?)?|[RTXIP]=\S{0,512}|CV=\S{1,8}|DT=\S{1,20}|"
    rb"DN=\"[^\"]{0,300}\"|F=<[^>]{0,512}>|(?:routing )?defer \(-?[0-9]{1,5}\)[^:]{0,80}?)(?=[: ])"
)
_EXIM_ACTIONS = {b"**": b"bounced", b"==": b"deferred", b"=>": b"sent", b"->": b"sent", b">>": b"sent"}


def exim(batches: Iterable[list[bytes]]) -> Iterator[Logged]:
    """The deliveries of an Exim main log (``**`` failed, ``==`` deferred, ``=>`` delivered)."""
    clock = _Clock()
    senders: dict[bytes, bytes] = {}
    for batch in batches:
        for line in batch:
            if not _EXIM_MARK.search(line) or not (found := _EXIM.search(line)):
                continue
            if _quoted(line, found.start()):
                continue
            queue, mark, first, inner, rest = found.groups()
            if mark == b"<=":
                remember(senders, queue, first)
                continue
            if (action := _EXIM_ACTIONS.get(mark)) is None:
                continue
            # Behind the address stands the one it was made from, where that was another: an alias, a pipe.
            recipient = first.rstrip(b":") if b"@" in first and first[:1] not in b"/|:" else inner or first
            host = _EXIM_HOST.search(rest)
            relay = (host[1] + (b"[" + host[2] + b"]" if host[2] else b"")) if host else b""
            sender = senders.get(queue, b"")
            yield Logged(action, recipient, relay, _exim_said(rest), sender, clock.hour(line))


def _exim_said(rest: bytes) -> bytes:
    """What stands after the fields of an Exim line."""
    at = 0
    while found := _EXIM_SAID.match(rest, at):
        at = found.end()
    return rest[at:].lstrip(b": ").rstrip(b"\r").replace(b"\\n", b" ")


# -- PowerMTA -------------------------------------------------------------------------------------

_PMTA = {
    "d": b"sent", "b": b"bounced", "rb": b"bounced", "t": b"deferred", "tq": b"deferred", "f": b"complaint",
    # of a status that came by mail (rs) what its action says
    "failed": b"bounced", "delayed": b"deferred", "delivered": b"sent", "relayed": b"sent",
    "expanded": b"sent",
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
            kind = row[0].strip().lower()
            action = _PMTA.get(_cell(row, places, "dsnaction").lower() if kind == "rs" else kind, b"")
            if not action or not places:
                continue
            shown = _cell(row, places, "timelogged")[:13]
            if (hour := times.get(shown)) is None:
                if len(times) > 10_000:
                    times.clear()
                hour = times[shown] = _when(_cell(row, places, "timelogged"))
            said = _cell(row, places, "dsndiag") or _cell(row, places, "dsnstatus")
            recipient = _cell(row, places, "rcpt")
            if not recipient and len(row) < len(places):  # a line that was cut
                continue
            yield Logged(
                action,
                recipient.encode(),
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
    b"SOFTBOUNCE": "delayed",
    b"deliverable": "delivered",
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
        # A server that gave a code alone was given its status by the log's own program.
        enhanced=enhanced or ("" if code else logged.status.decode("ascii", "replace")),
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
