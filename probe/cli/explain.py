"""`probe explain`: what a reply, a bounce, a log or a webhook means, who must act and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from probe.cli._completion import PROVIDERS
from probe.cli._files import stdin, write_whole
from probe.cli._messages import guessed, refuse, say
from probe.cli._network import Resolvers
from probe.cli._output import FAIL_ON, FORMAT, OUTPUT, VERBOSE, Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from probe.rules import Report
    from probe.run.sources import Asked

EPILOG = """\b
Examples:
  probe explain "550 5.7.26 This mail has been blocked ..."
  probe explain bounce.eml
  probe explain /var/log/mail.log -o suppress.csv
  probe explain Maildir/ -f jsonl
  probe explain --verify --sending-ip 192.0.2.7 "550 5.7.25 no reverse DNS"
  tail -f replies.jsonl | probe explain -f jsonl -

What it is given is told from its beginning: a pasted reply, a bounce mail, an mbox, a Maildir, a mail log
(Postfix, Exim, sendmail, OpenSMTPD, qmail, PowerMTA, KumoMTA; by syslog, a journal or a container), a table
with a column of recipients, a webhook, or JSON lines with a "reply" key; .gz and .zip of these. Nothing is
sent anywhere, and DNS is asked with --verify only.
With -o FILE.csv the addresses to suppress are written there."""

_MANY = 20  # reports after which the pile is told as well


def command(  # typer reads options from parameters
    what: Annotated[
        list[str], typer.Argument(metavar="TEXT|FILE|-", help="A reply, a file, a folder; - is stdin.")
    ] = [],  # typer copies it
    stage: Annotated[
        str,
        typer.Option(metavar="STAGE", help="The command it answered: connect, auth, mail, rcpt, data, ..."),
    ] = "",
    provider: Annotated[
        str,
        typer.Option(
            metavar="ID", autocompletion=PROVIDERS, help="Whose server said it; default: recognised."
        ),
    ] = "",
    mx: Annotated[str, typer.Option(metavar="HOST", help="The server that said it.")] = "",
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Ask DNS whether what the reply says is so; the next options help."),
    ] = False,
    sending_ip: Annotated[str, typer.Option(metavar="IP", help="The address the mail left from.")] = "",
    mail_from: Annotated[str, typer.Option(metavar="ADDRESS", help="The envelope sender.")] = "",
    rcpt_to: Annotated[str, typer.Option(metavar="ADDRESS", help="The recipient.")] = "",
    helo: Annotated[str, typer.Option(metavar="NAME", help="The name said in HELO.")] = "",
    dkim_selector: Annotated[
        list[str], typer.Option(metavar="NAME", help="A DKIM selector in use; repeatable.")
    ] = [],
    resolver: Resolvers = [],
    preset: Annotated[
        str,
        typer.Option(metavar="NAME", help="How many dead addresses are too many: strict, usual, lenient."),
    ] = "usual",
    format: str = FORMAT,
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    verbose: int = VERBOSE,
) -> None:
    """Say what replies mean, and what to do.

    The cause, who must act, whether to retry. An unknown reply is called unknown; no address is
    suppressed on a guess.
    """
    lists = [file for file in output if file.lower().endswith(".csv")]
    reports_to = [file for file in output if file not in lists]
    out = Output(format, reports_to, fail_on, verbose, read=what, beside=[("-o", file) for file in lists])
    from probe.facts import Stage
    from probe.run.sources import USUAL, Asked

    if stage and stage.lower() not in set(Stage):
        refuse(f"--stage takes one of {', '.join(Stage)}, not {stage!r}")
    if preset != USUAL:
        _preset(preset)
    if provider:
        _known(provider)
    asked = Asked(
        stage=Stage(stage.lower()) if stage else None,
        provider=provider,
        mx=mx,
        preset=preset,
        every=format == "jsonl",
        note=lambda text: say(f"probe: {text}"),
    )
    reports = _all(_inputs(what), asked, lists, lines=format == "jsonl")
    if verify:
        from probe.cli._verify import verified

        told = {
            "address": sending_ip,
            "mail_from": mail_from,
            "recipient": rcpt_to,
            "helo": helo,
            "server": mx,
        }
        reports = verified(reports, told, dkim_selector, resolver)
    elif sending_ip or mail_from or rcpt_to or helo or dkim_selector or resolver:
        refuse(
            "--sending-ip, --mail-from, --rcpt-to, --helo, --dkim-selector and --resolver go with --verify"
        )
    out.finish(reports)


def _preset(name: str) -> None:
    from probe.fleet import PRESETS

    if name not in PRESETS:
        refuse(f"--preset takes one of {', '.join(PRESETS)}, not {name!r}")


def _known(provider: str) -> None:
    from probe import catalogue

    known = [one.id for one in catalogue.providers()]
    if provider not in known:
        near = guessed(provider, known)
        refuse(f"no provider is called {provider!r}; `probe providers` lists {len(known)}{near}")


def _inputs(what: Sequence[str]) -> list[str | Path | None]:
    """Texts, paths, and None for stdin."""
    if not what:
        if stdin().isatty():
            refuse("give a reply, a file, or - for stdin")
        return [None]
    if not all(one.strip() for one in what):  # the current folder is not meant by a variable that is not set
        refuse("an argument is empty; give a reply, a file, or - for stdin")
    found: list[str | Path | None] = [None if one == "-" else _path(one) or one for one in what]
    words = [one for one in found if isinstance(one, str)]
    if len(words) == len(found) > 1 and not any(" " in one for one in words):
        return [" ".join(words)]  # a reply typed without quotes
    for word in words:
        if _looks_like_a_file(word):
            refuse(f"{word}: there is no such file")
    return found


def _path(text: str) -> Path | None:
    try:
        path = Path(text)
        return path if len(text) < 4096 and path.exists() else None
    except (OSError, ValueError):
        return None


def _looks_like_a_file(word: str) -> bool:
    return " " not in word and (
        word.startswith(("/", "./", "../", "~"))
        or word.lower().endswith(
            (".eml", ".mbox", ".log", ".json", ".jsonl", ".txt", ".csv", ".gz", ".msg", ".html")
        )
    )


def _all(
    inputs: Sequence[str | Path | None], asked: Asked, lists: Sequence[str], *, lines: bool
) -> Iterator[Report]:
    """The reports of every input, then the pile's, then the files for suppression."""
    told = 0
    try:
        for one in inputs:
            for report in _reports(one, asked):
                told += 1
                yield report
    except OSError as problem:
        refuse(f"{problem.filename or 'the input'}: {problem.strerror}")
    if asked.wants_pile or (not lines and told > _MANY):
        asked.pile.subject = _subject(inputs)
        yield asked.pile.report()
    for file in lists:
        _suppress(file, asked)


def _reports(one: str | Path | None, asked: Asked) -> Iterator[Report]:
    """The reports of one input, as it is read."""
    from probe.run.sources import explain_folder, explain_stream, explain_text

    if one is None:
        yield from explain_stream(stdin(), "stdin", asked)
    elif isinstance(one, str):
        yield from explain_text(one, asked)
    elif one.is_dir():
        yield from explain_folder(one, asked)
    else:
        with one.open("rb") as file:
            yield from explain_stream(cast("BinaryIO", file), one.name, asked)


def _subject(inputs: Sequence[str | Path | None]) -> str:
    if len(inputs) > 1:
        return f"{len(inputs)} inputs"
    return "stdin" if inputs[0] is None else str(inputs[0])[:120]


# -- suppression -----------------------------------------------------------------------------------


def _suppress(file: str, asked: Asked) -> None:
    """Addresses that do not exist (any more) and those that complained; never on a guess."""
    import csv
    import io

    from probe.facts import counted
    from probe.render.csv import inert

    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("address", "cause", "rule", "count", "reply"))
    count = 0
    for row in asked.pile.suppressed():
        rows.writerow([inert(str(cell)) for cell in row])
        count += 1
    write_whole(Path(file), [text.getvalue().encode("utf-8", "backslashreplace")])
    left = asked.pile.fleet.left_out
    say(
        f"probe: {file} holds {counted(count, 'address', 'addresses')} to suppress"
        + (f"; {left:,} more did not fit" if left else "")
    )
