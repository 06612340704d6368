"""A server on bare streams, for what a well-behaved one cannot play.

Half lines, two replies in one segment, floods, drips, silence, resets, bytes between STARTTLS and the
handshake, plain speech on a TLS port: whatever a script says, byte by byte. What the script leaves out
is answered as an ordinary server would. Loopback only; time and bytes of a connection are bounded.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

from .ordinary import BYTES, LIFETIME, Part, Tally
from .sasl import MECHANISMS, MalformedError, decode
from .script import Act, Script, Then, auth_stage
from .tls import server_context

__all__ = ["RawServer"]

_LINE = 1 << 16


class _Done(Exception):  # noqa: N818 - not an error: the script has ended the connection
    """The connection is over."""


class RawServer:
    """Plays one `Part` byte by byte; an async context manager. `port` is open while it lasts."""

    def __init__(self, part: Part, port: int = 0) -> None:
        self.part = part
        self.tally = Tally()
        self.port = port
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, limit=_LINE, backlog=4096
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        self.tally.connections += 1
        try:
            async with asyncio.timeout(LIFETIME):
                await _Session(self.part, self.tally, reader, writer).run()
        except (_Done, OSError, EOFError, ValueError, TimeoutError, asyncio.CancelledError):
            pass  # the client left, the script ended it, or the server is going down
        finally:
            writer.transport.abort()
            self._sessions.discard(task)


class _Session:
    """One connection."""

    def __init__(
        self, part: Part, tally: Tally, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.part = part
        self.tally = tally
        self.reader = reader
        self.writer = writer
        self.secure = False
        self.authenticated = False
        self.line = b""
        self.blob = b""
        self.left = BYTES

    async def run(self) -> None:
        """The whole session, from the greeting to its end."""
        if (script := self.part.script("connect")) is not None:
            await self.play(script)
            await self.silent()
        if self.part.tls == "implicit":
            await self.handshake()
        await self.answer("greeting", self.part.greeting())
        while True:
            self.line = await self.read()
            word, _, _ = self.line.partition(b" ")
            command = word.upper().decode("latin-1")[:16]
            self.tally.heard(command)
            await self.command(command)

    async def command(self, command: str) -> None:
        """Answers one command."""
        stage = command.lower()
        if command == "EHLO":
            stage = "ehlo_tls" if self.secure and self.part.script("ehlo_tls") is not None else "ehlo"
            scripted = self.part.script(stage)
            if scripted is None or (self.secure and stage == "ehlo"):
                await self.send_lines(self.part.ehlo(secure=self.secure))
            else:
                await self.play(scripted)
        elif command == "STARTTLS":
            await self.starttls()
        elif command == "AUTH":
            await self.auth()
        elif command in {"MAIL", "RCPT"} and self.stranger and self.part.script(stage) is None:
            await self.send_lines([self.part.reply("auth-wanted")])
        elif command == "RCPT":
            address = self.line.partition(b"<")[2].rpartition(b">")[0].decode("utf-8", "replace")
            again = self.tally.connections > 1
            await self.answer(self.part.rcpt(address, again=again), self.part.rcpt_reply(address))
        elif command in {"HELO", "MAIL", "DATA", "RSET", "NOOP", "QUIT"}:
            await self.answer(stage, self.part.reply(stage))
            if command == "QUIT":
                raise _Done
        else:
            await self.send_lines([self.part.reply("unknown")])

    @property
    def stranger(self) -> bool:
        """Whether a login is wanted and has not been made."""
        return not (self.authenticated or self.part.recipient)

    async def starttls(self) -> None:
        """Answers STARTTLS; after an ordinary 220, scripted or not, the handshake follows."""
        script = self.part.script("starttls")
        if script is None:
            await self.send_lines([self.part.reply("starttls")])
            await self.handshake()
            return
        await self.play(script)
        if len(script) == 1 and script[0].ordinary and script[0].code == 220:
            await self.handshake()

    async def auth(self) -> None:
        """Answers AUTH: the whole scripted dialogue, or a real exchange with the scripted end."""
        _, _, rest = self.line.partition(b" ")
        name, _, self.blob = rest.partition(b" ")
        mechanism = name.upper().decode("latin-1")[:32]
        self.tally.tried(mechanism)
        script = self.part.script(auth_stage(mechanism))
        if script is not None and (len(script) > 1 or not script[0].ordinary or mechanism not in MECHANISMS):
            await self.play(script)
            return
        end = await self.exchange(mechanism, real=script is None)
        if script is not None and end in {"success", "failure"}:
            await self.play(script)
            self.authenticated = script[0].code == 235
        else:
            await self.send_lines([self.part.reply(end)])
            self.authenticated = end == "success"

    async def exchange(self, mechanism: str, *, real: bool) -> str:
        """Runs a mechanism; how it ended, as a name of an ordinary reply."""
        if mechanism not in MECHANISMS:
            return "unknown-mechanism"
        try:
            running = MECHANISMS[mechanism](self.part.account, decode(self.blob) if self.blob else None)
            challenge = next(running)
            while True:
                await self.send(b"334 " + base64.b64encode(challenge) + b"\r\n")
                line = await self.read()
                if line == b"*":
                    return "cancelled"
                self.blob = line or self.blob
                challenge = running.send(decode(line))
        except StopIteration as end:
            return "success" if end.value else "failure"
        except MalformedError:
            return "malformed" if real else "failure"

    async def handshake(self) -> None:
        """TLS, as the part's certificate and version have it."""
        smtp = self.part.server
        context = server_context(smtp.cert, smtp.names or (self.part.host,), smtp.tls_version)
        await self.writer.start_tls(context, ssl_handshake_timeout=15)
        self.secure = True
        self.tally.handshakes += 1
        if (script := self.part.script("tls_up")) is not None:
            await self.play(script)

    async def answer(self, stage: str, ordinary: str) -> None:
        """The scripted answer of a stage, else the ordinary one."""
        script = self.part.script(stage)
        if script is None:
            await self.send_lines([ordinary])
        else:
            await self.play(script)

    async def play(self, script: Script) -> None:
        """A script, act by act."""
        for act in script:
            await self.act(act)

    async def act(self, act: Act) -> None:
        await asyncio.sleep(act.delay)
        data = self.part.filled(act, self.line, self.blob)
        for _ in range(act.times if data else 0):
            if act.drip:
                for position in range(len(data)):
                    await self.send(data[position : position + 1])
                    await asyncio.sleep(act.drip)
            else:
                await self.send(data)
        await asyncio.sleep(act.pause)
        if act.then is Then.READ:
            self.blob = await self.read()
        elif act.then is Then.CLOSE:
            await self.close()
        elif act.then is Then.RESET:
            self.reset()
        elif act.then is Then.HANG:
            await self.silent()
        elif act.then is Then.TLS:
            await self.handshake()

    async def close(self) -> None:
        """Ends the connection in good order: what was sent arrives, then FIN (under TLS close_notify)."""
        self.writer.close()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(1):
                await self.writer.wait_closed()
        raise _Done

    def reset(self) -> None:
        """Tears the connection down with RST."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise _Done

    async def silent(self) -> None:
        """Says no more; leaves when the client does."""
        while data := await self.reader.read(_LINE):
            self.watch(data)
        raise _Done

    async def read(self) -> bytes:
        """One line of the client's, without its end."""
        line = await self.reader.readline()
        if not line:
            raise _Done
        self.watch(line)
        return line.rstrip(b"\r\n")

    def watch(self, data: bytes) -> None:
        """Writes down a secret that came in the clear."""
        if not self.secure and self.part.betrays(data):
            self.tally.plaintext += 1

    async def send_lines(self, lines: list[str]) -> None:
        """One ordinary reply."""
        await self.send("".join(f"{line}\r\n" for line in lines).encode())

    async def send(self, data: bytes) -> None:
        """Bytes, as long as the client is there and the bound allows."""
        self.left -= len(data)
        if self.writer.is_closing() or self.left < 0:
            raise _Done
        self.tally.sent += len(data)
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0)  # a flood lets others run, and notices a client that has left
