"""Fetch a certificate that failed verification, to describe it: the way to TLS and back, no secret."""

from __future__ import annotations

from collections.abc import Generator

from probe.facts import Reply, TlsMode, Turn
from probe.grammar import command
from probe.grammar.command import Flight

__all__ = ["certificate"]


def certificate(tls: TlsMode, helo: str) -> Generator[Flight, tuple[Turn, ...], str]:
    """Greeting, EHLO, STARTTLS, handshake, and away; with implicit TLS the handshake is the first step."""
    if tls is TlsMode.STARTTLS:
        for step, code in ((command.GREETING, 220), (command.ehlo(helo), 250), (command.STARTTLS, 220)):
            (turn,) = yield (step,)
            if not isinstance(turn.heard, Reply) or turn.heard.code != code:
                return ""
    yield (command.HANDSHAKE,)
    return ""
