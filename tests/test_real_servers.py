"""The real thing: Postfix with Dovecot, and Exim, on loopback, asked through the real command."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.servers import exim, postfix
from tests.servers.exim import PASSWORD, USER, Exim
from tests.servers.postfix import Postfix

AS_ROOT = os.geteuid() == 0


# Daemons of other users must reach their folder, and pytest keeps its own to itself: these stand elsewhere.


@pytest.fixture(scope="module")
def with_postfix() -> Iterator[Postfix]:
    if reason := postfix.absent() or ("" if AS_ROOT else "Postfix starts as root only"):
        pytest.skip(reason)
    with TemporaryDirectory(prefix="probe-postfix-", ignore_cleanup_errors=True) as folder:
        try:
            yield postfix.start(Path(folder))
        finally:
            postfix.stop(Path(folder))


@pytest.fixture(scope="module")
def with_exim() -> Iterator[Exim]:
    if reason := exim.absent() or ("" if AS_ROOT else "Exim starts as root only"):
        pytest.skip(reason)
    with TemporaryDirectory(prefix="probe-exim-", ignore_cleanup_errors=True) as folder:
        running = exim.start(Path(folder))
        yield running
        exim.stop(running)


def creds(
    server: Postfix | Exim, *options: str, password: str = PASSWORD, user: str = USER, port: int = 0
) -> dict[str, Any]:
    words = [
        sys.executable, "-m", "probe", "creds", user, "--host", "localhost", "--port", str(port or server.submission),
        "--ca-file", str(server.ca), "--password-env", "PROBE_TEST_PASSWORD", "-f", "json", *options,
    ]  # fmt: skip
    environment = {**os.environ, "PROBE_TEST_PASSWORD": password}
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert "Traceback" not in ran.stderr
    assert password not in ran.stdout + ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)
    return {**report, "exit": ran.returncode}


def ids(report: dict[str, Any]) -> list[str]:
    return [finding["id"] for finding in report["findings"]]


MECHANISMS = ["auto", "plain", "login", "cram-md5"]


@pytest.mark.parametrize("mechanism", [*MECHANISMS, "scram-sha-256"])
def test_postfix_good_login(with_postfix: Postfix, mechanism: str) -> None:
    report = creds(with_postfix, "--tls", "starttls", "--auth-mech", mechanism)
    assert (report["outcome"], report["verdict"], report["exit"]) == ("usable", "ok", 0), report


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_exim_good_login(with_exim: Exim, mechanism: str) -> None:
    report = creds(with_exim, "--tls", "starttls", "--auth-mech", mechanism)
    assert (report["outcome"], report["verdict"], report["exit"]) == ("usable", "ok", 0), report


def test_postfix_implicit_tls(with_postfix: Postfix) -> None:
    assert creds(with_postfix, "--tls", "implicit", port=with_postfix.submissions)["outcome"] == "usable"


def test_exim_implicit_tls(with_exim: Exim) -> None:
    assert creds(with_exim, "--tls", "implicit", port=with_exim.submissions)["outcome"] == "usable"


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_postfix_bad_password(with_postfix: Postfix, mechanism: str) -> None:
    report = creds(with_postfix, "--tls", "starttls", "--auth-mech", mechanism, password="wrong-horse")
    assert (report["outcome"], report["exit"]) == ("bad_creds", 1), report
    assert report["evaluations"]["decided_by"]["reply"].startswith("535 5.7.8 Error: authentication failed")
    assert sum(line.startswith("C: AUTH") for line in report["transcript"]) == 1
    assert report["transcript"][-1].startswith("S: 221")


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_exim_bad_password(with_exim: Exim, mechanism: str) -> None:
    report = creds(with_exim, "--tls", "starttls", "--auth-mech", mechanism, password="wrong-horse")
    assert (report["outcome"], report["exit"]) == ("bad_creds", 1), report
    assert report["evaluations"]["decided_by"]["reply"] == "535 Incorrect authentication data"


def test_postfix_refuses_auth_before_tls(with_postfix: Postfix) -> None:
    report = creds(with_postfix, "--tls", "none", "--insecure-plaintext")
    assert (report["outcome"], ids(report)) == ("not_proven", ["session/auth-under-tls-only"]), report


def test_exim_does_not_offer_auth_before_tls(with_exim: Exim) -> None:
    report = creds(with_exim, "--tls", "none", "--insecure-plaintext")
    assert (report["outcome"], ids(report)) == ("not_proven", ["session/auth-under-tls-only"]), report


def test_postfix_unknown_recipient(with_postfix: Postfix) -> None:
    report = creds(with_postfix, "--rcpt-to", "nobody@probe.test")
    assert (report["outcome"], report["exit"]) == ("creds_ok", 1), report
    assert report["findings"][0]["cause"] == "recipient_unknown"


def test_exim_unknown_recipient(with_exim: Exim) -> None:
    report = creds(with_exim, "--rcpt-to", "nobody@probe.test")
    assert (report["outcome"], report["findings"][0]["cause"]) == ("creds_ok", "recipient_unknown"), report


def test_postfix_relay_denied(with_postfix: Postfix) -> None:
    report = creds(with_postfix, "--mail-from", "bob@probe.test")
    assert (report["outcome"], report["findings"][0]["cause"]) == ("creds_ok", "relay"), report
    assert "not owned by user" in report["findings"][0]["evidence"]["reply"]


def test_postfix_on_its_mx_port_offers_no_auth(with_postfix: Postfix) -> None:
    report = creds(with_postfix, port=with_postfix.mx)
    assert (report["outcome"], ids(report)) == ("not_proven", ["session/auth-not-offered"]), report


def test_exim_greylists(with_exim: Exim) -> None:
    report = creds(with_exim, "--rcpt-to", "grey@probe.test")
    assert (report["outcome"], report["verdict"], report["exit"]) == ("creds_ok", "wait", 3), report
    assert report["findings"][0]["cause"] == "greylist"


def test_a_certificate_of_an_unknown_ca(with_postfix: Postfix, tmp_path: Path) -> None:
    import trustme

    stranger = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    report = creds(Postfix(with_postfix.submission, 0, 0, stranger))
    assert (report["outcome"], report["verdict"]) == ("not_proven", "fail"), report
    assert not any(line.startswith("C: AUTH") for line in report["transcript"])
    assert any(line.startswith("-- certificate") for line in report["transcript"])


# -- recipients: the servers as the world meets them, on their MX port -------------------------------


def rcpt(server: Postfix | Exim, recipient: str, *options: str) -> dict[str, Any]:
    words = [
        sys.executable, "-m", "probe", "rcpt", recipient, "--mx", f"localhost:{server.mx}", "--ca-file", str(server.ca),
        "--mail-from", "ada@sender.test", "--resolver", "127.0.0.1:1", "-f", "json", *options,
    ]  # fmt: skip
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)
    assert not any(line.startswith(("C: DATA", "C: VRFY", "C: EXPN")) for line in report["transcript"])
    return {**report, "exit": ran.returncode}


def recipients(report: dict[str, Any]) -> tuple[str, str]:
    return report["evaluations"]["recipient"], report["evaluations"]["control"]


def test_postfix_takes_a_recipient_it_knows(with_postfix: Postfix) -> None:
    report = rcpt(with_postfix, USER)
    assert (recipients(report), report["verdict"], report["exit"]) == (("accepted", "refused"), "ok", 0), (
        "\n".join(report["transcript"])
    )


def test_exim_takes_a_recipient_it_knows(with_exim: Exim) -> None:
    report = rcpt(with_exim, USER)
    assert recipients(report) == ("accepted", "refused"), "\n".join(report["transcript"])


def test_postfix_does_not_know_a_recipient(with_postfix: Postfix) -> None:
    report = rcpt(with_postfix, "nobody@probe.test")
    assert (recipients(report), report["exit"]) == (("refused", "refused"), 1), "\n".join(
        report["transcript"]
    )
    assert report["findings"][0]["cause"] == "recipient_unknown"


def test_exim_does_not_know_a_recipient(with_exim: Exim) -> None:
    report = rcpt(with_exim, "nobody@probe.test")
    assert (recipients(report)[0], report["findings"][0]["cause"]) == ("refused", "recipient_unknown"), (
        "\n".join(report["transcript"])
    )


def test_postfix_does_not_relay(with_postfix: Postfix) -> None:
    report = rcpt(with_postfix, "bob@elsewhere.test")
    assert (recipients(report), report["findings"][0]["cause"]) == (("refused", "refused"), "relay"), (
        "\n".join(report["transcript"])
    )


def test_exim_does_not_relay(with_exim: Exim) -> None:
    report = rcpt(with_exim, "bob@elsewhere.test")
    assert (recipients(report), report["findings"][0]["cause"]) == (("refused", "refused"), "relay"), (
        "\n".join(report["transcript"])
    )


def test_postfix_greylists(with_postfix: Postfix) -> None:
    report = rcpt(with_postfix, "grey@probe.test")
    assert (recipients(report), report["exit"]) == (("later", "unknown"), 3), "\n".join(report["transcript"])
    assert report["findings"][0]["cause"] == "greylist"
    assert report["evaluations"]["come_back_after"] == 300


def test_exim_greylists_a_recipient(with_exim: Exim) -> None:
    report = rcpt(with_exim, "grey@probe.test")
    assert (report["findings"][0]["cause"], report["evaluations"]["come_back_after"]) == ("greylist", 300), (
        "\n".join(report["transcript"])
    )


LISTS = """
test. 300 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 300
2.0.0.127.bl.probe.test. 300 IN A 127.0.0.2
7.2.0.192.bl.probe.test. 300 IN A 127.0.0.2
"""


@pytest.mark.parametrize(("address", "status"), [("192.0.2.7", "confirmed"), ("198.51.100.7", "refuted")])
def test_a_block_list_that_exim_names_is_asked(with_exim: Exim, address: str, status: str) -> None:
    from probe.fakes.dns import FakeDns

    async def ask() -> dict[str, Any]:
        async with FakeDns(LISTS) as server:
            options = ("--resolver", server.address, "--sending-ip", address)
            return await asyncio.to_thread(rcpt, with_exim, "listed@probe.test", *options)

    report = asyncio.run(ask())
    assert report["findings"][0]["cause"] == "blocklist", "\n".join(report["transcript"])
    assert report["evaluations"]["diagnosis"]["status"] == status, "\n".join(report["transcript"])


def test_a_certificate_of_an_unknown_ca_is_only_said(with_postfix: Postfix, tmp_path: Path) -> None:
    import trustme

    stranger = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    report = rcpt(Postfix(0, 0, with_postfix.mx, stranger), USER)
    assert (recipients(report)[0], ids(report), report["exit"]) == (
        "accepted",
        ["rcpt/tls-not-verified"],
        0,
    ), "\n".join(report["transcript"])
