"""checkdmarc's check_domains over the same domains, with its defaults: no tests of TLS."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import checkdmarc  # type: ignore[import-not-found]  # lives in an environment of its own
import dns.nameserver

WARM = 5  # the domains behind those that are measured, one of each kind: imports, and what providers share


class Counted(dns.nameserver.Do53Nameserver):
    """A name server on a port of its own that counts what it is asked."""

    asked = 0

    def query(self, *given: Any, **named: Any) -> Any:
        self.asked += 1
        return super().query(*given, **named)


def main() -> None:
    told = json.loads(sys.argv[1])
    server = Counted(told["host"], told["port"])
    names = [f"d{number}.test" for number in range(told["count"] + WARM)]
    checkdmarc.check_domains(names[told["count"] :], nameservers=[server])
    began, used, asked = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF), server.asked
    checkdmarc.check_domains(names[: told["count"]], nameservers=[server])
    wall, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    sent = server.asked - asked
    print(json.dumps({"wall": wall, "cpu": cpu, "rss": now.ru_maxrss / 1024, "note": f"{sent} {sent}"}))


main()
