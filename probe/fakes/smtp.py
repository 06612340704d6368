"""aiosmtpd with a script: an ordinary server that says at any stage what a scenario tells it.

PLAIN and LOGIN are aiosmtpd's own, so that the client meets somebody else's reading of the protocol;
the other mechanisms are those of `sasl`. What no well-behaved server does is played by `raw`.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword, Session, auth_mechanism

from .ordinary import LIFETIME, Part, Tally
from .sasl import MECHANISMS, MalformedError, decode
from .script import Act, Then, auth_stage
from .tls import server_context

__all__ = ["SmtpServer"]

_LINE = 1 << 16  # an access token in AUTH is long
_ANY = 20_000

# aiosmtpd logs what every session says; nobody asked, and without a handler it would reach stderr.
logging.getLogger("mail.log").addHandler(logging.NullHandler())

_Method = Callable[[str | None], Coroutine[Any, Any, None]]


class SmtpServer:
    """Plays one `Part` with aiosmtpd; an async context manager. `port` is open while it lasts."""

    def __init__(self, part: Part, port: int = 0) -> None:
        self.part = part
        self.tally = Tally()
        self.port = port
        self._server: asyncio.Server | None = None
        self._sessions: set[_Scripted] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        smtp = self.part.server
        context = server_context(smtp.cert, smtp.names or (self.part.host,), smtp.tls_version)

        def connected() -> _Scripted:
            starting = context if self.part.tls == "starttls" else None
            return _Scripted(self.part, self.tally, starting, self._sessions)

        self._server = await loop.create_server(
            connected,
            "127.0.0.1",
            self.port,
            ssl=context if self.part.tls == "implicit" else None,
            backlog=4096,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for session in list(self._sessions):
            await session.end()


class _Hooks:
    """The hooks of one session: what to say, stage by stage."""

    def __init__(self, part: Part, tally: Tally) -> None:
        self.part = part
        self.tally = tally

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: _Scripted, session: Session, _envelope: Envelope, hostname: str, _lines: list[str]
    ) -> list[str] | list[bytes]:
        session.host_name = hostname
        script = self.part.script("ehlo_tls" if server.secure else "ehlo")
        if script is None:
            return self.part.ehlo(secure=server.secure)
        reply = await server.said(script[0])
        if script[0].code != 250:
            session.host_name = None
        return reply.split(b"\r\n")

    async def handle_HELO(  # noqa: N802 - aiosmtpd's name
        self, server: _Scripted, session: Session, _envelope: Envelope, hostname: str
    ) -> str | bytes:
        session.host_name = hostname
        return await self._answer(server, "helo")

    async def handle_AUTH(  # noqa: N802 - aiosmtpd's name
        self, _server: _Scripted, _session: Session, _envelope: Envelope, _args: list[str]
    ) -> object:
        return MISSING  # the mechanisms answer

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: _Scripted, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str | bytes:
        if self.part.script("mail") is None and not (session.authenticated or self.part.recipient):
            return self.part.reply("auth-wanted")
        reply = await self._answer(server, "mail")
        if reply[:1] in {"2", b"2"}:
            envelope.mail_from = address
        return reply

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: _Scripted, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str | bytes:
        script = self.part.script(self.part.rcpt(address, again=self.tally.connections > 1))
        reply = self.part.rcpt_reply(address) if script is None else await server.said(script[0])
        if reply[:1] in {"2", b"2"}:
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_RSET(  # noqa: N802 - aiosmtpd's name
        self, server: _Scripted, _session: Session, _envelope: Envelope
    ) -> str | bytes:
        return await self._answer(server, "rset")

    async def handle_QUIT(  # noqa: N802 - aiosmtpd's name
        self, server: _Scripted, _session: Session, _envelope: Envelope
    ) -> str | bytes:
        return await self._answer(server, "quit")

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: _Scripted, _session: Session, _envelope: Envelope
    ) -> str:
        return "250 2.0.0 Ok: taken and thrown away"

    async def handle_exception(self, _error: Exception) -> str:
        return "451 4.3.0 Internal error of the fake"

    async def _answer(self, server: _Scripted, stage: str) -> str | bytes:
        script = self.part.script(stage)
        return self.part.reply(stage) if script is None else await server.said(script[0])

    @auth_mechanism("CRAM-MD5")
    async def auth_CRAM__MD5(self, server: _Scripted, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's
        return await server.exchange(args)

    @auth_mechanism("SCRAM-SHA-256")
    async def auth_SCRAM(self, server: _Scripted, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's
        return await server.exchange(args)

    async def auth_XOAUTH2(self, server: _Scripted, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's
        return await server.exchange(args)

    async def auth_OAUTHBEARER(self, server: _Scripted, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's
        return await server.exchange(args)


class _Scripted(SMTP):
    """One connection: aiosmtpd's SMTP whose every reply may be somebody else's words."""

    def __init__(self, part: Part, tally: Tally, tls_context: Any, open_ones: set[_Scripted]) -> None:
        self.command_size_limits = collections.defaultdict(lambda: _ANY)
        self.command_size_limit = _ANY
        self.line_length_limit = _LINE
        self.part = part
        self.tally = tally
        self._open = open_ones
        self._instead: Act | None = None
        self._last = False
        self._lifetime: asyncio.TimerHandle | None = None
        super().__init__(
            _Hooks(part, tally),
            hostname=part.host,
            ident="ESMTP",
            enable_SMTPUTF8=True,
            tls_context=tls_context,
            auth_require_tls=False,
            authenticator=self._check,
            timeout=LIFETIME,
            loop=asyncio.get_running_loop(),
        )
        self._smtp_methods = {name: self._counted(name, call) for name, call in self._smtp_methods.items()}
        if (greeting := part.script("greeting")) is not None:
            self._instead = greeting[0]

    @property
    def secure(self) -> bool:
        """Whether TLS protects this connection."""
        return self.part.tls == "implicit" or self._tls_protocol is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._lifetime is None:
            self.tally.connections += 1
            self._open.add(self)
            self._lifetime = self.loop.call_later(LIFETIME, self._abort)
        if self.secure:
            self.tally.handshakes += 1

    def connection_lost(self, error: Exception | None) -> None:
        if self._lifetime is not None:
            self._lifetime.cancel()
        super().connection_lost(error)
        assert self._handler_coroutine is not None
        self._handler_coroutine.add_done_callback(lambda _: self._open.discard(self))

    def _abort(self) -> None:
        transport = self._original_transport or self.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    async def end(self) -> None:
        """Leaves nothing of this connection behind."""
        self._abort()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await self._handler_coroutine
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    async def said(self, act: Act) -> bytes:
        """The words of an act, when their time has come; `push` sends them."""
        await asyncio.sleep(act.delay)
        self._last = act.then is Then.CLOSE
        return self.part.filled(act).removesuffix(b"\r\n")

    async def push(self, status: str | bytes) -> None:
        """Sends one reply: aiosmtpd's, or the one that stands in its place."""
        if self._instead is not None:
            act, self._instead = self._instead, None
            status = await self.said(act)
        data = status if isinstance(status, bytes) else status.encode()
        self.tally.sent += len(data) + 2
        await super().push(data)
        if self._last and data[3:4] != b"-" and self.transport is not None:
            self.transport.close()

    def _counted(self, command: str, method: _Method) -> _Method:
        async def count(arg: str | None) -> None:
            self.tally.heard(command)
            await method(arg)

        return count

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """STARTTLS, with the scripted words; a refusal is no more than that."""
        script = self.part.script("starttls")
        if script is None or script[0].code == 220:
            self._instead = script[0] if script else Act((self.part.reply("starttls") + "\r\n").encode())
            await super().smtp_STARTTLS(arg)
        else:
            await self.push(await self.said(script[0]))

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """AUTH, counted; without TLS the secret is looked for."""
        words = (arg or "").split()
        name = words[0].upper() if words else ""
        self.tally.tried(name)
        self._watch(" ".join(words).encode())
        script = self.part.script(auth_stage(name))
        if script is not None and name not in MECHANISMS:
            await self.push(await self.said(script[0]))
            return
        await super().smtp_AUTH(" ".join((name, *words[1:])) if words else None)

    def _check(
        self, _server: object, _session: Session, _envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        return self._ended(mechanism, self.part.account.is_(data.login, data.password))

    async def challenge_auth(
        self, challenge: str | bytes, encode_to_b64: bool = True, log_client_response: bool = False
    ) -> Any:
        """One challenge and its response; without TLS the secret is looked for."""
        response = await super().challenge_auth(challenge, encode_to_b64, log_client_response)
        if isinstance(response, bytes):
            self._watch(response)
        return response

    def _watch(self, said: bytes) -> None:
        if not self.secure and self.part.betrays(said):
            self.tally.plaintext += 1

    async def exchange(self, args: list[str]) -> AuthResult:
        """One of our own mechanisms (`sasl`)."""
        mechanism = args[0]
        try:
            initial = decode(args[1].encode()) if len(args) > 1 else None
            running = MECHANISMS[mechanism](self.part.account, initial)
            challenge = next(running)
            while True:
                response = await self.challenge_auth(challenge)
                if response is MISSING:
                    return AuthResult(success=False, handled=True)
                challenge = running.send(response)
        except StopIteration as end:
            return self._ended(mechanism, bool(end.value))
        except MalformedError:
            return AuthResult(success=False, handled=False, message=self.part.reply("malformed"))

    def _ended(self, mechanism: str, right: bool) -> AuthResult:
        script = self.part.script(auth_stage(mechanism))
        if script is None:
            reply = self.part.reply("success" if right else "failure")
            return AuthResult(success=right, handled=False, message=reply)
        self._instead = script[0]
        return AuthResult(success=script[0].code == 235, handled=False, message="535 the script speaks")
