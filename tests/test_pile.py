"""A log whose replies are all different takes no more memory than one whose replies are alike."""

from __future__ import annotations

import random

import pytest

from probe.fleet import counts
from probe.grammar.maillog import Logged
from probe.run import bounces
from probe.run.bounces import Pile


def refused(said: bytes) -> Logged:
    return Logged(b"bounced", b"bob@corp.example", b"mx.corp.example[192.0.2.7]:25", said)


def test_long_words_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounces, "_MAX_WORDS", 10_000)
    letters = random.Random(7)
    pile = Pile("a log")
    for _ in range(60):
        words = " ".join("".join(letters.choices("abcdefgh", k=9)) for _ in range(150))
        pile.logged(refused(f"550 5.1.1 {words}".encode()))
        assert sum(len(words) for _, words in pile.readings) == pile.words <= 10_000
    assert (pile.seen, pile.failed) == (60, 60)


def test_replies_that_differ_in_ids_are_read_once() -> None:
    pile = Pile("a log")
    for number in range(50):
        pile.logged(refused(b"550 5.1.1 no such user, id=7f%d-%d" % (number, number)))
    assert (pile.seen, len(pile.readings)) == (50, 1)


def test_of_very_many_addresses_the_later_ones_keep_what_was_said_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counts, "MAX_SAID", 100)
    pile = Pile("a log")
    for number in range(6):
        who = b"a%d@corp.example" % number
        pile.logged(
            Logged(b"bounced", who, b"mx.corp.example[192.0.2.7]:25", b"550 5.1.1 <%b>: no user" % who)
        )
    replies = [reply for *_, reply in pile.suppressed()]
    assert replies[:3] == [f"550 5.1.1 <a{number}@corp.example>: no user" for number in range(3)]
    assert replies[3:] == ["550 5.1.1 <<address>>: no user"] * 3
    assert len({id(one.reply) for one in list(pile.fleet.bad.values())[3:]}) == 1
