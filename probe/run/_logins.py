"""The logins of a list: who is let in where, what is written down before one leaves, and what came of it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from probe import catalogue
from probe.facts import Inbox, Secret
from probe.grammar.inboxes import Row, login_of
from probe.rules import Finding, Outcome, Report, Verdict
from probe.run._kept import kept, told_again
from probe.run._lanes import Burden, Lane, Lanes
from probe.run._signs import Sign, failures, not_reached, sign_of
from probe.run.creds import check_creds
from probe.run.discovery import Server
from probe.wire import doctor
from probe.wire.journal import Journal
from probe.wire.network import Network
from probe.wire.refused import Refused

__all__ = ["Logins", "Options", "Session", "key_of", "machine_of", "report_of", "unsent"]

_TRIES = 3  # of a session that ended before the login left
_IN_A_ROW = 12  # inboxes that are not reached before it is the network here
_HOSTS = 3  # that they must belong to, where the list has so many
_UNLIMITED = 1_000_000  # sessions, where no limit is known


@dataclass(frozen=True, slots=True)
class Options:
    """How a list is probed.

    `at_once` sessions in all and `per_host` at one host (0: what the catalogue says of it); at most
    `brake` logins that a host refuses or does not answer in ten minutes. `audit` asks for each domain's DNS
    too, without the areas in `skip`. `force` tries logins again that were refused or interrupted before, or
    proved nothing. `pause` is what is waited after a host's first complaint and `grace` what logins under way
    are given when the run is stopped, in seconds.
    """

    at_once: int = 100
    per_host: int = 0
    brake: int = 4
    audit: bool = True
    skip: tuple[str, ...] = ()
    force: bool = False
    pause: float = 5.0
    grace: float = 1.5


@dataclass(slots=True, eq=False)
class Session:
    """A row under way: whether its login has left, could not be written down, and what was found so far."""

    task: asyncio.Task[None] | None
    began: float = 0.0
    left: bool = False
    unrecorded: bool = False
    report: Report | None = None


class Logins:
    """The logins of a run.

    `stop` ends the run, `stopped` says that it ended; `slept` is when, by the monotonic clock, this
    machine was last found to have been asleep. `servers` is how many servers the list names.
    """

    def __init__(
        self,
        network: Network,
        options: Options,
        journal: Journal | None,
        refused: Refused,
        *,
        stop: Callable[[str], None],
        servers: int,
    ) -> None:
        self.network = network
        self.options = options
        self.journal = journal
        self.refused = refused
        self.stop = stop
        self.servers = servers
        self.lanes = Lanes(time.monotonic, refused.recent)
        self.stopped = False
        self.slept = -1.0
        self._free = asyncio.Semaphore(min(options.at_once, _descriptors()))
        self._failing_here: list[str] = []

    def close(self) -> None:
        """Let no login in any more."""
        self.stopped = True
        self.lanes.close()

    def told_before(self, row: Row, inbox: Inbox, server: Server) -> Report | None:
        """What an earlier run found, or why the login is not tried."""
        key = key_of(inbox)
        if self.journal is not None:
            if (found := self.journal.ended.get(key)) is not None:
                again = told_again(found)
                if again is not None and not (self.options.force and again.outcome is not Outcome.USABLE):
                    return again
            if key in self.journal.begun and not self.options.force:
                return unsent(row, "interrupted", "an earlier run was interrupted here")
        known = self.refused.resting(*_login(inbox, server))
        if known is None or self.options.force:
            return None
        minutes = max(1, round((time.time() - known.at) / 60))
        detail = f"{known.rule}, {minutes} min ago; not tried again before {_clock(known.until)}"
        told = unsent(row, "refused-before", detail)
        return replace(told, outcome=Outcome.BAD_CREDS)

    async def _lane(self, server: Server) -> Lane:
        """The host's lane."""
        known = catalogue.provider(server.provider) if server.provider else None
        name = await machine_of(server, self.network)
        at_once = self.options.per_host or (known.at_once if known is not None else Burden().at_once)
        per_minute = known.per_minute if known is not None else 0
        return self.lanes.of(name, Burden(at_once, per_minute, self.options.brake, pause=self.options.pause))

    async def login(self, row: Row, inbox: Inbox, server: Server, session: Session) -> Report | None:
        """The report on one login; None where the run was stopped before it."""
        lane, report, sign = await self._lane(server), None, Sign.FINE
        for _ in range(_TRIES):
            if not await lane.enter():
                break
            report, sign = await self._tried(lane, inbox, session)
            if session.unrecorded:
                return unsent(row, "not-recorded", self.journal.broken if self.journal else "")
            if session.left or not (sign is Sign.SLOWER or session.began <= self.slept):
                break
        if report is None:
            left_alone = lane.braked and not self.stopped
            return unsent(row, "host-braked", f"{lane.name}: {lane.why}") if left_alone else None
        if session.began <= self.slept and report.outcome is Outcome.NOT_PROVEN:
            asleep_too = Finding(catalogue.rule("preflight/asleep"), {"clock": "leapt"})
            return replace(report, findings=(asleep_too, *report.findings))
        self._record(inbox, server, lane, session, report, sign)
        return report

    async def _tried(self, lane: Lane, inbox: Inbox, session: Session) -> tuple[Report, Sign]:
        """A session in its lane, and what it told of the host."""
        sign, proven = Sign.FINE, False
        try:
            async with self._free:
                report = await self._session(inbox, session)
            sign, proven = sign_of(report), report.outcome in {Outcome.CREDS_OK, Outcome.USABLE}
            if sign is Sign.UNANSWERED and session.began <= self.slept:
                sign = Sign.FINE  # it was this machine that did not listen
        except Exception:
            sign = Sign.UNANSWERED if session.left else sign  # a flaw of ours hid how the login ended
            raise
        finally:
            lane.leave(sign, proven=proven)
        return report, sign

    async def _session(self, inbox: Inbox, session: Session) -> Report:
        def leaves() -> None:
            if self.journal is not None:
                try:
                    self.journal.begin(key_of(inbox))
                except OSError:
                    session.unrecorded = True
                    self.stop("journal")
                    raise
            session.left = True

        session.began = time.monotonic()
        return await check_creds(inbox, self.network, before_auth=leaves)

    def _record(
        self, inbox: Inbox, server: Server, lane: Lane, session: Session, report: Report, sign: Sign
    ) -> None:
        """Writes down what was found, and stops the run where that, or our network, fails."""
        try:
            settled = report.verdict is Verdict.FAIL or report.verdict.rank < Verdict.WAIT.rank
            if self.journal is not None and (session.left or settled):
                self.journal.end(key_of(inbox), kept(report))
            if report.outcome is Outcome.BAD_CREDS and report.decisive is not None:
                user, host, secret = _login(inbox, server)
                self.refused.add(user, host, secret, report.decisive.rule.id, lane=lane.name)
            elif failures([sign]):
                self.refused.count(lane.name)
        except OSError as problem:
            if self.journal is not None:
                self.journal.broken = self.journal.broken or problem.strerror or ""
            if not self.stopped:
                self.stop("journal")
        self.look_around(report, server.host)

    def look_around(self, report: Report, host: str) -> None:
        """Stops the run when host after host is not reached: that is the network here, not the hosts."""
        if not not_reached(report):
            self._failing_here.clear()
            return
        self._failing_here.append(host)
        several = min(_HOSTS, self.servers)
        if len(self._failing_here) >= _IN_A_ROW and len(set(self._failing_here)) >= several:
            if not self.stopped:
                self.stop("network")
            self._failing_here.clear()


async def machine_of(server: Server, network: Network) -> str:
    """Whom a refused login is counted against: the machine bans, and several names may lead to one."""
    if server.provider or not server.host:
        return server.provider
    found = await network.addresses(server.host, server.port)
    if not isinstance(found, tuple):
        return server.host
    host, port = min(found)
    return f"{host}:{port}" if host.startswith("127.") or host == "::1" else host


def _descriptors() -> int:
    """How many sessions the file descriptors of this process allow; some are kept for DNS and files."""
    soft, _ = doctor.descriptors()
    return max(1, (soft - 32) // 2) if soft > 0 else _UNLIMITED


def _clock(moment: float) -> str:
    """A moment as the clock on the wall shows it, with the date where that is not today's."""
    told = time.localtime(moment)
    today = told[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", told)


def key_of(inbox: Inbox) -> str:
    """The name of a login in the journal: it tells nobody anything."""
    return hashlib.sha256(login_of(inbox).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _login(inbox: Inbox, server: Server) -> tuple[str, str, Secret]:
    return inbox.user or inbox.address, f"{server.host}:{server.port}", inbox.secret


def report_of(row: Row, findings: tuple[Finding, ...]) -> Report:
    """The report on a row whose login proved nothing: its findings, under its address or its line."""
    subject = row.inbox.address if row.inbox is not None else f"line {row.record.line}"
    return Report("creds", subject, findings, Outcome.NOT_PROVEN)


def unsent(row: Row, problem: str, detail: str) -> Report:
    """The report on a row for which nothing was sent, or of which nothing is known."""
    line: Mapping[str, str] = {"line": str(row.record.line)}
    return report_of(row, (Finding(catalogue.rule(f"preflight/{problem}"), line, detail),))
