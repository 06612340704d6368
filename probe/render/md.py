"""Markdown for tickets and pull requests: counts, the causes with their fix, then what is not ok.

Words of peers stand in code spans and fences only, longer than any run of backticks in them; prose is
escaped, so that no reply becomes a link, an image, a heading, a mention or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from probe.facts import counted
from probe.render import Style, printable
from probe.render._gist import (
    Group,
    beyond,
    counted_by_kind,
    groups,
    line,
    listed,
    nothing,
    quoted,
    single,
    sorted_findings,
    whole,
)
from probe.rules import Finding, Report, Verdict

EXTENSIONS = (".md", ".markdown")
_MOST_NAMED = 10  # subjects of a cause, and
_MOST_TOLD = 50  # subjects told in full where there are many; -v tells all
_ACTIVE = re.compile(r"[\\`*_\[\]<>|~$&]|^[#+=-]|(?<=^[0-9])[.)]|(?<=\bwww)\.|:(?=//)")
_MENTION = re.compile(r"(?<![\w.`])@[\w-]+")
_TICKS = re.compile("`+")


def render(reports: Iterable[Report], style: Style) -> Iterator[str]:
    """One document; a heading a subject."""
    held = list(reports)
    ones, many = single(held), whole(held)
    if len(held) != 1:
        yield from _summary(ones, many, held, style)
    shown = ones if len(ones) == 1 else _worth_telling(ones)
    told = shown if style.verbose else shown[:_MOST_TOLD]
    for report in told:
        yield from _report(report, style, level=1 if len(held) == 1 else 3)
    if len(shown) > len(told):
        yield f"\n{counted(len(shown) - len(told), 'more report')} not ok.\n"


def _worth_telling(reports: list[Report]) -> list[Report]:
    """The reports with something to mend, worst first."""
    found = [report for report in reports if report.verdict.rank >= Verdict.WARN.rank]
    return sorted(found, key=lambda report: -report.verdict.rank)


def _summary(ones: list[Report], many: list[Report], held: list[Report], style: Style) -> Iterator[str]:
    name = many[0].subject if many else "probe"
    yield f"# {_prose(name)}: {counted_by_kind(ones) or nothing(style)}\n"
    for report, findings in beyond(held):
        yield from (_told_of_many(report, finding) for finding in findings[:_MOST_NAMED])
    told = groups(held)
    if told:
        yield "\n## Causes\n\n| verdict | how many | where | what | fix |\n|---|---|---|---|---|\n"
        yield from (_row(group) for group in told)
    if ones:
        yield "\n## All\n\n| verdict | subject | outcome | finding |\n|---|---|---|---|\n"
        for report in sorted(ones, key=lambda report: -report.verdict.rank):
            finding = next(iter(sorted_findings(report)), None)
            what = f"{_prose(finding.rule.title)} {_cell(finding.rule.id)}" if finding else ""
            yield f"| {report.verdict} | {_cell(report.subject)} | {report.outcome or ''} | {what} |\n"
    if _worth_telling(ones):
        yield "\n## Not ok\n"


def _told_of_many(report: Report, finding: Finding) -> str:
    """A line on the whole: ``unknown: The run was stopped before its end``."""
    rule = finding.rule
    name, detail = _code(report.subject), f": {_prose(listed(finding.detail))}" if finding.detail else ""
    what = f"**{finding.verdict}: {_prose(rule.title)}** {_code(rule.id)} ({name}{detail})"
    return f"\n{what}. {_prose(finding.remedy)}\n"


def _row(group: Group) -> str:
    first = dict(islice(group.named.items(), _MOST_NAMED))
    named = ", ".join(f"{_cell(name)}{f' ({times} times)' * (times > 1)}" for name, times in first.items())
    where = f"{_prose(group.about)}: " if group.about and group.about not in first else ""
    left = group.count - sum(first.values())
    more = f", and {left} more" if left > 0 else ""
    what = f"{_prose(group.title)} {_cell(group.id)}"
    return f"| {group.verdict} | {group.count} | {where}{named}{more} | {what} | {_prose(group.fix)} |\n"


def _report(report: Report, style: Style, level: int) -> Iterator[str]:
    before = "" if level == 1 else "\n"
    yield f"{before}{'#' * level} {report.verdict}: {_code(report.subject)}\n"
    facts = [f"from {value}" if name == "from" else value for name, value in report.facts.items()]
    about = [str(report.outcome)] * (report.outcome is not None) + [line(value) for value in facts]
    if about:
        yield f"\n{_prose(' · '.join(about))}\n"
    if report.states:
        yield "\n| area | state |\n|---|---|\n"
        yield from (f"| {_prose(area)} | {_prose(state)} |\n" for area, state in report.states.items())
    for finding in sorted_findings(report):
        yield from _finding(finding)
    if style.verbose and report.transcript is not None:
        yield f"\n{_fence(str(report.transcript))}\n"


def _finding(finding: Finding) -> Iterator[str]:
    rule = finding.rule
    yield f"\n**{finding.verdict}: {_prose(rule.title)}** {_code(rule.id)}\n"
    if words := quoted(finding):
        yield f"\n{_fence(words)}\n"
    yield f"\n{_prose(rule.meaning)}\n\n"
    parts = {"Detail": finding.detail, "Fix": finding.remedy, "Don't": rule.dont}
    for name, text in parts.items():
        if "\n" in text:  # a record to paste
            first, _, rest = text.partition("\n")
            yield f"- **{name}**: {_prose(first)}\n\n{_fence(rest)}\n\n"
        elif text:
            yield f"- **{name}**: {_prose(text)}\n"
    yield f"- **Source**: {_link(rule.source.url)}, read {_prose(rule.source.read)}\n"


# -- escaping -------------------------------------------------------------------------------------


def _prose(text: str) -> str:
    """Text in which no character means anything; a backslash before punctuation stays unseen."""
    return _MENTION.sub(r"`\g<0>`", _ACTIVE.sub(r"\\\g<0>", line(text)))


def _code(text: str) -> str:
    """Text in a code span, verbatim (CommonMark section 6.1)."""
    shown = line(text) or " "
    ticks = "`" * (1 + max(map(len, _TICKS.findall(shown)), default=0))
    return f"{ticks} {shown} {ticks}" if "`" in shown else f"{ticks}{shown}{ticks}"


def _cell(text: str) -> str:
    """A code span in a table, where a bar ends the cell even inside it (GFM section 4.10)."""
    return _code(text).replace("|", r"\|")


def _fence(text: str) -> str:
    """Text in a code block, verbatim, its line ends kept."""
    shown = printable(text).strip("\n")
    ticks = "`" * max(3, 1 + max(map(len, _TICKS.findall(shown)), default=0))
    return f"{ticks}text\n{shown}\n{ticks}"


def _link(url: str) -> str:
    """An address to follow if it can only be that."""
    return f"<{url}>" if re.fullmatch(r"https://[A-Za-z0-9._~/?#&=%:-]+", url) else _code(url)
