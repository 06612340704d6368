"""How to read a delivery status notification (RFC 3464) and an abuse report (RFC 5965).

Both are groups of fields. A field that is missing, misspelt or in the wrong group is the ordinary case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from probe.grammar.delivery import MAX_REPLY, Delivery, codes, folded, spoken, unrepeated

__all__ = ["MARKS", "MAX_RECIPIENTS", "address", "feedback", "status"]

MAX_RECIPIENTS = 10_000  # of one mail

MARKS = ("final-recipient:", "original-recipient:", "diagnostic-code:")

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:[ \t]*(.*)")
_TYPE = re.compile(r"\s*[A-Za-z0-9-]{1,40}\s*;\s*")
_AT = re.compile(r"<?([^\s<>;,:\"()]{1,250}@[^\s<>;,\"()]{1,250})>?")
_NAME = re.compile(r"[^\s()<>;]{1,255}")
# The fields that somebody asks for. Others are passed over: a report may have a million of its own making.
_READ = frozenset(
    {"final-recipient", "original-recipient", "diagnostic-code", "status", "action", "remote-mta",
     "reporting-mta",
     "feedback-type", "original-rcpt-to", "removal-recipient", "original-mail-from", "source-ip",
     "authentication-results"}
)  # fmt: skip
_MAX_LINES = 200  # of one field
_MAX_VALUE = 4 * MAX_REPLY  # characters of one field
_ONCE = frozenset({"final-recipient", "original-recipient"})
_NO_TEXT = frozenset({"", "smtp", "n/a", "none", "(null)"})


def address(value: str) -> str:
    """The address in a typed field value (``rfc822; a@example.com``); the bare value where it holds none."""
    value = value[:1000]
    if found := _AT.search(value):
        return found[1].strip("'").rstrip(".")
    bare = value.partition(";")[2] if ";" in value else value
    return bare.strip().strip("<>")[:320]


def _untyped(value: str) -> str:
    """A value without its type (``dns; mx.example.com``)."""
    return value[found.end() :] if (found := _TYPE.match(value)) else value


def _groups(text: str) -> Iterator[dict[str, str]]:
    """The groups of fields that are read, names in lower case; fields of one name are one, of several lines.

    A group is small, whatever the report: it is looked at once for every recipient.
    """
    group: dict[str, list[str]] = {}
    last: list[str] = []
    for line in text.splitlines():
        if not line.strip():
            if group:
                yield _joined(group)
            group, last = {}, []
        elif line[0] not in " \t" and (found := _FIELD.match(line[:MAX_REPLY])):
            name = found[1].lower()
            if name in group and name in _ONCE:  # the blank line between two recipients was left out
                yield _joined(group)
                group = {}
            last = group.setdefault(name, []) if name in _READ else []
            last.append(found[2].strip())
        else:  # a fold, or a broken one
            last.append(line[:MAX_REPLY].strip())
        del last[_MAX_LINES:]
    if group:
        yield _joined(group)


def _joined(group: dict[str, list[str]]) -> dict[str, str]:
    return {name: "\n".join(value)[:_MAX_VALUE] for name, value in group.items()}


def status(text: str) -> list[Delivery]:
    """The recipients of a delivery status, at most `MAX_RECIPIENTS`, in order.

    Some reporters leave the blank line between two recipients out, some put one into the middle of a group: a
    group without a recipient adds to the one before, and what the first group says holds for all.
    """
    common: dict[str, str] = {}
    people: list[dict[str, str]] = []
    for group in _groups(text):
        if "final-recipient" in group or "original-recipient" in group:
            if len(people) == MAX_RECIPIENTS:
                break
            people.append(group)
        elif people and ("diagnostic-code" in group or "status" in group):
            people[-1] = {**group, **people[-1]}
        else:
            common = {**group, **common}
    if not people and ("diagnostic-code" in common or "status" in common):
        people = [common]
    reporter = _name(common.get("reporting-mta", ""))
    return [_recipient({**common, **group}, reporter) for group in people]


def _recipient(group: dict[str, str], reporter: str) -> Delivery:
    final, original = group.get("final-recipient", ""), group.get("original-recipient", "")
    whom = address(final.split("\n")[0]) or address(original.split("\n")[0])
    if "@" not in whom and "@" in original:
        whom = address(original)
    first = address(original)
    said, stage = spoken(reply_of(group.get("diagnostic-code", "")))
    code, enhanced = codes(said)
    stated = codes(group.get("status", ""))[1]
    return Delivery(
        recipient=whom,
        reply=said,
        action=re.split(r"[\s(]", group.get("action", "").lower().strip(), maxsplit=1)[0],
        code=code,
        enhanced=enhanced if enhanced and not enhanced.endswith(".0.0") else stated or enhanced,
        stage=stage,
        remote_mta=_name(group.get("remote-mta", "").split("\n")[0]),
        reporting_mta=reporter or _name(group.get("reporting-mta", "")),
        original=first if "@" in first and first.lower() != whom.lower() else "",
    )


def reply_of(diagnostic: str) -> str:
    """The server's words in a Diagnostic-Code, without type, on one line."""
    text = folded(diagnostic)
    if (found := _TYPE.match(text)) and not text[: found.end()].strip().startswith(("550", "554")):
        text = text[found.end() :]
    if text.strip().lower() in _NO_TEXT or len(text) < 4:  # an exit status of a program is no text
        return ""
    return unrepeated(text, codes(text)[0])


def _name(value: str) -> str:
    """The host in ``dns; mx.example.com (192.0.2.1)``."""
    found = _NAME.search(_untyped(value[:1000]))
    return found[0].strip("[]").rstrip(".").lower() if found else ""


def feedback(text: str) -> dict[str, str]:
    """The fields of an abuse or authentication report that are read, names in lower case, one line each."""
    whole: dict[str, str] = {}
    for group in _groups(text[:65536]):
        whole = {**group, **whole}
    return {name: folded(value) for name, value in whole.items()}
