"""Which claim a reply makes, of all that can be checked: the table, in the order it is looked through."""

from __future__ import annotations

from probe.judge import _joined_authentication, _joined_origin, _joined_receiver
from probe.judge.joined import Case, Claim, settled

__all__ = ["CLAIMS", "claim_of"]

CLAIMS: tuple[Claim, ...] = (
    *_joined_receiver.CLAIMS,
    *_joined_origin.CLAIMS,
    *_joined_authentication.CLAIMS,
)


def claim_of(case: Case) -> Claim | None:
    """The claim that a reply makes; None where nothing it says can be checked."""
    return settled(case, CLAIMS)
