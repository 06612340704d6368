"""The report on a whole list as people read it: providers by verdict, causes with their fix, the sum."""

from __future__ import annotations

from collections.abc import Iterator

from probe.facts import counted
from probe.render import Style
from probe.render._gist import Group, alike, by_provider, groups, line
from probe.render._words import bold, headed, labelled, shortened, verdict_word, wrapped
from probe.rules import Finding, Report, Verdict

__all__ = ["concluding", "fleet"]

_MOST_PLACES = 12  # of one cause, and
_MOST_PROVIDERS = 25  # that a terminal can show
_COLUMN = 5  # of counts
_NARROWEST, _WIDEST = 12, 46  # the column of providers


def fleet(report: Report, style: Style) -> Iterator[str]:
    """The lines below the heading; `concluding` comes last, where the eye is."""
    yield from _providers(report, style)
    yield from _causes(report, style)


def concluding(findings: list[Finding], style: Style) -> Iterator[str]:
    """The verdict on the list, and what to do where there is something; the causes have been told above."""
    for finding in findings:
        count = line(finding.detail.partition("\n")[0])
        told = f"{finding.rule.title}{f' ({count})' if count else ''}."
        yield from headed(f"{verdict_word(finding.verdict, style)} ", line(told), style, paint=bold)
        if finding.verdict is not Verdict.OK:
            yield from wrapped(finding.rule.fix, style, " " * 8)


def _providers(report: Report, style: Style) -> Iterator[str]:
    """A row a provider, a column a verdict that occurs."""
    rows = by_provider(report)
    verdicts = [one for one in Verdict if any(row[one] for row in rows.values())]
    if not verdicts:
        return
    columns = {one: max(_COLUMN, len(one)) for one in verdicts}
    taken = 3 + sum(columns.values()) + len(columns) + _COLUMN
    width = min(max(map(len, rows)), max(_NARROWEST, min(_WIDEST, style.width - taken)))
    yield ""
    heads = " ".join(verdict_word(one, style, f"{one:>{room}}", room) for one, room in columns.items())
    yield f"  {'':<{width}} {heads} {'all':>{_COLUMN}}"
    for name, row in list(rows.items())[:_MOST_PROVIDERS]:
        cells = " ".join(f"{row[one] or '.':>{room}}" for one, room in columns.items())
        yield f"  {shortened(name, width, _NARROWEST):<{width}} {cells} {sum(row.values()):>{_COLUMN}}"
    if len(rows) > _MOST_PROVIDERS:
        yield f"  and {len(rows) - _MOST_PROVIDERS} more"


def _causes(report: Report, style: Style) -> Iterator[str]:
    """One cause with one fix, and all its places: ``8 inboxes, tenant contoso.example``."""
    if "groups" not in report.evaluations:  # what a comparison leaves of a list: nothing on its inboxes
        return
    for several in alike(groups([report])):
        first = several[0]
        yield ""
        head = f"{verdict_word(first.verdict, style)} "
        yield from headed(head, f"{line(first.title)}   {line(first.id)}", style)
        for group in several[:_MOST_PLACES]:
            yield from headed(f"  {group.count:>5} ", f"{_inboxes(group.count)}{_place(group)}", style)
        if len(several) > _MOST_PLACES:
            rest = several[_MOST_PLACES:]
            left = sum(group.count for group in rest)
            yield f"  {left:>5} {_inboxes(left)} at {counted(len(rest), 'more place')}"
        if first.fix:
            yield from labelled("Fix", first.fix, style)


def _inboxes(count: int) -> str:
    return "inbox" if count == 1 else "inboxes"


def _place(group: Group) -> str:
    return f", {line(group.about)}" if group.about else ", each on its own" if group.count > 1 else ""
