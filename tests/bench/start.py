"""Start-up: how long a command takes before it does anything, against the smallest typer application."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.measure import ROOT, Line, as_installed, median_ratio, rounds, table

__all__ = ["start_up"]

BARE = '''
import typer
app = typer.Typer()
@app.command()
def one(text: str) -> None:
    """The first command."""
    print(text)
@app.command()
def two(text: str) -> None:
    """The second command."""
    print(text)
app()
'''


def start_up(folder: Path, repeats: int) -> tuple[str, str, list[Line]]:
    """Seconds of wall clock of a whole process, everybody in turn."""
    (folder / "bare_typer.py").write_text(BARE)
    environment = as_installed(folder)
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(ROOT), str(folder), os.environ.get("PYTHONPATH")))
    )
    commands = {
        "python -c pass": ["-c", "pass"],
        "bare typer --help": ["-m", "bare_typer", "--help"],
        "bare typer one text": ["-m", "bare_typer", "one", "text"],
        "probe --help": ["-m", "probe", "--help"],
        "probe explain": ["-m", "probe", "explain", "550 5.1.1 User unknown"],
    }

    def once(name: str) -> Mapping[str, float]:
        began = time.perf_counter()
        words = [sys.executable, *commands[name]]
        subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=False)
        return {"ms": 1000 * (time.perf_counter() - began)}

    for name in commands:
        once(name)  # byte code and the compiled catalogue are made once
    measured = rounds(repeats, list(commands), once)
    helped = median_ratio(measured["probe --help"]["ms"], measured["bare typer --help"]["ms"])
    explained = median_ratio(measured["probe explain"]["ms"], measured["bare typer one text"]["ms"])
    lines = [
        Line("probe --help, wall", "bare typer --help", helped, 1.3, 1.0),
        Line("probe explain, wall", "bare typer command", explained, 1.7, 1.3),
    ]
    shown = table(("command", "ms"), ((name, own["ms"].shown()) for name, own in measured.items()))
    return "Start-up", shown, lines
