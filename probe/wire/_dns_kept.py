"""The answers of a run: each is kept, a failure for a while, and the oldest go when there are too many."""

from __future__ import annotations

import time
from itertools import islice

from probe.facts import Answer, Question

__all__ = ["Kept"]

MOST = 500_000  # answers
FAILED_FOR = 30.0  # seconds a failure is kept (RFC 9520 section 3.2: at least 1 s, at most 5 min)


class Kept(dict[Question, Answer]):
    """Answers by question; `failed` tells of those that are failures since when (`time.monotonic`)."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: dict[Question, float] = {}

    def known(self, question: Question) -> bool:
        """Whether a question need not be asked; a failure that is too old is forgotten."""
        if question not in self:
            return False
        since = self.failed.get(question)
        if since is None or time.monotonic() - since < FAILED_FOR:
            return True
        del self.failed[question], self[question]
        return False

    def keep(self, question: Question, answer: Answer) -> None:
        """Keeps an answer."""
        if len(self) >= MOST:
            # Many at once: to find its first key, a dictionary steps over the gap that each deleted key left.
            for oldest in tuple(islice(self, MOST // 8)):
                del self[oldest]
                self.failed.pop(oldest, None)
        self[question] = answer
        if not answer.known:
            self.failed[question] = time.monotonic()
