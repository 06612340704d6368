"""Which claim a reply makes, of all that can be checked: the table, in the order it is looked through."""

from __future__ import annotations

from probe.judge import _joined_receiver, _joined_sender
from probe.judge.joined import Case, Claim, settled

__all__ = ["CLAIMS", "claim_of"]

CLAIMS: tuple[Claim, ...] = (*_joined_receiver.CLAIMS, *_joined_sender.CLAIMS)


def claim_of(case: Case) -> Claim | None:
    """The claim that a reply makes; None where nothing it says can be checked."""
    return settled(case, CLAIMS)
