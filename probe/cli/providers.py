"""`probe providers`: the providers that are known, how they are recognised and where one logs in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._columns import hung, row
from probe.cli._completion import PROVIDERS
from probe.cli._messages import guessed, refuse

if TYPE_CHECKING:
    from probe.catalogue import Provider, Submission

_NAME = 28  # columns; the few names that are longer push their server to the right


def command(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHO",
            autocompletion=PROVIDERS,
            help="Show these in full: an id, a name, a domain or a mail exchanger. Default: list all.",
        ),
    ] = None,
    format: Annotated[str, typer.Option("-f", "--format", metavar="FORMAT", help="text or json.")] = "text",
) -> None:
    """List known providers, or show some in full.

    How they are recognised, and where and with what one logs in.
    """
    from probe import catalogue

    chosen = [_found(who) for who in ids] if ids else list(catalogue.providers())
    if format == "json":
        typer.echo(json.dumps([_as_json(one) for one in chosen], indent=2))
    elif format != "text":
        refuse(f"there is no format {format!r} here; choose text or json")
    elif ids:
        typer.echo("\n\n".join(_told(one) for one in chosen))
    else:
        longest = max(len(one.id) for one in chosen)
        for one in chosen:
            first = one.submission[0] if one.submission else None
            where = f"{first.host}:{first.port} {first.tls}" if first else "no submission server known"
            typer.echo(row(f"{one.id:{longest}}  ", f"{one.name:{_NAME}}  {where}"))


def _found(who: str) -> Provider:
    """The provider somebody means; exit 2 where there is none."""
    from probe import catalogue

    ways = (catalogue.provider_named, catalogue.provider_of_domain, catalogue.provider_of_host)
    names = (who, _host_in(who))
    found = next((one for name in names for way in ways if (one := way(name)) is not None), None)
    if found is None:
        known = [one.id for one in catalogue.providers()]
        refuse(f"no provider is known as {who!r}; `probe providers` lists {len(known)}{guessed(who, known)}")
    return found


def _host_in(text: str) -> str:
    """The host in an address or a URL; the text itself where there is none."""
    from probe.grammar.hostname import hostname

    try:
        return hostname(text).name
    except ValueError:
        return text


def _told(one: Provider) -> str:
    known = {
        "log in at": "\n".join(map(_served, one.submission)),
        "password": one.password,
        "app password": one.app_password_url,
        "mechanisms": ", ".join(one.mechanisms),
        "note": one.note,
        "MX": ", ".join(one.mx),
        "domains": ", ".join(one.domains),
        "source": str(one.source) if one.source.url else "",
    }
    lines = (hung(f"  {name:12}  ", value) for name, value in known.items() if value)
    return "\n".join((f"{one.id}  {one.name}", *lines))


def _served(one: Submission) -> str:
    shown = ", ".join(one.only[:3]) + (", ..." if len(one.only) > 3 else "")
    return f"{one.host}:{one.port} ({one.tls})" + (f" for {shown}" if shown else "")


def _as_json(one: Provider) -> dict[str, object]:
    source = one.source
    return {
        "id": one.id,
        "name": one.name,
        "submission": [
            {"host": each.host, "port": each.port, "tls": each.tls, "only": list(each.only)}
            for each in one.submission
        ],
        "mechanisms": list(one.mechanisms),
        "password": one.password,
        "app_password_url": one.app_password_url,
        "at_once": one.at_once,
        "note": one.note,
        "mx": list(one.mx),
        "domains": list(one.domains),
        "source": {"url": source.url, "kind": source.kind, "read": source.read} if source.url else None,
    }
