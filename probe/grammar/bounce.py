"""How to read a bounce mail: one `Delivery` for each recipient that failed, was delayed or complained.

First what is meant for programs (RFC 3464 delivery status, RFC 5965 feedback, X-Failed-Recipients), then what is
meant for people; the second fills the gaps of the first. A mail that is no bounce gives nothing.
"""

from __future__ import annotations

import dataclasses
import re

from probe.grammar.delivery import Delivery, codes, folded
from probe.grammar.mime import Mail, fields_of, mail, plain
from probe.grammar.notice import addresses, notice, original
from probe.grammar.status import MARKS, address, feedback, status

__all__ = ["bounces", "pasted_bounce"]

_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_COPIES = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/partial"})
_DAEMON = re.compile(
    r"mailer-?daemon|mail delivery|postmaster|post_master|bounce|mail ?system|<>|mail-?daemon|no-?reply|delivery subsystem|interscan|mdaemon",
    re.I,
)
_SUBJECT = re.compile(
    r"undeliver|deliver|fail|return|bounce|reject|refus|error|unzustellbar|could ?n[o']t|could not|non remis|no entregado|"
    r"mancata|nicht zugestellt|niet bezorgd|problem|unknown|delay|deferred|notification|notice|warning|"
    r"配信|送信|エラー|退信|退回|возвра|не доставлен|não|devol|échec|rückläufer",
    re.I,
)
_AWAY = re.compile(r"auto.?repl|out of (?:the )?office|vacation|away|autorepl|abwesen|absence", re.I)
_COMPLAINT = re.compile(r"\bcomplaint|abuse report|feedback report", re.I)
_MAX_INNER = 3


def bounces(data: bytes, *, depth: int = 0) -> list[Delivery]:
    """The deliveries a mail tells of, in its order; empty where it is no bounce.

    A mail that only carries a bounce (forwarded as an attachment) is read for what it carries.
    """
    letter = mail(data)
    copy = next((part.text for part in letter.parts if part.kind in _COPIES), "")
    found = _feedback(letter, copy) or _status(letter, copy) or _words(letter, copy)
    if not found and copy and depth < _MAX_INNER:
        return bounces(copy.encode("utf-8", "surrogateescape"), depth=depth + 1)
    return found


def _own(letter: Mail, copy: str) -> set[str]:
    """Addresses that are no recipients of the failed message: its sender and the reporter."""
    fields = ("to", "from", "return-path", "delivered-to", "x-original-to", "reply-to")
    return {one.lower() for name in fields for one in addresses(letter.header(name))} | {
        original(copy)[1].lower()
    } - {""}


def _text(letter: Mail) -> str:
    """The words for people: the plain parts, else the HTML ones made plain."""
    kinds = [part for part in letter.parts if part.kind == "text/plain" and part.text.strip()]
    if words := "\n\n".join(part.text for part in kinds[:6]):
        return words
    if letter.kind == "text/html" or any(part.kind == "text/html" for part in letter.parts):
        return "\n\n".join(plain(part.text) for part in letter.parts[:6] if part.kind == "text/html")
    return "\n\n".join(part.text for part in letter.parts[:3] if part.kind.startswith("text/"))


def _feedback(letter: Mail, copy: str) -> list[Delivery]:
    """A complaint or an authentication report (RFC 5965, RFC 6591)."""
    part = next((part for part in letter.parts if part.kind == "message/feedback-report"), None)
    to, sender = original(copy)
    if (
        part is None
        and copy
        and _COMPLAINT.search(letter.header("subject"))
        and not _DAEMON.search(letter.header("from"))
    ):
        whom = address(dict(fields_of(copy)).get("x-hmxmroriginalrecipient", "")) or next(iter(to), "")
        words = folded(f"{letter.header('subject')} {_text(letter)}", 600)
        return [Delivery(recipient=whom, reply=words, action="complaint", sender=sender)]
    if part is None:
        return []
    fields = feedback(part.text)
    whom = (
        addresses(fields.get("original-rcpt-to", "")) or addresses(fields.get("removal-recipient", "")) or to
    )
    words = folded(_text(letter), 600)
    if details := fields.get("authentication-results", ""):
        words = f"{words} {details}".strip()
    return [
        Delivery(
            recipient=one,
            reply=words,
            action="complaint",
            sender=address(fields.get("original-mail-from", "")) or sender,
            reporting_mta=(
                fields.get("reporting-mta", "").partition(";")[2] or fields.get("reporting-mta", "")
            ).strip(),
            source_ip=fields.get("source-ip", "").split(" ")[0].strip("[]"),
        )
        for one in people or [""]
    ]


def _status(letter: Mail, copy: str) -> list[Delivery]:
    """A delivery status, wherever it stands: some reporters send it as plain text."""
    texts = [part.text for part in letter.parts if part.kind in _STATUS]
    if not texts:
        texts = [
            part.text for part in letter.parts if part.kind.startswith("text/plain") and _is_status(part.text)
        ]
    found = [one for text in texts for one in status(text)]
    if not found:
        return []
    to, sender = original(copy)
    own = _own(letter, copy)
    words = _text(letter)
    missing = any(not one.reply for one in found)
    failed = [one.recipient for one in found if "@" in one.recipient]
    told = (
        {one.recipient.lower(): one for one in notice(words, failed=failed, own=own)}
        if missing or len(found) < 50
        else {}
    )
    anybody = next(iter(told.values()), Delivery())
    return [_filled(one, told.get(one.recipient.lower(), anybody), to, sender) for one in found]


def _filled(one: Delivery, told: Delivery, to: list[str], sender: str) -> Delivery:
    """A status completed by what the words say; the status is believed where both speak."""
    reply = one.reply or told.reply
    code, enhanced = codes(reply)
    whom = one.recipient or told.recipient
    return dataclasses.replace(
        one,
        recipient=whom if "@" in whom else next(iter(to), whom),
        reply=reply,
        code=one.code or code,
        enhanced=one.enhanced or enhanced,
        stage=one.stage or told.stage,
        sender=one.sender or sender,
        remote_mta=one.remote_mta or told.remote_mta,
        reporting_mta=one.reporting_mta or told.reporting_mta,
        action=one.action or "failed",
    )


def _is_status(text: str) -> bool:
    head = text[:65536].lower()
    return sum(f"\n{mark}" in f"\n{head}" for mark in MARKS) >= 1 and (
        "\naction:" in head or "\nstatus:" in head
    )


def _words(letter: Mail, copy: str) -> list[Delivery]:
    """A notice for people."""
    words = _text(letter)
    failed = [one for value in (letter.header("x-failed-recipients"),) for one in addresses(value)]
    robot = _DAEMON.search(letter.header("from"))
    away = (
        None
        if robot
        else _AWAY.search(
            letter.header("auto-submitted") + letter.header("subject") + letter.header("x-autoreply")
        )
    )
    if away and not failed and "report" not in letter.kind:
        sender = next(iter(addresses(letter.header("from"))), "")
        return [Delivery(recipient=sender, reply=folded(words, 600), action="vacation")]
    if not failed and not _is_bounce(letter, words):
        return []
    to, sender = original(copy)
    found = notice(words, failed=failed, own=_own(letter, copy))
    if len(found) == 1 and not found[0].recipient:
        found = [dataclasses.replace(found[0], recipient=whom) for whom in to or [""]]
    return [
        dataclasses.replace(one, sender=one.sender or sender, action=one.action or "failed") for one in found
    ]


def _is_bounce(letter: Mail, words: str) -> bool:
    """Whether a mail without anything for programs speaks like a bounce: at least two of three signs."""
    robot = (
        bool(_DAEMON.search(letter.header("from")))
        or letter.header("from").strip() in {"", "<>"}
        or letter.header("return-path") == "<>"
    )
    subject = bool(_SUBJECT.search(letter.header("subject")))
    head = words[:8192]
    speaks = bool(
        re.search(
            r"(?:deliver|recipient|reject|undeliver|mailbox|mail server|could not be|failed|unknown)",
            head,
            re.I,
        )
    )
    return robot + subject + (speaks or any(codes(head))) >= 2


def pasted_bounce(text: str) -> list[Delivery]:
    """The failures in the body of a bounce that somebody pasted (text or HTML); empty where nobody is named."""
    words = plain(text) if "<" in text and re.search(r"<(?:html|body|div|p|br|table)\b", text[:65536], re.I) else text
    found = status(words) if _is_status(words) else notice(words)
    return [dataclasses.replace(one, action=one.action or "failed") for one in found if "@" in one.recipient and one.reply]
