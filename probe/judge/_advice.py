"""What to do where one's own submission server refuses a session that carries no message.

The general advice of a cause is for mail on its way to others: here nobody is to be suppressed, there is no
next MX host, and the recipient is the inbox itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from probe import catalogue
from probe.facts import Reply, Stage, Turn
from probe.rules import Cause, Family, Rule

__all__ = ["advice"]

_HERE: Mapping[Cause, str] = {
    Cause.RECIPIENT_UNKNOWN: "Ask the provider whether this mailbox exists: mail to it is refused.",
    Cause.RECIPIENT_INACTIVE: "Ask the provider why this mailbox takes no mail: replies to it are lost.",
    Cause.RECIPIENT_DOMAIN: "Check that this is the provider's submission server and knows the domain.",
    Cause.MAILBOX_FULL: "Empty the mailbox or raise its quota: until then it takes no replies.",
    Cause.RATE_LIMIT: "Wait some minutes, then probe once more, with fewer connections at a time.",
    Cause.RECEIVER_UNAVAILABLE: "Wait some minutes, then probe once more; if it stays, ask the provider.",
    Cause.POLICY: "Read the server's words; ask the provider whether this account may send, and from here.",
    Cause.RELAY: "Send as an address that this login owns, through the submission server of its provider.",
    Cause.UNKNOWN: "Read the server's words; ask the provider what they mean for this account.",
    Cause.CONTENT: "Ask the provider: no message was sent, so the sender or its address is judged.",
}
_PROTOCOL: Mapping[Stage, str] = {  # the client's words are ours, and right
    Stage.GREETING: "Check host and port: 587 with STARTTLS or 465 with TLS from the start.",
    Stage.EHLO: "Check host and port: every submission server (587, 465) takes EHLO.",
    Stage.STARTTLS: "Use TLS from the start (port 465) where the provider has it, and tell it of this.",
    Stage.MAIL: "Read the server's words, and try the provider's other port (587 or 465).",
    Stage.RCPT: "Read the server's words, and try the provider's other port (587 or 465).",
    Stage.AUTH: "Name another mechanism (--auth-mech plain or login), and use the provider's port.",
}
_AGAIN = (
    "Ask the provider whether this account may send: its login was accepted, and is then asked for again."
)


def advice(rule: Rule, turn: Turn) -> str:
    """What to do instead of what a rule says of a turn of a login session; empty: the rule says it well."""
    code = turn.heard.code if isinstance(turn.heard, Reply) else 0
    if code in {530, 535} and turn.stage in {Stage.MAIL, Stage.RCPT} and rule.cause is Cause.CREDENTIALS:
        return _AGAIN
    if rule.fix != _general(rule.cause) and rule.cause.family is not Family.SUPPRESS:
        return ""
    if rule.cause is Cause.PROTOCOL and code >= 500:
        return _PROTOCOL.get(turn.stage, "")
    return _HERE.get(Cause.RECEIVER_UNAVAILABLE if rule.cause is Cause.PROTOCOL else rule.cause, "")


def _general(cause: Cause) -> str:
    return catalogue.rule(f"standard/{cause.value.replace('_', '-')}").fix
