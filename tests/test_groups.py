"""Who shares a cause, and the smallest scope that covers it: tables of inboxes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe import catalogue
from probe.judge.groups import Problem, Seen, groups, seen
from probe.rules import Cause, Finding, Report, Verdict
from probe.run import together


def one(
    inbox: str,
    *problems: tuple[str, str],
    host: str = "h.test",
    provider: str = "",
    verdict: Verdict = Verdict.FAIL,
) -> Seen:
    domain = inbox.rpartition("@")[2]
    made = tuple(Problem(rule, verdict, f"title of {rule}", "the fix", scope) for rule, scope in problems)
    return Seen(verdict if made else Verdict.OK, domain, inbox if "@" in inbox else "", host, provider, made)


def found(*everyone: Seen) -> list[tuple[str, str, str, int]]:
    return [(group.id, group.scope, group.name, group.count) for group in groups(everyone)]


BAD = ("p/bad", "inbox")
TABLE = {
    "one inbox": ([one("a@x.test", BAD), one("b@x.test")], [("p/bad", "inbox", "a@x.test", 1)]),
    "inboxes each on their own": (
        [one("a@x.test", BAD), one("b@y.test", BAD), one("c@x.test"), one("d@y.test")],
        [("p/bad", "inbox", "", 2)],
    ),
    "all of a domain": (
        [*(one(f"{name}@x.test", BAD) for name in "abc"), one("d@y.test")],
        [("p/bad", "domain", "x.test", 3)],
    ),
    "all of a domain, and one beside": (
        [*(one(f"{name}@x.test", BAD) for name in "abc"), one("d@y.test", BAD), one("e@y.test")],
        [("p/bad", "domain", "x.test", 3), ("p/bad", "inbox", "d@y.test", 1)],
    ),
    "all of a domain where everybody can have an inbox": (
        [one(f"{name}@gmail.com", BAD) for name in "abc"] + [one("d@y.test")],
        [("p/bad", "inbox", "", 3)],
    ),
    "rows that were not read": (
        [Seen(Verdict.FAIL, "", f"line {n}", problems=(Problem("p/row", Verdict.FAIL, "t", "f", "inbox"),)) for n in range(5)],
        [("p/row", "inbox", "", 5)],
    ),
    "all of many domains": (
        [*(one(f"{name}@{domain}.test", BAD) for domain in "wxyz" for name in "abc"), one("d@v.test")],
        [("p/bad", "domain", "w.test and 3 more", 12)],
    ),
    "all of many hosts": (
        [one(f"a@{name}{host}.test", BAD, host=f"{host}.test") for host in "wxyz" for name in "abc"],
        [("p/bad", "host", f"{host}.test", 3) for host in "wxyz"],
    ),
    "all of a host of several domains": (
        [one("a@x.test", BAD), one("b@y.test", BAD), one("c@z.test", BAD), one("d@z.test", host="other.test")],
        [("p/bad", "host", "h.test", 3)],
    ),
    "a tenant": (
        [one(f"{name}@{sub}x.test", ("m/tenant", "tenant")) for name in "ab" for sub in ("", "mail.")],
        [("m/tenant", "tenant", "x.test", 4)],
    ),
    "a host": (
        [one("a@x.test", ("tls/expired", "host")), one("b@y.test", ("tls/expired", "host"), host="i.test")],
        [("tls/expired", "host", "h.test", 1), ("tls/expired", "host", "i.test", 1)],
    ),
    "a provider with several hosts": (
        [one("a@x.test", ("n/slow", "host"), provider="zoho"), one("b@y.test", ("n/slow", "host"), host="i.test", provider="zoho")],
        [("n/slow", "provider", "zoho", 2)],
    ),
    "our network": (
        [one(f"a@{host}", ("n/away", "our network"), host=host) for host in ("x.test", "y.test", "z.test")],
        [("n/away", "our network", "", 3)],
    ),
    "one host that is away is not our network": (
        [one("a@x.test", ("n/away", "our network")), *(one(f"b@{host}", host=host) for host in ("y.test", "z.test"))],
        [("n/away", "host", "h.test", 1)],
    ),
    "a domain's record counts its inboxes": (
        [one("x.test", ("spf/several", "domain")), one("a@x.test"), one("b@x.test"), one("c@y.test")],
        [("spf/several", "domain", "x.test", 2)],
    ),
    "many domains alike": (
        [item for name in "abcde" for item in (one(f"{name}.test", ("dmarc/none", "domain")), one(f"i@{name}.test"))],
        [("dmarc/none", "domain", "a.test and 4 more", 5)],
    ),
    "a resolver that is silent": (
        [item for name in "ab" for item in (one(f"{name}.test", ("dns/resolver-silent", "our network")), one(f"i@{name}.test"))],
        [("dns/resolver-silent", "our network", "", 2)],
    ),
    "nothing": ([one("a@x.test")], []),
}  # fmt: skip


@pytest.mark.parametrize(("everyone", "expected"), TABLE.values(), ids=TABLE)
def test_a_cause_has_the_smallest_scope_that_covers_it(
    everyone: list[Seen], expected: list[tuple[str, str, str, int]]
) -> None:
    assert sorted(found(*everyone)) == sorted(expected)
    assert sorted(found(*reversed(everyone))) == sorted(expected)


def test_the_widest_failure_comes_first_and_says_itself() -> None:
    everyone = [
        one("a@x.test", BAD),
        *(one(f"{name}@y.test", ("m/tenant", "tenant")) for name in "abc"),
        *(one(f"{name}@z.test", ("w/warn", "inbox"), verdict=Verdict.WARN) for name in "abcde"),
    ]
    told = [str(group) for group in groups(everyone)]
    assert told[0] == "3 inboxes: title of m/tenant (tenant y.test)"
    assert told[1] == "1 inbox: title of p/bad (a@x.test)"
    assert told[2] == "5 inboxes: title of w/warn (domain z.test)"


SCOPES = {
    "microsoft/smtp-auth-disabled-tenant": ({"stage": "auth"}, "tenant"),
    "google/bad-credentials": ({"stage": "auth"}, "inbox"),
    "tls/certificate-expired": ({"stage": "tls", "ending": "tls"}, "host"),
    "network/refused": ({"stage": "connect", "ending": "refused"}, "host"),
    "network/unreachable": ({"stage": "connect", "ending": "unreachable"}, "our network"),
    "session/submission-server-unknown": ({"question": "x.test MX"}, "domain"),
    "preflight/host-braked": ({"line": "2"}, "host"),
}


@pytest.mark.parametrize(
    ("rule", "evidence", "scope"), [(rule, *rest) for rule, rest in SCOPES.items()], ids=SCOPES
)
def test_a_finding_is_mended_where_its_rule_says(rule: str, evidence: dict[str, str], scope: str) -> None:
    report = Report("creds", "ada@x.test", (Finding(catalogue.rule(rule), evidence),))
    (problem,) = seen(report).problems
    assert problem.scope == scope


def test_what_an_inbox_says_of_its_domain_is_told_by_the_domain() -> None:
    finding = Finding(catalogue.rule("preflight/domain-not-ready"), {"domain": "x.test"})
    assert not seen(Report("creds", "ada@x.test", (finding,))).problems
    assert seen(Report("creds", "line 7", ())).domain == ""


def test_a_domain_that_is_silent_is_told_once_and_not_area_by_area() -> None:
    findings = tuple(
        Finding(rule, {}) for rule in (together.DOMAIN, replace(together.DOMAIN, id="spf/unknown"))
    )
    assert [one.id for one in seen(Report("dns", "x.test", findings)).problems] == ["dns/domain-silent"]


@pytest.mark.parametrize(
    ("provider", "cause", "scope"),
    [
        ("google", Cause.CREDENTIALS, "inbox"),
        ("", Cause.CREDENTIALS, "host"),
        ("google", Cause.PROTOCOL, "host"),
    ],
)
def test_wrong_passwords_are_not_the_host_s_where_everybody_has_it(
    provider: str, cause: Cause, scope: str
) -> None:
    problem = Problem("p/bad", Verdict.FAIL, "title", "fix", "inbox", cause=cause)
    everyone = [
        Seen(Verdict.FAIL, f"{name}.test", f"i@{name}.test", "h.test", provider, (problem,)) for name in "abc"
    ]
    assert [group.scope for group in groups(everyone)] == [scope]


def test_the_record_of_one_domain_is_not_told_to_all_of_them() -> None:
    rule = catalogue.rule("session/domain-does-not-exist")
    reports = [Report("dns", f"{name}.test", (Finding(rule, {}, fix=f"Publish {name}."),)) for name in "abcd"]
    told = [seen(report) for report in reports]
    assert [group.fix for group in groups(told)] == [rule.fix]
    assert [group.fix for group in groups(told[:2])] == ["Publish a.", "Publish b."]
    assert [group.fix for group in groups([told[0]] * 4)] == ["Publish a."]


def test_what_is_wrong_with_an_application_is_told_once_for_all_its_inboxes() -> None:
    rule = catalogue.rule("grant/client-secret-expired")
    reports = [
        Report("creds", f"{name}@{name}.test", (Finding(rule, {"application": client}),))
        for name, client in (("a", "one"), ("b", "one"), ("c", "two"), ("d", "one"))
    ]
    assert found(*map(seen, reports)) == [
        ("grant/client-secret-expired", "application", "one", 3),
        ("grant/client-secret-expired", "application", "two", 1),
    ]
