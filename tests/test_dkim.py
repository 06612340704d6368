"""DKIM keys: what a record is worth, where keys are looked for, and what is never called missing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.checks import Domain, Judgement, _providers, dkim, mx, ptr, spf, tls_rpt
from probe.checks._dkim_keys import Assessment, assess
from probe.checks._dkim_search import COMMON, caution, places
from probe.facts import Answer, Question, Records, Status
from probe.grammar import dkim as grammar
from probe.rules import State
from probe.run import told
from tests.keys import RSA_1024
from tests.spf_world import World, Zone

SHARED = Path(__file__).parents[2] / "shared" / "data" / "dns" / "dkim" / "key-cases.json"


def scenario_key() -> str:
    text = (Path(__file__).parents[1] / "scenarios" / "dns-dkim-no-version.toml").read_text("utf-8")
    return text.partition('"p=')[2].partition('"')[0]


KEY = scenario_key()
SMALL = f"v=DKIM1; p={RSA_1024}"
GOOD = f"v=DKIM1; k=rsa; p={KEY}"
ED25519 = base64.b64encode(bytes(range(32))).decode()


def audit(zone: Zone, *selectors: str, broken: dict[str, Status] | None = None) -> tuple[Judgement, World]:
    world = World({"example.com": {"MX": ["10 mx.example.com"]}, **zone}, broken)
    domain = Domain("example.com", selectors=selectors)
    return dkim.judge(domain, world.settle(lambda seen: dkim.ask(domain, seen))), world


def problems(found: Judgement) -> list[str]:
    return sorted(finding.rule.id.partition("/")[2] for finding in found.findings)


def key_of(text: str) -> Assessment:
    found = assess((text,))
    assert found is not None
    return found


# -- a record is read as a verifier reads it --------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (GOOD, ""),
        (f"p={KEY}", ""),
        (f"v=DKIM1;p={KEY};", ""),
        (f"v = DKIM1 ; k = rsa ; p = {KEY}", ""),
        (f"v=DKIM1; p={KEY[:80]}\t\r\n {KEY[80:]}", ""),
        (f"v=DKIM1; zz=1; p={KEY}", ""),
        (f"v=DKIM1; h=sha1:sha256; p={KEY}", ""),
        (f"v=DKIM1; s=email:tlsrpt; p={KEY}", ""),
        (f'v=DKIM1; n="a note (in quotation marks)"; p={KEY}', ""),
        (f"v=DKIM1; k=ed25519; p={ED25519}", ""),
        (f"v=DKIM1; k=ED25519; p={ED25519}", ""),
        (f"v=DKIM1; k=ed25519; p={ED25519[:-1]}", ""),
        ("v=DKIM1; p=", "revoked"),
        ("v=DKIM1; k=rsa; p= ;", "revoked"),
        ("v=DKIM1; k=rsa", "no-key"),
        (f"v=DKIM1; P={KEY}", "no-key"),
        (f"k=rsa; v=DKIM1; p={KEY}", "version"),
        (f"v=DKIM2; p={KEY}", "version"),
        (f"v=dkim1; p={KEY}", "version"),
        (f"{GOOD}; p={KEY}", "duplicate-tag"),
        ("v=DKIM1; p=@@@", "not-base64"),
        (f"v=DKIM1; p={KEY[:200]}", "truncated"),
        (f"v=DKIM1; p={KEY[:201]}", "truncated"),
        (f"v=DKIM1; p={KEY[4:]}", "unreadable"),
        (f"v=DKIM1; k=rsa; p={ED25519}", "wrong-type"),
        (f"v=DKIM1; k=ed25519; p={KEY}", "wrong-type"),
        (f"v=DKIM1; k=ed25519; p={ED25519[:-8]}AA==", "unreadable"),
        (f"v=DKIM1; k=RSA2; p={KEY}", "unknown-type"),
        (f"v=DKIM1; h=sha1; p={KEY}", "hash"),
        (f"v=DKIM1; s=other; p={KEY}", "service"),
        (f'"{GOOD}"', "pasted"),
        (GOOD.replace(";", "\\;"), "pasted"),
        (f"v=DKIM1; k=rsa; p=-----BEGIN PUBLIC KEY-----{KEY}-----END PUBLIC KEY-----", "pasted"),
        (f's1._domainkey IN TXT ( "{GOOD}" )', "pasted"),
        ("v=DKIM1; p=-----BEGIN RSA PRIVATE KEY-----MIIE", "private-key"),
    ],
)
def test_a_record_is_worth(record: str, problem: str) -> None:
    assert key_of(record).problem == problem


@pytest.mark.parametrize(
    "record",
    [
        f'"{GOOD}"',
        GOOD.replace(";", "\\;"),
        f"k=rsa; v=DKIM1; p={KEY}",
        f's1._domainkey.example.com. 300 IN TXT ( "{GOOD[:200]}" "{GOOD[200:]}" )',
        f"v=DKIM1; k=rsa; p=-----BEGIN PUBLIC KEY-----{KEY}-----END PUBLIC KEY-----",
        f"v=DKIM1; k=rsa; p={ED25519}",
        f"v=DKIM1; k=ed25519; p={KEY}",
        f"v=DKIM1; h=sha1; p={KEY}",
        f"v=DKIM1; s=other; p={KEY}",
    ],
)
def test_the_record_that_was_meant_is_a_good_key(record: str) -> None:
    assert key_of(key_of(record).meant).usable


def test_a_key_without_its_wrapping_is_offered_with_it() -> None:
    bare = base64.b64encode(base64.b64decode(KEY)[24:]).decode()
    found = key_of(f"v=DKIM1; p={bare}")
    assert found.usable
    ((problem, _, better),) = found.remarks
    assert problem == "bare-key"
    assert key_of(better) == key_of(GOOD)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (f"v=DKIM1; k=rsa p={KEY}", "no-key"),
        (f"v=DKIM1; k=rsa; p:{KEY}", "no-key"),
        (KEY, "no-key"),
        (f"v=DKIM1, k=rsa, p={KEY}", "version"),
        (f"v=DKIM1; p={KEY} k=rsa", "not-base64"),
    ],
)
def test_tags_that_run_on_are_put_apart(record: str, problem: str) -> None:
    found = key_of(record)
    assert (found.problem, found.meant) == (problem, GOOD)


def test_what_is_no_tag_may_have_a_good_key_discarded() -> None:
    found = key_of(f"v=DKIM1; k=rsa; hello; p={KEY}; 2=x")
    assert found.usable
    assert found.remarks == (("syntax", "hello, 2=x", GOOD),)


def test_type_and_size_come_from_the_key_itself() -> None:
    assert key_of(f"p={KEY}").told() == {
        "type": "rsa",
        "bits": 2048,
        "usable": True,
        "revoked": False,
        "problem": None,
        "flags": [],
    }


@pytest.mark.parametrize(
    "text", ["v=spf1 -all", "hijacked", "site-verification=1", "", ";;;", "v=DMARC1; p2"]
)
def test_other_text_is_no_key(text: str) -> None:
    assert assess((text,)) is None


def test_the_parts_of_one_key_are_put_together_in_whatever_order_they_came() -> None:
    for parts in ((GOOD[:250], GOOD[250:]), (GOOD[250:], GOOD[:250])):
        found = assess(parts)
        assert found is not None
        assert (found.problem, found.meant) == ("split", GOOD)


def test_a_private_key_is_never_repeated() -> None:
    found = key_of("v=DKIM1; p=MIICXAIBAAKBgQ")
    assert found.problem == "truncated"  # the beginning alone is no proof
    found = key_of(
        "v=DKIM1; p=" + base64.b64encode(b"\x30\x82\x01\x02\x02\x01\x00\x02" + b"k" * 300).decode()
    )
    assert (found.problem, found.text, found.meant) == ("private-key", "", "")
    run_on = base64.b64encode(b"\x30\x82\x01\x02\x02\x01\x00\x02" + b"k" * 258).decode()
    assert key_of(f"v=DKIM1; k=rsa p={run_on}") == found
    assert key_of(f"v=DKIM2; p={run_on}") == found


@given(st.text(max_size=300), st.text(max_size=300))
@settings(deadline=None, max_examples=150)
def test_any_text_is_read_without_an_exception(one: str, other: str) -> None:
    for text in (one, f"v=DKIM1; p={other}", f"v=DKIM1; k={one}; p={other}"):
        grammar.parse(text)
        grammar.repaired(text)
        assess((text, other))


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=150)
def test_any_bytes_in_p_are_read_without_an_exception(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert key_of(f"v=DKIM1; p={text}").told()
    assert key_of(f"v=DKIM1; k=ed25519; p={text}").usable == (len(data) == 32)


@pytest.mark.parametrize(
    ("pasted", "selector"),
    [
        ("s1", "s1"),
        (" S1 ", "s1"),
        ("s1._domainkey.example.com.", "s1"),
        ("s1.", "s1"),
        ("jan.2026", "jan.2026"),
        ("1.2.3.4", "1.2.3.4"),
        ("20230601", "20230601"),
        ("no such", ""),
        ("", ""),
        ("a..b", ""),
        ("-a", ""),
        ("a" * 64, ""),
        ("s1;drop", ""),
    ],
)
def test_a_selector_is_taken_as_people_paste_it(pasted: str, selector: str) -> None:
    assert grammar.selector(pasted) == selector
    if selector:
        assert told.sender(selectors=[pasted]).selectors == (selector,)
    else:
        with pytest.raises(ValueError, match="is no selector"):
            told.sender(selectors=[pasted])


THEIRS = "s1.service.test"


@pytest.mark.parametrize(
    ("at", "record", "fix"),
    [
        (
            THEIRS,
            SMALL,
            f"The key is the service's, at {THEIRS}: choose its option of 2048 bits, or ask the service.",
        ),
        (
            THEIRS,
            "v=DKIM1; k=rsa",
            f"At {THEIRS}, by its owner: publish the whole record the sending service shows.",
        ),
        (
            THEIRS,
            "hello",
            f"At {THEIRS}, by its owner: publish the key record here, and the other text where it belongs.",
        ),
        ("s1.keys.example.com", SMALL, "Make a key of 2048 bits and publish it at a new selector."),
    ],
)
def test_the_key_behind_an_alias_is_the_business_of_its_owner(at: str, record: str, fix: str) -> None:
    zone: Zone = {"s1._domainkey.example.com": {"CNAME": [at]}, at: {"TXT": [record]}}
    found, _ = audit(zone, "s1")
    assert [finding.remedy for finding in found.findings] == [fix]


# -- the ladder -------------------------------------------------------------------------------------


def test_nothing_at_domainkey_proves_that_there_is_no_key() -> None:
    found, world = audit({})
    assert (found.state, problems(found)) == (State.MISSING, ["missing"])
    assert len(world.asked) == 4
    assert world.rounds == 1


def test_a_node_at_domainkey_proves_that_some_key_exists() -> None:
    found, world = audit({"t7f3a9._domainkey.example.com": {"TXT": [GOOD]}})
    assert (found.state, problems(found)) == (State.UNKNOWN, ["selector-unknown"])
    assert len(world.asked) <= 4 + len(COMMON)


def test_a_found_key_ends_the_search() -> None:
    _, world = audit(
        {"example.com": {"MX": ["1 smtp.google.com"]}, "google._domainkey.example.com": {"TXT": [GOOD]}}
    )
    assert len(world.asked) == 5
    assert world.rounds == 2


GOOGLE = "google._domainkey.example.com"
MAILED: Zone = {"example.com": {"MX": ["1 smtp.google.com"]}}


@pytest.mark.parametrize(
    ("zone", "broken", "state", "expected"),
    [
        ({GOOGLE: {"TXT": [GOOD]}}, {}, State.VALID, []),
        (
            {GOOGLE: {"CNAME": ["gone.service.test"]}, "gone.service.test": {}},
            {},
            State.INVALID,
            ["dangling-alias"],
        ),
        ({}, {GOOGLE: Status.SERVFAIL}, State.UNKNOWN, ["unknown"]),
        ({}, {}, State.MISSING, ["missing"]),
    ],
    ids=["key", "alias", "failure", "nothing"],
)
def test_a_server_that_denies_names_without_records_proves_nothing_of_what_is_below(
    zone: Zone, broken: dict[str, Status], state: State, expected: list[str]
) -> None:
    denied = {"_domainkey.example.com": Status.NXDOMAIN, **broken}
    found, world = audit({**MAILED, **zone}, broken=denied)
    assert (found.state, problems(found)) == (state, expected)
    assert len(world.asked) == 5


def test_below_a_denied_name_few_selectors_are_asked_for() -> None:
    includes = "v=spf1 include:mailgun.org include:servers.mcsv.net -all"
    _, world = audit({"example.com": {"TXT": [includes]}})
    assert len(world.asked) == 7


def test_selectors_that_were_named_are_asked_for_at_once() -> None:
    found, world = audit({"s1._domainkey.example.com": {"TXT": [GOOD]}}, "s1")
    assert (found.state, problems(found), world.rounds) == (State.VALID, [], 1)


@pytest.mark.parametrize("status", [s for s in Status if not s.known])
def test_a_failed_lookup_is_unknown_and_never_missing(status: Status) -> None:
    zone: Zone = {"s2._domainkey.example.com": {"TXT": [GOOD]}}
    found, _ = audit(zone, "s1", broken={"s1._domainkey.example.com TXT": status})
    assert (found.state, problems(found)) == (State.UNKNOWN, ["unknown"])
    assert found.findings[0].evidence["status"] == status
    found, _ = audit({}, broken={"_domainkey.example.com TXT": status})
    assert found.state is State.UNKNOWN


def test_what_was_not_asked_is_unknown() -> None:
    found = dkim.judge(Domain("example.com"), World({}).settle(lambda _: ()))
    assert (found.state, problems(found)) == (State.UNKNOWN, ["unknown"])


def test_the_control_label_is_the_same_in_every_run_and_differs_by_domain() -> None:
    label = places(Domain("example.com")).control.name
    assert label == places(Domain("example.com")).control.name
    assert label.partition(".")[0] != places(Domain("example.net")).control.name.partition(".")[0]
    assert grammar.selector(label)


@pytest.mark.parametrize(
    ("name", "control", "careful"),
    [
        ("news.example.com", Status.NODATA, True),
        ("news.example.com", Status.OK, True),
        ("news.example.com", Status.NXDOMAIN, False),
        ("news.example.com", Status.TIMEOUT, False),
        ("example.com", Status.NODATA, False),
    ],
)
def test_a_record_takes_a_name_out_of_the_wildcard(name: str, control: Status, *, careful: bool) -> None:
    nothing = {Question(name, kind): Answer(Status.NODATA) for kind in ("TXT", "MX", "SPF")}
    reports = Question(f"_smtp._tls.{name}", "TXT")
    seen = Records({**nothing, reports: Answer(Status.NODATA), places(Domain(name)).control: Answer(control)})
    assert bool(caution(name, seen)) is careful
    (told,) = spf.judge(Domain(name), seen).findings
    assert told.fix.endswith("it answers them no more.") is careful
    (optional,) = tls_rpt.judge(Domain(name), seen).findings
    assert (optional.fix == "") is careful
    sending = Domain(name, sending_ips=("192.0.2.7",))
    nameless = {Question("7.2.0.192.in-addr.arpa", "PTR"): Answer(Status.NXDOMAIN)}
    (unnamed,) = ptr.judge(sending, seen.including(nameless)).findings
    assert (f"mail.{name}" not in unnamed.fix) is careful
    own = {Question(name, "A"): Answer(Status.OK, ("192.0.2.1",))}
    (implicit,) = mx.judge(Domain(name), seen.including(own)).findings
    assert implicit.fix.endswith("it answers them no more.") is careful


def test_whether_the_organization_signs_is_unknown_where_it_was_not_answered() -> None:
    domain, above = Domain("news.example.com"), "_domainkey.example.com TXT"
    for broken, rule in (({}, "dkim/missing"), ({above: Status.TIMEOUT}, "dkim/unknown")):
        seen = World({"news.example.com": {"A": ["192.0.2.1"]}}, broken).settle(
            lambda known: dkim.ask(domain, known)
        )
        assert [one.rule.id for one in dkim.judge(domain, seen).findings] == [rule]


def test_who_says_that_nothing_is_sent_needs_no_selector() -> None:
    zone: Zone = {"example.com": {"TXT": ["v=spf1 -all"]}, "a.b._domainkey.example.com": {"TXT": ["x"]}}
    found, _ = audit(zone)
    assert (found.state, problems(found)) == (State.NOT_APPLICABLE, ["not-sending"])
    found, _ = audit(zone, broken={"_domainkey.example.com TXT": Status.TIMEOUT})
    assert (found.state, problems(found)) == (State.UNKNOWN, ["unknown"])
    found, _ = audit(zone, broken={"s1._domainkey.example.com TXT": Status.TIMEOUT})
    assert (found.state, problems(found)) == (State.UNKNOWN, ["selector-unknown"])
    found, _ = audit({**zone, "example.com": {"TXT": ["v=spf1 mx -all"]}})
    assert (found.state, problems(found)) == (State.UNKNOWN, ["selector-unknown"])


def test_names_too_long_to_ask_for_are_not_asked_for() -> None:
    long = ".".join(["a" * 60] * 4)
    domain = Domain(long, selectors=("s1",))
    world = World({})
    dkim.judge(domain, world.settle(lambda seen: dkim.ask(domain, seen)))
    assert all(len(question.name) <= 253 for question in world.asked)


def test_a_hundred_selectors_are_bounded() -> None:
    _, world = audit({}, *(f"s{number}" for number in range(100)))
    assert len(world.asked) <= 24


# -- cases gathered from the field ------------------------------------------------------------------


def cases() -> list[dict[str, object]]:
    if not SHARED.exists():
        return []
    found: list[dict[str, object]] = json.loads(SHARED.read_text("utf-8"))
    return found


@pytest.mark.skipif(not SHARED.exists(), reason="the shared key cases are not there")
@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case["id"]))
def test_shared_case(case: dict[str, object]) -> None:
    values, wanted = case["txt"], case["expect"]
    assert isinstance(values, list)
    assert isinstance(wanted, dict)
    found = assess(tuple(values))
    assert found is not None
    if wanted.get("usable") is None:
        assert found.problem == "several"
    else:
        assert found.usable is wanted["usable"]
        assert found.revoked is wanted.get("revoked", False)
    if found.usable:
        assert (found.type, found.bits) == (wanted.get("type", "rsa"), wanted.get("bits", 2048))


# -- who is told by a pattern ------------------------------------------------------------------------

HOSTS = (
    "smtp.google.com",
    "alt1.aspmx.l.google.com",
    "aspmx2.googlemail.com",
    "xgooglemail.com",
    "d1-test.mail.protection.outlook.com",
    "outlook.com",
    "mx.zoho.com.au",
    "mx00.ionos.de",
    "mx01.1and1.co.uk",
    "inbound-smtp.eu-west-1.amazonaws.com",
    "com",
    "",
)


@pytest.mark.parametrize("host", HOSTS)
def test_patterns_found_by_their_end_are_all_that_match(host: str) -> None:
    whose = [one for one in _providers.table() if any(_providers.matches(host, each) for each in one.mx)]
    assert _providers.recognise([host]) is (whose[0] if whose else None)


@pytest.mark.parametrize("provider", _providers.table(), ids=lambda one: one.id)
def test_aliases_lead_to_the_providers_whose_patterns_they_match(provider: _providers.Provider) -> None:
    for pattern in provider.targets:
        alias = _providers.filled(pattern, "a.test").replace("*", "s1")
        found = _providers.leading([alias, "s1.elsewhere.test"], "a.test", ())
        assert provider in found
        assert provider not in _providers.leading([alias], "a.test", [provider])
        assert list(found) == [
            one
            for one in _providers.table()
            if any(_providers.matches(alias, _providers.filled(each, "a.test")) for each in one.targets)
        ]
