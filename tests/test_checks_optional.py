"""TLS-RPT, DANE, BIMI and DNSSEC: absent is a note, broken a warning, failed unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.checks import bimi as bimi_check
from probe.grammar import bimi, tlsa, tlsrpt
from tests.checks_world import audit

MX = "example.test MX 10 mx.example.test\n mx.example.test A 203.0.113.1\n"
OPTIONAL = {
    "tls_rpt": "_smtp._tls.example.test TXT",
    "dane": "_25._tcp.mx.example.test TLSA",
    "bimi": "default._bimi.example.test TXT",
    "mta_sts": "_mta-sts.example.test TXT",
    "dnssec": "example.test DS",
}


@pytest.mark.parametrize("area", OPTIONAL)
def test_absent_is_a_note(area: str) -> None:
    found = audit(area, "example.test", MX)
    assert found.state == "missing"
    assert {str(finding.verdict) for finding in found.judgement.findings} == {"note"}


@pytest.mark.parametrize("area", OPTIONAL)
@pytest.mark.parametrize("how", ["servfail", "refused", "timeout"])
def test_failed_is_unknown(area: str, how: str) -> None:
    found = audit(area, "example.test", MX, broken={OPTIONAL[area]: how})
    assert (found.state, found.ids) == ("unknown", [f"{area}/unknown"])


TLS_RPT = {
    "v=TLSRPTv1; rua=mailto:tls@example.test": ("valid", []),
    "v=TLSRPTv1;rua=https://reports.example.test/v1,mailto:tls@example.test;": ("valid", []),
    "v=TLSRPTv1;": ("invalid", ["tls_rpt/syntax"]),
    "v=TLSRPTv1; rua=tls@example.test": ("invalid", ["tls_rpt/syntax"]),
    "v=TLSRPTv1; rua=http://example.test/": ("invalid", ["tls_rpt/syntax"]),
    "v=TLSRPTv2; rua=mailto:tls@example.test": ("missing", ["tls_rpt/none"]),
}


@pytest.mark.parametrize("text", TLS_RPT)
def test_tls_rpt(text: str) -> None:
    found = audit("tls_rpt", "example.test", f"{MX}_smtp._tls.example.test TXT {text}")
    assert (found.state, found.ids) == TLS_RPT[text]


def test_no_reports_are_to_be_asked_for_below_a_name_that_does_not_exist() -> None:
    assert audit("tls_rpt", "example.test").fixes["tls_rpt/none"] == ""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("v=TLSRPTv1; rua=tls@example.test", "mailto:tls@example.test"),
        ("v=TLSRPTv1; rua=http://example.test/r", "https://example.test/r"),
        (
            "v=TLSRPTv1; rua=mailto:a@example.test,b@example.test",
            "mailto:a@example.test,mailto:b@example.test",
        ),
        ("v =TLSRPTv1; rua = tls@example.test", "mailto:tls@example.test"),
        ("v=TLSRPTv1", "mailto:tls-reports@example.test"),
    ],
)
def test_the_addresses_of_a_tls_rpt_record_are_kept(written: str, meant: str) -> None:
    found = audit("tls_rpt", "example.test", f"{MX}_smtp._tls.example.test TXT {written}")
    (fix,) = found.fixes.values()
    assert fix == f'_smtp._tls.example.test. IN TXT "v=TLSRPTv1; rua={meant}"'


def test_two_tls_rpt_records_become_one() -> None:
    world = "".join(
        f"_smtp._tls.example.test TXT v=TLSRPTv1; rua=mailto:{name}@example.test\n" for name in "ab"
    )
    found = audit("tls_rpt", "example.test", MX + world)
    assert found.ids == ["tls_rpt/several"]
    assert found.fixes["tls_rpt/several"] == (
        '_smtp._tls.example.test. IN TXT "v=TLSRPTv1; rua=mailto:a@example.test,mailto:b@example.test"'
    )


KEY = "3 1 1 " + "ab" * 32
TLSA = {
    KEY: ("valid", []),
    "2 0 2 " + "ab" * 64: ("valid", []),
    "1 1 1 " + "ab" * 32: ("warn", ["dane/unusable"]),
    "3 1 1 abcd": ("warn", ["dane/unusable"]),
    "3 9 1 " + "ab" * 32: ("warn", ["dane/unusable"]),
    "3 1 1 " + "zz" * 32: ("warn", ["dane/unusable"]),
    "7 1 1 " + "ab" * 32: ("warn", ["dane/unusable"]),
    "3 1 9 " + "ab" * 32: ("warn", ["dane/unusable"]),
}


@pytest.mark.parametrize("value", TLSA)
def test_dane(value: str) -> None:
    world = f"{MX}_25._tcp.mx.example.test TLSA {value}"
    found = audit("dane", "example.test", world, signed=["example.test"])
    assert (found.state, found.ids) == TLSA[value]


def test_dane_counts_only_with_dnssec() -> None:
    found = audit("dane", "example.test", f"{MX}_25._tcp.mx.example.test TLSA {KEY}")
    assert (found.state, found.ids) == ("warn", ["dane/unsigned"])


def test_dane_of_a_provider_under_an_unsigned_domain() -> None:
    world = f"example.test MX 10 mx.host.test\n mx.host.test A 203.0.113.1\n _25._tcp.mx.host.test TLSA {KEY}"
    found = audit("dane", "example.test", world, signed=["host.test"])
    assert (found.state, found.ids) == ("valid", ["dane/mx-unsigned"])


def test_dane_at_one_host_of_two() -> None:
    world = f"{MX}example.test MX 20 b.example.test\n b.example.test A 203.0.113.2\n _25._tcp.mx.example.test TLSA {KEY}"
    found = audit("dane", "example.test", world, signed=["example.test"])
    assert (found.state, found.ids) == ("warn", ["dane/partial"])


LOGO = "l=https://example.test/logo.svg"
BIMI = {
    f"v=BIMI1; {LOGO}; a=https://example.test/vmc.pem": ("valid", []),
    f"v=BIMI1; {LOGO}; a=": ("valid", ["bimi/no-certificate"]),
    "v=BIMI1; l=; a=;": ("valid", ["bimi/declined"]),
    "v=BIMI1; l=http://example.test/logo.svg": ("invalid", ["bimi/syntax"]),
    "v=BIMI1; l=https://example.test/logo.png": ("invalid", ["bimi/syntax"]),
    "v=BIMI1; a=https://example.test/vmc.pem": ("invalid", ["bimi/syntax"]),
    f"v=bimi1; {LOGO}": ("invalid", ["bimi/syntax"]),
    f"v=BIMI1 {LOGO}": ("invalid", ["bimi/syntax"]),
    "v=BIMI2; l=": ("missing", ["bimi/none"]),
    "v=spf1 -all": ("missing", ["bimi/none"]),
}


@pytest.mark.parametrize("text", BIMI)
def test_bimi(text: str) -> None:
    world = f"default._bimi.example.test TXT {text}\n _dmarc.example.test TXT v=DMARC1; p=reject"
    found = audit("bimi", "example.test", world)
    assert (found.state, found.ids) == BIMI[text]


PEM = "a=https://example.test/vmc.pem"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (f"v=bimi1; {LOGO}; {PEM}", f"v=BIMI1; {LOGO}; {PEM}"),
        (f"v=BIMI1; l=http://example.test/logo.svg; {PEM}", f"v=BIMI1; {LOGO}; {PEM}"),
        (f"v=BIMI1; {LOGO}; {LOGO}; {PEM}; avp=brand", f"v=BIMI1; {LOGO}; {PEM}; avp=brand"),
        (f"v=BIMI1; l=https://example.test/logo.png; {LOGO}; {PEM}", f"v=BIMI1; {LOGO}; {PEM}"),
        (f"v=BIMI1; {LOGO}; {PEM}; and so on", f"v=BIMI1; {LOGO}; {PEM}"),
        (f"v=BIMI1; l=https://example.test/logo.png; {PEM}", ""),
        (f"v=BIMI1; {LOGO}; l=https://example.test/other.svg", ""),
        (f"v=BIMI1; {LOGO}; a:https://example.test/vmc.pem", ""),
        (f"v=BIMI1; {PEM}", ""),
        ("v=BIMI1", ""),
    ],
)
def test_the_good_parts_of_a_bimi_record_are_kept(text: str, meant: str) -> None:
    name = "default._bimi.example.test"
    found = audit("bimi", "example.test", f"{name} TXT {text}\n _dmarc.example.test TXT v=DMARC1; p=reject")
    pasted = f'{name}. IN TXT "{meant}"' if meant else bimi_check.SYNTAX.fix
    assert (found.fixes["bimi/syntax"] or bimi_check.SYNTAX.fix) == pasted
    if meant:
        after = audit(
            "bimi", "example.test", f"{name} TXT {meant}\n _dmarc.example.test TXT v=DMARC1; p=reject"
        )
        assert after.ids == []


def test_bimi_is_inherited() -> None:
    world = f"default._bimi.example.test TXT v=BIMI1; {LOGO}; a=https://example.test/v.pem\n _dmarc.example.test TXT v=DMARC1; p=reject"
    assert audit("bimi", "news.example.test", world).state == "valid"
    assert audit("bimi", "news.example.test", MX).ids == ["bimi/none"]
    broken = {"default._bimi.example.test TXT": "timeout"}
    assert audit("bimi", "news.example.test", MX, broken=broken).state == "unknown"


def test_two_bimi_records() -> None:
    world = f"default._bimi.example.test TXT v=BIMI1; {LOGO}\n default._bimi.example.test TXT v=BIMI1; l=; a="
    found = audit("bimi", "example.test", world)
    assert found.ids == ["bimi/several"]
    assert LOGO in found.fixes["bimi/several"]
    broken = world.replace("https", "ftp").replace("l=; a=", "l=")
    assert audit("bimi", "example.test", broken).fixes["bimi/several"].endswith('"v=BIMI1; l="')


@pytest.mark.parametrize(
    ("policy", "weak"),
    [
        ("v=DMARC1; p=none", "p=none"),
        ("v=DMARC1; p=reject; t=y", "t=y"),
        ("v=DMARC1; p=quarantine; pct=50", "pct=50"),
        ("v=DMARC1; p=quarantine", ""),
        ("v=DMARC1; p=reject; pct=50", ""),
        ("v=DMARC1; p=reject; sp=none", "sp=none"),
        ("hello", "no DMARC record"),
    ],
)
def test_bimi_wants_enforcement(policy: str, weak: str) -> None:
    world = f"default._bimi.example.test TXT v=BIMI1; {LOGO}; a=https://example.test/v.pem\n _dmarc.example.test TXT {policy}"
    assert audit("bimi", "example.test", world).details.get("bimi/dmarc-not-enforced", "") == weak


@pytest.mark.parametrize(
    ("own", "above", "weak"),
    [
        ("", "p=reject", ""),
        ("", "p=reject; sp=quarantine; pct=20", "example.test: pct=20"),
        ("", "p=reject; sp=none", "example.test: sp=none"),
        ("", "p=none", "example.test: p=none"),
        ("", "p=none; sp=reject", "example.test: p=none"),
        ("p=none", "p=reject", "p=none"),
        ("p=reject", "p=none", "example.test: p=none"),
        ("p=reject; sp=none", "p=reject", ""),
        ("p=reject", "", ""),
        ("", "", "no DMARC record"),
    ],
)
def test_bimi_below_the_organization_wants_both_enforced(own: str, above: str, weak: str) -> None:
    world = f"default._bimi.example.test TXT v=BIMI1; {LOGO}; {PEM}\n news.example.test MX 10 mx.example.test"
    world += f"\n _dmarc.news.example.test TXT v=DMARC1; {own}" if own else ""
    world += f"\n _dmarc.example.test TXT v=DMARC1; {above}" if above else ""
    found = audit("bimi", "news.example.test", world)
    assert found.details.get("bimi/dmarc-not-enforced", "") == weak


def test_bimi_under_a_policy_that_could_not_be_looked_up_is_unknown() -> None:
    world = f"default._bimi.example.test TXT v=BIMI1; {LOGO}; {PEM}"
    found = audit("bimi", "example.test", world, broken={"_dmarc.example.test TXT": "servfail"})
    assert (found.state, found.ids) == ("unknown", ["bimi/unknown"])


DS = "example.test DS 12345 13 2 " + "ab" * 32


def test_dnssec() -> None:
    assert audit("dnssec", "example.test", MX + DS, signed=["example.test"]).state == "valid"
    blind = audit("dnssec", "example.test", MX + DS)
    assert (blind.state, blind.ids) == ("unknown", ["dnssec/not-validated"])
    inside = audit(
        "dnssec", "mail.example.test", "mail.example.test MX 10 mx.example.test", signed=["example.test"]
    )
    assert (inside.state, inside.ids) == ("valid", [])
    bogus = audit("dnssec", "example.test", DS, broken={"example.test MX": "servfail Signature Expired"})
    assert (bogus.state, bogus.ids) == ("invalid", ["dnssec/bogus"])
    failed = audit("dnssec", "example.test", DS, broken={"example.test MX": "servfail"})
    assert (failed.state, failed.ids) == ("unknown", ["dnssec/unknown"])


@pytest.mark.parametrize(
    ("fields", "rule", "detail"),
    [
        ("7 2", "weak-algorithm", "RSASHA1"),
        ("5 1", "weak-algorithm", "RSASHA1"),
        ("13 1", "weak-digest", "SHA-1"),
        ("8 3", "weak-digest", "GOST"),
        ("7 2 abcd\nexample.test DS 2 13 1", "weak-digest", "SHA-1"),
    ],
)
def test_dnssec_with_old_algorithms(fields: str, rule: str, detail: str) -> None:
    found = audit("dnssec", "example.test", f"{MX}example.test DS 1 {fields} abcd", signed=["example.test"])
    assert (found.state, found.details) == ("warn", {f"dnssec/{rule}": detail})
    both = f"{MX}example.test DS 1 {fields} abcd\n{DS}"
    assert audit("dnssec", "example.test", both, signed=["example.test"]).ids == []


@given(st.text(max_size=300))
def test_any_record_is_read(text: str) -> None:
    assert isinstance(tlsa.record(text).problem, str)
    assert tlsrpt.record(text).problems is not None
    assert bimi.record(text).problems is not None
    assert not (meant := bimi.repaired(text)) or not bimi.record(meant).problems
