"""Mail servers with many accounts, and how often each was logged in to: what a preflight meets."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

from probe.fakes.dns import FakeDns
from probe.fakes.tls import ca_file, server_context

__all__ = ["Account", "MailHost", "Threaded", "ca_file"]


@dataclass(frozen=True)
class Account:
    """A login that exists. What stands here is said instead of the ordinary reply, `hang` seconds late.

    To the login of one that is `mute` nothing is said: the server hangs up.
    """

    password: str
    auth: str = ""
    mail: str = ""
    wrong: str = "535 5.7.8 Error: authentication failed"
    hang: float = 0.0
    mute: bool = False


@dataclass
class MailHost:
    """A submission server with STARTTLS on loopback. `logins` counts AUTH by user name.

    `busy` connections are greeted with 421 before the first is taken, and those beyond `most` at once.
    `upon` is called when so many logins have come.
    """

    name: str
    accounts: Mapping[str, Account]
    cert: str = "good"
    busy: int = 0
    most: int = 10_000
    port: int = 0
    logins: Counter[str] = field(default_factory=Counter)
    upon: tuple[int, Callable[[], None]] = (0, lambda: None)
    together: int = 0
    peak: int = 0

    async def __aenter__(self) -> Self:
        self._context = server_context(self.cert, (self.name, "localhost"))
        self._sessions: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        self.together += 1
        self.peak = max(self.peak, self.together)
        try:
            await self._session(reader, writer)
        except (OSError, ssl.SSLError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass  # the client left, or the world ends
        finally:
            self.together -= 1
            writer.transport.abort()
            self._sessions.discard(task)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write("".join(f"{line}\r\n" for line in text.split("\n")).encode())

        if self.busy or self.together > self.most:
            self.busy = max(0, self.busy - 1)
            say("421 4.7.0 Too many connections, try again later")
            await writer.drain()
            return
        say(f"220 {self.name} ESMTP")
        secure, account = False, Account("")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            if verb == "EHLO":
                more = "AUTH PLAIN LOGIN" if secure else "STARTTLS"
                say(f"250-{self.name}\n250-PIPELINING\n250 {more}")
            elif verb == "STARTTLS":
                say("220 2.0.0 Go ahead")
                await writer.start_tls(self._context)
                secure = True
            elif verb == "AUTH":
                user, password = await self._told(rest, reader, say)
                self.logins[user] += 1
                if self.logins.total() == self.upon[0]:
                    self.upon[1]()
                account = self.accounts.get(user, Account("\0"))
                await asyncio.sleep(account.hang)
                if account.mute:
                    return
                right = "235 2.7.0 Authentication successful" if password == account.password else ""
                say(account.auth or right or account.wrong)
            elif verb == "MAIL":
                say(account.mail or "250 2.1.0 Ok")
            elif verb == "RCPT":
                say("250 2.1.5 Ok" if not account.mail else "503 5.5.1 MAIL first")
            elif verb == "RSET":
                say("250 2.0.0 Ok")
            elif verb == "QUIT":
                say("221 2.0.0 Bye")
                await writer.drain()
                return
            else:
                say("500 5.5.2 Command not recognized")
            await writer.drain()

    async def _told(
        self, rest: str, reader: asyncio.StreamReader, say: Callable[[str], None]
    ) -> tuple[str, str]:
        if rest.startswith("PLAIN"):
            _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
            return user, password
        words = rest.split()[1:]
        for challenge in ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6")[len(words) :]:
            say(challenge)
            words.append((await reader.readline()).decode().strip())
        user, password = (base64.b64decode(word).decode() for word in words)
        return user, password


_Server = TypeVar("_Server", MailHost, FakeDns)


class Threaded(Generic[_Server]):
    """A server in a thread of its own, for commands that run their own loop or process."""

    def __init__(self, host: _Server) -> None:
        self.host: _Server = host
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(host.__aenter__(), self.loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.host.__aexit__(None, None, None), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
