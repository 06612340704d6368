"""What a resolver keeps of a question while it is on its way: who waits, which server, how often tried."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from probe.facts import Answer, Question
from probe.wire._dns_transport import Https, Place, Server, Stream, Udp

__all__ = ["Asking", "Statistics", "Waiting", "Way", "reason", "wake"]


@dataclass(slots=True)
class Statistics:
    """What a run cost: `asked` distinct questions, `sent` messages, `joined` answered from what was there."""

    asked: int = 0
    sent: int = 0
    joined: int = 0


def wake(done: asyncio.Future[None]) -> None:
    """Ends the waiting for a future that nobody else has ended."""
    if not done.done():
        done.set_result(None)


class Waiting:
    """One `ask`: how many of its questions are open, and the future that wakes it."""

    __slots__ = ("done", "left")

    def __init__(self, left: int, done: asyncio.Future[None]) -> None:
        self.left = left
        self.done = done

    def heard(self) -> None:
        """One question less."""
        self.left -= 1
        if not self.left:
            wake(self.done)


class Asking:
    """One question on its way, with all that wait for it.

    `name` and `body` are what is asked now: they change where aliases are followed. `place` is that of the
    attempt that is timed; `open` are all places that an answer may still come to.
    """

    __slots__ = (
        "aliases", "attempt", "body", "chased", "failure", "kind", "name", "open", "place", "question", "to",
        "tried", "waiting",
    )  # fmt: skip

    def __init__(self, question: Question, kind: str, name: str, body: bytes) -> None:
        self.question = question
        self.name = name
        self.kind = kind
        self.body = body
        self.waiting: list[Waiting] = []
        self.attempt = 0
        self.to: Way | None = None
        self.tried: tuple[Way, ...] = ()
        self.place: Place | None = None
        self.open: tuple[Place, ...] = ()
        self.aliases: tuple[str, ...] = ()
        self.chased = 0
        self.failure: Answer | None = None


class Way:
    """A server with what leads to it (one of `udp` and `stream`), and how often in a row it said nothing."""

    __slots__ = ("misses", "server", "stream", "udp")

    def __init__(self, to: Server) -> None:
        self.server = to
        self.udp: Udp | None = None
        self.stream: Stream | Https | None = None
        self.misses = 0


def reason(problem: BaseException) -> str:
    """What went wrong, in a few words without addresses."""
    if isinstance(problem, ssl.SSLError):
        return f"TLS: {problem.reason or problem}"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__
