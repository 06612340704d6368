"""checkdmarc's check_domains over the same domains, without its tests of TLS."""

from __future__ import annotations

import json
import resource
import sys
import time

import checkdmarc  # type: ignore[import-not-found]  # lives in an environment of its own
import dns.nameserver


def main() -> None:
    told = json.loads(sys.argv[1])
    server = dns.nameserver.Do53Nameserver(told["host"], told["port"])
    names = [f"d{number}.test" for number in range(told["count"])]
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    checkdmarc.check_domains(names, nameservers=[server], skip_tls=True, timeout=2.0)
    wall, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "rss": now.ru_maxrss / 1024}))


main()
