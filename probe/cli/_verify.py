"""`probe explain --verify`: each reply beside what DNS says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.cli._messages import refuse, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from probe.rules import Report
    from probe.run.diagnosis import Around
    from probe.wire.network import Network

__all__ = ["verified"]

_MOST = 50  # replies of one run that are looked into: a log holds the same few over and over


def verified(
    reports: Iterator[Report], told: Mapping[str, str], selectors: Sequence[str], resolver: Sequence[str]
) -> Iterator[Report]:
    """The reports with their diagnosis; words that cannot be used are refused before anything is asked."""
    from probe.cli._network import address_of, limits_of, network_of
    from probe.run.diagnosis import Around
    from probe.run.told import sender

    if told["recipient"]:
        address_of("--rcpt-to", told["recipient"])
    try:
        known = sender(
            selectors=selectors,
            addresses=[told["address"]] if told["address"] else [],
            helo=told["helo"],
            mail_from=told["mail_from"],
        )
    except ValueError as problem:
        refuse(str(problem))
    around = Around(
        address=next(iter(known.sending_ips), ""),
        mail_from=known.mail_from,
        helo=known.helo,
        selectors=known.selectors,
        recipient=told["recipient"],
        server=told["server"],
    )
    network = network_of(limits_of(None, 180), resolver=resolver)
    return _joined(reports, around, network)


def _joined(reports: Iterator[Report], around: Around, network: Network) -> Iterator[Report]:
    import asyncio

    from probe.run.diagnosis import joined

    looked = 0
    with asyncio.Runner() as runner:
        try:
            for report in reports:
                if looked == _MOST:
                    say(f"probe: the first {_MOST} replies are checked, the others only explained")
                looked += 1
                if looked > _MOST:
                    yield report
                else:
                    yield runner.run(joined(report, around, network, always=True))
        finally:
            runner.run(network.__aexit__(None, None, None))
