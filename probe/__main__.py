"""`python -m probe`, and the console script."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the program; who ends it, even while it is being imported, sees a sentence and no traceback."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        from probe.cli import main as run  # noqa: PLC0415  # the first import, and the longest

        run()
    except KeyboardInterrupt:
        _end("interrupted", 130)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    _end("terminated", 143)


def _end(message: str, code: int) -> NoReturn:
    if sys.stderr is not None:  # a process may be started without one
        sys.stderr.write(f"probe: {message}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
