"""What the commands say of themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from probe.cli import _command, _names


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
