"""`probe catalogue` and `probe providers`: the knowledge, with its sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from probe import catalogue
from probe.cli import app
from probe.render.json import schema
from probe.run.rules import known

SCENARIOS = Path(__file__).parents[1] / "scenarios"


def run(*arguments: str) -> tuple[int, str, str]:
    ran = CliRunner().invoke(app, list(arguments))
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, ran.stdout, ran.stderr


def test_list_names_rules_by_glob_and_by_cause() -> None:
    _, out, _ = run("catalogue", "list", "fleet/*")
    assert out.splitlines()[0].startswith("fleet/")
    assert len(run("catalogue", "list")[1].splitlines()) == len(known())
    told = [
        json.loads(line)
        for line in run("catalogue", "list", "--cause", "greylist", "-f", "jsonl")[1].splitlines()
    ]
    assert {each["cause"] for each in told} == {"greylist"}


def test_show_prints_the_page_of_a_rule() -> None:
    rule = catalogue.rule("google/app-password-required")
    code, out, _ = run("catalogue", "show", rule.id)
    assert code == 0
    for part in (rule.title, rule.meaning, rule.fix, rule.source.url, rule.id, "credentials"):
        assert part in out
    assert json.loads(run("catalogue", "show", rule.id, "-f", "json")[1])["id"] == rule.id


def test_the_catalogue_answers_in_the_words_of_the_reports() -> None:
    contract: Any = schema()
    shape = {"$defs": contract["$defs"], "properties": contract["$defs"]["finding"]["properties"]}
    validator = jsonschema.Draft202012Validator(shape)
    told = [json.loads(line) for line in run("catalogue", "list", "-f", "jsonl")[1].splitlines()]
    assert {each["retry"] for each in told} >= {"no", "after_fix"}
    for each in told:
        validator.validate(each)


@pytest.mark.parametrize("id", ["spf/too-many-lookups", "mx/null", "dns/resolver-silent", "probe/bug"])
def test_show_knows_the_rules_of_dns_too(id: str) -> None:
    code, out, _ = run("catalogue", "show", id)
    assert code == 0
    assert f"`{id}`" in out


def test_whatever_a_scenario_finds_can_be_looked_up() -> None:
    found = {each for path in SCENARIOS.glob("*.toml") for each in _findings(path)}
    assert found
    assert found <= {rule.id for rule in known()}


def _findings(path: Path) -> list[str]:
    return list(tomllib.loads(path.read_text("utf-8")).get("expect", {}).get("findings", []))


def test_export_writes_the_same_rules_as_json_and_as_pages(tmp_path: Path) -> None:
    rules = json.loads(run("catalogue", "export")[1])["rules"]
    assert [each["id"] for each in rules] == [rule.id for rule in known()]
    code, _, err = run("catalogue", "export", str(tmp_path / "pages"))
    assert (code, "pages are in" in err) == (0, True)
    assert len(list((tmp_path / "pages").rglob("*.md"))) == len(rules) + 1


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("providers", "gogle"), "google"),
        (("catalogue", "show", "google/app-pasword-required"), "google/app-password-required"),
        (("creds", "ada@a.test", "--provider", "micrsoft"), "microsoft"),
        (("explain", "550 no", "--provider", "Yaho"), "yahoo"),
    ],
)
def test_what_is_mistyped_is_guessed(words: tuple[str, ...], meant: str) -> None:
    code, out, said = run(*words)
    assert (code, out) == (2, "")
    assert said.endswith(f"; did you mean {meant}?\n")


def test_providers_are_listed_and_shown() -> None:
    assert len(run("providers")[1].splitlines()) == len(catalogue.providers())
    for who in ("google", "ada@gmail.com", "https://gmail.com/"):
        assert "smtp.gmail.com:587" in run("providers", who)[1]
    (told,) = json.loads(run("providers", "google", "-f", "json")[1])
    assert told["submission"][0]["host"] == "smtp.gmail.com"


@pytest.mark.parametrize(
    "arguments",
    [
        ("catalogue", "show", "no/such"),
        ("catalogue", "list", "no-such-*"),
        ("catalogue", "list", "--cause", "weather"),
        ("catalogue", "show", "google/*", "-f", "yaml"),
        ("providers", "nobody"),
        ("providers", "-f", "yaml"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("probe: ")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_scenario_to_save_is_utf_8_whatever_the_terminal_takes(encoding: str) -> None:
    name = "creds-typed-international"
    ran = subprocess.run(
        [sys.executable, "-m", "probe", "scenarios", "show", name],
        capture_output=True, check=True, timeout=60, env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert ran.stdout == (SCENARIOS / f"{name}.toml").read_bytes()
