"""The window on SMTP: what a session leaves behind, and what it says that it said."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import warnings
from contextlib import suppress

import pytest

from probe.facts import Ending, Fault, Limits, Secret, Stage
from probe.fakes.scenario import load
from probe.fakes.world import World
from probe.grammar.redaction import Redaction
from probe.play import inbox_of, network
from probe.rules import Report
from probe.run.creds import check_creds
from probe.wire._stream import Stream
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
