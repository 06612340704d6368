"""How the SASL mechanisms speak: one generator each, without I/O (RFC 4422).

A mechanism yields what to answer and is sent the decoded challenge. Its first yield is the initial
response, or None where the server speaks first. A generator that has no more to say ends: another
challenge is then one too many. It raises `Abort` where going on would be wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import stringprep
import unicodedata
from collections.abc import Callable, Generator, Mapping

from probe.facts import Secret

__all__ = [
    "BY_PROOF",
    "MECHANISMS",
    "PASSWORD",
    "TOKEN",
    "WITH_NONCE",
    "Abort",
    "Exchange",
    "carries",
    "challenge",
    "concluded",
    "exchange",
    "oauth_error",
    "prepared",
]

Exchange = Generator[bytes | None, bytes, None]
Mechanism = Callable[[str, Secret, str], Exchange]

_UNSAYABLE = re.compile("[\r\n\0\ud800-\udfff]")
_ACKNOWLEDGEMENTS = (b"", b"\x01")  # that a challenge was heard
MAX_ITERATIONS = 1_000_000  # SCRAM: what a hostile server may make us compute (about half a second)


class Abort(Exception):  # noqa: N818  # it ends an exchange, it is not an error
    """The exchange must be cancelled; the text is the problem part of a rule in session.toml."""


def _plain(user: str, secret: Secret, _nonce: str) -> Exchange:
    """PLAIN (RFC 4616): authorization identity left empty."""
    yield b"\0" + user.encode() + b"\0" + secret.reveal().encode()


def _login(user: str, secret: Secret, _nonce: str) -> Exchange:
    """LOGIN: no standard, so the server's prompts are read; each is answered by name, and only once."""
    answers = {"user": user.encode(), "pass": secret.reveal().encode()}
    prompt = yield None
    while answers:
        asked = _wanted(prompt, answers)
        prompt = yield answers.pop(asked)


# What a prompt of LOGIN asks for, by words that name nothing else.
_PROMPTS: Mapping[str, tuple[str, ...]] = {
    "user": ("user", "benutzer", "utilisateur", "usuario", "usuário", "utente", "пользовател", "用户"),
    "pass": ("pass", "kennwort", "contrase", "senha", "wachtwoord", "hasło", "парол", "密码", "パスワード"),
}


def _wanted(prompt: bytes, answers: Mapping[str, bytes]) -> str:
    """Which of the answers left a prompt wants; in words nobody knows, the customary order."""
    asked = prompt.decode("utf-8", "replace").lower()
    named = [name for name, words in _PROMPTS.items() if any(word in asked for word in words)]
    if named and answers.keys().isdisjoint(named):
        # Asked twice: the password must not be read as a user name and logged as one.
        raise Abort("prompt-repeated")
    return next((name for name in named if name in answers), next(iter(answers)))


def _cram_md5(user: str, secret: Secret, _nonce: str) -> Exchange:
    """CRAM-MD5 (RFC 2195)."""
    asked = yield None
    if not asked:
        raise Abort("challenge-unreadable")
    digest = hmac.new(secret.reveal().encode(), asked, "md5").hexdigest()
    yield user.encode() + b" " + digest.encode()


_SERVER_FIRST = re.compile(
    rb"r=([\x21-\x2b\x2d-\x7e]{1,1024}),s=([A-Za-z0-9+/=]{1,1024}),i=([1-9][0-9]{0,9})(?:,|\Z)"
)


def _scram_sha_256(user: str, secret: Secret, nonce: str) -> Exchange:
    """SCRAM-SHA-256 (RFC 5802, RFC 7677), no channel binding; the server must prove itself too."""
    name = prepared(user).replace("=", "=3D").replace(",", "=2C")
    first = f"n={name},r={nonce}".encode()
    server_first = yield b"n,," + first
    found = _SERVER_FIRST.match(server_first)
    if found is None or not found[1].startswith(nonce.encode()):
        raise Abort("challenge-unreadable")
    rounds = int(found[3])
    if rounds > MAX_ITERATIONS:
        raise Abort("scram-too-costly")
    try:
        salt = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        raise Abort("challenge-unreadable") from None
    salted = hashlib.pbkdf2_hmac("sha256", prepared(secret.reveal()).encode(), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    final = b"c=biws,r=" + found[1]
    spoken = b",".join((first, server_first, final))
    signature = hmac.digest(hashlib.sha256(client).digest(), spoken, "sha256")
    proof = bytes(left ^ right for left, right in zip(client, signature, strict=True))
    verifier = yield final + b",p=" + base64.b64encode(proof)
    expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), spoken, "sha256")
    said = verifier.partition(b",")[0]  # RFC 5802 section 7: extensions may follow
    if said.startswith(b"e="):
        said = (yield b"").partition(b",")[0]  # then the server refuses in its own words
    if said != b"v=" + base64.b64encode(expected):
        raise Abort("server-not-genuine")
    yield b""


def _xoauth2(user: str, secret: Secret, _nonce: str) -> Exchange:
    """XOAUTH2 (Google, Microsoft): a challenge holds the error as JSON and wants an empty answer."""
    yield f"user={user}\x01auth=Bearer {secret.reveal()}\x01\x01".encode()
    yield b""


def _oauthbearer(user: str, secret: Secret, _nonce: str) -> Exchange:
    """OAUTHBEARER (RFC 7628): a challenge holds the error as JSON and wants a lone ^A."""
    name = user.replace("=", "=3D").replace(",", "=2C")
    yield f"n,a={name},\x01auth=Bearer {secret.reveal()}\x01\x01".encode()
    yield b"\x01"


# In the order `auto` prefers them under verified TLS. PLAIN and LOGIN prove the password itself; a
# refusal by CRAM-MD5 or SCRAM may only mean that the server keeps no verifier of that kind, so they come
# last, and SCRAM only by name.
MECHANISMS: Mapping[str, Mechanism] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "SCRAM-SHA-256": _scram_sha_256,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
}
PASSWORD: tuple[str, ...] = ("PLAIN", "LOGIN", "CRAM-MD5")
# Without TLS: what hides it first.
PASSWORD_IN_CLEAR: tuple[str, ...] = ("SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN")
TOKEN = ("XOAUTH2", "OAUTHBEARER")
BY_PROOF = ("CRAM-MD5", "SCRAM-SHA-256")  # in which the server must keep something made for them
WITH_NONCE = ("SCRAM-SHA-256",)  # in which the server proves itself as well


def exchange(mechanism: str, user: str, secret: Secret, nonce: str) -> Exchange:
    """The exchange of one mechanism (a name of `MECHANISMS`); `nonce` is for SCRAM, printable ASCII."""
    return MECHANISMS[mechanism](user, secret, nonce)


def concluded(speaks: Exchange, text: str) -> bool:
    """Whether an exchange is at its end where the server accepts with these words.

    It is not while more than an acknowledgement is left to say: then the secret was not asked for, or the
    server has not proved itself. A proof belongs in a challenge (RFC 4954 section 4); beside the acceptance
    it is as good.
    """
    try:
        return speaks.send(challenge(text)) in _ACKNOWLEDGEMENTS
    except StopIteration:
        return True
    except Abort:
        return False


def carries(text: str) -> bool:
    """Whether a login can say it: a text without line break, NUL (RFC 4616) or half a character."""
    return _UNSAYABLE.search(text) is None


def challenge(text: str) -> bytes:
    """The bytes of a 334 line's text; servers that do not encode their prompts are taken at their word."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()
    if text.lower().startswith(("user", "pass")) and not decoded.isascii():
        return text.encode()  # "Password" happens to be valid base64
    return decoded


def oauth_error(text: str) -> str:
    """The error that a 334 challenge of XOAUTH2 or OAUTHBEARER holds, as compact JSON; else empty."""
    try:
        error = json.loads(challenge(text))
    except (ValueError, RecursionError):
        return ""
    return json.dumps(error, separators=(", ", ": "))[:1000] if isinstance(error, dict) else ""


def prepared(text: str) -> str:
    """SASLprep (RFC 4013): what SCRAM hashes. Text it forbids is returned as it is."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    forbidden = (
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    return text if any(test(char) for char in normal for test in forbidden) else normal
