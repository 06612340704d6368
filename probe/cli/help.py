"""`probe help TOPIC`: what is true of every command."""

from __future__ import annotations

from typing import Annotated

import typer

from probe.cli._completion import TOPICS as TOPICS_AND_COMMANDS
from probe.cli._messages import refuse

EPILOG = """\b
Examples:
  probe help                 the topics
  probe help exit-codes
  probe help creds           the options of a command"""

TOPICS = {
    "verdicts": """\
One scale, for a finding and for a report; a report is its worst finding.

  ok        fine
  note      worth knowing, nothing to do
  warn      works today
  wait      refused for now: greylisting, throttling, any 4xx
  unknown   we could not tell: timeout, SERVFAIL, a closed port 25 of our own
  fail      not OK

unknown is never fail, and never ok. A login probe has an outcome besides:

  usable      the login is proven and the envelope was accepted
  creds_ok    the login is proven, a later step was not
  bad_creds   the server definitively refused these credentials
  not_proven  nothing is known of the password
""",
    "exit-codes": """\
  0         nothing at or above --fail-on (default fail)
  1         the thing probed is not OK
  2         usage, configuration or input file: nothing was sent
  3         could not tell: wait or unknown only
  4         stopped by a safety brake, or what was found could not be written
            down
  130, 143  interrupted (Ctrl-C, SIGTERM); what was told so far stands, and a
            list goes on with --resume
  141       whoever read the output stopped reading

-f nagios ends with a plugin's codes alone: 2 is CRITICAL there, and what kept
us from asking is 3, UNKNOWN, with a line on stdout.
""",
    "secrets": """\
A password or token comes from one of

  --password-file FILE         one line for all addresses, or one for each
  --password-env NAME          an environment variable
  --password-stdin             stdin
  --password-command CMD       the output of a command
  --password-keyring SERVICE   the system's keyring, with the extra
                               pip install 'probe-smtp[keyring]'
  a prompt, on a terminal

and never from the command line, where ps and the shell's history would keep it.
It is sent once, under verified TLS, and what a server echoes of it is replaced
by *** before it is kept. Nothing is mended: a space at an end, quotes or an app
password typed in groups are said as findings and sent as they are.

Where Google or Microsoft wants OAuth2, give an access token with --auth-mech
xoauth2, or what one is got with:

  --client-id ID               the options above give a refresh token; --tenant
                               NAME says where, for an application of Microsoft
                               that is for its own directory alone
  --client-secret-env NAME     the application's own secret, where it has one
  --client-secret-file FILE    the same from a file
  --client-credentials         the application acts by itself, at Microsoft,
                               with its own secret alone

Such secrets go to the provider's token server and to nobody else; what it
repeats of them is hidden. One token serves all inboxes that an application asks
for by itself in a directory, until a minute before it ends; where its secret is
refused, it is not asked for again. An access token that says itself that it has
expired, or that it is for another service, is not sent.
""",
    "lists": """\
`probe preflight FILE` reads the lists people already have, unchanged: exports
of Instantly, Smartlead, EmailBison, PlusVibe, Lemlist, Reply.io, Woodpecker and
tables of your own, with commas, semicolons, tabs or |, in UTF-8 or UTF-16
(--encoding for others). What was detected is said once; --map FIELD="COLUMN"
overrules it, and "#2" is the second column. Fields:

  email, smtp_host, smtp_port, smtp_user, smtp_password,
  smtp_security (ssl, starttls, none), provider, mail_from,
  access_token, or refresh_token with client_id (client_secret, tenant), or
  client_id with client_secret (tenant) for an application that acts by itself

A column of secrets may hold env:NAME, file:PATH, keyring:SERVICE, or with
--allow-commands cmd:COMMAND instead. Without a host, the server is found by
domain, MX or SRV record.

Each login is tried once in a run, and written to a journal before it leaves:
after an interruption --resume goes on, and what was under way is reported, not
tried again; --resume --force tries again what is not proven. A login that was
refused rests for 15 minutes, then an hour, then a day (--force tries it at
once). A host is asked by as many sessions as its provider bears (--per-host),
by one after the first login that it refused or did not answer, and by none
after four in ten minutes (--brake), or where it puts off ten sessions in a row:
then the exit code is 4. Journals and the keyed hashes of refused logins lie in
the state folder (--state).

--write-pass and --write-fail part the list in two, the rows byte for byte; the
second gains probe_reason and probe_fix.
""",
    "transcripts": """\
-v shows the whole session; JSON has it as "transcript". Every line of both
sides, in order:

  C:  what we said, secrets replaced by ***
  S:  what the server said, character by character; what cannot be printed is
      written \\xNN or \\uNNNN
  S~  what it said without completing a reply
  !:  what came without being asked for
  --  what happened without words: connect, TLS, a fault
""",
    "formats": """\
-f FORMAT picks what stdout gets; -o FILE (repeatable) writes a file too, its
extension picks the format:

  text    .txt    for people; among several, what is well takes a line (-v shows
                  all)
  html    .html   one page: what decides, the causes with their fix, every
                  session folded; loads nothing
  json    .json   the contract that `probe schema` prints
  jsonl   .jsonl  a report a line, as soon as it is there; what convert, diff
                  and --baseline read
  csv     .csv    a row a subject; no cell is a formula
  junit   .xml    a test case a subject: fail is a failure, wait and unknown are
                  errors
  md      .md     for tickets
  prom    .prom   gauges for node_exporter's textfile collector
  nagios          a plugin's line and a plugin's exit codes: 0 OK, 1 WARNING,
                  2 CRITICAL, 3 UNKNOWN

Text follows the locale; the others are UTF-8. A file of -o appears whole or not
at all and can be read by its owner alone; where another user collects it,
redirect stdout instead. A file that is read is never overwritten, but for that
of --baseline.

  probe convert run.jsonl -o report.html  any run again, in another format
  probe diff old.jsonl new.jsonl          only what is new, changed or fixed
  --baseline last.jsonl -o last.jsonl     the same while probing; the file gets
                                          everything
""",
    "providers": """\
The submission server of an inbox is found by its domain, its MX, or an SRV
record (RFC 6186, RFC 8314), from a table of providers in the catalogue; --host,
--port and --tls overrule it, --provider names one.

  probe providers              the table
  probe catalogue list         every reply that is known, by provider
  probe catalogue show ID      one of them, with its source and its sample
""",
}


# What people ask for by another name.
_ALSO = {"csv": "lists", "passwords": "secrets", "codes": "exit-codes", "outcomes": "verdicts"}


def command(
    topic: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC", autocompletion=TOPICS_AND_COMMANDS, help="What to explain; or a command."
        ),
    ] = "",
) -> None:
    """Explain what every command shares.

    Verdicts, exit codes, secrets, lists, transcripts, formats, providers.
    """
    if not topic:
        typer.echo("Topics: " + ", ".join(TOPICS))
        typer.echo(
            "`probe help TOPIC` explains one, `probe help COMMAND` a command; `probe --help` lists those."
        )
        return
    if pages := [name for name in (*TOPICS, *_ALSO) if name.startswith(topic.lower())]:
        typer.echo(TOPICS[_ALSO.get(pages[0], pages[0])], nl=False)
    elif (help_of := _help_of(topic)) is not None:
        typer.echo(help_of)
    else:
        refuse(f"there is no topic {topic!r}; topics are {', '.join(TOPICS)}")


def _help_of(name: str) -> str | None:
    """What ``probe NAME --help`` prints; None where there is no such command."""
    from probe.cli import _command, _names

    if name not in _names():
        return None
    made = _command(name)
    return made.get_help(typer.Context(made, info_name=f"probe {name}"))
