"""One reply explained: cause, who acts, what to do, how sure, and what else it may be."""

from __future__ import annotations

import dataclasses

from probe import catalogue
from probe.catalogue import Entry, Match
from probe.facts import Reply, Stage, shortened
from probe.grammar import pasted
from probe.grammar.pasted import Pasted
from probe.rules import Cause, Confidence, Family, Finding, Report

__all__ = ["explain_reply", "not_read", "nothing_found", "reading"]


def explain_reply(
    said: Reply | str,
    *,
    stage: Stage | None = None,
    provider: str = "",
    mx: str = "",
    recipient: str = "",
    sender: str = "",
    delayed: bool = False,
) -> Report:
    """The report of one reply, from the wire or as somebody pasted it; it always answers.

    `stage` is the command it answered, `provider` an id of the catalogue, `mx` the server that said it;
    what is not told is recognised from the words. Below the confidence bar the cause is *unknown* and
    the weak readings are alternates: an address is never suppressed on a guess. `delayed` tells that
    whoever reports it tries again: then it is read as refused for now, unless its code says never.
    """
    heard = pasted.of(said) if isinstance(said, Reply) else pasted.read(said)
    match = reading(heard, stage=stage, provider=provider, mx=mx)
    if delayed and heard.code < 500:
        match = dataclasses.replace(match, entry=match.entry.softened())
    words = " ".join(heard.lines)
    evidence = {
        "reply": "\n".join(heard.lines)[: pasted.LIMIT],
        "code": str(heard.code or ""),
        "enhanced": heard.enhanced,
        "stage": str(stage or heard.stage or ""),
        "mx": mx,
        "recipient": recipient,
        "sender": sender,
    }
    finding = Finding(
        rule=match.rule,
        evidence={key: value for key, value in evidence.items() if value or key == "reply"},
        detail=_detail(match),
        confidence=match.confidence,
        matched=match.matched,
        alternates=tuple(other.id for other in match.alternates),
    )
    evaluations: dict[str, object] = {"extracts": pasted.extracts(words)}
    if match.entry.disputed:
        evaluations["disputed"] = match.entry.disputed
    facts = {"provider": match.provider, "stage": evidence["stage"]}
    return Report(
        kind="reply",
        subject=recipient or shortened(words, 120),
        findings=(finding,),
        facts={key: value for key, value in facts.items() if value},
        evaluations=evaluations,
    )


def nothing_found(subject: str, detail: str = "") -> Report:
    """The report of an input that was read, or is empty, and tells of no delivery."""
    finding = Finding(catalogue.rule("mail/no-failure"), {"input": subject}, detail)
    return Report("reply", subject, (finding,))


def not_read(subject: str, why: str) -> Report:
    """The report of an input that is there and could not be read."""
    return Report("reply", subject, (Finding(catalogue.rule("mail/not-read"), {"input": subject}, why),))


def reading(heard: Pasted, *, stage: Stage | None = None, provider: str = "", mx: str = "") -> Match:
    """The catalogue's reading of what was pasted, with the confidence bar applied."""
    host = mx.strip().rstrip(".").lower()
    served = catalogue.provider_named(provider) or (catalogue.provider_of_host(host) if host else None)
    submits = served is not None and any(host == one.host for one in served.submission)
    receives = catalogue.provider_of_mx([host]) is not None if host else False
    side = "" if submits == receives else "submission" if submits else "mx"
    match = catalogue.read_words(
        heard.text,
        code=heard.code,
        enhanced=heard.enhanced,
        stage=stage or heard.stage,
        provider=served.id if served else "",
        side=side,
    )
    return _barred(match)


def _barred(match: Match) -> Match:
    """Never suppress on a guess: an uncertain reading that blames the recipient is only an alternate."""
    if match.confidence is not Confidence.UNCERTAIN or match.cause.family is not Family.SUPPRESS:
        return match
    return Match(
        Entry(catalogue.general(Cause.UNKNOWN)),
        match.matched,
        (match.entry, *match.alternates)[:4],
        Confidence.UNCERTAIN,
        match.provider,
    )


def _detail(match: Match) -> str:
    """The one next check that separates the readings, where there are several."""
    if match.confidence is Confidence.CERTAIN or not match.alternates or match.cause is Cause.SUCCESS:
        return ""
    return match.entry.check
