"""`python -m tests.bench [--quick] [--only SECTION] [--json FILE] [--svg FILE]`

Starts its own servers on loopback, runs this project and every peer that is installed in turn, and prints
what each section measured and which goals are reached. Peers that are missing are left out: swaks, curl,
posttls-finger and node on the PATH; nodemailer below ``--folder``/node_modules (`npm install nodemailer`);
checkdmarc and dnspython in a virtual environment ``--folder``/peers.
"""

from __future__ import annotations

import argparse
import json
import platform
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from tests.bench import audits, picture, replies, scale, smtp, start
from tests.bench.measure import Line, table
from tests.bench.sink import Sink

Section = tuple[str, str, list[Line]]
SECTIONS = ("trips", "manners", "effort", "memory", "crowd", "scale", "start", "explain", "dns")


def sections(
    asked: argparse.Namespace, folder: Path
) -> Iterable[tuple[str, Callable[[], Iterable[Section]]]]:
    """Each section by name, ready to be run."""
    quick, peers = asked.quick, Path(asked.folder)
    with Sink.start(folder) as sink:
        bench = smtp.Bench(sink, peers, repeats=3 if quick else 7, probes=250 if quick else 2000)
        yield "trips", lambda: [bench.round_trips()]
        yield "manners", lambda: [bench.manners()]
        yield "effort", bench.effort
        yield "memory", lambda: [bench.memory()]
        yield "crowd", lambda: [bench.crowd()]
        yield "scale", lambda: [scale.scale(sink, 1500 if quick else 10_000)]
    yield "start", lambda: [start.start_up(folder, 5 if quick else 15)]
    yield "explain", lambda: [replies.explained(60_000 if quick else 300_000)]
    yield "dns", lambda: audits.audited(peers, repeats=2 if quick else 5, domains=500 if quick else 2000)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.split("\n\n")[1])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and probes: under two minutes")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="a section; repeatable")
    parser.add_argument("--json", metavar="FILE", help="write the goals and what was reached")
    parser.add_argument("--svg", metavar="FILE", help="draw the goals")
    parser.add_argument(
        "--folder", default=str(Path.home() / ".cache" / "probe-bench"), help="where peers are"
    )
    asked = parser.parse_args()
    began, lines = time.perf_counter(), []
    host = f"{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION}"
    print(f"# {host}, {platform.machine()}\n")
    with tempfile.TemporaryDirectory(prefix="probe-bench-") as folder:
        for name, run in sections(asked, Path(folder)):
            if asked.only and name not in asked.only:
                continue
            since = time.perf_counter()
            for title, shown, goals in run():
                print(f"## {title} (min/median/max)\n\n{shown}\n", flush=True)
                lines += goals
            print(f"{name}: {time.perf_counter() - since:.0f} s", file=sys.stderr)
    print(
        "## Goals\n\n"
        + table(("what", "against", "reached", "must", "goal", ""), (line.row() for line in lines))
    )
    print(f"\n{time.perf_counter() - began:.0f} s", file=sys.stderr)
    if asked.json:
        told = [{**asdict(line), "verdict": line.verdict} for line in lines]
        Path(asked.json).write_text(json.dumps({"host": host, "goals": told}, indent=2) + "\n")
    if asked.svg:
        Path(asked.svg).write_text(picture.draw(lines))


if __name__ == "__main__":
    main()
