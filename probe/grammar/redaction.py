"""How a secret is found in what a server says, in whatever form it was echoed, and replaced.

A server cannot echo what it has not heard: until the secret has left us only a strong one is looked for,
and only as it is, so that the transcripts of two ordinary passwords are equal up to there.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import quopri
import re
import urllib.parse
from collections.abc import Iterator

from probe.facts import Secret

__all__ = ["MARK", "Redaction"]

MARK = b"***"
_SHORTEST = 4  # a shorter secret cannot be told from ordinary text
_PIECE = 6  # bytes in the smallest piece of a longer form that is hidden
_BREAKABLE = 8  # shorter forms are not looked for in pieces
_POINTS = b" .,:;!?'\"()"
_JOINT = b"\n"

# What servers say to everybody is no echo, and hiding a word of it would tell that it is the password.
# Whole lines alone: a word of them that stands among others is looked at like any other.
_EVERYDAY = re.compile(
    rb"""[2-5][0-9]{2}[ -](?:[245]\.[0-9]\.[0-9]{1,2}[ ])?(?:
    ok|(?:sender|recipient|reset)[ ]ok|accepted|resetting|flushed|bye|goodbye|logged[ ]in
    |(?:error:[ ])?authentication[ ](?:successful|succeeded|unsuccessful|failed)
    |(?:error:[ ])?authentication[ ]failed:[ ]authentication[ ]failure
    |authentication[ ]credentials[ ]invalid|incorrect[ ]authentication[ ]data
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
        self._whole: list[bytes] = []
        self._blobs: list[bytes] = []
        self._bones: list[bytes] = []
        self._marks: set[bytes] = set()

    def leaves(self, line: bytes) -> None:
        """The secret leaves us in `line`: from here on a server may echo it, or the line's last word."""
        self._left = True
        self._said.append(line)

    def _prepare(self) -> None:
        """What to look for; worked out when the first answer is more than what everybody hears."""
        if not self._bones and not self._whole:
            self._whole = sorted(_forms(self._plain), key=len, reverse=True)
            self._bones = _skeletons(self._plain)
            self._marks |= _marks(self._whole)
        for line in self._said:
            word = line.rsplit(b" ", 1)[-1]
            if len(word) >= _BREAKABLE:
                blobs = [word.lower(), base64.b64encode(word).rstrip(b"=").lower(), word.hex().encode()]
                self._blobs += blobs
                self._marks |= _marks(blobs)
        self._said.clear()

    def __call__(self, lines: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The lines, the secret in any form replaced by `MARK`; a secret split over lines included."""
        if not (self._left or self._early) or all(map(_EVERYDAY, lines)) or not self._worth_a_look(lines):
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

    def _worth_a_look(self, lines: tuple[bytes, ...]) -> bool:
        # Nearly every reply ends here: it shares not even a few bytes in a row with any form.
        if not self._left and len(lines) == 1:
            return self._early in lines[0].lower()
        text = _HEADS.sub(b"", _JOINT.join(lines)).replace(_JOINT, b"").lower()
        if not self._left:
            return self._early in text
        if self._said:
            self._prepare()
        near = [text[at : at + _SHORTEST] for at in range(len(text) - _SHORTEST + 1)]
        return not self._marks.isdisjoint(near) or self._stands_apart(text)

    def _stands_apart(self, text: bytes) -> bool:
        bare = _bare(text)
        return any(form in bare for form in self._bones)

    def _found_apart(self, text: bytes) -> Iterator[tuple[int, int]]:
        """The secret written with something between its letters, or with its signs in another coding."""
        folded = text.lower()
        if not self._stands_apart(folded):
            return
        kept = [found.start(1) for found in _LETTERS.finditer(folded) if found[1]]
        bare = bytes(folded[at] for at in kept)
        for form in self._bones:
            for start, end in _occurrences(bare, form):
                yield from _by_lines(folded, kept[start], kept[end - 1] + 1)

    def _found(self, text: bytes) -> Iterator[tuple[int, int]]:
        folded = text.lower()
        forms = [*self._blobs, *self._whole] if self._left else [self._early]
        for form in forms:
            yield from _occurrences(folded, form)
            yield from _fragments(folded, form)

    def _found_across(self, bodies: list[bytes]) -> Iterator[tuple[int, int]]:
        # Positions in the text without line ends, moved to where they are in the text with them.
        if len(bodies) < 2:
            return
        ends: list[int] = []
        total = 0
        for body in bodies:
            total += len(body)
            ends.append(total)
        for start, end in self._found(b"".join(bodies)):
            for index, line_end in enumerate(ends):
                line_start = line_end - len(bodies[index])
                low, high = max(start, line_start), min(end, line_end)
                if low < high:
                    yield low + index, high + index


# A sign in the coding of HTML, a link, quoted-printable or JSON; else a letter or digit to keep; else a sign.
_CODED = rb"&#?[0-9a-z]{1,8};|[=%](?:25){0,4}[0-9a-f]{2}|\\u00[0-9a-f]{2}"
_CODES = re.compile(_CODED)
_LETTERS = re.compile(_CODED + rb"|([0-9a-z\x80-\xff])")
_SIGNS = bytes(byte for byte in range(128) if not chr(byte).isalnum())


def _bare(text: bytes) -> bytes:
    """Lower-case text without anything but letters and digits."""
    return _CODES.sub(b"", text).translate(None, _SIGNS)


def _skeletons(plain: str) -> list[bytes]:
    """The letters and digits of a secret and of its base64; none that may be mere words or numbers."""
    data = plain.encode()
    forms = {_bare(data.lower()), _bare(base64.b64encode(data).lower())}
    return [form for form in forms if len(form) >= _BREAKABLE and not (form.isalpha() or form.isdigit())]


def _by_lines(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A span as its parts on each line."""
    while (cut := text.find(_JOINT, start, end)) >= 0:
        if start < cut:
            yield start, cut
        start = cut + 1
    yield start, end


def _piece(form: bytes) -> int:
    """How many bytes in a row of a form are worth hiding: a third of it, all of a short one."""
    size = max(_PIECE, -(-len(form) // 3))
    return size if len(form) >= _BREAKABLE else len(form)


def _marks(forms: list[bytes]) -> set[bytes]:
    """A few bytes of the forms, so chosen that every piece of them worth hiding has some of them."""
    step = min(map(_piece, forms), default=_SHORTEST) - _SHORTEST + 1
    text = _JOINT.join(forms)
    return {text[at : at + _SHORTEST] for at in range(0, len(text) - _SHORTEST + 1, step)}


def _strong(plain: str) -> bool:
    return len(plain) >= 8 and not plain.isalpha()


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_HEAD = re.compile(rb"[2-5][0-9]{2}[ -]")
_HEADS = re.compile(rb"(?:\A|\n)[2-5][0-9]{2}[ -]")


def _forms(plain: str) -> set[bytes]:
    """Every way a secret is commonly written down, lower case."""
    data = plain.encode()
    digits, spaced = data.hex(), data.hex(" ")
    written = {
        data,
        data[::-1],
        urllib.parse.quote(plain, safe="").encode(),
        urllib.parse.quote_plus(plain).encode(),
        html.escape(plain).encode(),
        html.escape(plain, quote=False).encode(),
        json.dumps(plain)[1:-1].encode(),
        quopri.encodestring(data).strip(),
        digits.encode(),
        spaced.encode(),
        spaced.replace(" ", ":").encode(),
        plain.encode("utf-16-le").hex().encode(),
        f"%{spaced.replace(' ', '%')}".encode(),
    }
    with contextlib.suppress(UnicodeEncodeError):
        written.add(plain.encode("latin-1"))
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + data)
        # what stays the same wherever the secret stands in a longer encoded text
        cores = [coded[4 if offset else 0 : len(coded) - 4]]
        if offset == 0:
            cores.append(coded.rstrip(b"="))
        for core in cores:
            written.update((core, core.translate(_URL_SAFE)))
    written.add(base64.b32encode(data).rstrip(b"="))
    written.add(base64.b64encode(base64.b64encode(data)).rstrip(b"="))
    return {form.lower() for form in written if len(form) >= _SHORTEST} if len(data) >= _SHORTEST else set()


def _occurrences(text: bytes, form: bytes) -> Iterator[tuple[int, int]]:
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        yield start, end
        start = text.find(form, end)


def _fragments(text: bytes, form: bytes) -> Iterator[tuple[int, int]]:
    """Pieces of a form that are not mere words or numbers, which are anybody's."""
    size = _piece(form)
    if size == len(form):
        return
    pieces = {form[at : at + size] for at in range(len(form) - size + 1)}
    for piece in pieces:
        core = piece.strip(_POINTS).replace(b" ", b"")
        if not core or core.isalpha() or core.isdigit():
            continue
        yield from _occurrences(text, piece)


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
