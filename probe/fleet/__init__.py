"""Many replies -> what they show together: `Fleet` counts them, `patterns` concludes. Pure."""

from __future__ import annotations

from probe.fleet.counts import Bad, Fleet
from probe.fleet.patterns import patterns
from probe.fleet.thresholds import PRESETS, Thresholds, wilson

__all__ = ["PRESETS", "Bad", "Fleet", "Thresholds", "patterns", "wilson"]
