"""The window on SMTP: what a session leaves behind, and what it says that it said."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import warnings
from contextlib import suppress

import pytest

from probe.facts import Ending, Fault, Inbox, Limits, Secret, Stage, TlsMode
from probe.fakes.reading import load
from probe.fakes.tls import ca_file, server_context
from probe.fakes.world import World
from probe.grammar.redaction import Redaction
from probe.play import inbox_of, network
from probe.rules import Report
from probe.run.creds import check_creds
from probe.wire._stream import Stream
from probe.wire.network import Network
from probe.wire.tls import describing


def test_a_connection_that_is_given_up_leaves_no_socket() -> None:
    async def run() -> None:
        async with World(load("creds-ending-silent")) as world:
            stream = Stream("mail.example.test", describing(), Limits(), Redaction(Secret("")), None)
            connecting = asyncio.create_task(stream.connect("127.0.0.1", world.port, "", 60))
            await asyncio.sleep(0)
            assert stream.waiter is not None
            connecting.cancel()
            with suppress(asyncio.CancelledError):
                await connecting
            stream.close()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    assert not [str(one.message) for one in told]


def _full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["creds-usable", "creds-mechanism-login"])
def test_what_could_not_be_written_down_was_not_said(name: str) -> None:
    """Where the note that a login is about to leave cannot be written, the login stays: in the transcript too."""

    async def run() -> tuple[Report, int]:
        scenario = load(name)
        async with World(scenario) as world, network(scenario, world) as net:
            return await check_creds(inbox_of(scenario), net, before_auth=_full), world.tally.auth

    report, logins = asyncio.run(run())
    assert logins <= (name == "creds-mechanism-login")  # its AUTH holds no secret
    assert report.transcript is not None
    last = report.transcript.of(Stage.AUTH)[-1]
    assert isinstance(last.heard, Fault)
    assert (last.said, last.heard.ending) == ("", Ending.LOCAL)
    assert "***" not in str(report.transcript)


ALERT = b"\x15\x03\x03\x00\x02\x02\x50"  # internal_error, outside the protection that TLS has by then


async def _breaks_tls(after: str) -> Report:
    """A session with a server that breaks TLS instead of answering one command; named as DNS writes names."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = {"EHLO": b"250-mx\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 ok\r\n"}
        writer.write(b"220 mx\r\n")
        while line := (await reader.readline()).decode():
            word = line.split()[0]
            if word == after:
                os.write(writer.get_extra_info("socket").fileno(), ALERT)
                await asyncio.sleep(0.05)
                break
            writer.write(answers.get(word, b"250 ok\r\n"))
        writer.transport.abort()

    context = server_context("good", ("localhost",))
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        told = Inbox("ada@example.test", Secret("pw"), host="localhost.", port=port, tls=TlsMode.IMPLICIT)
        async with Network(ca_file=ca_file(), hosts={("localhost", port): ("127.0.0.1", port)}) as net:
            return await check_creds(told, net)


@pytest.mark.parametrize(
    ("after", "problem"),
    [("EHLO", "network/hangup"), ("AUTH", "network/auth-hangup"), ("MAIL", "network/hangup")],
)
def test_tls_that_breaks_in_the_middle_of_a_session_is_no_handshake_that_failed(
    after: str, problem: str
) -> None:
    report = asyncio.run(_breaks_tls(after))
    assert [finding.rule.id for finding in report.findings] == [problem]
    assert "TLS: " in report.findings[0].evidence["detail"]
