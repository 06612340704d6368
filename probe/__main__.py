"""`python -m probe`, and the console script."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the program; who interrupts it while it is being imported sees no traceback."""
    try:
        from probe.cli import main as run  # noqa: PLC0415  # the first import, and the longest
    except KeyboardInterrupt:
        sys.stderr.write("probe: interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
