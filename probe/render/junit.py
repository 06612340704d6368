"""JUnit XML for CI: a suite a kind, a test case a subject, and one for a list that tells more than they do.

*fail* is a failure, *wait* and *unknown* are errors (the test could not be carried out), the rest passes.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator

from probe.render import Style, printable
from probe.render._gist import beyond, quoted, single
from probe.rules import Finding, Report, Verdict

EXTENSIONS = (".xml",)
_ELEMENTS = {Verdict.FAIL: "failure", Verdict.UNKNOWN: "error", Verdict.WAIT: "error"}


def render(reports: Iterable[Report], _style: Style) -> Iterator[str]:
    """The whole document; suites in the order their kinds came."""
    held = list(reports)
    suites: dict[str, list[Report]] = {}
    for report in (*single(held), *(whole for whole, _ in beyond(held))):
        suites.setdefault(report.kind, []).append(report)
    everything = [report for suite in suites.values() for report in suite]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites{_attributes(name='probe', **_totals(everything))}>\n"
    for kind, suite in suites.items():
        yield f"  <testsuite{_attributes(name=f'probe {kind}', **_totals(suite))}>\n"
        for name, report in _named(suite):
            yield _case(name, report)
        yield "  </testsuite>\n"
    yield "</testsuites>\n"


def _totals(suite: list[Report]) -> dict[str, str]:
    ended = [_ELEMENTS.get(report.verdict) for report in suite]
    return {
        "tests": str(len(suite)),
        "failures": str(ended.count("failure")),
        "errors": str(ended.count("error")),
        "skipped": "0",
        "time": _seconds(sum(sum(report.timings.values()) for report in suite)),
    }


def _named(suite: list[Report]) -> Iterator[tuple[str, Report]]:
    """The reports, each with a name of its own: of two cases of one name some readers show the last alone."""
    met: Counter[str] = Counter()
    for report in suite:
        met[report.subject] += 1
        again = met[report.subject]
        yield report.subject if again == 1 else f"{report.subject} ({again})", report


def _case(name: str, report: Report) -> str:
    """One subject: what decides it as failure or error, everything below as output."""
    time = _seconds(sum(report.timings.values()))
    head = _attributes(classname=f"probe.{report.kind}", name=name, time=time)
    finding = report.decisive
    element = _ELEMENTS.get(report.verdict)
    inside = []
    if element and finding is not None:
        rule = finding.rule
        told = _attributes(message=f"{rule.title} ({rule.id})", type=rule.cause.value)
        inside.append(f"      <{element}{told}>{_text(_told(finding))}</{element}>\n")
    others = [other for other in report.findings if not (element and other is finding)]
    if others:
        lines = "\n".join(f"{other.verdict} {other.rule.id}: {other.rule.title}" for other in others)
        inside.append(f"      <system-out>{_text(lines)}</system-out>\n")
    if not inside:
        return f"    <testcase{head}/>\n"
    return f"    <testcase{head}>\n{''.join(inside)}    </testcase>\n"


def _told(finding: Finding) -> str:
    rule = finding.rule
    parts = {
        "": quoted(finding),
        "Meaning": rule.meaning,
        "Detail": finding.detail,
        "Fix": finding.remedy,
        "Don't": rule.dont,
        "Source": str(rule.source),
    }
    return "\n".join(f"{name}: {text}" if name else text for name, text in parts.items() if text)


def _attributes(**values: str) -> str:
    """Attributes, escaped; a line end becomes a reference: a parser turns a bare one into a space."""
    escaped = ((name, _text(value).replace("\n", "&#10;")) for name, value in values.items())
    return "".join(f' {name}="{value}"' for name, value in escaped)


def _text(text: str) -> str:
    """Text for XML 1.0, which knows no control characters at all, not even escaped."""
    return html.escape(printable(text))


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
