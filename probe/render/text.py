"""Text for people: what was done, the verdict, the server's own words, what to do and what not to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from probe.facts import Certificate, Fault, Reply, Stage, Tls, Transcript, Turn
from probe.render import Style, printable
from probe.rules import Finding, Report, State, Verdict

EXTENSIONS = (".txt",)

_COLOURS = {
    Verdict.OK: "32",
    Verdict.NOTE: "36",
    Verdict.WARN: "33",
    Verdict.WAIT: "33",
    Verdict.UNKNOWN: "35",
    Verdict.FAIL: "1;31",
}
_STATES = {
    State.VALID: Verdict.OK,
    State.WARN: Verdict.WARN,
    State.MISSING: Verdict.FAIL,
    State.INVALID: Verdict.FAIL,
    State.UNKNOWN: Verdict.UNKNOWN,
    State.NOT_APPLICABLE: Verdict.NOTE,
}
_MOST_LINES = 6  # of one reply in the summary; -v shows all
_LONGEST = 200  # characters of a line in the summary


def render(reports: Iterable[Report], style: Style) -> Iterator[str]:
    """A block a report, a blank line between blocks."""
    for index, report in enumerate(reports):
        block = "\n".join(_report(report, style))
        yield ("\n" if index else "") + (block if style.colour else printable(block)) + "\n"


def _report(report: Report, style: Style) -> Iterator[str]:
    yield from _heading(report, style)
    if report.transcript is not None and report.transcript.turns:
        yield ""
        yield from _steps(report.transcript, style)
    if report.states:
        yield ""
        for area, state in report.states.items():
            yield f"  {_word(_STATES[state], style, str(state))} {area}"
    for finding in sorted(report.findings, key=lambda one: -one.verdict.rank):
        yield ""
        yield from _finding(finding, report, style)
    if not report.findings:
        yield ""
        outcome = f"   {report.outcome}" if report.outcome is not None else ""
        yield f"{_word(Verdict.OK, style)} nothing to mend{outcome}"
    if style.verbose and report.transcript is not None:
        yield ""
        yield from (f"  {line}" for line in str(report.transcript).split("\n"))


def _heading(report: Report, style: Style) -> Iterator[str]:
    facts = [f"from {value}" if key == "from" else value for key, value in report.facts.items()]
    head = printable(report.subject)
    yield "   ".join([f"\x1b[1m{head}\x1b[0m" if style.colour else head, *map(printable, facts)])


def _word(verdict: Verdict, style: Style, word: str = "") -> str:
    shown = (word or (str(verdict).upper() if verdict is Verdict.FAIL else str(verdict))).ljust(7)
    return f"\x1b[{_COLOURS[verdict]}m{shown}\x1b[0m" if style.colour else shown


# -- the session, a line a step -----------------------------------------------------------------------


def _steps(session: Transcript, style: Style) -> Iterator[str]:
    for turn in session:
        if turn.stage is Stage.QUIT or (isinstance(turn.heard, Reply) and turn.heard.code == 334):
            continue
        took = f"{1000 * turn.took:.0f} ms" if turn.took >= 0.001 else ""
        what = printable(_shortened(_told(turn, session), style.width - 30))
        yield f"  {_word(_step_verdict(turn), style)} {turn.stage:<10} {what}{'  ' + took if took else ''}"


def _step_verdict(turn: Turn) -> Verdict:
    if isinstance(turn.heard, Fault):
        return Verdict.UNKNOWN
    if turn.heard is None or turn.heard.code < 400:
        return Verdict.OK
    return Verdict.WAIT if turn.heard.code < 500 else Verdict.FAIL


def _told(turn: Turn, session: Transcript) -> str:
    if isinstance(turn.heard, Fault):
        return str(turn.heard)
    if turn.stage is Stage.CONNECT:
        return session.peer
    if turn.heard is None:
        return _tls(session.tls) if session.tls is not None else ""
    if turn.stage is Stage.EHLO and turn.heard.accepted:
        offers = [line[4:] for line in turn.heard.lines[1:]]
        first = [line for line in offers if line.upper().startswith(("AUTH", "STARTTLS"))]
        return ", ".join([*first, *(line for line in offers if line not in first)])
    return " ".join(turn.heard.lines)


def _tls(tls: Tls) -> str:
    return f"{tls.version} {tls.cipher}{', ' + _leaf(tls.certificate) if tls.certificate else ''}"


def _leaf(leaf: Certificate) -> str:
    name = leaf.names[0] if leaf.names else leaf.subject
    return f"certificate {name} by {leaf.issuer}, until {leaf.not_after[:10]}"


def _shortened(text: str, width: int) -> str:
    width = max(40, width)
    return text if len(text) <= width else text[: width - 3] + "..."


# -- findings -------------------------------------------------------------------------------------


def _finding(finding: Finding, report: Report, style: Style) -> Iterator[str]:
    rule = finding.rule
    outcome = f"   {report.outcome}" if report.outcome is not None else ""
    yield f"{_word(finding.verdict, style)} {rule.id}{outcome}"
    yield from _wrapped(rule.title + ("" if rule.title.endswith((".", "?")) else "."), style)
    yield from _quoted(finding, style)
    yield from _wrapped(rule.meaning, style)
    if finding.detail:
        yield from _labelled("Detail", finding.detail, style)
    yield from _labelled("Fix", finding.fix or rule.fix, style)
    if rule.dont:
        yield from _labelled("Don't", rule.dont, style)
    if rule.predicts:
        yield from _labelled("Leads to", "; ".join(rule.predicts), style)
    if finding.alternates:
        yield from _labelled("Or", ", ".join(finding.alternates), style)
    yield from _labelled("Source", str(rule.source), style)


def _quoted(finding: Finding, style: Style) -> Iterator[str]:
    words = finding.evidence.get("reply") or finding.evidence.get("record") or ""
    lines = [_shortened(printable(line), _LONGEST) for line in words.split("\n")] if words else []
    shown = lines if style.verbose else lines[:_MOST_LINES]
    yield from (f"  | {line}" for line in shown)
    if len(lines) > len(shown):
        yield f"  | ... {len(lines) - len(shown)} more lines (-v)"
    if not words and "question" in finding.evidence:
        about = [finding.evidence.get(key, "") for key in ("question", "status", "server")]
        yield f"  | {' '.join(filter(None, map(printable, about)))}"


def _wrapped(text: str, style: Style) -> Iterator[str]:
    for paragraph in printable(text).split("\n"):
        yield from textwrap.wrap(paragraph, style.width - 2, initial_indent="  ", subsequent_indent="  ")


def _labelled(label: str, text: str, style: Style) -> Iterator[str]:
    first, *rest = printable(text).split("\n")
    head = f"  {label:<8} "
    lines = textwrap.wrap(first, style.width, initial_indent=head, subsequent_indent=" " * len(head)) or [
        head
    ]
    yield from lines if not rest else [head + first]  # records to paste keep their line ends
    yield from (" " * len(head) + line for line in rest)
