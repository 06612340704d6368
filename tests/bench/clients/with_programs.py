"""Programs, a process a probe: `variant` is probe, swaks, curl or posttls-finger."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.clients._job import Job, Result, job, spent, tell


def command(told: Job) -> list[str]:
    """The words of one probe; swaks and curl are told never to send a message."""
    where = f"{told.host}:{told.port}"
    if told.variant == "swaks":
        tls = {"starttls": ["--tls"], "implicit": ["--tls-on-connect"], "none": []}[told.mode]
        trust = ["--tls-verify", "--tls-ca-path", told.ca_file] if tls else []
        login = ["--auth", "PLAIN", "--auth-user", told.user, "--auth-password", told.password]
        envelope = ["--from", told.user, "--to", told.user, "--quit-after", "RCPT", "--helo", "bench.test"]
        return ["swaks", "--server", told.host, "--port", str(told.port), *tls, *trust, *login, *envelope]
    if told.variant == "curl":
        scheme = "smtps" if told.mode == "implicit" else "smtp"
        tls = ["--ssl-reqd", "--cacert", told.ca_file] if told.mode != "none" else []
        return [
            "curl",
            "-sS",
            f"{scheme}://{where}",
            *tls,
            "-u",
            f"{told.user}:{told.password}",
            "-X",
            "NOOP",
        ]
    if told.variant == "posttls-finger":
        wrapped = ["-w"] if told.mode == "implicit" else []
        trust = ["-F", told.ca_file, "-l", "secure"]
        return ["posttls-finger", "-c", *wrapped, *trust, f"[{told.host}]:{told.port}", told.host]
    login = ["--password-env", "BENCH_PASSWORD", "--host", told.host, "--port", str(told.port)]
    more = ["--tls", told.mode, "--ca-file", told.ca_file, "--insecure-plaintext", "-f", "jsonl"]
    return [sys.executable, "-m", "probe", "creds", told.user, *login, *more]


def main() -> None:
    told, result = job(), Result()
    words = command(told)
    environment = {**os.environ, "BENCH_PASSWORD": told.password}

    def probe(_: int) -> float:
        began = time.perf_counter()
        ran = subprocess.run(words, env=environment, capture_output=True, check=False)
        result.note = f"exit {ran.returncode}"
        return time.perf_counter() - began

    probe(0)
    with ThreadPoolExecutor(told.at_once) as pool:
        began, cpu = time.perf_counter(), spent(resource.RUSAGE_CHILDREN)
        result.times = list(pool.map(probe, range(told.count)))
        result.wall, result.cpu = time.perf_counter() - began, spent(resource.RUSAGE_CHILDREN) - cpu
    tell(result)


main()
