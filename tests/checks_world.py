"""A world of records for tests of checks: lines of ``name TYPE value``, asked until nobody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from probe.checks import Domain, Judgement, find
from probe.facts import Answer, Question, Records, Status

ROUNDS = 12

Page = str | tuple[str, ...] | Answer


@dataclass(frozen=True)
class Audit:
    """What a check concluded, and every question that led there."""

    judgement: Judgement
    asked: tuple[Question, ...]

    @property
    def ids(self) -> list[str]:
        return [finding.rule.id for finding in self.judgement.findings]

    @property
    def state(self) -> str:
        return str(self.judgement.state)

    @property
    def details(self) -> dict[str, str]:
        return {finding.rule.id: finding.detail for finding in self.judgement.findings}

    @property
    def fixes(self) -> dict[str, str]:
        return {finding.rule.id: finding.fix for finding in self.judgement.findings}

    @property
    def evaluation(self) -> Any:
        return self.judgement.evaluation


def audit(
    area: str,
    name: str,
    world: str = "",
    *,
    broken: Mapping[str, str] | None = None,
    signed: Iterable[str] = (),
    web: Mapping[str, Page] | None = None,
    **told: Any,
) -> Audit:
    """One check over one world. `signed` are names at and below which answers carry AD."""
    check = find(area)
    domain = Domain(name, **told)
    lookup = World(world, broken or {}, tuple(signed), web or {})
    seen = Records()
    for _ in range(ROUNDS):
        new = [question for question in dict.fromkeys(check.ask(domain, seen)) if question not in seen]
        if not new:
            break
        seen = seen.including({question: lookup.answer(question) for question in new})
    else:
        raise AssertionError("the check never stops asking")
    judgement = check.judge(domain, seen)
    rules = {rule.id for rule in check.RULES}
    assert all(finding.rule.id in rules and finding.evidence for finding in judgement.findings)
    return Audit(judgement, tuple(seen))


class World:
    def __init__(
        self, text: str, broken: Mapping[str, str], signed: tuple[str, ...], web: Mapping[str, Any]
    ) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.broken, self.signed, self.web = broken, signed, web
        for line in filter(None, map(str.strip, text.splitlines())):
            name, kind, value = line.split(None, 2)
            self.records.setdefault((name, kind), []).append(value)
        self.names = {name for name, _ in self.records}

    def answer(self, question: Question) -> Answer:
        if question.type in {"HTTP", "RDAP"}:
            page = self.web.get(question.name, Answer(Status.UNREACHABLE, detail="no connection"))
            if isinstance(page, Answer):
                return page
            values = (
                ("200", "text/plain", "Sat, 21 Nov 2026 12:00:00 GMT", page)
                if isinstance(page, str)
                else page
            )
            return Answer(Status.OK, values, server="203.0.113.80")
        if (how := self.broken.get(str(question))) is not None:
            status, _, detail = how.partition(" ")
            return Answer(Status(status), server="192.0.2.53", detail=detail)
        ad = any(question.name == zone or question.name.endswith(f".{zone}") for zone in self.signed)
        aliases: list[str] = []
        name = question.name
        while (target := self.records.get((name, "CNAME"))) and len(aliases) < 8:
            name = target[0]
            aliases.append(name)
        values = tuple(self.records.get((name, question.type), ()))
        exists = name in self.names or any(each.endswith(f".{name}") for each in self.names)
        status = Status.OK if values else Status.NODATA if exists else Status.NXDOMAIN
        return Answer(status, values, 300, "192.0.2.53", tuple(aliases), (), ad)
