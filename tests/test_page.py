"""The page in a real browser: it draws, folds, filters and prints, asks for nothing, and runs nothing."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path

import pytest

from probe import render
from probe.render import Style
from probe.rules import Report, Verdict

from .render_world import fleet
from .test_render import HOSTILE, hostile_run

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here (Debian: apt-get install chromium)")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)


def page(path: Path, reports: list[Report]) -> Path:
    path.write_text("".join(render.find("html").render(reports, Style())), encoding="utf-8")
    return path


def browse(file: Path, profile: Path, *flags: str, fragment: str = "") -> tuple[str, str]:
    """What the browser prints, and what it complains of."""
    ran = subprocess.run(
        [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", *flags, f"{file.as_uri()}{fragment}"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return ran.stdout.decode(), ran.stderr.decode()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page(tmp_path_factory.mktemp("page") / "report.html", fleet(500))


def pixels(file: Path) -> tuple[int, int, Counter[tuple[int, int, int]]]:
    """Width, height and how often each colour occurs in a PNG of eight bits a channel (ISO 15948)."""
    data = file.read_bytes()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    packed, place = b"", 8
    while place < len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        if name == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += 12 + length
    raw, stride = zlib.decompress(packed), width * size
    colours: Counter[tuple[int, int, int]] = Counter()
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        line = unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, size)
        colours.update(zip(line[0::size], line[1::size], line[2::size], strict=True))
        above = line
    return width, height, colours


def unfiltered(how: int, line: bytearray, above: bytearray, size: int) -> bytearray:
    for index in range(len(line)) if how else ():
        left = line[index - size] if index >= size else 0
        corner = above[index - size] if index >= size else 0
        up = above[index]
        near = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(near - value))
        line[index] = line[index] + (0, left, up, (left + up) // 2, paeth)[how] & 255
    return line


def test_five_hundred_inboxes_are_drawn(large: Path, tmp_path: Path) -> None:
    shot = tmp_path / "page.png"
    _, complaints = browse(large, tmp_path / "profile", f"--screenshot={shot}", "--window-size=640,420")
    width, height, colours = pixels(shot)
    assert (width, height) == (640, 420)
    # The squares and the bar in the colours of the verdicts, on white.
    assert colours[255, 255, 255] > 100_000
    assert colours[0x1E, 0x7B, 0x34] > 5_000
    assert colours[0xC0, 0x26, 0x1C] > 1_500
    assert "Refused to" not in complaints
    assert "CONSOLE" not in complaints


def test_in_the_dark_it_is_dark(large: Path, tmp_path: Path) -> None:
    shot = tmp_path / "page.png"
    dark = "--blink-settings=preferredColorScheme=0"
    browse(large, tmp_path / "profile", f"--screenshot={shot}", "--window-size=400,240", dark)
    colours = pixels(shot)[2]
    assert colours[0x11, 0x15, 0x1A] > 40_000
    assert not colours[255, 255, 255]


def test_every_inbox_is_there_folded_but_the_one_a_square_leads_to(large: Path, tmp_path: Path) -> None:
    seen, _ = browse(large, tmp_path / "profile", "--dump-dom", fragment="#s8")
    assert len(re.findall('<details class="one ', seen)) == 540
    assert len(re.findall('<details class="transcript">', seen)) == 500
    assert len(re.findall('<a href="#s[0-9]+" tabindex="-1" aria-hidden="true"><rect', seen)) == 500
    anchors = set(re.findall(r'href="#(\w+)"', seen))
    assert anchors <= set(re.findall(r'id="(\w+)"', seen))
    unfolded = re.findall(r'<details class="[^"]*" open="">.*?<bdi class="who">(.*?)</bdi>', seen, re.DOTALL)
    assert unfolded == ["sales7@brand7.example"]


def test_it_prints(large: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "page.pdf"
    browse(large, tmp_path / "profile", f"--print-to-pdf={sheet}", "--no-pdf-header-footer")
    assert sheet.read_bytes()[:5] == b"%PDF-"
    pages = len(re.findall(rb"/Type\s*/Page\b", sheet.read_bytes()))
    assert 5 <= pages <= 40  # summary, causes, a line an inbox; no transcripts


def test_it_asks_nobody_for_anything_and_runs_nothing(tmp_path: Path) -> None:
    file = page(tmp_path / "report.html", [one for text in HOSTILE for one in hostile_run(text)])
    log = tmp_path / "net.json"
    seen, complaints = browse(file, tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    assert not re.search(r"<(script|img|iframe|object|embed|link|form|i)\b", seen)
    assert "CONSOLE" not in complaints
    asked = json.loads(log.read_text(encoding="utf-8"))
    urls = {event["params"]["url"] for event in asked["events"] if "url" in event.get("params", {})}
    assert not [url for url in urls if "evil" in url]


def test_the_policy_would_stop_what_escaping_missed(tmp_path: Path) -> None:
    """A script and a style put into the page by force: the browser refuses both, and keeps our own style."""
    file = page(tmp_path / "report.html", fleet(10))
    text = file.read_text(encoding="utf-8")
    forced = '<p id="x" style="color: red" onclick="1"></p><script>document.title = "owned"</script>'
    file.write_text(text.replace("<main>", f"<main>{forced}<img src='https://evil.example/x.png'>"), "utf-8")
    seen, complaints = browse(file, tmp_path / "profile", "--dump-dom")
    assert "<title>owned" not in seen
    assert complaints.count("violates the following Content Security Policy directive") >= 3


def test_the_verdict_comes_first(large: Path) -> None:
    text = large.read_text(encoding="utf-8")
    assert "<title>500 inboxes of inboxes.csv: no go</title>" in text
    assert f'<span class="badge big {Verdict.FAIL}">no go</span>' in text
