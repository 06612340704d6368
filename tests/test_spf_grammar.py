"""SPF records and their macros as RFC 7208 writes them, and as people do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.checks import _spf_fixes as fixes
from probe.grammar import macro, spf

# RFC 7208 section 7.4: the sender is strong-bad@email.example.com, the client 192.0.2.3.
VALUES = {
    "s": "strong-bad@email.example.com",
    "o": "email.example.com",
    "d": "email.example.com",
    "l": "strong-bad",
    "i": "192.0.2.3",
    "v": "in-addr",
    "h": "mx.example.org",
    "p": "mx.example.org",
}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%%%_%-", "% %20"),
        ("%{d99999999999999999999}", "email.example.com"),
    ],
)
def test_macros_expand_as_the_rfc_shows(text: str, expanded: str) -> None:
    assert macro.expand(macro.parse(text), VALUES.__getitem__) == expanded


@pytest.mark.parametrize(
    "text", ["%", "%a", "%{", "%{d", "%{z}", "%{c}", "%{d0}", "%{d-r}", "a b", "%{}", "é"]
)
def test_what_is_no_macro_string(text: str) -> None:
    with pytest.raises(macro.MalformedError):
        macro.parse(text)


@pytest.mark.parametrize(
    ("text", "is_record"),
    [
        ("v=spf1", True),
        ("v=spf1 -all", True),
        ("V=SPF1 -all", True),
        ("v=spf10", False),
        ("v=spf1\t-all", False),
        (" v=spf1 -all", False),
        ("v=spf2.0 -all", False),
        ("", False),
    ],
)
def test_what_is_a_record(text: str, is_record: bool) -> None:
    assert spf.is_record(text) == is_record


@pytest.mark.parametrize(
    "term",
    ["all", "-ALL", "a", "a/24", "a//64", "a/24//64", "a:b.c", "mx:b.c/0//0", "ptr", "ptr:b.c", "?include:b.c",
     "exists:%{i}.b.c", "exists:%{d}", "ip4:192.0.2.1", "ip4:192.0.2.0/0", "ip6:::", "ip6:::1/128", "~ip6:2001:db8::/32",
     "redirect=b.c", "exp=b.c.", "x.y-z_1=anything:at/all%%", "include:b-c.x--y", "a:1.2.3.4.com", "include:_spf.b.c"],
)  # fmt: skip
def test_terms_that_are_well_formed(term: str) -> None:
    record = spf.parse(f"v=spf1 {term}")
    assert not record.problems
    assert record.terms[0].text == term


@pytest.mark.parametrize(
    "term",
    ["al", "all:", "all/8", "-", "+-all", "a:", "a:b", "a:b.", "a:b.123", "a:b.c-", "a:b.-c", "a/", "a/33", "a//129",
     "a/024", "a/24/64", "mx/8:b.c", "include", "include:", "include:b.c/24", "exists", "ptr/24", "ip4", "ip4:",
     "ip4:1.2.3", "ip4:1.2.3.256", "ip4:01.2.3.4", "ip4:1.2.3.4/33", "ip4:1.2.3.4/", "ip4:1.2.3.4:25", "ip4:::1",
     "ip6:1.2.3.4", "ip6:::1/129", "ip6:::1%eth0", "redirect:b.c", "redirect=", "exp=b", "=b.c", "1x=b", "x=%",
     "a:b.c\x00", "a:b\xe9.c", "include:https://b.c/", "a:%{d}%", "exists:%{i.b.c"],
)  # fmt: skip
def test_terms_that_are_not(term: str) -> None:
    record = spf.parse(f"v=spf1 ip4:192.0.2.1 {term} -all")
    (problem,) = record.problems
    assert record.text[problem.at : problem.at + problem.length] == term
    assert [kept.name for kept in record.terms] == ["ip4", "all"]


@pytest.mark.parametrize(
    ("term", "meant"),
    [
        ("a:192.0.2.1", "ip4:192.0.2.1"),
        ("include:192.0.2.0/24", "ip4:192.0.2.0/24"),
        ("192.0.2.1", "ip4:192.0.2.1"),
        ("~ip:192.0.2.1", "~ip4:192.0.2.1"),
        ("ip4:2001:db8::1", "ip6:2001:db8::1"),
        ("ip4:192.0.2.1:25", "ip4:192.0.2.1"),
        ("redirect:b.c", "redirect=b.c"),
        ("include:https://b.c/", "include:b.c"),
        ("-all.", "-all"),
        ("include:b.c,", "include:b.c"),
    ],
)
def test_common_mistakes_are_understood(term: str, meant: str) -> None:
    assert spf.parse(f"v=spf1 {term}").problems
    assert fixes.meant(term) == meant


def test_modifiers_that_repeat() -> None:
    record = spf.parse("v=spf1 redirect=a.b exp=a.b redirect=c.d exp=c.d")
    assert [problem.at for problem in record.problems] == [28, 41]


def test_mechanisms_end_at_all_and_redirect_gives_way() -> None:
    record = spf.parse("v=spf1 a redirect=x.y mx -all include:z.y all=1")
    assert [term.name for term in record.mechanisms] == ["a", "mx", "all"]
    assert [term.name for term in record.lookups] == ["a", "mx"]
    assert record.all is not None
    assert record.all.qualifier == "-"


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(max_codepoint=255), max_size=80)
    | st.from_regex(r"[a-z:/%{}=.0-9 +-]{0,60}", fullmatch=True)
)
def test_reading_is_total_and_places_are_true(text: str) -> None:
    record = spf.parse(f"v=spf1 {text}")
    for problem in record.problems:
        assert problem.length > 0
        assert " " not in record.text[problem.at : problem.at + problem.length]
        assert ">>" in spf.mark(record.text, problem)
    for term in record.terms:
        assert record.text[term.at :].startswith(term.text)
