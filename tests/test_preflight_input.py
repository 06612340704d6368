"""What people hand in: each bad input ends with its code and a sentence, without a traceback or a secret."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from probe.fakes.dns import FakeDns
from probe.run.domain import areas
from tests.command import ran
from tests.fleet_world import Account, MailHost, Threaded, ca_file

PASSWORD = "zQ7-Xk9!hunter2-LEAKME"
USER = "sdr.one@fault.example"
HEADER = "email,password,host,port\n"


@pytest.fixture(scope="module")
def served() -> Iterator[MailHost]:
    threaded = Threaded(MailHost("mail.fault.example", {USER: Account(PASSWORD)}))
    yield threaded.host
    threaded.close()


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Runs the command in this process: what it said, and its exit code."""
    monkeypatch.setenv("SSL_CERT_FILE", ca_file())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def command(*arguments: str) -> Ran:
        code = ran(*arguments)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return command


ROWS = Path(__file__).parents[2] / "shared" / "data" / "hostile" / "input_faults.jsonl"
FAULTS = (
    [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.is_file() else []
)
LISTS = [
    row
    for row in FAULTS
    if "--csv" in row["input"]["args"] and "gen" not in str(row["input"]["files"].get("in.csv"))
]


@pytest.mark.skipif(not FAULTS, reason="../shared is not there")
@pytest.mark.parametrize("row", LISTS, ids=lambda row: row["id"])
def test_a_bad_list_ends_as_it_must(
    row: dict[str, Any], served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    for name, file in row["input"]["files"].items():
        path = tmp_path / name
        if file.get("dir"):
            path.mkdir()
            continue
        data = bytes.fromhex(file["hex"]) if "hex" in file else file["text"].encode()
        path.write_bytes(data.replace(b"{host}", b"localhost").replace(b"{port}", str(served.port).encode()))
        path.chmod(int(file.get("mode", "600"), 8))
    if row["id"] == "file-unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    served.logins.clear()
    arguments = [word.replace("{in}", str(tmp_path)) for word in row["input"]["args"]]
    ended = run(*arguments, "--timeout", "5", "--resolver", "127.0.0.1:9")
    said = ended.out + ended.err
    assert ended.code in row["expected"]["exit"], said
    assert served.logins.total() <= row["expected"]["auth_max"]
    assert "Traceback" not in said
    assert "LEAKME" not in said
    assert ended.code != 2 or (ended.err.startswith("probe: ") and not ended.out)
    assert not [char for char in said if not char.isprintable() and char != "\n"]


# -- lists of our own --------------------------------------------------------------------------------


def a_list(tmp_path: Path, text: str | bytes, port: int = 0) -> str:
    path = tmp_path / "inboxes.csv"
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(data.replace(b"PORT", str(port).encode()))
    path.chmod(0o600)
    return str(path)


GOOD = f"{USER},{PASSWORD},localhost,PORT\n"

REFUSED = {
    "a device": ("/dev/zero", "is a device"),
    "nothing there": ("/nowhere/inboxes.csv", "No such file"),
}
NOT_LISTS = {
    "spaces": ("  \n \n", "is empty"),
    "a spreadsheet": (b"PK\x03\x04rest", "a spreadsheet"),
    "an object": ('{"email": "a@b.example"}', "is JSON"),
    "no header": (f"{USER};{PASSWORD}\n", "has no header: an address stands in its first line"),
    "a title above the header": (
        f"Our inboxes;\n;\nE-mail;Password\n{USER};{PASSWORD}\n",
        "line 3 looks like it; remove what stands above",
    ),
    "a title in a line that is cut otherwise": (
        f"Ours\nemail|password\n{USER}|{PASSWORD}\n",
        "line 2 looks like it; remove what stands above",
    ),
    "two columns of one name": (
        "email,email,password\n",
        "'email' and 'email', that may be the email; say which: --map email=\"#1\"",
    ),
    "nothing but the delimiter": ("sep=;\r\n", "is empty"),
    "a web page": ("<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "is a web page"),
    "UTF-16 without its mark": ("email,password\n".encode("utf-16-le"), "say --encoding utf-16-le"),
    "UTF-32": ("email,password\n".encode("utf-32"), "is UTF-32; save it as UTF-8"),
    "addresses and passwords alone": (
        f"{USER}:{PASSWORD}\n",
        "has no header: an address stands in its first line",
    ),
    "UTF-16 the other way round": ("email,password\n".encode("utf-16-be"), "say --encoding utf-16-be"),
    "a header with a torn quote": (
        'email,"pass"word\n',
        "has a header that cannot be read: a cell goes on behind",
    ),
    "two passwords": (
        "email,password,app password\na@b.example,x,y\n",
        "two columns, 'password' and 'app password'",
    ),
    "an endless line": (b"email,password\n" + b"x" * (1 << 21), "more than a mebibyte"),
    "an endless quote": (b'email,password\na@b.example,"' + b"x" * (1 << 21), "line 2 and not closed"),
    "only wrong rows": ("email,password\na@b.example\n", "no row can be read as an inbox; line 2: 1 field,"),
    "a damaged UTF-16": ("email,password\n".encode("utf-16")[:-1], "is not UTF-16"),
    "many columns": (",".join(f"c{number}" for number in range(600)) + "\n", "more than 500 columns"),
}


@pytest.mark.parametrize(("text", "sentence"), NOT_LISTS.values(), ids=NOT_LISTS)
def test_what_is_no_list_is_refused_with_a_sentence(
    text: str | bytes, sentence: str, run: Callable[..., Ran], tmp_path: Path
) -> None:
    ended = run("preflight", a_list(tmp_path, text))
    assert ended.code == 2
    assert sentence in ended.err
    assert PASSWORD not in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(("file", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_file_is_refused_with_a_sentence(
    file: str, sentence: str, run: Callable[..., Ran]
) -> None:
    ended = run("preflight", file)
    assert (ended.code, sentence in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--map", "smtp_user"), "--map takes FIELD=COLUMN"),
        (("--map", "colour=email"), "there is no such field; fields are email, smtp_host, smtp_port"),
        (("--map", "colour=email"), "client_id, client_secret, tenant, provider, mail_from\n"),
        (("--map", "user=Nobody"), "no column 'Nobody'"),
        (("--encoding", "rot13"), "name an encoding"),
        (("--concurrency", "0"), "at least 1"),
        (("--brake", "0"), "at least 1"),
        (("--skip", "everything"), "there is no check"),
        (("--most", "1"), "more rows than 1;"),
        (("--write-pass", "/nowhere/good.csv"), "does not exist"),
        (("--dry-run", "-f", "json"), "--dry-run tells the plan in words and has no report"),
        (("--dry-run", "-o", "/tmp/plan.html"), "--dry-run tells the plan in words and has no report"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_cannot_be_are_refused(
    arguments: tuple[str, ...], sentence: str, run: Callable[..., Ran], tmp_path: Path
) -> None:
    ended = run("preflight", a_list(tmp_path, HEADER + GOOD + "b" + GOOD, 1), *arguments)
    assert ended.code == 2
    assert sentence in ended.err


def test_a_place_for_the_state_that_is_none_is_named(run: Callable[..., Ran], tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    ended = run("preflight", a_list(tmp_path, HEADER + GOOD, 1), "--no-dns", "--state", str(taken))
    assert (ended.code, ended.out) == (4, "")
    assert f"so nothing was sent: {taken}: File exists" in ended.err


def test_the_list_itself_is_never_overwritten(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = a_list(tmp_path, HEADER + GOOD, 1)
    before = Path(file).read_bytes()
    (tmp_path / "same.csv").symlink_to(file)
    for words in (("--write-pass", file), ("--write-fail", str(tmp_path / "same.csv")), ("-o", file)):
        ended = run("preflight", file, *words)
        assert (ended.code, "is a file that is read" in ended.err) == (2, True)
    assert Path(file).read_bytes() == before


def test_a_dry_run_says_what_would_be_done_and_sends_nothing(
    served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    served.logins.clear()
    rows = "a@gmail.com,x,,\nb@nowhere.example,x,,\nbroken\nc@gmail.com,x,,\nc@gmail.com,y,,\n"
    ended = run("preflight", a_list(tmp_path, HEADER + GOOD + rows, served.port), "--dry-run")
    assert ended.code == 0
    assert "6 rows, 3 logins to try" in ended.out
    assert "1 login stands in several rows with different passwords and is not tried" in ended.out
    assert "smtp.gmail.com" in ended.out
    assert "line 5: 1 field," in ended.out
    assert not served.logins


def test_one_is_told_as_one(served: MailHost, run: Callable[..., Ran], tmp_path: Path) -> None:
    file = a_list(tmp_path, HEADER + GOOD, served.port)
    assert "1 row, 1 login to try, 1 domain\n" in run("preflight", file, "--dry-run").out
    ended = run(
        "preflight",
        a_list(tmp_path, HEADER + GOOD.replace(PASSWORD, "no"), served.port),
        "--no-dns",
        "-f",
        "json",
    )
    (fleet,) = (one for one in json.loads(ended.out)["reports"] if one["kind"] == "fleet")
    assert fleet["facts"]["inboxes"] == "0 of 1 inbox is ready"
    assert fleet["findings"][0]["detail"].startswith("1 of 1 inbox\n")


def test_references_are_looked_up_and_commands_only_when_allowed(
    served: MailHost, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.logins.clear()
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    monkeypatch.setenv("ONE_PASSWORD", PASSWORD)
    monkeypatch.setenv("LATIN_1", os.fsdecode(b"caf\xe9-ole-12"))
    cells = {
        "env:ONE_PASSWORD": 0,
        "env:NOT_SET": 3,
        "env:LATIN_1": 3,
        f"file:{tmp_path}/secret": 0,
        "file:/nowhere": 3,
        f"cmd:cat {tmp_path}/secret": 3,
    }
    for cell, code in cells.items():
        ended = run(
            "preflight", a_list(tmp_path, f"{HEADER}{USER},{cell},localhost,PORT\n", served.port), "--no-dns"
        )
        assert ended.code == code, ended
        assert code == 0 or "preflight/secret-missing" in ended.out
    ended = run(
        "preflight",
        a_list(tmp_path, f"{HEADER}{USER},cmd:cat {tmp_path}/secret,localhost,PORT\n", served.port),
        "--no-dns",
        "--allow-commands",
    )
    assert ended.code == 0
    assert served.logins[USER] == 3


def test_rows_are_written_back_byte_for_byte(
    served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    header = b"\xef\xbb\xbfEmail;Note;SMTP Password;SMTP Host;SMTP Port\r\n"
    good = f'{USER};"two\r\nlines; ""quoted""";{PASSWORD};localhost;PORT\r\n'.encode()
    bad = "nobody@fault.example;é;=wrong;localhost;PORT".encode()
    file = a_list(tmp_path, header + good + bad, served.port)
    ended = run(
        "preflight",
        file,
        "--no-dns",
        "--write-pass",
        str(tmp_path / "good.csv"),
        "--write-fail",
        str(tmp_path / "bad.csv"),
    )
    assert ended.code == 1
    port = str(served.port).encode()
    assert (tmp_path / "good.csv").read_bytes() == header + good.replace(b"PORT", port)
    lines = (tmp_path / "bad.csv").read_bytes().split(b"\r\n")
    assert lines[0] == header.removesuffix(b"\r\n") + b";probe_reason;probe_fix"
    assert lines[1].startswith(bad.replace(b"PORT", port) + b";")
    assert b";login/wrong-credentials: " in lines[1]
    assert (tmp_path / "bad.csv").stat().st_mode & 0o077 == 0


def test_a_list_that_others_can_read_is_warned_about(
    served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    file = a_list(tmp_path, HEADER + GOOD, served.port)
    Path(file).chmod(0o644)
    (tmp_path / ".git").mkdir()
    ended = run("preflight", file, "--dry-run")
    assert "others on this machine can read" in ended.err


def test_a_list_from_stdin(
    served: MailHost, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.TextIOWrapper(io.BytesIO((HEADER + GOOD).replace("PORT", str(served.port)).encode()))
    monkeypatch.setattr("sys.stdin", text)
    assert run("preflight", "-", "--no-dns").code == 0


def test_inboxes_domains_and_the_list_in_one_command(
    served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    zone = (
        'example. SOA ns. host. 1 1 1 1 1\nfault.example. TXT "v=spf1 -all"\nfault.example. TXT "v=spf1 ~all"'
    )
    dns = Threaded(FakeDns(zone))
    skipped = [word for name in areas() if name != "spf" for word in ("--skip", name)]
    file = a_list(tmp_path, HEADER + GOOD, served.port)
    ended = run("preflight", file, "--resolver", dns.host.address, *skipped, "-f", "jsonl")
    dns.close()
    reports = {report["kind"]: report for report in map(json.loads, ended.out.splitlines())}
    assert ended.code == 1
    assert reports["creds"]["outcome"] == "usable"
    assert [one["id"] for one in reports["creds"]["findings"]] == ["preflight/domain-not-ready"]
    assert [one["id"] for one in reports["dns"]["findings"]][:1] == ["spf/several"]
    (group,) = (one for one in reports["fleet"]["evaluations"]["groups"] if one["verdict"] == "fail")
    assert (group["id"], group["scope"], group["name"], group["subjects"]) == (
        "spf/several",
        "domain",
        "fault.example",
        [USER],
    )


def test_a_state_that_cannot_be_written_sends_nothing(
    served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    served.logins.clear()
    (tmp_path / "file").write_text("")
    ended = run(
        "preflight", a_list(tmp_path, HEADER + GOOD, served.port), "--state", str(tmp_path / "file" / "state")
    )
    assert ended.code == 4
    assert "nothing was sent" in ended.err
    assert not served.logins


@pytest.mark.parametrize(
    ("ago", "said"), [(0, "0 minutes"), (90, "2 minutes"), (7 * 3600, "7 hours"), (5 * 86_400, "5 days")]
)
def test_a_run_that_goes_on_says_how_old_is_what_it_tells_again(
    ago: int, said: str, served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    file = a_list(tmp_path, HEADER + GOOD, served.port)
    run("preflight", file, "--no-dns")
    (journal,) = (tmp_path / "state").rglob("runs/*.jsonl")
    then = journal.stat().st_mtime - ago
    os.utime(journal, (then, then))
    served.logins.clear()
    ended = run("preflight", file, "--no-dns", "--resume")
    assert f"1 login is told as found by an earlier run, {said} ago" in ended.err
    assert (ended.code, served.logins.total()) == (0, 0)


def test_a_damaged_journal_is_gone_on_with_by_nobody_and_forgotten_only_by_force(
    served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    file = a_list(tmp_path, HEADER + GOOD, served.port)
    assert run("preflight", file, "--no-dns").code == 0
    (journal,) = (tmp_path / "state").rglob("runs/*.jsonl")
    journal.write_bytes(journal.read_bytes().replace(b'"journal"', b'"jourmal"'))
    served.logins.clear()
    for more in ([], ["--resume"], ["--resume", "--force"]):
        ended = run("preflight", file, "--no-dns", *more)
        assert (ended.code, "begin anew (" in ended.err) == (2, True)
    assert not served.logins
    assert run("preflight", file, "--no-dns", "--force").code == 0


LONG = "dee@example.com,pass,word,h.example,587,last\n"  # a comma in the password


def test_a_list_of_rows_that_failed_is_mended_and_read_again_without_the_reasons(
    served: MailHost, run: Callable[..., Ran], tmp_path: Path
) -> None:
    wrong = f"{USER},wrong,localhost,PORT,\n"
    file = a_list(tmp_path, "email,password,host,port,tag\n" + wrong + "short\n" + LONG, served.port)
    bad, good, left = (tmp_path / name for name in ("bad.csv", "good.csv", "left.csv"))
    run("preflight", file, "--no-dns", "--write-fail", str(bad))
    said = bad.read_text()
    assert f",{served.port},,login/wrong-credentials: " in said
    assert '\nshort,"preflight/row-not-read: ' in said
    bad.write_text(said.replace(",wrong,", f",{PASSWORD},"))
    ended = run("preflight", str(bad), "--no-dns", "--write-pass", str(good), "--write-fail", str(left))
    assert ended.code == 1
    assert good.read_text() == f"email,password,host,port,tag\n{USER},{PASSWORD},localhost,{served.port},\n"
    assert left.read_text().splitlines()[0] == "email,password,host,port,tag,probe_reason,probe_fix"
    assert left.read_text().count("probe_reason") == left.read_text().count("\nshort,") == 1
    assert f'\n{LONG.strip()},"preflight/row-not-read: ' in left.read_text()
