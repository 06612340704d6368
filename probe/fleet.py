"""What many replies show together: by address, receiver, sender, tenant, list and time. Pure.

One reply never tells whether an address, a receiver or a sender is the cause; many do, if they are compared
with those that do not share it. Every pattern has a window, a minimum count and a contrast group, all in
`Thresholds`. Memory is bounded: beyond the limits below, the finest scope is given up first.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from probe import catalogue
from probe.checks._suffixes import organizational
from probe.rules import Cause, Confidence, Family, Finding, Rule

__all__ = ["PRESETS", "Bad", "Fleet", "Thresholds", "wilson"]

DAY = 24  # hours
OTHERS = "(others)"
MAX_KEYS = 60_000  # (hour, receiver, sender, cause) that are kept apart; inboxes their own provider refused
MAX_BAD = 250_000  # addresses to suppress that are kept
MAX_SAID = 48 << 20  # bytes of what was said of them, each in its own words
MAX_DOMAINS = 50_000
_Z = 1.96  # standard deviations that hold 95 % of a normal distribution

_LARGE = frozenset({"google", "microsoft", "yahoo", "apple"})
_SENDER = frozenset(
    {Cause.EMAIL_AUTH, Cause.SENDER_DNS, Cause.BLOCKLIST, Cause.REPUTATION, Cause.CONTENT, Cause.POLICY,
     Cause.PROTOCOL, Cause.RATE_LIMIT}
)  # fmt: skip
# A quota is an inbox's, unless its rule says else.
_OWN = frozenset({Cause.CREDENTIALS, Cause.SENDER_SUSPENDED})
_DEAD = frozenset({Cause.RECIPIENT_UNKNOWN, Cause.RECIPIENT_DOMAIN})
_LASTING = frozenset(
    {Cause.RATE_LIMIT, Cause.GREYLIST, Cause.REPUTATION, Cause.BLOCKLIST, Cause.RECEIVER_UNAVAILABLE}
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a pattern is one. Shares are fractions of 1; a window is 24 hours.

    `list_watch`, `list_act` and `list_pull` are shares of recipients that do not exist, of at least
    `list_minimum` recipients. `complaints_high` and `complaints_critical` are shares of what was accepted.

    One receiver: it refused at least `receiver_minimum` times in a window for one cause; that is at least
    `receiver_share` of its replies, surely (95 %) at least `receiver_wilson`; elsewhere the share is below
    `receiver_elsewhere`. A sender: one cause at `sender_receivers` receivers, `sender_large` of them large;
    the scope named has at least `sender_covers` of the replies. A tenant: `tenant_inboxes` inboxes in an
    hour. An address: the domain accepted at least `address_accepted` others. A spike: at least
    `spike_minimum` replies, and more than `spike_factor` times the usual share.
    """

    list_watch: float = 0.03
    list_act: float = 0.05
    list_pull: float = 0.07
    list_minimum: int = 100
    complaints_high: float = 0.001
    complaints_critical: float = 0.003
    receiver_minimum: int = 5
    receiver_share: float = 0.5
    receiver_wilson: float = 0.3
    receiver_elsewhere: float = 0.1
    sender_receivers: int = 3
    sender_large: int = 2
    sender_covers: float = 0.8
    tenant_inboxes: int = 3
    address_accepted: int = 2
    spike_factor: float = 3.0
    spike_minimum: int = 10


# What operators call too many bounces differs by a factor of three; each choice has its name.
PRESETS: Mapping[str, Thresholds] = {
    "strict": Thresholds(list_watch=0.01, list_act=0.02, list_pull=0.05),
    "usual": Thresholds(),
    "lenient": Thresholds(list_watch=0.05, list_act=0.07, list_pull=0.10),
}


def wilson(hits: int, of: int) -> float:
    """The lower bound of the Wilson interval: the least share that `hits` of `of` make believable (95 %)."""
    if of <= 0:
        return 0.0
    share = hits / of
    centre = share + _Z * _Z / (2 * of)
    spread = _Z * math.sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of))
    return max(0.0, (centre - spread) / (1 + _Z * _Z / of))


@dataclass(slots=True)
class Bad:
    """An address that should not be written to again, and why.

    `reply` is what was said of it first: bytes are those of a log, with what the log has around a reply.
    Where `MAX_SAID` bytes are kept of others, it is what replies of its kind have in common.
    """

    cause: Cause
    rule: str
    reply: str | bytes
    count: int = 0
    hour: int = 0


class Fleet:
    """Counts of replies, bounded; `findings` are the patterns in them, whatever order they came in."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[int, str, str, Cause]] = Counter()
        self.bad: dict[str, Bad] = {}
        self.accepted: Counter[str] = Counter()
        self.own: dict[tuple[str, int, str], Cause] = {}
        self.complaints = 0
        self.left_out = 0
        self._said = 0

    def add(
        self,
        cause: Cause,
        *,
        receiver: str = "",
        sender: str = "",
        rule: str = "",
        hour: int = 0,
    ) -> None:
        """Counts a reply.

        `receiver` is who runs the MX, `sender` the inbox, `rule` what it was read as (empty: nothing,
        and no tenant is told of it), `hour` counts from the epoch (0: unknown).
        """
        key = (hour, receiver, sender, cause)
        if key not in self.counts and len(self.counts) >= MAX_KEYS:
            key = (hour // DAY * DAY, receiver, sender.rpartition("@")[2], cause)
            if key not in self.counts and len(self.counts) >= 2 * MAX_KEYS:
                key = (0, OTHERS, "", cause)
        self.counts[key] += 1
        own = cause in _OWN or (cause is Cause.SENDER_QUOTA and "tenant" in rule)
        if own and rule and hour and sender and len(self.own) < MAX_KEYS:
            self.own[rule, hour, sender.lower()] = cause

    def accept(self, domain: str) -> None:
        """Counts an accepted recipient at a recipient domain."""
        if domain in self.accepted or len(self.accepted) < MAX_DOMAINS:
            self.accepted[domain] += 1

    def suppress(
        self, address: str, cause: Cause, rule: str, reply: str | bytes, hour: int = 0, *, kind: str = ""
    ) -> None:
        """Remembers an address that does not exist (any more); `kind` are the words of all such replies."""
        bad = self.bad.get(address)
        if bad is None:
            if len(self.bad) >= MAX_BAD:
                self.left_out += 1
                return
            if self._said < MAX_SAID:
                self._said += len(reply)
            else:
                reply = kind
            bad = self.bad[address] = Bad(cause, rule, reply)
        bad.count += 1
        bad.hour = max(bad.hour, hour)

    def by_cause(self) -> dict[Cause, int]:
        """How many replies each cause has."""
        total: Counter[Cause] = Counter()
        for (_, _, _, cause), count in self.counts.items():
            total[cause] += count
        return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0].value)))

    def by_receiver(self) -> dict[str, dict[str, int]]:
        """How many replies of each cause each receiver gave, the largest receivers first."""
        table: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for (_, receiver, _, cause), count in self.counts.items():
            table[receiver or "unknown"][cause.value] += count
        ranked = sorted(table.items(), key=lambda pair: (-pair[1].total(), pair[0]))
        return {receiver: dict(causes.most_common()) for receiver, causes in ranked[:20]}

    def findings(self, when: Thresholds = PRESETS["usual"]) -> tuple[Finding, ...]:
        """The patterns, the most urgent first."""
        found = [
            *_tenants(self, when),
            *_senders(self, when),
            *_complaints(self, when),
            *_list(self, when),
            *_persistent(self),
            *_receivers(self, when),
            *_spikes(self, when),
            *_addresses(self, when),
        ]
        return tuple(sorted(found, key=lambda finding: -finding.verdict.rank))


# -- the patterns ----------------------------------------------------------------------------------


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
