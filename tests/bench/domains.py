"""How long audits of many domains take, and what they ask: `python -m tests.bench.domains [DOMAINS...]`.

A world of domains that share providers is served on loopback by a process of its own, with 20 ms before
every answer. Printed for each size: seconds, domains a second, CPU a domain (ours alone), distinct
questions and messages sent a domain. Last, the whole command, as people run it.

The domains are those of operators who send: two fifths keep their mailboxes at Google Workspace, two fifths
at Microsoft 365, one fifth on a server of their own; each also sends through a provider, and from a CRM.
Names and the shape of every record are those of real zones; addresses are for documentation (RFC 5737,
RFC 3849). Microsoft's reverse names are those of its pools, the others lead back to the very host.
"""

from __future__ import annotations

import asyncio
import ipaddress
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
from tests.keys import RSA_2048

__all__ = ["names", "round_trips", "subjects", "zone"]

DELAY = 0.02
SIZES = (30, 100, 300, 1000, 3000)
SHARED = """
. SOA ns1.dns.test. h.dns.test. 1 7200 900 1209600 300
ns1.dns.test. A 192.0.2.1
ns1.dns.test. AAAA 2001:db8:0:1::53
ns2.dns.test. A 198.51.100.1
ns2.dns.test. AAAA 2001:db8:0:2::53

aspmx.l.google.com. A 192.0.2.26
aspmx.l.google.com. AAAA 2001:db8:4025:c03::1b
alt1.aspmx.l.google.com. A 192.0.2.27
alt1.aspmx.l.google.com. AAAA 2001:db8:4025:c02::1a
alt2.aspmx.l.google.com. A 192.0.2.28
alt2.aspmx.l.google.com. AAAA 2001:db8:4010:c1c::1b
alt3.aspmx.l.google.com. A 192.0.2.29
alt3.aspmx.l.google.com. AAAA 2001:db8:400c:c0b::1a
alt4.aspmx.l.google.com. A 192.0.2.30
alt4.aspmx.l.google.com. AAAA 2001:db8:4013:c16::1b
_spf.google.com. TXT "v=spf1 ip4:74.125.0.0/16 ip4:209.85.128.0/17 ip6:2001:4860:4864::/56 ip6:2404:6800:4864::/56 \
ip6:2607:f8b0:4864::/56 ip6:2800:3f0:4864::/56 ip6:2a00:1450:4864::/56 ip6:2c0f:fb50:4864::/56 ~all"

spf.protection.outlook.com. TXT "v=spf1 ip4:40.92.0.0/15 ip4:40.107.0.0/16 ip4:52.100.0.0/15 ip4:52.102.0.0/16 \
ip4:52.103.0.0/17 ip4:104.47.0.0/17 ip6:2a01:111:f400::/48 ip6:2a01:111:f403::/49 ip6:2a01:111:f403:8000::/51 -all"

sendgrid.net. TXT "v=spf1 ip4:167.89.0.0/17 ip4:208.117.48.0/20 ip4:50.31.32.0/19 ip4:198.37.144.0/20 \
ip4:198.21.0.0/21 ip4:192.254.112.0/20 ip4:168.245.0.0/17 ip4:149.72.0.0/16 include:ab.sendgrid.net ~all"
ab.sendgrid.net. TXT "v=spf1 ip4:223.165.113.0/24 ip4:223.165.115.0/24 ip4:223.165.118.0/23 -all"
mailgun.org. TXT "v=spf1 include:_spf.mailgun.org include:_spf.eu.mailgun.org -all"
_spf.mailgun.org. TXT "v=spf1 ip4:209.61.151.0/24 ip4:166.78.68.0/22 ip4:198.61.254.0/23 ip4:192.237.158.0/23 ~all"
_spf.eu.mailgun.org. TXT "v=spf1 ip4:141.193.32.0/23 ip4:161.38.192.0/20 ip4:185.189.236.0/22 ~all"
mail.zendesk.com. TXT "v=spf1 ip4:192.161.144.0/20 ip4:185.12.80.0/22 ip4:188.172.128.0/20 ip4:216.198.0.0/18 ~all"

reports.test. MX 10 aspmx.l.google.com.
*._report._dmarc.reports.test. TXT "v=DMARC1"
"""
POOL = """
mail-{pool}a.inbound.protection.outlook.com. A 198.51.100.{low}
mail-{pool}b.inbound.protection.outlook.com. A 198.51.100.{high}
mail-{pool}a.inbound.protection.outlook.com. AAAA 2001:db8:f403:{pool}::1
mail-{pool}b.inbound.protection.outlook.com. AAAA 2001:db8:f403:{pool}::2
"""
SERVER = """
mx1.mail{server}.test. A 203.0.113.{low}
mx1.mail{server}.test. AAAA 2001:db8:25:{server}::1
mx2.mail{server}.test. A 203.0.113.{high}
mx2.mail{server}.test. AAAA 2001:db8:25:{server}::2
"""
EVERY = """
{name}. SOA ns1.dns.test. h.{name}. 1 7200 900 1209600 300
{name}. NS ns1.dns.test.
{name}. NS ns2.dns.test.
{name}. A 192.0.2.80
{name}. TXT "google-site-verification=Zt1Zq0mUq3kB5vYx8cN2rJ7wPfH4dL6sG9aE{number:08}"
_dmarc.{name}. TXT "v=DMARC1; p=reject; adkim=r; aspf=r; rua=mailto:{number}@reports.test"
{number}.spf.crm.test. TXT "v=spf1 ip4:158.247.16.0/20 ip4:143.244.80.0/20 -all"
"""
SENDGRID = """
s1._domainkey.{name}. CNAME s1.domainkey.u{number}.wl.sendgrid.net.
s2._domainkey.{name}. CNAME s2.domainkey.u{number}.wl.sendgrid.net.
s1.domainkey.u{number}.wl.sendgrid.net. TXT "k=rsa; t=s; p={key}"
s2.domainkey.u{number}.wl.sendgrid.net. TXT "k=rsa; t=s; p={key}"
"""
GOOGLE = """
{name}. MX 1 aspmx.l.google.com.
{name}. MX 5 alt1.aspmx.l.google.com.
{name}. MX 5 alt2.aspmx.l.google.com.
{name}. MX 10 alt3.aspmx.l.google.com.
{name}. MX 10 alt4.aspmx.l.google.com.
{name}. TXT "v=spf1 include:_spf.google.com include:sendgrid.net include:{number}.spf.crm.test \
include:mail.zendesk.com ~all"
google._domainkey.{name}. TXT "v=DKIM1; k=rsa; p={key}"
"""
MICROSOFT = """
{name}. MX 0 {dashed}.mail.protection.outlook.com.
{dashed}.mail.protection.outlook.com. A 198.51.100.{low}
{dashed}.mail.protection.outlook.com. A 198.51.100.{high}
{dashed}.mail.protection.outlook.com. AAAA 2001:db8:f403:{pool}::1
{dashed}.mail.protection.outlook.com. AAAA 2001:db8:f403:{pool}::2
{name}. TXT "MS=ms{number:08}"
{name}. TXT "v=spf1 include:spf.protection.outlook.com include:sendgrid.net include:{number}.spf.crm.test \
include:mail.zendesk.com -all"
selector1._domainkey.{name}. CNAME selector1-{dashed}._domainkey.tenant.onmicrosoft.com.
selector1-{dashed}._domainkey.tenant.onmicrosoft.com. TXT "v=DKIM1; k=rsa; p={key}"
selector2._domainkey.{name}. CNAME selector2-{dashed}._domainkey.tenant.onmicrosoft.com.
selector2-{dashed}._domainkey.tenant.onmicrosoft.com. TXT "v=DKIM1; k=rsa; p={key}"
"""
OWN = """
{name}. MX 10 mx1.mail{server}.test.
{name}. MX 20 mx2.mail{server}.test.
{name}. TXT "v=spf1 mx include:mailgun.org include:{number}.spf.crm.test -all"
default._domainkey.{name}. TXT "v=DKIM1; k=rsa; p={key}"
pic._domainkey.{name}. TXT "k=rsa; p={key}"
"""
KINDS = (GOOGLE + SENDGRID, MICROSOFT + SENDGRID, GOOGLE + SENDGRID, MICROSOFT + SENDGRID, OWN)
POOLS = 40  # of Microsoft's addresses
TENANTS = 50  # domains with neighbouring numbers; the own servers among them are one
SERVERS = 120  # whose addresses fit into one network


def names(count: int) -> list[str]:
    return [f"d{number}.test" for number in range(count)]


def subjects(count: int) -> list[Domain]:
    """The domains as their operators ask about them: who runs a server knows its selector."""
    return [
        Domain(name, selectors=("default",) if KINDS[number % len(KINDS)] is OWN else ())
        for number, name in enumerate(names(count))
    ]


def zone(count: int) -> Iterator[str]:
    """The world as zone text: what is shared, the domains, and the way back from every address."""
    forward = "".join(_forward(count))
    yield forward
    yield from _back(forward)


def _forward(count: int) -> Iterator[str]:
    yield SHARED
    for pool in range(POOLS):
        yield POOL.format(pool=pool, low=2 * pool + 2, high=2 * pool + 3)
    for server in range(min(count // TENANTS + 1, SERVERS)):
        yield SERVER.format(server=server, low=2 * server + 1, high=2 * server + 2)
    for number, name in enumerate(names(count)):
        pool = number % POOLS
        yield (EVERY + KINDS[number % len(KINDS)]).format(
            name=name, dashed=name.replace(".", "-"), number=number, key=RSA_2048, pool=pool, low=2 * pool + 2,
            high=2 * pool + 3, server=number // TENANTS % SERVERS,
        )  # fmt: skip


def _back(forward: str) -> Iterator[str]:
    """PTR for every address: to the first host that has it."""
    hosts: dict[str, str] = {}
    for line in forward.splitlines():
        match line.split():
            case [host, "A" | "AAAA", address]:
                hosts.setdefault(address, host)
    for address, host in hosts.items():
        yield f"{ipaddress.ip_address(address).reverse_pointer}. PTR {host}\n"


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
    domains = subjects(count)
    async with Resolver([address]) as resolver:
        began, cpu = time.perf_counter(), spent()
        reports = [report async for report in check_domains(domains, resolver)]
        took, cpu = time.perf_counter() - began, spent() - cpu
        unknown = sum(state.value == "unknown" for report in reports for state in report.states.values())
        asked, sent = resolver.statistics.asked / count, resolver.statistics.sent / count
    return f"{count:>7}  {took:>7.2f}  {count / took:>9.0f}  {cpu / count * 1e3:>13.2f}  {asked:>9.1f}  {sent:>8.1f}  {unknown:>7}"


async def round_trips(delay: float = 0.1) -> dict[str, float]:
    """How many answers each kind of domain waits for one after the other."""
    waited = {}
    async with FakeDns("".join(zone(5)), delay=delay) as fake:
        # The first audit of a process also loads what reads keys.
        for kind, at in (("", 0), ("Google", 0), ("Microsoft", 1), ("own server", 4)):
            async with Resolver([fake.address]) as resolver:
                report = await check_domain(Domain(names(5)[at]), resolver)
            waited[kind] = report.timings["dns"] / delay
    del waited[""]
    return waited


def main() -> None:
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    waited = asyncio.run(round_trips())
    print("round trips in a row: " + ", ".join(f"{kind} {trips:.1f}" for kind, trips in waited.items()))
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
