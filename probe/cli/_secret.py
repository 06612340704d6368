"""Which secret a command is given: none by its own words, where ps and the shell's history would keep it."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from probe.cli import _stores as stores
from probe.cli._files import piped, warn_of_readers
from probe.cli._messages import refuse, say
from probe.facts import counted

__all__ = ["Asked", "secret_of", "secrets_for"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which of the ways was chosen; at most one. `option` is how they begin, `what` what they give."""

    option: str = field(default="--password", kw_only=True)
    what: str = field(default="password", kw_only=True)
    stdin: bool = False
    env: str = ""
    file: str = ""
    command: str = ""
    keyring: str = ""


def secrets_for(addresses: Sequence[str], asked: Asked) -> list[str]:
    """A secret for each address: one line for all, or a line each; exit 2 with a sentence otherwise.

    An address that stands there again has a line of its own too, and is typed and looked up once.
    """
    ways = [way for way in (asked.stdin, asked.env, asked.file, asked.command, asked.keyring) if way]
    if len(ways) > 1:
        refuse("give the password in one way only (--password-stdin, -env, -file, -command or -keyring)")
    if asked.keyring or not ways:
        one = partial(_from_keyring, asked.keyring) if asked.keyring else partial(_typed, asked.what)
        found = {address: one(address) for address in dict.fromkeys(addresses)}
        return [found[address] for address in addresses]
    lines = _lines(asked)
    if len(lines) == 1:
        return lines * len(addresses)
    if len(lines) != len(addresses):
        inboxes = counted(len(addresses), "address", "addresses")
        refuse(f"{len(lines)} lines of {asked.what}s for {inboxes}; give one, or one for each")
    return lines


def secret_of(asked: Asked) -> str:
    """The one secret of an application, from a variable or a file; exit 2 with a sentence otherwise."""
    if asked.env and asked.file:
        refuse(f"give the application's secret in one way only ({asked.option}-env or -file)")
    lines = _lines(asked)
    if len(lines) > 1:
        refuse(f"the file whose name {asked.option}-file takes has {len(lines)} lines; a secret is one")
    return lines[0]


def _lines(asked: Asked) -> list[str]:
    where, store = _store(asked)
    text = _got(where, store)
    lines = [text] if asked.env else [line.removesuffix("\r") for line in text.split("\n")]
    if not any(lines):
        refuse(f"{where} holds no {asked.what}")
    return [_got(f"{where}, line {n},", partial(stores.checked, line)) for n, line in enumerate(lines, 1)]


# What variables are called. Anything else may be the password itself, or what a shell made of $NAME.
_NAME = re.compile("[A-Z_][A-Z0-9_]{0,60}")


def _store(asked: Asked) -> tuple[str, Callable[[], str]]:
    """What to call the store that was chosen, and how to look into it; what may be a secret is not named."""
    if asked.stdin:
        if sys.stdin is not None and sys.stdin.isatty():
            refuse(
                "--password-stdin on a terminal would show it: without it the password is asked for unseen"
            )
        return "stdin", lambda: stores.text(piped(stores.LONGEST, "password"))
    if asked.env:
        named = asked.env if _NAME.fullmatch(asked.env) else f"whose name {asked.option}-env takes"
        return f"the variable {named}", lambda: stores.variable(asked.env)
    if asked.file:
        warn_of_readers(Path(os.path.expanduser(asked.file)))  # noqa: PTH111  # a Path raises for no home
        return f"the file whose name {asked.option}-file takes", lambda: stores.file(asked.file)
    return "the password command", lambda: stores.command(asked.command, quiet=False)


def _got(where: str, store: Callable[[], str]) -> str:
    try:
        return store()
    except ValueError as problem:
        refuse(f"{where} {problem}")


def _from_keyring(service: str, address: str) -> str:
    where = f"the keyring ({service}, {address})"
    return _got(where, lambda: stores.checked(stores.keyring(service, address)))


def _typed(what: str, address: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        ways = "--password-file FILE, --password-env NAME, --password-stdin or --password-command CMD"
        refuse(f"no {what}: use {ways}")
    secret = ""
    try:
        secret = getpass.getpass(f"{what.capitalize()} for {address}: ")
    except EOFError:  # Ctrl-D
        say("")  # ends the line of the prompt
    except KeyboardInterrupt:
        say("")
        raise
    if not secret:
        refuse(f"no {what} was typed")
    return secret
