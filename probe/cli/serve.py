"""`probe serve`: the servers of scenarios on loopback, for anyone's program to talk to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._completion import SCENARIOS
from probe.cli._messages import refuse, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.fakes.scenario import Scenario
    from probe.fakes.world import World

EPILOG = """\b
Examples:
  probe serve creds-auth-535              a server that refuses every password
  probe serve creds-auth-535 --port 2525  on a port of your choice
  probe serve ./mine.toml                 a scenario of your own

Ctrl-C ends it and tells what the servers saw."""

_MOST_MECHANISMS = 8  # that are named; clients may make some up


def command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="SCENARIO", autocompletion=SCENARIOS, help="Names, or paths of files."),
    ],
    port: Annotated[
        int,
        typer.Option(
            show_default=False, help="Port of the first server; the next ones follow. Default: any."
        ),
    ] = 0,
) -> None:
    """Play scenarios here, for other programs.

    Prints where they listen and what to type, until Ctrl-C.
    """
    import asyncio

    from probe.fakes.reading import load
    from probe.fakes.script import ScenarioError

    last = port + len(names) - 1
    if port and not 1 <= port <= last <= 65535:
        refuse(f"--port {port} is no port for {_servers(len(names))}; ports are 1 to 65535")
    try:
        scenarios = [load(name) for name in names]
    except ScenarioError as problem:
        refuse(str(problem))
    idle = [one.name for one in scenarios if one.smtp is None and one.dns is None]
    if idle:
        refuse(f"{', '.join(idle)}: there is no server in it")
    try:
        asyncio.run(_serve(scenarios, port))
    except ScenarioError as problem:
        refuse(str(problem))
    except OSError as problem:
        ports = str(port) if port == last else f"{port} to {last}"
        reason = os.strerror(problem.errno or 0)  # its own words repeat the address
        refuse(f"cannot listen on 127.0.0.1:{ports}: {reason}; without --port any is taken")


def _servers(count: int) -> str:
    return "a server" if count == 1 else f"the first of {count} servers"


async def _serve(scenarios: Sequence[Scenario], port: int) -> None:
    import asyncio
    import contextlib
    import signal

    from probe.fakes.world import World

    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # no such handlers on this platform: Ctrl-C interrupts
            loop.add_signal_handler(number, over.set)
    async with contextlib.AsyncExitStack() as worlds:
        served = [
            await worlds.enter_async_context(World(scenario, port and port + index))
            for index, scenario in enumerate(scenarios)
        ]
        for world in served:
            typer.echo("\n".join(_told(world)) + "\n")
        say("Ctrl-C ends this.")
        await over.wait()
        say("")
        for world in served:
            if world.port:
                say(f"{world.scenario.name}: {_seen(world)}")


def _told(world: World) -> Iterator[str]:
    """Where a world listens, and what to type to meet it."""
    from probe.cli._typed import typed
    from probe.render import printable

    scenario = world.scenario
    yield printable(f"{scenario.name}: {scenario.about}")
    if world.port:
        how = {"starttls": "STARTTLS", "implicit": "TLS", "none": "no TLS"}[scenario.tls]
        assert scenario.smtp is not None
        yield f"  SMTP  127.0.0.1:{world.port}  ({how}, plays {scenario.smtp.host}:{scenario.port})"
        yield f"  CA    {world.ca_file}"
        if (ask := scenario.probe).run == "creds":
            yield f"  user  {ask.user or ask.address}   password  {ask.password}"
    if world.resolver:
        yield f"  DNS   {world.resolver}"
    yield ""
    yield f"  {printable(typed(world))}"


def _seen(world: World) -> str:
    """What a server saw, in one line."""
    from probe.facts import counted

    tally = world.tally
    tried = list(dict.fromkeys(tally.mechanisms))[:_MOST_MECHANISMS]
    logins = f"{tally.auth} AUTH" + (f" ({', '.join(tried)})" if tried else "")
    connections = counted(tally.connections, "connection")
    plain = f", {counted(tally.plaintext, 'secret')} in the clear" if tally.plaintext else ""
    return f"{connections}, {logins}, {tally['DATA']} DATA{plain}"
