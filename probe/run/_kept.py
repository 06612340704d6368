"""A report of a login as the journal keeps it, and back: what was found is told again, never asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from probe import catalogue
from probe.facts import Transcript
from probe.rules import Cause, Confidence, Finding, Outcome, Report, Verdict

__all__ = ["kept", "told_again"]


def kept(report: Report) -> dict[str, Any]:
    """A report of a login in plain JSON."""
    return {
        "subject": report.subject,
        "outcome": str(report.outcome) if report.outcome is not None else None,
        "facts": dict(report.facts),
        "evaluations": dict(report.evaluations),
        "transcript": str(report.transcript) if report.transcript is not None else None,
        "timings": {step: round(seconds, 4) for step, seconds in report.timings.items()},
        "findings": [
            {
                "id": finding.rule.id,
                "verdict": str(finding.rule.verdict),
                "cause": finding.rule.cause.value,
                "evidence": dict(finding.evidence),
                "detail": finding.detail,
                "fix": finding.fix,
                "confidence": str(finding.confidence),
                "matched": finding.matched,
                "alternates": list(finding.alternates),
            }
            for finding in report.findings
        ],
    }


def told_again(found: Mapping[str, Any]) -> Report | None:
    """The report that was kept; None where it is none, or speaks of rules that are gone."""
    try:
        outcome, words = found["outcome"], found["transcript"]
        return Report(
            kind="creds",
            subject=str(found["subject"]),
            findings=tuple(map(_finding, found["findings"])),
            outcome=Outcome(outcome) if outcome is not None else None,
            facts=dict(found["facts"]),
            evaluations=dict(found["evaluations"]),
            transcript=Transcript.parse(words) if words is not None else None,
            timings={str(step): float(seconds) for step, seconds in found["timings"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _finding(told: Mapping[str, Any]) -> Finding:
    rule = catalogue.rule(told["id"])
    return Finding(
        rule=replace(rule, verdict=Verdict(told["verdict"]), cause=Cause(told["cause"])),
        evidence=dict(told["evidence"]),
        detail=told["detail"],
        fix=told["fix"],
        confidence=Confidence(told["confidence"]),
        matched=told["matched"],
        alternates=tuple(told["alternates"]),
    )
