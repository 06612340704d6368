"""The report on a whole list: how many are ready, the causes they share, and how the run ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from probe import catalogue
from probe.facts import counted
from probe.judge.groups import Group, Seen, groups
from probe.rules import Finding, Report, Rule, Verdict

__all__ = ["Ended", "concluded", "group_as_told"]

_STOPPED = {
    "interrupted": "preflight/stopped",
    "terminated": "preflight/stopped",
    "journal": "preflight/cannot-record",
    "network": "preflight/own-network",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: what it was to do, why it stopped early, which hosts were slowed or left alone.

    `repeated` rows said nothing that an earlier one had not said; `braked` says what each host did that was
    left alone.
    """

    rows: int
    repeated: int
    stopped: str
    broken: str
    braked: Mapping[str, str]
    slowed: Mapping[str, str]
    outcomes: Mapping[str, int]
    seconds: float


def concluded(subject: str, inboxes: Sequence[Seen], domains: Sequence[Seen], ended: Ended) -> Report:
    """The report of kind fleet; `evaluations` holds the counts and the groups."""
    shared = groups((*inboxes, *domains))
    verdicts = Counter(one.verdict for one in inboxes)
    counts = {
        "rows": ended.rows,
        "probed": len(inboxes),
        "repeated": ended.repeated,
        "not_probed": ended.rows - ended.repeated - len(inboxes),
        "go": sum(count for verdict, count in verdicts.items() if verdict.rank < Verdict.WAIT.rank),
        "no_go": verdicts[Verdict.FAIL],
        "not_known": verdicts[Verdict.WAIT] + verdicts[Verdict.UNKNOWN],
        "domains": len(domains),
        "domains_no_go": sum(one.verdict is Verdict.FAIL for one in domains),
    }
    return Report(
        kind="fleet",
        subject=subject,
        findings=tuple(_findings(counts, shared, ended)),
        facts={"inboxes": _ready(counts["go"], ended.rows - ended.repeated)},
        evaluations={
            "counts": counts,
            "verdicts": _named(verdicts),
            "outcomes": dict(ended.outcomes),
            "providers": _by_provider(inboxes),
            "domains": _named(Counter(one.verdict for one in domains)),
            "groups": [group_as_told(one) for one in shared],
            "braked": list(ended.braked),
            "slowed": dict(ended.slowed),
            "stopped": ended.stopped,
        },
        timings={"preflight": ended.seconds},
    )


def _findings(counts: Mapping[str, int], shared: Sequence[Group], ended: Ended) -> Iterator[Finding]:
    if ended.stopped:
        rule = catalogue.rule(_STOPPED[ended.stopped])
        rest = f"{counts['not_probed']} of {counts['rows']} rows were not probed"
        yield Finding(rule, {"reason": ended.broken or ended.stopped}, rest)
    if ended.braked:
        some = dict(islice(ended.braked.items(), 8))
        said = "; ".join(f"{host}: {why}" for host, why in some.items())
        yield Finding(catalogue.rule("preflight/brake"), {"hosts": ", ".join(some)}, said)
    told = {"inboxes": str(counts["probed"])}
    causes = [str(one) for one in shared if one.verdict.rank >= Verdict.WAIT.rank]
    if counts["no_go"]:
        words = _of(counts["no_go"], counts["probed"])
        yield Finding(_no_go(shared), told, "\n".join((words, *causes[:12])))
    elif counts["not_known"]:
        words = _of(counts["not_known"], counts["probed"])
        yield Finding(catalogue.rule("preflight/not-all-known"), told, "\n".join((words, *causes[:12])))
    elif not ended.stopped:
        yield Finding(catalogue.rule("preflight/go"), told)


def _of(some: int, total: int) -> str:
    return f"{some} of {counted(total, 'inbox', 'inboxes')}"


def _ready(some: int, total: int) -> str:
    return f"{some} of {counted(total, 'inbox is ready', 'inboxes are ready')}"


def _no_go(shared: Sequence[Group]) -> Rule:
    """The rule with the cause of the widest group that fails, as the list has none of its own."""
    rule = catalogue.rule("preflight/no-go")
    failing = (group for group in shared if group.verdict is Verdict.FAIL)  # the widest stand first
    widest = next(failing, None)
    if widest is None:
        return rule
    return replace(rule, cause=widest.cause, source=widest.source or rule.source)


def _named(counts: Mapping[Verdict, int]) -> dict[str, int]:
    return {str(verdict): counts[verdict] for verdict in Verdict if counts.get(verdict)}


def _by_provider(inboxes: Sequence[Seen]) -> dict[str, dict[str, int]]:
    """The inboxes of each provider, or of each host that is no known provider's, by verdict."""
    table: defaultdict[str, Counter[Verdict]] = defaultdict(Counter)
    for one in inboxes:
        table[_name(one)][one.verdict] += 1
    ranked = sorted(table.items(), key=lambda row: (-row[1].total(), row[0]))
    return {name: _named(counts) for name, counts in ranked[:200]}


def _name(one: Seen) -> str:
    if one.provider:
        return catalogue.provider(one.provider).name
    return one.host or ("no server known" if one.domain else "rows that were not read")


def group_as_told(group: Group) -> dict[str, object]:
    """A group as plain values, ready for JSON."""
    return {
        "id": group.id,
        "verdict": str(group.verdict),
        "scope": group.scope,
        "name": group.name,
        "count": group.count,
        "subjects": list(group.subjects),
        "title": group.title,
        "fix": group.fix,
        "said": str(group),
    }
