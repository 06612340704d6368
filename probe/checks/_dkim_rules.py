"""What may be wrong with DKIM keys: one rule a problem. Which fact meets a rule is `dkim.judge`'s part."""

from __future__ import annotations

from probe.checks._evidence import READ, problem, rfc, unknown_rule
from probe.rules import Cause, Rule, Source, Verdict

__all__ = ["RULE", "RULES"]

_KEY = rfc(6376, "3.6.1")
_DNS = rfc(6376, "3.6.2.2")
_SIZE = rfc(8301, "3.2")
_KEY_TYPES = rfc(8463, "4.2")
_TRANSITION = rfc(8463, "6")
_GUIDELINES = Source("https://support.google.com/a/answer/81126", "vendor", READ)
_MICROSOFT = Source(
    "https://learn.microsoft.com/en-us/defender-office-365/email-authentication-dkim-configure",
    "vendor",
    READ,
)
_REFUSALS = ("421 4.7.30", "550 5.7.30", "550 5.7.26", "550 5.7.515")
_FAIL, _WARN, _NOTE, _UNKNOWN = Verdict.FAIL, Verdict.WARN, Verdict.NOTE, Verdict.UNKNOWN


def _rule(
    name: str, verdict: Verdict, title: str, meaning: str, fix: str, source: Source, dont: str = ""
) -> Rule:
    return problem(
        id=f"dkim/{name}",
        verdict=verdict,
        cause=Cause.EMAIL_AUTH,
        title=title,
        meaning=meaning,
        fix=fix,
        source=source,
        dont=dont,
        predicts=_REFUSALS if verdict is _FAIL else (),
    )


RULES: tuple[Rule, ...] = (
    unknown_rule("dkim", "The DKIM key", rfc(6376, "6.1.2")),
    _rule(
        "missing",
        _FAIL,
        "The domain has no DKIM key",
        "Nothing exists at or below _domainkey, so no signature in the domain's name can be verified.",
        "Turn on DKIM where the mail is sent and publish the key it shows.",
        _GUIDELINES,
    ),
    _rule(
        "not-sending",
        _NOTE,
        "No DKIM key was found, and the domain sends no mail",
        "Its SPF record allows nobody to send, so there is nothing to sign.",
        "Nothing, as long as it sends no mail.",
        rfc(7208, "10.1.2"),
    ),
    _rule(
        "parent-key",
        _NOTE,
        "The name has no DKIM key of its own, its organizational domain has",
        "Mail from here can be signed with a key of the organizational domain, which aligns unless adkim=s.",
        "Look at the organizational domain for the key that signs.",
        rfc(9989, "4.4"),
    ),
    _rule(
        "selector-missing",
        _FAIL,
        "There is no key at this selector",
        "Mail signed with it cannot be verified.",
        "Publish the key the sending service shows for this selector, or correct the selector.",
        _KEY,
    ),
    _rule(
        "selector-unknown",
        _UNKNOWN,
        "No key was found, and the selector is not known",
        "DNS has no way to list selectors. That _domainkey exists shows that there is a key below it, unless "
        "the servers say so of any name.",
        "Give the selector: it is s= in the DKIM-Signature of any mail the domain sent (--dkim-selector).",
        rfc(6376, "3.1"),
        dont="Take this for a missing key.",
    ),
    _rule(
        "selector-name",
        _WARN,
        "This cannot be a selector",
        "A selector is one or more DNS labels: letters, digits, hyphens, underscores, dots between them.",
        "Take what stands behind s= in a DKIM-Signature.",
        rfc(6376, "3.1"),
    ),
    _rule(
        "wildcard",
        _WARN,
        "Every selector answers with the same key",
        "A wildcard stands below _domainkey: it hides which selectors exist, and no key can be retired.",
        "Publish each key at its selector and delete the wildcard.",
        rfc(6376, "3.6.2.1"),
    ),
    _rule(
        "wildcard-revoked",
        _NOTE,
        "Selectors that are not published answer as revoked",
        "A wildcard below _domainkey holds an empty key. Keys published beside it are not touched by it.",
        "Nothing.",
        rfc(6376, "3.6.1"),
    ),
    _rule(
        "dangling-alias",
        _FAIL,
        "The selector points to a name without a key",
        "The alias is followed and nothing is found: the service withdrew the key, or never published it.",
        "Turn DKIM on at the service the alias points to, or delete the alias.",
        _DNS,
    ),
    _rule(
        "several",
        _FAIL,
        "There are several key records at one selector",
        "What a verifier does then is undefined; most take any one of them.",
        "Leave the record of the key that signs; a new key gets a selector of its own.",
        _DNS,
    ),
    _rule(
        "split",
        _FAIL,
        "The key was cut into several records",
        "A long value is one TXT record of several strings. As separate records each part is a broken key.",
        "Publish one record.",
        _DNS,
    ),
    _rule(
        "pasted",
        _FAIL,
        "The record was damaged when it was pasted",
        "Marks of a zone file, a panel or a key file became part of the value, so verifiers cannot read it.",
        "Publish the value without them.",
        _KEY,
    ),
    _rule(
        "private-key",
        _FAIL,
        "The private key is published",
        "Anybody can sign mail in the domain's name.",
        "Delete the record now, make a new key pair, and publish its public half at a new selector.",
        _KEY,
        dont="Use this key again, anywhere.",
    ),
    _rule(
        "version",
        _FAIL,
        "The record's version is wrong or not first",
        "v= must be DKIM1 and the first tag where it is present; verifiers discard the record otherwise.",
        "Begin the record with v=DKIM1.",
        _KEY,
    ),
    _rule(
        "duplicate-tag",
        _FAIL,
        "A tag occurs more than once",
        "The whole record is invalid then.",
        "Leave each tag once.",
        rfc(6376, "3.2"),
    ),
    _rule(
        "no-key",
        _FAIL,
        "The record has no p= tag",
        "p= holds the key and must be there.",
        "Publish the whole record the sending service shows.",
        _KEY,
    ),
    _rule(
        "not-a-key",
        _FAIL,
        "What stands at the selector is no key",
        "The text has nothing of a DKIM key record.",
        "Publish the key record here, and the other text where it belongs.",
        _KEY,
    ),
    _rule(
        "not-base64",
        _FAIL,
        "p= is not base64",
        "A character was lost, or one that does not belong there got in.",
        "Copy the key again, whole.",
        _KEY,
    ),
    _rule(
        "truncated",
        _FAIL,
        "The key is cut off",
        "Fewer bytes are there than the key says it has: usually a panel kept 255 characters.",
        "Publish the whole value; where the panel takes 255 characters, as several strings of one record.",
        _KEY,
    ),
    _rule(
        "unreadable",
        _FAIL,
        "p= holds bytes that are no key of this type",
        "It decodes, and what comes out is not what k= promises.",
        "Copy the key again from where the mail is signed.",
        _KEY,
    ),
    _rule(
        "wrong-type",
        _FAIL,
        "k= and the key contradict each other",
        "Verifiers read the key as the type that k= names (rsa where it is absent) and fail.",
        "Write the k= that fits the key.",
        _KEY,
    ),
    _rule(
        "unknown-type",
        _FAIL,
        "The key is of a type nobody verifies",
        "Registered types are rsa and ed25519; verifiers ignore others.",
        "Sign with an RSA key of 2048 bits.",
        _KEY_TYPES,
    ),
    _rule(
        "short-key",
        _FAIL,
        "The key is too short to count",
        "Verifiers must not accept RSA keys of less than 1024 bits.",
        "Make a key of 2048 bits and publish it at a new selector.",
        _SIZE,
    ),
    _rule(
        "hash",
        _FAIL,
        "The key does not allow SHA-256",
        "h= limits the hash algorithms, and SHA-1 signatures are not accepted any more.",
        "Leave h= out, or write h=sha256.",
        rfc(8301, "3.1"),
    ),
    _rule(
        "service",
        _FAIL,
        "The key is not for mail",
        "s= limits the services the key may be used for, and email is not among them.",
        "Leave s= out, or write s=email.",
        _KEY,
    ),
    _rule(
        "revoked",
        _FAIL,
        "The key is revoked",
        "p= is empty: signatures of this selector fail.",
        "Sign with another selector, or publish the key that signs.",
        _KEY,
    ),
    _rule(
        "retired",
        _NOTE,
        "An older key is revoked",
        "p= is empty, as it should be for a key that is no longer used; another selector has a key.",
        "Nothing, as long as no mail is signed with it.",
        _KEY,
    ),
    _rule(
        "spare-broken",
        _WARN,
        "Another selector has a key that nobody can verify",
        "A good key is there; mail signed with this one fails.",
        "Correct it, or delete it if nothing signs with it.",
        _KEY,
    ),
    _rule(
        "spare-dangling",
        _NOTE,
        "Another selector points to a name without a key",
        "Services that rotate between two selectors publish the second key when it is first needed.",
        "Nothing, as long as the service says so; otherwise delete the alias.",
        _DNS,
    ),
    _rule(
        "rotation-stops",
        _WARN,
        "One of the two selectors of Microsoft 365 is not published",
        "Microsoft rotates between selector1 and selector2; when it does, mail is signed with the one that is"
        " missing.",
        "Publish both aliases.",
        _MICROSOFT,
    ),
    _rule(
        "weak-key",
        _WARN,
        "The RSA key has less than 2048 bits",
        "Verifiers accept 1024 bits and more; signers should use 2048.",
        "Make a key of 2048 bits and publish it at a new selector.",
        _SIZE,
    ),
    _rule(
        "large-key",
        _WARN,
        "The RSA key has more than 4096 bits",
        "Verifiers need not support such keys, and the answer does not fit into one UDP packet.",
        "Sign with a key of 2048 bits.",
        _SIZE,
    ),
    _rule(
        "bare-key",
        _WARN,
        "The key is written without its wrapping",
        "p= holds an RSAPublicKey instead of a SubjectPublicKeyInfo; many verifiers accept it, not all.",
        "Publish what `openssl rsa -pubout` writes, without its header and footer.",
        _KEY,
    ),
    _rule(
        "syntax",
        _WARN,
        "Part of the record is no tag",
        "A tag is a name, an equals sign and a value. Verifiers shall discard a record with anything else in "
        "it; some read it all the same.",
        "Publish the record without that part.",
        rfc(6376, "6.1.2"),
    ),
    _rule(
        "unpadded",
        _WARN,
        "The = at the end of the key is lost",
        "Many verifiers read the key all the same; some refuse base64 that is not padded.",
        "Publish the key with its last character.",
        rfc(6376, "2.10"),
    ),
    _rule(
        "ed25519-only",
        _WARN,
        "All keys found are ed25519",
        "Large receivers verify RSA only, so such mail counts as unsigned there.",
        "Sign with an RSA key as well, at a selector of its own.",
        _TRANSITION,
    ),
    _rule(
        "testing",
        _WARN,
        "The key is in test mode",
        "With t=y verifiers must treat the mail like unsigned mail, whether the signature is good or not.",
        "Leave t=y out once signing works.",
        _KEY,
    ),
    _rule(
        "strict",
        _NOTE,
        "The key does not serve subdomains in i=",
        "With t=s the domain of i= in a signature must be the same as d=.",
        "Nothing, unless you sign with i= below the domain.",
        _KEY,
    ),
)

RULE = {rule.id.partition("/")[2]: rule for rule in RULES}
