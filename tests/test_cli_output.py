"""Where reports go: which files are written, in which bytes, and with which code a command ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from probe.cli import main
from probe.cli._output import exit_code
from probe.render import every, find
from probe.rules import Verdict

Run = Callable[..., tuple[int, str, str]]
REPLY = "550 5.1.1 <bob@fault.example>: Recipient address rejected: User unknown"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return ran


# -- what is written ---------------------------------------------------------------------------------

READ = [
    ("explain", "kept.txt", "-o", "kept.txt"),
    ("explain", "kept.csv", "-o", "kept.csv"),
    ("explain", "550 no", "kept.txt", "-o", "./kept.txt"),
    ("convert", "other.json", "kept.json", "-o", "kept.json"),
    ("diff", "kept.json", "other.json", "-o", "kept.json"),
    ("diff", "other.json", "kept.json", "-o", "kept.json"),
    ("creds", "ada@fault.example", "--password-file", "kept.txt", "-o", "kept.txt"),
    ("creds", "ada@fault.example", "--password-file", "~/kept.txt", "-o", "kept.txt"),
    ("creds", "ada@fault.example", "--ca-file", "kept.txt", "-o", "kept.txt"),
    ("creds", "--csv", "kept.csv", "-o", "kept.csv"),
    ("rcpt", "ada@fault.example", "--ca-file", "kept.txt", "-o", "kept.txt"),
    ("doctor", "--secrets", "kept.txt", "-o", "kept.txt"),
    ("preflight", "other.csv", "--ca-file", "kept.txt", "-o", "kept.txt"),
    ("preflight", "kept.csv", "--write-fail", "kept.csv"),
]


@pytest.mark.parametrize("words", READ, ids=" ".join)
def test_no_file_that_is_read_is_overwritten(
    words: tuple[str, ...], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("kept.txt", "kept.csv", "kept.json", "other.json", "other.csv"):
        (tmp_path / name).write_text(REPLY)
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "is a file that is read, and would be overwritten" in err
    assert {path.read_text() for path in tmp_path.iterdir()} == {REPLY}


@pytest.mark.parametrize(
    "words",
    [
        ("explain", REPLY, "-o", "same.json", "-o", "./same.json"),
        ("explain", REPLY, "-o", "same.csv", "-o", "same.csv"),
        ("preflight", "list.csv", "--write-pass", "same.csv", "-o", "same.csv"),
        ("preflight", "list.csv", "--write-pass", "same.csv", "--write-fail", "./same.csv"),
    ],
    ids=" ".join,
)
def test_two_reports_are_not_written_to_one_file(
    words: tuple[str, ...], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "are one file; give two names" in err


# -- in which bytes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", sorted({*every()} - {"text"}))
@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_stdout_gets_the_bytes_that_a_file_gets(format: str, encoding: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "probe", "explain", "550 5.1.1 <jörg@fault.example>: unbekännt"]
    ending = next(iter(find(format).EXTENSIONS), "")
    file = tmp_path / f"report{ending}"
    if ending and format != "csv":  # which is a list of addresses there
        words += ["-o", str(file)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    ran = subprocess.run([*words, "-f", format], capture_output=True, check=False, env=environment)
    assert ran.stderr == b""
    assert "\\xe4" not in ran.stdout.decode()
    if file.exists():
        assert ran.stdout == file.read_bytes()


# -- how it ends ---------------------------------------------------------------------------------------

OK, NOTE, WARN, WAIT, UNKNOWN, FAIL = Verdict


@pytest.mark.parametrize(
    ("verdicts", "fail_on", "code"),
    [
        ((), WARN, 0),
        ((OK, NOTE, WARN), FAIL, 0),
        ((OK, WARN), WARN, 1),
        ((NOTE,), NOTE, 1),
        ((OK,), NOTE, 0),
        ((WAIT, OK), NOTE, 3),
        ((NOTE, UNKNOWN), WARN, 3),
        ((WARN, UNKNOWN), WARN, 1),
        ((WARN, WAIT), NOTE, 1),
        ((WARN, UNKNOWN), FAIL, 3),
        ((FAIL, UNKNOWN), FAIL, 1),
    ],
)
def test_what_could_not_be_told_hides_nothing_that_was_asked_for(
    verdicts: tuple[Verdict, ...], fail_on: Verdict, code: int
) -> None:
    assert exit_code(iter(verdicts), fail_on) == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("explain", "550 5.1.1 no such user"), 2),
        (("explain", "421 4.7.0 try again later", "--format=nagios"), 1),
        (("explain", "250 2.0.0 Ok"), 0),
        (("explain", "550 no", "--stage", "lunch"), 3),
        (("explain", "550 no", "--bogus"), 3),
        (("explain", "550 no", "-o", "/nonexistent/x.json"), 3),
        (("crds", "ada@fault.example", "--format", "nagios"), 3),
        (("convert", "/nonexistent", "-fnagios"), 3),
        (("explain", "--help"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_monitoring_is_given_its_own_codes_alone(words: tuple[str, ...], code: int, run: Run) -> None:
    asked = () if "nagios" in " ".join(words) else ("-f", "nagios")
    ended, out, _ = run(*words, *asked)
    states = {0: "PROBE OK", 1: "PROBE WARNING", 2: "PROBE CRITICAL", 3: ""}
    assert (ended, "--help" in words or out.startswith(states[code])) == (code, True)
