"""Why a token server handed out no access token, by Microsoft's number or by the error of the RFC.

And what is left as the reason where a mail server refuses one that was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from probe import catalogue
from probe.facts import Answer, Secret, escape
from probe.grammar.redaction import Redaction
from probe.grammar.token import Denied
from probe.rules import Finding

__all__ = ["denied", "fresh"]

_LONGEST = 400  # characters of the server's words
_LONGEST_ERROR = 100

# Microsoft's numbers tell more than the error of RFC 6749 section 5.2 beside which they stand.
_NUMBERS = {
    "refresh-token-ended": (50089, 50132, 50133, 50173, 70000, 70008, 70043, 700082, 700084),
    "client-secret-wrong": (7000215,),
    "client-secret-expired": (7000222,),
    "client-secret-missing": (7000216, 7000218),
    "client-secret-unwanted": (700025,),
    "client-refused": (70001, 700011, 700016, 7000112),
    "tenant-unknown": (90002, 90038, 900021, 900023),
    "tenant-wanted": (50059, 50128, 50194, 90124, 90130, 9001023, 9002332),
    "account-unknown": (16003, 50020, 50034, 51004, 90072),
    "account-shut": (50057,),
    "consent-missing": (50105, 65001, 65004, 65005, 90094, 650056, 650057, 7000229),
    "sign-in-needed": (
        *(50005, 50055, 50072, 50074, 50076, 50078, 50079, 50085, 50097, 50131, 50144, 50155, 50158, 53000),
        *(53001, 53002, 53003, 53004, 53011, 530003, 530032, 530035, 700020),
    ),
    "no-exchange": (500011, 650052),
    "scope-refused": (28002, 28003, 70011, 700022, 700023),
    "token-server-later": (50033, 50196, 70012, 90006, 90012, 90024, 90033, 90055, 90090),
}
# Words that tell more than the error beside them, where there is no number: Google has none.
_WORDS = {
    "account has been deleted": "account-unknown",
    "client_secret is missing": "client-secret-missing",
    "use the /consumers endpoint": "tenant-wanted",
}
_ERRORS = {
    "refresh-token-ended": ("invalid_grant",),
    "client-refused": ("deleted_client", "disabled_client", "invalid_client", "unauthorized_client"),
    "consent-missing": ("access_denied", "admin_policy_enforced", "consent_required"),
    "sign-in-needed": ("interaction_required", "invalid_rapt", "login_required"),
    "no-exchange": ("invalid_resource",),
    "scope-refused": ("invalid_scope",),
}
# Refusals that may be about a token's age, as far as the mail server's words go.
_REFUSED = {
    "google/bad-token",
    "login/access-token-invalid",
    "login/access-token-refused",
    "login/access-token-refused-unexplained",
    "microsoft/token-refused",
}
_BY_CODE = {f"AADSTS{number}": rule for rule, numbers in _NUMBERS.items() for number in numbers}
_BY_ERROR = {error: rule for rule, errors in _ERRORS.items() for error in errors}


def denied(told: Denied | Answer, url: str, client: str, secrets: Collection[Secret]) -> Finding:
    """The finding on an inbox without a token; what the server repeats of the `secrets` is hidden.

    `client` is the id of the application, as it was given.
    """
    evidence = {"token_server": url, "application": _shown(client, secrets, _LONGEST_ERROR)}
    if isinstance(told, Answer):
        evidence |= {"status": str(told.status)}
        # What is wrong with an answer that cannot be read is told in its own words.
        detail = _shown(told.detail, secrets)
        return Finding(catalogue.rule("grant/token-server-silent"), evidence, detail)
    rule = _BY_CODE.get(told.code) or _by_words(told.words) or _BY_ERROR.get(told.error)
    rule = rule or ("token-server-later" if told.passing else "token-server-unclear")
    said = {"error": _shown(told.error, secrets, _LONGEST_ERROR), "number": told.code}
    evidence |= {name: value for name, value in said.items() if value}
    return Finding(catalogue.rule(f"grant/{rule}"), evidence, _shown(told.words, secrets))


def fresh(findings: Iterable[Finding]) -> Iterator[Finding]:
    """What is known of a token that was handed out for this session, where that was refused."""
    for finding in findings:
        if finding.rule.id in _REFUSED:
            yield Finding(catalogue.rule("grant/token-fresh"), finding.evidence)


def _by_words(words: str) -> str | None:
    said = words.lower()
    return next((rule for known, rule in _WORDS.items() if known in said), None)


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
