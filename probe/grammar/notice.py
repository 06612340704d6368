"""How to read a bounce that is written for people: qmail, Exim, Exchange, Domino, webmail and the rest.

No program is recognised by name. What they share is read instead: the copy of the message comes last, a
recipient stands at the head of a line, the reason stands beside it, after a label, or in a transcript.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from probe.facts import Stage
from probe.grammar import wording
from probe.grammar.delivery import Delivery, codes, folded, spoken, stage_of, unrepeated

__all__ = ["addresses", "notice", "original", "said"]

MAX_TEXT = 64 * 1024  # characters of a notice that are read
MAX_LINE = 2048
MAX_LINES = 4000
MAX_PEOPLE = 500
_MANY = 20  # recipients who make a list of recipients: a long text behind them may go on with it
MAX_LABELS = 200  # reasons behind a label or a code that are read, each with the lines after it
_NEAR = 120  # characters before an address in which stands what it is


def addresses(text: str) -> list[str]:
    """The addresses in some text, in order, without repetition."""
    seen: dict[str, str] = {}
    for line in text.splitlines()[:MAX_LINES]:
        if "@" in line:
            for found in wording.ADDRESS.finditer(line[:MAX_LINE]):
                seen.setdefault(found[1].lower(), found[1])
                if len(seen) >= MAX_PEOPLE:
                    return list(seen.values())
    return list(seen.values())


def original(text: str) -> tuple[list[str], str]:
    """The recipients (To) and the sender (Return-Path, From) in the copy of the message that came back."""
    to: dict[str, list[str]] = {"to": [], "x-original-to": [], "envelope-to": []}
    sender = take = ""
    for line in text[:MAX_TEXT].splitlines()[:MAX_LINES]:
        name, colon, rest = line.partition(":")
        if line[:1] not in " \t":
            word = name.strip().lower().lstrip(">") if colon else ""
            take = word if word in to else ""
            if not sender and word in {"return-path", "from", "sender"}:
                sender = next(iter(addresses(rest)), "")
        if take:
            to[take] += addresses(line)
    return next((people[:MAX_PEOPLE] for people in map(_once, to.values()) if people), []), sender


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def said(text: str) -> str:
    """A server's own words in a reporter's sentence; the whole sentence where nothing introduces them."""
    if label := wording.LABEL.match(text):
        text = text[label.end() :].strip() or text
    text = wording.TYPE.sub("", wording.ORIGIN.sub("", text)) or text
    best = text
    for found in wording.SAID.finditer(text[:MAX_TEXT]):
        rest = text[found.end() :].lstrip(" '\"").strip()
        if len(rest) > 3 and (wording.REPLY_LINE.match(rest) or codes(rest[:20]) != ("", "") or best is text):
            best = rest
            if wording.REPLY_LINE.match(rest):
                break
    return wording.TYPE.sub("", best.rstrip("'\"")) if best is not text else text


_Reason = tuple[int, str, Stage | None]  # how much speaks for it, its text, the command it answered


@dataclass(slots=True)
class _Person:
    """A recipient and the texts that may be the reason, each with how much speaks for it (`_Reason`)."""

    address: str
    reasons: list[_Reason]


def _lines(text: str) -> tuple[list[str], str]:
    """The notice line by line, and the copy of the message that follows it."""
    lines = [line[:MAX_LINE].rstrip() for line in text[:MAX_TEXT].split("\n")[:MAX_LINES]]
    seen = 0
    for at, line in enumerate(lines):
        if seen and wording.HEADER.match(line):
            return lines[:at], "\n".join(lines[at:])
        if seen and len(line) < 120 and wording.COPY.search(line) and _begins(lines, at):
            return lines[:at], "\n".join(lines[at + 1 :])
        seen += bool(line.strip())
    return lines, ""


def _begins(lines: list[str], at: int) -> bool:
    """Whether a line that speaks of the original message is followed by it."""
    bare = lines[at].strip().lower()
    if wording.RULED.match(bare) or bare.endswith((":", "follows", "follows.", "follow.", "--", "\uff1a")):
        return True
    after = next((line for line in lines[at + 1 : at + 6] if line.strip()), "")
    return len(bare) < 32 and wording.FIELD.match(after) is not None


def notice(text: str, *, failed: Iterable[str] = (), own: Iterable[str] = ()) -> list[Delivery]:
    """The failures told in `text`: one for each recipient, or one without recipient where none is named.

    `failed` are recipients known from elsewhere (X-Failed-Recipients): then only these count. `own` are
    addresses that are no recipients (the mail's own sender and addressee).
    """
    lines, copy = _lines(text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line for line in lines if not wording.PREAMBLE.match(line)]
    not_these = {address.lower() for address in own}
    told = [address for address in dict.fromkeys(failed) if address]
    people = {address.lower(): _Person(address, []) for address in told}
    heads = dict(_heads(lines, not_these, set(people)))
    if not told:
        for names in heads.values():
            for name in names:
                if len(people) < MAX_PEOPLE:
                    people.setdefault(name.lower(), _Person(name, []))
    taken = _blocks(lines, heads, people)
    heard = _transcript(lines, people)
    waits = any(wording.NOT_YET.search(line) for line in _joined(lines))
    arrived = any(wording.ARRIVED.search(line) for line in _joined(lines))
    if len(people) > 1:  # what stands by one recipient says nothing of the others
        lines = ["" if at in taken else line for at, line in enumerate(lines)]
    shared = _best([*heard, *_elsewhere(lines)])  # once, not for every recipient
    if not people:
        to, _ = original(copy)
        weak = [one for one in _weak(lines, not_these) if not to or one in to]
        for name in weak[:1] or to:
            people.setdefault(name.lower(), _Person(name, []))
    remote, reporter = _host(lines, wording.REMOTE), _host(lines, wording.REPORTER)
    if not people:
        people[""] = _Person("", [])
    whole = folded(" ".join(line for line in lines if not wording.RULE.match(line)), 1500)
    found = [_delivery(person, shared, whole, remote, reporter) for person in people.values()]
    found = [replace(one, action=_action(one, waits=waits, arrived=arrived)) for one in found]
    if len(people) == MAX_PEOPLE or (len(text) > MAX_TEXT and len(people) > _MANY):
        found[-1] = replace(found[-1], cut=True)
    return found


def _action(told: Delivery, *, waits: bool, arrived: bool) -> str:
    """What became of a message by the words around its reply, which may say otherwise."""
    if arrived and told.code[:1] not in {"4", "5"}:
        return "delivered"
    return "delayed" if waits and told.code[:1] != "5" else "failed"


def _joined(lines: list[str]) -> Iterator[str]:
    """Each line with the next, as a sentence is folded anywhere."""
    return (f"{line} {after.lstrip(' #*')}" for line, after in zip(lines, [*lines[1:], ""], strict=True))


def _heads(lines: list[str], own: set[str], told: set[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines that name recipients, with the recipients."""
    for at, line in enumerate(lines):
        if "@" not in line:
            continue
        names = []
        for found in wording.ADDRESS.finditer(line):
            name, after = found[1], line[found.end() :]
            near = line[max(0, found.start() - _NEAR) : found.start()]
            known = name.lower() in told
            if name.lower() in own and not known and not _beside(line, found):
                continue
            if not known and (
                told
                or wording.OTHER.search(near)
                or (wording.ROLE.match(name) and not wording.WHOM.search(near))
            ):
                continue
            if (
                known
                or wording.HEAD.match(line[: found.start()])
                or wording.WHOM.search(near)
                or after.lstrip("> ").startswith(("...", "…"))
            ):
                names.append(name)
        if names:
            yield at, list(dict.fromkeys(names))


def _beside(line: str, found: re.Match[str]) -> bool:
    """Whether an address leads a line and its reason stands beside it: who writes to himself bounces, too."""
    leads = wording.HEAD.match(line[: found.start()])
    return bool(leads and wording.BESIDE.match(line[found.end() :]))


def _weak(lines: list[str], own: set[str]) -> list[str]:
    found = (
        hit[1]
        for line in lines
        if "@" in line
        for hit in wording.ADDRESS.finditer(line)
        if hit[1].lower() not in own
        and not wording.OTHER.search(line[max(0, hit.start() - _NEAR) : hit.start()])
        and not wording.ROLE.match(hit[1])
    )
    return list(dict.fromkeys(found))


def _blocks(lines: list[str], heads: dict[int, list[str]], people: dict[str, _Person]) -> set[int]:
    """Gives each recipient the paragraph that stands beside it, after it or, failing that, before it.

    Returned are the lines that stand by a recipient who leads them.
    """
    waiting: list[str] = []
    taken: set[int] = set()
    for at, names in heads.items():
        line = lines[at]
        if wording.SPOKEN.match(line):
            continue
        rest = line
        apart = _leads(line)  # whether what follows is said of this recipient alone
        first = wording.ADDRESS.search(line)
        if first and wording.HEAD.match(line[: first.start()]):
            rest = re.sub(r"^(?:\s*<mailto:[^<>]{0,320}>)?[\s>\"'):,;.]*", "", line[first.end() :])
        elif (
            first and wording.ALONE.match(line[first.end() :]) and wording.WHOM.search(line[: first.start()])
        ):
            rest = ""
            apart = True
        waiting += names
        own = bool(wording.SENDMAIL.match(line))
        text, end = _paragraph(lines, at, line.strip() if own else rest, heads, own=own)
        if not text:
            continue
        if apart:
            taken.update(range(at, end))
        weight = _weight(text, 100, 90, 70)
        if first and _beside(line, first):
            weight = max(weight, 60)
        if own:
            weight, text = 104 if wording.VAGUE.search(text) else 108, folded(f"{_cause(lines, at)} {text}")
        for name in waiting:
            if person := people.get(name.lower()):
                person.reasons.append((weight, text, None))
        waiting = []
    last = {name: at for at, names in heads.items() for name in names}
    for name in dict.fromkeys(waiting):
        at = last[name]
        if (text := _before(lines, at)) and (person := people.get(name.lower())):
            person.reasons.append((_weight(text, 99, 89, 69), text, None))
    return taken


def _paragraph(
    lines: list[str], at: int, rest: str, heads: Mapping[int, list[str]], *, own: bool = False
) -> tuple[str, int]:
    """The paragraph that begins with `rest` after a line, and the line it ends before.

    `own`: it ends at the next reply, too.
    """
    kept = [rest] if rest.strip(" :-") else []
    gaps = 0
    last = min(len(lines), at + 60)
    for after in range(at + 1, last):
        line = lines[after]
        if after in heads and not kept:
            return "", after
        if after in heads and _leads(line) and (heads[after] != heads.get(at) or not _open(kept)):
            last = after  # the next recipient; else a reply was folded before its own address
        elif not line.strip():
            gaps += 1
            if (kept and not kept[-1].rstrip().endswith(":")) or gaps > 3:
                last = after
        elif _ends(line) or (own and wording.REPLY_LINE.match(line)):
            last = after
        elif not wording.LISTED.match(line):
            kept.append(line.strip())
        if last == after:
            break
    return folded(" ".join(kept)), last


def _after(lines: list[str], at: int, rest: str) -> str:
    """The paragraph that begins with `rest` after a line, whoever stands in it."""
    return _paragraph(lines, at, rest, {})[0]


@functools.lru_cache(maxsize=256)  # the same lines are looked at from each recipient of a block
def _ends(line: str) -> bool:
    """Whether a line belongs to no paragraph."""
    return any(
        pattern.match(text)
        for pattern, text in (
            (wording.RULE, line),
            (wording.SPOKEN, line),
            (wording.STATUS_FIELD, line.strip()),
        )
    )


def _cause(lines: list[str], at: int) -> str:
    """The line before a reply of the reporter's own, where a mailer program left its reason there."""
    before = lines[at - 1].strip() if at else ""
    if (
        wording.RULE.match(before)
        or wording.HEARD.match(before)
        or wording.SPOKEN.match(before)
        or "@" in before
        or wording.REPLY_LINE.match(before)
    ):
        return ""
    return before if wording.FAILURE.search(before) and not before.lower().startswith("while talking") else ""


@functools.lru_cache(maxsize=256)
def _leads(line: str) -> bool:
    """Whether a line begins with an address."""
    first = wording.ADDRESS.search(line)
    return first is not None and wording.HEAD.match(line[: first.start()]) is not None


def _open(kept: list[str]) -> bool:
    """Whether the last line cannot be the end of a reason (a reply that was folded before an address)."""
    return bool(kept) and not kept[-1].rstrip().endswith((".", ")", "'", '"'))


def _before(lines: list[str], at: int) -> str:
    kept: list[str] = []
    for before in range(at - 1, max(-1, at - 20), -1):
        line = lines[before]
        if not line.strip() and not kept:
            continue
        if not line.strip() or wording.RULE.match(line):
            break
        kept.insert(0, line.strip())
    return folded(" ".join(kept))


@functools.lru_cache(maxsize=64)
def _weight(text: str, code: int, enhanced: int, bare: int) -> int:
    """How much speaks for a text: a reply code most, then an enhanced code, then words of failure."""
    found = codes(text)
    if found[0]:
        return code
    if found[1]:
        return enhanced
    if wording.BOILER.search(text) and not wording.SAID.search(text):
        return 20
    return bare if wording.FAILURE.search(text) else bare - 25 if len(text) > 40 else 20


def _best(reasons: Iterable[_Reason]) -> _Reason:
    """The reason for which most speaks; of equals, the first."""
    return max(reasons, key=lambda reason: reason[0], default=(0, "", None))


def _transcript(lines: list[str], people: dict[str, _Person]) -> list[_Reason]:
    """What a transcript heard (``>>> RCPT TO:<...>``, ``<<< 550 ...``), to the recipient it speaks of.

    Returned is what it heard that speaks of none of them, and so of all.
    """
    shared: list[_Reason] = []
    said_of: str = ""
    stage: Stage | None = None
    heard: list[str] = []

    def give() -> None:
        text = folded(" ".join(heard))
        if not text.startswith(("4", "5")):
            return
        if said_of in people:
            people[said_of].reasons.append((110, text, stage))
        elif people:
            shared.append((105, text, stage))

    for line in lines:
        if wording.SPOKEN.match(line):
            give()
            heard = []
            stage = stage_of(line)
            found = wording.ADDRESS.search(line)
            said_of = found[1].lower() if found and stage is Stage.RCPT else ""
        elif opening := wording.HEARD.match(line):
            heard.append(line[opening.end() :])
        elif heard:
            give()
            heard = []
    give()
    return shared


def _elsewhere(lines: list[str]) -> Iterator[_Reason]:
    """Reasons that stand by no recipient: after a label, as a reply, as a paragraph of their own."""
    paragraph: list[str] = []
    told = False  # that the paragraph before this one ends as what introduces a reply
    for line in [*lines, ""]:
        if line.strip() and not wording.RULE.match(line):
            if not wording.STATUS_FIELD.match(line.strip()):
                paragraph.append(line.strip())
            continue
        text = folded(" ".join(paragraph))
        if text:
            quoted = wording.SAID.search(text)  # a server's own words beat a vague "not delivered"
            weight = _weight(text, 72 if quoted else 60, 58, 40)
            yield max(weight, 71 if told else 0), text, None
            told = quoted is not None and text[quoted.end() :] == "" and text.endswith((":", "\uff1a"))
        paragraph = []
    yield from itertools.islice(_labelled(lines), MAX_LABELS)


def _labelled(lines: list[str]) -> Iterator[_Reason]:
    for at, line in enumerate(lines):
        if wording.REPLY_LINE.match(line):
            text = _after(lines, at, line.strip())
            yield 80 if line.lstrip()[0] in "45" else 30, text, None
        elif found := wording.LABEL.search(line):
            text = _after(lines, at, line[found.end() :].strip())
            if text:
                yield _weight(text, 85, 83, 65), text, None


def _host(lines: list[str], patterns: Iterable[re.Pattern[str]]) -> str:
    head = lines[:200]
    if patterns is wording.REMOTE:
        head = [line for line in head if not wording.REPORTER[0].search(line)]
    for pattern in patterns:
        for line in head:
            if found := pattern.search(line):
                return found[1].rstrip(".").lower()
    return ""


def _delivery(person: _Person, shared: _Reason, whole: str, remote: str, reporter: str) -> Delivery:
    weight, text, stage = _best([*person.reasons, shared])
    if weight < 45:  # nothing stands out: the whole notice is the reason
        text = whole
    reply, answered = spoken(said(text))
    code, enhanced = codes(reply)
    reply = unrepeated(reply, code)
    return Delivery(
        recipient=person.address,
        reply=reply,
        code=code,
        enhanced=enhanced,
        stage=stage or answered or stage_of(text[: len(text) - len(reply)] or ""),
        remote_mta=_host([text, *(other for _, other, _ in person.reasons)], wording.REMOTE) or remote,
        reporting_mta=reporter,
    )
