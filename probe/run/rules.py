"""Every rule a finding can come from: the catalogue's, the DNS checks', and those of whole runs."""

from __future__ import annotations

from functools import cache

from probe import catalogue
from probe.checks import every, find
from probe.rules import Rule
from probe.run import domain, together

__all__ = ["known"]


@cache
def known() -> tuple[Rule, ...]:
    """All rules, by id; what a report names can be looked up here."""
    rules = {rule.id: rule for area in every() for rule in find(area).RULES}
    rules |= {rule.id: rule for rule in (*together.RULES, domain.BUG)}
    rules |= {rule.id: rule for rule in catalogue.rules()}
    return tuple(rule for _, rule in sorted(rules.items(), key=lambda pair: pair[0]))
