"""Bytes and TLS: a socket that the event loop reads, replies that come out of it, and one way to end.

TLS is an `ssl.MemoryBIO` pair inside, so that nothing arrives, early or late, that is not seen.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
import time
from collections import deque

from probe.facts import Ending, Fault, Limits, Reply, Tls, escape
from probe.grammar.redaction import Redaction
from probe.grammar.reply import ReplyReader
from probe.wire.tls import Sessions, tls_facts

__all__ = ["Stream"]

_CHUNK = 16 * 1024  # a TLS record; more is read by asking again
_MOST_WAITING = 80  # replies that may lie unread; more were asked for by nobody
_SMTP_TALK = re.compile(rb"[2-5][0-9]{2}[ -]")

_ENDINGS = {
    errno.ECONNREFUSED: Ending.REFUSED,
    errno.ECONNRESET: Ending.RESET,
    errno.EPIPE: Ending.RESET,
    errno.ECONNABORTED: Ending.RESET,
    errno.ETIMEDOUT: Ending.TIMEOUT,
    errno.ENETUNREACH: Ending.UNREACHABLE,
    errno.EADDRNOTAVAIL: Ending.UNREACHABLE,  # no address of ours is of that family
    errno.EHOSTUNREACH: Ending.UNREACHABLE,
    errno.ENETDOWN: Ending.UNREACHABLE,
    errno.EHOSTDOWN: Ending.UNREACHABLE,
    errno.EACCES: Ending.UNREACHABLE,
    errno.EPERM: Ending.UNREACHABLE,
}


class Stream:
    """A connection to one peer. `replies` holds what was read whole; a `fault` is final.

    `server` is the name that TLS must prove, `peer` and `local` the addresses of both ends. `spoken` is
    set by whoever speaks or listens in the clear. Times are `time.monotonic` seconds.
    """

    def __init__(
        self,
        server: str,
        context: ssl.SSLContext,
        limits: Limits,
        redaction: Redaction,
        sessions: Sessions | None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = server
        self.context = context
        self.limits = limits
        self.redaction = redaction
        self.sessions = sessions
        self.deadline = time.monotonic() + limits.deadline
        self.sock: socket.socket | None = None
        self.peer = self.local = ""
        self.reader = ReplyReader(redaction)
        self.replies: deque[Reply] = deque()
        self.fault: Fault | None = None
        self.tls: ssl.SSLObject | None = None
        self.tls_facts: Tls | None = None
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.shaking = False
        self.under_tls = False  # whether the server has spoken so
        self.spoken = False
        self.first_bytes = b""
        self.unsent = b""
        self.reading = self.writing = False
        self.waiter: asyncio.Future[bool] | None = None
        self.until = self.due = 0.0  # when a wait is over, and when the timer goes off to see
        self.timer: asyncio.TimerHandle | None = None

    @property
    def secure(self) -> bool:
        """Whether TLS protects what is said now."""
        return self.tls is not None and not self.shaking

    async def connect(self, host: str, port: int, source: str, limit: float) -> Fault | None:
        """Connect to one address within `limit` seconds, from `source` (empty: any)."""
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.peer = where
        if source and (":" in source) != (":" in host):
            return Fault(Ending.LOCAL, f"{where}: not reached from {source}, an address of the other family")
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        except OSError as problem:
            return Fault(Ending.LOCAL, f"{where}: {os.strerror(problem.errno or 0)}")
        sock.setblocking(False)
        try:
            if source:
                sock.bind((source, 0))
        except OSError as problem:
            sock.close()
            return Fault(Ending.LOCAL, f"cannot connect from {source}: {os.strerror(problem.errno or 0)}")
        try:
            code = sock.connect_ex((host, port))
        except (OSError, OverflowError, ValueError) as problem:
            sock.close()
            return Fault(Ending.LOCAL, f"{where}: {problem}")
        if code == errno.EINPROGRESS:
            self.loop.add_writer(sock.fileno(), self._wake)
            try:
                in_time = await self.wait(time.monotonic() + limit)
            except asyncio.CancelledError:
                self.loop.remove_writer(sock.fileno())
                sock.close()
                raise
            self.loop.remove_writer(sock.fileno())
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if in_time else errno.ETIMEDOUT
        if code:
            sock.close()
            return Fault(_ENDINGS.get(code, Ending.LOCAL), f"{where}: {os.strerror(code)}")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.local = str(sock.getsockname()[0])
        self.loop.add_reader(sock.fileno(), self.readable)
        self.reading = True
        return None

    def close(self) -> None:
        """Let go of everything; references to the TLS objects too, they form cycles."""
        if self.sock is not None:
            self._watch(writing=False)
            self._listen_no_more()
            self.sock.close()
            self.sock = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.sessions is not None and self.tls is not None and not self.shaking:
            self.sessions.keep(self.tls, self.server)
        self.tls = None

    # -- bytes ------------------------------------------------------------------------------------

    async def wait(self, until: float) -> bool:
        """Until something happens on the socket; False when the time, or the deadline, has come."""
        self.until = min(until, self.deadline)
        now = time.monotonic()
        if self.until <= now:
            return False
        if self.timer is None or self.due > self.until:
            self._set_timer(now)
        waiter: asyncio.Future[bool] = self.loop.create_future()
        self.waiter = waiter
        try:
            return await waiter
        finally:
            self.waiter = None

    def _set_timer(self, now: float) -> None:
        """One timer for a session: it goes off early rather than often, and is then set again."""
        if self.timer is not None:
            self.timer.cancel()
        self.due = self.until
        self.timer = self.loop.call_later(self.until - now, self._expire)

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(True)

    def _expire(self) -> None:
        self.timer = None
        if self.waiter is None or self.waiter.done():
            return
        if (now := time.monotonic()) < self.until:
            self._set_timer(now)
        else:
            self.waiter.set_result(False)

    def readable(self) -> None:
        """Take what the socket has; called by the loop, and before we speak."""
        if self.sock is None or self.fault is not None:
            return
        try:
            data = self.sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as problem:
            ending = _ENDINGS.get(problem.errno or 0, Ending.RESET)
            self.end(Fault(ending, os.strerror(problem.errno or 0), self.reader.take()))
        else:
            self._take(data)
        self._wake()

    def _take(self, data: bytes) -> None:
        if self.tls is None:
            if data:
                self._feed(data)
            else:
                self.end(Fault(Ending.CLOSED, "the server closed the connection", self.reader.take()))
            return
        if data:
            if len(self.first_bytes) < 512:
                self.first_bytes += data[:512]
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        if self.shaking:
            self._shake()
        else:
            self._decrypt(ended=not data)

    def _decrypt(self, *, ended: bool) -> None:
        assert self.tls is not None
        try:
            while self.fault is None and (text := self.tls.read(_CHUNK)):
                self.under_tls = True
                self._feed(text)
                if not (ended or self.incoming.pending or self.tls.pending()):
                    return  # asking once more would cost an exception
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            ended = True
        except ssl.SSLError as problem:
            # Where the server has spoken under TLS the handshake is over, and this is no part of it.
            ending, reason = Ending.TLS, _reason(problem)
            if self.under_tls:
                ending, reason = Ending.RESET, f"TLS: {reason}"
            self.end(Fault(ending, reason, self.reader.take()))
        else:
            ended = True
        if ended and self.fault is None:
            self.end(Fault(Ending.CLOSED, "the server closed the connection", self.reader.take()))

    def _feed(self, data: bytes) -> None:
        for read in self.reader.feed(data):
            if isinstance(read, Fault):
                self.end(read)
            elif len(self.replies) < _MOST_WAITING:
                self.replies.append(read)

    def end(self, fault: Fault) -> None:
        """Nothing more is read; what has been heard before stays to be taken."""
        if self.fault is None:
            self.fault = fault
        self._listen_no_more()

    def _listen_no_more(self) -> None:
        """Once: what the loop no longer knows costs it an exception."""
        if self.sock is not None and self.reading:
            self.reading = False
            self.loop.remove_reader(self.sock.fileno())

    def send(self, data: bytes) -> None:
        """Let bytes leave, under TLS where there is one; what a socket does not take now leaves later."""
        if self.tls is not None:
            try:
                if data:
                    self.tls.write(data)
            except ssl.SSLError as problem:
                self.end(Fault(Ending.TLS, _reason(problem)))
                return
            data = self.outgoing.read()
        self._flush(data)

    def _flush(self, data: bytes = b"") -> None:
        self.unsent += data
        if self.sock is None or not self.unsent:
            return
        try:
            sent = self.sock.send(self.unsent)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # What the peer said before it went is still to be read; reading tells how it ended.
            sent = len(self.unsent)
        self.unsent = self.unsent[sent:]
        self._watch(writing=bool(self.unsent))

    def _watch(self, *, writing: bool) -> None:
        """Be told when the socket takes more; asking the loop costs more than knowing."""
        if self.sock is None or writing == self.writing:
            return
        self.writing = writing
        if writing:
            self.loop.add_writer(self.sock.fileno(), self._flush)
        else:
            self.loop.remove_writer(self.sock.fileno())

    # -- TLS --------------------------------------------------------------------------------------

    async def handshake(self) -> Reply | Fault | None:
        """TLS on this connection."""
        self.readable()
        if self.replies and self.replies[0].code == 421 and self.spoken:
            return self.replies.popleft()  # a farewell, which may come at any time (RFC 5321 section 3.8)
        if (early := self._before_tls()) is not None:
            # Said even where the peer has gone since: its words tell more than its going.
            self.fault = early
            self.end(early)
            if early.ending is Ending.TLS:
                self.tls_facts = Tls(wanted=self.server, error=early.detail)
        if self.fault is not None:
            return self.fault
        try:
            self.tls = self.context.wrap_bio(
                self.incoming, self.outgoing, server_hostname=self.server or None
            )
        except ValueError as problem:
            self.end(Fault(Ending.TLS, f"no name to verify: {problem}"))
            return self.fault
        if self.sessions is not None:
            self.sessions.resume(self.tls, self.server)
        self.shaking = True
        until = time.monotonic() + self.limits.tls
        self._shake()
        while self.shaking and self.fault is None:
            if not await self.wait(until):
                self.end(self._late_handshake(until))
        if self.shaking:
            assert self.fault is not None
            self.tls_facts = Tls(wanted=self.server, error=self.fault.detail)
            return self.fault
        self.tls_facts = tls_facts(self.tls, self.server)
        self._decrypt(ended=False)
        return None

    def _before_tls(self) -> Fault | None:
        """Plaintext before TLS: after STARTTLS it is tampering, not noise; at once it is another port's."""
        lines = [line for reply in self.replies for line in reply.lines] + list(self.reader.take())
        if self.spoken:
            return (
                Fault(Ending.GARBLED, "plaintext before the TLS handshake", tuple(lines)) if lines else None
            )
        if self.fault is not None and self.fault.ending in {Ending.GARBLED, Ending.TOO_LONG}:
            lines += self.fault.lines
        elif not lines:
            return None
        # The same words as where TLS had begun when they came: the answer may not hang on the timing.
        if _SMTP_TALK.match(lines[0].encode() if lines else b""):
            return Fault(
                Ending.TLS, "plain SMTP inside the handshake: wrong version number", tuple(lines[:5])
            )
        return Fault(Ending.TLS, "wrong version number")

    def _shake(self) -> None:
        """As much of the handshake as what has been heard allows; done where the bytes arrive."""
        assert self.tls is not None
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush(self.outgoing.read())
        except ssl.SSLError as problem:
            self._flush(self.outgoing.read())  # the alert that says why
            self.end(self._broken_handshake(_reason(problem)))
        except (ValueError, OSError) as problem:
            self.end(self._broken_handshake(str(problem)))
        else:
            self.shaking = False  # our last word of the handshake leaves with the first word under it

    def _late_handshake(self, until: float) -> Fault:
        limit = self.limits.deadline if until > self.deadline else self.limits.tls
        return Fault(Ending.TIMEOUT, f"the TLS handshake did not end within {limit:g} s", self._plain_talk())

    def _broken_handshake(self, reason: str) -> Fault:
        talk = self._plain_talk()
        if talk:
            return Fault(Ending.TLS, f"plain SMTP inside the handshake: {reason}", talk)
        return Fault(Ending.TLS, reason)

    def _plain_talk(self) -> tuple[str, ...]:
        """The peer's words where it spoke SMTP instead of TLS."""
        if not _SMTP_TALK.match(self.first_bytes):
            return ()
        lines = tuple(self.first_bytes.splitlines()[:5])
        return tuple(escape(line) for line in self.redaction(lines))


def _reason(problem: ssl.SSLError) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return str(problem.verify_message).rstrip(".")
    words = str(problem.reason or problem.strerror or problem).replace("_", " ").lower()
    return re.sub(r" ?\( ?ssl\.c:[0-9]+\)", "", words)  # a line of the interpreter's source tells nobody
