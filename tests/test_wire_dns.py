"""The window on the DNS: what a resolver said, as facts, whatever it said."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Answer, Question, Status
from probe.fakes.dns import FakeDns, ZoneError
from probe.fakes.tls import ca_file, server_context
from probe.wire import _dns_message as message
from probe.wire._dns_kept import Kept
from probe.wire._dns_transport import server, system
from probe.wire.dns import Resolver

ZONE = r"""
$ORIGIN example.com.
@       3600 SOA  ns1 hostmaster 7 7200 900 1209600 300
@            NS   ns1
@            MX   10 MX.Example.com.
@            MX   20 mx2
@            TXT  "v=spf1 " "-all"
@            TXT  "caf\195\169"
@            CAA  0 issue "ca.example.net"
ns1     60   A    192.0.2.53
mx           A    192.0.2.1
mx           AAAA 2001:db8::1
null         MX   0 .
_25._tcp.mx  TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
@            DS   12345 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
_submission._tcp SRV 0 1 587 mx
alias        CNAME far
far          CNAME c.example.net.
nowhere      CNAME gone
circle       CNAME circle2
circle2      CNAME circle
*.wild       TXT  "wild"
deep.empty   A    192.0.2.9
odd\032name  A    192.0.2.10
1.2.0.192.in-addr.arpa. PTR mx
long         TXT  "LONG"
example.net. SOA ns1.example.net. hostmaster.example.net. 1 7200 900 1209600 60
c.example.net. 30 A 192.0.2.7
""".replace("LONG", "x" * 3000)

Asked = Callable[[Resolver, FakeDns], Awaitable[None]]


def in_zone(
    test: Asked, broken: dict[str, str] | None = None, timeout: float = 0.15, secure: tuple[str, ...] = ()
) -> None:
    async def run() -> None:
        async with (
            FakeDns(ZONE, broken, secure=secure) as fake,
            Resolver([fake.address], timeout=timeout) as resolver,
        ):
            await test(resolver, fake)

    asyncio.run(run())


def ask(name: str, kind: str, broken: dict[str, str] | None = None, secure: tuple[str, ...] = ()) -> Answer:
    found: list[Answer] = []

    async def one(resolver: Resolver, _: FakeDns) -> None:
        found.append(await resolver.ask_one(name, kind))

    in_zone(one, broken, secure=secure)
    return found[0]


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("mx.example.com", "A", ["192.0.2.1"]),
        ("mx.example.com", "AAAA", ["2001:db8::1"]),
        ("example.com", "MX", ["10 mx.example.com", "20 mx2.example.com"]),
        ("null.example.com", "MX", ["0 ."]),
        ("example.com", "NS", ["ns1.example.com"]),
        ("example.com", "SOA", ["ns1.example.com hostmaster.example.com 7 7200 900 1209600 300"]),
        ("example.com", "TXT", ["caf\xc3\xa9", "v=spf1 -all"]),
        ("1.2.0.192.in-addr.arpa", "PTR", ["mx.example.com"]),
        ("_submission._tcp.example.com", "SRV", ["0 1 587 mx.example.com"]),
        ("_25._tcp.mx.example.com", "TLSA", ["3 1 1 " + "00112233445566778899aabbccddeeff" * 2]),
        ("example.com", "DS", ["12345 13 2 " + "00112233445566778899aabbccddeeff" * 2]),
        ("example.com", "CAA", ['0 issue "ca.example.net"']),
        ("a.b.wild.example.com", "TXT", ["wild"]),
        (r"odd\032name.example.com", "A", ["192.0.2.10"]),
        ("odd name.example.com", "A", ["192.0.2.10"]),
        ("EXAMPLE.com.", "NS", ["ns1.example.com"]),
    ],
)
def test_records_of_every_type_in_presentation_form(name: str, kind: str, values: list[str]) -> None:
    answer = ask(name, kind)
    assert answer.status is Status.OK
    assert list(answer.values) == values


def test_txt_strings_are_joined_and_their_lengths_kept() -> None:
    answer = ask("example.com", "TXT")  # sorted: the order of a set is nobody's
    assert answer.values[1] == "v=spf1 -all"
    assert answer.chunks == ((5,), (7, 4))
    assert ask("long.example.com", "TXT").chunks == ((255,) * 11 + (195,),)


def test_aliases_are_followed_and_named_and_the_smallest_ttl_counts() -> None:
    answer = ask("alias.example.com", "A")
    assert answer.values == ("192.0.2.7",)
    assert answer.aliases == ("far.example.com", "c.example.net")
    assert answer.ttl == 30


@pytest.mark.parametrize(
    ("name", "kind", "status", "ttl", "aliases"),
    [
        ("example.com", "A", Status.NODATA, 300, ()),
        ("empty.example.com", "A", Status.NODATA, 300, ()),
        ("none.example.com", "A", Status.NXDOMAIN, 300, ()),
        ("alias.example.com", "AAAA", Status.NODATA, 60, ("far.example.com", "c.example.net")),
        ("nowhere.example.com", "A", Status.NXDOMAIN, 300, ("gone.example.com",)),
    ],
)
def test_what_is_not_there_is_known_and_for_how_long(
    name: str, kind: str, status: Status, ttl: int, aliases: tuple[str, ...]
) -> None:
    answer = ask(name, kind)
    assert (answer.status, answer.ttl, answer.aliases) == (status, ttl, aliases)
    assert answer.known


def test_the_resolver_says_whether_it_validated() -> None:
    assert not ask("example.com", "MX").authenticated
    assert ask("example.com", "MX", secure=("example.com",)).authenticated
    assert ask("none.example.com", "MX", secure=("example.com",)).authenticated


@pytest.mark.parametrize(
    ("broken", "status", "detail"),
    [
        ("SERVFAIL", Status.SERVFAIL, ""),
        ("REFUSED", Status.REFUSED, ""),
        ("FORMERR", Status.FORMERR, ""),
        ("NOTIMP", Status.NOTIMP, ""),
        ("TIMEOUT", Status.TIMEOUT, "no answer in 0.15 s"),
        ("TRUNCATED", Status.TRUNCATED, "cut short over UDP; over TCP: the server ended the connection"),
        ("GARBLED", Status.GARBLED, "the message ends elsewhere than it says"),
    ],
)
def test_a_lookup_that_failed_is_never_an_absence(broken: str, status: Status, detail: str) -> None:
    answer = ask("example.com", "MX", {"example.com MX": broken})
    assert answer.status is status
    assert detail in answer.detail
    assert answer.server.startswith("127.0.0.1:")
    assert not answer.known
    assert not answer.values


@pytest.mark.parametrize("broken", ["TC", "FORGED", "FLAP", "NOEDNS", "OLD", "UNFOLLOWED"])
def test_what_is_only_difficult_is_answered(broken: str) -> None:
    answer = ask("alias.example.com", "A", {"* A": broken})
    assert answer.values == ("192.0.2.7",)
    assert answer.aliases == ("far.example.com", "c.example.net")


def test_a_broken_alias_is_a_broken_answer() -> None:
    assert ask("alias.example.com", "A", {"c.example.net A": "SERVFAIL"}).status is Status.SERVFAIL


@pytest.mark.parametrize("broken", [{}, {"circle*.example.com A": "UNFOLLOWED"}])
def test_aliases_in_a_circle_end(broken: dict[str, str]) -> None:
    answer = ask("circle.example.com", "A", broken)
    assert answer.status is Status.SERVFAIL


def test_each_question_is_asked_once_however_many_ask() -> None:
    async def all_at_once(resolver: Resolver, fake: FakeDns) -> None:
        question = Question("example.com", "MX")
        first, second = await asyncio.gather(resolver.ask([question, question]), resolver.ask([question]))
        third = await resolver.ask([question])
        assert first == second == third
        assert fake.asked["example.com MX"] == 1
        assert resolver.statistics.asked == resolver.statistics.sent == 1

    in_zone(all_at_once)


def test_negative_answers_and_failures_are_kept_too() -> None:
    async def twice(resolver: Resolver, fake: FakeDns) -> None:
        for _ in range(2):
            await resolver.ask_one("none.example.com", "A")
            await resolver.ask_one("example.com", "TXT")
        assert fake.asked == {"none.example.com A": 1, "example.com TXT": 2}  # a failure is tried twice

    in_zone(twice, {"example.com TXT": "SERVFAIL"})


def test_a_failure_is_asked_again_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.wire._dns_kept.FAILED_FOR", 0.0)

    async def twice(resolver: Resolver, fake: FakeDns) -> None:
        for _ in range(2):
            await resolver.ask_one("none.example.com", "A")
            await resolver.ask_one("example.com", "TXT")
        assert fake.asked == {"none.example.com A": 1, "example.com TXT": 4}

    in_zone(twice, {"example.com TXT": "SERVFAIL"})


def test_the_oldest_answers_and_failures_go_and_go_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(Kept):
        looks = 0

        def __iter__(self) -> Iterator[Question]:
            self.looks += 1
            return super().__iter__()

    async def run(resolver: Resolver, _: FakeDns) -> None:
        kept = resolver._kept = Counted()
        for at in range(200):
            await resolver.ask_one(f"a..{at}.example.com", "A")
        assert 56 <= len(kept) <= 64
        assert kept.failed.keys() == kept.keys()
        assert Question("a..199.example.com", "A") in kept
        assert kept.looks <= (200 - 64) / 8 + 1

    monkeypatch.setattr("probe.wire._dns_kept.MOST", 64)
    in_zone(run)


def test_who_cannot_wait_is_told_so_and_the_others_get_the_answer() -> None:
    async def impatient(resolver: Resolver, _: FakeDns) -> None:
        questions = [Question("example.com", "MX"), Question("example.com", "TXT")]
        hasty, patient = await asyncio.gather(resolver.ask(questions, within=0.05), resolver.ask(questions))
        assert hasty[questions[0]].status is Status.OK
        assert hasty[questions[1]].status is Status.SKIPPED
        assert patient[questions[1]].status is Status.OK

    in_zone(impatient, {"example.com TXT": "NOEDNS"}, timeout=0.3)


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("a..example.com", "a label is empty"),
        (r"a..b\032c.example.com", "a label is empty"),
        ("x" * 64 + ".example.com", "longer than 63"),
        (".".join(["x" * 60] * 5), "longer than 255"),
        ("\u4f8b.example.com", "cannot carry"),
        ("a\0b.example.com", "NUL"),
    ],
)
def test_a_name_that_the_dns_cannot_carry_is_not_asked(name: str, detail: str) -> None:
    answer = ask(name, "A")
    assert answer.status is Status.FORMERR
    assert detail in answer.detail


def test_an_unknown_type_is_not_asked_and_a_number_is() -> None:
    assert ask("example.com", "NONSENSE").status is Status.FORMERR
    assert ask("example.com", "TYPE65280").status is Status.NODATA


def test_one_server_can_be_asked_directly() -> None:
    async def run() -> None:
        async with FakeDns(ZONE) as fake:
            routes = {"192.0.2.53": ("127.0.0.1", fake.port)}
            async with Resolver(["127.0.0.1:9"], routes=routes) as resolver:
                answer = await resolver.ask_one("example.com", "SOA@192.0.2.53")
                assert answer.values[0].startswith("ns1.example.com hostmaster.example.com 7 ")
                assert answer.server == "192.0.2.53"
                for private in ("127.0.0.1", "10.0.0.1", "::1", "no address"):
                    answer = await resolver.ask_one("example.com", f"SOA@{private}")
                    assert answer.status is Status.UNREACHABLE

    asyncio.run(run())


def test_servers_that_are_asked_directly_are_not_kept_open_for_ever() -> None:
    async def run() -> None:
        servers = [f"192.0.{at // 250}.{at % 250}" for at in range(1000)]
        async with FakeDns(ZONE) as fake:
            routes = dict.fromkeys(servers, ("127.0.0.1", fake.port))
            async with Resolver([fake.address], routes=routes, window=20) as resolver:
                asked = [Question("example.com", f"SOA@{one}") for one in servers for _ in range(2)]
                most = 0
                for answers in [await resolver.ask(asked), await resolver.ask(asked[:8])]:
                    assert all(answer.status is Status.OK for answer in answers.values())
                    open_ = sum(len(way.udp._sockets) for way in resolver._ways._direct.values() if way.udp)
                    most = max(most, open_)
                assert 90 < most <= 120

    asyncio.run(run())


def test_a_closed_port_is_unreachable_and_the_next_server_answers() -> None:
    async def run() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            closed = f"127.0.0.1:{taken.getsockname()[1]}"
        async with Resolver([closed], timeout=0.2) as resolver:
            assert (await resolver.ask_one("example.com", "A")).status is Status.UNREACHABLE
        async with FakeDns(ZONE) as fake, Resolver([closed, fake.address], timeout=0.2) as resolver:
            assert (await resolver.ask_one("mx.example.com", "A")).values == ("192.0.2.1",)

    asyncio.run(run())


def test_a_silent_server_is_passed_over_after_a_while() -> None:
    async def run() -> None:
        async with (
            FakeDns(ZONE, {"* *": "TIMEOUT"}) as silent,
            FakeDns(ZONE) as fake,
            Resolver([silent.address, fake.address], timeout=0.1) as resolver,
        ):
            for name in ("mx.example.com", "ns1.example.com", "deep.empty.example.com"):
                assert (await resolver.ask_one(name, "A")).status is Status.OK
            assert silent.asked.total() == 1

    asyncio.run(run())


@pytest.mark.parametrize("broken", ["SERVFAIL", "REFUSED"])
def test_a_failure_stays_with_the_server_that_said_it(broken: str) -> None:
    async def run() -> None:
        async with (
            FakeDns(ZONE, {"* *": broken}) as failing,
            FakeDns(ZONE, {"* *": "TIMEOUT"}) as silent,
            Resolver([failing.address, silent.address], timeout=0.1) as resolver,
        ):
            answer = await resolver.ask_one("mx.example.com", "A")
            assert (answer.status, answer.server) == (Status(broken.lower()), failing.address)
            assert "no answer" not in answer.detail

    asyncio.run(run())


def test_many_questions_at_once_pass_through_a_narrow_window() -> None:
    async def run() -> None:
        async with FakeDns(ZONE) as fake, Resolver([fake.address], window=7) as resolver:
            questions = [Question(f"n{number}.wild.example.com", "TXT") for number in range(200)]
            answers = await resolver.ask(questions)
            assert all(answer.values == ("wild",) for answer in answers.values())
            assert resolver.statistics.sent == 200

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("9.9.9.9", ("udp", "9.9.9.9", 53, "9.9.9.9")),
        (" 127.0.0.1:5353 ", ("udp", "127.0.0.1", 5353, "127.0.0.1:5353")),
        ("2620:fe::fe", ("udp", "2620:fe::fe", 53, "2620:fe::fe")),
        ("[::1]:5353", ("udp", "::1", 5353, "[::1]:5353")),
        ("[::1]", ("udp", "::1", 53, "::1")),
        ("tls://dns.example", ("tls", "dns.example", 853, "tls://dns.example")),
        ("https://dns.example/dns-query", ("https", "dns.example", 443, "https://dns.example/dns-query")),
    ],
)
def test_servers_as_people_write_them(text: str, where: tuple[str, str, int, str]) -> None:
    read = server(text)
    assert (read.way, read.host, read.port, read.said) == where


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dns.example",
        "1.2.3",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "127.0.0.1:0065535999",
        "127.0.0.1:x",
        "https://",
    ],
)
def test_what_is_no_server_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"no resolver|no port|names no host"):
        Resolver([text])


@pytest.mark.parametrize("way", ["tls", "https"])
def test_over_tls_and_https(way: str) -> None:
    async def run() -> None:
        trust = ssl.create_default_context(cafile=ca_file())
        async with FakeDns(ZONE) as fake:

            async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    while True:
                        if way == "tls":
                            size = int.from_bytes(await reader.readexactly(2), "big")
                        else:
                            head = (await reader.readuntil(b"\r\n\r\n")).lower()
                            size = int(head.partition(b"content-length:")[2].split()[0])
                        (answer,) = fake.answer(await reader.readexactly(size), tcp=True)
                        if way == "tls":
                            writer.write(struct.pack("!H", len(answer)) + answer)
                        else:
                            writer.write(
                                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
                            )
                except (EOFError, OSError):
                    writer.close()

            context = server_context("good", ("localhost", "127.0.0.1"))
            listener = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
            port = listener.sockets[0].getsockname()[1]
            url = f"{way}://localhost:{port}"
            async with Resolver([url], context=trust) as resolver:
                answer = await resolver.ask_one("example.com", "MX")
                assert answer.values == ("10 mx.example.com", "20 mx2.example.com")
                assert answer.server == url
                assert (await resolver.ask_one("long.example.com", "TXT")).status is Status.OK
            async with Resolver([url], timeout=1) as resolver:  # nobody vouches for this certificate
                answer = await resolver.ask_one("example.com", "MX")
                assert answer.status is Status.UNREACHABLE
                assert "certificate" in answer.detail.lower()
            listener.close()

    asyncio.run(run())


def test_a_resolver_that_is_silent_under_tls_was_given_the_seconds_that_are_said() -> None:
    async def run() -> Answer:
        listening = socket.create_server(("127.0.0.1", 0))
        with listening:
            where = f"tls://127.0.0.1:{listening.getsockname()[1]}"
            async with Resolver([where], timeout=0.1, tries=1) as resolver:
                return await resolver.ask_one("mx.example.com", "A")

    answer = asyncio.run(run())
    assert (answer.status, answer.detail) == (Status.TIMEOUT, "no answer in 0.15 s")


def test_zone_text_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ZoneError, match="zone:3"):
        FakeDns("example.com. A 192.0.2.1\nexample.com. A no-address\n")
    with pytest.raises(ZoneError, match="broken"):
        FakeDns("", {"example.com A": "NONSENSE"})


# -- messages by hand -----------------------------------------------------------------------------


def response(
    flags: int = 0x8180, answer: str = "", authority: str = "", options: bytes = b"", rcode: int = 0
) -> bytes:
    made = dns.message.make_response(dns.message.make_query("example.com", "MX"))
    made.flags = dns.flags.Flag(flags)
    if answer:
        made.answer.append(dns.rrset.from_text(*answer.split(" ", 4)))  # type: ignore[arg-type]  # TTL as text is fine
    if authority:
        made.authority.append(dns.rrset.from_text(*authority.split(" ", 4)))  # type: ignore[arg-type]  # as above
    extended: list[dns.edns.Option] = []
    if options:
        extended.append(dns.edns.GenericOption(dns.edns.OptionType.EDE, options))
    made.use_edns(0, options=extended)
    made.set_rcode(dns.rcode.Rcode(rcode))
    return made.to_wire()


@pytest.mark.parametrize(
    ("data", "status", "detail"),
    [
        (response(0x8000, authority="com. 300 IN NS a.gtld.test."), Status.REFUSED, "a referral"),
        (response(authority="com. 300 IN NS a.gtld.test."), Status.NODATA, ""),
        (response(rcode=2, options=b"\0\x06bogus"), Status.SERVFAIL, "DNSSEC Bogus"),
        (response(rcode=2, options=b"\xff\xff?"), Status.SERVFAIL, ""),
        (response(rcode=9), Status.SERVFAIL, "RCODE 9"),
        (response(rcode=16), Status.FORMERR, "RCODE 16"),
        (response(rcode=3, answer="example.com. 300 IN A 192.0.2.1"), Status.NXDOMAIN, ""),
        (response(answer="example.com. 300 IN A 192.0.2.1"), Status.NODATA, ""),
        (response(answer="example.com. 300 CH MX 10 a."), Status.NODATA, ""),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),  # message ids are random
)
def test_what_a_message_without_an_answer_says(data: bytes, status: Status, detail: str) -> None:
    answer = message.read(data, message.query("example.com", "MX"), "example.com", "MX")
    assert answer.status is status
    assert detail in answer.detail
    assert bool(answer.detail) == bool(detail)


def test_records_of_other_names_are_not_believed() -> None:
    body = message.query("example.com", "MX")
    with pytest.raises(message.Malformed, match="of other names only"):
        message.read(response(answer="victim.test. 300 IN MX 10 mx.evil.test."), body, "example.com", "MX")


def test_only_a_response_to_this_very_question_is_one() -> None:
    body = message.query("example.com", "MX")
    data = response()
    assert message.asked(data, body)
    assert message.asked(data.replace(b"example", b"eXAMPLE"), body)
    assert not message.asked(data.replace(b"example", b"elpmaxe"), body)
    assert not message.asked(b"\0\0\x01\x80" + data[4:], body)  # a question
    assert not message.asked(data[:11], body)
    assert not message.asked(data, message.query("example.com", "TXT"))


def test_an_absurd_ttl_is_none() -> None:
    data = response(answer="example.com. 300 IN MX 10 a.").replace(b"\0\0\x01\x2c", b"\x80\0\0\0")
    assert message.read(data, message.query("example.com", "MX"), "example.com", "MX").ttl == 0


def test_the_resolvers_of_this_machine(tmp_path: Path) -> None:
    configuration = tmp_path / "resolv.conf"
    configuration.write_text(
        "search example.com\n# nameserver 192.0.2.1\nnameserver\t192.0.2.2 # ours\nnameserver nonsense\n"
        "nameserver 2001:db8::1\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"
    )
    assert [one.said for one in system(str(configuration))] == ["192.0.2.2", "2001:db8::1", "192.0.2.3"]
    configuration.write_text("")
    assert [one.said for one in system(str(configuration))] == ["127.0.0.1"]
    assert Resolver([]).servers


def test_where_nothing_tells_of_a_resolver_this_machine_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing() -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr("dns.resolver.Resolver", nothing)
    assert [one.said for one in system(str(tmp_path / "none"))] == ["127.0.0.1"]


# -- the reader against dnspython -----------------------------------------------------------------

LABEL = st.lists(st.integers(1, 255), min_size=1, max_size=8).map(
    lambda raw: "".join(f"\\{byte:03d}" for byte in raw)
)
NAME = st.lists(
    st.one_of(LABEL, st.sampled_from(["mx", "Example", "_dmarc", "com"])), min_size=1, max_size=4
).map(lambda labels: ".".join(labels) + ".")
BYTE = st.integers(0, 255)
WORD = st.integers(0, 65535)
STRING = st.binary(max_size=40).map(lambda raw: '"' + "".join(f"\\{byte:03d}" for byte in raw) + '"')
RDATA = st.one_of(
    st.tuples(st.just("A"), st.tuples(BYTE, BYTE, BYTE, BYTE).map(lambda quad: ".".join(map(str, quad)))),
    st.tuples(
        st.just("AAAA"), st.lists(WORD, min_size=8, max_size=8).map(lambda it: ":".join(f"{n:x}" for n in it))
    ),
    st.tuples(st.just("MX"), st.tuples(WORD, NAME).map(lambda it: f"{it[0]} {it[1]}")),
    st.tuples(st.just("TXT"), st.lists(STRING, min_size=1, max_size=4).map(" ".join)),
    st.tuples(st.sampled_from(["NS", "PTR"]), NAME),
    st.tuples(st.just("SRV"), st.tuples(WORD, WORD, WORD, NAME).map(lambda it: " ".join(map(str, it)))),
    st.tuples(st.just("TLSA"), st.binary(min_size=32, max_size=32).map(lambda raw: f"3 1 1 {raw.hex()}")),
)


@given(NAME, RDATA, st.integers(0, 2**31 - 1), st.lists(NAME, max_size=3, unique_by=str.lower))
@settings(deadline=None, max_examples=60)
def test_the_reader_agrees_with_dnspython(
    name: str, record: tuple[str, str], ttl: int, chain: list[str]
) -> None:
    kind, text = record
    asked = dns.message.make_query(name, kind)
    wire = dns.message.make_response(asked)
    names = [name, *(each for each in chain if each.lower() != name.lower())]
    for owner, target in pairwise(names):
        wire.answer.append(dns.rrset.from_text(owner, ttl, "IN", "CNAME", target))
    wire.answer.append(dns.rrset.from_text(names[-1], ttl, "IN", kind, text))
    body = message.query(name.removesuffix("."), kind)
    data = wire.to_wire()
    answer = message.read(data, body, name.removesuffix(".").lower(), kind)
    (theirs,) = dns.message.from_wire(data).answer[-1]
    assert answer.status is Status.OK
    assert answer.ttl == ttl
    assert len(answer.aliases) == len(names) - 1
    if kind == "TXT":
        assert answer.values[0].encode("latin-1") == b"".join(theirs.strings)
        assert answer.chunks == (tuple(map(len, theirs.strings)),)
    elif kind in {"A", "AAAA", "TLSA"}:
        assert answer.values == (theirs.to_text(),)
    else:
        again = dns.rdata.from_text("IN", kind, answer.values[0])
        assert again.to_digestable(dns.name.root) == theirs.to_digestable(dns.name.root)


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_no_bytes_make_the_reader_raise_anything_else(data: st.DataObject) -> None:
    fake = FakeDns(ZONE)
    name, kind = data.draw(
        st.sampled_from(
            [("alias.example.com", "A"), ("example.com", "TXT"), ("example.com", "SOA"), ("x", "CAA")]
        )
    )
    body = message.query(name, kind)
    (whole,) = fake.answer(b"\0\0" + body, tcp=True)
    torn = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        torn[data.draw(st.integers(2, len(torn) - 1))] = data.draw(BYTE)
    cut = bytes(torn[: data.draw(st.integers(12, len(torn)))]) if data.draw(st.booleans()) else bytes(torn)
    if message.asked(cut, body):
        with suppress(message.Malformed, message.Unfinished):
            assert isinstance(message.read(cut, body, name, kind), Answer)


def test_a_name_of_pointers_only_ends() -> None:
    body = message.query("a", "NS")
    head = b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + body[10 : 10 + 7]
    pointers = b"".join(
        struct.pack("!H", 0xC000 | max(12, len(head) + 12 + 2 * at - 2)) for at in range(4000)
    )
    data = head + b"\xc0\x0c" + struct.pack("!HHIH", 2, 1, 300, len(pointers)) + pointers
    with pytest.raises(message.Malformed):
        message.read(data, body, "a", "NS")


@given(
    labels=st.lists(
        st.binary(min_size=1, max_size=63).filter(lambda raw: 0 not in raw), min_size=1, max_size=3
    )
)
@settings(deadline=None, max_examples=100)
def test_names_are_written_as_dnspython_writes_them(labels: list[bytes]) -> None:
    name = dns.name.Name((*labels, b""))
    text = ".".join(
        "".join(f"\\{byte:03d}" if byte in b".\\" else chr(byte) for byte in raw) for raw in labels
    )
    query = message.query(text, "A")
    assert query[10:].startswith((name.to_wire() or b"") + b"\0\1\0\1")
    assert query == message.query(name.to_text(omit_final_dot=True), "A")


def test_ids_repeat_no_more_than_chance_and_ports_are_several() -> None:
    async def run() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.settimeout(5)
            async with Resolver([f"127.0.0.1:{deaf.getsockname()[1]}"], timeout=5) as resolver:
                await resolver.ask((Question(f"d{at}.example", "A") for at in range(100)), within=0.05)
            heard = [deaf.recvfrom(4096) for _ in range(100)]
        ids = [int.from_bytes(data[:2], "big") for data, _ in heard]
        assert len(set(ids)) > 90
        assert len({after - before for before, after in pairwise(ids)}) > 90
        assert len({port for _, (_, port) in heard}) == 8

    asyncio.run(run())


def test_what_is_answered_is_no_longer_timed() -> None:
    async def test(resolver: Resolver, _: FakeDns) -> None:
        for at in range(50):
            await resolver.ask_one(f"d{at}.example.com", "A")
            assert len(resolver._clock) == 1

    in_zone(test, timeout=5)


def test_a_silent_server_keeps_one_timer_however_many_questions_it_leaves_open() -> None:
    async def test(resolver: Resolver, _: FakeDns) -> None:
        ticks = 0
        once = resolver._tick

        def tick() -> None:
            nonlocal ticks
            ticks += 1
            once()

        resolver._tick = tick  # type: ignore[method-assign]

        async def later(at: int) -> None:
            await asyncio.sleep(at * 0.003)
            await resolver.ask_one(f"d{at}.wild.example.com", "A")

        await asyncio.gather(*map(later, range(60)))
        assert ticks <= 2 * resolver.statistics.sent

    in_zone(test, {"* A": "TIMEOUT"}, timeout=0.05)


def test_an_answer_that_comes_late_is_still_an_answer() -> None:
    async def run() -> None:
        async with FakeDns(ZONE, delay=0.15) as fake, Resolver([fake.address], timeout=0.1) as resolver:
            assert (await resolver.ask_one("mx.example.com", "A")).status is Status.OK

    asyncio.run(run())
