"""A session as people read it: a line a step, the times in a column of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from probe.facts import Certificate, Fault, Reply, Stage, Tls, Transcript, Turn
from probe.render import printable
from probe.rules import Finding, Verdict

__all__ = ["Step", "steps"]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a session: how it went, its stage, what was heard, how long it took (empty: not measured)."""

    verdict: Verdict
    stage: str
    what: str
    took: str


def steps(
    session: Transcript, findings: Iterable[Finding] = (), timings: Mapping[str, float] | None = None
) -> Iterator[Step]:
    """The steps worth a line: not the end, and not the dialogue inside AUTH.

    What a step without a reply means is known by the finding that stands on it. A second recipient is the
    made-up one that the first is compared with: its refusal is no fault, and none is that of a recipient
    behind a sender who was refused. `timings` are seconds by stage, for
    a session that was read back and has none of its own.
    """
    recipients, refused = 0, False
    judged = {finding.evidence.get("stage", ""): finding.verdict for finding in findings}
    for turn, seconds in _timed(session, timings or {}):
        spent = round(1000 * seconds, 1)  # as JSON keeps it, so that either tells the same
        took = f"{spent:.0f} ms" if spent >= 1 else ""
        recipients += turn.stage is Stage.RCPT
        name = "control" if recipients > 1 and turn.stage is Stage.RCPT else str(turn.stage)
        beside = turn.stage is Stage.RCPT and (recipients > 1 or (refused and not turn.accepted))
        verdict = Verdict.NOTE if beside else _verdict(turn, judged)
        yield Step(verdict, name, printable(_told(turn, session)), took)
        refused = turn.stage is Stage.MAIL and not turn.accepted


def _timed(session: Transcript, timings: Mapping[str, float]) -> list[tuple[Turn, float]]:
    """The turns that are told, each with its seconds: the reply that ends AUTH has those of the dialogue.

    Seconds by stage cannot be parted: a stage that has several turns gets none of them.
    """
    told: list[tuple[Turn, str, float]] = []
    spent = 0.0
    for name, turn in session.steps():
        spent += turn.took
        if isinstance(turn.heard, Reply) and turn.heard.code == 334:
            continue
        if turn.stage is not Stage.QUIT:
            told.append((turn, name, spent))
        spent = 0.0
    if any(seconds for _, _, seconds in told):
        return [(turn, seconds) for turn, _, seconds in told]
    turns = Counter(name for _, name, _ in told)
    return [(turn, timings.get(name, 0.0) if turns[name] == 1 else 0.0) for turn, name, _ in told]


def _verdict(turn: Turn, judged: Mapping[str, Verdict]) -> Verdict:
    if isinstance(turn.heard, Fault):
        return judged.get(str(turn.stage), Verdict.UNKNOWN)
    if turn.heard is None or turn.heard.code < 400:
        return Verdict.OK
    return Verdict.WAIT if turn.heard.code < 500 else Verdict.FAIL


def _told(turn: Turn, session: Transcript) -> str:
    if isinstance(turn.heard, Fault):  # the column before says where: "tls: " again tells nothing
        return str(turn.heard).removeprefix(f"{turn.stage}: ")
    if turn.stage is Stage.CONNECT:
        return session.peer
    if turn.heard is None:
        return _tls(session.tls) if session.tls is not None else ""
    if turn.stage is Stage.EHLO and turn.heard.accepted:
        offers = [line[4:] for line in turn.heard.lines[1:]]
        first = [line for line in offers if line.upper().startswith(("AUTH", "STARTTLS"))]
        return ", ".join([*first, *(line for line in offers if line not in first)])
    return " ".join(turn.heard.lines)


def _tls(tls: Tls) -> str:
    """What a reader looks for comes first, for the end may be cut."""
    leaf = [_leaf(tls.certificate)] if tls.certificate is not None else []
    return ", ".join([tls.version, *leaf, tls.cipher])


def _leaf(leaf: Certificate) -> str:
    name = leaf.names[0] if leaf.names else leaf.subject
    return f"certificate {name} until {leaf.not_after[:10]}, by {leaf.issuer}"
