"""Facts -> findings: pure, total, deterministic.

What a reply means stands in the catalogue; here is only which reply decides, and what may be concluded
from it. The order of the questions is the order of a session.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from probe import catalogue
from probe.facts import Ending, Fault, Inbox, Reply, Stage, Tls, Transcript, Turn
from probe.grammar import sasl
from probe.grammar.ehlo import NONE, Extensions, extensions
from probe.rules import Finding, Outcome, Verdict

__all__ = ["Conclusion", "evidence_of", "judge_login", "mechanism_of", "offered", "typed"]

_DAYS_LEFT = 14
_MOST_SHOWN = 12  # names of a list in one sentence

# The code that takes a session on; None where any success will do.
_SUCCESS = {
    Stage.GREETING: 220,
    Stage.EHLO: 250,
    Stage.STARTTLS: 220,
    Stage.AUTH: 235,
    Stage.MAIL: None,
    Stage.RCPT: None,
}


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
    provider = provider or _recognised(session)
    decided = _deciding(session)
    findings = list(typed(inbox))
    if _shifted(session):
        findings.append(_rule("replies-shifted", session.last(Stage.QUIT)))
        findings += _tls_findings(session.tls, now)
        return Conclusion(_after_shift(session), tuple(findings), session.last(Stage.QUIT))
    refused = _reading(decided, session, provider) if decided is not None else None
    if refused is not None:
        findings.append(refused)
    if session.stopped:
        findings.append(_stopped(session))
    findings += _remarks(session, provider, now)
    outcome = _outcome(session, refused, decided)
    if outcome in {Outcome.BAD_CREDS, Outcome.NOT_PROVEN} and "@" not in (inbox.user or inbox.address):
        findings.append(Finding(catalogue.rule("credentials/user-is-not-the-address"), {"user": inbox.user}))
    return Conclusion(outcome, tuple(findings), decided or session.last(Stage.RCPT))


def offered(session: Transcript) -> tuple[Extensions, Extensions]:
    """The extensions before and under TLS."""
    before = after = NONE
    for turn in session.of(Stage.EHLO):
        if isinstance(turn.heard, Reply):
            if turn.secure:
                after = extensions(turn.heard)
            else:
                before = extensions(turn.heard)
    return before, after


def mechanism_of(session: Transcript) -> str:
    """The SASL name of the last AUTH that was said; empty where none was."""
    said = [turn.said.split() for turn in session.of(Stage.AUTH)]
    return next((words[1] for words in reversed(said) if len(words) > 1 and words[0] == "AUTH"), "")


def evidence_of(turn: Turn | None) -> dict[str, str]:
    """A turn as the evidence of a finding: stage, and the reply or how it ended."""
    if turn is None:
        return {}
    evidence: dict[str, str] = {"stage": str(turn.stage)}
    if isinstance(turn.heard, Reply):
        evidence["reply"] = str(turn.heard)
    elif turn.heard is not None:
        evidence["ending"] = str(turn.heard.ending)
        evidence["detail"] = turn.heard.detail
        if turn.heard.lines:
            evidence["reply"] = "\n".join(turn.heard.lines)
    if turn.unasked:
        evidence["unasked"] = "\n".join(turn.unasked)
    return evidence


# -- which turn decides -----------------------------------------------------------------------------


def _deciding(session: Transcript) -> Turn | None:
    """The first turn that did not take the session on; later ones only follow from it."""
    turns = [turn for turn in session if turn.stage not in {Stage.RSET, Stage.QUIT}]
    for index, turn in enumerate(turns):
        later = turns[index + 1 :]
        if not _took_on(turn) and not _gone_round(turn, later):
            return turn
    return None


def _took_on(turn: Turn) -> bool:
    if not isinstance(turn.heard, Reply):
        return turn.heard is None
    wanted = _SUCCESS.get(turn.stage)
    return turn.heard.accepted if wanted is None else turn.heard.code == wanted


def _gone_round(turn: Turn, later: list[Turn]) -> bool:
    """Whether the session went on in spite of it: another address, HELO, a challenge, a second AUTH."""
    if turn.stage is Stage.CONNECT:
        return any(more.stage is Stage.CONNECT for more in later)
    if turn.stage is Stage.EHLO:
        return any(more.said.startswith("HELO ") and more.secure == turn.secure for more in later)
    if turn.stage is Stage.AUTH and isinstance(turn.heard, Reply):
        return turn.heard.code == 334 or any(more.said.startswith("AUTH ") for more in later)
    return False


def _shifted(session: Transcript) -> bool:
    """Whether QUIT got another command's answer: then there was one reply too many somewhere before."""
    quit_turn = session.last(Stage.QUIT)
    if quit_turn is None or not isinstance(quit_turn.heard, Reply) or quit_turn.heard.code == 221:
        return False
    only_auth = quit_turn.heard.code in {235, 334, 535}
    return only_auth or any(line.startswith("221") for line in quit_turn.unasked)


def _after_shift(session: Transcript) -> Outcome:
    # 235 is AUTH's alone. Had it been a stray one, AUTH's true refusal would have answered MAIL.
    mail = session.last(Stage.MAIL)
    proven = any(isinstance(turn.heard, Reply) and turn.heard.code == 235 for turn in session.of(Stage.AUTH))
    return Outcome.CREDS_OK if proven and mail is not None and mail.accepted else Outcome.NOT_PROVEN


def _outcome(session: Transcript, refused: Finding | None, decided: Turn | None) -> Outcome:
    auth = session.last(Stage.AUTH)
    if auth is not None and isinstance(auth.heard, Reply) and auth.heard.code == 235:
        envelope = (session.last(Stage.MAIL), session.last(Stage.RCPT))
        taken = all(turn is not None and turn.accepted for turn in envelope)
        return Outcome.USABLE if taken and not session.stopped else Outcome.CREDS_OK
    definite = decided is not None and isinstance(decided.heard, Reply) and 500 <= decided.heard.code <= 599
    if definite and decided is auth and refused is not None and refused.rule.outcome is Outcome.BAD_CREDS:
        return Outcome.BAD_CREDS
    return Outcome.NOT_PROVEN


# -- findings -------------------------------------------------------------------------------------


def _rule(problem: str, turn: Turn | None, detail: str = "") -> Finding:
    return Finding(catalogue.rule(f"session/{problem}"), evidence_of(turn), detail)


def _reading(turn: Turn, session: Transcript, provider: str) -> Finding | None:
    """What the catalogue says of the turn that decided; None where our own stop says it better."""
    heard = turn.heard
    if heard is None or (session.stopped and turn.stage is Stage.AUTH):
        return None
    if isinstance(heard, Reply) and heard.code < 400:
        return _rule("unexpected-code", turn, f"{heard.code} at {turn.stage}")
    match = catalogue.read(
        heard, stage=turn.stage, provider=provider, mechanism=mechanism_of(session), side="submission"
    )
    return Finding(
        match.rule,
        evidence_of(turn),
        _detail(turn, session),
        confidence=match.confidence,
        matched=match.matched,
        alternates=tuple(entry.id for entry in match.alternates),
    )


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
            return "; ".join(filter(None, (turn.heard.detail, _described(session.tls))))
        return turn.heard.detail
    return ""


def _described(tls: Tls) -> str:
    leaf = tls.certificate
    if leaf is None:
        return ""
    more = f" and {leaf.total - len(leaf.names)} more" if leaf.total > len(leaf.names) else ""
    names = (", ".join(leaf.names) or f"none (subject {leaf.subject})") + more
    valid = f"valid {leaf.not_before[:10]} to {leaf.not_after[:10]}"
    return f"asked for {tls.wanted}; the certificate names {names}, is issued by {leaf.issuer}, {valid}"


def _stopped(session: Transcript) -> Finding:
    before, after = offered(session)
    last = session.last(Stage.AUTH) or session.last(Stage.EHLO)
    under_tls = last is not None and last.secure
    extent = after if under_tls else before
    if session.stopped == "starttls-not-offered":
        detail = f"offered: {_listed(extent.keywords) or 'nothing'}"
    elif extent.mechanisms and session.stopped.endswith(("not-offered", "mechanism")):
        detail = f"offered: AUTH {_listed(extent.mechanisms)}"
    else:
        detail = ""
    return _rule(session.stopped, last, detail)


def _listed(words: object) -> str:
    names = [str(word)[:60] for word in words]  # type: ignore[attr-defined]
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return " ".join(names[:_MOST_SHOWN]) + more


def _remarks(session: Transcript, provider: str, now: dt.datetime | None) -> Iterator[Finding]:
    """What is worth saying though it did not decide."""
    yield from _tls_findings(session.tls, now)
    connects = session.of(Stage.CONNECT)
    if connects and connects[-1].heard is None:
        yield from (_rule("address-not-answering", turn, str(turn.heard)) for turn in connects[:-1])
    if any(extent.old_style for extent in offered(session)):
        yield _rule("old-style-auth", session.last(Stage.EHLO))
    auth = session.last(Stage.AUTH)
    if auth is None or not isinstance(auth.heard, Reply) or auth.heard.code != 235:
        return
    if not auth.secure:
        yield _rule("plaintext-login", auth)
    match = catalogue.read(
        auth.heard, stage=Stage.AUTH, provider=provider, mechanism=mechanism_of(session), side="submission"
    )
    if match.rule.verdict is not Verdict.OK:
        yield Finding(match.rule, evidence_of(auth), confidence=match.confidence, matched=match.matched)


def _tls_findings(tls: Tls | None, now: dt.datetime | None) -> Iterator[Finding]:
    if tls is None or not tls.verified or tls.certificate is None:
        return
    rest = dt.datetime.fromisoformat(tls.certificate.not_after) - (now or dt.datetime.now(dt.UTC))
    if rest < dt.timedelta(days=_DAYS_LEFT):
        leaf = tls.certificate
        evidence = {"stage": "tls", "certificate": leaf.subject, "not_after": leaf.not_after}
        yield Finding(catalogue.rule("session/certificate-expires-soon"), evidence, f"{rest.days} days left")


def _recognised(session: Transcript) -> str:
    for turn in session:
        if turn.stage in {Stage.GREETING, Stage.EHLO} and isinstance(turn.heard, Reply):
            found = catalogue.provider_of_text(turn.heard.text)
            if found is not None:
                return found.id
    return ""


# -- what was typed -------------------------------------------------------------------------------

_QUOTES = ('""', "''", "“”", "„“", "«»", "\u2018\u2019")


def typed(inbox: Inbox) -> Iterator[Finding]:
    """What can be said of a login before anything is sent; nothing of the secret is shown."""
    secret = inbox.secret.reveal()
    if inbox.mechanism.upper() in sasl.TOKEN:
        if len(secret) < 32 or " " in secret.strip():
            yield _lint("token-expected", f"{len(secret)} characters")
        return
    if secret != secret.strip(" "):
        end = "begins" if secret[:1] == " " else "ends"
        yield _lint("space-around", f"it {end} with a space")
    groups = secret.strip(" ").split(" ")
    if [len(group) for group in groups] == [4, 4, 4, 4] and "".join(groups).isalpha():
        yield _lint("app-password-in-groups", "four groups of four letters")
    if any(not char.isprintable() or (char.isspace() and char != " ") for char in secret):
        yield _lint("invisible-character", "a character that cannot be seen")
    if len(secret) > 2 and secret[0] + secret[-1] in _QUOTES:
        yield _lint("quotes-around", "quotation marks at both ends")


def _lint(problem: str, what: str) -> Finding:
    return Finding(catalogue.rule(f"credentials/{problem}"), {"secret": what})
