"""Zones that nobody would write: whatever is published, an audit ends, stays bounded and stays printable."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.checks import Domain
from probe.fakes.dns import FakeDns
from probe.rules import Report
from probe.run.domain import check_domain
from probe.wire.dns import Resolver
from tests.keys import RSA_2048

HOST = st.sampled_from(
    ["d.test", "mx.d.test", "a.d.test", "_spf.d.test", "x.test", "localhost", "gone.test", "203.0.113.9", "-bad-.test",
     "smtp.google.com", "d-test.mail.protection.outlook.com", "x" * 63 + ".test", "very.deep.name.of.d.test"]
)  # fmt: skip
V4 = st.sampled_from(
    ["203.0.113.9", "10.0.0.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "169.254.169.254"]
)
V6 = st.sampled_from(["2001:db8::1", "::1", "fe80::1", "::ffff:10.0.0.1"])
JUNK = st.binary(max_size=10).map(lambda raw: raw.decode("latin-1"))
SPF = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["", "+", "-", "~", "?"]),
            st.sampled_from(
                ["a:", "mx:", "include:", "exists:", "ptr:", "redirect=", "exp=", "all", "a", "mx", "ip4:"]
            ),
            st.one_of(
                st.just(""), HOST, V4, V6, st.sampled_from(["%{ir}.%{v}.%{d2r}", "%{l}.d.test", "%{", "%(x)"])
            ),
            st.sampled_from(["", "/0", "/24", "/33", "//64", "/24//0", "/x"]),
        ).map("".join),
        JUNK,
    ),
    max_size=12,
).map(lambda terms: " ".join(["v=spf1", *terms]))
TAGS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "v",
                "p",
                "sp",
                "np",
                "pct",
                "rua",
                "ruf",
                "adkim",
                "fo",
                "t",
                "psd",
                "k",
                "h",
                "s",
                "g",
                "id",
                "l",
                "",
            ]
        ),
        st.sampled_from(["=", " = ", ":", ""]),
        st.one_of(
            st.sampled_from(
                ["none", "reject", "0", "y", "n", "s", "rsa", "ed25519", "sha1", "mailto:a@d.test!10m,b@x"]
            ),
            st.integers(0, len(RSA_2048)).map(lambda end: RSA_2048[:end]),
            st.just("-----BEGIN PUBLIC RSA_2048-----" + RSA_2048),
            JUNK,
        ),
    ).map("".join),
    max_size=7,
)
RECORD = st.tuples(
    st.sampled_from(["v=DMARC1", "v=DKIM1", "k=rsa", "v=STSv1", "v=TLSRPTv1", "v=BIMI1", ""]), TAGS
).map(lambda parts: "; ".join([parts[0], *parts[1]]))
PLACE = st.sampled_from(
    ["d.test", "_dmarc.d.test", "_dmarc.test", "s1._domainkey.d.test", "*._domainkey.d.test", "_mta-sts.d.test",
     "_smtp._tls.d.test", "default._bimi.d.test", "_spf.d.test", "mx.d.test", "d.test._report._dmarc.x.test"]
)  # fmt: skip


def quoted(text: str) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in text.encode("latin-1", "replace")) + '"'


LINE = st.one_of(
    st.tuples(st.sampled_from(["d.test", "_spf.d.test", "a.d.test", "x.test"]), SPF).map(lambda it: f"{it[0]}. TXT {quoted(it[1])}"),
    st.tuples(PLACE, RECORD).map(lambda it: f"{it[0]}. TXT {quoted(it[1])}"),
    st.tuples(PLACE, HOST).map(lambda it: f"{it[0]}. CNAME {it[1]}."),
    st.tuples(HOST, V4).map(lambda it: f"{it[0]}. A {it[1]}"),
    st.tuples(HOST, V6).map(lambda it: f"{it[0]}. AAAA {it[1]}"),
    st.tuples(st.integers(0, 65535), HOST).map(lambda it: f"d.test. MX {it[0]} {it[1]}."),
    HOST.map(lambda host: f"d.test. NS {host}."),
    HOST.map(lambda host: f"9.113.0.203.in-addr.arpa. PTR {host}."),
    st.sampled_from(["d.test. MX 0 .", "*.d.test. A 203.0.113.9", "*.d.test. CNAME d.test.", "d.test. CNAME d.test."]),
    st.binary(min_size=3, max_size=40).map(lambda raw: f"_25._tcp.mx.d.test. TLSA {raw[0]} {raw[1]} 0 {raw.hex()}"),
)  # fmt: skip
HOW = st.sampled_from(["SERVFAIL", "REFUSED", "NXDOMAIN", "NODATA", "GARBLED", "FLAP", "UNFOLLOWED", "TC"])
BROKEN = st.dictionaries(
    st.sampled_from(["* *", "* TXT", "* A", "d.test *", "*.d.test TXT", "mx.d.test A"]), HOW, max_size=1
)


def told(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield from (finding.detail, finding.fix, *finding.evidence.values())


@given(
    st.lists(LINE, max_size=25),
    BROKEN,
    st.sampled_from([(), ("203.0.113.9",), ("2001:db8::1", "10.0.0.1")]),
    st.sampled_from([(), ("s1",), ("s1", "gone")]),
    st.sampled_from(["", "google"]),
)
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_any_zone(
    lines: list[str],
    broken: dict[str, str],
    addresses: tuple[str, ...],
    selectors: tuple[str, ...],
    provider: str,
) -> None:
    domain = Domain("d.test", sending_ips=addresses, helo="mx.d.test", selectors=selectors, provider=provider)
    zone = "test. SOA a. b. 1 2 3 4 5\nd.test. SOA a. b. 1 2 3 4 5\n" + "\n".join(lines)

    async def run() -> Report:
        async with FakeDns(zone, broken) as fake, Resolver([fake.address]) as resolver:
            return await check_domain(domain, resolver)

    report = asyncio.run(run())
    assert "probe/bug" not in {finding.rule.id for finding in report.findings}
    assert int(report.facts["questions"].split()[0]) <= (72 if selectors else 140) + 1
    assert len(report.findings) < 200
    for words in told(report):
        assert words.replace("\n", "").isprintable()
        assert len(words) < 20_000
