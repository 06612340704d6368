"""`probe doctor`: can this machine probe at all?"""

from __future__ import annotations

import stat
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from probe.cli._messages import refuse
from probe.cli._network import (
    CaFile,
    Helo,
    Resolvers,
    SourceAddress,
    limits_of,
    network_of,
    one_by_one,
    place_of,
)
from probe.cli._output import BASELINE, FAIL_ON, FORMAT, OUTPUT, VERBOSE, Output

EPILOG = """\b
Examples:
  probe doctor
  probe doctor mx.example.org smtp.example.com:587
  probe doctor --secrets passwords.txt --sending-ip 192.0.2.7

Nobody is connected to who is not named; of a host without a port 25, 465 and 587 are tried. There are
greeting, EHLO and TLS, and nothing else. DNS is asked about the root, about names that do not exist, and
one block list about its test point."""

_MOST_HOSTS = 8


def command(
    hosts: Annotated[
        list[str], typer.Argument(metavar="HOST[:PORT]", help="Mail servers that may be connected to.")
    ] = [],
    secrets: Annotated[
        list[str], typer.Option(metavar="FILE", help="A file of secrets: may others read it? Repeatable.")
    ] = [],
    clock: Annotated[
        str, typer.Option(metavar="URL", help="Compare the clock with the Date of this https page.")
    ] = "",
    sending_ip: Annotated[str, typer.Option(metavar="IP", help="The address the world sees.")] = "",
    helo: Helo = "",
    source_address: SourceAddress = "",
    resolver: Resolvers = [],
    ca_file: CaFile = "",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="For each step.")] = 10,
    format: str = FORMAT,
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    baseline: str = BASELINE,
    verbose: int = VERBOSE,
) -> None:
    """Can this machine probe at all?

    Ports, resolver, addresses, reverse DNS, roots, clock, files. Exit code 3 means that it could not be
    told, for want of a network: then it is us, not the others.
    """
    from probe.run.doctor import Examined, check_machine
    from probe.run.told import sender

    out = Output(format, output, fail_on, verbose, baseline, read=[*secrets, ca_file])
    if len(hosts) > _MOST_HOSTS:
        refuse(f"{len(hosts)} hosts are too many; {_MOST_HOSTS} tell enough")
    for file in secrets:
        _looked_at(file)
    if clock and not clock.startswith("https://"):
        refuse(f"--clock {clock!r} is no https URL")
    try:
        told = sender(addresses=[sending_ip] if sending_ip else [])
    except ValueError as problem:
        refuse(str(problem))
    network = network_of(
        limits_of(timeout, 60), ca_file=ca_file, helo=helo, source=source_address, resolver=resolver
    )
    examined = Examined(
        hosts=[place_of("", text, 0) for text in hosts],
        files=secrets,
        page=clock,
        sending_ip=next(iter(told.sending_ips), ""),
    )
    out.finish(one_by_one(network, [partial(check_machine, examined, network)]))


def _looked_at(file: str) -> None:
    """Refuses a file of secrets whose name is mistyped."""
    try:
        mode = Path(file).stat().st_mode
    except (OSError, ValueError) as problem:
        refuse(f"--secrets {file}: {getattr(problem, 'strerror', None) or problem}")
    if not stat.S_ISREG(mode):
        refuse(f"--secrets {file} is no file")
