r"""What a server says at one stage of a session, and how: the acts of a script.

The forms a script may have in a file are told in `scenario`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .sasl import MECHANISMS

__all__ = ["STAGES", "Act", "ScenarioError", "Script", "Then", "acts", "auth_stage", "known", "seconds"]


def auth_stage(mechanism: str) -> str:
    """The stage that answers AUTH with this mechanism: ``auth_cram_md5``."""
    return f"auth_{mechanism.lower().replace('-', '_')}"


STAGES = (
    "connect",
    "greeting",
    "ehlo",
    "ehlo_tls",
    "helo",
    "starttls",
    "tls_up",
    "auth",
    *map(auth_stage, MECHANISMS),
    "mail",
    "rcpt",
    "rcpt_other",
    "rcpt_again",
    "data",
    "rset",
    "noop",
    "quit",
)

_DAY = 86_400  # seconds: no server waits for longer
_MOST_TIMES = 1_000_000  # that one act is sent

_WELL_FORMED = re.compile(rb"(?:[2-5][0-9]{2}-[^\r\n]*\r\n)*[2-5][0-9]{2}(?: [^\r\n]*)?\r\n\Z")
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|\\)")


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


# -- reading --------------------------------------------------------------------------------------


def known(name: str, where: str, table: Mapping[str, object], allowed: tuple[str, ...]) -> None:
    """`ScenarioError` where a table has a key that is not allowed there."""
    for key in table:
        if key not in allowed:
            raise ScenarioError(f"{name}: {where}: unknown key {key!r}; allowed: {', '.join(allowed)}")


def seconds(where: str, value: object) -> float:
    """A time from a file, in seconds: no number of digits and no infinity makes it longer than a day."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _DAY:
        raise ScenarioError(f"{where}: a number of seconds is wanted, from 0 to {_DAY}, not {value!r}")
    return float(value)


def acts(where: str, value: object) -> Iterator[Act]:
    """The acts of one stage, in order."""
    if isinstance(value, str):
        yield Act(_lines(value))
    elif isinstance(value, dict):
        yield from _tabled(where, value)
    elif isinstance(value, list) and value:
        for position, item in enumerate(value):
            *first, last = acts(where, item)
            if position < len(value) - 1 and last.then is Then.WAIT:
                last = _replaced(last, then=Then.READ)
            yield from (*first, last)
    else:
        raise ScenarioError(f"{where}: a string, a table or an array of them is wanted")


_WAITS = ("delay", "drip", "pause")
_ACT_KEYS = ("reply", "raw", *_WAITS, "times", "then")


def _tabled(where: str, table: Mapping[str, object]) -> Iterator[Act]:
    known(where, "the table", table, _ACT_KEYS)
    if "reply" in table and "raw" in table:
        raise ScenarioError(f"{where}: reply or raw, not both")
    reply, raw, then = table.get("reply", ""), table.get("raw", ""), table.get("then", "")
    if not isinstance(reply, str) or not isinstance(raw, str):
        raise ScenarioError(f"{where}: reply and raw are strings")
    waits = {key: seconds(f"{where}: {key}", table[key]) for key in _WAITS if key in table}
    times = table.get("times", 1)
    if type(times) is not int or not 0 <= times <= _MOST_TIMES:
        raise ScenarioError(f"{where}: times: a whole number is wanted, from 0 to {_MOST_TIMES:,}")
    act = _replaced(Act(_bytes(raw) if raw else _lines(reply), times=times), **waits)
    if isinstance(then, str) and then in set(Then):
        yield _replaced(act, then=Then(then))
        return
    if isinstance(then, str) and then.isalpha():
        raise ScenarioError(f"{where}: then: {then!r} is none of {', '.join(Then)}, and no reply")
    further = [] if then == "" else list(acts(f"{where}: then", then))
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
    r"""Text as UTF-8; ``\xNN`` is a byte, ``\uNNNN`` and ``\UNNNNNNNN`` a character, ``\\`` a backslash."""
    out = bytearray()
    end = 0
    for found in _ESCAPED.finditer(text):
        byte, short, long = found.groups()
        out += text[end : found.start()].encode("utf-8", "surrogatepass")
        if byte:
            out.append(int(byte, 16))
        elif short or long:
            out += chr(min(int(short or long, 16), 0x10FFFF)).encode("utf-8", "surrogatepass")
        else:
            out += b"\\"
        end = found.end()
    return bytes(out + text[end:].encode("utf-8", "surrogatepass"))


def _replaced(act: Act, **changes: Any) -> Act:
    return Act(**{**{item.name: getattr(act, item.name) for item in fields(Act)}, **changes})
