"""The RFC 7208 test suite, where it is at hand: every case, with the preferred result."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.checks._spf_evaluate import evaluate
from probe.checks._spf_result import Sender
from probe.facts import Status
from tests.spf_world import World

SUITE = Path(__file__).parents[2] / "shared" / "data" / "dns" / "spf" / "rfc7208-tests.yml"


def cases() -> Iterator[Any]:
    if not SUITE.exists():
        yield pytest.param(None, {}, marks=pytest.mark.skip(reason="the RFC 7208 suite is not at hand"))
        return
    yaml = pytest.importorskip("yaml")
    for part in yaml.safe_load_all(SUITE.read_text("utf-8")):
        for name, case in part["tests"].items():
            yield pytest.param(case, part["zonedata"], id=f"{part['description']}-{name}")


def world(zonedata: dict[str, list[Any]]) -> World:
    zone: dict[str, dict[str, list[str]]] = {}
    broken: dict[str, Status] = {}
    for name, rows in zonedata.items():
        records: dict[str, list[str]] = zone.setdefault(name, {})
        for row in rows:
            if row == "TIMEOUT":
                broken[name.lower()] = Status.TIMEOUT
                continue
            (kind, value) = next(iter(row.items()))
            if kind == "MX":
                value = f"{value[0]} {value[1] or '.'}"
            elif isinstance(value, list):
                value = "".join(value)
            records.setdefault(kind, []).append(str(value).removesuffix(".") if kind == "PTR" else str(value))
        # The suite lists type SPF, which RFC 7208 retired; it means TXT unless TXT is listed too.
        texts = records.setdefault("TXT", records.get("SPF", []))
        records["TXT"] = [text for text in texts if text != "NONE"]
    return World(zone, broken)


@pytest.mark.parametrize(("case", "zonedata"), list(cases()))
def test_the_suite(case: dict[str, Any], zonedata: dict[str, list[Any]]) -> None:
    sender = Sender(ipaddress.ip_address(case["host"]), case["helo"], case["mailfrom"])
    seen = world(zonedata).settle(lambda records: evaluate(sender, records).missing)
    found = evaluate(sender, seen)
    results = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert found.result == results[0], found
    if "explanation" in case:
        assert found.explanation == ("" if case["explanation"] == "DEFAULT" else case["explanation"])
