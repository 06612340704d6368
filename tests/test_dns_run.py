"""The runner of an audit: rounds, budget, deadline, broken checks; and the command around it."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.checks import Domain, Judgement, find
from probe.facts import Question, Records, Status
from probe.fakes.dns import FakeDns
from probe.rules import Report, State, Verdict
from probe.run import domain as runner
from probe.run.domain import areas, check_domain, check_domains
from probe.run.evidence import gather
from probe.wire.dns import Resolver
from probe.wire.network import Network
from tests.command import Run
from tests.fleet_world import Threaded
from tests.keys import RSA_2048

ZONE = f"""
test. SOA ns1.good.test. h.good.test. 1 7200 900 1209600 300
good.test. SOA ns1.good.test. h.good.test. 1 7200 900 1209600 300
good.test. NS ns1.good.test.
good.test. NS ns2.good.test.
ns1.good.test. A 203.0.113.1
ns2.good.test. A 198.51.100.1
good.test. MX 10 mx.good.test.
mx.good.test. A 203.0.113.25
25.113.0.203.in-addr.arpa. PTR mx.good.test.
good.test. TXT "v=spf1 mx -all"
s1._domainkey.good.test. TXT "v=DKIM1; k=rsa; p={RSA_2048}"
_dmarc.good.test. TXT "v=DMARC1; p=reject; rua=mailto:d@good.test"
_smtp._tls.good.test. TXT "v=TLSRPTv1; rua=mailto:t@good.test"
"""
GOOD = Domain("good.test", sending_ips=("203.0.113.25",), helo="mx.good.test", selectors=("s1",))


def audited(
    domain: Domain = GOOD,
    zone: str = ZONE,
    broken: dict[str, str] | None = None,
    timeout: float = 0.1,
    **how: Any,
) -> Report:
    async def run() -> Report:
        async with FakeDns(zone, broken) as fake, Resolver([fake.address], timeout=timeout) as resolver:
            return await check_domain(domain, resolver, **how)

    return asyncio.run(run())


def questions(report: Report) -> int:
    return int(report.facts["questions"].removesuffix(" questions"))


# -- checks of our own ----------------------------------------------------------------------------


@dataclass
class Toy:
    """A check that asks and judges as it is told."""

    asks: Callable[[Records], Iterable[Question]]
    judges: Callable[[Records], Judgement] = lambda _: Judgement(State.VALID)
    RULES: tuple[()] = ()

    def ask(self, domain: Domain, seen: Records) -> Iterable[Question]:
        del domain
        return self.asks(seen)

    def judge(self, domain: Domain, seen: Records) -> Judgement:
        del domain
        return self.judges(seen)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> dict[str, Toy]:
    checks: dict[str, Toy] = {}
    monkeypatch.setattr(runner, "every", lambda: tuple(sorted(checks)))
    monkeypatch.setattr(runner, "find", checks.__getitem__)
    return checks


def raising(*_: object) -> Any:
    raise ZeroDivisionError("as planned")


def test_checks_ask_in_rounds_until_nobody_asks(toys: dict[str, Toy]) -> None:
    def chain(seen: Records) -> Iterator[Question]:
        yield Question("good.test", "MX")
        for value in seen.of("good.test", "MX"):
            yield Question(value.split()[1], "A")
            for address in seen.of(value.split()[1], "A"):
                yield Question(".".join(reversed(address.split("."))) + ".in-addr.arpa", "PTR")

    toys["chain"] = Toy(chain)
    report = audited()
    assert report.records is not None
    assert [str(question) for question in report.records] == [
        "good.test MX",
        "mx.good.test A",
        "25.113.0.203.in-addr.arpa PTR",
    ]
    assert questions(report) == 3


def test_a_check_without_an_open_question_is_not_asked_again(toys: dict[str, Toy]) -> None:
    times = {"short": 0, "long": 0}

    def short(_: Records) -> Iterator[Question]:
        times["short"] += 1
        yield Question("good.test", "MX")

    def long(seen: Records) -> Iterator[Question]:
        times["long"] += 1
        yield Question("good.test", "MX")
        for value in seen.of("good.test", "MX"):
            yield Question(value.split()[1], "A")
            if seen.of(value.split()[1], "A"):
                yield Question(value.split()[1], "AAAA")

    toys["short"], toys["long"] = Toy(short), Toy(long)
    assert questions(audited()) == 3
    assert times == {"short": 2, "long": 4}


def test_a_greedy_check_spends_the_budget_but_not_that_of_the_others(toys: dict[str, Toy]) -> None:
    toys["greedy"] = Toy(lambda _: (Question(f"n{number}.good.test", "A") for number in range(400)))
    toys["modest"] = Toy(lambda _: [Question("good.test", "MX"), Question("good.test", "TXT")])
    report = audited()
    assert report.records is not None
    statuses = [report.records.answers[question].status for question in report.records]
    assert len([status for status in statuses if status is not Status.SKIPPED]) == 60
    assert statuses.count(Status.SKIPPED) == 342
    assert report.records.of("good.test", "TXT")


def test_what_is_over_the_budget_says_so(toys: dict[str, Toy]) -> None:
    toys["greedy"] = Toy(lambda _: (Question(f"n{number}.good.test", "A") for number in range(5)))
    report = audited(budget=3)
    assert report.records is not None
    skipped = report.records.asked("n4.good.test", "A")
    assert skipped is not None
    assert (skipped.status, skipped.detail) == (Status.SKIPPED, "the budget of questions was spent")


@pytest.mark.parametrize(
    ("domain", "hosts", "budget"),
    [
        (GOOD, 1, 60),
        (GOOD, 9, 72),
        (Domain("good.test"), 1, 140),
        (Domain("good.test", options=frozenset({"rdap"})), 1, 180),
    ],
)
def test_the_budget_grows_with_what_there_is_to_ask(
    toys: dict[str, Toy], domain: Domain, hosts: int, budget: int
) -> None:
    def endless(seen: Records) -> Iterator[Question]:
        yield Question("good.test", "MX")
        if seen.of("good.test", "MX"):
            yield from (Question(f"n{number}.good.test", "A") for number in range(300))

    toys["dkim"] = Toy(endless)
    more = "".join(f"good.test. MX 20 mx{number}.good.test.\n" for number in range(hosts - 1))
    assert questions(audited(domain, ZONE + more)) == budget


def test_a_check_that_never_stops_asking_is_stopped(toys: dict[str, Toy]) -> None:
    toys["endless"] = Toy(
        lambda seen: [Question(f"n{number}.good.test", "A") for number in range(len(seen) + 1)]
    )
    report = audited(budget=10_000)
    assert report.states == {"endless": State.VALID}
    assert questions(report) < 30


def test_what_has_no_answer_in_time_is_skipped(toys: dict[str, Toy]) -> None:
    toys["slow"] = Toy(lambda _: [Question("good.test", "MX"), Question("good.test", "TXT")])
    report = audited(broken={"good.test TXT": "TIMEOUT"}, timeout=5, deadline=0.1)
    assert report.records is not None
    assert report.records.answers[Question("good.test", "MX")].status is Status.OK
    assert report.records.answers[Question("good.test", "TXT")].status is Status.SKIPPED


@pytest.mark.parametrize("where", ["ask", "judge"])
def test_a_broken_check_silences_nobody(toys: dict[str, Toy], where: str) -> None:
    toys["broken"] = Toy(raising) if where == "ask" else Toy(lambda _: [], raising)
    toys["whole"] = Toy(lambda _: [Question("good.test", "MX")])
    report = audited()
    assert report.states == {"broken": State.UNKNOWN, "whole": State.VALID}
    (finding,) = report.findings
    assert finding.rule.id == "probe/bug"
    assert finding.verdict is report.verdict is Verdict.UNKNOWN
    assert finding.detail.startswith("broken: ZeroDivisionError: as planned (test_dns_run.py:")


def test_areas_are_named_left_out_and_asked_for() -> None:
    assert areas(only=["mta-sts", "spf"]) == areas(only=["spf, MTA_STS,"]) == ("spf", "mta_sts")
    assert "spf" not in areas(skip=["SPF"])
    assert not {"dnsbl", "rdap"} & set(areas())
    assert "dnsbl" in areas(options=["dnsbl"])
    assert areas(only=["rdap"]) == ("rdap",)
    with pytest.raises(ValueError, match="there is no check 'spff': there are bimi, "):
        areas(only=["spff"])
    with pytest.raises(ValueError, match="every check is left out"):
        areas(only=["spf"], skip=["spf"])


# -- the checks there are -------------------------------------------------------------------------


def test_a_good_domain_is_good() -> None:
    report = audited()
    mine = {
        area: str(report.states[area])
        for area in ("mx", "spf", "dkim", "dmarc", "ptr", "tls_rpt", "receivers")
    }
    assert set(mine.values()) == {"valid"}, mine
    assert report.verdict.rank <= Verdict.NOTE.rank, [finding.rule.id for finding in report.findings]
    assert questions(report) <= 25


@pytest.mark.parametrize(
    ("area", "question"),
    [
        ("spf", "good.test TXT"),
        ("spf", "mx.good.test A"),
        ("dkim", "s1._domainkey.good.test TXT"),
        ("dmarc", "_dmarc.good.test TXT"),
        ("mx", "good.test MX"),
        ("ptr", "25.113.0.203.in-addr.arpa PTR"),
        ("mta_sts", "_mta-sts.good.test TXT"),
        ("tls_rpt", "_smtp._tls.good.test TXT"),
        ("bimi", "default._bimi.good.test TXT"),
        ("dane", "_25._tcp.mx.good.test TLSA"),
        ("dnssec", "good.test DS"),
        ("ns_soa", "good.test NS"),
    ],
)
@pytest.mark.parametrize("how", ["SERVFAIL", "REFUSED", "TRUNCATED", "GARBLED"])
def test_a_failed_lookup_is_unknown_and_never_missing_or_invalid(area: str, question: str, how: str) -> None:
    report = audited(broken={question: how})
    assert report.states[area] is State.UNKNOWN
    findings = [finding for finding in report.findings if finding.rule.id.startswith(f"{area}/")]
    assert any(finding.verdict is Verdict.UNKNOWN for finding in findings)
    told = next(finding for finding in findings if finding.verdict is Verdict.UNKNOWN)
    assert told.evidence["question"] == question
    assert told.evidence["status"] == {"TRUNCATED": "truncated", "GARBLED": "garbled"}.get(how, how.lower())


QUESTIONS = st.sampled_from(
    [
        "* *", "* TXT", "* A", "good.test *", "good.test TXT", "good.test MX", "mx.good.test A", "*.good.test TXT",
        "_dmarc.good.test TXT", "*._domainkey.good.test TXT", "*.arpa PTR", "good.test NS", "test *", "* TLSA",
    ]
)  # fmt: skip
HOW = st.sampled_from(
    ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "NXDOMAIN", "NODATA", "TRUNCATED", "GARBLED", "FLAP"]
)


@given(st.dictionaries(QUESTIONS, HOW, max_size=4))
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_no_breakage_breaks_a_check(broken: dict[str, str]) -> None:
    report = audited(broken=broken)
    assert "probe/bug" not in {finding.rule.id for finding in report.findings}
    assert questions(report) <= 60
    assert audited(broken=broken).states == report.states


@given(st.dictionaries(QUESTIONS, HOW, max_size=4), st.booleans())
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_every_check_asks_for_whatever_it_reads(broken: dict[str, str], told: bool) -> None:
    """A check asked once more, of everything that was seen, has no question left."""
    domain = GOOD if told else Domain("good.test")
    report = audited(domain, broken=broken)
    assert report.records is not None
    for area in report.states:
        left = [
            question for question in find(area).ask(domain, report.records) if question not in report.records
        ]
        assert not left, area


def test_evidence_is_gathered_in_the_time_that_is_given() -> None:
    mx, address = Question("good.test", "MX"), Question("mx.good.test", "A")

    def asks(seen: Records) -> Iterable[Question]:
        yield mx
        if mx in seen:
            yield address

    async def run() -> Records:
        async with (
            FakeDns(ZONE, {"good.test MX": "TIMEOUT"}) as fake,
            Resolver([fake.address], timeout=30) as resolver,
            Network(resolver=resolver) as network,
        ):
            return await gather(asks, network, within=0.05)

    seen = asyncio.run(run())
    assert {question: answer.status for question, answer in seen.answers.items()} == {
        mx: Status.SKIPPED,
        address: Status.SKIPPED,
    }


def test_an_audit_waits_for_three_answers_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """MX, then its address, then the name of that address: everything else is asked beside them."""
    rounds = []
    ask = Resolver.ask

    async def counted(self: Resolver, asked: Iterable[Question], **how: Any) -> Any:
        rounds.append(tuple(asked))
        return await ask(self, rounds[-1], **how)

    monkeypatch.setattr(Resolver, "ask", counted)
    audited(Domain("good.test"))
    assert len(rounds) == 3


def test_many_domains_share_one_cache_and_keep_their_order() -> None:
    names = [f"d{number}.test" for number in range(20)]
    zone = ZONE + "".join(
        f'{name}. MX 10 mx.good.test.\n{name}. TXT "v=spf1 include:good.test -all"\n' for name in names
    )

    async def run() -> None:
        async with FakeDns(zone, {"d0.test MX": "FLAP"}) as fake, Resolver([fake.address]) as resolver:
            found = check_domains([Domain(name) for name in names], resolver, only=["mx", "spf"], at_once=7)
            assert [report.subject async for report in found] == names
            assert fake.asked["mx.good.test A"] == fake.asked["good.test TXT"] == 1

    asyncio.run(run())


# -- what only shows together ---------------------------------------------------------------------


def test_a_domain_that_does_not_exist_is_told_once() -> None:
    report = audited(Domain("none.test", sending_ips=("203.0.113.25",), selectors=("s1",)))
    below = [
        finding.rule.id for finding in report.findings if "none.test" in finding.evidence.get("question", "")
    ]
    assert below == ["mx/no-such-domain"]
    assert report.states["spf"] is State.MISSING
    assert [finding.rule.id for finding in audited(Domain("none.test"), only=["dmarc"]).findings] == [
        "dmarc/missing"
    ]


@pytest.mark.parametrize(
    ("broken", "found", "detail"),
    [
        ({"* *": "REFUSED"}, "dns/resolver-silent", r"(\d+) DNS questions: \1 refused"),
        (
            {"good.test *": "SERVFAIL", "*.good.test *": "SERVFAIL"},
            "dns/domain-silent",
            r"(\d+) DNS questions: \1 servfail",
        ),
        ({"* TXT": "REFUSED"}, "dns/type-refused", r"(\d+) TXT questions: \1 refused"),
    ],
)
def test_who_does_not_answer_is_told_first(broken: dict[str, str], found: str, detail: str) -> None:
    report = audited(broken=broken)
    assert report.findings[0].rule.id == found
    assert re.fullmatch(detail, report.findings[0].detail)
    assert report.verdict in {Verdict.UNKNOWN, Verdict.FAIL}


def test_one_broken_name_is_not_taken_for_silence() -> None:
    for broken in ("good.test TXT", "*._domainkey.good.test TXT", "* MX", "* NS"):
        ids = [finding.rule.id for finding in audited(broken={broken: "SERVFAIL"}).findings]
        assert not [one for one in ids if one.startswith("dns/")], broken


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeDns]:
    """A fake DNS in a thread: the command has an event loop of its own."""
    threaded = Threaded(FakeDns(ZONE, {"broken.test *": "SERVFAIL"}))
    yield threaded.host
    threaded.close()


def test_one_report_is_an_object(run: Run, fake: FakeDns) -> None:
    code, out, err = run(
        "dns", "https://GOOD.test./path", "--resolver", fake.address, "--dkim-selector", "s1._domainkey.good.test",
        "--sending-ip", "203.0.113.25", "--helo", "mx.good.test", "--mail-from", "ada@good.test", "-f", "json",
    )  # fmt: skip
    report = json.loads(out)
    assert code == 0
    assert (report["kind"], report["subject"], report["states"]["spf"]) == ("dns", "good.test", "valid")
    assert report["evaluations"]["spf"]["result"] == "pass"
    assert "probe: good.test: taken from a URL\n" in err


def test_several_reports_are_lines_or_a_list(
    run: Run, fake: FakeDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("--resolver", fake.address, "--only", "mx", "--dkim-selector", "s1")
    lines = io.TextIOWrapper(io.BytesIO(b"# ours\ngood.test\n\nbroken.test  # theirs\nGOOD.TEST\n"))
    monkeypatch.setattr(sys, "stdin", lines)
    code, out, err = run("dns", "-", *common, "-f", "jsonl")
    assert [json.loads(line)["subject"] for line in out.splitlines()] == ["good.test", "broken.test"]
    assert code == 3
    assert "good.test is named twice" in err
    code, out, _ = run("dns", "good.test", "none.test", *common, "-f", "json")
    assert [report["subject"] for report in json.loads(out)["reports"]] == ["good.test", "none.test"]
    assert code == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["192.0.2.1"], "is an IP address: give the domain"),
        ([""], "a domain is empty"),
        (["exa\u200bmple.com"], "ZERO WIDTH SPACE"),
        (["good.test", "--resolver", "dns.example"], "'dns.example' is no resolver"),
        (["good.test", "--resolver", "udp://127.0.0.1"], "'udp://127.0.0.1' is no resolver"),
        (["good.test", "--resolver", "https://a b/"], "'https://a b/' is no URL of a resolver"),
        (["good.test", *(f"--sending-ip=192.0.2.{n}" for n in range(11))], "at most 10"),
        (["good.test", *(f"--dkim-selector=s{n}" for n in range(21))], "at most 20"),
        (["good.test", "--only", "spff"], "there is no check 'spff'"),
        (["good.test", "--sending-ip", "mx.good.test"], "--sending-ip 'mx.good.test' is no IP address"),
        (["good.test", "--dkim-selector", "a b"], "--dkim-selector 'a b' is no selector"),
        (["good.test", "--helo", "a..b"], "--helo: 'a..b' is no domain name"),
        (["good.test", "--mail-from", "x"], "--mail-from 'x' is not an address"),
        (["good.test", "--provider", "nobody"], "there is no provider 'nobody' whose customers' records"),
        (["good.test", "--provider", "gmx"], "there is no provider 'gmx' whose customers' records are known"),
        (["good.test", "--timeout", "0"], "--timeout takes seconds"),
        (["good.test", "--deadline", "nan"], "--deadline takes seconds"),
        (["good.test", "-f", "poem"], "there is no format 'poem'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    run: Run, fake: FakeDns, arguments: list[str], problem: str
) -> None:
    before = fake.asked.total()
    code, out, err = run(
        "dns", *arguments, *([] if "--resolver" in arguments else ["--resolver", fake.address])
    )
    assert (code, out) == (2, "")
    assert problem in err
    assert fake.asked.total() == before


def test_a_domain_that_nobody_owns_is_noted(run: Run, fake: FakeDns) -> None:
    told_of = "co.uk is a public suffix: people register names below it, mail is not sent from it"
    assert told_of in run("dns", "co.uk", "--resolver", fake.address, "--only", "mx")[2]
