"""A private Exim on loopback: submission (STARTTLS), submissions (TLS) and an MX port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.common import certificate, free_ports, lines, wait_for

USER, PASSWORD = "alice@probe.test", "correct-horse"


@dataclass(frozen=True)
class Exim:
    """The running daemon; `ca` is the PEM of the root that signed its certificate for localhost."""

    submission: int
    submissions: int
    mx: int
    ca: Path
    process: int


def program() -> Path | None:
    """Exim where Debian installs it, or where EXIM points: Debian's mail servers exclude each other, so it
    may be unpacked beside Postfix instead of installed."""
    told = os.environ.get("EXIM", "")
    return next((path for path in map(Path, filter(None, (told, "/usr/sbin/exim4"))) if path.exists()), None)


def absent() -> str:
    """Why it cannot run here; empty when it can."""
    return "" if program() else "not installed: exim4 (EXIM may name the program)"


def start(folder: Path) -> Exim:
    """Write the configuration and start the daemon; `stop` ends it."""
    exim = program()
    assert exim is not None
    submission, submissions, mx = free_ports(3)
    tls = certificate(folder)
    user = next(name for name in ("Debian-exim", "exim", "mail") if _known(name))
    for name in ("spool", "log"):
        (folder / name).mkdir()
        shutil.chown(folder / name, user)
    folder.chmod(0o755)
    configuration = folder / "exim.conf"
    configuration.write_text(_configuration(folder, tls, user, submission, submissions, mx))
    with (folder / "start.log").open("wb") as log:
        words = [str(exim), "-C", str(configuration), "-bdf"]
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    for port in (submission, submissions, mx):
        wait_for(port, folder / "start.log", folder / "log" / "mainlog", folder / "log" / "paniclog")
    _running[process.pid] = process
    return Exim(submission, submissions, mx, tls / "ca.pem", process.pid)


_running: dict[int, subprocess.Popen[bytes]] = {}


def stop(exim: Exim) -> None:
    """End the daemon."""
    process = _running.pop(exim.process)
    process.terminate()
    process.wait(timeout=20)


def _known(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


def _configuration(folder: Path, tls: Path, user: str, submission: int, submissions: int, mx: int) -> str:
    return lines(f"""
    exim_user = {user}
    exim_group = {user}
    spool_directory = {folder}/spool
    log_file_path = {folder}/log/%slog
    pid_file_path = {folder}/spool/exim.pid
    primary_hostname = exim.probe.test
    local_interfaces = <; 127.0.0.1.{mx} ; 127.0.0.1.{submission} ; 127.0.0.1.{submissions}
    daemon_smtp_ports = {mx}
    tls_on_connect_ports = {submissions}
    tls_advertise_hosts = *
    tls_certificate = {tls}/good.pem
    tls_privatekey = {tls}/good.key
    auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
    smtp_enforce_sync = true
    host_lookup =
    rfc1413_hosts =
    queue_only = true
    never_users = root
    domainlist local_domains = probe.test
    acl_smtp_mail = acl_mail
    acl_smtp_rcpt = acl_rcpt
    begin acl
    acl_mail:
      deny  condition = ${{if and{{{{eq{{$interface_port}}{{{submission}}}}}{{eq{{$authenticated_id}}{{}}}}}}}}
            message = 5.7.0 Authentication required
      accept
    acl_rcpt:
      defer recipients = grey@probe.test
            message = 4.7.1 Greylisted, please try again in 300 seconds
      deny  recipients = listed@probe.test
            message = 5.7.1 rejected because 127.0.0.1 is in a black list at bl.probe.test
      accept authenticated = *
             !domains = +local_domains
      require message = relay not permitted
              domains = +local_domains
      require verify = recipient
      accept
    begin routers
    known:
      driver = accept
      domains = +local_domains
      local_parts = alice : bob : grey : listed
      transport = null
    outside:
      driver = accept
      domains = !+local_domains
      transport = null
    begin transports
    null:
      driver = appendfile
      file = /dev/null
      user = {user}
    begin authenticators
    plain:
      driver = plaintext
      public_name = PLAIN
      server_prompts = :
      server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
      server_set_id = $auth2
    login:
      driver = plaintext
      public_name = LOGIN
      server_prompts = Username:: : Password::
      server_condition = ${{if and{{{{eq{{$auth1}}{{{USER}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
      server_set_id = $auth1
    cram:
      driver = cram_md5
      public_name = CRAM-MD5
      server_secret = ${{if eq{{$auth1}}{{{USER}}}{{{PASSWORD}}}fail}}
      server_set_id = $auth1
    """)
