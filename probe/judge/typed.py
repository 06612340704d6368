"""What can be said of a login before anything is sent; nothing of the secret is shown."""

from __future__ import annotations

from collections.abc import Iterator

from probe import catalogue
from probe.facts import Inbox
from probe.grammar import sasl
from probe.rules import Finding

__all__ = ["typed"]

_QUOTES = ('""', "''", "“”", "„“", "«»", "\u2018\u2019")


def typed(inbox: Inbox) -> Iterator[Finding]:
    """The findings about a secret and a user name as they were typed: said, never silently mended."""
    secret = inbox.secret.reveal()
    if inbox.mechanism.upper() in sasl.TOKEN:
        if len(secret) < 32 or " " in secret.strip():
            yield _lint("token-expected", f"{len(secret)} characters")
        return
    if secret != secret.strip(" "):
        end = "begins" if secret[:1] == " " else "ends"
        yield _lint("space-around", f"it {end} with a space")
    groups = secret.strip(" ").split(" ")
    if [len(group) for group in groups] == [4, 4, 4, 4] and "".join(groups).isalpha():
        yield _lint("app-password-in-groups", "four groups of four letters")
    if not secret.isprintable():  # of all that separates, an ordinary space alone is printable
        yield _lint("invisible-character", "a character that cannot be seen")
    if len(secret) > 2 and secret[0] + secret[-1] in _QUOTES:
        yield _lint("quotes-around", "quotation marks at both ends")


def _lint(problem: str, what: str) -> Finding:
    return Finding(catalogue.rule(f"credentials/{problem}"), {"secret": what})
