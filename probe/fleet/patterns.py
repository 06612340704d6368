"""What many replies show together: by address, receiver, sender, tenant, list and time. Pure.

One reply never tells whether an address, a receiver or a sender is the cause; many do, if they are compared
with those that do not share it. Every pattern has a window, a minimum count and a contrast group, all in
`Thresholds`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from probe import catalogue
from probe.checks._suffixes import organizational
from probe.fleet.counts import DAY, OTHERS, Fleet
from probe.fleet.thresholds import PRESETS, Thresholds, wilson
from probe.rules import Cause, Confidence, Family, Finding, Rule

__all__ = ["patterns"]

_LARGE = frozenset({"google", "microsoft", "yahoo", "apple"})
_SENDER = frozenset(
    {Cause.EMAIL_AUTH, Cause.SENDER_DNS, Cause.BLOCKLIST, Cause.REPUTATION, Cause.CONTENT, Cause.POLICY,
     Cause.PROTOCOL, Cause.RATE_LIMIT}
)  # fmt: skip
_DEAD = frozenset({Cause.RECIPIENT_UNKNOWN, Cause.RECIPIENT_DOMAIN})
_LASTING = frozenset(
    {Cause.RATE_LIMIT, Cause.GREYLIST, Cause.REPUTATION, Cause.BLOCKLIST, Cause.RECEIVER_UNAVAILABLE}
)


def patterns(fleet: Fleet, when: Thresholds = PRESETS["usual"]) -> tuple[Finding, ...]:
    """The patterns in what was counted, the most urgent first; the same in whatever order it came."""
    found = [
        *_tenants(fleet, when),
        *_senders(fleet, when),
        *_complaints(fleet, when),
        *_list(fleet, when),
        *_persistent(fleet),
        *_receivers(fleet, when),
        *_spikes(fleet, when),
        *_addresses(fleet, when),
    ]
    return tuple(sorted(found, key=lambda finding: -finding.verdict.rank))


@functools.cache
def _rule(problem: str, cause: Cause | None = None) -> Rule:
    """A rule of fleet.toml, with the cause of the replies it speaks of."""
    rule = catalogue.rule(f"fleet/{problem}")
    return dataclasses.replace(rule, cause=cause) if cause else rule


def _finding(problem: str, cause: Cause | None, detail: str, **evidence: object) -> Finding:
    told = {name.replace("_", "-"): str(value) for name, value in evidence.items() if value not in ("", None)}
    return Finding(_rule(problem, cause), told, detail, confidence=Confidence.LIKELY)


def _best_window(series: Mapping[int, int]) -> tuple[int, int]:
    """The start of the 24 hours with most of a series (hour: count), and how many they hold."""
    hours = sorted(series)
    best, best_start, held, head = 0, 0, 0, 0
    for hour in hours:
        held += series[hour]
        while hours[head] <= hour - DAY:
            held -= series[hours[head]]
            head += 1
        if held > best:
            best, best_start = held, hours[head]
    return best_start, best


def _span(start: int) -> str:
    """The time in which it was; nothing where nobody told the hours: all such replies share the hour 0."""
    return " in 24 hours" if start else ""


def _receivers(fleet: Fleet, when: Thresholds) -> Iterator[Finding]:
    """One receiver refuses for a cause that others hardly show."""
    series: defaultdict[tuple[str, Cause], Counter[int]] = defaultdict(Counter)
    totals: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for (hour, receiver, _, cause), count in fleet.counts.items():
        if receiver and receiver != OTHERS:
            totals[receiver][hour] += count
            if cause not in (Cause.SUCCESS, Cause.UNKNOWN) and cause.family is not Family.SUPPRESS:
                series[receiver, cause][hour] += count
    everything: Counter[int] = sum(totals.values(), Counter())
    by_cause: defaultdict[Cause, Counter[int]] = defaultdict(Counter)
    for (_, cause), counts in series.items():
        by_cause[cause] += counts
    for (receiver, cause), counts in sorted(series.items(), key=lambda one: (-one[1].total(), one[0][0])):
        start, hits = _best_window(counts)
        here = _within(totals[receiver], start)
        elsewhere = _within(everything, start) - here
        share_elsewhere = (_within(by_cause[cause], start) - hits) / elsewhere if elsewhere else 0.0
        if (
            hits >= when.receiver_minimum
            and hits / here >= when.receiver_share
            and wilson(hits, here) >= when.receiver_wilson
            and elsewhere >= when.receiver_minimum
            and share_elsewhere < when.receiver_elsewhere
        ):
            detail = (
                f"{receiver}: {hits} of {here} replies{_span(start)} are {_said(cause)}; "
                f"elsewhere {share_elsewhere:.0%} of {elsewhere}."
            )
            yield _finding(
                "one-receiver",
                cause,
                detail,
                receiver=receiver,
                count=hits,
                of=here,
                elsewhere=f"{share_elsewhere:.3f}",
            )


def _within(series: Mapping[int, int], start: int) -> int:
    return sum(count for hour, count in series.items() if start <= hour < start + DAY)


def _senders(fleet: Fleet, when: Thresholds) -> Iterator[Finding]:
    """The same sender-side cause at several receivers; the smallest scope that covers most of it is named."""
    by_cause: defaultdict[Cause, Counter[tuple[int, str, str]]] = defaultdict(Counter)
    for (hour, receiver, sender, cause), count in fleet.counts.items():
        if cause in _SENDER and receiver and receiver != OTHERS:
            by_cause[cause][hour, receiver, sender] += count
    for cause, counts in sorted(by_cause.items(), key=lambda one: (-one[1].total(), one[0].value)):
        hours: Counter[int] = Counter()
        for (hour, _, _), count in counts.items():
            hours[hour] += count
        start, total = _best_window(hours)
        inside = {key: count for key, count in counts.items() if start <= key[0] < start + DAY}
        receivers = {receiver for _, receiver, _ in inside}
        if len(receivers) < when.sender_receivers or len(receivers & _LARGE) < when.sender_large:
            continue
        scope, name, covered = _scope(inside, total, when.sender_covers)
        who = f"{scope} {name} has {covered} of them" if name else "many senders have them alike"
        detail = f"{total} replies are {_said(cause)} at {len(receivers)} receivers{_span(start)}; {who}."
        yield _finding(
            "sender-everywhere",
            cause,
            detail,
            scope=scope,
            name=name,
            count=total,
            receivers=", ".join(sorted(receivers)[:8]),
        )


def _scope(inside: Mapping[tuple[int, str, str], int], total: int, covers: float) -> tuple[str, str, int]:
    """The smallest of inbox, domain, everything that holds the share asked for."""
    inboxes: Counter[str] = Counter()
    domains: Counter[str] = Counter()
    for (_, _, sender), count in inside.items():
        if sender:
            domains[sender.rpartition("@")[2]] += count
            if "@" in sender:
                inboxes[sender] += count
    for scope, counts in (("inbox", inboxes), ("sending domain", domains)):
        name, most = max(counts.items(), key=lambda one: (one[1], one[0]), default=("", 0))
        if most >= covers * total:
            return scope, name, most
    return "everything", "", total


def _tenants(fleet: Fleet, when: Thresholds) -> Iterator[Finding]:
    """Several inboxes of one tenant with one refusal within an hour."""
    inboxes: defaultdict[tuple[str, str, int], list[str]] = defaultdict(list)
    causes: dict[str, Cause] = {}
    for (rule, hour, sender), cause in fleet.own.items():
        causes[rule] = cause
        if tenant := _tenant(sender.rpartition("@")[2]):
            inboxes[tenant, rule, hour].append(sender)
    worst: dict[tuple[str, str], list[str]] = {}
    for (tenant, rule, _), together in sorted(inboxes.items()):
        if len(together) >= max(when.tenant_inboxes, 1 + len(worst.get((tenant, rule), ()))):
            worst[tenant, rule] = sorted(together)
    for (tenant, rule), together in worst.items():
        yield _finding(
            "tenant",
            causes[rule],
            f"{len(together)} inboxes of {tenant} got {rule} within an hour.",
            tenant=tenant,
            rule=rule,
            count=len(together),
            inboxes=", ".join(together[:8]),
        )


def _tenant(domain: str) -> str:
    """The organization a domain belongs to; none where everybody can have an inbox at it."""
    return "" if catalogue.provider_of_domain(domain) else organizational(domain)


def _list(fleet: Fleet, when: Thresholds) -> Iterator[Finding]:
    """The share of recipients that do not exist."""
    causes = fleet.by_cause()
    settled = sum(count for cause, count in causes.items() if cause.family is not Family.RETRY)
    dead = sum(causes.get(cause, 0) for cause in _DEAD)
    if settled < when.list_minimum or not causes.get(Cause.SUCCESS):  # no share without what was accepted
        return
    share = dead / settled
    steps = (("list-pull", when.list_pull), ("list-act", when.list_act), ("list-watch", when.list_watch))
    problem = next((name for name, least in steps if share >= least), "")
    if problem:
        detail = f"{dead} of {settled} recipients do not exist ({share:.1%})."
        yield _finding(problem, None, detail, count=dead, of=settled, share=f"{share:.4f}")


def _complaints(fleet: Fleet, when: Thresholds) -> Iterator[Finding]:
    complaints, accepted = fleet.complaints, fleet.by_cause().get(Cause.SUCCESS, 0)
    if not complaints or accepted < when.list_minimum:
        return
    share = complaints / accepted
    if share >= when.complaints_high:
        problem = "complaints-critical" if share >= when.complaints_critical else "complaints-high"
        yield _finding(
            problem,
            None,
            f"{complaints} complaints for {accepted} accepted ({share:.2%}).",
            count=complaints,
            of=accepted,
        )


def _persistent(fleet: Fleet) -> Iterator[Finding]:
    """A cause that should pass, at one receiver for more than a day with nothing accepted between."""
    seen: defaultdict[tuple[str, Cause], list[int]] = defaultdict(list)
    accepted: defaultdict[str, list[int]] = defaultdict(list)
    counts: Counter[tuple[str, Cause]] = Counter()
    for (hour, receiver, _, cause), count in fleet.counts.items():
        if not hour or not receiver or receiver == OTHERS:
            continue
        if cause is Cause.SUCCESS:
            accepted[receiver].append(hour)
        elif cause in _LASTING:
            seen[receiver, cause].append(hour)
            counts[receiver, cause] += count
    for (receiver, cause), hours in sorted(seen.items(), key=lambda one: (one[0][0], one[0][1].value)):
        first, last = min(hours), max(hours)
        if (
            last - first > DAY
            and counts[receiver, cause] >= 3
            and not any(first <= hour <= last for hour in accepted[receiver])
        ):
            count = counts[receiver, cause]
            span = f"{last - first} hours, {count} replies"
            detail = f"{receiver}: {_said(cause)} for {span}, nothing accepted between."
            yield _finding(
                "persistent",
                cause,
                detail,
                receiver=receiver,
                hours=last - first,
                count=count,
            )


def _spikes(fleet: Fleet, when: Thresholds) -> Iterator[Finding]:
    """The last 24 hours against the seven days before."""
    hours = [hour for hour, _, _, _ in fleet.counts if hour]
    if not hours:
        return
    end = max(hours)
    recent: Counter[Cause] = Counter()
    before: Counter[Cause] = Counter()
    for (hour, _, _, cause), count in fleet.counts.items():
        if end - DAY < hour <= end:
            recent[cause] += count
        elif end - 8 * DAY < hour <= end - DAY:
            before[cause] += count
    if before.total() < when.list_minimum:
        return
    for cause, count in sorted(recent.items(), key=lambda one: (-one[1], one[0].value)):
        if cause in (Cause.SUCCESS, Cause.UNKNOWN) or count < when.spike_minimum:
            continue
        now, usual = count / recent.total(), before[cause] / before.total()
        if now > when.spike_factor * usual and wilson(count, recent.total()) > usual:
            detail = (
                f"{_said(cause)}: {now:.1%} of the last 24 hours' replies, {usual:.1%} of the week's before."
            )
            yield _finding("spike", cause, detail, count=count, share=f"{now:.4f}", usual=f"{usual:.4f}")


def _addresses(fleet: Fleet, when: Thresholds) -> Iterator[Finding]:
    """Single addresses that fail where the domain accepts others."""
    single = [
        address
        for address in fleet.bad
        if fleet.accepted[address.rpartition("@")[2]] >= when.address_accepted
    ]
    if single:
        shown = ", ".join(sorted(single)[:3])
        yield _finding("one-address", None, f"{len(single)} addresses, such as {shown}.", count=len(single))


def _said(cause: Cause) -> str:
    return cause.value.replace("_", " ")
