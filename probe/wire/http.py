"""The window on the web: a GET of a policy file or a registration record, a form, bounded in every way.

A URL is a question of type ``HTTP`` or ``RDAP``, and what came back is an `Answer` like any other:
``values`` holds the status code, the content type, the Date header and the body. A status code of 404
is an answer (`Status.OK`); a name without address, a refused connection, a certificate that does not
verify or a body without end are not.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from probe.facts import Answer, Question, Status
from probe.wire import tls

if TYPE_CHECKING:
    import httpx2

__all__ = ["KINDS", "Web", "fetcher"]

KINDS = frozenset({"HTTP", "RDAP"})

_AGENT = "probe (mail diagnostics)"
_AT_ONCE = 32
_ADDRESSES = 4  # tried of one host


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one type of question is asked: what is accepted, how much, and how many redirections."""

    accept: str
    largest: int
    redirections: int


_KINDS = {
    "HTTP": _Kind("text/plain, */*;q=0.1", 64 * 1024, 0),  # RFC 8461 section 3.3: none may be followed
    "RDAP": _Kind("application/rdap+json, application/json", 2 * 1024 * 1024, 3),  # RFC 7480 section 5.2
}
_FORM = _Kind("application/json", 64 * 1024, 0)  # RFC 6749 section 3.2: what a form is answered with


class _Asks(Protocol):
    async def ask(self, questions: Iterable[Question]) -> dict[Question, Answer]: ...


class Web:
    """Asks web servers; one for a run. Every URL is fetched once, however many ask for it.

    `resolver` finds addresses, so that the names are judged from the same answers as everything else.
    Addresses that are not global are never connected to: a zone must not send us into our own network.
    `hosts` maps a name and port to where it is instead (for tests and relays of one's own); the
    certificate is still that of the name. `timeout` is in seconds for a whole fetch. Nothing is held
    open between fetches, so there is nothing to close.
    """

    def __init__(
        self,
        resolver: _Asks,
        *,
        timeout: float = 10.0,
        hosts: Mapping[tuple[str, int], tuple[str, int]] | None = None,
        ca_file: str = "",
    ) -> None:
        self._resolver = resolver
        self._timeout = timeout
        self._hosts = dict(hosts or {})
        self._ca_file = ca_file
        self._kept: dict[Question, Answer] = {}
        self._turns: dict[Question, asyncio.Lock] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, question: Question) -> Answer:
        """The answer to one question of type HTTP or RDAP; never raises for the network."""
        async with self._turns.setdefault(question, asyncio.Lock()):
            if question not in self._kept:
                self._kept[question] = await self._fetched(question)
            return self._kept[question]

    async def post(self, url: str, form: Mapping[str, str]) -> Answer:
        """What is answered to a form; never raises for the network. Nothing is kept: it may be secret."""
        return await self._within(url, _FORM, form)

    async def _fetched(self, question: Question) -> Answer:
        kind = _KINDS.get(question.type)
        if kind is None:
            return Answer(Status.NOTIMP, detail=f"{question.type} is not asked of the web")
        return await self._within(question.name, kind)

    async def _within(self, url: str, kind: _Kind, form: Mapping[str, str] | None = None) -> Answer:
        """The answer to one request, in the time allowed."""
        try:
            async with (
                self._room,
                asyncio.timeout(self._timeout),
                _client(self._ca_file, self._timeout) as client,
            ):
                return await self._followed(client, url, kind, form)
        except ImportError:
            return Answer(Status.SKIPPED, detail="HTTPS needs the extra: pip install 'probe-smtp[http]'")
        except TimeoutError:
            return Answer(Status.TIMEOUT, detail=f"no whole answer in {self._timeout:g} s")

    async def _followed(
        self, client: httpx2.AsyncClient, url: str, kind: _Kind, form: Mapping[str, str] | None
    ) -> Answer:
        """The answer at the end of the redirections that this kind of question may follow."""
        server = ""
        for _ in range(kind.redirections + 1):
            answer, location = await self._asked(client, url, kind, form)
            if not location or not kind.redirections:
                return answer
            server = answer.server
            try:
                url = urljoin(url, location)
            except ValueError:
                return Answer(Status.GARBLED, server=server, detail="redirected to no URL")
        return Answer(Status.GARBLED, server=server, detail="redirected too often")

    async def _asked(
        self, client: httpx2.AsyncClient, url: str, kind: _Kind, form: Mapping[str, str] | None
    ) -> tuple[Answer, str]:
        """One request, a GET or the POST of a form: the answer, and where it redirects to."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or 443
        except ValueError:
            return Answer(Status.FORMERR, detail="no URL"), ""
        if parts.scheme != "https" or not host:
            return Answer(Status.REFUSED, detail="only https is fetched"), ""
        places, nowhere = await self._places(host, port)
        answer = nowhere
        path = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
        for address, at in places:
            shown = f"[{address}]" if ":" in address else address
            where = f"https://{shown}:{at}{path}"
            try:
                async with _response(client, where, host, kind.accept, form) as response:
                    return await _read(response, address, kind.largest), response.headers.get("location", "")
            except OSError as problem:
                answer = _failed(problem, address)
        return answer, ""

    async def _places(self, host: str, port: int) -> tuple[list[tuple[str, int]], Answer]:
        """Where to connect for a host, and the answer to give where that is nowhere."""
        if (mapped := self._hosts.get((host, port))) is not None:
            return [mapped], Answer(Status.UNREACHABLE)
        asked = [Question(host, "A"), Question(host, "AAAA")]
        answers = await self._resolver.ask(asked)
        addresses = [value for question in asked for value in answers[question].values]
        open_ones = [address for address in addresses if _global(address)]
        if open_ones:
            return [(address, port) for address in open_ones[:_ADDRESSES]], Answer(Status.UNREACHABLE)
        if addresses:
            return [], Answer(
                Status.NODATA, detail=f"{host} has no address on the Internet: not connected to"
            )
        if failed := next((answer for answer in answers.values() if not answer.known), None):
            detail = f"{host} could not be looked up: {failed.status}"
            return [], Answer(failed.status, server=failed.server, detail=detail)
        return [], Answer(Status.NXDOMAIN, detail=f"{host} has no address")


def fetcher(resolver: _Asks) -> Callable[[Question], Awaitable[Answer]]:
    """What fetches documents for a run over the network, with this resolver's answers."""
    return Web(resolver).fetch


@functools.cache
def _context(ca_file: str) -> ssl.SSLContext:
    """One context for all. Not that of a run's SMTP: the client announces its protocols in it (ALPN)."""
    return tls.verifying(ca_file)


def _client(ca_file: str, timeout: float) -> httpx2.AsyncClient:
    import httpx2  # noqa: PLC0415 - importing it takes longer than most runs, and it is an extra

    return httpx2.AsyncClient(
        verify=_context(ca_file),
        trust_env=False,  # a proxy would resolve names and hide certificates
        follow_redirects=False,
        # Connection and handshake end by themselves: a handshake that is cancelled leaves its socket open.
        timeout=httpx2.Timeout(timeout, connect=timeout * 0.4),
        headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"},  # nothing to unpack
    )


class _FetchError(OSError):
    """A fetch that ended without an answer; `status` says how."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@asynccontextmanager
async def _response(
    client: httpx2.AsyncClient, url: str, host: str, accept: str, form: Mapping[str, str] | None
) -> AsyncIterator[httpx2.Response]:
    """The response of an address whose certificate must be that of `host`, to a GET or to a form."""
    import httpx2  # noqa: PLC0415 - as in `_client`

    try:
        request = client.build_request(
            "GET" if form is None else "POST",
            url,
            data=form,
            headers={"Host": host, "Accept": accept},
            extensions={"sni_hostname": host},
        )
    except (httpx2.InvalidURL, ValueError) as problem:  # a redirection may lead to anything
        raise _FetchError(Status.FORMERR, "no URL") from problem
    try:
        response = await client.send(request, stream=True)
    except httpx2.TimeoutException as problem:
        raise _FetchError(Status.TIMEOUT, type(problem).__name__) from problem
    except httpx2.ConnectError as problem:
        raise _FetchError(*_refused(problem)) from problem
    except httpx2.HTTPError as problem:
        raise _FetchError(Status.GARBLED, str(problem) or type(problem).__name__) from problem
    try:
        yield response
    except httpx2.HTTPError as problem:
        raise _FetchError(Status.GARBLED, str(problem) or type(problem).__name__) from problem
    finally:
        await response.aclose()


def _refused(problem: BaseException) -> tuple[Status, str]:
    """Why no connection came about: the certificate and TLS tell something of the server, the rest not."""
    cause: BaseException | None = problem
    for _ in range(8):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Status.GARBLED, f"tls: {cause.verify_message or cause.reason}"
        if isinstance(cause, ssl.SSLError):
            return Status.GARBLED, f"tls: {cause.reason or cause}"
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    return Status.UNREACHABLE, str(problem) or "no connection"


def _failed(problem: OSError, address: str) -> Answer:
    status = problem.status if isinstance(problem, _FetchError) else Status.UNREACHABLE
    return Answer(status, server=address, detail=str(problem)[:300])


async def _read(response: httpx2.Response, address: str, largest: int) -> Answer:
    """The response as an answer, with at most `largest` bytes of body."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > largest:
            return Answer(Status.GARBLED, server=address, detail=f"the body is longer than {largest} bytes")
    text = bytes(body).decode("utf-8", "replace")
    headers = response.headers
    values = (str(response.status_code), headers.get("content-type", ""), headers.get("date", ""), text)
    return Answer(Status.OK, values, server=address)


def _global(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_global and not parsed.is_multicast
