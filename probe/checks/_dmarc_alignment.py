"""What DNS lets one predict of alignment (RFC 9989 section 4.4): never whether a message passes.

An identifier aligns when it is the author domain (strict), or shares its organizational domain (relaxed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from probe.checks import Domain
from probe.checks._dkim_search import ladder_of
from probe.checks._dmarc_discovery import Discovery, discover
from probe.checks._spf_audit import audited
from probe.checks._spf_result import records_of
from probe.facts import Records

__all__ = ["Alignment", "aligned", "envelope_domain"]


_MODES = {"r": "relaxed", "s": "strict"}


@dataclass(frozen=True, slots=True)
class Alignment:
    """Whether each identifier can align; None where DNS does not tell.

    `spf_published` and `dkim` say whether there is anything that could pass: an SPF record at the envelope
    domain, a usable key at the author domain.
    """

    spf_domain: str
    spf_mode: str
    spf: bool | None
    spf_published: bool | None
    dkim_domain: str
    dkim_mode: str
    dkim: bool | None

    def told(self) -> Mapping[str, object]:
        """The form in JSON."""
        return {
            "spf": {"domain": self.spf_domain, "mode": self.spf_mode, "aligned": self.spf},
            "dkim": {"domain": self.dkim_domain, "mode": self.dkim_mode, "aligned": self.dkim},
        }


def envelope_domain(domain: Domain) -> str:
    """The domain of MAIL FROM: what was told, else the domain itself."""
    return domain.mail_from.rpartition("@")[2].rstrip(".").lower() or domain.name


def aligned(domain: Domain, found: Discovery, seen: Records) -> Alignment:
    """The prediction for mail whose From is the domain, sent with its envelope and signed with its keys."""
    record = found.record
    envelope = envelope_domain(domain)
    return Alignment(
        spf_domain=envelope,
        spf_mode=_MODES[record.aspf if record else "r"],
        spf=_aligns(envelope, found, seen, strict=bool(record and record.aspf == "s")),
        spf_published=_spf_published(domain if envelope == domain.name else Domain(envelope), seen),
        dkim_domain=domain.name,
        dkim_mode=_MODES[record.adkim if record else "r"],
        dkim=_signed(domain, found, seen, strict=bool(record and record.adkim == "s")),
    )


def _aligns(identifier: str, found: Discovery, seen: Records, *, strict: bool) -> bool | None:
    if identifier == found.author:
        return True
    if strict:
        return False
    other = discover(identifier, seen)
    if other.failed or other.holes or found.failed or not found.rooted:
        return None
    return other.org == found.org


def _spf_published(envelope: Domain, seen: Records) -> bool | None:
    """Whether there is a record; one that lets nobody pass is none, but where it says that none is sent."""
    answer = seen.asked(envelope.name, "TXT")
    if answer is None or not answer.known:
        return None
    records = records_of(answer.values)
    return bool(records) and not (len(records) == 1 and audited(envelope, seen).nobody)


def _signed(domain: Domain, found: Discovery, seen: Records, *, strict: bool) -> bool | None:
    """Whether a key of the name itself exists; below its organizational domain a key of that would do."""
    ladder = ladder_of(domain, seen)
    if ladder.usable:
        return True
    alone = strict or (found.org == domain.name and found.rooted)
    return False if alone and ladder.proven_none else None
