"""What a login session proves: which reply decides, and what may be concluded from it."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from probe import catalogue
from probe.facts import Ending, Fault, Inbox, Reply, Stage, Transcript, Turn
from probe.grammar import sasl
from probe.judge._advice import advice
from probe.judge.session import (
    about_the_session,
    described,
    evidence_of,
    listed,
    mechanism_of,
    offered,
    on_the_way,
    recognised,
    shifted,
    tls_findings,
    took_on,
)
from probe.judge.typed import typed
from probe.rules import Finding, Outcome, Verdict

__all__ = ["Conclusion", "judge_login"]

_BEFORE_AUTH = frozenset({Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.TLS})  # where 535 answers nothing
_AFTERWARDS = frozenset({Stage.RSET, Stage.QUIT})
_YES_TO_NOTHING = frozenset({"accepted-unheard", "server-not-genuine"})  # accepted, and no login
_NOT_AMONG_KEYWORDS = frozenset({"starttls-not-offered", "auth-not-offered", "smtputf8-not-offered"})
_NOBODY = "-"  # a provider that has no words of its own
# How a transcript shows a cancelled exchange, what is secret, and an answer without words.
_CANCEL, _HIDDEN, _NOTHING = "*", "***", "(empty)"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a login session comes to: the outcome, the findings, and the turn that decided."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    decided: Turn | None


def judge_login(
    inbox: Inbox, session: Transcript, *, provider: str = "", now: dt.datetime | None = None
) -> Conclusion:
    """What a transcript of the login plan proves.

    `provider` is an id of the catalogue where it is known; `now` is when the session took place (aware;
    the default is the present), for the certificate's rest.
    """
    findings = list(typed(inbox, now, provider=provider))  # as it was known when the secret was to leave
    provider = provider or recognised(session)
    decided = _deciding(session)
    if shifted(session):
        findings.append(about_the_session("replies-shifted", session.last(Stage.QUIT)))
        findings += tls_findings(session.tls, now)
        return Conclusion(_after_shift(session), tuple(findings), session.last(Stage.QUIT))
    refused = _reading(decided, session, provider) if decided is not None else None
    if refused is not None:
        findings.append(refused)
    # A secret that was withheld has been spoken of, as it was typed.
    if session.stopped and not any(one.rule.id == f"credentials/{session.stopped}" for one in findings):
        findings.append(_stopped(session))
    findings += _remarks(session, provider, now)
    outcome = _outcome(session, refused, decided)
    refused_login = session.of(Stage.AUTH) and outcome in {Outcome.BAD_CREDS, Outcome.NOT_PROVEN}
    if refused_login and "@" not in (inbox.user or inbox.address):
        user = {"user": _shown_user(inbox)}
        findings.append(Finding(catalogue.rule("credentials/user-is-not-the-address"), user))
    return Conclusion(outcome, tuple(findings), decided or session.last(Stage.RCPT))


def _shown_user(inbox: Inbox) -> str:
    """The user name, unless it is the secret as well: relays take an API token as both."""
    return _HIDDEN if inbox.user.strip() == inbox.secret.reveal().strip() else inbox.user


# -- which turn decides -----------------------------------------------------------------------------


def _deciding(session: Transcript) -> Turn | None:
    """The first turn that did not take the session on; later ones only follow from it."""
    turns = [turn for turn in session if turn.stage not in _AFTERWARDS]
    for index, turn in enumerate(turns):
        if not took_on(turn) and not _gone_round(turn, turns[index + 1 :]):
            return turn
    return None


def _gone_round(turn: Turn, later: list[Turn]) -> bool:
    """Whether the session went on in spite of it: another address, HELO, a challenge, a second AUTH."""
    if turn.stage is Stage.AUTH and isinstance(turn.heard, Reply):
        return turn.heard.code == 334 or any(more.said.startswith("AUTH ") for more in later)
    return on_the_way(turn, later)


def _after_shift(session: Transcript) -> Outcome:
    # 235 is AUTH's alone. Had it been a stray one, AUTH's true refusal would have answered MAIL.
    mail = session.last(Stage.MAIL)
    proven = any(isinstance(turn.heard, Reply) and turn.heard.code == 235 for turn in session.of(Stage.AUTH))
    return Outcome.CREDS_OK if proven and mail is not None and took_on(mail) else Outcome.NOT_PROVEN


def _outcome(session: Transcript, refused: Finding | None, decided: Turn | None) -> Outcome:
    auth = session.last(Stage.AUTH)
    mail = session.last(Stage.MAIL)
    if (
        mail is not None
        and not mail.said
        and isinstance(mail.heard, Fault)
        and mail.heard.ending is Ending.GARBLED
    ):
        return Outcome.NOT_PROVEN  # a second answer to AUTH: which of the two was meant is not known
    if auth is not None and auth.said == _CANCEL:
        return Outcome.NOT_PROVEN  # whatever the server says to it, the exchange was not ended
    if session.stopped in _YES_TO_NOTHING:
        return Outcome.NOT_PROVEN
    if mail is not None and _taken_back(mail):
        return Outcome.NOT_PROVEN
    if auth is not None and isinstance(auth.heard, Reply) and auth.heard.code == 235:
        envelope = (mail, session.last(Stage.RCPT))
        taken = all(turn is not None and took_on(turn) for turn in envelope)
        return Outcome.USABLE if taken and not session.stopped else Outcome.CREDS_OK
    definite = decided is not None and isinstance(decided.heard, Reply) and 500 <= decided.heard.code <= 599
    if definite and decided is auth and refused is not None and refused.rule.outcome is Outcome.BAD_CREDS:
        return Outcome.BAD_CREDS
    return Outcome.NOT_PROVEN


# -- findings -------------------------------------------------------------------------------------


def _reading(turn: Turn, session: Transcript, provider: str) -> Finding | None:
    """What the catalogue says of the turn that decided; None where our own stop says it better."""
    heard = turn.heard
    if heard is None or (session.stopped and turn.stage is Stage.AUTH):
        return None
    if isinstance(heard, Reply) and (heard.code < 400 or (heard.code == 535 and turn.stage in _BEFORE_AUTH)):
        return about_the_session("unexpected-code", turn, f"{heard.code} at {turn.stage}")
    match = _match(heard, turn.stage, provider, mechanism_of(session))
    bad = match.rule.outcome is Outcome.BAD_CREDS and turn.stage is Stage.AUTH
    if bad and (problem := _not_of_the_password(session, match)):
        return about_the_session(problem, turn)
    if _taken_back(turn) and not match.rule.id.startswith(f"{match.provider or '?'}/"):
        return about_the_session("login-taken-back", turn)
    return Finding(
        match.rule,
        evidence_of(turn),
        _detail(turn, session),
        advice(match.rule, turn),
        confidence=match.confidence,
        matched=match.matched,
        alternates=tuple(entry.id for entry in match.alternates),
    )


@functools.lru_cache(maxsize=64)  # servers answer every inbox alike
def _match(heard: Reply | Fault, stage: Stage, provider: str, mechanism: str) -> catalogue.Match:
    match = _read(heard, stage, provider, mechanism)
    if match.rule.outcome is not Outcome.BAD_CREDS or not match.rule.id.startswith(f"{match.provider}/"):
        return match
    # A provider's words for a wrong login are often everybody's ("authentication failed"): where others
    # beside them tell of another matter, they tell more.
    anybodys = _read(heard, stage, _NOBODY, mechanism)
    return anybodys if anybodys.matched and anybodys.rule.outcome is None else match


def _read(heard: Reply | Fault, stage: Stage, provider: str, mechanism: str) -> catalogue.Match:
    return catalogue.read(heard, stage=stage, provider=provider, mechanism=mechanism, side="submission")


def _taken_back(turn: Turn) -> bool:
    """Whether MAIL got an answer to AUTH (RFC 4954): late, or the 235 before it is not meant."""
    return turn.stage is Stage.MAIL and isinstance(turn.heard, Reply) and turn.heard.code == 535


def _told(session: Transcript) -> int:
    """How many lines of the last exchange carried something of the credentials."""
    told = 0
    for turn in session.of(Stage.AUTH):
        told = (0 if turn.said.startswith("AUTH ") else told) + (_HIDDEN in turn.said)
    return told


def _not_of_the_password(session: Transcript, match: catalogue.Match) -> str:
    """The rule that says why a refusal is none of the password; empty where it is one.

    LOGIN says the user name first. A proof may be refused by a server that keeps nothing to check it with;
    a SCRAM that got as far as its second line was answered by what the server keeps.
    """
    told, mechanism = _told(session), mechanism_of(session)
    of_the_user = "user" in match.matched and "pass" not in match.matched
    if not told or (told == 1 and mechanism == "LOGIN" and not of_the_user):
        return "refused-unheard"
    offers = {name for extent in offered(session) for name in extent.mechanisms}
    if told == 1 and mechanism in sasl.BY_PROOF and not offers.isdisjoint({"PLAIN", "LOGIN"}):
        return "proof-refused"
    return "refused-though-proven" if _proven(session) else ""


def _proven(session: Transcript) -> bool:
    """Whether the server's proof of the password was heard, and answered because it is right."""
    turns = session.of(Stage.AUTH)
    heard = turns[-2].heard if len(turns) > 1 and turns[-1].said == _NOTHING else None
    return isinstance(heard, Reply) and sasl.challenge(heard.text).startswith(b"v=")


def _detail(turn: Turn, session: Transcript) -> str:
    if turn.stage is Stage.AUTH:
        errors = (
            sasl.oauth_error(more.heard.text)
            for more in session.of(Stage.AUTH)
            if isinstance(more.heard, Reply) and more.heard.code == 334
        )
        error = next(filter(None, errors), "")
        return f"the server's error: {error}" if error else ""
    if isinstance(turn.heard, Fault):
        if turn.heard.ending is Ending.TLS and session.tls is not None:
            return "; ".join(filter(None, (turn.heard.detail, described(session.tls))))
        if turn.stage is Stage.CONNECT:
            return "; ".join(
                dict.fromkeys(
                    more.heard.detail for more in session.of(Stage.CONNECT) if isinstance(more.heard, Fault)
                )
            )
        return turn.heard.detail
    return ""


def _stopped(session: Transcript) -> Finding:
    before, after = offered(session)
    last = session.last(Stage.AUTH) or session.last(Stage.EHLO)
    under_tls = last is not None and last.secure
    extent = after if under_tls else before
    if session.stopped in _NOT_AMONG_KEYWORDS:
        by_helo = last is not None and last.said.startswith("HELO ")
        nothing = "nothing, as EHLO was refused" if by_helo else "nothing"
        detail = f"offered: {listed(extent.keywords) or nothing}"
    elif extent.mechanisms and session.stopped.endswith(("not-offered", "mechanism")):
        detail = f"offered: AUTH {listed(extent.mechanisms)}"
    else:
        detail = ""
    return about_the_session(session.stopped, last, detail)


def _remarks(session: Transcript, provider: str, now: dt.datetime | None) -> Iterator[Finding]:
    """What is worth saying though it did not decide."""
    yield from tls_findings(session.tls, now)
    connects = session.of(Stage.CONNECT)
    if connects and connects[-1].heard is None:
        for turn in connects[:-1]:
            yield about_the_session("address-not-answering", turn, str(turn.heard))
    if any(extent.old_style for extent in offered(session)):
        yield about_the_session("old-style-auth", session.last(Stage.EHLO))
    auth = session.last(Stage.AUTH)
    if auth is None:
        return
    if not auth.secure and any(_HIDDEN in turn.said for turn in session.of(Stage.AUTH)):
        by_proof = mechanism_of(session) in sasl.BY_PROOF
        yield about_the_session("proof-without-tls" if by_proof else "plaintext-login", auth)
    if not isinstance(auth.heard, Reply) or auth.heard.code != 235:
        return
    match = _match(auth.heard, Stage.AUTH, provider, mechanism_of(session))
    if match.rule.verdict in {Verdict.NOTE, Verdict.WARN}:  # the code has said that it is no refusal
        yield Finding(match.rule, evidence_of(auth), confidence=match.confidence, matched=match.matched)
