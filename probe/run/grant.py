"""An inbox with an access token for its secret, where it has only the means to get one."""

from __future__ import annotations

from dataclasses import replace

from probe import catalogue, judge
from probe.facts import Grant, Inbox, Secret
from probe.grammar.address import address
from probe.grammar.token import Granted, public, tenant
from probe.rules import Finding
from probe.wire.network import Network

__all__ = ["with_token"]


async def with_token(inbox: Inbox, grant: Grant, provider: str, network: Network) -> Inbox | Finding:
    """The inbox as it logs in, or why no token was to be had.

    `provider` is an id of the catalogue, or nothing. Inboxes that share an application's own token share
    one request.
    """
    known = catalogue.provider(provider) if provider else None
    scope = "" if known is None else known.token_scope_alone if grant.alone else known.token_scope
    if known is None or not known.token_url or (grant.alone and not scope):
        named = {"provider": known.name if known is not None else "none"}
        return Finding(catalogue.rule("grant/no-token-server"), named)
    try:
        url = _url(known.token_url, inbox, grant)
    except ValueError as problem:
        return Finding(catalogue.rule("grant/tenant-unknown"), {"provider": known.name}, str(problem))
    told = await (await network.tokens()).ask(url, _form(inbox, grant, scope))
    if not isinstance(told, Granted):
        return judge.denied(told, url, grant.client, _kept_quiet(inbox, grant))
    mechanism = "xoauth2" if inbox.mechanism.lower() == "auto" else inbox.mechanism
    return replace(inbox, secret=told.token, mechanism=mechanism, grant=None)


def _kept_quiet(inbox: Inbox, grant: Grant) -> list[Secret]:
    """What a token server may repeat and nobody is shown: an id too, where it may be the secret."""
    swapped = Secret("" if public(grant.client) else grant.client)
    return [one for one in (inbox.secret, grant.secret, swapped) if one]


def _url(template: str, inbox: Inbox, grant: Grant) -> str:
    """Where to ask; ValueError where that takes a directory, and what was told or the domain can be none.

    An application by itself can ask in one alone, whose name may be any domain of it.
    """
    if "{tenant}" not in template:
        return template
    where = grant.tenant or (address(inbox.address).domain if grant.alone else "common")
    return template.replace("{tenant}", tenant(where))


def _form(inbox: Inbox, grant: Grant, scope: str) -> dict[str, str]:
    """What is sent (RFC 6749 sections 2.3.1, 4.4.2 and 6)."""
    secret = (inbox.secret if grant.alone else grant.secret).reveal()
    form = {"client_id": grant.client, "client_secret": secret, "scope": scope}
    if grant.alone:
        form["grant_type"] = "client_credentials"
    else:
        form |= {"grant_type": "refresh_token", "refresh_token": inbox.secret.reveal()}
    return {name: value for name, value in form.items() if value}
