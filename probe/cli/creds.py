"""`probe creds`: can this inbox log in, and may it send as itself?"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from probe.cli._completion import PROVIDERS
from probe.cli._messages import guessed, refuse, say
from probe.cli._network import (
    CaFile,
    Deadline,
    Helo,
    Plaintext,
    Resolvers,
    Resume,
    SourceAddress,
    Timeout,
    address_of,
    host_of,
    limits_of,
    network_of,
    one_by_one,
    port_of,
)
from probe.cli._output import BASELINE, FAIL_ON, FORMAT, OUTPUT, VERBOSE, Output
from probe.facts import Inbox, Secret, TlsMode

if TYPE_CHECKING:
    from probe.rules import Verdict
    from probe.wire.network import Network

EPILOG = """\b
Examples:
  probe creds ada@example.com                        asks for the password
  probe creds ada@example.com --password-file pw -v  shows the whole session
  probe creds ada@example.com --password-env PW --host mail.example.com
  probe creds ada@example.com --auth-mech xoauth2 --password-command my-token
  probe creds ada@example.com --client-id ID --password-env REFRESH_TOKEN

Never sends a message, never tries a password twice, never sends one without verified TLS. A server that
refused 4 of several addresses is asked about no more of them, and the exit code is 4."""


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
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="ADDRESS", help="The inboxes to probe.")
    ] = None,
    csv: Annotated[
        str, typer.Option(metavar="FILE", help="Take inboxes and passwords from a list, as probe preflight.")
    ] = "",
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="Submission server; default: found by domain, MX or SRV record."),
    ] = "",
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT", show_default=False, help="Its port; default: 587, or 465 with --tls implicit."
        ),
    ] = 0,
    tls: Annotated[TlsMode | None, typer.Option(help="How TLS starts; default: by the port.")] = None,
    user: Annotated[
        str, typer.Option(metavar="NAME", help="Login name, with one address; default: the address.")
    ] = "",
    provider: Annotated[
        str,
        typer.Option(
            metavar="ID",
            autocompletion=PROVIDERS,
            help="Provider id (see `probe providers`); default: recognised.",
        ),
    ] = "",
    auth_mech: Annotated[
        Mechanism, typer.Option(help="SASL mechanism; xoauth2 and oauthbearer take a token.")
    ] = Mechanism.AUTO,
    client_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="An OAuth application: the password options then give a refresh token."
        ),
    ] = None,
    client_secret_env: Annotated[
        str, typer.Option(metavar="NAME", help="The application's secret, from an environment variable.")
    ] = "",
    client_secret_file: Annotated[
        str, typer.Option(metavar="FILE", help="The application's secret, from a file.")
    ] = "",
    client_credentials: Annotated[
        bool,
        typer.Option(
            "--client-credentials",
            help="It acts by itself, with its secret alone.",
        ),
    ] = False,
    tenant: Annotated[
        str, typer.Option(metavar="NAME", help="Its directory at Microsoft: an id or a domain.")
    ] = "",
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
    mail_from: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Envelope sender; default: the address.")
    ] = "",
    rcpt_to: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Envelope recipient; default: the address itself.")
    ] = "",
    ca_file: CaFile = "",
    helo: Helo = "",
    source_address: SourceAddress = "",
    resolver: Resolvers = [],
    timeout: Timeout = None,
    deadline: Deadline = 180,
    insecure_plaintext: Plaintext = False,
    resume_tls: Resume = False,
    format: str = FORMAT,
    output: list[str] = OUTPUT,
    fail_on: str = FAIL_ON,
    baseline: str = BASELINE,
    verbose: int = VERBOSE,
) -> None:
    """Can these inboxes log in and send?

    Connects, reads every reply, proves the certificate, logs in once, asks whether the inbox may send as
    itself, and leaves: MAIL, RCPT to itself, RSET, QUIT, and never DATA.
    """
    from probe.cli._grant import Application
    from probe.cli._secret import Asked
    from probe.run.creds import check_creds

    out = Output(
        format, output, fail_on, verbose, baseline, read=[csv, password_file, client_secret_file, ca_file]
    )
    network = network_of(
        limits_of(timeout, deadline),
        ca_file=ca_file,
        helo=helo,
        source=source_address,
        resolver=resolver,
        allow_plaintext=insecure_plaintext,
        resume=resume_tls,
    )
    asked = Asked(password_stdin, password_env, password_file, password_command, password_keyring)
    if csv:
        of_an_inbox = {
            "--host": host,
            "--port": port,
            "--tls": tls,
            "--user": user,
            "--provider": provider,
            "--auth-mech": auth_mech is not Mechanism.AUTO,
            "--client-id": client_id is not None,
            "--client-secret-...": client_secret_env or client_secret_file,
            "--client-credentials": client_credentials,
            "--tenant": tenant,
            "--mail-from": mail_from,
            "--rcpt-to": rcpt_to,
            "--password-...": asked != Asked(),
        }
        _listed(csv, addresses, [name for name, told in of_an_inbox.items() if told], network, out)
    if not addresses:
        refuse("give the address of an inbox, or a list of them with --csv FILE")
    for number, text in enumerate(addresses, 1):
        _not_a_secret(number, text)
        address_of("", text)
    for name, text in (("--mail-from", mail_from), ("--rcpt-to", rcpt_to)):
        if text:
            address_of(name, text)
    named = _as_first_named(addresses)
    if user and len(set(named)) > 1:
        refuse("--user is one login, and a login is tried once in a run: give it one address")
    host_of("--host", host)
    port_of("--port", port)
    _check_login(user, provider)
    own = Asked(
        env=client_secret_env, file=client_secret_file, option="--client-secret", what="client secret"
    )
    application = Application(client_id, own, tenant, client_credentials)
    grant = application.grant(auth_mech.value)
    inboxes = [
        Inbox(
            address,
            Secret(secret),
            user=user,
            host=host,
            port=port,
            tls=tls,
            mechanism=auth_mech.value,
            mail_from=mail_from,
            rcpt_to=rcpt_to,
            provider=provider,
            grant=grant,
        )
        for address, secret in _each_once(named, application.secrets(named, asked)).items()
    ]
    if len(inboxes) == 1:
        out.finish(one_by_one(network, [partial(check_creds, inboxes[0], network)]))
    _several(inboxes, network, out)


def _not_a_secret(number: int, text: str) -> None:
    """Refuses, without repeating it, a word that may be a password: after an address, or behind its colon."""
    _, _, domain = text.rpartition("@")
    if (number > 1 and not _is_address(text)) or (":" in domain and not domain.startswith("[")):
        refuse(
            f"argument {number} is not an address. It is not shown, for it may hold a password: that never "
            "stands on the command line (`probe help secrets`)"
        )


def _is_address(text: str) -> bool:
    from probe.grammar.address import address

    try:
        address(text)
    except ValueError:
        return False
    return True


def _as_first_named(addresses: list[str]) -> list[str]:
    """The addresses; one that logs in as an earlier one is spelled as that is."""
    from probe.grammar.address import address

    logins: dict[str, str] = {}
    named: list[str] = []
    for text in addresses:
        login = str(address(text)).lower()
        if login in logins:
            say(f"probe: {text} is named twice and probed once")
        named.append(logins.setdefault(login, text))
    return named


def _each_once(named: list[str], secrets: list[str]) -> dict[str, str]:
    """The secret of each address. Two for one are refused: a login is tried once, and which is not known."""
    kept: dict[str, str] = {}
    for text, secret in zip(named, secrets, strict=True):
        if kept.setdefault(text, secret) != secret:
            refuse(f"{text} is named twice, with two passwords; give the one that is to be tried")
    return kept


def _several(inboxes: list[Inbox], network: Network, out: Output) -> NoReturn:
    """One after the other: addresses given together share a server, and one bad login slows the next."""
    from probe.run.several import Several

    run = Several(network)
    verdicts: list[Verdict] = []
    out.write(one_by_one(network, [partial(run.check, inbox) for inbox in inboxes]), verdicts)
    for name, why in run.braked.items():
        say(f"probe: stopped at {name}: {why}; the others there were left alone, lest it ban this address")
    out.end(verdicts, 4 if run.braked else 0)


def _listed(
    file: str, addresses: list[str] | None, told: list[str], network: Network, out: Output
) -> NoReturn:
    """A list: what `probe preflight --no-dns FILE` does, with its journal, lanes and brake.

    Its rows say how each inbox is logged in to, so the options that say it (`told`) cannot be meant.
    """
    from probe.cli._list import Written, listed
    from probe.cli._preflight import Asked, probed
    from probe.cli._references import revealer
    from probe.run.preflight import Options

    if addresses:
        refuse("give addresses or --csv FILE, not both")
    if told:
        refuse(f"{', '.join(told)} and --csv do not go together; `probe help lists` has what a row can say")
    whole = listed(file, most=20_000)
    asked = Asked(
        Options(audit=False),
        out,
        Written(),
        revealer(allow_commands=False),
    )
    probed(whole, network, asked)


def _check_login(user: str, provider: str) -> None:
    from probe import catalogue

    if any(char in "\r\n\0" for char in user):
        refuse("--user holds a line break or a NUL")
    if provider and catalogue.provider_named(provider) is None:
        near = guessed(provider, (one.id for one in catalogue.providers()))
        refuse(f"there is no provider {provider!r}; `probe providers` lists them{near}")
