"""What receivers keep of what stands at ``_dmarc``, and why there is no record where none applies."""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks import Domain, _suffixes
from probe.checks._dmarc_discovery import Discovery, exists, kept, published, question
from probe.checks._dmarc_fix import NOTHING, Requests, fitting, line, united, within
from probe.checks._dmarc_rules import RULE
from probe.checks._evidence import evidence, printable, seen_answer, zone_line
from probe.checks.mx import silent
from probe.facts import Question, Records, Status
from probe.grammar import dmarc
from probe.grammar.dmarc import Policy, Record
from probe.rules import Finding

__all__ = ["absent", "own_name"]


def own_name(domain: Domain, found: Discovery, seen: Records) -> Iterator[Finding]:
    """What stands at ``_dmarc`` of the very name, kept by receivers or not."""
    name, parked = domain.name, silent(domain, seen)
    asked = question(name)
    answer = published(name, seen)
    values = answer.values if answer.status is Status.OK else ()
    records = kept(name, seen)
    inherited = found.policy or Policy.NONE  # while nothing at the name itself counts
    today = (inherited, inherited, inherited)
    if len(records) > 1:
        yield _several(name, records, seen, today, parked=parked)
    others = [value for value in values if not dmarc.is_record(value)] if len(records) < len(values) else []
    meant = [value for value in others if dmarc.resembles(value)]
    if not records and meant:
        fix = within(today, name, seen, meant[0], "Replace it by", parked=parked)
        yield Finding(
            RULE["not-recognised"], evidence(asked, answer, meant[0]), printable(meant[0])[:200], fix
        )
    elif records and others:
        yield Finding(
            RULE["unrelated-text"], evidence(asked, answer, others[0]), f"other TXT values: {len(others)}"
        )
    if answer.aliases and answer.known:
        target = printable(answer.aliases[-1])
        problem = "delegated" if records or meant else "dangling-alias"
        if problem == "delegated" or found.record_at != name:
            own = zone_line(asked.name, "TXT", fitting(name, seen))
            instead = f"Publish the record at {target}, or remove the alias and publish: {own}"
            fix = "" if problem == "delegated" else instead
            yield Finding(RULE[problem], evidence(asked, answer), f"_dmarc.{name} -> {target}", fix)


def absent(domain: Domain, found: Discovery, seen: Records) -> Iterator[Finding]:
    """No record applies: why, as far as it can be told."""
    name = domain.name
    answer = published(name, seen)
    if len(kept(name, seen)) > 1:
        return
    above = [each for each in found.asked if len(kept(each, seen)) > 1 and not _suffixes.is_suffix(each)]
    if above:  # the name could have inherited one of them
        yield _several(above[0], kept(above[0], seen), seen, NOTHING, parked=False)
        return
    apex = Question(name, "TXT")
    misplaced = [value for value in seen.of(name, "TXT") if dmarc.is_record(value)]
    if misplaced:
        parked = silent(domain, seen)
        fix = within(NOTHING, name, seen, misplaced[0], "Publish instead", parked=parked)
        yield Finding(RULE["apex-record"], evidence(apex, seen_answer(seen, apex), misplaced[0]), name, fix)
    elif not any(dmarc.resembles(value) for value in answer.values) and not answer.aliases:
        yield _missing(domain, found, seen)


def _several(
    name: str, records: tuple[Record, ...], seen: Records, today: Requests, *, parked: bool
) -> Finding:
    asked = question(name)
    listed = "; ".join(printable(record.text) for record in records[:10])
    mildest, changes = united(records)
    more = any(record.p not in {None, mildest.p} for record in records)
    fix = within(today, name, seen, mildest.text, "Leave only", parked=parked, more=more, **changes)
    told = evidence(asked, seen_answer(seen, asked), listed)
    return Finding(RULE["several"], told, f"{len(records)} records at {asked.name}", fix)


def _missing(domain: Domain, found: Discovery, seen: Records) -> Finding:
    """The finding, with a record for the organizational domain: one below it would make the name its own.

    A domain that sends nothing has no mail to lose, so it may begin with p=reject.
    """
    name, parked = domain.name, silent(domain, seen)
    asked = question(name)
    home = _suffixes.organizational(name)
    gone = exists(name, seen) is False
    detail = "the domain does not exist" if gone else f"asked: {len(found.asked)} names"
    begin = Policy.REJECT if parked and home == name else Policy.NONE
    fix = line(home, seen, words="Publish: ", p=str(begin))
    return Finding(
        RULE["unguarded" if parked else "missing"], evidence(asked, seen_answer(seen, asked)), detail, fix
    )
