"""The window on the DNS: questions in, answers out, each distinct question asked once a run.

`Resolver` keeps every answer, joins equal questions under way, and never raises for the network: a
question that got no answer has an `Answer` that says how it ended. The hot path has no task and no
future of its own: sockets of ours, read by the event loop, and one future for a whole `ask`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from probe.facts import Answer, Question, Status
from probe.wire import _dns_message as message
from probe.wire._dns_asking import Asking, Statistics, Waiting, Way, reason, wake
from probe.wire._dns_kept import Kept
from probe.wire._dns_transport import Https, Place, Stream, forget, server, system
from probe.wire._dns_ways import Ways

__all__ = ["Resolver", "Statistics"]

_CHASED = 8  # aliases followed by questions of our own
_PERHAPS_EDNS = frozenset({Status.TIMEOUT, Status.FORMERR, Status.NOTIMP, Status.GARBLED})
_STREAMS = 32  # TCP connections at once
_LATE = Answer(Status.SKIPPED, detail="no answer in the time allowed")


class Resolver:
    """Asks resolvers; an async context manager, one for a run.

    `servers` are ``HOST[:PORT]``, ``tls://HOST`` or ``https://...`` (none: those of this machine);
    ValueError where one cannot be read. `timeout` is in seconds for one attempt; each question gets
    `tries` attempts, which go round the servers. `window` bounds the questions under way.

    A type such as ``SOA@192.0.2.53`` asks that very server, without recursion; addresses that are not
    global are not asked unless `routes` maps them to a host and port. `context` is the TLS context for
    ``tls://`` and ``https://`` (None: one that verifies with the system's roots).
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        timeout: float = 2.0,
        tries: int = 2,
        window: int = 512,
        routes: Mapping[str, tuple[str, int]] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._servers = tuple(server(text) for text in servers) or system()
        self._timeout = timeout
        self._tries = max(tries, min(len(self._servers), 4))
        self._window = window
        self._routes = dict(routes or {})
        self._context = context
        self.statistics = Statistics()
        self._kept = Kept()
        self._flight: dict[Question, Asking] = {}
        self._queue: deque[Asking] = deque()
        self._flying = 0
        self._clock: deque[tuple[float, Asking, Place]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers that are asked, as reports name them."""
        return tuple(one.said for one in self._servers)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._streams = asyncio.Semaphore(_STREAMS)
        self._ways = Ways(
            self._servers, self._heard, self._broken, routes=self._routes, context=self._context
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ways.close()
        for asking in self._flight.values():
            for waiting in asking.waiting:
                waiting.heard()

    # -- asking -----------------------------------------------------------------------------------

    async def ask(
        self, questions: Iterable[Question], *, within: float | None = None
    ) -> dict[Question, Answer]:
        """The answers, one for each distinct question. Never raises for the network.

        What has no answer after `within` seconds is `SKIPPED`; it goes on being asked for others.
        """
        wanted = dict.fromkeys(questions)
        waiting: Waiting | None = None
        for question in wanted:
            if self._kept.known(question):
                self.statistics.joined += 1
                continue
            asking = self._flight.get(question)
            if asking is None:
                asking = self._begin(question)
                if asking is None:
                    continue
            else:
                self.statistics.joined += 1
            if waiting is None:
                waiting = Waiting(0, self._loop.create_future())
            waiting.left += 1
            asking.waiting.append(waiting)
        if waiting is not None:
            self._launch()
            await self._wait(waiting, within)
        return {question: self._kept.get(question, _LATE) for question in wanted}

    async def ask_one(self, name: str, kind: str) -> Answer:
        """The answer to one question."""
        question = Question(name.lower().removesuffix("."), kind)
        return (await self.ask((question,)))[question]

    async def _wait(self, waiting: Waiting, within: float | None) -> None:
        done = waiting.done
        if not waiting.left:
            return
        timer = None
        if within is not None:
            timer = self._loop.call_later(max(within, 0), wake, done)
        try:
            await done
        finally:
            if timer is not None:
                timer.cancel()

    def _begin(self, question: Question) -> Asking | None:
        self.statistics.asked += 1
        kind, at, host = question.type.partition("@")
        try:
            asking = Asking(question, kind, question.name, message.query(question.name, kind, recurse=not at))
        except message.NotAName as problem:
            self._kept.keep(question, Answer(Status.FORMERR, detail=str(problem)))
            return None
        if at:
            try:
                self._ways.direct(host)  # looked up again when it is sent: it may wait long for that
            except ValueError as problem:
                self._kept.keep(question, Answer(Status.UNREACHABLE, server=host, detail=str(problem)))
                return None
        self._flight[question] = asking
        self._queue.append(asking)
        return asking

    # -- the life of a question -------------------------------------------------------------------

    def _launch(self) -> None:
        self._oldest()
        while self._queue and self._flying < self._window:
            self._flying += 1
            self._send(self._queue.popleft())

    def _send(self, asking: Asking) -> None:
        way = asking.to = self._ways.choose(asking)
        self.statistics.sent += 1
        if way.udp is None:
            self._task(asking, way.stream)
            return
        # What silence, FORMERR or NOTIMP answered is asked again without EDNS: some servers know none.
        quiet = asking.failure is not None and asking.failure.status in _PERHAPS_EDNS
        try:
            body = message.plain(asking.body) if quiet else asking.body
            asking.place = way.udp.send(asking, body)
            asking.open += (asking.place,)
        except BlockingIOError:
            self._loop.call_later(0.01, self._send, asking)
            return
        except OSError as problem:
            self._loop.call_soon(self._fail, asking, Status.UNREACHABLE, reason(problem))
            return
        due = self._loop.time() + self._timeout
        self._clock.append((due, asking, asking.place))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._tick)

    def _oldest(self) -> tuple[float, Asking] | None:
        """The attempt that waits longest, and until when; what was answered before it leaves the clock."""
        while self._clock:
            due, asking, place = self._clock[0]
            if asking.place is place:
                return due, asking
            self._clock.popleft()
        return None

    def _tick(self) -> None:
        now = self._loop.time()
        while (oldest := self._oldest()) is not None and oldest[0] <= now:
            self._clock.popleft()
            asking = oldest[1]
            asking.place = None  # but a late answer is still an answer: its id stays open
            if asking.to is not None:
                asking.to.misses += 1
            if asking.failure is None:
                self._fail(asking, Status.TIMEOUT, f"no answer in {self._timeout:g} s")
            else:  # what a server said tells more than another's silence
                self._again(asking, asking.failure)
        # Only now: what was sent again found this timer in place and set none of its own.
        self._timer = None if oldest is None else self._loop.call_at(oldest[0], self._tick)

    def _heard(self, way: Way, asking: Asking, data: bytes) -> None:
        """A datagram with the right id; another question's is left for who waits longer (forgeries)."""
        if message.headless(data):
            self._forget(asking)
            self._fail(asking, Status.FORMERR, "the server could not read the question")
            return
        if not message.asked(data, asking.body):
            asking.failure = Answer(
                Status.GARBLED, server=way.server.said, detail="bytes that are no answer to the question"
            )
            return
        self._forget(asking)
        asking.to = way
        way.misses = 0
        if message.truncated(data):
            self._task(asking, None)
        else:
            self._read(asking, data)

    def _read(self, asking: Asking, data: bytes) -> None:
        said = "" if asking.to is None else asking.to.server.said
        try:
            answer = message.read(data, asking.body, asking.name, asking.kind, said)
        except message.Unfinished as stopped:
            self._chase(asking, stopped.aliases)
            return
        except message.Malformed as problem:
            self._fail(asking, Status.GARBLED, str(problem))
            return
        if answer.known:
            self._settle(asking, answer)
        else:
            self._fail(asking, answer.status, answer.detail)

    def _chase(self, asking: Asking, aliases: tuple[str, ...]) -> None:
        """Asks for the name at the end of the aliases, where the server did not follow them."""
        seen = (asking.question.name, *asking.aliases)
        asking.aliases = (*asking.aliases, *aliases)
        asking.chased += 1
        if asking.chased > _CHASED or any(alias in seen for alias in aliases):
            self._settle(asking, Answer(Status.SERVFAIL, detail="the aliases run in a circle or do not end"))
            return
        asking.name = aliases[-1]
        try:
            asking.body = message.query(asking.name, asking.kind, recurse="@" not in asking.question.type)
        except message.NotAName as problem:
            self._settle(asking, Answer(Status.GARBLED, detail=str(problem)))
            return
        self._send(asking)

    def _fail(self, asking: Asking, status: Status, detail: str) -> None:
        """An attempt failed with the server that was asked."""
        said = "" if asking.to is None else asking.to.server.said
        self._again(asking, Answer(status, server=said, detail=detail))

    def _again(self, asking: Asking, failure: Answer) -> None:
        """Another attempt where there is one, else this failure is the answer.

        A refusal is final with the server that gave it; everything else may pass.
        """
        if asking.question not in self._flight:
            return
        asking.attempt += 1
        asking.failure = failure
        alone = self._ways.alone or "@" in asking.question.type
        final = alone and failure.status is Status.REFUSED
        if asking.attempt >= self._tries or final:
            self._settle(asking, failure)
        else:
            self._send(asking)

    def _broken(self, way: Way, asking: Asking, problem: OSError) -> None:
        self._forget(asking)
        way.misses += 1
        self._fail(asking, Status.UNREACHABLE, reason(problem))

    @staticmethod
    def _forget(asking: Asking) -> None:
        for place in asking.open:
            forget(place)
        asking.open = ()
        asking.place = None

    def _settle(self, asking: Asking, answer: Answer) -> None:
        if self._flight.pop(asking.question, None) is None:
            return
        self._forget(asking)
        if asking.aliases:
            answer = replace(answer, aliases=(*asking.aliases, *answer.aliases))
        if not answer.server and asking.to is not None:
            answer = replace(answer, server=asking.to.server.said)
        self._kept.keep(asking.question, answer)
        self._flying -= 1
        for waiting in asking.waiting:
            waiting.heard()
        asking.waiting.clear()
        if self._queue:
            self._launch()

    # -- streams ----------------------------------------------------------------------------------

    def _task(self, asking: Asking, over: Stream | Https | None) -> None:
        """Asks over a stream: the server's own, or TCP after a truncated answer (RFC 7766 section 5)."""
        task = self._loop.create_task(self._exchange(asking, over))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _exchange(self, asking: Asking, over: Stream | Https | None) -> None:
        assert asking.to is not None
        way = over if over is not None else Stream(replace(asking.to.server, way="tcp"))
        tcp = over is None
        allowed = self._timeout * (1 if tcp else 1.5)  # TLS takes two round trips more
        try:
            async with self._streams, asyncio.timeout(allowed):
                data = await way.exchange(asking.body)
        except Exception as problem:  # noqa: BLE001 - whatever a library raises, nobody may wait for ever
            late = isinstance(problem, TimeoutError)
            detail = f"no answer in {allowed:g} s" if late else reason(problem)
            if tcp:
                self._settle(
                    asking, Answer(Status.TRUNCATED, detail=f"cut short over UDP; over TCP: {detail}")
                )
            else:
                asking.to.misses += 1
                self._fail(asking, Status.TIMEOUT if late else Status.UNREACHABLE, detail)
            return
        finally:
            if tcp:
                await way.close()
        if len(data) < 12 or not message.asked(data, asking.body) or message.truncated(data):
            self._fail(asking, Status.GARBLED, "bytes that are no answer to the question")
        else:
            self._read(asking, data)
