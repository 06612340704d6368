"""`preflight`: every inbox of a list, each login once, each domain once, and what they have in common.

Safety first. A login is written down before it leaves and is never tried twice; a host that complains is
asked less, one that refuses several logins is left alone; when this machine's own network fails, or the
journal cannot be written, nothing more is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field, replace

from probe import catalogue
from probe.facts import Inbox, Secret
from probe.grammar.address import address
from probe.grammar.inboxes import Row, reference
from probe.grammar.sheet import Record
from probe.judge.groups import Seen, seen
from probe.rules import Finding, Outcome, Report, Verdict
from probe.run._audits import Audits, joined
from probe.run._fleet import Ended, concluded
from probe.run._lanes import Lanes
from probe.run._logins import Logins, Options, Session, report_of, unsent
from probe.run._raised import raised_at
from probe.run._survey import Survey, listed, survey
from probe.run.discovery import submission_server
from probe.run.domain import BUG
from probe.wire.journal import Journal
from probe.wire.network import Network
from probe.wire.refused import Refused

__all__ = ["Options", "Preflight", "Survey", "listed", "preflight", "survey"]

_AHEAD = 4000  # rows that wait for their host, so that no host waits for another's rows
_TICK = 1.0  # seconds between looks at the clocks
_JUMP = 15.0  # seconds the wall clock may leap before this machine was asleep


async def preflight(
    inboxes: Iterable[Inbox],
    network: Network | None = None,
    *,
    at_once: int = 100,
    per_host: int = 0,
    audit: bool = True,
) -> AsyncGenerator[Report]:
    """The reports on many inboxes as they are ready, on each of their domains, and on the whole at the end.

    `at_once` bounds the sessions in all, `per_host` those at one host (0: what the catalogue says of it).
    `audit` asks for each domain's DNS too. Nothing is written down: see `Preflight` for a journal. Without a
    `network` one is made for the run, and closed with it.
    """
    rows = [Row(Record(number, ""), inbox) for number, inbox in enumerate(inboxes, 1)]
    options = Options(at_once=at_once, per_host=per_host, audit=audit)
    async with contextlib.nullcontext(network) if network is not None else Network() as net:
        run = Preflight(lambda: rows, net, options)
        async for report in run.reports():
            yield report


@dataclass(slots=True)
class Progress:
    """How far a run is: `done` of `total` rows, how many of each verdict, since when."""

    total: int = 0
    done: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)


class Preflight:
    """One run over a list. Iterate `reports` once; `stop` ends it early and in good order.

    `rows` gives the rows anew each time it is called. `reveal` turns a reference such as ``env:NAME``
    into the secret, or raises ValueError with a sentence. `stopped` is why the run ended early:
    "interrupted", "terminated", "journal", "network", or nothing.
    """

    def __init__(
        self,
        rows: Callable[[], Iterable[Row]],
        network: Network,
        options: Options | None = None,
        *,
        known: Survey | None = None,
        journal: Journal | None = None,
        refused: Refused | None = None,
        reveal: Callable[[Inbox], Secret] | None = None,
        subject: str = "inboxes",
    ) -> None:
        self.rows = rows
        self.network = network
        self.options = options or Options()
        self.survey = known or survey(rows)
        self.journal = journal
        self.reveal = reveal
        self.subject = subject
        self.stopped = ""
        self._logins = Logins(
            network,
            self.options,
            journal,
            refused or Refused(),
            stop=self.stop,
            servers=len(self.survey.servers),
        )
        self.progress = Progress(self.survey.rows)
        self._ready: asyncio.Queue[Report | None] = asyncio.Queue()
        self._sessions: set[Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._audits = Audits(network, self.options.skip, self._ready.put_nowait)
        self._seen: list[Seen] = []
        self._outcomes: Counter[str] = Counter()
        self._repeated = 0

    @property
    def lanes(self) -> Lanes:
        """The hosts as they are asked."""
        return self._logins.lanes

    @property
    def braked(self) -> dict[str, str]:
        """The hosts at which the brake stopped the logins, and what became of those before."""
        return {lane.name: lane.why for lane in self.lanes.braked()}

    async def reports(self) -> AsyncGenerator[Report]:
        """Reports as they are ready: kind creds for each row, dns for each domain, and fleet at the end."""
        feeding = asyncio.create_task(self._feed())
        watching = asyncio.create_task(self._watch())
        try:
            while (report := await self._ready.get()) is not None:
                yield report
            await feeding
            yield self._fleet()
        finally:
            everything = [feeding, watching, *self._tasks, *self._audits.tasks]
            for task in everything:
                task.cancel()
            await asyncio.gather(*everything, return_exceptions=True)

    def stop(self, reason: str) -> None:
        """Start nothing more. What has not sent its login ends now, the rest within the grace period.

        A second call ends everything now.
        """
        again = bool(self.stopped)
        self.stopped = self.stopped or reason
        self._logins.close()
        self._audits.close()
        for session in tuple(self._sessions):
            if session.task is not None and not session.unrecorded and (again or not session.left):
                session.task.cancel()
        if not again:
            asyncio.get_running_loop().call_later(self.options.grace, self.stop, reason)

    # -- rows -------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        ahead = asyncio.Semaphore(_AHEAD)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            ahead.release()

        try:
            for row in self.rows():
                await ahead.acquire()
                if self.stopped:
                    break
                task = asyncio.create_task(self._one(row))
                self._tasks.add(task)
                task.add_done_callback(ended)
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self.journal is not None and not (self.stopped or self.braked):
                self.journal.finish()
        except OSError:
            self.stopped = self.stopped or "journal"
        finally:
            self._ready.put_nowait(None)

    async def _one(self, row: Row) -> None:
        session = Session(asyncio.current_task())
        self._sessions.add(session)
        try:
            await self._row(row, session)
        except asyncio.CancelledError:
            if session.report is not None:
                self._tell(row, session.report)
            elif session.left:
                self._tell(row, unsent(row, "interrupted", "the run was stopped before the answer came"))
        except Exception as problem:  # noqa: BLE001 - one broken row never silences the others
            said = f"{type(problem).__name__} ({raised_at(problem)})"  # its words may quote a secret
            report = session.report or report_of(row, ())
            bug = Finding(BUG, {"error": said}, said)
            self._tell(row, replace(report, findings=(*report.findings, bug)))
        finally:
            self._sessions.discard(session)

    async def _row(self, row: Row, session: Session) -> None:
        if row.inbox is None:
            self._tell(row, unsent(row, "row-not-read", f"line {row.record.line}: {row.problem}"))
            return
        try:
            address(row.inbox.address)
        except ValueError as problem:
            self._tell(row, unsent(row, "row-not-read", f"the address {problem}"))
            return
        inbox = await self._completed(row, row.inbox)
        if isinstance(inbox, Report):
            self._tell(row, inbox, host=row.inbox.host)
            return
        if inbox is None:
            self._repeated += 1
            self.progress.done += 1
            return
        server = await submission_server(inbox, self.network)
        audit = self._audits.of(inbox, server.provider) if self.options.audit else None
        report = self._logins.told_before(row, inbox, server)
        if report is None:
            report = await self._logins.login(row, inbox, server, session)
        if report is None:
            return
        report = replace(report, findings=(*report.findings, *self._remarks(row, row.inbox)))
        session.report = report
        if audit is not None:
            report = await joined(report, audit)
        self._tell(row, report, host=server.host, provider=server.provider)

    async def _completed(self, row: Row, inbox: Inbox) -> Inbox | Report | None:
        """The inbox with its secret and provider; a report where it is not tried, None for a repetition."""
        double = self.survey.double(inbox)
        if double is not None:
            lines = ", ".join(map(str, double.lines[:20]))
            if double.conflict:
                return unsent(row, "two-passwords", f"lines {lines}")
            if row.record.line != double.lines[0]:
                assert double.first is not None
                if double.first.address.lower() == inbox.address.lower():
                    return None
                return unsent(row, "login-shared", f"line {double.lines[0]} has the same user name")
        if row.provider and (not inbox.host or catalogue.provider_of_host(inbox.host) is None):
            named = catalogue.provider_named(row.provider)
            if named is not None and named.submission:
                inbox = replace(inbox, provider=named.id)
        try:
            inbox = replace(inbox, secret=await self._revealed(inbox))
            if (grant := inbox.grant) is not None:
                secret = await self._revealed(replace(inbox, secret=grant.secret))
                inbox = replace(inbox, grant=replace(grant, secret=secret))
        except ValueError as problem:
            return unsent(row, "secret-missing", str(problem))
        return inbox

    async def _revealed(self, inbox: Inbox) -> Secret:
        """The secret itself, where the row names only the place it is kept in; ValueError where it is not."""
        kind, _ = reference(inbox.secret.reveal())
        if not kind or self.reveal is None:
            return inbox.secret
        return await asyncio.to_thread(self.reveal, inbox)

    # -- telling ----------------------------------------------------------------------------------

    def _remarks(self, row: Row, inbox: Inbox) -> tuple[Finding, ...]:
        """What is worth saying of the row itself."""
        line = {"line": str(row.record.line)}
        found = [Finding(catalogue.rule("preflight/row-mended"), line, note) for note in row.notes]
        if (double := self.survey.double(inbox)) is not None and not double.conflict:
            lines = ", ".join(map(str, double.lines[:20]))
            found.append(Finding(catalogue.rule("preflight/duplicate"), line, f"lines {lines}"))
        return tuple(found)

    def _tell(self, row: Row, report: Report, *, host: str = "", provider: str = "") -> None:
        report = replace(report, evaluations={**report.evaluations, "line": row.record.line})
        self.progress.done += 1
        self.progress.verdicts[report.verdict] += 1
        self._outcomes[str(report.outcome or Outcome.NOT_PROVEN)] += 1
        self._seen.append(seen(report, host=host, provider=provider))
        self._ready.put_nowait(report)

    def _fleet(self) -> Report:
        ended = Ended(
            rows=self.survey.rows,
            repeated=self._repeated,
            stopped=self.stopped,
            broken=self.journal.broken if self.journal is not None else "",
            braked=self.braked,
            slowed=self.lanes.slowed(),
            outcomes=self._outcomes,
            seconds=time.monotonic() - self.progress.began,
        )
        return concluded(self.subject, self._seen, tuple(self._audits.seen), ended)

    async def _watch(self) -> None:
        """Notices when this machine has been asleep: the wall clock leaps, the other one does not."""
        ahead = time.time() - time.monotonic()
        while True:
            woken = time.monotonic()
            await asyncio.sleep(_TICK)
            now = time.time() - time.monotonic()
            if abs(now - ahead) > _JUMP or time.monotonic() - woken > _JUMP:
                self._logins.slept = time.monotonic()
            ahead = now
