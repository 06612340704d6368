"""What all tests share: ../shared, where there is one, and the command run in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import Run, ran


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data beside the project; the test is skipped where it is missing."""
    path = Path(__file__).parents[2] / "shared"
    if not path.is_dir():
        pytest.skip("../shared is not there")
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command: its exit code, stdout and stderr."""

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        code = ran(*arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return command
