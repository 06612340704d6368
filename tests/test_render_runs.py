"""`probe convert`, `probe diff` and `--baseline`: runs that are over, told again and compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from probe import render
from probe.render import Style
from probe.render._changes import Changes
from probe.rules import Finding, Report, State, Verdict

from .command import Run
from .render_world import domain, fleet, found, inbox

FLEET = fleet(60)


def written(path: Path, reports: list[Report]) -> Path:
    path.write_text("".join(render.find("jsonl").render(reports, Style())), encoding="utf-8")
    return path


# -- what changed -----------------------------------------------------------------------------------


def changes(before: list[Report], after: list[Report]) -> tuple[Changes, list[Report]]:
    compared = Changes(before)
    return compared, list(compared.of(after))


def test_the_same_run_has_not_changed() -> None:
    compared, told = changes(FLEET, FLEET)
    assert told == []
    assert str(compared) == "nothing changed, 100 subjects as before"


def test_a_subject_that_a_run_has_twice_is_compared_with_itself() -> None:
    bad = replace(inbox(1), findings=(found("login/wrong-credentials"),))
    compared, told = changes([bad, inbox(2), bad], [bad, bad, inbox(2)])
    assert told == []
    assert str(compared) == "nothing changed, 3 subjects as before"
    (fewer,) = changes([bad], [bad, bad])[1]
    assert fewer.facts["change"] == "first probed, is fail; new login/wrong-credentials"


def test_new_and_fixed_are_told_alone() -> None:
    bad = found("google/app-password-required")
    before = [replace(inbox(1), findings=(bad,)), inbox(2), inbox(3)]
    after = [inbox(1), replace(inbox(2), findings=(bad,)), inbox(3)]
    compared, told = changes(before, after)
    assert [(one.subject, one.verdict) for one in told] == [
        ("sales1@brand1.example", Verdict.OK),
        ("sales2@brand2.example", Verdict.FAIL),
    ]
    assert told[0].facts["change"] == "was fail, is ok; fixed google/app-password-required"
    assert told[1].evaluations["change"] == {
        "new": ["google/app-password-required"],
        "was": "ok",
        "is": "fail",
    }
    assert str(compared) == "1 new, 1 fixed, 1 subject as before"


def test_what_stays_bad_is_not_told_again() -> None:
    spf, wrong = found("google/app-password-required"), found("login/wrong-credentials")
    (told,) = changes([replace(inbox(1), findings=(spf,))], [replace(inbox(1), findings=(spf, wrong))])[1]
    assert [finding.rule.id for finding in told.findings] == ["login/wrong-credentials"]


def test_a_subject_that_was_not_there_is_told_where_it_is_not_ok() -> None:
    compared, told = changes([], [inbox(0), inbox(1)])
    assert [one.facts["change"] for one in told] == [
        "first probed, is fail; new google/app-password-required"
    ]
    assert compared.same == 1
    gone = Changes([inbox(0), inbox(1)])
    assert list(gone.of([inbox(1)])) == []
    assert str(gone) == "nothing changed, 1 subject as before, 1 in the earlier run only"


STOPPED = replace(
    FLEET[-1],
    findings=(
        found("preflight/stopped", reason="interrupted"),
        found("preflight/not-all-known", inboxes="1"),
    ),
)


def test_that_the_later_run_was_stopped_is_told_where_nothing_changed() -> None:
    for earlier in (FLEET[-1], STOPPED):
        _, (told,) = changes([inbox(1), inbox(2), earlier], [inbox(1), STOPPED])
        assert [finding.rule.id for finding in told.findings] == ["preflight/stopped"]
        line = "".join(render.find("nagios").render([told], Style(compared=True)))
        assert line.startswith("PROBE UNKNOWN - inboxes.csv: The run was stopped before its end")
        text = "".join(render.find("text").render([told], Style(compared=True)))
        assert text.count("The run was stopped before its end") == 1
        assert "1 inbox" not in text


def test_what_could_not_be_told_is_not_fixed() -> None:
    bad, silent = found("google/app-password-required"), found("network/timeout")
    compared, (told,) = changes([replace(inbox(1), findings=(bad,))], [replace(inbox(1), findings=(silent,))])
    assert told.facts["change"] == (
        "was fail, is unknown; new network/timeout; unsettled google/app-password-required"
    )
    assert compared.fixed == 0


def test_an_area_that_is_unknown_now_fixes_nothing() -> None:
    two = domain(1)  # several SPF records, and no DMARC record
    assert {finding.rule.id for finding in two.findings} == {"spf/several", "dmarc/missing"}
    later = replace(two, findings=(), states={**two.states, "spf": State.UNKNOWN, "dmarc": State.VALID})
    (told,) = changes([two], [later])[1]
    assert told.facts["change"] == "was fail, is ok; fixed dmarc/missing; unsettled spf/several"
    assert told.states == {"dmarc": State.VALID, "spf": State.UNKNOWN}


def test_a_queue_id_is_no_change_and_a_record_is_one() -> None:
    words = found("login/wrong-credentials", stage="auth", reply="535 5.7.8 no, id 1")
    others = found("login/wrong-credentials", stage="auth", reply="535 5.7.8 no, id 2")
    assert changes([replace(inbox(1), findings=(words,))], [replace(inbox(1), findings=(others,))])[1] == []
    two = domain(1)
    moved = tuple(_recorded(finding, "v=spf1 -all") for finding in two.findings)
    compared, (told,) = changes([two], [replace(two, findings=moved)])
    assert compared.changed == 2
    assert told.facts["change"] == "was fail, is fail; changed spf/several, dmarc/missing"


def _recorded(finding: Finding, record: str) -> Finding:
    return replace(finding, evidence={**finding.evidence, "record": record})


def test_a_rule_met_at_two_names_is_two_findings() -> None:
    two = domain(1)
    spf = two.findings[0]
    other = replace(spf, evidence={**spf.evidence, "question": "_spf.brand1.example TXT"})
    before = replace(two, findings=(spf, other))
    (told,) = changes([before], [replace(two, findings=(spf,))])[1]
    assert told.facts["change"] == "was fail, is fail; fixed spf/several"


# -- the commands -----------------------------------------------------------------------------------


def test_convert_writes_what_the_extension_says_and_keeps_stdout_quiet(run: Run, tmp_path: Path) -> None:
    source = written(tmp_path / "run.jsonl", FLEET)
    files = [tmp_path / f"report.{ending}" for ending in ("html", "csv", "md", "xml", "prom", "json", "txt")]
    code, out, err = run("convert", source, *(part for file in files for part in ("-o", file)))
    assert (code, out, err) == (1, "", "")
    assert all(file.stat().st_size > 1_000 for file in files)
    again = tmp_path / "again.jsonl"
    assert run("convert", tmp_path / "report.json", "-o", again)[0] == 1
    assert again.read_bytes() == source.read_bytes()


def test_the_first_run_of_a_watch_is_told_how_to_begin(tmp_path: Path, run: Run) -> None:
    last = tmp_path / "last.jsonl"
    code, _, said = run("dns", "a.test", "--baseline", last)
    assert code == 2
    assert (
        said
        == f"probe: --baseline {last}: there is no such file; make the first run without it, with -o {last}\n"
    )


def test_convert_reads_stdin_and_several_files(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = written(tmp_path / "1.jsonl", [inbox(1)]), written(tmp_path / "2.jsonl", [inbox(2)])
    code, out, _ = run("convert", one, two, "-f", "csv")
    assert (code, out.count("\r\n") or out.count("\n")) == (0, 3)
    with one.open(encoding="ascii") as text:
        monkeypatch.setattr("sys.stdin", text)
        code, out, _ = run("convert", "-", "-f", "md")
    assert (code, out.count("sales1@brand1.example")) == (0, 1)


def test_a_monitoring_system_reads_its_own_exit_codes(run: Run, tmp_path: Path) -> None:
    for number, expected in ((0, 2), (1, 0), (31, 1), (51, 3)):
        source = written(tmp_path / "run.jsonl", [inbox(number)])
        assert run("convert", source, "-f", "nagios")[0] == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no report"),
        (b"\n\n", "holds no report"),
        (b"hello\n", "line 1: no JSON"),
        (b"\xff\xfe{\x00", "is not UTF-8 text"),
        (b'{"schema_version": 9}', "schema_version 9"),
        (b"email,password\nada@example.com,secret word\n", "line 1: no JSON"),
        (b'{"schema_version": 1, "kind": "creds"', "line 1: no JSON"),
    ],
)
def test_what_is_no_run_is_refused_in_a_sentence(
    run: Run, tmp_path: Path, content: bytes, words: str
) -> None:
    source = tmp_path / "run.jsonl"
    source.write_bytes(content)
    code, _, err = run("convert", source)
    assert code == 2
    assert err.startswith(f"probe: {source}")
    assert words in err
    assert "secret word" not in err
    assert err.count("\n") == 1


def test_what_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
    assert run("convert", tmp_path / "none.jsonl")[0] == 2
    assert run("convert", tmp_path)[0] == 2
    source = written(tmp_path / "run.jsonl", [inbox(1)])
    assert run("diff", source, tmp_path / "none.jsonl")[0] == 2
    assert run("diff", "-", "-")[0] == 2
    assert run("convert", source, "-f", "docx")[0] == 2
    assert run("convert", source, "-o", tmp_path / "x.docx")[0] == 2


def test_diff_tells_only_what_changed_and_ends_with_its_code(run: Run, tmp_path: Path) -> None:
    before = written(tmp_path / "monday.jsonl", [inbox(0), inbox(1), inbox(7)])
    better = written(tmp_path / "better.jsonl", [replace(inbox(0), findings=()), inbox(1), inbox(7)])
    code, out, err = run("diff", before, better, "-f", "json")
    assert (code, json.loads(out)["evaluations"]["change"]["fixed"]) == (0, ["google/app-password-required"])
    assert err == "probe: 1 fixed, 2 subjects as before\n"
    code, out, err = run("diff", better, before)
    assert code == 1
    assert "sales0@brand0.example" in out
    assert "sales7@" not in out
    code, out, err = run("diff", before, before)
    assert (code, out, err) == (0, "", "probe: nothing changed, 3 subjects as before\n")


def test_that_nothing_changed_is_good_news_in_every_format(run: Run, tmp_path: Path) -> None:
    same = written(tmp_path / "same.jsonl", [inbox(0), inbox(1)])
    page, notes = tmp_path / "changes.html", tmp_path / "changes.md"
    code, out, _ = run("diff", same, same, "-f", "nagios", "-o", page, "-o", notes)
    assert (code, out.partition(" |")[0]) == (0, "PROBE OK - nothing changed")
    assert (
        '<h1><bdi>nothing changed</bdi></h1>\n<p class="glance"><span class="badge big ok">'
        in page.read_text(encoding="utf-8")
    )
    assert notes.read_text(encoding="utf-8") == "# probe: nothing changed\n"


def test_a_baseline_hides_what_was_known_and_files_get_everything(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "now.jsonl"
    arguments = ("dns", "example.test", "--resolver", "127.0.0.1:9", "--only", "spf", "--timeout", "0.05")
    code, out, _ = run(*arguments, "-o", page)
    assert (code, "spf/unknown" in out) == (3, True)
    code, out, err = run(*arguments, "--baseline", page, "-o", page)
    assert (code, out) == (0, "")
    assert "probe: nothing changed, 1 subject as before\n" in err
    assert json.loads(page.read_text(encoding="utf-8"))["findings"]
    assert run(*arguments, "--baseline", tmp_path / "none.jsonl")[0] == 2


def test_help_names_every_format(run: Run) -> None:
    _, out, _ = run("dns", "--help")
    assert [name for name in render.every() if name not in out] == []
