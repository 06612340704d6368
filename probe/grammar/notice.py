"""How to read a bounce that is written for people: qmail, Exim, Exchange, Domino, webmail and the rest.

No program is recognised by name. What they share is read instead: the copy of the message comes last, a
recipient stands at the head of a line, the reason stands beside it, after a label, or in a transcript.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from probe.grammar import wording
from probe.grammar.delivery import Delivery, codes, folded, spoken, stage_of, unrepeated
from probe.grammar.reasons import (
    MAX_TEXT,
    Person,
    Reason,
    beside,
    best,
    blocks,
    elsewhere,
    said,
    transcript,
)

__all__ = ["addresses", "notice", "original"]

MAX_LINE = 2048
MAX_LINES = 4000
MAX_PEOPLE = 500
_MANY = 20  # recipients who make a list of recipients: a long text behind them may go on with it
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
    people = {address.lower(): Person(address, []) for address in told}
    heads = dict(_heads(lines, not_these, set(people)))
    if not told:
        for names in heads.values():
            for name in names:
                if len(people) < MAX_PEOPLE:
                    people.setdefault(name.lower(), Person(name, []))
    taken = blocks(lines, heads, people)
    heard = transcript(lines, people)
    waits = any(wording.NOT_YET.search(line) for line in _joined(lines))
    arrived = any(wording.ARRIVED.search(line) for line in _joined(lines))
    if len(people) > 1:  # what stands by one recipient says nothing of the others
        lines = ["" if at in taken else line for at, line in enumerate(lines)]
    shared = best([*heard, *elsewhere(lines)])  # once, not for every recipient
    if not people:
        to, _ = original(copy)
        weak = [one for one in _weak(lines, not_these) if not to or one in to]
        for name in weak[:1] or to:
            people.setdefault(name.lower(), Person(name, []))
    remote, reporter = _host(lines, wording.REMOTE), _host(lines, wording.REPORTER)
    if not people:
        people[""] = Person("", [])
    whole = folded(" ".join(line for line in lines if not wording.RULE.match(line)), 1500)
    found = [_delivery(person, shared, whole, remote, reporter) for person in people.values()]
    found = [replace(one, action=_action(one, waits=waits, arrived=arrived)) for one in found]
    if len(people) == MAX_PEOPLE or (len(text) > MAX_TEXT and len(people) > _MANY):
        found[-1] = replace(found[-1], cut=True)
    return found


def _action(told: Delivery, *, waits: bool, arrived: bool) -> str:
    """What became of a message by the words around its reply, which may say otherwise."""
    kinds = {told.code[:1], told.enhanced[:1]}
    if arrived and kinds.isdisjoint({"4", "5"}):
        return "delivered"
    return "delayed" if waits and "5" not in kinds else "failed"


def _joined(lines: list[str]) -> Iterator[str]:
    """Each line with the next, as a sentence is folded anywhere."""
    pairs = itertools.zip_longest(lines, lines[1:], fillvalue="")
    return (f"{line} {after.lstrip(' #*')}" for line, after in pairs)


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
            if name.lower() in own and not known and not beside(line, found):
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


def _host(lines: list[str], patterns: Iterable[re.Pattern[str]]) -> str:
    head = lines[:200]
    if patterns is wording.REMOTE:
        head = [line for line in head if not wording.REPORTER[0].search(line)]
    for pattern in patterns:
        for line in head:
            if found := pattern.search(line):
                return found[1].rstrip(".").lower()
    return ""


def _delivery(person: Person, shared: Reason, whole: str, remote: str, reporter: str) -> Delivery:
    weight, text, stage = best([*person.reasons, shared])
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
