"""`probe creds`: can this inbox log in, and may it send as itself?"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli._output import FAIL_ON, FORMAT, OUTPUT, VERBOSE, Output, refuse

if TYPE_CHECKING:
    from probe.facts import Inbox, Limits
    from probe.rules import Report
    from probe.wire.network import Network

EPILOG = """\b
Examples:
  probe creds ada@example.com                         asks for the password
  probe creds ada@example.com --password-file pw -v   shows every line of the session
  probe creds ada@example.com --password-env PW --host mail.example.com --port 465
  probe creds ada@example.com --auth-mech xoauth2 --password-command 'oauth-token ada'

Never sends a message, never tries a password twice, never sends one without verified TLS."""


class Tls(StrEnum):
    """`--tls`."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


class Mechanism(StrEnum):
    """`--auth-mech`."""

    AUTO = "auto"
    PLAIN = "plain"
    LOGIN = "login"
    CRAM_MD5 = "cram-md5"
    SCRAM_SHA_256 = "scram-sha-256"
    XOAUTH2 = "xoauth2"
    OAUTHBEARER = "oauthbearer"


def command(  # typer reads options from parameters
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="The inboxes to probe.")],
    host: Annotated[
        str, typer.Option(help="Submission server; default: found by domain, MX or SRV record.")
    ] = "",
    port: Annotated[int, typer.Option(help="Its port; default: 587, or 465 with --tls implicit.")] = 0,
    tls: Annotated[Tls | None, typer.Option(help="How TLS starts; default: by the port.")] = None,
    user: Annotated[str, typer.Option(help="Login name; default: the address.")] = "",
    provider: Annotated[
        str, typer.Option(help="Provider id (see `probe providers`); default: recognised.")
    ] = "",
    auth_mech: Annotated[
        Mechanism, typer.Option(help="SASL mechanism; xoauth2 and oauthbearer take a token.")
    ] = Mechanism.AUTO,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
    password_env: Annotated[
        str, typer.Option(metavar="NAME", help="Read it from an environment variable.")
    ] = "",
    password_file: Annotated[
        str, typer.Option(metavar="FILE", help="Read it from a file (one line, or one for each address).")
    ] = "",
    password_command: Annotated[
        str, typer.Option(metavar="CMD", help="Read it from a command's output.")
    ] = "",
    password_keyring: Annotated[
        str, typer.Option(metavar="SERVICE", help="Read it from the system's keyring.")
    ] = "",
    mail_from: Annotated[str, typer.Option(help="Envelope sender; default: the address.")] = "",
    rcpt_to: Annotated[str, typer.Option(help="Envelope recipient; default: the address itself.")] = "",
    ca_file: Annotated[str, typer.Option(metavar="FILE", help="Trust only the roots in this PEM file.")] = "",
    helo: Annotated[
        str, typer.Option(help="Name to give in EHLO; default: this host's name or address.")
    ] = "",
    source_address: Annotated[str, typer.Option(metavar="IP", help="Address to connect from.")] = "",
    resolver: Annotated[list[str], typer.Option(metavar="HOST[:PORT]", help="DNS server; repeatable.")] = [],  # noqa: B006  # typer copies it
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="For each step; default: 15 to connect, 30 to 60 after."),
    ] = None,
    deadline: Annotated[float, typer.Option(metavar="SECONDS", help="For the whole inbox.")] = 180,
    insecure_plaintext: Annotated[
        bool, typer.Option("--insecure-plaintext", help="Allow AUTH without TLS.")
    ] = False,
    format: str = FORMAT,
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    verbose: int = VERBOSE,
) -> None:
    """Can these inboxes log in, and may they send as themselves?

    Connects, reads every reply, proves the certificate, logs in once, offers the envelope and leaves:
    MAIL, RCPT to itself, RSET, QUIT, and never DATA.
    """
    import asyncio

    from probe.cli._secret import Asked, secrets_for
    from probe.facts import Inbox, Secret, TlsMode
    from probe.wire.network import Network

    out = Output(format, output, fail_on, verbose)
    limits = _limits(timeout, deadline)
    _check(addresses, host, port, user, provider, mail_from, rcpt_to, ca_file, helo, source_address)
    asked = Asked(password_stdin, password_env, password_file, password_command, password_keyring)
    inboxes = [
        Inbox(
            address,
            Secret(secret),
            user=user,
            host=host,
            port=port,
            tls=TlsMode(tls.value) if tls is not None else None,
            mechanism=auth_mech.value,
            mail_from=mail_from,
            rcpt_to=rcpt_to,
            provider=provider,
        )
        for address, secret in zip(addresses, secrets_for(addresses, asked), strict=True)
    ]
    network = Network(
        limits=limits,
        ca_file=ca_file,
        servers=tuple(resolver),
        helo=helo,
        source=source_address,
        allow_plaintext=insecure_plaintext,
    )
    out.finish(asyncio.run(_all(inboxes, network)))


async def _all(inboxes: list[Inbox], network: Network) -> list[Report]:
    from probe.run.creds import check_creds

    # One after the other: addresses given together share a server, and one bad login slows the next.
    async with network:
        return [await check_creds(inbox, network) for inbox in inboxes]


def _limits(timeout: float | None, deadline: float) -> Limits:
    from probe.facts import Limits

    for name, value in (("--timeout", timeout), ("--deadline", deadline)):
        if value is not None and not (math.isfinite(value) and 0 < value <= 3600):
            refuse(f"{name} takes seconds, more than 0 and at most 3600")
    if timeout is None:
        return Limits(deadline=deadline)
    steps = ("connect", "greeting", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "rset")
    return Limits(**dict.fromkeys(steps, timeout), quit=min(2, timeout), deadline=deadline)


def _check(  # the fields a user typed, in the order they are checked
    addresses: list[str],
    host: str,
    port: int,
    user: str,
    provider: str,
    mail_from: str,
    rcpt_to: str,
    ca_file: str,
    helo: str,
    source: str,
) -> None:
    """Everything that can be wrong before anything is sent; exit 2 with the sentence that mends it."""
    import ipaddress
    import ssl

    from probe import catalogue
    from probe.grammar.address import address
    from probe.wire import tls

    envelope = (("--mail-from", mail_from), ("--rcpt-to", rcpt_to))
    for name, text in (*(("", one) for one in addresses), *((name, text) for name, text in envelope if text)):
        try:
            address(text)
        except ValueError as problem:
            refuse(f"{name} {text!r} {problem}".strip())
    for name, text in (("--user", user), ("--host", host), ("--helo", helo)):
        if any(char in "\r\n\0" for char in text):
            refuse(f"{name} holds a line break or a NUL")
        if name != "--user" and any(char.isspace() or char in "<>" for char in text):
            refuse(f"{name} {text!r} is no host name")
    if port and not 1 <= port <= 65535:
        refuse(f"--port {port} is no port; ports are 1 to 65535")
    if provider and provider not in {one.id for one in catalogue.providers()}:
        refuse(f"there is no provider {provider!r}; `probe providers` lists them")
    if source:
        try:
            ipaddress.ip_address(source)
        except ValueError:
            refuse(f"--source-address {source!r} is no IP address")
    if ca_file:
        try:
            tls.verifying(ca_file)
        except (OSError, ssl.SSLError) as problem:
            readable = isinstance(problem, ssl.SSLError)
            refuse(
                f"--ca-file {ca_file}: {'not a PEM file of certificates' if readable else problem.strerror}"
            )
