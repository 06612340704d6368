"""The DMARC record that was meant, completed and ready to paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import TypeAlias

from probe.checks import _suffixes
from probe.checks._dmarc_discovery import published, question
from probe.checks._evidence import address_questions, addresses, failures, nonexistent, pasted
from probe.checks._slips import meant_word
from probe.checks._spf_result import sends_nothing
from probe.checks.mx import implicit, null
from probe.facts import Question, Records
from probe.grammar import dmarc
from probe.grammar.dmarc import Policy, Record

__all__ = [
    "NOTHING",
    "Requests",
    "completed",
    "fitting",
    "line",
    "meant_tag",
    "repaired",
    "takes_no_mail",
    "united",
    "within",
    "without_host",
]

# A tag begins wherever a known name and an equals sign (or a colon, the usual slip) stand, so that a
# forgotten semicolon is found too.
_SEPARATOR = re.compile(
    r"[;\s,\"']{1,16}(?=(?:v|p|sp|np|psd|t|adkim|aspf|fo|rua|ruf|pct|rf|ri)\s*[=:])", re.IGNORECASE
)
_TAG = re.compile(r"\s*([A-Za-z]{1,12})\s*[=:]\s*([^;\"'\\]{0,2000})")
_POLICIES = tuple(Policy)
_CHOICES = {"t": ("n", "y"), "adkim": ("r", "s"), "aspf": ("r", "s"), "psd": ("u", "y", "n")}  # default first
_ORDER = ("p", "sp", "np", "psd", "t", "pct", "adkim", "aspf", "fo", "rua", "ruf")
_ADDRESS = re.compile(r"\s*mailto:", re.IGNORECASE)
_LISTS = ("rua", "ruf")  # what stands twice is one list
_MOST_ADDRESSES = 10
_WAIT = "once the reports show that all mail aligns"
_PERCENT = re.compile(r"[0-9]{1,3}\Z")

# What is asked for mail of the name itself, of the names below it, and of those that do not exist.
Requests: TypeAlias = tuple[Policy, Policy, Policy]
NOTHING: Requests = (Policy.NONE, Policy.NONE, Policy.NONE)


def meant_tag(name: str) -> str:
    """The known tag that a misspelt name is closest to; empty where none is close."""
    close = meant_word(name, (*dmarc.KNOWN, "policy"))
    return {"policy": "p"}.get(close, close)


def completed(text: str, domain: str, *, mailbox: bool = True, **changes: str) -> str:
    """A record that says what `text` (a record, a broken one or nothing) means, complete.

    Policies are corrected where the slip is plain and become none where it is not; removed and unknown
    tags go; a rua address at the organizational domain is added, if a `mailbox` can be there. `changes`
    overrules tags, an empty value leaves one out. What holds a policy back stays: t=y, and pct for the
    older receivers; where that is 0, newer ones are told the same by t=y (RFC 9989 appendix A.6).
    """
    values = _values(text[:4096])
    said = {"p": _policy(values.get("p", "")) or "none"}
    said |= {name: wanted for name in ("sp", "np") if name in values and (wanted := _policy(values[name]))}
    for name, allowed in _CHOICES.items():
        value = values.get(name, "").lower()
        if value in allowed[1:]:
            said[name] = value
    percent = int(values["pct"]) if _PERCENT.match(values.get("pct", "")) else 100
    if percent < 100 and {said["p"], said.get("sp", "none")} != {"none"}:
        said |= {"pct": str(percent)} if percent else {"pct": "0", "t": "y"}
    if values.get("fo", "0") != "0" and re.fullmatch(r"[01ds](?::[01ds]){0,3}", values["fo"]):
        said["fo"] = values["fo"]
    if not _suffixes.is_suffix(domain) and said.get("psd") == "y":
        del said["psd"]  # for registries alone
    if rua := _addresses(values.get("rua", "")):
        said["rua"] = rua
    elif mailbox:
        said["rua"] = f"mailto:dmarc-reports@{_suffixes.organizational(domain)}"
    if ruf := _addresses(values.get("ruf", "")):
        said["ruf"] = ruf
    said |= changes
    return "; ".join(("v=DMARC1", *(f"{name}={said[name]}" for name in _ORDER if said.get(name))))


def _values(text: str) -> dict[str, str]:
    """What tags are meant to say; addresses that a semicolon has cut off, or a second tag, are one list."""
    values: dict[str, str] = {}
    for part in chain.from_iterable(piece.split(";") for piece in _SEPARATOR.split(text)):
        if _ADDRESS.match(part):
            last = next(filter(_LISTS.__contains__, reversed(values)), _LISTS[0])
            values[last] = f"{values.get(last, '')},{part}"
        elif found := _TAG.match(part):
            name = found[1].lower()
            name = name if name in dmarc.KNOWN or name in dmarc.REMOVED else meant_tag(name)
            value = found[2].strip().rstrip(",")
            if name in _LISTS and name in values:
                values[name] += f",{value}"
            values.setdefault(name, value)
    return values


def _policy(value: str) -> str:
    word = re.match(r"[A-Za-z]{0,20}", value)
    return str(meant_word(word[0], _POLICIES)) if word and word[0] else ""


def _addresses(value: str) -> str:
    kept = []
    for uri in re.split(r"[,\s]+", value)[:_MOST_ADDRESSES]:
        bare = uri.partition("!")[0]
        bare = bare if bare.lower().startswith("mailto:") else f"mailto:{bare}"
        record = dmarc.parse(f"v=DMARC1; p=none; rua={bare}")
        if record is not None and record.reports:
            kept.append(bare)
    return ",".join(kept)


def _requests(record: Record | None) -> Requests:
    """What receivers take a record for: with an invalid policy for p=none at most (RFC 9989 section 4.10.1).

    Not with an invalid np: those of RFC 7489 do not know it, and act on the others.
    """
    if record is None or record.p is None or "sp" in record.invalid:
        return NOTHING
    below = record.sp or record.p
    return record.p, below, record.np or below


def _mildest(several: Iterable[Requests]) -> Requests:
    p, sp, np = (min(policies, key=_POLICIES.index) for policies in zip(*several, strict=True))
    return p, sp, np


def _tags(asked: Requests) -> dict[str, str]:
    """The tags that ask for this and for no more; nothing is held back where nothing is asked for."""
    p, sp, np = asked
    said = {"p": str(p), "sp": "" if sp is p else str(sp), "np": "" if np is sp else str(np)}
    return said | ({"t": "", "pct": ""} if asked == NOTHING else {})


def united(records: Sequence[Record]) -> tuple[Record, dict[str, str]]:
    """Several records as one: the mildest, and what to change in it so that it asks for no more than any.

    It reports to all addresses.
    """
    asked = _mildest(map(_requests, records))
    changes = _tags(asked)
    if asked != NOTHING and any(record.testing for record in records):
        changes["t"] = "y"
    for tag, modes in (("adkim", [r.adkim for r in records]), ("aspf", [r.aspf for r in records])):
        changes[tag] = "s" if set(modes) == {"s"} else ""
    for tag, named in (("rua", [r.rua for r in records]), ("ruf", [r.ruf for r in records])):
        uris = dict.fromkeys(one.uri.partition("!")[0] for one in chain(*named) if one.domain)
        if uris:
            changes[tag] = ",".join(islice(uris, _MOST_ADDRESSES))
    mildest = [record for record in records if _requests(record)[0] is asked[0]]
    return min(mildest, key=attrgetter("pct")), changes


def line(name: str, seen: Records, text: str = "", words: str = "", **changes: str) -> str:
    """The completed record of a name as a line of its zone, after `words`."""
    record = fitting(name, seen, text, **changes)
    return pasted(question(name), published(name, seen), record, words)


def repaired(name: str, seen: Records, record: Record, *, parked: bool = False) -> str:
    """The fix that is the completed record in place of this one; empty where it is complete."""
    if fitting(name, seen, record.text) == record.text:
        return ""
    return within(_requests(record), name, seen, record.text, "Replace the record by", parked=parked)


def within(
    today: Requests,
    name: str,
    seen: Records,
    text: str,
    words: str,
    *,
    parked: bool,
    more: bool = False,
    **changes: str,
) -> str:
    """As `line`, for a record that asks for no more than receivers act on `today`: more could lose mail.

    What the text meant to ask for, or `more`, is told as the next step. A domain that is `parked` has no
    mail to lose.
    """
    meant = _requests(dmarc.parse(fitting(name, seen, text, **changes)))
    first = _mildest((meant, today))
    later = ["p"] if more else []
    if first != meant and not parked:
        later += [tag for tag, one, other in zip(_ORDER, first, meant, strict=False) if one is not other]
        changes |= _tags(first)
    words += f" this one, and raise {later[0]} {_WAIT}: " if later else ": "
    return line(name, seen, text, words, **changes)


def fitting(name: str, seen: Records, text: str = "", **changes: str) -> str:
    """`completed` for a name; with a report address of its own only where mail is known to be taken."""
    home = _suffixes.organizational(name)
    taken = not failures(seen, [Question(home, "MX")]) and not takes_no_mail(home, seen)
    return completed(text, name, mailbox=taken, **changes)


def takes_no_mail(name: str, seen: Records) -> bool:
    """Whether no mail can be sent to a domain: it says so, should say so (it sends none), or has no host."""
    if seen.of(name, "MX"):
        return null(name, seen)
    if nonexistent(seen, name):
        return True
    if failures(seen, [Question(name, "MX")]):
        return False
    return without_host(name, seen) or sends_nothing(seen.of(name, "TXT"))


def without_host(name: str, seen: Records) -> bool:
    """Whether a domain is known to have neither MX nor address records (RFC 5321 section 5.1)."""
    asked = address_questions(name)
    return implicit(name, seen) and not failures(seen, asked) and not addresses(seen, name)
