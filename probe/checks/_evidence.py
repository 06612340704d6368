"""From answers to evidence: what every check in this folder says about the facts it stands on.

A question that failed, or was never asked because the budget was spent, is *unknown*; nobody in this
folder may read it as an absence.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping

from probe.facts import Answer, Question, Records, Status, escape
from probe.rules import Cause, Finding, Priority, Rule, Source, State, Verdict, worst

__all__ = [
    "LONGEST_FIX",
    "READ",
    "address_questions",
    "addresses",
    "evidence",
    "failures",
    "keep",
    "nonexistent",
    "pasted",
    "printable",
    "problem",
    "question_of",
    "rfc",
    "routable",
    "seen_answer",
    "state",
    "unknown",
    "unknown_rule",
    "zone_line",
]

READ = "2026-11-21"

LONGEST_FIX = 4096  # bytes of a record to paste; nobody pastes more, so the rule's own words remain
_LONGEST = 2000
_STRING = 255  # bytes of a string in a TXT record
# What may not stand in a quoted string as it is: quotes, backslashes, and bytes that nobody can see.
_ESCAPED = {
    **{byte: f"\\{byte:03d}" for byte in range(256) if not 0x20 <= byte < 0x7F},
    **{ord(char): f"\\{char}" for char in '"\\'},
}
_CAUSES = {Verdict.NOTE: Cause.SUCCESS, Verdict.UNKNOWN: Cause.UNKNOWN}
_NOT_ASKED = Answer(Status.SKIPPED, detail="the budget of questions or time was spent")
_STATES = {Verdict.FAIL: State.INVALID, Verdict.UNKNOWN: State.UNKNOWN, Verdict.WARN: State.WARN}

# Addresses that examples and tests use in place of public ones (RFC 5737, RFC 3849): they are treated as
# what they stand for.
_DOCUMENTATION = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def rfc(number: int, section: str = "") -> Source:
    """The source of a rule that an RFC states."""
    return Source(
        f"https://www.rfc-editor.org/rfc/rfc{number}" + (f"#section-{section}" if section else ""),
        "rfc",
        READ,
    )


def seen_answer(seen: Records, question: Question) -> Answer:
    """The answer to a question; one that was not asked has the status *skipped*."""
    return seen.answers.get(question, _NOT_ASKED)


def nonexistent(seen: Records, name: str) -> bool:
    """Whether DNS says that a name does not exist (RFC 8020), and nothing that was seen contradicts it.

    Broken servers and filters in between say NXDOMAIN for one type of record and answer another.
    """
    own = [answer for question, answer in seen.answers.items() if question.name == name]
    denied = any(answer.status is Status.NXDOMAIN and not answer.aliases for answer in own)
    return denied and not any(answer.status is Status.OK for answer in own)


def printable(value: str) -> str:
    """A value of somebody else's zone as text that is safe to print and bounded.

    TXT values hold one character a byte; UTF-8 in them becomes readable again.
    """
    if value.isascii() and value.isprintable():
        return value[:_LONGEST]
    return escape(value[:_LONGEST].encode("latin-1", "replace"))


def evidence(question: Question, answer: Answer, record: str = "") -> Mapping[str, str]:
    """The fact behind a finding: ``question``, ``status``, ``server`` and ``record`` where there is one."""
    told = {"question": printable(str(question)), "status": str(answer.status)}
    if answer.server:
        told["server"] = answer.server
    if record:
        told["record"] = printable(record)
    return told


def question_of(finding: Finding) -> Question:
    """The question behind a finding: what `evidence` was made of. The type is the last word."""
    name, _, kind = finding.evidence["question"].rpartition(" ")
    return Question(name, kind)


def failures(seen: Records, questions: Iterable[Question]) -> list[Question]:
    """Those of some questions that nothing may be concluded from."""
    answer = seen.answers.get
    return [question for question in questions if not answer(question, _NOT_ASKED).known]


def problem(
    *,
    id: str,
    verdict: Verdict,
    title: str,
    meaning: str,
    fix: str,
    source: Source,
    cause: Cause = Cause.SENDER_DNS,
    dont: str = "",
    predicts: tuple[str, ...] = (),
) -> Rule:
    """A rule about what is published, no more urgent than its verdict.

    What works today (*warn*) refuses no mail and is to be fixed soon. A note asks nothing of anybody, and
    nothing follows from a lookup that failed: so `cause` holds for *warn* and *fail* only.
    """
    warning = verdict is Verdict.WARN
    return Rule(
        id=id,
        verdict=verdict,
        cause=_CAUSES.get(verdict, cause),
        title=title,
        meaning=meaning,
        fix=fix,
        source=source,
        dont=dont,
        permanent=False if warning else None,
        priority=Priority.FIX_SOON if warning else None,
        predicts=predicts,
    )


def unknown_rule(area: str, about: str, source: Source) -> Rule:
    """The rule for a lookup that failed: it says nothing about the domain (``<area>/unknown``)."""
    return problem(
        id=f"{area}/unknown",
        verdict=Verdict.UNKNOWN,
        title=f"{about} could not be looked up",
        meaning="The question was not answered, so this says nothing about what is published.",
        fix="Ask again, or ask another resolver (--resolver); if it stays so, look at the name servers.",
        dont="Change records because of this: a failed lookup is not a missing record.",
        source=source,
    )


def unknown(rule: Rule, seen: Records, question: Question) -> Finding:
    """The finding for one failed lookup: question, status and the resolver's words."""
    answer = seen_answer(seen, question)
    words = f": {printable(answer.detail)}" if answer.detail else ""
    return Finding(rule, evidence(question, answer), f"{printable(str(question))}: {answer.status}{words}")


@functools.lru_cache(maxsize=4096)
def address_questions(host: str) -> tuple[Question, Question]:
    """The questions for the addresses of a host, IPv4 first; the hosts of a provider serve many domains."""
    return Question(host, "A"), Question(host, "AAAA")


def addresses(seen: Records, host: str) -> list[str]:
    """The addresses of a host, IPv4 first; empty where there are none or nothing is known."""
    return [printable(address) for kind in ("A", "AAAA") for address in seen.of(host, kind)]


def state(findings: Iterable[Finding]) -> State:
    """The state of an area that is published: what its worst finding says."""
    return _STATES.get(worst([finding.rule.verdict for finding in findings]), State.VALID)


@functools.lru_cache(maxsize=4096)
def routable(address: str) -> bool:
    """Whether an address can be reached from the Internet (the IANA special-purpose registries say so)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(parsed in network for network in _DOCUMENTATION if network.version == parsed.version):
        return True
    return parsed.is_global and not parsed.is_multicast


def zone_line(name: str, kind: str, value: str) -> str:
    """A record as a line of a zone file, ready to paste and safe to print (RFC 1035 section 5.1)."""
    if kind == "TXT":
        return f"{printable(name)}. IN TXT {_strings(value)}"
    return printable(f"{name}. IN {kind} {value}")


def pasted(question: Question, answer: Answer, text: str, words: str = "") -> str:
    """The fix that publishes a record where the answer to a question came from, after `words`.

    Nothing may stand beside an alias (RFC 1034 section 3.6.2): the record belongs at its end, and that is
    the business of whoever owns it.
    """
    if not answer.aliases:
        return words + zone_line(question.name, question.type, text)
    owned = printable(answer.aliases[-1])
    line = zone_line(owned, question.type, text)
    return f"At {owned}, by its owner: {words[:1].lower()}{words[1:]}{line}"


def keep(question: Question, answer: Answer, text: str) -> str:
    """The fix for several TXT records where one may stand: which to keep; empty where it is too long."""
    if len(text) > LONGEST_FIX:
        return ""
    return pasted(question, answer, text, "Keep this one and remove the others:\n")


def _strings(text: str) -> str:
    """Text, one character a byte, in quoted strings of at most 255 bytes.

    A string ends with a space of its second half, if there is one: terms stay whole, and so does what
    holds no space, like a key.
    """
    strings = []
    while len(text) > _STRING:
        cut = text.rfind(" ", _STRING // 2, _STRING) + 1 or _STRING
        strings.append(text[:cut])
        text = text[cut:]
    return " ".join(f'"{each.translate(_ESCAPED)}"' for each in (*strings, text))
