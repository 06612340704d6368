"""Some inboxes one after the other: a list has a journal and lanes, a handful needs the brake alone."""

from __future__ import annotations

from collections import defaultdict

from probe import catalogue
from probe.facts import Inbox
from probe.rules import Finding, Outcome, Report
from probe.run._logins import Options, machine_of
from probe.run._signs import Sign, failures, sign_of
from probe.run.creds import check_creds
from probe.run.discovery import submission_server
from probe.wire.network import Network

__all__ = ["Several"]

_FIX = "Mend what the reports on the logins that failed say, wait ten minutes, and run again."


class Several:
    """Inboxes that are probed one by one. A machine where `brake` logins failed is left alone.

    `braked` are those at which inboxes were left out, with what became of the logins before.
    """

    def __init__(self, network: Network, brake: int = Options().brake) -> None:
        self.network = network
        self.brake = brake
        self.braked: dict[str, str] = {}
        self._failed: defaultdict[str, list[Sign]] = defaultdict(list)

    async def check(self, inbox: Inbox) -> Report:
        """The report on the next inbox; nothing is sent where the brake holds."""
        name = await machine_of(await submission_server(inbox, self.network), self.network)
        if len(self._failed[name]) >= self.brake:
            self.braked[name] = failures(self._failed[name])
            detail = f"{name}: {self.braked[name]}"
            left = Finding(catalogue.rule("preflight/host-braked"), {"host": name}, detail, _FIX)
            return Report("creds", inbox.address, (left,), Outcome.NOT_PROVEN)
        report = await check_creds(inbox, self.network)
        sign = sign_of(report)
        if failures([sign]):
            self._failed[name].append(sign)
        return report
