"""A secret that a server echoes is replaced, in whatever form; ordinary words stay."""

from __future__ import annotations

import base64
import copy
import html
import json
import pickle
import urllib.parse
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.facts import Secret
from probe.grammar import redaction
from probe.grammar.encoded import places, readings
from probe.grammar.redaction import Redaction

PASSWORD = "zQ7-Xk9!hunter2-<&>é"
BLOB = base64.b64encode(b"\0ada@example.com\0" + PASSWORD.encode())


PARTS = [
    b"zq7",
    b" ",
    b"%2521",
    b"=3D41",
    b"&amp;#122;",
    b"&lt;",
    b"\\u005a",
    b"0x5a",
    b"\\132",
    b"\xe2\x80\x8b",
]


def heard(*lines: bytes, secret: str = PASSWORD) -> tuple[bytes, ...]:
    redaction = Redaction(Secret(secret))
    redaction.leaves(b"AUTH PLAIN " + base64.b64encode(b"\0ada@example.com\0" + secret.encode()))
    return redaction(lines)


ECHOES = {
    "as it is": PASSWORD.encode(),
    "in upper case": PASSWORD.upper().encode(),
    "reversed": PASSWORD[::-1].encode(),
    "in a link": urllib.parse.quote(PASSWORD, safe="").encode(),
    "in a form": urllib.parse.quote_plus(PASSWORD).encode(),
    "in HTML": html.escape(PASSWORD).encode(),
    "in JSON": json.dumps(PASSWORD)[1:-1].encode(),
    "in hex": PASSWORD.encode().hex().encode(),
    "in spaced hex": PASSWORD.encode().hex(" ").encode(),
    "in base64": base64.b64encode(PASSWORD.encode()),
    "in base64, one off": base64.b64encode(b"x" + PASSWORD.encode() + b"yz"),
    "in base64, two off": base64.b64encode(b"xy" + PASSWORD.encode() + b"z"),
    "as the AUTH blob": BLOB,
    "in base64 of base64": base64.b64encode(base64.b64encode(PASSWORD.encode())),
    "as the AUTH blob in base64": base64.b64encode(BLOB),
    "as the AUTH blob in hex": BLOB.hex().encode(),
    "in base32": base64.b32encode(PASSWORD.encode()),
    "in Latin-1": PASSWORD.encode("latin-1"),
}


@pytest.mark.parametrize("form", ECHOES)
def test_an_echo_is_replaced(form: str) -> None:
    (line,) = heard(b"535 5.7.8 rejected: " + ECHOES[form] + b" (sic)")
    assert line.startswith(b"535 5.7.8 rejected: ")
    assert line.endswith(b" (sic)")
    core = ECHOES[form][4:-4].lower()
    assert core not in line.lower()


APART = {
    "letter by letter": b"z Q 7 - X k 9 ! h u n t e r 2",
    "as UTF-16": "zQ7-Xk9!hunter2".encode("utf-16-le"),
    "in numeric HTML": b"zQ7-Xk9&#33;hunter2",
    "in quoted-printable": b"zQ7=2DXk9=21hunter2",
    "in a link of a link": b"zQ7-Xk9%2521hunter2",
    "in escaped JSON": rb"zQ7-Xk9\u0021hunter2",
    "in base64 by fours": b"elE3 LVhr OSFo dW50 ZXIy",
    "with dashes": b"zQ7-Xk9-!-hunter2",
    "in wide letters": "ｚＱ７－Ｘｋ９！ｈｕｎｔｅｒ２".encode(),
    "in binary": b" ".join(f"{byte:08b}".encode() for byte in b"zQ7-Xk9!hunter2"),
    "in rot13": b"mD7-Kx9!uhagre2",
    "in hex, reversed": b"zQ7-Xk9!hunter2"[::-1].hex().encode(),
    "in base64, reversed": base64.b64encode(b"zQ7-Xk9!hunter2")[::-1].lstrip(b"="),
}


@pytest.mark.parametrize("form", APART)
def test_an_echo_with_something_in_between_is_replaced(form: str) -> None:
    (line,) = heard(b"535 5.7.8 no " + APART[form] + b" (sic)", secret="zQ7-Xk9!hunter2")
    assert line.replace(b"\0", b"") == b"535 5.7.8 no *** (sic)"


@pytest.mark.parametrize(
    "said",
    ["abcdefghijklmnop", "abcd  efgh  ijkl  mnop", "ABCD-EFGH-IJKL-MNOP", "a b c d e f g h i j k l m n o p"],
)
@pytest.mark.parametrize("secret", ["abcd efgh ijkl mnop", "abcdefghijklmnop"])
def test_an_app_password_in_other_groups_is_replaced(said: str, secret: str) -> None:
    assert heard(f"535 no {said} (sic)".encode(), secret=secret) == (b"535 no *** (sic)",)


@pytest.mark.parametrize("said", ["PÄ$$WÖRD-9", "9-dröw$$äp", "pä$$wörd-9"])
def test_a_secret_in_another_case_or_from_its_end_is_replaced(said: str) -> None:
    assert heard(f"535 no {said} (sic)".encode(), secret="Pä$$wörd-9") == (b"535 no *** (sic)",)


def each(form: str, secret: str, joint: str = "") -> bytes:
    return joint.join(form.format(ord(letter)) for letter in secret).encode()


CODED = {
    "quoted-printable": ("={:02X}", ""),
    "quoted-printable of quoted-printable": ("=3D{:02X}", ""),
    "a link of a link": ("%25{:02x}", ""),
    "numeric HTML": ("&#{};", ""),
    "numeric HTML without its end": ("&#{}", ""),
    "hexadecimal HTML": ("&#x{:X};", ""),
    "HTML of HTML": ("&amp;#{};", ""),
    "JSON": ("\\u{:04x}", ""),
    "JSON of JSON": ("\\\\u{:04x}", ""),
    "JavaScript": ("\\u{{{:x}}}", ""),
    "a C string": ("\\x{:02x}", ""),
    "octal escapes": ("\\{:03o}", ""),
    "a C array": ("0x{:02x}", ","),
    "a C array with spaces": ("0x{:02X}", ", "),
    "hex with dashes": ("{:02x}", "-"),
    "octal numbers": ("{:03o}", " "),
    "decimal numbers": ("{}", " "),
    "decimal numbers of a list": ("{}", ", "),
}


@pytest.mark.parametrize("secret", ["zebra-quilt-42", "zebraquilt", "correct horse", "4711-0815-4242"])
@pytest.mark.parametrize("form", CODED)
def test_an_echo_in_which_every_letter_is_coded_is_replaced(form: str, secret: str) -> None:
    coded = each(CODED[form][0], secret, CODED[form][1])
    (line,) = heard(b"535 5.7.8 no [" + coded + b"] (sic)", secret=secret)
    assert line.startswith(b"535 5.7.8 no [")
    assert line.endswith(b"] (sic)")
    assert (
        len(line) <= len(b"535 5.7.8 no [***] (sic)") + 6
    )  # what introduces the first letter, or ends the last


@pytest.mark.parametrize("form", CODED)
def test_base64_of_an_echo_in_any_coding_is_replaced(form: str) -> None:
    coded = each(CODED[form][0], "zebra-quilt-42", CODED[form][1]).decode()
    told = json.dumps({"status": "401", "token": coded}).encode()
    assert heard(b"334 " + base64.b64encode(told), secret="zebra-quilt-42") == (b"334 ***",)
    twice = base64.urlsafe_b64encode(base64.b64encode(told)).rstrip(b"=")
    assert heard(b"535 no " + twice + b" (sic)", secret="zebra-quilt-42") == (b"535 no *** (sic)",)


def test_the_code_is_no_part_of_the_base64_behind_it() -> None:
    told = base64.b64encode("".join(f"\\u{ord(letter):04x}" for letter in "zebra-quilt-42").encode())
    lines = (b"334-" + told, b"334 " + told)
    assert heard(*lines, secret="zebra-quilt-42") == (b"334-***", b"334 ***")


def test_base64_of_something_else_stays() -> None:
    told = base64.b64encode(b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}')
    assert heard(b"334 " + told) == (b"334 " + told,)


@pytest.mark.parametrize(
    "code", ["=7A", "%7a", "%257A", "&#122;", "&#x7a;", "\\u007a", "\\U0000007a", "\\x7A", "\\172"]
)
def test_a_code_takes_no_letter_that_follows_it(code: str) -> None:
    line = f"535 5.7.8 no {code}ebra-quilt-42 (sic)".encode()
    assert heard(line, secret="zebra-quilt-42") == (b"535 5.7.8 no *** (sic)",)


BETWEEN = {
    "a space of no width": "\u200b",
    "a joiner": "\u2060",
    "a soft hyphen": "\u00ad",
    "a space that does not break": "\u00a0",
    "a byte order mark": "\ufeff",
    "a sign for how to draw": "\ufe0f",
    "a wide space": "\u3000",
    "a middle dot": "\u00b7",
}


@pytest.mark.parametrize("sign", BETWEEN)
def test_letters_parted_by_what_is_not_seen_are_an_echo(sign: str) -> None:
    text = BETWEEN[sign].join("zebra-quilt-42é").encode()
    assert heard(b"535 no " + text + b" (sic)", secret="zebra-quilt-42é") == (b"535 no *** (sic)",)


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_base64_of_utf_16_is_replaced_wherever_it_stands(before: str) -> None:
    coded = base64.b64encode(f"{before}zebra-quilt-42,".encode("utf-16-le"))
    (line,) = heard(b"535 no " + coded, secret="zebra-quilt-42")
    assert line.count(b"***") == 1
    assert len(line) < len(b"535 no ***") + 4 * len(before) + 8


@pytest.mark.parametrize(
    "text", ["a=20b =zz %", "&nbsp;&zzzz;", "&#9999999;&#xd800;", "\\u{110000}\\u", "=BadCreds"]
)
def test_codes_that_mean_nothing_of_ours_stay(text: str) -> None:
    line = b"535 5.7.8 see " + text.encode()
    assert heard(line, secret="zebra-quilt-42") == (line,)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60) | st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join))
def test_every_byte_of_a_reading_has_its_place(text: bytes) -> None:
    text = text.lower()
    for how, said in readings(text):
        found = places(text, how)
        assert len(found) == len(said)
        assert all(0 <= start < end <= len(text) for start, end in found)
        assert found == sorted(found)


@pytest.mark.parametrize("size", [1_000, 16_000])
def test_a_long_secret_takes_one_walk_over_a_reply(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def counted(text: bytes, size: int) -> Iterator[bytes]:
        nonlocal made
        made += max(0, len(text) - size + 1)
        return windows(text, size)

    windows = redaction._windows
    monkeypatch.setattr(redaction, "_windows", counted)
    secret = "".join(f"{number:x}z" for number in range(size))[:size]
    lines = (*[b"535-" + b"no " * 300] * 40, b"535 " + secret[100:500].encode())
    shown = heard(*lines, secret=secret)
    assert shown == (*lines[:-1], b"535 ***")
    assert made < 100 * (size + sum(map(len, lines)))


def test_a_secret_in_many_lines_is_replaced_in_each() -> None:
    secret = "zQ7-Xk9!hunter2"
    lines = heard(
        *(b"535-" + bytes((letter,)) for letter in secret.encode()), b"535-", b"535 no", secret=secret
    )
    assert lines == (*[b"535-***"] * len(secret), b"535-", b"535 no")


def test_letters_far_apart_are_no_word_of_ours() -> None:
    assert heard(b"550 5.1.1 invalid sender", secret="invalids") == (b"550 5.1.1 invalid sender",)


def test_a_secret_split_over_lines_is_replaced() -> None:
    half = len(PASSWORD) // 2
    lines = heard(b"535-5.7.8 " + PASSWORD[:half].encode(), b"535 " + PASSWORD[half:].encode())
    assert lines == (b"535-5.7.8 ***", b"535 ***")


@pytest.mark.parametrize(
    "line",
    [
        b"535 5.7.8 Username and Password not accepted",
        b"250 2.1.0 Ok",
        b"334 UGFzc3dvcmQ6",
        b"535 no hunter here",
    ],
)
def test_ordinary_words_stay(line: bytes) -> None:
    assert heard(line) == (line,)


def test_a_server_cannot_echo_what_it_has_not_heard() -> None:
    redaction = Redaction(Secret("closed"))
    assert redaction((b"421 connection closed",)) == (b"421 connection closed",)
    redaction.leaves(b"AUTH PLAIN AGFkYQBjbG9zZWQ=")
    assert redaction((b"421 closed is wrong",)) == (b"421 *** is wrong",)


def test_the_code_is_never_touched() -> None:
    assert heard(b"535 535535535 no", secret="535535535") == (b"535 *** no",)


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=4, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_password_survives_in_the_open(secret: str, before: str, after: str) -> None:
    text = f"535 {before}{secret}{after}".replace("\n", " ").encode("utf-8", "replace")
    (line,) = heard(text, secret=secret)
    echoed = secret.encode("utf-8", "replace").lower()
    head, _, body = line.partition(b" ")
    assert echoed not in body.lower() or echoed in b"***"
    assert head == b"535"


def test_a_secret_prints_as_stars_everywhere() -> None:
    secret = Secret(PASSWORD)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>10}",
        repr([secret]),
        repr({"a": secret}),
    ]
    assert not any("Xk9" in text for text in shown)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    assert (len(secret), bool(secret), bool(Secret("")), secret == Secret(PASSWORD)) == (
        len(PASSWORD),
        True,
        False,
        True,
    )
    assert secret.reveal() == PASSWORD


@pytest.mark.parametrize(
    "line",
    [b"235 2.7.0 Authentication successful", b"250 2.1.0 Ok\r", b"535 5.7.8 Error: authentication failed:"],
)
def test_what_everybody_hears_is_no_echo(line: bytes) -> None:
    for word in line[4:].split():
        assert heard(line, secret=word.decode().strip(":")) == (line,)


@pytest.mark.parametrize("prompt", [b"Username:", b"Password:", b"User Name\0", b"Password\0", b"Password"])
def test_a_prompt_does_not_tell_that_the_secret_begins_like_it(prompt: bytes) -> None:
    line = b"334 " + base64.b64encode(prompt) + b"\r"
    assert heard(line, secret="Password123") == (line,)
    assert heard(line, secret="User Name 99") == (line,)
    assert heard(b"334 " + base64.b64encode(b"Password123?"), secret="Password123") == (b"334 ***",)


def test_a_word_of_it_among_others_is_an_echo_like_any() -> None:
    assert heard(b"535 5.7.8 successful is wrong", secret="successful") == (b"535 5.7.8 *** is wrong",)
    assert heard(b"250-2.1.0 Ok", b"250 successful it was", secret="successful")[1] == b"250 *** it was"


@pytest.mark.parametrize("secret", ["", "a", "abc"])
def test_a_secret_too_short_to_be_told_from_text_hides_only_the_blob_that_carried_it(secret: str) -> None:
    blob = base64.b64encode(b"\0ada@example.com\0" + secret.encode())
    assert heard(b"535 5.7.8 abc " + blob + b" a", secret=secret) == (b"535 5.7.8 abc *** a",)
