"""Replies counted by hour, receiver, sender and cause, and the addresses that do not exist.

Memory is bounded: beyond the limits below, the finest scope is given up first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from probe.rules import Cause

__all__ = ["DAY", "OTHERS", "Bad", "Fleet"]

DAY = 24  # hours
OTHERS = "(others)"
MAX_KEYS = 60_000  # (hour, receiver, sender, cause) that are kept apart; inboxes their own provider refused
MAX_BAD = 250_000  # addresses to suppress that are kept
MAX_SAID = 48 << 20  # bytes of what was said of them, each in its own words
MAX_DOMAINS = 50_000

# A quota is an inbox's, unless its rule says else.
_OWN = frozenset({Cause.CREDENTIALS, Cause.SENDER_SUSPENDED})


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
    """Counts of replies, bounded."""

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
