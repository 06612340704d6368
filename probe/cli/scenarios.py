"""`probe scenarios`: the fake world in files: list, show, run, and record one of your own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._columns import row
from probe.cli._completion import SCENARIOS
from probe.cli._messages import refuse, say
from probe.cli._output import as_files_are

if TYPE_CHECKING:
    from probe.facts import Transcript
    from probe.fakes.scenario import Scenario

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Situations of the mail world, as files.\n\nWhat servers say, and what must be concluded.",
)


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(metavar="GLOB", help="A glob, such as 'creds-tls-*'.")] = "*",
) -> None:
    """Name every scenario, with its sentence."""
    found = _matching([pattern])
    width = max(len(one.name) for one in found)
    for one in found:
        typer.echo(row(f"{one.name:{width}}  ", one.about))


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="SCENARIO", autocompletion=SCENARIOS)]) -> None:
    """Print the file of a scenario.

    A good beginning for one of your own.
    """
    from probe.fakes.reading import folder

    one = _matching([name])[0]
    path = Path(name) if name.endswith(".toml") else folder() / f"{one.name}.toml"
    as_files_are()
    sys.stdout.write(path.read_text(encoding="utf-8", errors="replace"))


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCENARIO", autocompletion=SCENARIOS, help="Names, globs or files; default: all."
        ),
    ] = None,
    witness: Annotated[bool, typer.Option("--witness", help="Let aiosmtplib read the same codes.")] = False,
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Show the sessions.")
    ] = 0,
) -> None:
    """Play scenarios against fakes on this machine.

    Exit code 1 where one comes out otherwise than it says.
    """
    import asyncio
    import textwrap

    from probe.fakes.script import ScenarioError
    from probe.play import play
    from probe.render import printable

    surprised = 0
    found = _matching(names or ["*"])
    for one in found:
        try:
            played = asyncio.run(play(one, witness=witness))
        except ScenarioError as problem:
            refuse(str(problem))
        surprised += bool(played.surprises)
        typer.echo(f"{'FAIL' if played.surprises else 'ok  '}  {one.name}")
        for surprise in played.surprises:
            typer.echo(f"        {printable(surprise)}")
        if verbose and played.report.transcript is not None:
            typer.echo(textwrap.indent(str(played.report.transcript), " " * 8))
    say(f"{len(found)} played, {surprised} came out otherwise")
    raise typer.Exit(1 if surprised else 0)


@app.command()
def record(
    source: Annotated[
        str, typer.Argument(metavar="REPORT", help="A JSON report of `probe creds`, or - for stdin.")
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Where to write; default: stdout.")
    ] = "",
    about: Annotated[str, typer.Option(help="The scenario's sentence.")] = "A recorded session.",
) -> None:
    """Save a session as a scenario that plays it back.

    probe creds ada@example.com -f json | probe scenarios record - -o mine.toml
    """
    from probe.fakes.reading import parse
    from probe.fakes.script import ScenarioError
    from probe.run.recording import recorded

    transcript, findings = _reported(source)
    if not about.strip():
        refuse("--about takes the scenario's sentence")
    text = recorded(transcript, about=about, findings=findings)
    try:
        parse(text, "recorded")
    except ScenarioError as problem:
        refuse(f"the session makes no scenario: {problem}")
    if not output:
        as_files_are()
        sys.stdout.write(text)
        return
    try:
        with Path(output).open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        refuse(f"{output} cannot be written: {problem.strerror}")
    say(f"{output} written; `probe serve {output}` plays it")


def _matching(names: list[str]) -> list[Scenario]:
    """The scenarios of some names, globs and paths; exit 2 where there is none."""
    from probe.fakes.reading import load, load_all
    from probe.fakes.script import ScenarioError

    found: dict[str, Scenario] = {}
    try:
        for name in names:
            globbed = any(char in name for char in "*?[")
            for one in load_all(name) if globbed else [load(name)]:
                found[one.name] = one
    except ScenarioError as problem:
        refuse(str(problem))
    if not found:
        refuse(f"no scenario matches {' '.join(names)}; `probe scenarios list` names them")
    return list(found.values())


def _reported(source: str) -> tuple[Transcript, list[str]]:
    """The transcript and the finding ids of the one report with a session; exit 2 where it is not one."""
    from probe.cli._runs import load

    sessions = [(one.transcript, one.findings) for one in load([source]) if one.transcript is not None]
    if len(sessions) != 1:
        name = "stdin" if source == "-" else source
        refuse(f"{name} holds {len(sessions) or 'no'} sessions; a scenario is made of one")
    transcript, findings = sessions[0]
    return transcript, [finding.rule.id for finding in findings]
