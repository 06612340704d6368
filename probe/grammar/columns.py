"""Which column of a table holds what: any sequencer's export, or names that are told.

A column is known by its name, of which only letters and digits count. Where two may be meant, or none, a
sentence says what to do; of names that were not understood none is quoted: without a header they are
somebody's password.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from probe.facts import counted
from probe.grammar.sheet import Form, Record, cells, records

__all__ = ["ALIASES", "SECRETS", "SIGNS", "Header", "header", "header_of", "normal"]

MOST_FIELDS = 500
_LOOKED_AT = 20  # records among which the header is looked for, where it is not the first

# canonical name -> normalised aliases, best first; what is specific stands before what is general
ALIASES: Mapping[str, tuple[str, ...]] = {
    "email": (
        "email",
        "emailaddress",
        "fromemail",
        "senderemail",
        "accountemail",
        "mailbox",
        "inbox",
        "address",
    ),
    "smtp_host": (
        "smtphost",
        "smtpserver",
        "smtphostname",
        "smtpaddress",
        "smtp",
        "outgoingserver",
        "host",
        "server",
    ),
    "smtp_port": ("smtpport", "smtpserverport", "outgoingport", "port"),
    "smtp_user": ("smtpusername", "smtpuser", "smtplogin", "smtpserverusername"),
    "user": ("username", "user", "login"),
    "smtp_password": ("smtppassword", "smtppass", "smtpserverpassword"),
    "password": ("password", "pass", "apppassword", "emailpassword"),
    "smtp_security": (
        "smtpsecure",
        "smtptls",
        "smtpssl",
        "smtpencryption",
        "smtpsecurity",
        "smtpserverstarttls",
        "smtpusetls",
        "tls",
    ),
    "access_token": ("accesstoken", "oauthtoken", "token"),
    "provider": ("provider", "providercode", "inboxtype", "type", "esp", "accounttype"),
    "from_name": ("fromname", "sendername", "displayname", "fullname", "name"),
    "mail_from": ("mailfrom", "envelopefrom"),
    "refresh_token": ("refreshtoken", "oauthrefreshtoken"),
    "client_id": ("clientid", "oauthclientid", "applicationclientid", "applicationid"),
    "client_secret": ("clientsecret", "oauthclientsecret"),
    "tenant": ("tenant", "tenantid", "directoryid", "directorytenantid"),
}
# The same in lists that people made; understood, and not told.
_TRANSLATED: Mapping[str, tuple[str, ...]] = {
    "email": ("emailadresse", "mailadresse", "adresseemail", "courriel", "correoelectronico", "correo"),
    "smtp_host": ("postausgangsserver", "serveursmtp", "servidorsmtp", "serversmtp"),
    "smtp_port": ("portsmtp", "puertosmtp", "puerto", "portasmtp", "porta"),
    "smtp_user": ("smtpbenutzer", "smtpbenutzername", "utilisateursmtp", "usuariosmtp", "utentesmtp"),
    "user": ("benutzername", "benutzer", "utilisateur", "nomdutilisateur", "usuario", "utente"),
    "smtp_password": ("smtppasswort", "smtpkennwort", "motdepassesmtp", "contrasenasmtp", "senhasmtp"),
    "password": ("passwort", "kennwort", "motdepasse", "contrasena", "senha", "wachtwoord"),
    "smtp_security": ("verschlusselung", "smtpverschlusselung", "chiffrement", "cifrado"),
}
_UNDERSTOOD = {name: (*aliases, *_TRANSLATED.get(name, ())) for name, aliases in ALIASES.items()}
_DECISIVE = {"smtp_user", "user", "smtp_password", "password"}  # a wrong one is a failed login
SECRETS = ("smtp_password", "password", "access_token", "refresh_token", "client_secret")
SIGNS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_TOLD = (
    "email",
    "smtp_host",
    "smtp_port",
    "smtp_user",
    "smtp_password",
    "smtp_security",
    "access_token",
    "refresh_token",
    "client_id",
    "client_secret",
    "tenant",
    "provider",
    "mail_from",
)

# a source is known by columns that only its export has, normalised or as they are written
_SOURCES: tuple[tuple[str, frozenset[str]], ...] = (
    ("Smartlead", frozenset({"fromemail", "maxemailperday"})),
    ("Smartlead", frozenset({"from_name", "from_email", "user_name"})),
    ("Instantly", frozenset({"email", "warmupenabled", "warmupincrement"})),
    ("Instantly", frozenset({"First Name", "IMAP Username", "SMTP Username"})),
    ("PlusVibe", frozenset({"enablecamprampup", "warmupdailylimit"})),
    ("EmailBison", frozenset({"smtpsecure", "imapsecure", "emailsignature"})),
    ("EmailBison", frozenset({"email", "password", "imapserver", "smtpserver"})),
    ("Lemlist", frozenset({"senderemail", "smtplogin"})),
    ("Lemlist", frozenset({"firstName", "imapUsername", "smtpUsername"})),
    ("Reply.io or Woodpecker", frozenset({"email", "smtplogin", "imaplogin"})),
    ("BrandJet", frozenset({"smtptls", "imaptls", "dailylimit"})),
)


@dataclass(frozen=True, slots=True)
class Header:
    """What the first record says: delimiter, which column holds what, and whose export it looks like."""

    record: Record
    delimiter: str
    names: tuple[str, ...]
    columns: Mapping[str, int]
    source: str = ""

    def __str__(self) -> str:
        used = len(set(self.columns.values()))
        what = f"{self.source} export" if self.source else "a table"
        told = ", ".join(f"{name}={self.names[at]!r}" for name, at in self.columns.items())
        padded = f"; the space behind each {SIGNS[self.delimiter[0]]} belongs to no cell"
        more = padded if len(self.delimiter) > 1 else ""
        return f"detected: {what} ({used} of {len(self.names)} columns used: {told}{more})"


def normal(name: str) -> str:
    """A name as it is compared: letters without their accents and digits, in lower case."""
    return "".join(char for char in unicodedata.normalize("NFKD", name.lower()) if char.isalnum())


def header_of(data: bytes, form: Form, told: Mapping[str, str] | None = None) -> Header:
    """The header of a file: its first record. ValueError as `header`, with the line of another like it."""
    begins = islice(records(data, form), _LOOKED_AT)
    first = next(begins)
    try:
        return header(first, form.delimiter, told)
    except ValueError:
        like = (record.line for record in begins if any(_is_header(record, sign) for sign in SIGNS))
        if _is_header(first, form.delimiter) or not (line := next(like, 0)):
            raise
        said = f"does not begin with its header: line {line} looks like it; remove what stands above"
        raise ValueError(said) from None


def _is_header(record: Record, delimiter: str) -> bool:
    names = {normal(name) for name in record.raw.replace('"', "").strip().split(delimiter[0])}
    return all(any(names.intersection(_UNDERSTOOD[way]) for way in ways) for ways in _NEEDED.values())


def header(record: Record, delimiter: str, told: Mapping[str, str] | None = None) -> Header:
    """The header of a table; `told` maps canonical names to column names (``--map``).

    ValueError names the column that is missing or doubtful, and what would do.
    """
    try:
        names = tuple(cells(record, delimiter))
    except ValueError as problem:
        raise ValueError(f"has a header that cannot be read: {problem}") from None
    if len(names) > MOST_FIELDS:
        raise ValueError(f"has more than {MOST_FIELDS} columns")
    plain = [normal(name) for name in names]
    columns: dict[str, int] = {}
    for canonical, aliases in _UNDERSTOOD.items():
        if canonical in (told or {}):
            continue
        at = [place for alias in aliases for place, name in enumerate(plain) if name == alias]
        if len(at) > 1 and (canonical in _DECISIVE or plain[at[0]] == plain[at[1]]):
            one, other = (names[place] for place in at[:2])
            which = f"#{at[0] + 1}" if one == other else one
            raise ValueError(
                f"has two columns, {one!r} and {other!r}, that may be the {canonical}; "
                f'say which: --map {canonical}="{which}"'
            )
        if at:
            columns[canonical] = at[0]
    for canonical, name in (told or {}).items():
        columns[canonical] = _column(canonical, name, names)
    _complete(columns, names)
    found = next((source for source, marks in _SOURCES if marks <= {*plain, *names}), "")
    return Header(record, delimiter, names, columns, found)


def _column(canonical: str, name: str, names: tuple[str, ...]) -> int:
    """Where the column of a name is; ``#2`` is the second."""
    if canonical not in ALIASES:
        raise ValueError(f"--map {canonical}=...: there is no such field; fields are {', '.join(_TOLD)}")
    if names.count(name) > 1:
        raise ValueError(
            f"--map {canonical}={name}: the file has {names.count(name)} columns {name!r}; "
            f'say the number of one: --map {canonical}="#{names.index(name) + 1}"'
        )
    if name in names:
        return names.index(name)
    if _NUMBER.match(name) and int(name[1:]) <= len(names):
        return int(name[1:]) - 1
    raise ValueError(f"--map {canonical}={name}: the file has no column {name!r}")


_NUMBER = re.compile(r"#[1-9][0-9]{0,2}\Z")
_NEEDED = {"email": ("email",), "a password": SECRETS}


def _complete(columns: dict[str, int], names: tuple[str, ...]) -> None:
    missing = {what: ways for what, ways in _NEEDED.items() if not any(way in columns for way in ways)}
    headless = "email" in columns and "@" in names[columns["email"]]
    if not missing and not headless:
        return
    if headless or any("@" in name for name in names):
        raise ValueError(
            "has no header: an address stands in its first line; "
            "put a line above it, such as email,password,smtp_host,smtp_port"
        )
    known = ", or ".join(
        ", ".join(alias for way in ways for alias in ALIASES[way]) for ways in missing.values()
    )
    read = ", ".join(repr(names[at]) for at in columns.values()) or "none"
    told = " ".join(f'--map {ways[0]}="COLUMN"' for ways in missing.values())
    raise ValueError(
        f"has no column for {' and none for '.join(missing)}: names such as {known} are understood; of its "
        f"{counted(len(names), 'column')} these were: {read}; say {told}"
    )  # other names are not quoted: without a header they are somebody's password
