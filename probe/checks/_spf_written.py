"""What is right and wrong with the text of an SPF record and with its terms, as they are written."""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks import _spf_fixes as fixes
from probe.checks._evidence import routable
from probe.checks._spf_audit import MOST_ALIKE, Audit, again
from probe.checks._spf_reach import addresses
from probe.checks._spf_result import refuses_all
from probe.facts import Answer
from probe.grammar import spf
from probe.grammar.spf import Record, Term
from probe.rules import Finding

__all__ = ["drafts", "place", "terms", "text"]

_SHORT, _CLASSIC = 450, 512  # bytes: what RFC 7208 advises, and what a classic DNS packet holds

_OPEN_ENDS = {"+": "allows-all", "?": "neutral-all"}
_VALIDATED = frozenset("p")  # a macro letter with a finding of its own


def text(audit: Audit) -> Iterator[Finding]:
    """Strings glued together, characters that are no ASCII, syntax, length."""
    at = audit.answer.values.index(audit.text)
    lengths = audit.answer.chunks[at] if at < len(audit.answer.chunks) else ()
    apart, seams = fixes.unglued(audit.text, lengths)
    if seams:
        around = audit.text[max(0, seams[0] - 20) : seams[0]] + "|" + audit.text[seams[0] : seams[0] + 20]
        fixed = "" if spf.parse(apart).problems else audit.offer(apart)
        yield audit.found("glued", f"the seam is at {around}", fixed)
    problems = [p for p in audit.record.problems if not any(p.at <= seam < p.at + p.length for seam in seams)]
    if strange := fixes.strange(audit.text):
        char, name = strange
        plain = fixes.plain(audit.text)
        sound = plain and spf.is_record(plain) and not spf.parse(plain).problems
        place = fixes.decoded(audit.text).index(char) + 1
        yield audit.found("non-ascii", f"{name} is character {place}", audit.offer(plain) if sound else "")
        problems = [p for p in problems if audit.text[p.at : p.at + p.length].isascii()]
    if problems:
        shown = problems[:MOST_ALIKE]
        detail = "; ".join(f"{p.reason}: {spf.mark(audit.text, p)}" for p in shown)
        meant = fixes.corrected(audit.record)
        yield audit.found("syntax", detail, audit.offer(meant) if meant else "")
    size = len(audit.text)
    if size > _SHORT:
        problem = "over-512" if size > _CLASSIC else "over-450"
        yield audit.found(problem, f"{size} bytes")


def drafts(answer: Answer, record: Record) -> Iterator[str]:
    """The records that may be proposed in place of this one and look up more than it does."""
    if record.problems:
        at = answer.values.index(record.text)
        apart, seams = fixes.unglued(record.text, answer.chunks[at] if at < len(answer.chunks) else ())
        yield from filter(None, (apart if seams else "", fixes.plain(record.text), fixes.corrected(record)))
        return
    if record.all is None and len(answer.values) > 1:
        yield from filter(None, [fixes.continued(record, answer.values)])
    if len(record.mechanisms) < len(record.terms):
        if any(not term.qualifier and term.name in fixes.MISTAKEN for term in record.terms):
            yield fixes.unassigned(record)
        if record.all is not None and any(term.looks_up for term in record.terms if term.at > record.all.at):
            yield fixes.ended(record, record.all.text)


def terms(audit: Audit) -> Iterator[Finding]:
    """The end of the record, and terms that do not do what their author thinks."""
    record = audit.record
    end = record.all
    redirect = record.first("redirect")
    modifiers = [term for term in record.terms if not term.qualifier]
    if end is not None and end.qualifier in _OPEN_ENDS:
        yield audit.found(_OPEN_ENDS[end.qualifier], end.text, audit.ending("~all"))
    if end is None and redirect is None:
        yield _endless(audit)
    if refuses_all(record):
        yield audit.found("sends-nothing")
    if end is not None and len(record.mechanisms) + len(modifiers) < len(record.terms):
        dead = [term for term in record.terms if term.qualifier and term.at > end.at]
        yield audit.found(
            "after-all",
            ", ".join(term.text for term in dead[:10]),
            audit.ending(f"{end.qualifier}all".lstrip("+")),
        )
    if end is not None and redirect is not None:
        yield audit.found("redirect-ignored", redirect.text, audit.without(redirect))
    ignored = [term for term in modifiers if term.name in fixes.MISTAKEN]
    if ignored:
        named = ", ".join(term.text for term in ignored[:10])
        meant = fixes.unassigned(record)
        yield audit.found("ignored-term", named, audit.offer(meant) if meant else "")
    lettered = [term for term in record.lookups if term.letters or term.name == "ptr"]
    if slow := [term for term in lettered if term.name == "ptr" or "p" in term.letters]:
        yield audit.found("ptr", ", ".join(term.text for term in slow[:10]), audit.without(*slow))
    seen: set[str] = set()
    if twice := [term for term in record.mechanisms if again(term, seen)]:
        yield audit.found(
            "duplicate-term", ", ".join(term.text for term in twice[:10]), audit.without(*twice)
        )
    if varying := [term for term in lettered if term.varying - _VALIDATED]:
        yield audit.found("macros", ", ".join(term.text for term in varying[:10]))
    yield from _private(audit)


def _endless(audit: Audit) -> Finding:
    """A record that just stops, because it has no end or because the rest of it is a record of its own."""
    if whole := fixes.continued(audit.record, audit.answer.values):
        rest = whole.removeprefix(audit.text).strip()
        return audit.found("no-all", f"its end is a TXT record of its own: {rest}", audit.offer(whole))
    return audit.found("no-all", "" if audit.record.terms else "the record is empty", audit.ending("~all"))


def _private(audit: Audit) -> Iterator[Finding]:
    """Addresses that no receiver can ever see, written down or behind an own ``a`` or ``mx``."""
    bad: dict[str, Term] = {}
    for term in audit.record.mechanisms:
        network = term.network
        if network is not None and network.prefixlen >= 8 and not routable(str(network.network_address)):
            bad.setdefault(term.text, term)
        elif term.name in {"a", "mx"}:
            for address in addresses(term, audit.domain.name, audit.seen):
                if not routable(address):
                    bad.setdefault(f"{term.text} ({address})", term)
    if bad:
        written = [term for term in audit.record.mechanisms if term.network is not None and term.text in bad]
        named = ", ".join([*bad][:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
        yield audit.found("private-address", named, audit.without(*written) if written else "")


def place(audit: Audit) -> Iterator[Finding]:
    """Where the record stands: at an alias, or beside one."""
    if audit.answer.aliases:
        yield audit.found("alias", " -> ".join((audit.domain.name, *audit.answer.aliases)))
        return
    for kind in ("MX", "A", "AAAA"):
        other = audit.seen.asked(audit.domain.name, kind)
        if other is not None and other.aliases:
            detail = (
                f"{audit.domain.name} is a CNAME of {other.aliases[0]} for {kind}, and has TXT of its own"
            )
            yield audit.found("beside-cname", detail)
            return
