"""The journal of a run: what was begun is on the disk, what was cut off is dropped, one writer at a time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.facts import Secret
from probe.wire.journal import BusyError, DamagedError, Journal, JournalError
from probe.wire.refused import Refused


def opened(path: Path, digest: str = "list", *, anew: bool = False) -> Journal:
    journal = Journal(path, digest)
    journal.open(anew=anew)
    return journal


def written(path: Path) -> Journal:
    journal = opened(path)
    journal.begin("ada")
    journal.end("ada", {"subject": "ada"})
    journal.begin("bob")
    journal.close()
    return journal


def test_what_was_begun_and_ended_is_there_again(tmp_path: Path) -> None:
    written(tmp_path / "run")
    journal = opened(tmp_path / "run")
    assert journal.begun == {"ada", "bob"}
    assert journal.ended == {"ada": {"subject": "ada"}}
    assert journal.unfinished
    journal.finish()
    journal.close()
    again = opened(tmp_path / "run")
    again.close()
    assert again.complete
    assert not again.unfinished


def test_what_is_begun_is_on_the_disk_before_begin_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("probe.wire.journal._DATASYNC", lambda file: synced.append(os.fstat(file).st_size))
    journal = opened(tmp_path / "run")
    journal.begin("ada")
    assert synced[-1] == (tmp_path / "run").stat().st_size
    journal.close()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 400))
def test_a_journal_cut_off_anywhere_can_be_gone_on_with(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "run"
    path.unlink(missing_ok=True)
    written(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    journal = opened(path)
    assert journal.begun <= {"ada", "bob"}
    assert set(journal.ended) <= {"ada"}
    journal.begin("eve")
    journal.close()
    lines = [json.loads(line.rpartition(b" ")[0]) for line in path.read_bytes().splitlines()]
    assert lines[-1] == {"begin": "eve"}
    assert lines[0] == {"journal": 2, "list": "list"}


@pytest.mark.parametrize(
    "stranger", [b"\0" * 40, b"[]", b"no JSON", b'{"end": "eve"', b"[" * 99_999, b"x" * 70_000]
)
def test_a_line_in_the_middle_that_is_none_of_ours_may_be_a_login_that_left(
    tmp_path: Path, stranger: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.wire.journal._LONGEST", 1 << 16)
    written(tmp_path / "run")
    first, *rest = (tmp_path / "run").read_bytes().splitlines(keepends=True)
    (tmp_path / "run").write_bytes(first + stranger + b"\n" + b"".join(rest))
    whole = (tmp_path / "run").read_bytes()
    with pytest.raises(DamagedError, match="damaged in line 2"):
        opened(tmp_path / "run")
    assert (tmp_path / "run").read_bytes() == whole


def test_no_byte_that_is_changed_makes_a_login_leave_again(tmp_path: Path) -> None:
    written(tmp_path / "run")
    whole = (tmp_path / "run").read_bytes()
    for at in range(len(whole)):
        for byte in {whole[at] ^ 1, whole[at] ^ 128, 0, 10, 32} - {whole[at]}:
            (tmp_path / "run").write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            with contextlib.suppress(JournalError):
                assert opened_and_closed(tmp_path / "run").begun == {"ada", "bob"}, (at, byte)


def test_a_list_that_came_to_its_end_may_have_a_damaged_journal(tmp_path: Path) -> None:
    journal = written(tmp_path / "run")
    journal.open()
    journal.finish()
    journal.close()
    whole = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(whole.replace(b'{"begin":"ada"}', b'{"begin":"adb"}'))
    assert not opened_and_closed(tmp_path / "run").unfinished


def test_a_file_system_without_locks_is_no_other_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unable)
    with pytest.raises(OSError, match="No locks available"):
        opened(tmp_path / "run")


def test_what_is_found_beyond_all_measure_is_known_to_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.wire.journal._LONGEST", 1 << 16)
    journal = opened(tmp_path / "run")
    journal.begin("ada")
    journal.end("ada", {"transcript": "\0" * (1 << 14)})
    journal.begin("bob")
    journal.close()
    again = opened(tmp_path / "run")
    again.close()
    assert again.begun == {"ada", "bob"}
    assert again.ended == {"ada": {}}


def test_the_journal_of_another_list_is_refused_and_can_be_begun_anew(tmp_path: Path) -> None:
    written(tmp_path / "run")
    with pytest.raises(JournalError, match="changed since"):
        opened(tmp_path / "run", "other")
    journal = opened(tmp_path / "run", "other", anew=True)
    journal.close()
    assert not journal.begun
    assert (tmp_path / "run").read_text().count("\n") == 1


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    for text in ('{"journal": 99}\n', "my diary\nof May\n", "x" * (17 << 20)):
        (tmp_path / "run").write_text(text)
        with pytest.raises(DamagedError, match="no journal of this version"):
            opened(tmp_path / "run")
        assert (tmp_path / "run").read_text() == text


def test_a_list_that_has_another_name_has_its_journal_still(tmp_path: Path) -> None:
    written(tmp_path / "old.jsonl")
    opened(tmp_path / "strange.jsonl", "other").close()
    journal = opened(tmp_path / "new.jsonl")
    assert (journal.begun, journal.unfinished) == ({"ada", "bob"}, True)
    assert {path.name for path in tmp_path.iterdir()} == {"new.jsonl", "strange.jsonl"}
    with pytest.raises(BusyError):
        opened(tmp_path / "copy.jsonl")
    journal.close()


def test_only_one_process_writes(tmp_path: Path) -> None:
    first = opened(tmp_path / "run")
    with pytest.raises(BusyError):
        opened(tmp_path / "run")
    first.close()
    opened(tmp_path / "run").close()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    written(tmp_path / "folder" / "run")
    assert (tmp_path / "folder" / "run").stat().st_mode & 0o077 == 0
    assert (tmp_path / "folder").stat().st_mode & 0o077 == 0


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path / "run")
    true, left = os.write, [10]

    def full(file: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        count, left[0] = min(len(data), left[0]), 0
        return true(file, data[:count])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.begin("ada")
    monkeypatch.undo()
    assert journal.broken == "No space left on device"
    journal.close()
    assert opened_and_closed(tmp_path / "run").begun == set()


def opened_and_closed(path: Path) -> Journal:
    journal = opened(path)
    journal.close()
    return journal


# -- logins that were refused ----------------------------------------------------------------------------


def test_damaged_lines_of_what_is_remembered_are_passed_over(tmp_path: Path) -> None:
    memory = Refused(tmp_path)
    memory.add("ada", "h:587", Secret("pw"), "rule", lane="h")
    with (tmp_path / "refused.jsonl").open("ab") as file:
        file.write(b'{"login": "half\n[]\n\xff\n{"lane": "h", "at": "soon"}\n')
    again = Refused(tmp_path)
    assert again.resting("ADA", "h:587", Secret("pw")) is not None
    assert again.resting("ada", "h:587", Secret("other")) is None
    assert len(again.recent("h", 600)) == 1


def test_a_damaged_key_is_said(tmp_path: Path) -> None:
    Refused(tmp_path)
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(OSError, match="damaged"):
        Refused(tmp_path)


def test_without_a_folder_it_lasts_as_long_as_the_process() -> None:
    memory = Refused()
    memory.add("ada", "h:587", Secret("pw"), "rule")
    assert memory.resting("ada", "h:587", Secret("pw")) is not None
    assert Refused().resting("ada", "h:587", Secret("pw")) is None


def test_what_is_forgotten_leaves_the_file(tmp_path: Path) -> None:
    now = [1e9]
    memory = Refused(tmp_path, now=lambda: now[0])
    for number in range(1200):
        memory.add(f"i{number}", "h:587", Secret("pw"), "rule")
    now[0] += 3 * 24 * 3600
    Refused(tmp_path, now=lambda: now[0]).add("ada", "h:587", Secret("pw"), "rule")
    assert (tmp_path / "refused.jsonl").read_bytes().count(b"\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "refused.jsonl"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_what_a_wrong_clock_noted_for_years_ahead_is_not_believed(tmp_path: Path) -> None:
    Refused(tmp_path, now=lambda: 2e9).add("ada", "h:587", Secret("pw"), "rule", lane="h")
    with (tmp_path / "refused.jsonl").open("ab") as file:
        for at in ("NaN", "Infinity", "-Infinity"):
            file.write(b'{"login":"x","times":1,"rule":"r","lane":"h","at":%b}\n' % at.encode())
    now = Refused(tmp_path, now=lambda: 1e9)
    assert now.resting("ada", "h:587", Secret("pw")) is None
    assert now.recent("h", 1e12) == []
