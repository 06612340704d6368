"""The fake world as a user meets it: `probe scenarios`, `probe serve`, `probe demo`."""

from __future__ import annotations

import asyncio
import errno
import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from probe.cli import app
from probe.fakes.reading import load
from probe.play import play
from probe.render.json import as_json
from probe.rules import Report


def probe(*words: str, given: str | bytes = "") -> Result:
    return CliRunner().invoke(app, words, input=given)


def test_list_names_every_scenario_with_its_sentence() -> None:
    told = probe("scenarios", "list", "creds-usable*")
    assert told.exit_code == 0
    assert "creds-usable-implicit" in told.stdout
    assert load("creds-usable-implicit").about in told.stdout


def test_show_prints_the_file() -> None:
    told = probe("scenarios", "show", "creds-auth-421")
    assert told.exit_code == 0
    assert 'then = "close"' in told.stdout


def test_run_plays_with_a_witness() -> None:
    told = probe("scenarios", "run", "creds-usable", "creds-usable-implicit", "--witness")
    assert told.exit_code == 0
    assert told.stdout == "ok    creds-usable\nok    creds-usable-implicit\n"


def test_run_ends_with_1_where_something_comes_out_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('about = "Mine."\n[smtp]\nmail = "550 no"\n[expect]\noutcome = "usable"\n')
    told = probe("scenarios", "run", str(file))
    assert told.exit_code == 1
    assert 'outcome: "creds_ok" instead of "usable"' in told.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("scenarios", "show", "nosuch"), "no such scenario"),
        (("scenarios", "run", "x" * 300), "no such scenario"),
        (("scenarios", "list", "nosuch-*"), "no scenario matches"),
        (("scenarios", "record", "/nonexistent"), "cannot be read"),
        (("serve", "nosuch"), "nosuch: no such scenario; `probe scenarios list` names"),
        (
            ("serve", "creds-u*"),
            "creds-u*: one scenario is wanted, not a pattern; `probe scenarios list 'creds-u*'`",
        ),
        (("serve", __file__), f"{__file__}: a scenario is a file whose name ends in .toml"),
        (("serve", "creds-usable", "--port", "65536"), "--port 65536 is no port for a server"),
        (("serve", "creds-usable", "--port", "-1"), "is no port"),
        (("serve", "creds-usable", "creds-usable", "--port", "65535"), "for the first of 2 servers"),
    ],
)
def test_what_is_wrong_is_said_and_ends_with_2(words: tuple[str, ...], complaint: str) -> None:
    told = probe(*words)
    assert told.exit_code == 2
    assert complaint in told.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[probe]\naddress = "x"', "[probe] address 'x' is not an address"),
        ('[probe]\nprovider = "zzz"', "[probe] there is no provider 'zzz'"),
        ('[probe]\nmail_from = "x y"', "[probe] mail_from 'x y' "),
        ('[probe]\nrcpt_to = "x\\ny"', "[probe] rcpt_to "),
        ('[probe]\nhelo = "a b\\n"', "[probe] a line break or NUL in ehlo"),
        ("[probe]\ntimeouts = { zzz = 1 }", "[probe] timeouts: unknown key 'zzz'; allowed: connect, "),
        ('[probe]\nrun = "rcpt"\naddress = "x"', "[probe] recipient 'x' is not an address"),
        ('[probe]\nrun = "rcpt"\nmail_from = "x"', "[probe] mail_from 'x' is not an address"),
        ('[probe]\nrun = "explain"\nstage = "lunch"', "[probe] 'lunch' is not a valid Stage"),
        ('[probe]\nrun = "preflight"\ntext = "x"', "[probe] text: the list has no column for email"),
        ('[probe]\nrun = "dns"\nonly = ["zzz"]', "[probe] there is no check 'zzz'"),
        ('[dns]\nzone = "zzz"', "[dns] the zone cannot be read: zone:1: "),
        ('[dns]\nservers = { "192.0.2.1" = "zzz" }', "[dns] the zone cannot be read: zone:1: "),
        ('[dns]\nzone = "a.test. 99999999999 A 192.0.2.1"', "[dns] the zone cannot be read: zone:1: "),
        ('[dns]\nzone = "$GENERATE 1-100000000 a$.test. A 192.0.2.1\\n"', "'$GENERATE' is not allowed"),
        ('[dns]\nzone = "$INCLUDE zone.txt\\n"', "'$INCLUDE' is not allowed"),
        (f'[dns]\nzone = """a.test. TXT "{"x" * 70_000}" """', "a record is longer than a DNS message"),
        ('[dns]\nbroken = { "x A" = "ZZZ" }', "[dns] broken: 'x A' = 'ZZZ': the key is 'name TYPE'"),
        ('[dns]\nsecure = [".."]', "[dns] secure: '..' is no name of a zone"),
    ],
    ids=lambda text: text[:40],
)
def test_a_value_that_cannot_be_played_is_named_and_ends_with_2(
    text: str, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'about = "Mine."\n{text}\n')
    told = probe("scenarios", "run", str(file))
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith("probe: mine: [")
    assert complaint in told.stderr
    if text.startswith("[dns]"):
        assert probe("serve", str(file)).stderr == told.stderr


def test_a_file_that_is_not_utf_8_can_be_shown_and_played(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b'about = "J\xf6rg\'s."\n')
    assert probe("scenarios", "show", str(file)).stdout == 'about = "J\ufffdrg\'s."\n'
    assert probe("scenarios", "run", str(file)).exit_code == 0


REPORT = as_json(Report("creds", "ada@example.test", ()))
SESSION = {
    **REPORT,
    "transcript": str(asyncio.run(play(load("creds-greeting-554"))).report.transcript).split("\n"),
}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "stdin holds no report"),
        ("[]", "stdin, line 1: "),
        ("{}", "no schema_version"),
        ("[" * 9999, "nested too deep"),
        (b"\xff\xfe", "stdin is not UTF-8 text"),
        (json.dumps({**REPORT, "transcript": ["x"]}), "stdin, line 1: transcript: "),
        (json.dumps(REPORT), "stdin holds no sessions"),
        (f"{json.dumps(SESSION)}\n{json.dumps(SESSION)}\n", "stdin holds 2 sessions"),
    ],
)
def test_a_file_that_is_no_report_is_not_recorded(text: str | bytes, complaint: str) -> None:
    told = probe("scenarios", "record", "-", given=text)
    assert told.exit_code == 2
    assert complaint in told.stderr


def test_what_is_recorded_can_be_run(tmp_path: Path) -> None:
    """Whatever stands in the report: DEL in a line, half a character, a mechanism of nobody's."""
    lines = ['-- session server="é.test"', "-- auth", "C: AUTH X", "S: 535 \x7f\0\ud800'' no"]
    report, file = json.dumps({**REPORT, "transcript": lines}), tmp_path / "mine.toml"
    assert probe("scenarios", "record", "-", "-o", str(file), given=report).exit_code == 0
    assert "auth = " in probe("scenarios", "show", str(file)).stdout
    assert probe("scenarios", "run", str(file)).exit_code in {0, 1}


@pytest.mark.parametrize(
    ("about", "lines", "complaint"),
    [
        (" ", 1, "--about takes the scenario's sentence"),
        ("x", 300_000, "the session makes no scenario: recorded: larger than 1 MiB"),
    ],
)
def test_what_could_not_be_run_is_not_recorded(about: str, lines: int, complaint: str) -> None:
    session = ["-- session", "-- greeting", *["S: 220-a"] * lines, "S: 220 a"]
    report = json.dumps({**REPORT, "transcript": session})
    told = probe("scenarios", "record", "-", "--about", about, given=report)
    assert (told.exit_code, told.stdout) == (2, "")
    assert complaint in told.stderr


def test_the_demo_shows_four_inboxes_and_needs_no_network() -> None:
    told = probe("demo")
    assert told.exit_code == 0
    for words in ("nothing to mend", "535 5.7.8", "app password", "certificate has expired", "probe serve"):
        assert words in told.stdout
    assert "zebra-quilt-42" not in told.stdout


def test_the_last_port_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(_scenarios: object, port: int) -> None:
        raise OSError(errno.EADDRINUSE, "Address already in use", str(port))

    monkeypatch.setattr("probe.cli.serve._serve", taken)
    for words in (("creds-usable", "--port", "65535"), ("creds-usable", "creds-usable", "--port", "65534")):
        said = probe("serve", *words).stderr
        assert said.startswith(f"probe: cannot listen on 127.0.0.1:{words[-1]}")
        assert said.endswith(": Address already in use; without --port any is taken\n")


@pytest.fixture
def served() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "probe", "serve", "creds-mail-quota", "creds-usable-implicit"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_serve_tells_what_to_type_and_what_it_saw(served: subprocess.Popen[str], tmp_path: Path) -> None:
    assert served.stdout is not None
    typed = next(line for line in iter(served.stdout.readline, "") if "probe creds" in line)
    said, _, command = typed.strip().partition(" | ")
    secret = shlex.split(said)[-1]
    words = shlex.split(command)
    told = probe(*words[1:], "-f", "json", given=secret)
    report = json.loads(told.stdout)
    assert report["outcome"] == "creds_ok"

    recording = tmp_path / "mine.toml"
    assert probe("scenarios", "record", "-", "-o", str(recording), given=told.stdout).exit_code == 0
    assert probe("scenarios", "run", str(recording)).exit_code == 0

    served.send_signal(signal.SIGINT)
    _, errors = served.communicate(timeout=10)
    assert served.returncode == 0
    assert "creds-mail-quota: 1 connection, 1 AUTH (PLAIN), 0 DATA" in errors


TYPED = (
    "creds-auth-535",
    "creds-mail-432-concurrent",  # the provider is told by the host that is played
    "creds-resolve-nxdomain",
    "creds-usable-wildcard",
    "dns-ptr-helo-mismatch",
    "creds-ending-greeting-timeout",
    "joined-alignment-confirmed",
    "rcpt-told-server-without-address",
    "rcpt-unknown-user",
)
UNTYPED = ("preflight-brake", "creds-discover-srv", "dns-mta-sts-good")


def test_what_serve_says_to_type_asks_what_the_scenario_asks() -> None:
    command = [sys.executable, "-m", "probe", "serve", *TYPED, *UNTYPED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as serving:
        assert serving.stdout is not None
        try:
            for name in TYPED:
                typed = next(line for line in iter(serving.stdout.readline, "") if " probe " in line)
                said, _, asked = typed.strip().rpartition(" | ")
                told = probe(
                    *shlex.split(asked)[1:], "-f", "json", given=shlex.split(said)[-1] if said else ""
                )
                found = sorted(finding["id"] for finding in json.loads(told.stdout)["findings"])
                assert found == sorted(one.rule.id for one in asyncio.run(play(load(name))).report.findings)
            for name in UNTYPED:
                said = next(line for line in iter(serving.stdout.readline, "") if " probe " in line)
                assert said == f"  no one command asks this; probe scenarios run {name} plays it\n"
        finally:
            serving.kill()
