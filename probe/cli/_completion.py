"""What a shell completes behind an option or a command; nothing is imported until it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["CHECKS", "FORMATS", "PROVIDERS", "RULES", "SCENARIOS", "TOPICS", "VERDICTS"]


def _completed(words: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def begun(incomplete: str) -> list[str]:
        return [word for word in words() if word.startswith(incomplete)]

    return begun


def _formats() -> Iterable[str]:
    from probe import render

    return render.every()


def _checks() -> Iterable[str]:
    from probe import checks

    return checks.every()


def _providers() -> Iterable[str]:
    from probe import catalogue

    return (one.id for one in catalogue.providers())


def _rules() -> Iterable[str]:
    from probe.run.rules import known

    return (rule.id for rule in known())


def _scenarios() -> Iterable[str]:
    from probe.fakes.reading import folder

    return sorted(file.stem for file in folder().glob("*.toml"))


def _topics() -> Iterable[str]:
    from probe.cli import _names
    from probe.cli.help import TOPICS

    return (*TOPICS, *_names())


CHECKS = _completed(_checks)
FORMATS = _completed(_formats)
PROVIDERS = _completed(_providers)
RULES = _completed(_rules)
SCENARIOS = _completed(_scenarios)
TOPICS = _completed(_topics)
VERDICTS = _completed(lambda: ("note", "warn", "fail"))
