"""What is right and wrong with one SPF record: from its text and the tree below it to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

from probe.checks import Domain
from probe.checks import _providers as providers
from probe.checks import _spf_fixes as fixes
from probe.checks._evidence import evidence, printable, routable, seen_answer, unknown
from probe.checks._spf_evaluate import MOST_LOOKUPS, MOST_VOIDS, Evaluation, Result, Sender, records_of
from probe.checks._spf_networks import EVERYTHING, count, covers
from probe.checks._spf_rules import rule
from probe.checks._spf_tree import Fate, Lookup, Tree, authorised, reach, survey
from probe.facts import Question, Records
from probe.grammar import spf
from probe.grammar.spf import Term
from probe.rules import Confidence, Finding

__all__ = ["Audit"]

_MOST_ALIKE = 5  # findings of one rule
_ALL_IP4, _ALL_IP6 = count(EVERYTHING)
_NEARLY_ALL_IP4 = _ALL_IP4 * 99 // 100
_WIDE_IP4 = 2**25
_SHORT, _CLASSIC = 450, 512
_LONGEST_FIX = 4096

# Names that mean something else than an unknown modifier: mechanisms, and the version of a second record.
_MISTAKEN = frozenset({"include", "a", "mx", "ip4", "ip6", "exists", "ptr", "all", "v"})

_BROKEN = {
    Fate.NO_RECORD: ("include-without-record", "has no SPF record"),
    Fate.SEVERAL: ("include-broken", "has several SPF records"),
    Fate.BROKEN: ("include-broken", "has a record with a syntax error"),
    Fate.LOOP: ("loop", "is being read already"),
    Fate.CROWD: ("too-many-mx", "has more than ten MX hosts"),
}


class Audit:
    """One domain with exactly one SPF record. `tree` is None where the record has a syntax error."""

    def __init__(self, domain: Domain, seen: Records) -> None:
        self.domain = domain
        self.seen = seen
        self.question = Question(domain.name, "TXT")
        self.answer = seen_answer(seen, self.question)
        self.text = records_of(self.answer)[0]
        self.record = spf.parse(self.text)

    @cached_property
    def tree(self) -> Tree | None:
        """The policy below the record."""
        return None if self.record.problems else survey(self.domain.name, self.record, self.seen)

    @property
    def sound(self) -> bool:
        """Whether nothing in the record or below it is a permerror for everybody who comes so far."""
        tree = self.tree
        return (
            tree is not None
            and tree.count <= MOST_LOOKUPS
            and len(tree.voids) <= MOST_VOIDS
            and not tree.having(*_BROKEN)
        )

    def findings(self, checked: Iterable[tuple[Sender, Evaluation]]) -> Iterator[Finding]:
        """All of it, the gravest first within each part."""
        yield from self._text()
        if self.tree is not None:
            yield from self._below(self.tree)
            yield from self._limits(self.tree)
            yield from self._terms()
            yield from self._reach(self.tree)
            yield from self._provider(self.tree)
        yield from self._senders(checked)
        yield from self._place()

    def trace(self) -> list[dict[str, object]]:
        """Every lookup of the tree with its cost, for JSON."""
        if self.tree is None:
            return []
        return [
            {
                "domain": lookup.domain,
                "term": printable(lookup.term.text),
                "outcome": lookup.fate.value,
                "lookups": cost.count,
            }
            for lookup, cost in zip(self.tree.lookups, self.tree.costs, strict=True)
        ]

    # -- helpers of this class ------------------------------------------------------------------------

    def _found(
        self, problem: str, detail: str = "", fix: str = "", *, confidence: Confidence = Confidence.CERTAIN
    ) -> Finding:
        told = evidence(self.question, self.answer, self.text)
        return Finding(rule(problem), told, printable(detail), fix, confidence)

    def _publish(self, text: str) -> str:
        if len(text) > _LONGEST_FIX:
            return ""  # nobody pastes it; the rule's own words remain
        return f"Publish: {fixes.paste(self.domain.name, text)}"

    def _without(self, *dropped: Term) -> str:
        places = {term.at for term in dropped}
        return self._publish(fixes.edited(self.record, lambda t: None if t.at in places else t.text))

    def _ending(self, end: str) -> str:
        return self._publish(fixes.edited(self.record, lambda term: term.text, end))

    # -- the text -------------------------------------------------------------------------------------

    def _text(self) -> Iterator[Finding]:
        at = self.answer.values.index(self.text)
        lengths = self.answer.chunks[at] if at < len(self.answer.chunks) else ()
        apart, seams = fixes.unglued(self.text, lengths)
        if seams:
            seam = self.text[max(0, seams[0] - 20) : seams[0]] + "|" + self.text[seams[0] : seams[0] + 20]
            fixed = "" if spf.parse(apart).problems else self._publish(apart)
            yield self._found("glued", f"the seam is at {seam}", fixed)
        problems = [p for p in self.record.problems if not any(p.at <= at < p.at + p.length for at in seams)]
        if strange := fixes.strange(self.text):
            char, name = strange
            plain = fixes.plain(self.text)
            sound = plain and spf.is_record(plain) and not spf.parse(plain).problems
            place = fixes.decoded(self.text).index(char) + 1
            yield self._found(
                "non-ascii", f"{name} is character {place}", self._publish(plain) if sound else ""
            )
            problems = [p for p in problems if self.text[p.at : p.at + p.length].isascii()]
        if problems:
            shown = problems[:_MOST_ALIKE]
            detail = "; ".join(f"{p.reason}: {spf.mark(self.text, p)}" for p in shown)
            yield self._found("syntax", detail, self._corrected(problems))
        size = len(self.text)
        if size > _SHORT:
            problem = "over-512" if size > _CLASSIC else "over-450"
            yield self._found(problem, f"{size} bytes")

    def _corrected(self, problems: list[spf.Problem]) -> str:
        if not all(problem.hint for problem in problems):
            return ""
        text = self.text
        for problem in sorted(problems, key=lambda problem: -problem.at):
            qualifier = text[problem.at] if text[problem.at] in "+-~?" and "=" not in problem.hint else ""
            text = text[: problem.at] + qualifier + problem.hint + text[problem.at + problem.length :]
        return "" if spf.parse(text).problems else self._publish(text)

    # -- the tree -------------------------------------------------------------------------------------

    def _below(self, tree: Tree) -> Iterator[Finding]:
        """What is wrong at the other ends of includes, redirects and mx, and what could not be seen."""
        for lookup in tree.having(*_BROKEN)[:_MOST_ALIKE]:
            problem, words = _BROKEN[lookup.fate]
            yield self._at(lookup, problem, words)
        for question in tree.failed[:_MOST_ALIKE]:
            yield unknown(rule("unknown"), self.seen, question)

    def _at(self, lookup: Lookup, problem: str, words: str) -> Finding:
        """A finding about the far end of a lookup: the fact is that answer, not the domain's own record."""
        question = lookup.question or self.question
        answer = seen_answer(self.seen, question)
        theirs = (
            next(iter(records_of(answer)), "") if question.type == "TXT" else ", ".join(answer.values[:15])
        )
        told = evidence(question, answer, theirs or self.text)
        whose = "" if lookup.parent < 0 else f" in the record of {lookup.domain}"
        detail = printable(f"{lookup.term.text}{whose}: {question.name} {words}")
        own = lookup if lookup.parent < 0 else self._own(lookup)
        return Finding(rule(problem), told, detail, self._without(own.term))

    def _own(self, lookup: Lookup) -> Lookup:
        """The lookup of the domain's own record that led to this one."""
        assert self.tree is not None
        while lookup.parent >= 0:
            lookup = self.tree.lookups[lookup.parent]
        return lookup

    def _limits(self, tree: Tree) -> Iterator[Finding]:
        shown = ", ".join(str(cost) for cost in tree.own[:20])
        if tree.count > MOST_LOOKUPS:
            least = "at least " if tree.cut else ""
            detail = f"{least}{tree.count} of {MOST_LOOKUPS}: {shown}"
            yield self._found("too-many-lookups", detail, self._lighter(tree))
        elif tree.count == MOST_LOOKUPS and not tree.cut:
            yield self._found("at-lookup-limit", shown)
        if len(tree.voids) > MOST_VOIDS:
            named = ", ".join(str(lookup.question) for lookup in tree.voids[:10])
            own = [self._own(lookup).term for lookup in tree.voids]
            yield self._found(
                "too-many-voids", f"{len(tree.voids)} of {MOST_VOIDS}: {named}", self._without(*own)
            )
        else:
            for lookup in tree.voids:
                asked = lookup.question or self.question
                status = seen_answer(self.seen, asked).status
                yield self._at(lookup, "void-lookup", f"has nothing of type {asked.type} ({status})")

    def _lighter(self, tree: Tree) -> str:
        """The record below the limit again: first without what does nothing, then without a service."""
        seen: set[str] = set()
        void = {lookup.term.at for lookup in tree.voids if lookup.parent < 0}
        idle = [c for c in tree.own if c.term.name == "ptr" or _again(c.term, seen) or c.term.at in void]
        enough = tree.count - sum(cost.count for cost in idle) <= MOST_LOOKUPS
        dropped = idle if enough else fixes.to_drop(tree.own, MOST_LOOKUPS)
        if len(dropped) == len(tree.own):
            return ""
        named = ", ".join(str(cost) for cost in dropped[:10])
        left = tree.count - sum(cost.count for cost in dropped)
        least = "at least " if any(not cost.exact for cost in tree.own if cost not in dropped) else ""
        text = self._without(*(cost.term for cost in dropped))
        advice = f"Drop {named} ({least}{left} remain), or give that mail a subdomain with its own record."
        return f"{advice} {text}"

    # -- the terms ------------------------------------------------------------------------------------

    def _terms(self) -> Iterator[Finding]:
        record = self.record
        end = record.all
        kinds: Mapping[str, Callable[[], Finding]] = {
            "+": lambda: self._found("allows-all", _text(end), self._ending("~all")),
            "?": lambda: self._found("neutral-all", _text(end), self._ending("~all")),
        }
        if end is not None and end.qualifier in kinds:
            yield kinds[end.qualifier]()
        if end is None and record.first("redirect") is None:
            yield self._found("no-all", "" if record.terms else "the record is empty", self._ending("~all"))
        if [term.text.lower() for term in record.terms if term.name != "exp"] == ["-all"]:
            yield self._found("sends-nothing")
        dead = [term for term in record.terms if term.qualifier and end is not None and term.at > end.at]
        if end is not None and dead:
            yield self._found(
                "after-all",
                ", ".join(term.text for term in dead[:10]),
                self._ending(f"{end.qualifier}all".lstrip("+")),
            )
        redirect = record.first("redirect")
        if end is not None and redirect is not None:
            yield self._found("redirect-ignored", redirect.text, self._without(redirect))
        ignored = [term for term in record.terms if not term.qualifier and term.name in _MISTAKEN]
        if ignored:
            places = {term.at for term in ignored if term.name != "v"}
            text = fixes.edited(record, lambda t: t.text.replace("=", ":", 1) if t.at in places else _kept(t))
            sound = not spf.parse(text).problems
            yield self._found(
                "ignored-term",
                ", ".join(term.text for term in ignored[:10]),
                self._publish(text) if sound else "",
            )
        slow = [term for term in record.mechanisms if term.name == "ptr" or "p" in term.letters]
        if slow:
            yield self._found("ptr", ", ".join(term.text for term in slow[:10]), self._without(*slow))
        seen: set[str] = set()
        twice = [term for term in record.mechanisms if _again(term, seen)]
        if twice:
            yield self._found(
                "duplicate-term", ", ".join(term.text for term in twice[:10]), self._without(*twice)
            )
        varying = [term for term in record.mechanisms if term.letters - {"p"}]
        if varying:
            yield self._found("macros", ", ".join(term.text for term in varying[:10]))
        yield from self._private()

    def _private(self) -> Iterator[Finding]:
        """Addresses that no receiver can ever see, written down or behind an own ``a`` or ``mx``."""
        bad: dict[str, Term] = {}
        for term in self.record.mechanisms:
            network = term.network
            if network is not None and network.prefixlen >= 8 and not routable(str(network.network_address)):
                bad.setdefault(term.text, term)
            elif term.name in {"a", "mx"}:
                for address in reach(term, self.domain.name, self.seen):
                    if not routable(address):
                        bad.setdefault(f"{term.text} ({address})", term)
        if bad:
            written = [term for term in bad.values() if term.network is not None]
            named = ", ".join([*bad][:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
            yield self._found("private-address", named, self._without(*written) if written else "")

    # -- who is let in --------------------------------------------------------------------------------

    def _reach(self, tree: Tree) -> Iterator[Finding]:
        if self.record.all is not None and self.record.all.qualifier == "+":
            return
        spans, _ = authorised(tree, self.seen)
        four, six = count(spans)
        if four < _WIDE_IP4 and six < _ALL_IP6 // 2:
            return
        wide = [term for term in self.record.terms if self._is_wide(tree, term)]
        detail = (
            f"{four} IPv4 addresses: {', '.join(term.text for term in wide[:10]) or 'all terms together'}"
        )
        if four >= _NEARLY_ALL_IP4 or six >= _ALL_IP6 // 2:
            yield self._found("effectively-all", detail, self._without(*wide))
        else:
            yield self._found("very-wide", detail)

    def _is_wide(self, tree: Tree, term: Term) -> bool:
        if term.qualifier != "+" and term.name != "redirect":
            return False
        four, six = count(authorised(tree, self.seen, term)[0])
        return four > _WIDE_IP4 // 2 or six >= _ALL_IP6 // 4

    def _senders(self, checked: Iterable[tuple[Sender, Evaluation]]) -> Iterator[Finding]:
        told = {Result.FAIL, Result.SOFTFAIL, Result.NEUTRAL}
        for sender, found in checked:
            elsewhere = sender.identity[1].lower() != self.domain.name or self.sound
            if found.result is Result.TEMPERROR and found.failed is not None:
                if self.tree is None or found.failed not in self.tree.failed:
                    yield unknown(rule("unknown"), self.seen, found.failed)
            elif found.result in told or (
                elsewhere and found.result is not Result.PASS and not found.missing
            ):
                detail = f"{sender.address}: {found.result} ({found.reason})"
                term = f"ip{sender.address.version}:{sender.address}"
                own = sender.identity[1].lower() == self.domain.name and not self.record.problems
                fix = self._publish(fixes.with_terms(self.record, (term,))) if own else ""
                yield self._found("not-authorised", detail, fix)

    # -- providers ------------------------------------------------------------------------------------

    def provider_questions(self) -> Iterator[Question]:
        """What must be known of a provider that the record does not name, to say that it is left out."""
        provider = self._provider_in_question()
        if provider is not None and self.tree is not None and not self.tree.missing:
            question = Question(provider.spf[0], "TXT")
            yield question
            records = records_of(seen_answer(self.seen, question))
            if len(records) == 1:
                yield from survey(question.name, spf.parse(records[0]), self.seen).missing

    def _provider_in_question(self) -> providers.Provider | None:
        tree = self.tree
        given = providers.find(self.domain.provider)
        hosts = [value.partition(" ")[2] for value in self.seen.of(self.domain.name, "MX")]
        provider = given or providers.recognise(hosts)
        if tree is None or provider is None or not provider.spf or not (given or provider.sends):
            return None
        named = {lookup.question.name for lookup in tree.lookups if lookup.question}
        varying = any(lookup.term.name != "ptr" for lookup in tree.having(Fate.VARIES))
        if not self.sound or tree.cut or tree.failed or varying or named.intersection(provider.spf):
            return None
        return provider

    def _provider(self, tree: Tree) -> Iterator[Finding]:
        provider = self._provider_in_question()
        if provider is None:
            return
        name = provider.spf[0]
        records = records_of(seen_answer(self.seen, Question(name, "TXT")))
        if len(records) != 1 or spf.parse(records[0]).problems:
            return
        theirs, _ = authorised(survey(name, spf.parse(records[0]), self.seen), self.seen)
        ours, _ = authorised(tree, self.seen)
        if not theirs or covers(ours, theirs):
            return
        fix = self._publish(fixes.with_terms(self.record, (f"include:{name}",)))
        given = bool(providers.find(self.domain.provider))
        yield self._found(
            "provider-missing" if given else "mailbox-host-missing",
            f"{provider.name}: no include:{name}",
            fix,
            confidence=Confidence.CERTAIN if given else Confidence.LIKELY,
        )

    # -- where the record stands ----------------------------------------------------------------------

    def _place(self) -> Iterator[Finding]:
        if self.answer.aliases:
            yield self._found("alias", " -> ".join((self.domain.name, *self.answer.aliases)))
            return
        for kind in ("MX", "A", "AAAA"):
            other = self.seen.asked(self.domain.name, kind)
            if other is not None and other.aliases:
                detail = (
                    f"{self.domain.name} is a CNAME of {other.aliases[0]} for {kind}, and has TXT of its own"
                )
                yield self._found("beside-cname", detail)
                return


def _kept(term: Term) -> str | None:
    return None if term.name == "v" else term.text


def _text(term: Term | None) -> str:
    return term.text if term else ""


def _again(term: Term, seen: set[str]) -> bool:
    """Whether this mechanism has stood before; remembers it."""
    key = term.text.lower().lstrip("+")
    if key in seen:
        return True
    seen.add(key)
    return False
