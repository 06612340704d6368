"""Prometheus' text format, for node_exporter's textfile collector: write it to a ``.prom`` file there.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from probe.render import Style, printable
from probe.render._gist import WORST_FIRST, beyond, single
from probe.rules import Report, Verdict

EXTENSIONS = (".prom",)
_HELP = {
    "probe_subjects": "Subjects probed, by kind and verdict.",
    "probe_causes": "Subjects that are not ok, by the cause that decides.",
    "probe_verdict": "0 ok, 1 note, 2 warn, 3 wait, 4 unknown, 5 fail.",
    "probe_seconds": "How long the steps of a subject took together.",
    "probe_certificate_expiry_timestamp_seconds": "When the server's certificate ends, in Unix time.",
}


def render(reports: Iterable[Report], _style: Style) -> Iterator[str]:
    """The gauges; a series appears once even where a subject was probed twice (the worse value stays)."""
    everything = list(reports)
    held = [*single(everything), *(whole for whole, _ in beyond(everything))]
    for name, series in _gauges(held).items():
        if series:
            yield f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n"
            for labels, value in series.items():
                yield f"{name}{_labels(labels)} {value:.12g}\n"
    if not held:
        yield f"# HELP probe_subjects {_HELP['probe_subjects']}\n# TYPE probe_subjects gauge\n"


_Series = dict[tuple[tuple[str, str], ...], float]


def _gauges(reports: list[Report]) -> dict[str, _Series]:
    gauges: dict[str, _Series] = {name: {} for name in _HELP}
    counted = Counter((report.kind, report.verdict) for report in reports)
    for kind in dict.fromkeys(report.kind for report in reports):
        for verdict in reversed(WORST_FIRST):  # zeros too: an alert needs a series to fall silent
            gauges["probe_subjects"][("kind", kind), ("verdict", str(verdict))] = counted[kind, verdict]
    for report in reports:
        who = (("kind", report.kind), ("subject", report.subject))
        _worse(gauges["probe_verdict"], who, report.verdict.rank)
        if report.timings:
            _worse(gauges["probe_seconds"], who, sum(report.timings.values()))
        if (ends := _expiry(report)) is not None:
            dated = gauges["probe_certificate_expiry_timestamp_seconds"]
            dated[who] = min(ends, dated.get(who, ends))
        finding = report.decisive
        if finding is not None and finding.verdict.rank >= Verdict.WARN.rank:
            labels = (
                ("cause", finding.rule.cause.value),
                ("finding", finding.rule.id),
                ("kind", report.kind),
                ("verdict", str(finding.verdict)),
            )
            gauges["probe_causes"][labels] = gauges["probe_causes"].get(labels, 0) + 1
    return gauges


def _worse(series: _Series, labels: tuple[tuple[str, str], ...], value: float) -> None:
    series[labels] = max(value, series.get(labels, 0))


def _expiry(report: Report) -> float | None:
    tls = report.transcript.tls if report.transcript is not None else None
    if tls is not None and tls.certificate is not None:
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.fromisoformat(tls.certificate.not_after).timestamp()
    return None


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f'{name}="{_value(value)}"' for name, value in labels) + "}"


def _value(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
