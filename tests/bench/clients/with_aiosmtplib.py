"""aiosmtplib: connect, STARTTLS, login, MAIL, RCPT, RSET, QUIT; no transcript, no judgement.

Variants: `` with one TLS context for all, `documented` with a context made for each connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import aiosmtplib

from tests.bench.clients._job import concurrently, job, tell


async def main() -> None:
    told = job()
    shared = None if told.variant == "documented" else ssl.create_default_context(cafile=told.ca_file)

    async def probe() -> None:
        client = aiosmtplib.SMTP(
            hostname=told.host,
            port=told.port,
            use_tls=told.mode == "implicit",
            start_tls=told.mode == "starttls",
            timeout=600,
            tls_context=shared,
            cert_bundle=None if shared else told.ca_file,
        )
        await client.connect()
        with contextlib.suppress(aiosmtplib.SMTPAuthenticationError):
            await client.login(told.user, told.password)
            await client.mail(told.user)
            await client.rcpt(told.user)
        await client.quit()

    tell(await concurrently(told, probe))


asyncio.run(main())
