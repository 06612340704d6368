"""The DNS of the domains of a list: each is audited once, and each of its inboxes is told what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from probe import catalogue
from probe.checks import Domain
from probe.facts import Inbox
from probe.grammar.address import address
from probe.judge.groups import Seen, seen
from probe.rules import Finding, Report, Verdict
from probe.run.domain import check_domain
from probe.wire.network import Network

__all__ = ["Audits", "joined"]

_AT_ONCE = 50


class Audits:
    """The audits of a run. `tell` gets each report as it is ready; `seen` keeps what the list needs of it."""

    def __init__(self, network: Network, skip: Iterable[str], tell: Callable[[Report], None]) -> None:
        self.network = network
        self.skip = tuple(skip)
        self.tell = tell
        self.seen: list[Seen] = []
        self._tasks: dict[str, asyncio.Task[Report | None]] = {}
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._closed = False

    @property
    def tasks(self) -> tuple[asyncio.Task[Report | None], ...]:
        """Every audit, done or not."""
        return tuple(self._tasks.values())

    def close(self) -> None:
        """Begin no more."""
        self._closed = True

    def of(self, inbox: Inbox, provider: str) -> asyncio.Task[Report | None] | None:
        """The audit of an inbox's domain, begun once; None for domains that are a provider's own."""
        name = address(inbox.address).domain
        if name.startswith("[") or catalogue.provider_of_domain(name) is not None:
            return None
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._audit(Domain(name, provider=provider)))
        return self._tasks[name]

    async def _audit(self, domain: Domain) -> Report | None:
        """Tells the report on a domain; what is left of it is what keeps its inboxes from being ready."""
        async with self._free:
            if self._closed:
                return None
            resolver = await self.network.resolver()
            report = await check_domain(domain, resolver, skip=self.skip, fetch=self.network.fetch)
        self.tell(report)
        self.seen.append(seen(report))
        worst = [one for one in report.findings if one.verdict.rank >= Verdict.WAIT.rank]
        return Report("dns", domain.name, tuple(replace(one, evidence={}) for one in worst))


async def joined(report: Report, audit: asyncio.Task[Report | None]) -> Report:
    """The report on an inbox with what its domain's says, in one finding."""
    domain = await asyncio.shield(audit)
    if domain is None or not domain.findings:
        return report
    fails = [one for one in domain.findings if one.verdict is Verdict.FAIL]
    rule = catalogue.rule("preflight/domain-not-ready" if fails else "preflight/domain-not-known")
    ids = list(dict.fromkeys(one.rule.id for one in fails or domain.findings))
    detail = f"{domain.subject}: {', '.join(ids[:8])}"
    finding = Finding(rule, {"domain": domain.subject, "findings": " ".join(ids)}, detail)
    return replace(report, findings=(*report.findings, finding))
