"""The text of a transcript is what users read and what tests compare: it can be read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import (
    Certificate,
    Ending,
    Fault,
    Reply,
    Stage,
    Status,
    Tls,
    Transcript,
    Turn,
    escape,
    transcript,
)

words = st.text(max_size=30).map(lambda text: escape(text.encode("utf-8", "replace")))
replies = st.builds(
    lambda code, first, more: Reply(code, (*(f"{code}-{line}" for line in more), f"{code} {first}")),
    st.integers(200, 599),
    words,
    st.lists(words, max_size=2),
)
faults = st.builds(
    Fault,
    st.sampled_from(Ending),
    words,
    st.lists(words, max_size=2).map(tuple),
    st.one_of(st.none(), st.sampled_from(Status)),
)
said = words.filter(bool)
plain = st.builds(
    Turn,
    st.sampled_from(Stage),
    st.one_of(st.just(""), said),
    st.one_of(replies, faults),
    st.lists(words, max_size=2).map(tuple),
    secure=st.booleans(),
)
silent = st.builds(
    Turn, st.sampled_from([Stage.CONNECT, Stage.TLS]), st.just(""), st.none(), secure=st.booleans()
)
flights = st.lists(st.builds(Turn, st.sampled_from(Stage), said, replies), min_size=2, max_size=4).map(
    lambda turns: [turns[0], *(Turn(one.stage, one.said, one.heard, pipelined=True) for one in turns[1:])]
)
leaves = st.builds(
    Certificate,
    words,
    words,
    st.lists(words, max_size=3).map(tuple),
    st.integers(0, 9),
    words,
    words,
    words,
    words,
)
sessions = st.builds(
    Transcript,
    st.lists(st.one_of(st.lists(st.one_of(plain, silent), min_size=1, max_size=2), flights), max_size=4).map(
        lambda parts: tuple(turn for part in parts for turn in part)
    ),
    words,
    words,
    words,
    st.one_of(
        st.none(), st.builds(Tls, words, words, words, st.one_of(st.none(), leaves), words, st.booleans())
    ),
    words,
)


@settings(deadline=None, max_examples=60)
@given(sessions)
def test_what_was_written_can_be_read_back(session: Transcript) -> None:
    assert Transcript.parse(str(session)) == session


@settings(deadline=None, max_examples=40)
@given(sessions)
def test_a_turn_is_never_more_than_its_lines(session: Transcript) -> None:
    assert all(line.isprintable() for line in str(session).split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "S: 220 before anything",
        "-- greeting\nS: 220 a\nS: 220 b",
        '-- tls-facts colour="red"',
        '-- session colour="red"',
        '-- greeting\n-- fault detail="closed"',
        '-- tls-facts version="TLSv1.3"\n-- certificate names=3',
        '-- tls-facts version="TLSv1.3"\n-- certificate names=[1]',
        '-- tls-facts version="TLSv1.3"\n-- certificate names="mx.example.test"',
        '-- tls-facts version="TLSv1.3"\n-- certificate names=["mx"] not_after=7',
        '-- tls-facts version="TLSv1.3"\n-- certificate total="7"',
        "-- tls-facts version=1",
        '-- tls-facts cipher=["AES"]',
        '-- tls-facts certificate={"subject": "mx"}',
        '-- tls-facts version="TLSv1.3" resumed="no"',
        "-- tls-facts verified=true",
        '-- tls-facts version="TLSv1.3" "x" "y"',
        "-- session server=" + "[" * 100_000,
    ],
)
def test_what_was_not_written_by_us_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a line|answer to nothing|does not write|not found"):
        Transcript.parse(text)


def test_a_long_flight_is_gone_through_once() -> None:
    """Every draft is looked at once for its own answer, however many were said before it."""
    looks = 0

    class Counted(transcript._Draft):
        @property
        def answered(self) -> bool:
            nonlocal looks
            looks += 1
            return super().answered

    said = "-- rcpt\nC: RCPT TO:<a@b.test>" + "\n-- rcpt pipelined=true\nC: RCPT TO:<a@b.test>" * 499
    heard = "\nS: 250 Ok\n!: 250 once more" * 500
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(transcript, "_Draft", Counted)
        session = Transcript.parse(said + heard)
    assert looks < 5 * 500
    assert [turn.unasked for turn in session] == [("250 once more",)] * 500


def test_the_second_ehlo_has_a_name_of_its_own() -> None:
    stages = (Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.TLS, Stage.EHLO, Stage.AUTH)
    session = Transcript(tuple(Turn(stage, "", None) for stage in stages))
    names = ["greeting", "ehlo", "starttls", "tls", "ehlo-tls", "auth"]
    assert [name for name, _ in session.steps()] == names
    assert [turn for _, turn in session.steps()] == list(session)


def test_stages() -> None:
    session = Transcript(
        (
            Turn(Stage.EHLO, "EHLO a", Reply(250, ("250 x",))),
            Turn(Stage.EHLO, "EHLO b", Reply(250, ("250 y",))),
        )
    )
    assert [turn.said for turn in session.of(Stage.EHLO)] == ["EHLO a", "EHLO b"]
    assert session.last(Stage.MAIL) is None
