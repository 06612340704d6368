"""The recipient probe: would this server take this recipient from this sender? Never DATA, VRFY, EXPN.

A control recipient, an address nobody has, is offered after the real one: where both get the same answer,
the answer is not about the recipient.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from probe.facts import Fault, Reply, Stage, Turn
from probe.grammar import command
from probe.grammar.address import address
from probe.grammar.command import Flight
from probe.grammar.ehlo import Extensions
from probe.plans._steps import Plan, Stop, introduce, must, polite

__all__ = ["Delivery", "rcpt"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the recipient probe says: envelope, our name, and whether STARTTLS is used when offered.

    `sender` may be empty (the null reverse-path). `control` is an address nobody has, or empty. Where TLS is
    `demanded` nothing of the envelope is said without it.
    """

    recipient: str
    sender: str
    helo: str
    control: str = ""
    starttls: bool = True
    demanded: bool = False


def rcpt(delivery: Delivery) -> Plan:
    """The plan of one recipient probe; it returns why it stopped early by its own decision, or nothing."""
    return (yield from polite(_session(delivery)))


def _session(delivery: Delivery) -> Generator[Flight, tuple[Turn, ...], None]:
    yield from must(command.GREETING, 220)
    offered = yield from introduce(delivery.helo)
    if delivery.starttls and "STARTTLS" in offered:
        yield from must(command.STARTTLS, 220)
        yield from must(command.HANDSHAKE, 0)
        offered = yield from introduce(delivery.helo)
    elif delivery.demanded:
        raise Stop("starttls-not-offered")
    sender = str(address(delivery.sender)) if delivery.sender else ""
    recipient = address(delivery.recipient)
    international = recipient.international or not sender.isascii()
    if international and "SMTPUTF8" not in offered:
        raise Stop("smtputf8-not-offered")
    mail = command.mail(sender, smtputf8=international)
    first = (mail, command.rcpt(str(recipient)))
    heard = yield from _together(first, offered)
    if heard[0].accepted and delivery.control and _definite(heard[-1]):
        yield from _together((command.rcpt(delivery.control), command.RSET, command.QUIT), offered)
    else:
        yield from _together((command.RSET, command.QUIT), offered)


def _together(steps: Flight, offered: Extensions) -> Generator[Flight, tuple[Turn, ...], list[Turn]]:
    """In one flight where PIPELINING is offered, else one after the other until one is refused."""
    if "PIPELINING" in offered:
        turns = yield steps
        if any(isinstance(turn.heard, Fault) for turn in turns):
            raise Stop(deaf=True)
        return list(turns)
    heard: list[Turn] = []
    for step in steps:
        (turn,) = yield (step,)
        heard.append(turn)
        if isinstance(turn.heard, Fault):
            raise Stop(deaf=True)
        if step.stage is Stage.MAIL and not turn.accepted:
            raise Stop
    return heard


def _definite(turn: Turn) -> bool:
    """A control says something beside an acceptance or a refusal for good, not beside "come back later"."""
    return isinstance(turn.heard, Reply) and not 400 <= turn.heard.code < 500
