"""What a notice may cost: whoever writes it chooses how often a line stands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from probe.grammar import notice as notice_reader
from probe.grammar import reasons, wording
from probe.grammar.notice import notice


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each step of the reader is taken that looks at lines around a line."""
    counted: Counter[str] = Counter()
    for step in ("_paragraph", "_after", "_before"):
        monkeypatch.setattr(reasons, step, _counting(getattr(reasons, step), counted, step))
    return counted


def _counting(step: Callable[..., object], counted: Counter[str], name: str) -> Callable[..., object]:
    def counting(*words: object, **more: object) -> object:
        counted[name] += 1
        return step(*words, **more)

    return counting


@pytest.mark.parametrize("line", ["Reason: x", "Reason:", "550 x", "host:"])
def test_labels_without_end_are_read_up_to_a_bound(line: str, looked_at: Counter[str]) -> None:
    assert len(notice(f"{line}\n" * 4000)) == 1
    assert 0 < looked_at["_after"] <= reasons.MAX_LABELS


def test_a_recipient_named_without_end_waits_once(looked_at: Counter[str]) -> None:
    (told,) = notice("No such user here:\n" + "a@b.test\n" * 4000)
    assert (told.recipient, looked_at["_before"]) == ("a@b.test", 1)


def test_of_many_recipients_each_is_looked_at_a_few_times(looked_at: Counter[str]) -> None:
    told = notice("".join(f"a{number}@b.test\n" for number in range(4000)))
    assert len(told) == notice_reader.MAX_PEOPLE
    assert looked_at.total() <= 3 * notice_reader.MAX_LINES


def test_what_stands_before_an_address_is_looked_for_near_it(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 0

    class Measured:
        def search(self, text: str) -> None:
            nonlocal longest
            longest = max(longest, len(text))

    monkeypatch.setattr(wording, "OTHER", Measured())
    monkeypatch.setattr(wording, "WHOM", Measured())
    notice(("x a@b.test " * 180 + "\n") * 30)
    assert 0 < longest < 200
