"""The window on the web, against a server of our own on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import pytest

from probe.facts import Answer, Question, Status
from probe.fakes.http import FakeWeb
from probe.fakes.tls import ca_file, server_context
from probe.wire.http import Web

HOST = "mta-sts.example.test"
URL = f"https://{HOST}/.well-known/mta-sts.txt"


class Names:
    """A resolver in a dictionary; what is not in it does not exist."""

    def __init__(
        self, addresses: Mapping[str, tuple[str, ...]] | None = None, status: Status | None = None
    ) -> None:
        self.addresses = addresses or {}
        self.status = status

    async def ask(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        return {question: self._answer(question) for question in questions}

    def _answer(self, question: Question) -> Answer:
        if self.status is not None:
            return Answer(self.status)
        found = self.addresses.get(question.name, ()) if question.type == "A" else ()
        return Answer(Status.OK if found else Status.NODATA, found)


def fetch(
    pages: Mapping[str, object], *urls: str, kind: str = "HTTP", cert: str = "good", timeout: float = 5.0
) -> tuple[list[Answer], FakeWeb]:
    async def run() -> tuple[list[Answer], FakeWeb]:
        names = ("mta-sts.example.test", "rdap.example.test")
        async with FakeWeb(pages, server_context(cert, names)) as server:
            hosts = {(name, 443): ("127.0.0.1", server.port) for name in names}
            web = Web(Names(), hosts=hosts, ca_file=ca_file(), timeout=timeout)
            return list(await asyncio.gather(*(web.fetch(Question(url, kind)) for url in urls))), server

    return asyncio.run(run())


def test_a_page() -> None:
    (answer,), _ = fetch({URL: "version: STSv1\n"}, URL)
    assert answer.status is Status.OK
    assert answer.values == ("200", "text/plain", "Sat, 21 Nov 2026 12:00:00 GMT", "version: STSv1\n")


def test_a_missing_page_is_an_answer() -> None:
    (answer,), _ = fetch({}, URL)
    assert (answer.status, answer.values[0]) == (Status.OK, "404")


def test_every_url_is_fetched_once() -> None:
    answers, server = fetch({URL: "x"}, *[URL] * 20)
    assert len({answer.values for answer in answers}) == 1
    assert server.served == {URL: 1}


@pytest.mark.parametrize(
    ("cert", "reason"),
    [
        ("expired", "expired"),
        ("self-signed", "self"),
        ("unknown-ca", "issuer"),
        ("wrong-name", "Hostname mismatch"),
        ("name-in-subject-only", "Hostname mismatch"),
    ],
)
def test_a_certificate_that_does_not_hold(cert: str, reason: str) -> None:
    (answer,), server = fetch({URL: "x"}, URL, cert=cert)
    assert answer.status is Status.GARBLED
    assert answer.detail.startswith("tls: ")
    assert reason in answer.detail
    assert not server.served


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ({"then": "close"}, Status.GARBLED),
        ({"then": "endless"}, Status.GARBLED),
        ({"body": "x" * 65537}, Status.GARBLED),
        ({"body": "x" * 65536}, Status.OK),
    ],
)
def test_what_a_server_may_do(page: Mapping[str, object], status: Status) -> None:
    (answer,), _ = fetch({URL: page}, URL)
    assert answer.status is status


def test_a_server_that_hangs() -> None:
    (answer,), _ = fetch({URL: {"then": "hang"}}, URL, timeout=0.5)
    assert answer.status is Status.TIMEOUT


def test_policies_are_not_looked_for_elsewhere() -> None:
    pages = {URL: {"status": 302, "location": "/other"}, f"https://{HOST}/other": "x"}
    (answer,), server = fetch(pages, URL)
    assert answer.values[0] == "302"
    assert list(server.served) == [URL]


def test_registrations_are() -> None:
    start, end = "https://mta-sts.example.test/domain/x", "https://rdap.example.test/x"
    (answer,), _ = fetch({start: {"status": 302, "location": end}, end: "{}"}, start, kind="RDAP")
    assert answer.values[3] == "{}"
    (circle,), server = fetch({start: {"status": 302, "location": start}}, start, kind="RDAP")
    assert (circle.status, circle.detail) == (Status.GARBLED, "redirected too often")
    assert server.served[start] == 4
    (clear,), _ = fetch(
        {start: {"status": 302, "location": "http://rdap.example.test/x"}}, start, kind="RDAP"
    )
    assert (clear.status, clear.detail) == (Status.REFUSED, "only https is fetched")


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("https://[", Status.GARBLED),
        ("https://rdap.example.test/\x7f", Status.FORMERR),
        (f"https://rdap.example.test/{'x' * 65_536}", Status.FORMERR),
        ("https://rdap.example.test:99999/", Status.FORMERR),
    ],
    ids=["unclosed", "control", "long", "port"],
)
def test_a_redirection_to_what_is_no_url(location: str, status: Status) -> None:
    start = "https://mta-sts.example.test/domain/x"
    (answer,), _ = fetch({start: {"status": 302, "location": location}}, start, kind="RDAP")
    assert (answer.status, answer.detail.endswith("no URL")) == (status, True)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "192.0.2.1", "224.0.0.1"]
)
def test_no_zone_sends_us_into_our_own_network(address: str) -> None:
    web = Web(Names({HOST: (address,)}))
    answer = asyncio.run(web.fetch(Question(URL, "HTTP")))
    assert answer.status is Status.NODATA
    assert "not connected to" in answer.detail


def test_names_that_fail() -> None:
    gone = asyncio.run(Web(Names()).fetch(Question(URL, "HTTP")))
    assert (gone.status, gone.detail) == (Status.NXDOMAIN, f"{HOST} has no address")
    failed = asyncio.run(Web(Names(status=Status.SERVFAIL)).fetch(Question(URL, "HTTP")))
    assert failed.status is Status.SERVFAIL


@pytest.mark.parametrize(
    "url", ["http://example.test/", "ftp://example.test/", "https://", "https://[", "x", ""]
)
def test_what_is_no_url_is_not_fetched(url: str) -> None:
    answer = asyncio.run(Web(Names()).fetch(Question(url, "HTTP")))
    assert answer.status in {Status.REFUSED, Status.FORMERR}


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httpx2", None)
    answer = asyncio.run(Web(Names()).fetch(Question(URL, "HTTP")))
    assert (answer.status, "probe-smtp[http]" in answer.detail) == (Status.SKIPPED, True)


def test_a_server_that_speaks_no_tls() -> None:
    async def run() -> Answer:
        async with FakeWeb({URL: "x"}) as server:
            web = Web(
                Names(), hosts={(HOST, 443): ("127.0.0.1", server.port)}, ca_file=ca_file(), timeout=0.3
            )
            return await web.fetch(Question(URL, "HTTP"))

    assert asyncio.run(run()).status is Status.TIMEOUT


def test_a_closed_port_is_unreachable() -> None:
    web = Web(Names(), hosts={(HOST, 443): ("127.0.0.1", 9)}, ca_file=ca_file())
    assert asyncio.run(web.fetch(Question(URL, "HTTP"))).status is Status.UNREACHABLE


def test_only_documents_are_fetched() -> None:
    assert asyncio.run(Web(Names()).fetch(Question(URL, "TXT"))).status is Status.NOTIMP
