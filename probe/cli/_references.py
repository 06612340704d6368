"""Secrets that a list names instead of holding: a variable, a file, a keyring entry, a command's output."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from probe.facts import Inbox, Secret
from probe.grammar.inboxes import reference

__all__ = ["revealer"]

_MOST = 64 * 1024  # bytes; tokens are long, passwords are not
_PATIENCE = 60  # seconds for a command


def revealer(*, allow_commands: bool) -> Callable[[Inbox], Secret]:
    """What turns an inbox's reference into its secret; ValueError says what is missing, quoting nothing."""

    def reveal(inbox: Inbox) -> Secret:
        kind, place = reference(inbox.secret.reveal())
        if kind == "cmd" and not allow_commands:
            raise ValueError("the row names a command (cmd:...); commands run only with --allow-commands")
        secret = _WAYS[kind](place, inbox)
        if not secret:
            raise ValueError(f"what the row names ({kind}:...) is empty")
        if any(char in "\r\n\0" for char in secret):
            raise ValueError(f"what the row names ({kind}:...) holds a line break or a NUL")
        return Secret(secret)

    return reveal


def _variable(name: str, _inbox: Inbox) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ValueError("the variable that the row names (env:...) is not set")
    return value


def _file(name: str, _inbox: Inbox) -> str:
    try:
        with Path(name).expanduser().open("rb") as file:
            return _text(file.read(_MOST + 1), "file")
    except (OSError, RuntimeError) as problem:
        reason = getattr(problem, "strerror", None) or "it cannot be found"
        raise ValueError(f"the file that the row names (file:...): {reason}") from None


def _keyring(service: str, inbox: Inbox) -> str:
    try:
        import keyring
    except ImportError:
        raise ValueError("the keyring needs an extra: pip install 'probe-smtp[keyring]'") from None
    try:
        return str(keyring.get_password(service, inbox.user or inbox.address) or "")
    except keyring.errors.KeyringError as problem:
        raise ValueError(f"the keyring failed: {type(problem).__name__}") from None


def _command(line: str, _inbox: Inbox) -> str:
    try:
        ran = subprocess.run(  # noqa: S603 - the operator's own command, allowed by name
            shlex.split(line), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PATIENCE
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as problem:
        raise ValueError(f"the row's command (cmd:...) failed: {type(problem).__name__}") from None
    if ran.returncode:
        raise ValueError(f"the row's command (cmd:...) ended with code {ran.returncode}")
    return _text(ran.stdout, "cmd")


def _text(data: bytes, kind: str) -> str:
    if len(data) > _MOST:
        raise ValueError(f"what the row names ({kind}:...) holds more than {_MOST} bytes")
    try:
        return data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"what the row names ({kind}:...) is not UTF-8") from None


_WAYS: Mapping[str, Callable[[str, Inbox], str]] = {
    "env": _variable,
    "file": _file,
    "keyring": _keyring,
    "cmd": _command,
}
