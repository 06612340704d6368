"""Honest unknown: in the world of every scenario each answer in turn is lost, and nothing new fails by it."""

from __future__ import annotations

import pytest

from probe.checks import Domain, every, find
from probe.facts import Question, Records
from probe.fakes.reading import load_all
from probe.fakes.scenario import Scenario
from probe.rules import Finding, Verdict
from tests.checks_world import World
from tests.test_checks_followed import published

AREAS = tuple(area for area in every() if area not in {"dnsbl", "rdap", "receivers"})
SCENARIOS = [one for one in load_all() if one.probe.run == "dns" and one.dns is not None and one.dns.zone]

# What stands on another answer than the one that is lost, which said otherwise by a server's mistake or by a
# registry's policy that hardly any has.
OTHERWISE = {
    ("dns-dkim-not-rectified", "example.test MX"),
    ("dns-dmarc-registry-policy", "_dmarc.test TXT"),
    ("dns-spf-nxdomain-contradicted", "example.test MX"),
}


def judged(scenario: Scenario, lost: Question | None = None) -> tuple[list[Finding], Records]:
    ask, dns = scenario.probe, scenario.dns
    assert dns is not None
    world = World(
        "", {}, tuple(dns.secure), {at: page for at, page in dns.web.items() if isinstance(page, str)}
    )
    world.records = published(dns.zone)
    world.names = {name for name, _ in world.records}
    known = {"SERVFAIL", "TIMEOUT", "NXDOMAIN"}
    broken = {asked: how.lower() for asked, how in dns.broken.items() if how in known}
    world.broken = broken if lost is None else {**broken, str(lost): "timeout"}
    domain = Domain(ask.domain, ask.sending_ips, ask.told_helo, ask.mail_from, ask.selectors, ask.provider)
    seen = Records()
    while new := [asked for area in AREAS for asked in find(area).ask(domain, seen) if asked not in seen]:
        seen = seen.including({asked: world.answer(asked) for asked in new})
    return [finding for area in AREAS for finding in find(area).judge(domain, seen).findings], seen


def failing(findings: list[Finding]) -> set[str]:
    """The areas where something fails."""
    return {one.rule.id.partition("/")[0] for one in findings if one.verdict is Verdict.FAIL}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_is_not_answered_fails_nothing(scenario: Scenario) -> None:
    told, seen = judged(scenario)
    before = failing(told)
    # Whether a domain sends at all is told by its SPF record: what it lacks is a fault only if it does.
    own = Question(scenario.probe.domain, "TXT")
    for asked, answer in seen.answers.items():
        if answer.known and asked != own and (scenario.name, str(asked)) not in OTHERWISE:
            assert failing(judged(scenario, asked)[0]) <= before, asked
