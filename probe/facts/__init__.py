"""What was asked and what was observed: nothing in this room has an opinion.

Facts are frozen. What the network did *not* do is a fact too (`Fault`), so no probe ends in an
exception; exceptions are for our own bugs and for wrong use.
"""

from __future__ import annotations

from probe.facts.asked import Grant, Inbox, Limits, TlsMode
from probe.facts.records import ROOT, Answer, Question, Records, Status
from probe.facts.session import Certificate, Ending, Fault, Reply, Stage, Tls, Turn
from probe.facts.text import BARE, Secret, counted, escape, shortened, unescape, unmarked
from probe.facts.transcript import Transcript

__all__ = [
    "BARE",
    "ROOT",
    "Answer",
    "Certificate",
    "Ending",
    "Fault",
    "Grant",
    "Inbox",
    "Limits",
    "Question",
    "Records",
    "Reply",
    "Secret",
    "Stage",
    "Status",
    "Tls",
    "TlsMode",
    "Transcript",
    "Turn",
    "counted",
    "escape",
    "shortened",
    "unescape",
    "unmarked",
]
