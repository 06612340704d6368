"""What a client may say: each command as bytes for the wire and as words for the transcript.

Nothing that carries CR, LF or NUL can be built, so no field of a user ever becomes a second command.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from probe.facts import Stage, Turn

__all__ = [
    "CANCEL",
    "GREETING",
    "HANDSHAKE",
    "QUIT",
    "RSET",
    "STARTTLS",
    "Command",
    "Flight",
    "Handshake",
    "Listen",
    "Plan",
    "Step",
    "auth",
    "ehlo",
    "helo",
    "mail",
    "rcpt",
    "respond",
]

MAX_COMMAND = 510  # octets before CR LF, RFC 5321 section 4.5.3.1.4; RFC 4954 section 4 holds AUTH to it


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """One line of ours: `line` for the wire, without CR LF and never printed, `shown` for everybody."""

    stage: Stage
    line: bytes
    shown: str
    secret: bool = False

    def __repr__(self) -> str:
        return f"Command({self.stage}, {self.shown!r})"


@dataclass(frozen=True, slots=True)
class Listen:
    """Say nothing and await a reply."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Handshake:
    """Start TLS on this connection."""

    stage: Stage = Stage.TLS


Step = Command | Listen | Handshake
Flight = tuple[Step, ...]  # what leaves together; more than one step only where PIPELINING was offered
Plan = Generator[Flight, tuple[Turn, ...], str]  # flights out, their turns back; ends with why it stopped


def _said(stage: Stage, text: str) -> Command:
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError(f"a line break or NUL in {stage}")
    return Command(stage, text.encode(), text)


GREETING: Final = Listen(Stage.GREETING)
HANDSHAKE: Final = Handshake()
STARTTLS: Final = _said(Stage.STARTTLS, "STARTTLS")
RSET: Final = _said(Stage.RSET, "RSET")
QUIT: Final = _said(Stage.QUIT, "QUIT")
CANCEL: Final = _said(Stage.AUTH, "*")  # RFC 4954 section 4: cancels an exchange


@functools.lru_cache(maxsize=16)  # a run has one name
def ehlo(name: str) -> Command:
    """EHLO with our name."""
    return _said(Stage.EHLO, f"EHLO {name}")


def helo(name: str) -> Command:
    """HELO, for a server that refuses EHLO."""
    return _said(Stage.EHLO, f"HELO {name}")


def auth(mechanism: str, initial: bytes | None) -> Command:
    """AUTH with an initial response where it fits a command line (RFC 4954 section 4).

    An empty initial response is sent as ``=``.
    """
    if initial is not None:
        encoded = base64.b64encode(initial) or b"="
        line = f"AUTH {mechanism} ".encode() + encoded
        if len(line) <= MAX_COMMAND:
            return Command(Stage.AUTH, line, f"AUTH {mechanism} ***", secret=True)
    return _said(Stage.AUTH, f"AUTH {mechanism}")


def respond(data: bytes) -> Command:
    """The answer to a 334 challenge, in base64."""
    return Command(Stage.AUTH, base64.b64encode(data), "***" if data else "(empty)", secret=bool(data))


def mail(sender: str, *, smtputf8: bool = False) -> Command:
    """MAIL FROM; the empty sender is the null reverse-path."""
    return _said(Stage.MAIL, f"MAIL FROM:<{sender}>{' SMTPUTF8' if smtputf8 else ''}")


def rcpt(recipient: str) -> Command:
    """RCPT TO."""
    return _said(Stage.RCPT, f"RCPT TO:<{recipient}>")
