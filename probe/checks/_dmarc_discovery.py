"""Which DMARC record applies to a name, and which name is its organizational domain: both generations.

RFC 9989 section 4.10 walks up the tree; RFC 7489 section 6.6.3 asks twice and uses a list of public
suffixes. A lookup that failed leaves a hole in the walk, and the hole is told: `failed`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from operator import attrgetter

from probe.checks import _suffixes
from probe.checks._dkim_search import own_answer
from probe.checks._evidence import nonexistent, seen_answer
from probe.checks._once import once, once_for_all
from probe.facts import Answer, Question, Records
from probe.grammar import dmarc
from probe.grammar.dmarc import Policy, Psd, Record
from probe.grammar.hostname import askable

__all__ = [
    "Discovery",
    "Older",
    "discover",
    "discover_7489",
    "exists",
    "kept",
    "published",
    "question",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a receiver of RFC 9989 finds for an author domain.

    `asked` are the names in the order of its questions, `record_at` and `record` what it applies (None:
    nothing), `policy` the request for this very name with sp, np and t taken into account (None: DMARC is
    not applied). `failed` are names whose lookup failed and could have changed that; `holes` those that
    could only have changed the organizational domain.
    """

    author: str
    asked: tuple[str, ...]
    record_at: str | None
    record: Record | None
    org: str
    policy: Policy | None
    failed: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()

    @property
    def rooted(self) -> bool:
        """Whether the organizational domain is known: no hole but where registries might publish."""
        return all(map(_suffixes.is_suffix, self.holes))

    @property
    def settled(self) -> bool:
        """Whether no further answer changes this: the name has a record, and every step was answered."""
        return self.record_at == self.author and not self.failed and not self.holes


@dataclass(frozen=True, slots=True)
class Older:
    """What a receiver of RFC 7489 finds; `policy` takes ``pct=0`` into account."""

    record_at: str | None
    record: Record | None
    org: str
    policy: Policy | None


def question(name: str) -> Question:
    """The question for the DMARC record of a name."""
    return Question(f"_dmarc.{name}", "TXT")


@functools.lru_cache(maxsize=1024)
def walk(author: str) -> tuple[tuple[str, Question], ...]:
    """The names that a receiver of RFC 9989 asks for, where they can be asked for, with the questions."""
    steps = [(name, question(name)) for name in dmarc.walk(author)]
    return tuple([step for step in steps if askable(step[1].name)])


@once
def kept(name: str, seen: Records) -> tuple[Record, ...]:
    """The records at ``_dmarc.<name>`` that receivers keep at sight; more than one count as none."""
    values = seen.of(f"_dmarc.{name}", "TXT")
    return tuple([record for record in map(dmarc.parse, values) if record is not None])


def published(name: str, seen: Records) -> Answer:
    """What stands at ``_dmarc`` of a name."""
    return own_answer(name, question(name), seen)


@once
def exists(name: str, seen: Records) -> bool | None:
    """Whether the name exists, NXDOMAIN being the proof that it does not (RFC 9989 section 3.2.13)."""
    answers = [answer for kind in ("TXT", "MX", "A") if (answer := seen.asked(name, kind)) and answer.known]
    if not answers:
        return None
    return not nonexistent(seen, name)


@once_for_all(attrgetter("settled"))
def discover(author: str, seen: Records) -> Discovery:
    """The walk of RFC 9989 sections 4.10, 4.10.1 and 4.10.2 over what has been seen."""
    asked: list[str] = []
    found: dict[str, Record] = {}
    failed: list[str] = []
    for name, step in walk(author):
        asked.append(name)
        answer = seen_answer(seen, step)
        if not answer.known:
            failed.append(name)
            continue
        records = kept(name, seen) if answer.values else ()
        if len(records) != 1:
            continue
        found[name] = records[0]
        psd = records[0].psd
        if psd is Psd.NO or (psd is Psd.YES and name != author):
            break
    org = _organizational(author, found)
    at = (
        author
        if author in found
        else next(filter(found.__contains__, (org, _suffix_above(org, found))), None)
    )
    decisive = tuple([name for name in failed if at != author and _counts(name, author)])
    holes = tuple([name for name in failed if name not in decisive])
    if at is None or decisive:  # what stands at the hole might come first
        return Discovery(author, tuple(asked), None, None, org, None, decisive, holes)
    policy = _policy(found[at], author, at, seen)
    return Discovery(author, tuple(asked), at, found[at], org, policy, decisive, holes)


def _counts(name: str, author: str) -> bool:
    """Whether a record at a name above the author domain would apply to it."""
    return name == author or not _suffixes.is_suffix(name)


def _policy(record: Record, author: str, at: str, seen: Records) -> Policy | None:
    """What the record asks of the author domain; None too where only its existence would tell."""
    if at == author:
        return record.requested(below=False, exists=True)
    there = exists(author, seen)
    if record.np is not None and there is None:
        return None
    return record.requested(below=True, exists=there is not False)


def _organizational(author: str, found: dict[str, Record]) -> str:
    """RFC 9989 section 4.10.2; `found` is in the order of the walk, longest name first."""
    for name, record in found.items():
        if record.psd is Psd.NO:
            return name
        if record.psd is Psd.YES and name != author:
            labels = author.split(".")
            return ".".join(labels[-(name.count(".") + 2) :])
    return next(reversed(found), author)


def _suffix_above(org: str, found: dict[str, Record]) -> str:
    parent = org.partition(".")[2]
    return parent if parent in found and found[parent].psd is Psd.YES else ""


@once
def discover_7489(author: str, seen: Records) -> Older:
    """What RFC 7489 section 6.6.3 finds: the name's own record, else that of its organizational domain."""
    org = _suffixes.organizational(author)
    for name in dict.fromkeys((author, org)):
        records = kept(name, seen)
        if len(records) > 1:
            break  # several records end the search there
        if records:
            return Older(name, records[0], org, records[0].requested_7489(below=name != author))
    return Older(None, None, org, None)
