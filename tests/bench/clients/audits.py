"""Audits of the bench's domains: ours, or the same checks on `dns.asyncresolver` (variant ``asyncresolver``).

A job's `host` and `port` are the name server, `count` the domains; every report is made and written.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.resolver

from probe.cli import COLLECT_AFTER
from probe.facts import Answer, Question, Status
from probe.render import Style, find
from probe.run.domain import check_domains
from probe.wire.dns import Resolver, Statistics
from tests.bench.clients._job import WARM, Job, Result, job, spent, tell
from tests.bench.domains import subjects

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class AsyncResolver:
    """`Resolver`'s questions asked through dnspython as it comes: no cache, equal questions not joined, no EDNS."""

    def __init__(self, told: Job) -> None:
        self.servers = (f"{told.host}:{told.port}",)
        self.statistics = Statistics()
        self.asking = dns.asyncresolver.Resolver(configure=False)
        self.asking.nameservers = [told.host]
        self.asking.port = told.port

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    async def ask(
        self, questions: Iterable[Question], *, within: float | None = None
    ) -> dict[Question, Answer]:
        del within
        wanted = list(dict.fromkeys(questions))
        return dict(zip(wanted, await asyncio.gather(*map(self._ask, wanted)), strict=True))

    async def _ask(self, question: Question) -> Answer:
        self.statistics.sent += 1
        kind = question.type.partition("@")[0]
        try:
            heard = await self.asking.resolve(f"{question.name}.", kind, search=False)
        except dns.resolver.NXDOMAIN:
            return Answer(Status.NXDOMAIN)
        except dns.resolver.NoAnswer:
            return Answer(Status.NODATA)
        except (dns.exception.DNSException, ValueError, OSError):
            return Answer(Status.SERVFAIL)
        aliases = tuple(_host(alias[0].target) for alias in heard.chaining_result.cnames)
        if kind == "TXT":
            texts = tuple(b"".join(row.strings).decode("latin-1") for row in heard)
            chunks = tuple(tuple(map(len, row.strings)) for row in heard)
            return Answer(Status.OK, texts, aliases=aliases, chunks=chunks)
        return Answer(Status.OK, tuple(map(_host, heard)), aliases=aliases)


def _host(value: object) -> str:
    """A name, or a record that ends with one, as `Answer` has them."""
    return str(value).removesuffix(".").lower()


def _engine(told: Job) -> Resolver:
    """What asks; the checks see no difference."""
    if told.variant:
        return cast("Resolver", AsyncResolver(told))
    return Resolver([f"{told.host}:{told.port}"])


async def main() -> None:
    told, result = job(), Result()
    domains = subjects(told.count)
    style, write = Style(), find("jsonl").render
    async with _engine(told) as resolver:
        async for report in check_domains(domains[:WARM], resolver):
            "".join(write([report], style))
    async with _engine(told) as resolver:
        began, cpu = time.perf_counter(), spent()
        async for report in check_domains(domains, resolver, at_once=told.at_once):
            "".join(write([report], style))
        result.wall, result.cpu = time.perf_counter() - began, spent() - cpu
        seen = resolver.statistics
        result.note = f"{seen.asked} {seen.sent}"
    tell(result)


gc.set_threshold(COLLECT_AFTER)  # as the command does
asyncio.run(main())
