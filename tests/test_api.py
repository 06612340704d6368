"""The public API works as its typed example uses it."""

from __future__ import annotations

import asyncio
import socket

import pytest

import probe
from probe import Grant, Inbox, Secret, check_creds
from tests.type_usage import may_launch


def test_the_typed_example_runs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    assert asyncio.run(may_launch("ada@example.com", "pw", port)) is False


@pytest.mark.parametrize("bad", ["ada", "ada@", "a b@example.com", "ada@example.com\r\nDATA"])
def test_an_address_that_cannot_be_one_is_a_value_error(bad: str) -> None:
    with pytest.raises(ValueError, match="address"):
        asyncio.run(check_creds(Inbox(bad, Secret("pw"))))


@pytest.mark.parametrize("bad", ["two\nlines", "a\rb", "a\0b", "half \udcff"])
def test_what_no_login_can_carry_is_a_value_error_without_the_secret(bad: str) -> None:
    with pytest.raises(ValueError, match="no login can carry") as problem:
        asyncio.run(check_creds(Inbox("ada@example.com", Secret(bad))))
    assert bad not in str(problem.value)
    with pytest.raises(ValueError, match="user holds"):
        asyncio.run(check_creds(Inbox("ada@example.com", Secret("pw"), user=bad)))
    for grant in (Grant(bad), Grant("id", Secret(bad))):
        with pytest.raises(ValueError, match="client"):
            asyncio.run(check_creds(Inbox("ada@example.com", Secret("pw"), grant=grant)))


@pytest.mark.parametrize("bad", ["ntlm", "", "scram-sha-1"])
def test_a_mechanism_that_is_not_spoken_is_a_value_error(bad: str) -> None:
    with pytest.raises(ValueError, match="is none of auto, plain, login"):
        asyncio.run(check_creds(Inbox("ada@example.com", Secret("pw"), mechanism=bad)))


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'send_mail'"):
        _ = probe.send_mail
    assert "check_creds" in dir(probe)
