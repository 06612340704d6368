"""A reply as people have it: pasted, wrapped, flattened, translated; and what can be read out of it.

`read` finds the code, the enhanced code, the stage and the words, whatever stands around them: several
``550-`` lines, a log's ``host x said:``, ``(550, b'5.7.26 ...')``, ``smtp; 550 ...``, HTML. Nothing is
believed that is not there: a lost code is 0, a lost enhanced code is empty. `extracts` reads addresses,
lists, links and waiting times out of the words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from probe.facts import Reply, Stage
from probe.grammar import reported
from probe.grammar.expression import Expression

__all__ = ["Pasted", "extracts", "of", "read"]

LIMIT = 8192  # characters of a pasted reply that are looked at


@dataclass(frozen=True, slots=True)
class Pasted:
    """What was read: `code` 0, `enhanced` empty and `stage` None where they are not told.

    `text` are the words without codes, `lines` the reply as it may have been sent.
    """

    code: int
    enhanced: str
    text: str
    lines: tuple[str, ...]
    stage: Stage | None = None


_TAG = Expression(
    r"<(?:br|/?p|/?div|/?td|/?tr|/?table|/?span|/?b|/?i|/?a|/?font|/?pre|/?li|/?ul|/?h[1-6])(?=[\s/>])[^<>]{0,300}>",
    re.IGNORECASE,
)
_BREAKS = ("\\r\\n", "\\n", "\r", "\u23ce", "\u2028")  # beside the usual one; the first two are escaped
_TUPLE = Expression(r"""\(\s*([2-5][0-9]{2})\s*,\s*b?(['"])""")
_COLOUR = Expression(r"\x1b\[[0-9;]{0,16}[A-Za-z]")
_CREDENTIALS = Expression(
    r"(\bAUTH\s{1,3}[A-Z0-9-]{4,20}\s{1,3})(?!\*)(?=[A-Za-z0-9+/]{0,40}[A-Z0-9+/=])[A-Za-z0-9+/=]{8,}"
)
# A line of a stack, as Java and JavaScript print it.
_FRAME = Expression(r"\n\s{1,20}at [^\n]{1,300}[:(][\w.:]{1,200}\)(?=\n|$)")
_RAISED = Expression(
    r"\A(?:[a-z]\w{0,30}\.){1,8}[A-Z]\w{0,60}(?:Exception|Error): "
)  # the class that was raised
_ESC = Expression(r"\x1b?\$[@B]([!-~]{2,400}?)\x1b?\([BJ]")
_QUOTED = Expression(r"=([0-9A-F]{2})")
# A code at the beginning of a word; looking back after its digits is cheaper than before every letter.
_MARK = Expression(
    r"([2-5][0-9]{2})(?<!\S[0-9]{3})(?:[-\s](?:\s{0,3}([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.]))?|$)"
)
_LEAD = Expression(r"\s{0,9}[\"'<\[(]{0,2}(?:smtp;\s{0,9})?([2-5][0-9]{2})(?=[-\s:;,#)\]\"']|$)")
_SAID = Expression(
    r"(?:said|says|responded|replied|returned|response|responded with|rejected|reply|answer(?:ed)?|"
    r"error|reason|"
    r"code|status|diagnostic|smtp|rcpt to|mail from|data|command|connection|transaction|text)"
    r"[^\n0-9]{0,80}?(?<![0-9.])([245][0-57][0-9])(?=[-\s:;,#)\]\"'])",
    re.IGNORECASE,
)
_LOOSE = Expression(
    r"(?<![0-9A-Za-z.:/=-])([245][0-57][0-9])(?=[- ](?:[245]\.[0-9]{1,3}\.[0-9]|['\"<#(\[]?[A-Za-z]))"
)
_ENHANCED = Expression(r"(?<![0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9]|\.[0-9])")
_NEAR = Expression(r"[-\s:;,'\"#(\[<]{0,4}([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9]|\.[0-9])")
_STAGES = (
    (Stage.DATA, ("end of data", "dot command", "after data", "to data command", "to end of", "bdat")),
    (Stage.RCPT, ("to rcpt to", "after rcpt to", "rcpt to:<", "rcpt to command")),
    (Stage.MAIL, ("to mail from", "after mail from", "mail from command", "mail from:<")),
    (
        Stage.AUTH,
        ("to auth ", "after auth", "auth command", "auth login", "auth plain", "smtpauthenticationerror"),
    ),
    (Stage.GREETING, ("initial connection", "refused to talk to me", "initial greeting", "when connecting")),
    (Stage.EHLO, ("to ehlo", "after ehlo", "to helo", "after helo", "ehlo command", "helo command")),
    (Stage.STARTTLS, ("to starttls", "after starttls", "starttls command")),
)
_STAGE_WORDS = tuple((word, stage) for stage, words in _STAGES for word in words)


def of(reply: Reply, stage: Stage | None = None) -> Pasted:
    """A reply from the wire in the same shape."""
    return Pasted(reply.code, reply.enhanced or "", reply.text, reply.lines, stage)


def read(text: str) -> Pasted:
    """What a pasted text says; total, and linear in the first `LIMIT` characters."""
    text = _clean(text[:LIMIT])
    for mark in _BREAKS:
        text = text.replace(mark, "\n")
    lines = tuple(line for part in text.split("\n") if (line := part.strip())) or ("",)
    flat = " ".join(lines)
    code, end = _code(flat)
    enhanced = _enhanced(flat, code, end)
    low = flat.lower()
    words = _words(reported.unreported(flat, low), code, enhanced)
    return Pasted(code, enhanced, words, lines, _stage(low))


def _clean(text: str) -> str:
    if "\x1b[" in text:
        text = _COLOUR.compiled.sub("", text)
    if "AUTH " in text:
        text = _CREDENTIALS.compiled.sub(r"\1***", text)
    if "Exception: " in text or "Error: " in text:
        text = _RAISED.compiled.sub("", text)
    if "\n" in text and "at " in text:
        text = _FRAME.compiled.sub("", text)
    text = text.replace("\0", " ")
    if "(" in text and (found := _TUPLE.compiled.search(text)):
        text = f"{found[1]} {text[found.end() :].rstrip(''' )},''').rstrip(found[2])}"
    text = reported.unwrapped(text)
    if "<" in text:
        text = _TAG.compiled.sub(" ", text)
    if "&" in text:
        import html  # noqa: PLC0415 -- its table of entities is long, and few replies have one

        text = html.unescape(text)
    if "$B" in text or "$@" in text:
        text = _ESC.compiled.sub(_jis, text)
    if text.count("=\n") or text.count("=20") > 1 or "=C3=" in text or "=E3=" in text:
        joined = text.replace("=\r\n", "").replace("=\n", "")
        data = _QUOTED.compiled.sub(lambda found: chr(int(found[1], 16)), joined)
        try:
            text = data.encode("latin-1").decode("utf-8")
        except ValueError:
            text = data
    return text


def _jis(found: re.Match[str]) -> str:
    """Japanese text whose escape characters were lost on the way (ISO-2022-JP, RFC 1468)."""
    data = b"\x1b$B" + found[1].encode("ascii", "replace") + b"\x1b(B"
    return data.decode("iso2022_jp", "replace")


def _code(flat: str) -> tuple[int, int]:
    if found := (_LEAD.compiled.match(flat) or _LOOSE.compiled.search(flat) or _SAID.compiled.search(flat)):
        return int(found[1]), found.end(1)
    return 0, 0


def _enhanced(flat: str, code: int, end: int) -> str:
    if code and (found := _NEAR.compiled.match(flat, end)):
        return found[1]
    every = [found[1] for found in _ENHANCED.compiled.finditer(flat)]
    wanted = str(code)[0] if code else "245"
    return next((one for one in every if one[0] in wanted), "")


def _words(flat: str, code: int, enhanced: str) -> str:
    """The words alone: each repetition of the code that a continuation line brought is removed."""
    if code:
        flat = _MARK.compiled.sub(functools.partial(_unmarked, str(code), enhanced), flat)
    elif enhanced and flat.startswith(enhanced):
        flat = flat.removeprefix(enhanced)
    return " ".join(flat.split())


def _unmarked(code: str, enhanced: str, found: re.Match[str]) -> str:
    if found[1] != code:
        return found[0]
    return " " if found[2] == enhanced else f" {found[0][4:]}"


def _stage(low: str) -> Stage | None:
    return next((stage for word, stage in _STAGE_WORDS if word in low), None)


# -- what can be read out of the words ------------------------------------------------------------

_IPV4 = Expression(
    r"(?<![0-9.])((?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3})(?![0-9]|\.[0-9])"
)
_IPV6 = Expression(
    r"(?<![0-9a-f:.])((?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){0,7}|(?:[0-9a-f]{1,4}:){1,6}:[0-9a-f:]{0,34})(?![0-9a-z])",
    re.IGNORECASE,
)
_LINK = Expression(r"https?://[^\s<>\"'\])]{3,300}", re.IGNORECASE)
_ADDRESS = Expression(
    r"(?<![A-Za-z0-9.!#$%&'*+/=?^_`{|}~-])[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})"
)
_DOMAIN = Expression(
    r"(?<![\w@./-])((?:[a-z0-9_](?:[a-z0-9-]{0,62})\.){1,8}[a-z]{2,24})(?![\w/-])", re.IGNORECASE
)
# For lower case. That every branch begins with a letter lets the engine skip to where one may begin.
_LIST = Expression(
    r"(?:blocked (?:using|by|at)|listed (?:in|on|at|by|with)|"
    r"black[- ]?list(?:ed)? (?:at|by|in|on|using)|found (?:in|on)|"
    r"dnsbl:?|dnsrl:?|bl:?|rl:?|rejected by|see|query)"
    r"\s{1,3}(?:the\s{1,3})?((?:[a-z0-9-]{1,40}\.){1,6}[a-z]{2,12})"
)
_KNOWN_LISTS = (
    "spamhaus", "barracudacentral", "spamcop", "sorbs", "uceprotect", "surbl", "uribl", "psbl", "mailspike",
    "abusix", "spamrats", "invaluement", "abuseat", "manitu", "nixspam", "senderscore", "backscatterer",
    "hostkarma", "cloudmark", "trendmicro", "proofpoint", "sophos", "cyren", "trustedsource", "0spam",
    "gbudb",
)  # fmt: skip
_CODED = Expression(r"[A-Z][0-9(#:_-]")  # stands in every sub-code
_SUBCODE = Expression(
    r"(?<![\w.-])(S[0-9]{3,4}|S[0-9]{6,12}|AS\([0-9]{3,6}\)|TSS?[0-9]{2}|BL[0-9]{2}|AU[0-9]{2}|PH[0-9]{2}|IPTS[0-9]{2}|"
    r"VS[0-9]-(?:IP|MF)|OFR_?[0-9]{3}(?:_[0-9]{3})?|LPN_?[0-9]{3}(?:_[0-9]{2,3})?|OFR[0-9]{3}_[0-9]{3}|I[BP][0-9]{3,4}|AUP#[A-Z0-9-]{1,12}|"
    r"(?:SC|RP|DY|OU|CO)-[0-9]{3}|CS0[0-9]|HM[0-9]{2}|HME[0-9]|HVU?:B[0-9]|RLY?:[A-Z0-9]{2}|DYN?:T[0-9]|E[0-9]{4}|"
    r"R[0-9]{4,7}|GU_EIB_[0-9]{2}|[A-Z]{2,4}_[0-9]{2,4})(?![\w-])"
)
# For lower case, too.
_WAIT = Expression(
    r"(?:greylist(?:ed|ing)?(?: for| in effect for)?|try again(?: later)? (?:in|after)|"
    r"retry(?:ing)? (?:in|after|timeout)|"
    r"resend (?:in|after)|come back in|please wait|wait(?: at least| for)?|again in|unblocked in|expires? in)"
    r"\s{1,3}(?:about |at least |approximately |around )?([0-9]{1,2}(?::[0-9]{2}){1,2}|[0-9]{1,6})\s{0,2}"
    r"(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)?(?![a-z])"
)
_WAITING = ("list", "again", "retry", "resend", "back in", "wait", "unblocked", "expire")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_GSMTP = Expression(
    r"(?<![\w.-])([a-z0-9]{1,64}-[a-z0-9]{2,64}(?:\.[0-9]{1,6})?|[a-z0-9]{6,64}\.[0-9]{1,6}) - gsmtp",
    re.IGNORECASE,
)
_QUEUE = Expression(
    r"(?:queued as|queue id|queue-id|message[ -]id|(?<![\w-])id)[\s:=]{1,3}"
    rf"<?([A-Za-z0-9][A-Za-z0-9._@-]{{4,80}})|{_GSMTP.pattern}",
    re.IGNORECASE,
)


def extracts(text: str) -> dict[str, list[str]]:
    """Addresses, domains, lists, sub-codes, links, queue ids and the wait in seconds (`retry_after`).

    Each at most eight, in the order they stand; what is not there is left out.
    """
    text = text[:LIMIT]
    links = [link.rstrip(".,;:!?") for link in _LINK.compiled.findall(text)] if "://" in text else []
    bare = _LINK.compiled.sub(" ", text) if links else text
    low = bare.lower()
    dotted = [word for word in bare.split() if "." in word[1:-1]]
    found = {
        "ip": list(_addresses(bare, dotted)),
        "address": [one[0] for word in dotted if "@" in word for one in _ADDRESS.compiled.finditer(word)],
        "domain": list(_domains(dotted)),
        "list": list(_lists(low, links)),
        "subcode": _SUBCODE.compiled.findall(text) if _CODED.compiled.search(text) else [],
        "link": links,
        "queue_id": list(_queue_ids(bare, low)),
        "retry_after": [str(seconds) for seconds in _waits(low)]
        if any(word in low for word in _WAITING)
        else [],
    }
    return {key: list(dict.fromkeys(values))[:8] for key, values in found.items() if values}


def _addresses(bare: str, dotted: list[str]) -> Iterator[str]:
    for word in dotted:
        if word.count(".") > 2:
            yield from _IPV4.compiled.findall(word)
    if bare.count(":") > 2:
        yield from (one for one in _IPV6.compiled.findall(bare) if one.count(":") > 2)


def _domains(dotted: list[str]) -> Iterator[str]:
    """Names with a dot that end in letters; the words of an address count with its domain."""
    for word in dotted:
        if word.strip("0123456789."):
            yield from (_ADDRESS if "@" in word else _DOMAIN).compiled.findall(word)


def _lists(low: str, links: list[str]) -> Iterator[str]:
    yield from (found[1] for found in _LIST.compiled.finditer(low))
    everything = " ".join((low, *links)).lower() if links else low
    yield from [name for name in _KNOWN_LISTS if name in everything]


def _queue_ids(bare: str, low: str) -> Iterator[str]:
    if " id" in low or "queue" in low or "gsmtp" in low:
        likely = _QUEUE if "id" in low or "queue" in low else _GSMTP
        yield from (found[found.lastindex or 0] for found in likely.compiled.finditer(bare))


def _waits(low: str) -> Iterator[int]:
    for found in _WAIT.compiled.finditer(low):
        amount, unit = found[1], (found[2] or "s")[0]
        seconds = 0
        for part in amount.split(":"):
            seconds = seconds * 60 + int(part)
        yield seconds * (1 if ":" in amount else _UNITS[unit])
