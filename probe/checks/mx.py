"""MX: where mail for the domain goes, and with it every reply, bounce and complaint a sender provokes.

RFC 5321 section 5.1 (MX, implicit MX), RFC 7505 (null MX), RFC 2181 section 10.3 (no CNAME behind MX).
"""

from __future__ import annotations

import functools
import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from probe.checks import Domain, Judgement
from probe.checks import _mx_rules as rules
from probe.checks._dkim_search import caution
from probe.checks._evidence import (
    address_questions,
    addresses,
    evidence,
    failures,
    nonexistent,
    pasted,
    printable,
    routable,
    seen_answer,
    state,
    unknown,
    zone_line,
)
from probe.checks._mx_rules import FOLLOWED, RULES
from probe.checks._providers import recognise
from probe.checks._spf_result import sends_nothing
from probe.checks._sts_policy import leaves_out, policy_question
from probe.facts import Answer, Question, Records, Status
from probe.grammar.rdns import is_hostname
from probe.rules import Finding, Rule, State

__all__ = [
    "FOLLOWED",
    "RULES",
    "Exchange",
    "ask",
    "exchanges",
    "hosts",
    "implicit",
    "judge",
    "null",
    "silent",
]


# What a name without its final dot in a zone file comes to.
_NO_DOT = "A final dot is missing, so the name of the zone was added to the host. Write"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One MX record: its preference and its host, without final dot (empty: the null MX)."""

    preference: int
    host: str

    def __str__(self) -> str:
        return f"{self.preference} {self.host or '.'}"

    @property
    def literal(self) -> bool:
        """Whether the host is an IP address."""
        return _is_address(self.host)


def _is_address(text: str) -> bool:
    if ":" not in text and not text[-1:].isdigit():
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class _Read(NamedTuple):
    """What MX values say: all records, most preferred first; their host names, each once; the null MX."""

    exchanges: tuple[Exchange, ...]
    hosts: tuple[str, ...]
    null: bool


@functools.lru_cache(maxsize=1024)
def _read(values: tuple[str, ...]) -> _Read:
    found = []
    for value in values:
        preference, _, host = value.partition(" ")
        if preference.isascii() and preference.isdigit() and len(preference) < 6:
            found.append((int(preference), host.strip().removesuffix(".").lower()))
    read = tuple([Exchange(preference, host) for preference, host in sorted(found)])
    named = dict.fromkeys([each.host for each in read if each.host and not each.literal])
    return _Read(read, tuple(named), bool(read) and not any(each.host for each in read))


def exchanges(domain: str, seen: Records) -> tuple[Exchange, ...]:
    """All MX records of a domain, most preferred first; empty where there are none or nothing is known."""
    return _read(seen.of(domain, "MX")).exchanges


def hosts(domain: str, seen: Records) -> tuple[str, ...]:
    """The host names among them, each once."""
    return _read(seen.of(domain, "MX")).hosts


def null(domain: str, seen: Records) -> bool:
    """Whether the domain says, with a null MX and nothing else, that it accepts no mail (RFC 7505)."""
    return _read(seen.of(domain, "MX")).null


def implicit(domain: str, seen: Records) -> bool:
    """Whether a domain is known to have no MX record, so that its address takes its mail, if it has one.

    Not one that does not exist (RFC 5321 section 5.1).
    """
    answer = seen.asked(domain, "MX")
    if answer is None or not answer.known or answer.values:
        return False
    return answer.status is Status.NODATA or not nonexistent(seen, domain)


def _followed(domain: str, seen: Records) -> list[str]:
    """The host names whose addresses are asked for, most preferred first, each once."""
    return [host for host in hosts(domain, seen) if host != "localhost"][:FOLLOWED]


def ask(domain: Domain, seen: Records) -> list[Question]:
    """The MX records, then the addresses of the hosts they name; without MX, the domain's own."""
    asked = [question := Question(domain.name, "MX")]
    if question not in seen.answers:
        return asked
    followed = _followed(domain.name, seen)
    alone = implicit(domain.name, seen)
    if alone or null(domain.name, seen):
        asked.append(Question(domain.name, "TXT"))
    if alone:
        followed = [domain.name]
    asked += chain.from_iterable(map(address_questions, followed))
    return asked


def judge(domain: Domain, seen: Records) -> Judgement:
    """Where mail goes; ``evaluation`` names every host followed with its addresses."""
    question = Question(domain.name, "MX")
    answer = seen_answer(seen, question)
    if not answer.known:
        return Judgement(State.UNKNOWN, (unknown(rules.UNKNOWN, seen, question),))
    found = exchanges(domain.name, seen)
    if found and not null(domain.name, seen):
        followed = _followed(domain.name, seen)
        reached = {host: addresses(seen, host) for host in followed}
        return _judged(_Published(domain.name, question, answer, found, reached, seen))
    fact = evidence(question, answer, "; ".join(answer.values[:FOLLOWED]))
    if answer.status is Status.NXDOMAIN and nonexistent(seen, domain.name):
        return Judgement(State.MISSING, (Finding(rules.NO_DOMAIN, fact, domain.name),))
    if not found:
        return _implicit(domain, seen, answer)
    told: Mapping[str, object] = {"null": True, "hosts": []}
    if silent(domain, seen):
        return Judgement(State.VALID, (Finding(rules.PARKED, fact),), told)
    return Judgement(State.WARN, (Finding(rules.NULL, fact),), told)


def silent(domain: Domain, seen: Records) -> bool:
    """Whether the domain says by SPF that it sends nothing, and nobody told otherwise."""
    told_otherwise = domain.sending_ips or domain.selectors or domain.mail_from
    return not told_otherwise and sends_nothing(seen.of(domain.name, "TXT"))


def _implicit(domain: Domain, seen: Records, answer: Answer) -> Judgement:
    """No MX record: the domain's own address takes its mail, if there is one."""
    asked = address_questions(domain.name)
    own = addresses(seen, domain.name)
    if not own and (unanswered := failures(seen, asked)):
        return Judgement(State.UNKNOWN, (unknown(rules.UNKNOWN, seen, unanswered[0]),))
    evaluation = {"null": False, "hosts": [], "implicit": own} if own else None
    detail = ", ".join(own) or domain.name
    if silent(domain, seen):
        fact = evidence(Question(domain.name, "MX"), answer)
        finding = Finding(rules.NULL_MISSING, fact, detail, _first(domain.name, answer, seen, "0 ."))
        return Judgement(State.VALID if own else State.MISSING, (finding,), evaluation)
    if not own:
        fact, fix = evidence(Question(domain.name, "MX"), answer), _first(domain.name, answer, seen)
        return Judgement(State.MISSING, (Finding(rules.NONE, fact, detail, fix),))
    told = evidence(asked[0], seen_answer(seen, asked[0]), detail)
    inside = not any(map(routable, own))
    fix = _first(domain.name, answer, seen, "" if inside else f"10 {domain.name}.")
    findings = [Finding(rules.IMPLICIT, told, detail, fix)]
    if inside:
        findings.append(Finding(rules.PRIVATE, told, detail))
    return Judgement(State.WARN, tuple(findings), evaluation)


def _first(domain: str, answer: Answer, seen: Records, value: str = "") -> str:
    """The first MX record of a name that has none; beside an alias nothing may stand."""
    if not answer.aliases:
        return (
            "\n".join(filter(None, (zone_line(domain, "MX", value), caution(domain, seen)))) if value else ""
        )
    return (
        f"{domain} is an alias of {printable(answer.aliases[-1])}, and no MX record may stand beside it: "
        "put address records in its place first."
    )


@dataclass(frozen=True, slots=True)
class _Published:
    """The MX records of a domain, the answer they came in, and the hosts `reached` with their addresses."""

    domain: str
    question: Question
    answer: Answer
    found: tuple[Exchange, ...]
    reached: Mapping[str, list[str]]
    seen: Records

    def told(self, rule: Rule, detail: str, *records: Exchange, fix: str = "") -> Finding:
        record = "; ".join(str(each) for each in (records or self.found)[:FOLLOWED])
        return Finding(rule, evidence(self.question, self.answer, record), detail, fix)

    def record(self, value: str) -> str:
        """An MX record to publish."""
        return pasted(self.question, self.answer, value)

    def moved(self, preference: int, host: str) -> str:
        """An MX record that names another host, and what has to come before it."""
        line = self.record(f"{preference} {host}.")
        if not leaves_out(self.domain, host, self.seen):
            return line
        place = policy_question(self.domain).name
        return f"First add mx: {printable(host)} to {place} and give its record a new id; then:\n{line}"

    def named(self, preference: int, address: str) -> str:
        """A name for the server at an address, and an MX record for it; empty where nobody gets there."""
        if not routable(address):
            return ""
        server = f"mail.{self.domain}"
        line = zone_line(server, "AAAA" if ":" in address else "A", address)
        return f"{line}\n{self.moved(preference, server)}"

    def meant(self, exchange: Exchange) -> str:
        """The fix for a host to which a zone file added the name of the zone; empty where it did not."""
        labels = self.domain.split(".")
        for origin in (".".join(labels[at:]) for at in range(len(labels) - 1)):
            meant = exchange.host.removesuffix(f".{origin}")
            if meant == exchange.host:
                continue
            if _is_address(meant):
                return self.named(exchange.preference, meant)
            if f".{meant}".endswith(f".{origin}") or recognise((meant,)) is not None:
                return f"{_NO_DOT}:\n{self.moved(exchange.preference, meant)}"
        return ""

    def findings(self) -> Iterator[Finding]:
        preferred = {each.host: each for each in reversed(self.found)}
        yield from self._records()
        for host, found in self.reached.items():
            yield from _host(self, preferred[host], found)
        yield from self._together()
        whose = _owners(tuple(self.reached))
        if len(whose) > 1:
            yield self.told(rules.MIXED, " and ".join(whose))

    def _records(self) -> Iterator[Finding]:
        """What the records alone say."""
        named = [each for each in self.found if each.host]
        if len(named) < len(self.found):
            lines = [self.record(f"{each}.") for each in named[:FOLLOWED]]
            yield self.told(rules.NULL_AND_OTHERS, f"0 . beside {len(named)} more", fix="\n".join(lines))
        different = {each.host for each in named}
        if len(different) < len(named):
            yield from self._repeated(named)
        for each in named[:FOLLOWED]:
            if each.literal:
                yield self.told(rules.LITERAL, each.host, each, fix=self.named(each.preference, each.host))
            elif each.host == "localhost":
                yield self.told(rules.PRIVATE, each.host, each)
        if len(different) > FOLLOWED:
            yield self.told(rules.MANY, f"{len(different)} hosts, {FOLLOWED} followed")

    def _repeated(self, named: Sequence[Exchange]) -> Iterator[Finding]:
        for host, times in Counter(each.host for each in named).items():
            if times > 1:
                records = (each for each in named if each.host == host)
                yield self.told(rules.DUPLICATE, f"{printable(host)}, {times} times", *records)

    def _together(self) -> Iterator[Finding]:
        """What no single host says: whether mail arrives at all, and over IPv4."""
        reached = [each for found in self.reached.values() for each in found if routable(each)]
        if any(":" not in address for address in reached):
            return
        asked = chain.from_iterable(map(address_questions, self.reached))
        if failures(self.seen, asked) or len({each.host for each in self.found}) > FOLLOWED:
            return
        if not reached:
            yield self.told(rules.UNREACHABLE, self.domain)
        else:
            yield self.told(rules.IPV6_ONLY, ", ".join(reached[:4]))


@functools.lru_cache(maxsize=1024)
def _owners(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the providers that some hosts belong to, as far as mail also leaves through them."""
    told = [provider for host in hosts if (provider := recognise((host,))) is not None]
    return tuple(sorted({provider.name for provider in told if provider.sends}))


def _judged(published: _Published) -> Judgement:
    """The MX records there are, with the addresses of their hosts."""
    findings = tuple(published.findings())
    reached, seen = published.reached, published.seen
    hosts = [
        {
            "preference": each.preference,
            "host": printable(each.host),
            "addresses": reached[each.host] if each.host in reached else addresses(seen, each.host),
        }
        for each in published.found[:FOLLOWED]
    ]
    told = {"null": False, "count": len(published.found), "hosts": hosts}
    return Judgement(state(findings), findings, told)


def _host(published: _Published, exchange: Exchange, found: Sequence[str]) -> Iterator[Finding]:
    """What is wrong with one MX host that has these addresses."""
    host, seen = exchange.host, published.seen
    asked = address_questions(host)
    first, second = seen_answer(seen, asked[0]), seen_answer(seen, asked[1])
    if not is_hostname(host):
        yield Finding(rules.BAD_NAME, evidence(published.question, published.answer, host), printable(host))
    aliases = first.aliases or second.aliases
    shown = f"{printable(host)} is an alias of {printable(aliases[-1])}" if aliases else printable(host)
    if aliases and found:  # to the end of one that leads nowhere no MX is to be moved
        fix = published.moved(exchange.preference, aliases[-1])
        yield Finding(rules.CNAME, evidence(asked[0], first, aliases[-1]), shown, fix)
    if found:
        if not all(map(routable, found)):
            inside = ", ".join([address for address in found if not routable(address)])
            yield Finding(rules.PRIVATE, evidence(asked[0], first, inside), f"{printable(host)}: {inside}")
    elif failed := failures(seen, asked):
        yield unknown(rules.UNKNOWN, seen, failed[0])
    else:
        fix = published.meant(exchange)
        yield Finding(rules.NO_ADDRESS, evidence(asked[0], first), shown, fix)
