"""Where an error of our own came from, for the reports that tell of it."""

from __future__ import annotations

import traceback
from pathlib import PurePath

__all__ = ["raised_at"]


def raised_at(problem: Exception) -> str:
    """The file and line that raised what was caught: ``spf.py:230``."""
    *_, (frame, line) = traceback.walk_tb(problem.__traceback__)
    return f"{PurePath(frame.f_code.co_filename).name}:{line}"
