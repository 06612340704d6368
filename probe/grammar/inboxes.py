"""How to read the files in which people keep their inboxes, unchanged: any sequencer's export, any delimiter.

A record keeps its text as it stands in the file, so that it can be written back byte for byte. Nothing is
taken from a password; a cell that cannot be what its column says is a problem of its row, and the other
rows go on. Sentences never quote a cell that may hold a secret.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from probe.facts import Inbox, Secret, TlsMode
from probe.grammar.address import address

__all__ = ["ALIASES", "Header", "Record", "Row", "decoded", "header", "records", "row"]

MOST_FIELDS = 500
LONGEST_RECORD = 1 << 20

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
}
_GENERAL = {"user", "password"}  # stand in where the specific column is missing or empty
_TOLD = (
    "email",
    "smtp_host",
    "smtp_port",
    "smtp_user",
    "smtp_password",
    "smtp_security",
    "access_token",
    "provider",
)

# a source is known by columns that only its export has
_SOURCES: tuple[tuple[str, frozenset[str]], ...] = (
    ("Smartlead", frozenset({"fromemail", "maxemailperday"})),
    ("Smartlead", frozenset({"fromname", "fromemail", "username", "password", "smtphost"})),
    ("Instantly", frozenset({"email", "warmupenabled", "warmupincrement"})),
    ("Instantly", frozenset({"email", "firstname", "imapusername", "smtpusername"})),
    ("PlusVibe", frozenset({"enablecamprampup", "warmupdailylimit"})),
    ("EmailBison", frozenset({"smtpsecure", "imapsecure", "emailsignature"})),
    ("EmailBison", frozenset({"email", "password", "imapserver", "smtpserver"})),
    ("Lemlist", frozenset({"senderemail", "smtplogin"})),
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
class Record:
    """A record of the file: the line it begins in (1 is the first), and its text with the line end."""

    line: int
    raw: str


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

    `problem` says why the row cannot be probed, `notes` what was read in spite of its form.
    """

    record: Record
    inbox: Inbox | None = None
    problem: str = ""
    notes: tuple[str, ...] = field(default=())


# -- text -----------------------------------------------------------------------------------------

_MAGIC = (
    (b"\x1f\x8b", "a compressed file; unpack it first"),
    (b"PK\x03\x04", "a spreadsheet or a zip file; save it as CSV"),
)


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8 or UTF-16, with or without a mark. ValueError says what it is instead."""
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise ValueError(f"is {what}")
    if not data.strip():
        raise ValueError("is empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as problem:
            raise ValueError(f"begins as UTF-16 and breaks off at byte {problem.start}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        column = problem.start - data.rfind(b"\n", 0, problem.start)
        raise ValueError(
            f"is not UTF-8: byte 0x{data[problem.start]:02x} in line {line}, byte {column}; save it as UTF-8"
        ) from None
    if text.lstrip()[:1] in {"[", "{"} and '":' in text[:10_000].replace(" ", ""):
        raise ValueError("is JSON; give a CSV file")
    first = text.split("\n", 1)[0]
    if "\0" in first:
        raise ValueError("is not text")
    return text


_EDGE = re.compile(r"\"|\r\n|\n|\r")


def records(text: str) -> Iterator[Record]:
    """The records of a CSV text: a line end within quotes does not end one (RFC 4180 section 2).

    ValueError where a quote is opened and never closed, with the line it was opened in.
    """
    start, line, begun, opened, quoted = 0, 1, 1, 1, False
    for edge in _EDGE.finditer(text):
        if edge[0] == '"':
            quoted = not quoted
            opened = line
            continue
        line += 1
        if quoted:
            if edge.end() - start > LONGEST_RECORD:
                break
            continue
        yield Record(begun, text[start : edge.end()])
        start, begun = edge.end(), line
    if quoted:
        raise ValueError(f"the quote opened in line {opened} is never closed")
    if start < len(text):
        yield Record(begun, text[start:])


# -- header ---------------------------------------------------------------------------------------


def _normal(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def header(record: Record, told: Mapping[str, str] | None = None) -> Header:
    """The header of a file; `told` maps canonical names to column names (``--map``).

    ValueError names the column that is missing or doubtful, and what would do.
    """
    line = record.raw.rstrip("\r\n")
    delimiter = max(",;\t", key=lambda char: (line.count(char), char == ","))
    names = tuple(_fields(line, delimiter))
    if len(names) > MOST_FIELDS:
        raise ValueError(f"the header has more than {MOST_FIELDS} columns")
    normal = [_normal(name) for name in names]
    columns: dict[str, int] = {}
    for canonical, aliases in ALIASES.items():
        at = [normal.index(alias) for alias in aliases if alias in normal]
        if at:
            columns[canonical] = at[0]
            if normal.count(normal[at[0]]) > 1:
                twice = " and ".join(
                    repr(names[place]) for place, name in enumerate(normal) if name == normal[at[0]]
                )
                raise ValueError(
                    f"the columns {twice} both look like {canonical}; say --map {canonical}=NAME"
                )
    for canonical, name in (told or {}).items():
        columns[canonical] = _column(canonical, name, names)
    _complete(columns, names)
    found = next((source for source, marks in _SOURCES if marks <= set(normal)), "")
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
            have = ", ".join(repr(name) for name in names[:30])
            raise ValueError(
                f"no column for {what}: names such as {known} are understood; the file has {have}; "
                f'say --map {ways[0]}="COLUMN"'
            )


def _fields(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


# -- rows -----------------------------------------------------------------------------------------


def row(record: Record, table: Header) -> Row | None:
    """The inbox of a record; None for an empty one."""
    text = record.raw.rstrip("\r\n")
    if not text.strip(table.delimiter + ' "'):
        return None
    fields = (
        next(csv.reader([text], delimiter=table.delimiter))
        if "\n" not in text and "\r" not in text
        else _long(text, table)
    )
    if len(fields) != len(table.names):
        more = "more" if len(fields) > len(table.names) else "fewer"
        hint = "; a comma inside a password must stand in quotes" if len(fields) > len(table.names) else ""
        return Row(
            record, problem=f"{len(fields)} fields, {more} than the {len(table.names)} of the header{hint}"
        )
    cells = {name: fields[at] for name, at in table.columns.items()}
    notes: list[str] = []
    try:
        inbox = _inbox(cells, notes)
    except ValueError as problem:
        return Row(record, problem=str(problem), notes=tuple(notes))
    return Row(record, inbox, notes=tuple(notes))


def _long(text: str, table: Header) -> list[str]:
    """The fields of a record with line ends inside quotes."""
    return next(csv.reader(text.splitlines(keepends=True), delimiter=table.delimiter))


def _inbox(cells: Mapping[str, str], notes: list[str]) -> Inbox:
    email = cells["email"].strip()
    if email != cells["email"]:
        notes.append("the address stood between spaces")
    if not email:
        raise ValueError("no address")
    try:
        address(email)
    except ValueError as problem:
        raise ValueError(f"the address {problem}") from None
    secret, token = _secret(cells)
    host, port = _server(cells)
    return Inbox(
        email,
        Secret(secret),
        user=_user(cells),
        host=host,
        port=port,
        tls=_tls(cells, port, token=bool(token)),
        mechanism="xoauth2" if token else "auto",
        mail_from=cells.get("mail_from", "").strip(),
        provider=_PROVIDER_CODES.get(cells.get("provider", "").strip(), ""),
    )


def _first(cells: Mapping[str, str], *names: str) -> str:
    return next((cells[name] for name in names if cells.get(name, "")), "")


def _secret(cells: Mapping[str, str]) -> tuple[str, str]:
    token = cells.get("access_token", "").strip()
    secret = token or _first(cells, "smtp_password", "password")
    if not secret:
        raise ValueError("no password")
    if any(char in "\r\n\0" for char in secret):
        raise ValueError("the password holds a line break or a NUL, which no login can carry")
    return secret, token


def _user(cells: Mapping[str, str]) -> str:
    user = _first(cells, "smtp_user", "user").strip()
    if any(not char.isprintable() for char in user):
        raise ValueError("the user name holds a line break or an invisible character")
    return user


_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z|\[?[0-9A-Fa-f:.]{2,45}\]?\Z")


def _server(cells: Mapping[str, str]) -> tuple[str, int]:
    """Host and port; a host cell may hold both."""
    host, number = cells.get("smtp_host", "").strip(), cells.get("smtp_port", "").strip()
    if host.count(":") == 1 and not number:
        host, _, number = host.partition(":")
    if host and (not _HOST.match(host) or host == "0.0.0.0"):  # noqa: S104  # refused, not listened on
        raise ValueError(f"the host {host[:80]!a} is no host name")
    if not number:
        return host, 0
    number = number.removesuffix(".0")  # spreadsheets make numbers of ports
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:6]) <= 65535):
        raise ValueError(f"the port {number[:20]!a} is no port; ports are 1 to 65535")
    return host, int(number)


def _tls(cells: Mapping[str, str], port: int, *, token: bool) -> TlsMode | None:
    """TLS as told, or by the port (465 implicit, else STARTTLS); a lone "yes" means: by the port."""
    del token
    word = _normal(cells.get("smtp_security", ""))
    if word == "tls" and port and port != 465:
        return TlsMode.STARTTLS  # "TLS" beside 587 is what many mean by STARTTLS
    if word in _SECURITY:
        return _SECURITY[word]
    if word not in _YES | _NO:
        raise ValueError(f"{cells['smtp_security'][:20]!a} is no kind of TLS; use starttls, ssl or none")
    return None


def quoted(cells: Iterable[str], delimiter: str) -> str:
    """Cells as one piece of a record, quoted where they must be; formulas are made harmless."""
    return delimiter.join(_cell(cell, delimiter) for cell in cells)


def _cell(text: str, delimiter: str) -> str:
    text = " ".join(text.split())
    if text[:1] in "=+-@\t\r":
        text = "'" + text if text else text
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if delimiter in text or '"' in text else text
