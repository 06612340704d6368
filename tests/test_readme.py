"""The README shows what the program does: its sample is the program's own output."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from probe.cli import app

README = Path(__file__).parents[1] / "README.md"
# What another run measures anew: ports, times, and the day until which a fake's certificate holds. Beside a
# time there is less room for the words of a step, so of a step only its beginning is the same every time.
MEASURED = re.compile(r"127\.0\.0\.1:\d+|\s+\d+ ms$|until \d{4}-\d\d-\d\d", re.MULTILINE)
STEP = re.compile(r"^  (?:ok|FAIL) {2,}\w+ .{0,50}")


def shown(text: str) -> list[str]:
    lines = [line.rstrip() for line in MEASURED.sub("", text).splitlines()]
    return [step[0] if (step := STEP.match(line)) else line for line in lines]


def test_the_sample_is_what_the_demo_prints() -> None:
    sample = re.search(r"<!-- shown -->\n```\n(.*?)```\n<!-- end -->", README.read_text("utf-8"), re.DOTALL)
    assert sample is not None
    told = "\n".join(shown(CliRunner().invoke(app, ["demo"]).stdout))
    assert "\n".join(shown(sample[1])) in told


def test_the_list_that_is_shown_can_be_run() -> None:
    told = re.search(r"```csv\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert told is not None
    ran = CliRunner().invoke(app, ["preflight", "-", "--dry-run"], input=told[1])
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "1 login to try" in ran.stdout
