"""The README shows what the program does: its sample is the program's own output."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from probe.cli import app

README = Path(__file__).parents[1] / "README.md"
# What another run measures anew: ports, times, and the day until which a fake's certificate holds.
MEASURED = re.compile(r"127\.0\.0\.1:\d+|\s+\d+ ms$|until \d{4}-\d\d-\d\d", re.MULTILINE)


def shown(text: str) -> list[str]:
    return [line.rstrip() for line in MEASURED.sub("", text).splitlines()]


def test_the_sample_is_what_the_demo_prints() -> None:
    sample = re.search(r"<!-- shown -->\n```\n(.*?)```\n<!-- end -->", README.read_text("utf-8"), re.DOTALL)
    assert sample is not None
    told = "\n".join(shown(CliRunner().invoke(app, ["demo"]).stdout))
    assert "\n".join(shown(sample[1])) in told
