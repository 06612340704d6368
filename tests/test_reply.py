"""Replies are read strictly, and never depend on how the stream was cut."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Ending, Fault, Reply, Secret, escape, unescape, unmarked
from probe.grammar.ehlo import extensions
from probe.grammar.redaction import Redaction
from probe.grammar.reply import MAX_LINE, MAX_LINES, ReplyReader, reply


def read(data: bytes) -> list[Reply | Fault]:
    return ReplyReader().feed(data)


@pytest.mark.parametrize(
    ("said", "code", "enhanced", "text"),
    [
        (b"220 mx.example.com ESMTP\r\n", 220, None, "mx.example.com ESMTP"),
        (b"220\r\n", 220, None, ""),
        (b"250-mx\r\n250-PIPELINING\r\n250 SIZE 1000\r\n", 250, None, "mx PIPELINING SIZE 1000"),
        (b"535-5.7.8 Not accepted. Go to\r\n535 5.7.8  https://x.example\r\n", 535, "5.7.8", "Not accepted. Go to https://x.example"),
        (b"550 5.1.1\r\n", 550, "5.1.1", ""),
        (b"550 5.1.1234 no\r\n", 550, None, "5.1.1234 no"),
        (b"220 tolerated\n", 220, None, "tolerated"),
        (b"250-foo \n250 bar\r\n", 250, None, "foo bar"),
        (b"220\n", 220, None, ""),
        (b"550 5.1.1\n", 550, "5.1.1", ""),
        (rb"550 no such path C:\n" + b"\r\n", 550, None, r"no such path C:\\n"),  # its own backslash, doubled
        (b"550 no such path C:\\\n", 550, None, r"no such path C:\\"),
    ],
)  # fmt: skip
def test_a_reply(said: bytes, code: int, enhanced: str | None, text: str) -> None:
    (heard,) = read(said)
    assert isinstance(heard, Reply)
    assert (heard.code, heard.enhanced, heard.text) == (code, enhanced, text)
    assert heard.raw == said


@pytest.mark.parametrize(
    "said",
    [
        b"99 hi\r\n", b"600 hi\r\n", b"+22 hi\r\n", b"2_0 hi\r\n", b" 220 hi\r\n", b"2200 hi\r\n", b"220\thi\r\n",
        "２２０ hi\r\n".encode(), b"\r\n", b"220-ok\r\n554 no\r\n", b"250-ok\r\nfree text\r\n250 ok\r\n",
        b"HTTP/1.1 400 Bad Request\r\n", b"+OK POP3\r\n", b"199 no class\r\n", b"220-ok\r\n220_ok\r\n",
    ],
)  # fmt: skip
def test_what_is_not_a_reply_is_garbled(said: bytes) -> None:
    (heard,) = read(said + b"220 and nothing after it is believed\r\n")
    assert isinstance(heard, Fault)
    assert heard.ending is Ending.GARBLED
    assert heard.lines


def test_limits() -> None:
    assert isinstance(read(b"220-x\r\n" * (MAX_LINES - 1) + b"220 x\r\n")[0], Reply)
    for flood in (
        b"220-x\r\n" * (MAX_LINES + 1),
        b"220 " + b"x" * MAX_LINE,
        b"220-" + b"x" * 8000 + b"\r\n220-" + b"y" * 60_000,
    ):
        (heard,) = read(flood)
        assert isinstance(heard, Fault)
        assert heard.ending is Ending.TOO_LONG
        assert sum(map(len, heard.lines)) < 1000


def test_nothing_is_kept_of_a_flood() -> None:
    reader = ReplyReader()
    for _ in range(1000):
        reader.feed(b"220-" + b"x" * 1000 + b"\r\n")
    assert reader.broken
    assert reader.rest() == ()


def test_half_a_reply_is_the_rest() -> None:
    reader = ReplyReader()
    assert reader.feed(b"250-mx\r\n250-STARTTLS\r\n250 SI") == []
    assert reader.take() == ("250-mx", "250-STARTTLS", "250 SI")
    assert reader.rest() == ()


lines = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"") + b"\r\n")
talk = st.lists(
    st.one_of(
        lines,
        st.tuples(st.integers(200, 599), st.sampled_from([b" ", b"-", b""]), lines).map(
            lambda parts: b"%d%s%s" % (parts[0], parts[1], parts[2] if parts[1] else b"\r\n")
        ),
    ),
    max_size=8,
).map(b"".join)


@settings(deadline=None)
@given(talk, st.lists(st.integers(0, 300), max_size=8))
def test_the_result_does_not_depend_on_how_the_stream_was_cut(data: bytes, cuts: list[int]) -> None:
    whole = read(data)
    reader = ReplyReader()
    pieces: list[Reply | Fault] = []
    last = 0
    for cut in [*sorted(cuts), len(data)]:
        pieces += reader.feed(data[last:cut])
        last = max(last, cut)
    assert pieces == whole


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_escaping_loses_nothing_and_prints(data: bytes) -> None:
    shown = escape(data)
    assert shown.isprintable()
    assert unescape(shown) == data


@given(st.text(alphabet="a\\n", max_size=9), st.sampled_from(["\n", "\r\n"]))
def test_the_mark_of_a_bare_line_end_is_none_of_the_peers_own_characters(said: str, end: str) -> None:
    (heard,) = read(f"250 {said}{end}".encode())
    assert isinstance(heard, Reply)
    assert heard.raw == f"250 {said}{end}".encode()
    assert unmarked(heard.lines[0]) == escape(f"250 {said}".encode())


def test_extensions_are_read_from_lines_that_end_in_any_way() -> None:
    (heard,) = read(b"250-mx\n250-\n250-SIZE 10 \n250 AUTH PLAIN\n")
    assert isinstance(heard, Reply)
    assert extensions(heard).keywords == {"SIZE": "10", "AUTH": "PLAIN"}


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\u200b", "\u2028", "\x85", "\x1b", "\x00", "\x7f"])
def test_what_moves_a_cursor_or_hides_a_word_is_escaped(char: str) -> None:
    assert char not in escape(f"220 a{char}b".encode())


def test_a_reply_written_by_hand() -> None:
    assert reply("550-5.1.1 no\n550 5.1.1 such user").code == 550
    with pytest.raises(ValueError, match="not one SMTP reply"):
        reply("550-5.1.1 unfinished")


def test_a_code_that_is_hidden_as_a_secret_is_still_the_code() -> None:
    redaction = Redaction(Secret("250\r"))
    redaction.leaves(b"AUTH PLAIN AGEAMjUwDQ==")
    assert ReplyReader(redaction).feed(b"250\r\n") == [Reply(250, ("***\\n",))]


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=12), talk)
def test_what_is_hidden_changes_no_code(secret: str, data: bytes) -> None:
    redaction = Redaction(Secret(secret))
    redaction.leaves(b"AUTH PLAIN " + base64.b64encode(b"\0a\0" + secret.encode()))
    codes = [heard.code if isinstance(heard, Reply) else heard.ending for heard in read(data)]
    hidden = ReplyReader(redaction).feed(data)
    assert [heard.code if isinstance(heard, Reply) else heard.ending for heard in hidden] == codes
