"""Broken zones and hostile resolvers of others: every area has an allowed state, and few questions are asked."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from probe.checks import Domain
from probe.facts import Status
from probe.rules import Report
from probe.run.domain import check_domain
from probe.run.told import domain as domain_name
from probe.wire.dns import Resolver

SHARED = Path(__file__).parents[2] / "shared"
CASES = SHARED / "data" / "hostile" / "dns_faults.jsonl"
RIG = SHARED / "rigs" / "faults" / "dns_server.py"

pytestmark = pytest.mark.skipif(not (CASES.exists() and RIG.exists()), reason="../shared is not there")


def cases() -> list[dict[str, Any]]:
    if not CASES.exists():
        return []
    return [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]


def started() -> tuple[subprocess.Popen[bytes], str]:
    """The rig as a process of its own, and its address; another port where one was taken meanwhile."""
    for _ in range(5):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [
            sys.executable,
            str(RIG),
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--corpus",
            str(CASES),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        if b"serving" in process.stdout.readline():
            return process, f"127.0.0.1:{port}"
        with process:
            process.kill()
    raise RuntimeError("the rig does not start")


async def all_of_them(address: str) -> dict[str, tuple[Report, int]]:
    few = asyncio.Semaphore(16)

    async def one(case: dict[str, Any]) -> tuple[Report, int]:
        async with few, Resolver([address], timeout=1.5) as resolver:
            name = domain_name(case["domain"]).name
            report = await check_domain(Domain(name, selectors=("s1",)), resolver)
            return report, resolver.statistics.sent

    found = await asyncio.gather(*map(one, cases()))
    return {case["id"]: result for case, result in zip(cases(), found, strict=True)}


@pytest.fixture(scope="module")
def reports() -> dict[str, tuple[Report, int]]:
    process, address = started()
    with process:
        try:
            return asyncio.run(all_of_them(address))
        finally:
            process.kill()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_a_broken_zone(case: dict[str, Any], reports: dict[str, tuple[Report, int]]) -> None:
    report, sent = reports[case["id"]]
    expected = case["expected"]
    for area, allowed in expected.items():
        if isinstance(allowed, list) and area in report.states:
            state = str(report.states[area])
            assert state in allowed or (state == "valid" and "warn" in allowed), area
    assert sent <= expected["max_queries"]
    assert "probe/bug" not in {finding.rule.id for finding in report.findings}
    for finding in report.findings:
        for words in (*finding.evidence.values(), finding.detail, finding.fix):
            assert words.replace("\n", "").isprintable(), finding.rule.id


def test_nothing_was_left_unasked_for_want_of_budget(reports: dict[str, tuple[Report, int]]) -> None:
    short = {
        name
        for name, (report, _) in reports.items()
        if report.records
        and any(answer.status is Status.SKIPPED for answer in report.records.answers.values())
    }
    assert not short
