"""Login probes against the sink: round trips, manners, CPU and rate, memory, true times under load."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.clients._job import Job, Result
from tests.bench.measure import CLIENTS, Line, Spread, installed, median_ratio, rounds, run, table
from tests.bench.sink import MODES, Sink

__all__ = ["Bench"]

OURS, JSON, RESUMED = "probe", "probe, as JSON lines", "probe, TLS resumed"
PEER, NODE, SWAKS, ALONE = (
    "aiosmtplib, one context",
    "nodemailer, verify only",
    "swaks, a process",
    "probe creds, a process",
)
FLIGHTS = {"starttls": 8.1, "implicit": 6.1, "none": 5.1}  # round trips that RFC 2920 and RFC 8446 leave
CROWD = 2000


@dataclass(slots=True)
class Bench:
    """One sink and everybody who is installed."""

    sink: Sink
    folder: Path
    repeats: int
    probes: int

    def present(self, *names: str) -> list[str]:
        """Those of some clients (all, where none is named) that can be run here."""
        return [name for name in names or tuple(CLIENTS) if installed(CLIENTS[name], self.folder)]

    def _run(self, name: str, mode: str, count: int, at_once: int) -> Result:
        job = Job(mode, self.sink.ports[mode], self.sink.ca_file, count, at_once)
        return run(CLIENTS[name], job, self.folder)

    # -- the sections, each: a title, a table, the goals it bears on ---------------------------------

    def round_trips(self) -> tuple[str, str, list[Line]]:
        """(seconds with a delay - seconds without) / delay, the least of a few probes."""
        delay, names = 0.05, self.present(OURS, PEER, "smtplib, threads", NODE)
        waits: dict[tuple[str, str], float] = {}
        for mode in MODES:
            for name in names:
                taken = []
                for milliseconds in (0, 1000 * delay):
                    self.sink.tell(f"delay {milliseconds}")
                    taken.append(min(self._run(name, mode, 3, 1).times))
                waits[name, mode] = (taken[1] - taken[0]) / delay
        self.sink.tell("delay 0")
        shown = table(
            ("round trips", *MODES),
            ((name, *(f"{waits[name, mode]:.1f}" for mode in MODES)) for name in names),
        )
        lines = [
            Line(f"round trips, {mode}", "-", waits[OURS, mode], FLIGHTS[mode], FLIGHTS[mode])
            for mode in MODES
        ]
        return "Round trips of one probe", shown, lines

    def manners(self) -> tuple[str, str, list[Line]]:
        """What a server counts when the password is wrong."""
        names = self.present(OURS, PEER, "smtplib, threads", NODE, SWAKS, "curl, a process, no envelope")
        counted = {}
        self.sink.tell("auth 535")
        for name in names:
            self.sink.tell("stats")
            self._run(name, "starttls", 3, 1)
            seen = self.sink.tell("stats")
            counted[name] = (seen["auth"] / seen["connections"], seen["quit"] / seen["connections"])
        self.sink.tell("auth 235")
        rows = ((name, f"{auth:.1f}", f"{parted:.1f}") for name, (auth, parted) in counted.items())
        auth, parted = counted[OURS]
        lines = [
            Line("AUTH commands on a wrong password", "-", auth, 1, 1),
            Line("QUIT said", "-", parted, 1, 1, more_is_better=True),
        ]
        return "A wrong password", table(("per connection", "AUTH", "QUIT"), rows), lines

    def effort(self) -> Iterator[tuple[str, str, list[Line]]]:
        """CPU and rate at 50 at once, by mode, everybody in turn."""
        for mode in ("starttls", "none"):
            names = (
                self.present()
                if mode == "starttls"
                else self.present(OURS, JSON, PEER, "smtplib, threads", NODE)
            )

            def once(name: str, mode: str = mode) -> Mapping[str, float]:
                share = CLIENTS[name].share
                count = max(4, int(self.probes * share))
                self.sink.tell("stats")
                result = self._run(name, mode, count, 50 if share == 1 else 2)
                seen = self.sink.tell("stats")
                return {
                    "cpu": 1e6 * result.cpu / count,
                    "rate": count / result.wall,
                    "resumed": seen["resumed"] / max(1, seen["connections"]),
                    "hears": seen["flights"] / max(1, seen["connections"]),
                }

            measured = rounds(self.repeats, names, once)
            yield self._effort(mode, names, measured)

    def _effort(
        self, mode: str, names: list[str], measured: Mapping[str, Mapping[str, Spread]]
    ) -> tuple[str, str, list[Line]]:
        peer = measured[PEER]
        rows = (
            (
                name,
                own["cpu"].shown(),
                f"{median_ratio(own['cpu'], peer['cpu']):.2f}",
                own["rate"].shown(),
                f"{median_ratio(own['rate'], peer['rate']):.2f}",
                f"{own['hears'].median:.0f}",
                f"{own['resumed'].median:.2f}",
            )
            for name, own in measured.items()
        )
        head = ("who", "CPU us a probe", "of aiosmtplib", "probes/s", "of aiosmtplib", "flights", "resumed")
        return f"Effort, {mode}, 50 at once", table(head, rows), list(_effort_goals(mode, names, measured))

    def memory(self) -> tuple[str, str, list[Line]]:
        """Kilobytes that one more probe in flight takes: many at once against few, everything else equal."""
        few, many = 20, 500
        self.sink.tell("delay 100")
        names = self.present(OURS, PEER, NODE)

        def once(name: str) -> Mapping[str, float]:
            low, least = self._peak(name, few)
            high, most = self._peak(name, many)
            return {"each": 1024 * (high - low) / (most - least), "open": most}

        measured = rounds(max(1, self.repeats // 2), names, once)
        self.sink.tell("delay 0")
        rows = ((name, own["each"].shown(), own["open"].shown()) for name, own in measured.items())
        shown = table(("who", "KB a probe in flight", "in flight at once"), rows)
        ratio = median_ratio(measured[OURS]["each"], measured[PEER]["each"])
        return "Memory", shown, [Line("KB a probe in flight", "aiosmtplib", ratio, 0.25, 0.16)]

    def _peak(self, name: str, at_once: int) -> tuple[float, int]:
        """Megabytes at the most, and how many connections the server saw open at once."""
        self.sink.tell("stats")
        result = self._run(name, "starttls", at_once, at_once)
        return result.rss, self.sink.tell("stats")["most"]

    def crowd(self) -> tuple[str, str, list[Line]]:
        """What a probe itself takes when 2,000 are asked for and the network needs 100 ms a round trip."""
        delay, names = 0.1, self.present(OURS, PEER)
        self.sink.tell("delay 100")

        def once(name: str) -> Mapping[str, float]:
            result = self._run(name, "starttls", CROWD, CROWD)
            cuts = statistics.quantiles(result.times, n=100)
            return {"p50": cuts[49], "p99": cuts[98], "rate": CROWD / result.wall}

        measured = rounds(max(1, self.repeats // 2), names, once)
        self.sink.tell("delay 0")
        rows = (
            (name, own["p50"].shown(2), own["p99"].shown(2), own["rate"].shown())
            for name, own in measured.items()
        )
        reached = measured[OURS]["p99"].median / (8 * delay)
        lines = [Line("p99, 2,000 asked for, 100 ms a round trip", "8 round trips", reached, 1.5, 1.2)]
        return "True times in a crowd", table(("who", "p50 s", "p99 s", "probes/s"), rows), lines


def _effort_goals(
    mode: str, names: list[str], measured: Mapping[str, Mapping[str, Spread]]
) -> Iterator[Line]:
    def ratio(ours: str, theirs: str, quantity: str) -> float:
        return median_ratio(measured[ours][quantity], measured[theirs][quantity])

    if mode != "starttls":
        yield Line("CPU a probe, no TLS", "aiosmtplib", ratio(OURS, PEER, "cpu"), 1.0, 0.65)
        return
    yield Line("CPU a probe, full handshake", "aiosmtplib", ratio(OURS, PEER, "cpu"), 0.85, 0.65)
    if SWAKS in names:
        yield Line("CPU a probe, full handshake", "swaks", ratio(OURS, SWAKS, "cpu"), 0.03, 0.02)
    yield Line(
        "probes/s, one process", "aiosmtplib", ratio(OURS, PEER, "rate"), 1.3, 1.65, more_is_better=True
    )
    if NODE in names:
        yield Line(
            "probes/s, one process", "nodemailer", ratio(OURS, NODE, "rate"), 2, 2.5, more_is_better=True
        )
    if RESUMED in names:
        yield Line("CPU a probe, TLS resumed", "aiosmtplib", ratio(RESUMED, PEER, "cpu"), 0.6, 0.45)
