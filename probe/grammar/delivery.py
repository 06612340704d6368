"""What others tell of a delivery: one attempt, one recipient, in the words of whoever reported it.

Bounce mails, mail logs and webhooks all come down to a `Delivery`. Nothing is concluded here; what a report
does not say stays empty.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from probe.facts import Stage

__all__ = ["MAX_REPLY", "Delivery", "codes", "folded", "seconds", "spoken", "stage_of", "unrepeated"]

MAX_REPLY = 4096  # characters of a reply that are kept

_MILLISECONDS = 1e11  # what is more than this counts them: in seconds it would be after the year 5138
_LAST = 253_402_300_800.0  # the end of the year 9999
_NUMBER = re.compile(r"[0-9]{9,13}(?:\.[0-9]{1,9})?\Z")

# The code may be glued to what follows ("550-5.1.1", "550:", "(#5.1.1)"), never to a digit or a dot.
_CODE = re.compile(r"(?<![\w.:/@+-])([2-5][0-57][0-9])(?=[ \-:_,;)\]']|$)")
_ENHANCED = re.compile(r"(?<![\w.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![\w]|\.[0-9])")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver to one recipient, as a mail, a log or a webhook tells it.

    `action` is a word of RFC 3464 section 2.3.3 (failed, delayed, delivered, relayed, expanded) or one of
    complaint, authentication, vacation, challenge; empty where the report does not say. `reply` is the remote
    server's text, or the reporter's own where no server answered. `at` is seconds since the epoch, 0 where
    unknown. `unread` tells that a mail came with it that may say more, and was one too many to be read;
    `cut` that the report goes on behind this one, the last that was read of it. `original` is the recipient
    that the sender wrote to, where the message was handed on to another.
    """

    recipient: str = ""
    reply: str = ""
    action: str = ""
    code: str = ""
    enhanced: str = ""
    stage: Stage | None = None
    sender: str = ""
    remote_mta: str = ""
    reporting_mta: str = ""
    source_ip: str = ""
    at: float = 0.0
    unread: bool = False
    cut: bool = False
    original: str = ""


def folded(text: str, limit: int = MAX_REPLY) -> str:
    """Text on one line, white space folded, at most `limit` characters."""
    return " ".join(text[: 4 * limit].split())[:limit].rstrip()


def codes(text: str) -> tuple[str, str]:
    """The reply code and the enhanced status code that stand first in a text; empty where there is none."""
    head = text[:MAX_REPLY]
    code, enhanced = _CODE.search(head), _ENHANCED.search(head)
    return code[1] if code else "", enhanced[1] if enhanced else ""


# The command a reply answered, in the words of the programs that report it.
_STAGES = (
    (Stage.RCPT, r"rcpt[ _]to\b|\brcpt command|\[rcpt_to\]|\brcpt\b"),
    (Stage.MAIL, r"mail[ _]from\b|\bmail command|\[mail_from\]"),
    (
        Stage.DATA,
        r"end of data|\bdata\b[^.]{0,20}command|pipelined data|final data|after data|\[data\]|\bdata\b:?$",
    ),
    (Stage.STARTTLS, r"starttls"),
    (Stage.EHLO, r"\b(?:ehlo|helo)\b"),
    (Stage.AUTH, r"\bauth command"),
    (
        Stage.GREETING,
        r"initial connection|server greeting|(?:receiving|performing) the (?:initial )?greeting",
    ),
    (Stage.CONNECT, r"^connect\b|connect to "),
)
_STAGE = tuple((stage, re.compile(words, re.IGNORECASE)) for stage, words in _STAGES)


def stage_of(words: str) -> Stage | None:
    """The stage that a reporter's words name, such as ``end of DATA command`` or ``after RCPT TO``."""
    head = words[:400]
    return next((stage for stage, pattern in _STAGE if pattern.search(head)), None)


def unrepeated(text: str, code: str) -> str:
    """A reply of several lines on one line: the code, repeated before every line, stays only in front."""
    if not code or text.count(code) < 2 or not text.startswith(code):
        return text
    # Reporters put the code in front of the reply, each of them once more; a peer, as often as it likes.
    if opening := re.match(rf"(?:{code}\s*)+(?={code})", text):
        text = text[opening.end() :]
    return re.sub(rf"(?<=\s){code}(?:-|\s)(?:[245]\.[0-9]{{1,3}}\.[0-9]{{1,3}}\s)?\s*", "", text)


_REPORTED = re.compile(r"\(in reply to (?:the )?(?:end of )?[^()]{1,60}\)?\s*$")
_SAID = re.compile(
    r"host \S{1,300} (?:said|refused to talk to me): |"
    r"(?:(?:host )?\S{1,255} \[[^\]]{3,45}\]: )?"
    r"SMTP error from remote mail server after [^:]{1,80}(?::<[^>]{0,320}>)?(?: SIZE=[0-9]{1,12})?: "
)


# What qmail adds to a server's last words.
_GIVEN_UP = re.compile(r"[ /]Giving up on [^\s/]{1,255}/?$")


def spoken(said: str) -> tuple[str, Stage | None]:
    """The server's own words in a log's text, and the command they answered."""
    text = _GIVEN_UP.sub("", folded(said))
    stage: Stage | None = None
    if found := _REPORTED.search(text):
        stage = stage_of(found[0])
        text = text[: found.start()].rstrip()
    if found := _SAID.match(text):
        stage = stage or (Stage.GREETING if "refused to talk" in found[0] else stage_of(found[0]))
        text = text[found.end() :]
    return text, stage


def seconds(value: object) -> float:
    """Seconds since the epoch in a number (of seconds or milliseconds) or an ISO 8601 text.

    0 where it is neither, and where no calendar has such a moment (``1e999``, ``NaN``, 400 digits).
    """
    try:
        if not isinstance(value, (int, float)):
            text = value[:40].strip() if isinstance(value, str) else ""
            value = float(text) if _NUMBER.match(text) else dt.datetime.fromisoformat(text).timestamp()
        at = float(value)
    except (ValueError, OverflowError):
        return 0.0
    at = at / 1000 if at > _MILLISECONDS else at
    return at if 0 < at < _LAST else 0.0
