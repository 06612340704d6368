"""Where secrets are kept: a variable, a file, the output of a command, the system's keyring.

What goes wrong is a ValueError whose words follow the store's name (``is not set``) and quote nothing: who
asked knows what may be named.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

__all__ = ["LONGEST", "checked", "command", "file", "keyring", "text", "variable"]

LONGEST = 64 * 1024  # bytes; tokens are long, passwords are not
_PATIENCE = 60  # seconds for a command


def variable(name: str) -> str:
    """The value of an environment variable."""
    value = os.environ.get(name)
    if value is None:
        raise ValueError("is not set")
    try:
        value.encode()  # bytes that are not UTF-8 stand in it as halves of surrogate pairs
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8") from None
    return value


def file(name: str) -> str:
    """The text of a file, without the end of its last line."""
    try:
        with Path(name).expanduser().open("rb") as opened:
            return text(opened.read(LONGEST + 1))
    except OSError as problem:
        raise ValueError(f"cannot be read: {problem.strerror}") from None
    except RuntimeError:
        raise ValueError("cannot be found: nobody has such a home") from None


def command(line: str, *, quiet: bool) -> str:
    """What a command of the operator's prints; `quiet`: it may neither ask nor say anything else."""
    words = _words(line)
    closed = subprocess.DEVNULL if quiet else None
    try:
        ran = subprocess.run(  # noqa: S603 - the operator's own
            words, stdin=closed, stdout=subprocess.PIPE, stderr=closed, check=False, timeout=_PATIENCE
        )
    except OSError as problem:
        raise ValueError(f"cannot be run: {problem.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"was not done within {_PATIENCE} s") from None
    except ValueError:
        raise ValueError("holds a NUL, which no command can carry") from None
    if ran.returncode:
        raise ValueError(f"ended with code {ran.returncode}")
    return text(ran.stdout)


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError:
        raise ValueError("has a quote that is not closed, or ends in a lone backslash") from None
    if not words:
        raise ValueError("is empty")
    return words


def keyring(service: str, user: str) -> str:
    """The password that the system's keyring keeps of a user under a service."""
    try:
        import keyring as kept
    except ImportError:
        raise ValueError("needs an extra: pip install 'probe-smtp[keyring]'") from None
    try:
        secret = kept.get_password(service, user)
    except kept.errors.NoKeyringError:
        raise ValueError(
            "cannot be looked into: this machine has no keyring that can be used, as a desktop session has; "
            "keep the password in a file of your own, or print it by a command"
        ) from None
    except kept.errors.KeyringLocked:
        raise ValueError("is locked") from None
    except kept.errors.KeyringError as problem:
        raise ValueError(f"gave nothing ({type(problem).__name__})") from None
    return str(secret or "")


def text(data: bytes) -> str:
    """The bytes as text, without the end of the last line."""
    if len(data) > LONGEST:
        raise ValueError(f"holds more than {LONGEST} bytes; that is no password")
    try:
        return data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8; save it as UTF-8") from None


def checked(secret: str) -> str:
    """The secret, where a login can carry it."""
    if not secret:
        raise ValueError("holds no password")
    if any(char in "\r\n\0" for char in secret):
        raise ValueError("holds a line break or a NUL, which no login can carry")
    return secret
