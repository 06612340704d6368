"""`probe rcpt`: would the recipient's server take this recipient from this sender?"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from probe.cli._messages import refuse, say
from probe.cli._network import (
    CaFile,
    Deadline,
    Helo,
    Resolvers,
    SourceAddress,
    Timeout,
    address_of,
    limits_of,
    network_of,
    one_by_one,
    place_of,
)
from probe.cli._output import BASELINE, FAIL_ON, FORMAT, OUTPUT, VERBOSE, Output
from probe.cli._progress import Line

EPILOG = """\b
Examples:
  probe rcpt bob@example.org --mail-from ada@example.com
  probe rcpt bob@example.org --mail-from ada@example.com --mx mx2.example.org

A made-up recipient at the same domain is asked as well, to tell an answer about the recipient from one
about the sender. Nothing is ever sent; recipients of one foreign domain only, unless --i-have-permission."""

_MOST_RECIPIENTS = 20
_LONGEST_WAIT = 900  # seconds, in all, for a server that greylists


def command(
    recipients: Annotated[list[str], typer.Argument(metavar="ADDRESS", help="The recipients to ask about.")],
    mail_from: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Envelope sender; default: the null sender <>.")
    ] = "",
    mx: Annotated[
        str, typer.Option(metavar="HOST[:PORT]", help="Ask this server; default: by MX, port 25.")
    ] = "",
    control: Annotated[
        bool, typer.Option("--control/--no-control", help="Ask about a made-up recipient too.")
    ] = True,
    wait: Annotated[
        bool, typer.Option("--wait", help="Greylisted: come back in this run, waiting 15 minutes at most.")
    ] = False,
    helo: Helo = "",
    source_address: SourceAddress = "",
    sending_ip: Annotated[
        str, typer.Option(metavar="IP", help="The address the world sees, for the diagnosis; default: ours.")
    ] = "",
    dkim_selector: Annotated[
        list[str], typer.Option(metavar="NAME", help="A DKIM selector in use, for the diagnosis; repeatable.")
    ] = [],
    resolver: Resolvers = [],
    ca_file: CaFile = "",
    timeout: Timeout = None,
    deadline: Deadline = 180,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Connect to private addresses that DNS names.")
    ] = False,
    permission: Annotated[
        bool, typer.Option("--i-have-permission", help="Ask about recipients of several domains.")
    ] = False,
    format: str = FORMAT,
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    baseline: str = BASELINE,
    verbose: int = VERBOSE,
) -> None:
    """Would a server take these recipients?

    Connects to the domain's mail server, offers the envelope and leaves: MAIL, RCPT, a made-up RCPT to
    compare with, RSET, QUIT. Never DATA, VRFY or EXPN.
    """
    from probe.grammar.address import address
    from probe.run.pace import Pace
    from probe.run.rcpt import Asked, check_rcpt
    from probe.run.told import sender

    out = Output(format, output, fail_on, verbose, baseline, read=[ca_file])
    network = network_of(
        limits_of(timeout, deadline), ca_file=ca_file, helo=helo, source=source_address, resolver=resolver
    )
    if mail_from == "<>":  # the null sender, as a transcript shows it
        mail_from = ""
    if mail_from:
        address_of("--mail-from", mail_from)
    try:
        told = sender(selectors=dkim_selector, addresses=[sending_ip] if sending_ip else [])
    except ValueError as problem:
        refuse(str(problem))
    domains = {address(address_of("", one)).domain for one in recipients}
    if len(domains) > 1 and not permission:
        refuse("recipients of more than one domain: say --i-have-permission if you may ask them all")
    if len(recipients) > _MOST_RECIPIENTS and not permission:
        refuse(f"more than {_MOST_RECIPIENTS} recipients: this is a diagnosis, not a list cleaner")
    server = place_of("--mx", mx, 25) if mx else None
    asked = [
        Asked(
            one,
            mail_from,
            server,
            control,
            allow_private,
            wait=_LONGEST_WAIT if wait else 0,
            sending_ip=told.sending_ips[0] if told.sending_ips else "",
            selectors=told.selectors,
        )
        for one in recipients
    ]
    pace = Pace(pause=_counted)
    # One session after the other: nobody's server is asked in parallel.
    out.finish(one_by_one(network, [partial(check_rcpt, one, network, pace=pace) for one in asked]))


async def _counted(seconds: float, why: str) -> None:
    """Waits and says so on stderr: a countdown on a terminal, else one line."""
    import asyncio

    line = Line()
    if not line.moves:
        say(f"probe: {seconds:.0f} s {why}")
        await asyncio.sleep(seconds)
        return
    left = seconds
    while left > 0:
        line.draw(f"{left:.0f} s {why}")
        await asyncio.sleep(min(1, left))
        left -= 1
    line.clear()
