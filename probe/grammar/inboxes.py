"""What the rows of a list say: an inbox each, as people keep them in any sequencer's export.

A record keeps its text as it stands in the file, so that it can be written back byte for byte. Nothing is
taken from a password; a cell that cannot be what its column says is a problem of its row, and the other
rows go on. Sentences never quote a cell that may hold a secret.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from probe.facts import Inbox, Secret, TlsMode, counted
from probe.grammar.address import address
from probe.grammar.columns import SECRETS, SIGNS, Header, normal
from probe.grammar.hostname import host_and_port, port_number
from probe.grammar.row_secret import PASSWORD, TOKEN, first_of, secret_of
from probe.grammar.sheet import Form, Record, cells, records

__all__ = ["Row", "login_of", "reference", "row", "rows"]

_SECURITY = {
    "ssl": TlsMode.IMPLICIT,
    "tls": TlsMode.IMPLICIT,
    "ssltls": TlsMode.IMPLICIT,
    "implicit": TlsMode.IMPLICIT,
    "starttls": TlsMode.STARTTLS,
    "none": TlsMode.NONE,
    "plain": TlsMode.NONE,
}
_BY_PORT = {"true", "yes", "1", "on", "false", "no", "0", "off", "auto", ""}
_USUAL = {"465", "587", "2525"}
_PROVIDER_CODES = {"2": "google", "3": "microsoft", "4": "amazonses"}  # Instantly's provider_code


@dataclass(frozen=True, slots=True)
class Row:
    """An inbox as a row tells it; `secret` may be a reference such as ``env:NAME``.

    `problem` says why the row cannot be probed, `notes` what was read in spite of its form. `provider`
    is what the row calls its provider, where it names no server, or needs a token of the provider's.
    """

    record: Record
    inbox: Inbox | None = None
    problem: str = ""
    notes: tuple[str, ...] = field(default=())
    provider: str = ""


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
        told = _told(record, table)
        inbox = _inbox(told, notes)
    except ValueError as problem:
        return Row(record, problem=str(problem), notes=tuple(notes))
    label = told.get("provider", "").strip() if not inbox.host or inbox.grant is not None else ""
    return Row(record, inbox, notes=tuple(notes), provider=_PROVIDER_CODES.get(label, label))


def _told(record: Record, table: Header) -> Mapping[str, str]:
    fields, wanted = cells(record, table.delimiter), len(table.names)
    if len(fields) < wanted and _whole(fields, table):
        fields += [""] * (wanted - len(fields))
    if len(fields) != wanted:  # not even empty cells too many: behind a comma in a password all are shifted
        less = "fewer" if len(fields) < wanted else "more"
        why = _parted_otherwise(record, len(fields), table)
        raise ValueError(f"{counted(len(fields), 'field')}, {less} than the {wanted} of the header{why}")
    return {name: fields[at] for name, at in table.columns.items()}


def _whole(fields: list[str], table: Header) -> bool:
    """Whether a row lacks nothing but cells at its end, which Excel leaves out where they are empty.

    No cell that is read may be among them, and behind the password one of the ports that logins go to must
    show that nothing has shifted: another number may be a limit, another host that of IMAP.
    """
    secret = max(at for name, at in table.columns.items() if name in SECRETS)
    if max(table.columns.values()) >= len(fields):
        return False
    places = (table.columns.get(name, -1) for name in ("smtp_host", "smtp_port"))
    host, port = (fields[at].strip() if at > secret else "" for at in places)
    return port in _USUAL or host_and_port(host)[1] in _USUAL


def _parted_otherwise(record: Record, fields: int, table: Header) -> str:
    """What may be the reason why a row has more or fewer fields than its header."""
    own, wanted = table.delimiter[0], len(table.names)
    if fields > wanted:
        return f"; a {SIGNS[own]} inside a password must stand in quotes"
    others = (name for char, name in SIGNS.items() if char != own and record.raw.count(char) == wanted - 1)
    return next((f"; this row has a {name} where the header has a {SIGNS[own]}" for name in others), "")


def _inbox(told: Mapping[str, str], notes: list[str]) -> Inbox:
    email = told["email"].strip()
    if email != told["email"]:
        notes.append("the address stood between spaces")
    if not email:
        raise ValueError("no address")
    if email.startswith("#"):  # which an address may, and none does
        raise ValueError("the address begins with #: it is not tried, as in a row that is to be left out")
    sender = told.get("mail_from", "").strip()
    _check("the address", email)
    if sender:
        _check("the envelope sender", sender)
    what, secret, grant = secret_of(told)
    host, port = _server(told)
    if host and what == PASSWORD and _shifted(secret, host):
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
        mechanism="xoauth2" if what == TOKEN else "auto",
        mail_from=sender,
        grant=grant,
    )


def _check(what: str, cell: str) -> None:
    try:
        address(cell)
    except ValueError as problem:
        raise ValueError(f"{what} {str(problem).partition(':')[0]}") from None  # the cell is not quoted


def _user(told: Mapping[str, str]) -> str:
    user = first_of(told, "smtp_user", "user").strip()
    if not user.isprintable():
        raise ValueError("the user name holds a line break or an invisible character")
    return user


_OF_READING = {110, 143, 993, 995}  # registered for POP3 and IMAP, without and with TLS
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?\Z")


def _server(told: Mapping[str, str]) -> tuple[str, int]:
    """Host and port; a host cell may hold both. What is wrong is not quoted: columns may have shifted."""
    host, number = told.get("smtp_host", "").strip(), told.get("smtp_port", "").strip()
    number = number.removesuffix(".0")  # spreadsheets make numbers of ports
    host, own = host_and_port(host)
    if own is not None:
        if not own.isdigit():
            raise ValueError("the host is no host name")
        if number and number != own:
            raise ValueError("the host and the port column name different ports")
        number = own
    if host and not (_HOST.match(host) or _address(host)):
        raise ValueError("the host is no host name")
    if _address(host) in _NOBODY:
        raise ValueError("the host is no address of a host")
    if not number:
        return host.rstrip("."), 0
    if not (port := port_number(number)):
        raise ValueError("the port is no port; ports are 1 to 65535")
    if port in _OF_READING:
        raise ValueError("the port is one for reading mail (IMAP, POP3); give that of SMTP: 587, 465 or 25")
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
    """TLS as told, or by the port (465 implicit, else STARTTLS): that is what a lone "yes" means too."""
    word = normal(told.get("smtp_security", ""))
    if word == "tls" and port and port != 465:
        return TlsMode.STARTTLS  # "TLS" beside 587 is what many mean by STARTTLS
    if word in _SECURITY:
        return _SECURITY[word]
    if word not in _BY_PORT:
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

    A user name that is an address is the account wherever it is used, in whatever script its domain is;
    keys and names of other forms are shared by many addresses of a relay, so that the server and the
    address belong to them.
    """
    user = (inbox.user or inbox.address).lower()
    if not user.isascii():
        with contextlib.suppress(ValueError):
            user = str(address(user))
    return user if "@" in user else f"{user}\0{inbox.host.lower()}\0{inbox.address.lower()}"
