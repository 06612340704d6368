"""Claims about the receiver and the session: its domain, who may relay, the order of commands, the login."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from probe.checks import Domain, mx
from probe.checks._evidence import seen_answer
from probe.facts import Question, Records, Reply, Stage, Transcript, Turn, shortened
from probe.grammar import sasl
from probe.judge._joined_origin import receives, receives_questions
from probe.judge.joined import Case, Claim, Conclusion, Status, concluded, dns, domain_of, says
from probe.judge.session import evidence_of, mechanism_of, offered, on_the_way, took_on
from probe.rules import Cause

__all__ = ["CLAIMS"]

_NO_SESSION = "the session in which it was said is not known"


def _turn(turn: Turn) -> Mapping[str, str]:
    return {"fact": "session", **({"said": turn.said} if turn.said else {}), **evidence_of(turn)}


# -- the recipient's domain -----------------------------------------------------------------------


def _there(case: Case) -> str:
    return domain_of(case.recipient)


def _domain_ask(case: Case, seen: Records) -> Iterable[Question]:
    return receives_questions(_there(case), seen)


def _domain(case: Case, seen: Records) -> Conclusion:
    name = _there(case)
    claim = f"no mail can be delivered to {name or 'the domain of the recipient'}"
    if not name:
        return concluded(Status.UNCONFIRMED, claim, "the recipient is not known (--rcpt-to)")
    takes, because = receives(name, seen)
    if takes:
        because += ": the reply came from a host with an older view, or by the wrong route"
    status = {None: Status.UNCONFIRMED, False: Status.CONFIRMED, True: Status.REFUTED}[takes]
    return concluded(status, claim, because, dns(seen, *receives_questions(name, seen)))


# -- relay ----------------------------------------------------------------------------------------


def _relay_ask(case: Case, seen: Records) -> Iterator[Question]:
    if name := _there(case):
        yield from mx.ask(Domain(name), seen)


def _relay(case: Case, seen: Records) -> Conclusion:
    name = _there(case)
    claim = f"{case.server or 'the server'} is not responsible for {name or 'the domain of the recipient'}"
    if not name or not case.server:
        return concluded(Status.UNCONFIRMED, claim, "the recipient or the server that answered is not known")
    question = Question(name, "MX")
    answer = seen_answer(seen, question)
    facts = dns(seen, question)
    if not answer.known:
        return concluded(Status.UNCONFIRMED, claim, "the MX records could not be looked up", facts)
    hosts = [each.host for each in mx.exchanges(name, seen) if each.host]
    takes, because = (True, "") if hosts else receives(name, seen)
    if not takes:  # then no server is
        return concluded(Status.UNCONFIRMED if takes is None else Status.CONFIRMED, claim, because, facts)
    hosts = hosts or [name]
    addresses = {value for host in hosts for kind in ("A", "AAAA") for value in seen.of(host, kind)}
    if case.server.lower().rstrip(".") in hosts or {case.server.strip("[]"), case.peer} & addresses:
        because = "DNS names it as a mail server of the domain: the fault is in its configuration"
        return concluded(Status.REFUTED, claim, because, facts)
    because = f"mail for {name} goes to {', '.join(hosts[:3])}: the route is wrong or old"
    return concluded(Status.CONFIRMED, claim, because, facts)


# -- the order of commands ------------------------------------------------------------------------


def _sequence(case: Case, _seen: Records) -> Conclusion:
    session = case.session
    claim = "a command before this one failed, and this reply only follows from it"
    if session is None:
        return concluded(Status.UNCONFIRMED, claim, _NO_SESSION)
    first = _first_failing(session)
    if first is None or str(getattr(first.heard, "code", "")) == str(case.code):
        because = "no command before it failed"
        return concluded(Status.REFUTED, claim, because, map(_turn, session.turns[-3:]))
    because = f"{first.stage} was answered {_short(first)} before"
    return concluded(Status.CONFIRMED, claim, because, [_turn(first)])


def _first_failing(session: Transcript) -> Turn | None:
    turns = [turn for turn in session if turn.stage not in {Stage.RSET, Stage.QUIT}]
    for index, turn in enumerate(turns):
        if not took_on(turn) and not on_the_way(turn, turns[index + 1 :]):
            return turn
    return None


def _short(turn: Turn) -> str:
    return shortened(str(turn.heard).split("\n", 1)[0], 120)


def _before(case: Case, _seen: Records) -> Conclusion:
    """530: something has to come first, TLS or a login (RFC 3207 section 4, RFC 4954 section 6)."""
    starttls = "starttls" in case.words or "encrypt" in case.words or " tls" in case.words
    claim = "TLS has to come first" if starttls else "a login has to come first"
    session = case.session
    if session is None:
        return concluded(Status.UNCONFIRMED, claim, _NO_SESSION)
    said = next((turn for turn in session if str(getattr(turn.heard, "code", "")) == str(case.code)), None)
    before, after = offered(session)
    facts = [*map(_turn, session.of(Stage.EHLO)[-1:])]
    if starttls:
        if said is not None and said.secure:
            return concluded(Status.REFUTED, claim, "the session was under TLS already", facts)
        because = "the session was not under TLS; STARTTLS is " + (
            "offered" if "STARTTLS" in before else "not offered"
        )
        return concluded(Status.CONFIRMED, claim, because, facts)
    proven = [turn for turn in session.of(Stage.AUTH) if took_on(turn)]
    if proven:
        return concluded(Status.REFUTED, claim, "AUTH had succeeded before", map(_turn, proven[-1:]))
    offers = " ".join(after.mechanisms or before.mechanisms)
    because = f"no AUTH came before; the server offers {offers}" if offers else "no AUTH came before"
    return concluded(Status.CONFIRMED, claim, because, facts)


# -- the login ------------------------------------------------------------------------------------

_METHOD = re.compile(
    r"basic authentication|smtpclientauthentication|app(?:lication)?[- ]specific|application password|"
    r"app password|mechanism|oauth"
)


def _login(case: Case, _seen: Records) -> Conclusion:
    method = bool(_METHOD.search(case.words)) or case.code in {504, 538}
    claim = "this way to log in is not accepted" if method else "user name or password are wrong"
    session = case.session
    if session is None:
        return concluded(Status.UNCONFIRMED, claim, _NO_SESSION)
    before, after = offered(session)
    secure = any(turn.secure for turn in session.of(Stage.AUTH))
    names = (after if secure else before).mechanisms
    used = mechanism_of(session).upper()
    ehlo = next((turn for turn in reversed(session.of(Stage.EHLO)) if isinstance(turn.heard, Reply)), None)
    facts = [_turn(ehlo)] if ehlo is not None else []
    offers = f"the server offers {' '.join(names) or 'no mechanism'}, {used or 'none'} was used"
    if method and names and set(names) <= set(sasl.TOKEN):
        return concluded(Status.CONFIRMED, claim, f"{offers}: tokens only", facts)
    if used and names and used not in names:
        status = Status.CONFIRMED if method else Status.REFUTED
        return concluded(status, claim, f"{offers}, which is not offered", facts)
    if method:
        return concluded(Status.LIKELY, claim, offers, facts)
    return concluded(Status.UNCONFIRMED, claim, f"{offers}; only the provider knows the password", facts)


# -- the table ------------------------------------------------------------------------------------

_NO_QUESTIONS: tuple[Question, ...] = ()


def _nothing(_case: Case, _seen: Records) -> Iterable[Question]:
    return _NO_QUESTIONS


def _blames_domain(case: Case) -> bool:
    return case.cause is Cause.RECIPIENT_DOMAIN or case.status in {"1.2", "1.10"}


# What a login may send as is refused under the same cause, and says nothing of where the mail should go.
_OF_THE_SENDER = says(
    r"\bsender\b", r"\bsend(?:ing)? (?:\S{1,20} ){0,2}as\b", r"sendas", r"disallowed as\b", r"\b5\.7\.60\b",
    r"\b(?:sending|from|mail ?from) (?:address|domain|header|must|should|has to)\b", r"not owned by",
    r"not verified", r"authori[sz](?:ed|ation) user", r"authenticated", r"credentials", r"local users? only",
)  # fmt: skip


def _blames_relay(case: Case) -> bool:
    """Before RCPT no recipient was named, and who lets us log in is no MX: there it is us who are refused."""
    return (
        case.cause is Cause.RELAY
        and case.stage in {"", "rcpt"}
        and case.code != 530
        and not (case.session is not None and any(map(took_on, case.session.of(Stage.AUTH))))
        and not _OF_THE_SENDER.search(case.words)
    )


def _blames_order(case: Case) -> bool:
    return case.code == 503


def _wants_before(case: Case) -> bool:
    return case.code == 530


def _blames_login(case: Case) -> bool:
    return case.code in {504, 534, 535, 538} and case.stage in {"", "auth"}


CLAIMS = (
    Claim("order", _blames_order, _nothing, _sequence, local=True),
    Claim("first", _wants_before, _nothing, _before, local=True),
    Claim("login", _blames_login, _nothing, _login, local=True),
    Claim("recipient-domain", _blames_domain, _domain_ask, _domain),
    Claim("relay", _blames_relay, _relay_ask, _relay),
)
