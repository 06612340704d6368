"""A domain as people type it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.grammar.hostname import askable, hostname, port_number
from tests.terminal import left_on, terminal

SHARED = Path(__file__).parents[2] / "shared" / "data" / "hostile" / "input_faults.jsonl"


@pytest.mark.parametrize(
    ("text", "port"),
    [("1", 1), ("25", 25), ("00025", 25), ("65535", 65535)]
    + [(text, 0) for text in ("0", "65536", "000025", "-1", "+25", " 25", "2_5", "²5", "٢٥", "", "smtp")],
)
def test_a_port_is_five_ascii_digits_at_most(text: str, port: int) -> None:
    assert port_number(text) == port


@pytest.mark.parametrize(
    ("typed", "name", "note"),
    [
        ("example.com", "example.com", ""),
        (" EXAMPLE.Com. ", "example.com", ""),
        ("https://example.com/path?q#x", "example.com", "taken from a URL"),
        ("https://ada:pw@example.com:8443/", "example.com", "the port was left out"),
        ("example.com/path", "example.com", "taken from a URL"),
        ("example.com:25", "example.com", "the port was left out"),
        ("bob@example.com", "example.com", "taken from an address: its domain is audited"),
        ("Bob <bob@example.com>", "example.com", "taken from an address: its domain is audited"),
        ("mailto:bob@example.com?subject=x", "example.com", "taken from an address: its domain is audited"),
        ("bücher.example", "xn--bcher-kva.example", "bücher.example is xn--bcher-kva.example in the DNS"),
        (
            "xn--bcher-kva.example",
            "xn--bcher-kva.example",
            "bücher.example is xn--bcher-kva.example in the DNS",
        ),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah", "例え.テスト is xn--r8jz45g.xn--zckzah in the DNS"),
        ("faß.de", "xn--fa-hia.de", "faß.de is xn--fa-hia.de in the DNS"),
        ("_dmarc.example.com", "_dmarc.example.com", "the place of a record"),
        ("under_score.test", "under_score.test", "holds an underscore"),
        ("com", "com", "a single label"),
        ("a" * 63 + ".test", "a" * 63 + ".test", ""),
    ],
)
def test_what_is_meant_beyond_doubt_is_taken_with_a_note(typed: str, name: str, note: str) -> None:
    read = hostname(typed)
    assert read.name == name
    assert note in " | ".join(read.notes)
    assert bool(read.notes) == bool(note)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "a domain is empty"),
        (" \n", "a domain is empty"),
        ("192.0.2.1", "is an IP address"),
        ("[2001:db8::1]", "is an IP address"),
        ("example..com", "nothing before, between or after its dots"),
        (".com", "nothing before"),
        ("..", "nothing before"),
        ("../../etc/passwd", "is no domain name"),
        ("*.example.com", "is a wildcard"),
        ("a" * 64 + ".com", "a label has 64 characters"),
        (".".join(["a" * 60] * 5), "304 characters long"),
        ("x" * 5000, "it has 5000 characters"),
        ("xn--999999999.example", "invalid A-label"),
        ("exa\u200bmple.com", "U+200B (ZERO WIDTH SPACE)"),
        ("\ufeffexample.com", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        ("exam\u00adple.com", "U+00AD (SOFT HYPHEN)"),
        ("\u202eexample.com", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("example.com\nevil.test", "U+000A"),
        ("ex ample.com", "holds ' '"),
        ("example.com,example.net", "more than one name"),
        ("example.com example.net", "more than one name"),
        ("ada@example.com; bob@example.net", "more than one name"),
        ("Ada <ada@example.com>, bob@example.net", "holds ' '"),
        ("$(touch pwned);x", "holds '$'"),
        ("{0.__class__}%s", "'{0.__class__}%s' is no domain name"),
        ("-a.com", "begins or ends with a hyphen"),
        ("example.com,", "holds ','"),
        ("℀.com", "not allowed"),
    ],
)
def test_everything_else_is_refused_with_the_reason(typed: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        hostname(typed)
    assert problem in str(refused.value)
    assert str(refused.value).isprintable()


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_text_is_a_name_or_a_sentence(typed: str) -> None:
    try:
        read = hostname(typed)
    except ValueError as refused:
        assert str(refused).isprintable()  # noqa: PT017 - both ends are right
    else:
        assert hostname(read.name).name == read.name
        assert read.name.isascii()
        assert len(read.name) <= 253


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("test", True),
        ("_dmarc.example.test", True),
        ("a" * 63 + ".test", True),
        ("a" * 64 + ".test", False),
        (".".join(["a" * 49] * 5 + ["abc"]), True),
        (".".join(["a" * 49] * 5 + ["abcd"]), False),
        ("a..test", False),
        (".test", False),
        ("test.", False),
        ("", False),
        ("b\xfccher.test", False),
    ],
)
def test_a_name_fits_into_a_question(name: str, *, fits: bool) -> None:
    assert askable(name) is fits


@pytest.mark.skipif(not SHARED.exists(), reason="the shared hostile inputs are not here")
def test_the_hostile_domains_of_others() -> None:
    refusals = ("error", "explained", "invisible")
    rows = [json.loads(line) for line in SHARED.read_text("utf-8").splitlines()]
    for row in rows:
        if row["id"].startswith("dom-"):
            must = row["expected"]["must"]
            refused = False
            try:
                hostname(row["input"]["args"][1])
            except ValueError:
                refused = True
            assert refused == any(word in must for word in refusals), row["id"]


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_progress_does_not_run_into_the_reports_of_a_terminal(kind: str) -> None:
    names = ["a.fault.example", "b.fault.example", "c.fault.example"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, terminal() as (end, shown):
        silent.bind(("127.0.0.1", 0))
        resolver = ("--resolver", f"127.0.0.1:{silent.getsockname()[1]}", "--timeout", "0.1")
        words = ("dns", *names, *resolver, "--deadline", "0.3", "--only", "mx", "-f", "csv")
        command = [sys.executable, "-m", "probe", *words]
        process = subprocess.Popen(command, stdout=end, stderr=end, env={**os.environ, "TERM": kind})
        process.wait(timeout=60)
    assert (b"2 of 3 domains" in shown, b"\x1b" in shown) == (kind == "xterm", kind == "xterm")
    rows = left_on(shown).splitlines()
    assert [row.partition(",")[0] for row in rows] == ["subject", *names]
