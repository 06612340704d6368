"""What only shows when all areas of a domain are looked at together.

One fact is told once: a domain that does not exist has no seven defects, and where nothing at all is
answered, one question about the root tells whether it is the resolver or the domain that is silent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from probe.facts import ROOT, Answer, Question, Records, Status
from probe.rules import Cause, Finding, Rule, Source, Verdict

__all__ = ["RULES", "mute", "silence", "told_once"]

_NO_DOMAIN = ("mx/no-such-domain", "spf/no-domain")
_ENOUGH = 4  # questions that all fail before anybody draws a conclusion
_FILTERED = frozenset({Status.REFUSED, Status.NOTIMP, Status.FORMERR, Status.TIMEOUT, Status.TRUNCATED})
_RCODES = Source("https://www.rfc-editor.org/rfc/rfc1035#section-4.1.1", "rfc", "2026-11-21")

RESOLVER = Rule(
    id="dns/resolver-silent",
    verdict=Verdict.UNKNOWN,
    cause=Cause.UNKNOWN,
    title="The resolver answers nothing",
    meaning="Not even a question about the root was answered: this tells of the resolver or the network in "
    "between, and nothing of the domain.",
    fix="Ask another resolver (--resolver ADDRESS), or over HTTPS where port 53 is filtered "
    "(--resolver https://HOST/dns-query).",
    dont="Conclude anything about the domain from this run.",
    source=_RCODES,
)
DOMAIN = Rule(
    id="dns/domain-silent",
    verdict=Verdict.UNKNOWN,
    cause=Cause.UNKNOWN,
    title="Nothing about this domain is answered",
    meaning="The resolver answers other questions. The domain's name servers are down or refuse, its "
    "delegation leads nowhere, or its DNSSEC signatures do not verify: then receivers see the same.",
    fix="Ask the name servers themselves: dig +trace DOMAIN, and dig +cd DOMAIN to leave DNSSEC out.",
    dont="Take what is unknown here for missing.",
    source=_RCODES,
)
TYPE = Rule(
    id="dns/type-refused",
    verdict=Verdict.UNKNOWN,
    cause=Cause.UNKNOWN,
    title="No question for this type of record is answered",
    meaning="Other types are answered and this one is not: a firewall, the resolver or the domain's servers "
    "filter it.",
    fix="Ask another resolver (--resolver ADDRESS), or over HTTPS (--resolver https://HOST/dns-query).",
    dont="Take what is unknown here for missing.",
    source=_RCODES,
)
RULES = (RESOLVER, DOMAIN, TYPE)


def told_once(name: str, seen: Records, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings; where the domain does not exist, without those that only repeat it."""
    everything = tuple(findings)
    first = next((finding for finding in everything if finding.rule.id in _NO_DOMAIN), None)
    answers = (seen.asked(name, kind) for kind in ("MX", "TXT"))
    if first is None or not any(answer and answer.status is Status.NXDOMAIN for answer in answers):
        return everything
    return tuple(finding for finding in everything if finding is first or not _repeats(name, finding))


def _repeats(name: str, finding: Finding) -> bool:
    """Whether a finding stands on a question at or below the name; what could not be told stays."""
    asked = finding.evidence.get("question", "").partition(" ")[0]
    return finding.verdict is not Verdict.UNKNOWN and (asked == name or asked.endswith(f".{name}"))


def _lookups(seen: Records) -> Iterator[tuple[Question, Answer]]:
    """What a resolver was asked, and its answers."""
    for question, answer in seen.answers.items():
        if "@" not in question.type and "://" not in question.name and answer.status is not Status.SKIPPED:
            yield question, answer


def _parted(name: str, seen: Records) -> tuple[dict[Question, Answer], dict[Question, Answer]]:
    """What resolvers were asked about the domain, and about anything else."""
    mine: dict[Question, Answer] = {}
    others: dict[Question, Answer] = {}
    for question, answer in _lookups(seen):
        below = question.name == name or question.name.endswith(f".{name}")
        (mine if below else others)[question] = answer
    return mine, others


def mute(name: str, seen: Records) -> bool:
    """Whether enough was asked and nothing at all was answered, so that `ROOT` should be asked too."""
    return not any(answer.known for _, answer in _lookups(seen)) and len(_parted(name, seen)[0]) >= _ENOUGH


def silence(name: str, seen: Records) -> Iterator[Finding]:
    """Who it is that does not answer: the resolver, the domain, or a filter of one type of record."""
    if all(status.known for status in {answer.status for answer in seen.answers.values()}):
        return
    mine, others = _parted(name, seen)
    answered = any(answer.known for answer in others.values())
    if len(mine) >= _ENOUGH and not any(answer.known for answer in mine.values()):
        if answered or ROOT in others:
            yield _finding(DOMAIN if answered else RESOLVER, mine)
        return
    for kind in dict.fromkeys(question.type for question in mine):
        asked = {question: answer for question, answer in mine.items() if question.type == kind}
        if len(asked) >= _ENOUGH and all(answer.status in _FILTERED for answer in asked.values()):
            yield _finding(TYPE, asked, kind)


def _finding(rule: Rule, asked: Mapping[Question, Answer], kind: str = "") -> Finding:
    counted = Counter(answer.status for answer in asked.values())
    status = max(counted, key=lambda status: (counted[status], status))
    question, answer = next(
        (question, answer) for question, answer in asked.items() if answer.status is status
    )
    told = {"question": str(question), "status": str(status), "server": answer.server}
    ways = ", ".join(f"{count} {status}" for status, count in sorted(counted.items()))
    words = f" ({answer.detail})" if answer.detail else ""
    return Finding(rule, told, f"{len(asked)} {kind or 'DNS'} questions: {ways}{words}")
