"""Records to paste: what is there, put right."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

from probe.checks._evidence import LONGEST_FIX, pasted, seen_answer
from probe.checks._slips import meant_word
from probe.checks._spf_tree import Cost
from probe.facts import Question, Records
from probe.grammar import spf
from probe.grammar.hostname import hostname
from probe.grammar.spf import Record, Term

__all__ = [
    "MISTAKEN",
    "authorises",
    "continued",
    "corrected",
    "decoded",
    "edited",
    "ended",
    "meant",
    "merged",
    "misspelt",
    "plain",
    "publish",
    "strange",
    "to_drop",
    "unassigned",
    "unglued",
    "why_passed_over",
    "with_terms",
    "without",
]

_SOFT = "~all"
_LONGEST = 5000  # of a text that is no record as it stands

# Names that mean something else than an unknown modifier: mechanisms, and the version of a second record.
MISTAKEN = frozenset({"include", "a", "mx", "ip4", "ip6", "exists", "ptr", "all", "v"})
# Where a string of the record ends and the next one begins with what can only be a term of its own.
_BEGINS_TERM = re.compile(
    r"[+\-~?]?(?:(?:include|ip4|ip6|exists|ptr|mx|a):|(?:redirect|exp)=|(?:mx|ptr)(?= |\Z))"
    r"|[+\-~?]all(?= |\Z)",
    re.IGNORECASE,
)
_DOTTED_QUAD = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?\Z")
_MASKED = re.compile(r"([0-9.]+)/([0-9]{1,3}(?:\.[0-9]{1,3}){3})\Z")
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+\Z")
# A term that a space has cut in two: no term ends here.
_PARTED = re.compile(
    r"( [+~?-]?(?:include|exists|ptr|ip4|ip6|a|mx):| (?:redirect|exp)=| [+~?-](?= +all\b)) +", re.IGNORECASE
)
_BETWEEN = re.compile(r"[,;]+")
_NEARLY = re.compile(
    r"(?:v ?[=:-]? ?)?spf ?[0-9]?"
    r"(?=[ ;,:]|\Z|[+~?-]?(?:include[:;=]|ip[46]:|all\b|a[ :/]|mx(?:[ :/]|\Z)))[ ;,:]*",
    re.IGNORECASE,
)
_WITHIN = re.compile(r" v=spf1 ", re.IGNORECASE)  # behind a text of another purpose
# Digits that are typed for the letters they look like.
_DIGITS = str.maketrans("10", "lo")
_PLAIN = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\u3000\t\r\n", " "),
    **dict.fromkeys("\u2018\u2019\u201c\u201d\u00ab\u00bb\"'`", ""),
    **dict.fromkeys("\ufeff\u200b\u200c\u200d\u2060\u00ad", ""),
    "\uff1a": ":",
    "\uff0f": "/",
    "\u223c": "~",
}


def publish(name: str, seen: Records, text: str, words: str = "Publish: ") -> str:
    """The fix that is this record, ready to paste; empty where it is too long for that."""
    asked = Question(name, "TXT")
    return pasted(asked, seen_answer(seen, asked), text, words) if len(text) <= LONGEST_FIX else ""


def edited(record: Record, change: Callable[[Term], str | None], end: str = "") -> str:
    """The record with each term changed, or dropped where `change` says None; `end` replaces ``all``."""
    terms = [text for term in record.terms if (text := change(term))]
    if end:
        terms = [*(text for text in terms if text.lstrip("+-~?").lower() != "all"), end]
    return spf.joined(terms)


def ended(record: Record, end: str) -> str:
    """The record with another end, after all its terms, and without a network that holds everybody."""
    return edited(record, lambda term: None if _everybody(term) else term.text, end)


def _everybody(term: Term) -> bool:
    return term.network is not None and term.network.prefixlen == 0


def without(record: Record, dropped: Iterable[Term]) -> str:
    """The record without some terms; where a redirect was its end it gets another."""
    places = {term.at for term in dropped}
    last = record.first("redirect") if record.all is None else None
    end = _SOFT if last is not None and last.at in places else ""
    return edited(record, lambda term: None if term.at in places else term.text, end)


def authorises(text: str) -> bool:
    """Whether a record lets anybody in: with nothing but refusals it would stop all mail."""
    record = spf.parse(text)
    letting_in = any(term.qualifier == "+" for term in record.mechanisms)
    return letting_in or (record.all is None and record.first("redirect") is not None)


def with_terms(record: Record, terms: Iterable[str]) -> str:
    """The record with more terms at its beginning, each once."""
    first = tuple(terms)
    kept = edited(record, lambda term: None if term.text in first else term.text)
    return spf.joined((*first, *kept.split()[1:]))


def merged(records: Sequence[Record]) -> str:
    """Several records as one: every mechanism once, the milder end, and no wider than any of them.

    A ``redirect=`` becomes an include, since it would end the others; ``+all`` and ``?all`` become ``~all``.
    """
    terms: dict[str, None] = {}
    ends = set()
    for record in records:
        for term in record.mechanisms:
            if term.name == "all":
                ends.add(term.qualifier)
            else:
                terms[term.text.removeprefix("+")] = None
        if record.all is None and (redirect := record.first("redirect")):
            terms[f"include:{redirect.spec}"] = None
    explanation = next((told.text for record in records if (told := record.first("exp"))), "")
    end = "-all" if ends == {"-"} else _SOFT
    return spf.joined((*terms, end, *((explanation,) if explanation else ())))


def corrected(record: Record) -> str:
    """The record as it was probably meant; empty where one of its mistakes is none that can be told."""
    text = _PARTED.sub(r"\1", record.text)
    record = spf.parse(text)
    for problem in sorted(record.problems, key=lambda problem: -problem.at):
        end = problem.at + problem.length
        term = meant(text[problem.at : end])
        if not term:
            return ""
        text = text[: problem.at] + term + text[end:]
    return "" if spf.parse(text).problems else text


def continued(record: Record, values: Iterable[str]) -> str:
    """A record that just stops, with its end, which is a TXT value of its own; empty where there is none."""
    for value in values:
        rest = spf.parse(spf.joined((value,)))
        if rest.all is not None and rest.all.qualifier in {"~", "-"} and not spf.is_record(value):
            # It may be cut in the middle of a term, too.
            joined = (f"{record.text}{glue}{value}" for glue in (" ", ""))
            return next((whole for whole in joined if not spf.parse(whole).problems), "")
    return ""


def unassigned(record: Record) -> str:
    """The record with its mechanisms that were written as modifiers; empty where that makes no record."""

    def colon(term: Term) -> str | None:
        if term.qualifier or term.name not in MISTAKEN:
            return term.text
        return None if term.name == "v" else term.text.replace("=", ":", 1)

    text = edited(record, colon)
    return "" if spf.parse(text).problems else text


def to_drop(costs: Sequence[Cost], most: int) -> list[Cost]:
    """The fewest terms to take away so that the rest costs no more than `most`, the cheapest that do."""
    excess = sum(cost.count for cost in costs) - most
    ranked = sorted(costs, key=lambda cost: cost.count)
    alone = next((cost for cost in ranked if cost.count >= excess), None)
    if alone is not None:
        return [alone]
    dropped: list[Cost] = []
    for cost in reversed(ranked):
        if excess <= 0:
            break
        dropped.append(cost)
        excess -= cost.count
    return dropped


def unglued(text: str, lengths: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """The text with a space where two strings were glued, and the places (counted from 0) of the seams."""
    seams: list[int] = []
    at = 0
    for length in lengths[:-1]:
        at += length
        if 0 < at < len(text) and _BEGINS_TERM.match(text, at) and _two_terms(text, at):
            seams.append(at)
    starts = [0, *seams]
    ends = [*seams, len(text)]
    return " ".join(text[start:end] for start, end in zip(starts, ends, strict=True)), tuple(seams)


def _two_terms(text: str, at: int) -> bool:
    """Whether the word around a place is two terms rather than one (an IPv6 address may hold ``a:``)."""
    start, end = text.rfind(" ", 0, at) + 1, text.find(" ", at)
    end = len(text) if end < 0 else end
    if start >= at or not (_parses(text[start:at]) and _parses(text[at:end])):
        return False
    whole = spf.parse(spf.joined((text[start:end],)))
    return bool(whole.problems) or whole.terms[0].network is None


def decoded(text: str) -> str:
    """A TXT value, one character a byte, as its author saw it."""
    data = text.encode("latin-1", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return text


def strange(text: str) -> tuple[str, str] | None:
    """The first character that is not visible ASCII or a space: itself, and its name."""
    if text.isascii() and text.isprintable():
        return None
    for char in decoded(text):
        if not " " <= char <= "~":
            return char, unicodedata.name(char, f"byte {ord(char):02X} hex" if ord(char) < 256 else "unnamed")
    return None


def plain(text: str) -> str:
    """The text with dashes, quotes and spaces of a word processor made plain, and names in A-labels.

    Empty if that is not enough.
    """
    told = "".join(_PLAIN.get(char, char) for char in decoded(text))
    told = told if told.isascii() else " ".join(map(_with_labels, told[:_LONGEST].split(" ")))
    return told if told.isascii() and told.isprintable() else ""


def _with_labels(term: str) -> str:
    """The term with its name as DNS has it (RFC 5890 section 2.3.2.1)."""
    before, sign, name = term.rpartition("=" if term.startswith(("redirect=", "exp=")) else ":")
    try:
        return term if term.isascii() else f"{before}{sign}{hostname(name).name}"
    except ValueError:
        return term


def misspelt(text: str) -> str | None:
    """The record that a TXT value was meant to be; None where it was meant to be something else.

    Empty where it was meant to be SPF, but what it should say cannot be told.
    """
    told = " ".join("".join(_PLAIN.get(char, char) for char in decoded(text[:_LONGEST])).split())
    begins = _NEARLY.match(told)
    found = begins or _WITHIN.search(told)
    if found is None or told.lower().startswith("spf2.0/"):
        return None
    meant = f"v=spf1 {told[found.end() :]}".strip()
    record = spf.parse(meant)
    if not begins:
        return None if record.problems else meant
    return corrected(record) if meant.isascii() else ""


def why_passed_over(text: str) -> str:
    """Why a TXT value that was meant as SPF does not count."""
    told = decoded(text)
    if told[:1].isspace():
        return "the record begins with a space"
    if told[:1] in "\"'":
        return "the record holds the quotes that were typed around it"
    if found := strange(text):
        return f"the record holds {found[1]}"
    return "the record does not begin with v=spf1 and a space"


_NAMES = ("include", "exists", "ip4", "ip6", "all")
_WORD = re.compile(r"([^:;=]*)[:;=]*(.*)", re.DOTALL)


def meant(text: str) -> str:
    """The term that a malformed one was probably meant to be: the mistakes that are really published.

    Empty where that cannot be told.
    """
    qualifier = text[:1] if text[:1] in {"+", "-", "~", "?"} else ""
    bare = text.lstrip("+-~?")
    name, _, value = bare.partition(":")
    found = next((term for term in _guesses(name.lower(), value, bare) if term and _parses(term)), "")
    if not found or found.startswith(("redirect=", "exp=")):
        return found
    return " ".join(term if term[0] in "+-~?" else f"{qualifier}{term}" for term in found.split())


def _guesses(name: str, value: str, bare: str) -> Iterator[str]:
    if _DOTTED_QUAD.match(value) and name in {"a", "mx", "include", "ip", "ipv4", "ip6", "ipv6"}:
        yield f"ip4:{value}"
    if _DOTTED_QUAD.match(bare):
        yield f"ip4:{bare}"
    if name in {"ip4", "ip", "ipv6"}:
        yield f"ip6:{value}"
    if name in {"ip4", "ipv4"} and (port := _WITH_PORT.match(value)):
        yield f"ip4:{port[1]}"
    if name in {"ip4", "ipv4"} and (masked := _MASKED.match(value)) and (length := _prefix(masked[2])):
        yield f"ip4:{masked[1]}/{length}"
    if name in {"redirect", "exp"}:
        yield f"{name}={value}"
    if value.lower().startswith(("http://", "https://")):
        yield f"{name}:{value.split('/')[2]}"
    if bare[-1:] in {",", ";", "."}:
        yield bare.rstrip(",;.")
    if name in {"ip4", "ip6", "ip"} and value.rpartition(".")[2].isalpha():
        yield f"a:{value}"
    yield " ".join(_listed(bare))
    yield from _renamed(bare)


def _listed(bare: str) -> Iterator[str]:
    """The terms of a list with commas; what names no mechanism is for the one before it."""
    name = ""
    for part in filter(None, _BETWEEN.split(bare)):
        term = part if _parses(part) else f"{name}:{part}"
        name = term.partition(":")[0]
        yield term


def _prefix(mask: str) -> int:
    """The prefix length that a netmask stands for; 0 where it is none."""
    try:
        return ipaddress.IPv4Network((0, mask)).prefixlen
    except ValueError:
        return 0


def _renamed(bare: str) -> Iterator[str]:
    """The term under the mechanism's name that was meant: ``inculde:``, ``include;``, ``alll``."""
    word, value = _WORD.fullmatch(bare).groups()  # type: ignore[union-attr]  # it matches every string
    known = meant_word(word.translate(_DIGITS), ("include", "exists", "all")) or meant_word(word, _NAMES)
    if value and known:
        yield f"{known}:{value}"
    elif known == "all":
        yield known


def _parses(term: str) -> bool:
    return not spf.parse(spf.joined((term,))).problems
