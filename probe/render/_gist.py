"""What several formats tell: the finding that decides, the counts, the causes and their one fix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from probe.facts import counted
from probe.render import Style, printable
from probe.rules import Finding, Report, Verdict, worst

__all__ = [
    "AGGREGATES",
    "CONCLUSIONS",
    "GLANCE",
    "KINDS",
    "WORST_FIRST",
    "Group",
    "alike",
    "beyond",
    "by_kind",
    "by_provider",
    "by_verdict",
    "counted_by_kind",
    "groups",
    "line",
    "listed",
    "nothing",
    "numbered",
    "quoted",
    "single",
    "sorted_findings",
    "tallied",
    "whole",
]

AGGREGATES = frozenset({"fleet", "pile"})  # kinds that tell of many subjects, beside the subjects' own
CONCLUSIONS = frozenset({"preflight/go", "preflight/no-go", "preflight/not-all-known"})  # of a whole list
KINDS: Mapping[str, tuple[str, str]] = {
    "creds": ("inbox", "inboxes"),
    "dns": ("domain", "domains"),
    "rcpt": ("recipient", "recipients"),
    "reply": ("reply", "replies"),
}
WORST_FIRST = tuple(sorted(Verdict, key=lambda verdict: -verdict.rank))
# What a run comes to, for somebody who has to decide whether to launch.
GLANCE: Mapping[Verdict, str] = {
    Verdict.FAIL: "no go",
    Verdict.UNKNOWN: "could not tell",
    Verdict.WAIT: "not yet",
    Verdict.WARN: "go, with warnings",
    Verdict.NOTE: "go",
    Verdict.OK: "go",
}
_NEXT_LINE = re.compile(r"(?<=[^\s:;,.])\n")


def single(reports: Iterable[Report]) -> list[Report]:
    """The reports of one subject each; where there are none, the ones that tell of many."""
    held = list(reports)
    return [report for report in held if report.kind not in AGGREGATES] or held


def whole(reports: Iterable[Report]) -> list[Report]:
    """The reports that tell of many subjects."""
    return [report for report in reports if report.kind in AGGREGATES]


def beyond(reports: Iterable[Report]) -> list[tuple[Report, list[Finding]]]:
    """The reports on many subjects that tell more than the subjects' own do, each with what it tells.

    That a run was stopped stands in none of the reports it did make. A report that is worse than all of them
    counts too, whatever made it so.
    """
    held = list(reports)
    ones = [report for report in held if report.kind not in AGGREGATES]
    if not ones:
        return []
    known = CONCLUSIONS | {finding.rule.id for report in ones for finding in report.findings}
    reached = worst(report.verdict for report in ones)
    told = []
    for report in whole(held):
        own = [finding for finding in sorted_findings(report) if finding.rule.id not in known]
        own = [finding for finding in own if finding.verdict.rank >= Verdict.WARN.rank]
        if report.verdict.rank > reached.rank:
            own = own or sorted_findings(report)[:1]
        if own:
            told.append((report, own))
    return told


def sorted_findings(report: Report) -> list[Finding]:
    """The findings, worst first; equals in the order they were made."""
    return sorted(report.findings, key=lambda finding: -finding.verdict.rank)


def quoted(finding: Finding) -> str:
    """The fact that met the rule, as one would quote it: the server's words, the record, the question."""
    evidence = finding.evidence
    if words := evidence.get("reply") or evidence.get("record"):
        return words
    if "ending" in evidence:
        return ": ".join(filter(None, (evidence["ending"], evidence.get("detail", ""))))
    return " ".join(filter(None, (evidence.get(name, "") for name in ("question", "status", "server"))))


def line(text: str) -> str:
    """The text on one line, with nothing in it that could move a cursor."""
    return " ".join(printable(text).split())


def listed(text: str) -> str:
    """The lines of a text on one, kept apart: ``3 of 7 inboxes; 1 inbox: ...``."""
    return _NEXT_LINE.sub("; ", text)


def nothing(style: Style) -> str:
    """What no report at all means."""
    return "nothing changed" if style.compared else "nothing probed"


def by_verdict(reports: Iterable[Report]) -> dict[Verdict, int]:
    """How many reports have each verdict, worst first, zeros included."""
    counts = Counter(report.verdict for report in reports)
    return {verdict: counts[verdict] for verdict in WORST_FIRST}


def by_provider(report: Report) -> dict[str, dict[Verdict, int]]:
    """The verdicts by provider of a list's report; empty where it has none. The JSON may be anybody's."""
    told = report.evaluations.get("providers")
    rows = told.items() if isinstance(told, Mapping) else ()
    return {
        line(str(name)): {verdict: _count(row.get(str(verdict))) for verdict in WORST_FIRST}
        for name, row in rows
        if isinstance(row, Mapping)
    }


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def by_kind(reports: Iterable[Report]) -> dict[str, list[Report]]:
    """The reports by kind: inboxes, domains, recipients, replies, then what else there is."""
    held: dict[str, list[Report]] = {kind: [] for kind in KINDS}
    for report in reports:
        held.setdefault(report.kind, []).append(report)
    return {kind: several for kind, several in held.items() if several}


def counted_by_kind(reports: Iterable[Report]) -> str:
    """The counts of each kind in words: ``3 inboxes: 1 fail, 2 ok; 1 domain: 1 warn``; empty of none."""
    return tallied(Counter((report.kind, report.verdict) for report in reports))


def tallied(counts: Mapping[tuple[str, Verdict], int]) -> str:
    """The counts of kinds and verdicts in the words of `counted_by_kind`."""
    parts = []
    for kind in dict.fromkeys((*KINDS, *(kind for kind, _ in counts))):
        own = {verdict: counts.get((kind, verdict), 0) for verdict in WORST_FIRST}
        if total := sum(own.values()):
            parts.append(f"{counted(total, *KINDS.get(kind, (kind, kind)))}: {numbered(own)}")
    return "; ".join(parts)


def numbered(counts: Mapping[Verdict, int]) -> str:
    """The counts in words, worst first: ``3 fail, 1 unknown, 12 ok``."""
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


# -- many failures, few causes ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """One cause of several verdicts and its one fix.

    `scope` and `name` are the smallest thing that covers the subjects (tenant ``contoso``, domain
    ``acme.example``), empty where nothing narrower than the run does. `count` is that of the reports;
    `subjects` names the first of them; a subject with two reports is named twice.
    """

    id: str
    verdict: Verdict
    title: str
    fix: str
    subjects: tuple[str, ...]
    count: int
    scope: str = ""
    name: str = ""
    dont: str = ""

    @property
    def about(self) -> str:
        """Whom it covers: ``tenant contoso``; empty where each subject stands for itself."""
        if self.scope == "inbox":
            return self.name
        return " ".join(filter(None, (self.scope, self.name)))

    @property
    def named(self) -> Mapping[str, int]:
        """The subjects, each once, and how many reports name it."""
        return Counter(self.subjects)


def groups(reports: Iterable[Report]) -> list[Group]:
    """The causes of everything from *warn* up, worst and largest first.

    A fleet report brings its own, with scopes; without one, findings of one rule and one fix are a group.
    """
    held = list(reports)
    for report in held:
        told = report.evaluations.get("groups")
        if report.kind == "fleet" and isinstance(told, list):
            dont = {finding.rule.id: finding.rule.dont for one in held for finding in one.findings}
            return [_group(one, dont) for one in told if isinstance(one, Mapping)]
    found: dict[tuple[str, str], list[tuple[Finding, str]]] = {}
    for report in single(held):
        # A report counts once, at however many names it met the rule.
        own: dict[tuple[str, str], Finding] = {}
        for finding in report.findings:
            if finding.verdict.rank >= Verdict.WARN.rank and finding.rule.id not in CONCLUSIONS:
                own.setdefault((finding.rule.id, finding.remedy), finding)
        for key, finding in own.items():
            found.setdefault(key, []).append((finding, report.subject))
    made = [_from_findings(several) for several in found.values()]
    return sorted(made, key=lambda group: (-group.verdict.rank, -group.count, group.id))


def alike(told: Iterable[Group]) -> list[list[Group]]:
    """The groups of one problem with one fix together: it is told once, with the places where it stands."""
    held: dict[tuple[str, str, Verdict], list[Group]] = {}
    for group in told:
        held.setdefault((group.id, group.fix, group.verdict), []).append(group)
    return list(held.values())


def _from_findings(several: list[tuple[Finding, str]]) -> Group:
    finding = several[0][0]
    subjects = tuple(subject for _, subject in several)
    rule = finding.rule
    return Group(
        rule.id,
        rule.verdict,
        rule.title,
        finding.remedy,
        subjects,
        len(subjects),
        dont=rule.dont,
    )


def _group(told: Mapping[str, Any], dont: Mapping[str, str]) -> Group:
    """A group as a fleet report has it; the JSON may be anybody's, so every field is looked at."""
    listed = told.get("subjects")
    subjects = tuple(str(one) for one in listed) if isinstance(listed, list) else ()
    count = told.get("count")
    words = {
        name: value if isinstance(value := told.get(name), str) else ""
        for name in ("id", "title", "fix", "scope", "name")
    }
    verdict = told.get("verdict")
    known = isinstance(verdict, str) and verdict in set(Verdict)
    return Group(
        **words,
        verdict=Verdict(str(verdict)) if known else Verdict.UNKNOWN,
        subjects=subjects,
        count=count if isinstance(count, int) else len(subjects),
        dont=dont.get(words["id"], ""),
    )
