"""Why a token server handed out no access token, by Microsoft's number or by the error of the RFC."""

from __future__ import annotations

from collections.abc import Collection

from probe import catalogue
from probe.facts import Answer, Secret, escape
from probe.grammar.redaction import Redaction
from probe.grammar.token import Denied
from probe.rules import Finding

__all__ = ["denied"]

_LONGEST = 400  # characters of the server's words
_LONGEST_ERROR = 100

# Microsoft's numbers tell more than the error of RFC 6749 section 5.2 beside which they stand.
_NUMBERS = {
    "refresh-token-ended": (50173, 70008, 70043, 700082, 700084),
    "client-secret-wrong": (7000215,),
    "client-secret-expired": (7000222,),
    "client-secret-missing": (7000216, 7000218),
    "client-refused": (70001, 700016, 700025),
    "tenant-unknown": (90002, 900021, 900023),
    "consent-missing": (50105, 65001, 65004, 7000229),
    "sign-in-needed": (50005, 50074, 50076, 50079, 50158, 53000, 53001, 53003, 530003),
    "account-shut": (50057,),
    "scope-refused": (70011, 500011, 28002, 28003),
    "token-server-later": (50196, 90033, 90055),
}
_ERRORS = {
    "refresh-token-ended": ("invalid_grant",),
    "client-refused": ("deleted_client", "disabled_client", "invalid_client"),
    "consent-missing": ("access_denied", "admin_policy_enforced", "consent_required", "unauthorized_client"),
    "sign-in-needed": ("interaction_required", "invalid_rapt", "login_required"),
    "scope-refused": ("invalid_scope",),
}
_BY_CODE = {f"AADSTS{number}": rule for rule, numbers in _NUMBERS.items() for number in numbers}
_BY_ERROR = {error: rule for rule, errors in _ERRORS.items() for error in errors}


def denied(told: Denied | Answer, url: str, secrets: Collection[Secret]) -> Finding:
    """The finding on an inbox without a token; what the server repeats of the `secrets` is hidden."""
    evidence = {"token_server": url}
    if isinstance(told, Answer):
        evidence |= {"status": str(told.status)}
        # What is wrong with an answer that cannot be read is told in its own words.
        detail = _shown(told.detail, secrets)
        return Finding(catalogue.rule("grant/token-server-silent"), evidence, detail)
    otherwise = "token-server-later" if told.passing else "token-server-unclear"
    rule = _BY_CODE.get(told.code) or _BY_ERROR.get(told.error) or otherwise
    said = {"error": _shown(told.error, secrets, _LONGEST_ERROR), "number": told.code}
    evidence |= {name: value for name, value in said.items() if value}
    return Finding(catalogue.rule(f"grant/{rule}"), evidence, _shown(told.words, secrets))


def _shown(words: str, secrets: Collection[Secret], longest: int = _LONGEST) -> str:
    """A server's words on one line, printable, without the secrets that were sent to it.

    They are cut after that: what is left of a secret behind a cut may be too little to be known.
    """
    line = " ".join(words.split()).encode("utf-8", "backslashreplace")
    for secret in secrets:
        hides = Redaction(secret)
        hides.leaves(secret.reveal().encode("utf-8", "surrogatepass"))
        (line,) = hides((line,))
    return escape(line[:longest])
