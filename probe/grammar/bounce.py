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
from probe.grammar.status import MARKS, MAX_RECIPIENTS, address, feedback, status
from probe.grammar.webhook import events, loads

__all__ = ["bounces", "pasted_bounce"]

_COPIES = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/partial"})
# Who reports for a mail server; nobody else is believed without the words of one.
_DAEMON = re.compile(
    r"mailer-?daemon|mail-?daemon|mdaemon|mail delivery|delivery subsystem|mail ?system|postmaster|"
    r"post_master|interscan|microsoftexchange[0-9a-f]{6}",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|deliver|fail|return|bounce|reject|refus|error|problem|unknown|delay|deferred|notification|"
    r"notice|warning|block|could ?n[o']t|could not|unzustellbar|nicht zugestellt|rückläufer|non remis|échec|"
    r"no entregado|devol|mancata|niet bezorgd|não|配信|送信|エラー|退信|退回|возвра|не доставлен|"
    r"edilemedi|dostarcz|nelze doruč|nedoruč|kézbesít|levere|nelivrat|تسليم|전송|배달",
    re.IGNORECASE,
)
_DELAYED = re.compile(r"\bdelay(?:ed)?\b|still being retried|warning: could not send", re.IGNORECASE)
_PLAINLY = re.compile(
    r"(?:could not|cannot|can't|couldn't|wasn't|was not|has not been|not been) (?:be )?deliver|undeliverable|"
    r"was (?:rejected|blocked)",
    re.IGNORECASE,
)
_SPEAKS = re.compile(
    r"deliver|recipient|reject|undeliver|mailbox|mail server|could not be|failed|unknown", re.IGNORECASE
)
_CODED = re.compile(r"^\W{0,6}[45][0-9]{2}[ -]|(?<![\w.])[45]\.[0-9]{1,3}\.[0-9]{1,3}(?![\w.])", re.MULTILINE)
_AWAY = re.compile(
    r"auto.?repl|out of (?:the )?office|vacation|away|autorepl|abwesen|absence|automatic reply|"
    r"automatische antwort|réponse automatique|respuesta automática|fuera de (?:la )?oficina|"
    r"risposta automatica|fuori ufficio|resposta automática|automatisch antwoord|automatiskt svar|"
    r"automatyczna|otomatik yan|автоответ|自動応答|自動返信|自动(?:答复|回复)",
    re.IGNORECASE,
)
# A filter that holds a message back until its sender shows that he is none that it fears.
_CHALLENGE = re.compile(
    r"(?:until|unless|before) you (?:confirm|verify|reply)|requires? (?:that you )?(?:verif|confirm)|"
    r"(?:confirm|verify) (?:that you|your (?:message|identity|e-?mail))",
    re.IGNORECASE,
)
_HELD = re.compile(
    r"not (?:yet )?(?:be )?delivered|(?:held|pending|waiting|awaiting)\b|human being|not a (?:spam|robot)",
    re.IGNORECASE,
)
_COMPLAINT = re.compile(r"\bcomplaint|abuse report|feedback report", re.IGNORECASE)
_MARKUP = re.compile(r"<(?:html|body|div|p|br|table)\b", re.IGNORECASE)
_HANDED = re.compile(
    r"\s*(?:re|aw|antw|sv|vs|fwd?|wg|tr|rv|enc|i|r)\s?(?:\[[0-9]{1,3}\]\s?)?:", re.IGNORECASE
)
_SENT_BY = re.compile(
    r"\W{0,4}(?:from|von|de|da|van|od|от|fra|från|发件人|差出人)\W{0,3}:|.{0,300}(?:wrote|schrieb|écrit|escribió|scritto)\W",
    re.IGNORECASE,
)
_MAX_LINES = 4000  # of what somebody quotes
_MAX_INNER = 3  # bounces that were forwarded as an attachment, inside each other


def bounces(data: bytes, *, depth: int = 0) -> list[Delivery]:
    """The deliveries a mail tells of, in its order; empty where it is no bounce.

    A mail that only carries a bounce (forwarded as an attachment) is read for what it carries.
    """
    letter = mail(data)
    copies = [part for part in letter.parts if part.kind in _COPIES]
    copy = copies[0].text if copies else ""
    found = _feedback(letter, copy) or _receipt(letter) or _status(letter, copy) or _event(letter)
    if not found and not _is_person(letter):
        found = _words(letter, copy)
    if not found and depth < _MAX_INNER and not _is_robot(letter):  # somebody who hands bounces on
        found = [one for each in copies for one in bounces(each.raw, depth=depth + 1)]
    found = found or _words(letter, copy)
    if found and (len(found) >= MAX_RECIPIENTS or letter.cut):
        *others, last = found[:MAX_RECIPIENTS]
        found = [*others, dataclasses.replace(last, cut=True)]
    return found


def pasted_bounce(text: str) -> list[Delivery]:
    """The failures in the pasted body of a bounce, text or HTML; empty where nobody is named."""
    words = plain(text) if "<" in text and _MARKUP.search(text[:65536]) else text
    found = status(words) if _is_status(words) else notice(words)
    told = [one for one in found if "@" in one.recipient and (one.reply or one.enhanced)]
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


# Feedback that is no complaint (RFC 6591, RFC 6430): any other is.
_FEEDBACK = {"auth-failure": "authentication", "not-spam": "delivered"}


def _feedback(letter: Mail, copy: str) -> list[Delivery]:
    """A complaint (RFC 5965) or an authentication report (RFC 6591)."""
    part = next((part for part in letter.parts if part.kind == "message/feedback-report"), None)
    if part is None:
        return _complaint(letter, copy)
    fields = feedback(part.text)
    kind = fields.get("feedback-type", "").lower()
    to, sender = original(copy)
    people = addresses(fields.get("original-rcpt-to", "")) or addresses(fields.get("removal-recipient", ""))
    reporter = fields.get("reporting-mta", "")
    told = Delivery(
        reply=f"{folded(_text(letter), 600)} {fields.get('authentication-results', '')}".strip(),
        action=_FEEDBACK.get(kind, "complaint"),
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


def _receipt(letter: Mail) -> list[Delivery]:
    """A receipt (RFC 8098): the message was shown to its reader, or deleted unread; so it had arrived."""
    part = next((part for part in letter.parts if part.kind == "message/disposition-notification"), None)
    if part is None:
        return []
    fields = dict(fields_of(part.text))
    whom = address(fields.get("original-recipient", "") or fields.get("final-recipient", ""))
    return [Delivery(recipient=whom, reply=folded(_text(letter), 600), action="delivered")]


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
        action=one.action or told.action or "failed",
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
    own = _own(letter, copy)
    if not failed and (answer := _answer(letter, words, own)):
        return [answer]
    if not failed and _is_person(letter):
        words = _retold(words)
        if not words:
            return []
    elif not failed and not _is_bounce(letter, words):
        return []
    to, sender = original(copy)
    found = notice(words, failed=failed, own=own)
    if len(found) == 1 and not found[0].recipient:
        found = [dataclasses.replace(found[0], recipient=whom) for whom in to or [""]]
    waits = bool(_DELAYED.search(letter.header("subject")))
    return [
        dataclasses.replace(
            one,
            sender=one.sender or sender,
            action="delayed" if waits and not one.code.startswith("5") else one.action,
        )
        for one in found
    ]


def _answer(letter: Mail, words: str, own: set[str]) -> Delivery | None:
    """What a program answers in somebody's name (RFC 3834): that he is away, or a challenge."""
    head = words[:8192]
    held = _CHALLENGE.search(head) and _HELD.search(head) and not _CODED.search(head)
    away = _is_away(letter, words)
    if not away and not (held and (letter.header("auto-submitted") or _is_robot(letter))):
        return None
    named = notice(words, own=own)[0].recipient if held else ""
    whom = named or next(iter(addresses(letter.header("from"))), "")
    return Delivery(recipient=whom, reply=folded(words, 600), action="challenge" if held else "vacation")


def _is_away(letter: Mail, words: str) -> bool:
    """Whether the fields of a mail say that nobody wrote it, but somebody who is away.

    A server's refusal may be called an answer as well, but it answers no mail by its subject.
    """
    if _is_robot(letter) or "report" in letter.kind:
        return False
    if any(
        _AWAY.search(letter.header(name)) for name in ("subject", "x-autoreply", "x-auto-response-suppress")
    ):
        return True
    refuses = _SUBJECT.search(letter.header("subject")) and _CODED.search(words[:8192])
    return bool(_AWAY.search(letter.header("auto-submitted"))) and (_is_person(letter) or not refuses)


def _is_robot(letter: Mail) -> bool:
    """Whether a mail says that a mail server wrote it."""
    sender = letter.header("from").strip()
    return sender in {"", "<>"} or bool(_DAEMON.search(sender))


def _is_person(letter: Mail) -> bool:
    """Whether somebody answers or hands on: what he says of deliveries is his own matter."""
    answers = (
        letter.header("in-reply-to") or letter.header("references") or _HANDED.match(letter.header("subject"))
    )
    return bool(answers) and not _is_robot(letter)


def _retold(words: str) -> str:
    """The notice that somebody's mail quotes, without the marks of a quotation; empty where there is none."""
    lines = words.splitlines()[:_MAX_LINES]
    bare = [re.sub(r"^> ?", "", line) for line in lines]
    for at, line in enumerate(bare):
        if _SENT_BY.match(line[:400]) and _DAEMON.search(line[:400]):
            body = next((after for after in range(at, len(bare)) if not bare[after].strip()), len(bare))
            return "\n".join(bare[body:])
    quoted = "\n".join(line for line, was in zip(bare, lines, strict=True) if line != was)
    return quoted if _CODED.search(quoted) or _PLAINLY.search(quoted) else ""


def _is_bounce(letter: Mail, words: str) -> bool:
    """Whether a mail without anything for programs speaks like a bounce.

    A mail server needs one more sign, or an address. Anybody else needs two of three: that nobody is to
    answer, the subject, plain words.
    """
    head = words[:8192]
    clear = bool(_PLAINLY.search(head) or _CODED.search(head))
    subject = bool(_SUBJECT.search(letter.header("subject")))
    if _is_robot(letter):
        return clear or subject or "@" in head or bool(_SPEAKS.search(head))
    return clear + subject + (letter.header("return-path") == "<>") >= 2
