"""What the commands that connect share: limits, our name, whom we trust; checked before anything is sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._messages import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
    from typing import Any

    from probe.facts import Limits
    from probe.rules import Report
    from probe.wire.network import Network

__all__ = [
    "CaFile",
    "Deadline",
    "Helo",
    "Plaintext",
    "Resolvers",
    "Resume",
    "SourceAddress",
    "Timeout",
    "address_of",
    "host_of",
    "limits_of",
    "network_of",
    "one_by_one",
    "place_of",
    "port_of",
    "seconds_of",
]

# The options themselves, spelled once; a command adds its default.
CaFile = Annotated[str, typer.Option(metavar="FILE", help="Trust only the roots in this PEM file.")]
Helo = Annotated[
    str, typer.Option(metavar="NAME", help="Name to give in EHLO; default: this host's name or address.")
]
SourceAddress = Annotated[str, typer.Option(metavar="IP", help="Address to connect from.")]
Resolvers = Annotated[
    list[str],
    typer.Option(
        metavar="SERVER", help="DNS server: HOST[:PORT], tls://HOST or https://HOST/dns-query; repeatable."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="For each step; default: 15 to connect, 30 to 60 after."),
]
Deadline = Annotated[float, typer.Option(metavar="SECONDS", help="For a whole session.")]
Plaintext = Annotated[bool, typer.Option("--insecure-plaintext", help="Allow AUTH without TLS.")]
Resume = Annotated[
    bool, typer.Option("--resume-tls", help="Prove a server's certificate once, then resume TLS.")
]

_NEVER_IN_A_HOST = frozenset("<>/\\@,;?#")
_STEPS = ("connect", "greeting", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "rset")


def seconds_of(name: str, value: float) -> float:
    """A limit on time."""
    if not (math.isfinite(value) and 0 < value <= 3600):
        refuse(f"{name} takes seconds, more than 0 and at most 3600")
    return value


def limits_of(timeout: float | None, deadline: float) -> Limits:
    """The limits of a run from ``--timeout`` and ``--deadline``, in seconds."""
    from probe.facts import Limits

    seconds_of("--deadline", deadline)
    if timeout is None:
        return Limits(deadline=deadline)
    seconds_of("--timeout", timeout)
    return Limits(**dict.fromkeys(_STEPS, timeout), quit=min(2, timeout), deadline=deadline)


def network_of(
    limits: Limits,
    *,
    ca_file: str = "",
    helo: str = "",
    source: str = "",
    resolver: Sequence[str] = (),
    allow_plaintext: bool = False,
    resume: bool = False,
) -> Network:
    """The network of a run; roots that cannot be read and addresses that are none are refused."""
    import ipaddress
    import ssl

    from probe.wire.dns import Resolver
    from probe.wire.network import Network

    host_of("--helo", helo)
    if source:
        try:
            ipaddress.ip_address(source)
        except ValueError:
            refuse(f"--source-address {source!r} is no IP address")
    try:
        Resolver(resolver)
    except ValueError as problem:
        refuse(str(problem))
    network = Network(
        limits=limits,
        ca_file=ca_file,
        servers=tuple(resolver),
        helo=helo,
        source=source,
        allow_plaintext=allow_plaintext,
        resume=resume,
    )
    if ca_file:
        try:
            network.context.cert_store_stats()
        except ssl.SSLError:
            refuse(f"--ca-file {ca_file}: not a PEM file of certificates")
        except OSError as problem:
            refuse(f"--ca-file {ca_file}: {problem.strerror}")
    return network


def one_by_one(
    network: Network, checks: Iterable[Callable[[], Coroutine[Any, Any, Report]]]
) -> Iterator[Report]:
    """The report of each check, told before the next begins: an interruption takes only what is to come."""
    import asyncio

    with asyncio.Runner() as runner:
        runner.run(network.__aenter__())
        try:
            for check in checks:
                yield runner.run(check())
        finally:
            runner.run(network.__aexit__(None, None, None))


def address_of(name: str, text: str) -> str:
    """An address that can be one; `name` is the option it came from, empty for an argument."""
    from probe.grammar.address import address

    try:
        address(text)
    except ValueError as problem:
        told = str(problem)
        if text.count("@") > 1:
            told = "looks like more than one address: give each as a word of its own"
        elif text != text.strip(" "):
            told = "begins or ends with a space: leave it out"
        refuse(f"{name} {text!r} {told}".strip())
    return text


def host_of(name: str, text: str) -> str:
    """A host name or an IP address, or empty; what holds more is refused: DNS would deny that it exists."""
    foreign = any(char.isspace() or char in _NEVER_IN_A_HOST or not char.isprintable() for char in text)
    if foreign or (":" in text and not _is_ipv6(text)):
        told = f"{name} {text!r}".strip()
        refuse(f"{told} is no host name: give the name or the address alone, without scheme, port or path")
    return text


def _is_ipv6(text: str) -> bool:
    """Whether it is an IPv6 address: bare, in brackets, or as EHLO has it (RFC 5321 section 4.1.3)."""
    import ipaddress

    try:
        ipaddress.IPv6Address(text.strip("[]").removeprefix("IPv6:"))
    except ValueError:
        return False
    return True


def port_of(name: str, port: int) -> int:
    """A port, or 0 where none was told."""
    if port and not 1 <= port <= 65535:
        refuse(f"{name} {port} is no port; ports are 1 to 65535")
    return port


def place_of(name: str, text: str, usual: int) -> tuple[str, int]:
    """HOST, HOST:PORT, an IPv6 address or [IPv6]:PORT; the `usual` port where none is told."""
    from probe.grammar.hostname import host_and_port, port_number

    if "/" in text:  # of a URL, not the colon before its port
        host_of(name, text)
    host, port = host_and_port(text)
    if port is not None and not port_number(port):
        refuse(f"{name} {text!r}: {port!r} is no port; ports are 1 to 65535".strip())
    if not host:
        refuse(f"{name} {text!r}: there is no host name".strip())
    return host_of(name, host), usual if port is None else port_number(port)
