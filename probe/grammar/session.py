"""How to read an SMTP session that somebody pasted: telnet, swaks, a client's debug output, a transcript.

The server's lines and the client's are told by a mark before them or by how they begin. What a client said
after AUTH is a secret: it is passed over, and nothing of it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from probe.facts import Stage
from probe.grammar.expression import Expression

__all__ = ["Refusal", "session"]

_MAX_LINES = 200_000
_MAX_LINE = 1000

# A time, a level, the name of a connection: what a log has before the words.
_LEAD = (
    r"(?:[\[(]?[0-9TZ:.,/ +-]{8,32}[\])]?\s{1,4})?(?:\[?(?:debug|info|trace)\]?:?\s{1,4})?"
    r"(?:\[\w{1,40}\]\s{1,4}|[\w:]{1,40}=GLOB\(0x[0-9a-f]{1,16}\))?"
)
_SERVER = r"server -> client:?|<\*\*|<~\*|<-{1,2}|<~|<{1,3}|s:|recv:?|received:?|reply:"
_CLIENT = r"client -> server:?|-{1,2}>|~>|>{1,3}|c:|send:?|sent:?"
_MARK = Expression(
    rf"^\s{{0,8}}{_LEAD}(?:(?P<server>{_SERVER})|(?P<client>{_CLIENT}))\s{{0,8}}(?:b?['\"])?",
    re.IGNORECASE,
)
_ENDS_QUOTED = Expression(r"(?:\\r\\n)?['\"]$")  # how smtplib shows the end of a line
_REPLY = Expression(r"([2-5][0-57][0-9])(?:([ -])|$)")
_COMMAND = Expression(
    r"(EHLO|HELO|LHLO|STARTTLS|AUTH|MAIL FROM:|RCPT TO:|DATA|BDAT|RSET|NOOP|QUIT|\.)(?=[\s<]|$)",
    re.IGNORECASE,
)
_ADDRESS = Expression(r"<([^<>\s]{1,320})>|:\s{0,3}([^<>\s]{1,320})")
_STAGES = {
    "EHLO": Stage.EHLO, "HELO": Stage.EHLO, "LHLO": Stage.EHLO, "STARTTLS": Stage.STARTTLS,
    "AUTH": Stage.AUTH,
    "MAIL FROM:": Stage.MAIL, "RCPT TO:": Stage.RCPT, "DATA": Stage.DATA, "BDAT": Stage.DATA, ".": Stage.DATA,
    "RSET": Stage.RSET, "QUIT": Stage.QUIT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply of a session, the command it answered, and whom that named."""

    reply: str
    stage: Stage | None = None
    recipient: str = ""
    sender: str = ""


def session(text: str) -> list[Refusal]:
    """What a session was refused, in its order, or its last reply where it was refused nothing.

    Empty where the text is no session: it must hold a command and, after it, a reply, and little else.
    """
    lines = [line[:_MAX_LINE] for line in text.splitlines()[:_MAX_LINES] if line.strip()]
    told = list(map(_line, lines))
    spoken = [kind for kind, _ in told if kind]
    if (
        "client" not in spoken
        or "server" not in spoken[spoken.index("client") :]
        or 2 * len(spoken) < len(told)
    ):
        return []
    replies = list(_replies(told))
    return [one for one in replies if one.reply[:1] in "45"] or replies[-1:]


def _line(line: str) -> tuple[str, str]:
    """Who said a line, and what; nobody where it cannot be told."""
    marked = _MARK.compiled.match(line)
    words = line[marked.end() :] if marked else line.strip()
    if marked and marked[0][-1] in "'\"":
        words = _ENDS_QUOTED.compiled.sub("", words)
    by_words = (
        "server" if _REPLY.compiled.match(words) else "client" if _COMMAND.compiled.match(words) else ""
    )
    return (str(marked.lastgroup) if marked and (by_words or marked["client"]) else by_words), words


def _replies(told: list[tuple[str, str]]) -> Iterator[Refusal]:
    """The replies, the lines of one together."""
    stage: Stage | None = Stage.GREETING
    recipient = sender = ""
    answered, mixed = True, False
    lines: list[str] = []
    for kind, words in told:
        if kind == "client" and (command := _COMMAND.compiled.match(words)):
            lines = []
            stage = _STAGES.get(command[1].upper())
            named = _ADDRESS.compiled.search(words)
            who = (named[1] or named[2]) if named else ""
            recipient = who if stage is Stage.RCPT else ""
            sender = who if stage is Stage.MAIL else sender
            mixed, answered = not answered, False  # several at once: whose a reply is, is not told
            if mixed:
                stage, recipient = None, ""
        elif kind == "server" and (reply := _REPLY.compiled.match(words)):
            lines.append(words)
            if reply[2] != "-":
                answered = True
                yield Refusal("\n".join(lines), stage, recipient, sender)
                lines = []
