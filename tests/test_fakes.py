"""The fake servers, talked to on bare sockets and by the standard library's client."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import smtplib
import ssl
from collections.abc import AsyncIterator, Coroutine
from typing import TypeVar

import pytest

from probe.fakes import tls
from probe.fakes.ordinary import REMEMBERED, part_of
from probe.fakes.raw import RawServer
from probe.fakes.reading import load_all, parse
from probe.fakes.scenario import CERTIFICATES, Scenario
from probe.fakes.script import Act, ScenarioError, Then
from probe.fakes.smtp import SmtpServer
from probe.fakes.world import World

T = TypeVar("T")


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(coroutine)


def scenario(smtp: str = "", probe: str = "") -> Scenario:
    return parse(f'about = "A test."\n[probe]\n{probe}\n[smtp]\n{smtp}\n', "test")


@contextlib.asynccontextmanager
async def talk(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def dialogue(played: Scenario, *said: str) -> tuple[list[str], World]:
    """All that a server says to a client that says this, line by line, until it hangs up or is silent."""
    heard: list[str] = []
    async with World(played) as world, talk(world) as (reader, writer):
        for line in (None, *said):
            writer.write(b"" if line is None else line.encode() + b"\r\n")
            while heard_line := await asyncio.wait_for(reader.readline(), 5):
                heard.append(heard_line.decode())
                if heard_line[3:4] != b"-":
                    break
    return [line.rstrip("\r\n") for line in heard], world


# -- what a scenario may say ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("about = 1", "about: a sentence is wanted"),
        ("about = ", "not TOML"),
        ('about = "x"\nsmpt = 1', "unknown key 'smpt'; allowed: about, probe, smtp, more, dns, expect"),
        ('about = "x"\n[smtp]\ngretting = "220 x"', "unknown key 'gretting'"),
        ('about = "x"\n[smtp]\ncert = "bad"', "'bad' is not one of good,"),
        ('about = "x"\n[smtp]\ngreeting = 220', "greeting: a string, a table or an array"),
        ('about = "x"\n[probe]\ntimeout = 1' + "0" * 400, "timeout: a number of seconds is wanted, from 0"),
        ('about = "x"\n[probe]\ntimeout = 1' + "0" * 5000, "not TOML"),
        ('about = "x"\n[probe]\nport = 0x' + "f" * 9999, "not TOML"),
        ('about = "x"\n[probe]\ntimeouts = { auth = nan }', "timeouts.auth: a number of seconds is wanted"),
        ('about = "x"\n[probe]\nport = 65536', "[probe] port: a whole number from 0 to 65535 is wanted"),
        ('about = "x"\n[smtp]\nhost = ""', "[smtp] host: a host name is wanted, as DNS writes it, not ''"),
        ('about = "x"\n[smtp]\nnames = [""]', "[smtp] names: a host name is wanted"),
        ('about = "x"\n[smtp]\nnames = ["é.test"]', "[smtp] names: a host name is wanted"),
        ('about = "x"\n[more."a b"]', "[smtp] host: a host name is wanted"),
        ('about = "x"\n' + "".join(f'[more."{at}.test"]\n' for at in range(65)), "more than 64 servers"),
        ('about = "x"\n[smtp]\ngreeting = { raw = "", times = 9999999999 }', "times: a whole number"),
        ('about = "x"\n[smtp]\ngreeting = { raw = "2", times = 1.5 }', "from 0 to 1,000,000"),
        ('about = "x"\n[dns]\nweb = { "zzz" = 1 }', "[dns] web: 'zzz': a URL that begins with https://"),
        ('about = "x"\n[dns]\nweb = { "https://[" = "x" }', "[dns] web: 'https://[' is no URL"),
        ('about = "x"\n[dns]\nweb = { "https:///x" = "x" }', "a host name is wanted"),
        ('about = "x"\n[dns]\nweb = { "https://a.test/" = { page = "x" } }', "unknown key 'page'"),
        ('about = "x"\n[smtp]\ngreeting = { reply = "220 x", raw = "220" }', "reply or raw, not both"),
        (
            'about = "x"\n[smtp]\ngreeting = { reply = "220 x", delay = -1 }',
            "delay: a number of seconds is wanted",
        ),
        ('about = "x"\n[smtp]\ngreeting = { text = "220 x" }', "unknown key 'text'"),
        (
            'about = "x"\n[smtp]\ngreeting = { reply = "220 x", then = "clsoe" }',
            "then: 'clsoe' is none of wait, read, close, reset, hang, tls, and no reply",
        ),
        (
            'about = "x"\n[probe]\nport = "25"',
            "[probe] port: a whole number from 0 to 65535 is wanted, not '25'",
        ),
        ('about = "x"\n[probe]\nrun = "walk"', "'walk' is not one of creds, dns, rcpt, explain"),
        ('about = "x"\n[expect]\nfindings = "one"', "[expect] findings: an array of strings is wanted"),
        ('about = "x"\n[dns]\nbroken = "all"', "[dns] broken: a table is wanted"),
        (f'about = "x"\n[smtp]\nmail = {"[" * 5000}{"]" * 5000}', "nested too deeply"),
    ],
)
def test_a_scenario_that_is_wrong_says_where_and_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as told:
        parse(text, "file")
    assert str(told.value).startswith("file: ")
    assert complaint in str(told.value)


def acts(value: str) -> list[tuple[bytes, Then]]:
    played = scenario(f"rcpt = {value}")
    assert played.smtp is not None
    return [(act.send, act.then) for act in played.smtp.script["rcpt"]]


def test_the_forms_of_a_script() -> None:
    assert acts('"250-one\\n250 two"') == [(b"250-one\r\n250 two\r\n", Then.WAIT)]
    assert acts('{ reply = "421 bye", then = "close" }') == [(b"421 bye\r\n", Then.CLOSE)]
    assert acts('{ reply = "250 ok", then = "421 stray" }') == [(b"250 ok\r\n421 stray\r\n", Then.WAIT)]
    assert acts('{ reply = "250 ok", pause = 0.1, then = "421 x" }') == [
        (b"250 ok\r\n", Then.WAIT),
        (b"421 x\r\n", Then.WAIT),
    ]
    assert acts("""{ raw = '25\\x30 half\\xff', then = "hang" }""") == [(b"250 half\xff", Then.HANG)]
    assert acts('["334 one", "334 two", "535 no"]') == [
        (b"334 one\r\n", Then.READ),
        (b"334 two\r\n", Then.READ),
        (b"535 no\r\n", Then.WAIT),
    ]


@pytest.mark.parametrize(
    ("script", "raw"),
    [
        ('greeting = "421 4.3.2 no"', False),
        ('greeting = { reply = "554 no", then = "close", delay = 0.1 }', False),
        ('ehlo = "250-a\\n250 b"', False),
        ('starttls = "454 4.7.0 not now"', False),
        ('mail = { reply = "", then = "hang" }', True),
        ('mail = { reply = "250 ok", then = "250 ok" }', True),
        ('mail = "250-ok\\n550 no"', True),
        ('mail = { reply = "250 ok", drip = 0.1 }', True),
        ('mail = { raw = "250 ok\\n" }', True),
        ('auth = ["334 ", "235 ok"]', True),
        ('connect = "220 plain"', True),
        ('server = "raw"', True),
    ],
)
def test_aiosmtpd_plays_what_is_ordinary_and_the_raw_server_the_rest(script: str, raw: bool) -> None:
    played = scenario(script)
    assert played.smtp is not None
    assert played.smtp.raw is raw


# -- both servers say the same ordinary things ----------------------------------------------------

BOTH = pytest.mark.parametrize("server", ["aiosmtpd", "raw"])


@BOTH
def test_an_ordinary_session(server: str) -> None:
    async def session() -> None:
        heard, world = await dialogue(
            scenario(f'server = "{server}"\nextensions = ["AUTH PLAIN"]'),
            "EHLO me",
            "MAIL FROM:<ada@example.test>",
            "AUTH PLAIN " + base64.b64encode(b"\0ada@example.test\0zebra-quilt-42").decode(),
            "MAIL FROM:<ada@example.test>",
            "RCPT TO:<ada@example.test>",
            "RSET",
            "NOOP",
            "QUIT",
        )
        assert heard == [
            "220 mail.example.test ESMTP",
            "250-mail.example.test",
            "250 AUTH PLAIN",
            "530 5.7.0 Authentication required",
            "235 2.7.0 Authentication successful",
            "250 2.1.0 Ok",
            "250 2.1.5 Ok",
            "250 2.0.0 Ok",
            heard[8],
            "221 2.0.0 Bye",
        ]
        assert heard[8].startswith("250 ")
        assert world.tally.commands == ["EHLO", "MAIL", "AUTH", "MAIL", "RCPT", "RSET", "NOOP", "QUIT"]
        assert world.tally.connections == world.tally.auth == 1
        assert world.tally.mechanisms == ["PLAIN"]
        assert world.tally.plaintext == 1

    run(session())


@BOTH
def test_scripted_replies_at_every_stage(server: str) -> None:
    async def session() -> None:
        script = """
            greeting = "220-one\\n220 two"
            ehlo = "502 5.5.1 no EHLO"
            helo = "250 hello"
            starttls = "454 4.7.0 later"
            mail = "250 2.1.0 yours"
            rcpt = "452 4.5.3 later"
            rset = "500 what"
            quit = "221 gone"
        """
        heard, _ = await dialogue(
            scenario(f'server = "{server}"\n{script}'),
            "EHLO me",
            "HELO me",
            "STARTTLS",
            "MAIL FROM:<a@b.test>",
            "RCPT TO:<a@b.test>",
            "RSET",
            "QUIT",
        )
        assert heard == [
            "220-one",
            "220 two",
            "502 5.5.1 no EHLO",
            "250 hello",
            "454 4.7.0 later",
            "250 2.1.0 yours",
            "452 4.5.3 later",
            "500 what",
            "221 gone",
        ]

    run(session())


def speak(world: World, mechanism: str, user: str, password: str) -> tuple[int, bytes]:
    """One login by the standard library's client, over verified TLS."""
    context = ssl.create_default_context(cafile=world.ca_file)
    with smtplib.SMTP("localhost", world.port, timeout=5) as client:
        client.starttls(context=context)
        client.ehlo()
        client.user, client.password = user, password
        try:
            answer = client.auth(mechanism, getattr(client, f"auth_{mechanism.lower().replace('-', '_')}"))
        except smtplib.SMTPAuthenticationError as refused:
            return refused.smtp_code, bytes(refused.smtp_error)  # type: ignore[arg-type] # it is bytes
        return answer


@BOTH
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_foreign_client_logs_in_over_tls(server: str, mechanism: str) -> None:
    async def session() -> None:
        played = scenario(f'server = "{server}"\nmechanisms = ["{mechanism}"]')
        async with World(played) as world:
            good = await asyncio.to_thread(speak, world, mechanism, "ada@example.test", "zebra-quilt-42")
            bad = await asyncio.to_thread(speak, world, mechanism, "ada@example.test", "wrong")
        assert good == (235, b"2.7.0 Authentication successful")
        assert bad == (535, b"5.7.8 Error: authentication failed")
        assert world.tally.mechanisms == [mechanism, mechanism]
        assert world.tally.plaintext == 0

    run(session())


@BOTH
def test_a_recipients_server_knows_one_recipient_and_wants_no_login(server: str) -> None:
    async def session() -> None:
        played = scenario(f'server = "{server}"\nextensions = []', 'run = "rcpt"')
        heard, _ = await dialogue(
            played,
            "EHLO me",
            "MAIL FROM:<>",
            "RCPT TO:<Ada@Example.test>",
            "RCPT TO:<nobody@example.test>",
        )
        assert heard[-3:] == [
            "250 2.1.0 Ok",
            "250 2.1.5 Ok",
            "550 5.1.1 <nobody@example.test>: Recipient address rejected: User unknown",
        ]

    run(session())


# -- the mechanisms no foreign client speaks ------------------------------------------------------

ADA = "ada@example.test"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@BOTH
@pytest.mark.parametrize(
    ("line", "after", "end"),
    [
        (f"AUTH XOAUTH2 {b64(f'user={ADA}{chr(1)}auth=Bearer zebra-quilt-42{chr(1)}{chr(1)}')}", [], "235"),
        (f"AUTH XOAUTH2 {b64(f'user={ADA}{chr(1)}auth=Bearer old{chr(1)}{chr(1)}')}", [""], "535"),
        (
            "AUTH OAUTHBEARER "
            + b64(f"n,a={ADA},{chr(1)}host=x{chr(1)}auth=Bearer zebra-quilt-42{chr(1)}{chr(1)}"),
            [],
            "235",
        ),
        (f"AUTH OAUTHBEARER {b64(f'n,a={ADA},{chr(1)}auth=Bearer old{chr(1)}{chr(1)}')}", ["AQ=="], "535"),
        ("AUTH PLAIN", [b64(f"\0{ADA}\0zebra-quilt-42")], "235"),
        ("AUTH LOGIN", [b64(ADA), b64("zebra-quilt-42")], "235"),
        ("AUTH PLAIN not*base64", [], "501"),
        ("AUTH CRAM-MD5", ["*"], "501"),
        ("AUTH NTLM", [], "504"),
    ],
)
def test_an_exchange_ends_as_it_should(server: str, line: str, after: list[str], end: str) -> None:
    async def session() -> None:
        mechanisms = ", ".join(
            f'"{name}"' for name in ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")
        )
        played = scenario(f'server = "{server}"\nmechanisms = [{mechanisms}]')
        heard, _ = await dialogue(played, "EHLO me", line, *after)
        assert heard[-1][:3] == end
        assert [reply[:3] for reply in heard[-1 - len(after) : -1]] == ["334"] * len(after)

    run(session())


@BOTH
@pytest.mark.parametrize(("password", "end"), [("zebra-quilt-42", "235"), ("wrong", "535")])
def test_scram_proves_both_sides(server: str, password: str, end: str) -> None:
    async def session() -> None:
        played = scenario(f'server = "{server}"\nmechanisms = ["SCRAM-SHA-256"]')
        async with World(played) as world, talk(world) as (reader, writer):

            async def say(line: str) -> str:
                writer.write(line.encode() + b"\r\n")
                while (heard := await reader.readline())[3:4] == b"-":
                    pass
                return heard.decode().rstrip()

            await reader.readline()
            await say("EHLO me")
            bare = f"n={ADA},r=clientnonce"
            first = base64.b64decode((await say(f"AUTH SCRAM-SHA-256 {b64('n,,' + bare)}"))[4:]).decode()
            given = dict(part.split("=", 1) for part in first.split(","))
            salted = hashlib.pbkdf2_hmac(
                "sha256", password.encode(), base64.b64decode(given["s"]), int(given["i"])
            )
            final = f"c=biws,r={given['r']}"
            message = f"{bare},{first},{final}".encode()
            key = hmac.digest(salted, b"Client Key", "sha256")
            signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
            proof = b64(bytes(a ^ b for a, b in zip(key, signature, strict=True)))
            heard = await say(b64(f"{final},p={proof}"))
            server_key = hmac.digest(salted, b"Server Key", "sha256")
            verifier = f"v={b64(hmac.digest(server_key, message, 'sha256'))}"
            told = base64.b64decode(heard[4:]).decode()
            assert told == (verifier if end == "235" else "e=invalid-proof")
            assert (await say(""))[:3] == end

    run(session())


# -- certificates ---------------------------------------------------------------------------------

REFUSED = {
    "expired": "certificate has expired",
    "not-yet-valid": "certificate is not yet valid",
    "self-signed": "self-signed certificate",
    "wrong-name": "Hostname mismatch",
    "unknown-ca": "unable to get local issuer certificate",
    "missing-intermediate": "unable to get local issuer certificate",
    "client-only": "unsuitable certificate purpose",
}


@pytest.mark.parametrize(
    "cert", [cert for cert in CERTIFICATES if cert not in {"weak-key", "name-in-subject-only"}]
)
def test_every_certificate_is_good_or_bad_for_its_own_reason(cert: str) -> None:
    server = tls.server_context(cert, ("mail.example.test",))
    client = ssl.create_default_context(cafile=tls.ca_file())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname="mail.example.test")
    other = server.wrap_bio(to_server, to_client, server_side=True)
    problem = ""
    for side in (one, other, one, other, one, other):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            problem = error.verify_message
            break
    assert problem.startswith(REFUSED.get(cert, problem and "nothing"))
    assert bool(problem) == (cert in REFUSED)


@BOTH
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_old_tls_is_refused_by_a_client_of_today(server: str, version: str) -> None:
    async def session() -> None:
        played = scenario(f'server = "{server}"\ntls_version = "{version}"')
        async with World(played) as world:
            with pytest.raises(ssl.SSLError):
                await asyncio.to_thread(speak, world, "PLAIN", ADA, "zebra-quilt-42")

    run(session())


# -- what is too badly behaved for aiosmtpd -------------------------------------------------------


async def everything(played: Scenario, *said: str) -> bytes:
    """Every byte until the server hangs up; b"..." at the end where it does not."""
    async with World(played) as world, talk(world) as (reader, writer):
        data = b""
        with contextlib.suppress(ConnectionResetError):
            for line in said:
                data += await reader.readline()
                writer.write(line.encode() + b"\r\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    while more := await reader.read(1 << 16):
                        data += more
            return data + (b"" if reader.at_eof() else b"...")
        return data + b"<reset>"


@pytest.mark.parametrize(
    ("script", "said", "heard"),
    [
        ('greeting = { raw = "220 half a l", then = "close" }', [], b"220 half a l"),
        ('greeting = { reply = "220 hi", then = "reset" }', [], b"<reset>"),
        ('greeting = { reply = "", then = "hang" }', [], b"..."),
        ('greeting = { raw = "220 bare\\n", then = "close" }', [], b"220 bare\n"),
        ("greeting = { raw = '220 \\x1b[2J\\xff\\x0d\\x0a', then = \"close\" }", [], b"220 \x1b[2J\xff\r\n"),
        ('greeting = { reply = "220 hi", drip = 0.001, then = "close" }', [], b"220 hi\r\n"),
        ('greeting = { reply = "220-x", times = 3, then = "close" }', [], b"220-x\r\n" * 3),
        ('helo = { reply = "250 ok", then = "421 late" }', ["HELO me"], b"250 ok\r\n421 late\r\n..."),
        (
            'connect = { reply = "HTTP/1.1 400 Bad Request", then = "close" }',
            [],
            b"HTTP/1.1 400 Bad Request\r\n",
        ),
    ],
)
def test_the_raw_server_plays_byte_by_byte(script: str, said: list[str], heard: bytes) -> None:
    greeting = b"220 mail.example.test ESMTP\r\n" if said else b""
    got = run(everything(scenario(script), *said))
    assert got.replace(b"220 hi\r\n<reset>", b"<reset>") == greeting + heard


@BOTH
def test_hundreds_may_come_at_once(server: str) -> None:
    async def session() -> int:
        async with World(scenario(f'server = "{server}"')) as world:

            async def greeted() -> None:
                async with talk(world) as (reader, _):
                    assert (await reader.readline()).startswith(b"220 ")

            await asyncio.gather(*(greeted() for _ in range(300)))
            return world.tally.connections

    assert run(session()) == 300


@BOTH
def test_a_server_that_stays_up_remembers_no_more_than_it_says(server: str) -> None:
    async def session() -> None:
        part = part_of(scenario(f'server = "{server}"'))
        async with (RawServer if server == "raw" else SmtpServer)(part) as serving:
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
                writer.write(b"NOOP\r\n" * 600 + b"QUIT\r\n")
                while await reader.readline():
                    pass
                writer.close()
                await writer.wait_closed()
            while serving._sessions:  # noqa: ASYNC110 - the server tells nobody when a session is over
                await asyncio.sleep(0.01)
            assert (serving.tally.connections, serving.tally["NOOP"], serving.tally["QUIT"]) == (3, 1800, 3)
            assert len(serving.tally.commands) == REMEMBERED

    run(session())


def test_a_flood_ends_when_the_client_leaves() -> None:
    async def session() -> int:
        flood = scenario('greeting = { reply = "220-more", times = 1000000 }')
        async with World(flood) as world:
            async with talk(world) as (reader, _):
                await reader.readexactly(4096)
            await asyncio.sleep(0.05)
            before = world.tally.sent
            await asyncio.sleep(0.05)
            assert world.tally.sent == before
        return before

    assert run(session()) >= 4096


def test_closed_and_silent_ports() -> None:
    async def session() -> None:
        async with World(scenario('server = "closed"')) as world:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", world.port)
        async with World(scenario('server = "silent"')) as world:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await asyncio.open_connection("127.0.0.1", world.port)

    run(session())


def test_a_script_that_says_nothing_many_times_lets_others_run() -> None:
    played = scenario('greeting = { raw = "", times = 1000000, then = "220 late" }')
    heard, _ = run(dialogue(played))
    assert heard == ["220 late"]


def test_what_is_put_in_is_put_in_once_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    part = part_of(scenario(probe='password = "{line}{line}"'))
    assert part.filled(Act(b"535 {password} {nothing} {line}"), b"QUIT") == b"535 {line}{line} {nothing} QUIT"
    monkeypatch.setattr("probe.fakes.ordinary.BYTES", 100)
    assert part.filled(Act(b"{line}" * 1000), b"a line") == b"a line" * 16


def test_placeholders_hold_what_the_client_sent() -> None:
    async def session() -> None:
        script = 'auth = "535 {user} {password} {password64} {password_hex} {password_url}"\nserver = "raw"'
        line = f"AUTH PLAIN {b64(f'{chr(0)}{ADA}{chr(0)}zebra-quilt-42')}"
        heard, _ = await dialogue(scenario(script), "EHLO me", line)
        secret = "zebra-quilt-42"
        assert heard[-1] == f"535 {ADA} {secret} {b64(secret)} {secret.encode().hex()} zebra-quilt-42"

    run(session())


def test_every_scenario_there_is_can_be_read() -> None:
    for played in load_all():
        assert played.about.endswith(".")
