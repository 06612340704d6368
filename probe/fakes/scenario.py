r"""A scenario: one situation of the mail world in a TOML file, and what must be concluded from it.

A scenario is a test (it is played and its expectations are exact), a fixture (``probe serve`` plays it to
any client) and a demonstration. Only what differs from an ordinary server is written down::

    about = "A Google inbox with 2-Step Verification: the account password is refused."

    [probe]                     # what is asked
    run = "creds"               # creds, dns, rcpt, explain or preflight
    address = "ada@example.test"
    password = "zebra-quilt-42"
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

**Stages.** ``greeting ehlo ehlo_tls helo starttls tls_up auth auth_<mechanism> mail rcpt rcpt_other
rcpt_again data rset noop quit`` and ``connect`` (bytes instead of everything). ``ehlo_tls`` is EHLO under
TLS, ``tls_up`` what the server says unasked once TLS stands, ``auth_cram_md5`` answers one mechanism only,
``rcpt_other`` recipients that were not asked about, ``rcpt_again`` the recipient from the second connection
on. A stage holds

- a string: the reply, line by line. Each line is ended by CRLF; ``\xNN`` in it is that byte, ``\uNNNN`` that
  character, ``\\`` a backslash (in a TOML literal string, where none of it means anything to TOML);
- a table: ``reply`` (or ``raw``, sent exactly as written), ``delay`` (seconds before it), ``drip`` (seconds
  between its bytes), ``times`` (how often it is sent), ``pause`` (seconds after it) and ``then``: what
  follows, one of ``close reset hang tls`` or a further string, table or array;
- an array: a dialogue. After every element but the last the server reads one line.

A scripted AUTH reply comes after the credentials have been collected in the ordinary way; an array is the
whole exchange. In a reply ``{user} {password} {password64} {password_hex} {password_url} {blob} {line}``
stand for what the client sent.

**Server.** ``server`` is ``aiosmtpd``, ``raw``, ``closed`` (nobody listens) or ``silent`` (connections are
never accepted); left out, it is aiosmtpd wherever that can play the script. ``tls`` is how the server
speaks, where it is not what the client was told. With ``address`` the server stands at that address, and
names lead there by DNS only. Further servers of the same world are tables ``[more."mx2.example.test"]``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from .script import STAGES, ScenarioError, Script, acts, known, seconds

__all__ = [
    "CERTIFICATES",
    "Ask",
    "Expect",
    "Scenario",
    "ScenarioError",
    "Server",
    "Zone",
    "folder",
    "load",
    "load_all",
    "parse",
]

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
RUNS = ("creds", "dns", "rcpt", "explain", "preflight")

_MAX_FILE = 1 << 20
_LARGEST = 65_535  # whole number: ports, and counts of what a server saw
_MOST_SERVERS = 64  # of one kind in one world
_PAGE = ("status", "type", "body", "date", "location", "then")


def _one_of(*allowed: str) -> dict[str, tuple[str, ...]]:
    return {"allowed": allowed}


@dataclass(frozen=True, slots=True)
class Ask:
    """``[probe]``: what is asked of whom. Names are those of the command's options; seconds throughout."""

    run: str = field(default="creds", metadata=_one_of(*RUNS))
    address: str = "ada@example.test"
    user: str = ""
    password: str = "zebra-quilt-42"  # noqa: S105 - the password of a fake
    host: str = ""
    port: int = 0
    tls: str = field(default="", metadata=_one_of("", *TLS))
    mechanism: str = "auto"
    provider: str = ""
    mail_from: str = ""
    rcpt_to: str = ""
    helo: str = "probe.test"
    discover: bool = False
    control: bool = True
    wait: float = 0.0
    allow_private: bool = False
    verify: bool = False
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

    @property
    def told_helo(self) -> str:
        """`helo` where the scenario tells one; empty where it is the usual name."""
        return "" if self.helo == Ask().helo else self.helo


@dataclass(frozen=True, slots=True)
class Server:
    """``[smtp]``: what the server is, its account and its script (only what differs from the ordinary).

    `user` and `password` are the account that exists (empty: the one that is asked about).
    """

    server: str = field(default="", metadata=_one_of(*SERVERS))
    host: str = "mail.example.test"
    address: str = ""
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
    `recipient` and `control` are what was concluded of the recipient and of the made-up one beside it,
    `diagnosis` is what the evidence says of the reply.
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
    recipient: str | None = None
    control: str | None = None
    diagnosis: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole file. `about` is a sentence; `name` the file's name without its ending."""

    name: str
    about: str
    probe: Ask
    smtp: Server | None = None
    dns: Zone | None = None
    expect: Expect = Expect()
    more: Mapping[str, Server] = field(default_factory=dict)

    @property
    def tls(self) -> str:
        """How the server speaks: its own word, else what the client was told, else STARTTLS."""
        return (self.smtp.tls if self.smtp else "") or self.probe.tls or "starttls"

    @property
    def port(self) -> int:
        """The port the server plays: 25 for recipients and without TLS, 465 implicit TLS, else 587."""
        usual = 25 if self.probe.run == "rcpt" else {"implicit": 465, "none": 25}.get(self.tls, 587)
        return (self.smtp.port if self.smtp else 0) or usual


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
        raise ScenarioError(f"{name}: {_absent(name, error)}") from error
    return parse(data.decode("utf-8", "replace"), path.stem)


def _absent(name: str | Path, error: OSError) -> str:
    """Why there is no scenario of that name, and what to do."""
    if Path(name).suffix == ".toml":
        return f"no such scenario ({error.strerror})"
    if os.path.exists(name):  # noqa: PTH110 - a Path raises for a name that is too long
        return "a scenario is a file whose name ends in .toml"
    if any(char in str(name) for char in "*?["):
        return (
            f"one scenario is wanted, not a pattern; `probe scenarios list '{name}'` names those that match"
        )
    return "no such scenario; `probe scenarios list` names those there are"


def load_all(pattern: str = "*") -> tuple[Scenario, ...]:
    """Every scenario whose name matches a glob, by name."""
    found = (path for path in folder().glob("*.toml") if fnmatchcase(path.stem, pattern))
    return tuple(load(path) for path in sorted(found))


def parse(text: str, name: str) -> Scenario:
    """A scenario from the text of its file; `ScenarioError` names file, key and what is allowed."""
    if len(text.encode("utf-8", "surrogatepass")) > _MAX_FILE:
        raise ScenarioError(f"{name}: larger than 1 MiB")
    try:
        return _scenario(name, tomllib.loads(text))
    except ScenarioError:
        raise
    except ValueError as error:  # not TOML, or a number of more digits than Python reads
        raise ScenarioError(f"{name}: not TOML: {error}") from error
    except RecursionError as error:
        raise ScenarioError(f"{name}: nested too deeply") from error


def _scenario(name: str, table: Mapping[str, object]) -> Scenario:
    known(name, "the top", table, ("about", "probe", "smtp", "more", "dns", "expect"))
    about = table.get("about")
    if not isinstance(about, str) or not about.strip():
        raise ScenarioError(f"{name}: about: a sentence is wanted")
    probe = _read(Ask, name, "probe", _table(name, "probe", table.get("probe", {})))
    smtp = None
    if "smtp" in table or ("dns" not in table and probe.run in {"creds", "rcpt"}):
        smtp = _server(name, _table(name, "smtp", table.get("smtp", {})))
    more = {
        host: _server(name, {**_table(name, f'more."{host}"', value), "host": host})
        for host, value in _table(name, "more", table.get("more", {})).items()
    }
    dns = _zone(name, _table(name, "dns", table["dns"])) if "dns" in table else None
    if len(more) > _MOST_SERVERS or (dns and len(dns.servers) > _MOST_SERVERS):
        raise ScenarioError(f"{name}: more than {_MOST_SERVERS} servers")
    expect = _read(Expect, name, "expect", _table(name, "expect", table.get("expect", {})))
    return Scenario(name, about.strip(), probe, smtp, dns, expect, MappingProxyType(more))


def _server(name: str, table: Mapping[str, object]) -> Server:
    plain = {key: value for key, value in table.items() if key not in STAGES}
    scripts = {key: value for key, value in table.items() if key in STAGES}
    own = sorted({item.name for item in fields(Server)} - {"script"})
    known(name, "[smtp]", plain, (*own, *STAGES))
    script = {stage: tuple(acts(f"{name}: [smtp] {stage}", value)) for stage, value in scripts.items()}
    server = _read(Server, name, "smtp", {**plain, "script": MappingProxyType(script)})
    _host(f"{name}: [smtp] host", server.host)
    for host in server.names:
        _host(f"{name}: [smtp] names", host)
    return server


def _zone(name: str, table: Mapping[str, object]) -> Zone:
    """``[dns]``, but for the zone text: it is read when its server starts."""
    zone = _read(Zone, name, "dns", table)
    for url, page in zone.web.items():
        where = f"{name}: [dns] web"
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise ScenarioError(f"{where}: {url!r} is no URL: {error}") from error
        if parts.scheme != "https":
            raise ScenarioError(f"{where}: {url!r}: a URL that begins with https:// is wanted")
        _host(f"{where}: {url!r}", parts.hostname or "")
        if isinstance(page, Mapping):
            known(name, f"[dns] web: {url!r}", page, _PAGE)
    return zone


def _host(where: str, name: str) -> None:
    """Refuses what can stand in no certificate; a name may well be one that DNS does not know."""
    if not name.isascii() or not name.isprintable() or not 1 <= len(name) <= 253 or " " in name:
        raise ScenarioError(f"{where}: a host name is wanted, as DNS writes it, not {name!r}")


# -- validation -----------------------------------------------------------------------------------

_Table = TypeVar("_Table", Ask, Server, Zone, Expect)


def _table(name: str, key: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{name}: [{key}]: a table is wanted")
    return value


def _read(kind: type[_Table], name: str, key: str, table: Mapping[str, object]) -> _Table:
    """A table as its dataclass: unknown keys, wrong types and words that are not allowed are errors."""
    known(name, f"[{key}]", table, tuple(item.name for item in fields(kind)))
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
    if hint is float:
        return seconds(where, value)
    if hint is int and type(value) is int and 0 <= value <= _LARGEST:
        return value
    if (hint is str and isinstance(value, str)) or (hint is bool and isinstance(value, bool)):
        return value
    words = {str: "a string", int: f"a whole number from 0 to {_LARGEST}", bool: "true or false"}
    wanted_words = words.get(hint, "an array of strings" if origin is tuple else "a table")
    raise ScenarioError(f"{where}: {wanted_words} is wanted, not {value!r}")
