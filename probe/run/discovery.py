"""Where an inbox submits its mail: by its provider, its domain, its MX, or an SRV record."""

from __future__ import annotations

from dataclasses import dataclass

from probe import catalogue
from probe.facts import Answer, Inbox, Question, Status, TlsMode
from probe.grammar.address import address
from probe.wire.network import Network

__all__ = ["Server", "submission_server"]

_SERVICES = (("_submissions._tcp", TlsMode.IMPLICIT), ("_submission._tcp", TlsMode.STARTTLS))


@dataclass(frozen=True, slots=True)
class Server:
    """A submission server and how it was found; where none was, `problem` is the id of a rule.

    `how` is a few words for the reader (by MX, by SRV record, as told). `evidence` is the DNS answer the
    problem rests on.
    """

    host: str = ""
    port: int = 0
    tls: TlsMode = TlsMode.STARTTLS
    provider: str = ""
    how: str = ""
    problem: str = ""
    detail: str = ""
    evidence: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def submission_server(inbox: Inbox, network: Network) -> Server:
    """The server of an inbox. What was told is never overruled, and DNS is asked only where it must be.

    ValueError for a provider that the catalogue does not know.
    """
    told = _named(inbox.provider)
    if inbox.host:
        port, tls = _as_told(inbox, 587, TlsMode.STARTTLS)
        # What TLS proves has neither the dot of the root nor the brackets of an address (RFC 6066 section 3).
        host = inbox.host.removesuffix(".").removeprefix("[").removesuffix("]")
        return Server(host, port, tls, _id(told or catalogue.provider_of_host(host)), "as told")
    domain = address(inbox.address).domain
    if told is not None and told.submission:
        return _served(inbox, told, "as told", domain)
    known = catalogue.provider_of_domain(domain)
    if known is not None and known.submission:
        return _served(inbox, known, "by domain", domain)
    if domain.startswith("["):  # an address has no records to ask for
        return Server(problem="session/submission-server-unknown")
    services = [Question(f"{service}.{domain}", "SRV") for service, _ in _SERVICES]
    mx = Question(domain, "MX")
    answers = await network.ask((mx, *services))
    hosts = [value.partition(" ")[2] for value in sorted(answers[mx].values, key=_preference)]
    known = catalogue.provider_of_mx(hosts)
    if known is not None and known.submission:
        return _served(inbox, known, "by MX", domain, *hosts)
    for question, (_, tls) in zip(services, _SERVICES, strict=True):
        if answers[question].status is Status.OK and answers[question].values:
            return _by_srv(inbox, domain, question, answers[question], tls)
    return _unknown(domain, mx, answers[mx], [(one, answers[one]) for one in services])


def _id(provider: catalogue.Provider | None) -> str:
    return provider.id if provider is not None else ""


def _preference(value: str) -> int:
    number = value.partition(" ")[0]
    return int(number) if number.isdigit() else 65536


def _as_told(inbox: Inbox, port: int, tls: TlsMode) -> tuple[int, TlsMode]:
    """A server's port and TLS as told; where only one was told, and is another, the other follows from it.

    RFC 8314 section 3.3: 465 is for TLS from the start, every other port for STARTTLS.
    """
    if inbox.port not in {0, port}:
        return inbox.port, inbox.tls or (TlsMode.IMPLICIT if inbox.port == 465 else TlsMode.STARTTLS)
    wanted = inbox.tls or tls
    if not inbox.port and (wanted is TlsMode.IMPLICIT) is not (tls is TlsMode.IMPLICIT):
        return 465 if wanted is TlsMode.IMPLICIT else 587, wanted
    return port, wanted


def _named(label: str) -> catalogue.Provider | None:
    if not label:
        return None
    found = catalogue.provider_named(label)
    if found is None:
        raise ValueError(f"there is no provider {label!a} in the catalogue")
    return found


def _served(inbox: Inbox, provider: catalogue.Provider, how: str, *names: str) -> Server:
    """The server of a provider that serves these names (the domain, its mail exchangers) first."""
    servers = provider.servers(*names)
    fits = [
        one
        for one in servers
        if (not inbox.port or one.port == inbox.port) and (inbox.tls is None or one.tls == inbox.tls)
    ]
    first = (fits or servers)[0]
    port, tls = _as_told(inbox, first.port, TlsMode(first.tls))
    return Server(first.host, port, tls, provider.id, how)


def _by_srv(inbox: Inbox, domain: str, question: Question, answer: Answer, tls: TlsMode) -> Server:
    """RFC 6186 section 3, RFC 2782: the lowest priority, then the heaviest; "." means not here."""
    rows = sorted(
        (int(row[0]), -int(row[1]), int(row[2]), row[3])
        for row in map(str.split, answer.values)
        if len(row) == 4
    )
    evidence = (("question", str(question)), ("record", "; ".join(answer.values)), ("server", answer.server))
    if not rows or rows[0][3] == ".":
        return Server(problem="session/submission-not-offered", evidence=evidence)
    _, _, port, host = rows[0]
    provider = catalogue.provider_of_host(host)
    inside = host == domain or host.endswith(f".{domain}")
    if not inside and provider is None:
        return Server(
            problem="session/submission-elsewhere", detail=f"--host {host} --port {port}", evidence=evidence
        )
    if port == 465:
        tls = TlsMode.IMPLICIT  # some publish the TLS port under the service for STARTTLS
    port, tls = _as_told(inbox, port, tls)
    return Server(host, port, tls, _id(provider), "by SRV record")


def _unknown(domain: str, mx: Question, answer: Answer, services: list[tuple[Question, Answer]]) -> Server:
    for question, heard in ((mx, answer), *services):
        if not heard.known:
            evidence = (("question", str(question)), ("status", str(heard.status)), ("server", heard.server))
            return Server(
                problem="session/submission-lookup-failed",
                detail=f"{question}: {heard.status}",
                evidence=evidence,
            )
    evidence = (("question", str(mx)), ("status", str(answer.status)), ("server", answer.server))
    if answer.status is Status.NXDOMAIN:
        return Server(problem="session/domain-does-not-exist", detail=domain, evidence=evidence)
    hosts = ", ".join(value.partition(" ")[2] for value in answer.values)
    return Server(
        problem="session/submission-server-unknown",
        detail=f"mail for it goes to {hosts}" if hosts else "",
        evidence=evidence,
    )
