"""The shape of the house: who may import whom, what starts fast, what every file must have."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROBE = ROOT / "probe"

# room -> (rooms it may import, distributions it may name; of the standard library see WINDOWED)
TABLE: dict[str, tuple[set[str], set[str]]] = {
    "facts": (set(), set()),
    "grammar": ({"facts"}, {"idna"}),
    "rules": ({"facts"}, set()),
    "catalogue": ({"facts", "rules"}, set()),
    "checks": ({"facts", "grammar", "rules"}, {"cryptography", "publicsuffixlist"}),
    "plans": ({"facts", "grammar"}, set()),
    "judge": ({"facts", "grammar", "rules", "catalogue", "checks"}, set()),
    "fleet": ({"facts", "rules", "catalogue", "checks"}, set()),
    "wire": ({"facts", "grammar"}, {"dns", "aiosmtplib", "cryptography", "httpx2"}),
    "run": (
        {"facts", "grammar", "rules", "catalogue", "checks", "plans", "judge", "fleet", "wire"},
        set(),
    ),
    "render": ({"facts", "rules"}, {"rich", "jinja2"}),
    "fakes": (set(), {"aiosmtpd", "dns", "cryptography"}),
    "play": ({"facts", "rules", "run", "fakes", "wire", "checks"}, set()),
    "cli": (
        {
            "run",
            "render",
            "rules",
            "facts",
            "grammar",
            "fakes",
            "play",
            "catalogue",
            "checks",
            "wire",
            "fleet",
        },
        {"typer", "rich", "keyring", "platformdirs"},
    ),
    "__init__": ({"facts", "rules", "run", "wire", "checks", "catalogue"}, set()),
    "__main__": ({"cli"}, set()),
}
# Doors to the outside that only some rooms may use, though they are of the standard library.
WINDOWS = {"asyncio", "socket", "ssl", "subprocess", "urllib.request", "http", "smtplib", "select"}
WINDOWED = {
    "wire": {"asyncio", "socket", "ssl"},
    "fakes": {"asyncio", "socket", "ssl"},
    "run": {"asyncio"},
    "cli": {"asyncio", "ssl", "subprocess"},
}


def room_of(path: Path) -> str:
    return path.relative_to(PROBE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "probe":
                yield from ((f"probe.{name.name}", node.lineno) for name in node.names)
            else:
                yield node.module, node.lineno


FILES = sorted(PROBE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROBE)))
def test_a_file_imports_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    rooms, outside = TABLE[room]
    wrong = []
    for name, line in imports(path):
        first, _, rest = name.partition(".")
        if first == "probe":
            other = rest.partition(".")[0]
            if other and other != room and other not in rooms and other != "__version__":
                wrong.append(f"line {line}: {room} imports {name}")
        elif first in sys.stdlib_module_names:
            windows = {window for window in WINDOWS if name == window or name.startswith(f"{window}.")}
            if windows - WINDOWED.get(room, set()):
                wrong.append(f"line {line}: {room} opens the window {name}")
        elif first not in outside:
            wrong.append(f"line {line}: {room} names {name}")
    assert not wrong, wrong


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)) or not text


HEAVY = (
    "asyncio",
    "ssl",
    "dns",
    "cryptography",
    "aiosmtplib",
    "aiosmtpd",
    "httpx2",
    "jinja2",
    "rich.console",
    "email.parser",
    "http.client",
    "concurrent.futures",
    "multiprocessing",
    "probe.wire",
    "probe.checks",
    "probe.plans",
    "probe.judge",
    "probe.fakes",
)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["explain", "550 5.1.1 user unknown"], ["schema"], ["--version"]],
    ids=" ".join,
)
def test_a_light_command_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from probe.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.stderr.write('heavy: ' + ' '.join(heavy))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.stderr.endswith("heavy: "), ran.stderr


@pytest.mark.parametrize("imported", ["probe.cli", "typer", "probe.run.explain"])
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_who_ends_the_program_while_it_is_imported_sees_no_traceback(
    imported: str, number: str, code: int
) -> None:
    program = (
        "import os, signal, sys\n"
        "class Ending:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == '{imported}': os.kill(os.getpid(), signal.{number})\n"
        "sys.meta_path.insert(0, Ending())\n"
        "import runpy; runpy.run_module('probe', run_name='__main__', alter_sys=True)\n"
    )
    words = [sys.executable, "-c", program, "explain", "550 no"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    said = {130: "probe: interrupted\n", 143: "probe: terminated\n"}
    assert (ran.returncode, ran.stdout, ran.stderr) == (code, "", said[code])


def test_every_name_of_the_public_api_is_there() -> None:
    import probe

    assert all(hasattr(probe, name) for name in probe.__all__)
