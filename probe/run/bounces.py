"""Bounce mails, webhooks and logs explained: a report for each failed recipient, and one for the pile."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from probe import catalogue
from probe.facts import Stage, shortened
from probe.fleet import PRESETS, Fleet, Thresholds, patterns
from probe.grammar import maillog, pasted
from probe.grammar.delivery import Delivery, codes
from probe.grammar.maillog import Logged
from probe.grammar.template import masked, template
from probe.rules import Cause, Confidence, Family, Finding, Report
from probe.run.explain import explain_reply

__all__ = ["Pile", "Reading", "explain_delivery"]

_MAX_READINGS = 20_000
_MAX_WORDS = 8 << 20  # bytes of the words by which readings are remembered
_MAX_HOSTS = 20_000
_GROUPS = 15  # kinds of reply that a pile's report shows
_MOST_SAID = 300  # characters of a reply that are told, and
_MOST_KEPT = 500  # of what a log has around it too
_CLUSTERS = 20
_ACCEPTED = frozenset({b"sent", b"deliverable"})


def explain_delivery(
    told: Delivery, *, stage: Stage | None = None, provider: str = "", mx: str = ""
) -> Report:
    """The report of one delivery that a mail, a log or a webhook told of.

    `stage`, `provider` and `mx` are what the caller knows better than the report does.
    """
    stage, mx = stage or told.stage, mx or told.remote_mta
    plain = _plainly(told)
    if plain is None:
        report = _read(told, stage, provider, mx)
        finding, extracts = report.findings[0], report.evaluations
        if _only_waits(told, finding):
            finding = Finding(catalogue.rule("mail/delayed"), finding.evidence)
        told = dataclasses.replace(
            told,
            code=told.code or finding.evidence.get("code", ""),
            enhanced=told.enhanced or finding.evidence.get("enhanced", ""),
            stage=stage or Stage.named(finding.evidence.get("stage", "")),
        )
        facts = report.facts
    else:
        detail = "too much mail came before the one that this event carries" if plain == "not-read" else ""
        finding = Finding(catalogue.rule(f"mail/{plain}"), {}, detail)
        extracts, facts = {"extracts": pasted.extracts(told.reply)}, {}
    return Report(
        kind="reply",
        subject=told.recipient or shortened(told.reply, 120) or told.action,
        findings=(dataclasses.replace(finding, evidence=_evidence(told)),),
        facts=facts,
        evaluations=extracts,
    )


def _read(told: Delivery, stage: Stage | None, provider: str, mx: str) -> Report:
    """What the words say; or the codes alone, where the words are the reporter's and say less."""
    reading = functools.partial(
        explain_reply,
        stage=stage,
        provider=provider,
        mx=mx,
        recipient=told.recipient,
        sender=told.sender,
        delayed=told.action == "delayed",
    )
    report = reading(_whole(told))
    stock = told.reply.lower() in _STOCK and told.enhanced.startswith("5")
    if (stock or report.findings[0].confidence is Confidence.UNCERTAIN) and not any(codes(told.reply)):
        coded = reading(" ".join(filter(None, (told.code, told.enhanced))))
        if stock or coded.findings[0].confidence is not Confidence.UNCERTAIN:
            return coded
    return report


def _only_waits(told: Delivery, finding: Finding) -> bool:
    """Whether nothing is known of a delivery but that somebody goes on trying."""
    if told.action != "delayed" or told.code.startswith("5"):
        return False
    return finding.rule.cause is Cause.UNKNOWN or finding.rule.id in _GAVE_UP


# What sendmail says of any refusal for good that it has no better words for.
_STOCK = frozenset({"service unavailable"})
# Rules that tell of the end of all tries: what is still tried has not come to it.
_GAVE_UP = frozenset({"english/expired", "microsoft/expired", "standard/enhanced-4-7"})
# What an action alone says, whatever words stand beside it.
_PLAIN = {
    "complaint": "complaint",
    "authentication": "authentication-report",
    "vacation": "vacation",
    "challenge": "challenge",
}


def _plainly(told: Delivery) -> str | None:
    """The rule where the report itself says what happened and no server's words are to be read."""
    if told.action in _PLAIN:
        return _PLAIN[told.action]
    if told.action in {"delivered", "relayed", "expanded", "deliverable"} and told.code[:1] in {"", "2"}:
        return "delivered"
    if told.reply or told.code or told.enhanced:
        return None
    return "not-read" if told.unread else "delayed" if told.action == "delayed" else "no-reason"


def _whole(told: Delivery) -> str:
    """The reply with the code and the status that the report tells beside it, where the words have none."""
    read = pasted.read(told.reply)
    code = told.code if not read.code else ""
    enhanced = "" if read.enhanced else told.enhanced
    if read.code and (enhanced[:1] != str(read.code)[:1] or enhanced.endswith(".0.0")):
        enhanced = ""  # another class than the code's, or nothing beside it
    if read.code and enhanced:
        return f"{read.code} {enhanced} {read.text}"
    return " ".join(part for part in (code, enhanced, told.reply) if part)


def _evidence(told: Delivery) -> dict[str, str]:
    evidence = {
        "recipient": told.recipient,
        "reply": told.reply,
        "code": told.code,
        "enhanced": told.enhanced,
        "stage": str(told.stage or ""),
        "action": told.action,
        "sender": told.sender,
        "remote_mta": told.remote_mta,
        "reporting_mta": told.reporting_mta,
        "source_ip": told.source_ip,
        "original_recipient": told.original,
    }
    return {name: value for name, value in evidence.items() if value}


def _counted(cause: Cause, *, bad: bool) -> Cause:
    """The cause that patterns count: what blames an address on a guess, or for now, blames nobody."""
    return Cause.UNKNOWN if cause.family is Family.SUPPRESS and not bad else cause


@dataclass(slots=True)
class _Group:
    """Replies of one rule at one receiver: the first of them, and how many."""

    first: Finding
    receiver: str
    count: int = 0


@dataclass(slots=True)
class _Cluster:
    """Replies that nothing reads and that have one template: the first of them, and how many."""

    example: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """What one kind of reply means at one receiver, found once and used for all that differ in ids only.

    `finding` is that of the first; `cause` is what patterns count, `bad` whether the address is to be
    suppressed, `words` the reply's template where it may be told: of what is unknown, and of what is bad.
    """

    finding: Finding
    facts: Mapping[str, str]
    cause: Cause
    bad: bool
    words: str
    group: _Group


@dataclass(slots=True)
class Pile:
    """Many deliveries, counted as they pass; memory is bounded, whatever their number.

    `delivery` and `logged` count one; `report` is the answer to the whole.
    """

    subject: str
    thresholds: Thresholds = PRESETS["usual"]
    stage: Stage | None = None
    provider: str = ""
    mx: str = ""
    fleet: Fleet = field(default_factory=Fleet)
    seen: int = 0
    failed: int = 0
    readings: dict[tuple[str, bytes], Reading] = field(default_factory=dict)
    words: int = 0
    groups: dict[tuple[str, str], _Group] = field(default_factory=dict)
    clusters: dict[str, _Cluster] = field(default_factory=dict)
    hosts: dict[bytes, str] = field(default_factory=dict)
    senders: dict[bytes, str] = field(default_factory=dict)

    # -- counting ---------------------------------------------------------------------------------

    def count(self, report: Report, *, at: float = 0.0) -> None:
        """Counts a report of one reply."""
        finding = report.findings[0]
        evidence = finding.evidence
        recipient = evidence.get("recipient", "")
        host = evidence.get("remote_mta") or evidence.get("mx", "")
        receiver = self._operator(host) or report.facts.get("provider", "") or recipient.rpartition("@")[2]
        reading, sender = self._reading(report, receiver), evidence.get("sender", "")
        self._add(reading, recipient, sender, int(at) // 3600, evidence.get("reply", ""))

    def delivery(self, told: Delivery) -> Reading:
        """Counts a delivery that was told in full; how it reads."""
        receiver = self._operator(told.remote_mta) or told.recipient.rpartition("@")[2]
        words = told.reply.replace(told.recipient, "") if told.recipient else told.reply
        known = f"{told.action}|{told.code}|{told.enhanced}|{told.stage}|{told.unread}|"
        key = receiver, known.encode() + masked(words.encode("utf-8", "replace"))
        reading = self.readings.get(key) or self._read(key, told)
        self._add(reading, told.recipient, told.sender, int(told.at) // 3600, told.reply)
        return reading

    def logged(self, logged: Logged) -> Reading | None:
        """Counts a line of a log; how it reads, None where it was accepted."""
        action, recipient, relay, said, sent_by, hour, status = logged
        receiver = self.hosts.get(relay)
        if receiver is None:
            receiver = self._host(relay)
        sender = self.senders.get(sent_by)
        if sender is None:
            sender = self._sender(sent_by)
        if action in _ACCEPTED:
            self.seen += 1
            self.fleet.add(Cause.SUCCESS, receiver=receiver, sender=sender, hour=hour)
            self.fleet.accept(recipient.rpartition(b"@")[2].decode("latin-1"))
            return None
        words = said.replace(recipient, b"") if recipient else said
        key = receiver, b"%b %b %b" % (action, status, masked(words))
        reading = self.readings.get(key) or self._read(key, maillog.delivery(logged))
        self._add(reading, recipient.decode("utf-8", "replace"), sender, hour, said)
        return reading

    def explained(self, told: Delivery, reading: Reading, *, whole: bool = True) -> Report:
        """The report of one counted delivery; `whole`: with what can be read out of its words."""
        was = reading.finding
        stage = told.stage or Stage.named(was.evidence.get("stage", ""))
        told = told if stage is told.stage else dataclasses.replace(told, stage=stage)
        finding = Finding(
            was.rule, _evidence(told), was.detail, was.fix, was.confidence, was.matched, was.alternates
        )
        read: dict[str, object] = {"extracts": pasted.extracts(told.reply)} if whole else {}
        subject = told.recipient or shortened(told.reply, 120) or told.action
        return Report("reply", subject, (finding,), facts=reading.facts, evaluations=read)

    def _add(self, reading: Reading, recipient: str, sender: str, hour: int, said: str | bytes) -> None:
        self.seen += 1
        reading.group.count += 1
        rule, fleet = reading.finding.rule, self.fleet
        fleet.add(reading.cause, receiver=reading.group.receiver, sender=sender, rule=rule.id, hour=hour)
        if reading.cause is Cause.SUCCESS:
            fleet.complaints += rule.id == "mail/complaint"
            fleet.accept(recipient.rpartition("@")[2])
        else:
            self.failed += 1
        if reading.bad and recipient:
            fleet.suppress(recipient, rule.cause, rule.id, said[:_MOST_KEPT], hour, kind=reading.words)
        if rule.cause is Cause.UNKNOWN:
            self._cluster(reading)

    def _read(self, key: tuple[str, bytes], told: Delivery) -> Reading:
        if len(self.readings) >= _MAX_READINGS or self.words + len(key[1]) > _MAX_WORDS:
            self.readings.clear()
            self.words = 0
        self.words += len(key[1])
        report = explain_delivery(told, stage=self.stage, provider=self.provider, mx=self.mx)
        reading = self.readings[key] = self._reading(report, key[0])
        return reading

    def _reading(self, report: Report, receiver: str) -> Reading:
        finding = report.findings[0]
        key = finding.rule.id, f"{receiver} {finding.verdict}"
        group = self.groups.get(key) or _Group(finding, receiver)
        if len(self.groups) < _MAX_READINGS:
            self.groups[key] = group
        bad = self._bad(finding)
        cause = _counted(finding.rule.cause, bad=bad)
        told = bad or finding.rule.cause is Cause.UNKNOWN
        words = template(finding.evidence.get("reply", "")[:_MOST_SAID]) if told else ""
        return Reading(finding, report.facts, cause, bad, words, group)

    def _cluster(self, reading: Reading) -> None:
        cluster = self.clusters.get(reading.words)
        if cluster is not None:
            cluster.count += 1
        elif len(self.clusters) < _MAX_READINGS // 10:
            self.clusters[reading.words] = _Cluster(reading.finding.evidence.get("reply", "")[:_MOST_SAID])

    @staticmethod
    def _bad(finding: Finding) -> bool:
        """Whether the address must not be written to again; never on a guess."""
        if finding.confidence is Confidence.UNCERTAIN:
            return False
        return finding.rule.answer("recipient_bad") is True

    def _host(self, relay: bytes) -> str:
        if len(self.hosts) >= _MAX_HOSTS:
            self.hosts.clear()
        name = relay.partition(b"[")[0].decode("latin-1").rstrip(".:")
        receiver = self.hosts[relay] = "" if name == "none" else self._operator(name)
        return receiver

    def _sender(self, sent_by: bytes) -> str:
        if len(self.senders) >= _MAX_HOSTS:
            self.senders.clear()
        sender = self.senders[sent_by] = sent_by.decode("utf-8", "replace").lower()
        return sender

    @staticmethod
    def _operator(host: str) -> str:
        """Who runs a server: a provider of the catalogue, else the last labels of its name."""
        if not host:
            return ""
        if known := catalogue.provider_of_host(host):
            return known.id
        labels = host.lower().rstrip(".").split(".")
        if labels[-1].isdigit() or ":" in host:
            return host
        short = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
        return ".".join(labels[-3:] if short else labels[-2:])

    # -- answering --------------------------------------------------------------------------------

    def report(self) -> Report:
        """What the whole says: the patterns first, then the kinds of reply with their counts."""
        found = patterns(self.fleet, self.thresholds)
        findings = (*found, *self._kinds()) or (
            Finding(catalogue.rule("fleet/no-patterns"), {"input": self.subject}),
        )
        accepted = self.fleet.by_cause().get(Cause.SUCCESS, 0)
        facts = {
            "deliveries": f"{self.seen:,} {'delivery' if self.seen == 1 else 'deliveries'}",
            "accepted": f"{accepted:,} accepted",
            "failed": f"{self.failed:,} failed or delayed",
        }
        return Report("pile", self.subject, findings, facts=facts, evaluations=self._evaluations())

    def _kinds(self) -> Iterator[Finding]:
        """A finding for each kind of reply, the most frequent first."""
        kinds: dict[str, list[_Group]] = {}
        for group in self.groups.values():
            rule = group.first.rule
            if rule.cause is not Cause.SUCCESS or rule.id == "mail/complaint":
                kinds.setdefault(f"{rule.id} {rule.verdict}", []).append(group)
        ranked = sorted(kinds.items(), key=lambda kind: (-sum(one.count for one in kind[1]), kind[0]))
        for _, groups in ranked[:_GROUPS]:
            groups.sort(key=lambda one: (-one.count, one.receiver))
            count = sum(one.count for one in groups)
            where = ", ".join(f"{one.count:,} at {one.receiver or 'unknown'}" for one in groups[:4])
            more = f" and {len(groups) - 4} more" if len(groups) > 4 else ""
            first = groups[0].first
            evidence = {**first.evidence, "count": str(count)}
            replies = "reply" if count == 1 else "replies"
            detail = f"{count:,} {replies}: {where}{more}."
            yield dataclasses.replace(first, evidence=evidence, detail=detail)

    def _evaluations(self) -> dict[str, object]:
        fleet = self.fleet
        clusters = sorted(self.clusters.items(), key=lambda one: (-one[1].count, one[0]))[:_CLUSTERS]
        return {
            "counts": {"deliveries": self.seen, "failed": self.failed, "complaints": fleet.complaints},
            "causes": {cause.value: count for cause, count in fleet.by_cause().items()},
            "receivers": fleet.by_receiver(),
            "unknown": [
                {"template": text, "count": one.count, "example": one.example} for text, one in clusters
            ],
            "suppress": {"addresses": len(fleet.bad), "left_out": fleet.left_out},
        }

    def suppressed(self) -> Iterator[tuple[str, str, str, int, str]]:
        """The addresses to suppress: address, cause, rule, how often, the reply; in alphabetical order."""
        for address, bad in sorted(self.fleet.bad.items()):
            reply = bad.reply if isinstance(bad.reply, str) else maillog.logged_reply(bad.reply)
            cause = "complaint" if bad.cause is Cause.SUCCESS else bad.cause.value
            yield address, cause, bad.rule, bad.count, reply[:_MOST_SAID]
