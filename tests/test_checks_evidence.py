"""What findings are made of: the question behind each, and records to paste as a name server reads them."""

from __future__ import annotations

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.checks._evidence import (
    LONGEST_FIX,
    evidence,
    pasted,
    question_of,
    rfc,
    unknown,
    unknown_rule,
    zone_line,
)
from probe.facts import Answer, Question, Records, Status
from probe.rules import Finding
from tests.checks_world import audit
from tests.keys import RSA_1024

QUESTIONS = [
    Question("_dmarc.example.test", "TXT"),
    Question("25.2.0.192.in-addr.arpa", "PTR"),
    Question("example.test", "SOA@203.0.113.1"),
    Question("a\\032b.example.test", "TYPE65280"),
    Question("https://mta-sts.example.test/.well-known/mta-sts.txt", "HTTP"),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_finding_leads_back_to_its_question(question: Question) -> None:
    rule = unknown_rule("spf", "The record", rfc(7208))
    assert question_of(unknown(rule, Records(), question)) == question
    assert question_of(Finding(rule, evidence(question, Answer(Status.OK)))) == question


KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
SENDERS = "v=spf1 " + " ".join(f"ip4:192.0.2.{at}" for at in range(60)) + " -all"


def strings(line: str) -> tuple[bytes, ...]:
    """The strings of a TXT record, read by another reader of zone files."""
    name, _, rest = line.partition(". IN TXT ")
    assert name == "example.test"
    read: tuple[bytes, ...] = dns.rdata.from_text("IN", "TXT", rest).strings  # type: ignore[attr-defined]  # of TXT
    return read


@given(st.text(st.characters(max_codepoint=255), max_size=1200))
def test_a_line_holds_the_text_and_nothing_that_cannot_be_seen(text: str) -> None:
    line = zone_line("example.test", "TXT", text)
    assert line.isascii()
    assert line.isprintable()
    assert b"".join(strings(line)) == text.encode("latin-1")
    assert all(len(each) <= 255 for each in strings(line))


def test_nothing_is_to_be_pasted_beside_an_alias() -> None:
    asked = Question("_dmarc.example.test", "TXT")
    own, served = Answer(Status.OK), Answer(Status.OK, aliases=("a.service.test", "b.service.test"))
    assert pasted(asked, own, "v=DMARC1", "Publish: ") == 'Publish: _dmarc.example.test. IN TXT "v=DMARC1"'
    theirs = 'At b.service.test, by its owner: publish: b.service.test. IN TXT "v=DMARC1"'
    assert pasted(asked, served, "v=DMARC1", "Publish: ") == theirs


RECORDS = [
    ("dkim", "s1._domainkey.example.test TXT", f"v=DKIM2; k=rsa; p={RSA_1024}"),
    ("dkim", "s1._domainkey.example.test TXT", f"v=DKIM1; t=y; p={RSA_1024}"),
    ("mta_sts", "_mta-sts.example.test TXT", "v=STSv1"),
    ("mta_sts", "_mta-sts.example.test TXT", "V=STSv1; id=1"),
    ("mta_sts", "_mta-sts.example.test TXT", "v=STSv1; id=1\nserved.test TXT v=STSv1; id=2"),
    ("mta_sts", "_mta-sts.example.test TXT", "something else\nexample.test A 203.0.113.1"),
    ("tls_rpt", "_smtp._tls.example.test TXT", "v=TLSRPTv1"),
    ("tls_rpt", "_smtp._tls.example.test TXT", "V=TLSRPTv1; rua=mailto:a@example.test"),
    ("tls_rpt", "_smtp._tls.example.test TXT", "something else"),
    ("bimi", "default._bimi.example.test TXT", "v=BIMI1; l=; a=\nserved.test TXT v=BIMI1; l=https://a/b.svg"),
    ("mx", "example.test MX", "0 .\nserved.test MX 10 mx.served.test\nmx.served.test A 203.0.113.1"),
    ("mx", "example.test MX", "10 203.0.113.1"),
    ("mx", "example.test MX", "10 a.test\na.test CNAME b.test\nb.test A 203.0.113.1"),
]


@pytest.mark.parametrize(("area", "place", "value"), RECORDS)
def test_what_is_served_behind_an_alias_is_mended_there(area: str, place: str, value: str) -> None:
    name, kind = place.split()
    world = f"{name} CNAME served.test\nserved.test {kind} {value}"
    if area == "mta_sts":  # its record follows a policy that names the hosts
        world += "\nexample.test MX 10 mx.example.test"
    found = audit(area, "example.test", world, selectors=("s1",))
    fixes = [fix for fix in found.fixes.values() if f" IN {kind} " in fix]
    assert fixes
    assert not any(f"{name}. IN {kind} " in fix for fix in fixes)
    assert any("At served.test, by its owner: " in fix for fix in fixes)


def test_terms_are_not_cut() -> None:
    cut = strings(zone_line("example.test", "TXT", SENDERS))
    assert len(cut) > 1
    assert all(each.endswith(b" ") for each in cut[:-1])


def test_a_key_is_cut_where_it_must_be() -> None:
    assert [len(each) for each in strings(zone_line("example.test", "TXT", KEY))] == [255, len(KEY) - 255]


def test_the_record_to_keep_is_written_once() -> None:
    place, record = "default._bimi.example.test", "v=BIMI1; l=https://example.test/a\\b\xc3\xbc.svg"
    world = f"example.test MX 10 mx.example.test\n {place} TXT {record}\n {place} TXT {record}2"
    found = audit("bimi", "example.test", world)
    assert found.fixes["bimi/several"].splitlines()[1] == (
        f'{place}. IN TXT "' + record.replace("\\", "\\\\").replace("\xc3\xbc", "\\195\\188") + '"'
    )


def test_nobody_pastes_a_record_without_end() -> None:
    place = "default._bimi.example.test"
    world = "\n".join(f"{place} TXT v=BIMI1; l={letter * LONGEST_FIX}" for letter in "ab")
    found = audit("bimi", "example.test", f"example.test MX 10 mx.example.test\n{world}")
    assert found.fixes == {"bimi/several": ""}


def test_a_retired_record_is_shown_as_it_can_be_pasted() -> None:
    found = audit("spf", "example.test", "example.test SPF v=spf1 a:\x1b[2Jx.test\xff -all")
    assert found.fixes["spf/obsolete-type"] == (
        'Publish: example.test. IN TXT "v=spf1 a:\\027[2Jx.test\\255 -all"'
    )
