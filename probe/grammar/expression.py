"""Regular expressions that are compiled when they are first needed.

One reply needs few of those that are known, and compiling all of them takes longer than reading it.
"""

from __future__ import annotations

import functools
import re

__all__ = ["Expression"]


class Expression:
    """A regular expression; `compiled` makes it on first use."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern, self.flags = pattern, flags

    @functools.cached_property
    def compiled(self) -> re.Pattern[str]:
        """The expression, ready to be searched for."""
        return re.compile(self.pattern, self.flags)
