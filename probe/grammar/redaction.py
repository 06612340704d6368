"""How a secret is found in what a server says, in whatever form it was echoed, and replaced.

A server cannot echo what it has not heard: until the secret has left us only a strong one is looked for,
and only as it is, so that the transcripts of two ordinary passwords are equal up to there.
"""

from __future__ import annotations

import base64
import bisect
import re
from collections.abc import Iterable, Iterator, Mapping

from probe.facts import Secret
from probe.grammar.encoded import SHORTEST, TELLING, Reading, forms, places, readings, skeletons

__all__ = ["MARK", "Redaction"]

MARK = b"***"
_PIECE = 6  # bytes in the smallest piece of a longer form that is hidden; shorter ones are looked for whole
_LONG_PIECE = 64  # bytes that are worth hiding, however long the form is
_POINTS = b" .,:;!?'\"()"
_JOINT = b"\n"
_SCRAM_FIRST = b"biws"  # base64 of "n,,": without channel binding (RFC 5802 section 7)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")
_STANDARD = bytes.maketrans(b"-_", b"+/")

# What servers say to everybody is no echo, and hiding a word of it would tell that it is the password.
# Whole lines alone: a word of them that stands among others is looked at like any other.
_EVERYDAY = re.compile(
    rb"""[2-5][0-9]{2}[ -](?:[245]\.[0-9]\.[0-9]{1,2}[ ])?(?:
    ok|(?:sender|recipient|reset)[ ]ok|accepted|resetting|flushed|bye|goodbye|logged[ ]in
    |(?:error:[ ])?authentication[ ](?:successful|succeeded|unsuccessful|failed)
    |(?:error:[ ])?authentication[ ]failed:[ ]authentication[ ]failure
    |authentication[ ]credentials[ ]invalid|incorrect[ ]authentication[ ]data
    |VXNlcm5hbWU6?=?|UGFzc3dvcmQ6?=?|VXNlciBOYW1lAA==|UGFzc3dvcmQA|(?:username|password):  # prompts of LOGIN
    |ready[ ]to[ ]start[ ]tls|closing[ ]connection|service[ ]closing[ ]transmission[ ]channel
    )[.:]?\r?\Z""",
    re.IGNORECASE | re.VERBOSE,
).match


class Redaction:
    """The forms of one secret, and of each blob that carried it on the wire."""

    def __init__(self, secret: Secret) -> None:
        self._plain = secret.reveal()
        self._early = self._plain.lower().encode() if _strong(self._plain) else b""
        self._left = False
        self._said: list[bytes] = []  # what has left since the forms were last worked out
        self._forms: dict[bytes, set[bytes]] = {}  # with the marks of each
        self._bones: Mapping[Reading, list[bytes]] = {}
        self._marks: set[bytes] = set()

    def leaves(self, line: bytes) -> None:
        """The secret leaves us in `line`: from here on a server may echo it, or the line's last word."""
        self._left = True
        self._said.append(line)

    def _prepare(self) -> None:
        """Works out what to look for: not before an answer comes that is more than an everyday reply."""
        written: set[bytes] = set()
        if not self._forms:
            written = forms(self._plain)
            self._bones = skeletons(self._plain)
        for line in self._said:
            word = line.rsplit(b" ", 1)[-1]
            # What SCRAM says first holds a name and a nonce, which the server's challenge has to repeat.
            if len(word) >= TELLING and not word.startswith(_SCRAM_FIRST):
                written |= {word.lower(), base64.b64encode(word).rstrip(b"=").lower(), word.hex().encode()}
        for form in written:
            self._forms[form] = _marks(form)
            self._marks |= self._forms[form]
        self._said.clear()

    def __call__(self, lines: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The lines, the secret in any form replaced by `MARK`; a secret split over lines included."""
        if not (self._left or self._early) or all(map(_EVERYDAY, lines)):
            return lines
        if self._left:
            lines = tuple(map(self._opened, lines))
        if not self._worth_a_look(lines):
            return lines
        # A reply is searched as one text, each line's code left out so that a split secret is whole.
        heads = [_HEAD.match(line) for line in lines]
        cuts = [found.end() if found else 0 for found in heads]
        bodies = [line[cut:] for line, cut in zip(lines, cuts, strict=True)]
        whole = _JOINT.join(bodies)
        hidden = _merged([*self._found(whole), *self._found_across(bodies), *self._found_apart(whole)])
        if not hidden:
            return lines
        shown = _masked(whole, hidden).split(_JOINT)
        return tuple(line[:cut] + body for line, cut, body in zip(lines, cuts, shown, strict=True))

    def _opened(self, line: bytes) -> bytes:
        """The line without the words of base64 that tell the secret; its code is no part of them."""
        cut = 4 if _HEAD.match(line) else 0
        return line[:cut] + _BASE64.sub(self._unless_it_tells, line[cut:])

    def _unless_it_tells(self, word: re.Match[bytes]) -> bytes:
        """A word of base64, `MARK` where what it stands for holds the secret: in JSON, escaped, in hex."""
        coded = word[0].rstrip(b"=").translate(_STANDARD)
        if len(coded) % 4 == 1:
            return word[0]
        meant = base64.b64decode(coded + b"==").replace(_JOINT, b" ")
        return word[0] if self((meant,)) == (meant,) else MARK

    def _worth_a_look(self, lines: tuple[bytes, ...]) -> bool:
        # Nearly every reply ends here: it shares not even a few bytes in a row with any form.
        if not self._left and len(lines) == 1:
            return self._early in lines[0].lower()
        text = _HEADS.sub(b"", _JOINT.join(lines)).replace(_JOINT, b"").lower()
        if not self._left:
            return self._early in text
        if self._said:
            self._prepare()
        return not self._marks.isdisjoint(_windows(text, SHORTEST)) or self._stands_apart(text)

    def _stands_apart(self, text: bytes) -> bool:
        return any(bone in said for how, said in readings(text) for bone in self._bones.get(how, ()))

    def _found_apart(self, text: bytes) -> Iterator[tuple[int, int]]:
        """The secret written with something between its letters, or letter by letter in another coding."""
        folded = text.lower()
        for how, said in readings(folded):
            for bone in self._bones.get(how, ()):
                if bone in said:
                    spots = places(folded, how)
                    for start, end in _occurrences(said, bone):
                        yield from _by_lines(folded, spots[start][0], spots[end - 1][1])

    def _found(self, text: bytes) -> Iterator[tuple[int, int]]:
        folded = text.lower()
        known = self._forms if self._left else {self._early: _marks(self._early)}
        near = set(_windows(folded, SHORTEST))
        sought = [form for form, marks in known.items() if not marks.isdisjoint(near)]
        for form in sought:
            yield from _occurrences(folded, form)
        yield from _fragments(folded, sought)

    def _found_across(self, bodies: list[bytes]) -> Iterator[tuple[int, int]]:
        # Positions in the text without line ends, moved to where they are in the text with them.
        if len(bodies) < 2:
            return
        ends: list[int] = []
        total = 0
        for body in bodies:
            total += len(body)
            ends.append(total)
        for start, end in _merged([*self._found(b"".join(bodies))]):
            at, index = start, bisect.bisect_right(ends, start)
            while at < end:
                if at < ends[index]:  # nothing of a line that is empty
                    yield at + index, min(end, ends[index]) + index
                at = ends[index]
                index += 1


def _by_lines(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A span as its parts on each line."""
    while (cut := text.find(_JOINT, start, end)) >= 0:
        if start < cut:
            yield start, cut
        start = cut + 1
    yield start, end


def _piece(form: bytes) -> int:
    """How many bytes in a row of a form are worth hiding: a third of it at most, all of a short one."""
    size = min(max(_PIECE, -(-len(form) // 3)), _LONG_PIECE)
    return size if len(form) >= TELLING else len(form)


def _marks(form: bytes) -> set[bytes]:
    """A few bytes of a form, so chosen that every piece of it worth hiding has some of them."""
    step = _piece(form) - SHORTEST + 1
    return {form[at : at + SHORTEST] for at in range(0, len(form) - SHORTEST + 1, step)}


def _strong(plain: str) -> bool:
    return len(plain) >= 8 and not plain.isalpha()


_HEAD = re.compile(rb"[2-5][0-9]{2}[ -]")
_HEADS = re.compile(rb"(?:\A|\n)[2-5][0-9]{2}[ -]")


def _occurrences(text: bytes, form: bytes) -> Iterator[tuple[int, int]]:
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        yield start, end
        start = text.find(form, end)


def _windows(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(len(text) - size + 1))


def _fragments(text: bytes, forms: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Pieces of the forms that are not mere words or numbers, which are anybody's.

    Each text is walked once, however long the other is: a secret may be a long token, and a reply an echo.
    """
    by_size: dict[int, list[bytes]] = {}
    for form in forms:
        if (size := _piece(form)) < len(form):
            by_size.setdefault(size, []).append(form)
    for size, alike in by_size.items():
        near = set(_windows(text, size))
        shared = {piece for form in alike for piece in _windows(form, size) if piece in near}
        telling = {piece for piece in shared if _telling(piece)}
        if telling:
            yield from ((at, at + size) for at, piece in enumerate(_windows(text, size)) if piece in telling)


def _telling(piece: bytes) -> bool:
    core = piece.strip(_POINTS).replace(b" ", b"")
    return bool(core) and not (core.isalpha() or core.isdigit())


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _masked(text: bytes, spans: list[tuple[int, int]]) -> bytes:
    out: list[bytes] = []
    at = 0
    for start, end in spans:
        out += (text[at:start], MARK, _JOINT * text.count(_JOINT, start, end))
        at = end
    out.append(text[at:])
    return b"".join(out)
