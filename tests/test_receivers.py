"""What Gmail, Yahoo, Microsoft and Apple require: every row is met, broken, unknown or not to be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from probe.checks import Domain, receivers
from probe.checks._receivers_rows import RECEIVERS, ROWS
from probe.facts import Records, Status
from probe.rules import State
from tests.keys import RSA_2048
from tests.spf_world import World, Zone

KEY = f"v=DKIM1; p={RSA_2048}"
GOOD: Zone = {
    "example.com": {"MX": ["10 mail.example.com"], "TXT": ["v=spf1 ip4:192.0.2.25 -all"]},
    "mail.example.com": {"A": ["192.0.2.25"]},
    "25.2.0.192.in-addr.arpa": {"PTR": ["mail.example.com"]},
    "_dmarc.example.com": {"TXT": ["v=DMARC1; p=none; rua=mailto:d@example.com"]},
    "s1._domainkey.example.com": {"TXT": ["v=DKIM1; p="]},
}


def rows(zone: Zone, broken: dict[str, Status] | None = None, **told: Any) -> dict[str, str]:
    domain = Domain("example.com", **told)
    world = World(zone, broken)
    found = receivers.judge(domain, world.settle(lambda seen: receivers.ask(domain, seen)))
    return table(found.evaluation)


def table(evaluation: object) -> dict[str, str]:
    assert isinstance(evaluation, Mapping)
    return {
        f"{receiver} {rule['id']}": rule["status"]
        for receiver, one in evaluation.items()
        for rule in one["rules"]
    }


def test_nothing_is_passed_that_no_answer_shows() -> None:
    """Not one question was answered."""
    found = receivers.judge(Domain("example.com", sending_ips=("192.0.2.25",)), Records())
    assert set(table(found.evaluation).values()) == {"unknown", "unseen"}
    assert found.state is State.UNKNOWN


@pytest.mark.parametrize("status", [s for s in Status if not s.known])
def test_a_failed_lookup_neither_passes_nor_fails(status: Status) -> None:
    names = ("example.com", "_dmarc.example.com", "s1._domainkey.example.com", "25.2.0.192.in-addr.arpa")
    left = {name: held for name, held in GOOD.items() if name not in names}
    told = rows(left, dict.fromkeys(names, status), sending_ips=("192.0.2.25",), selectors=("s1",))
    assert set(told.values()) == {"unknown", "unseen"}


def test_what_needs_a_message_or_a_connection_is_unseen_for_everybody() -> None:
    told = rows(GOOD, sending_ips=("192.0.2.25",))
    for row in ROWS:
        if not row.sees:
            assert told[f"{row.receiver} {row.id}"] == "unseen"


def test_spf_passes_only_for_an_address_that_was_told() -> None:
    assert rows(GOOD)["microsoft spf"] == "unseen"
    assert rows(GOOD, sending_ips=("192.0.2.25",))["microsoft spf"] == "pass"
    assert rows(GOOD, sending_ips=("192.0.2.26",))["microsoft spf"] == "fail"
    assert rows(GOOD, sending_ips=("192.0.2.26",))["google spf"] == "fail"


def test_reverse_dns_is_seen_only_for_an_address_that_was_told() -> None:
    assert rows(GOOD)["google reverse-dns"] == "unseen"
    assert rows(GOOD, sending_ips=("192.0.2.25",))["google reverse-dns"] == "pass"
    assert rows(GOOD, sending_ips=("192.0.2.26",))["google reverse-dns"] == "fail"


@pytest.mark.parametrize(
    ("key", "state"),
    [
        ({}, State.NOT_APPLICABLE),  # whatever answers below _domainkey, nothing is sent
        ({"default._domainkey.example.com": {"TXT": [KEY]}}, State.INVALID),
    ],
)
def test_of_a_domain_that_says_it_sends_nothing_nothing_is_required(key: Zone, state: State) -> None:
    zone: Zone = {"example.com": {"TXT": ["v=spf1 -all"]}, "x._domainkey.example.com": {"TXT": ["x"]}, **key}
    domain = Domain("example.com")
    seen = World(zone).settle(lambda known: receivers.ask(domain, known))
    assert receivers.judge(domain, seen).state is state


def test_a_broken_key_beside_a_good_one_is_no_missing_key() -> None:
    keys: Zone = {
        "s1._domainkey.example.com": {"TXT": [KEY]},
        "s2._domainkey.example.com": {"TXT": ["v=DKIM1; p="]},
    }
    told = rows({**GOOD, **keys}, selectors=("s1", "s2"))
    assert (told["google dkim"], told["microsoft dkim"]) == ("pass", "unseen")
    assert rows(GOOD, selectors=("s1",))["google dkim"] == "fail"


def test_a_domain_that_takes_no_mail_may_name_another_for_its_replies() -> None:
    zone = {**GOOD, "example.com": {**GOOD["example.com"], "MX": ["0 ."]}}
    assert rows(zone)["microsoft replies"] == "warn"


def test_every_receiver_has_rows_and_every_row_a_receiver() -> None:
    assert {row.receiver for row in ROWS} == {receiver.id for receiver in RECEIVERS}
    assert len({(row.receiver, row.id) for row in ROWS}) == len(ROWS)
