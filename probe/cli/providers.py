"""`probe providers`: the providers that are known, how they are recognised and where one logs in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._output import refuse

if TYPE_CHECKING:
    from probe.catalogue import Provider


def command(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Show these in full; default: list all.")
    ] = None,
    format: Annotated[str, typer.Option("-f", "--format", metavar="FORMAT", help="text or json.")] = "text",
) -> None:
    """List the providers with their submission servers, or show what is known of some."""
    from probe import catalogue

    every = {one.id: one for one in catalogue.providers()}
    for id in ids or ():
        if id not in every:
            refuse(f"no provider is called {id!r}; `probe providers` lists {len(every)}")
    chosen = [every[id] for id in ids or every]
    if format == "json":
        typer.echo(json.dumps([_as_json(one) for one in chosen], indent=2))
    elif format != "text":
        refuse(f"there is no format {format!r} here; choose text or json")
    elif ids:
        typer.echo("\n\n".join(_told(one) for one in chosen))
    else:
        width = max(len(one.id) for one in chosen)
        for one in chosen:
            first = one.submission[0] if one.submission else None
            where = f"{first.host}:{first.port} {first.tls}" if first else "no submission server known"
            typer.echo(f"{one.id:{width}}  {one.name:36}  {where}")


def _told(one: Provider) -> str:
    known = {
        "log in at": ", ".join(f"{each.host}:{each.port} ({each.tls})" for each in one.submission),
        "password": one.password,
        "app password": one.app_password_url,
        "mechanisms": ", ".join(one.mechanisms),
        "MX": ", ".join(one.mx),
        "domains": ", ".join(one.domains),
        "source": str(one.source) if one.source.url else "",
    }
    lines = (f"  {name:12}  {value}" for name, value in known.items() if value)
    return "\n".join((f"{one.id}  {one.name}", *lines))


def _as_json(one: Provider) -> dict[str, object]:
    source = one.source
    return {
        "id": one.id,
        "name": one.name,
        "submission": [{"host": each.host, "port": each.port, "tls": each.tls} for each in one.submission],
        "mechanisms": list(one.mechanisms),
        "password": one.password,
        "app_password_url": one.app_password_url,
        "mx": list(one.mx),
        "domains": list(one.domains),
        "source": {"url": source.url, "kind": source.kind, "read": source.read} if source.url else None,
    }
