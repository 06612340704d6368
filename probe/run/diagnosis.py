"""Joins a report with evidence: what its reply says, beside what DNS and the session show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from probe import catalogue
from probe.facts import Records
from probe.grammar.pasted import LIMIT, read
from probe.judge.diagnosis import claim_of
from probe.judge.joined import Case, Conclusion, Status
from probe.rules import Finding, Report
from probe.run.evidence import gather
from probe.wire.network import Network

__all__ = ["Around", "joined"]

_MOST_QUESTIONS = 140  # as many as an audit of one domain without a selector


@dataclass(frozen=True, slots=True)
class Around:
    """What is known around a reply beside the report; what is empty is not known."""

    address: str = ""
    mail_from: str = ""
    helo: str = ""
    selectors: tuple[str, ...] = ()
    recipient: str = ""
    server: str = ""


async def joined(report: Report, around: Around, network: Network, *, always: bool = False) -> Report:
    """The report with ``evaluations["diagnosis"]`` and a finding, where its reply says what can be checked.

    With `always` an answer that could not be had is a finding too.
    """
    finding = next((one for one in report.findings if one.evidence.get("reply")), None)
    if finding is None:
        return report
    told, case = finding.evidence, _case(finding, report, around)
    if (claim := claim_of(case)) is None:
        return report
    seen = report.records or Records()
    if not claim.local:
        seen = await gather(
            lambda seen: claim.ask(case, seen), network, seen, most=_MOST_QUESTIONS + len(seen)
        )
    found = claim.judge(case, seen)
    reply = {key: value for key, value in told.items() if key in {"stage", "reply"}}
    evaluations = {**report.evaluations, "diagnosis": {"about": claim.name, **found.told(reply)}}
    findings = report.findings
    if always or not (claim.local or found.status is Status.UNCONFIRMED):
        findings = (*findings, _finding(found, reply))
    records = report.records if claim.local else seen
    return replace(report, findings=findings, evaluations=evaluations, records=records)


def _case(finding: Finding, report: Report, around: Around) -> Case:
    """The reply that a finding of a report stands on, and all that is known around it."""
    told = finding.evidence
    heard = read(told["reply"])
    session = report.transcript
    return Case(
        reply=told["reply"][:LIMIT],
        code=heard.code,
        enhanced=heard.enhanced,
        cause=finding.rule.cause,
        stage=told.get("stage", ""),
        address=around.address or told.get("source_ip") or (session.local if session is not None else ""),
        mail_from=around.mail_from or told.get("sender", ""),
        helo=around.helo,
        selectors=around.selectors,
        recipient=around.recipient or told.get("recipient", ""),
        server=around.server or (session.server if session is not None else _remote(told)),
        peer=session.peer.rpartition(":")[0].strip("[]") if session is not None else "",
        session=session,
    )


def _remote(told: Mapping[str, str]) -> str:
    """The server that said it, as a mail or a log names it: ``mx.example.org[192.0.2.1]:25``."""
    named = told.get("mx") or told.get("remote_mta", "")
    return named.partition("[")[0].strip() or named


def _finding(found: Conclusion, reply: Mapping[str, str]) -> Finding:
    fact = next((dict(one) for one in found.evidence), {})
    evidence = {
        key: value for key, value in fact.items() if key in {"question", "status", "server", "record"}
    }
    detail = f"{found.claim}: {found.because}"
    return Finding(
        catalogue.rule(f"diagnosis/{found.status}"), evidence or {"stage": reply.get("stage", "")}, detail
    )
