"""What a recipient probe proves: about the recipient, about the sender, or about nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from probe import catalogue
from probe.facts import Ending, Fault, Reply, Stage, Transcript, Turn
from probe.judge.demand import Demand
from probe.judge.session import (
    about_the_session,
    described,
    evidence_of,
    offered,
    on_the_way,
    recognised,
    shifted,
    took_on,
)
from probe.rules import Cause, Confidence, Finding

__all__ = ["Acceptance", "Delivered", "demanding", "judge_delivery"]

_OURS = {Ending.TIMEOUT, Ending.UNREACHABLE, Ending.LOCAL}  # endings that a closed port 25 produces
_ABOUT_A_RECIPIENT = {
    Cause.RECIPIENT_UNKNOWN,
    Cause.RECIPIENT_INACTIVE,
    Cause.RECIPIENT_POLICY,
    Cause.MAILBOX_FULL,
    Cause.POLICY,
    Cause.UNKNOWN,
}


class Acceptance(StrEnum):
    """What a server said to a recipient."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LATER = "later"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a recipient session comes to; `control` is what the made-up recipient heard."""

    recipient: Acceptance
    control: Acceptance
    findings: tuple[Finding, ...]
    decided: Turn | None

    @property
    def catch_all(self) -> bool:
        """Whether both were accepted."""
        return self.recipient is self.control is Acceptance.ACCEPTED


def judge_delivery(session: Transcript, *, provider: str = "", demand: Demand | None = None) -> Delivered:
    """What a transcript of the recipient plan proves.

    `provider` runs the recipient's server, if known; `demand` is the TLS that the domain demands of it.
    """
    if demand is not None and (why := demand.unmet(session.tls)) and demanding(session, demand):
        turn = session.last(Stage.TLS) or session.last(Stage.EHLO)
        told = {**demand.evidence, "demand": demand.by, **evidence_of(turn)}
        finding = Finding(catalogue.rule("rcpt/tls-demanded"), told, f"{demand.by}: {why}")
        return Delivered(Acceptance.UNKNOWN, Acceptance.UNKNOWN, (finding,), turn)
    provider = provider or recognised(session)
    sender = session.last(Stage.MAIL)
    # Behind a refused sender every recipient is refused, in whatever words.
    asked = session.of(Stage.RCPT) if sender is not None and took_on(sender) else ()
    if (stray := _stray(session)) is not None:
        finding = about_the_session("replies-shifted", stray)
        return Delivered(Acceptance.UNKNOWN, Acceptance.UNKNOWN, (finding,), stray)
    decided = _deciding(session)
    real, control = (_accepted(turn) for turn in (*asked[:2], None, None)[:2])
    findings = [*_refusal(decided, session, provider)]
    if decided is not None and decided.stage is Stage.RCPT:
        findings = _against_control(findings, decided, asked[1:])
    elif session.stopped:
        findings.append(about_the_session(session.stopped, session.last(Stage.EHLO)))
    elif real is control is Acceptance.ACCEPTED:
        findings.append(Finding(catalogue.rule("rcpt/catch-all"), evidence_of(asked[1])))
    return Delivered(real, control, (*findings, *_about_tls(session)), decided or session.last(Stage.RCPT))


def demanding(session: Transcript, demand: Demand) -> bool:
    """Whether a session came far enough to tell that a demand is not met."""
    return not demand.allowed or any(took_on(turn) for turn in session.of(Stage.EHLO))


def _stray(session: Transcript) -> Turn | None:
    """The turn that shows one reply too many in the envelope: then who was answered what is not known."""
    if shifted(session):
        return session.last(Stage.QUIT)
    for turn in session:
        unasked = isinstance(turn.heard, Fault) and turn.heard.ending is Ending.GARBLED and not turn.said
        if unasked and turn.stage in {Stage.MAIL, Stage.RCPT, Stage.RSET}:
            return turn
    return None


def _accepted(turn: Turn | None) -> Acceptance:
    if turn is None or not isinstance(turn.heard, Reply):
        return Acceptance.UNKNOWN
    if took_on(turn):
        return Acceptance.ACCEPTED
    if 400 <= turn.heard.code < 500:
        return Acceptance.LATER
    return Acceptance.REFUSED if turn.heard.code >= 500 else Acceptance.UNKNOWN


def _deciding(session: Transcript) -> Turn | None:
    """The first turn that did not take the session on; the control never decides."""
    turns = [turn for turn in session if turn.stage not in {Stage.RSET, Stage.QUIT}]
    control = session.of(Stage.RCPT)[1:]
    for index, turn in enumerate(turns):
        if any(turn is one for one in control):
            continue
        if not took_on(turn) and not on_the_way(turn, turns[index + 1 :]):
            return turn
    return None


def _refusal(turn: Turn | None, session: Transcript, provider: str) -> Iterator[Finding]:
    if turn is None or turn.heard is None:
        return
    if isinstance(turn.heard, Reply) and turn.heard.code < 400:
        yield about_the_session("unexpected-code", turn, f"{turn.heard.code} at {turn.stage}")
        return
    if turn.stage is Stage.CONNECT and all(_ours(one) for one in session.of(Stage.CONNECT)):
        yield Finding(catalogue.rule("rcpt/our-network"), evidence_of(turn), str(turn.heard))
        return
    match = catalogue.read(turn.heard, stage=turn.stage, provider=provider, side="mx")
    yield Finding(
        match.rule,
        evidence_of(turn),
        turn.heard.detail if isinstance(turn.heard, Fault) else "",
        confidence=match.confidence,
        matched=match.matched,
        alternates=tuple(entry.id for entry in match.alternates),
    )


def _ours(turn: Turn) -> bool:
    return isinstance(turn.heard, Fault) and turn.heard.ending in _OURS


_ADDRESS = re.compile(r"<?[^\s<>@]{1,128}@[^\s<>@]{1,255}>?")
_SESSION = re.compile(r"\b[0-9a-z]*[0-9][0-9a-z.-]{7,}\b")  # queue ids, times and the like


def _said(reply: Reply) -> tuple[int, str | None, str]:
    """What a reply says apart from the address it speaks of and the session it was said in."""
    words = _SESSION.sub("#", _ADDRESS.sub("<>", reply.text.lower()))
    return reply.code, reply.enhanced, words


def _against_control(findings: list[Finding], real: Turn, controls: tuple[Turn, ...]) -> list[Finding]:
    """A refusal that the made-up recipient heard in the same words is not about the recipient."""
    control = next((turn for turn in controls if isinstance(turn.heard, Reply)), None)
    if control is None or not findings:
        return findings
    if not isinstance(control.heard, Reply) or not isinstance(real.heard, Reply):
        return findings
    if real.heard.code < 500 or _said(control.heard) != _said(real.heard):
        return findings
    first, *rest = findings
    if first.rule.cause not in _ABOUT_A_RECIPIENT:
        return findings  # the words speak of the sender already; the control agrees
    if first.rule.cause is Cause.RECIPIENT_UNKNOWN and first.confidence is not Confidence.UNCERTAIN:
        # "no such user" is what a made-up address should hear: the server tells recipients apart.
        return findings
    told = Finding(
        catalogue.rule("rcpt/refuses-everybody"),
        {**first.evidence, "control": str(control.heard)},
        alternates=(first.rule.id, *first.alternates),
        confidence=Confidence.LIKELY,
    )
    return [told, *rest]


def _about_tls(session: Transcript) -> Iterator[Finding]:
    tls = session.tls
    if tls is not None and tls.version and tls.error:
        yield Finding(
            catalogue.rule("rcpt/tls-not-verified"),
            {"stage": "tls", "certificate": tls.certificate.subject if tls.certificate else ""},
            "; ".join(filter(None, (tls.error, described(tls)))),
        )
    greeted = any(took_on(turn) for turn in session.of(Stage.EHLO))
    if greeted and tls is None and "STARTTLS" not in offered(session)[0]:
        yield Finding(catalogue.rule("rcpt/no-tls"), evidence_of(session.last(Stage.EHLO)))
