"""The server's half of SASL (RFC 4422): one generator a mechanism, each checks the account for real.

A mechanism yields a challenge and is sent the client's response, both decoded; it returns whether the
credentials are right. It is started with the client's initial response, None where there was none.
`MalformedError` ends an exchange early (RFC 4954 section 4).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

__all__ = ["MECHANISMS", "Account", "Exchange", "MalformedError", "Mechanism", "decode"]


@dataclass(frozen=True, slots=True)
class Account:
    """The one account of a fake server. An `impostor` does not know the password it asks for."""

    user: str
    password: str
    impostor: bool = False

    def is_(self, user: bytes, password: bytes) -> bool:
        """Whether these are the account's user and password (or access token)."""
        return user == self.user.encode() and password == self.password.encode()


class MalformedError(ValueError):
    """A response that is not base64, or not what the mechanism expects: 501."""


Exchange = Generator[bytes, bytes, bool]
Mechanism = Callable[[Account, bytes | None], Exchange]


def decode(line: bytes) -> bytes:
    """One base64 line of an exchange; ``=`` stands for an empty one (RFC 4954 section 4)."""
    if line == b"=":
        return b""
    try:
        return base64.b64decode(line, validate=True)
    except ValueError as error:
        raise MalformedError from error


def _plain(account: Account, initial: bytes | None) -> Exchange:
    """RFC 4616: authorization identity, user and password, NUL between them."""
    message = (yield b"") if initial is None else initial
    if message.count(b"\0") != 2:
        raise MalformedError
    _, user, password = message.split(b"\0")
    return account.is_(user, password)


def _login(account: Account, initial: bytes | None) -> Exchange:
    """draft-murchison-sasl-login: two prompts."""
    user = (yield b"Username:") if initial is None else initial
    password = yield b"Password:"
    return account.is_(user, password)


def _cram_md5(account: Account, _initial: bytes | None) -> Exchange:
    """RFC 2195: an HMAC of the challenge keyed with the password."""
    challenge = b"<1896.697170952@mail.example.test>"
    response = yield challenge
    user, _, digest = response.rpartition(b" ")
    wanted = hmac.new(account.password.encode(), challenge, "md5").hexdigest()
    return account.is_(user, account.password.encode()) and hmac.compare_digest(digest, wanted.encode())


_SALT, _ROUNDS = b"sixteen bytes ok", 4096


def _scram_sha_256(account: Account, initial: bytes | None) -> Exchange:
    """RFC 5802 and RFC 7677: both sides prove that they know the password; no channel binding."""
    first = (yield b"") if initial is None else initial
    binding, _, rest = first.partition(b",")
    authorization, _, bare = rest.partition(b",")
    said = _attributes(bare)
    if binding not in {b"n", b"y"} or b"n" not in said or b"r" not in said:
        raise MalformedError
    nonce = said[b"r"] + b"%hvYDpWUa2RaTCAfuxFIlj)hNlF"
    server_first = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(_SALT), _ROUNDS)
    final = yield server_first
    answered = _attributes(final)
    if b"p" not in answered or answered.get(b"r") != nonce:
        raise MalformedError
    if answered.get(b"c") != base64.b64encode(binding + b"," + authorization + b","):
        return False
    salted = hashlib.pbkdf2_hmac("sha256", account.password.encode(), _SALT, _ROUNDS)
    message = b",".join((bare, server_first, final.rpartition(b",p=")[0]))
    if not account.impostor:
        client_key = _digest(salted, b"Client Key")
        proof = decode(answered[b"p"])
        signature = _digest(hashlib.sha256(client_key).digest(), message)
        user = said[b"n"].replace(b"=2C", b",").replace(b"=3D", b"=")
        if user != account.user.encode():
            return False
        if proof != _xor(client_key, signature):
            yield b"e=invalid-proof"
            return False
    key = b"does not know it" if account.impostor else salted
    yield b"v=" + base64.b64encode(_digest(_digest(key, b"Server Key"), message))
    return True


def _attributes(message: bytes) -> dict[bytes, bytes]:
    return {part[:1]: part[2:] for part in message.split(b",") if part[1:2] == b"="}


def _digest(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, "sha256").digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _xoauth2(account: Account, initial: bytes | None) -> Exchange:
    """Google's XOAUTH2: a refusal is a challenge in JSON, which the client answers with nothing."""
    message = (yield b"") if initial is None else initial
    wanted = f"user={account.user}\1auth=Bearer {account.password}\1\1".encode()
    if message == wanted:
        return True
    yield json.dumps({"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"}).encode()
    return False


def _oauthbearer(account: Account, initial: bytes | None) -> Exchange:
    """RFC 7628: a GS2 header and key-value pairs; a refusal is a challenge in JSON, answered with ^A."""
    message = (yield b"") if initial is None else initial
    header, _, pairs = message.partition(b"\1")
    user = header.removeprefix(b"n,a=").removesuffix(b",").replace(b"=2C", b",").replace(b"=3D", b"=")
    bearer = next((pair for pair in pairs.split(b"\1") if pair.lower().startswith(b"auth=bearer ")), b"")
    if account.is_(user, bearer[12:]):
        return True
    yield json.dumps({"status": "invalid_token", "scope": "mail", "schemes": "bearer"}).encode()
    return False


MECHANISMS: Mapping[str, Mechanism] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "SCRAM-SHA-256": _scram_sha_256,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
}
