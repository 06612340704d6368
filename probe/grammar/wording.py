"""The words by which a bounce for people is read: around a recipient, a reason, the copy of a message.

Vocabulary only; `notice` is the reader. Every expression is linear and is given lines of bounded length.
"""

from __future__ import annotations

import re

__all__ = [
    "ADDRESS", "ALONE", "BESIDE", "BOILER", "COPY", "FAILURE", "HEAD", "HEADER", "HEARD", "LABEL", "LISTED",
    "OTHER", "PREAMBLE", "REMOTE", "REPLY_LINE", "REPORTER", "ROLE", "RULE", "RULED", "SAID", "SENDMAIL",
    "SPOKEN", "STATUS_FIELD", "VAGUE", "WHOM",
]  # fmt: skip


def _any(*words: str, before: str = "", after: str = "") -> re.Pattern[str]:
    return re.compile(f"{before}(?:{'|'.join(words)}){after}", re.IGNORECASE)


# A host name of at least two labels.
_HOST = r"([\w-]{1,63}(?:\.[\w-]{1,63}){1,10})"
_IP = r"[0-9a-f.:]{3,45}"

ADDRESS = re.compile(
    r"(?<![\w.+=@/-])"
    r"((?:\"[^\"\s]{1,64}\"|[^\s<>()\[\],;:\"'@|=*]{1,64}|[^\s<>()\[\],;:\"'@|*]{1,120})"
    r"@(?:[A-Za-z0-9\u0080-\uffff_-]{1,63}\.){1,10}[A-Za-z0-9\u0080-\uffff-]{2,63})(?![\w@])"
)

# -- where the copy of the message begins ------------------------------------------------------------

COPY = _any(
    r"original-?(?: ?)(?:message|mail|header|e-mail)",
    r"cop(?:y|ies) of (?:the|your|this|my) ",
    r"headers? of (?:the|your) ",
    r"(?:unsent|undelivered|returned|undeliverable|rejected|bounced|forwarded) (?:message|mail)",
    r"message (?:headers?|text|body|contents?)",
    "message d'origine",
    "mensaje original",
    "ursprüngliche",
    "messaggio original",
    "messaggio originario",
    "mensagem original",
    "oorspronkelijk",
    "oryginalna",
    "исходное",
    "原文",
    "元のメッセージ",
)
HEADER = _any(
    "Received", "Return-Path", "X-Received", "DKIM-Signature", "Message-Id", "ARC-Seal", "X-Originating-IP",
    "Delivered-To", before="^", after=r"\s*:",
)  # fmt: skip
RULED = re.compile(r"^\s*(?:[-=*_|#>]{2,}|\|-)")
RULE = re.compile(r"^\W{0,3}[-=*_#|~]{3,}")

# -- whose address it is -----------------------------------------------------------------------------

HEAD = re.compile(r"^[\s>*<\"'(\[•·-]*$")
ALONE = re.compile(r"^[\s>\"')\]:;,.]*(?:<[^<>]{0,300}>|\([^()]{0,200}@[^()]{0,200}\))?[\s:;,.]*$")
BESIDE = re.compile(r"^[>\"' ]{0,3}: ?\S")
WHOM = _any(
    r"\brcpt[ _]to:?",
    r"\brecipients?(?: address)?(?:\(s\))?:?",
    r"\baddressed to:?",
    r"\bto:",
    "delivered to",
    "delivering your (?:mail|message) to",
    "(?:message|mail|e-?mail) to",
    "sent to",
    r"failed address(?:es)?:?",
    "address:",
    after=r"\s*[<\"'(]*$",
)
OTHER = _any(
    "mail from:?", r"\bfrom:?", "reply-to:?", "contact", "sender:?", "return-path:?", "message-?id:?",
    "mail to", "write to", "e-?mail us at", "assistance", "envelope-from", "postmaster at", "helpdesk",
    "support", "report", "cc:", after=r"[^@]{0,24}$",
)  # fmt: skip
ROLE = _any(
    "mailer-daemon", "postmaster", "abuse", "support", "noreply", "no-reply", "helpdesk", "double-bounce",
    before="^", after="@",
)  # fmt: skip

# -- lines that are no reason ------------------------------------------------------------------------

LISTED = _any(
    "subject", "date", "sent(?: date)?", "from", "to", "cc", "bcc", "message-?id", "mail from", "rcpt to",
    r"size(?: \([\w ]{1,20}\))?", "number of lines", r"number of attempts[\w ]{0,20}",
    r"the mts-id[\w ]{0,40}", "last-attempt-date", "received-from-mta",
    "arrival-date", before=r"^\W{0,6}", after=r"\s*:",
)  # fmt: skip
STATUS_FIELD = _any(
    "final-recipient", "original-recipient", "reporting-mta", "action", "status", "x-actual-recipient",
    before="^", after=r"\s*:",
)  # fmt: skip
PREAMBLE = _any(
    "the original message was received at .*",
    rf"from \S+ \[{_IP}\].*",
    r"with id \w+",
    before=r"^\s*",
    after="$",
)
BOILER = _any(
    "created automatically",
    "automatically generated",
    "i'm (?:sorry|afraid)",
    "sorry to (?:have to )?inform",
    "do not reply",
    "for further assistance",
    "if you do so, please",
    "this is a permanent error",
    r"this is the [\w-]+ ",
    "message that you sent could not be delivered",
    r"the following address(?:es|\(es\))? failed",
    "unable to deliver (?:your )?message to the following",
    "delete your own text",
    "postmaster",
    r"hi\. this is",
    "message from ",
)
VAGUE = re.compile(r"remote protocol error|service unavailable\s*$", re.IGNORECASE)

# -- what introduces a reason ------------------------------------------------------------------------

SAID = _any(
    r"\bsaid ?:",
    r"server returned(?! was)",
    r"returned was ?:?",
    r"response (?:was|from the remote server was)\s?:?",
    "failed with ?:",
    "replied(?: with)? ?:",
    "responded(?: with)? ?:",
    "rejected with ?:",
    r"did not like our [\w ]{1,20}:",
    r"smtp error from remote (?:mail )?server after [^:]{1,60}(?::<[^>]{0,320}>)?(?: size=[0-9]{1,12})?:",
    r"(?:diagnostic|error|smtp)[ -](?:code|message|text)[^:]{0,20}:",
    "antwort(?:ete)? ?:",
    "réponse[^:]{0,40}:",
    "respuesta[^:]{0,40}:",
    "risposta[^:]{0,40}:",
    "resposta[^:]{0,40}:",
    after=r"\s*",
)
LABEL = _any(
    "(?:failure )?reasons?",
    "error(?: message)?(?: below| text)?",
    "diagnostic(?:s| information)?(?: for administrators)?",
    r"technical details(?: of [\w ]{1,24})?",
    "because(?: of)?",
    "following (?:reason|error)s?",
    "details?",
    "cause",
    "problem",
    "explanation",
    "message log follows",
    "routing",
    "host",
    "motivo",
    "grund",
    "raison",
    "motif",
    "причина",
    "理由",
    "原因",
    before=r"(?:^|\s)",
    after=r"\s*(?::|-{2,}|$)",
)
REPLY_LINE = re.compile(r"^\W{0,6}([245][0-5][0-9])(?:[ \-:_,]|$)")
HEARD = re.compile(r"^\s*(?:<<<|received >>>|S:|<-)\s*", re.IGNORECASE)
SPOKEN = re.compile(r"^\s*(?:>>>|sent <<<|C:|->)\s*", re.IGNORECASE)
SENDMAIL = re.compile(
    r"^\s*(?:[245][0-9]{2} )?(?:[245]\.[0-9]{1,3}\.[0-9]{1,3} )?<?[^\s<>]{1,320}@[^\s<>]{1,255}>?\.\.\. "
)
FAILURE = _any(
    "unknown",
    "not (?:exist|found|accept|list|deliver|allow|permit|reach|recogni|valid|available)",
    "no (?:such|mx|route|valid)",
    "full", "quota", "exceed", "refus", "reject", "denied", "illegal", "malformed", "permission", "block",
    "disabled", "inactive", "invalid", "unable", "could ?n[o']t", "cannot", "can't", "fail", "expired",
    "timed? ?out", "deferred", "delayed", "undeliver", "unroute", "loop", "spam", "virus",
    "too (?:large|big|many|long)", "gateway", "doesn't have", "discontinued", "moved", "no longer", "problem",
    "error", "inconnu", "plein", "n'existe", "unbekannt", "voll", "abgelehnt", "desconocid", "no existe",
    "llen", "non esiste", "pieno", "não existe", "onbekend", "nie istnieje", "ありません", "見つかりません",
    "できません", "不存在", "失败", "не (?:существует|найден)",
)  # fmt: skip

# -- who spoke ---------------------------------------------------------------------------------------

REMOTE = (
    re.compile(r"\bwhile talking to ([\w.-]{3,255})", re.IGNORECASE),
    re.compile(
        rf"\b(?:host|server|mx):? {_HOST}\.?(?: ?[\[(][^\])]{{0,50}}[\])])?(?: said| failed| smtp|:|$|\s)",
        re.IGNORECASE,
    ),
    re.compile(rf"\b{_HOST} ?\[{_IP}\](?::[0-9]{{1,5}})?[: ]", re.IGNORECASE),
    re.compile(r"\b([0-9]{1,3}(?:\.[0-9]{1,3}){3}) (?:said|failed|does not like)", re.IGNORECASE),
    re.compile(rf"by {_HOST}\.? ?\[{_IP}\]", re.IGNORECASE),
)
REPORTER = (
    re.compile(r"(?:generating server|reporting-mta):\s*<?([\w.-]{3,255})", re.IGNORECASE),
    re.compile(
        rf"(?:program|daemon|agent v[\w.]{{1,20}}|mail system|server) at (?:host )?{_HOST}", re.IGNORECASE
    ),
)
