"""What a session tells of its host's patience, and of the network on this side."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable

from probe import catalogue
from probe.facts import Fault, Reply, Stage, counted
from probe.rules import Outcome, Report

__all__ = ["Sign", "failures", "not_reached", "sign_of"]

_AWAY = ("unreachable", "local", "timeout")
_BEFORE = ("session/submission-lookup-failed", "doctor/no-network", "grant/token-server-silent")
_MUTE = ("timeout", "unreachable", "refused")


class Sign(enum.StrEnum):
    """What a session told of its host."""

    FINE = "fine"
    REFUSED = "refused"  # it refused the login
    UNANSWERED = "unanswered"  # it hung up on the login, said nothing to it, or nothing that can be read
    EARLIER = "earlier"  # one of an earlier run did one of the two
    SLOWER = "slower"  # it asked for less: 421, 454, 4.7.x, or its provider's token server is busy


_FAILED = {
    Sign.REFUSED: ("login was refused", "logins were refused"),
    Sign.UNANSWERED: ("login got no clear answer", "logins got no clear answer"),
    Sign.EARLIER: ("login failed in an earlier run", "logins failed in an earlier run"),
}


def failures(signs: Iterable[Sign]) -> str:
    """What became of logins that count for the brake: ``3 logins were refused, 1 login got no clear answer``.

    Nothing is said of those that do not count.
    """
    counts = Counter(signs)
    return ", ".join(counted(counts[sign], *words) for sign, words in _FAILED.items() if counts[sign])


def sign_of(report: Report) -> Sign:
    """What the session tells of its host's patience."""
    if report.transcript is None:
        busy = any(finding.rule.id == "grant/token-server-later" for finding in report.findings)
        return Sign.SLOWER if busy else Sign.FINE
    for turn in report.transcript:
        if isinstance(turn.heard, Fault) and turn.stage is Stage.AUTH:
            return Sign.UNANSWERED
        if isinstance(turn.heard, Reply) and turn.stage is not Stage.QUIT:
            if turn.heard.code in {421, 454} or (turn.heard.enhanced or "").startswith("4.7."):
                return Sign.SLOWER
            if turn.stage is Stage.AUTH and _failed(turn.heard.code) and not _spared(report):
                return Sign.REFUSED
    return Sign.REFUSED if report.outcome is Outcome.BAD_CREDS else Sign.FINE


def _failed(code: int) -> bool:
    """Whether servers count it as a failed login; of the others nobody looked at a password (RFC 4954)."""
    return code >= 520 and code not in {530, 534, 538}


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
        before = stage == Stage.RESOLVE or finding.rule.id in _BEFORE
        if before and finding.evidence.get("status") in _MUTE:
            return True
    return False
