"""What every client is told, what it tells, and how it is measured; imports nothing that weighs."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field

__all__ = ["Job", "Result", "concurrently", "job", "spent", "tell"]

WARM = 8  # probes before the clock starts: imports, roots, catalogue


@dataclass(frozen=True, slots=True)
class Job:
    """How many probes of one kind against which server; `variant` is the client's own."""

    mode: str
    port: int
    ca_file: str
    count: int
    at_once: int
    variant: str = ""
    host: str = "127.0.0.1"
    user: str = "ada@example.test"
    password: str = "correct horse battery 7"


@dataclass(slots=True)
class Result:
    """Seconds by the wall clock, seconds of CPU, megabytes at the most, and each probe's own seconds."""

    wall: float = 0.0
    cpu: float = 0.0
    rss: float = 0.0
    idle_rss: float = 0.0
    times: list[float] = field(default_factory=list)
    note: str = ""


def job() -> Job:
    return Job(**json.loads(sys.argv[1]))


def spent(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tell(result: Result) -> None:
    result.rss = _peak()
    print(json.dumps(asdict(result)))


async def concurrently(job: Job, probe: Callable[[], Awaitable[float | None]]) -> Result:
    """`job.count` probes, `job.at_once` at a time; a probe may tell what it takes for its own seconds."""
    result = Result()

    async def timed() -> None:
        began = time.perf_counter()
        told = await probe()
        result.times.append(time.perf_counter() - began if told is None else told)

    async def worker(left: list[None]) -> None:
        while left:
            left.pop()
            await timed()

    await asyncio.gather(*(timed() for _ in range(min(WARM, job.count))))
    result.times.clear()
    result.idle_rss = _peak()
    left = [None] * job.count
    began, cpu = time.perf_counter(), spent()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(job.at_once, job.count)):
            group.create_task(worker(left))
    result.wall, result.cpu = time.perf_counter() - began, spent() - cpu
    return result
