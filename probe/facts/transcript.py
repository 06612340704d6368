"""A whole session, and its text form: what users read and what golden tests compare.

``Transcript.parse(str(t)) == t``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from probe.facts.records import Status
from probe.facts.session import Certificate, Ending, Fault, Reply, Stage, Tls, Turn

__all__ = ["Transcript"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole session, every line of both sides in order.

    `server` is the name that was asked for, `peer` the address and port that answered (or were tried
    last), `local` our own address. `stopped` is the reason our plan ended the session early: the
    problem part of a rule in ``catalogue/session.toml`` (in ``credentials.toml`` where a secret was
    withheld), empty when the plan ran to its end.
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

    def steps(self) -> Iterator[tuple[str, Turn]]:
        """The turns, each with the name of its step: its stage; an EHLO under TLS is ``ehlo-tls``."""
        encrypted = False
        for turn in self.turns:
            yield "ehlo-tls" if encrypted and turn.stage is Stage.EHLO else str(turn.stage), turn
            encrypted = encrypted or turn.stage is Stage.TLS

    def timings(self) -> dict[str, float]:
        """Seconds by the name of the step, in order: what all turns of a step took together."""
        spent: dict[str, float] = {}
        for name, turn in self.steps():
            spent[name] = spent.get(name, 0.0) + turn.took
        return spent

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
        self.answered = 0
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
            self.tls = _alike(Tls(), values)
        elif word == "certificate" and self.tls is not None:
            self.tls = replace(self.tls, certificate=_alike(_NO_LEAF, values))
        elif word == "stopped":
            self.stopped = str(values.get("reason", ""))
        elif word == "fault":
            status = Status(values["status"]) if "status" in values else None
            fault = Fault(Ending(values["ending"]), str(values.get("detail", "")), status=status)
            self.unanswered().fault = fault
        else:
            draft = _Draft(word, bool(values.get("secure")), bool(values.get("pipelined")))
            if not draft.pipelined:
                self.flight.clear()
                self.answered = 0
            self.flight.append(draft)
            self.turns.append(draft)

    def unanswered(self) -> _Draft:
        if self.ahead() == len(self.flight):
            raise ValueError("an answer to nothing")
        return self.flight[self.answered]

    def ahead(self) -> int:
        """How many of the flight are answered: what was said first is answered first."""
        while self.answered < len(self.flight) and self.flight[self.answered].answered:
            self.answered += 1
        return self.answered

    def talk(self, mark: str, rest: str) -> None:
        if mark == "C:":
            self.turns[-1].said = rest
        elif mark == "!:":
            self.flight[self.ahead() - 1].unasked.append(rest)
        elif mark == "S:":
            self.unanswered().lines.append(rest)
        else:
            self.unanswered().half.append(rest)


_Record = TypeVar("_Record", Tls, Certificate)
_NO_LEAF = Certificate("", "", (), 0, "", "", "", "")


def _alike(plain: _Record, values: Mapping[str, Any]) -> _Record:
    """A record with the values of a note in it; TypeError where one is not of the kind that stands there."""
    found: dict[str, Any] = {
        name: _words(value) if name == "names" else value for name, value in values.items()
    }
    for name, value in found.items():
        if type(value) is not type(getattr(plain, name, None)):
            raise TypeError(name)
    return replace(plain, **found)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("names")
    return tuple(value)


def _pairs(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        equals = text.index("=", at)
        value, end = decoder.raw_decode(text, equals + 1)
        values[text[at:equals]] = value
        at = end + 1  # one space parts them
    return values
