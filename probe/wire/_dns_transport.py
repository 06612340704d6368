"""The ways a DNS message travels: UDP (RFC 1035), TCP (RFC 7766), TLS (RFC 7858), HTTPS (RFC 8484).

A way carries bytes and knows nothing of names. UDP is a small pool of connected sockets read by the
event loop itself; the streams are opened where they are needed.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import secrets
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from probe.grammar.hostname import host_and_port, port_number
from probe.wire import tls

__all__ = ["Https", "Place", "Server", "Stream", "Udp", "forget", "server", "system"]

_BATCH = 64  # datagrams read before the event loop gets its turn
_IDS = 65536
_MESSAGE = 65535
_WAYS = (
    "give the address of one (9.9.9.9, 127.0.0.1:5353, [::1]:53), tls://HOST or https://HOST/dns-query; "
    "several by repeating the option"
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask: `way` is udp, tls or https; `said` is how reports name it."""

    way: str
    host: str
    port: int
    said: str
    url: str = ""


def server(text: str) -> Server:
    """A server as people write it: ``HOST[:PORT]``, ``[V6]:PORT``, ``tls://HOST``, ``https://...``.

    Raises ValueError with a sentence where it cannot be read.
    """
    text = text.strip()
    if text.lower().startswith(("https://", "tls://")):
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ValueError(f"{text!r} is no URL of a resolver") from None
        if not parts.hostname:
            raise ValueError(f"{text!r} names no host")
        if not text.isprintable() or " " in text:
            raise ValueError(f"{text!r} is no URL of a resolver")
        if parts.scheme == "tls":
            return Server("tls", parts.hostname, port or 853, text)
        return Server("https", parts.hostname, port or 443, text, text if parts.path else text + "/dns-query")
    if "://" in text:
        raise ValueError(f"{text!r} is no resolver: {_WAYS}")
    host, told = host_and_port(text)
    port = 53 if told is None else port_number(told)
    if not port:
        raise ValueError(f"{text!r} has no port between 1 and 65535")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{text!r} is no resolver: {_WAYS}") from None
    shown = f"[{address}]" if address.version == 6 and port != 53 else str(address)
    return Server("udp", str(address), port, shown if port == 53 else f"{shown}:{port}")


# -- UDP ------------------------------------------------------------------------------------------


Awaited = dict[int, Any]  # what waits for an answer on a socket, by id
Place = tuple[Awaited, int]


def forget(place: Place) -> None:
    """No longer listens for what was sent."""
    awaited, number = place
    awaited.pop(number, None)


def _numbers() -> Iterator[int]:
    """Ids that nobody can foresee, drawn many at a time: the kernel is asked once for 256."""
    while True:
        yield from memoryview(os.urandom(512)).cast("H")


class Udp:
    """Up to `pool` connected sockets on random ports to one server; ids are random, and unique on theirs.

    `heard(token, data)` gets every datagram whose id is awaited; it must `forget` what is settled.
    `broken(token, error)` says that the network refused what was sent.
    """

    def __init__(
        self,
        to: Server,
        heard: Callable[[Any, bytes], None],
        broken: Callable[[Any, OSError], None],
        *,
        pool: int,
    ) -> None:
        self._to = to
        self._pool = pool
        self._heard = heard
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._sockets: list[tuple[socket.socket, Awaited]] = []
        self._numbers = _numbers()
        self._next = 0

    def send(self, token: Any, body: bytes) -> Place:
        """Sends a query under a new id; the place to `forget` it by. Raises OSError."""
        place = self._next
        self._next = (place + 1) % self._pool
        if place >= len(self._sockets):
            place = len(self._sockets)
            self._open()
        sock, awaited = self._sockets[place]
        if len(awaited) > _IDS // 4:
            raise OSError(errno.ENOBUFS, "too many questions under way")
        while (number := next(self._numbers)) in awaited:
            pass
        sock.send(number.to_bytes(2, "big") + body)
        awaited[number] = token
        return awaited, number

    @property
    def idle(self) -> bool:
        """Whether nothing is awaited."""
        return not any(awaited for _, awaited in self._sockets)

    def close(self) -> None:
        """Closes the sockets."""
        for sock, _ in self._sockets:
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _open(self) -> None:
        family = socket.AF_INET6 if ":" in self._to.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sock.connect((self._to.host, self._to.port))
        except OSError:
            sock.close()
            raise
        awaited: Awaited = {}
        self._loop.add_reader(sock, self._read, sock, awaited)
        self._sockets.append((sock, awaited))

    def _read(self, sock: socket.socket, awaited: Awaited) -> None:
        for _ in range(_BATCH):
            try:
                data = sock.recv(_MESSAGE)
            except BlockingIOError:
                return
            except OSError as problem:  # an ICMP error: nobody listens there
                for token in tuple(awaited.values()):
                    self._broken(token, problem)
                return
            if len(data) >= 12 and (token := awaited.get(data[0] << 8 | data[1])) is not None:
                self._heard(token, data)
            if sock.fileno() < 0:
                return


# -- streams --------------------------------------------------------------------------------------


class Stream:
    """One TCP or TLS connection: queries leave as they come, answers are matched by id.

    TLS verifies chain and name. A connection that ends fails what waits on it; the next query opens
    another.
    """

    def __init__(self, to: Server, context: ssl.SSLContext | None = None) -> None:
        self._to = to
        self._context = context
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._awaited: dict[int, asyncio.Future[bytes]] = {}

    async def exchange(self, body: bytes) -> bytes:
        """The message that answers a query. Raises OSError or EOFError; the caller keeps the time."""
        async with self._opening:
            writer = self._writer
            if writer is None or writer.is_closing() or self._task is None or self._task.done():
                await self.close()
                reader, writer = await asyncio.open_connection(
                    self._to.host, self._to.port, ssl=self._context, limit=_MESSAGE + 2
                )
                self._writer = writer
                self._task = asyncio.get_running_loop().create_task(self._listen(reader))
        while (number := secrets.randbits(16)) in self._awaited:
            pass
        answer = self._awaited[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(struct.pack("!HH", len(body) + 2, number) + body)
            data: bytes = await answer
        finally:
            self._awaited.pop(number, None)
        return data

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        ending: Exception = EOFError("the server ended the connection in the middle of an answer")
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                data = await reader.readexactly(size)
                found = self._awaited.get(data[0] << 8 | data[1]) if size >= 12 else None
                if found is not None and not found.done():
                    found.set_result(data)
        except OSError as problem:
            ending = problem
        except EOFError:
            pass
        finally:
            if self._writer is not None:
                self._writer.close()
            for waiting in self._awaited.values():
                if not waiting.done():
                    waiting.set_exception(ending)

    async def close(self) -> None:
        """Ends the connection."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await self._writer.wait_closed()
        self._task = self._writer = None


class Https:
    """DNS over HTTPS (RFC 8484): POST, verified TLS, no redirects, no proxies from the environment."""

    def __init__(self, to: Server, context: ssl.SSLContext | None = None) -> None:
        import httpx2  # noqa: PLC0415 - only who asks over HTTPS pays for it

        self._url = to.url
        self._client = httpx2.AsyncClient(
            verify=context or tls.verifying(), trust_env=False, follow_redirects=False
        )
        self._failures: tuple[type[Exception], ...] = (httpx2.HTTPError, httpx2.InvalidURL)

    async def exchange(self, body: bytes) -> bytes:
        """The message that answers a query. Raises OSError; the caller keeps the time."""
        kind = "application/dns-message"
        headers = {"content-type": kind, "accept": kind}
        try:
            async with self._client.stream(
                "POST", self._url, content=b"\0\0" + body, headers=headers
            ) as answer:
                if answer.status_code != 200:
                    raise OSError(errno.EPROTO, f"HTTP status {answer.status_code}")
                data = bytearray()
                async for part in answer.aiter_bytes():
                    data += part
                    if len(data) > _MESSAGE:
                        raise OSError(errno.EMSGSIZE, "an answer of more than 64 KiB")
                return bytes(data)
        except self._failures as problem:
            raise OSError(errno.EPROTO, str(problem) or type(problem).__name__) from None

    async def close(self) -> None:
        """Closes the client."""
        await self._client.aclose()


def system(path: str = "/etc/resolv.conf") -> tuple[Server, ...]:
    """The resolvers of this machine, three at most; 127.0.0.1 where nothing names one."""
    try:
        found = tuple(islice(_configured(path), 3))
    except OSError:
        found = tuple(islice(_foreign(), 3))
    return found or (server("127.0.0.1"),)


def _configured(path: str) -> Iterator[Server]:
    """The servers of a resolv.conf(5)."""
    with open(path, encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
        for line in lines:
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                with suppress(ValueError):
                    yield server(words[1])


def _foreign() -> Iterator[Server]:
    """Where there is no resolv.conf, dnspython knows where the system keeps its resolvers."""
    import dns.exception  # noqa: PLC0415 - a tenth of a second that most systems never need
    import dns.resolver  # noqa: PLC0415

    with suppress(dns.exception.DNSException, OSError):
        for address in dns.resolver.Resolver().nameservers:
            with suppress(ValueError):
                yield server(str(address))
