"""HTML: one file that asks for nothing from elsewhere and runs no script, for a fleet as for one domain.

Everything that came from a peer or a user is escaped where it is written (autoescape), made printable
first, and kept from steering the text around it (`bdi`). The page's policy allows its own style sheet by
hash and nothing else, so that a mistake here would still not run.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from probe.render import Style, printable
from probe.render._gist import (
    AGGREGATES,
    CONCLUSIONS,
    GLANCE,
    KINDS,
    WORST_FIRST,
    Group,
    alike,
    by_kind,
    by_provider,
    by_verdict,
    groups,
    nothing,
    quoted,
    sorted_findings,
    whole,
)
from probe.render._picture import Picture, bar, picture
from probe.rules import Finding, Report, Verdict, worst

if TYPE_CHECKING:
    from jinja2 import Template

EXTENSIONS = (".html", ".htm")
_TEMPLATES = Path(__file__).with_name("templates")
_SUBJECT = ("subject", "subjects")
_OPEN = 3  # so few reports are shown unfolded
_PORT = re.compile(r":[0-9]+\Z")
_LINK = re.compile(r"https://[A-Za-z0-9._~:/?#@!$&()*+,;=%-]+\Z")


def render(reports: Iterable[Report], style: Style) -> Iterator[str]:
    """The page; it begins with what decides, so it is made when the last report is there."""
    held = list(reports)
    yield from _template().generate(page=_page(held, style), css=_css(), policy=_policy())


# -- what the template sees -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Subject:
    """One report as the page shows it. `anchor` is its place; `concluded` sums a list up, at the top."""

    anchor: str
    report: Report
    verdict: Verdict
    provider: str
    title: str
    findings: tuple[Finding, ...]
    concluded: tuple[Finding, ...]
    transcript: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """All reports of one kind, worst first; `areas` are the columns of their states."""

    title: str
    subjects: tuple[_Subject, ...]
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """Whom a cause concerns at one place (`about`): each subject, how often it is named, and its anchor.

    The anchor is empty where the subject is not on the page; `left` are not named.
    """

    group: Group
    about: str
    subjects: tuple[tuple[str, int, str], ...]
    left: int


@dataclass(frozen=True, slots=True)
class _Cause:
    """Groups that one fix mends, wherever they are."""

    group: Group
    count: int
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    """The whole page."""

    title: str
    verdict: Verdict
    glance: str
    counts: Mapping[Verdict, int]
    bar: tuple[tuple[Verdict, float, float], ...]
    picture: Picture
    causes: tuple[_Cause, ...]
    providers: Mapping[str, Mapping[Verdict, int]]
    whole: tuple[_Subject, ...]
    sections: tuple[_Section, ...]
    open: bool
    one: str
    many: str


def _page(reports: list[Report], style: Style) -> _Page:
    many = whole(reports)
    ones = [report for report in reports if report.kind not in AGGREGATES]
    subjects = [_subject(f"s{index}", report) for index, report in enumerate(ones, 1)]
    places: dict[str, str] = {}
    for subject in subjects:
        places.setdefault(subject.report.subject, subject.anchor)
    main = _main(subjects)
    kind = main[0].report.kind if main else ""
    of_one_kind = many or len(main) == len(subjects)  # a whole list counts its inboxes
    words = KINDS.get(kind, _SUBJECT) if of_one_kind else _SUBJECT
    nobody_asked = not reports and not style.compared
    verdict = Verdict.UNKNOWN if nobody_asked else worst(report.verdict for report in reports)
    counted = by_verdict([subject.report for subject in main] or many)
    return _Page(
        title=_title(main, many) or nothing(style),
        verdict=verdict,
        glance=GLANCE[verdict] if kind in {"creds", "dns"} else str(verdict),
        counts=counted,
        bar=bar(counted),
        picture=picture([(one.report.subject, one.verdict, one.title, one.anchor) for one in main]),
        causes=tuple(_causes(groups(reports), places)) if len(reports) > _OPEN else (),
        providers=_providers(main, many) if len(main) > 1 else {},
        whole=tuple(_subject(f"w{index}", report) for index, report in enumerate(many, 1)),
        sections=tuple(_sections(subjects)),
        open=len(reports) <= _OPEN,
        one=words[0],
        many=words[1],
    )


def _main(subjects: list[_Subject]) -> list[_Subject]:
    """The subjects that the run is about: the inboxes if there are any, else the commonest kind."""
    kinds = Counter(subject.report.kind for subject in subjects)
    kind = "creds" if "creds" in kinds else max(kinds, key=kinds.__getitem__, default="")
    return [subject for subject in subjects if subject.report.kind == kind]


def _title(main: list[_Subject], many: list[Report]) -> str:
    if not main and not many:
        return ""
    if len(main) == 1 and not many:
        return main[0].report.subject
    if many and not main:
        return many[0].subject
    kind = main[0].report.kind if main else ""
    counted = f"{len(main)} {KINDS.get(kind, ('report', 'reports'))[1]}"
    return f"{counted} of {many[0].subject}" if many else counted


def _subject(anchor: str, report: Report) -> _Subject:
    finding = report.decisive
    lines = str(report.transcript).split("\n") if report.transcript is not None else []
    return _Subject(
        anchor,
        report,
        report.verdict,
        (report.facts.get("provider") or _PORT.sub("", report.facts.get("server", ""))).partition(" (")[0],
        finding.rule.title if finding is not None else str(report.outcome or "nothing to mend"),
        tuple(finding for finding in sorted_findings(report) if finding.rule.id not in CONCLUSIONS),
        tuple(finding for finding in report.findings if finding.rule.id in CONCLUSIONS),
        tuple((_MARKS.get(text[:2], "said"), text) for text in lines),
    )


_MARKS = {"C:": "ours", "S:": "theirs", "S~": "odd", "!:": "odd", "--": "dim"}


def _causes(told: Iterable[Group], places: Mapping[str, str]) -> Iterator[_Cause]:
    """The same problem with the same fix at several tenants or domains is told once, with the places."""
    for several in sorted(alike(told), key=lambda one: (-one[0].verdict.rank, -_total(one))):
        yield _Cause(several[0], _total(several), tuple(_part(group, places) for group in several))


def _part(group: Group, places: Mapping[str, str]) -> _Part:
    named = group.named
    told = tuple((subject, times, places.get(subject, "")) for subject, times in named.items())
    about = group.about or (group.subjects[0] if group.count == len(group.subjects) == 1 else "")
    return _Part(group, about, told, group.count - sum(named.values()))


def _total(several: Iterable[Group]) -> int:
    return sum(group.count for group in several)


def _providers(subjects: list[_Subject], many: list[Report]) -> Mapping[str, Mapping[Verdict, int]]:
    """Verdicts by provider, the largest first; as the list has them, which knows where nobody was asked."""
    if len(many) == 1 and (told := by_provider(many[0])):
        return told
    held: dict[str, list[Report]] = {}
    for subject in subjects:
        held.setdefault(subject.provider or "not recognised", []).append(subject.report)
    ranked = sorted(held.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return {provider: by_verdict(several) for provider, several in ranked}


def _sections(subjects: list[_Subject]) -> Iterator[_Section]:
    places = {id(subject.report): subject for subject in subjects}
    for kind, reports in by_kind(subject.report for subject in subjects).items():
        held = sorted(reports, key=lambda report: (-report.verdict.rank, places[id(report)].title))
        areas = dict.fromkeys(area for report in held for area in report.states)
        one, many = KINDS.get(kind, (kind, kind))
        title = (one if len(held) == 1 else many).capitalize()
        yield _Section(title, tuple(places[id(report)] for report in held), tuple(areas))


# -- the template ---------------------------------------------------------------------------------


@functools.cache
def _template() -> Template:
    from jinja2 import (  # noqa: PLC0415 - a tenth of a second that only this format pays
        Environment,
        FileSystemLoader,
        StrictUndefined,
    )

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= {"quoted": quoted, "link": _link}
    made.globals |= {"verdicts": WORST_FIRST}
    return made.get_template("report.html.j2")


def _shown(value: object) -> object:
    """Every text that is written passes here; what the template made itself is already safe."""
    return value if hasattr(value, "__html__") else printable(str(value))


def _link(url: str) -> str:
    """The address if it is one that may be followed from here, else nothing."""
    return url if _LINK.match(url) else ""


@functools.cache
def _css() -> str:
    return (_TEMPLATES / "report.css").read_text(encoding="utf-8")


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
