"""Some inboxes one after the other: a list has a journal and lanes, a handful needs the brake alone."""

from __future__ import annotations

from collections import Counter

from probe import catalogue
from probe.facts import Inbox
from probe.rules import Finding, Outcome, Report
from probe.run._lanes import refusals
from probe.run._logins import Options, machine_of
from probe.run._signs import Sign, sign_of
from probe.run.creds import check_creds
from probe.run.discovery import submission_server
from probe.wire.network import Network

__all__ = ["Several", "refusals"]

_FIX = "Correct the logins that were refused, wait ten minutes, and run again."


class Several:
    """Inboxes that are probed one by one. A machine that refused `brake` logins is left alone.

    `braked` are those at which inboxes were left out, with how many logins they refused.
    """

    def __init__(self, network: Network, brake: int = Options().brake) -> None:
        self.network = network
        self.brake = brake
        self.braked: dict[str, int] = {}
        self._refused: Counter[str] = Counter()

    async def check(self, inbox: Inbox) -> Report:
        """The report on the next inbox; nothing is sent where the brake holds."""
        name = await machine_of(await submission_server(inbox, self.network), self.network)
        if self._refused[name] >= self.brake:
            self.braked[name] = self._refused[name]
            detail = f"{name}: {refusals(self._refused[name])}"
            left = Finding(catalogue.rule("preflight/host-braked"), {"host": name}, detail, _FIX)
            return Report("creds", inbox.address, (left,), Outcome.NOT_PROVEN)
        report = await check_creds(inbox, self.network)
        self._refused[name] += sign_of(report) is Sign.REFUSED
        return report
