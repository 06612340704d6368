"""What a list holds, known before anything is sent: how many, of whom, and which logins stand twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from probe import catalogue
from probe.facts import Inbox
from probe.grammar.columns import header_of
from probe.grammar.inboxes import Row, login_of
from probe.grammar.inboxes import rows as rows_of
from probe.grammar.sheet import form_of

__all__ = ["Double", "Survey", "listed", "survey"]

_MOST_NAMED = 2000  # servers, and wrong rows, that are told apart


@dataclass(slots=True)
class Double:
    """A login that stands in several rows: their lines, and whether their passwords agree."""

    lines: list[int] = field(default_factory=list)
    secrets: set[int] = field(default_factory=set)
    first: Inbox | None = None

    @property
    def conflict(self) -> bool:
        """Whether the rows have different passwords."""
        return len(self.secrets) > 1


@dataclass(frozen=True, slots=True)
class Survey:
    """A list: how many rows it has, which are wrong (line and why), and the logins that stand twice.

    `servers` counts the rows by the host that was told or is the provider's, or "" where nothing tells it.
    """

    rows: int
    wrong: tuple[tuple[int, str], ...]
    wrong_rows: int
    doubles: dict[str, Double]
    servers: Counter[str]
    domains: int

    @property
    def logins(self) -> int:
        """How many logins there are to try."""
        doubles = self.doubles.values()
        again = sum(len(double.lines) - (0 if double.conflict else 1) for double in doubles)
        return self.rows - self.wrong_rows - again

    def double(self, inbox: Inbox) -> Double | None:
        """The rows that share this inbox's login; None where it stands alone."""
        return self.doubles.get(login_of(inbox)) if self.doubles else None


def listed(data: bytes) -> Callable[[], Iterator[Row]]:
    """The rows of a file of inboxes, anew each time; ValueError where it cannot be read as one."""
    form = form_of(data)
    table = header_of(data, form)
    return lambda: rows_of(data, form, table)


def survey(rows: Callable[[], Iterable[Row]], most: int = 0) -> Survey:
    """Look at every row once, and at those that stand twice once more; ValueError as reading them does.

    With `most` it stops, with a ValueError, when there are more rows than that.
    """
    seen: set[int] = set()
    twice: set[int] = set()
    domains: set[int] = set()
    servers: Counter[str] = Counter()
    wrong: list[tuple[int, str]] = []
    count = wrong_rows = 0
    for row in rows():
        count += 1
        if most and count > most:
            raise ValueError(f"has more rows than {most:,}; say probe preflight --most N to probe so many")
        if row.inbox is None:
            wrong_rows += 1
            if len(wrong) < _MOST_NAMED:
                wrong.append((row.record.line, row.problem))
            continue
        name = hash(login_of(row.inbox))
        (twice if name in seen else seen).add(name)
        domain = row.inbox.address.rpartition("@")[2].lower()
        domains.add(hash(domain))
        server = _server(row, domain)
        servers[server if server in servers or len(servers) < _MOST_NAMED else "(others)"] += 1
    doubles = _doubles(rows, twice) if twice else {}
    return Survey(count, tuple(wrong), wrong_rows, doubles, servers, len(domains))


def _doubles(rows: Callable[[], Iterable[Row]], twice: set[int]) -> dict[str, Double]:
    found: dict[str, Double] = {}
    for row in rows():
        if row.inbox is not None and hash(login := login_of(row.inbox)) in twice:
            double = found.setdefault(login, Double(first=row.inbox))
            double.lines.append(row.record.line)
            double.secrets.add(hash((row.inbox.secret, row.inbox.grant)))
    return found


def _server(row: Row, domain: str) -> str:
    """Where the row's login goes, as far as is known without asking anybody."""
    assert row.inbox is not None
    if row.inbox.host:
        return row.inbox.host.lower()
    named = catalogue.provider_named(row.provider) if row.provider else None
    known = named or catalogue.provider_of_domain(domain)
    return known.submission[0].host if known is not None and known.submission else ""
