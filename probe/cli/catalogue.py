"""`probe catalogue`: what is known about replies and records, rule by rule, each with its source."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._columns import row
from probe.cli._completion import RULES
from probe.cli._messages import guessed, refuse, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from probe.catalogue import Entry
    from probe.rules import Rule

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="What each reply and record means.\n\nEvery rule with its cause, its fix and its source.",
)


@app.command("list")
def list_(
    pattern: Annotated[
        str, typer.Argument(metavar="GLOB", help="A glob over ids, such as 'google/*' or '*full*'.")
    ] = "*",
    cause: Annotated[str, typer.Option(metavar="CAUSE", help="Only this root cause.")] = "",
    format: Annotated[str, typer.Option("-f", "--format", metavar="FORMAT", help="text or jsonl.")] = "text",
) -> None:
    """Name the rules, with cause and title."""
    found = [rule for rule in _matching(pattern) if not cause or rule.cause.value == cause]
    if not found:
        refuse(f"no rule of cause {cause!r} matches {pattern!r}")
    if _format(format, "text", "jsonl") == "jsonl":
        for rule in found:
            typer.echo(json.dumps(_as_json(rule)))
        return
    width = max(len(rule.id) for rule in found)
    for rule in found:
        typer.echo(row(f"{rule.id:{width}}  {rule.cause.value:20}  ", rule.title))


@app.command()
def show(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="ID", autocompletion=RULES, help="Ids or globs, as `list` names them."),
    ],
    format: Annotated[str, typer.Option("-f", "--format", metavar="FORMAT", help="text or json.")] = "text",
) -> None:
    """Print the page of a rule.

    What it means, who acts, what to do, samples and source.
    """
    found = [rule for one in ids for rule in _matching(one)]
    if _format(format, "text", "json") == "json":
        pages = [_as_json(rule) for rule in found]
        typer.echo(json.dumps(pages[0] if len(pages) == 1 else pages, indent=2))
        return
    entries = _entries()
    typer.echo("\n".join("\n".join(_fitted(page(rule, entries.get(rule.id)))) for rule in found))


@app.command()
def export(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Write a Markdown page for each rule there.")
    ] = None,
) -> None:
    """Print the whole catalogue as JSON.

    With a folder: write it there as Markdown pages.
    """
    rules = _matching("*")
    if folder is None:
        typer.echo(json.dumps({"schema_version": 1, "rules": [_as_json(rule) for rule in rules]}, indent=1))
        return
    entries = _entries()
    try:
        for rule in rules:
            path = folder / f"{rule.id}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(page(rule, entries.get(rule.id))), encoding="utf-8")
        index = "".join(f"- [{rule.id}]({rule.id}.md) {rule.title}\n" for rule in rules)
        (folder / "index.md").write_text(f"# What replies and records mean\n\n{index}", encoding="utf-8")
    except OSError as problem:
        refuse(f"{problem.filename or folder}: {problem.strerror}")
    say(f"probe: {len(rules)} pages are in {folder}; begin with {folder / 'index.md'}")


def page(rule: Rule, entry: Entry | None) -> Iterator[str]:
    """The lines of a rule's page, in Markdown; the same data that judges replies."""
    answers = rule.cause.answers
    yield from (f"# {rule.title}", "", f"`{rule.id}`", "", rule.meaning, "")
    yield f"- **Do** {rule.fix}"
    if rule.dont:
        yield f"- **Don't** {rule.dont}"
    after = rule.answer("retry_after")
    yield f"- **Cause** {rule.cause.value} ({rule.cause.family}), acts: {answers.acts}"
    yield f"- **Retry** {rule.answer('retry')}{f', {after}' if after else ''}"
    yield f"- **Permanent** {_yes(rule.answer('permanent'))}"
    yield f"- **Recipient bad** {_yes(rule.answer('recipient_bad'))}"
    yield f"- **Priority** {rule.answer('priority')}"
    if entry is not None:
        yield from _conditions(entry)
        if entry.disputed:
            yield from ("", "## Where sources disagree", "", entry.disputed)
        if entry.samples:
            yield from ("", "## Samples", "")
            for sample in entry.samples:
                yield from ("```", *sample.strip().splitlines(), "```")
    yield from ("", f"Source: <{rule.source.url}> ({rule.source.kind}, read {rule.source.read})", "")


def _fitted(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a page as wide as the terminal; what servers said stays as it is."""
    fenced = False
    for line in lines:
        fenced ^= line.startswith("```")
        head = "- " if line.startswith("- ") else ""
        yield line if fenced else row(head, line.removeprefix(head))


def _conditions(entry: Entry) -> Iterator[str]:
    """When an entry applies, and how to tell it from its neighbours."""
    told = {
        "Codes": ", ".join((*entry.code, *entry.enhanced)),
        "Stage": ", ".join(sorted(entry.stage)),
        "Also fits": ", ".join(cause.value for cause in entry.also),
        "Next check": entry.check,
    }
    yield from (f"- **{name}** {value}" for name, value in told.items() if value)


def _yes(answer: object) -> str:
    return "yes" if answer else "no"


def _entries() -> dict[str, Entry]:
    from probe import catalogue

    return {entry.id: entry for entry in catalogue.entries()}


def _matching(pattern: str) -> list[Rule]:
    from probe.run.rules import known

    found = [rule for rule in known() if rule.id == pattern or fnmatchcase(rule.id, pattern)]
    if not found:
        near = guessed(pattern, (rule.id for rule in known()))
        refuse(f"no rule is called {pattern!r}; `probe catalogue list` names them all{near}")
    return found


def _format(word: str, *known: str) -> str:
    if word not in known:
        refuse(f"there is no format {word!r} here; choose one of {', '.join(known)}")
    return word


def _as_json(rule: Rule) -> dict[str, object]:
    from probe.render.json import answers

    return {
        "id": rule.id,
        "verdict": str(rule.verdict),
        "cause": rule.cause.value,
        "family": str(rule.cause.family),
        "acts": rule.cause.answers.acts,
        "outcome": str(rule.outcome) if rule.outcome is not None else None,
        **answers(rule),
        "title": rule.title,
        "meaning": rule.meaning,
        "fix": rule.fix,
        "dont": rule.dont,
        "source": {"url": rule.source.url, "kind": rule.source.kind, "read": rule.source.read},
    }
