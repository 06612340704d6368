"""Whether a long run costs more a subject than a short one, in time or in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

from tests.bench.clients._job import Job, Result
from tests.bench.measure import ROOT, Line, table
from tests.bench.sink import Sink

__all__ = ["scale"]

SHORT = 100


def scale(sink: Sink, long: int) -> tuple[str, str, list[Line]]:
    """The same probes, few and many, each in a process of its own."""

    def run(count: int) -> Result:
        told = json.dumps(asdict(Job("starttls", sink.ports["starttls"], sink.ca_file, count, 50, "jsonl")))
        words = [sys.executable, "-m", "tests.bench.clients.ours", told]
        ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
        return Result(**json.loads(ran.stdout.splitlines()[-1]))

    few, many = run(SHORT), run(long)
    rows = (
        (f"{count:,}", f"{1e6 * result.cpu / count:,.0f}", f"{result.rss:.0f}")
        for count, result in ((SHORT, few), (long, many))
    )
    lines = [
        Line(f"CPU a probe at {long:,}", f"{SHORT} probes", many.cpu / long / (few.cpu / SHORT), 1.2, 1.0),
        Line(f"memory at {long:,}", f"{SHORT} probes", many.rss / few.rss, 1.2, 1.1),
    ]
    return "Scale", table(("probes", "CPU us a probe", "MB"), rows), lines
