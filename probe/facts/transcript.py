"""A whole session, and its text form: what users read and what golden tests compare.

``Transcript.parse(str(t)) == t``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from probe.facts.records import Status
from probe.facts.session import Certificate, Ending, Fault, Reply, Stage, Tls, Turn

__all__ = ["Transcript"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole session, every line of both sides in order.

    `server` is the name that was asked for, `peer` the address and port that answered (or were tried
    last), `local` our own address. `stopped` is the reason our plan ended the session early: the
    problem part of a rule in ``catalogue/session.toml``, empty when the plan ran to its end.
    """

    turns: tuple[Turn, ...] = ()
    server: str = ""
    peer: str = ""
    local: str = ""
    tls: Tls | None = None
    stopped: str = ""

    def __iter__(self) -> Iterator[Turn]:
        return iter(self.turns)

    def of(self, stage: Stage) -> tuple[Turn, ...]:
        """The turns of one stage, in order."""
        return tuple([turn for turn in self.turns if turn.stage is stage])

    def last(self, stage: Stage) -> Turn | None:
        """The last turn of one stage."""
        for turn in reversed(self.turns):
            if turn.stage is stage:
                return turn
        return None

    def __str__(self) -> str:
        return "\n".join(_written(self))

    @classmethod
    def parse(cls, text: str) -> Transcript:
        """The transcript that was written as `text`; ValueError where it was not written by us."""
        try:
            return _Reading(text).transcript()
        except (TypeError, KeyError, RecursionError) as problem:  # a note whose values are not those of ours
            raise ValueError("a line that probe does not write") from problem


# The text form. `C:` is said, `S:` is heard, `!:` came unasked, `--` is what happened without words.


def _note(word: str, **values: object) -> str:
    pairs = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value)
    return " ".join(("--", word, *pairs))


def _written(session: Transcript) -> Iterator[str]:
    yield _note("session", server=session.server, peer=session.peer, local=session.local)
    if (tls := session.tls) is not None:
        yield _note(
            "tls-facts",
            version=tls.version,
            cipher=tls.cipher,
            wanted=tls.wanted,
            error=tls.error,
            resumed=tls.resumed,
        )
        if (leaf := tls.certificate) is not None:
            yield _note("certificate", **{name: getattr(leaf, name) for name in Certificate.__slots__})
    held: list[Turn] = []
    for turn in session.turns:
        if not turn.pipelined:
            yield from _heard(held)
            held = []
        held.append(turn)
        yield _note(turn.stage, secure=turn.secure, pipelined=turn.pipelined)
        if turn.said:
            yield f"C: {turn.said}"
    yield from _heard(held)
    if session.stopped:
        yield _note("stopped", reason=session.stopped)


def _heard(turns: Iterable[Turn]) -> Iterator[str]:
    for turn in turns:
        if isinstance(turn.heard, Reply):
            yield from (f"S: {line}" for line in turn.heard.lines)
        elif turn.heard is not None:
            yield from (f"S~ {line}" for line in turn.heard.lines)
            fault = turn.heard
            yield _note("fault", ending=fault.ending, detail=fault.detail, status=fault.status)
        yield from (f"!: {line}" for line in turn.unasked)


@dataclass(slots=True)
class _Draft:
    """A turn while it is being read."""

    stage: str
    secure: bool
    pipelined: bool
    said: str = ""
    lines: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    fault: Fault | None = None

    @property
    def answered(self) -> bool:
        return self.fault is not None or bool(self.lines and self.lines[-1][3:4] != "-")

    def turn(self) -> Turn:
        heard: Reply | Fault | None = None
        if self.fault is not None:
            heard = replace(self.fault, lines=tuple(self.half))
        elif self.lines:
            heard = Reply(int(self.lines[-1][:3]), tuple(self.lines))
        unasked = tuple(self.unasked)
        return Turn(Stage(self.stage), self.said, heard, unasked, self.secure, self.pipelined)


class _Reading:
    """The reader of the text form: one pass, turns of a flight filled in the order they were said."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.head: dict[str, str] = {}
        self.tls: Tls | None = None
        self.stopped = ""
        self.flight: list[_Draft] = []
        self.turns: list[_Draft] = []

    def transcript(self) -> Transcript:
        for line in self.lines:
            mark, _, rest = line.partition(" ")
            if mark == "--":
                self.note(rest)
            elif mark in {"C:", "S:", "S~", "!:"} and self.turns:
                self.talk(mark, rest)
            else:
                raise ValueError(f"not a line of a transcript: {line!r}")
        turns = tuple(draft.turn() for draft in self.turns)
        return Transcript(turns, tls=self.tls, stopped=self.stopped, **self.head)

    def note(self, rest: str) -> None:
        word, _, pairs = rest.partition(" ")
        values = _pairs(pairs)
        if word == "session":
            self.head = {key: str(value) for key, value in values.items()}
        elif word == "tls-facts":
            self.tls = Tls(**values)
        elif word == "certificate" and self.tls is not None:
            names = tuple(values.pop("names", ()))
            plain = dict.fromkeys(Certificate.__slots__, "")
            self.tls = replace(
                self.tls, certificate=Certificate(**{**plain, "total": 0, **values, "names": names})
            )
        elif word == "stopped":
            self.stopped = str(values.get("reason", ""))
        elif word == "fault":
            status = Status(values["status"]) if "status" in values else None
            fault = Fault(Ending(values["ending"]), str(values.get("detail", "")), status=status)
            self.unanswered().fault = fault
        else:
            draft = _Draft(word, bool(values.get("secure")), bool(values.get("pipelined")))
            self.flight = [*self.flight, draft] if draft.pipelined else [draft]
            self.turns.append(draft)

    def unanswered(self) -> _Draft:
        for draft in self.flight:
            if not draft.answered:
                return draft
        raise ValueError("an answer to nothing")

    def talk(self, mark: str, rest: str) -> None:
        if mark == "C:":
            self.turns[-1].said = rest
        elif mark == "!:":
            answered = [draft for draft in self.flight if draft.answered]
            (answered or self.flight)[-1].unasked.append(rest)
        elif mark == "S:":
            self.unanswered().lines.append(rest)
        else:
            self.unanswered().half.append(rest)


def _pairs(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    decoder = json.JSONDecoder()
    while text:
        key, _, text = text.partition("=")
        value, end = decoder.raw_decode(text)
        values[key] = value
        text = text[end:].lstrip(" ")
    return values
