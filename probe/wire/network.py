"""What every probe of a run shares: limits, one TLS context, one DNS cache, our own name."""

from __future__ import annotations

import functools
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from probe.facts import Answer, Ending, Fault, Limits, Question
from probe.wire import tls
from probe.wire.admission import Admission

if TYPE_CHECKING:
    from probe.wire.dns import Resolver
    from probe.wire.http import Web
    from probe.wire.token import Tokens

__all__ = ["Network"]

MOST_ADDRESSES = 4  # of one server that are tried before it counts as not answering
# RFC 6761 section 6.3: localhost is never a question to DNS. What listens here does so on IPv4 first.
_LOOPBACK = ("127.0.0.1", "::1")


class Network:
    """The network as one run sees it; an async context manager.

    `hosts` maps (name or address, port) to the (address, port) that is dialled in its stead, while TLS still
    has to prove the name: how scenarios stand in for the real world; `sites` does so for web servers.
    `ca_file` names the only roots to trust (empty: the system's). `resolver` is used as it is, else one is
    made for `servers` (DNS) when first needed. `allow_plaintext` lets AUTH happen without TLS. With `resume`
    a server's certificate is verified in full by the run's first probe of it, and later probes resume that
    TLS session; their reports say so.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        ca_file: str = "",
        resolver: Resolver | None = None,
        servers: tuple[str, ...] = (),
        hosts: Mapping[tuple[str, int], tuple[str, int]] | None = None,
        sites: Mapping[tuple[str, int], tuple[str, int]] | None = None,
        helo: str = "",
        source: str = "",
        allow_plaintext: bool = False,
        resume: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self.ca_file = ca_file
        self.servers = servers
        self.hosts = dict(hosts or {})
        self.sites = dict(sites or {})
        self.source = source
        self.allow_plaintext = allow_plaintext
        self.sessions = tls.Sessions() if resume else None
        self.admission = Admission()
        self._resolver = resolver
        self._own = resolver is None
        self._web: Web | None = None
        self._tokens: Tokens | None = None
        self._helo = helo
        self._literal = functools.lru_cache(maxsize=256)(_address_literal)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own and self._resolver is not None:
            await self._resolver.__aexit__(kind, problem, trace)

    @functools.cached_property
    def context(self) -> ssl.SSLContext:
        """The TLS context that verifies, shared by the whole run."""
        return tls.verifying(self.ca_file)

    @functools.cached_property
    def describing(self) -> ssl.SSLContext:
        """The TLS context that only looks at certificates that failed."""
        return tls.describing()

    async def resolver(self) -> Resolver:
        """The run's resolver, made and opened when it is first needed."""
        if self._resolver is None:
            from probe.wire.dns import Resolver  # noqa: PLC0415  # a probe of a known address needs no DNS

            self._resolver = Resolver(self.servers)
            await self._resolver.__aenter__()
        return self._resolver

    async def ask(
        self, questions: Iterable[Question], *, within: float | None = None
    ) -> dict[Question, Answer]:
        """The answers to some questions, through the run's cache; `within` as of `Resolver.ask`."""
        return await (await self.resolver()).ask(questions, within=within)

    async def web(self) -> Web:
        """The run's window on the web, made when it is first needed."""
        if self._web is None:
            from probe.wire.http import Web  # noqa: PLC0415  # few runs need the web

            self._web = Web(await self.resolver(), hosts=self.sites, ca_file=self.ca_file)
        return self._web

    async def tokens(self) -> Tokens:
        """The run's window on token servers, made when it is first needed."""
        if self._tokens is None:
            from probe.wire.token import Tokens  # noqa: PLC0415  # as above

            self._tokens = Tokens(await self.web())
        return self._tokens

    async def fetch(self, question: Question) -> Answer:
        """The answer to one question of type HTTP, through the run's window on the web."""
        return await (await self.web()).fetch(question)

    async def addresses(
        self, host: str, port: int, *, allowed: Callable[[str], bool] | None = None
    ) -> tuple[tuple[str, int], ...] | Fault:
        """Where to dial for a name: its addresses, IPv6 first, or why there are none.

        Where `allowed` is given, only addresses that it allows; those are never dialled that it does not.
        """
        if (told := self.hosts.get((host, port))) is not None:
            return (told,)
        here = host == "localhost"
        found = _LOOPBACK if here else _literal(host) or _hosts_file().get(host.lower(), ())
        if not found:
            answers = await self.ask((Question(host, "AAAA"), Question(host, "A")))
            found = tuple(value for answer in answers.values() if answer.known for value in answer.values)
            if not found:
                return _unresolved(host, answers)
        if allowed is not None:
            refused, found = found[0], tuple(filter(allowed, found))
            if not found:
                return Fault(Ending.PRIVATE, f"{host} has private addresses only: {refused}")
        if self.source:
            ours = ipaddress.ip_address(self.source).version
            found = tuple(one for one in found if ipaddress.ip_address(one).version == ours) or found
        chosen = found if here or len(found) < 2 else _alternating(found)[:MOST_ADDRESSES]
        return tuple(self.hosts.get((address, port), (address, port)) for address in chosen)

    def helo(self, address: str) -> str:
        """The name we give ourselves: the one told, a host name with a dot, or an address literal."""
        if self._helo:
            return self._helo
        return _host_name() or self._literal(address)


@functools.lru_cache(maxsize=256)
def _literal(host: str) -> tuple[str, ...]:
    try:
        return (str(ipaddress.ip_address(host.strip("[]"))),)
    except ValueError:
        return ()


@functools.cache
def _hosts_file() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    try:
        lines = Path("/etc/hosts").read_text(errors="replace").splitlines()[:10_000]
    except OSError:
        return {}
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        for name in names if _literal(address) else ():
            found.setdefault(name.lower(), []).append(address)
    return {name: tuple(addresses) for name, addresses in found.items()}


def _unresolved(host: str, answers: Mapping[Question, Answer]) -> Fault:
    for question, answer in answers.items():
        if not answer.known:
            words = f"{question}: {answer.status}" + (f" from {answer.server}" if answer.server else "")
            return Fault(Ending.DNS_FAILED, words, status=answer.status)
    worst = "does not exist" if any(a.status == "nxdomain" for a in answers.values()) else "has no address"
    return Fault(Ending.UNRESOLVED, f"{host} {worst}")


def _alternating(addresses: tuple[str, ...]) -> list[str]:
    """IPv6 and IPv4 in turn (RFC 8305 section 4), each in the order it was given."""
    six = [one for one in addresses if ":" in one]
    four = [one for one in addresses if ":" not in one]
    turns = [one for pair in zip(six, four, strict=False) for one in pair]
    return [*turns, *six[len(four) :], *four[len(six) :]]


@functools.cache
def _host_name() -> str:
    name = socket.gethostname().rstrip(".").lower()
    good = (
        "." in name and all(label.replace("-", "a").isalnum() for label in name.split(".")) and name.isascii()
    )
    return name if good and not _literal(name) else ""


def _address_literal(address: str) -> str:
    """The address we would connect from, as EHLO wants it (RFC 5321 section 4.1.3); nothing is sent."""
    six = ":" in address
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
            ours = str(probe.getsockname()[0])
        except OSError:
            ours = "::1" if six else "127.0.0.1"
    return f"[IPv6:{ours}]" if ":" in ours else f"[{ours}]"
