"""TLS resumed: the first probe of a server proves its certificate, later ones say that they took it up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe import Inbox, Network, Outcome, Report, Secret, TlsMode, check_creds
from tests.bench.sink import Sink


async def probed(sink: Sink, mode: TlsMode, *, resume: bool) -> list[Report]:
    inbox = Inbox(
        "ada@example.test", Secret("correct horse 7"), host="127.0.0.1", port=sink.ports[mode], tls=mode
    )
    async with Network(ca_file=sink.ca_file, resume=resume, helo="probe.example.test") as network:
        return [await check_creds(inbox, network) for _ in range(3)]


def resumed(report: Report) -> bool:
    assert report.transcript is not None
    assert report.transcript.tls is not None
    assert report.transcript.tls.verified
    assert report.transcript.tls.certificate is not None
    assert report.outcome is Outcome.USABLE
    return report.transcript.tls.resumed


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    try:
        started = Sink.start(Path(tmp_path_factory.mktemp("sink")))
    except RuntimeError as problem:
        pytest.skip(str(problem))
    with started:
        yield started


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
def test_only_the_first_probe_of_a_server_shakes_hands_in_full(sink: Sink, mode: TlsMode) -> None:
    sink.tell("stats")
    told = asyncio.run(probed(sink, mode, resume=True))
    assert [resumed(report) for report in told] == [False, True, True]
    assert sink.tell("stats")["resumed"] == 2
    assert "resumed=true" in str(told[1].transcript)


def test_nothing_is_resumed_unasked(sink: Sink) -> None:
    told = asyncio.run(probed(sink, TlsMode.STARTTLS, resume=False))
    assert [resumed(report) for report in told] == [False, False, False]
