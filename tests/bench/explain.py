"""How fast `probe explain` is: lines of a log, milliseconds a reply, megabytes. Prints; asserts nothing.

python -m tests.bench.explain [LINES]
"""

from __future__ import annotations

import io
import random
import resource
import sys
import time
from collections.abc import Iterator

from probe.grammar import maillog, pasted
from probe.run.bounces import Pile
from probe.run.explain import explain_reply, reading

# Made distinct by ids. Of the first kind only the address differs, which reading leaves out of account: it is
# remembered, so one reply in five costs less, as in life.
REPLIES = (
    "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table",
    "550-5.1.1 The email account that you tried to reach does not exist. Please try {id} - gsmtp",
    "421 4.7.28 Gmail has detected an unusual rate of mail originating from your IP address. {id} - gsmtp",
    "550 5.7.1 Client host [203.0.113.{n}] blocked using Spamhaus (AS3130). [{id}.outlook.com]",
    "452 4.2.2 The email account that you tried to reach is over quota. {id} - gsmtp",
)
HOSTS = (
    "aspmx.l.google.com",
    "corp-example.mail.protection.outlook.com",
    "mta5.am0.yahoodns.net",
    "mx.corp.example",
)


def log(lines: int, failing: float, seed: int = 1) -> Iterator[bytes]:
    """A Postfix log in pieces: a third of the lines tell of a delivery, `failing` of these of a failure."""
    dice = random.Random(seed)
    for at in range(lines // 3):
        stamp = f"Nov {1 + at * 20 * 3 // lines:2d} {at // 60 % 24:02d}:{at % 60:02d}:00 mx postfix"
        queue, host, to = f"{dice.getrandbits(40):X}", dice.choice(HOSTS), f"user{at}@dom{at % 3000}.example"
        said, status = f"250 2.0.0 OK {dice.getrandbits(40):x} - gsmtp", "sent"
        if dice.random() < failing:
            reply = dice.choice(REPLIES).format(to=to, id=f"{dice.getrandbits(60):x}", n=at % 250)
            said, status = f"host {host}[192.0.2.7] said: {reply} (in reply to RCPT TO command)", "bounced"
        yield (
            f"{stamp}/qmgr[9]: {queue}: from=<inbox{at % 50}@send{at % 10}.example>, size=1, nrcpt=1 (queue active)\n"
            f"{stamp}/smtp[7]: {queue}: to=<{to}>, relay={host}[192.0.2.7]:25, delay=1.2, delays=0.1/0/0.5/0.6, "
            f"dsn=5.0.0, status={status} ({said})\n{stamp}/qmgr[9]: {queue}: removed\n"
        ).encode()


def classified(text: str) -> object:
    return reading(pasted.read(text))


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    text = "550 5.1.1 user unknown"
    began = time.perf_counter()
    explain_reply(text)
    print(f"first reply            {1000 * (time.perf_counter() - began):9.1f} ms (catalogue included)")
    texts = [reply.format(to=f"u{at}@x.example", id=at, n=at % 250) for at in range(400) for reply in REPLIES]
    for what, verb in (("a reply, classified ", classified), ("a reply, explained  ", explain_reply)):
        began = time.process_time()
        for text in texts:
            verb(text)
        print(f"{what}   {1000 * (time.process_time() - began) / len(texts):9.3f} ms CPU")
    for failing in (0.1, 1.0):
        stream = io.BytesIO(b"".join(log(lines, failing)))
        held, began = megabytes(), time.process_time()
        pile = Pile("bench")
        for logged in maillog.postfix(maillog.lines(stream)):
            pile.logged(logged)
        pile.report()
        took = time.process_time() - began
        print(
            f"Postfix, {failing:4.0%} failing  {lines / took:9,.0f} lines/s, "
            f"{pile.failed:,} of {pile.seen:,} failed, {megabytes() - held:.0f} MB more"
        )


if __name__ == "__main__":
    main()
