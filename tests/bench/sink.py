"""The server that is measured against: `sink.c`, compiled on the spot, with a certificate of today."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

__all__ = ["MODES", "Sink"]

MODES = ("none", "starttls", "implicit")  # in the order in which the sink prints its ports


@dataclass(slots=True)
class Sink:
    """A running sink: its ports by mode, the roots to trust, and its knobs; a context manager."""

    folder: Path
    ports: dict[str, int]
    ca_file: str
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Compile and start it in `folder`; RuntimeError where there is no C compiler or no OpenSSL."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise RuntimeError("no C compiler for the SMTP sink")
        program = folder / "sink"
        source = Path(__file__).with_name("sink.c")
        built = subprocess.run(
            [compiler, "-O2", "-o", str(program), str(source), "-lssl", "-lcrypto"],
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode:
            raise RuntimeError(f"the SMTP sink does not compile: {built.stderr[:500]}")
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost", "127.0.0.1", common_name="sink.test")
        ca_file, chain, key = folder / "ca.pem", folder / "chain.pem", folder / "key.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(str(chain), append=True)
        leaf.private_key_pem.write_to_path(str(key))
        process = subprocess.Popen(
            [str(program), str(chain), str(key)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        ports = dict(zip(MODES, map(int, process.stdout.readline().split()), strict=True))
        return cls(folder, ports, str(ca_file), process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(5)

    def tell(self, line: str) -> dict[str, Any]:
        """One command (see `sink.c`) and the counters it is answered with."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer
