"""Text for people: what was done, the verdict, the server's own words, what to do and what not to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from probe.render import Style, printable
from probe.render._fleet import concluding, fleet
from probe.render._gist import AGGREGATES, CONCLUSIONS, line, quoted, sorted_findings, tallied
from probe.render._words import bold, dim, headed, labelled, quotation, shortened, verdict_word, wrapped
from probe.rules import Finding, Report, State, Verdict

EXTENSIONS = (".txt",)

_STATES = {
    State.INVALID: Verdict.FAIL,
    State.MISSING: Verdict.FAIL,
    State.UNKNOWN: Verdict.UNKNOWN,
    State.WARN: Verdict.WARN,
    State.VALID: Verdict.OK,
    State.NOT_APPLICABLE: Verdict.NOTE,
}
_OPTIONAL = "not used"  # nothing is published, and nothing is amiss
_SUBJECT = 36  # the column of subjects that are told in a line
_STEP = 21  # what verdict and stage take before the words of a step
_TOOK = 10  # the column of times
_MOST_LINES = 6  # of one reply in the summary; -v shows all
_MANY = 4  # reports that are summed up in the end, where a list has no report of its own
_ALL = 1_000_000
_MOST_REASONS = 10_000  # that are known again


def render(reports: Iterable[Report], style: Style) -> Iterator[str]:
    """A block a report, a blank line between blocks; among several, what is well takes one line (-v: all).

    So does what was not asked for a reason that has been told. A first report that is well is held back
    until it is known whether it is the only one. Many are counted in the end, where the eye is.
    """
    coming = iter(reports)
    first = list(islice(coming, 1))
    if first and _well(first[0]):
        first += islice(coming, 1)
    several, was_brief = len(first) > 1, False
    reasons: set[tuple[str, ...]] = set()
    counts: Counter[tuple[str, Verdict]] = Counter()
    for index, report in enumerate(chain(first, coming)):
        nothing_new = _well(report) or (not style.compared and _told(report, reasons))
        brief = nothing_new and (several or index > 0) and not style.verbose
        block = _brief(report, style) if brief else "\n".join(_report(report, style))
        apart = "\n" if index and not (brief and was_brief) else ""
        yield apart + (block if style.colour else printable(block)) + "\n"
        was_brief = brief
        counts[report.kind, report.verdict] += 1
    if counts.total() >= _MANY and not style.compared and not any(kind in AGGREGATES for kind, _ in counts):
        yield f"\n{line(tallied(counts))}\n"


def _well(report: Report) -> bool:
    return report.verdict.rank < Verdict.WARN.rank and report.kind not in AGGREGATES


def _told(report: Report, reasons: set[tuple[str, ...]]) -> bool:
    """Whether a report of nothing but findings has none that was not told before, word for word."""
    if report.transcript is not None or report.states or report.kind in AGGREGATES:
        return False
    own = {(one.rule.id, one.detail, one.remedy, quoted(one)) for one in report.findings}
    known = own <= reasons
    if len(reasons) < _MOST_REASONS:
        reasons |= own
    return known


def _brief(report: Report, style: Style) -> str:
    """One line: verdict, subject, and of what is worth noting as much as there is room for.

    A reason that finds none stands below.
    """
    noted = [finding.rule.id for finding in sorted_findings(report)]
    facts = [fact.partition(" (")[0] for fact in _facts(report)]
    told = [str(report.outcome or ""), ", ".join(noted), *facts]
    head = f"{shortened(line(report.subject), style.width - 8):<{_SUBJECT}}"
    shown, room = "", style.width - 9 - len(head)
    for word in map(line, filter(None, told)):
        longer = f"{shown}   {word}" if shown else word
        if len(longer) > room:
            break
        shown = longer
    first = f"{head} {dim(shown, style)}" if shown else head.rstrip()
    reason = "" if _well(report) or told[1] in shown else f"\n{' ' * 8}{line(told[1])}"
    return f"{verdict_word(report.verdict, style)} {first}{reason}"


def _report(report: Report, style: Style) -> Iterator[str]:
    yield from _heading(report, style)
    if report.transcript is not None and report.transcript.turns:
        yield ""
        yield from _steps(report, style)
    if report.states:
        yield ""
        yield from _areas(report, style)
    if report.kind == "fleet":
        yield from fleet(report, style)
    sums = [finding for finding in report.findings if finding.rule.id in CONCLUSIONS]
    told = [finding for finding in sorted_findings(report) if finding.rule.id not in CONCLUSIONS]
    notes_apart = report.kind == "dns" and not style.verbose
    for finding in told:
        if _weighs(finding) or not notes_apart:
            yield ""
            yield from _finding(finding, report, style)
    yield from _notes([finding for finding in told if notes_apart and not _weighs(finding)], style)
    if sums or not report.findings:
        yield ""
    yield from concluding(sums, style)
    if not report.findings:
        yield f"{verdict_word(Verdict.OK, style)} nothing to mend{_outcome(report)}"
    if style.verbose and report.transcript is not None:
        yield ""
        yield from (f"  {said}" for said in str(report.transcript).split("\n"))


def _heading(report: Report, style: Style) -> Iterator[str]:
    """The subject and what is worth showing beside it; facts that find no room go to the next line."""
    *above, row = [*wrapped(line(report.subject), style, "", "  ")] or [""]
    yield from (bold(one, style) for one in above)
    row, length = bold(row, style), len(row)
    for fact in map(line, _facts(report)):
        if length + 3 + len(fact) <= style.width:
            row, length = f"{row}   {fact}", length + 3 + len(fact)
        else:
            yield row
            *above, row = [*wrapped(fact, style)] or [""]
            yield from above
            length = len(row)
    yield row


def _facts(report: Report) -> list[str]:
    return [f"from {value}" if name == "from" else value for name, value in report.facts.items()]


def _outcome(report: Report) -> str:
    return f"   {report.outcome}" if report.outcome is not None else ""


def _steps(report: Report, style: Style) -> Iterator[str]:
    """A line a step, and the times in a column where they were measured."""
    from probe.render._session import steps  # noqa: PLC0415 -- not every report has a session

    assert report.transcript is not None
    told = list(steps(report.transcript, report.findings, report.timings))
    timed = any(step.took for step in told)
    room = style.width - _STEP - (_TOOK if timed else 0)
    shown = [shortened(step.what, room) for step in told]
    width = max(map(len, shown), default=0)
    for step, what in zip(told, shown, strict=True):
        took = dim(f"{step.took:>{_TOOK}}", style) if step.took else ""
        text = f"{what:<{width}}{took}" if took else what
        yield f"  {verdict_word(step.verdict, style)} {step.stage:<10} {text}"


def _areas(report: Report, style: Style) -> Iterator[str]:
    """A line a state, worst first, with the areas that have it."""
    words = {state: str(state).replace("_", " ") for state in _STATES}
    held = {state: [area for area, one in report.states.items() if one is state] for state in _STATES}
    width = max(7, *(len(words[state]) for state, areas in held.items() if areas))
    optional = _optional(report)
    width = max(width, len(_OPTIONAL) if optional else 0)
    held[State.MISSING] = [area for area in held[State.MISSING] if area not in optional]
    told = [(_STATES[state], words[state], areas) for state, areas in held.items()]
    for verdict, word, areas in [*told, (Verdict.NOTE, _OPTIONAL, optional)]:
        if areas:
            head = f"  {verdict_word(verdict, style, word, width)} "
            yield from headed(head, line(", ".join(areas)), style, width + 3)


def _optional(report: Report) -> list[str]:
    """The areas where nothing is published, and where that is worth a note at most."""
    told = {finding.rule.id.partition("/")[0] for finding in report.findings}
    needed = {finding.rule.id.partition("/")[0] for finding in report.findings if _weighs(finding)}
    missing = [area for area, state in report.states.items() if state is State.MISSING]
    return [area for area in missing if area in told - needed]


def _weighs(finding: Finding) -> bool:
    return finding.verdict.rank > Verdict.NOTE.rank


def _finding(finding: Finding, report: Report, style: Style) -> Iterator[str]:
    rule = finding.rule
    yield f"{verdict_word(finding.verdict, style)} {line(rule.id)}{_outcome(report)}"
    yield from wrapped(rule.title + ("" if rule.title.endswith((".", "?")) else "."), style)
    yield from _quoted(finding, style)
    yield from wrapped(rule.meaning, style)
    if finding.detail:
        yield from labelled("Detail", finding.detail, style)
    yield from labelled("Fix", finding.remedy, style)
    if rule.dont:
        yield from labelled("Don't", rule.dont, style)
    if rule.predicts:
        yield from labelled("Leads to", "; ".join(rule.predicts), style)
    if finding.alternates:
        yield from labelled("Or", ", ".join(finding.alternates), style)
    yield from labelled("Source", str(rule.source), style)


def _notes(findings: list[Finding], style: Style) -> Iterator[str]:
    """What asks for nothing, a line each."""
    if not findings:
        return
    yield ""
    width = max(len(finding.rule.id) for finding in findings)
    for finding in findings:
        what = shortened(line(finding.rule.title), style.width - width - 11)
        yield f"{verdict_word(finding.verdict, style)} {line(finding.rule.id):<{width}}   {what}"
    yield dim("  -v tells what the notes mean, and what could be done", style)


def _quoted(finding: Finding, style: Style) -> Iterator[str]:
    evidence = finding.evidence
    words = evidence.get("reply") or evidence.get("record") or ""
    if words:
        yield from quotation(words, style, _ALL if style.verbose else _MOST_LINES)
    elif "question" in evidence:
        about = [evidence.get(name, "") for name in ("question", "status", "server")]
        yield from quotation(line(" ".join(filter(None, about))), style, 1)
