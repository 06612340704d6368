"""Many reports -> the few causes behind them: who shares a problem, and the smallest scope that covers it.

A rule says by its nature where it is mended: a password at one inbox, a record at one domain, a switch at
one tenant, a certificate at one host. What all inboxes of a domain or host share, and no other has, is
taken for that domain's or host's. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from probe import catalogue
from probe.checks._suffixes import organizational
from probe.facts import Ending, Stage, counted
from probe.rules import Cause, Finding, Report, Source, Verdict

__all__ = ["Group", "Problem", "Seen", "groups", "seen"]

MOST_SUBJECTS = 200  # that a group names
_WHOLE = 3  # inboxes of a domain, or of a host, that make "all of them" worth saying
_MANY = 4  # domains with one problem that are told together
_HOSTS = 3  # hosts that must be unreachable before it is our network

_SESSION = frozenset(map(str, (Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.TLS)))
_OURS = (str(Ending.UNREACHABLE), str(Ending.LOCAL))
_SHARED = frozenset({Cause.RECEIVER_UNAVAILABLE, Cause.RATE_LIMIT})
_SILENT = frozenset({"dns/resolver-silent", "dns/domain-silent"})
_LOOKUPS = ("session/submission-", "session/domain-")


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding in a few words; `scope` is where it is mended by its nature, `source` what says so.

    `fix` is what mends it here, `usual` what its rule says for every case, `application` the id of the OAuth
    application that the problem is with.
    """

    id: str
    verdict: Verdict
    title: str
    fix: str
    scope: str
    detail: str = ""
    cause: Cause = Cause.UNKNOWN
    source: Source | None = None
    usual: str = ""
    application: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """An inbox, or a domain (`inbox` is empty), as far as it matters to the others."""

    verdict: Verdict
    domain: str
    inbox: str = ""
    host: str = ""
    provider: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A problem and whom it concerns.

    `scope` is inbox, domain, tenant, host, provider, application or our network, `name` which of them (empty
    where each inbox stands for itself), `count` the inboxes concerned, `subjects` the first of them.
    """

    id: str
    verdict: Verdict
    scope: str
    name: str
    count: int
    subjects: tuple[str, ...]
    title: str
    fix: str
    cause: Cause
    source: Source | None

    def __str__(self) -> str:
        inboxes = counted(self.count, "inbox", "inboxes")
        each = "each on its own" if self.count > 1 else self.name
        where = each if self.scope == "inbox" else f"{self.scope} {self.name}".rstrip()
        return f"{inboxes}: {self.title} ({where})"


def seen(report: Report, *, host: str = "", provider: str = "") -> Seen:
    """A report in a few words; what it says of its domain is told by the domain's own report."""
    own = (finding for finding in report.findings if not finding.rule.id.startswith("preflight/domain-"))
    inbox = report.subject if report.kind != "dns" else ""
    domain = inbox.rpartition("@")[2].lower() if "@" in inbox else report.subject if not inbox else ""
    problems = tuple(_problem(one, inbox) for one in own if one.verdict.rank >= Verdict.WARN.rank)
    silent = tuple(one for one in problems if one.id in _SILENT)
    problems = silent or problems  # what could not be asked is told once, and not area by area
    return Seen(report.verdict, domain, inbox, host, provider, problems)


def _problem(finding: Finding, inbox: str) -> Problem:
    rule, scope = finding.rule, _scope(finding, inbox)
    return Problem(
        rule.id,
        rule.verdict,
        rule.title,
        finding.remedy,
        scope,
        finding.detail,
        rule.cause,
        rule.source,
        rule.fix,
        finding.evidence.get("application", ""),
    )


def _scope(finding: Finding, inbox: str) -> str:
    rule, evidence = finding.rule, finding.evidence
    if rule.id == "dns/resolver-silent":
        return "our network"
    if not inbox or rule.id.startswith(_LOOKUPS):
        return "domain"
    if rule.id.startswith("grant/client-"):
        return "application"
    if "tenant" in rule.id:
        return "tenant"
    if evidence.get("stage") in _SESSION:
        return "our network" if evidence.get("ending") in _OURS else "host"
    if rule.cause in _SHARED or rule.id == "preflight/host-braked":
        return "host"
    return "inbox"


# -- grouping --------------------------------------------------------------------------------------


def groups(everyone: Iterable[Seen]) -> tuple[Group, ...]:
    """The causes, the most urgent and the most common first."""
    fleet = tuple(everyone)
    inboxes = [one for one in fleet if one.inbox]
    by_problem: defaultdict[str, list[tuple[Seen, Problem]]] = defaultdict(list)
    for one in fleet:
        for problem in {problem.id: problem for problem in one.problems}.values():
            by_problem[problem.id].append((one, problem))
    found = [group for members in by_problem.values() for group in _split(members, inboxes)]
    return tuple(sorted(found, key=lambda one: (-one.verdict.rank, -one.count, one.id, one.name)))


_Members = Sequence[tuple[Seen, Problem]]


def _split(members: _Members, inboxes: Sequence[Seen]) -> Iterator[Group]:
    """One problem by the scope it has; what a larger scope covers is taken out of the smaller ones."""
    by_scope: defaultdict[str, list[tuple[Seen, Problem]]] = defaultdict(list)
    for one, problem in members:
        by_scope[problem.scope].append((one, problem))
    for scope, some in by_scope.items():
        yield from _BY_SCOPE[scope](some, inboxes)


def _inboxes_of(members: _Members, inboxes: Sequence[Seen]) -> dict[str, list[str]]:
    """The inboxes of each domain that members speak of."""
    found: dict[str, list[str]] = {one.domain: [] for one, _ in members}
    for one in inboxes:
        if one.domain in found:
            found[one.domain].append(one.inbox)
    return found


def _of_domains(members: _Members, inboxes: Sequence[Seen]) -> Iterator[Group]:
    yield from _each(
        _by(members, [one.domain for one, _ in members]), "domain", _inboxes_of(members, inboxes)
    )


def _of_tenants(members: _Members, _inboxes: Sequence[Seen]) -> Iterator[Group]:
    for name, some in _by(members, [organizational(one.domain) or one.domain for one, _ in members]).items():
        yield _group(some, "tenant", name)


def _of_applications(members: _Members, _inboxes: Sequence[Seen]) -> Iterator[Group]:
    for name, some in _by(members, [problem.application for _, problem in members]).items():
        yield _group(some, "application", name)


def _of_hosts(members: _Members, _inboxes: Sequence[Seen]) -> Iterator[Group]:
    hosts: defaultdict[str, set[str]] = defaultdict(set)
    for one, _ in members:
        hosts[one.provider].add(one.host)
    whole = {name for name, some in hosts.items() if name and len(some) > 1}
    units = [one.provider if one.provider in whole else one.host for one, _ in members]
    for name, some in _by(members, units).items():
        yield _group(some, "provider" if name in whole else "host", name)


def _of_network(members: _Members, inboxes: Sequence[Seen]) -> Iterator[Group]:
    touched = {one.host for one, _ in members if one.inbox}
    if touched and len(touched) < min(_HOSTS, len({one.host for one in inboxes if one.host})):
        yield from _of_hosts(members, inboxes)
        return
    domains = [member for member in members if not member[0].inbox]
    told = [one.inbox for one, _ in members if one.inbox]
    told += [inbox for some in _inboxes_of(domains, inboxes).values() for inbox in some]
    yield _group(members, "our network", "", list(dict.fromkeys(told)))


def _of_inboxes(members: _Members, inboxes: Sequence[Seen]) -> Iterator[Group]:
    """What all inboxes of a host of several domains, or of a domain, share is the host's or the domain's.

    Not of a domain where everybody can have an inbox, nor a wrong password of a provider's host: those there
    have nothing else in common.
    """
    left = list(members)
    wrong = members[0][1].cause is Cause.CREDENTIALS
    public = {one.host for one in inboxes if one.provider and wrong}
    units = {
        "host": {host for host, domains in _domains(inboxes).items() if domains > 1} - public,
        "domain": {one.domain for one in inboxes if not catalogue.provider_of_domain(one.domain)} - {""},
    }
    for scope, names in units.items():
        total = Counter(getattr(one, scope) for one in inboxes)
        named = _by(left, [getattr(one, scope) for one, _ in left]).items()
        whole = {name: some for name, some in named if name in names and _WHOLE <= len(some) == total[name]}
        yield from _each(whole, scope)
        left = [member for member in left if getattr(member[0], scope) not in whole]
    if left:
        yield _group(left, "inbox", left[0][0].inbox if len(left) == 1 else "")


_BY_SCOPE = {
    "domain": _of_domains,
    "tenant": _of_tenants,
    "application": _of_applications,
    "host": _of_hosts,
    "our network": _of_network,
    "inbox": _of_inboxes,
}


def _domains(inboxes: Sequence[Seen]) -> Mapping[str, int]:
    """How many domains each host serves."""
    served: defaultdict[str, set[str]] = defaultdict(set)
    for one in inboxes:
        if one.host:
            served[one.host].add(one.domain)
    return {host: len(domains) for host, domains in served.items()}


def _by(members: _Members, units: Sequence[str]) -> dict[str, list[tuple[Seen, Problem]]]:
    found: dict[str, list[tuple[Seen, Problem]]] = {}
    for member, unit in zip(members, units, strict=True):
        found.setdefault(unit, []).append(member)
    return found


def _each(
    units: Mapping[str, _Members], scope: str, inboxes: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Group]:
    """A group for each unit of a scope; many domains are one. `inboxes` are those of each, where told."""
    names = sorted(units)
    of = {name: [one.inbox for one, _ in units[name]] for name in names} if inboxes is None else inboxes
    if scope != "domain" or len(names) < _MANY:
        yield from (_group(units[name], scope, name, of[name]) for name in names)
        return
    everyone = [member for name in names for member in units[name]]
    shown = f"{names[0]} and {len(names) - 1} more"
    yield _group(everyone, scope, shown, [inbox for name in names for inbox in of[name]])


def _group(members: _Members, scope: str, name: str, inboxes: Sequence[str] | None = None) -> Group:
    """What members share, told of `inboxes` or of their own; the fix of one member is not told of all."""
    inboxes = [one.inbox for one, _ in members] if inboxes is None else inboxes
    problem = members[0][1]
    alike = all(other.fix == problem.fix for _, other in members)
    return Group(
        problem.id,
        problem.verdict,
        scope,
        name,
        len(inboxes),
        tuple(islice(inboxes, MOST_SUBJECTS)),
        problem.title,
        problem.fix if alike else problem.usual,
        problem.cause,
        problem.source,
    )
