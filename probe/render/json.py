"""JSON: the promise to machines. Its shape is written here by hand and is never a dump of our types.

One report is an object; several are ``{"schema_version": 1, "reports": [...]}``. The contract is
``schema.json`` beside this file (`probe schema` prints it); fields are added, never changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from probe.render import Style
from probe.rules import Finding, Report, Rule

EXTENSIONS = (".json",)
SCHEMA_VERSION = 1
_ANSWERS = ("priority", "permanent", "recipient_bad", "sender_must_act", "retry", "retry_after")


def render(reports: Iterable[Report], _style: Style) -> Iterator[str]:
    """One object for one report, a list of them in an envelope for several."""
    written = [as_json(report) for report in reports]
    whole = written[0] if len(written) == 1 else {"schema_version": SCHEMA_VERSION, "reports": written}
    yield json.dumps(whole, indent=2) + "\n"


def as_json(report: Report) -> dict[str, object]:
    """A report in the shape of the contract; every value is plain JSON."""
    found = [finding_as_json(finding) for finding in report.findings]
    return {**around(report), "findings": found, "evaluations": dict(report.evaluations)}


def around(report: Report) -> dict[str, object]:
    """A report in the shape of the contract, with None where its findings and evaluations come."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": report.kind,
        "subject": report.subject,
        "verdict": str(report.verdict),
        "outcome": str(report.outcome) if report.outcome is not None else None,
        "states": {area: str(state) for area, state in report.states.items()},
        "findings": None,
        "facts": dict(report.facts),
        "evaluations": None,
        "transcript": str(report.transcript).split("\n") if report.transcript is not None else [],
        "timings_ms": {step: round(1000 * seconds, 1) for step, seconds in report.timings.items()},
    }


def finding_as_json(finding: Finding) -> dict[str, object]:
    """A finding in the shape of the contract."""
    rule = finding.rule
    usual = rule.cause.answers
    return {
        "id": rule.id,
        "verdict": str(rule.verdict),
        "cause": rule.cause.value,
        "family": str(usual.family),
        "acts": usual.acts,
        **answers(rule),
        "confidence": str(finding.confidence),
        "title": rule.title,
        "meaning": rule.meaning,
        "fix": finding.remedy,
        "dont": rule.dont,
        "detail": finding.detail,
        "matched": finding.matched,
        "alternates": list(finding.alternates),
        "predicts": list(rule.predicts),
        "evidence": dict(finding.evidence),
        "source": {"url": rule.source.url, "kind": rule.source.kind, "read": rule.source.read},
    }


def answers(rule: Rule) -> dict[str, object]:
    """What to do about a rule, in the words of the contract (``after_fix``): its own, else its cause's."""
    told = {name: rule.answer(name) for name in _ANSWERS}
    return {**told, "priority": str(told["priority"]), "retry": str(told["retry"]).replace(" ", "_")}


def schema() -> Mapping[str, object]:
    """The JSON Schema of the contract."""
    text = Path(__file__).with_name("schema.json").read_text(encoding="utf-8")
    read: Mapping[str, object] = json.loads(text)
    return read
