"""smtplib in threads: connect, STARTTLS, login, MAIL, RCPT, QUIT."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.clients._job import WARM, Job, Result, job, spent, tell


def probe(told: Job, context: ssl.SSLContext) -> float:
    began = time.perf_counter()
    client: smtplib.SMTP
    if told.mode == "implicit":
        client = smtplib.SMTP_SSL(told.host, told.port, context=context, local_hostname="bench.test")
    else:
        client = smtplib.SMTP(told.host, told.port, local_hostname="bench.test")
    with contextlib.suppress(smtplib.SMTPAuthenticationError):
        if told.mode == "starttls":
            client.starttls(context=context)
        client.login(told.user, told.password)
        client.mail(told.user)
        client.rcpt(told.user)
    client.quit()
    return time.perf_counter() - began


def main() -> None:
    told, result = job(), Result()
    context = ssl.create_default_context(cafile=told.ca_file)
    with ThreadPoolExecutor(told.at_once) as pool:
        list(pool.map(lambda _: probe(told, context), range(min(WARM, told.count))))
        began, cpu = time.perf_counter(), spent()
        result.times = list(pool.map(lambda _: probe(told, context), range(told.count)))
        result.wall, result.cpu = time.perf_counter() - began, spent() - cpu
    tell(result)


main()
