"""The text about a domain: records come unbroken, what is optional does not shout, notes take a line each."""

from __future__ import annotations

from probe.checks.bimi import NONE as NO_BIMI
from probe.checks.spf import RULES
from probe.render import Style
from probe.render.text import render
from probe.rules import Finding, Report, State

NO_SPF = next(rule for rule in RULES if rule.id == "spf/none")
RECORD = 'example.test. IN TXT "v=spf1 ' + "include:spf.example.net " * 6 + '~all"'


def _told(*, verbose: int = 0) -> list[str]:
    findings = (
        Finding(NO_SPF, {"question": "example.test TXT", "status": "nodata"}, fix=f"For them: {RECORD}"),
        Finding(NO_BIMI, {"question": "default._bimi.example.test TXT", "status": "nxdomain"}),
    )
    states = {"spf": State.MISSING, "bimi": State.MISSING, "mx": State.VALID}
    report = Report("dns", "example.test", findings, states=states)
    return "".join(render([report], Style(width=80, verbose=verbose))).splitlines()


def test_a_record_to_paste_stands_on_a_line_of_its_own() -> None:
    assert f"           {RECORD}" in _told()


def test_what_nobody_needs_is_not_called_missing() -> None:
    assert [line.split() for line in _told() if line.startswith("  ")][:3] == [
        ["missing", "spf"],
        ["valid", "mx"],
        ["not", "used", "bimi"],
    ]


def test_notes_take_a_line_each_until_more_is_wanted() -> None:
    assert "note    bimi/none   No BIMI record" in _told()
    assert "  No BIMI record." in _told(verbose=1)
