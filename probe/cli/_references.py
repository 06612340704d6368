"""Secrets that a list names instead of holding: a variable, a file, a keyring entry, a command's output."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from probe.cli import _stores as stores
from probe.facts import Inbox, Secret
from probe.grammar.inboxes import reference

__all__ = ["revealer"]


def revealer(*, allow_commands: bool) -> Callable[[Inbox], Secret]:
    """What turns an inbox's reference into its secret; ValueError says what is missing, quoting nothing."""

    def reveal(inbox: Inbox) -> Secret:
        kind, place = reference(inbox.secret.reveal())
        if kind == "cmd" and not allow_commands:
            raise ValueError("the row names a command (cmd:...); commands run only with --allow-commands")
        try:
            return Secret(stores.checked(_STORES[kind](place, inbox)))
        except ValueError as problem:
            raise ValueError(f"what the row names ({kind}:...) {problem}") from None

    return reveal


_STORES: Mapping[str, Callable[[str, Inbox], str]] = {
    "env": lambda name, _: stores.variable(name),
    "file": lambda name, _: stores.file(name),
    "keyring": lambda service, inbox: stores.keyring(service, inbox.user or inbox.address),
    "cmd": lambda line, _: stores.command(line, quiet=True),
}
