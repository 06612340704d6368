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

from collections.abc import Mapping
from dataclasses import dataclass, field

from .script import Script

__all__ = ["CERTIFICATES", "Ask", "Expect", "Scenario", "Server", "Zone"]

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
    client_id: str = ""
    client_secret: str = ""
    tenant: str = ""
    client_credentials: bool = False
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
