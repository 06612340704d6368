"""A line for Nagios, Icinga and their kin: state, what is wrong, performance data.

Asked for with ``-f nagios``, the exit code is a plugin's too: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
(monitoring-plugins development guidelines).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from probe.facts import counted, shortened
from probe.render import Style
from probe.render._gist import beyond, by_verdict, line, nothing, numbered, single
from probe.rules import Report, Verdict, worst

EXTENSIONS: tuple[str, ...] = ()  # a plugin's line goes to stdout
_STATES = {
    Verdict.OK: (0, "OK"),
    Verdict.NOTE: (0, "OK"),
    Verdict.WARN: (1, "WARNING"),
    Verdict.WAIT: (1, "WARNING"),
    Verdict.UNKNOWN: (3, "UNKNOWN"),
    Verdict.FAIL: (2, "CRITICAL"),
}
_MOST_CAUSES = 5
_MOST_STEPS = 15
_LONGEST = 300  # characters before the performance data
# The bar begins the performance data; the others may be macros, or words of a shell behind a notification.
_UNWANTED = re.compile(r"""[|`$&<>'"\\]""")


def render(reports: Iterable[Report], style: Style) -> Iterator[str]:
    """One line, whatever the number of reports."""
    everything = list(reports)
    held = single(everything)
    _, state = _STATES[worst(report.verdict for report in everything)]
    told = _short("; ".join([*_whole(everything), _told(held, style)]))
    yield f"PROBE {state} - {told} | {' '.join(_performance(held))}\n"


def unasked(reason: str) -> str:
    """The line of a check that could not be made."""
    return f"PROBE UNKNOWN - {_short(reason.removeprefix('probe: '))}\n"


def _short(words: str) -> str:
    return shortened(_UNWANTED.sub("", line(words)), _LONGEST)


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """The exit code that a monitoring system reads."""
    return _STATES[worst(verdicts)][0]


def _whole(reports: list[Report]) -> Iterator[str]:
    """What stands in no report on one subject: that the run was stopped."""
    for report, (finding, *_) in beyond(reports):
        yield f"{report.subject}: {finding.rule.title} ({finding.rule.id})"


def _told(reports: list[Report], style: Style) -> str:
    if not reports:
        return nothing(style)
    if len(reports) == 1:
        finding = reports[0].decisive
        said = f"{finding.rule.title} ({finding.rule.id})" if finding else str(reports[0].outcome or "ok")
        return f"{reports[0].subject}: {said}"
    found = [
        finding
        for report in reports
        if (finding := report.decisive) and finding.verdict.rank >= Verdict.WARN.rank
    ]
    causes = Counter((finding.verdict, finding.rule.id) for finding in found)
    ranked = sorted(
        causes, key=lambda cause: (-cause[0].rank, -causes[cause])
    )  # what makes the state comes first
    told = [f"{causes[cause]} {cause[1]}" for cause in ranked[:_MOST_CAUSES]]
    more = len(causes) - len(told)
    tail = [counted(more, "more cause")] if more else []
    return f"{numbered(by_verdict(reports))}{': ' if told else ''}{', '.join([*told, *tail])}"


def _performance(reports: list[Report]) -> Iterator[str]:
    for verdict, count in reversed(by_verdict(reports).items()):
        yield f"{verdict}={count};;;0;{len(reports)}"
    if len(reports) == 1:
        for step, seconds in islice(reports[0].timings.items(), _MOST_STEPS):
            yield f"{re.sub('[^a-z0-9_-]', '_', step)[:20]}={seconds:.4f}s;;;0"
