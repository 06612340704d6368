"""The login probe: greeting, EHLO, STARTTLS, EHLO, AUTH, MAIL, RCPT, RSET, QUIT, and never DATA.

The rules that keep an account safe are here and nowhere else: one AUTH, a second only where the server
spoke of the mechanism (504, 534 too weak) and not of the password; no AUTH without TLS unless told so by
name; nothing in the same flight as STARTTLS or AUTH; QUIT wherever somebody still listens.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from probe.facts import Fault, Inbox, Reply, TlsMode, Turn
from probe.grammar import command, sasl
from probe.grammar.address import address
from probe.grammar.command import Flight
from probe.grammar.ehlo import Extensions
from probe.plans._steps import Plan, Stop, heard, introduce, must, polite

__all__ = ["Login", "creds"]

MOST_CHALLENGES = 6  # more 334s than any mechanism here needs


@dataclass(frozen=True, slots=True)
class Login:
    """What the login probe must know besides the inbox.

    `prefer` are mechanisms this provider is known to want first; `allow_plaintext` lets AUTH happen
    without TLS. `withheld` is why the secret must not be sent (empty: it may be).
    """

    inbox: Inbox
    tls: TlsMode
    helo: str
    prefer: tuple[str, ...] = ()
    allow_plaintext: bool = False
    withheld: str = ""


def creds(login: Login) -> Plan:
    """The plan of one login probe; it returns why it stopped early by its own decision, or nothing."""
    return (yield from polite(_session(login)))


def _session(login: Login) -> Generator[Flight, tuple[Turn, ...], None]:
    if login.tls is TlsMode.IMPLICIT:
        yield from must(command.HANDSHAKE, 0)
    yield from must(command.GREETING, 220)
    offered = yield from introduce(login.helo)
    if login.tls is TlsMode.STARTTLS:
        if "STARTTLS" not in offered:
            raise Stop("starttls-not-offered")
        yield from must(command.STARTTLS, 220)
        yield from must(command.HANDSHAKE, 0)
        # What was offered before TLS may have been anybody's words (RFC 3207 section 4.2).
        offered = yield from introduce(login.helo)
    elif login.tls is TlsMode.NONE and not login.allow_plaintext:
        raise Stop("plaintext-not-allowed")
    yield from _authenticate(login, offered)
    yield from _envelope(login.inbox, offered)


# -- AUTH -----------------------------------------------------------------------------------------


def _choices(login: Login, offered: Extensions) -> Iterator[str]:
    """The mechanisms to try, best first; a reason to stop where there is none."""
    inbox = login.inbox
    asked = inbox.mechanism.upper()
    if not offered.mechanisms:
        in_clear = login.tls is TlsMode.NONE and "STARTTLS" in offered
        raise Stop("auth-under-tls-only" if in_clear else "auth-not-offered")
    if asked != "AUTO":
        if asked not in offered.mechanisms:
            raise Stop("mechanism-not-offered")
        yield asked
        return
    if login.tls is TlsMode.NONE:
        order = sasl.PASSWORD_IN_CLEAR  # here hiding the password matters more than what a provider likes
    else:
        order = (*(name for name in login.prefer if name in sasl.PASSWORD), *sasl.PASSWORD)
    common = [name for name in dict.fromkeys(order) if name in offered.mechanisms]
    if not common:
        only_tokens = any(name in offered.mechanisms for name in sasl.TOKEN)
        raise Stop("password-not-offered" if only_tokens else "no-common-mechanism")
    yield from common


def _authenticate(login: Login, offered: Extensions) -> Generator[Flight, tuple[Turn, ...], None]:
    tries = _choices(login, offered)
    if login.withheld:
        raise Stop(login.withheld)
    reply = yield from _exchange(login.inbox, next(tries))
    if reply.code == 235:
        return
    again = next(tries, None)
    if again is None or not _about_the_mechanism(reply):
        raise Stop
    reply = yield from _exchange(login.inbox, again)
    if reply.code != 235:
        raise Stop


def _about_the_mechanism(reply: Reply) -> bool:
    """Whether the refusal speaks of the mechanism, so that one more AUTH says nothing about the password.

    504 is RFC 4954's "unrecognized authentication type"; 534 its "mechanism is too weak", which some
    providers use for other things.
    """
    words = reply.text.lower()
    return reply.code == 504 or (reply.code == 534 and "too weak" in words and "password" not in words)


def _exchange(inbox: Inbox, mechanism: str) -> Generator[Flight, tuple[Turn, ...], Reply]:
    user = inbox.user or inbox.address
    nonce = secrets.token_urlsafe(18) if mechanism in sasl.WITH_NONCE else ""
    speaks = sasl.exchange(mechanism, user, inbox.secret, nonce)
    step: command.Step = command.auth(mechanism, initial := next(speaks))
    held = initial if initial is not None and not _carries(step) else None
    for _ in range(MOST_CHALLENGES):
        (turn,) = yield (step,)
        reply = heard(turn)
        assert reply is not None
        if reply.code == 235 and (held is not None or not sasl.concluded(speaks, reply.text)):
            raise Stop("server-not-genuine" if nonce else "accepted-unheard")
        if reply.code != 334:
            return reply
        if held is not None:  # the initial response did not fit the command line
            step, held = command.respond(held), None
            continue
        try:
            answer = speaks.send(sasl.challenge(reply.text))
        except StopIteration:
            yield from _cancel("unexpected-challenge")
        except sasl.Abort as abort:
            yield from _cancel(str(abort))
        else:
            assert answer is not None
            step = command.respond(answer)
    yield from _cancel("unexpected-challenge")
    raise AssertionError("a cancelled exchange does not go on")


def _carries(step: command.Step) -> bool:
    return isinstance(step, command.Command) and step.secret


def _cancel(reason: str) -> Generator[Flight, tuple[Turn, ...], None]:
    (turn,) = yield (command.CANCEL,)
    raise Stop(reason, deaf=isinstance(turn.heard, Fault))


# -- envelope -------------------------------------------------------------------------------------


def _envelope(inbox: Inbox, offered: Extensions) -> Generator[Flight, tuple[Turn, ...], None]:
    sender, recipient = address(inbox.mail_from or inbox.address), address(inbox.rcpt_to or inbox.address)
    international = sender.international or recipient.international
    if international and "SMTPUTF8" not in offered:
        raise Stop("smtputf8-not-offered")
    steps = (
        command.mail(str(sender), smtputf8=international),
        command.rcpt(str(recipient)),
        command.RSET,
        command.QUIT,
    )
    if "PIPELINING" in offered:
        yield steps
        return
    for step in steps[:2]:
        (turn,) = yield (step,)
        reply = heard(turn)
        if reply is not None and not reply.accepted:
            raise Stop
    for step in steps[2:]:
        (turn,) = yield (step,)
        if isinstance(turn.heard, Fault):
            return
