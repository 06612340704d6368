"""Where reports go: which files are written, in which bytes, and with which code a command ends."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.cli import _messages
from probe.cli._files import check_apart, check_writable, write_whole
from probe.cli._output import Output, Told, exit_code
from probe.render import every, find
from probe.rules import Verdict
from tests.command import Run

REPLY = "550 5.1.1 <bob@fault.example>: Recipient address rejected: User unknown"


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


@pytest.mark.parametrize("through", ["pipe", "link"])
def test_a_pipe_is_written_to_and_stays_a_pipe(through: str, run: Run, tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe.json", tmp_path / "link.json"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("explain", REPLY, "-o", pipe if through == "pipe" else link)[0] == 1
        assert json.loads(os.read(reader, 1 << 20))["verdict"] == "fail"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_a_device_is_written_to_and_stays_a_device() -> None:
    """A terminal: a device that can be made without being root, and nothing is lost with it."""
    controller, terminal = os.openpty()
    try:
        name = os.ttyname(terminal)
        check_writable("--write-fail", name)
        check_apart([("--write-pass", name), ("--write-fail", name)], [name])
        write_whole(Path(name), [b"line,", b"reason"])
        assert os.read(controller, 1 << 16) == b"line,reason"
        assert Path(name).is_char_device()
    finally:
        os.close(controller)
        os.close(terminal)


def test_the_file_behind_a_link_is_replaced_and_the_link_stays(run: Run, tmp_path: Path) -> None:
    behind, link = tmp_path / "there" / "kept.json", tmp_path / "link.json"
    link.symlink_to(behind)
    code, _, err = run("explain", REPLY, "-o", link)
    assert (code, f"the directory {behind.parent} does not exist" in err) == (2, True)
    behind.parent.mkdir()
    assert run("explain", REPLY, "-o", link)[0] == 1
    assert link.is_symlink()
    assert json.loads(behind.read_text())["verdict"] == "fail"
    assert list(behind.parent.iterdir()) == [behind]


def test_what_is_neither_a_file_nor_a_pipe_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is at most 107 bytes long
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("here.json")
        code, out, err = run("explain", REPLY, "-o", "here.json")
    assert (code, out) == (2, "")
    assert "is neither a file nor a pipe" in err
    assert Path("here.json").is_socket()


@pytest.mark.parametrize(
    ("name", "words"),
    [("x" * 300 + ".json", "File name too long"), ("loop.json", "symbolic links"), ("a\0b.json", "null")],
)
def test_a_name_that_no_file_can_have_is_refused(
    name: str, words: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.json").symlink_to("loop.json")
    for option in ("-o", "--write-pass"):
        asked = ("explain", REPLY) if option == "-o" else ("preflight", "list.csv")
        code, out, err = run(*asked, option, name)
        assert (code, out) == (2, "")
        assert words in err


def test_a_name_may_be_as_long_as_names_can_be(run: Run, tmp_path: Path) -> None:
    longest = tmp_path / ("x" * 250 + ".json")
    assert run("explain", REPLY, "-o", longest)[0] == 1
    assert list(tmp_path.iterdir()) == [longest]


def test_nothing_is_left_behind_where_a_file_was_not_written(tmp_path: Path) -> None:
    def interrupted() -> Iterator[bytes]:
        yield b"a password"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "list.csv", interrupted())
    assert list(tmp_path.iterdir()) == []


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


def test_half_a_character_is_an_escape_on_stdout_as_in_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stdout, file = io.BytesIO(), tmp_path / "report.md"
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(stdout, "ascii"))
    monkeypatch.setattr("probe.render.md.render", lambda *_: iter(["half \ud83d", " ä"]))
    Output("md", [str(file)], "fail").write([])
    assert stdout.getvalue() == file.read_bytes() == "half \\ud83d ä".encode()


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


def test_a_format_from_a_variable_that_is_not_set_is_not_silence(run: Run) -> None:
    code, out, said = run("explain", "550 no", "-f", "")
    assert (code, out) == (2, "")
    assert said.startswith("probe: there is no format ''; choose one of csv, ")


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
        (("convert", "/nonexistent", "-vfnagios"), 3),
        (("explain", "550 no", "--bogus", "-vvf", "nagios"), 3),
        (("explain", "--help"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_monitoring_is_given_its_own_codes_alone(words: tuple[str, ...], code: int, run: Run) -> None:
    asked = () if "nagios" in " ".join(words) else ("-f", "nagios")
    ended, out, _ = run(*words, *asked)
    states = {0: "PROBE OK", 1: "PROBE WARNING", 2: "PROBE CRITICAL", 3: "PROBE UNKNOWN"}
    assert (ended, "--help" in words or out.startswith(states[code])) == (code, True)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("convert", "/nonexistent"), "/nonexistent cannot be read: No such file or directory"),
        (("explain", "550 no", "--stage", "lunch|dinner"), "--stage takes one of "),
        (("explain", "550 no", "--bogus"), "the command line is wrong; try it on a terminal"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_monitoring_is_told_on_stdout_why_it_was_told_nothing(
    words: tuple[str, ...], line: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_messages, "_said", [""])
    _, out, _ = run(*words, "-f", "nagios")
    assert out.startswith(f"PROBE UNKNOWN - {line}")
    assert (out.count("\n"), out.count("|")) == (1, 0)


@pytest.mark.parametrize(("verdicts", "code"), [((), 3), ((OK,), 3), ((WARN,), 3), ((FAIL,), 2)])
@pytest.mark.parametrize("stopped", [4, 130, 143])
def test_monitoring_is_not_told_that_all_is_well_by_a_run_that_was_stopped(
    stopped: int, verdicts: tuple[Verdict, ...], code: int
) -> None:
    with pytest.raises(Told) as ended:
        Output("nagios", [], "fail").end(verdicts, stopped)
    assert ended.value.code == code
