"""The world that audits are measured in: what a good operator's domains look like, so nothing may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from probe.fakes.dns import FakeDns
from probe.rules import Report, Verdict
from probe.run.domain import check_domains
from probe.wire.dns import Resolver
from tests.bench.audits import zones
from tests.bench.domains import KINDS, subjects, zone
from tests.servers import nsd

COUNT = len(KINDS)


async def audited(server: str) -> list[Report]:
    async with Resolver([server]) as resolver:
        return [report async for report in check_domains(subjects(COUNT), resolver)]


@pytest.fixture(scope="module")
def reports() -> Sequence[Report]:
    async def run() -> list[Report]:
        async with FakeDns("".join(zone(COUNT))) as fake:
            return await audited(fake.address)

    return asyncio.run(run())


def test_every_kind_of_domain_is_sound(reports: Sequence[Report]) -> None:
    found = {finding.rule for report in reports for finding in report.findings}
    assert {rule.id for rule in found if rule.verdict is not Verdict.NOTE} == set()
    for report in reports:
        assert {report.states[area].value for area in ("mx", "spf", "dkim", "dmarc", "ns_soa")} == {"valid"}


def test_spf_takes_what_it_takes_in_real_life(reports: Sequence[Report]) -> None:
    for report in reports:
        spf: Any = report.evaluations["spf"]
        assert 5 <= spf["lookups"] <= 9
        assert spf["void_lookups"] == 0


@pytest.mark.skipif(bool(nsd.absent()), reason=nsd.absent() or "NSD is installed")
def test_a_real_server_serves_the_same_world(reports: Sequence[Report], tmp_path: Path) -> None:
    running = nsd.start(tmp_path, zones(COUNT))
    try:
        served = asyncio.run(audited(running.address))
    finally:
        nsd.stop(running)
    for fake, real in zip(reports, served, strict=True):
        assert real.states == fake.states
        assert [finding.rule.id for finding in real.findings] == [
            finding.rule.id for finding in fake.findings
        ]
        assert real.evaluations == fake.evaluations
