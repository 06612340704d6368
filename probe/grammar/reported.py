"""What is said about a server's words by who reports them: a mail library, a server that bounces.

A library puts a sentence of its own before or around them, a reporter tells when they fell. Read as the
server's own, "Mailbox unavailable." of .NET or "Failed to deliver to" of CommuniGate condemn a recipient
whom the server never blamed.
"""

from __future__ import annotations

import re

from probe.grammar.expression import Expression

__all__ = ["unreported", "unwrapped"]

# What libraries say of a code before (.NET) or around (PHPMailer) the server's words.
_DOTNET = Expression(r"([^.:]{4,100})\. The server response was:\s{0,9}")
_DOTNET_SAYS = {
    "service not available, closing transmission channel": "421", "error in processing": "451",
    "insufficient system storage": "452",
    "client does not have permission to submit mail to this server": "454",
    "syntax error, command unrecognized": "500", "mailbox unavailable": "550",
    "the smtp server requires a secure connection or the client was not authenticated": "530",
    "exceeded storage allocation": "552", "mailbox name not allowed": "553", "transaction failed": "554",
}  # fmt: skip
_PHPMAILER = Expression(
    r"SMTP server error: ([^:\n]{1,60}?) Detail: ([^\n]{0,800}?) SMTP code: ([2-5][0-9]{2})"
    r"(?: Additional SMTP info: ([245]\.[0-9]{1,3}\.[0-9]{1,3}))?"
)
# What reporters say: Exim and GMX, Gmail, CommuniGate, Nodemailer, qmail. For lower and upper case.
_PHRASE = Expression(
    r"smtp error from remote (?:mail )?server (?:after|for) [a-z ]{3,40}(?::<[^<>]{0,320}>)?"
    r"(?: size=[0-9]{1,12})?(?:, host: [^ ()]{1,255}(?: \([^()]{0,60}\))? reason)?:|"
    r"the response (?:from the remote server )?was:|failed to deliver to '[^']{0,320}'|"
    r"smtp module\(domain [^()]{1,255}\) reports:|can't send mail - all recipients were rejected:|"
    r"does not like recipient\.|giving up on [0-9a-f.:]{3,45}",
    re.IGNORECASE,
)
_BETRAYED = ("remote", "response", "failed to deliver", "reports:", "rejected:", "does not like", "giving up")


def unwrapped(text: str) -> str:
    """The server's words out of a mail library's sentence, and the code that the sentence stands for."""
    if "The server response was:" in text and (found := _DOTNET.compiled.search(text)):
        words, code = text[found.end() :], _DOTNET_SAYS.get(found[1].strip().lower(), "")
        told = words[:1] if words[1:2] == "." else words[:3]  # a class, or a code of the server's own
        return words if told.isdigit() and told != code[:1] else f"{code} {words}".lstrip()
    if "SMTP server error:" in text and (found := _PHPMAILER.compiled.search(text)):
        command, words, code, enhanced = found.groups()
        asked = command.removesuffix(" failed").replace("DATA END", "end of DATA")
        return f"{code} {enhanced or ''} {words} (in reply to {asked})"
    return text


def unreported(flat: str, low: str) -> str:
    """A reply on one line without a reporter's phrases about it; `low` is the same in lower case."""
    if any(word in low for word in _BETRAYED):
        return _PHRASE.compiled.sub(" ", flat)
    return flat
