"""What DNS was asked and what it answered."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

__all__ = ["ROOT", "Answer", "Question", "Records", "Status"]


class Status(enum.StrEnum):
    """How a question ended. Only the first three say anything about the name."""

    OK = "ok"
    NODATA = "nodata"  # the name exists, nothing of this type
    NXDOMAIN = "nxdomain"  # the name does not exist
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"  # TC over UDP and TCP did not work
    FORMERR = "formerr"
    NOTIMP = "notimp"
    GARBLED = "garbled"  # bytes that are not an answer to this question
    UNREACHABLE = "unreachable"  # no way to the server: our network
    SKIPPED = "skipped"  # not asked: the budget of questions or time was spent

    @property
    def known(self) -> bool:
        """Whether the answer tells what is, or is not, published."""
        return self in _KNOWN


_KNOWN = (Status.OK, Status.NODATA, Status.NXDOMAIN)


class Question(NamedTuple):
    """A name and a record type. The name is absolute, lower-case, in A-labels, without final dot.

    A tuple, because one audit builds and hashes hundreds.
    """

    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


ROOT = Question(".", "NS")  # whoever resolves anything can answer this


@dataclass(frozen=True, slots=True)
class Answer:
    """What a resolver said to one question.

    `values` are in presentation form without final dots: ``10 mx.example.com`` for MX (``0 .`` is the
    null MX), ``192.0.2.1``, names in lower case. A TXT value is its strings joined, one character a
    byte (latin-1), and `chunks` holds the length of each string; texts are sorted, as a set has no
    order. `aliases` is the CNAME chain that was followed, the question's own name not included.
    `authenticated` is the AD flag. `ttl` is in seconds, the smallest of the answer; for a negative answer
    the time it may be kept (RFC 2308).
    """

    status: Status
    values: tuple[str, ...] = ()
    ttl: int = 0
    server: str = ""
    aliases: tuple[str, ...] = ()
    chunks: tuple[tuple[int, ...], ...] = ()
    authenticated: bool = False
    detail: str = ""

    @property
    def known(self) -> bool:
        """Whether this tells what is, or is not, published; otherwise nobody may conclude from it."""
        return self.status in _KNOWN


class Records:
    """What has been asked so far, and the answers. A missing answer is never an empty answer.

    `derived` remembers what was worked out from exactly these answers: they never change, so neither does
    what follows from them. `settled` is the part of it that no further answer changes, since all that it
    rests on is answered; records that include these begin with it. Both only save work.
    """

    __slots__ = ("_by_parts", "_held", "answers", "derived", "settled")

    def __init__(self, answers: Mapping[Question, Answer] | None = None) -> None:
        self._held: dict[Question, Answer] = {} if answers is None else dict(answers)
        self.answers: Mapping[Question, Answer] = self._held
        # A question is a tuple, so its parts find it: nobody builds one only to look it up.
        self._by_parts = cast("Mapping[tuple[str, str], Answer]", self._held)
        self.settled: dict[object, Any] = {}
        self.derived: dict[object, Any] = {}

    def __contains__(self, question: Question) -> bool:
        return question in self.answers

    def __iter__(self) -> Iterator[Question]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def asked(self, name: str, kind: str) -> Answer | None:
        """The answer to one question, or None when it has not been asked."""
        return self._by_parts.get((name, kind))

    def of(self, name: str, kind: str) -> tuple[str, ...]:
        """The values of one answer; empty where it is negative, failed or has not been asked."""
        answer = self._by_parts.get((name, kind))
        return answer.values if answer is not None and answer.status is Status.OK else ()

    def including(self, more: Mapping[Question, Answer]) -> Records:
        """These records and more."""
        grown = Records(self.answers)
        grown._held.update(more)
        grown.settled = self.settled.copy()
        grown.derived = self.settled.copy()
        return grown

    def forget(self) -> None:
        """Drops what was remembered: what is derived holds these records, and would keep them in memory."""
        self.settled.clear()
        self.derived.clear()
