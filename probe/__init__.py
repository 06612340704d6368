"""probe asks mail servers and DNS what a sender needs to know before a launch.

The public API, some twenty names; each is imported when it is first used, so that ``import probe``
costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.checks import Domain as Domain
    from probe.facts import Fault as Fault
    from probe.facts import Grant as Grant
    from probe.facts import Inbox as Inbox
    from probe.facts import Limits as Limits
    from probe.facts import Reply as Reply
    from probe.facts import Secret as Secret
    from probe.facts import TlsMode as TlsMode
    from probe.facts import Transcript as Transcript
    from probe.rules import Finding as Finding
    from probe.rules import Outcome as Outcome
    from probe.rules import Report as Report
    from probe.rules import Verdict as Verdict
    from probe.run.creds import check_creds as check_creds
    from probe.run.doctor import check_machine as check_machine
    from probe.run.domain import check_domain as check_domain
    from probe.run.domain import check_domains as check_domains
    from probe.run.explain import explain_reply as explain_reply
    from probe.run.preflight import preflight as preflight
    from probe.run.rcpt import check_rcpt as check_rcpt
    from probe.wire.dns import Resolver as Resolver
    from probe.wire.network import Network as Network

__version__ = "0.1.0"

_HOME = {
    "Domain": "checks",
    "Fault": "facts",
    "Finding": "rules",
    "Grant": "facts",
    "Inbox": "facts",
    "Limits": "facts",
    "Network": "wire.network",
    "Outcome": "rules",
    "Reply": "facts",
    "Report": "rules",
    "Resolver": "wire.dns",
    "Secret": "facts",
    "TlsMode": "facts",
    "Transcript": "facts",
    "Verdict": "rules",
    "check_creds": "run.creds",
    "preflight": "run.preflight",
    "check_domain": "run.domain",
    "check_domains": "run.domain",
    "check_machine": "run.doctor",
    "check_rcpt": "run.rcpt",
    "explain_reply": "run.explain",
}

__all__ = [*_HOME]  # noqa: PLE0604  # the table is the list


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
