"""Whatever the world answers, a check stops asking, judges, and says so in printable words."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.checks import Domain, find
from probe.facts import Answer, Question, Records, Status
from probe.rules import State, Verdict

AREAS = ("mx", "ptr", "dnsbl", "mta_sts", "tls_rpt", "dane", "bimi", "dnssec", "ns_soa", "rdap")
DOMAIN = Domain(
    "example.test",
    sending_ips=("203.0.113.7", "2001:db8::1", "10.0.0.1", "nonsense"),
    helo="mail.example.test",
    options=frozenset({"dnsbl", "rdap", "authoritative", "dnsbl:sorbs.net"}),
)
POLICY = "version: STSv1\nmode: enforce\nmx: *.example.test\nmax_age: 1\n"
BOOTSTRAP = '{"services": [[["test"], ["https://rdap.test/"]]]}'
VALUES = (
    "10 mx.example.test", "0 .", "10 ", "99999999999 x", "10 203.0.113.1", "10 localhost", "x" * 4000, "",
    "203.0.113.7", "127.0.0.2", "127.255.255.254", "::1", "999.1.1.1", "mail.example.test", "ns1.example.test",
    "v=STSv1; id=1", "v=TLSRPTv1; rua=mailto:a@b.test", "v=BIMI1; l=https://[", "v=DMARC1; p=none",
    "\x1b[2J\x00\xff", "3 1 1 ab", "3 1 1", "1 7 1 ab", "a b 7 d e f g", "\\027\\000.example.test", "{}", "…",
)  # fmt: skip
DOCUMENTS = (
    POLICY,
    BOOTSTRAP,
    "",
    "{",
    '{"objectClassName": "domain", "events": 7, "status": "x"}',
    "\x1b[2J",
)

answers = st.builds(
    Answer,
    st.sampled_from(list(Status)) | st.just(Status.OK),
    st.lists(st.sampled_from(VALUES), max_size=5).map(tuple),
    st.just(300),
    st.just("192.0.2.53"),
    st.lists(st.sampled_from(["a.example.test", "\x1b"]), max_size=2).map(tuple),
    st.just(()),
    st.booleans(),
    st.sampled_from(["", "tls: x", "DNSSEC Bogus", "\x1b[2J"]),
)
documents = st.builds(
    Answer,
    st.sampled_from([Status.OK, Status.OK, Status.TIMEOUT, Status.NODATA]),
    st.tuples(
        st.sampled_from(["200", "404", "500", ""]),
        st.just("text/plain"),
        st.just("x"),
        st.sampled_from(DOCUMENTS),
    ),
)


def chosen(question: Question, pool: list[Answer]) -> Answer:
    """The same answer to the same question, whatever the order of asking."""
    return pool[hashlib.sha256(str(question).encode()).digest()[0] % len(pool)]


@pytest.mark.parametrize("area", AREAS)
@settings(max_examples=60, deadline=None)
@given(pool=st.lists(answers, min_size=1, max_size=6), pages=st.lists(documents, min_size=1, max_size=4))
def test_any_world(area: str, pool: list[Answer], pages: list[Answer]) -> None:
    check = find(area)
    seen = Records()
    for _ in range(12):
        new = [question for question in set(check.ask(DOMAIN, seen)) if question not in seen]
        if not new:
            break
        seen = seen.including(
            {each: chosen(each, pages if each.type in {"HTTP", "RDAP"} else pool) for each in new}
        )
    else:
        raise AssertionError("it never stops asking")
    assert len(seen) <= 140
    judgement = check.judge(DOMAIN, seen)
    assert judgement == check.judge(DOMAIN, seen)
    assert isinstance(judgement.state, State)
    worst = max((finding.verdict.rank for finding in judgement.findings), default=0)
    assert judgement.state is not State.VALID or worst <= Verdict.NOTE.rank
    for finding in judgement.findings:
        assert finding.rule in check.RULES
        told = (finding.detail, finding.fix.replace("\n", ""), *finding.evidence.values())
        assert all(text.isprintable() for text in told), told
    assert json.dumps(judgement.evaluation).isprintable()


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("status", [status for status in Status if not status.known])
def test_a_world_that_fails_is_unknown(area: str, status: Status) -> None:
    check = find(area)
    domain = Domain("example.test", ("203.0.113.7",), options=frozenset({"dnsbl", "rdap"}))
    seen = Records()
    for _ in range(12):
        new = [question for question in check.ask(domain, seen) if question not in seen]
        if not new:
            break
        seen = seen.including({question: Answer(status) for question in new})
    judgement = check.judge(domain, seen)
    assert judgement.state is State.UNKNOWN
    assert {finding.verdict for finding in judgement.findings} == {Verdict.UNKNOWN}
