"""A run as a process: signals, few file descriptors, a machine without a network, a poor terminal."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet_world import Account, MailHost, Threaded, ca_file
from tests.terminal import terminal

ADDRESSES = [f"i{number}@fault.example" for number in range(16)]


@pytest.fixture
def slow() -> Iterator[MailHost]:
    threaded = Threaded(
        MailHost("mail.fault.example", dict.fromkeys(ADDRESSES, Account("zebra-quilt", hang=0.1)))
    )
    yield threaded.host
    threaded.close()


def started(
    host: MailHost, tmp_path: Path, *more: str, stderr: int = subprocess.PIPE, **environment: str
) -> subprocess.Popen[bytes]:
    file = tmp_path / "inboxes.csv"
    rows = "".join(f"{one},zebra-quilt,localhost,{host.port}\n" for one in ADDRESSES)
    file.write_text(f"email,password,host,port\n{rows}")
    file.chmod(0o600)
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "SSL_CERT_FILE": ca_file(), **environment}
    command = [sys.executable, "-m", "probe", "preflight", str(file), "--no-dns", *more]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=env)


def told_apart(host: MailHost, tmp_path: Path, *more: str, **environment: str) -> tuple[str, str, int]:
    """What a run says to a pipe on its stdout, and what to a terminal on its stderr."""
    with terminal() as (end, shown):
        process = started(host, tmp_path, *more, stderr=end, **environment)
        out = process.communicate(timeout=60)[0]
    return out.decode(), shown.decode(), process.returncode


def when_logging_in(
    host: MailHost, process: subprocess.Popen[bytes], number: signal.Signals
) -> tuple[str, str, int]:
    host.upon = (5, lambda: process.send_signal(number))
    out, err = process.communicate(timeout=60)
    return out.decode(), err.decode(), process.returncode


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_asked_to_end_tells_what_it_found_and_how_to_go_on(
    number: signal.Signals, code: int, slow: MailHost, tmp_path: Path
) -> None:
    out, err, ended = when_logging_in(
        slow, started(slow, tmp_path, "-f", "jsonl", "--write-pass", str(tmp_path / "good.csv")), number
    )
    assert ended == code, err
    reports = [json.loads(line) for line in out.splitlines()]
    assert len(reports) == slow.logins.total() + 1
    assert reports[-1]["kind"] == "fleet"
    assert "--resume" in err
    assert f"{len(ADDRESSES) - slow.logins.total()} rows in neither file: not probed" in err
    assert (tmp_path / "good.csv").read_text().count("\n") == 1 + slow.logins.total()
    first = slow.logins.copy()
    process = started(slow, tmp_path, "-f", "jsonl")
    assert (process.communicate(timeout=60)[0], process.returncode) == (b"", 2)
    slow.upon = (0, lambda: None)
    process = started(slow, tmp_path, "-f", "jsonl", "--resume")
    out = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 0, out
    assert {json.loads(line)["subject"] for line in out.splitlines()} >= set(ADDRESSES)
    assert slow.logins - first == {one: 1 for one in ADDRESSES if one not in first}


def test_two_runs_of_one_list_are_not_run_at_once(slow: MailHost, tmp_path: Path) -> None:
    first = started(slow, tmp_path)
    first.communicate(timeout=60)
    assert first.returncode == 0
    (journal,) = (tmp_path / "state").rglob("runs/*.jsonl")
    with journal.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = started(slow, tmp_path)
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert b"another run of this list is under way" in err
    assert set(slow.logins.values()) == {1}


@pytest.mark.parametrize("most", [24, 32])
def test_few_file_descriptors_mean_few_sessions_at_once(most: int, slow: MailHost, tmp_path: Path) -> None:
    slow.accounts = dict.fromkeys(ADDRESSES, Account("zebra-quilt"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        process = started(slow, tmp_path, "--per-host", "100", "--brake", "100")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_a_poor_terminal_gets_escapes_and_no_colour(slow: MailHost, tmp_path: Path) -> None:
    slow.accounts = dict.fromkeys(ADDRESSES, Account("zebra-quilt"))
    process = started(slow, tmp_path, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert out.isascii()
    assert b"\x1b" not in out + err


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_progress_on_a_terminal_takes_nothing_from_a_report_that_goes_elsewhere(
    kind: str, slow: MailHost, tmp_path: Path
) -> None:
    out, shown, ended = told_apart(slow, tmp_path, "-f", "jsonl", "--per-host", "1", TERM=kind)
    assert ended == 0
    told = [json.loads(line)["subject"] for line in out.splitlines()]
    assert set(told) >= set(ADDRESSES)
    assert "schema_version" not in shown
    assert ("a second" in shown, "\x1b" in shown) == ((True, True) if kind == "xterm" else (False, False))


STATES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}


def test_monitoring_reads_the_code_of_the_line_where_a_run_is_asked_to_end(
    slow: MailHost, tmp_path: Path
) -> None:
    out, err, ended = when_logging_in(slow, started(slow, tmp_path, "-f", "nagios"), signal.SIGTERM)
    assert "--resume" in err
    assert STATES[out.split()[1]] == ended == 3


def test_monitoring_reads_the_code_of_the_line_where_a_run_ends_early_and_nothing_changed(
    slow: MailHost, tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier.jsonl"
    started(slow, tmp_path, "-o", str(earlier)).communicate(timeout=60)
    slow.logins.clear()
    process = started(slow, tmp_path, "-f", "nagios", "--baseline", str(earlier))
    out, err, ended = when_logging_in(slow, process, signal.SIGTERM)
    assert "nothing changed" in err
    assert STATES[out.split()[1]] == ended == 3


def test_monitoring_reads_the_code_of_the_line_where_the_brake_ends_a_run(
    slow: MailHost, tmp_path: Path
) -> None:
    slow.accounts = dict.fromkeys(ADDRESSES, Account("another"))
    process = started(slow, tmp_path, "-f", "nagios")
    out, err = process.communicate(timeout=60)
    assert b"probe: stopped at " in err
    assert STATES[out.decode().split()[1]] == process.returncode == 2
