"""What somebody handed over: told from its first bytes, never from its name."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable

__all__ = ["HEAD", "Kind", "binary", "encoding", "kind_of"]

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
    WEBHOOK = "webhook"  # one JSON value, or several; a form that a browser would send
    WRAPPED = "wrapped"  # a log, each line a string of a JSON object (journald, containers)
    TABLE = "table"  # rows of CSV that name recipients (an export, a message trace)
    GZIP = "gzip"
    ZIP = "zip"
    UTF16 = "utf-16"  # as a spreadsheet or an editor saves text
    BINARY = "binary"  # nothing that could be read as text
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
_DIALOGUE = re.compile(rb"^[^\n]{19,60}(?:SERVER -> CLIENT|<-|<\*\*|<<<|S: )", re.MULTILINE)
_FIELDS = re.compile(
    rb"(?:>?From [^\n]{1,300}\n)?"
    rb"(?:[0-9]{1,10} *\n)?"
    rb"(?:[A-Za-z][A-Za-z0-9-]{1,60}:[^\n]{0,65536}\n(?:[ \t][^\n]{0,65536}\n){0,1000}){2,2000}"
)
_MAIL_FIELD = re.compile(
    rb"^(?:received|return-path|from|to|subject|date|message-id|mime-version|content-type|delivered-to)\s?:",
    re.IGNORECASE | re.MULTILINE,
)
_JSON = re.compile(rb"\{(?!')|\[\s*[\[{\]]")  # a bracket may begin other things, such as a time
_WRAPPED = re.compile(
    rb'"(?:__REALTIME_TIMESTAMP|SYSLOG_IDENTIFIER)"|"(?:MESSAGE|message|msg|log|line|_raw|textPayload)"\s*:\s*'
    rb'"[^"\n]{0,200}(?:postfix/|exim|sendmail|sm-mta|qmail|status=|: (?:to|from)=<)'
)
_FORM = re.compile(rb"[\w.%-]{1,60}=[^\s&]{0,65536}(?:&[\w.%-]{1,60}=[^\s&]{0,65536}){0,1000}\s*\Z")
# How files begin that hold no text, and what is said of them.
_MAGIC = {
    b"\xd0\xcf\x11\xe0": "it is an Outlook message (.msg) or an Office file; save the mail as .eml",
    b"%PDF-": "it is a PDF; hand over the mail or the text itself",
    b"\x89PNG": "it is a picture; hand over the text itself",
    b"\xff\xd8\xff": "it is a picture; hand over the text itself",
    b"GIF8": "it is a picture; hand over the text itself",
    b"(\xb5/\xfd": "it is compressed (zstd); unpack it first",
    b"\xfd7zXZ": "it is compressed (xz); unpack it first",
    b"BZh": "it is compressed (bzip2); unpack it first",
    b"7z\xbc\xaf": "it is an archive (7z); unpack it first",
    b"Rar!": "it is an archive (rar); unpack it first",
}
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
_REPLY_KEY = re.compile(rb'"reply"\s*:')


def kind_of(head: bytes) -> Kind:
    """What the bytes begin; `Kind.REPLY` where they begin nothing better known."""
    if encoding(head):
        return Kind.UTF16
    text = head[:HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().replace(b"\r\n", b"\n")
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    kinds = (kind(text) if callable(kind) else kind for begins, kind in _SIGNS if begins(text))
    return next(kinds, Kind.REPLY)


def binary(head: bytes) -> str:
    """What is to be said of bytes that hold no text; empty where they may."""
    head = head[:1024]
    for magic, words in _MAGIC.items():
        if head.startswith(magic):
            return words
    strange = len(head) - len(head.translate(None, _CONTROL))
    return "it is no text" if len(head) > 100 and strange > len(head) // 10 else ""


def encoding(head: bytes) -> str:
    """The encoding of text that is none of the ASCII family; empty where it is."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = head[:400:2], head[1:400:2]
    if len(odd) > 8 and not odd.strip(b"\0") and even.strip(b"\0"):
        return "utf-16-le"
    return "utf-16-be" if len(odd) > 8 and not even.strip(b"\0") and odd.strip(b"\0") else ""


def _is_table(text: bytes) -> bool:
    if b"\n" not in text:
        return False
    from probe.grammar.table import is_table  # noqa: PLC0415 -- a reply of one line is none

    return is_table(text)


def _is_mail(text: bytes) -> bool:
    """Whether fields begin it, two of them such as mails have."""
    found = _FIELDS.match(text)
    return found is not None and len(set(map(bytes.lower, _MAIL_FIELD.findall(found[0])))) >= 2


def _is_postfix(text: bytes) -> bool:
    return bool(_POSTFIX.search(text) and _POSTFIX_LINE.search(text)) or any(
        all(word in text for word in words) for words in _STATED
    )


def _all_begin(text: bytes, time: re.Pattern[bytes]) -> bool:
    """Whether every line, of at least three, begins with a time."""
    lines = text[:8192].count(b"\n")
    return lines > 2 and len(time.findall(text[:8192])) >= lines


def _json(head: bytes) -> Kind:
    if head[:1] == b"{" and _WRAPPED.search(head):
        return Kind.WRAPPED
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


# How each kind begins; the first that does counts.
_SIGNS: tuple[tuple[Callable[[bytes], object], Kind | Callable[[bytes], Kind]], ...] = (
    (lambda text: not text, Kind.EMPTY),
    (lambda text: text.startswith(b"\x1f\x8b"), Kind.GZIP),
    (lambda text: text.startswith(b"PK\x03\x04"), Kind.ZIP),
    (binary, Kind.BINARY),
    (_JSON.match, _json),
    (lambda text: _FORM.match(text) and b"@" in text.replace(b"%40", b"@"), Kind.WEBHOOK),
    (lambda text: text[:300].lower().startswith((b"type,", b'"type",')), Kind.POWERMTA),
    (_is_mail, lambda text: Kind.MBOX if text.startswith((b"From ", b">From ")) else Kind.MAIL),
    (_QMAIL.search, Kind.QMAIL),
    (_is_postfix, Kind.POSTFIX),
    (_is_table, Kind.TABLE),
    (_EXIM.search, Kind.EXIM),
    (lambda text: _all_begin(text, _EXIM_TIME) and not _DIALOGUE.search(text), Kind.EXIM),
    (lambda text: _all_begin(text, _SYSLOG), Kind.POSTFIX),
)
