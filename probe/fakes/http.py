"""A web server on loopback that serves a handful of pages under TLS, for policies and registration records.

``pages`` maps a URL to its body, or to a table: ``status``, ``type`` (Content-Type), ``body``, ``date``,
``location``, ``form`` (what must be posted, else the answer is a token server's to a wrong request) and
``then``, which is ``hang``, ``close`` or ``endless`` (a body that never ends).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

__all__ = ["FakeWeb"]

_LONGEST = 8192
_ENDLESS = 4096  # pieces of 1 KiB, so that even endless ends
_DATE = "Sat, 21 Nov 2026 12:00:00 GMT"


_WRONG_FORM = {"status": 400, "type": "application/json", "body": '{"error": "invalid_request"}'}


def _as_wanted(page: object, said: bytes) -> bool:
    """Whether the form that a page wants was posted; a page that names none takes anything."""
    wanted = page.get("form") if isinstance(page, Mapping) else None
    return wanted is None or dict(parse_qsl(said.decode("latin-1"))) == wanted


class FakeWeb:
    """Serves `pages` on ``port`` of 127.0.0.1; an async context manager. `served` counts URLs."""

    def __init__(self, pages: Mapping[str, object], context: ssl.SSLContext | None = None) -> None:
        self._pages = dict(pages)
        self._context = context
        self._talks: set[asyncio.Task[None]] = set()
        self.served: Counter[str] = Counter()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._talk, "127.0.0.1", 0, ssl=self._context, limit=_LONGEST, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            path = head[0].split(" ")[1]
            hosts = [line.partition(":")[2].strip() for line in head if line.lower().startswith("host:")]
            url = f"https://{hosts[0] if hosts else ''}{path}"
            self.served[url] += 1
            page = self._pages.get(url, {"status": 404, "body": "not here"})
            sizes = [line.partition(":")[2] for line in head if line.lower().startswith("content-length:")]
            said = await reader.readexactly(min(int(sizes[0]), _LONGEST)) if sizes else b""
            await self._answer(writer, page if _as_wanted(page, said) else _WRONG_FORM)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError, ValueError):
            pass  # whoever speaks no HTTP gets no answer
        except asyncio.CancelledError:
            pass  # the server is closing: asyncio would report a cancelled talk as a failure
        finally:
            self._talks.discard(talk)
            if talk.cancelling():
                writer.transport.abort()
            else:
                writer.close()

    @staticmethod
    async def _answer(writer: asyncio.StreamWriter, page: object) -> None:
        told = dict(page) if isinstance(page, Mapping) else {"body": page}
        then = told.get("then", "")
        if then == "hang":
            await asyncio.sleep(60)
        if then in {"hang", "close"}:
            return
        body = str(told.get("body", "")).encode()
        lines = [
            f"HTTP/1.1 {told.get('status', 200)} Answer",
            f"Content-Type: {told.get('type', 'text/plain')}",
            f"Date: {told.get('date', _DATE)}",
            "Connection: close",
        ]
        if then != "endless":
            lines.append(f"Content-Length: {len(body)}")
        if location := told.get("location"):
            lines.append(f"Location: {location}")
        writer.write("\r\n".join((*lines, "", "")).encode("latin-1", "replace") + body)
        await writer.drain()
        for _ in range(_ENDLESS if then == "endless" else 0):
            writer.write(b"x" * 1024)
            await writer.drain()
