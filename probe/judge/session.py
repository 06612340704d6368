"""What a session tells, whoever asks: its turns as evidence, its offers, its certificate, its order."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Iterator

from probe import catalogue
from probe.facts import Certificate, Ending, Fault, Reply, Stage, Tls, Transcript, Turn
from probe.grammar.ehlo import NONE, Extensions, extensions
from probe.rules import Finding

__all__ = [
    "about_the_session",
    "described",
    "evidence_of",
    "listed",
    "mechanism_of",
    "offered",
    "on_the_way",
    "recognised",
    "shifted",
    "tls_as_told",
    "tls_findings",
    "took_on",
]

_DAYS_LEFT = 14
_MOST_SHOWN = 12  # names of a list in one sentence
_INTRODUCING = frozenset({Stage.GREETING, Stage.EHLO})

_OF_OTHERS = frozenset({211, 214, 220, 221, 235})  # 2xx that answer other commands (RFC 5321 section 4.2.3)

# The code that takes a session on; None where any success will do.
_SUCCESS = {
    Stage.GREETING: 220,
    Stage.EHLO: 250,
    Stage.STARTTLS: 220,
    Stage.AUTH: 235,
    Stage.MAIL: None,
    Stage.RCPT: None,
}


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
    for turn in reversed(session.turns):
        if turn.stage is Stage.AUTH and turn.said.startswith("AUTH "):
            return turn.said.split(" ", 2)[1]
    return ""


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
        if turn.heard.status is not None:
            evidence["status"] = str(turn.heard.status)
    if turn.unasked:
        evidence["unasked"] = "\n".join(turn.unasked)
    return evidence


def took_on(turn: Turn) -> bool:
    """Whether a turn took the session on: the code its stage has to have."""
    if not isinstance(turn.heard, Reply):
        return turn.heard is None
    wanted = _SUCCESS.get(turn.stage)
    if wanted is None:
        return turn.heard.accepted and turn.heard.code not in _OF_OTHERS
    return turn.heard.code == wanted


def shifted(session: Transcript) -> bool:
    """Whether QUIT got another command's answer: then there was one reply too many somewhere before.

    A 421 is no such reply: a server may take its leave at any time (RFC 5321 section 3.8).
    """
    if any(_in_the_way(session.last(stage)) for stage in (Stage.RSET, Stage.QUIT)):
        return True
    quit_turn = session.last(Stage.QUIT)
    if quit_turn is None or not isinstance(quit_turn.heard, Reply) or quit_turn.heard.code == 221:
        return False
    if any(isinstance(turn.heard, Reply) and turn.heard.code == 421 for turn in session):
        return False
    # What QUIT is never answered with, and another command before it is.
    others = {235, 334, 535} if session.of(Stage.AUTH) else {220, 235, 334, 535}
    return quit_turn.heard.code in others or any(line.startswith("221") for line in quit_turn.unasked)


def _in_the_way(turn: Turn | None) -> bool:
    """Whether a reply that nobody asked for stood there before the command could be said."""
    if turn is None or not isinstance(turn.heard, Fault):
        return False
    return turn.heard.ending is Ending.GARBLED and not turn.said


def about_the_session(problem: str, turn: Turn | None, detail: str = "") -> Finding:
    """A finding of ``session.toml`` about a turn."""
    return Finding(catalogue.rule(f"session/{problem}"), evidence_of(turn), detail)


def described(tls: Tls) -> str:
    """A certificate in one sentence; empty where none was seen."""
    leaf = tls.certificate
    if leaf is None:
        return ""
    more = f" and {leaf.total - len(leaf.names)} more" if leaf.total > len(leaf.names) else ""
    names = (", ".join(leaf.names) or f"none (subject {leaf.subject})") + more
    valid = f"valid {leaf.not_before[:10]} to {leaf.not_after[:10]}"
    return f"asked for {tls.wanted}; the certificate names {names}, is issued by {leaf.issuer}, {valid}"


def listed(words: Iterable[str]) -> str:
    """Some names in a row, the first dozen and how many more."""
    names = [str(word)[:60] for word in words]
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return " ".join(names[:_MOST_SHOWN]) + more


def tls_findings(tls: Tls | None, now: dt.datetime | None) -> Iterator[Finding]:
    """What is worth saying of a verified certificate."""
    if tls is None or not tls.verified or tls.certificate is None:
        return
    leaf = tls.certificate
    days = _days_left(leaf, now or dt.datetime.now(dt.UTC))
    if days is not None and days < _DAYS_LEFT:
        evidence = {"stage": "tls", "certificate": leaf.subject, "not_after": leaf.not_after}
        yield Finding(catalogue.rule("session/certificate-expires-soon"), evidence, f"{days} days left")


def _days_left(leaf: Certificate, now: dt.datetime) -> int | None:
    try:
        return (dt.datetime.fromisoformat(leaf.not_after) - now).days
    except (ValueError, TypeError):
        return None  # a transcript that somebody wrote by hand


def tls_as_told(tls: Tls | None, now: dt.datetime) -> dict[str, object]:
    """TLS as plain values: protocol, cipher, the chain's verdict, the certificate and its days left."""
    if tls is None:
        return {}
    leaf = tls.certificate
    told: dict[str, object] = {
        "version": tls.version,
        "cipher": tls.cipher,
        "wanted": tls.wanted,
        "verified": tls.verified,
        "error": tls.error,
        "resumed": tls.resumed,
    }
    if leaf is not None:
        told["certificate"] = {
            "subject": leaf.subject,
            "issuer": leaf.issuer,
            "names": list(leaf.names),
            "names_in_all": leaf.total,
            "not_before": leaf.not_before,
            "not_after": leaf.not_after,
            "days_left": _days_left(leaf, now),
            "key": leaf.key,
            "sha256": leaf.fingerprint,
        }
    return told


def recognised(session: Transcript) -> str:
    """The id of the provider that the greeting or the EHLO reply betrays; empty where none does."""
    for turn in session:
        if turn.stage in _INTRODUCING and isinstance(turn.heard, Reply) and (found := _betrayed(turn.heard)):
            return found
    return ""


@functools.lru_cache(maxsize=64)  # servers greet every inbox alike
def _betrayed(heard: Reply) -> str:
    found = catalogue.provider_of_text(heard.text)
    return found.id if found is not None else ""


def on_the_way(turn: Turn, later: Iterable[Turn]) -> bool:
    """Whether the session went on in spite of it: by another address, or by HELO."""
    if turn.stage is Stage.CONNECT:
        return any(more.stage is Stage.CONNECT and _telling(more) >= _telling(turn) for more in later)
    if turn.stage is Stage.EHLO:
        return any(more.said.startswith("HELO ") and more.secure == turn.secure for more in later)
    return False


def _telling(turn: Turn) -> int:
    """How much an attempt to connect tells of the server: that we have no way to it tells nothing."""
    if not isinstance(turn.heard, Fault):
        return 2
    return 0 if turn.heard.ending in {Ending.UNREACHABLE, Ending.LOCAL} else 1
