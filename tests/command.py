"""The command run in this process, for tests that read what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["Run", "ran"]

Run = Callable[..., tuple[int, str, str]]  # arguments in; exit code, stdout and stderr out


def ran(*arguments: str | Path) -> int:
    """Runs the command and returns its exit code."""
    from probe.cli import main  # most tests need no command

    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    code = ended.value.code or 0
    assert isinstance(code, int)
    return code
