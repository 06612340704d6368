"""When a pattern is one: how many, which share, and how sure a share is that few replies show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PRESETS", "Thresholds", "wilson"]

_Z = 1.96  # standard deviations that hold 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a pattern is one. Shares are fractions of 1; a window is 24 hours.

    `list_watch`, `list_act` and `list_pull` are shares of recipients that do not exist, of at least
    `list_minimum` recipients. `complaints_high` and `complaints_critical` are shares of what was accepted.

    One receiver: it refused at least `receiver_minimum` times in a window for one cause; that is at least
    `receiver_share` of its replies, surely (95 %) at least `receiver_wilson`; elsewhere the share is below
    `receiver_elsewhere`. A sender: one cause at `sender_receivers` receivers, `sender_large` of them large;
    the scope named has at least `sender_covers` of the replies. A tenant: `tenant_inboxes` inboxes in an
    hour. An address: the domain accepted at least `address_accepted` others. A spike: at least
    `spike_minimum` replies, and more than `spike_factor` times the usual share.
    """

    list_watch: float = 0.03
    list_act: float = 0.05
    list_pull: float = 0.07
    list_minimum: int = 100
    complaints_high: float = 0.001
    complaints_critical: float = 0.003
    receiver_minimum: int = 5
    receiver_share: float = 0.5
    receiver_wilson: float = 0.3
    receiver_elsewhere: float = 0.1
    sender_receivers: int = 3
    sender_large: int = 2
    sender_covers: float = 0.8
    tenant_inboxes: int = 3
    address_accepted: int = 2
    spike_factor: float = 3.0
    spike_minimum: int = 10


# What operators call too many bounces differs by a factor of three; each choice has its name.
PRESETS: Mapping[str, Thresholds] = {
    "strict": Thresholds(list_watch=0.01, list_act=0.02, list_pull=0.05),
    "usual": Thresholds(),
    "lenient": Thresholds(list_watch=0.05, list_act=0.07, list_pull=0.10),
}


def wilson(hits: int, of: int) -> float:
    """The lower bound of the Wilson interval: the least share that `hits` of `of` make believable (95 %)."""
    if of <= 0:
        return 0.0
    share = hits / of
    centre = share + _Z * _Z / (2 * of)
    spread = _Z * math.sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of))
    return max(0.0, (centre - spread) / (1 + _Z * _Z / of))
