"""Pure work on a domain and what has been seen of it, done once.

Checks stand on each other: what the receivers require is what SPF, DKIM, DMARC and PTR say, and an
alignment stands on a walk that others have walked. The result is kept with the records it follows from,
so it goes when they go, and a new answer, which makes new records, asks for new work; unless the result
says that all it could rest on is answered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar, cast

from probe.facts import Question, Records

__all__ = ["asked_once", "once", "once_for_all"]

_NEVER = object()  # what was worked out may well be None

Subject = TypeVar("Subject", bound=Hashable)
Result = TypeVar("Result")


def once(work: Callable[[Subject, Records], Result]) -> Callable[[Subject, Records], Result]:
    """A pure function of a subject and of records that is computed once for each of both."""

    @functools.wraps(work)
    def remembered(subject: Subject, seen: Records) -> Result:
        key = (work, subject)
        found = seen.derived.get(key, _NEVER)
        if found is _NEVER:
            found = seen.derived[key] = work(subject, seen)
        return cast("Result", found)

    return remembered


def once_for_all(
    lasts: Callable[[Any], bool],
) -> Callable[[Callable[[Subject, Records], Result]], Callable[[Subject, Records], Result]]:
    """As `once`; a result that `lasts`, because no further answer can change it, outlives these records."""

    def deciding(work: Callable[[Subject, Records], Result]) -> Callable[[Subject, Records], Result]:
        @functools.wraps(work)
        def remembered(subject: Subject, seen: Records) -> Result:
            key = (work, subject)
            found = seen.derived.get(key)
            if found is None:
                found = seen.derived[key] = work(subject, seen)
                if lasts(found):
                    seen.settled[key] = found
            return cast("Result", found)

        return remembered

    return deciding


def asked_once(
    work: Callable[[Subject, Records], Iterable[Question]],
) -> Callable[[Subject, Records], tuple[Question, ...]]:
    """As `once`, for the open questions of a check that others stand on: each once, in their order.

    A check asks for whatever it reads, so where all its questions are answered, no other answer gives it a
    new one.
    """

    @functools.wraps(work)
    def remembered(subject: Subject, seen: Records) -> tuple[Question, ...]:
        key = (work, subject)
        asked: tuple[Question, ...] | None = seen.derived.get(key)
        if asked is None:
            answers = seen.answers
            unseen = {question: None for question in work(subject, seen) if question not in answers}
            asked = seen.derived[key] = tuple(unseen)
            if not asked:
                seen.settled[key] = asked
        return asked

    return remembered
