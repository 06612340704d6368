"""What the commands say of themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from probe.cli import _columns, _command, _names, app, catalogue, providers, scenarios
from probe.cli.help import TOPICS


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Every command and what it is called, those of groups too."""
    for name in _names():
        made = _command(name)
        if isinstance(made, TyperGroup):
            for inner, one in made.commands.items():
                assert isinstance(one, TyperCommand)
                yield f"{name} {inner}", one
        else:
            yield name, made


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_names_two_defaults(name: str) -> None:
    context = typer.Context(COMMANDS[name])
    for option in COMMANDS[name].params:
        _, told = option.get_help_record(context) or ("", "")
        assert told.lower().count("default:") <= 1, told
        assert "[default: 0]" not in told, told


WIDE = 80  # columns; what is wider breaks within a word on a usual terminal


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_fits_a_terminal(topic: str) -> None:
    assert [line for line in TOPICS[topic].splitlines() if len(line) > WIDE] == []


@pytest.mark.parametrize(
    ("asked", "topic"),
    [
        ("exit", "exit-codes"),
        ("Secret", "secrets"),
        ("csv", "lists"),
        ("password", "secrets"),
        ("prov", "providers"),
    ],
)
def test_a_topic_is_found_by_how_it_begins_and_by_its_other_names(asked: str, topic: str) -> None:
    assert CliRunner().invoke(app, ["help", asked]).stdout == TOPICS[topic]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (
            "creds --pass",
            [
                "--password-stdin",
                "--password-env",
                "--password-file",
                "--password-command",
                "--password-keyring",
            ],
        ),
        ("creds --provider goo", ["google"]),
        ("dns --only dm", ["dmarc"]),
        ("dns a.test -f js", ["json", "jsonl"]),
        ("dns a.test --fail-on w", ["warn"]),
        ("convert run.jsonl -f na", ["nagios"]),
        ("help exit", ["exit-codes"]),
        ("help pre", ["preflight"]),
        ("serve creds-usable-w", ["creds-usable-wildcard"]),
        ("scenarios show creds-usable-w", ["creds-usable-wildcard"]),
        ("catalogue show google/app-p", ["google/app-password-required"]),
        ("providers zo", ["zoho"]),
    ],
)
def test_a_shell_completes_what_can_be_said(typed: str, found: list[str]) -> None:
    words = ["probe", *typed.split()]
    shell = {
        "_PROBE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    assert CliRunner().invoke(app, [], prog_name="probe", env=shell).stdout.split() == found


@pytest.mark.parametrize("name", ["creds", "catalogue"])
def test_help_of_a_command_is_its_help(name: str) -> None:
    told = [
        CliRunner().invoke(app, words, prog_name="probe").stdout
        for words in (["help", name], [name, "--help"])
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("words", [[], *([*name.split()] for name in COMMANDS)], ids=" ".join)
def test_help_fits_a_terminal(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDE))
    told = CliRunner().invoke(app, [*words, "--help"], prog_name="probe").stdout
    assert [line for line in told.splitlines() if len(line) > WIDE] == []


@pytest.mark.parametrize("group", ["", "catalogue", "scenarios"])
def test_what_a_command_does_is_told_whole_on_a_narrow_terminal(group: str) -> None:
    told = CliRunner().invoke(app, [*group.split(), "--help"], prog_name="probe", terminal_width=60).stdout
    _usage, *lines = told.splitlines()
    assert [line for line in lines if line.endswith("...") or len(line) > 60] == []


@pytest.mark.parametrize(
    ("typed", "meant"), [("cred", "creds"), ("prefligt", "preflight"), ("catalog", "catalogue")]
)
def test_a_command_that_is_mistyped_is_guessed(typed: str, meant: str) -> None:
    told = CliRunner().invoke(app, [typed, "x"])
    assert told.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in told.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_usage_line_brackets_a_word_once(name: str) -> None:
    usage = CliRunner().invoke(app, [*name.split(), "--help"], prog_name="probe").stdout.splitlines()[0]
    assert not any(doubled in usage for doubled in ("[[", "...]", "...}"))


LISTS = {
    "all providers": lambda: providers.command([]),
    "some providers": lambda: providers.command(["google", "microsoft"]),
    "rules": lambda: catalogue.list_("google/*"),
    "pages of rules": lambda: catalogue.show(["google/app-*", "dmarc/missing"]),
    "scenarios": lambda: scenarios.list_("creds-auth-*"),
}


@pytest.mark.parametrize("columns", [60, 80, 100])
@pytest.mark.parametrize("told", LISTS)
def test_a_list_fits_the_terminal(
    told: str, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_columns, "width", lambda: columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    LISTS[told]()
    lines = capsys.readouterr().out.splitlines()
    assert lines
    too_long = [line for line in lines if len(line) > columns and not line.startswith("534")]  # a sample
    assert [line for line in too_long if " " in line[16:]] == []  # an address is not broken


@pytest.mark.parametrize(
    "words", [("catalogue", "list"), ("scenarios", "list"), ("providers",)], ids=" ".join
)
def test_a_program_reads_a_line_each(words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(app, words).stdout
    assert not [line for line in told.splitlines() if line.startswith(" ")]
