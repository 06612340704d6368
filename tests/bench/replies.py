"""`probe explain` as a section: milliseconds a reply, lines of a log a second."""

from __future__ import annotations

import io
import time

from probe.grammar import maillog
from probe.run.bounces import Pile
from probe.run.explain import explain_reply
from tests.bench.explain import REPLIES, log
from tests.bench.measure import Line, table

__all__ = ["explained"]


def explained(lines: int) -> tuple[str, str, list[Line]]:
    """One process, one core; replies that differ in their ids, and a log a tenth of which failed."""
    explain_reply("550 5.1.1 user unknown")
    texts = [reply.format(to=f"u{at}@x.example", id=at, n=at % 250) for at in range(200) for reply in REPLIES]
    began = time.process_time()
    for text in texts:
        explain_reply(text)
    each = 1000 * (time.process_time() - began) / len(texts)
    pile, stream = Pile("bench"), io.BytesIO(b"".join(log(lines, 0.1)))
    began = time.process_time()
    for logged in maillog.postfix(maillog.lines(stream)):
        pile.logged(logged)
    pile.report()
    rate = lines / (time.process_time() - began)
    shown = table(("explain", ""), (("ms a reply", f"{each:.3f}"), ("log lines/s", f"{rate:,.0f}")))
    goals = [
        Line("ms to explain a reply", "-", each, 0.2, 0.05),
        Line("log lines a second", "-", rate, 100_000, 300_000, more_is_better=True),
    ]
    return "Explain, one core", shown, goals
