"""Audits of the bench's domains: ours, or the same checks on `dns.asyncresolver` (variant ``asyncresolver``).

A job's `host` and `port` are the name server, `count` the domains; every report is made and written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.resolver

from probe.checks import Domain
from probe.facts import Answer, Question, Status
from probe.render import Style, find
from probe.run.domain import check_domains
from probe.wire.dns import Resolver, Statistics
from tests.bench.clients._job import Job, Result, job, spent, tell
from tests.bench.domains import names

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class AsyncResolver:
    """`Resolver`'s questions asked through dnspython as it comes: no cache unless told, equal questions not joined."""

    def __init__(self, told: Job) -> None:
        self.servers = (f"{told.host}:{told.port}",)
        self.statistics = Statistics()
        self.asking = dns.asyncresolver.Resolver(configure=False)
        self.asking.nameservers = [told.host]
        self.asking.port = told.port
        self.asking.use_edns(0, 0, 1232)

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
        if kind == "TXT":
            texts = tuple(b"".join(row.strings).decode("latin-1") for row in heard)
            return Answer(Status.OK, texts, chunks=tuple(tuple(map(len, row.strings)) for row in heard))
        return Answer(Status.OK, tuple(row.to_text().removesuffix(".").lower() for row in heard))


async def main() -> None:
    told, result = job(), Result()
    kinds = [
        Domain(name, selectors=("default",) if at % 5 == 4 else ())
        for at, name in enumerate(names(told.count))
    ]
    style, write = Style(), find("jsonl").render
    server = f"{told.host}:{told.port}"
    async with Resolver([server]) as warm:
        _ = [report async for report in check_domains(kinds[:3], warm)]
    ours = AsyncResolver(told) if told.variant else Resolver([server])
    async with cast("Resolver", ours) as resolver:
        began, cpu = time.perf_counter(), spent()
        async for report in check_domains(kinds, resolver, at_once=told.at_once):
            "".join(write([report], style))
        result.wall, result.cpu = time.perf_counter() - began, spent() - cpu
        seen = resolver.statistics
        result.note = f"{seen.asked} {seen.sent}"
    tell(result)


asyncio.run(main())
