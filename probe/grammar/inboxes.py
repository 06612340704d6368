"""How to read the files in which people keep their inboxes, unchanged: any sequencer's export, any delimiter.

A record keeps its text as it stands in the file, so that it can be written back byte for byte. Nothing is
taken from a password; a cell that cannot be what its column says is a problem of its row, and the other
rows go on. Sentences never quote a cell that may hold a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from probe.facts import Inbox, Secret, TlsMode
from probe.grammar.address import address
from probe.grammar.hostname import port_number
from probe.grammar.sheet import Form, Record, cells, records

__all__ = ["ALIASES", "Header", "Row", "header", "login_of", "reference", "row", "rows"]

MOST_FIELDS = 500

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
    "refresh_token": ("refreshtoken",),
}
_DECISIVE = {"smtp_user", "user", "smtp_password", "password"}  # a wrong one is a failed login
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
_TOLD = (
    "email",
    "smtp_host",
    "smtp_port",
    "smtp_user",
    "smtp_password",
    "smtp_security",
    "access_token",
    "provider",
    "mail_from",
)

# a source is known by columns that only its export has, normalised or as they are written
_SOURCES: tuple[tuple[str, frozenset[str]], ...] = (
    ("Smartlead", frozenset({"fromemail", "maxemailperday"})),
    ("Smartlead", frozenset({"fromname", "fromemail", "username", "password", "smtphost"})),
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
_SECURITY = {
    "ssl": TlsMode.IMPLICIT,
    "tls": TlsMode.IMPLICIT,
    "ssltls": TlsMode.IMPLICIT,
    "implicit": TlsMode.IMPLICIT,
    "starttls": TlsMode.STARTTLS,
    "none": TlsMode.NONE,
    "plain": TlsMode.NONE,
}
_YES, _NO = {"true", "yes", "1", "on"}, {"false", "no", "0", "off", ""}
_PROVIDER_CODES = {"2": "google", "3": "microsoft", "4": "amazonses"}  # Instantly's provider_code


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
        return f"detected: {what} ({used} of {len(self.names)} columns used: {told})"


@dataclass(frozen=True, slots=True)
class Row:
    """An inbox as a row tells it; `secret` may be a reference such as ``env:NAME``.

    `problem` says why the row cannot be probed, `notes` what was read in spite of its form. `provider`
    is what the row calls its provider, where it names no server.
    """

    record: Record
    inbox: Inbox | None = None
    problem: str = ""
    notes: tuple[str, ...] = field(default=())
    provider: str = ""


# -- header ---------------------------------------------------------------------------------------


def _normal(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def header(record: Record, delimiter: str, told: Mapping[str, str] | None = None) -> Header:
    """The header of a table; `told` maps canonical names to column names (``--map``).

    ValueError names the column that is missing or doubtful, and what would do.
    """
    names = tuple(cells(record, delimiter))
    if len(names) > MOST_FIELDS:
        raise ValueError(f"has more than {MOST_FIELDS} columns")
    normal = [_normal(name) for name in names]
    columns: dict[str, int] = {}
    for canonical, aliases in ALIASES.items():
        if canonical in (told or {}):
            continue
        at = [place for alias in aliases for place, name in enumerate(normal) if name == alias]
        if len(at) > 1 and (canonical in _DECISIVE or normal[at[0]] == normal[at[1]]):
            raise ValueError(
                f"has two columns, {names[at[0]]!r} and {names[at[1]]!r}, that may be the {canonical}; "
                f'say which: --map {canonical}="{names[at[0]]}"'
            )
        if at:
            columns[canonical] = at[0]
    for canonical, name in (told or {}).items():
        columns[canonical] = _column(canonical, name, names)
    _complete(columns, names)
    found = next((source for source, marks in _SOURCES if marks <= {*normal, *names}), "")
    return Header(record, delimiter, names, columns, found)


def _column(canonical: str, name: str, names: tuple[str, ...]) -> int:
    if canonical not in ALIASES:
        raise ValueError(f"--map {canonical}=...: there is no such field; fields are {', '.join(_TOLD)}")
    if name not in names:
        raise ValueError(f"--map {canonical}={name}: the file has no column {name!r}")
    return names.index(name)


def _complete(columns: dict[str, int], names: tuple[str, ...]) -> None:
    needed = {"email": ("email",), "a password": ("smtp_password", "password", "access_token")}
    for what, ways in needed.items():
        if not any(way in columns for way in ways):
            known = ", ".join(alias for way in ways for alias in ALIASES[way])
            read = ", ".join(repr(names[at]) for at in columns.values()) or "none"
            raise ValueError(
                f"has no column for {what}: names such as {known} are understood; of its "
                f'{len(names)} columns these were: {read}; say --map {ways[0]}="COLUMN"'
            )  # other names are not quoted: without a header they are somebody's password


# -- rows -----------------------------------------------------------------------------------------


def rows(data: bytes, form: Form, table: Header) -> Iterator[Row]:
    """The rows below the header, in their order; ValueError as `records`."""
    listed = records(data, form)
    next(listed)
    return filter(None, (row(record, table) for record in listed))


def row(record: Record, table: Header) -> Row | None:
    """The inbox of a record; None for an empty one."""
    if not record.raw.strip(table.delimiter + ' "\r\n'):
        return None
    notes: list[str] = []
    try:
        told = _told(cells(record, table.delimiter), table)
        inbox = _inbox(told, notes)
    except ValueError as problem:
        return Row(record, problem=str(problem), notes=tuple(notes))
    label = "" if inbox.host else told.get("provider", "").strip()
    return Row(record, inbox, notes=tuple(notes), provider=_PROVIDER_CODES.get(label, label))


def _told(fields: list[str], table: Header) -> Mapping[str, str]:
    wanted = len(table.names)
    if len(fields) != wanted:  # not even empty cells too many: behind a comma in a password all are shifted
        more, hint = "fewer", ""
        if len(fields) > wanted:
            more, hint = "more", f"; a {_NAMES[table.delimiter]} inside a password must stand in quotes"
        raise ValueError(f"{len(fields)} fields, {more} than the {wanted} of the header{hint}")
    return {name: fields[at] for name, at in table.columns.items()}


def _inbox(told: Mapping[str, str], notes: list[str]) -> Inbox:
    email = told["email"].strip()
    if email != told["email"]:
        notes.append("the address stood between spaces")
    if not email:
        raise ValueError("no address")
    sender = told.get("mail_from", "").strip()
    _check("the address", email)
    if sender:
        _check("the envelope sender", sender)
    secret, token = _secret(told)
    host, port = _server(told)
    if host and not token and _shifted(secret, host):
        raise ValueError(
            "the password is a host or an address and the host has no dot: the columns have shifted; "
            "a host without a dot can be given as its IP address"
        )
    return Inbox(
        email,
        Secret(secret),
        user=_user(told),
        host=host,
        port=port,
        tls=_tls(told, port),
        mechanism="xoauth2" if token else "auto",
        mail_from=sender,
    )


def _check(what: str, cell: str) -> None:
    try:
        address(cell)
    except ValueError as problem:
        raise ValueError(f"{what} {str(problem).partition(':')[0]}") from None  # the cell is not quoted


def _first(told: Mapping[str, str], *names: str) -> str:
    return next((told[name] for name in names if told.get(name, "")), "")


_BREAK = re.compile(r"[\r\n\0]")


def _secret(told: Mapping[str, str]) -> tuple[str, str]:
    token = told.get("access_token", "").strip()
    secret = token or _first(told, "smtp_password", "password")
    if not secret:
        hint = (
            "; refreshing a token is not done here, give an access_token" if told.get("refresh_token") else ""
        )
        raise ValueError(f"no password{hint}")
    if _BREAK.search(secret):
        raise ValueError("the password holds a line break or a NUL, which no login can carry")
    return secret, token


def _user(told: Mapping[str, str]) -> str:
    user = _first(told, "smtp_user", "user").strip()
    if not user.isprintable():
        raise ValueError("the user name holds a line break or an invisible character")
    return user


_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?\Z")


def _server(told: Mapping[str, str]) -> tuple[str, int]:
    """Host and port; a host cell may hold both. What is wrong is not quoted: columns may have shifted."""
    host, number = told.get("smtp_host", "").strip(), told.get("smtp_port", "").strip()
    number = number.removesuffix(".0")  # spreadsheets make numbers of ports
    if host.count(":") == 1:
        host, _, own = host.partition(":")
        if number and own.isdigit() and number != own:
            raise ValueError("the host and the port column name different ports")
        number, host = own, host if own.isdigit() else f"{host}:"
    if host and not (_HOST.match(host) or _address(host)):
        raise ValueError("the host is no host name")
    if _address(host) in _NOBODY:
        raise ValueError("the host is no address of a host")
    if not number:
        return host.rstrip("."), 0
    if not (port := port_number(number)):
        raise ValueError("the port is no port; ports are 1 to 65535")
    return host.rstrip("."), port


_NAMED_HOST = re.compile(r"(?:[^@]{1,64}@)?(?:[A-Za-z0-9-]{1,63}\.){1,9}[A-Za-z]{2,63}\.?\Z")


def _shifted(secret: str, host: str) -> bool:
    """Whether the cells stand beside their columns: what is taken for a host would be looked up and shown."""
    if "." in host or host.lower() == "localhost" or _address(host):
        return False
    told = secret.strip()
    return told.lower() == "localhost" or bool(_address(told) or _NAMED_HOST.match(told))


_NOBODY = {"0.0.0.0", "::", "255.255.255.255"}  # noqa: S104 - refused, not listened on


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        return ""


def _tls(told: Mapping[str, str], port: int) -> TlsMode | None:
    """TLS as told, or by the port (465 implicit, else STARTTLS); a lone "yes" means: by the port."""
    word = _normal(told.get("smtp_security", ""))
    if word == "tls" and port and port != 465:
        return TlsMode.STARTTLS  # "TLS" beside 587 is what many mean by STARTTLS
    if word in _SECURITY:
        return _SECURITY[word]
    if word not in _YES | _NO:
        raise ValueError("what stands for TLS is no kind of it; use starttls, ssl or none")
    return None


# -- logins ---------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"(env):([A-Za-z_][A-Za-z0-9_]*)\Z|(file|keyring|cmd):(.+)\Z")


def reference(secret: str) -> tuple[str, str]:
    """Where a cell says its secret is: ``("env", NAME)``, file, keyring or cmd; ("", "") for a secret."""
    found = _REFERENCE.match(secret)
    return (found[1] or found[3], found[2] or found[4]) if found else ("", "")


def login_of(inbox: Inbox) -> str:
    """What names the account that a login is tried on, so that it is tried once.

    A user name that is an address is the account wherever it is used; keys and names of other forms are
    shared by many addresses of a relay, so that the server and the address belong to them.
    """
    user = (inbox.user or inbox.address).lower()
    return user if "@" in user else f"{user}\0{inbox.host.lower()}\0{inbox.address.lower()}"
