"""Logins that a server refused, remembered from run to run: a wrong password is not tried again at once.

What is kept is a keyed hash, useless without the key that lies beside it, and readable by its owner alone.
After the first refusal a login rests for 15 minutes, after the second for an hour, then for a day.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from probe.facts import Secret

__all__ = ["Refusal", "Refused"]

REST = (15 * 60.0, 3600.0, 24 * 3600.0)  # seconds, by how often it was refused
_FORGOTTEN = 2 * REST[-1]
_MOST = 200_000  # lines that are read
_MANY_OLD = 1000  # lines that are forgotten before the file is written anew
_KEY = 32


@dataclass(frozen=True, slots=True)
class Refusal:
    """A login that was refused: when it last was (seconds since the epoch), how often, by which rule."""

    at: float
    times: int
    rule: str

    @property
    def until(self) -> float:
        """When it may be tried again."""
        return self.at + REST[min(self.times, len(REST)) - 1]


class Refused:
    """The memory in a folder; without one it lasts as long as the process. `now` is the wall clock."""

    def __init__(self, folder: Path | None = None, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._file = folder / "refused.jsonl" if folder is not None else None
        self._key = _key(folder) if folder is not None else secrets.token_bytes(_KEY)
        self._known: dict[str, Refusal] = {}
        self._at: defaultdict[str, list[float]] = defaultdict(list)
        if self._file is not None:
            self._read(self._file)

    def resting(self, user: str, host: str, secret: Secret) -> Refusal | None:
        """The refusal because of which this login should not be tried now; None where it may be."""
        known = self._known.get(self._name(user, host, secret))
        return known if known is not None and self._now() < known.until else None

    def recent(self, lane: str, window: float) -> list[float]:
        """How many seconds ago logins failed there, within a window in seconds."""
        now = self._now()
        return [now - at for at in self._at.get(lane, ()) if 0 <= now - at < window]

    def add(self, user: str, host: str, secret: Secret, rule: str, *, lane: str = "") -> None:
        """Remembers that this login was refused just now. OSError where it cannot be written down.

        `lane` is the name under which refusals of one machine are counted (empty: the host).
        """
        name, now = self._name(user, host, secret), self._now()
        known = self._known.get(name)
        refusal = Refusal(now, known.times + 1 if known else 1, rule)
        self._known[name] = refusal
        self._write({"login": name, "times": refusal.times, "rule": rule}, lane or host, now)

    def count(self, lane: str) -> None:
        """Counts a login that failed without being judged wrong."""
        self._write({}, lane, self._now())

    def _write(self, told: dict[str, object], lane: str, now: float) -> None:
        self._at[lane].append(now)
        if self._file is not None:
            _append(self._file, json.dumps({**told, "lane": lane, "at": now}).encode() + b"\n")

    def _name(self, user: str, host: str, secret: Secret) -> str:
        told = f"{user.lower()}\0{host.lower()}\0{secret.reveal()}"
        return hmac.new(self._key, told.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def _read(self, file: Path) -> None:
        try:
            lines = file.read_bytes().splitlines()[-_MOST:]
        except OSError:
            return
        oldest, latest, fresh = self._now() - _FORGOTTEN, self._now() + _FORGOTTEN, []
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                told = json.loads(line)
                at = float(told["at"])
                if not oldest <= at <= latest:  # long ago, or by a clock that was wrong then
                    continue
                fresh.append(line)
                self._at[str(told["lane"])].append(at)
                if "login" in told:
                    self._known[str(told["login"])] = Refusal(at, int(told["times"]), str(told["rule"]))
        if len(lines) - len(fresh) > _MANY_OLD:
            _shrink(file, fresh)


def _shrink(file: Path, lines: Iterable[bytes]) -> None:
    """What is forgotten leaves the file too; where that fails, it stays a little longer."""
    with contextlib.suppress(OSError):
        made = _beside(file, b"".join(line + b"\n" for line in lines))
        made.replace(file)


def _beside(file: Path, data: bytes) -> Path:
    """A new file beside this one, readable by its owner alone."""
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as made:
        made.write(data)
    return Path(made.name)


def _key(folder: Path) -> bytes:
    """The key of this machine, made when it is first needed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "key"
    if not file.exists():
        made = _beside(file, secrets.token_bytes(_KEY))
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(made)  # whole, or another process was first
        made.unlink()
    key = file.read_bytes()
    if len(key) != _KEY:
        raise OSError(0, "the key of remembered logins is damaged", str(file))
    return key


def _append(file: Path, line: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)
