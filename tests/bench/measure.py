"""Measuring in turn: clients are run A B A B, and what is compared was measured in the same round."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.bench.clients._job import Job, Result

__all__ = [
    "CLIENTS",
    "Client",
    "Line",
    "Spread",
    "as_installed",
    "installed",
    "median_ratio",
    "rounds",
    "run",
    "table",
]

ROOT = Path(__file__).parents[2]
CLIENT_DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Client:
    """Who is measured: a program in `clients/`, its variant, what it must find installed, what it costs.

    `share` is how many of a section's probes it does: the slow ones need fewer for the same certainty.
    """

    name: str
    program: str
    variant: str = ""
    needs: str = ""
    share: float = 1.0


CLIENTS = {
    client.name: client
    for client in (
        Client("probe", "ours"),
        Client("probe, as JSON lines", "ours", "jsonl"),
        Client("probe, TLS resumed", "ours", "resume"),
        Client("aiosmtplib, one context", "with_aiosmtplib"),
        Client("aiosmtplib, as documented", "with_aiosmtplib", "documented", share=0.05),
        Client("smtplib, threads", "with_smtplib"),
        Client("nodemailer, verify only", "with_nodemailer.js", needs="nodemailer"),
        Client("probe creds, a process", "with_programs", "probe", share=0.03),
        Client("swaks, a process", "with_programs", "swaks", needs="swaks", share=0.03),
        Client("curl, a process, no envelope", "with_programs", "curl", needs="curl", share=0.06),
        Client("posttls-finger, no login", "with_programs", "posttls-finger", "posttls-finger", 0.06),
    )
}


def installed(client: Client, folder: Path) -> bool:
    """Whether a peer can be run; `folder` is where ``node_modules`` may be."""
    if client.needs == "nodemailer":
        return shutil.which("node") is not None and (folder / "node_modules" / "nodemailer").is_dir()
    return not client.needs or shutil.which(client.needs) is not None


def as_installed(folder: Path) -> dict[str, str]:
    """An environment in which everybody has byte code, as what is installed has: it is kept in `folder`."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def run(client: Client, job: Job, folder: Path) -> Result:
    """One client's job, in a process of its own; RuntimeError where it fails."""
    told = json.dumps(asdict(replace(job, variant=client.variant)))
    environment = as_installed(folder)
    if client.program.endswith(".js"):
        words = ["node", str(Path(__file__).parent / "clients" / client.program), told]
        environment |= {"NODE_PATH": str(folder / "node_modules")}
    else:
        words = [sys.executable, "-m", f"tests.bench.clients.{client.program}", told]
    ran = subprocess.run(
        words,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=CLIENT_DEADLINE,
    )
    if ran.returncode:
        raise RuntimeError(f"{client.name}: {ran.stderr.strip()[-600:]}")
    return Result(**json.loads(ran.stdout.splitlines()[-1]))


@dataclass(slots=True)
class Spread:
    """What was measured in several rounds."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one; 0 of none."""
        return statistics.median(self.values) if self.values else 0.0

    def shown(self, digits: int = 0) -> str:
        """Least, middle, most."""
        if not self.values:
            return "-"
        low, high = min(self.values), max(self.values)
        return "/".join(f"{value:,.{digits}f}" for value in (low, self.median, high))


def median_ratio(ours: Spread, theirs: Spread) -> float:
    """The middle of the ratios round by round: what both suffered in one round cancels out."""
    ratios = [a / b for a, b in zip(ours.values, theirs.values, strict=False) if b]
    return statistics.median(ratios) if ratios else 0.0


def rounds(
    count: int, names: Sequence[str], once: Callable[[str], Mapping[str, float]]
) -> dict[str, dict[str, Spread]]:
    """Everybody once, then everybody again: what `once` measures of each, by quantity."""
    measured: dict[str, dict[str, Spread]] = {name: {} for name in names}
    for _ in range(count):
        for name in names:
            for quantity, value in once(name).items():
                measured[name].setdefault(quantity, Spread()).values.append(value)
    return measured


@dataclass(frozen=True, slots=True)
class Line:
    """One goal: what was reached, against what, and what must and should be."""

    what: str
    against: str
    reached: float
    must: float
    goal: float
    more_is_better: bool = False

    @property
    def verdict(self) -> str:
        """Words for a reader: goal, must, or missed."""
        for limit, word in ((self.goal, "goal"), (self.must, "must")):
            if self.reached >= limit if self.more_is_better else self.reached <= limit:
                return word
        return "MISSED"

    def row(self) -> tuple[str, ...]:
        """The cells of the table of goals."""
        sign = ">=" if self.more_is_better else "<="
        digits = 3 if self.reached < 1 else 2
        return (
            self.what,
            self.against,
            f"{self.reached:,.{digits}f}",
            f"{sign} {self.must:g}",
            f"{sign} {self.goal:g}",
            self.verdict,
        )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned."""
    cells = [list(head), *map(list, rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
