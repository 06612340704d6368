"""Whole sessions as users read them. `GOLDEN=write pytest` writes them anew; the diff is the review."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from probe.fakes.reading import load
from probe.play import play

SESSIONS = [
    "creds-usable",
    "creds-usable-implicit",
    "creds-usable-plaintext",
    "creds-usable-no-pipelining",
    "creds-usable-parting-421",
    "creds-mechanism-login",
    "creds-mechanism-cram-md5",
    "creds-mechanism-scram-sha-256",
    "creds-mechanism-xoauth2-refused",
    "creds-mechanism-504-then-login",
    "creds-mechanism-login-asks-twice",
    "creds-auth-535",
    "creds-greeting-450",
    "creds-ehlo-refused-helo",
    "creds-starttls-stripped",
    "creds-mail-not-owned",
    "creds-ending-auth-half",
    "creds-ending-auth-closed",
    "creds-ending-refused",
    "creds-garbled-auth-late-stray",
    "creds-garbled-auth-mixed",
    "creds-hostile-terminal",
    "creds-hostile-echo",
    "creds-hostile-echo-coded",
    "creds-provider-google-app-password-required",
    "creds-tls-expired",
    "creds-tls-plaintext-after-220",
    "creds-tls-implicit-port-is-plain",
]

# What differs from run to run and from machine to machine, and proves nothing.
PASSING = (
    (re.compile(r"334 [A-Za-z0-9+/=]{60,}"), "334 NONCE"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r'(cipher|fingerprint|not_before|not_after|key)="[^"]*"'), r'\1="..."'),
    (re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?"), "DATE"),
)


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_reads_as_it_did(name: str) -> None:
    text = str(asyncio.run(play(load(name))).report.transcript) + "\n"
    for pattern, instead in PASSING:
        text = pattern.sub(instead, text)
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_there_is_no_session_that_nobody_plays() -> None:
    assert sorted(file.stem for file in GOLDEN.iterdir()) == sorted(SESSIONS)
