"""What was asked and what was observed: nothing in this room has an opinion.

Facts are frozen. What the network did *not* do is a fact too (`Fault`), so no probe ends in an
exception; exceptions are for our own bugs and for wrong use. The text form of a `Transcript` is what
users read and what golden tests compare, and `Transcript.parse(str(t)) == t`.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = [
    "Answer",
    "Certificate",
    "Ending",
    "Fault",
    "Inbox",
    "Limits",
    "Question",
    "Records",
    "Reply",
    "Secret",
    "Stage",
    "Status",
    "Tls",
    "TlsMode",
    "Transcript",
    "Turn",
    "escape",
    "unescape",
]


# -- text -----------------------------------------------------------------------------------------

_PLAIN = re.compile(rb"[\x20-\x5b\x5d-\x7e]*\Z")
_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(\\)|(n))")


def escape(data: bytes) -> str:
    r"""Bytes of a peer as text that is safe to print and loses nothing.

    Printable UTF-8 stays; a backslash doubles; control, bidi, zero-width and line-separator
    characters and bytes that are not UTF-8 become ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``.
    `unescape` gives the bytes back.
    """
    if _PLAIN.match(data):
        return data.decode("ascii")
    out: list[str] = []
    for char in data.decode("utf-8", "surrogateescape"):
        point = ord(char)
        if char == "\\":
            out.append("\\\\")
        elif char.isprintable():
            out.append(char)
        elif 0xDC80 <= point <= 0xDCFF:
            out.append(f"\\x{point - 0xDC00:02x}")
        elif point < 0x80:
            out.append(f"\\x{point:02x}")
        elif point <= 0xFFFF:
            out.append(f"\\u{point:04x}")
        else:
            out.append(f"\\U{point:08x}")
    return "".join(out)


def unescape(text: str) -> bytes:
    """The bytes that `escape` was given."""
    out = bytearray()
    end = 0
    for found in _ESCAPED.finditer(text):
        out += text[end : found.start()].encode("utf-8", "surrogatepass")
        end = found.end()
        byte, short, long, backslash, newline = found.groups()
        if byte:
            out.append(int(byte, 16))
        elif short or long:
            out += chr(int(short or long, 16)).encode("utf-8", "surrogatepass")
        elif backslash:
            out += b"\\"
        elif newline:
            out += b"\n"
    out += text[end:].encode("utf-8", "surrogatepass")
    return bytes(out)


class Secret:
    """A password or token that cannot be printed, formatted, compared in the open or pickled.

    `reveal` is the one way out; `len` and truth are known, nothing else is.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the encoder that puts it on the wire and for redaction."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[object, ...]:
        message = "a Secret is never pickled"
        raise TypeError(message)


# -- what was asked -------------------------------------------------------------------------------


class TlsMode(enum.StrEnum):
    """How TLS starts: after STARTTLS (RFC 3207), at once (RFC 8314), or not at all."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Inbox:
    """A sending inbox and how to reach it; what is empty is found out.

    `user` is the login name (empty: the address). `host`, `port` and `tls` are the submission server
    (empty, 0, None: found by domain, MX and SRV). `mechanism` is ``auto`` or a SASL name in lower
    case; with ``xoauth2`` and ``oauthbearer`` the secret is an access token. `mail_from` and `rcpt_to`
    are the envelope (empty: the address). `provider` is an id in the catalogue (empty: recognised).
    """

    address: str
    secret: Secret
    user: str = ""
    host: str = ""
    port: int = 0
    tls: TlsMode | None = None
    mechanism: str = "auto"
    mail_from: str = ""
    rcpt_to: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds allowed for each step and for a whole session (RFC 5321 section 4.5.3.2, tightened).

    Servers slow a bad login down on purpose, so AUTH is given a minute.
    """

    connect: float = 15
    greeting: float = 60
    ehlo: float = 30
    starttls: float = 30
    tls: float = 30
    auth: float = 60
    mail: float = 60
    rcpt: float = 60
    rset: float = 10
    quit: float = 2
    deadline: float = 180


# -- SMTP -----------------------------------------------------------------------------------------


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


class Ending(enum.StrEnum):
    """How a step ended when no reply came, or none that can be believed."""

    UNRESOLVED = "unresolved"  # the name exists in no DNS answer, or has no address
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
        for line in self.lines:
            if found := _ENHANCED.match(line):
                return found[1]
        return None

    @property
    def text(self) -> str:
        """The words: lines joined by a space, without codes, separators and enhanced codes."""
        parts = []
        for line in self.lines:
            found = _ENHANCED.match(line)
            parts.append(line[found.end() if found else 4 :].strip().removesuffix("\\n"))
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
    `lines` are what came before the end, printable as in `Reply.lines`.
    """

    ending: Ending
    detail: str = ""
    lines: tuple[str, ...] = ()

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


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole session, every line of both sides in order.

    `server` is the name that was asked for, `peer` the address and port that answered (or were tried
    last), `local` our own address. `stopped` is the reason our plan ended the session early: the
    problem part of a rule in ``catalogue/session.toml``, empty when the plan ran to its end.
    """

    turns: tuple[Turn, ...] = ()
    server: str = ""
    peer: str = ""
    local: str = ""
    tls: Tls | None = None
    stopped: str = ""

    def __iter__(self) -> Iterator[Turn]:
        return iter(self.turns)

    def of(self, stage: Stage) -> tuple[Turn, ...]:
        """The turns of one stage, in order."""
        return tuple(turn for turn in self.turns if turn.stage is stage)

    def last(self, stage: Stage) -> Turn | None:
        """The last turn of one stage."""
        return next((turn for turn in reversed(self.turns) if turn.stage is stage), None)

    def __str__(self) -> str:
        return "\n".join(_written(self))

    @classmethod
    def parse(cls, text: str) -> Transcript:
        """The transcript that was written as `text`; ValueError where it was not written by us."""
        return _Reading(text).transcript()


# The text form. `C:` is said, `S:` is heard, `!:` came unasked, `--` is what happened without words.


def _note(word: str, **values: object) -> str:
    pairs = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value)
    return " ".join(("--", word, *pairs))


def _written(session: Transcript) -> Iterator[str]:
    yield _note("session", server=session.server, peer=session.peer, local=session.local)
    if (tls := session.tls) is not None:
        yield _note(
            "tls-facts",
            version=tls.version,
            cipher=tls.cipher,
            wanted=tls.wanted,
            error=tls.error,
            resumed=tls.resumed,
        )
        if (leaf := tls.certificate) is not None:
            yield _note("certificate", **{name: getattr(leaf, name) for name in Certificate.__slots__})
    held: list[Turn] = []
    for turn in session.turns:
        if not turn.pipelined:
            yield from _heard(held)
            held = []
        held.append(turn)
        yield _note(turn.stage, secure=turn.secure, pipelined=turn.pipelined)
        if turn.said:
            yield f"C: {turn.said}"
    yield from _heard(held)
    if session.stopped:
        yield _note("stopped", reason=session.stopped)


def _heard(turns: Iterable[Turn]) -> Iterator[str]:
    for turn in turns:
        if isinstance(turn.heard, Reply):
            yield from (f"S: {line}" for line in turn.heard.lines)
        elif turn.heard is not None:
            yield from (f"S~ {line}" for line in turn.heard.lines)
            yield _note("fault", ending=turn.heard.ending, detail=turn.heard.detail)
        yield from (f"!: {line}" for line in turn.unasked)


@dataclass(slots=True)
class _Draft:
    """A turn while it is being read."""

    stage: str
    secure: bool
    pipelined: bool
    said: str = ""
    lines: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    fault: tuple[Ending, str] | None = None

    @property
    def answered(self) -> bool:
        return self.fault is not None or bool(self.lines and self.lines[-1][3:4] != "-")

    def turn(self) -> Turn:
        heard: Reply | Fault | None = None
        if self.fault is not None:
            heard = Fault(*self.fault, tuple(self.half))
        elif self.lines:
            heard = Reply(int(self.lines[-1][:3]), tuple(self.lines))
        unasked = tuple(self.unasked)
        return Turn(Stage(self.stage), self.said, heard, unasked, self.secure, self.pipelined)


class _Reading:
    """The reader of the text form: one pass, turns of a flight filled in the order they were said."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.head: dict[str, str] = {}
        self.tls: Tls | None = None
        self.stopped = ""
        self.flight: list[_Draft] = []
        self.turns: list[_Draft] = []

    def transcript(self) -> Transcript:
        for line in self.lines:
            mark, _, rest = line.partition(" ")
            if mark == "--":
                self.note(rest)
            elif mark in {"C:", "S:", "S~", "!:"} and self.turns:
                self.talk(mark, rest)
            else:
                raise ValueError(f"not a line of a transcript: {line!r}")
        turns = tuple(draft.turn() for draft in self.turns)
        return Transcript(turns, tls=self.tls, stopped=self.stopped, **self.head)

    def note(self, rest: str) -> None:
        word, _, pairs = rest.partition(" ")
        values = _pairs(pairs)
        if word == "session":
            self.head = {key: str(value) for key, value in values.items()}
        elif word == "tls-facts":
            self.tls = Tls(**values)
        elif word == "certificate" and self.tls is not None:
            names = tuple(values.pop("names", ()))
            plain = dict.fromkeys(Certificate.__slots__, "")
            self.tls = replace(
                self.tls, certificate=Certificate(**{**plain, "total": 0, **values, "names": names})
            )
        elif word == "stopped":
            self.stopped = str(values.get("reason", ""))
        elif word == "fault":
            self.unanswered().fault = Ending(values["ending"]), str(values.get("detail", ""))
        else:
            draft = _Draft(word, bool(values.get("secure")), bool(values.get("pipelined")))
            self.flight = [*self.flight, draft] if draft.pipelined else [draft]
            self.turns.append(draft)

    def unanswered(self) -> _Draft:
        for draft in self.flight:
            if not draft.answered:
                return draft
        raise ValueError("an answer to nothing")

    def talk(self, mark: str, rest: str) -> None:
        if mark == "C:":
            self.turns[-1].said = rest
        elif mark == "!:":
            answered = [draft for draft in self.flight if draft.answered]
            (answered or self.flight)[-1].unasked.append(rest)
        elif mark == "S:":
            self.unanswered().lines.append(rest)
        else:
            self.unanswered().half.append(rest)


def _pairs(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    decoder = json.JSONDecoder()
    while text:
        key, _, text = text.partition("=")
        value, end = decoder.raw_decode(text)
        values[key] = value
        text = text[end:].lstrip(" ")
    return values


# -- DNS ------------------------------------------------------------------------------------------


class Status(enum.StrEnum):
    """How a question ended. Only the first three say anything about the name."""

    OK = "ok"
    NODATA = "nodata"  # the name exists, nothing of this type
    NXDOMAIN = "nxdomain"  # the name does not exist
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"  # TC over UDP and TCP did not work
    FORMERR = "formerr"
    NOTIMP = "notimp"
    GARBLED = "garbled"  # bytes that are not an answer to this question
    UNREACHABLE = "unreachable"  # no way to the server: our network
    SKIPPED = "skipped"  # not asked: the budget of questions or time was spent

    @property
    def known(self) -> bool:
        """Whether the answer tells what is, or is not, published."""
        return self in {Status.OK, Status.NODATA, Status.NXDOMAIN}


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """A name and a record type. The name is absolute, lower-case, in A-labels, without final dot."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a resolver said to one question.

    `values` are in presentation form without final dots: ``10 mx.example.com`` for MX (``0 .`` is the
    null MX), ``192.0.2.1``, names in lower case. A TXT value is its strings joined, one character a
    byte (latin-1), and `chunks` holds the length of each string. `aliases` is the CNAME chain that was
    followed, the question's own name not included. `authenticated` is the AD flag. `ttl` is in
    seconds, the smallest of the answer; for a negative answer the time it may be kept (RFC 2308).
    """

    status: Status
    values: tuple[str, ...] = ()
    ttl: int = 0
    server: str = ""
    aliases: tuple[str, ...] = ()
    chunks: tuple[tuple[int, ...], ...] = ()
    authenticated: bool = False
    detail: str = ""

    @property
    def known(self) -> bool:
        """Whether this tells what is, or is not, published; otherwise nobody may conclude from it."""
        return self.status.known


class Records:
    """What has been asked so far, and the answers. A missing answer is never an empty answer."""

    __slots__ = ("answers",)

    def __init__(self, answers: Mapping[Question, Answer] | None = None) -> None:
        self.answers: Mapping[Question, Answer] = dict(answers or {})

    def __contains__(self, question: Question) -> bool:
        return question in self.answers

    def __iter__(self) -> Iterator[Question]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def asked(self, name: str, kind: str) -> Answer | None:
        """The answer to one question, or None when it has not been asked."""
        return self.answers.get(Question(name, kind))

    def of(self, name: str, kind: str) -> tuple[str, ...]:
        """The values of one answer; empty where it is negative, failed or has not been asked."""
        answer = self.answers.get(Question(name, kind))
        return answer.values if answer is not None and answer.status is Status.OK else ()

    def including(self, more: Mapping[Question, Answer]) -> Records:
        """These records and more."""
        return Records({**self.answers, **more})
