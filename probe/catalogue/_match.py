"""The matcher: which entries apply to what was heard, and which of them is the most specific.

A reply's words are cut into runs of three letters; the index knows for each run which patterns may
occur, so the cost of a reading does not grow with the catalogue.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from probe.catalogue import _patterns
from probe.catalogue._compile import Rows
from probe.catalogue._entry import Entry, Match, Provider, entry_of, provider_of, rule_of, words_in
from probe.facts import Fault, Stage
from probe.rules import Cause, Confidence, Family, Rule, Source, Verdict

__all__ = ["Heard", "Library"]

STRANGER = 20  # letters that must match before words of a provider count where it was not recognised
GAP = 12  # letters of a gap or of a longer alternative that count, beyond the fewest a pattern matches

# Words that speak of the sender: beside them nothing but a provider's own words condemns a recipient.
_OF_SENDER = re.compile(
    r"\b(?:senders?|originators?|submitters?|envelope|you (?:claim|send (?:from|as)|are(?! \w{2,10}ing\b))|"
    r"(?:sending|client|connecting) (?:domain|ip|host|server|user|address|account|mail ?box)|"
    r"(?:authenticated|sasl|smtp|api|relay|log-?in|hosting|reseller|customer) (?:user|account|mail ?box)|"
    r"(?:used for|failed|by) auth\w{0,10}|(?:which|that) sent|(?:wrote|sent|sending) from|bounce address|"
    r"(?:mail )?from (?:address|header|mail ?box|domain|field)|"
    r"helo|ehlo|spf|dkim|dmarc|relaying|relayed|"
    r"spam\w{0,8}|bl[ao]ck-?list\w{0,3}|reputation|outgoing|outbound|re(?:turn|verse)[- ]path|reply-to|"
    r"signature|(?<!for )(?<!of )your (?:ip|domain|server|account|mail ?server|isp|host(?: ?name)?|"
    r"(?:e-?mail )?address|mailbox))\b"
)

# The same in other languages, as fold() leaves them: the sender by name, and what is yours.
_OF_SENDER_ABROAD = re.compile(
    r"\b(?:absender|sendende|[ld]?expediteur|[ld]?emett(?:eur|rice)|remitente|remetente|emissora?\b|emisora?\b|"
    r"mittent[ei]|expeditor|nadawc|odesilatel|afzender|verzender|afsender|avsender|avsandar|lahettaj|felado|"
    r"gonder(?:en|ici)|αποστολε|отправител|відправник|(?:angemeldete|authentifizierte)\w? benutzer|"
    r"(?:ihre?|deine?|votre|ton|su|tu|tuo|suo|tua|sua|vostr[oa]|seu|teu|twoj[ae]?|uw|je|jouw|ditt|din|"
    r"vas[ea]?) "
    r"(?:e-?(?:mail|post)-?)?(?:konto|account|compte|cuenta|conta\b|utenza|ucet|postfach|mailbox|boite|messagerie|"
    r"buzon|casilla|casella|caixa|skrzynk|postvak|postkasse|brevlada|schrank|adres|direccion|indirizzo|endereco|"
    r"dom[aeio]+[mn]|serv(?:er|eur|idor)|benutzer|zugang|ip\b)|"
    r"hesabiniz|posta kutunuz|adresiniz|"
    r"ваш\w{0,2} (?:акк?аунт|почтов|ящик|адрес|учетн|домен|сервер|обліков|скриньк))|"
    r"[发發]件人|[发發]信人|寄件[者人]|[发發]送[者方]|[您你]的?(?:帐|账|帳|邮箱|郵箱|信箱|域名|地址|邮件地址|ip|用户)|"
    r"送信者|差出人|送信元|(?:あなた|お客様|貴方)の?(?:アカウント|メールボックス|メールアドレス|アドレス|ドメイン)|"
    r"보낸 ?사람|발신자|발송인|송신자|귀하의 ?(?:계정|메일함|주소|도메인)"
)

# Enhanced codes that name the recipient's mailbox, and with its words leave no doubt.
_OF_RECIPIENT = frozenset((".1.1", ".1.10", ".2.1"))

# Enhanced codes of quotas, systems, messages and rules: beside them weak words condemn nobody.
_OF_OTHERS = (".2.2", ".3", ".6", ".7")

_AT_AUTH = frozenset((432, 525, 534, 535, 538))
# Stages at which no recipient was named yet.
_BEFORE_RCPT = frozenset(
    (Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.TLS, Stage.AUTH, Stage.MAIL)
)
# Stages whose general words mean something else where the stage is not told.
_TOLD = (frozenset((Stage.AUTH,)), frozenset((Stage.MAIL,)))

_NOTHING = Rule(
    id="standard/unknown",
    verdict=Verdict.UNKNOWN,
    cause=Cause.UNKNOWN,
    title="Nothing is known of this reply",
    meaning="The reply says nothing that the catalogue knows.",
    fix="Read the words themselves.",
    source=Source("https://www.rfc-editor.org/rfc/rfc5321#section-4.2", "rfc", "2026-11-21"),
)


class Heard(NamedTuple):
    """What is to be read: folded words, code (0: lost), enhanced code, and what the caller knows."""

    text: str
    code: int = 0
    enhanced: str = ""
    stage: Stage | None = None
    provider: str = ""
    mechanism: str = ""
    side: str = ""


class Score(NamedTuple):
    """How specific a reading is; the greatest wins."""

    words: bool
    provider: bool
    rank: int
    enhanced: int
    length: int
    side: bool
    stage: bool
    code: int
    mechanism: bool


class Reading(NamedTuple):
    """An entry that applies, how specific it is, and the words that matched."""

    score: Score
    entry: Entry
    matched: str


class Library:
    """The compiled table with its entries made when they are first needed."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.index: Mapping[str, Any] = table["index"]
        self.rules = Rows[str, Mapping[str, Any]](table["rules"], dict)
        self.providers = Rows[str, Provider](table["providers"], provider_of)
        self.entries = Rows[int, Entry](table["entries"], lambda made: entry_of(made, self.rules[made["id"]]))
        self.patterns = Rows[int, tuple[int, str, int, tuple[tuple[str, ...], ...]]](
            self.index["patterns"], tuple
        )
        self._grams = Rows[str, Mapping[str, Sequence[int]]](self.index["grams"], dict)
        self._general: dict[Cause, Entry | None] = {}
        # What codes alone say is the same for all the words beside them.
        self._coded = functools.lru_cache(maxsize=1024)(self._bare)

    def named(self, id: str) -> Entry:
        """The entry of an id; KeyError where there is none."""
        return self.entries[self.index["ids"][id]]

    def general(self, cause: Cause) -> Entry | None:
        """The entry that speaks for a cause."""
        if cause not in self._general:
            name = f"standard/{cause.value.replace('_', '-')}"
            self._general[cause] = Entry(rule_of(self.rules[name])) if name in self.rules.asleep else None
        return self._general[cause]

    def literals(self, text: str) -> dict[str, Sequence[int]]:
        """The literals of the index that stand in a text, with the places of the patterns they betray.

        The text's runs of three letters say where to look.
        """
        runs = self._grams.asleep.keys() & _patterns.grams(text)
        near = [self.index["short"], *map(self._grams.__getitem__, runs)]
        return {word: places for words in near for word, places in words.items() if word in text}

    def signed(self, literals: Mapping[str, object]) -> str:
        """The provider that the longest of some literals betrays; empty where none does."""
        signs: Mapping[str, str] = self.index["signs"]
        longest = min(signs.keys() & literals.keys(), key=lambda sign: (-len(sign), sign), default="")
        return signs[longest] if longest else ""

    def reply(self, heard: Heard) -> Match:
        """The best reading of a reply."""
        literals = self.literals(heard.text)
        heard = heard._replace(
            provider=heard.provider or self.signed(literals),
            stage=heard.stage or (Stage.AUTH if heard.code in _AT_AUTH else None),
        )
        return self._best(heard, self._worded(heard, literals), self._coded(heard._replace(text="")))

    def fault(self, heard: Fault, stage: Stage | None, provider: str, mechanism: str) -> Match:
        """The best reading of a fault."""
        words = Heard(_patterns.fold(heard.text), 0, "", stage, provider, mechanism)
        readings: list[Reading] = []
        for number in self.index["ending"].get(heard.ending, ()):
            entry = self.entries[number]
            found = [one for pattern in entry.words if (one := words_in(pattern, words.text)) is not None]
            matched = max(found, key=len, default="")
            if (found or not entry.words) and (score := _score(entry, words, len(matched))):
                readings.append(Reading(score, entry, matched))
        readings = _ranked(readings)
        if not readings:
            return self._nothing(provider)
        best = readings[0]
        sure = best.entry.confidence or (Confidence.CERTAIN if best.matched else Confidence.LIKELY)
        return Match(best.entry, best.matched, self._alternates(best, readings[1:]), sure, provider)

    def candidates(self, literals: Mapping[str, Sequence[int]]) -> Iterator[tuple[int, str, int]]:
        """The patterns that may match a text of these literals: entry's number, pattern, fewest letters."""
        missing = literals.keys().isdisjoint
        for place in set().union(*literals.values()):
            number, pattern, least, needs = self.patterns[place]
            for words in needs:
                if missing(words):
                    break
            else:
                yield number, pattern, least

    def _worded(self, heard: Heard, literals: Mapping[str, Sequence[int]]) -> list[Reading]:
        """The entries whose words occur, the most specific first."""
        most: dict[int, tuple[int, str]] = {}
        for number, pattern, least in self.candidates(literals):
            if not _possible(self.entries[number], heard):
                continue
            matched = words_in(pattern, heard.text)
            if matched is not None:
                worth = min(len(matched), least + GAP)
                most[number] = max(most.get(number, (0, "")), (worth, matched))
        readings = []
        for number, (worth, matched) in most.items():
            entry = self.entries[number]
            if score := _score(entry, heard, worth):
                readings.append(Reading(score, entry, matched))
        return _ranked(readings)

    def _bare(self, heard: Heard) -> list[Reading]:
        """The entries without words that apply, the most specific first; nothing is read of the text."""
        numbers = (
            *self.index["enhanced"].get(heard.enhanced, ()),
            *self.index["code"].get(str(heard.code), ()),
            *self.index["rest"],
        )
        readings = []
        for number in numbers:
            entry = self.entries[number]
            if score := _score(entry, heard, 0):
                readings.append(Reading(score, entry, ""))
        return _ranked(readings)

    def _best(self, heard: Heard, worded: list[Reading], bare: list[Reading]) -> Match:
        readings = worded + bare
        if not readings:
            return self._nothing(heard.provider)
        best = readings[0]
        alternates = self._alternates(best, (*worded[1:], *bare[: 1 if worded else 2]))
        entry = best.entry
        sure = entry.confidence or _confidence(best, worded, bare)
        if sure is Confidence.CERTAIN and (entry.also or _contradicted(best, worded)):
            sure = Confidence.LIKELY
        if sure is Confidence.LIKELY and _doubtful(best, heard):
            sure = Confidence.UNCERTAIN
        if (str(heard.code) if heard.code else heard.enhanced)[:1] == "4":
            entry = entry.softened()
        return Match(entry, best.matched, alternates, sure, heard.provider)

    def _alternates(self, best: Reading, others: Iterable[Reading]) -> tuple[Entry, ...]:
        """Other readings, one for each other cause, at most four."""
        found = {best.entry.rule.cause: best.entry}
        for entry in self._others(best, others):
            found.setdefault(entry.rule.cause, entry)
        return tuple(entry for cause, entry in found.items() if cause is not best.entry.rule.cause)[:4]

    def _others(self, best: Reading, others: Iterable[Reading]) -> Iterator[Entry]:
        yield from (entry for cause in best.entry.also if (entry := self.general(cause)))
        yield from (other.entry for other in others if other.entry.rule.cause is not Cause.UNKNOWN)

    def _nothing(self, provider: str) -> Match:
        entry = self.general(Cause.UNKNOWN) or Entry(_NOTHING)
        return Match(entry, confidence=Confidence.UNCERTAIN, provider=provider)


def _ranked(readings: Iterable[Reading]) -> list[Reading]:
    """The most specific first; equals by their ids, so that the order of entries shows nowhere."""
    by_id = sorted(readings, key=lambda reading: reading.entry.rule.id)
    return sorted(by_id, key=lambda reading: reading.score, reverse=True)


def _possible(entry: Entry, heard: Heard) -> bool:
    """Whether an entry may apply at this stage and for this provider, before its words are searched.

    General words about a login, or of MAIL alone, mean something else where the stage is not told; words
    about a recipient do before RCPT.
    """
    stages, provider = entry.stage, entry.provider
    if stages and heard.stage not in stages and (heard.stage or (stages in _TOLD and not provider)):
        return False
    if not stages and heard.stage in _BEFORE_RCPT and entry.rule.cause.family is Family.SUPPRESS:
        return False
    return not (provider and heard.provider and provider != heard.provider)


# -- does it apply, and how well ------------------------------------------------------------------


def _score(entry: Entry, heard: Heard, worth: int) -> Score | None:
    """How specific an entry is for what was heard; None where a condition is not met."""
    worded = bool(entry.words)
    known = entry.provider == heard.provider
    if entry.provider and not known and (heard.provider or not _own(entry, heard, worth)):
        return None
    code = _code(entry.code, heard.code, worded=worded)
    enhanced = _enhanced(entry.enhanced, heard.enhanced, worded=worded)
    if code is None or enhanced is None:
        return None
    for wanted, given in (
        (entry.stage, heard.stage),
        (entry.mechanism, heard.mechanism),
        (entry.side, heard.side),
    ):
        if wanted and given not in wanted and (given or not worded):
            return None
    return Score(
        worded,
        bool(entry.provider) and known,
        _rank(entry, heard, known=known),
        enhanced,
        worth,
        bool(entry.side) and heard.side in entry.side,
        bool(entry.stage) and heard.stage in entry.stage,
        code,
        bool(entry.mechanism) and heard.mechanism in entry.mechanism,
    )


def _own(entry: Entry, heard: Heard, worth: int) -> bool:
    """Whether words or a code are a provider's own, wherever they are heard.

    The registry of enhanced codes has no detail of three digits: such a code is its vendor's invention.
    """
    if entry.words:
        return entry.rank >= 0 and (worth >= STRANGER or entry.anywhere)
    return heard.enhanced in entry.enhanced and len(heard.enhanced.rpartition(".")[2]) == 3


def _rank(entry: Entry, heard: Heard, *, known: bool) -> int:
    """The rank an author gave; less where code or mechanism is not known, more for a stranger's own words."""
    lost = bool(entry.code and not heard.code) + bool(entry.mechanism and not heard.mechanism)
    strange = 2 if entry.provider and not known else 0
    return entry.rank - lost + strange


@functools.lru_cache(maxsize=4096)  # there are few codes, and every reading asks about them again
def _code(wanted: tuple[str, ...], given: int, *, worded: bool) -> int | None:
    """How exactly a code fits: 3 digits, 2, 1; 0 where none is asked or known; None where it does not."""
    if not wanted:
        return 0
    if not given:
        return 0 if worded else None
    digits = str(given)
    return max((3 - one.count("x") for one in wanted if _fits(one, digits)), default=None)


@functools.lru_cache(maxsize=4096)
def _enhanced(wanted: tuple[str, ...], given: str, *, worded: bool) -> int | None:
    """How exactly an enhanced code fits, as `_code` does, in parts."""
    if not wanted:
        return 0
    if not given:
        return 0 if worded else None
    parts = given.split(".")
    return max((3 - one.count("x") for one in wanted if _fits(one.split("."), parts)), default=None)


def _fits(wanted: Sequence[str], given: Sequence[str]) -> bool:
    return all(asked in ("x", said) for asked, said in zip(wanted, given, strict=True))


# -- how sure -------------------------------------------------------------------------------------


def _contradicted(best: Reading, worded: list[Reading]) -> bool:
    """Whether other words of the same reply speak of another cause, nearly as plainly."""
    return any(
        other.entry.rule.cause is not best.entry.rule.cause
        and other.score.rank >= max(1, best.score.rank - 1)
        and other.matched not in best.matched
        for other in worded
    )


def _doubtful(best: Reading, heard: Heard) -> bool:
    """Whether too little blames a recipient: words beside speak of the sender, or only a code speaks."""
    if best.entry.rule.cause.family is not Family.SUPPRESS or best.score.provider:
        return False
    if best.score.rank < 0 and heard.enhanced[1:].startswith(_OF_OTHERS):
        return True
    if best.score.words:
        return heard.enhanced[1:] not in _OF_RECIPIENT and _speaks_of_sender(heard.text)
    return not best.score.enhanced and len(heard.text) > GAP


def _speaks_of_sender(text: str) -> bool:
    return (_OF_SENDER.search(text) or _OF_SENDER_ABROAD.search(text)) is not None


def _confidence(best: Reading, worded: list[Reading], bare: list[Reading]) -> Confidence:
    """How sure a reading is: its own words, and whether codes and other words contradict them."""
    cause = best.entry.rule.cause
    if not best.score.words:
        if best.score.provider and best.score.enhanced == 3:
            return Confidence.LIKELY
        return Confidence.UNCERTAIN
    if best.score.provider:
        return (
            Confidence.CERTAIN if best.score.length >= STRANGER or best.score.enhanced else Confidence.LIKELY
        )
    agreed = any(one.entry.rule.cause is cause and one.score.enhanced for one in bare)
    if best.score.rank < 0:  # weak words are believed where the code says the same
        return Confidence.LIKELY if agreed else Confidence.UNCERTAIN
    rivals = [
        other
        for other in worded[1:]
        if other.entry.rule.cause is not cause
        and other.score.rank == best.score.rank
        and other.score.length * 4 >= best.score.length * 3
    ]
    if rivals:
        return Confidence.UNCERTAIN
    return Confidence.CERTAIN if agreed else Confidence.LIKELY
