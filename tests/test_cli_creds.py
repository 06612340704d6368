"""`probe creds` at the door: where the secret comes from, what is refused before anything is sent."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.cli import _stores as stores
from tests import command
from tests.fleet_world import Account, MailHost, Threaded, ca_file

SECRET = "zQ7-Xk9!hunter2"


@pytest.fixture(scope="module")
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def probe(*words: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, "-m", "probe", *words],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in ran.stderr
    assert SECRET not in ran.stdout + ran.stderr
    return ran


def creds(
    port: int, *words: str, stdin: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return probe(
        "creds",
        "ada@example.test",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        *words,
        stdin=stdin,
        **environment,
    )


def private(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_secret_comes_from_where_it_was_told(closed_port: int, tmp_path: Path) -> None:
    ways = (
        (["--password-file", private(tmp_path / "pw", f"{SECRET}\n")], None),
        (["--password-env", "PW"], None),
        (["--password-stdin"], f"{SECRET}\n"),
        (["--password-command", f"printf %s {SECRET[:3]}"], None),
    )
    for words, stdin in ways:
        ran = creds(closed_port, *words, "-f", "json", stdin=stdin, PW=SECRET)
        report = json.loads(ran.stdout)
        assert (ran.returncode, report["outcome"], report["verdict"]) == (3, "not_proven", "unknown")
        assert ran.stderr == ""


def test_a_file_that_others_can_read_is_said(closed_port: int, tmp_path: Path) -> None:
    ran = creds(closed_port, "--password-file", private(tmp_path / "pw", SECRET, 0o644))
    assert "others on this machine can read" in ran.stderr
    assert "chmod 600" in ran.stderr


REFUSED = [
    (["creds", "ada@example.test"], "no password"),
    (["creds", "ada@example.test", "--password-env", "NOWHERE_SET"], "the variable NOWHERE_SET is not set"),
    (["creds", "ada@example.test", "--password-env", "LATIN"], "the variable LATIN is not UTF-8"),
    (
        ["creds", "ada@example.test", "--password-env", SECRET],
        "the variable whose name --password-env takes is not set",
    ),
    (["creds", "ada@example.test", "--password-file", "/nonexistent/pw"], "No such file"),
    (["creds", "ada@example.test", "--password-file", SECRET], "takes cannot be read: No such file"),
    (["creds", "ada@example.test", SECRET], "argument 2 is not an address. It is not shown"),
    (["creds", "ada@example.test", "P@ss w0rd!"], "argument 2 is not an address. It is not shown"),
    (["creds", "ada@example.test", "Passw0rd@"], "argument 2 is not an address. It is not shown"),
    (["creds", f"ada@example.test:{SECRET}"], "argument 1 is not an address. It is not shown"),
    (["creds", "ada@example.test", f"--password={SECRET}"], "No such option: --password"),
    *(
        (
            ["creds", "ada@example.test", "--password-env", "PW", "--host", host],
            "give the name or the address alone",
        )
        for host in (
            "https://smtp.example.test/",
            "smtp.example.test:587",
            "ada@smtp.example.test",
            "[::1]:587",
        )
    ),
    (["creds", "ada@example.test", "--password-env", "PW", "--password-stdin"], "in one way only"),
    (["creds", "ada@example.test", "--password-command", "false"], "ended with code 1"),
    (["creds", "ada@example.test", "--password-command", " "], "the password command is empty"),
    (["creds", "ada@example.test", "--password-command", "pass 'a"], "a quote that is not closed"),
    (["creds", "ada@example.test", "--password-command", "pass a\\"], "or ends in a lone backslash"),
    (["scenarios", "list", "/tmp/*"], "no scenario matches /tmp/*"),
    (["scenarios", "list", "nothing**"], "no scenario matches nothing**"),
    (
        ["creds", "ada@example.test", "--password-command", "/nonexistent/x"],
        "the password command cannot be run: No such file or directory",
    ),
    (["creds", "ada", "--password-env", "PW"], "is not an address"),
    (["creds", "ada@ex ample.test", "--password-env", "PW"], "no domain name"),
    (["creds", "ada@", "--password-env", "PW"], "the domain is missing"),
    (["creds", "a\r\nRSET@example.test", "--password-env", "PW"], "line break"),
    (["creds", "<ada@example.test>", "--password-env", "PW"], "angle bracket"),
    (["creds", "ada@example.test", "--mail-from", "x@y\r\n", "--password-env", "PW"], "line break"),
    (["creds", "ada@example.test", "--user", "a\nb", "--password-env", "PW"], "line break"),
    (["creds", "ada@example.test", "--host", "a b", "--password-env", "PW"], "no host name"),
    (["creds", "ada@example.test", "--port", "70000", "--password-env", "PW"], "ports are 1 to 65535"),
    (["creds", "ada@example.test", "--timeout", "nan", "--password-env", "PW"], "--timeout takes seconds"),
    (["creds", "ada@example.test", "--deadline", "-1", "--password-env", "PW"], "--deadline takes seconds"),
    (["creds", "ada@example.test", "--ca-file", "/nonexistent", "--password-env", "PW"], "--ca-file"),
    (["creds", "ada@example.test", "--ca-file", __file__, "--password-env", "PW"], "not a PEM file"),
    (["creds", "ada@example.test", "--source-address", "here", "--password-env", "PW"], "no IP address"),
    (["creds", "ada@example.test", "--provider", "nobody", "--password-env", "PW"], "probe providers"),
    (["creds", "ada@example.test", "-f", "yaml", "--password-env", "PW"], "there is no format 'yaml'"),
    (["creds", "ada@example.test", "-o", "/nonexistent/r.json", "--password-env", "PW"], "does not exist"),
    (
        ["creds", "ada@example.test", "-o", "report.exe", "--password-env", "PW"],
        "the extension picks the format",
    ),
    (["creds", "ada@example.test", "--fail-on", "sometimes", "--password-env", "PW"], "--fail-on takes"),
    (["creds", "ada@example.test", "--password", "x"], "No such option"),
    (
        ["creds", "ada@example.test", "bob@example.test", "--user", "ada", "--password-env", "PW"],
        "--user is one login, and a login is tried once in a run",
    ),
    (["creds", "--csv", "-", "ada@example.test"], "give addresses or --csv FILE, not both"),
    (["creds", "--csv", "-", "--auth-mech", "xoauth2"], "--auth-mech and --csv do not go together"),
    (["creds", "--csv", "-", "--tenant", "acme.test"], "--tenant and --csv do not go together"),
    (
        ["creds", "--csv", "-", "--client-secret-env", "PW"],
        "--client-secret-... and --csv do not go together",
    ),
    (["creds", "--csv", "-", "--port", "465", "--tls", "implicit"], "--port, --tls and --csv do not go"),
    (["creds", "--csv", "-", "--password-env", "PW"], "--password-... and --csv do not go together"),
    (["creds", "--csv", "-", "--client-id", "x"], "--client-id and --csv do not go together"),
    (
        ["creds", "ada@example.test", "--tenant", "example.test"],
        "--tenant is about an OAuth application, whose id",
    ),
    (["creds", "ada@example.test", "--client-credentials"], "whose id is missing: --client-id ID"),
    (
        ["creds", "ada@example.test", "--client-id", "x", "--auth-mech", "plain", "--password-env", "PW"],
        "--auth-mech plain takes a password; with --client-id an access token is sent",
    ),
    (
        [
            *("creds", "a@b.example", "--client-id", "x", "--client-credentials"),
            *("--client-secret-env", "PW", "--password-env", "PW"),
        ],
        "give the application's secret in one way only (--client-secret-... or --password-...)",
    ),
    (["creds", "a@b.example", "--client-id", "x", "--tenant", "a/b"], "--tenant: the tenant is no id"),
    # An id that a variable did not hold: the refresh token would be tried as a password.
    (["creds", "a@b.example", "--client-id", "", "--password-env", "PW"], "--client-id is empty or no id"),
    (
        ["creds", "a@b.example", "--client-id", "\u20ac", "--password-env", "PW"],
        "--client-id is empty or no id",
    ),
    (
        ["creds", "a@b.example", "--client-id", "\udcff", "--password-env", "PW"],
        "--client-id is empty or no id",
    ),
    (["creds", "a@b.example", "--client-id", "x"], "no refresh token: use --password-file FILE"),
    (
        ["creds", "a@b.example", "--client-id", "x", "--client-credentials"],
        "no client secret: use --password-f",
    ),
    (
        [
            "creds",
            "a@b.example",
            "--client-id",
            "x",
            "--client-secret-env",
            "NOT_SET",
            "--password-env",
            "PW",
        ],
        "the variable NOT_SET is not set",
    ),
    (["creds"], "give the address of an inbox, or a list of them with --csv"),
    (["nothing"], "No such command"),
]


@pytest.mark.parametrize(
    ("words", "sentence"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_cannot_work_is_refused_with_a_sentence_and_sends_nothing(
    words: list[str], sentence: str
) -> None:
    ran = probe(*words, PW=SECRET, LATIN=os.fsdecode(b"caf\xe9-ole-12"))
    assert ran.returncode == 2, ran
    assert ran.stdout == ""
    assert sentence in " ".join(ran.stderr.split())


def test_a_machine_without_a_keyring_is_told_what_else_there_is() -> None:
    pytest.importorskip("keyring", reason="the extra is not installed")
    words = ("creds", "ada@example.test", "--password-keyring", "mail")
    ran = probe(*words, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "this machine has no keyring that can be used" in ran.stderr
    assert "Error" not in ran.stderr


@pytest.mark.parametrize("problem", ["KeyringLocked", "KeyringError", "InitError"])
def test_the_words_of_a_keyring_are_not_passed_on(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring", reason="the extra is not installed")

    def looked_up(*_: str) -> str:
        raise getattr(keyring.errors, problem)(f"no access to {SECRET}")

    monkeypatch.setattr(keyring, "get_password", looked_up)
    with pytest.raises(ValueError, match=r"^is locked$|^gave nothing \(\w+Error\)$") as told:
        stores.keyring("mail", "ada@example.test")
    assert SECRET not in str(told.value)


def test_an_address_literal_is_no_address_with_a_password_behind_it(closed_port: int) -> None:
    words = ("--host", "127.0.0.1", "--port", str(closed_port), "--password-env", "PW")
    assert probe("creds", "ada@[IPv6:2001:db8::1]", *words, PW=SECRET).returncode == 3


@pytest.mark.parametrize(
    "how",
    [
        ("--client-secret-env", "PW"),
        ("--password-env", "PW"),
        ("--client-secret-env", "PW", "bob@example.test"),
    ],
)
def test_an_application_by_itself_has_its_secret_from_either_option(how: tuple[str, ...]) -> None:
    words = (
        "creds",
        "ada@example.test",
        "--client-id",
        "x",
        "--client-credentials",
        "--provider",
        "zoho",
        *how,
    )
    ran = probe(*words, PW=SECRET)
    assert ran.returncode == 3
    assert "grant/no-token-server" in ran.stdout
    assert SECRET not in ran.stdout + ran.stderr


@pytest.mark.parametrize("typed", ["", EOFError], ids=["nothing", "Ctrl-D"])
def test_a_prompt_that_is_left_is_no_login(
    typed: str | type[EOFError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(_prompt: str) -> str:
        if isinstance(typed, str):
            return typed
        raise typed

    monkeypatch.setattr("getpass.getpass", asked)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert command.ran("creds", "ada@example.test") == 2
    assert capsys.readouterr().err.lstrip("\n") == "probe: no password was typed\n"


def test_a_password_is_not_read_where_it_would_be_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert command.ran("creds", "ada@example.test", "--password-stdin") == 2
    assert "on a terminal would show it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        ("", "holds no password"),
        ("\n", "holds no password"),
        ("a\nb\nc\n", "3 lines of passwords for 1 address;"),
        ("a\0b", "NUL"),
    ],
)
def test_stdin_that_holds_no_password(stdin: str, sentence: str) -> None:
    ran = probe("creds", "ada@example.test", "--password-stdin", stdin=stdin)
    assert ran.returncode == 2
    assert sentence in ran.stderr


def test_a_password_for_each_address(closed_port: int) -> None:
    ran = probe(
        "creds", "ada@example.test", "bob@example.test", "--host", "127.0.0.1", "--port", str(closed_port),
        "--password-stdin", "-f", "jsonl", stdin="one-for-ada\none-for-bob\n",
    )  # fmt: skip
    assert [json.loads(line)["subject"] for line in ran.stdout.splitlines()] == [
        "ada@example.test",
        "bob@example.test",
    ]


# -- one AUTH for an inbox and run, counted by the server ----------------------------------------------


@pytest.fixture
def served() -> Iterator[MailHost]:
    known = {name: Account("right") for name in ("ada@example.test", "last@example.test")}
    threaded = Threaded(MailHost("localhost", known))
    yield threaded.host
    threaded.close()


def logged_in(served: MailHost, *words: str) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code, the reports and stderr of `probe creds` at the server, with a password that is wrong."""
    ran = probe(
        "creds", *words, "--host", "localhost", "--port", str(served.port), "--resolver", "127.0.0.1:9",
        "--password-env", "PW", "-f", "jsonl", PW="wrong", SSL_CERT_FILE=ca_file(),
    )  # fmt: skip
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


@pytest.mark.parametrize("again", ["ada@example.test", "Ada@EXAMPLE.test"], ids=["as it was", "in capitals"])
def test_an_inbox_that_is_named_twice_is_probed_once(served: MailHost, again: str) -> None:
    code, reports, said = logged_in(served, "ada@example.test", again)
    assert (code, [report["outcome"] for report in reports]) == (1, ["bad_creds"])
    assert said == f"probe: {again} is named twice and probed once\n"
    assert served.logins == {"ada@example.test": 1}


def named_twice(port: int, passwords: str) -> subprocess.CompletedProcess[str]:
    return probe(
        "creds", "ada@example.test", "bob@example.test", "Ada@example.test", "--host", "127.0.0.1",
        "--port", str(port), "--password-stdin", "-f", "jsonl", stdin=passwords,
    )  # fmt: skip


def test_an_inbox_that_is_named_twice_may_have_its_password_twice(closed_port: int) -> None:
    ran = named_twice(closed_port, "of-ada\nof-bob\nof-ada\n")
    told = [json.loads(line)["subject"] for line in ran.stdout.splitlines()]
    assert told == ["ada@example.test", "bob@example.test"]
    assert ran.stderr == "probe: Ada@example.test is named twice and probed once\n"


def test_an_inbox_with_two_passwords_is_not_tried(closed_port: int) -> None:
    ran = named_twice(closed_port, "of-ada\nof-bob\nanother\n")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "ada@example.test is named twice, with two passwords" in ran.stderr
    assert "another" not in ran.stderr


def test_one_login_for_several_addresses_is_not_sent_at_all(served: MailHost) -> None:
    code, reports, said = logged_in(served, "a@example.test", "b@example.test", "--user", "ada@example.test")
    assert (code, reports, served.logins.total()) == (2, [], 0)
    assert "--user is one login" in said


def test_a_host_that_refused_four_logins_is_left_alone(served: MailHost) -> None:
    wrong = [f"user{number}@example.test" for number in range(11)]
    code, reports, said = logged_in(served, *wrong, "last@example.test")
    assert served.logins == Counter(wrong[:4])
    assert [report["findings"][0]["id"] for report in reports[4:]] == ["preflight/host-braked"] * 8
    assert [report["outcome"] for report in reports] == ["bad_creds"] * 4 + ["not_proven"] * 8
    assert reports[4]["findings"][0]["detail"] == f"127.0.0.1:{served.port}: 4 logins were refused"
    assert (code, f"stopped at 127.0.0.1:{served.port}: 4 logins were refused" in said) == (4, True)


def test_four_that_are_refused_leave_nobody_out(served: MailHost) -> None:
    code, reports, said = logged_in(served, *(f"user{number}@example.test" for number in range(4)))
    assert (code, len(reports), said) == (1, 4, "")


def test_what_was_told_before_an_interruption_stands() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with subprocess.Popen(
            [sys.executable, "-m", "probe", "creds", "ada@example.test", "bob@example.test", "-f", "jsonl",
             "--host", "127.0.0.1", "--port", port, "--password-env", "PW"],
            env={**os.environ, "PW": SECRET}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as running:  # fmt: skip
            assert running.stdout is not None
            with server.accept()[0] as first:
                first.sendall(b"554 5.7.1 not today\r\n")
            told = json.loads(running.stdout.readline())
            with server.accept()[0]:  # and says nothing
                running.send_signal(signal.SIGINT)
                _, errors = running.communicate(timeout=30)
    assert (told["subject"], running.returncode, errors) == ("ada@example.test", 130, b"probe: interrupted\n")


def test_a_report_file_appears_whole_and_private(closed_port: int, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    ran = creds(
        closed_port, "--password-env", "PW", "-o", str(target), "-o", str(tmp_path / "r.jsonl"), PW=SECRET
    )
    assert ran.stdout.startswith("ada@example.test")
    assert json.loads(target.read_text())["kind"] == "creds"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "r.jsonl"}


def test_a_source_address_of_the_other_family_is_said(closed_port: int) -> None:
    ran = creds(closed_port, "--source-address", "::1", "--password-env", "PW", PW=SECRET)
    assert ran.returncode == 3
    assert "an address of the other family" in " ".join(ran.stdout.split())


@pytest.mark.parametrize(
    ("words", "closed", "code", "said"),
    [
        (["creds", "ada@example.test"], "0", 2, "no password: use"),
        (["creds", "ada@example.test", "--password-stdin"], "0", 2, "stdin is closed"),
        (["explain"], "0", 2, "stdin is closed"),
        (["explain", "-"], "0", 2, "stdin is closed"),
        (["dns", "-"], "0", 2, "stdin is closed"),
        (["preflight", "-"], "0", 2, "stdin is closed"),
        (["convert", "-"], "0", 2, "stdin is closed"),
        (["explain", "250 2.0.0 Ok"], "1", 0, ""),
        (["explain", "250 2.0.0 Ok", "--stage", "lunch"], "2", 2, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_stream_that_is_closed_is_no_bug(words: list[str], closed: str, code: int, said: str) -> None:
    ran = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}>&-', "sh", sys.executable, "-m", "probe", *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, said in ran.stderr) == (code, True), ran.stderr
    assert "a bug in probe" not in ran.stderr


def test_a_machine_without_free_descriptors_is_no_bug(closed_port: int) -> None:
    ran = subprocess.run(
        ["sh", "-c", 'ulimit -n 6; exec "$@"', "sh", sys.executable, "-m", "probe", "creds", "ada@example.test",
         "--host", "127.0.0.1", "--port", str(closed_port), "--password-env", "PW"],
        env={**os.environ, "PW": SECRET}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "Traceback" not in ran.stderr
    assert "run out of something: Too many open files" in ran.stderr


def test_a_reader_that_leaves_is_no_failure_of_what_was_probed() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "probe", "catalogue", "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert (running.stderr.read(), running.wait(timeout=30)) == (b"", 141)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "words", [["providers"], ["explain", "550 5.1.1 no"], ["help", "secrets"]], ids=lambda words: words[0]
)
def test_an_output_that_cannot_be_written_is_told_as_that(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "probe", *words], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60,
        )  # fmt: skip
    assert ran.returncode == 4
    assert ran.stderr == b"probe: the output could not be written: No space left on device\n"


def test_a_terminal_of_ascii_gets_escapes(closed_port: int) -> None:
    ran = probe(
        "creds", "müller@example.test", "--host", "127.0.0.1", "--port", str(closed_port), "--password-env", "PW",
        PW=SECRET, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0",
    )  # fmt: skip
    assert ran.returncode == 3
    assert "m\\xfcller@example.test" in ran.stdout


def test_no_colour_and_no_control_character_without_a_terminal(closed_port: int) -> None:
    ran = creds(closed_port, "--password-env", "PW", "-v", PW=SECRET)
    assert "\x1b" not in ran.stdout
    assert "network/" in ran.stdout


@pytest.mark.parametrize(
    "words", [["--help"], ["creds", "--help"], ["schema"], ["--version"], ["help"], ["help", "exit-codes"]]
)
def test_help_is_there(words: list[str]) -> None:
    ran = probe(*words)
    assert ran.returncode == 0
    assert ran.stdout


def test_every_command_has_help_and_stands_in_the_readme() -> None:
    from probe.cli import _command, _names

    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for name in _names():
        assert _command(name).help, name
        assert f"probe {name}" in readme, f"the README does not name `probe {name}`"
