"""Everything a scenario needs on loopback: its SMTP server, its DNS server, its certificate authority."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from .ordinary import Tally, part_of
from .raw import RawServer
from .scenario import Scenario, Server, Zone
from .script import ScenarioError
from .smtp import SmtpServer
from .tls import ca_file, server_context

__all__ = ["World"]


class World:
    """The world of one scenario, as long as the context lasts.

    `port` is where its SMTP server really listens (0: there is none), `hosts` maps the host and port it
    plays to that address (those of `others` too), `resolver` is ``127.0.0.1:port`` of its DNS (empty: none),
    `tally` what the SMTP server saw, `ca_file` the authority to trust. `routes` are the name servers that
    are asked directly, `sites` the web servers, by what they play.
    """

    def __init__(self, scenario: Scenario, port: int = 0) -> None:
        self.scenario = scenario
        self.port = port
        self.resolver = ""
        self.routes: dict[str, tuple[str, int]] = {}
        self.sites: dict[tuple[str, int], tuple[str, int]] = {}
        self.tally = Tally()
        self.others: dict[tuple[str, int], tuple[str, int]] = {}
        self.ca_file = ca_file()
        self._open = contextlib.AsyncExitStack()

    @property
    def hosts(self) -> dict[tuple[str, int], tuple[str, int]]:
        """Where to dial instead of the hosts, or addresses, and ports that the SMTP servers play."""
        smtp = self.scenario.smtp
        first = {(smtp.address or smtp.host, self.scenario.port): ("127.0.0.1", self.port)} if smtp else {}
        return {**first, **self.others}

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as opening:
            await self._start(opening)
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def _start(self, opening: contextlib.AsyncExitStack) -> None:
        smtp, dns = self.scenario.smtp, self.scenario.dns
        if smtp is not None:
            self.port, self.tally = await self._start_smtp(opening, smtp, self.port)
        for other in self.scenario.more.values():
            port, _ = await self._start_smtp(opening, other, 0)
            self.others[other.address or other.host, self.scenario.port] = ("127.0.0.1", port)
        if dns is not None:
            await self._start_dns(opening, dns)
        await asyncio.sleep(0)

    async def _start_smtp(
        self, opening: contextlib.AsyncExitStack, smtp: Server, port: int
    ) -> tuple[int, Tally]:
        """Starts one SMTP server: where it listens, and what it writes down."""
        if smtp.server in {"closed", "silent"}:
            return opening.enter_context(_unserved(smtp.server, port)), Tally()
        server = (RawServer if smtp.raw else SmtpServer)(part_of(self.scenario, smtp), port)
        await opening.enter_async_context(server)
        return server.port, server.tally

    async def _start_dns(self, opening: contextlib.AsyncExitStack, dns: Zone) -> None:
        from .dns import FakeDns, ZoneError  # noqa: PLC0415 - most scenarios need no DNS

        try:
            fake = FakeDns(dns.zone, broken=dns.broken, delay=dns.delay, secure=dns.secure)
            asked = {address: FakeDns(zone) for address, zone in dns.servers.items()}
        except ZoneError as problem:
            raise ScenarioError(f"{self.scenario.name}: [dns] {problem}") from problem
        self.resolver = (await opening.enter_async_context(fake)).address
        for address, server in asked.items():
            self.routes[address] = ("127.0.0.1", (await opening.enter_async_context(server)).port)
        if dns.web:
            from .http import FakeWeb  # noqa: PLC0415 - fewer still need the web

            names = tuple(sorted({urlsplit(url).hostname or "" for url in dns.web}))
            web = await opening.enter_async_context(FakeWeb(dns.web, server_context(dns.cert, names)))
            self.sites = {(name, 443): ("127.0.0.1", web.port) for name in names}


@contextlib.contextmanager
def _unserved(kind: str, port: int) -> Iterator[int]:
    """A port where nobody listens (closed), or where connections are never accepted (silent)."""
    with contextlib.ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", port))
        address = listener.getsockname()
        if kind == "silent":
            listener.listen(0)
            for _ in range(4):  # fills the queue of the listener: further SYNs are dropped
                waiting = open_sockets.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
        yield address[1]
