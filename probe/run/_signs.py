"""What a session tells of its host's patience, and of the network on this side."""

from __future__ import annotations

import enum

from probe import catalogue
from probe.facts import Reply, Stage
from probe.rules import Outcome, Report

__all__ = ["Sign", "not_reached", "sign_of"]

_AWAY = ("unreachable", "local", "timeout")
_LOOKED_UP = ("session/submission-lookup-failed", "doctor/no-network")
_MUTE = ("timeout", "unreachable", "refused")


class Sign(enum.StrEnum):
    """What a session told of its host."""

    FINE = "fine"
    REFUSED = "refused"  # it refused the login
    SLOWER = "slower"  # it asked for less: 421, 454, 4.7.x


def sign_of(report: Report) -> Sign:
    """What the session tells of its host's patience."""
    if report.transcript is None:
        return Sign.FINE
    for turn in report.transcript:
        if isinstance(turn.heard, Reply) and turn.stage is not Stage.QUIT:
            if turn.heard.code in {421, 454} or (turn.heard.enhanced or "").startswith("4.7."):
                return Sign.SLOWER
            if turn.stage is Stage.AUTH and turn.heard.code == 535 and not _spared(report):
                return Sign.REFUSED
    return Sign.REFUSED if report.outcome is Outcome.BAD_CREDS else Sign.FINE


def _spared(report: Report) -> bool:
    """Whether a provider that is known said in its own words that it was not the password."""
    file = report.decisive.rule.id.partition("/")[0] if report.decisive is not None else ""
    return report.outcome is not Outcome.BAD_CREDS and any(file == one.id for one in catalogue.providers())


def not_reached(report: Report) -> bool:
    """Whether the session ended before any server was reached, for a reason that may lie here."""
    for finding in report.findings:
        stage, ending = finding.evidence.get("stage", ""), finding.evidence.get("ending", "")
        if stage == Stage.CONNECT and ending in _AWAY:
            return True
        looked_up = stage == Stage.RESOLVE or finding.rule.id in _LOOKED_UP
        if looked_up and finding.evidence.get("status") in _MUTE:
            return True
    return False
