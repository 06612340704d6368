"""DNSBL: whether the sending addresses and the domain are on block lists; asked only by option.

Each list proves first, at its test points, that it lists what it must and nothing it must not
(RFC 5782 section 5). A list that fails, refuses or is silent is *unknown*: neither listed nor clean.
"""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks import Domain, Judgement
from probe.checks._dnsbl_lists import BY_ZONE, LISTS, List, Meaning, dead, meanings, unlisted
from probe.checks._evidence import (
    evidence,
    printable,
    problem,
    rfc,
    routable,
    seen_answer,
    state,
)
from probe.checks._suffixes import organizational
from probe.facts import Question, Records, Status
from probe.grammar.rdns import reversed_address
from probe.rules import Cause, Finding, State, Verdict

__all__ = ["RULES", "ask", "judge"]

_ADDRESSES = 10
_OWN_LISTS = 10  # given as options
_SPAMHAUS = BY_ZONE["zen.spamhaus.org"].source

UNKNOWN = problem(
    id="dnsbl/unknown",
    verdict=Verdict.UNKNOWN,
    title="A block list did not answer",
    meaning="The list refused this resolver, failed at its own test points or was silent. That is neither a "
    "listing nor a clean bill.",
    fix="Ask through a resolver of your own (--resolver); public ones are refused by the large lists.",
    dont="Ask for removal because of an answer like 127.255.255.254: nothing is listed.",
    source=rfc(5782, "5"),
)
LISTED = problem(
    id="dnsbl/listed",
    verdict=Verdict.FAIL,
    cause=Cause.BLOCKLIST,
    title="A sending address is on a block list",
    meaning="Receivers that use the list refuse or hide its mail.",
    fix="Find and stop the cause first, then ask the list for removal.",
    dont="Move to another address before the cause is gone: the listing follows.",
    source=_SPAMHAUS,
    predicts=("550 5.7.1", "554 5.7.1"),
)
DOMAIN_LISTED = problem(
    id="dnsbl/domain-listed",
    verdict=Verdict.FAIL,
    cause=Cause.BLOCKLIST,
    title="The domain is on a block list",
    meaning="Mail from it or with links to it is refused or hidden, whichever address it leaves from.",
    fix="Find and stop the cause (a cracked site, a stolen inbox, unwanted mail), then ask for removal.",
    dont="Register a similar domain instead: new domains start with less trust than this one had.",
    source=_SPAMHAUS,
    predicts=("550 5.7.1", "554 5.7.1"),
)
POLICY = problem(
    id="dnsbl/policy",
    verdict=Verdict.WARN,
    cause=Cause.BLOCKLIST,
    title="The address is in a network from which no mail may leave directly",
    meaning="This is policy, not reputation: the network's owner, or the list, says that its users send "
    "through a server. Receivers refuse direct mail from there.",
    fix="Send through the provider's submission server; for a mail server with a fixed address ask the "
    "owner of the network, or the list, to take it out.",
    source=_SPAMHAUS,
    predicts=("550 5.7.1",),
)
WATCHED = problem(
    id="dnsbl/watched",
    verdict=Verdict.WARN,
    cause=Cause.REPUTATION,
    title="A list of suspects names the domain",
    meaning="It was seen in mail that nobody asked for, without being condemned; filters count it as one "
    "sign among others.",
    fix="Look at who receives this mail and whether they asked for it.",
    source=BY_ZONE["multi.uribl.com"].source,
)
DEAD_LIST = problem(
    id="dnsbl/dead-list",
    verdict=Verdict.NOTE,
    title="This list is not asked",
    meaning="It stopped, or lists what it should not; its answers are false alarms.",
    fix="Leave it out, here and in your own filters.",
    source=rfc(6471),
)

RULES = (UNKNOWN, LISTED, DOMAIN_LISTED, POLICY, WATCHED, DEAD_LIST)

# What a list of the table may say of what it lists.
_RULE_OF = {
    ("address", Meaning.LISTED): LISTED,
    ("address", Meaning.POLICY): POLICY,
    ("domain", Meaning.LISTED): DOMAIN_LISTED,
    ("domain", Meaning.WATCHED): WATCHED,
}


def _named(domain: Domain) -> list[str]:
    """The lists that the operator names, by the option ``dnsbl:<zone>``."""
    zones = (option.removeprefix("dnsbl:") for option in domain.options if option.startswith("dnsbl:"))
    return sorted({zone.strip().strip(".").lower() for zone in zones})[:_OWN_LISTS]


def _lists(domain: Domain) -> list[List]:
    """The lists to ask: those that were named, else with the option ``dnsbl`` those of the table."""
    if named := _named(domain):
        return [BY_ZONE.get(zone) or unlisted(zone) for zone in named if zone and not dead(zone)]
    return [each for each in LISTS if each.default and "dnsbl" in domain.options]


def _subjects(domain: Domain, asked: List) -> list[str]:
    """What is looked up in a list: the domain and its registration, or the addresses mail leaves from."""
    if asked.of == "domain":
        return list(dict.fromkeys((domain.name, organizational(domain.name))))
    addresses = [each for each in dict.fromkeys(domain.sending_ips) if routable(each)][:_ADDRESSES]
    return [each for each in addresses if asked.ipv6 or ":" not in each]


def _question(subject: str, asked: List) -> Question:
    label = subject if asked.of == "domain" else reversed_address(subject)
    return Question(f"{label}.{asked.zone}", "A")


def _health(asked: List) -> tuple[Question, Question]:
    return Question(f"{asked.listed}.{asked.zone}", "A"), Question(f"{asked.clean}.{asked.zone}", "A")


def _ill(asked: List, seen: Records) -> tuple[Question, str] | None:
    """Why a list cannot be believed in this run, with the question that shows it; None where it can."""
    must, must_not = _health(asked)
    listed, clean = seen_answer(seen, must), seen_answer(seen, must_not)
    for question, answer in ((must, listed), (must_not, clean)):
        if not answer.known:
            return question, f"{answer.status} at its test point {question.name}"
    if not listed.values:
        return must, f"its test point {must.name} is not listed: the list is empty, or does not answer here"
    for value in listed.values:
        for meaning, words in meanings(asked, value):
            if meaning is Meaning.REFUSED:
                return must, f"{value} at its test point: {words}"
    if clean.values:
        return must_not, f"it lists {must_not.name}, which no list may: it lists everything"
    return None


def ask(domain: Domain, seen: Records) -> Iterator[Question]:
    """The test points of each list first; the real question only where they answer as they must."""
    for asked in _lists(domain):
        subjects = _subjects(domain, asked)
        if not subjects:
            continue
        health = _health(asked)
        yield from health
        if all(question in seen for question in health) and _ill(asked, seen) is None:
            yield from (_question(subject, asked) for subject in subjects)


def judge(domain: Domain, seen: Records) -> Judgement:
    """One finding for each listing and for each list that could not tell."""
    findings: list[Finding] = []
    told: dict[str, dict[str, str]] = {}
    findings += (
        Finding(DEAD_LIST, {"question": zone, "record": why}, f"{printable(zone)}: {why}")
        for zone in _named(domain)
        if (why := dead(zone))
    )
    for asked in _lists(domain):
        subjects = _subjects(domain, asked)
        if not subjects:
            continue
        if (ill := _ill(asked, seen)) is not None:
            question, why = ill
            answer = seen_answer(seen, question)
            fact = evidence(question, answer, ", ".join(answer.values[:4]))
            findings.append(Finding(UNKNOWN, fact, f"{printable(asked.zone)}: {why}"))
            told[asked.zone] = dict.fromkeys(subjects, "unknown")
            continue
        told[asked.zone] = {}
        for subject in subjects:
            found = list(_answered(subject, asked, seen))
            findings += found
            told[asked.zone][subject] = found[0].rule.id.removeprefix("dnsbl/") if found else "not listed"
    if not told:
        return Judgement(State.NOT_APPLICABLE, tuple(findings))
    return Judgement(state(findings), tuple(findings), told)


def _answered(subject: str, asked: List, seen: Records) -> Iterator[Finding]:
    """What a healthy list says of one address or domain."""
    question = _question(subject, asked)
    answer = seen_answer(seen, question)
    fact = evidence(question, answer, ", ".join(answer.values[:8]))
    where = f"{subject} in {printable(asked.zone)}"
    if not answer.known:
        yield Finding(UNKNOWN, fact, f"{where}: {answer.status}")
        return
    said: dict[Meaning, list[str]] = {}
    if answer.status is Status.OK:
        for value in answer.values[:8]:
            for meaning, words in meanings(asked, value):
                said.setdefault(meaning, []).append(f"{printable(value)} {words}")
    if Meaning.REFUSED in said:
        yield Finding(UNKNOWN, fact, f"{where}: {'; '.join(said[Meaning.REFUSED])}")
        return
    for meaning, reasons in said.items():
        rule = _RULE_OF[asked.of, meaning]
        fix = f"{rule.fix.rstrip('.')}: {asked.look}" if asked.look else ""
        yield Finding(rule, fact, f"{where}: {'; '.join(reasons)}", fix)
