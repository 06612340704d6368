"""Audits against a real authoritative server (NSD): every planted defect is found, and nothing else.

Each row is a domain of its own: a good one, changed in one place. What must be found is every finding
that is worse than a note; a finding too many is a false accusation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from probe.checks import Domain
from probe.rules import Report, Verdict
from probe.run.domain import check_domain
from probe.wire.dns import Resolver
from tests.keys import RSA_2048
from tests.servers import nsd
from tests.servers.nsd import Nsd

HALF = f'"{RSA_2048[:250]}" "{RSA_2048[250:]}"'
GOOD = {
    "ns": "@ NS ns1\n@ NS ns2\nns1 A 203.0.113.1\nns2 A 198.51.100.1",
    "mx": "@ MX 10 mx",
    "mxa": "mx A 203.0.113.{n}",
    "spf": '@ TXT "v=spf1 mx -all"',
    "dkim": 's1._domainkey TXT "v=DKIM1; k=rsa; p=" ' + HALF,
    "dmarc": '_dmarc TXT "v=DMARC1; p=reject; rua=mailto:d@{name}"',
    "tls_rpt": '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:t@{name}"',
    "ptr": "{n}.113.0.203.in-addr.arpa. PTR mx.{name}.",
}


@dataclass(frozen=True)
class Planted:
    """One domain: what differs from a good one, what is told, and what must be found."""

    slug: str
    changed: Mapping[str, str] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    sends: bool = True
    selectors: tuple[str, ...] = ("s1",)

    def records(self, number: int) -> dict[str, str]:
        told = {"n": number, "name": f"{self.slug}.test"}
        return {key: line.format(**told) for key, line in {**GOOD, **self.changed}.items()}


def spf(slug: str, record: str, *found: str, more: str = "") -> Planted:
    return Planted(slug, {"spf": f'@ TXT "{record}"', "more": more}, found)


def dkim(slug: str, record: str, *found: str) -> Planted:
    return Planted(slug, {"dkim": f"s1._domainkey {record}" if record else ""}, found)


def dmarc(slug: str, record: str, *found: str, more: str = "") -> Planted:
    return Planted(slug, {"dmarc": f'_dmarc TXT "{record}"' if record else "", "more": more}, found)


def mx(slug: str, mx: str, *found: str, more: str = "") -> Planted:
    spf = '@ TXT "v=spf1 ip4:203.0.113.{n} -all"'
    return Planted(slug, {"mx": mx, "spf": spf, "more": more}, found)


TEN = " ".join(f"a:a{number}.{{name}}" for number in range(10))
HOSTS = "\n".join(f"a{number} A 203.0.113.{{n}}" for number in range(11))
PLANTED = (
    Planted("good"),
    Planted("good-no-ip", sends=False),
    spf("good-redirect", "v=spf1 redirect=_spf.{name}", more='_spf TXT "v=spf1 ip4:203.0.113.{n} -all"'),
    spf("good-split", 'v=spf1 ip4:203.0.113.{n}" " -all'),
    # SPF
    Planted("spf-none", {"spf": ""}, ("spf/none",)),
    spf("spf-two", 'v=spf1 mx -all"\n@ TXT "v=spf1 a -all', "spf/several"),
    spf("spf-syntax", "v=spf1 ipv4:203.0.113.{n} -all", "spf/syntax"),
    spf("spf-all", "v=spf1 mx +all", "spf/allows-all"),
    spf("spf-halves", "v=spf1 mx ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all", "spf/effectively-all"),
    spf("spf-neutral", "v=spf1 mx ?all", "spf/neutral-all"),
    spf("spf-open", "v=spf1 mx", "spf/no-all"),
    spf("spf-ten", f"v=spf1 {TEN} -all", "spf/at-lookup-limit", more=HOSTS),
    spf("spf-eleven", f"v=spf1 mx {TEN} -all", "spf/too-many-lookups", more=HOSTS),
    spf("spf-voids", "v=spf1 mx a:x1.{name} a:x2.{name} a:x3.{name} -all", "spf/too-many-voids"),
    spf("spf-loop", "v=spf1 mx include:{name} -all", "spf/loop"),
    spf("spf-include", "v=spf1 mx include:ns1.{name} -all", "spf/include-without-record"),
    spf("spf-ptr", "v=spf1 mx ptr -all", "spf/ptr"),
    spf("spf-after", "v=spf1 mx -all ip4:192.0.2.0/24", "spf/after-all"),
    spf("spf-other", "v=spf1 ip4:192.0.2.0/24 -all", "spf/not-authorised"),
    spf("spf-glued", 'v=spf1 ip4:203.0.113.{n}" "-all', "spf/glued"),
    # DKIM
    dkim("dkim-none", "", "dkim/missing"),
    Planted("dkim-selector", found=("dkim/selector-missing",), selectors=("s1", "s2")),
    dkim("dkim-cut", f'TXT "v=DKIM1; k=rsa; p={RSA_2048[:200]}"', "dkim/truncated"),
    dkim("dkim-testing", f'TXT "v=DKIM1; t=y; p=" {HALF}', "dkim/testing"),
    dkim("dkim-revoked", 'TXT "v=DKIM1; p="', "dkim/revoked"),
    dkim("dkim-type", f'TXT "v=DKIM1; k=dsa; p=" {HALF}', "dkim/unknown-type"),
    dkim("dkim-alias", "CNAME s1.gone.test.", "dkim/dangling-alias"),
    # DMARC
    dmarc("dmarc-none", "", "dmarc/missing"),
    dmarc("dmarc-two", 'v=DMARC1; p=none"\n_dmarc TXT "v=DMARC1; p=reject', "dmarc/several"),
    dmarc("dmarc-typo", "v=DMARC1; p=reject; ruaa=mailto:d@{name}", "dmarc/misspelt-tag"),
    dmarc("dmarc-policy", "v=DMARC1; p=block; rua=mailto:d@{name}", "dmarc/policy-ignored"),
    dmarc("dmarc-pct", "v=DMARC1; p=reject; pct=0; rua=mailto:d@{name}", "dmarc/percentage"),
    dmarc("dmarc-testing", "v=DMARC1; p=reject; t=y; rua=mailto:d@{name}", "dmarc/testing"),
    dmarc("dmarc-away", "v=DMARC1; p=reject; rua=mailto:d@good.test", "dmarc/report-not-authorised"),
    dmarc("dmarc-apex", "", "dmarc/apex-record", more='@ TXT "v=DMARC1; p=reject; rua=mailto:d@{name}"'),
    dmarc("dmarc-open", "v=DMARC1; p=reject; sp=none; rua=mailto:d@{name}", "dmarc/subdomains-open"),
    # MX
    mx("mx-address", "@ MX 10 203.0.113.9.\n@ MX 20 mx", "mx/address-literal"),
    mx("mx-gone", "@ MX 10 gone\n@ MX 20 mx", "mx/no-address"),
    mx("mx-private", "@ MX 10 inside\n@ MX 20 mx", "mx/private-address", more="inside A 10.0.0.1"),
    mx("mx-alias", "@ MX 10 other\n@ MX 20 mx", "mx/cname-target", more="other CNAME mx"),
    mx("mx-null-both", "@ MX 0 .\n@ MX 10 mx", "mx/null-and-others"),
    # PTR
    Planted("ptr-none", {"ptr": ""}, ("ptr/none",)),
    Planted("ptr-away", {"ptr": "{n}.113.0.203.in-addr.arpa. PTR ns1.{name}."}, ("ptr/not-confirmed",)),
    # the rest
    Planted("tls-rpt-bad", {"tls_rpt": '_smtp._tls TXT "v=TLSRPTv1; rua=d@{name}"'}, ("tls_rpt/syntax",)),
    Planted(
        "tls-rpt-two", {"more": '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:x@{name}"'}, ("tls_rpt/several",)
    ),
    Planted("mta-sts-bad", {"more": '_mta-sts TXT "v=STSv1"'}, ("mta_sts/misspelt",)),
    Planted("bimi-bad", {"more": 'default._bimi TXT "v=BIMI1; l=http://{name}/l.svg"'}, ("bimi/syntax",)),
    Planted("ns-one", {"ns": "@ NS ns1\nns1 A 203.0.113.1"}, ("ns_soa/single-server",)),
    Planted("ns-gone", {"ns": "@ NS ns1\n@ NS ns2\nns1 A 203.0.113.1"}, ("ns_soa/no-address",)),
)
NUMBERED = {planted.slug: number for number, planted in enumerate(PLANTED, 2)}


def zones() -> dict[str, str]:
    head = "$TTL 300\n@ SOA ns1.host.test. h.host.test. 1 7200 900 1209600 300\n"
    mine: dict[str, str] = {}
    delegated, named = [], []
    for planted in PLANTED:
        records = planted.records(NUMBERED[planted.slug])
        named.append(records.pop("ptr"))
        delegated.append(f"{planted.slug} NS ns1.host.test.")
        mine[f"{planted.slug}.test"] = head + "\n".join(records.values()) + "\n"
    parents = {
        ".": head + "@ NS ns1.host.test.\n",
        "test": head + "@ NS ns1.host.test.\nns1.host A 203.0.113.1\n" + "\n".join(delegated) + "\n",
        "113.0.203.in-addr.arpa": head + "@ NS ns1.host.test.\n" + "\n".join(named) + "\n",
    }
    return {**parents, **mine}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsd]:
    if reason := nsd.absent():
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("nsd")
    running = nsd.start(folder, zones())
    yield running
    nsd.stop(running)


@pytest.fixture(scope="module")
def reports(server: Nsd) -> dict[str, Report]:
    async def all_of_them() -> dict[str, Report]:
        async with Resolver([server.address]) as resolver:
            return {planted.slug: await check_domain(domain(planted), resolver) for planted in PLANTED}

    return asyncio.run(all_of_them())


def domain(planted: Planted) -> Domain:
    name = f"{planted.slug}.test"
    if not planted.sends:
        return Domain(name, selectors=planted.selectors)
    address = f"203.0.113.{NUMBERED[planted.slug]}"
    return Domain(name, sending_ips=(address,), helo=f"mx.{name}", selectors=planted.selectors)


def worse_than_notes(report: Report) -> list[str]:
    """The ids of what is wrong, those left out that only repeat it as a receiver would."""
    bad = (finding for finding in report.findings if finding.verdict.rank > Verdict.NOTE.rank)
    return sorted({finding.rule.id for finding in bad if not finding.rule.id.startswith("receivers/")})


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.slug)
def test_what_was_planted_is_found_and_nothing_else(reports: dict[str, Report], planted: Planted) -> None:
    assert worse_than_notes(reports[planted.slug]) == sorted(planted.found)


def test_there_are_enough_defects() -> None:
    assert len([planted for planted in PLANTED if planted.found]) >= 30


@pytest.mark.parametrize("slug", ["good", "good-no-ip", "good-redirect", "good-split"])
def test_nothing_bad_is_said_about_a_good_domain(reports: dict[str, Report], slug: str) -> None:
    report = reports[slug]
    assert report.verdict.rank <= Verdict.NOTE.rank
    assert not {"invalid", "warn", "unknown"} & {str(state) for state in report.states.values()}
