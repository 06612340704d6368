"""What a mail session consists of: replies, faults, turns, and what TLS came to."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

from probe.facts.records import Status
from probe.facts.text import unescape, unmarked

__all__ = ["Certificate", "Ending", "Fault", "Reply", "Stage", "Tls", "Turn"]


class Stage(enum.StrEnum):
    """Where in a session something happened, in the order of a session."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    RSET = "rset"
    QUIT = "quit"

    @classmethod
    def named(cls, word: str) -> Stage | None:
        """The stage of that name; None where there is none."""
        return next((stage for stage in cls if stage == word), None)


class Ending(enum.StrEnum):
    """How a step ended when no reply came, or none that can be believed."""

    UNRESOLVED = "unresolved"  # the name exists in no DNS answer, or has no address
    PRIVATE = "private"  # none of its addresses is one of the internet: not dialled
    DNS_FAILED = "dns-failed"  # DNS could not tell (SERVFAIL, timeout, refused)
    REFUSED = "refused"  # the port is closed
    UNREACHABLE = "unreachable"  # no route, from here
    TIMEOUT = "timeout"  # nothing, or not enough, in the time allowed
    CLOSED = "closed"  # the peer ended the connection in good order
    RESET = "reset"  # the peer tore the connection down
    GARBLED = "garbled"  # bytes that are not an SMTP reply, or more replies than questions
    TLS = "tls"  # the handshake or the certificate failed
    TOO_LONG = "too-long"  # a line or a reply beyond the limits
    LOCAL = "local"  # our own side: descriptors, source address, memory


_ENHANCED = re.compile(r"[2-5][0-9]{2}[ -]([245]\.[0-9]{1,3}\.[0-9]{1,3})(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    r"""One SMTP reply (RFC 5321 section 4.2), whole and in the server's own words.

    `code` is 200..599. `lines` are as sent, without CRLF, each made printable by `escape` and freed of
    our own secrets; a line that ended in a bare LF keeps a final ``\n`` mark.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 2034), such as ``5.7.8``, of the first line that has one."""
        for line in map(unmarked, self.lines):
            if found := _ENHANCED.match(line):
                return found[1]
        return None

    @property
    def text(self) -> str:
        """The words: lines joined by a space, without codes, separators and enhanced codes."""
        parts = []
        for line in map(unmarked, self.lines):
            found = _ENHANCED.match(line)
            parts.append(line[found.end() if found else 4 :].strip())
        return " ".join(part for part in parts if part)

    @property
    def raw(self) -> bytes:
        """The bytes as they came (secrets replaced), line ends included."""
        return b"".join(
            raw if (raw := unescape(line)).endswith(b"\n") else raw + b"\r\n" for line in self.lines
        )

    @property
    def accepted(self) -> bool:
        """Whether the code is of the 2xx class."""
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True, slots=True)
class Fault:
    """No reply, or none that can be believed: how the step ended, and what little was heard.

    `detail` is our sentence (an errno's name, the TLS library's reason, the limit that was passed).
    `lines` are what came before the end, printable as in `Reply.lines`. `status` is that of the lookup
    that failed, where it is a lookup that did.
    """

    ending: Ending
    detail: str = ""
    lines: tuple[str, ...] = ()
    status: Status | None = None

    @property
    def text(self) -> str:
        """What a catalogue entry may match: the detail, then what was heard."""
        return " ".join((self.detail, *self.lines)).strip()

    def __str__(self) -> str:
        return f"{self.ending}: {self.detail}" if self.detail else str(self.ending)


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said and what was heard: a line of a session.

    `said` is what left us, secrets already replaced; empty where nothing was said (greeting, TLS).
    `heard` is None where a step succeeds without words (the connection, the handshake).
    `unasked` are lines that came without being asked for before the next word of ours.
    `secure` tells whether TLS protected it. `pipelined` marks a command that left in one flight with
    the one before. `at` is in seconds since the session began, `took` is how long; both are
    measurements and take no part in equality.
    """

    stage: Stage
    said: str
    heard: Reply | Fault | None
    unasked: tuple[str, ...] = ()
    secure: bool = False
    pipelined: bool = False
    at: float = field(default=0.0, compare=False)
    took: float = field(default=0.0, compare=False)

    @property
    def accepted(self) -> bool:
        """Whether a 2xx reply answered, or the step succeeded without words."""
        return self.heard is None or (isinstance(self.heard, Reply) and self.heard.accepted)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server's certificate says of itself (RFC 5280), verified or not.

    `names` are its subjectAltName DNS names and addresses (the first `LIMIT` of `total`). Times are
    UTC, ISO 8601. Every string is printable (`escape`).
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    total: int
    not_before: str
    not_after: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Tls:
    """What TLS came to: protocol, cipher, the certificate and the verdict on its chain and name.

    `error` is empty when chain and name were verified; otherwise it holds the library's words, and no
    secret was sent. `wanted` is the name that was asked for.
    """

    version: str = ""
    cipher: str = ""
    wanted: str = ""
    certificate: Certificate | None = None
    error: str = ""
    resumed: bool = False

    @property
    def verified(self) -> bool:
        """Whether chain and name were verified."""
        return bool(self.version) and not self.error
