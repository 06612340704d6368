"""How long audits of many domains take, and what they ask: `python tests/bench/domains.py [DOMAINS...]`.

A world of domains that share providers is served on loopback by a process of its own, with 20 ms before
every answer. Printed for each size: seconds, domains a second, CPU a domain (ours alone), distinct
questions and messages sent a domain. Last, the whole command, as people run it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

from probe.checks import Domain
from probe.fakes.dns import FakeDns
from probe.run.domain import check_domain, check_domains
from probe.wire.dns import Resolver

DELAY = 0.02
SIZES = (30, 100, 300, 1000, 3000)
KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1PthKitOmUQ7/iCpy7SA2mEhLliCZO0WOXk+gqmZ0k+zPG3mk2gFNJEj0+B1gvsB"
    "Pqt43dIPMc/Msbkd9ofL+anztduy2r0jc4kPTVt8XV7J5onuIOT4+QKicic2v7/RxVcStVFqO6RZfqrzLTNIWCq7MtrJzJTH49yQvaMWEpk/"
    "bjUhXlCEGtbUcaO2VdrK0Kytfc8dwWabO1x7PMD8bCKfbEpJeenfq9424RQWPTn/KRsPt56iO3aeExEHgO0Ll8bNVFYO5zgd2azaVX8iW/ua"
    "l0mLE/92RxkhgKpOamZOqXpWsaEY3UAAvRypIOezLt8twHws2zow66DkQ1AdCwIDAQAB"
)
SHARED = """
test. SOA ns1.test. h.test. 1 7200 900 1209600 300
com. SOA ns1.test. h.test. 1 7200 900 1209600 300
ns1.host.test. A 203.0.113.1
ns2.host.test. A 198.51.100.1
smtp.google.com. A 142.250.102.26
smtp.google.com. AAAA 2a00:1450:4025:c03::1b
26.102.250.142.in-addr.arpa. PTR smtp.google.com.
_spf.google.com. TXT "v=spf1 ip4:74.125.0.0/16 ip4:209.85.128.0/17 ip6:2001:4860:4000::/36 ~all"
spf.protection.outlook.com. TXT "v=spf1 ip4:40.92.0.0/15 ip4:40.107.0.0/16 ip6:2a01:111:f400::/48 -all"
"""
ZONE = """
{name}. SOA ns1.host.test. h.{name}. 1 7200 900 1209600 300
{name}. NS ns1.host.test.
{name}. NS ns2.host.test.
{name}. A 203.0.113.9
_dmarc.{name}. TXT "v=DMARC1; p=reject; rua=mailto:d@{name}"
"""
GOOGLE = """
{name}. MX 1 smtp.google.com.
{name}. TXT "v=spf1 include:_spf.google.com ~all"
google._domainkey.{name}. TXT "v=DKIM1; k=rsa; p={key}"
"""
MICROSOFT = """
{name}. MX 0 {dashed}.mail.protection.outlook.com.
{dashed}.mail.protection.outlook.com. A 52.101.68.{host}
{name}. TXT "v=spf1 include:spf.protection.outlook.com -all"
selector1._domainkey.{name}. CNAME selector1-{dashed}._domainkey.tenant.onmicrosoft.com.
selector1-{dashed}._domainkey.tenant.onmicrosoft.com. TXT "v=DKIM1; k=rsa; p={key}"
selector2._domainkey.{name}. CNAME selector2-{dashed}._domainkey.tenant.onmicrosoft.com.
"""
OWN = """
{name}. MX 10 mx.host.test.
{name}. TXT "v=spf1 mx -all"
mx.host.test. A 203.0.113.25
default._domainkey.{name}. TXT "v=DKIM1; k=rsa; p={key}"
"""


def names(count: int) -> list[str]:
    return [f"d{number}.test" for number in range(count)]


def zone(count: int) -> Iterator[str]:
    yield SHARED
    for number, name in enumerate(names(count)):
        kind = (GOOGLE, MICROSOFT, GOOGLE, MICROSOFT, OWN)[number % 5]
        dashed = name.replace(".", "-")
        yield (ZONE + kind).format(name=name, dashed=dashed, host=number % 200 + 1, key=KEY)


def serve(count: int, told: Connection) -> None:
    async def run() -> None:
        async with FakeDns("".join(zone(count)), delay=DELAY) as fake:
            told.send(fake.address)
            await asyncio.Event().wait()

    asyncio.run(run())


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def audit(address: str, count: int) -> str:
    domains = [
        Domain(name, selectors=("default",) if at % 5 == 4 else ()) for at, name in enumerate(names(count))
    ]
    async with Resolver([address]) as resolver:
        began, cpu = time.perf_counter(), spent()
        reports = [report async for report in check_domains(domains, resolver)]
        took, cpu = time.perf_counter() - began, spent() - cpu
        unknown = sum(state.value == "unknown" for report in reports for state in report.states.values())
        asked, sent = resolver.statistics.asked / count, resolver.statistics.sent / count
    return f"{count:>7}  {took:>7.2f}  {count / took:>9.0f}  {cpu / count * 1e3:>13.2f}  {asked:>9.1f}  {sent:>8.1f}  {unknown:>7}"


async def in_a_row() -> str:
    """How many answers each kind of domain waits for one after the other."""
    said = []
    async with FakeDns("".join(zone(5)), delay=0.1) as fake:
        for kind, at in (("", 0), ("google", 0), ("microsoft", 1), ("own", 4)):
            async with Resolver([fake.address]) as resolver:
                report = await check_domain(Domain(names(5)[at]), resolver)
            if kind:  # the first audit of a process also loads what reads keys
                said.append(f"{kind} {report.timings['dns'] / 0.1:.1f} ({report.facts['questions']})")
    return "round trips in a row: " + ", ".join(said)


def main() -> None:
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    print(asyncio.run(in_a_row()))
    print("domains  seconds  domains/s  CPU ms/domain  questions  messages  unknown")
    for count in sizes:
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.Process(target=serve, args=(count, theirs), daemon=True)
        server.start()
        address = ours.recv()
        print(asyncio.run(audit(address, count)), flush=True)
        if count == 300:
            command = [sys.executable, "-m", "probe", "dns", "-", "--resolver", address, "-f", "jsonl"]
            began = time.perf_counter()
            ran = subprocess.run(
                command, input="\n".join(names(count)), capture_output=True, text=True, check=False
            )
            took = time.perf_counter() - began
            print(
                f"  probe dns - -f jsonl: {len(ran.stdout.splitlines())} reports in {took:.2f} s, exit {ran.returncode}"
            )
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
