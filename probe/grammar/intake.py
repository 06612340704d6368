"""What somebody handed over: told from its first bytes, never from its name."""

from __future__ import annotations

import enum
import re

__all__ = ["HEAD", "Kind", "kind_of"]

HEAD = 64 * 1024  # bytes that are looked at to tell


class Kind(enum.StrEnum):
    """What an input is."""

    REPLY = "reply"  # a reply as pasted: the answer to anything else
    LINES = "lines"  # JSON objects with a `reply` key, one a line
    MAIL = "mail"
    MBOX = "mbox"
    POSTFIX = "postfix"
    EXIM = "exim"
    POWERMTA = "powermta"
    QMAIL = "qmail"
    EVENTS = "events"  # JSON events, one a line (KumoMTA, SES by Firehose, SendGrid's export)
    WEBHOOK = "webhook"  # one JSON value
    EMPTY = "empty"


_POSTFIX = re.compile(
    rb"postfix|/(?:smtp|lmtp|pipe|qmgr|local)\[|status=(?:sent|bounced|deferred|expired) \("
)
# What a daemon says stands behind its number, behind the empty fields of RFC 5424, or alone.
_POSTFIX_LINE = re.compile(
    rb"^(?:[^\n]{0,300}(?:\]: | - - ))?"
    rb"(?:\w{4,20}: (?:to|from|client|message-id|uid)=|\w{4,20}: removed|"
    rb"NOQUEUE|warning|(?:dis)?connect from|statistics)",
    re.MULTILINE,
)
# What every delivery of sendmail and of OpenSMTPD says.
_STATED = ((b": to=", b" dsn=", b" stat="), (b" to=<", b" result=", b" stat="))
_QMAIL = re.compile(
    rb"(?:^|\s)(?:starting delivery [0-9]{1,20}: msg |delivery [0-9]{1,20}: (?:success|failure|deferral): )"
)
# Lines of syslog, and of Exim's own log, whatever program wrote them: the mail may come later.
_SYSLOG = re.compile(
    rb"^(?:<[0-9]{1,3}>(?:1 )?)?(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|"
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,16}\S{0,6}) "
    rb"[\w.-]{1,255} [^\n:]{1,100}: ",
    re.MULTILINE,
)
_EXIM_TIME = re.compile(rb"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} ", re.MULTILINE)
_EXIM = re.compile(rb"^[^\n]{10,60} \w{4,16}-\w{4,16}-\w{2,8} (?:\*\*|==|=>|->|<=|Completed)", re.MULTILINE)
_FIELDS = re.compile(
    rb"(?:>?From [^\n]{1,300}\n)?"
    rb"(?:[A-Za-z][A-Za-z0-9-]{1,60}:[^\n]{0,4000}\n(?:[ \t][^\n]{0,4000}\n){0,100}){2,200}"
)
_MAIL_FIELD = re.compile(
    rb"^(?:received|return-path|from|to|subject|date|message-id|mime-version|content-type|delivered-to)\s?:",
    re.IGNORECASE | re.MULTILINE,
)
_JSON = re.compile(rb"\{|\[\s*[\[{\]]")  # a bracket may begin other things, such as a time
_REPLY_KEY = re.compile(rb'"reply"\s*:')


def kind_of(head: bytes) -> Kind:
    """What the bytes begin; `Kind.REPLY` where they begin nothing better known."""
    head = head[:HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head:
        return Kind.EMPTY
    if _JSON.match(head):
        return _json(head)
    first = head.split(b"\n", 1)[0]
    if first[:300].lower().startswith((b"type,", b'"type",')):
        return Kind.POWERMTA
    text = head.replace(b"\r\n", b"\n")
    if (found := _FIELDS.match(text)) and len(set(map(bytes.lower, _MAIL_FIELD.findall(found[0])))) >= 2:
        return Kind.MBOX if text.startswith((b"From ", b">From ")) else Kind.MAIL
    if _QMAIL.search(text):
        return Kind.QMAIL
    if (_POSTFIX.search(text) and _POSTFIX_LINE.search(text)) or _stated(text):
        return Kind.POSTFIX
    lines = text[:8192].count(b"\n")
    if _EXIM.search(text) or (lines > 2 and len(_EXIM_TIME.findall(text[:8192])) >= lines):
        return Kind.EXIM
    if lines > 2 and len(_SYSLOG.findall(text[:8192])) >= lines:
        return Kind.POSTFIX
    return Kind.REPLY


def _stated(text: bytes) -> bool:
    return any(all(word in text for word in words) for words in _STATED)


def _json(head: bytes) -> Kind:
    if head[:1] == b"[":
        return Kind.WEBHOOK
    first, newline, rest = head.partition(b"\n")
    line = first.strip()
    if line.endswith(b"}") and (not newline or not rest.strip() or rest.lstrip()[:1] == b"{"):
        if _REPLY_KEY.search(line[: 16 * 1024]):
            return Kind.LINES
        return Kind.EVENTS if newline and rest.strip() else Kind.WEBHOOK
    if not newline and _REPLY_KEY.search(line[: 16 * 1024]):  # a first line longer than what was looked at
        return Kind.LINES
    return Kind.WEBHOOK
