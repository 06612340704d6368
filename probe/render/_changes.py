"""Two runs compared: what is new, changed or fixed, as reports again, so that every format tells it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from probe.facts import counted
from probe.render._gist import AGGREGATES, CONCLUSIONS
from probe.rules import Finding, Report, State, Verdict

__all__ = ["Changes"]


@dataclass(slots=True)
class Changes:
    """What a later run shows against an earlier one; counts are complete when `of` is exhausted.

    A finding that is gone is *fixed* only if the later run could tell: where the area is unknown now, or
    the session did not come to an end, it is *unsettled*. Findings below *warn* do not count as changes.
    """

    before: Iterable[Report]
    new: int = 0
    changed: int = 0
    fixed: int = 0
    unsettled: int = 0
    same: int = 0
    left_out: int = 0
    _known: dict[_Subject, Report] = field(init=False)

    def __post_init__(self) -> None:
        key = _numbered()
        self._known = {key(one): one for one in self.before if one.kind not in AGGREGATES}

    def of(self, after: Iterable[Report]) -> Iterator[Report]:
        """The reports that differ, each with its new and changed findings only.

        The fact ``change`` tells all in words, the evaluation of that name for machines. `left_out` counts
        the subjects that only the earlier run had. That the later run of a list was stopped is told too.
        """
        left, key = dict(self._known), _numbered()
        for report in after:
            if report.kind in AGGREGATES:
                yield from _stopped(report)
                continue
            was = left.pop(key(report), None)
            told = self._told(was or replace(report, findings=()), report, known=was is not None)
            if told is None:
                self.same += 1
            else:
                yield told
        self.left_out = len(left)

    def _told(self, was: Report, now: Report, *, known: bool) -> Report | None:
        earlier, later = _findings(was), _findings(now)
        new = [finding for key, finding in later.items() if key not in earlier]
        changed = [
            finding for key, finding in later.items() if key in earlier and _differ(earlier[key], finding)
        ]
        gone = [finding for key, finding in earlier.items() if key not in later]
        fixed = [finding for finding in gone if _settled(finding, now)]
        unsettled = [finding for finding in gone if not _settled(finding, now)]
        words = {"new": new, "changed": changed, "fixed": fixed, "unsettled": unsettled}
        if not (new or changed or fixed):
            self.unsettled += len(unsettled)
            return None
        self.new += len(new)
        self.changed += len(changed)
        self.fixed += len(fixed)
        self.unsettled += len(unsettled)
        told = {word: [finding.rule.id for finding in several] for word, several in words.items() if several}
        history = f"was {was.verdict}, is {now.verdict}" if known else f"first probed, is {now.verdict}"
        sentence = "; ".join([history, *(f"{word} {', '.join(ids)}" for word, ids in told.items())])
        return replace(
            now,
            findings=(*new, *changed),
            states=dict(_moved(was, now)),
            facts={"change": sentence, **now.facts},
            evaluations={
                **now.evaluations,
                "change": {**told, "was": str(was.verdict) if known else None, "is": str(now.verdict)},
            },
        )

    def __str__(self) -> str:
        counts = {"new": self.new, "changed": self.changed, "fixed": self.fixed, "unsettled": self.unsettled}
        told = [f"{count} {word}" for word, count in counts.items() if count] or ["nothing changed"]
        told.append(f"{counted(self.same, 'subject')} as before")
        if self.left_out:
            told.append(f"{self.left_out} in the earlier run only")
        return ", ".join(told)


def _stopped(later: Report) -> Iterator[Report]:
    """What a list's report tells of how its run ended; its counts and causes are those of its subjects."""
    own = tuple(finding for finding in later.findings if finding.rule.id not in CONCLUSIONS)
    if later.kind == "fleet" and own:
        yield replace(later, findings=own, evaluations={})


_Subject = tuple[str, str, int]


def _numbered() -> Callable[[Report], _Subject]:
    """What names a report in its run: kind, subject, and which one of that name it is.

    A list may hold an inbox twice, and a log the same reply many times.
    """
    met: Counter[tuple[str, str]] = Counter()

    def key(report: Report) -> _Subject:
        met[report.kind, report.subject] += 1
        return report.kind, report.subject, met[report.kind, report.subject]

    return key


def _findings(report: Report) -> dict[tuple[str, str], Finding]:
    """What counts, by rule and by the question it was met at (a rule can be met at several addresses)."""
    return {
        (finding.rule.id, finding.evidence.get("question", "")): finding
        for finding in report.findings
        if finding.verdict.rank >= Verdict.WARN.rank
    }


def _differ(was: Finding, now: Finding) -> bool:
    """Whether it is another problem now. A reply's words may hold a time or a queue id: they do not count."""
    return (
        was.verdict is not now.verdict
        or was.rule.cause is not now.rule.cause
        or was.remedy != now.remedy
        or was.evidence.get("record") != now.evidence.get("record")
    )


def _settled(gone: Finding, now: Report) -> bool:
    """Whether the later run could have seen it."""
    state = now.states.get(gone.rule.id.partition("/")[0])
    if state is not None:
        return state is not State.UNKNOWN
    return not any(finding.verdict in {Verdict.UNKNOWN, Verdict.WAIT} for finding in now.findings)


def _moved(was: Report, now: Report) -> Iterator[tuple[str, State]]:
    return ((area, state) for area, state in now.states.items() if was.states.get(area) is not state)
