r"""A DNS server on loopback that serves ordinary zone text and fails where it is told to.

    async with FakeDns(zone, broken={"mx.example.com A": "SERVFAIL"}) as server:
        ...  # ask server.address, "127.0.0.1:40053", over UDP or TCP

It answers as a resolver does: aliases are followed, wildcards expand (RFC 4592), names of no zone do
not exist. Zone text may hold several zones (every SOA begins one), ``$ORIGIN`` and ``$TTL``; names
are absolute unless an ``$ORIGIN`` says otherwise; strings longer than 255 bytes are cut into several.

`broken` maps ``name TYPE`` (``*`` in either matches anything) to what happens instead:

    SERVFAIL REFUSED FORMERR NOTIMP NXDOMAIN NODATA    that answer
    BOGUS        SERVFAIL with the extended error of signatures that do not verify (RFC 8914)
    TIMEOUT      silence
    TRUNCATED    the TC bit, and TCP that hangs up
    TC           the TC bit, and TCP that answers
    GARBLED      bytes that are no answer
    FORGED       a forged answer with a wrong id first, then the right one
    FLAP         SERVFAIL the first time, then the right answer
    UNFOLLOWED   the alias alone, without what it leads to
    OLD          a bare header with FORMERR to questions with EDNS, the right answer to others
    NOEDNS       silence to questions with EDNS, the right answer to others
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Self, cast

import dns.exception
import dns.name
import dns.rdatatype

from .zone import Labels, Record, World, ZoneError, labels, packed, unpacked

__all__ = ["BROKEN", "FakeDns", "ZoneError"]

BROKEN = frozenset(
    ("SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "NXDOMAIN", "NODATA", "TIMEOUT", "TRUNCATED", "TC",
     "GARBLED", "FORGED", "FLAP", "UNFOLLOWED", "BOGUS", "NOEDNS", "OLD")
)  # fmt: skip
_RCODES = {"FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "NODATA": 0, "BOGUS": 2}
_CNAME, _SOA, _OPT = 5, 6, 41
_DNSSEC_BOGUS = struct.pack("!HHH", 15, 2, 6)  # the option, its length, the reason
_HOPS = 16


class FakeDns:
    """The server; an async context manager. `asked` counts the questions by ``name TYPE``.

    `delay` is in seconds and holds for every answer. `secure` names zones whose answers carry the AD
    bit, as from a resolver that validated them.
    """

    def __init__(
        self,
        zone: str,
        broken: Mapping[str, str] | None = None,
        delay: float = 0.0,
        secure: Iterable[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        self._world = World(zone)
        self._broken: list[tuple[str, str, str]] = []
        for where, how in (broken or {}).items():
            name, _, kind = where.strip().rpartition(" ")
            if not name or how not in BROKEN:
                raise ZoneError(
                    f"broken: {where!r} = {how!r}: the key is 'name TYPE', the value one of {sorted(BROKEN)}"
                )
            self._broken.append((name.strip().lower().rstrip("."), kind.upper(), how))
        self._secure = tuple(map(_apex, secure))
        self._delay = delay
        self._host = host
        self.address = ""
        self.port = 0
        self.asked: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._loop = loop
        for _ in range(20):  # the port must be free for UDP and TCP
            transport, _protocol = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._take), local_addr=(self._host, 0)
            )
            self.port = transport.get_extra_info("sockname")[1]
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            try:
                self._tcp = await asyncio.start_server(self._stream, self._host, self.port)
            except OSError:
                transport.close()
                continue
            self._udp = transport
            break
        else:
            raise OSError("no port is free for both UDP and TCP")
        self.address = f"{self._host}:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._udp.close()
        self._tcp.close()
        await asyncio.sleep(0)

    # -- the wire ---------------------------------------------------------------------------------

    def _take(self, data: bytes, send: Callable[[bytes], None]) -> None:
        for answer in self.answer(data, tcp=False):
            if self._delay:
                self._loop.call_later(self._delay, send, answer)
            else:
                send(answer)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                answers = self.answer(await reader.readexactly(size), tcp=True)
                await asyncio.sleep(self._delay)
                if not answers:
                    break
                for answer in answers:
                    writer.write(struct.pack("!H", len(answer)) + answer)
        except (EOFError, OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def answer(self, data: bytes, *, tcp: bool) -> list[bytes]:
        """The messages that answer one; none is silence."""
        try:
            end = data.index(b"\0", 12) + 5
            kind, family = struct.unpack_from("!HH", data, end - 4)
            name = unpacked(data[12 : end - 4])
        except (IndexError, ValueError, struct.error):
            return []
        shown = b".".join(name).decode("latin-1")
        said = dns.rdatatype.to_text(kind)
        self.asked[f"{shown} {said}"] += 1
        edns = data[10:12] != b"\0\0"
        how = self._how(shown, said)
        if how == "FLAP":
            how = "SERVFAIL" if self.asked[f"{shown} {said}"] == 1 else ""
        if how == "TIMEOUT" or (how == "NOEDNS" and edns) or (how == "TRUNCATED" and tcp):
            return []
        if how == "OLD" and edns:
            return [data[:2] + b"\x80\x01" + bytes(8)]
        if how == "GARBLED":
            return [data[:2] + b"\x81\x80" + data[4:end] + b"\xff" * 20]
        if how in {"TRUNCATED", "TC"} and not tcp:
            return [self._message(data, end, 0, [], None, cut=True)]
        if how in _RCODES:
            zone = self._negative(name) if how[0] == "N" else None
            return [self._message(data, end, _RCODES[how], [], zone, bogus=how == "BOGUS")]
        if family != 1:
            return [self._message(data, end, 5, [], None)]
        rcode, records, zone = self._look(name, kind, said)
        if how == "UNFOLLOWED" and len(records) > 1:
            records, zone, rcode = records[:1], None, 0
        limit = 65535 if tcp else max(512, struct.unpack_from("!H", data, end + 3)[0] if edns else 512)
        whole = self._message(data, end, rcode, records, zone)
        if len(whole) > limit:
            whole = self._message(data, end, rcode, [], None, cut=True)
        return [bytes((data[0] ^ 0xFF,)) + whole[1:], whole] if how == "FORGED" else [whole]

    def _how(self, name: str, kind: str) -> str:
        for pattern, type_, how in self._broken:
            if type_ in {"*", kind} and (pattern == name or ("*" in pattern and fnmatchcase(name, pattern))):
                return how
        return ""

    def _look(
        self, name: Labels, kind: int, said: str
    ) -> tuple[int, list[tuple[Labels | None, int, Record]], Labels | None]:
        """RCODE, records (owner None: the name asked for) and, for a negative answer, the zone."""
        records: list[tuple[Labels | None, int, Record]] = []
        owner: Labels | None = None
        for _ in range(_HOPS):
            if owner is not None and (how := self._how(b".".join(name).decode("latin-1"), said)) in _RCODES:
                return _RCODES[how], records if how[0] == "N" else [], self._negative(name)
            node = self._world.node(name)
            if node is None:
                return 3, records, self._negative(name)
            if kind in node:
                records += ((owner, kind, record) for record in node[kind])
                return 0, records, None
            if _CNAME not in node:
                return 0, records, self._negative(name)
            records.append((owner, _CNAME, node[_CNAME][0]))
            owner = name = unpacked(node[_CNAME][0][1])
        return 2, [], None  # the aliases run in a circle: a resolver gives up

    def _negative(self, name: Labels) -> Labels | None:
        return self._world.zone_of(name)

    def _message(
        self,
        data: bytes,
        end: int,
        rcode: int,
        records: list[tuple[Labels | None, int, Record]],
        zone: Labels | None,
        *,
        cut: bool = False,
        bogus: bool = False,
    ) -> bytes:
        name = unpacked(data[12 : end - 4])
        secure = rcode in {0, 3} and any(name[-len(apex) :] == apex for apex in self._secure)
        flags = 0x8080 | (data[2] & 1) << 8 | (0x0200 if cut else 0) | (0x20 if secure else 0) | rcode
        out = [data[:2], b""]
        for owner, kind, (ttl, rdata) in records:
            out += (
                b"\xc0\x0c" if owner is None else packed(owner),
                struct.pack("!HHIH", kind, 1, ttl, len(rdata)),
                rdata,
            )
        if zone is not None:
            ttl, soa = self._world.names[zone][_SOA][0]
            out += (packed(zone), struct.pack("!HHIH", _SOA, 1, ttl, len(soa)), soa)
        edns = data[10:12] != b"\0\0"
        if edns:
            why = _DNSSEC_BOGUS if bogus else b""
            out.append(b"\0" + struct.pack("!HHIH", _OPT, 1232, 0, len(why)) + why)
        out[1] = (
            struct.pack("!HHHHH", flags, 1, len(records), int(zone is not None), int(edns)) + data[12:end]
        )
        return b"".join(out)


def _apex(name: str) -> Labels:
    try:
        return labels(dns.name.from_text(name))
    except dns.exception.DNSException as problem:
        raise ZoneError(f"secure: {name!r} is no name of a zone: {problem}") from None


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
        self._take = take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The transport of a UDP endpoint is no DatagramTransport on every version of Python.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        def send(answer: bytes) -> None:
            if not self._transport.is_closing():
                self._transport.sendto(answer, addr)

        self._take(data, send)
