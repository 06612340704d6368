"""The public API as a program uses it: mypy reads this file, and a test runs it."""

from __future__ import annotations

from probe import Finding, Inbox, Limits, Network, Outcome, Report, Secret, TlsMode, Verdict, check_creds


async def may_launch(address: str, password: str, port: int) -> bool:
    """Whether an inbox may go into rotation."""
    inbox = Inbox(address, Secret(password), host="127.0.0.1", port=port, tls=TlsMode.STARTTLS)
    async with Network(limits=Limits(connect=1, deadline=5), helo="me.example.com") as network:
        report: Report = await check_creds(inbox, network)
    worst: Verdict = report.verdict
    findings: tuple[Finding, ...] = report.findings
    assert findings or worst is Verdict.OK
    return report.outcome is Outcome.USABLE
