"""The compiled table: what the catalogue loads in milliseconds instead of parsing its files anew.

It is kept like byte code, beside the files or in the user's cache, under a key made of every file's
name, size and time. A command needs a handful of its rows, so rows sleep as bytes until they are asked
for. `compiled` never raises at a user: a file that cannot be read is left out. What is wrong with one,
`_strict` tells.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

__all__ = ["Rows", "compiled"]

Key = TypeVar("Key")
Row = TypeVar("Row")


class Rows(dict[Key, Row], Generic[Key, Row]):
    """Rows of the table by name or number, each woken and made into what is wanted when it is asked for."""

    def __init__(self, asleep: Mapping[Key, bytes] | Sequence[bytes], make: Callable[[Any], Row]) -> None:
        super().__init__()
        self.asleep: Any = asleep
        self._make = make

    def __missing__(self, key: Key) -> Row:
        row = marshal.loads(self.asleep[key])  # noqa: S302  # our own byte code, as trusted as .pyc
        made = self[key] = self._make(row)
        return made

    def every(self) -> list[Row]:
        """All of them, in their order."""
        keys: Any = range(len(self.asleep)) if isinstance(self.asleep, list) else self.asleep
        return [self[key] for key in keys]


def compiled(folder: Path) -> Mapping[str, Any]:
    """The table of a folder of TOML files, from the kept form where that is current."""
    files = sorted(_seen(entry) for entry in os.scandir(folder) if entry.name.endswith(".toml"))
    made_by = [_seen(Path(__file__).with_name(f"{name}.py")) for name in ("_table", "_patterns")]
    key = [sys.version, made_by, files]
    for place in _places(folder):
        with contextlib.suppress(OSError, ValueError, EOFError, TypeError, LookupError):
            kept = marshal.loads(place.read_bytes())  # noqa: S302  # our own byte code, as trusted as .pyc
            if kept["key"] == key:
                return kept["table"]  # type: ignore[no-any-return]  # marshal knows no types
    from probe.catalogue import _table  # noqa: PLC0415  # only when the kept form is stale

    made = _table.table(_table.parsed(folder / name for name, *_ in files))
    _keep(folder, marshal.dumps({"key": key, "table": made}))
    return made


def _seen(file: os.DirEntry[str] | Path) -> tuple[str, int, int]:
    state = file.stat()
    return file.name, state.st_size, state.st_mtime_ns


def _places(folder: Path) -> Iterator[Path]:
    """Where the kept form may lie: with the byte code, else in the user's cache."""
    beside = Path(importlib.util.cache_from_source(str(folder / "catalogue.py")))
    if not sys.dont_write_bytecode:
        yield beside.with_suffix(".table")
    root = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    with contextlib.suppress(RuntimeError):  # nobody has a home here
        yield Path(root).expanduser() / "probe" / f"{beside.stem}.table"


def _keep(folder: Path, data: bytes) -> None:
    import tempfile  # noqa: PLC0415  # only when the kept form is stale

    for place in _places(folder):
        temporary = ""
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=place.parent, prefix=f".{place.name}.", delete=False
            ) as file:
                temporary = file.name
                file.write(data)
            Path(temporary).replace(place)  # readers see the old table or the new one, never half of it
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        else:
            return
