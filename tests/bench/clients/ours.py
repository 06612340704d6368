"""This project: `check_creds`, with its transcript, its judgement and, as `jsonl`, its report written out.

Variants: none, a report and no more; `jsonl`, the report as a line of JSON too; `resume`, TLS resumed.
"""

from __future__ import annotations

import asyncio
import gc

from probe import Inbox, Limits, Network, Outcome, Secret, TlsMode, check_creds
from probe.cli import COLLECT_AFTER
from probe.render import Style, find
from tests.bench.clients._job import concurrently, job, tell


async def main() -> None:
    told = job()
    inbox = Inbox(told.user, Secret(told.password), host=told.host, port=told.port, tls=TlsMode(told.mode))
    style, write = Style(), find("jsonl").render
    async with Network(
        ca_file=told.ca_file,
        allow_plaintext=True,
        limits=Limits(deadline=600),
        resume=told.variant == "resume",
    ) as network:

        async def probe() -> float:
            report = await check_creds(inbox, network)
            assert report.outcome in {Outcome.USABLE, Outcome.BAD_CREDS}, report
            if told.variant == "jsonl":
                "".join(write([report], style))
            assert report.transcript is not None
            return max(turn.at + turn.took for turn in report.transcript)

        tell(await concurrently(told, probe))


gc.set_threshold(COLLECT_AFTER)  # as the command does
asyncio.run(main())
