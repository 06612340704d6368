"""How to find the reasons that a notice gives: beside a recipient, behind a label, in a transcript.

Each text that may be a reason is weighed: a reply code speaks most for it, then an enhanced code, then words
of failure. The heaviest is believed.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from probe.facts import Stage
from probe.grammar import wording
from probe.grammar.delivery import codes, folded, stage_of

__all__ = ["MAX_TEXT", "Person", "Reason", "beside", "best", "blocks", "elsewhere", "said", "transcript"]

MAX_TEXT = 64 * 1024  # characters of a notice that are read
MAX_LABELS = 200  # reasons behind a label or a code that are read, each with the lines after it

Reason = tuple[int, str, Stage | None]  # how much speaks for it, its text, the command it answered


@dataclass(slots=True)
class Person:
    """A recipient and the texts that may be the reason, each with how much speaks for it (`Reason`)."""

    address: str
    reasons: list[Reason]


def said(text: str) -> str:
    """A server's own words in a reporter's sentence; the whole sentence where nothing introduces them."""
    if label := wording.LABEL.match(text):
        text = text[label.end() :].strip() or text
    text = wording.TYPE.sub("", wording.ORIGIN.sub("", text)) or text
    most = text
    for found in wording.SAID.finditer(text[:MAX_TEXT]):
        rest = text[found.end() :].lstrip(" '\"").strip()
        if len(rest) > 3 and (wording.REPLY_LINE.match(rest) or codes(rest[:20]) != ("", "") or most is text):
            most = rest
            if wording.REPLY_LINE.match(rest):
                break
    return wording.TYPE.sub("", most.rstrip("'\"")) if most is not text else text


def blocks(lines: list[str], heads: dict[int, list[str]], people: dict[str, Person]) -> set[int]:
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
        apart = leads(line)  # whether what follows is said of this recipient alone
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
        if first and beside(line, first):
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


def beside(line: str, found: re.Match[str]) -> bool:
    """Whether an address leads a line and its reason stands beside it: who writes to himself bounces, too."""
    leads = wording.HEAD.match(line[: found.start()])
    return bool(leads and wording.BESIDE.match(line[found.end() :]))


@functools.lru_cache(maxsize=256)
def leads(line: str) -> bool:
    """Whether a line begins with an address."""
    first = wording.ADDRESS.search(line)
    return first is not None and wording.HEAD.match(line[: first.start()]) is not None


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
        if after in heads and leads(line) and (heads[after] != heads.get(at) or not _open(kept)):
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


def _open(kept: list[str]) -> bool:
    """Whether the last line cannot be the end of a reason (a reply that was folded before an address)."""
    return bool(kept) and not kept[-1].rstrip().endswith((".", ")", "'", '"'))


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


def best(reasons: Iterable[Reason]) -> Reason:
    """The reason for which most speaks; of equals, the first."""
    return max(reasons, key=lambda reason: reason[0], default=(0, "", None))


def transcript(lines: list[str], people: dict[str, Person]) -> list[Reason]:
    """What a transcript heard (``>>> RCPT TO:<...>``, ``<<< 550 ...``), to the recipient it speaks of.

    Returned is what it heard that speaks of none of them, and so of all.
    """
    shared: list[Reason] = []
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


def elsewhere(lines: list[str]) -> Iterator[Reason]:
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


def _labelled(lines: list[str]) -> Iterator[Reason]:
    for at, line in enumerate(lines):
        if wording.REPLY_LINE.match(line):
            text = _after(lines, at, line.strip())
            yield 80 if line.lstrip()[0] in "45" else 30, text, None
        elif found := wording.LABEL.search(line):
            text = _after(lines, at, line[found.end() :].strip())
            if text:
                yield _weight(text, 85, 83, 65), text, None
