"""`probe schema`: the JSON contract."""

from __future__ import annotations

import typer


def command() -> None:
    """Print the JSON Schema of reports."""
    import json

    from probe.render.json import schema

    typer.echo(json.dumps(schema(), indent=2))
