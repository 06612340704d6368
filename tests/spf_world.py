"""A DNS world in a dictionary, for the SPF tests: names, their records, and what is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from probe.facts import Answer, Question, Records, Status

Zone = Mapping[str, Mapping[str, Sequence[str]]]

_ROUNDS = 60


class World:
    """Answers questions as a resolver does: CNAMEs are followed, a loop is a failure.

    `zone` maps a name to its records by type; `broken` maps ``name TYPE`` or a bare name to a status.
    """

    def __init__(self, zone: Zone, broken: Mapping[str, Status] | None = None) -> None:
        self.zone = {name.lower().removesuffix("."): dict(records) for name, records in zone.items()}
        self.broken = dict(broken or {})
        self.asked: list[Question] = []
        self.rounds = 0

    def __repr__(self) -> str:
        return f"World({self.zone!r}, {self.broken!r})"

    def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        aliases: list[str] = []
        name = question.name
        while True:
            held = self.zone.get(name)
            if held is not None and held.get(question.type):
                values = tuple(held[question.type])
                return Answer(
                    Status.OK, values, 300, "192.0.2.53", tuple(aliases), tuple((len(v),) for v in values)
                )
            broken = self.broken.get(f"{name} {question.type}") or self.broken.get(name)
            if broken is not None:
                return Answer(broken, server="192.0.2.53")
            if held is None:
                below = any(other.endswith("." + name) for other in self.zone)
                return Answer(Status.NODATA if below else Status.NXDOMAIN, server="192.0.2.53")
            if not held.get("CNAME"):
                return Answer(Status.NODATA, server="192.0.2.53", aliases=tuple(aliases))
            name = held["CNAME"][0].lower()
            if name in aliases:
                return Answer(Status.SERVFAIL, server="192.0.2.53")
            aliases.append(name)

    def settle(self, ask: Callable[[Records], Iterable[Question]]) -> Records:
        """Ask and fetch until nothing is missing, each question once."""
        seen = Records()
        for _ in range(_ROUNDS):
            new = {question for question in ask(seen) if question not in seen}
            if not new:
                return seen
            self.rounds += 1
            seen = seen.including({question: self.answer(question) for question in sorted(new)})
        raise AssertionError("questions without end")
