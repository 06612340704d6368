"""The MTA-STS policy of a domain as it was served: no MX may be moved to a host that it leaves out."""

from __future__ import annotations

from probe.checks._evidence import seen_answer
from probe.facts import Answer, Question, Records
from probe.grammar import mtasts
from probe.grammar.mtasts import Policy

__all__ = ["leaves_out", "policy_question", "served"]

_PARTS = 4  # of what was fetched: the status, the media type, where a redirection leads, the file


def policy_question(name: str) -> Question:
    """Where the policy file stands (RFC 8461 section 3.3)."""
    return Question(f"https://mta-sts.{name}/.well-known/mta-sts.txt", "HTTP")


def served(answer: Answer) -> tuple[str, ...]:
    """The parts of what was fetched; empty where nothing was, and nothing is known of a policy."""
    return answer.values if answer.known and len(answer.values) >= _PARTS else ()


def leaves_out(name: str, host: str, seen: Records) -> bool:
    """Whether the domain has a policy in force, as far as it was fetched, that does not allow a host."""
    parts = served(seen_answer(seen, policy_question(name)))
    policy = mtasts.policy(parts[3]) if parts and parts[0] == "200" else Policy("none", 0, ())
    if policy.problems or policy.mode == "none":
        return False
    return not any(mtasts.covers(pattern, host) for pattern in policy.mx)
