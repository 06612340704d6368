"""The steps that plans share: hear, insist, introduce oneself, and end politely."""

from __future__ import annotations

from collections.abc import Generator

from probe.facts import Fault, Reply, Turn
from probe.grammar import command
from probe.grammar.command import Flight, Plan
from probe.grammar.ehlo import NONE, Extensions, extensions

__all__ = ["Plan", "Stop", "heard", "introduce", "must", "polite"]


class Stop(Exception):  # noqa: N818  # an ending, not an error
    """The plan ends: a step was refused or failed (no reason), or we decided so (a reason).

    A reason is the problem part of a rule in ``catalogue/session.toml``, or in ``credentials.toml`` where a
    secret is withheld. `deaf` where nobody listens.
    """

    def __init__(self, reason: str = "", *, deaf: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.deaf = deaf


def polite(session: Generator[Flight, tuple[Turn, ...], None]) -> Plan:
    """A session that says QUIT wherever it ends and somebody listens; returns the reason, or nothing."""
    reason = ""
    try:
        yield from session
    except Stop as stop:
        reason = stop.reason
        if not stop.deaf:
            yield (command.QUIT,)
    return reason


def heard(turn: Turn) -> Reply | None:
    """The reply of a turn; the plan stops where there is none, or where the server takes its leave."""
    if isinstance(turn.heard, Fault):
        raise Stop(deaf=True)
    if turn.heard is not None and turn.heard.code == 421:
        raise Stop
    return turn.heard


def must(step: command.Step, code: int) -> Generator[Flight, tuple[Turn, ...], Reply | None]:
    """One step that has to be answered by one code; 0 where it succeeds without words."""
    (turn,) = yield (step,)
    reply = heard(turn)
    if reply is not None and reply.code != code:
        raise Stop
    return reply


def introduce(name: str) -> Generator[Flight, tuple[Turn, ...], Extensions]:
    """EHLO, and HELO where EHLO is refused for good (RFC 5321 section 3.2)."""
    (turn,) = yield (command.ehlo(name),)
    reply = heard(turn)
    assert reply is not None
    if reply.code == 250:
        return extensions(reply)
    if not 500 <= reply.code <= 599:
        raise Stop
    yield from must(command.helo(name), 250)
    return NONE
