"""How the options of `probe creds` say that an access token is got first, and from what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from probe.cli._messages import refuse
from probe.cli._secret import Asked, secret_of, secrets_for
from probe.facts import Grant, Secret
from probe.grammar import sasl, token

__all__ = ["Application"]


@dataclass(frozen=True, slots=True)
class Application:
    """What was said of an OAuth application; `id` is None where nothing was.

    `secret` is how its own secret was given, `alone` that it acts by itself.
    """

    id: str | None
    secret: Asked
    tenant: str
    alone: bool

    def grant(self, mechanism: str) -> Grant | None:
        """How an access token is got; None where the secret is sent as it is. Exit 2 with a sentence."""
        if self.id is None:
            told = {
                "--client-secret-...": self._own,
                "--client-credentials": self.alone,
                "--tenant": self.tenant,
            }
            if wrong := [name for name, given in told.items() if given]:
                refuse(f"{wrong[0]} is about an OAuth application, whose id is missing: --client-id ID")
            return None
        # An id that is empty is a variable that is not set: what is exchanged would be sent as a password.
        if not self.id.strip() or not self.id.isascii() or not self.id.isprintable():
            refuse("--client-id is empty or no id of an application")
        if mechanism != "auto" and mechanism.upper() not in sasl.TOKEN:
            refuse(f"--auth-mech {mechanism} takes a password; with --client-id an access token is sent")
        if self.tenant:
            try:
                token.tenant(self.tenant)
            except ValueError as problem:
                refuse(f"--tenant: {problem}")
        own = "" if self.alone or not self._own else secret_of(self.secret)
        return Grant(self.id, Secret(own), self.tenant, self.alone)

    def secrets(self, addresses: Sequence[str], asked: Asked) -> list[str]:
        """What each address brings: a password, a refresh token, or for all the application's secret."""
        if self.id is None:
            return secrets_for(addresses, asked)
        if not self.alone:
            return secrets_for(addresses, replace(asked, what="refresh token"))
        if self._own and asked != Asked():
            refuse("give the application's secret in one way only (--client-secret-... or --password-...)")
        one = (
            secret_of(self.secret)
            if self._own
            else secrets_for(addresses[:1], replace(asked, what="client secret"))[0]
        )
        return [one] * len(addresses)

    @property
    def _own(self) -> bool:
        return bool(self.secret.env or self.secret.file)
