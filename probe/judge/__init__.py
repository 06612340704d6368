"""Facts -> findings: pure, total, deterministic.

What a reply means stands in the catalogue; here is only which reply decides, and what may be concluded
from it. The order of the questions is the order of a session.
"""

from __future__ import annotations

from probe.judge.grant import denied, fresh
from probe.judge.login import Conclusion, judge_login
from probe.judge.session import evidence_of, mechanism_of, offered, tls_as_told
from probe.judge.typed import typed, withheld

__all__ = [
    "Conclusion",
    "denied",
    "evidence_of",
    "fresh",
    "judge_login",
    "mechanism_of",
    "offered",
    "tls_as_told",
    "typed",
    "withheld",
]
