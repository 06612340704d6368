"""How to read a bounce that is written for people: qmail, Exim, Postfix, Exchange, Domino, webmail and the rest.

No program is recognised by name. What they share is read instead: the copy of the message comes last, a
recipient stands at the head of a line, the reason stands beside it, after a label, or in a transcript.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from probe.facts import Stage
from probe.grammar.delivery import Delivery, codes, folded, stage_of, unrepeated

__all__ = ["addresses", "notice", "original", "said"]

MAX_TEXT = 64 * 1024  # characters of a notice that are read
MAX_LINE = 2048
MAX_LINES = 4000
MAX_PEOPLE = 500

_ADDRESS = re.compile(
    r"(?<![\w.+=@/-])((?:\"[^\"\s]{1,64}\"|[^\s<>()\[\],;:\"'@|=*]{1,64}|[^\s<>()\[\],;:\"'@|*]{1,120})"
    r"@(?:[A-Za-z0-9\u0080-\uffff_-]{1,63}\.){1,10}[A-Za-z0-9\u0080-\uffff-]{2,63})(?![\w@])"
)

# Where the copy of the message begins.
_COPY = re.compile(
    r"(?:original (?:message|mail|header|e-mail)|cop(?:y|ies) of (?:the|your|this|my) |headers? of (?:the|your) |"
    r"(?:unsent|undelivered|returned|undeliverable|rejected|bounced) (?:message|mail)|forwarded message|"
    r"message (?:headers?|text|body|contents?)|original-?message|"
    r"message d'origine|mensaje original|ursprüngliche|messaggio originale|messaggio originario|"
    r"mensagem original|oorspronkelijk|oryginalna|исходное|原文|元のメッセージ)",
    re.I,
)
_RULED = re.compile(r"^\s*(?:[-=*_|#>]{2,}|\|-)")
_HEADS = re.compile(
    r"^(?:Received|Return-Path|X-Received|DKIM-Signature|Message-Id|ARC-Seal|X-Originating-IP|Delivered-To)\s*:",
    re.I,
)
_RULE = re.compile(r"^\W{0,3}[-=*_#|~]{3,}")

# Words before an address: it is the recipient's, or somebody else's.
_WHOM = re.compile(
    r"(?:\brcpt[ _]to:?|\brecipients?(?: address)?(?:\(s\))?:?|\baddressed to:?|\bto:|delivered to|"
    r"delivering your (?:mail|message) to|(?:message|mail|e-?mail) to|sent to|failed address(?:es)?:?|address:)\s*[<\"'(]*$",
    re.I,
)
_OTHER = re.compile(
    r"(?:mail from:?|\bfrom:?|reply-to:?|contact|sender:?|return-path:?|message-?id:?|mail to|write to|e-?mail us at|"
    r"assistance|envelope-from|postmaster at|helpdesk|support|report|cc:)[^@]{0,24}$",
    re.I,
)
# Lines that list the message's own header, not the reason.
_LISTED = re.compile(
    r"^\W{0,6}(?:subject|date|sent(?: date)?|from|to|cc|bcc|message-?id|mail from|rcpt to|size(?: \([\w ]{1,20}\))?|"
    r"number of lines|number of attempts[\w ]{0,20}|the mts-id[\w ]{0,40}|last-attempt-date|received-from-mta|arrival-date)\s*:",
    re.I,
)
_FIELD_OF_STATUS = re.compile(
    r"^(?:final-recipient|original-recipient|reporting-mta|action|status|x-actual-recipient)\s*:", re.I
)
_SENDMAIL = re.compile(
    r"^\s*(?:[245][0-9]{2} )?(?:[245]\.[0-9]{1,3}\.[0-9]{1,3} )?<?[^\s<>]{1,320}@[^\s<>]{1,255}>?\.\.\. "
)
_VAGUE = re.compile(r"remote protocol error|service unavailable\s*$", re.I)
_HEAD = re.compile(r"^[\s>*<\"'(\[•·-]*$")
_ALONE = re.compile(r"^[\s>\"')\]:;,.]*(?:<[^<>]{0,300}>|\([^()]{0,200}@[^()]{0,200}\))?[\s:;,.]*$")
_ROLE = re.compile(
    r"^(?:mailer-daemon|postmaster|abuse|support|noreply|no-reply|helpdesk|double-bounce)@", re.I
)

# Words before a server's own words.
_SAID = re.compile(
    r"(?:\bsaid ?:|remote host said ?:|server returned(?! was)|returned was ?:?|response (?:was|from the remote server was)\s?:?|"
    r"failed with ?:|replied(?: with)? ?:|responded(?: with)? ?:|rejected with ?:|server said ?:|"
    r"did not like our [\w ]{1,20}:|"
    r"smtp error from remote (?:mail )?server after [^:]{1,60}(?::<[^>]{0,320}>)?(?: size=[0-9]{1,12})?:|"
    r"(?:diagnostic|error|smtp)[ -](?:code|message|text)[^:]{0,20}:|antwort(?:ete)? ?:|réponse[^:]{0,40}:|respuesta[^:]{0,40}:)\s*",
    re.I,
)
_LABEL = re.compile(
    r"(?:^|\s)(?:(?:failure )?reasons?|error(?: message)?(?: below| text)?|diagnostic(?:s| information)?(?: for administrators)?|"
    r"technical details(?: of [\w ]{1,24})?|because(?: of)?|following (?:reason|error)s?|details?|cause|problem|explanation|"
    r"message log follows|motivo|grund|raison|routing|host|motif|причина|理由|原因)\s*(?::|-{2,}|$)",
    re.I,
)
_REPLY_LINE = re.compile(r"^\W{0,6}([245][0-5][0-9])(?:[ \-:_,]|$)")
_HEARD = re.compile(r"^\s*(?:<<<|received >>>|S:|<-)\s*", re.I)
_SPOKEN = re.compile(r"^\s*(?:>>>|sent <<<|C:|->)\s*", re.I)
_WORDS = re.compile(
    r"unknown|not (?:exist|found|accept|list|deliver|allow|permit|reach|recogni|valid|available)|no such|full|quota|exceed|"
    r"refus|reject|denied|illegal|malformed|over quota|permission|block|disabled|inactive|invalid|unable|could ?n[o']t|cannot|can't|failed|failure|expired|timed? ?out|"
    r"deferred|delayed|undeliver|unroute|loop|spam|virus|too (?:large|big|many|long)|gateway|doesn't have|discontinued|"
    r"moved|no longer|problem|error|inconnu|plein|unbekannt|voll|abgelehnt|desconocid|llen|lleno|non esiste|pieno|"
    r"ありません|見つかりません|できません|不存在|失败|не (?:существует|найден)",
    re.I,
)
_BOILER = re.compile(
    r"created automatically|automatically generated|i'm (?:sorry|afraid)|sorry to (?:have to )?inform|do not reply|for further assistance|"
    r"if you do so, please|this is a permanent error|this is the [\w-]+ |message that you sent could not be delivered|"
    r"the following address(?:es|\(es\))? failed|unable to deliver (?:your )?message to the following|"
    r"delete your own text|postmaster|"
    r"original message was received|hi\. this is|message from ",
    re.I,
)
_REMOTE = (
    re.compile(r"\bwhile talking to ([\w.-]{3,255})", re.I),
    re.compile(
        r"\b(?:host|server|mx):? ([\w-]{1,63}(?:\.[\w-]{1,63}){1,10})\.?(?: ?[\[(][^\])]{0,50}[\])])?(?: said| failed| replied| smtp|:|$|\s)",
        re.I,
    ),
    re.compile(r"\b([\w-]{1,63}(?:\.[\w-]{1,63}){1,10}) ?\[[0-9a-f.:]{3,45}\](?::[0-9]{1,5})?[: ]", re.I),
    re.compile(r"\b([0-9]{1,3}(?:\.[0-9]{1,3}){3}) (?:said|failed|does not like)", re.I),
    re.compile(r"by ([\w-]{1,63}(?:\.[\w-]{1,63}){1,10})\.? ?\[[0-9a-f.:]{3,45}\]", re.I),
)
_REPORTER = (
    re.compile(r"(?:generating server|reporting-mta):\s*<?([\w.-]{3,255})", re.I),
    re.compile(
        r"(?:program|daemon|agent v[\w.]{1,20}|mail system|server) at (?:host )?([\w-]{1,63}(?:\.[\w-]{1,63}){1,10})",
        re.I,
    ),
)


def addresses(text: str) -> list[str]:
    """The addresses in some text, in order, without repetition."""
    seen: dict[str, str] = {}
    for line in text.splitlines()[:MAX_LINES]:
        if "@" in line:
            for found in _ADDRESS.finditer(line[:MAX_LINE]):
                seen.setdefault(found[1].lower(), found[1])
                if len(seen) >= MAX_PEOPLE:
                    return list(seen.values())
    return list(seen.values())


def original(text: str) -> tuple[list[str], str]:
    """The recipients (To, Cc) and the sender (Return-Path, From) in the copy of the message that came back."""
    to: list[str] = []
    sender = ""
    take = False
    for line in text[:MAX_TEXT].splitlines()[:MAX_LINES]:
        name, colon, rest = line.partition(":")
        if line[:1] not in " \t":
            word = name.strip().lower().lstrip(">") if colon else ""
            take = word in {"to", "x-original-to", "envelope-to"}
            if not sender and word in {"return-path", "from", "sender"}:
                sender = next(iter(addresses(rest)), "")
        if take:
            to += addresses(line)
    return list(dict.fromkeys(to))[:MAX_PEOPLE], sender


def said(text: str) -> str:
    """A server's own words in a reporter's sentence; the whole sentence where nothing introduces them."""
    best = text
    for found in _SAID.finditer(text[:MAX_TEXT]):
        rest = text[found.end() :].lstrip(" '\"").strip()
        if len(rest) > 3 and (_REPLY_LINE.match(rest) or codes(rest[:20]) != ("", "") or best is text):
            best = rest
            if _REPLY_LINE.match(rest):
                break
    return best.rstrip("'\"") if best is not text else text


@dataclass(slots=True)
class _Person:
    """A recipient and the texts that may be the reason, each with how much speaks for it."""

    address: str
    reasons: list[tuple[int, str, Stage | None]]


def _lines(text: str) -> tuple[list[str], str]:
    """The notice line by line, and the copy of the message that follows it."""
    lines = [line[:MAX_LINE].rstrip() for line in text[:MAX_TEXT].split("\n")[:MAX_LINES]]
    seen = 0
    for at, line in enumerate(lines):
        if seen and _HEADS.match(line):
            return lines[:at], "\n".join(lines[at:])
        if seen and len(line) < 120 and _COPY.search(line) and _begins(line) and not _REPLY_LINE.match(line):
            return lines[:at], "\n".join(lines[at + 1 :])
        seen += bool(line.strip())
    return lines, ""


def _begins(line: str) -> bool:
    bare = line.strip().lower()
    return (
        bool(_RULED.match(line))
        or bare.endswith((":", "follows", "follows.", "follow.", "--", "："))
        or len(bare) < 32
    )


def notice(text: str, *, failed: Iterable[str] = (), own: Iterable[str] = ()) -> list[Delivery]:
    """The failures told in `text`: one for each recipient, or one without recipient where none is named.

    `failed` are recipients known from elsewhere (X-Failed-Recipients): then only these count. `own` are addresses
    that are no recipients (the mail's own sender and addressee).
    """
    lines, copy = _lines(text.replace("\r\n", "\n").replace("\r", "\n"))
    not_these = {address.lower() for address in own}
    told = [address for address in dict.fromkeys(failed) if address]
    people = {address.lower(): _Person(address, []) for address in told}
    heads = dict(_heads(lines, not_these, set(people)))
    if not told:
        for names in heads.values():
            for name in names:
                if len(people) < MAX_PEOPLE:
                    people.setdefault(name.lower(), _Person(name, []))
    _blocks(lines, heads, people)
    _transcript(lines, people)
    shared = list(_elsewhere(lines))
    if not people:
        to, _ = original(copy)
        weak = [one for one in _weak(lines, not_these) if not to or one in to]
        for name in weak[:1] or to:
            people.setdefault(name.lower(), _Person(name, []))
    remote, reporter = _host(lines, _REMOTE), _host(lines, _REPORTER)
    if not people:
        people[""] = _Person("", [])
    whole = folded(" ".join(line for line in lines if not _RULE.match(line)), 1500)
    return [_delivery(person, shared, whole, remote, reporter) for person in people.values()]


def _heads(lines: list[str], own: set[str], told: set[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines that name recipients, with the recipients."""
    for at, line in enumerate(lines):
        if "@" not in line:
            continue
        names = []
        for found in _ADDRESS.finditer(line):
            name, before, after = found[1], line[: found.start()], line[found.end() :]
            known = name.lower() in told
            if name.lower() in own and not known:
                continue
            if not known and (
                told or _OTHER.search(before) or (_ROLE.match(name) and not _WHOM.search(before))
            ):
                continue
            if (
                known
                or _HEAD.match(before)
                or _WHOM.search(before)
                or after.lstrip("> ").startswith(("...", "…"))
            ):
                names.append(name)
        if names:
            yield at, list(dict.fromkeys(names))


def _weak(lines: list[str], own: set[str]) -> list[str]:
    found = []
    for line in lines:
        for hit in _ADDRESS.finditer(line) if "@" in line else ():
            if (
                hit[1].lower() not in own
                and not _OTHER.search(line[: hit.start()])
                and not _ROLE.match(hit[1])
            ):
                found.append(hit[1])
    return list(dict.fromkeys(found))


def _blocks(lines: list[str], heads: dict[int, list[str]], people: dict[str, _Person]) -> None:
    """Gives each recipient the paragraph that stands beside it, after it or, failing that, before it."""
    waiting: list[str] = []
    for at, names in heads.items():
        line = lines[at]
        if _SPOKEN.match(line):
            continue
        rest = line
        first = _ADDRESS.search(line)
        if first and _HEAD.match(line[: first.start()]):
            rest = re.sub(r"^(?:\s*<mailto:[^<>]{0,320}>)?[\s>\"'):,;.]*", "", line[first.end() :])
        elif first and _ALONE.match(line[first.end() :]) and _WHOM.search(line[: first.start()]):
            rest = ""
        waiting += names
        own = bool(_SENDMAIL.match(line))
        text = _after(lines, at, line.strip() if own else rest, heads, own=own)
        if not text:
            continue
        weight = _weight(text, 100, 90, 70)
        if own:
            weight, text = 104 if _VAGUE.search(text) else 108, folded(f"{_cause(lines, at)} {text}")
        for name in waiting:
            if person := people.get(name.lower()):
                person.reasons.append((weight, text, None))
        waiting = []
    for name in waiting:
        at = max(at for at, names in heads.items() if name in names)
        if (text := _before(lines, at)) and (person := people.get(name.lower())):
            person.reasons.append((_weight(text, 99, 89, 69), text, None))


def _after(lines: list[str], at: int, rest: str, heads: dict[int, list[str]], *, own: bool = False) -> str:
    """The paragraph that begins with `rest` and goes on after the line; `own`: it ends at the next reply, too."""
    kept = [rest] if rest.strip(" :-") else []
    gaps = 0
    for after in range(at + 1, min(len(lines), at + 60)):
        line = lines[after]
        if after in heads and _ADDRESS.search(line) and not kept:
            return ""
        if after in heads and (first := _ADDRESS.search(line)) and _HEAD.match(line[: first.start()]):
            if heads[after] != heads.get(at) or not _open(kept):  # else a reply folded before its address
                break
        if not line.strip():
            gaps += 1
            if (kept and not kept[-1].rstrip().endswith(":")) or gaps > 3:
                break
        elif _RULE.match(line) or _SPOKEN.match(line) or _FIELD_OF_STATUS.match(line):
            break
        elif own and _REPLY_LINE.match(line):
            break
        elif not _LISTED.match(line):
            kept.append(line.strip())
    return folded(" ".join(kept))


def _cause(lines: list[str], at: int) -> str:
    """The line before a reply of the reporter's own, where a mailer program left its reason there."""
    before = lines[at - 1].strip() if at else ""
    if (
        _RULE.match(before)
        or _HEARD.match(before)
        or _SPOKEN.match(before)
        or "@" in before
        or _REPLY_LINE.match(before)
    ):
        return ""
    return before if _WORDS.search(before) and not before.lower().startswith("while talking") else ""


def _open(kept: list[str]) -> bool:
    """Whether the last line cannot be the end of a reason (a reply that was folded before an address)."""
    return bool(kept) and not kept[-1].rstrip().endswith((".", ")", "'", '"'))


def _before(lines: list[str], at: int) -> str:
    kept: list[str] = []
    for before in range(at - 1, max(-1, at - 20), -1):
        line = lines[before]
        if not line.strip() and not kept:
            continue
        if not line.strip() or _RULE.match(line):
            break
        kept.insert(0, line.strip())
    return folded(" ".join(kept))


def _weight(text: str, code: int, enhanced: int, bare: int) -> int:
    """How much speaks for a text: a reply code most, an enhanced code, words of failure; little for boilerplate."""
    found = codes(text)
    if found[0]:
        return code
    if found[1]:
        return enhanced
    if _BOILER.search(text) and not _SAID.search(text):
        return 20
    return bare if _WORDS.search(text) else bare - 25 if len(text) > 40 else 20


def _transcript(lines: list[str], people: dict[str, _Person]) -> None:
    """What was heard in a transcript (``>>> RCPT TO:<...>``, ``<<< 550 ...``), to the recipient it speaks of."""
    said_of: str = ""
    stage: Stage | None = None
    heard: list[str] = []

    def give() -> None:
        text = folded(" ".join(heard))
        if not text.startswith(("4", "5")):
            return
        whom = [people[said_of]] if said_of in people else list(people.values())
        for person in whom:
            person.reasons.append((110 if said_of in people else 105, text, stage))

    for line in lines:
        if _SPOKEN.match(line):
            give()
            heard = []
            stage = stage_of(line)
            found = _ADDRESS.search(line)
            said_of = found[1].lower() if found and stage is Stage.RCPT else ""
        elif opening := _HEARD.match(line):
            heard.append(line[opening.end() :])
        elif heard:
            give()
            heard = []
    give()


def _elsewhere(lines: list[str]) -> Iterator[tuple[int, str, Stage | None]]:
    """Reasons that stand by no recipient: after a label, as a reply, as a paragraph of their own."""
    paragraph: list[str] = []
    for at, line in enumerate([*lines, ""]):
        if line.strip() and not _RULE.match(line):
            paragraph.append(line.strip())
            continue
        text = folded(" ".join(paragraph))
        if text:
            yield _weight(text, 60, 58, 40), text, None
        paragraph = []
    for at, line in enumerate(lines):
        if _REPLY_LINE.match(line):
            text = _after(lines, at, line.strip(), {})
            yield 80 if line.lstrip()[0] in "45" else 30, text, None
        elif found := _LABEL.search(line):
            text = _after(lines, at, line[found.end() :].strip(), {})
            if text:
                yield _weight(text, 85, 83, 65), text, None


def _host(lines: list[str], patterns: Iterable[re.Pattern[str]]) -> str:
    head = lines[:200]
    for pattern in patterns:
        for line in head:
            if found := pattern.search(line):
                return found[1].rstrip(".").lower()
    return ""


def _delivery(
    person: _Person, shared: list[tuple[int, str, Stage | None]], whole: str, remote: str, reporter: str
) -> Delivery:
    weight, text, stage = max([*person.reasons, *shared], key=lambda reason: reason[0], default=(0, "", None))
    if weight < 45:  # nothing stands out: the whole notice is the reason
        text = whole
    reply = said(text)
    code, enhanced = codes(reply)
    reply = unrepeated(reply, code)
    return Delivery(
        recipient=person.address,
        reply=reply,
        code=code,
        enhanced=enhanced,
        stage=stage or stage_of(text[: len(text) - len(reply)] or ""),
        remote_mta=_host([text], _REMOTE) or remote,
        reporting_mta=reporter,
    )
