"""Where a secret comes from: never from the command line, where ps and the shell's history would keep it."""

from __future__ import annotations

import getpass
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.cli._output import piped, refuse, say

__all__ = ["Asked", "secrets_for"]

_MOST = 64 * 1024  # characters; tokens are long, passwords are not


@dataclass(frozen=True, slots=True)
class Asked:
    """Which of the ways was chosen; at most one."""

    stdin: bool = False
    env: str = ""
    file: str = ""
    command: str = ""
    keyring: str = ""


def secrets_for(addresses: Sequence[str], asked: Asked) -> list[str]:
    """A secret for each address: one line for all, or a line each; exit 2 with a sentence otherwise."""
    ways = [way for way in (asked.stdin, asked.env, asked.file, asked.command, asked.keyring) if way]
    if len(ways) > 1:
        refuse("give the password in one way only (--password-stdin, -env, -file, -command or -keyring)")
    if asked.keyring:
        return [_from_keyring(asked.keyring, address) for address in addresses]
    if not ways:
        return [_typed(address) for address in addresses]
    lines = _lines(asked)
    if len(lines) == 1:
        return lines * len(addresses)
    if len(lines) != len(addresses):
        refuse(f"{len(lines)} lines of passwords for {len(addresses)} addresses; give one, or one for each")
    return lines


def _lines(asked: Asked) -> list[str]:
    if asked.env:
        text = os.environ.get(asked.env)
        if text is None:
            refuse(f"the environment has no {asked.env}")
        return _checked(text, f"the variable {asked.env}", split=False)
    if asked.stdin:
        return _checked(_bounded(piped(_MOST, "password"), "stdin"), "stdin")
    if asked.file:
        return _checked(_from_file(Path(asked.file)), asked.file)
    return _checked(_from_command(asked.command), "the output of the command")


def _checked(text: str, where: str, *, split: bool = True) -> list[str]:
    lines = text.removesuffix("\n").removesuffix("\r").split("\n") if split else [text]
    lines = [line.removesuffix("\r") for line in lines] if split else lines
    if not any(lines):
        refuse(f"{where} holds no password")
    for number, line in enumerate(lines, 1):
        if not line:
            refuse(f"{where}, line {number}: no password")
        if "\0" in line or "\r" in line or "\n" in line:
            refuse(
                f"{where}, line {number}: the password holds a line break or a NUL, which no login can carry"
            )
    return lines


def _bounded(data: bytes, where: str) -> str:
    if len(data) > _MOST:
        refuse(f"{where} holds more than {_MOST} bytes; that is no password")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse(f"{where} is not UTF-8; save it as UTF-8")


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST + 1)
    except OSError as problem:
        refuse(f"{path}: {problem.strerror}")
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        say(f"warning: others on this machine can read {path} (mode {stat.S_IMODE(mode):04o}); chmod 600 it")
    return _bounded(data, str(path))


def _from_command(command: str) -> str:
    try:
        words = shlex.split(command)
        ran = subprocess.run(words, stdout=subprocess.PIPE, check=False, timeout=60)  # noqa: S603  # the operator's own
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as problem:
        refuse(f"the password command failed: {type(problem).__name__}")
    if ran.returncode:
        refuse(f"the password command ended with code {ran.returncode}")
    return _bounded(ran.stdout, "the output of the password command")


def _from_keyring(service: str, address: str) -> str:
    try:
        import keyring
    except ImportError:
        refuse("the keyring needs an extra: pip install 'probe-smtp[keyring]'")
    try:
        secret = keyring.get_password(service, address)
    except keyring.errors.KeyringError as problem:
        refuse(f"the keyring failed: {type(problem).__name__}")
    if not secret:
        refuse(f"the keyring has no password for {address} under {service}")
    return str(secret)


def _typed(address: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        ways = "--password-file FILE, --password-env NAME, --password-stdin or --password-command CMD"
        refuse(f"no password: use {ways}")
    secret = getpass.getpass(f"Password for {address}: ")
    if not secret:
        refuse("no password was typed")
    return secret
