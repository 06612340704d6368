"""How to read the log of qmail: a delivery begins in one line and ends in another, and has a number between.

The reports are one word (``192.0.2.7_does_not_like_recipient./Remote_host_said:_550_no/``): an underscore is
a space, a slash the end of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from probe.grammar.maillog import Logged, remember

__all__ = ["qmail"]

_SENDER = re.compile(rb"info msg ([0-9]{1,20}): bytes [0-9]{1,20} from <([^>]{0,512})>")
_BEGIN = re.compile(rb"starting delivery ([0-9]{1,20}): msg ([0-9]{1,20}) to (?:local|remote) (\S{1,512})")
_END = re.compile(rb"delivery ([0-9]{1,20}): (success|failure|deferral): (\S{0,8192})")
_ACTIONS = {b"success": b"sent", b"failure": b"bounced", b"deferral": b"deferred"}
_HOST = re.compile(rb"(?:^|/|Connected_to_)([0-9]{1,3}(?:\.[0-9]{1,3}){3})_")
_SAID = re.compile(rb"Remote_host_said:_(.*)", re.DOTALL)
_NEXT = re.compile(rb"/(?=[245][0-9]{2}[-_])|/$")  # a slash that ends a line, and does not stand in a link
# The command that a report speaks of before it quotes the server.
_COMMANDS = (
    (b"does_not_like_recipient", b"RCPT TO"),
    (b"sender_was_rejected", b"MAIL FROM"),
    (b"failed_on_DATA_command", b"DATA"),
    (b"failed_after_I_sent_the_message", b"end of DATA"),
)
# Seconds since the epoch: TAI64N in hexadecimal digits, or decimal.
_TAI = re.compile(rb"@4([0-9a-f]{15})[0-9a-f]{8} ")
_EPOCH = re.compile(rb"(?:^|\s)([0-9]{9,11})\.[0-9]{1,9} ")
_LEAP = 10  # seconds by which TAI was ahead in 1970


def qmail(batches: Iterable[list[bytes]]) -> Iterator[Logged]:
    """The deliveries of a log of qmail-send, by multilog or by syslog."""
    senders: dict[bytes, bytes] = {}
    begun: dict[bytes, bytes] = {}
    for batch in batches:
        for line in batch:
            if found := _BEGIN.search(line):
                remember(begun, found[1], b"%b %b" % (found[2], found[3]))
            elif found := _SENDER.search(line):
                remember(senders, found[1], found[2])
            elif found := _END.search(line):
                message, _, recipient = begun.pop(found[1], b"").partition(b" ")
                host = _HOST.search(found[3])
                yield Logged(
                    _ACTIONS[found[2]],
                    recipient,
                    host[1] if host else b"",
                    _words(found[3]),
                    senders.get(message, b""),
                    _hour(line),
                )


def _words(report: bytes) -> bytes:
    """The server's words where it said something, with its command; else the report in full."""
    said = _SAID.search(report)
    words = (said[1] if said else report).partition(b"/Giving_up_on_")[0]
    words = _NEXT.sub(b" ", words).replace(b"_", b" ").strip()
    command = next((name for sign, name in _COMMANDS if said and sign in report), b"")
    return b"%b (in reply to %b command)" % (words, command) if command else words


def _hour(line: bytes) -> int:
    if found := _TAI.match(line):
        return max(int(found[1], 16) - _LEAP, 0) // 3600
    found = _EPOCH.search(line[:80])
    return int(found[1]) // 3600 if found else 0
