"""Which server gets a question: the resolvers in turn, or the one that a question names."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from probe.wire import tls
from probe.wire._dns_asking import Asking, Way
from probe.wire._dns_transport import Https, Server, Stream, Udp

__all__ = ["Ways"]

_POOL = 8  # sockets, and so ports, from which one resolver is asked
_DIRECT = 100  # servers asked directly whose socket is kept open; beyond, the one not asked for longest goes

Heard = Callable[[Way, Asking, bytes], None]
Broken = Callable[[Way, Asking, OSError], None]


class Ways:
    """The ways to some resolvers, and to servers that are asked directly.

    `heard` and `broken` get what comes over UDP; `alone` tells that there is one resolver only. Direct
    addresses that are not global are not asked unless `routes` maps them to a host and port.
    """

    def __init__(
        self,
        servers: Iterable[Server],
        heard: Heard,
        broken: Broken,
        *,
        routes: Mapping[str, tuple[str, int]],
        context: ssl.SSLContext | None,
    ) -> None:
        self._heard = heard
        self._broken = broken
        self._routes = routes
        self._context = context
        self._resolvers = [self._way(one) for one in servers]
        self.alone = len(self._resolvers) == 1
        self._direct: dict[str, Way] = {}

    def choose(self, asking: Asking) -> Way:
        """The way for the next attempt: a resolver not tried yet, the one that was silent least."""
        kind = asking.question.type
        if "@" in kind:
            return self.direct(kind.partition("@")[2])
        if self.alone:
            return self._resolvers[0]
        fresh = [way for way in self._resolvers if way not in asking.tried] or self._resolvers
        way = min(fresh, key=lambda way: way.misses)
        asking.tried += (way,)
        return way

    def direct(self, host: str) -> Way:
        """The way to one server, made where there is none: with one socket, as a list leads to thousands.

        ValueError where it may not be asked.
        """
        way = self._direct.pop(host, None)
        if way is None:
            where, port = self._routes.get(host, (host, 53))
            if host not in self._routes and not ipaddress.ip_address(host).is_global:
                raise ValueError("an address that is not global is not asked")
            if len(self._direct) >= _DIRECT:
                self._close_oldest()
            way = self._way(Server("udp", where, port, host), pool=1)
        self._direct[host] = way  # what was asked last stands last
        return way

    async def close(self) -> None:
        """Closes all of them."""
        for way in (*self._resolvers, *self._direct.values()):
            if way.udp is not None:
                way.udp.close()
            if way.stream is not None:
                await way.stream.close()

    def _way(self, to: Server, *, pool: int = _POOL) -> Way:
        way = Way(to)
        if to.way == "udp":
            way.udp = Udp(to, partial(self._heard, way), partial(self._broken, way), pool=pool)
        elif to.way == "tls":
            way.stream = Stream(to, self._context or tls.verifying())
        else:
            way.stream = Https(to, self._context)
        return way

    def _close_oldest(self) -> None:
        """Of the direct ways on which nothing is awaited, closes the one that was not asked for longest."""
        for host, way in self._direct.items():
            if way.udp is not None and way.udp.idle:
                way.udp.close()
                del self._direct[host]
                return
