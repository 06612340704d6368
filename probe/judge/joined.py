"""The joined diagnosis: what a reply says, beside what DNS or the session shows of the same thing.

A reply names or implies a cause. Where that can be checked there is a `Claim`: a sentence, the questions
that settle it, and the conclusion. *confirmed*: the evidence shows the fault that the reply names.
*likely*: it agrees without settling it. *unconfirmed*: nobody could tell from here. *refuted*: what the
reply complains of is not there, or no longer.
"""

from __future__ import annotations

import enum
import functools
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from probe.checks import Judgement
from probe.checks._evidence import evidence, routable, seen_answer
from probe.facts import Question, Records, Transcript
from probe.grammar.hostname import hostname
from probe.grammar.pasted import extracts
from probe.rules import Cause, Finding, Verdict

__all__ = [
    "NO_ADDRESS",
    "NO_NAME",
    "Case",
    "Claim",
    "Conclusion",
    "Status",
    "concluded",
    "dns",
    "domain_of",
    "first",
    "says",
    "settled",
    "shown",
    "unsure",
]


NO_NAME = "the reply names no domain and no sender was told (--mail-from)"
NO_ADDRESS = "the reply names no address of the internet and none was told (--sending-ip)"
_MOST_FACTS = 6


class Status(enum.StrEnum):
    """What the evidence says of a reply."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    UNCONFIRMED = "unconfirmed"
    REFUTED = "refuted"


@dataclass(frozen=True, slots=True)
class Case:
    """A reply and all that is known around it; what is not known is empty.

    `reply` are the words as they came, `cause` how the catalogue reads them. `address` is the one we were
    seen with, where it is of the internet. `server` is the host that answered, `peer` its address.
    `session` is the transcript the reply stands in.
    """

    reply: str
    code: int
    enhanced: str
    cause: Cause
    stage: str = ""
    address: str = ""
    mail_from: str = ""
    helo: str = ""
    selectors: tuple[str, ...] = ()
    recipient: str = ""
    server: str = ""
    peer: str = ""
    session: Transcript | None = None

    @property
    def words(self) -> str:
        """The reply in lower case, in one line."""
        return " ".join(self.reply.lower().split())

    @property
    def status(self) -> str:
        """Subject and detail of the enhanced status code: ``7.25`` of ``5.7.25``."""
        return self.enhanced.partition(".")[2]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The sending addresses: our own where the reply names it, else those that it names, else our own."""
        named = [one for one in _extracted(self.reply).get("ip", ()) if routable(one) and one != self.peer]
        own = [self.address] if self.address and routable(self.address) else []
        chosen = own if set(own) & set(named) else named[:3] or own
        return tuple(str(ipaddress.ip_address(one)) for one in chosen)

    @property
    def named(self) -> tuple[str, ...]:
        """The domains that the reply speaks of as the sender's: ``from x``, ``SPF [x]``, ``domain x``."""
        ours = {domain_of(self.recipient), self.server.lower(), ""}
        found = dict.fromkeys(domain_of(one.strip(".-_")) for one in _SPOKEN_OF.findall(self.words))
        return tuple(one for one in found if one not in ours and not f".{one}".endswith(_OTHERS))

    @property
    def sender(self) -> str:
        """The domain of the envelope sender; where there is none, the first that the reply speaks of."""
        return domain_of(self.mail_from) or next(iter(self.named), "")

    @property
    def author(self) -> str:
        """The domain in From: the one that the reply speaks of, else that of the envelope sender."""
        return next(iter(self.named), "") or self.sender


_SPOKEN_OF = re.compile(
    r"(?:\bfrom|\bfor|\bof|\bdomain|\bsender|\bspf|\bdkim|\bd=)[:=]?\s{0,2}[<\[('\"]{0,2}(?:[^\s@<>]{1,64}@)?"
    r"((?:[a-z0-9_-]{1,63}\.){1,8}[a-z][a-z0-9-]{1,62})(?![a-z0-9@])"
)
# Names in a reply, and what is below them, that tell of the receiver or of a list, not of the sender.
_OTHERS = (".google.com", ".microsoft.com", ".outlook.com", ".yahoo.com", ".spamhaus.org", ".spamcop.net")


@functools.lru_cache(maxsize=64)
def _extracted(reply: str) -> Mapping[str, list[str]]:
    return extracts(reply)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How it stands with a claim: the sentence, why, and the facts it was judged by, in printable words."""

    status: Status
    claim: str
    because: str
    evidence: tuple[Mapping[str, str], ...] = ()

    def told(self, reply: Mapping[str, str]) -> dict[str, object]:
        """The form in JSON: both facts side by side, the reply first."""
        return {
            "status": str(self.status),
            "claim": self.claim,
            "because": self.because,
            "evidence": [{"fact": "reply", **reply}, *map(dict, self.evidence)],
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """A kind of complaint that can be checked.

    `made` tells whether a case makes it, `ask` yields what has to be known, `judge` concludes when nothing
    is asked any more. `local`: the session alone settles it, DNS is not asked.
    """

    name: str
    made: Callable[[Case], bool]
    ask: Callable[[Case, Records], Iterable[Question]]
    judge: Callable[[Case, Records], Conclusion]
    local: bool = False


def dns(seen: Records, *questions: Question) -> tuple[Mapping[str, str], ...]:
    """Answers as evidence; questions that were not asked are left out."""
    told = ((question, seen_answer(seen, question)) for question in questions if question in seen)
    return tuple(
        {"fact": "dns", **evidence(question, answer, "; ".join(answer.values[:6]))}
        for question, answer in told
    )


def concluded(
    status: Status, claim: str, because: str, facts: Iterable[Mapping[str, str]] = ()
) -> Conclusion:
    """A conclusion with the first few of its facts."""
    return Conclusion(status, claim, because, tuple(facts)[:_MOST_FACTS])


def shown(finding: Finding) -> Mapping[str, str]:
    """A finding of a check as evidence."""
    return {"fact": "dns", **finding.evidence, "finding": finding.rule.id}


def first(judged: Judgement, *ids: str) -> Finding | None:
    """The first finding of some rules."""
    return next((finding for finding in judged.findings if finding.rule.id in ids), None)


def unsure(judged: Judgement) -> Finding | None:
    """The first finding that says that something could not be told."""
    return next((finding for finding in judged.findings if finding.verdict is Verdict.UNKNOWN), None)


def says(*patterns: str) -> re.Pattern[str]:
    """What reads any of these in the words of a case."""
    return re.compile("|".join(patterns))


def settled(case: Case, claims: Iterable[Claim]) -> Claim | None:
    """The first claim that a case makes, in the order of the table."""
    return next((claim for claim in claims if claim.made(case)), None)


def domain_of(mailbox: str) -> str:
    """The domain of a mailbox, or the domain itself, as questions name it; empty where it is none."""
    try:
        return hostname(mailbox.rpartition("@")[2].strip("<> .")).name
    except ValueError:
        return ""
