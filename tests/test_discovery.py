"""Port and TLS of a submission server: as told, as known, and the one by the other where only one was told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from probe.facts import Answer, Inbox, Question, Secret, Status, TlsMode
from probe.run.discovery import submission_server
from probe.wire.network import Network

IMPLICIT, STARTTLS, CLEAR = TlsMode.IMPLICIT, TlsMode.STARTTLS, TlsMode.NONE


class Announced(Network):
    """A network whose DNS knows SRV records only."""

    def __init__(self, *records: tuple[str, str]) -> None:
        super().__init__()
        self.records = {Question(f"{service}._tcp.own.example", "SRV"): value for service, value in records}

    async def ask(
        self, questions: Iterable[Question], *, within: float | None = None
    ) -> dict[Question, Answer]:
        assert within is None
        return {
            question: Answer(Status.OK, (self.records[question],))
            if question in self.records
            else Answer(Status.NODATA)
            for question in questions
        }


def found(port: int, tls: TlsMode | None, *records: tuple[str, str], **more: Any) -> tuple[int, TlsMode]:
    inbox = Inbox("ada@own.example", Secret("x"), port=port, tls=tls, **more)
    server = asyncio.run(submission_server(inbox, Announced(*records)))
    assert not server.problem
    return server.port, server.tls


@pytest.mark.parametrize(
    ("port", "tls", "where"),
    [
        (0, None, (465, IMPLICIT)),
        (465, None, (465, IMPLICIT)),
        (587, None, (587, STARTTLS)),
        (2525, None, (2525, STARTTLS)),
        (0, STARTTLS, (587, STARTTLS)),
        (0, CLEAR, (587, CLEAR)),
        (0, IMPLICIT, (465, IMPLICIT)),
        (587, IMPLICIT, (587, IMPLICIT)),
        (465, STARTTLS, (465, STARTTLS)),
    ],
)
def test_implicit_tls_is_announced_or_served(
    port: int, tls: TlsMode | None, where: tuple[int, TlsMode]
) -> None:
    assert found(port, tls, ("_submissions", "0 1 465 mail.own.example")) == where
    assert found(port, tls, provider="free") == where  # it knows no other server of theirs


@pytest.mark.parametrize(
    ("port", "tls", "where"),
    [
        (0, None, (4650, IMPLICIT)),
        (4650, None, (4650, IMPLICIT)),
        (0, IMPLICIT, (4650, IMPLICIT)),
        (0, STARTTLS, (587, STARTTLS)),
    ],
)
def test_implicit_tls_at_a_port_of_its_own(
    port: int, tls: TlsMode | None, where: tuple[int, TlsMode]
) -> None:
    assert found(port, tls, ("_submissions", "0 1 4650 mail.own.example")) == where


@pytest.mark.parametrize(
    ("port", "tls", "where"),
    [
        (0, None, (587, STARTTLS)),
        (465, None, (465, IMPLICIT)),
        (0, IMPLICIT, (465, IMPLICIT)),
        (0, CLEAR, (587, CLEAR)),
        (25, None, (25, STARTTLS)),
    ],
)
def test_starttls_is_announced(port: int, tls: TlsMode | None, where: tuple[int, TlsMode]) -> None:
    assert found(port, tls, ("_submission", "0 1 587 mail.own.example")) == where


def test_the_port_of_implicit_tls_is_announced_under_the_service_of_starttls() -> None:
    assert found(0, None, ("_submission", "0 1 465 mail.own.example")) == (465, IMPLICIT)


@pytest.mark.parametrize(
    ("port", "tls", "where"),
    [
        (0, None, (587, STARTTLS)),
        (465, None, (465, IMPLICIT)),
        (0, IMPLICIT, (465, IMPLICIT)),
        (25, None, (25, STARTTLS)),
        (25, IMPLICIT, (25, IMPLICIT)),
    ],
)
def test_only_the_host_is_told(port: int, tls: TlsMode | None, where: tuple[int, TlsMode]) -> None:
    assert found(port, tls, host="mail.own.example") == where


def test_an_address_literal_has_no_records_to_ask_for() -> None:
    class Mute(Network):
        """A network whose DNS is asked nothing."""

        async def ask(
            self, questions: Iterable[Question], *, within: float | None = None
        ) -> dict[Question, Answer]:
            raise AssertionError(tuple(questions), within)

    server = asyncio.run(submission_server(Inbox("ada@[192.0.2.1]", Secret("x")), Mute()))
    assert server.problem == "session/submission-server-unknown"


@pytest.mark.parametrize(
    ("typed", "host", "shown"),
    [
        ("mail.own.example.", "mail.own.example", "mail.own.example:587"),
        ("[::1]", "::1", "[::1]:587"),
        ("::1", "::1", "[::1]:587"),
        ("[192.0.2.1]", "192.0.2.1", "192.0.2.1:587"),
    ],
)
def test_a_host_is_what_tls_can_prove(typed: str, host: str, shown: str) -> None:
    server = asyncio.run(submission_server(Inbox("ada@own.example", Secret("x"), host=typed), Announced()))
    assert (server.host, str(server)) == (host, shown)
