"""Every file in scenarios/ is a test: its fakes are played, its expectations are exact, no others."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.parse

import jsonschema
import pytest

from probe import render
from probe.facts import Reply, Transcript
from probe.fakes.reading import load_all, parse
from probe.fakes.scenario import Scenario
from probe.play import Played, play
from probe.render import Style
from probe.render.json import as_json, schema
from probe.rules import Report
from probe.run.recording import recorded

SCENARIOS = load_all()
CREDS = tuple(one for one in SCENARIOS if one.probe.run == "creds")


def one_by_one(scenarios: tuple[Scenario, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scenario", scenarios, ids=lambda scenario: scenario.name)


CONTRACT = jsonschema.Draft202012Validator(schema())
PLAYED: dict[str, Played] = {}


def played(scenario: Scenario) -> Played:
    """A scenario is played once, whatever is then asked of it."""
    if scenario.name not in PLAYED:
        PLAYED[scenario.name] = asyncio.run(play(scenario))
    return PLAYED[scenario.name]


@one_by_one(SCENARIOS)
def test_a_scenario_comes_out_as_it_says(scenario: Scenario) -> None:
    assert played(scenario).surprises == ()


@one_by_one(SCENARIOS)
def test_the_servers_own_words_are_quoted(scenario: Scenario) -> None:
    report = played(scenario).report
    earlier = report.evaluations.get("earlier")
    sessions = [str(report.transcript), *map("\n".join, earlier if isinstance(earlier, list) else [])]
    heard = "\n".join(sessions)
    for finding in report.findings:
        if report.transcript is not None and finding.evidence.get("stage") and "reply" in finding.evidence:
            assert all(f" {line}\n" in f"{heard}\n" for line in finding.evidence["reply"].split("\n"))


@one_by_one(SCENARIOS)
def test_its_report_keeps_the_contract(scenario: Scenario) -> None:
    document = json.loads(json.dumps(as_json(played(scenario).report)))
    CONTRACT.validate(document)


@one_by_one(SCENARIOS)
def test_every_renderer_tells_it_without_a_control_character(scenario: Scenario) -> None:
    for name in render.every():
        text = "".join(render.find(name).render([played(scenario).report], Style(verbose=1)))
        assert text
        assert not [char for char in text if not char.isprintable() and char not in "\r\n"]


@one_by_one(CREDS)
def test_its_transcript_can_be_read_back(scenario: Scenario) -> None:
    transcript = played(scenario).report.transcript
    if transcript is not None:
        assert Transcript.parse(str(transcript)) == transcript


@one_by_one(CREDS)
def test_a_login_probe_is_safe(scenario: Scenario) -> None:
    """At most two AUTHs (the second after 504 or 534), no DATA, no secret in the clear or in a report."""
    found = played(scenario)
    assert found.tally.auth <= 1 + str(found.report.transcript).count("S: 504") + (
        "too weak" in scenario.about
    )
    assert not found.tally["DATA"] + found.tally["VRFY"] + found.tally["EXPN"]
    assert scenario.probe.allow_plaintext or not found.tally.plaintext
    told = json.dumps(as_json(found.report), ensure_ascii=False)
    secret = scenario.probe.password
    forms = {
        secret,
        secret.encode().hex(),
        secret[::-1],
        urllib.parse.quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"\0{scenario.probe.address}\0{secret}".encode()).decode(),
    }
    assert not [form for form in forms if form in told]


REPLAYED = tuple(
    one
    for one in CREDS
    if one.name.startswith(("creds-auth-", "creds-mail-", "creds-rcpt-", "creds-provider-", "creds-usable"))
    and not one.probe.timeouts
)


def replies(report: Report) -> list[str]:
    assert report.transcript is not None
    return [f"{turn.stage}: {turn.heard}" for turn in report.transcript if isinstance(turn.heard, Reply)]


@one_by_one(REPLAYED)
def test_a_recorded_session_plays_back(scenario: Scenario) -> None:
    report = played(scenario).report
    assert report.transcript is not None
    again = parse(recorded(report.transcript, about="Recorded."), "recorded")
    assert replies(asyncio.run(play(again)).report) == replies(report)
