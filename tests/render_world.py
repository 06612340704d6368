"""A fleet to tell of: inboxes over six providers and forty domains with planted causes, without a network."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import accumulate
from pathlib import Path

from probe import catalogue, checks
from probe.facts import Transcript
from probe.judge import groups
from probe.rules import Finding, Outcome, Report, State, Verdict
from probe.run._fleet import group_as_told

GOLDEN = Path(__file__).with_name("golden")
# provider, its server, how many of a hundred inboxes it has
PROVIDERS = (
    ("google", "smtp.gmail.com", 42),
    ("microsoft", "smtp.office365.com", 30),
    ("zoho", "smtp.zoho.com", 10),
    ("ionos", "smtp.ionos.com", 8),
    ("namecheap", "mail.privateemail.com", 6),
    ("", "mail.example.test", 4),
)
# every how many-th inbox of a provider has it, with the outcome of its login
PLANTED: dict[str, tuple[tuple[int, str, Outcome], ...]] = {
    "google": (
        (7, "google/app-password-required", Outcome.BAD_CREDS),
        (31, "login/too-many-logins", Outcome.NOT_PROVEN),
    ),
    "microsoft": (
        (5, "microsoft/smtp-auth-disabled-tenant", Outcome.NOT_PROVEN),
        (17, "network/timeout", Outcome.NOT_PROVEN),
    ),
    "zoho": ((6, "login/wrong-credentials", Outcome.BAD_CREDS),),
    "": ((2, "session/certificate-expires-soon", Outcome.USABLE),),
}


@cache
def transcript(name: str) -> Transcript:
    return Transcript.parse((GOLDEN / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


def found(rule: str, **evidence: str) -> Finding:
    if evidence:
        return Finding(catalogue.rule(rule), evidence)
    samples = () if rule.startswith("session/") else catalogue.entry(rule).samples
    said = {"stage": "auth", "reply": samples[0]} if samples else {"stage": "connect", "ending": "timeout"}
    return Finding(catalogue.rule(rule), said)


def inbox(number: int) -> Report:
    """The inbox of a number: mostly usable."""
    reached = accumulate(of for _, _, of in PROVIDERS)
    place = next(index for index, share in enumerate(reached) if number % 100 < share)
    provider, server, _ = PROVIDERS[place]
    outcome, findings = Outcome.USABLE, tuple[Finding, ...]()
    for every, rule, planted in PLANTED.get(provider, ()):
        if number % every == 0:
            outcome, findings = planted, (found(rule),)
            break
    named = f"{catalogue.provider(provider).name} (by MX)" if provider else ""
    facts = {"provider": named, "server": f"{server}:587", "from": "203.0.113.7"}
    return Report(
        "creds",
        f"sales{number}@brand{number % 40}.example",
        findings,
        outcome,
        facts={name: value for name, value in facts.items() if value},
        transcript=transcript("creds-auth-535" if findings else "creds-usable"),
        timings={"connect": 0.018, "tls": 0.041, "auth": 0.22},
    )


def domain(number: int) -> Report:
    """The domain of a number: some publish two SPF records, some no DMARC policy."""
    name = f"brand{number}.example"
    broken = [rule for rule, every in (("spf/several", 9), ("dmarc/missing", 7)) if number % every == 1]
    rules = {rule.id: rule for area in ("spf", "dmarc") for rule in checks.find(area).RULES}
    record = {"question": f"{name} TXT", "status": "ok", "record": "v=spf1 include:_spf.google.com ~all"}
    findings = tuple(Finding(rules[rule], record) for rule in broken if rule in rules)
    bad = {finding.rule.id.partition("/")[0] for finding in findings}
    states = {area: State.INVALID if area in bad else State.VALID for area in ("dkim", "dmarc", "mx", "spf")}
    return Report("dns", name, findings, states=states, facts={"resolver": "192.0.2.53"})


def fleet(size: int = 500) -> list[Report]:
    """Inboxes, their domains, and the report on the whole list."""
    inboxes = [inbox(number) for number in range(size)]
    domains = [domain(number) for number in range(min(size, 40))]
    hosts = [one.facts["server"].partition(":")[0] for one in inboxes]
    seen = [groups.seen(one, host=host) for one, host in zip(inboxes, hosts, strict=True)]
    told = groups.groups([*seen, *(groups.seen(one) for one in domains)])
    return [*inboxes, *domains, whole(inboxes, told)]


def whole(inboxes: list[Report], told: tuple[groups.Group, ...]) -> Report:
    bad = sum(one.verdict is Verdict.FAIL for one in inboxes)
    said = found("preflight/no-go" if bad else "preflight/go", inboxes=str(len(inboxes)))
    providers: dict[str, Counter[str]] = {}
    for one in inboxes:
        name = one.facts.get("provider", "mail.example.test").partition(" (")[0]
        providers.setdefault(name, Counter())[str(one.verdict)] += 1
    return Report(
        "fleet",
        "inboxes.csv",
        (replace(said, detail=f"{bad} of {len(inboxes)} inboxes"),),
        facts={"inboxes": f"{len(inboxes)} inboxes"},
        evaluations={
            "providers": {name: dict(counted) for name, counted in providers.items()},
            "groups": [group_as_told(group) for group in told],
        },
    )
