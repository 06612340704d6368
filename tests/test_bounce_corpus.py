"""Real bounces, from a public corpus beside the project: recipient and reply are found in nearly all."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from probe.grammar.bounce import bounces

DATA = Path(__file__).parents[2] / "shared" / "data" / "replies"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared with the corpus of bounces is not there")


def words(text: str) -> list[str]:
    return re.sub(r"[^\w@.#-]+", " ", text.lower()).split()


def same(read: str, expected: str) -> bool:
    """Whether four fifths of the expected words were read, or what was read is a telling part of them."""
    want, got = words(expected), words(read)
    held = sum((Counter(want) & Counter(got)).values())
    return held >= 0.8 * len(want) or (len(got) >= 3 and " ".join(got) in " ".join(want))


def test_recipients_and_replies_are_found() -> None:
    expected: dict[str, list[str]] = defaultdict(list)
    for line in (DATA / "bounce_sisimai.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        expected[row["id"].split("#")[0]].append(row["reply"])
    texts, text_found, recipient_found = 0, 0, 0
    for name, replies in expected.items():
        found = bounces((DATA / "eml" / f"{name}.eml").read_bytes())
        recipient_found += any("@" in one.recipient for one in found)
        for reply in filter(None, replies):
            texts += 1
            text_found += any(same(one.reply, reply) for one in found)
    assert recipient_found >= 0.98 * len(expected)
    assert text_found >= 0.95 * texts
