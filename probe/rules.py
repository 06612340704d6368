"""What is known and what follows: verdicts, causes, rules with their sources, findings, reports.

A `Rule` is a piece of knowledge; a `Finding` is a rule and the fact that met it; a `Report` is all that
renderers ever see. Nothing here looks at a byte or opens a socket.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from probe.facts import Records, Transcript

__all__ = [
    "Cause",
    "Confidence",
    "Family",
    "Finding",
    "Outcome",
    "Priority",
    "Report",
    "Retry",
    "Rule",
    "Shared",
    "Source",
    "State",
    "Verdict",
    "worst",
]


class Verdict(enum.StrEnum):
    """One scale for a finding and for a report; a report is its worst finding."""

    OK = "ok"
    NOTE = "note"  # worth knowing, nothing to do
    WARN = "warn"  # works today
    WAIT = "wait"  # refused for now: greylisting, throttling, a 4xx
    UNKNOWN = "unknown"  # we could not tell; never fail, and never ok
    FAIL = "fail"

    @property
    def rank(self) -> int:
        """The place on the scale, 0 for `OK`."""
        return _SCALE[self]


_SCALE = {verdict: rank for rank, verdict in enumerate(Verdict)}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; `OK` of none."""
    return max(verdicts, key=_SCALE.__getitem__, default=Verdict.OK)


class Outcome(enum.StrEnum):
    """What a login probe proved. People delete, re-enter or retry on it: the last two never mix."""

    USABLE = "usable"  # AUTH proven, envelope accepted
    CREDS_OK = "creds_ok"  # AUTH proven, a later step not
    BAD_CREDS = "bad_creds"  # the server definitively refused these credentials
    NOT_PROVEN = "not_proven"


class State(enum.StrEnum):
    """What is published in one area of DNS (spf, dkim, dmarc, mx, ...)."""

    VALID = "valid"
    WARN = "warn"
    MISSING = "missing"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Family(enum.StrEnum):
    """What operators automate."""

    SUPPRESS = "suppress"
    HOLD = "hold"
    RETRY = "retry"
    SENDER = "sender"
    MESSAGE = "message"
    INVESTIGATE = "investigate"
    NONE = "none"


class Priority(enum.StrEnum):
    """How soon somebody must act, in the field's words."""

    INFO = "info"
    MONITOR = "monitor"
    FIX_SOON = "fix soon"
    CRITICAL = "critical"


class Retry(enum.StrEnum):
    """Whether the same message may be tried again."""

    NO = "no"
    YES = "yes"
    SLOWER = "slower"
    AFTER_FIX = "after fix"
    AFTER_RESET = "after reset"


class Confidence(enum.StrEnum):
    """How sure a finding is of its rule."""

    CERTAIN = "certain"
    LIKELY = "likely"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class _Answers:
    """The four separate answers of a cause, with who acts and how soon."""

    family: Family
    acts: str
    permanent: bool
    recipient_bad: bool
    sender_must_act: bool
    retry: Retry
    retry_after: str
    priority: Priority


class Cause(enum.Enum):
    """Twenty root causes, and `success` and `unknown`.

    Each carries four separate answers: is it permanent for this message, is the recipient bad, must the
    sender act, may it be retried. Folding them into hard and soft loses good recipients.
    """

    RECIPIENT_UNKNOWN = "recipient_unknown"
    RECIPIENT_INACTIVE = "recipient_inactive"
    RECIPIENT_DOMAIN = "recipient_domain"
    MAILBOX_FULL = "mailbox_full"
    RECIPIENT_POLICY = "recipient_policy"
    RATE_LIMIT = "rate_limit"
    GREYLIST = "greylist"
    SENDER_QUOTA = "sender_quota"
    CREDENTIALS = "credentials"
    SENDER_SUSPENDED = "sender_suspended"
    EMAIL_AUTH = "email_auth"
    SENDER_DNS = "sender_dns"
    BLOCKLIST = "blocklist"
    REPUTATION = "reputation"
    CONTENT = "content"
    MESSAGE_FORMAT = "message_format"
    RELAY = "relay"
    PROTOCOL = "protocol"
    RECEIVER_UNAVAILABLE = "receiver_unavailable"
    POLICY = "policy"
    SUCCESS = "success"
    UNKNOWN = "unknown"

    # A member equals itself alone, and piles count by it: not by its name, as any enumeration hashes.
    __hash__ = object.__hash__

    @property
    def answers(self) -> _Answers:
        """The four answers, who acts and the priority, as this cause has them by default."""
        return _CAUSES[self]

    @property
    def family(self) -> Family:
        """The action family."""
        return _CAUSES[self].family


def _table() -> dict[Cause, _Answers]:
    """The causes with their answers, a row each.

    Three of the answers are letters: P, permanent for this message; R, the recipient is bad; S, the sender
    must act.
    """
    suppress, hold, again = Family.SUPPRESS, Family.HOLD, Family.RETRY
    sender, message = Family.SENDER, Family.MESSAGE
    lists, ours = "list quality", "sender infrastructure"
    no, yes, slower, fix = Retry.NO, Retry.YES, Retry.SLOWER, Retry.AFTER_FIX
    monitor, soon, critical = Priority.MONITOR, Priority.FIX_SOON, Priority.CRITICAL
    # family, who acts, answers, retry, after how long, priority
    rows = {
        Cause.RECIPIENT_UNKNOWN: (suppress, lists, "PRS", no, "", soon),
        Cause.RECIPIENT_INACTIVE: (suppress, lists, "PRS", no, "check again after 90 days", soon),
        Cause.RECIPIENT_DOMAIN: (suppress, lists, "PRS", no, "", soon),
        Cause.MAILBOX_FULL: (hold, "recipient", "", yes, "up to 72 h, then pause 30 to 90 days", monitor),
        Cause.RECIPIENT_POLICY: (hold, "recipient or its admin", "P", no, "", monitor),
        Cause.RATE_LIMIT: (again, ours, "S", slower, "back off, then slower", monitor),
        Cause.GREYLIST: (again, "nobody", "", yes, "5 to 15 min, same address and envelope", monitor),
        Cause.SENDER_QUOTA: (sender, ours, "S", Retry.AFTER_RESET, "when the quota resets", soon),
        Cause.CREDENTIALS: (sender, "credentials", "PS", no, "", critical),
        Cause.SENDER_SUSPENDED: (sender, ours, "PS", no, "", critical),
        Cause.EMAIL_AUTH: (sender, ours, "PS", fix, "", critical),
        Cause.SENDER_DNS: (sender, ours, "PS", fix, "", critical),
        Cause.BLOCKLIST: (sender, ours, "PS", fix, "after delisting", critical),
        Cause.REPUTATION: (sender, ours, "S", slower, "after cutting volume", critical),
        Cause.CONTENT: (message, "content", "PS", fix, "never the same content", soon),
        Cause.MESSAGE_FORMAT: (message, "sender software", "PS", fix, "", soon),
        Cause.RELAY: (sender, ours, "PS", fix, "", soon),
        Cause.PROTOCOL: (sender, "sender software", "PS", fix, "", soon),
        Cause.RECEIVER_UNAVAILABLE: (again, "receiver or network", "", yes, "30 min, up to 5 days", monitor),
        Cause.POLICY: (Family.INVESTIGATE, "unknown", "PS", no, "", critical),
        Cause.SUCCESS: (Family.NONE, "nobody", "", no, "", Priority.INFO),
        Cause.UNKNOWN: (Family.INVESTIGATE, "unknown", "", no, "", monitor),
    }
    return {
        cause: _Answers(
            family,
            acts,
            permanent="P" in told,
            recipient_bad="R" in told,
            sender_must_act="S" in told,
            retry=retry,
            retry_after=after,
            priority=priority,
        )
        for cause, (family, acts, told, retry, after, priority) in rows.items()
    }


_CAUSES = _table()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a piece of knowledge comes from. `kind` is rfc, vendor or observed; `read` is ISO 8601."""

    url: str
    kind: str
    read: str

    def __str__(self) -> str:
        return f"{self.url.removeprefix('https://')}, read {self.read}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A piece of knowledge: what a fact means and what to do about it.

    `id` is ``<file>/<problem>``. `outcome` is what a login probe may conclude when this rule decides it
    (only rules that prove a refusal of the credentials themselves say `BAD_CREDS`). The four answers
    are those of the cause unless the rule says otherwise (None: as the cause). `predicts` are the
    replies this problem provokes elsewhere.
    """

    id: str
    verdict: Verdict
    cause: Cause
    title: str
    meaning: str
    fix: str
    source: Source
    dont: str = ""
    outcome: Outcome | None = None
    permanent: bool | None = None
    recipient_bad: bool | None = None
    sender_must_act: bool | None = None
    retry: Retry | None = None
    retry_after: str | None = None
    priority: Priority | None = None
    predicts: tuple[str, ...] = ()

    def answer(self, name: str) -> object:
        """One of the four answers, `retry_after` or `priority`: the rule's own, else its cause's."""
        own: object = getattr(self, name)
        return getattr(self.cause.answers, name) if own is None else own


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule and the fact that met it; there is no finding without its fact.

    `evidence` holds the fact in printable words: ``stage`` and ``reply`` for SMTP, ``question``,
    ``status``, ``server`` and ``record`` for DNS. `detail` says what is particular here. `fix` replaces
    the rule's where it was computed from the fact (a record to paste). `matched` is the wording that
    was decisive, `alternates` the ids of other readings, best first.
    """

    rule: Rule
    evidence: Mapping[str, str]
    detail: str = ""
    fix: str = ""
    confidence: Confidence = Confidence.CERTAIN
    matched: str = ""
    alternates: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The rule's verdict."""
        return self.rule.verdict

    @property
    def remedy(self) -> str:
        """What to do: `fix`, or the rule's where nothing was computed."""
        return self.fix or self.rule.fix


class Shared(dict[str, object]):
    """A table in `Report.evaluations` that is one object for many reports, so nobody changes it.

    What is made of it can be remembered by its identity.
    """

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]  # a dictionary has none, being open to change


@dataclass(frozen=True, slots=True)
class Report:
    """All that was observed of one subject and all that follows: what renderers see, and nothing else.

    `kind` is creds, dns, rcpt, reply, pile, fleet or doctor. `facts` are the few lines worth showing above
    the findings (provider, server, source address); `evaluations` what was computed, ready for JSON;
    `timings` seconds by step name, in order.
    """

    kind: str
    subject: str
    findings: tuple[Finding, ...] = ()
    outcome: Outcome | None = None
    states: Mapping[str, State] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    evaluations: Mapping[str, object] = field(default_factory=dict)
    transcript: Transcript | None = None
    records: Records | None = None
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst finding's verdict."""
        return worst(finding.verdict for finding in self.findings)

    @property
    def decisive(self) -> Finding | None:
        """The finding that decides the verdict: the first of the worst; None where there is none."""
        return max(self.findings, key=lambda finding: finding.verdict.rank, default=None)
