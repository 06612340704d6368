r"""A scenario: one situation of the mail world in a TOML file, and what must be concluded from it.

A scenario is a test (it is played and its expectations are exact), a fixture (``probe serve`` plays it to
any client) and a demonstration. Only what differs from an ordinary server is written down::

    about = "A Google inbox with 2-Step Verification: the account password is refused."

    [probe]                     # what is asked
    run = "creds"               # creds, dns or explain
    address = "ada@example.test"
    password = "correct horse"
    timeouts = { auth = 0.3 }   # seconds, by step; every other step gets `timeout` (2)

    [smtp]                      # what the server is and says
    host = "smtp.gmail.com"     # whom it plays; its certificate carries this name
    extensions_tls = ["AUTH LOGIN PLAIN XOAUTH2", "SIZE 35882577"]
    auth = "535 5.7.8 Username and Password not accepted"

    [dns]
    zone = "example.test. 300 IN MX 10 mx.example.test."
    broken = { "example.test TXT" = "SERVFAIL" }

    [expect]                    # exactly these, no others
    verdict = "fail"
    outcome = "bad_creds"
    findings = ["google/bad-credentials"]
    auth = 1

**Stages.** ``greeting ehlo ehlo_tls helo starttls tls_up auth auth_<mechanism> mail rcpt data rset noop
quit`` and ``connect`` (bytes instead of everything). ``ehlo_tls`` is EHLO under TLS, ``tls_up`` what the
server says unasked once TLS stands, ``auth_cram_md5`` answers one mechanism only. A stage holds

- a string: the reply, line by line. Each line is ended by CRLF; ``\xNN`` in it is that byte;
- a table: ``reply`` (or ``raw``, sent exactly as written), ``delay`` (seconds before it), ``drip`` (seconds
  between its bytes), ``times`` (how often it is sent), ``pause`` (seconds after it) and ``then``: what
  follows, one of ``close reset hang tls`` or a further string, table or array;
- an array: a dialogue. After every element but the last the server reads one line.

A scripted AUTH reply comes after the credentials have been collected in the ordinary way; an array is the
whole exchange. In a reply ``{user} {password} {password64} {password_hex} {password_url} {blob} {line}``
stand for what the client sent.

**Server.** ``server`` is ``aiosmtpd``, ``raw``, ``closed`` (nobody listens) or ``silent`` (connections are
never accepted); left out, it is aiosmtpd wherever that can play the script. ``tls`` is how the server
speaks, where it is not what the client was told.
"""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = [
    "STAGES",
    "Act",
    "Ask",
    "Expect",
    "Scenario",
    "ScenarioError",
    "Script",
    "Server",
    "Then",
    "Zone",
    "folder",
    "load",
    "load_all",
    "parse",
]

MECHANISMS = ("plain", "login", "cram_md5", "scram_sha_256", "xoauth2", "oauthbearer")
STAGES = (
    "connect",
    "greeting",
    "ehlo",
    "ehlo_tls",
    "helo",
    "starttls",
    "tls_up",
    "auth",
    *(f"auth_{mechanism}" for mechanism in MECHANISMS),
    "mail",
    "rcpt",
    "data",
    "rset",
    "noop",
    "quit",
)
CERTIFICATES = (
    "good",
    "wildcard",
    "chained",
    "expiring",
    "expired",
    "not-yet-valid",
    "self-signed",
    "wrong-name",
    "unknown-ca",
    "missing-intermediate",
    "client-only",
    "name-in-subject-only",
    "weak-key",
    "hostile",
    "huge",
)
SERVERS = ("", "aiosmtpd", "raw", "closed", "silent")
TLS = ("starttls", "implicit", "none")
RUNS = ("creds", "dns", "explain")

_MAX_FILE = 1 << 20
_WELL_FORMED = re.compile(rb"(?:(?P<code>[2-5][0-9]{2})-[^\r\n]*\r\n)*[2-5][0-9]{2}(?: [^\r\n]*)?\r\n\Z")
_BYTE = re.compile(r"\\x([0-9a-fA-F]{2})")


class ScenarioError(ValueError):
    """A scenario that cannot be used: the file, the key, and what is allowed there."""


class Then(enum.StrEnum):
    """What a server does after an act of its script."""

    WAIT = "wait"  # nothing: it goes on to the client's next command
    READ = "read"  # one line of the client's, then the next act
    CLOSE = "close"  # ends the connection in good order
    RESET = "reset"  # tears the connection down (RST)
    HANG = "hang"  # keeps the connection and says no more
    TLS = "tls"  # begins the TLS handshake


@dataclass(frozen=True, slots=True)
class Act:
    """One thing a server does: bytes to send, when and how, and what follows.

    `delay`, `drip` and `pause` are seconds before the bytes, between two of them, and after them.
    """

    send: bytes = b""
    delay: float = 0.0
    drip: float = 0.0
    times: int = 1
    pause: float = 0.0
    then: Then = Then.WAIT

    @property
    def ordinary(self) -> bool:
        """Whether this is one well-formed reply (RFC 5321 section 4.2), at most late and the last one."""
        lines = self.send.split(b"\r\n")[:-1]
        return (
            _WELL_FORMED.match(self.send) is not None
            and len({line[:3] for line in lines}) == 1
            and self.then in {Then.WAIT, Then.CLOSE}
            and not self.drip
            and self.times == 1
        )

    @property
    def code(self) -> int:
        """The reply code the bytes begin with, 0 where they do not."""
        return int(self.send[:3]) if self.send[:3].isdigit() else 0


Script = tuple[Act, ...]


def _one_of(*allowed: str) -> dict[str, tuple[str, ...]]:
    return {"allowed": allowed}


@dataclass(frozen=True, slots=True)
class Ask:
    """``[probe]``: what is asked of whom. Names are those of the command's options; seconds throughout."""

    run: str = field(default="creds", metadata=_one_of(*RUNS))
    address: str = "ada@example.test"
    user: str = ""
    password: str = "correct horse"  # noqa: S105 - the password of a fake
    host: str = ""
    port: int = 0
    tls: str = field(default="", metadata=_one_of("", *TLS))
    mechanism: str = "auto"
    provider: str = ""
    mail_from: str = ""
    rcpt_to: str = ""
    helo: str = "probe.test"
    discover: bool = False
    allow_plaintext: bool = False
    distrust: bool = False
    timeout: float = 2.0
    deadline: float = 8.0
    timeouts: Mapping[str, float] = field(default_factory=dict)
    domain: str = ""
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    sending_ips: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    mx: str = ""
    text: str = ""
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """``[smtp]``: what the server is, its account and its script (only what differs from the ordinary).

    `user` and `password` are the account that exists (empty: the one that is asked about).
    """

    server: str = field(default="", metadata=_one_of(*SERVERS))
    host: str = "mail.example.test"
    port: int = 0
    tls: str = field(default="", metadata=_one_of("", *TLS))
    user: str = ""
    password: str = ""
    extensions: tuple[str, ...] | None = None
    extensions_tls: tuple[str, ...] | None = None
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    impostor: bool = False
    cert: str = field(default="good", metadata=_one_of(*CERTIFICATES))
    names: tuple[str, ...] = ()
    tls_version: str = field(default="", metadata=_one_of("", "1.0", "1.1", "1.2", "1.3"))
    script: Mapping[str, Script] = field(default_factory=dict)

    @property
    def raw(self) -> bool:
        """Whether only the raw server can play this script."""
        return self.server == "raw" or (
            not self.server
            and not all(
                len(script) == 1 and script[0].ordinary and stage not in {"connect", "tls_up", "data", "noop"}
                for stage, script in self.script.items()
            )
        )


@dataclass(frozen=True, slots=True)
class Zone:
    """``[dns]``: zone text (master file format) and names that fail, ``"name TYPE" = "SERVFAIL"``.

    `secure` are zones whose answers carry the AD flag. `servers` maps the address of a name server that
    is asked directly to the zone text it serves. `web` maps URLs to their pages (a body, or a table:
    `probe.fakes.http`), served under a certificate of the kind `cert`.
    """

    zone: str = ""
    broken: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    secure: tuple[str, ...] = ()
    servers: Mapping[str, str] = field(default_factory=dict)
    web: Mapping[str, object] = field(default_factory=dict)
    cert: str = field(default="good", metadata=_one_of(*CERTIFICATES))


@dataclass(frozen=True, slots=True)
class Expect:
    """``[expect]``: exactly what must be concluded; what is left out is not looked at.

    `findings` are all ids, in any order; `details` the exact detail of some of them. `stage` is the step
    that decided. `auth`, `connections`, `mechanisms` and `commands` are what the server counted.
    """

    verdict: str | None = None
    outcome: str | None = None
    findings: tuple[str, ...] | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    stage: str | None = None
    states: Mapping[str, str] | None = None
    auth: int | None = None
    connections: int | None = None
    mechanisms: tuple[str, ...] | None = None
    commands: tuple[str, ...] | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole file. `about` is a sentence; `name` the file's name without its ending."""

    name: str
    about: str
    probe: Ask
    smtp: Server | None = None
    dns: Zone | None = None
    expect: Expect = Expect()

    @property
    def tls(self) -> str:
        """How the server speaks: its own word, else what the client was told, else STARTTLS."""
        return (self.smtp.tls if self.smtp else "") or self.probe.tls or "starttls"

    @property
    def port(self) -> int:
        """The port the server plays: 587 for STARTTLS, 465 for implicit TLS, 25 for none."""
        return (self.smtp.port if self.smtp else 0) or {"implicit": 465, "none": 25}.get(self.tls, 587)


# -- reading --------------------------------------------------------------------------------------


def folder() -> Path:
    """Where the scenarios are: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parents[1]
    shipped = package / "_scenarios"
    return shipped if shipped.is_dir() else package.parent / "scenarios"


def load(name: str | Path) -> Scenario:
    """One scenario, by its name in `folder` or by the path of a file; `ScenarioError` says what is wrong."""
    path = Path(name)
    if path.suffix != ".toml":
        path = folder() / f"{name}.toml"
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        known = "" if Path(name).suffix == ".toml" else "; `probe scenarios list` names those there are"
        raise ScenarioError(f"{name}: no such scenario ({error.strerror}){known}") from error
    if len(data) > _MAX_FILE:
        raise ScenarioError(f"{path.name}: larger than 1 MiB")
    return parse(data.decode("utf-8", "replace"), path.stem)


def load_all(pattern: str = "*") -> tuple[Scenario, ...]:
    """Every scenario whose name matches a glob, by name."""
    return tuple(load(path) for path in sorted(folder().glob(f"{pattern}.toml")))


def parse(text: str, name: str) -> Scenario:
    """A scenario from the text of its file; `ScenarioError` names file, key and what is allowed."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{name}: not TOML: {error}") from error
    _known(name, "the top", table, ("about", "probe", "smtp", "dns", "expect"))
    about = table.get("about")
    if not isinstance(about, str) or not about.strip():
        raise ScenarioError(f"{name}: about: a sentence is wanted")
    probe = _read(Ask, name, "probe", _table(name, "probe", table.get("probe", {})))
    smtp = None
    if "smtp" in table or ("dns" not in table and probe.run == "creds"):
        smtp = _server(name, _table(name, "smtp", table.get("smtp", {})))
    dns = _read(Zone, name, "dns", _table(name, "dns", table["dns"])) if "dns" in table else None
    expect = _read(Expect, name, "expect", _table(name, "expect", table.get("expect", {})))
    return Scenario(name, about.strip(), probe, smtp, dns, expect)


def _server(name: str, table: Mapping[str, object]) -> Server:
    plain = {key: value for key, value in table.items() if key not in STAGES}
    scripts = {key: value for key, value in table.items() if key in STAGES}
    known = {item.name for item in fields(Server)} - {"script"}
    _known(name, "[smtp]", plain, (*sorted(known), *STAGES))
    script = {stage: tuple(_acts(f"{name}: [smtp] {stage}", value)) for stage, value in scripts.items()}
    return _read(Server, name, "smtp", {**plain, "script": MappingProxyType(script)})


def _acts(where: str, value: object) -> Iterator[Act]:
    """The acts of one stage, in order."""
    if isinstance(value, str):
        yield Act(_lines(value))
    elif isinstance(value, dict):
        yield from _tabled(where, value)
    elif isinstance(value, list) and value:
        for position, item in enumerate(value):
            acts = list(_acts(where, item))
            if position < len(value) - 1 and acts[-1].then is Then.WAIT:
                acts[-1] = _replaced(acts[-1], then=Then.READ)
            yield from acts
    else:
        raise ScenarioError(f"{where}: a string, a table or an array of them is wanted")


_ACT_KEYS = ("reply", "raw", "delay", "drip", "times", "pause", "then")


def _tabled(where: str, table: Mapping[str, object]) -> Iterator[Act]:
    _known(where, "the table", table, _ACT_KEYS)
    if "reply" in table and "raw" in table:
        raise ScenarioError(f"{where}: reply or raw, not both")
    reply, raw, then = table.get("reply", ""), table.get("raw", ""), table.get("then", "")
    if not isinstance(reply, str) or not isinstance(raw, str):
        raise ScenarioError(f"{where}: reply and raw are strings")
    numbers = {key: table[key] for key in ("delay", "drip", "times", "pause") if key in table}
    for key, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            raise ScenarioError(f"{where}: {key}: a number, zero or more, is wanted")
    act = _replaced(Act(_bytes(raw) if raw else _lines(reply)), **numbers)
    if isinstance(then, str) and then in set(Then):
        yield _replaced(act, then=Then(then))
        return
    further = [] if then == "" else list(_acts(f"{where}: then", then))
    if further and not (act.pause or act.drip or further[0].delay or further[0].drip) and act.times == 1:
        yield _replaced(further[0], send=act.send + further[0].send, delay=act.delay)  # one segment
        yield from further[1:]
    else:
        yield act
        yield from further


def _lines(text: str) -> bytes:
    """Reply lines as they go over the wire: the text's lines, each ended by CRLF."""
    stripped = text.removesuffix("\n")
    return b"".join(_bytes(line) + b"\r\n" for line in stripped.split("\n")) if stripped else b""


def _bytes(text: str) -> bytes:
    r"""Text as UTF-8, with ``\xNN`` for a byte."""
    out = bytearray()
    end = 0
    for found in _BYTE.finditer(text):
        out += text[end : found.start()].encode()
        out.append(int(found[1], 16))
        end = found.end()
    return bytes(out + text[end:].encode())


def _replaced(act: Act, **changes: Any) -> Act:
    return Act(**{**{item.name: getattr(act, item.name) for item in fields(Act)}, **changes})


# -- validation -----------------------------------------------------------------------------------

_Table = TypeVar("_Table", Ask, Server, Zone, Expect)


def _table(name: str, key: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{name}: [{key}]: a table is wanted")
    return value


def _known(name: str, where: str, table: Mapping[str, object], allowed: tuple[str, ...]) -> None:
    for key in table:
        if key not in allowed:
            raise ScenarioError(f"{name}: {where}: unknown key {key!r}; allowed: {', '.join(allowed)}")


def _read(kind: type[_Table], name: str, key: str, table: Mapping[str, object]) -> _Table:
    """A table as its dataclass: unknown keys, wrong types and words that are not allowed are errors."""
    _known(name, f"[{key}]", table, tuple(item.name for item in fields(kind)))
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for item in fields(kind):
        if item.name not in table:
            assert item.default is not MISSING or item.default_factory is not MISSING
            continue
        value = _typed(f"{name}: [{key}] {item.name}", hints[item.name], table[item.name])
        allowed = item.metadata.get("allowed")
        if allowed and value not in allowed:
            choices = ", ".join(choice for choice in allowed if choice)
            raise ScenarioError(f"{name}: [{key}] {item.name}: {value!r} is not one of {choices}")
        values[item.name] = value
    return kind(**values)


def _typed(where: str, hint: Any, value: object) -> object:
    """A value as its field wants it: arrays become tuples, whole numbers may stand for seconds."""
    if get_origin(hint) in {Union, UnionType}:
        hint = next(choice for choice in get_args(hint) if choice is not type(None))
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if origin is not None and origin is not tuple and isinstance(value, Mapping):
        wanted = get_args(hint)[1]
        if wanted is float:
            value = {key: _typed(f"{where}.{key}", float, number) for key, number in value.items()}
        elif wanted is str:
            value = {key: _typed(f"{where}.{key}", str, text) for key, text in value.items()}
        return MappingProxyType(dict(value))
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if (hint is str and isinstance(value, str)) or (hint is bool and isinstance(value, bool)):
        return value
    words = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    wanted_words = words.get(hint, "an array of strings" if origin is tuple else "a table")
    raise ScenarioError(f"{where}: {wanted_words} is wanted, not {value!r}")
