"""What many replies show together, as tables of who refused whom."""

from __future__ import annotations

import random

import pytest

from probe.fleet import PRESETS, Fleet, Thresholds, patterns, wilson
from probe.fleet.counts import MAX_KEYS
from probe.rules import Cause, Finding


def fleet(*rows: tuple[Cause, str, str, int, int]) -> Fleet:
    """Rows of cause, receiver, sender, hour, count."""
    made = Fleet()
    for cause, receiver, sender, hour, count in rows:
        for _ in range(count):
            made.add(cause, receiver=receiver, sender=sender, hour=hour)
    return made


def found(made: Fleet, when: Thresholds = PRESETS["usual"]) -> dict[str, Finding]:
    return {finding.rule.id.removeprefix("fleet/"): finding for finding in patterns(made, when)}


OK = Cause.SUCCESS


def test_one_receiver_refuses_and_the_others_do_not() -> None:
    made = fleet(
        (Cause.RATE_LIMIT, "google", "ada@a.example", 100, 30),
        (OK, "google", "ada@a.example", 100, 10),
        (OK, "microsoft", "ada@a.example", 100, 50),
    )
    finding = found(made)["one-receiver"]
    assert finding.rule.cause is Cause.RATE_LIMIT
    assert (finding.evidence["receiver"], finding.evidence["count"], finding.evidence["of"]) == (
        "google",
        "30",
        "40",
    )


@pytest.mark.parametrize(
    "rows",
    [
        ((Cause.RATE_LIMIT, "google", "", 1, 4), (OK, "microsoft", "", 1, 50)),  # too few
        (
            (Cause.RATE_LIMIT, "google", "", 1, 10),
            (OK, "google", "", 1, 30),
            (OK, "microsoft", "", 1, 50),
        ),  # a minority
        (
            (Cause.RATE_LIMIT, "google", "", 1, 10),
            (Cause.RATE_LIMIT, "microsoft", "", 1, 10),
        ),  # everywhere alike
        ((Cause.RATE_LIMIT, "google", "", 1, 10),),  # nothing to compare with
    ],
)
def test_no_receiver_is_blamed_without_evidence(rows: tuple[tuple[Cause, str, str, int, int], ...]) -> None:
    assert "one-receiver" not in found(fleet(*rows))


def test_the_same_refusal_everywhere_names_the_smallest_scope() -> None:
    hosts = ("google", "microsoft", "corp.example")
    inbox = fleet(*((Cause.BLOCKLIST, host, "ada@a.example", 5, 10) for host in hosts))
    domain = fleet(*((Cause.BLOCKLIST, host, f"{host[0]}@a.example", 5, 10) for host in hosts))
    many = fleet(*((Cause.BLOCKLIST, host, f"x@{host[0]}.example", 5, 10) for host in hosts))
    told = [found(made)["sender-everywhere"].evidence for made in (inbox, domain, many)]
    assert [(each["scope"], each.get("name")) for each in told] == [
        ("inbox", "ada@a.example"),
        ("sending domain", "a.example"),
        ("everything", None),
    ]


@pytest.mark.parametrize(("hour", "span"), [(0, ""), (500_000, " in 24 hours")])
def test_a_span_of_time_is_told_where_times_are_known(hour: int, span: str) -> None:
    """A pile of bounce mails says when nothing was."""
    one = fleet((Cause.RATE_LIMIT, "google", "", hour, 10), (OK, "microsoft", "", hour, 10))
    everywhere = fleet(
        *((Cause.BLOCKLIST, host, "", hour, 5) for host in ("google", "microsoft", "x.example"))
    )
    assert [found(one)["one-receiver"].detail, found(everywhere)["sender-everywhere"].detail] == [
        f"google: 10 of 10 replies{span} are rate limit; elsewhere 0% of 10.",
        f"15 replies are blocklist at 3 receivers{span}; many senders have them alike.",
    ]


def test_two_receivers_or_two_days_are_not_everywhere() -> None:
    two = fleet(*((Cause.BLOCKLIST, host, "ada@a.example", 5, 10) for host in ("google", "microsoft")))
    days = fleet(
        *(
            (Cause.BLOCKLIST, host, "ada@a.example", at * 30, 10)
            for at, host in enumerate(("google", "yahoo", "apple"))
        )
    )
    assert "sender-everywhere" not in found(two)
    assert "sender-everywhere" not in found(days)


BLOCKED = Cause.SENDER_SUSPENDED, "microsoft_codes/tenant-blocked"


@pytest.mark.parametrize(
    ("refusal", "senders", "hours", "expected"),
    [
        (BLOCKED, ("a@t.example", "b@mail.t.example", "C@t.example"), (7, 7, 7), "t.example"),
        ((Cause.SENDER_QUOTA, "microsoft/tenant-external-limit"), ("a@t.example", "b@t.example", "c@t.example"), (7, 7, 7), "t.example"),
        ((Cause.SENDER_QUOTA, "google/daily-limit"), ("a@t.example", "b@t.example", "c@t.example"), (7, 7, 7), ""),
        (BLOCKED, ("a@t.example", "b@t.example", "a@t.example"), (7, 7, 7), ""),  # two inboxes
        (BLOCKED, ("a@t.example", "b@t.example", "c@t.example"), (7, 7, 9), ""),  # not together
        (BLOCKED, ("a@t.example", "b@t.example", "c@t.example"), (0, 0, 0), ""),  # nobody knows
        (BLOCKED, ("a@gmail.com", "b@gmail.com", "c@gmail.com"), (7, 7, 7), ""),  # nobody's tenant
        ((Cause.RATE_LIMIT, "microsoft/tenant-queue"), ("a@t.example", "b@t.example", "c@t.example"), (7, 7, 7), ""),  # the recipient's
        (BLOCKED, ("", "", ""), (7, 7, 7), ""),
    ],
)  # fmt: skip
def test_inboxes_of_one_tenant_fail_together(
    refusal: tuple[Cause, str], senders: tuple[str, ...], hours: tuple[int, ...], expected: str
) -> None:
    made = Fleet()
    for sender, hour in zip(senders, hours, strict=True):
        made.add(refusal[0], receiver="microsoft", sender=sender, rule=refusal[1], hour=hour)
    told = found(made).get("tenant")
    assert (told.evidence["tenant"] if told else "") == expected
    if told:
        assert (told.evidence["count"], told.rule.cause) == ("3", refusal[0])


def test_inboxes_whose_refusal_nobody_read_are_no_tenants() -> None:
    rows = [(Cause.CREDENTIALS, "microsoft", f"{name}@t.example", 7, 1) for name in "abc"]
    assert found(fleet(*rows)) == {}


def test_a_tenants_refusal_may_be_of_a_rule_that_no_catalogue_has() -> None:
    made = Fleet()
    for name in "abc":
        made.add(Cause.CREDENTIALS, sender=f"{name}@t.example", rule="own/rule", hour=7)
    assert found(made)["tenant"].rule.cause is Cause.CREDENTIALS


def test_a_tenant_that_is_refused_for_hours_is_told_once() -> None:
    made = Fleet()
    for hour in range(10, 20):
        for at in range(hour - 6):
            made.add(BLOCKED[0], sender=f"{at}@t.example", rule=BLOCKED[1], hour=hour)
    (told,) = patterns(made)
    assert told.evidence["count"] == "13"


@pytest.mark.parametrize(
    ("dead", "of", "preset", "expected"),
    [
        (2, 100, "usual", ""),
        (3, 100, "usual", "list-watch"),
        (5, 100, "usual", "list-act"),
        (7, 100, "usual", "list-pull"),
        (2, 100, "strict", "list-act"),
        (6, 100, "lenient", "list-watch"),
        (7, 100, "lenient", "list-act"),
        (9, 90, "usual", ""),  # fewer than a hundred say nothing
    ],
)
def test_a_list_is_judged_by_what_does_not_exist(dead: int, of: int, preset: str, expected: str) -> None:
    made = fleet((Cause.RECIPIENT_UNKNOWN, "google", "", 1, dead), (OK, "google", "", 1, of - dead))
    assert {name for name in found(made, PRESETS[preset]) if name.startswith("list")} == {expected} - {""}


def test_a_list_without_what_was_accepted_has_no_share() -> None:
    assert found(fleet((Cause.RECIPIENT_UNKNOWN, "google", "", 1, 500))) == {}


@pytest.mark.parametrize(
    ("complaints", "expected"), [(0, ""), (1, "complaints-high"), (3, "complaints-critical")]
)
def test_complaints_have_the_documented_limits(complaints: int, expected: str) -> None:
    made = fleet((OK, "google", "", 1, 1000))
    made.complaints = complaints
    assert {name for name in found(made) if name.startswith("complaints")} == {expected} - {""}


def test_a_temporary_refusal_that_lasts_is_no_longer_temporary() -> None:
    rows = [(Cause.RATE_LIMIT, "google", "", hour, 1) for hour in (10, 20, 36)]
    assert found(fleet(*rows))["persistent"].evidence["hours"] == "26"
    assert "persistent" not in found(fleet(*rows, (OK, "google", "", 15, 1)))
    assert "persistent" not in found(fleet(*rows[:2]))


def test_a_spike_is_seen_against_the_week_before() -> None:
    week = [(OK, "google", "", hour, 10) for hour in range(1000, 1000 + 7 * 24)]
    today = (Cause.CONTENT, "google", "", 1000 + 7 * 24 + 3, 40)
    assert found(fleet(*week, today))["spike"].rule.cause is Cause.CONTENT
    assert "spike" not in found(fleet(*week))


def test_a_single_address_fails_where_others_are_accepted() -> None:
    made = Fleet()
    made.suppress("bob@corp.example", Cause.RECIPIENT_UNKNOWN, "standard/x", "550 no", 3)
    assert "one-address" not in found(made)
    made.accept("corp.example")
    made.accept("corp.example")
    assert found(made)["one-address"].evidence["count"] == "1"


def test_the_order_of_replies_never_matters() -> None:
    rows = [
        (cause, receiver, f"i{at % 3}@d{at % 2}.example", at % 60, 1 + at % 4)
        for at, cause in enumerate([*Cause] * 6)
        for receiver in ("google", "microsoft", "yahoo", "corp.example")
    ]
    expected = patterns(fleet(*rows))
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert patterns(fleet(*rows)) == expected


def test_memory_is_bounded() -> None:
    made = Fleet()
    for at in range(3 * MAX_KEYS):
        made.add(Cause.RATE_LIMIT, receiver=f"r{at}.example", sender=f"s{at}@x.example", hour=at)
    assert len(made.counts) <= 2 * MAX_KEYS + 1
    assert sum(made.counts.values()) == 3 * MAX_KEYS


def test_few_replies_make_little_believable() -> None:
    assert wilson(0, 0) == 0
    assert wilson(1, 1) < 0.3 < wilson(5, 5)
    assert wilson(50, 100) == pytest.approx(0.4038, abs=1e-3)
