"""Somebody else's client reads the same codes as we do, wherever the server is well-behaved."""

from __future__ import annotations

import asyncio

import pytest

from probe.fakes.reading import load_all
from probe.fakes.scenario import Scenario
from probe.play import Played, play

# The witness asks no token server, so it has nothing to say where one is asked.
SCENARIOS = [
    one
    for one in load_all("creds-*")
    if one.smtp is not None and not one.smtp.raw and not one.probe.client_id
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_witness_reads_the_same_codes(scenario: Scenario) -> None:
    played: Played = asyncio.run(play(scenario, witness=True))
    if played.testimony is None:
        transcript = str(played.report.transcript)
        spoken = "AUTH SCRAM" not in transcript and "AUTH OAUTHBEARER" not in transcript
        ordinary = "-- fault" not in transcript and "!: " not in transcript and "S: 421" not in transcript
        assert not (spoken and ordinary and "S: 220" in transcript and transcript.count("C: AUTH") == 1)
    else:
        ours, theirs = played.testimony
        assert ours == theirs
