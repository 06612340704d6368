"""Every provider's knowledge about logins, met over the wire: its server says its sample, we say its id."""

from __future__ import annotations

import asyncio
import re

import pytest

from probe import catalogue
from probe.catalogue import Entry
from probe.facts import Stage
from probe.fakes.scenario import Ask, Scenario, Server
from probe.fakes.script import acts
from probe.play import play
from probe.rules import Outcome

WHOLE = re.compile(r"(?:[2-5]\d\d-.*\n)*[2-5]\d\d .*")

SAID = [
    (entry, sample)
    for entry in catalogue.entries()
    if entry.provider and Stage.AUTH in entry.stage
    for sample in entry.samples
    if WHOLE.fullmatch(sample.strip("\n"))
]


def over_the_wire(entry: Entry, sample: str) -> Scenario:
    """The provider's first submission server, which answers AUTH with the sample."""
    known = catalogue.provider(entry.provider)
    first = next((one for one in known.submission if "{" not in one.host), None)
    host = first.host if first else "mail.example.test"
    token = bool(entry.mechanism) and not {"PLAIN", "LOGIN"} & {name.upper() for name in entry.mechanism}
    mechanism = min(name.upper() for name in entry.mechanism) if token else "PLAIN"
    return Scenario(
        name=entry.id,
        about=entry.rule.title,
        probe=Ask(
            provider=entry.provider,
            mechanism=mechanism.lower(),
            password="ya29.a0AfH6SMBx-an-access-token-of-some-length" if token else "zebra-quilt-42",
        ),
        smtp=Server(
            host=host, mechanisms=(mechanism,), script={"auth": tuple(acts(entry.id, sample.strip("\n")))}
        ),
    )


@pytest.mark.parametrize(("entry", "sample"), SAID, ids=[f"{entry.id}-{len(words)}" for entry, words in SAID])
def test_a_sample_is_recognised_where_it_is_said(entry: Entry, sample: str) -> None:
    report = asyncio.run(play(over_the_wire(entry, sample))).report
    assert entry.id in [finding.rule.id for finding in report.findings]
    if sample.lstrip().startswith(("4", "5")):
        proven = entry.rule.outcome is Outcome.BAD_CREDS and sample.lstrip().startswith("5")
        assert report.outcome is (Outcome.BAD_CREDS if proven else Outcome.NOT_PROVEN)


def test_there_is_something_to_recognise() -> None:
    assert len({entry.provider for entry, _ in SAID}) >= 15
