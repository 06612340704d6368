"""A file of inboxes: read once and kept as it was, warned about where others can read it, written back."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from probe.cli._files import piped, warn_of_readers, write_whole
from probe.cli._messages import refuse, say
from probe.facts import counted

if TYPE_CHECKING:
    from probe.grammar.columns import Header
    from probe.grammar.inboxes import Row
    from probe.grammar.sheet import Form, Record
    from probe.rules import Report
    from probe.run.preflight import Survey

__all__ = ["Listed", "Written", "listed"]

_MOST = 128 << 20  # bytes
_COLUMNS = ("probe_reason", "probe_fix")


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as it was when the run began: changing it later changes nothing."""

    name: str
    data: bytes = field(repr=False)
    form: Form
    table: Header
    survey: Survey
    digest: str

    def rows(self) -> Iterator[Row]:
        """The rows, anew each time."""
        from probe.grammar.inboxes import rows

        return rows(self.data, self.form, self.table)


def listed(file: str, *, encoding: str = "", told: Sequence[str] = (), most: int = 0) -> Listed:
    """The list in a file (``-``: stdin); what cannot be read as one ends the command with code 2."""
    from probe.grammar.columns import header_of
    from probe.grammar.inboxes import rows
    from probe.grammar.sheet import form_of
    from probe.run.preflight import survey

    name = "stdin" if file == "-" else file
    data = piped(_MOST, "list of inboxes") if file == "-" else _bytes(Path(file))
    mapped = _mapped(told)
    try:
        form = form_of(data, encoding)
        table = header_of(data, form, mapped)
        seen = survey(lambda: rows(data, form, table), most)
    except ValueError as problem:
        refuse(f"{name} {problem}")
    if not seen.rows:
        refuse(f"{name} holds no inboxes: there is nothing below its header")
    if seen.rows == seen.wrong_rows:
        line, problem_there = seen.wrong[0]
        refuse(f"{name}: no row can be read as an inbox; line {line}: {problem_there}")
    said = repr((sorted(mapped.items()), form)).encode()
    digest = hashlib.sha256(hashlib.sha256(data).digest() + said).hexdigest()
    return Listed(name, data, form, table, seen, digest)


def _mapped(told: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for pair in told:
        field, equals, column = pair.partition("=")
        if not equals or not column:
            refuse(f'--map takes FIELD=COLUMN, as in --map smtp_user="SMTP Login", not {pair!r}')
        pairs[field.strip()] = column
    return pairs


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                refuse(f"{path} is a device; give a file")
            data = file.read(_MOST + 1)
    except OSError as problem:
        refuse(f"{path}: {problem.strerror}")
    if len(data) > _MOST:
        refuse(f"{path} holds more than {_MOST >> 20} MiB: that is no list of inboxes")
    warn_of_readers(path)
    if stat.S_ISREG(mode) and _in_version_control(path):
        say(f"warning: {path} lies in a git tree and is not ignored: its passwords may be committed")
    return data


def _in_version_control(path: Path) -> bool:
    """Whether git would take the file; nothing of the tree's own configuration is run."""
    try:
        whole = path.resolve()
        if not any((above / ".git").exists() for above in whole.parents):
            return False
        safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
        words = ("git", *safe, "check-ignore", "-q", "--", whole.name)
        ran = subprocess.run(words, cwd=whole.parent, capture_output=True, check=False, timeout=5)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 1


# -- writing back ------------------------------------------------------------------------------------


class Written:
    """The two files that a list is parted into."""

    def __init__(self, passed: str = "", failed: str = "") -> None:
        """The files of the rows that are ready and of the others, empty where there shall be none."""
        self.passed, self.failed = passed, failed
        self._told: dict[int, tuple[bool | None, str, str]] = {}

    def learn(self, report: Report) -> None:
        """What a report says of its row."""
        from probe.rules import Verdict

        line = report.evaluations.get("line")
        if not isinstance(line, int) or not (self.passed or self.failed):
            return
        go = report.verdict.rank < Verdict.WAIT.rank
        decisive = report.decisive
        if go or decisive is None:
            self._told[line] = (go, "", "")
            return
        rule, detail = decisive.rule, decisive.detail
        reason = f"{rule.id}: {rule.title}"
        if rule.id.startswith("preflight/") and detail:
            reason += f" ({detail})"
        self._told[line] = (go, sys.intern(reason), sys.intern(decisive.remedy))

    def write(self, whole: Listed) -> None:
        """Writes both files: the rows byte for byte, those that failed with the reason and the fix.

        Of a list that was written so before, the reasons of then are left out.
        """
        from probe.grammar.sheet import records, rewritten

        if not (self.passed or self.failed):
            return
        first = {line: double.lines[0] for double in whole.survey.doubles.values() for line in double.lines}
        lines, width = records(whole.data, whole.form), len(whole.table.names)
        if whole.table.names[-2:] == _COLUMNS:
            width -= 2
            lines = (_without_reasons(record, whole.form, width) for record in lines)
        header = next(lines)
        ends = header.raw[len(header.raw.rstrip("\r\n")) :] or "\n"
        good = [whole.form.mark, rewritten(header, whole.form)]
        bad = [whole.form.mark, rewritten(header, whole.form, _COLUMNS, ends)]
        left = 0
        for record in lines:
            line = record.line if record.line in self._told else first.get(record.line, 0)
            go, reason, fix = self._told.get(line, (None, "", ""))
            if go:
                good.append(rewritten(record, whole.form))
            elif go is not None:
                # A row that was not read stays one: filled up it might be read as something else.
                full = 0 if reason.startswith("preflight/row-not-read") else width
                bad.append(rewritten(record, whole.form, (reason, fix), ends, width=full))
            elif record.raw.strip(f'{whole.form.delimiter} "\r\n'):
                left += 1
        for file, pieces in ((self.passed, good), (self.failed, bad)):
            if file:
                write_whole(Path(file), pieces)
        if left:
            say(f"probe: {counted(left, 'row')} in neither file: not probed")


def _without_reasons(record: Record, form: Form, width: int) -> Record:
    """A record of a list that was written with reasons, as it was before.

    Those of a row that was not read stand behind however many cells it has.
    """
    from probe.grammar.sheet import cells, shortened

    try:
        found = cells(record, form.delimiter)
    except ValueError:
        return record
    if len(found) == width + len(_COLUMNS):
        return shortened(record, form, width)
    unread = len(found) > len(_COLUMNS) and found[-2].startswith("preflight/row-not-read")
    return shortened(record, form, len(found) - len(_COLUMNS)) if unread else record
