"""How to read a bounce mail: one `Delivery` for each recipient that failed, was delayed or complained.

First what is meant for programs (RFC 3464 delivery status, RFC 5965 feedback, X-Failed-Recipients, a JSON
event), then what is meant for people; the second fills the gaps of the first. A mail that is no bounce gives
nothing.
"""

from __future__ import annotations

import dataclasses
import re

from probe.grammar.delivery import Delivery, codes, folded
from probe.grammar.mime import STATUS, Mail, fields_of, mail, plain
from probe.grammar.notice import addresses, notice, original
from probe.grammar.status import MARKS, address, feedback, status
from probe.grammar.webhook import events, loads

__all__ = ["bounces", "pasted_bounce"]

_COPIES = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/partial"})
_DAEMON = re.compile(
    r"mailer-?daemon|mail-?daemon|mdaemon|mail delivery|delivery subsystem|mail ?system|postmaster|"
    r"post_master|bounce|no-?reply|interscan",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|deliver|fail|return|bounce|reject|refus|error|problem|unknown|delay|deferred|notification|"
    r"notice|warning|could ?n[o']t|could not|unzustellbar|nicht zugestellt|rückläufer|non remis|échec|"
    r"no entregado|devol|mancata|niet bezorgd|não|配信|送信|エラー|退信|退回|возвра|не доставлен",
    re.IGNORECASE,
)
_PLAINLY = re.compile(
    r"(?:could not|cannot|can't|couldn't|wasn't|was not) (?:be )?deliver|undeliverable|was rejected",
    re.IGNORECASE,
)
_SPEAKS = re.compile(
    r"deliver|recipient|reject|undeliver|mailbox|mail server|could not be|failed|unknown", re.IGNORECASE
)
_AWAY = re.compile(r"auto.?repl|out of (?:the )?office|vacation|away|autorepl|abwesen|absence", re.IGNORECASE)
_COMPLAINT = re.compile(r"\bcomplaint|abuse report|feedback report", re.IGNORECASE)
_MARKUP = re.compile(r"<(?:html|body|div|p|br|table)\b", re.IGNORECASE)
_MAX_INNER = 3  # bounces that were forwarded as an attachment, inside each other


def bounces(data: bytes, *, depth: int = 0) -> list[Delivery]:
    """The deliveries a mail tells of, in its order; empty where it is no bounce.

    A mail that only carries a bounce (forwarded as an attachment) is read for what it carries.
    """
    letter = mail(data)
    copy = next((part.text for part in letter.parts if part.kind in _COPIES), "")
    found = _feedback(letter, copy) or _status(letter, copy) or _event(letter) or _words(letter, copy)
    if not found and copy and depth < _MAX_INNER:
        return bounces(copy.encode("utf-8", "surrogateescape"), depth=depth + 1)
    return found


def pasted_bounce(text: str) -> list[Delivery]:
    """The failures in the pasted body of a bounce, text or HTML; empty where nobody is named."""
    words = plain(text) if "<" in text and _MARKUP.search(text[:65536]) else text
    found = status(words) if _is_status(words) else notice(words)
    told = [one for one in found if "@" in one.recipient and one.reply]
    return [dataclasses.replace(one, action=one.action or "failed") for one in told]


# -- the parts of a mail -----------------------------------------------------------------------------


def _text(letter: Mail) -> str:
    """The words for people: the plain parts, else the HTML ones made plain."""
    words = [part.text for part in letter.parts if part.kind == "text/plain" and part.text.strip()]
    if not words:
        words = [plain(part.text) for part in letter.parts if part.kind == "text/html"]
    if not words:
        words = [part.text for part in letter.parts if part.kind.startswith("text/")]
    return "\n\n".join(words[:6])


def _own(letter: Mail, copy: str) -> set[str]:
    """Addresses that are no recipients of the failed message: its sender and the reporter."""
    fields = ("to", "from", "return-path", "delivered-to", "x-original-to", "reply-to")
    own = {one.lower() for name in fields for one in addresses(letter.header(name))}
    return (own | {original(copy)[1].lower()}) - {""}


# -- what is meant for programs ----------------------------------------------------------------------


def _feedback(letter: Mail, copy: str) -> list[Delivery]:
    """A complaint (RFC 5965) or an authentication report (RFC 6591)."""
    part = next((part for part in letter.parts if part.kind == "message/feedback-report"), None)
    if part is None:
        return _complaint(letter, copy)
    fields = feedback(part.text)
    to, sender = original(copy)
    people = addresses(fields.get("original-rcpt-to", "")) or addresses(fields.get("removal-recipient", ""))
    reporter = fields.get("reporting-mta", "")
    told = Delivery(
        reply=f"{folded(_text(letter), 600)} {fields.get('authentication-results', '')}".strip(),
        action="authentication" if fields.get("feedback-type", "") == "auth-failure" else "complaint",
        sender=address(fields.get("original-mail-from", "")) or sender,
        reporting_mta=(reporter.partition(";")[2] or reporter).strip(),
        source_ip=fields.get("source-ip", "").split(" ")[0].strip("[]"),
    )
    return [dataclasses.replace(told, recipient=one) for one in people or to[:1] or [""]]


def _complaint(letter: Mail, copy: str) -> list[Delivery]:
    """A complaint that is nothing but the message and a subject, as older feedback loops send it."""
    if not copy or not _COMPLAINT.search(letter.header("subject")) or _DAEMON.search(letter.header("from")):
        return []
    to, sender = original(copy)
    whom = address(dict(fields_of(copy)).get("x-hmxmroriginalrecipient", "")) or next(iter(to), "")
    words = folded(f"{letter.header('subject')} {_text(letter)}", 600)
    return [Delivery(recipient=whom, reply=words, action="complaint", sender=sender)]


def _status(letter: Mail, copy: str) -> list[Delivery]:
    """A delivery status, wherever it stands: some reporters send it as plain text."""
    texts = [part.text for part in letter.parts if part.kind in STATUS]
    if not texts:
        texts = [part.text for part in letter.parts if part.kind == "text/plain" and _is_status(part.text)]
    found = [one for text in texts for one in status(text)]
    if not found:
        return []
    to, sender = original(copy)
    told: dict[str, Delivery] = {}
    if len(found) < 50 or not all(one.reply for one in found):
        failed = [one.recipient for one in found if "@" in one.recipient]
        read = notice(_text(letter), failed=failed, own=_own(letter, copy))
        told = {one.recipient.lower(): one for one in read}
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
    head = "\n" + text[:65536].lower()
    return any(f"\n{mark}" in head for mark in MARKS) and ("\naction:" in head or "\nstatus:" in head)


def _event(letter: Mail) -> list[Delivery]:
    """A webhook's event that was sent by mail; what follows the value (a footer) is left alone."""
    words = _text(letter).lstrip().replace("!\n ", "")  # how sendmail breaks a line that is too long
    if words[:1] != "{" or not (end := words.rfind("}")):
        return []
    for text in (words[: end + 1], words.split("\n--", 1)[0]):
        try:
            return events(loads(text))
        except ValueError:
            continue
    return []


# -- what is meant for people ------------------------------------------------------------------------


def _words(letter: Mail, copy: str) -> list[Delivery]:
    words = _text(letter)
    failed = addresses(letter.header("x-failed-recipients"))
    if not failed and _is_answer(letter):
        sender = next(iter(addresses(letter.header("from"))), "")
        return [Delivery(recipient=sender, reply=folded(words, 600), action="vacation")]
    if not failed and not _is_bounce(letter, words):
        return []
    to, sender = original(copy)
    found = notice(words, failed=failed, own=_own(letter, copy))
    if len(found) == 1 and not found[0].recipient:
        found = [dataclasses.replace(found[0], recipient=whom) for whom in to or [""]]
    return [dataclasses.replace(one, sender=one.sender or sender, action="failed") for one in found]


def _is_answer(letter: Mail) -> bool:
    """Whether a program answered in somebody's name (RFC 3834)."""
    if _DAEMON.search(letter.header("from")) or "report" in letter.kind:
        return False
    signs = ("auto-submitted", "subject", "x-autoreply", "x-auto-response-suppress")
    return any(_AWAY.search(letter.header(name)) for name in signs)


def _is_bounce(letter: Mail, words: str) -> bool:
    """Whether a mail without anything for programs speaks like a bounce: at least two signs of four."""
    sender = letter.header("from").strip()
    robot = sender in {"", "<>"} or bool(_DAEMON.search(sender)) or letter.header("return-path") == "<>"
    subject = bool(_SUBJECT.search(letter.header("subject")))
    head = words[:8192]
    speaks = bool(_SPEAKS.search(head)) or any(codes(head))
    return robot + subject + speaks + bool(_PLAINLY.search(head)) >= 2
