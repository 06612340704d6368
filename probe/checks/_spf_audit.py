"""The ground of the SPF audit: one domain with one record, the policy below it, and findings made of both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from probe.checks import Domain
from probe.checks import _spf_fixes as fixes
from probe.checks._evidence import evidence, printable, seen_answer
from probe.checks._once import once
from probe.checks._spf_networks import Span, reachable, size
from probe.checks._spf_reach import authorised
from probe.checks._spf_result import MOST_LOOKUPS, MOST_VOIDS, records_of, refuses_all
from probe.checks._spf_rules import rule
from probe.checks._spf_tree import Fate, Tree, survey
from probe.checks.mx import hosts
from probe.facts import Question, Records
from probe.grammar import spf
from probe.grammar.spf import Term
from probe.rules import Confidence, Finding

__all__ = ["BROKEN", "MOST_ALIKE", "Audit", "again", "audited", "offered", "unseen"]

MOST_ALIKE = 5  # findings of one rule

# What makes the whole policy a permerror at the far end of a lookup.
BROKEN = {
    Fate.NO_RECORD: ("include-without-record", "has no SPF record"),
    Fate.SEVERAL: ("include-broken", "has several SPF records"),
    Fate.BROKEN: ("include-broken", "has a record with a syntax error"),
    Fate.LOOP: ("loop", "is being read already"),
    Fate.CROWD: ("too-many-mx", "has more than ten MX hosts"),
}


class Audit:
    """One domain with exactly one SPF record, and the policy below it: `tree`, None after a syntax error."""

    def __init__(self, domain: Domain, seen: Records) -> None:
        self.domain = domain
        self.seen = seen
        self.question = Question(domain.name, "TXT")
        self.answer = seen_answer(seen, self.question)
        self.text = records_of(self.answer.values)[0]
        self.record = spf.parse(self.text)
        self.tree: Tree | None = None if self.record.problems else survey(domain.name, self.record, seen)

    @cached_property
    def reached(self) -> tuple[tuple[Span, ...], bool]:
        """Whom the policy lets in, and whether that is all of them."""
        return authorised(self.tree, self.seen) if self.tree is not None else ((), False)

    @cached_property
    def nobody(self) -> bool:
        """Whether it is known that no mail passes, though the record does not say that none is sent."""
        tree = self.tree
        if tree is None or not self.sound or tree.failed:
            return False
        spans, exact = self.reached
        return exact and not reachable(spans) and not _says_so(tree)

    @cached_property
    def addresses(self) -> tuple[int, int]:
        """How many IPv4 and IPv6 addresses that are."""
        return size(self.reached[0])

    @property
    def sound(self) -> bool:
        """Whether nothing in the record or below it is a permerror for everybody who comes so far."""
        return self.tree is not None and _stands(self.tree)

    def trace(self) -> list[dict[str, object]]:
        """Every lookup of the tree with its cost, for JSON."""
        if self.tree is None:
            return []
        return [
            {
                "domain": lookup.domain,
                "term": printable(lookup.term.text),
                "outcome": str(lookup.fate),
                "lookups": count,
            }
            for lookup, count in zip(self.tree.lookups, self.tree.counts, strict=True)
        ]

    def found(
        self, problem: str, detail: str = "", fix: str = "", *, confidence: Confidence = Confidence.CERTAIN
    ) -> Finding:
        """A finding about the record itself."""
        told = evidence(self.question, self.answer, self.text)
        return Finding(rule(problem), told, printable(detail), fix, confidence)

    def publish(self, text: str) -> str:
        """The fix that is another record, ready to paste; empty where it is too long for that."""
        return fixes.publish(self.domain.name, self.seen, text)

    def offer(self, text: str) -> str:
        """As `publish`, for a record with more lookups than this one, which could break it.

        A record that works is never replaced by one that does not work, or that may not.
        """
        return offered(self.domain.name, text, self.seen, works=self.sound)

    def without(self, *dropped: Term) -> str:
        """The fix that is this record without some terms.

        Empty where nobody would be let in any more: that would turn one broken term into no mail at all.
        """
        kept = fixes.without(self.record, dropped)
        return self.publish(kept) if fixes.authorises(kept) else ""

    def ending(self, end: str) -> str:
        """The fix that is this record with another end, and without a network that holds everybody.

        A record that names no sender gets the MX hosts, where there are some: an end alone stops all mail.
        """
        text = fixes.ended(self.record, end)
        if fixes.authorises(text):
            return self.offer(text)
        if not hosts(self.domain.name, self.seen):
            return ""
        words = "If the MX hosts are what sends: "
        return fixes.publish(self.domain.name, self.seen, spf.joined(("mx", end)), words)


def _says_so(tree: Tree) -> bool:
    """Whether the policy is ``-all`` and no more, in the record itself or where it redirects to."""
    ends = [record for record in tree.records.values() if not record.first("redirect")]
    return len(ends) == 1 and len(tree.lookups) == len(tree.records) - 1 and refuses_all(ends[0])


def _stands(tree: Tree) -> bool:
    if tree.count > MOST_LOOKUPS:
        return False
    return not tree.odd or (len(tree.voids) <= MOST_VOIDS and not tree.having(*BROKEN))


def offered(name: str, text: str, seen: Records, words: str = "Publish", *, works: bool = False) -> str:
    """The fix that is this record, where receivers read it to its end; empty where there is none.

    What would be a permerror in it is left out. Beyond ten lookups it is other advice. Empty where the
    lookups are not all known, and where the record in its place `works` and this one would not.
    """
    tree = survey(name, spf.parse(text), seen)
    broken = {root.term.at: root.term for root in map(tree.root, tree.having(*BROKEN))}
    if broken:
        sound = fixes.without(spf.parse(text), broken.values())
        if not fixes.authorises(sound):
            return ""
        named = ", ".join(term.text for term in broken.values())
        words = printable(f"{words}, without {named}, which would be a permerror")
        text, tree = sound, survey(name, spf.parse(sound), seen)
    if tree.count > MOST_LOOKUPS:
        least = "at least " if tree.cut else ""
        return (
            f"The corrected record would cost {least}{tree.count} lookups of {MOST_LOOKUPS}: first remove"
            " what no longer sends, or give some of that mail a subdomain with a record of its own."
        )
    if not text or tree.cut or (works and not _stands(tree)):
        return ""
    return fixes.publish(name, seen, text, f"{words}: ")


def unseen(name: str, text: str, seen: Records) -> Iterator[Question]:
    """What is to be read still before it is known what a record to paste would cost."""
    missing = survey(name, spf.parse(text), seen).missing
    yield from [question for question in missing if question.type == "TXT"]


@once
def audited(domain: Domain, seen: Records) -> Audit:
    """The audit of a domain that has exactly one record."""
    return Audit(domain, seen)


def again(term: Term, seen: set[str]) -> bool:
    """Whether this mechanism has stood before; remembers it."""
    key = term.text.lower().lstrip("+")
    if key in seen:
        return True
    seen.add(key)
    return False
