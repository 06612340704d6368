"""`probe demo`: a tour against the fakes, without a network."""

from __future__ import annotations

import typer

TOUR = (
    ("creds-usable", "A good inbox. Every step is answered, the password is sent once, over verified TLS."),
    ("creds-auth-535", "A wrong password. It is refused, and not tried again: a second try locks accounts."),
    (
        "creds-provider-google-app-password-required",
        "The same kind of refusal, and another cause: Google wants an app password here.",
    ),
    ("creds-tls-expired", "A certificate that expired yesterday. The password never left this machine."),
)
AFTER = "None of this needed a network: the servers were fakes on this machine, told what to say by files."
NEXT = {
    "probe scenarios list": "all of them",
    "probe serve creds-auth-535": "one of them on a port, for your own programs",
    "probe creds you@example.com": "a real inbox; it asks for the password and sends nothing but a login",
    "probe preflight inboxes.csv": "a list of them; with --dry-run it says what it would do",
}


def command() -> None:
    """A tour of `probe creds` without a network.

    Four inboxes on fake servers on this machine: a good one, a wrong password, an app password, a broken
    certificate.
    """
    import asyncio

    from probe.cli._columns import hung
    from probe.cli._output import Output
    from probe.fakes.reading import load
    from probe.play import play

    out = Output("text", [], "fail")
    for number, (name, words) in enumerate(TOUR, 1):
        typer.echo(hung(f"{number}. ", words) + "\n")
        out.write([asyncio.run(play(load(name))).report])
        typer.echo("")
    typer.echo(hung("", AFTER) + "\n")
    for line, what in NEXT.items():
        typer.echo(hung(f"  {line:30}  ", what))
