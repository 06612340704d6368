"""One SMTP session of our own: what is said, what is heard, paired strictly, each with its time.

Bytes that nobody asked for end a session: no reply is ever taken for the answer to something else. Nothing
here has an opinion, and nothing here raises for what a peer or the network does.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from probe.facts import Ending, Fault, Limits, Reply, Stage, Transcript, Turn
from probe.grammar.command import QUIT, Command, Flight, Handshake, Plan, Step
from probe.grammar.redaction import Redaction
from probe.wire._stream import Stream
from probe.wire.tls import Sessions

__all__ = ["Peer", "converse"]

_MOST_UNASKED = 20  # lines of unasked talk worth keeping
_LINGER = 0.25  # seconds to listen after QUIT has been answered
_LATE = 1.0  # seconds to wait for the true answer to QUIT after a false one


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect: the name that TLS must prove and the addresses (IP, port) to try in order."""

    server: str
    addresses: tuple[tuple[str, int], ...]
    source: str = ""  # our own address to connect from


async def converse(
    plan: Plan,
    peer: Peer,
    *,
    context: ssl.SSLContext,
    limits: Limits,
    redaction: Redaction,
    before_auth: Callable[[], None] | None = None,
    sessions: Sessions | None = None,
) -> Transcript:
    """Run a plan against a peer and write everything down.

    The transcript holds every turn, whatever happened; `stopped` is the plan's own reason to end early.
    `before_auth` is called once, before the first secret leaves; where it raises OSError none does.
    `sessions` (of this `context`) lets TLS be resumed.
    """
    stream = Stream(peer.server, context, limits, redaction, sessions)
    session = _Session(stream, before_auth)
    turns: list[Turn] = []
    try:
        turns += await session.open(peer)
        if stream.sock is None:
            return Transcript(tuple(turns), server=peer.server, peer=stream.peer)
        flight = next(plan)
        while True:
            heard = await session.say(flight)
            turns += heard
            flight = plan.send(heard)
    except StopIteration as end:
        stopped = str(end.value or "")
        return Transcript(tuple(turns), peer.server, stream.peer, stream.local, stream.tls_facts, stopped)
    finally:
        stream.close()
        plan.close()


class _Session:
    """Flights said over a stream, and the turns they come back as."""

    def __init__(self, stream: Stream, before_auth: Callable[[], None] | None) -> None:
        self.stream = stream
        self.limits = stream.limits
        self.before_auth = before_auth
        self.began = time.monotonic()

    # -- connect ----------------------------------------------------------------------------------

    async def open(self, peer: Peer) -> list[Turn]:
        """Try the addresses in order until one answers; a turn each."""
        turns = []
        for index, (host, port) in enumerate(peer.addresses):
            began = time.monotonic()
            last = index == len(peer.addresses) - 1
            # An address that is not the last may not eat the time of those behind it.
            limit = self.limits.connect if last else self.limits.connect / 3
            fault = await self.stream.connect(host, port, peer.source, limit)
            turns.append(self._turn(Stage.CONNECT, "", fault, began))
            if fault is None:
                break
        return turns

    # -- say and hear -----------------------------------------------------------------------------

    async def say(self, flight: Flight) -> tuple[Turn, ...]:
        """Say the steps of one flight together and await an answer to each, in order."""
        began = time.monotonic()
        if len(flight) == 1 and isinstance(flight[0], Handshake):
            return (self._turn(Stage.TLS, "", await self.stream.handshake(), began),)
        self.stream.spoken = True
        if (early := self._unasked(flight[0])) is not None:
            return (self._turn(flight[0].stage, "", early, began),)
        sent = self._write(flight)
        turns: list[Turn] = []
        for index, step in enumerate(flight):
            said = step.shown if sent and isinstance(step, Command) else ""
            heard = await self._hear(step, answered=index == 0 or not self.stream.fault)
            turn = self._turn(step.stage, said, heard, began, pipelined=index > 0)
            if step is QUIT and (more := await self._parting(heard)):
                turn = replace(turn, unasked=more)
            turns.append(turn)
        return tuple(turns)

    def _unasked(self, step: Step) -> Reply | Fault | None:
        """What came before we spoke: a 421 is the server's farewell, anything else breaks the pairing."""
        if not isinstance(step, Command):
            return None
        stream = self.stream
        stream.readable()
        if stream.fault is not None and not stream.replies:
            return stream.fault  # the peer has gone: nothing is said any more
        if stream.replies:
            if stream.replies[0].code == 421:
                return stream.replies.popleft()
            lines = (*(line for reply in stream.replies for line in reply.lines), *stream.reader.take())
            stream.replies.clear()
            stream.fault = Fault(Ending.GARBLED, "a reply that nobody asked for", lines[:_MOST_UNASKED])
            return stream.fault
        if step is not QUIT and (half := stream.reader.take()):
            stream.fault = Fault(Ending.GARBLED, "a line that nobody asked for", half)
            return stream.fault
        return None

    def _write(self, flight: Flight) -> bool:
        """Whether the flight left: where it could not be announced, not a byte of it does."""
        lines = b""
        for step in flight:
            if isinstance(step, Command):
                lines += step.line + b"\r\n"
                if step.secret:
                    self._announce()
                    self.stream.redaction.leaves(step.line)
        if self.stream.fault is not None:
            return False
        self.stream.send(lines)
        return True

    def _announce(self) -> None:
        """The one moment before a secret leaves: what cannot be written down does not happen."""
        announce, self.before_auth = self.before_auth, None
        if announce is not None:
            try:
                announce()
            except OSError as problem:
                words = os.strerror(problem.errno or 0)
                self.stream.end(
                    Fault(Ending.LOCAL, f"cannot write down that AUTH is about to be sent: {words}")
                )

    async def _hear(self, step: Step, *, answered: bool) -> Reply | Fault:
        until = time.monotonic() + getattr(self.limits, step.stage)
        while not self.stream.replies:
            if self.stream.fault is not None:
                return self.stream.fault if answered else Fault(self.stream.fault.ending, "not answered")
            if not await self.stream.wait(until):
                self.stream.end(self._timed_out(step, until))
        return self.stream.replies.popleft()

    def _timed_out(self, step: Step, until: float) -> Fault:
        if until > self.stream.deadline:
            detail = f"the deadline of {self.limits.deadline:g} s for the whole session has passed"
        else:
            detail = f"no complete reply within {getattr(self.limits, step.stage):g} s"
        return Fault(Ending.TIMEOUT, detail, self.stream.reader.take())

    async def _parting(self, heard: Reply | Fault) -> tuple[str, ...]:
        """What follows QUIT: servers do say 421 then, and a reply too many shows that pairs have shifted."""
        if isinstance(heard, Fault):
            return ()
        until = time.monotonic() + (_LINGER if heard.code == 221 else _LATE)
        stream = self.stream
        while stream.fault is None and len(stream.replies) < _MOST_UNASKED and await stream.wait(until):
            pass
        lines = (*(line for reply in stream.replies for line in reply.lines), *stream.reader.take())
        return lines[:_MOST_UNASKED]

    def _turn(
        self, stage: Stage, said: str, heard: Reply | Fault | None, began: float, *, pipelined: bool = False
    ) -> Turn:
        now = time.monotonic()
        return Turn(
            stage,
            said,
            heard,
            (),
            self.stream.secure,
            pipelined,
            at=began - self.began,
            took=now - began,
        )
