"""Whether this machine can probe at all: what was seen of it, and what follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from probe import catalogue
from probe.checks import Domain, ptr
from probe.checks._dnsbl_lists import BY_ZONE, Meaning, meanings
from probe.checks._evidence import evidence, routable, seen_answer
from probe.facts import ROOT, Answer, Ending, Fault, Question, Records, Reply, Stage, Status, Transcript
from probe.grammar.pasted import extracts
from probe.judge.session import evidence_of
from probe.rules import Finding, State, Verdict, worst

__all__ = ["Machine", "ask", "egress", "judge_machine"]

LARGE = Question(".", "DNSKEY")  # an answer that needs EDNS or TCP
_LIST = BY_ZONE["zen.spamhaus.org"]
_TEST_POINT = Question(f"{_LIST.listed}.{_LIST.zone}", "A")
_FEW = 1024  # descriptors: a fleet of a few hundred inboxes at once needs about as many
_DRIFT = 300  # seconds a clock may be off before certificates and one-time codes suffer
_BORN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)  # no clock that is right shows a time before this was written
_SILENT = {Ending.TIMEOUT, Ending.UNREACHABLE, Ending.REFUSED, Ending.LOCAL}


@dataclass(frozen=True, slots=True)
class Machine:
    """What was seen. `own` are the addresses by family, `told` the one that the operator names.

    `sessions` are those with the hosts that were named, by (host, port). `exposed` says of each file of
    secrets who else can read it, `remote` is the Date header of the `page` that was named.
    """

    own: Mapping[str, str]
    seen: Records
    nonce: str
    descriptors: tuple[int, int] = (0, 0)
    roots: int = 0
    clock: dt.datetime = _BORN
    page: str = ""
    remote: str = ""
    helo: str = ""
    told: str = ""
    sessions: Mapping[tuple[str, int], Transcript] = field(default_factory=dict)
    exposed: Mapping[str, str | Fault] = field(default_factory=dict)


def ask(nonce: str, address: str, helo: str, seen: Records) -> Iterator[Question]:
    """What the resolver is asked: the root, a large answer, names that cannot exist, a list's test point."""
    yield from (ROOT, LARGE, *_nowhere(nonce), _TEST_POINT)
    if address:
        yield from ptr.ask(_sender(address, helo), seen)


def egress(machine: Machine) -> str:
    """The address the world sees: the one told, else our own, else the one a server greets us with."""
    own = next((address for address in machine.own.values() if address and routable(address)), "")
    return machine.told or own or next(iter(_greeted(machine)), "")


def judge_machine(machine: Machine) -> tuple[dict[str, State], tuple[Finding, ...]]:
    """The state of each area, and the findings; a machine without a network is *unknown*, not broken."""
    states: dict[str, State] = {}
    findings: list[Finding] = []
    for area, judge in _AREAS:
        found = tuple(judge(machine))
        if _OFFLINE in {finding.rule.id for finding in found}:
            return {area: State.UNKNOWN}, found
        findings += found
        states[area] = _state(area, found, machine)
    return states, tuple(findings)


def _state(area: str, found: tuple[Finding, ...], machine: Machine) -> State:
    """What was not looked at is not valid for want of a finding."""
    untold = next((_UNTOLD[finding.rule.id] for finding in found if finding.rule.id in _UNTOLD), None)
    if untold is None and not found:
        unasked = _UNASKED.get(area)
        untold = unasked(machine) if unasked else None
    return untold or _STATES[worst(finding.verdict for finding in found)]


_NOBODY = "invalid"  # the domain of a machine that has no name
_OFFLINE = "doctor/no-network"
_STATES = {
    Verdict.OK: State.VALID,
    Verdict.NOTE: State.VALID,
    Verdict.WARN: State.WARN,
    Verdict.WAIT: State.UNKNOWN,
    Verdict.UNKNOWN: State.UNKNOWN,
    Verdict.FAIL: State.INVALID,
}


# Findings that say that the area is not known, whatever their verdict.
_UNTOLD = {
    "doctor/ports-not-tried": State.NOT_APPLICABLE,
    "doctor/no-ipv6": State.NOT_APPLICABLE,
    "doctor/egress-unknown": State.UNKNOWN,
    "doctor/blocklists-silent": State.UNKNOWN,
    "doctor/blocklists-refused": State.UNKNOWN,
}


def _clock_compared(machine: Machine) -> State | None:
    if not (machine.page or machine.remote):
        return State.NOT_APPLICABLE
    return None if _date(machine.remote) is not None else State.UNKNOWN


def _secrets_named(machine: Machine) -> State | None:
    return None if machine.exposed else State.NOT_APPLICABLE


def _name_asked(machine: Machine) -> State | None:
    return None if _resolves(machine) else State.UNKNOWN


# Areas that are looked at where the operator asks for it, or where the resolver can be believed.
_UNASKED = {"clock": _clock_compared, "secrets": _secrets_named, "egress": _name_asked}


def _found(problem: str, detail: str, evidence: Mapping[str, str]) -> Finding:
    return Finding(catalogue.rule(f"doctor/{problem}"), evidence, detail)


def _asked(question: Question, answer: Answer) -> Mapping[str, str]:
    return evidence(question, answer, "; ".join(answer.values[:4]))


# -- one function an area -------------------------------------------------------------------------


def _network(machine: Machine) -> Iterator[Finding]:
    answer = seen_answer(machine.seen, ROOT)
    routes = [address for address in machine.own.values() if address]
    if answer.status is Status.UNREACHABLE and not any(map(_answered, machine.sessions.values())):
        detail = f"the resolver cannot be reached ({answer.detail or answer.status})"
        if not routes:
            detail = f"there is no route to the Internet, and {detail}"
        yield _found("no-network", detail, _asked(ROOT, answer))


def _ipv6(machine: Machine) -> Iterator[Finding]:
    if not machine.own.get("ipv6"):
        yield _found("no-ipv6", "no route for IPv6", {"address": machine.own.get("ipv4", "")})


def _resolves(machine: Machine) -> bool:
    """Whether the resolver knows the root; one that does not tells nothing by what else it says."""
    answer = seen_answer(machine.seen, ROOT)
    return answer.known and bool(answer.values)


def _resolver(machine: Machine) -> Iterator[Finding]:
    answer = seen_answer(machine.seen, ROOT)
    if not _resolves(machine):
        words = f"{answer.status}{': ' + answer.detail if answer.detail else ''}"
        yield _found("resolver-silent", words, _asked(ROOT, answer))
        return
    for question in _nowhere(machine.nonce):
        wrong = seen_answer(machine.seen, question)
        if wrong.values:
            detail = f"{question.name} does not exist, and is said to be {', '.join(wrong.values[:2])}"
            yield _found("resolver-rewrites", detail, _asked(question, wrong))
            break
    large = seen_answer(machine.seen, LARGE)
    if large.status in {Status.TRUNCATED, Status.TIMEOUT, Status.FORMERR}:
        yield _found("large-answers-lost", f"{LARGE}: {large.status}", _asked(LARGE, large))


def _nowhere(nonce: str) -> tuple[Question, ...]:
    """Names that do not exist: one that never can (RFC 6761 section 6.4), and one under a usual ending."""
    return Question(f"{nonce}.invalid", "A"), Question(f"probe-{nonce}.com", "A")


def _blocklists(machine: Machine) -> Iterator[Finding]:
    answer = seen_answer(machine.seen, _TEST_POINT)
    refused = [
        words
        for value in answer.values
        for meaning, words in meanings(_LIST, value)
        if meaning is Meaning.REFUSED
    ]
    if refused:
        yield _found("blocklists-refused", f"{_LIST.zone}: {refused[0]}", _asked(_TEST_POINT, answer))
    elif not answer.values:
        words = f"{_LIST.zone} does not answer at its test point: {answer.status}"
        yield _found("blocklists-silent", words, _asked(_TEST_POINT, answer))


def _clock(machine: Machine) -> Iterator[Finding]:
    shown = machine.clock.isoformat(timespec="seconds")
    if machine.clock < _BORN:
        yield _found("clock-wrong", f"it shows {shown}", {"clock": shown})
        return
    if (remote := _date(machine.remote)) is not None:
        off = (machine.clock - remote).total_seconds()
        if abs(off) > _DRIFT:
            detail = f"it is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}"
            yield _found("clock-wrong", detail, {"clock": shown, "record": machine.remote})


def _date(text: str) -> dt.datetime | None:
    """An HTTP date (RFC 9110 section 5.6.7); None where it is none."""
    try:
        return dt.datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _roots(machine: Machine) -> Iterator[Finding]:
    if not machine.roots:
        yield _found("no-roots", "no root certificate could be read", {"roots": "0"})


def _descriptors(machine: Machine) -> Iterator[Finding]:
    soft, hard = machine.descriptors
    if 0 < soft < _FEW:
        detail = f"{soft} may be open at once" + (
            f"; the limit may be raised to {hard}" if hard > soft else ""
        )
        yield _found("few-descriptors", detail, {"limit": str(soft)})


def _secrets(machine: Machine) -> Iterator[Finding]:
    for path, wrong in machine.exposed.items():
        if isinstance(wrong, Fault):
            yield _found("secrets-not-seen", f"{path} {wrong.detail}", {"file": path})
        elif wrong:
            yield _found("secrets-exposed", f"{path} {wrong}", {"file": path})


def _egress(machine: Machine) -> Iterator[Finding]:
    address = egress(machine)
    if not address:
        own = ", ".join(filter(None, machine.own.values()))
        yield _found("egress-unknown", f"our own address is {own or 'unknown'}", {"address": own})
        return
    if not _resolves(machine):
        return
    for finding in ptr.judge(_sender(address, machine.helo), machine.seen).findings:
        yield finding if f"{_NOBODY}." not in finding.fix else replace(finding, fix="")


def _sender(address: str, helo: str) -> Domain:
    named = helo if "." in helo and not helo.startswith("[") else ""
    return Domain(named or _NOBODY, sending_ips=(address,), helo=named)


def _greeted(machine: Machine) -> Iterator[str]:
    """Addresses that servers call us by in their answer to EHLO."""
    for session in machine.sessions.values():
        for turn in session.of(Stage.EHLO):
            if isinstance(turn.heard, Reply):
                named = extracts(turn.heard.lines[0]).get("ip", [])
                yield from (address for address in named if routable(address) and address not in session.peer)


def _ports(machine: Machine) -> Iterator[Finding]:
    if not machine.sessions:
        yield _found("ports-not-tried", "no host was named", {"hosts": ""})
        return
    nowhere = {host: turn for (host, _), one in machine.sessions.items() if (turn := one.last(Stage.RESOLVE))}
    for turn in nowhere.values():
        yield _found("host-unresolved", str(turn.heard), evidence_of(turn))
    named = {place: one for place, one in machine.sessions.items() if place[0] not in nowhere}
    for port in sorted({port for _, port in named}):
        tried = {host: session for (host, at), session in named.items() if at == port}
        silent = {host: session for host, session in tried.items() if _silent(session)}
        if len(silent) < len(tried):
            continue
        last = next(turn for session in silent.values() for turn in reversed(session.turns))
        detail = f"port {port} of {', '.join(list(silent)[:4])}: {last.heard}"
        definite = len(silent) > 1 and any(map(_answered, machine.sessions.values()))
        yield _found("port-closed" if definite else "port-silent", detail, evidence_of(last))


def _silent(session: Transcript) -> bool:
    faults = [turn.heard for turn in session if isinstance(turn.heard, Fault)]
    return not _answered(session) and any(fault.ending in _SILENT for fault in faults)


def _answered(session: Transcript) -> bool:
    return any(turn.stage is Stage.CONNECT and turn.heard is None for turn in session)


_AREAS = (
    ("network", _network),
    ("resolver", _resolver),
    ("blocklists", _blocklists),
    ("ports", _ports),
    ("egress", _egress),
    ("ipv6", _ipv6),
    ("roots", _roots),
    ("clock", _clock),
    ("descriptors", _descriptors),
    ("secrets", _secrets),
)
