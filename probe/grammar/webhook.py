"""How to read the events of sending services: JSON in, one `Delivery` for each recipient out.

No vendor's schema is followed; they change, and they say the same things under some thirty names. An object
that names a recipient and says something about a delivery is an event; what stands above it holds for it.
Amazon SES and SNS, SendGrid, Mailgun, Postmark, SparkPost, Mandrill, KumoMTA, Smartlead and Instantly are
read this way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from probe.grammar.delivery import Delivery, codes, folded, seconds, stage_of

__all__ = ["MAX_EVENTS", "MAX_NOTICES", "events", "loads", "values"]

MAX_EVENTS = 100_000
MAX_DEPTH = 16
MAX_NESTED = 1024 * 1024  # characters of JSON inside a JSON string
MAX_NOTICES = 16 * 1024 * 1024  # characters that are read of the mails that the events of one value carry

# Names, reduced to lower-case letters and digits, by what they hold; the first that is there counts.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "recipient": (
        "originalrcptto", "bouncedrecipient", "emailaddress", "recipient", "rcptto", "rcpt", "toemail",
        "leademail", "originalrecipient", "email", "to", "recipients", "address", "destination",
        "recipientaddress", "emailto", "bouncerecipients",
    ),
    "text": (
        "diagnosticcode", "dsndiag", "smtpresponse", "content", "diag", "rawreason", "details", "reason",
        "bouncetext", "message", "response", "error", "description", "bouncereason", "bouncedescription",
        "diagnosticmessage", "output", "smtpreply", "errormessage", "recipientstatus", "detail",
        "emailresponsemessage", "eventdescription", "reply", "comment", "comments", "bouncesubtype",
    ),
    "status": ("dsnstatus", "enhancedcode", "enhancedsmtpcode", "status", "dsn"),
    "code": ("smtpcode", "errorcode", "code", "smtpstatus", "emailresponsecode", "eventsmtpreplycode"),
    "event": (
        "notificationtype", "eventtype", "event", "eventname", "eventid", "eventstatus", "recordtype",
        "dsnaction", "type", "action",
    ),
    "degree": ("severity", "bouncetype"),
    "feedback": ("feedbacktype", "fbtype", "complaintfeedbacktype"),
    "sender": (
        "originalmailfrom", "envelopesender", "mailfrom", "fromemail", "emailaccount", "source", "sender",
        "orig", "from", "friendlyfrom", "senderemail", "senderaddress", "emailfrom",
    ),
    "remote": ("mxhost", "dsnmta", "remotemta", "remotemtaip", "mx", "peeraddress", "destinationhost"),
    "reporter": ("reportingmta", "reportingserver", "nodeid"),
    "ip": ("dlvsourceip", "sendingip", "sourceip", "egresssource", "ip"),
    "at": ("timestamp", "eventtimestamp", "bouncedat", "timelogged", "eventtime", "ts", "at"),
    "command": ("command", "context"),
    "html": ("html", "bouncereplyemail", "emailtext", "textbody", "bodytext", "body"),
}  # fmt: skip
_FIELD = {name: (field, rank) for field, names in _NAMES.items() for rank, name in enumerate(names)}
# Whose message a complaint is about: around it stand the mailboxes that complaints are sent from and to.
_ABOUT = frozenset({"originalrcptto", "originalmailfrom"})
_ASKED_BY = ("sourceip", "mail")  # Amazon SES: the address of whoever asked it to send
_NO_TEXT = frozenset(
    {"general", "undetermined", "generic", "bounce", "old"}
)  # words for a reason that is not known
# Children that describe their parent rather than another recipient.
_INNER = frozenset(
    {"deliverystatus", "response", "bounce", "envelope", "bouncemessage", "messageevent", "msg", "mail",
     "delivery", "complaint", "peeraddress", "msys", "event", "failed", "deliverydelay", "reject", "data",
     "payload", "message", "originalmessage", "recipient", "email", "morph", "feedbackreport", "object",
     "contactfields", "messagefields"}
)  # fmt: skip
_ACTIONS = (
    ("challenge", re.compile(r"challenge")),
    ("vacation", re.compile(r"auto_?respon|auto_?repl|out_?of_?office|vacation")),
    ("complaint", re.compile(r"complain|spam_?report|^(?:marked_as_)?spam$|abuse|feedback|\bfbl\b")),
    ("delivered", re.compile(r"^(?:[a-z]+\.)?deliver(?:y|ed)?$|^sent$|^d$")),
    ("delayed", re.compile(r"defer|delay|transient|temporary|soft|pending|^t$|^tq$")),
    ("failed", re.compile(r"bounce|fail|drop|reject|expir|undeliver|hard|block|error|^b$|^rb$|^r$|invalid")),
)  # fmt: skip
# What happens to a message before and after its delivery, and says nothing about it.
_OTHER = re.compile(
    r"recept|accept|process|queue|inject|open|click|subscri|unsub|render|creat|amp|^send$|link|replied|reply|^r$"
)
_DEGREE = re.compile(r"temporary|transient|soft", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![0-9.])[245][0-57][0-9](?![0-9.])")  # services have numbers of their own, too
_BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")  # what separates values that stand one after the other
_PLAIN = re.compile(r"[^a-z0-9]")
_ADDRESS = re.compile(r"[^\s<>,;\"]{1,250}@[^\s<>,;\"]{1,250}")


def loads(text: str | bytes) -> object:
    """The JSON value that `text` is; ValueError where it is none, or one too deep to be meant."""
    try:
        return json.loads(text, strict=False)  # mail breaks long lines inside strings
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def values(text: str) -> tuple[list[object], int]:
    """The JSON values that stand one after the other in `text`, and where something stands that is none.

    A list that was cut off gives the values that are whole. The place is the end of `text` where all is read.
    """
    read = json.JSONDecoder(strict=False).raw_decode
    found: list[object] = []
    at = _BETWEEN.match(text).end()  # type: ignore[union-attr]  # it may match nothing, and so always matches
    while at < len(text) and len(found) < MAX_EVENTS:
        try:
            value, at = read(text, at)
        except (ValueError, RecursionError):
            return found, at
        found.append(value)
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # as above
    return found, at


def events(value: object) -> list[Delivery]:
    """What a JSON value tells of deliveries, in its order; empty where it tells nothing of one."""
    found: list[Delivery] = []
    for one in _walk(value, {}, 0, _Mails(MAX_NOTICES)):
        found.append(one)
        if len(found) == MAX_EVENTS:
            break
    return found


@dataclass(slots=True)
class _Mails:
    """The mails that events carry, which take a thousand times as long to read as an event."""

    left: int  # characters that are still read

    def reply(self, html: str) -> str | None:
        """The reply that a mail tells, empty where it tells none; None where enough has been read."""
        from probe.grammar.mime import MAX_TEXT, plain  # noqa: PLC0415 -- few events carry a mail
        from probe.grammar.notice import notice  # noqa: PLC0415

        html = html[:MAX_TEXT]
        if len(html) > self.left:
            return None
        self.left -= len(html)
        told = notice(plain(html) if "<" in html else html[:65536])
        return max((one.reply for one in told), key=lambda reply: bool(codes(reply)[0]), default="")


def _walk(
    value: object, above: Mapping[str, object], depth: int, mails: _Mails, *, listed: bool = False
) -> Iterator[Delivery]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, str):
        if (inner := _nested(value)) is not None:
            yield from _walk(inner, above, depth + 1, mails)
    elif isinstance(value, list):
        for one in value:
            yield from _walk(one, above, depth + 1, mails, listed=listed)
    elif isinstance(value, dict):
        own: dict[str, tuple[int, object]] = {}
        _collect(value, own, 0)
        known = {**above, **{field: what for field, (_, what) in own.items()}}
        found = False
        for name, child in _children(value):
            for one in _walk(child, known, depth + 1, mails, listed=name.endswith("recipients")):
                found = True
                yield one
        tells = own.keys() & {"text", "status", "event", "html"} or (listed and "event" in above)
        if not found and "recipient" in own and tells:
            yield from _deliveries(known, mails)


def _children(node: dict[str, object]) -> Iterator[tuple[str, object]]:
    """What stands below an object and may be events of their own, with its name."""
    for name, child in node.items():
        plain = _plain(name)
        if isinstance(child, list) and any(isinstance(one, dict) for one in child[:4]):
            yield plain, child
        elif isinstance(child, dict):
            yield from _children(child) if plain in _INNER else ((plain, child),)
        elif isinstance(child, str) and child[:1] in ("{", "[") and len(child) > 20:
            yield plain, child


def _collect(
    node: dict[str, object], own: dict[str, tuple[int, object]], depth: int, within: str = ""
) -> None:
    """The fields of an object and of the children that describe it; names that mean more win."""
    for name, held in node.items():
        plain = _plain(name)
        field, rank = _FIELD.get(plain, ("", 0))
        if isinstance(held, dict) and plain in _INNER and plain != "peeraddress" and depth < 3:
            _collect(held, own, depth + 1, plain)
            continue
        what = _flat(held, plain)
        if not field or not _tells(field, what) or (plain, within) == _ASKED_BY:
            continue
        if field == "text":
            rank -= 1000 * any(codes(str(what)[:200]))  # the text that holds the codes is the reply
        else:
            rank += -1000 if plain in _ABOUT else 100 * depth
        worse = own.get(field)
        if worse is None or rank < worse[0]:
            own[field] = rank, what
        else:
            worse = rank, what
        if field == "event" and worse:  # of two words for what happened one is the other's degree
            own.setdefault("degree", worse)


def _tells(field: str, what: object) -> bool:
    """Whether a value can be what its name promises."""
    if not isinstance(what, (str, int, float)) or isinstance(what, bool) or what == "":
        return False
    text = str(what)
    if field in {"recipient", "sender"}:
        return "@" in text
    if field in {"text", "html"}:
        return (
            not text.isdigit()
            and text.lower() not in _NO_TEXT
            and (text[:1] not in "{[" or _nested(text) is None)
        )
    return True


def _flat(held: object, name: str) -> object:
    """A structured code, host or list of recipients as one value."""
    if isinstance(held, dict) and name == "enhancedcode":
        return ".".join(str(held.get(part, 0)) for part in ("class", "subject", "detail"))
    if isinstance(held, dict) and name == "peeraddress":
        return held.get("name") or held.get("addr")
    if isinstance(held, list) and _FIELD.get(name, ("", 0))[0] in {"recipient", "event"}:
        return ", ".join(one for one in held[:MAX_EVENTS] if isinstance(one, str))
    return held


def _plain(name: str) -> str:
    return _PLAIN.sub("", str(name)[:64].lower())


def _nested(text: str) -> object | None:
    if text[:1] not in ("{", "[") or len(text) > MAX_NESTED:
        return None
    try:
        value = loads(text)
    except ValueError:
        return None
    return value if isinstance(value, (dict, list)) else None


def _deliveries(known: Mapping[str, object], mails: _Mails) -> Iterator[Delivery]:
    text = folded(str(known.get("text", "")))
    html = str(known.get("html", ""))
    stated = str(known.get("status", ""))
    code, enhanced = codes(text)
    number = str(known.get("code", stated))
    if not code and (found := _NUMBER.search(f"{number} {stated}")):
        code = found[0]
    enhanced = enhanced or codes(stated)[1] or codes(number)[1]
    action = _action(known, stated, heard=(code or enhanced)[:1])
    if not action:
        return
    said = mails.reply(html) if html and not codes(text)[0] else ""
    if said:
        text = said
        code, enhanced = codes(said)[0] or code, codes(said)[1] or enhanced
    for whom in _ADDRESS.findall(str(known.get("recipient", ""))[:1_000_000]) or [""]:
        yield Delivery(
            recipient=whom,
            reply=text.removeprefix("smtp;").strip(),
            action=action,
            code=code,
            enhanced=enhanced,
            stage=stage_of(str(known["command"])) if "command" in known else None,
            sender=next(iter(_ADDRESS.findall(str(known.get("sender", ""))[:1000])), ""),
            remote_mta=_host(known.get("remote", "")),
            reporting_mta=_host(known.get("reporter", "")),
            source_ip=str(known.get("ip", ""))[:64],
            at=seconds(known.get("at")),
            unread=said is None,
        )


def _action(known: Mapping[str, object], stated: str, *, heard: str) -> str:
    """What became of the message; empty where the event is none of a delivery.

    An event whose name says nothing is a failure where a refusal stands beside it (`heard` is the first digit
    of a reply), and so is an object that names no event at all.
    """
    named = str(known.get("event", "")) or ("" if any(map(str.isdigit, stated)) else stated)
    event = named.lower().replace(" ", "_").replace("-", "_")
    degree = str(known.get("degree", "")).lower()
    if "not-spam" in str(known.get("feedback", "")).lower():
        return "delivered"
    action = next((action for action, pattern in _ACTIONS if pattern.search(event)), "")
    if event == "send" and heard == "2":  # handed over to another server, not to the service that tells
        return "delivered"
    if not action:
        return "" if _OTHER.search(event) or (event and heard not in {"4", "5"}) else "failed"
    if action != "failed":
        return action
    softer = next((name for name, pattern in _ACTIONS[:2] if pattern.search(degree)), "")
    if _OTHER.search(degree):
        return ""
    return softer or ("delayed" if _DEGREE.search(degree) else action)


def _host(value: object) -> str:
    text = str(value)[:300]
    name = text.rpartition(";")[2].strip()  # a type may stand before it ("dns; mx.example.com")
    return name.split(" ")[0].rstrip(".").lower()
