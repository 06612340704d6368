"""The command that asks of a served world what its scenario asks: what `probe serve` tells people to type."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from probe.fakes.scenario import Ask
from probe.play import NOWHERE

if TYPE_CHECKING:
    from probe.fakes.world import World

__all__ = ["typed"]

_USUAL = Ask()
_Options = dict[str, "str | bool | tuple[str, ...]"]


def typed(world: World) -> str:
    """The command, ready to paste; where no one command can ask it, the one that plays the scenario.

    A command line can name one mail server and one resolver. What is found by its name (other mail
    servers, web pages, name servers asked directly) and a list of inboxes need the scenario's own world.
    """
    scenario = world.scenario
    ask, dns = scenario.probe, scenario.dns
    elsewhere = ask.discover or scenario.more or (dns is not None and (dns.servers or dns.web))
    own_lists = any(":" in option for option in ask.options)  # block lists, which only the API takes
    if ask.run not in _COMMANDS or elsewhere or own_lists:
        return f"no one command asks this; probe scenarios run {shlex.quote(scenario.name)} plays it"
    return _COMMANDS[ask.run](world)


def _creds(world: World) -> str:
    ask = world.scenario.probe
    host, port = _server(world)
    options: _Options = {
        "--host": host,
        "--port": str(port or ""),
        "--tls": ask.tls or world.scenario.tls,
        "--user": ask.user,
        "--provider": ask.provider or _played(world),
        "--auth-mech": _unless("auto", ask.mechanism),
        "--client-id": ask.client_id,
        "--client-credentials": ask.client_credentials,
        "--tenant": ask.tenant,
        "--mail-from": ask.mail_from,
        "--rcpt-to": ask.rcpt_to,
        "--insecure-plaintext": ask.allow_plaintext,
        "--password-stdin": True,
    }
    said = shlex.join(["printf", "%s", ask.password])
    return f"{said} | {_line('creds', ask.address, {**options, **_connecting(world)})}"


def _rcpt(world: World) -> str:
    ask = world.scenario.probe
    host, port = _server(world)
    options: _Options = {
        "--mx": f"{host}:{port}" if port else host,
        "--mail-from": ask.mail_from,
        "--no-control": not ask.control,
        "--wait": bool(ask.wait),
        "--sending-ip": ask.sending_ips[:1],
        "--dkim-selector": ask.selectors,
    }
    return _line("rcpt", ask.rcpt_to or ask.address, {**options, **_connecting(world)})


def _dns(world: World) -> str:
    ask = world.scenario.probe
    options: _Options = {
        "--resolver": world.resolver,
        "--only": ask.only,
        "--skip": ask.skip,
        "--dkim-selector": ask.selectors,
        "--sending-ip": ask.sending_ips,
        "--helo": ask.told_helo,
        "--mail-from": ask.mail_from,
        "--provider": ask.provider,
        "--deadline": _unless(f"{_USUAL.deadline:g}", f"{ask.deadline:g}"),
        **{f"--{name}": True for name in ask.options},
    }
    return _line("dns", ask.domain, options)


def _explain(world: World) -> str:
    ask = world.scenario.probe
    options: _Options = {"--stage": ask.stage, "--provider": ask.provider, "--mx": ask.mx}
    if ask.verify:
        options |= {
            "--verify": True,
            "--sending-ip": ask.sending_ips[:1],
            "--mail-from": ask.mail_from,
            "--rcpt-to": ask.rcpt_to,
            "--helo": ask.told_helo,
            "--dkim-selector": ask.selectors,
            "--resolver": world.resolver,
        }
    return _line("explain", ask.text, options)


_COMMANDS: Mapping[str, Callable[[World], str]] = {
    "creds": _creds,
    "rcpt": _rcpt,
    "dns": _dns,
    "explain": _explain,
}


def _server(world: World) -> tuple[str, int]:
    """Where the server is that is asked; port 0 where the scenario names none."""
    ask = world.scenario.probe
    played = (ask.host, ask.port or world.scenario.port)
    elsewhere = ask.host and played not in world.hosts  # a name that resolves to nothing, say
    return (ask.host, ask.port) if elsewhere else ("127.0.0.1", world.port)


def _connecting(world: World) -> _Options:
    """What the commands that connect share."""
    ask = world.scenario.probe
    return {
        "--helo": ask.told_helo,
        "--resolver": world.resolver or NOWHERE,  # no name of a scenario is asked of the real DNS
        # What is usual here is too long to wait for a server that is known to say nothing.
        "--timeout": f"{_USUAL.timeout:g}" if ask.timeouts or ask.timeout < _USUAL.timeout else "",
        "--deadline": _unless(f"{_USUAL.deadline:g}", f"{ask.deadline:g}"),
        "--ca-file": "" if ask.distrust else world.ca_file,
    }


def _played(world: World) -> str:
    """The provider whose host is played: 127.0.0.1 does not tell it."""
    from probe import catalogue

    smtp = world.scenario.smtp
    known = catalogue.provider_of_host(smtp.host) if smtp is not None else None
    return known.id if known is not None else ""


def _unless(usual: str, value: str) -> str:
    return "" if value == usual else value


def _line(verb: str, subject: str, options: _Options) -> str:
    end = ["--"] if subject.startswith("-") else []
    return shlex.join(["probe", verb, *_words(options), *end, subject])


def _words(options: _Options) -> Iterator[str]:
    """An option that holds says itself, one that has a value says both, one that may repeat says each."""
    for name, value in options.items():
        if isinstance(value, bool):
            yield from (name,) if value else ()
        else:
            for one in (value,) if isinstance(value, str) else value:
                yield from (name, one) if one else ()
