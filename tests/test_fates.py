"""What became of a message, as its report tells it: a delay blames nobody, and a fate needs no reply."""

from __future__ import annotations

import pytest

from probe.grammar.delivery import Delivery
from probe.rules import Verdict
from probe.run.bounces import Pile, explain_delivery
from probe.run.explain import explain_reply

NOT_FOUND = "Host or domain name not found. Name service error for name=corp.example type=MX: Host not found"


def fate(action: str, reply: str, **more: str) -> tuple[str, Verdict, bool]:
    """The rule, the verdict, and whether the address would be suppressed."""
    told = Delivery(recipient="bob@corp.example", action=action, reply=reply, **more)  # type: ignore[arg-type]
    finding = explain_delivery(told).findings[0]
    pile = Pile("-")
    pile.delivery(told)
    return finding.rule.id, finding.verdict, bool(pile.fleet.bad)


def test_a_failure_blames_the_domain_that_a_delay_does_not() -> None:
    assert fate("failed", NOT_FOUND) == ("english/domain-unknown", Verdict.FAIL, True)
    assert fate("delayed", f"{NOT_FOUND}, try again") == ("english/domain-unknown", Verdict.WAIT, False)
    assert fate("delayed", "user unknown in the alias table") == ("english/user-unknown", Verdict.WAIT, False)


def test_a_server_that_says_never_is_believed_though_somebody_tries_again() -> None:
    said = "550 5.1.1 no such user"
    assert fate("delayed", said, code="550") == ("english/user-unknown", Verdict.FAIL, True)


@pytest.mark.parametrize(
    "reply",
    ["", "The message waits for the moon", "4.0.0", "retry time not reached", "4.4.7"],
)
def test_a_delay_of_which_nothing_else_is_known_is_to_be_waited_for(reply: str) -> None:
    assert fate("delayed", reply) == ("mail/delayed", Verdict.WAIT, False)


def test_an_enhanced_code_of_class_4_is_for_now_without_a_reply_code() -> None:
    finding = explain_reply("4.1.1 user unknown").findings[0]
    assert (finding.verdict, finding.rule.answer("recipient_bad")) == (Verdict.WAIT, False)


def test_a_status_without_detail_adds_nothing_to_a_reply_code() -> None:
    assert fate("delayed", "421 Too busy", code="421", enhanced="4.0.0")[1] is Verdict.WAIT
    assert fate("failed", "550 no such user", code="550", enhanced="5.0.0")[0] == "english/user-unknown"


def test_a_status_is_believed_where_the_words_beside_it_say_less() -> None:
    words = "Delivery to the following recipients failed."
    assert fate("failed", words, enhanced="5.1.1") == ("standard/enhanced-1-1", Verdict.FAIL, True)
    assert fate("failed", words, enhanced="5.0.0")[0] == "english/failed"
    assert fate("failed", "Service unavailable", enhanced="5.7.1")[:2] == (
        "standard/enhanced-7-1",
        Verdict.FAIL,
    )
