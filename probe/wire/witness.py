"""A foreign witness: aiosmtplib says what we said, step by step, and tells the codes it read.

It never judges. Where a server is well-behaved, somebody else's client has to read the same codes as we
do; that is what the tests and ``probe scenarios run --witness`` compare.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable

import aiosmtplib

from probe.facts import Inbox, Reply, Stage, Transcript, Turn
from probe.wire import tls

__all__ = ["Codes", "codes", "comparable", "witnessed"]

Codes = tuple[tuple[Stage, int], ...]

_SPOKEN = {
    "PLAIN": "auth_plain",
    "LOGIN": "auth_login",
    "CRAM-MD5": "auth_crammd5",
    "XOAUTH2": "auth_xoauth2",
}
_FIRST = {Stage.TLS, Stage.GREETING}
_PATIENCE = 5.0  # seconds for all of a session


def codes(transcript: Transcript) -> Codes:
    """Stage and code of every reply we read; of an AUTH exchange the last one."""
    return tuple(
        (turn.stage, turn.heard.code)
        for turn in transcript
        if isinstance(turn.heard, Reply) and not (turn.stage is Stage.AUTH and turn.heard.code == 334)
    )


def comparable(transcript: Transcript) -> bool:
    """Whether the witness can say what we said: nothing broken, at most one AUTH it can speak.

    aiosmtplib leaves without a word after a greeting that is not 220 and after any 421.
    """
    replies = [turn.heard for turn in transcript if isinstance(turn.heard, Reply)]
    broken = any(turn.unasked or not isinstance(turn.heard, Reply | None) for turn in transcript)
    logins = [turn.said for turn in transcript.of(Stage.AUTH) if turn.said.startswith("AUTH ")]
    cancelled = any(turn.said == "*" for turn in transcript.of(Stage.AUTH))
    return (
        not broken
        and not cancelled
        and bool(replies)
        and replies[0].code == 220
        and all(reply.code != 421 for reply in replies)
        and len(logins) <= 1
        and all(_mechanism(said) in _SPOKEN for said in logins)
    )


async def witnessed(transcript: Transcript, inbox: Inbox, address: tuple[str, int], *, ca_file: str) -> Codes:
    """The codes aiosmtplib reads when it says to the server at an address what we said in a transcript.

    What aiosmtplib raises for a broken session, or our patience, ends the list: the codes read before are
    its testimony.
    """
    read: list[tuple[Stage, int]] = []
    try:
        async with asyncio.timeout(_PATIENCE):
            async for stage, code in _session(transcript, inbox, address, ca_file):
                read.append((stage, code))
    except (aiosmtplib.SMTPException, OSError):  # TimeoutError is an OSError
        pass
    return tuple(read)


async def _session(
    transcript: Transcript, inbox: Inbox, address: tuple[str, int], ca_file: str
) -> AsyncIterator[tuple[Stage, int]]:
    context = tls.verifying(ca_file)
    implicit = next((turn.stage for turn in transcript if turn.stage in _FIRST), None) is Stage.TLS
    # The name is what TLS has to prove; the address is where the server really listens.
    dialled = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    dialled.setblocking(False)
    await asyncio.get_running_loop().sock_connect(dialled, address)
    client = aiosmtplib.SMTP(
        hostname=transcript.server,
        sock=dialled,
        use_tls=implicit,
        start_tls=False,
        tls_context=context,
        local_hostname="witness.test",
    )
    try:
        yield Stage.GREETING, (await client.connect()).code
        for turn in transcript:
            step = _step(client, turn, inbox)
            if step is not None:
                yield turn.stage, await _code(step)
    finally:
        client.close()


def _step(client: aiosmtplib.SMTP, turn: Turn, inbox: Inbox) -> Awaitable[aiosmtplib.SMTPResponse] | None:
    """What aiosmtplib does where we said this; None where it does nothing of its own."""
    if not turn.said:
        return None
    if turn.stage is Stage.EHLO:
        return client.helo() if turn.said.startswith("HELO") else client.ehlo()
    if turn.stage is Stage.STARTTLS:
        return client.starttls()
    if turn.stage is Stage.AUTH:
        if not turn.said.startswith("AUTH "):
            return None  # the rest of an exchange is aiosmtplib's own
        login = getattr(client, _SPOKEN[_mechanism(turn.said)])
        answer: Awaitable[aiosmtplib.SMTPResponse] = login(inbox.user or inbox.address, inbox.secret.reveal())
        return answer
    return client.execute_command(turn.said.encode())


def _mechanism(said: str) -> str:
    return said.split()[1] if len(said.split()) > 1 else ""


async def _code(step: Awaitable[aiosmtplib.SMTPResponse]) -> int:
    """The code of an answer; aiosmtplib raises those it takes for a refusal."""
    try:
        return (await step).code
    except aiosmtplib.SMTPResponseException as refused:
        return refused.code
