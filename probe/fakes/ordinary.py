"""What an ordinary submission server says, and what any fake server writes down about its clients."""

from __future__ import annotations

import base64
import re
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field, replace

from .sasl import Account
from .scenario import Scenario, Server
from .script import Act, Script

__all__ = ["BYTES", "LIFETIME", "REMEMBERED", "Part", "Tally", "multiline", "part_of"]

LIFETIME = 60.0  # seconds a connection may live
BYTES = 64 << 20  # bytes a server sends on one connection, floods included
REMEMBERED = 1_000  # commands in their order; of all later ones there are counts
_COMMANDS = frozenset(
    ("EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "EXPN")
)

REPLIES = {
    "helo": "250 {host}",
    "starttls": "220 2.0.0 Ready to start TLS",
    "mail": "250 2.1.0 Ok",
    "rcpt": "250 2.1.5 Ok",
    "rcpt_other": "550 5.1.1 <{recipient}>: Recipient address rejected: User unknown",
    "data": "354 End data with <CR><LF>.<CR><LF>",
    "rset": "250 2.0.0 Ok",
    "noop": "250 2.0.0 Ok",
    "quit": "221 2.0.0 Bye",
    "success": "235 2.7.0 Authentication successful",
    "failure": "535 5.7.8 Error: authentication failed",
    "unknown-mechanism": "504 5.5.4 Unrecognized authentication type",
    "malformed": "501 5.5.2 Cannot decode response",
    "cancelled": "501 5.7.0 Authentication cancelled",
    "auth-wanted": "530 5.7.0 Authentication required",
    "tls-wanted": "530 5.7.0 Must issue a STARTTLS command first",
    "unknown": "500 5.5.2 Command not recognized",
}

_PLACEHOLDER = re.compile(rb"\{(user|password(?:64|_hex|_url)?|blob|line)\}")
_EXTENSIONS = ("PIPELINING", "SIZE 35882577", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8")


@dataclass(slots=True)
class Tally:
    """What a server saw, over all connections. `plaintext` counts secrets that came without TLS.

    `commands` and `mechanisms` are the first of them, in their order: a server may stay up for weeks.
    """

    connections: int = 0
    commands: list[str] = field(default_factory=list)
    mechanisms: list[str] = field(default_factory=list)
    handshakes: int = 0
    plaintext: int = 0
    sent: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __getitem__(self, command: str) -> int:
        """How often a command came."""
        return self.counts[command]

    def heard(self, command: str) -> None:
        """Writes down a command; those that no server knows are counted together."""
        self.counts[command if command in _COMMANDS else ""] += 1
        _remember(self.commands, command)

    def tried(self, mechanism: str) -> None:
        """Writes down a mechanism of AUTH."""
        _remember(self.mechanisms, mechanism)

    def copy(self) -> Tally:
        """The counts as they are now."""
        return replace(
            self, commands=self.commands[:], mechanisms=self.mechanisms[:], counts=self.counts.copy()
        )

    @property
    def auth(self) -> int:
        """AUTH commands: attempts on the account."""
        return self["AUTH"]


def _remember(words: list[str], word: str) -> None:
    if len(words) < REMEMBERED:
        words.append(word[:32])


@dataclass(frozen=True, slots=True)
class Part:
    """The part a server plays: everything of a scenario that concerns it, with nothing left out.

    With a `recipient` it is a recipient's server: nobody logs in there, and only that recipient is known.
    """

    host: str
    tls: str
    account: Account
    asked: Account
    extensions: tuple[str, ...]
    extensions_tls: tuple[str, ...]
    server: Server
    recipient: str = ""

    def rcpt(self, address: str, *, again: bool = False) -> str:
        """The stage that answers RCPT for an address; `again` from the second connection on."""
        if self.recipient and address.lower() != self.recipient.lower():
            return "rcpt_other"
        return "rcpt_again" if again and "rcpt_again" in self.server.script else "rcpt"

    def script(self, stage: str) -> Script | None:
        """The script of a stage; an AUTH mechanism falls back on that of AUTH, EHLO under TLS on none."""
        scripts = self.server.script
        if stage in scripts:
            return scripts[stage]
        return scripts.get("auth") if stage.startswith("auth_") else None

    def reply(self, name: str) -> str:
        """An ordinary reply."""
        return REPLIES[name].replace("{host}", self.host)

    def rcpt_reply(self, address: str) -> str:
        """The ordinary reply to RCPT for an address."""
        return self.reply(self.rcpt(address)).replace("{recipient}", address)

    def greeting(self) -> str:
        """The ordinary greeting."""
        return f"220 {self.host} ESMTP"

    def ehlo(self, *, secure: bool) -> list[str]:
        """The ordinary reply to EHLO, line by line."""
        return multiline(250, [self.host, *(self.extensions_tls if secure else self.extensions)])

    def filled(self, act: Act, line: bytes = b"", blob: bytes = b"") -> bytes:
        """The bytes of an act with what the client sent put in."""
        if b"{" not in act.send:
            return act.send
        password = self.asked.password.encode()
        values = {
            b"user": self.asked.user.encode(),
            b"password": password,
            b"password64": base64.b64encode(password),
            b"password_hex": password.hex().encode(),
            b"password_url": urllib.parse.quote(password, safe="").encode(),
            b"blob": blob,
            b"line": line,
        }
        left = BYTES  # more is never sent: a reply of nothing but {line} would be the square of its length

        def put(found: re.Match[bytes]) -> bytes:
            nonlocal left
            value = values[found[1]]
            left -= len(value)
            return value if left >= 0 else b""

        return _PLACEHOLDER.sub(put, act.send)

    def betrays(self, line: bytes) -> bool:
        """Whether a line of the client's holds the secret in a form that anybody can read."""
        user, password = self.asked.user.encode(), self.asked.password.encode()
        forms = (
            password,
            base64.b64encode(password),
            base64.b64encode(b"\0" + user + b"\0" + password),
            base64.b64encode(b"user=" + user + b"\1auth=Bearer " + password + b"\1\1"),
        )
        return bool(password) and any(form in line for form in forms)


def part_of(scenario: Scenario, other: Server | None = None) -> Part:
    """The part that a scenario's SMTP server plays, or another of its servers."""
    smtp = other or scenario.smtp or Server()
    asked = Account(scenario.probe.user or scenario.probe.address, scenario.probe.password)
    account = Account(smtp.user or asked.user, smtp.password or asked.password, smtp.impostor)
    receives = scenario.probe.run == "rcpt"
    login = (f"AUTH {' '.join(smtp.mechanisms)}",) if smtp.mechanisms and not receives else ()
    plain = (*_EXTENSIONS, *(("STARTTLS",) if scenario.tls == "starttls" else login))
    secure = (*_EXTENSIONS, *login)
    return Part(
        host=smtp.host,
        tls=scenario.tls,
        account=account,
        asked=asked,
        extensions=plain if smtp.extensions is None else smtp.extensions,
        extensions_tls=secure if smtp.extensions_tls is None else smtp.extensions_tls,
        server=smtp,
        recipient=(scenario.probe.rcpt_to or scenario.probe.address) if receives else "",
    )


def multiline(code: int, texts: list[str]) -> list[str]:
    """The lines of one reply (RFC 5321 section 4.2.1)."""
    return [f"{code}{'-' if text is not texts[-1] else ' '}{text}" for text in texts]
