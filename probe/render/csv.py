"""CSV for spreadsheets (RFC 4180): a row a report, every cell on one line, no cell a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from probe.render import Style
from probe.render._gist import line, listed, quoted
from probe.rules import Report

EXTENSIONS = (".csv",)
COLUMNS = (
    "subject",
    "kind",
    "verdict",
    "outcome",
    "cause",
    "priority",
    "retry",
    "finding",
    "title",
    "detail",
    "fix",
    "dont",
    "stage",
    "evidence",
    "other_findings",
    "provider",
    "server",
    "states",
    "source",
)
# A cell that begins like this is computed by a spreadsheet; so is what follows a semicolon where the
# spreadsheet takes semicolons for separators. The wide forms are taken for the narrow ones.
_FORMULA = re.compile("(^|;)(?=[ ]*[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def render(reports: Iterable[Report], _style: Style) -> Iterator[str]:
    """A header, then a row a report: its verdict, the finding that decides it, and what to do."""
    yield _row(COLUMNS)
    for report in reports:
        yield _row([inert(cell) for cell in _cells(report)])


def inert(cell: str) -> str:
    """The cell on one line; where it would be a formula, an apostrophe makes it text."""
    return _FORMULA.sub(r"\1'", line(cell))


def _cells(report: Report) -> Iterator[str]:
    finding = report.decisive
    yield report.subject
    yield report.kind
    yield str(report.verdict)
    yield str(report.outcome or "")
    if finding is None:
        yield from [""] * 10
    else:
        rule = finding.rule
        yield rule.cause.value
        yield str(rule.answer("priority"))
        yield str(rule.answer("retry"))
        yield rule.id
        yield rule.title
        yield listed(finding.detail)
        yield finding.remedy
        yield rule.dont
        yield finding.evidence.get("stage", "")
        yield quoted(finding)
    yield " ".join(other.rule.id for other in report.findings if other is not finding)
    yield report.facts.get("provider", "")
    yield report.facts.get("server", "")
    yield " ".join(f"{area}={state}" for area, state in report.states.items())
    yield finding.rule.source.url if finding else ""


def _row(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue()
