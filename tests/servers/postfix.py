"""A private Postfix with Dovecot SASL on loopback: submission (STARTTLS), submissions (TLS) and an MX port."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.common import Ports, certificate, free_ports, lines, missing, wait_for

USER, PASSWORD = "alice@probe.test", "correct-horse"
GREYLISTED = "grey@probe.test"


@dataclass(frozen=True)
class Postfix:
    """The running pair; `ca` is the PEM of the root that signed its certificate for localhost."""

    submission: int
    submissions: int
    mx: int
    ca: Path


def absent() -> str:
    """Why it cannot run here; empty when it can."""
    return missing("postfix", "dovecot") or ("" if _daemons() else "Postfix's daemons are not installed")


def _daemons() -> Path | None:
    return next(
        (path for path in map(Path, ("/usr/lib/postfix/sbin", "/usr/libexec/postfix")) if path.is_dir()), None
    )


def start(folder: Path) -> Postfix:
    """Write the configuration and start both; `stop` ends them."""
    ports = free_ports(3)
    tls = certificate(folder)
    (folder / "spool" / "private").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "etc").mkdir()
    (folder / "run").mkdir()
    folder.chmod(0o755)
    postfix = pwd.getpwnam("postfix")
    shutil.chown(folder / "data", postfix.pw_uid)
    shutil.chown(folder / "spool" / "private", postfix.pw_uid)
    _write_dovecot(folder)
    _write_postfix(folder, ports, tls)
    with (folder / "start.log").open("wb") as log:
        for words in (
            ["dovecot", "-c", str(folder / "dovecot.conf")],
            ["postfix", "-c", str(folder / "etc"), "start"],
        ):
            subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, timeout=60)
    for port in ports:
        wait_for(port, folder / "start.log", folder / "spool" / "postfix.log")
    submission, submissions, mx = ports
    return Postfix(submission, submissions, mx, tls / "ca.pem")


def stop(folder: Path) -> None:
    """End both daemons."""
    for words in (
        ["postfix", "-c", str(folder / "etc"), "stop"],
        ["doveadm", "-c", str(folder / "dovecot.conf"), "stop"],
    ):
        subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)


def _write_dovecot(folder: Path) -> None:
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
    (folder / "dovecot.conf").write_text(
        lines(f"""
        base_dir = {folder}/run
        state_dir = {folder}/run
        log_path = {folder}/dovecot.log
        protocols =
        ssl = no
        auth_mechanisms = plain login cram-md5 scram-sha-256
        auth_failure_delay = 1 secs
        disable_plaintext_auth = no
        default_internal_user = dovecot
        default_login_user = dovenull
        first_valid_uid = 1
        passdb {{
          driver = passwd-file
          args = {folder}/users
        }}
        userdb {{
          driver = static
          args = uid=65534 gid=65534 home={folder}/home
        }}
        service auth {{
          unix_listener {folder}/spool/private/auth {{
            mode = 0660
            user = postfix
            group = postfix
          }}
        }}
        service stats {{
          unix_listener stats-writer {{
            mode = 0666
          }}
        }}
        """)
    )


def _write_postfix(folder: Path, ports: Ports, tls: Path) -> None:
    etc = folder / "etc"
    for name in ("postfix-files", "dynamicmaps.cf", "postfix-script", "post-install"):
        if (Path("/etc/postfix") / name).exists():
            (etc / name).symlink_to(Path("/etc/postfix") / name)
    (etc / "main.cf").write_text(
        lines(f"""
        compatibility_level = 3.6
        queue_directory = {folder}/spool
        data_directory = {folder}/data
        command_directory = /usr/sbin
        daemon_directory = {_daemons()}
        mail_owner = postfix
        setgid_group = postdrop
        myhostname = mx.probe.test
        mydestination =
        virtual_mailbox_domains = probe.test
        virtual_mailbox_maps = inline:{{ {{{USER}=ok}} {{bob@probe.test=ok}} {{{GREYLISTED}=ok}} }}
        virtual_transport = discard:
        default_transport = discard:
        relay_transport = discard:
        local_transport = error:no local
        mynetworks = 127.0.0.255/32
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        alias_maps =
        maillog_file = {folder}/spool/postfix.log
        maillog_file_prefixes = {folder}
        smtpd_tls_cert_file = {tls}/good.pem
        smtpd_tls_key_file = {tls}/good.key
        smtpd_sasl_type = dovecot
        smtpd_sasl_path = private/auth
        smtpd_sasl_security_options = noanonymous
        smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
        smtpd_recipient_restrictions = check_recipient_access inline:{{ {{{GREYLISTED}=450 4.2.0 Greylisted, please come back in 300 seconds}} }}, reject_unlisted_recipient
        smtpd_error_sleep_time = 0
        """)
    )
    daemons = (
        "tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite", "proxymap unix - - n - - proxymap",
        "anvil unix - - n - 1 anvil", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
        "pickup unix n - n 60 1 pickup", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
        "error unix - - n - - error", "discard unix - - n - - discard", "postlog unix-dgram n - n - 1 postlogd",
    )  # fmt: skip
    submission, submissions, mx = ports
    (etc / "master.cf").write_text(
        lines(f"""
        127.0.0.1:{mx} inet n - n - - smtpd
          -o smtpd_tls_security_level=may
          -o smtpd_sasl_auth_enable=no
        127.0.0.1:{submission} inet n - n - - smtpd
          -o smtpd_tls_security_level=encrypt
          -o smtpd_tls_auth_only=yes
          -o smtpd_sasl_auth_enable=yes
          -o smtpd_sender_login_maps=inline:{{{{{USER}={USER}}}}}
          -o smtpd_sender_restrictions=reject_sender_login_mismatch
        127.0.0.1:{submissions} inet n - n - - smtpd
          -o smtpd_tls_wrappermode=yes
          -o smtpd_sasl_auth_enable=yes
        """)
        + "".join(f"{line}\n" for line in daemons)
    )
