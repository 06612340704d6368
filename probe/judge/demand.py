"""Whether a domain demands TLS of its mail servers, and whether a server met it.

MTA-STS in enforce mode (RFC 8461) wants a listed host and a certificate of a public CA; DANE (RFC 7672)
wants the certificate that signed TLSA records name, and goes before MTA-STS (RFC 8461 section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from probe.checks import Domain, dane, mta_sts
from probe.checks._evidence import evidence, seen_answer
from probe.facts import Question, Records, Tls
from probe.grammar import mtasts, tlsa

__all__ = ["Demand", "ask", "demanded"]

_BY_KEY = 3  # DANE-EE: the record names the server's own certificate or key
_CERTIFICATE, _KEY = 0, 1
_SHA256 = 1


@dataclass(frozen=True, slots=True)
class Demand:
    """What is demanded of one server: by ``MTA-STS`` or ``DANE``, and the fact that says so."""

    by: str
    host: str
    evidence: Mapping[str, str]
    patterns: tuple[str, ...] = ()
    records: tuple[tlsa.Record, ...] = field(default=())

    @property
    def allowed(self) -> bool:
        """Whether senders may connect to the host at all."""
        return self.by == "DANE" or any(mtasts.covers(pattern, self.host) for pattern in self.patterns)

    def unmet(self, tls: Tls | None) -> str:
        """Why a session does not meet it, in a sentence; empty where it does, or where nobody can tell."""
        if not self.allowed:
            return f"{self.host} is not among the hosts of the policy: {', '.join(self.patterns[:5])}"
        if tls is None:
            return f"{self.host} offers no STARTTLS"
        if not tls.version:
            return f"TLS with {self.host} fails: {tls.error}"
        if self.by == "MTA-STS":
            return f"the certificate of {self.host} does not verify: {tls.error}" if tls.error else ""
        if tls.certificate is None or not all(map(_comparable, self.records)):
            return ""
        names = {
            _CERTIFICATE: tls.certificate.fingerprint,
            _KEY: tls.certificate.key.partition("sha256:")[2],
        }
        matched = any(names[one.selector] == one.data for one in self.records)
        return "" if matched else f"no TLSA record names the certificate of {self.host}"


def ask(domain: str, seen: Records) -> Iterator[Question]:
    """What has to be known before a server of the domain is connected to."""
    yield from mta_sts.ask(Domain(domain), seen)
    yield from dane.ask(Domain(domain), seen)


def demanded(domain: str, host: str, seen: Records) -> Demand | None:
    """What the domain demands of one of its hosts; None where nothing is demanded, or nothing is known."""
    question = dane.tlsa_question(host)
    answer = seen_answer(seen, question)
    signed = answer.authenticated and seen_answer(seen, Question(domain, "MX")).authenticated
    records = _usable(answer.values[:50]) if signed else ()
    if records:
        return Demand("DANE", host, evidence(question, answer, "; ".join(answer.values[:4])), records=records)
    judged = mta_sts.judge(Domain(domain), seen)
    told = judged.evaluation if isinstance(judged.evaluation, Mapping) else {}
    if told.get("mode") != "enforce":
        return None
    question = mta_sts.policy_question(domain)
    answer = seen_answer(seen, question)
    policy = mtasts.policy(answer.values[-1])
    if policy.problems:  # senders ignore it
        return None
    return Demand("MTA-STS", host, evidence(question, answer, answer.values[-1][:1000]), policy.mx[:100])


def _usable(values: Iterable[str]) -> tuple[tlsa.Record, ...]:
    return tuple(read for value in values if not (read := tlsa.record(value)).problem)


def _comparable(record: tlsa.Record) -> bool:
    """Whether the leaf alone tells; records that name a CA need the chain, which is no fact here."""
    return record.usage == _BY_KEY and record.matching == _SHA256
