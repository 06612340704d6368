r"""A recorded session as a scenario that plays it back, reply for reply and ending for ending."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from probe.facts import Ending, Fault, Reply, Stage, Transcript, Turn, unmarked
from probe.grammar.sasl import MECHANISMS, TOKEN, WITH_NONCE

__all__ = ["recorded"]

# What no TOML string may hold as it is: controls but for tab and line feed, and halves of characters.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_HOST = re.compile(r"[!-~]{1,253}")
_TOKEN = "a-token-of-no-account-at-all-but-as-long-as-one"  # noqa: S105 - of no account
_THEN = {Ending.CLOSED: "close", Ending.RESET: "reset", Ending.TIMEOUT: "hang"}


def recorded(transcript: Transcript, *, about: str, findings: Iterable[str] = ()) -> str:
    """The text of a scenario that says what the server of this transcript said.

    Every reply is scripted, so that a fake plays the session whatever password it is given. What a fake
    cannot repeat (a certificate, the network's own endings) is left to the one who saves it.
    """
    tls = _tls(transcript)
    probe: dict[str, object] = {"run": "creds", "tls": tls}
    if tls == "none" and transcript.of(Stage.AUTH):
        probe["allow_plaintext"] = True
    probe.update(_spoken(transcript))
    named = _HOST.fullmatch(transcript.server) is not None
    smtp: dict[str, object] = {"host": transcript.server if named else "mail.example.test"}
    lines = [
        f"about = {_quoted(about)}",
        "",
        "[probe]",
        *_pairs(probe),
        "",
        "[smtp]",
        *_pairs(smtp),
    ]
    lines += [f"{stage} = {_script(turns)}" for stage, turns in _by_stage(transcript).items()]
    lines += ["", "[expect]", f"findings = {json.dumps(sorted(filter(_of_the_session, findings)))}"]
    return "\n".join(lines) + "\n"


def _of_the_session(finding: str) -> bool:
    """Whether a finding comes with the session, and not with a secret or a user name, which are others'."""
    return not finding.startswith(("credentials/", "grant/"))


def _tls(transcript: Transcript) -> str:
    if transcript.of(Stage.STARTTLS):
        return "starttls"
    return "implicit" if transcript.of(Stage.TLS) else "none"


def _spoken(transcript: Transcript) -> dict[str, object]:
    """The mechanism to name, where one was spoken; with it a secret of the kind it wants."""
    said = [turn.said.split() for turn in transcript.of(Stage.AUTH)]
    spoken = {words[1] for words in said if words[:1] == ["AUTH"] and len(words) > 1}
    if len(spoken) != 1 or not spoken <= MECHANISMS.keys():
        return {}
    (mechanism,) = spoken
    named: dict[str, object] = {"mechanism": mechanism.lower()}
    return {**named, "password": _TOKEN} if mechanism in TOKEN else named


def _pairs(values: dict[str, object]) -> list[str]:
    return [f"{key} = {_quoted(value)}" for key, value in values.items()]


def _quoted(value: object) -> str:
    r"""A value as TOML writes it: as JSON does, but for DEL, and for halves of characters, which are lost."""
    written = json.dumps(value, ensure_ascii=False)
    return _UNWRITABLE.sub(lambda found: "\\u007f" if found[0] == "\x7f" else "\ufffd", written)


def _by_stage(transcript: Transcript) -> dict[str, list[Turn]]:
    """The turns that a server can play, by the stage of a script they belong to."""
    scripts: dict[str, list[Turn]] = {}
    mechanism = ""
    for turn in transcript:
        if turn.stage in {Stage.RESOLVE, Stage.CONNECT, Stage.TLS}:
            continue
        stage = str(turn.stage)
        if turn.stage is Stage.AUTH:
            words = turn.said.split()
            mechanism = words[1] if len(words) > 1 and words[0] == "AUTH" else mechanism
            known = mechanism in MECHANISMS
            stage = f"auth_{mechanism.lower().replace('-', '_')}" if known else "auth"
        elif turn.stage is Stage.EHLO:
            stage = "helo" if turn.said.startswith("HELO") else "ehlo_tls" if turn.secure else "ehlo"
        if _playable(turn):
            scripts.setdefault(stage, []).append(turn)
        if turn.stage is Stage.AUTH and mechanism in WITH_NONCE and stage in scripts:
            del scripts[stage][:-1]  # what comes before depends on our nonce: a fake makes it anew
    return scripts


def _playable(turn: Turn) -> bool:
    return isinstance(turn.heard, Reply) or (isinstance(turn.heard, Fault) and turn.heard.ending in _THEN)


def _script(turns: list[Turn]) -> str:
    acts = list(_acts(turns))
    return acts[0] if len(acts) == 1 else f"[{', '.join(acts)}]"


def _acts(turns: list[Turn]) -> Iterator[str]:
    for turn in turns:
        if isinstance(turn.heard, Fault):
            half = "".join(_raw(line) for line in turn.heard.lines[:-1]) + "".join(turn.heard.lines[-1:])
            yield f'{{ raw = {_text(half)}, then = "{_THEN[turn.heard.ending]}" }}'
            continue
        said = _said(turn.heard.lines if turn.heard else ())
        if turn.unasked:
            yield f"{{ {said}, pause = 0.05, then = {{ {_said(turn.unasked)} }} }}"
        else:
            yield said.removeprefix("reply = ") if said.startswith("reply = ") else f"{{ {said} }}"


def _said(lines: tuple[str, ...]) -> str:
    """Lines as ``reply``; as ``raw`` where one of them ended in a bare LF."""
    if any(line != unmarked(line) for line in lines):
        return f"raw = {_text(''.join(_raw(line) for line in lines))}"
    return f"reply = {_text(chr(10).join(lines))}"


def _raw(line: str) -> str:
    r"""A line with its own end: LF where it was marked ``\n``, else CR LF."""
    words = unmarked(line)
    return f"{words}\\x0a" if words != line else f"{line}\\x0d\\x0a"


def _text(words: str) -> str:
    r"""A TOML string that holds a server's words with their ``\xNN`` as they are."""
    words = _UNWRITABLE.sub(_escaped, words)
    if "'''" in words or words.endswith("'"):
        return _quoted(words)
    if "\n" in words:
        return f"'''\n{words}'''"
    return f"'{words}'" if "'" not in words else f"'''{words}'''"


def _escaped(found: re.Match[str]) -> str:
    r"""A character as a script writes it, ``\xNN`` or ``\uNNNN``."""
    point = ord(found[0])
    return f"\\x{point:02x}" if point < 0x80 else f"\\u{point:04x}"
