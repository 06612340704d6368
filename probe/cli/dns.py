"""`probe dns`: what the DNS says about domains that send mail."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._completion import CHECKS, PROVIDERS
from probe.cli._files import piped
from probe.cli._messages import refuse, say
from probe.cli._network import Resolvers, seconds_of
from probe.cli._output import BASELINE, FAIL_ON, FORMAT, OUTPUT, VERBOSE, Output
from probe.cli._progress import Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.rules import Report
    from probe.run.domain import Domain, Resolver

EPILOG = """\b
Examples:
  probe dns example.com
  probe dns example.com --sending-ip 192.0.2.1 --dkim-selector s1
  probe dns a.example b.example -f json
  probe dns - < domains.txt --only spf --only dmarc
  probe dns example.com --resolver https://dns.quad9.net/dns-query

Only asks the DNS (and the web server of an MTA-STS policy); never opens a mail connection."""

_LONGEST_INPUT = 16 << 20
_MOST_DOMAINS = 100_000
_AT_ONCE = 100


def command(  # typer reads options from parameters
    domains: Annotated[
        list[str], typer.Argument(metavar="DOMAIN", help="The domains to audit; - reads them from stdin.")
    ],
    resolver: Resolvers = [],
    dkim_selector: Annotated[
        list[str], typer.Option(metavar="NAME", help="A DKIM selector in use; repeatable.")
    ] = [],
    sending_ip: Annotated[
        list[str], typer.Option(metavar="IP", help="An address mail leaves from; repeatable.")
    ] = [],
    helo: Annotated[str, typer.Option(metavar="NAME", help="The name said in HELO there.")] = "",
    mail_from: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Envelope sender; default: postmaster at the domain.")
    ] = "",
    provider: Annotated[
        str,
        typer.Option(
            metavar="ID", autocompletion=PROVIDERS, help="Who sends for the domain; default: recognised."
        ),
    ] = "",
    only: Annotated[
        list[str],
        typer.Option(
            metavar="CHECK", autocompletion=CHECKS, help="Run only this check, or several: spf,dmarc."
        ),
    ] = [],
    skip: Annotated[
        list[str],
        typer.Option(metavar="CHECK", autocompletion=CHECKS, help="Leave this check out, or several."),
    ] = [],
    dnsbl: Annotated[
        bool, typer.Option("--dnsbl", help="Ask the blocklists about addresses and domain.")
    ] = False,
    authoritative: Annotated[
        bool, typer.Option("--authoritative", help="Ask each of the domain's own name servers too.")
    ] = False,
    rdap: Annotated[bool, typer.Option("--rdap", help="Ask the registry how old the domain is.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="For one attempt of one question.")] = 2.0,
    deadline: Annotated[float, typer.Option(metavar="SECONDS", help="For one domain.")] = 10.0,
    format: str = FORMAT,
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    baseline: str = BASELINE,
    verbose: int = VERBOSE,
) -> None:
    """Audit what receivers see of these domains.

    SPF, DKIM, DMARC, MX, PTR and the rest. A lookup that failed is reported as unknown, never as missing.
    Every finding names the question, the server and the record it stands on.
    """
    out = Output(format, output, fail_on, verbose, baseline)
    from dataclasses import replace

    from probe.run.domain import Resolver, areas
    from probe.run.told import sender

    seconds_of("--timeout", timeout)
    seconds_of("--deadline", deadline)
    options = {"dnsbl": dnsbl, "authoritative": authoritative, "rdap": rdap}
    try:
        areas(only, skip)
        window = Resolver(resolver, timeout=timeout)
        told = sender(
            selectors=dkim_selector,
            addresses=sending_ip,
            helo=helo,
            mail_from=mail_from,
            provider=provider,
            options=[name for name, on in options.items() if on],
        )
    except ValueError as problem:
        refuse(str(problem))
    audited = [replace(told, name=name) for name in _names(domains)]
    out.finish(_reports(audited, window, only, skip, deadline))


def _names(typed: Sequence[str]) -> list[str]:
    """The domains as A-labels, each once; notes on how they were read go to stderr."""
    from probe.run.told import domain

    names: dict[str, None] = {}
    for text in typed:
        for where, line in _lines() if text == "-" else [("", text)]:
            try:
                read = domain(line)
            except ValueError as problem:
                refuse(f"{where}{problem}")
            for note in read.notes:
                of = "" if where or read.shown in note else f"{read.shown}: "
                say(f"probe: {where}{of}{note}")
            if read.name in names:
                say(f"probe: {where}{read.shown} is named twice and audited once")
            names[read.name] = None
    if not names:
        refuse("no domain was given")
    if len(names) > _MOST_DOMAINS:
        refuse(f"{len(names)} domains are too many for one run; at most {_MOST_DOMAINS}")
    return list(names)


def _lines() -> Iterator[tuple[str, str]]:
    """The lines of stdin that say something, with where they stand; ``#`` begins a comment."""
    text = piped(_LONGEST_INPUT, "list of domains")
    for number, line in enumerate(text.decode("utf-8-sig", "replace").splitlines(), 1):
        said = line.partition("#")[0].strip()
        if said:
            yield f"stdin, line {number}: ", said


def _reports(
    domains: Sequence[Domain], resolver: Resolver, only: Sequence[str], skip: Sequence[str], deadline: float
) -> Iterator[Report]:
    """The reports in order, each as soon as it and those before it are ready."""
    import asyncio

    from probe.run.domain import check_domains

    line = Line()
    shared = sys.stdout.isatty()
    with asyncio.Runner() as runner:

        async def enter() -> None:
            await resolver.__aenter__()

        async def leave() -> None:
            await reports.aclose()
            await resolver.__aexit__(None, None, None)

        runner.run(enter())
        reports = check_domains(domains, resolver, only, skip, deadline=deadline, at_once=_AT_ONCE)

        async def following() -> Report | None:
            return await anext(reports, None)

        try:
            done = 0
            while (report := runner.run(following())) is not None:
                done += 1
                if shared:
                    line.clear()
                yield report
                if len(domains) > 1:
                    line.draw(f"{done} of {len(domains)} domains")
        finally:
            line.clear()
            runner.run(leave())
