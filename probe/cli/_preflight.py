"""How a list is run from the command line: journal, signals, progress, files, and the code at the end."""

from __future__ import annotations

import asyncio
import hashlib
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from probe.cli._list import Listed, Written
from probe.cli._messages import refuse, say
from probe.cli._output import Output
from probe.cli._progress import Shown
from probe.facts import counted
from probe.run.preflight import Options, Preflight
from probe.wire.journal import BusyError, DamagedError, Journal, JournalError
from probe.wire.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.facts import Inbox, Secret
    from probe.rules import Report, Verdict
    from probe.run.preflight import Survey
    from probe.wire.network import Network

__all__ = ["Asked", "planned", "probed"]

_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_CODES = {"interrupted": 130, "terminated": 143, "journal": 4, "network": 3}
_ROUGHLY = 3.0  # seconds a login takes, for the estimate before any was made


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a run beside the list: how to go, where to keep its state, what to write."""

    options: Options
    out: Output
    written: Written
    reveal: Callable[[Inbox], Secret]
    resume: bool = False
    state: str = ""


def probed(whole: Listed, network: Network, asked: Asked) -> NoReturn:
    """Run the list, tell every report, write the files, and end with the code of what was found."""
    journal, refused = _state(whole, asked)
    run = Preflight(
        whole.rows,
        network,
        asked.options,
        known=whole.survey,
        journal=journal,
        refused=refused,
        reveal=asked.reveal,
        subject=whole.name,
    )
    say(f"probe: {whole.name}: {whole.table}")
    _say_survey(whole)
    verdicts: list[Verdict] = []
    try:
        asked.out.write(_learned(_reports(run, network), asked.written), verdicts)
        asked.written.write(whole)
    finally:
        journal.close()
    asked.out.end(verdicts, _ended(run, journal))


def _learned(reports: Iterator[Report], written: Written) -> Iterator[Report]:
    for report in reports:
        written.learn(report)
        yield report


def _say_survey(whole: Listed) -> None:
    seen = whole.survey
    for line, problem in seen.wrong[:5]:
        say(f"probe: {whole.name}, line {line}: {problem}")
    if seen.wrong_rows > 5:
        say(f"probe: {whole.name}: {counted(seen.wrong_rows - 5, 'more row')} cannot be read")
    if seen.doubles:
        say(f"probe: {whole.name}: {_doubled(seen)}")


def _doubled(seen: Survey) -> str:
    conflicts = sum(double.conflict for double in seen.doubles.values())
    told = (
        (len(seen.doubles) - conflicts, "in several rows", "tried once"),
        (conflicts, "in several rows with different passwords", "not tried"),
    )
    return "; ".join(
        f"{counted(count, 'login stands', 'logins stand')} {where} and {'is' if count == 1 else 'are'} {what}"
        for count, where, what in told
        if count
    )


# -- state -------------------------------------------------------------------------------------------


def _state(whole: Listed, asked: Asked) -> tuple[Journal, Refused]:
    """The journal of this list and the memory of refused logins; without them nothing is sent."""
    try:
        folder = Path(asked.state) if asked.state else _folder()
        refused = Refused(folder)
        where = str(Path(whole.name).resolve()) if whole.name != "stdin" else whole.name
        name = hashlib.sha256(where.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        journal = Journal(folder / "runs" / f"{name}.jsonl", whole.digest)
        _open(journal, whole, asked)
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        say(
            "probe: the state of the run cannot be written down, so nothing was sent: "
            f"{where}{problem.strerror}"
        )
        raise typer.Exit(4) from None
    return journal, refused


def _folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("probe", appauthor=False)


def _open(journal: Journal, whole: Listed, asked: Asked) -> None:
    try:
        journal.open()
    except BusyError as problem:
        refuse(f"{whole.name}: {problem}")
    except JournalError as problem:
        if isinstance(problem, DamagedError) and (asked.resume or not asked.options.force):
            refuse(f"{whole.name}: the journal of an earlier run {problem}; begin anew ({_again('--force')})")
        if asked.resume:
            refuse(f"{whole.name}: --resume is not possible: the journal {problem}; run without --resume")
        journal.open(anew=True)
        return
    if asked.resume:
        if not (journal.begun or journal.ended):
            say(f"probe: {whole.name}: no earlier run was interrupted; beginning at the beginning")
        elif journal.ended:
            told = counted(len(journal.ended), "login is", "logins are")
            say(f"probe: {whole.name}: {told} told as found by an earlier run, {_ago(journal.written)} ago")
        return
    if journal.unfinished and not asked.options.force:
        done = len(journal.ended)
        journal.close()
        refuse(
            f"{whole.name}: an earlier run of this list ended early, with {done} of {whole.survey.logins} "
            f"logins done: go on with it ({_again('--resume')}), or begin anew with --force"
        )
    journal.forget()


_SPANS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def _ago(moment: float) -> str:
    """How long ago a moment was; of each unit there are at least two before it is told, but of minutes."""
    seconds = time.time() - moment
    length, unit = next((span for span in _SPANS if seconds >= 2 * span[0]), _SPANS[-1])
    return counted(max(0, round(seconds / length)), unit)


def _again(option: str) -> str:
    words = [word for word in sys.argv[1:] if word not in {"--resume", "--force"}]
    return shlex.join(["probe", *words, option])


# -- the run -----------------------------------------------------------------------------------------


def _reports(run: Preflight, network: Network) -> Iterator[Report]:
    """The reports as they are ready; between them the run goes on only while the next is awaited."""
    shown = Shown(run)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        for number, reason in _SIGNALS.items():
            loop.add_signal_handler(number, _stop, run, reason)
        reports = run.reports()

        async def begin() -> asyncio.Task[None]:
            await network.__aenter__()
            return asyncio.create_task(shown.follow())

        async def following() -> Report | None:
            return await anext(reports, None)

        async def end(following: asyncio.Task[None]) -> None:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            await reports.aclose()
            await network.__aexit__(None, None, None)

        showing = runner.run(begin())
        try:
            shared = sys.stdout.isatty()
            while (report := runner.run(following())) is not None:
                if shared:
                    shown.hide()
                yield report
                if shared:
                    shown.draw()
        finally:
            shown.hide()
            runner.run(end(showing))


def _stop(run: Preflight, reason: str) -> None:
    if not run.stopped:
        say("probe: stopping; logins that have left may still be answered (once more to stop at once)")
    run.stop(reason)


def _ended(run: Preflight, journal: Journal) -> int:
    """The exit code of a run that ended early, with a sentence; 0 of one that did not."""
    if run.stopped == "journal":
        say(
            f"probe: stopped: the journal cannot be written ({journal.broken or 'no words'}); "
            "what logins under way brought stands in this report alone"
        )
    elif run.stopped == "network":
        say("probe: stopped: no server is reached any more; the inboxes were not judged")
    for host, why in run.braked.items():
        say(f"probe: stopped at {host}: {why}; its other inboxes were left alone, lest it ban this address")
    if run.stopped or run.braked:
        say(f"probe: go on with: {_again('--resume')}")
    return _CODES.get(run.stopped, 4 if run.braked else 0)


# -- before the run ------------------------------------------------------------------------------------


def planned(whole: Listed, options: Options) -> None:
    """Says what a run would do: hosts, how many, at what pace, about how long. Nothing is sent."""
    from probe import catalogue

    seen = whole.survey
    typer.echo(str(whole.table))
    rows, domains = counted(seen.rows, "row"), counted(seen.domains, "domain")
    typer.echo(f"{rows}, {counted(seen.logins, 'login')} to try, {domains}")
    if seen.doubles:
        typer.echo(_doubled(seen))
    for line, problem in seen.wrong[:20]:
        typer.echo(f"  line {line}: {problem}")
    if seen.wrong_rows > 20:
        typer.echo(f"  and {counted(seen.wrong_rows - 20, 'more row')} that cannot be read")
    longest = 0.0
    typer.echo(f"  {'server':<40} {'rows':>8}  at once  a minute")
    for host, count in seen.servers.most_common(40):
        known = catalogue.provider_of_host(host) if host else None
        at_once = min(options.per_host or (known.at_once if known else 5), options.brake, options.at_once)
        a_minute = known.per_minute if known else 0
        span = max(count * _ROUGHLY / at_once, 60 * count / a_minute if a_minute else 0.0)
        longest = max(longest, span)
        name = host or "(found by MX or SRV record)"
        typer.echo(f"  {name[:40]:<40} {count:>8}  {at_once:>7}  {a_minute or '-':>8}")
    if len(seen.servers) > 40:
        typer.echo(f"  and {counted(len(seen.servers) - 40, 'more server')}")
    total = max(longest, seen.logins * _ROUGHLY / options.at_once)
    typer.echo(
        f"about {counted(max(1, round(total / 60)), 'minute')} at {_ROUGHLY:g} s a login; nothing was sent"
    )
