"""Records to paste, pasted: in the world of every scenario each is published and the domain is judged again.

What a finding hands out mends it, makes nothing worse than it was, and never stands beside an alias.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest

from probe.checks import Domain, find
from probe.facts import Records
from probe.fakes.reading import load_all
from probe.fakes.scenario import Scenario
from probe.rules import Finding, Verdict
from tests.checks_world import World

AREAS = ("mx", "dkim", "mta_sts", "tls_rpt", "bimi", "dane", "ptr")
SCENARIOS = [one for one in load_all() if one.probe.run == "dns" and one.dns is not None and one.dns.zone]

Published = dict[tuple[str, str], list[str]]

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LINE = re.compile(r"(\S+)\. (?:\d+ )?IN +([A-Z]+) +(.+)")
_ADDED = re.compile(r"First add mx: (\S+) to (\S+) and")
_POLICY = re.compile(r"(https://mta-sts\S+)\n(version:.*?)\n\n", re.DOTALL)


def value(kind: str, written: str) -> str:
    if kind != "TXT":
        return written if written.endswith(" .") else written.removesuffix(".").lower()
    text = "".join(_STRING.findall(written)) if '"' in written else written
    text = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1])), text)
    return re.sub(r"\\(.)", r"\1", text)


def published(text: str) -> Published:
    """The records among the lines of a text."""
    found: Published = {}
    for line in text.splitlines():
        if record := _LINE.search(" ".join(line.split())):
            found.setdefault((record[1].lower(), record[2]), []).append(value(record[2], record[3]))
    return found


def served(pages: Mapping[str, str], fix: str) -> dict[str, str]:
    """The pages once a policy is served as a fix has it, or a host is added to one."""
    changed = {**pages, **dict(_POLICY.findall(fix))}
    for host, place in _ADDED.findall(fix):
        changed[place] += f"mx: {host}\n"
    return changed


def judged(records: Published, pages: Mapping[str, str], scenario: Scenario) -> list[Finding]:
    ask, dns = scenario.probe, scenario.dns
    assert dns is not None
    world = World("", {}, tuple(dns.secure), pages)
    world.records, world.names = records, {name for name, _ in records}
    # A server that says NXDOMAIN of a type it has no record of, though the name exists, has one once told.
    world.broken = {
        asked: how.lower()
        for asked, how in dns.broken.items()
        if how in {"SERVFAIL", "TIMEOUT"} or (how == "NXDOMAIN" and tuple(asked.split()) not in records)
    }
    domain = Domain(ask.domain, ask.sending_ips, ask.told_helo, ask.mail_from, ask.selectors, ask.provider)
    seen = Records()
    while new := [asked for area in AREAS for asked in find(area).ask(domain, seen) if asked not in seen]:
        seen = seen.including({asked: world.answer(asked) for asked in new})
    return [finding for area in AREAS for finding in find(area).judge(domain, seen).findings]


def followed(records: Published, name: str, kind: str, lines: Sequence[str], rule: str) -> list[str]:
    """What is published at a name once the lines of a fix are."""
    held = records.get((name, kind), [])
    if kind == "MX" and lines != ["0 ."] and rule != "mx/null-and-others":
        preferences = {line.partition(" ")[0] for line in lines}
        return [*(old for old in held if old.partition(" ")[0] not in preferences), *lines]
    return [*held, *lines] if kind in {"A", "AAAA"} else list(lines)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_is_handed_out_mends_and_makes_nothing_worse(scenario: Scenario) -> None:
    assert scenario.dns is not None
    records = published(scenario.dns.zone)
    pages = {url: page for url, page in scenario.dns.web.items() if isinstance(page, str)}
    before = judged(records, pages, scenario)
    for finding in before:
        if not (lines := published(finding.fix)):
            continue
        assert not any((name, "CNAME") in records for name, kind in lines if kind != "CNAME")
        mended = dict(records)
        for (name, kind), values in lines.items():
            mended[name, kind] = followed(records, name, kind, values, finding.rule.id)
        after = judged(mended, served(pages, finding.fix), scenario)
        assert (finding.rule.id, finding.detail) not in {(one.rule.id, one.detail) for one in after}
        known = {one.rule.id for one in before}
        new = [one for one in after if one.rule.id not in known and one.verdict is not Verdict.UNKNOWN]
        assert all(one.verdict.rank <= finding.verdict.rank for one in new)
