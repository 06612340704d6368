"""Every format, read back by a reader of its own: what a report says arrives, and nothing else does."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from probe import render
from probe.facts import Ending, Fault, Reply, Stage, Transcript, Turn
from probe.fakes.scenario import Scenario
from probe.render import Style, printable
from probe.render import jsonl as jsonl_format
from probe.render import nagios as nagios_format
from probe.render._gist import counted_by_kind, groups
from probe.render._picture import WIDTH, picture
from probe.render._read import reports as read_back
from probe.render.json import as_json, schema
from probe.rules import Cause, Finding, Outcome, Report, Rule, Shared, Source, State, Verdict

from .render_world import fleet, found, inbox
from .test_scenarios import SCENARIOS, one_by_one, played

FORMATS = render.every()
FLEET = fleet(120)


def told(format: str, *reports: Report, verbose: int = 0) -> str:
    return "".join(render.find(format).render(reports, Style(verbose=verbose)))


# -- a line is what `as_json` makes -------------------------------------------------------------------


def encoded(report: Report) -> str:
    return json.dumps(as_json(report)) + "\n"


@pytest.mark.parametrize("report", FLEET[:20], ids=lambda report: report.subject)
def test_a_line_is_the_report_in_the_shape_of_the_contract(report: Report) -> None:
    assert told("jsonl", report) == encoded(report)


def test_whatever_is_shared_or_looks_like_a_hole_is_told_as_it_is() -> None:
    odd = {"": None, "%s %": '{"": null}', "findings": [{"": None}]}
    words = Finding(
        Rule(
            "a/b",
            Verdict.WARN,
            Cause.POLICY,
            '100 % "fix": null',
            '{"": null}',
            "%s",
            Source("u", "rfc", "d"),
        ),
        {'{"": null}': '"%s"', "record": "\u00e9\x00"},
        detail='"evidence": null',
        matched='{"": null}',
        alternates=("%d", '{"": null}'),
    )
    shared = Report("dns", '{"": null}', (words, replace(words, fix="50 %")), evaluations={"b": Shared(odd)})
    own = replace(shared, facts={'{"": null}': "x"}, evaluations={"a": odd, "b": {"": None}})
    among = replace(own, evaluations={"a": [1], "b": Shared(odd), "c": Shared(b=2), "d": {"e": None}})
    for report in (shared, own, among, replace(own, findings=())):
        assert told("jsonl", report) == encoded(report)


def test_a_long_rule_out_of_a_file_is_told_and_not_kept_in_mind() -> None:
    short = Rule("a/short", Verdict.WARN, Cause.POLICY, "title", "meaning", "fix", Source("u", "rfc", "d"))
    long = replace(short, id="a/long", meaning="word " * 10_000)
    for rule in (short, long, short):
        report = Report("dns", "a.test", (Finding(rule, {"record": "x"}),))
        assert told("jsonl", report) == encoded(report)
    assert short in jsonl_format._frames
    assert long not in jsonl_format._frames


# -- what other people's words may try --------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</pre></details><script>alert(1)</script>",
    "</title></style><script>1</script>",
    "javascript:alert(1)",
    "]]><!--",
    "&lt;b&gt; &#60;i&#62; &amp;",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1,1)",
    "\uff1d1+1",
    " \t=1+1",
    "\r=1+1",
    "harmless;=1+1",
    'a","=1+1',
    "\x1b[2J\x1b]0;owned\x07",
    "\x00\x08\x7f\x9b31m",
    "left\u202etfel\u2066\u200b\u2028\u2029\ufeff",
    "\ud800 alone",
    "\ufffe\uffff",
    "`````",
    "a ` b `` c",
    "| a | b |",
    "[here](https://evil.example) ![x](https://evil.example/x.png)",
    "<https://evil.example> www.evil.example https://evil.example",
    "# heading\n===\n- item\n> quote\n1. one\n***\n```\nfence",
    "@everyone and @team/all",
    "line one\nline two\r\nline three",
    "ok|'x'=1;2;3;4",
    "$(reboot) `reboot` ; reboot & reboot",
    'quote " back \\ slash',
    "\N{SKULL}\N{COMBINING ACUTE ACCENT}" * 3,
    "x" * 5_000,
    "",
)


def hostile_report(text: str, kind: str = "creds") -> Report:
    """A report that says one thing wherever somebody else's words could stand."""
    rule = Rule(
        "hostile/words", Verdict.FAIL, Cause.POLICY, text, text, text, Source(text, "vendor", text), dont=text,
        predicts=(text,),
    )  # fmt: skip
    said = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\n", " ")
    turns = (
        Turn(Stage.CONNECT, "", None),
        Turn(Stage.EHLO, said, Reply(250, (f"250-{said}", f"250 {said}")), (said,)),
        Turn(Stage.MAIL, said, Fault(Ending.GARBLED, said, (said,))),
    )
    evidence = {"stage": text, "reply": text, "record": text, "question": text}
    return Report(
        kind,
        text,
        (Finding(rule, evidence, text, text, matched=text, alternates=(text,)),),
        Outcome.NOT_PROVEN,
        {text: State.INVALID, "spf": State.NOT_APPLICABLE},
        {"provider": text, "server": text, text: text},
        {
            "groups": [
                {"id": text, "title": text, "fix": text, "scope": text, "name": text, "subjects": [text]}
            ],
            "providers": {text: {"fail": 3, "ok": text}, "strange": text},
        },
        Transcript(turns, said, said, said),
        timings={text: 0.5},
    )


def hostile_run(text: str) -> list[Report]:
    return [hostile_report(text), inbox(1), hostile_report(text, "dns"), hostile_report(text, "fleet")]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_format_writes_a_character_that_steers(format: str, text: str) -> None:
    written = told(format, *hostile_run(text), verbose=1)
    assert not [char for char in written if not char.isprintable() and char not in "\r\n"]
    written.encode()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_cell_is_a_formula(text: str) -> None:
    written = told("csv", *hostile_run(text))
    rows = list(csv.reader(io.StringIO(written, newline=""), strict=True))
    assert len(rows) == 5
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell)]
    assert not [cell for cell in cells if "\n" in cell or "\r" in cell]
    # Where semicolons separate, a formula may not begin behind one either.
    assert not re.search(r'(^|;|\n|(?<!")")\s*=', written)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_junit_is_xml_with_a_case_a_subject(text: str) -> None:
    root = ET.fromstring(told("junit", *hostile_run(text)))
    cases = root.findall("testsuite/testcase")
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["3", "2", "0"]
    assert len(cases) == 3
    assert {child.tag for case in cases for child in case} <= {"failure", "error", "system-out"}


class Tags(HTMLParser):
    """Collects what a browser would take for elements, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in {"meta", "input", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_the_page_holds_our_elements_only_and_loads_nothing(text: str) -> None:
    page = Tags(told("html", *hostile_run(text), verbose=1))
    assert not page.open  # every element is closed where it belongs
    assert not page.tags.keys() & {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "form",
        "i",
        "image",
    }
    assert page.tags["style"] == page.tags["title"] - page.tags["rect"] == 1
    assert not [
        name for name, _ in page.attributes if name.startswith("on") or name in {"src", "srcset", "style"}
    ]
    links = [value for name, value in page.attributes if name == "href"]
    assert all(re.match(r"#[sw]\d+\Z|https://[a-z]", link) for link in links)
    assert not [link for link in links if "evil" in link]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_shows_words_and_no_markup_of_others(text: str) -> None:
    written = told("md", *hostile_run(text), verbose=1)
    tokens = MarkdownIt("commonmark").enable("table").parse(written)
    inside = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inside)}
    assert not kinds & {
        "html_block",
        "html_inline",
        "image",
        "hr",
        "ordered_list_open",
        "blockquote_open",
        "em_open",
    }
    links = [token.attrs["href"] for token in inside if token.type == "link_open"]
    assert all(str(link).startswith("https://") and "evil" not in str(link) for link in links)
    prose = " ".join(token.content for token in inside if token.type == "text")
    assert not re.search(r"(?<![\w.])@\w", prose)
    outside = re.sub(r"(?ms)^(`{3,})text$.*?^\1$", "", written)
    rows = [re.sub(r"\\\|", "", line) for line in outside.split("\n") if line.startswith("| ")]
    assert {row.count("|") for row in rows} <= {3, 5, 6}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_monitoring_system_gets_one_line_with_one_bar(text: str) -> None:
    for run in ([hostile_report(text)], hostile_run(text)):
        written = told("nagios", *run)
        assert written.startswith("PROBE CRITICAL - ")
        assert written.count("\n") == written.count("|") == 1
        assert not set(written) & set("`$<>&'\"\\")
        assert len(written) < 1_000


SERIES = re.compile(r'[a-z_]+\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*\} [0-9.e+-]+')


def test_what_is_made_visible_can_be_told_apart() -> None:
    assert printable("\x1b\u202e\ue000\U000e0001\ue0001") == r"\u001b\u202e\ue000\U000e0001\ue0001"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_prometheus_gets_every_series_once(text: str) -> None:
    lines = told("prom", *hostile_run(text), *hostile_run(text)).splitlines()
    series = [line for line in lines if not line.startswith("# ")]
    assert all(SERIES.fullmatch(line) for line in series)
    names = [line.rpartition(" ")[0] for line in series]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_json_keeps_the_contract_whatever_is_said(text: str) -> None:
    (line,) = told("jsonl", hostile_report(text)).splitlines()
    finding = json.loads(line)["findings"][0]
    assert finding["fix"] == finding["detail"] == finding["evidence"]["reply"] == text
    (again,) = read_back([line])
    assert told("jsonl", again).rstrip("\n") == line


# -- what a report says arrives ---------------------------------------------------------------------


def test_a_row_of_csv_says_what_decides_and_what_to_do() -> None:
    rows = list(csv.DictReader(io.StringIO(told("csv", *FLEET), newline="")))
    assert len(rows) == len(FLEET)
    first = rows[0]
    assert (first["subject"], first["verdict"], first["outcome"]) == (
        "sales0@brand0.example",
        "fail",
        "bad_creds",
    )
    assert first["finding"] == "google/app-password-required"
    assert first["evidence"].startswith("534-5.7.9 Application-specific password required")
    assert first["fix"].startswith("Create an app password")
    assert {row["states"] for row in rows if row["kind"] == "dns"} >= {
        "dkim=valid dmarc=valid mx=valid spf=valid"
    }


def test_lines_of_a_detail_stay_apart_in_a_cell() -> None:
    detail = (
        "3 of 7 inboxes\n1 inbox: Google wants an app password (ada@x.test)\n2 inboxes: Refused:\nby policy"
    )
    (whole,) = STOPPED.findings
    (row,) = csv.DictReader(
        io.StringIO(told("csv", replace(STOPPED, findings=(replace(whole, detail=detail),))))
    )
    assert row["detail"] == (
        "3 of 7 inboxes; 1 inbox: Google wants an app password (ada@x.test); 2 inboxes: Refused: by policy"
    )


def test_a_list_that_is_ready_is_not_told_to_do_nothing() -> None:
    ready = replace(FLEET[-1], findings=(found("preflight/go", inboxes="2"),), evaluations={})
    assert told("text", ready).endswith("ok      Every inbox of the list is ready.\n")
    assert "<p>Every inbox of the list is ready.</p>" in told("html", ready)


def test_an_inbox_that_stands_for_itself_is_named_once() -> None:
    group = {
        "id": "x/y",
        "title": "Own",
        "verdict": "fail",
        "fix": "Mend",
        "scope": "inbox",
        "name": "ada@x.test",
        "subjects": ["ada@x.test"],
        "count": 1,
    }
    alone = replace(FLEET[-1], evaluations={"groups": [group]})
    assert "| fail | 1 | `ada@x.test` | Own `x/y` | Mend |\n" in told("md", inbox(1), alone)


def test_junit_tells_failures_from_what_could_not_be_told() -> None:
    root = ET.fromstring(told("junit", *FLEET))
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["probe creds", "probe dns"]
    inboxes = [one for one in FLEET if one.kind == "creds"]
    verdicts = Counter(one.verdict for one in inboxes)
    assert suites["probe creds"].get("failures") == str(verdicts[Verdict.FAIL])
    assert suites["probe creds"].get("errors") == str(verdicts[Verdict.UNKNOWN] + verdicts[Verdict.WAIT])
    message = suites["probe creds"].find("testcase/failure")
    assert message is not None
    assert (
        message.get("message")
        == "Google wants an app password for this account (google/app-password-required)"
    )
    assert "Don't: Retry the same password" in (message.text or "")


@pytest.mark.parametrize(
    ("verdict", "state", "code"),
    [
        (Verdict.OK, "OK", 0),
        (Verdict.NOTE, "OK", 0),
        (Verdict.WARN, "WARNING", 1),
        (Verdict.WAIT, "WARNING", 1),
        (Verdict.UNKNOWN, "UNKNOWN", 3),
        (Verdict.FAIL, "CRITICAL", 2),
    ],
)
def test_nagios_states(verdict: Verdict, state: str, code: int) -> None:
    finding = inbox(0).decisive
    assert finding is not None
    report = replace(inbox(0), findings=(replace(finding, rule=replace(finding.rule, verdict=verdict)),))
    assert told("nagios", report).startswith(
        f"PROBE {state} - sales0@brand0.example: Google wants an app password"
    )
    assert nagios_format.exit_code([verdict]) == code


STOPPED = replace(
    FLEET[-1],
    findings=(
        replace(found("preflight/stopped", reason="interrupted"), detail="6 of 8 rows were not probed"),
    ),
    evaluations={},
)
INTERRUPTED = [inbox(1), inbox(2), STOPPED]


def test_a_run_that_was_stopped_is_not_told_as_ok_where_all_it_reached_was() -> None:
    assert told("nagios", *INTERRUPTED).startswith(
        "PROBE UNKNOWN - inboxes.csv: The run was stopped before its end (preflight/stopped); 2 ok | ok=2;"
    )
    cases = ET.fromstring(told("junit", *INTERRUPTED))
    assert (cases.get("tests"), cases.get("failures"), cases.get("errors")) == ("3", "0", "1")
    assert [case.get("name") for case in cases.iter("testcase") if len(case)] == ["inboxes.csv"]
    assert told("md", *INTERRUPTED).startswith(
        "# inboxes.csv: 2 inboxes: 2 ok\n\n"
        "**unknown: The run was stopped before its end** `preflight/stopped` "
        "(`inboxes.csv`: 6 of 8 rows were not probed). Go on with --resume.\n"
    )
    assert 'probe_verdict{kind="fleet",subject="inboxes.csv"} 4\n' in told("prom", *INTERRUPTED)


def test_that_a_run_was_stopped_is_told_beside_an_inbox_that_failed() -> None:
    stopped = replace(STOPPED, findings=(*STOPPED.findings, found("preflight/no-go", inboxes="2")))
    run = [inbox(1), inbox(0), stopped]
    assert told("nagios", *run).startswith("PROBE CRITICAL - inboxes.csv: The run was stopped before its end")
    assert "**unknown: The run was stopped before its end**" in told("md", *run)
    assert "preflight/no-go" not in told("md", *run)
    assert "unknown preflight/stopped" in told("junit", *run)


@pytest.mark.parametrize("format", ["nagios", "junit", "md", "prom"])
def test_a_list_that_tells_no_more_than_its_inboxes_is_not_counted_beside_them(format: str) -> None:
    no_go = replace(FLEET[-1], evaluations={})
    with_list, without = told(format, inbox(0), inbox(1), no_go), told(format, inbox(0), inbox(1))
    assert with_list.replace("# inboxes.csv:", "# probe:") == without


def test_nagios_names_what_makes_the_state_before_what_is_commoner() -> None:
    soon, bad = found("session/certificate-expires-soon"), found("login/wrong-credentials")
    run = [replace(inbox(number), findings=(soon,)) for number in range(1, 4)]
    line = told("nagios", *run, replace(inbox(4), findings=(bad,)))
    assert line.startswith(
        "PROBE CRITICAL - 1 fail, 3 warn: 1 login/wrong-credentials, 3 session/certificate-expires-soon"
    )


def test_nagios_counts_a_fleet() -> None:
    line = told("nagios", *FLEET)
    assert re.match(r"PROBE CRITICAL - \d+ fail, \d+ unknown, .*: 9 google/app-password-required, ", line)
    failed = sum(one.verdict is Verdict.FAIL for one in FLEET[:-1])
    assert f"fail={failed};;;0;{len(FLEET) - 1}" in line


def test_prometheus_gets_zeros_too_and_the_end_of_certificates() -> None:
    written = told("prom", inbox(1))
    assert 'probe_subjects{kind="creds",verdict="ok"} 1\n' in written
    assert 'probe_subjects{kind="creds",verdict="fail"} 0\n' in written
    assert 'probe_verdict{kind="creds",subject="sales1@brand1.example"} 0\n' in written
    session = inbox(1).transcript
    assert session is not None
    assert session.tls is not None
    assert session.tls.certificate is not None
    early, late = (
        replace(session.tls.certificate, not_after=f"{year}-12-01T00:00:00+00:00") for year in (2026, 2027)
    )
    dated, renewed = (
        replace(inbox(1), transcript=replace(session, tls=replace(session.tls, certificate=leaf)))
        for leaf in (early, late)
    )
    expiry = 'probe_certificate_expiry_timestamp_seconds{kind="creds",subject="sales1@brand1.example"} 1796083200\n'
    assert expiry in told("prom", dated)
    assert expiry in told("prom", dated, renewed)
    assert expiry in told("prom", renewed, dated)


def test_markdown_tells_the_causes_and_what_is_not_ok() -> None:
    written = told("md", *FLEET)
    assert written.startswith("# inboxes.csv: 120 inboxes: ")
    assert (
        "| Google wants an app password for this account `google/app-password-required` | Create an app "
        in written
    )
    assert "### fail: `sales0@brand0.example`" in written
    assert "### ok" not in written


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_probed_is_told_as_that(format: str) -> None:
    written = told(format)
    assert "fail" not in written.partition("</style>")[2].partition("<footer>")[0]
    assert format in {"jsonl", "text"} or written


def test_a_page_of_nothing_is_not_called_good() -> None:
    assert "nothing probed" in told("html")
    assert 'class="badge big unknown"' in told("html")


# -- groups and the picture -------------------------------------------------------------------------


def test_groups_are_the_fleets_own_where_it_has_them() -> None:
    (first, *_) = groups(FLEET)
    assert (first.id, first.scope) == ("dmarc/missing", "domain")
    assert first.dont.startswith("Start with p=reject")


def test_without_a_fleet_report_one_rule_and_one_fix_are_a_group() -> None:
    found = {group.id: group for group in groups(FLEET[:-1])}
    assert found["google/app-password-required"].count == 9
    assert found["microsoft/smtp-auth-disabled-tenant"].subjects[0] == "sales45@brand5.example"
    assert list(found)[-1] == "session/certificate-expires-soon"  # warnings last


def test_an_inbox_that_was_left_alone_for_a_reason_that_is_known_takes_a_line() -> None:
    def left_alone(number: int, host: str) -> Report:
        braked = replace(
            found("preflight/host-braked", stage="auth"), detail=f"{host}: 4 logins were refused"
        )
        return Report("creds", f"sales{number}@a.example", (braked,), Outcome.NOT_PROVEN)

    run = [left_alone(1, "a"), left_alone(2, "a"), left_alone(3, "b"), left_alone(4, "a")]
    text = told("text", *run)
    assert text.count("  Fix ") == 2
    assert [line for line in text.splitlines() if "sales2@" in line or "sales4@" in line] == [
        f"unknown {f'sales{number}@a.example':<36} not_proven   preflight/host-braked" for number in (2, 4)
    ]
    assert told("text", *run, verbose=1).count("  Fix ") == 4
    narrow = "".join(render.find("text").render(run, Style(width=60)))
    assert narrow.count("\n        preflight/host-braked\n") == 2


def test_no_two_cases_have_one_name() -> None:
    cases = ET.fromstring(told("junit", FLEET[0], FLEET[1], FLEET[0])).iter("testcase")
    subject, other = FLEET[0].subject, FLEET[1].subject
    assert [case.get("name") for case in cases] == [subject, other, f"{subject} (2)"]


def test_many_subjects_are_counted_in_the_end_and_a_list_has_its_own_sum() -> None:
    assert told("text", *FLEET[:9]).endswith(f"\n\n{counted_by_kind(FLEET[:9])}\n")
    assert counted_by_kind(FLEET[:9]) == "9 inboxes: 2 fail, 7 ok"
    assert "3 inboxes" not in told("text", *FLEET[:3])
    assert counted_by_kind(FLEET[:-1]) not in told("text", *FLEET)


def test_the_page_tells_providers_as_the_list_does() -> None:
    page = told("html", *FLEET)
    cells = [
        [re.sub("<[^>]+>", "", cell) for cell in re.findall("<t[hd].*?</t[hd]>", row)]
        for row in page[page.index("By provider") : page.index("</table>")].split("<tr>")[2:]
    ]
    table = FLEET[-1].evaluations["providers"]
    assert isinstance(table, dict)
    assert {name: int(counts[-1]) for name, *counts in cells} == {
        name: sum(row.values()) for name, row in table.items()
    }


@pytest.mark.parametrize("run", [FLEET[:1], FLEET[:9], FLEET], ids=len)
def test_markdown_begins_with_its_heading_and_parts_by_one_empty_line(run: list[Report]) -> None:
    text = told("md", *run)
    assert text.startswith("# ")
    assert "\n\n\n" not in text


def test_a_server_without_a_name_is_told_by_its_address() -> None:
    page = told("html", *(replace(inbox(n), facts={"server": "[2001:db8::1]:587"}) for n in (1, 2)))
    assert '<span class="dim">[2001:db8::1]</span>' in page


def test_equal_replies_count_as_many_in_every_format() -> None:
    reply = replace(FLEET[0], kind="reply", subject="534 5.7.9 no", transcript=None)
    run = [reply, reply, reply, replace(reply, subject="534 5.7.9 nope")]
    (group,) = groups(run)
    assert (group.count, group.named) == (4, {"534 5.7.9 no": 3, "534 5.7.9 nope": 1})
    assert "| fail | 4 | `534 5.7.9 no` (3 times), `534 5.7.9 nope` | Google wants" in told("md", *run)
    page = told("html", *run)
    assert "<summary><b>4</b> replies" in page
    assert '<bdi>534 5.7.9 no</bdi></a> <span class="dim">3 times</span>' in page
    assert "4 google/app-password-required" in told("nagios", *run)


def test_a_report_that_meets_a_rule_twice_counts_once() -> None:
    twice = replace(inbox(0), findings=inbox(0).findings * 2)
    assert [group.count for group in groups([twice, inbox(7)])] == [2]


def test_a_fleet_report_of_somebody_else_is_read_with_care() -> None:
    strange = [1, {}, {"subjects": 3, "count": "many", "verdict": ["fail"], "title": None}]
    told = groups([Report("fleet", "x", evaluations={"groups": strange})])
    assert [(group.verdict, group.count, group.title) for group in told] == [(Verdict.UNKNOWN, 0, "")] * 2


def test_the_picture_has_a_square_for_everybody() -> None:
    subjects = [
        (f"{n}@x", Verdict.FAIL if n % 9 == 0 else Verdict.OK, f"cause {n % 5}", f"s{n}") for n in range(900)
    ]
    drawn = picture(subjects)
    squares = [square for row in drawn.rows for square in row.squares]
    assert sorted(square.anchor for square in squares) == sorted(subject[3] for subject in subjects)
    assert len({(square.x, square.y) for square in squares}) == 900
    assert max(square.x for square in squares) < WIDTH
    assert max(square.y for square in squares) < drawn.height
    assert [row.verdict for row in drawn.rows] == [Verdict.FAIL] * 5 + [Verdict.OK] * 5


def test_a_picture_of_many_causes_or_many_thousands_stays_small() -> None:
    many = [(str(n), list(Verdict)[n % 6], f"cause {n % 300}", "s") for n in range(50_000)]
    drawn = picture(many)
    assert len(drawn.rows) <= 16
    assert sum(row.count for row in drawn.rows) == 50_000
    assert sum(len(row.squares) for row in drawn.rows) <= 2_100
    assert not picture([]).rows


# -- the contract, read back ------------------------------------------------------------------------

CONTRACT = jsonschema.Draft202012Validator(schema())


@one_by_one(SCENARIOS)
def test_a_report_read_back_is_the_report(scenario: Scenario) -> None:
    (line,) = told("jsonl", played(scenario).report).splitlines()
    (again,) = read_back([line])
    assert as_json(again) == json.loads(line)


@pytest.mark.parametrize("format", ["json", "jsonl"])
@pytest.mark.parametrize("count", [1, 3])
def test_either_form_is_read_whole_or_in_lines(format: str, count: int) -> None:
    run = FLEET[:count]
    written = told(format, *run)
    assert [as_json(one) for one in read_back(written.splitlines(keepends=True))] == [
        as_json(one) for one in run
    ]
    assert [one.subject for one in read_back(["\n", *written.splitlines(keepends=True)])] == [
        one.subject for one in run
    ]


GOOD = json.loads(told("jsonl", FLEET[0]))


def broken(*path: str | int, value: object) -> str:
    copy = json.loads(json.dumps(GOOD))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(copy)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hello", "line 1: no JSON (Expecting value, column 1)"),
        ("[]", "line 1: not a report: no JSON object"),
        ("7", "line 1: not a report: no JSON object"),
        ("{}", "line 1: no schema_version; this reads version 1 of the reports that probe writes as JSON"),
        ('{"schema_version": 2}', "line 1: schema_version 2; this reads version 1"),
        ('{"schema_version": 1}', "line 1: kind: missing"),
        (
            '{"schema_version": 1, "reports": [{"schema_version": 1}]}',
            "line 1: report 1: kind: missing",
        ),
        ("[" * 200_000, "nested too deep for a report"),
        ('{"schema_version":\n 1,\n oops}', "line 3: no JSON"),
        (broken("subject", value=None), "subject: missing"),
        (broken("subject", value=5), "subject: not a string"),
        (broken("facts", value={"server": 1}), "facts: holds something else than strings"),
        (broken("findings", value=[1]), "not a finding: no JSON object"),
        (broken("findings", 0, "verdict", value="bad"), "verdict: 'bad' is none of ok, note, warn"),
        (broken("findings", 0, "verdict", value={}), "verdict: {} is none of ok"),
        (broken("findings", 0, "predicts", value=[1]), "predicts: not a list of strings"),
        (broken("timings_ms", value={"auth": "soon"}), "timings_ms: not a number of milliseconds"),
        (broken("timings_ms", value={"auth": float("nan")}), "timings_ms: not a number of milliseconds"),
        (broken("transcript", value=["hello"]), "transcript: not a line of a transcript"),
        (
            broken("transcript", value=["-- tls-facts colour=1"]),
            "transcript: a line that probe does not write",
        ),
        (broken("transcript", value=["-- connect\n-- quit"]), "transcript: a line holds a line end"),
        (broken("states", value={"spf": "great"}), "states: 'great' is none of valid"),
    ],
    ids=range(22),
)
def test_what_is_no_report_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        list(read_back(text.splitlines(keepends=True)))


def test_fields_of_a_later_version_are_left_aside() -> None:
    (report,) = read_back([json.dumps({**GOOD, "weather": "fine"})])
    assert report.subject == "sales0@brand0.example"


def test_counts_are_told_by_kind() -> None:
    assert counted_by_kind(FLEET[1:3]) == "2 inboxes: 2 ok"
    assert counted_by_kind([]) == ""


def test_a_run_of_aggregates_alone_is_told_as_itself() -> None:
    pile = replace(FLEET[-1], kind="pile", subject="mail.log")
    assert "<h1><bdi>mail.log</bdi></h1>" in told("html", pile)
    assert told("nagios", pile).startswith("PROBE CRITICAL - mail.log: Some inboxes are not ready")


def test_a_list_with_many_providers_and_places_stays_short() -> None:
    group = {
        "id": "x/y",
        "title": "Alike",
        "verdict": "fail",
        "fix": "",
        "scope": "tenant",
        "subjects": [],
        "count": 2,
    }
    places = [{**group, "name": f"t{number}.example"} for number in range(40)]
    providers = {f"host{number}.example": {"fail": 1} for number in range(90)}
    written = told("text", replace(FLEET[-1], evaluations={"groups": places, "providers": providers}))
    assert "and 65 more" in written
    assert "56 inboxes at 28 more places" in written
    assert written.count("\n") < 60
    assert (
        told("text", replace(FLEET[-1], evaluations={"providers": {"x": {"fail": "many"}}})).count("\n") == 4
    )


def test_markdown_of_very_many_tells_the_worst() -> None:
    bad = [inbox(number) for number in range(0, 1400, 7) if inbox(number).verdict is Verdict.FAIL]
    assert len(bad) > 50
    assert f"{len(bad) - 50} more reports not ok." in told("md", *bad)
    assert "not ok." not in told("md", *bad, verbose=1)


def test_one_value_may_not_be_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.render._read.LONGEST", 1 << 20)
    with pytest.raises(ValueError, match="more than 1 MiB in one line"):
        list(read_back([f'"{"x" * (1 << 20)}"']))
    with pytest.raises(ValueError, match="more than 1 MiB in one JSON value"):
        list(read_back(["{\n", *['"x": "y",\n'] * 200_000]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PATHS = [
    *((name,) for name in GOOD),
    *(("findings", 0, name) for name in GOOD["findings"][0]),
    *(("transcript", index) for index in range(12)),
    ("facts", "provider"),
    ("evaluations", "groups"),
    ("findings", 0, "evidence", "reply"),
    ("findings", 0, "source", "url"),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), JSON, st.sampled_from(["creds", "dns", "fleet", "pile", "new"]))
def test_a_report_that_was_tampered_with_is_refused_or_told(
    path: tuple[str | int, ...], value: object, kind: str
) -> None:
    try:
        again = list(read_back([json.dumps({**json.loads(broken(*path, value=value)), "kind": kind})]))
    except ValueError:
        return
    for name in FORMATS:
        told(name, *again, *again, verbose=1)


@one_by_one(SCENARIOS)
def test_every_scenario_is_read_by_the_reader_of_each_format(scenario: Scenario) -> None:
    report = played(scenario).report
    (case,) = ET.fromstring(told("junit", report)).iter("testcase")
    assert case.get("name") == report.subject
    (row,) = csv.DictReader(io.StringIO(told("csv", report), newline=""), strict=True)
    assert row["verdict"] == str(report.verdict)
    text = told("html", report)
    page = Tags(text)
    assert not page.open
    if report.kind == "fleet":  # its findings head the page, in words, and its causes stand below
        assert all(finding.rule.title in html.unescape(text) for finding in report.findings)
    else:
        assert page.tags["article"] == len(report.findings)
    assert all(
        SERIES.fullmatch(line) for line in told("prom", report).splitlines() if not line.startswith("#")
    )
    assert told("nagios", report).count("\n") == 1
    assert MarkdownIt("commonmark").enable("table").parse(told("md", report))
