r"""How to read a domain as people type it: an address, a URL, other scripts, a final dot.

What is meant beyond doubt is taken, with a note that says how; everything else is refused with a
sentence. Nothing invisible is dropped in silence: `exa\u200bmple.com` is not `example.com`.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass

import idna

from probe.facts import escape

__all__ = ["LONGEST_NAME", "Hostname", "askable", "host_and_port", "hostname", "port_number"]

LONGEST_NAME = 253  # characters, without the final dot (RFC 1035 section 2.3.4)
_LONGEST_LABEL = 63
_LONGEST = 2000  # characters that are looked at
_PORT_DIGITS, _LAST_PORT = 5, 65535
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20}://|mailto:)", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_ANGLES = re.compile(r"[^<>]*<([^<>]+)>\Z")
_PORT = re.compile(r":[0-9]{1,5}\Z")
_DOTS = str.maketrans("。．｡", "...")  # noqa: RUF001 - the dots of RFC 3490 section 3.1


@dataclass(frozen=True, slots=True)
class Hostname:
    """A domain name: `name` in lower-case A-labels without final dot, `shown` in its own script.

    `notes` say how it differs from what was typed, one sentence each.
    """

    name: str
    shown: str
    notes: tuple[str, ...] = ()


def askable(name: str) -> bool:
    """Whether a name, without its final dot, can stand in a question (RFC 1035 section 2.3.4)."""
    lengths = [*map(len, name.split("."))]
    return (
        name.isascii() and len(name) <= LONGEST_NAME and min(lengths) > 0 and max(lengths) <= _LONGEST_LABEL
    )


def port_number(text: str) -> int:
    """The port that `text` is, in ASCII digits (RFC 6335 section 6); 0 where it is none."""
    digits = len(text) <= _PORT_DIGITS and text.isascii() and text.isdigit()
    return int(text) if digits and int(text) <= _LAST_PORT else 0


def host_and_port(text: str) -> tuple[str, str | None]:
    """The parts of HOST, HOST:PORT, an IPv6 address or [IPv6]:PORT (RFC 3986 section 3.2.2), as written.

    None for a port that is not told.
    """
    host, colon, port = text.rpartition(":")
    told = colon and not text.endswith("]") and (":" not in host or host.endswith("]"))
    return (host if told else text).removeprefix("[").removesuffix("]"), port if told else None


def hostname(text: str) -> Hostname:
    """The domain in `text`; ValueError with a sentence that names what is wrong with it."""
    notes: list[str] = []
    typed = text.strip(" \t\r\n")
    quoted = f"'{_shown(typed)}'"
    if not typed:
        raise ValueError("a domain is empty")
    if len(typed) > _LONGEST:
        raise ValueError(
            f"{quoted} is no domain name: it has {len(typed)} characters, a name at most {LONGEST_NAME}"
        )
    _visible(typed, quoted)
    if len(pieces := re.split(r"[ ,;|]+", typed)) > 1 and all("." in piece.strip(".") for piece in pieces):
        raise ValueError(f"{quoted} is more than one name: give each as a word of its own")
    host = _host(typed, notes).translate(_DOTS).removesuffix(".")
    _not_an_address(host, quoted)
    if "*" in host:
        raise ValueError(f"{quoted} is a wildcard: name one domain")
    if not host or ".." in host or host.startswith("."):
        raise ValueError(f"{quoted} is no domain name: there is nothing before, between or after its dots")
    labels = [_label(label, quoted) for label in host.split(".")]
    name = ".".join(labels)
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"{quoted} is no domain name: it is {len(name)} characters long, at most {LONGEST_NAME} are"
            " allowed"
        )
    shown = _unicode(name)
    if shown != name:
        notes.append(f"{shown} is {name} in the DNS")
    if len(labels) == 1:
        notes.append(
            f"{shown} is a single label: a top-level domain or a local name, not a domain of a sender"
        )
    elif labels[0].startswith("_"):
        notes.append(f"{name} is the place of a record, not a domain that mail is sent from")
    elif any("_" in label for label in labels):
        notes.append(f"{name} holds an underscore: the DNS allows it, mail software often does not")
    return Hostname(name, shown, tuple(notes))


def _shown(text: str) -> str:
    short = text if len(text) <= 80 else text[:77] + "..."
    return escape(short.encode("utf-8", "surrogatepass"))


def _visible(text: str, quoted: str) -> None:
    for char in text:
        if char in "\r\n\t\0" or not (char.isprintable() or char == " "):
            name = unicodedata.name(char, "a control character")
            raise ValueError(f"{quoted} holds an invisible character: U+{ord(char):04X} ({name})")


def _host(text: str, notes: list[str]) -> str:
    """The part that names a host: of a URL, of an address, of an address in angle brackets."""
    host = text
    if found := _ANGLES.match(host):
        host = found[1]
    if found := _SCHEME.match(host):
        host = host[found.end() :]
        if found[0].lower() != "mailto:":
            host = re.split(r"[/?#]", host, maxsplit=1)[0].rpartition("@")[2]
            notes.append("taken from a URL")
    if "@" in host and "," not in host:
        host = host.rpartition("@")[2].partition("?")[0]
        notes.append("taken from an address: its domain is audited")
    elif (slash := re.match(r"[^/\s]*[^/\s.][^/\s]*(?=/)", host)) and "." in slash[0]:
        host = slash[0]
        notes.append("taken from a URL")
    if (found := _PORT.search(host)) and ":" not in host[: found.start()]:
        host = host[: found.start()]
        notes.append("the port was left out")
    return host


def _not_an_address(host: str, quoted: str) -> None:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]").removeprefix("IPv6:"))
    except ValueError:
        return
    raise ValueError(f"{quoted} is an IP address: give the domain, and the address as --sending-ip")


def _label(label: str, quoted: str) -> str:
    """One label as an A-label (RFC 5890 section 2.3.2.1)."""
    lower = label.lower()
    if not lower.isascii() or lower.startswith("xn--"):
        try:
            lower = idna.encode(label, uts46=True).decode("ascii").lower()
            idna.decode(lower)
        except (idna.IDNAError, UnicodeError) as problem:
            reason = str(problem).rstrip(".")
            raise ValueError(f"{quoted} is no domain name: {reason[0].lower()}{reason[1:]}") from None
        if "." in lower:
            raise ValueError(f"{quoted} is no domain name: a character in it stands for a dot")
    if len(lower) > _LONGEST_LABEL:
        raise ValueError(
            f"{quoted} is no domain name: a label has {len(lower)} characters, at most {_LONGEST_LABEL} are"
            " allowed"
        )
    if not _LABEL.match(lower):
        odd = next((char for char in lower if not re.match(r"[a-z0-9_-]", char)), "-")
        what = "begins or ends with a hyphen" if odd == "-" else f"holds {_shown(odd)!r}"
        raise ValueError(f"{quoted} is no domain name: a label {what}")
    return lower


def _unicode(name: str) -> str:
    """The name in its own script."""
    return ".".join(idna.decode(label) if label.startswith("xn--") else label for label in name.split("."))
