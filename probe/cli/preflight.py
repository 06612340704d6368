"""`probe preflight`: hundreds of inboxes, go or no-go, one command."""

from __future__ import annotations

from typing import Annotated

import typer

from probe.cli._completion import CHECKS
from probe.cli._messages import refuse
from probe.cli._network import (
    CaFile,
    Deadline,
    Helo,
    Plaintext,
    Resolvers,
    Resume,
    SourceAddress,
    Timeout,
    limits_of,
    network_of,
)
from probe.cli._output import BASELINE, FAIL_ON, FORMAT, OUTPUT, VERBOSE, Output

EPILOG = """\b
Examples:
  probe preflight inboxes.csv
  probe preflight inboxes.csv --dry-run   hosts, counts, pace; nothing is sent
  probe preflight inboxes.csv --write-pass good.csv --write-fail bad.csv
  probe preflight inboxes.csv --resume    goes on with a run that was stopped
  probe preflight inboxes.csv --map smtp_user="SMTP Login"

Reads the exports of sequencers unchanged. Each login is tried once, and written down before it leaves."""


def command(  # typer reads options from parameters
    file: Annotated[str, typer.Argument(metavar="FILE", help="The list, as CSV; - reads stdin.")],
    map: Annotated[
        list[str], typer.Option(metavar="FIELD=COLUMN", help="Which column holds a field; repeatable.")
    ] = [],
    encoding: Annotated[
        str, typer.Option(metavar="NAME", help="How the file is written; default: UTF-8 or UTF-16.")
    ] = "",
    write_pass: Annotated[str, typer.Option(metavar="FILE", help="Write the rows that are ready.")] = "",
    write_fail: Annotated[
        str, typer.Option(metavar="FILE", help="Write the others, with probe_reason and probe_fix.")
    ] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; send nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Try logins again that were refused or interrupted before.")
    ] = False,
    concurrency: Annotated[int, typer.Option(metavar="N", help="Sessions at once, over all hosts.")] = 100,
    per_host: Annotated[
        int,
        typer.Option(
            metavar="N",
            show_default=False,
            help="Sessions at once at one host; default: as its provider bears.",
        ),
    ] = 0,
    brake: Annotated[
        int, typer.Option(metavar="N", help="Stop at a host after N logins failed in ten minutes.")
    ] = 4,
    most: Annotated[int, typer.Option(metavar="N", help="Refuse a list of more rows than this.")] = 20_000,
    dns: Annotated[bool, typer.Option("--dns/--no-dns", help="Audit each domain's DNS too.")] = True,
    skip: Annotated[
        list[str],
        typer.Option(metavar="CHECK", autocompletion=CHECKS, help="Leave this DNS check out; repeatable."),
    ] = [],
    allow_commands: Annotated[
        bool, typer.Option("--allow-commands", help="Let rows name commands (cmd:...) that print a password.")
    ] = False,
    state: Annotated[
        str, typer.Option(metavar="DIR", help="Where journals are kept; default: the user's state folder.")
    ] = "",
    ca_file: CaFile = "",
    helo: Helo = "",
    source_address: SourceAddress = "",
    resolver: Resolvers = [],
    timeout: Timeout = None,
    deadline: Deadline = 180,
    insecure_plaintext: Plaintext = False,
    resume_tls: Resume = False,
    format: str = FORMAT,
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    verbose: int = VERBOSE,
    baseline: str = BASELINE,
) -> None:
    """Probe the inboxes and domains of a list.

    Which are ready, and what is in the way of the others. Exit code 0: all are ready; 1: some are not; 3:
    some could not be judged; 4: stopped by a safety brake.
    """
    from probe.cli._list import Written, listed
    from probe.cli._preflight import Asked, planned, probed
    from probe.cli._references import revealer
    from probe.run.domain import areas
    from probe.run.preflight import Options

    out = Output(
        format,
        output,
        fail_on,
        verbose,
        baseline,
        read=[file, ca_file],
        beside=[("--write-pass", write_pass), ("--write-fail", write_fail)],
    )
    if dry_run and (format != "text" or output):
        refuse("--dry-run tells the plan in words and has no report: leave -f and -o out")
    for name, number in (("--concurrency", concurrency), ("--brake", brake), ("--most", most)):
        if number < 1:
            refuse(f"{name} takes a number of at least 1")
    if per_host < 0:
        refuse("--per-host takes a number of at least 1, or 0 for as many as the host's provider bears")
    try:
        areas((), skip)
    except ValueError as problem:
        refuse(str(problem))
    options = Options(concurrency, per_host, brake, dns, tuple(skip), force)
    network = network_of(
        limits_of(timeout, deadline),
        ca_file=ca_file,
        helo=helo,
        source=source_address,
        resolver=resolver,
        allow_plaintext=insecure_plaintext,
        resume=resume_tls,
    )
    whole = listed(file, encoding=encoding, told=map, most=0 if dry_run else most)
    if dry_run:
        planned(whole, options)
        return
    written = Written(write_pass, write_fail)
    asked = Asked(options, out, written, revealer(allow_commands=allow_commands), resume, state)
    probed(whole, network, asked)
