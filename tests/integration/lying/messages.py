"""Rows 6 to 8, 11, 13 and 14: envelopes, messages, arguments, chunks, what a server cannot take."""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller

from pysendmail.smtp import (
    Client,
    MissingExtension,
    Recipient,
    SizeExceeded,
    TransientError,
    UsageError,
)
from pysendmail.smtp.body import BLOCK_OCTETS
from tests.helpers.lying_server import Step, hear, hear_chunk, hear_message, say
from tests.integration.lying.case import (
    BYE,
    TAKEN,
    Act,
    Case,
    Seen,
    ehlo,
    hello,
    saying,
    sending,
)

ALL_OFFERS = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "AUTH PLAIN", "REQUIRETLS")


def envelope(*offers: str) -> list[Step]:
    """Take a whole message from a client that is offered PIPELINING among others."""
    accepted = say("250 a", "250 b", "354 go")
    return [*hello(*offers), hear(3), accepted, hear_message(), say("250 taken")]


MAIL = [
    Case(
        6, "exact form", [*TAKEN, *BYE], sending(),
        holds=lambda seen: seen.heard[1:4] == [b"MAIL FROM:<a@x>", b"RCPT TO:<b@y>", b"DATA"],
    ),
    Case(
        6, "null sender", [*TAKEN, *BYE], sending(sender=b""),
        holds=lambda seen: seen.heard[1] == b"MAIL FROM:<>",
    ),
    Case(
        6, "parameters that are offered", [*envelope(*ALL_OFFERS), *BYE],
        sending(
            to=[Recipient(b"b@y", (b"FAILURE", b"DELAY"), b"rfc822;c@z")], size=6, body=b"8BITMIME",
            smtputf8=True, requiretls=True, ret=b"HDRS", envid=b"id", auth=b"<>",
        ),
        holds=lambda seen: seen.heard[1:3] == [
            b"MAIL FROM:<a@x> SIZE=6 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=id AUTH=<>",
            b"RCPT TO:<b@y> NOTIFY=FAILURE,DELAY ORCPT=rfc822;c@z",
        ],
    ),
    Case(
        6, "parameters that are not", [*TAKEN, *BYE],
        sending(
            to=[Recipient(b"b@y", (b"NEVER",), b"rfc822;c@z")], size=6, body=b"8BITMIME",
            ret=b"HDRS", envid=b"id", auth=b"<>",
        ),
        holds=lambda seen: seen.heard[1:3] == [b"MAIL FROM:<a@x>", b"RCPT TO:<b@y>"],
    ),
]  # fmt: skip

MIX = ["250 a", "251 will forward", "450 4.2.1 busy", "452 4.2.2 full", "550 5.1.1 who?",
       "551 5.1.6 try <c@z>", "552 5.2.2 full"]  # fmt: skip
TO_SEVEN = [b"%d@y" % number for number in range(7)]
TO_TWO = (b"b@y", b"c@y")


def nothing_sent(seen: Seen) -> bool:
    """No text went out, and everybody was refused."""
    return b"text" not in seen.octets and seen.codes == [550, 450]


RECIPIENTS = [
    Case(
        7, "mix", [*hello("PIPELINING"), hear(9), say("250 a", *MIX, "354 go"), hear_message(),
                   say("250 taken"), *BYE],
        sending(to=TO_SEVEN), holds=lambda seen: seen.codes == [250, 250, 450, 452, 550, 551, 552],
    ),
    Case(
        7, "all refused, pipelined",
        [*hello("PIPELINING"), hear(4), say("250 a", "550 b", "450 c", "554 nobody"), *BYE],
        sending(to=TO_TWO), holds=nothing_sent,
    ),
    Case(
        7, "all refused, step by step",
        [*hello(), hear(), say("250 a"), hear(), say("550 b"), hear(), say("450 c"), *BYE],
        sending(to=TO_TWO), holds=lambda seen: nothing_sent(seen) and b"DATA" not in seen.heard,
    ),
    Case(
        7, "354 after all refused",
        [*hello("PIPELINING"), hear(4), say("250 a", "550 b", "450 c", "354 go"), hear_message(),
         say("554 nobody"), *BYE],
        sending(to=TO_TWO),
        holds=lambda seen: nothing_sent(seen) and seen.heard[4:6] == [b"DATA", b"."],
    ),
]  # fmt: skip


def sent(*lines: bytes) -> Callable[[Seen], bool]:
    """What came behind DATA is these lines and the end, in CRLF and nothing else."""
    wire = b"".join(line + b"\r\n" for line in (*lines, b"."))

    def holds(seen: Seen) -> bool:
        return seen.octets.partition(b"DATA\r\n")[2] == wire + b"QUIT\r\n" and seen.codes == [250]

    return holds


EVIL = b"MAIL FROM:<evil@example.com>"

MESSAGES = [
    Case(8, name, [*TAKEN, *BYE], sending(message), holds=sent(*lines))
    for name, message, lines in (
        ("leading dots", b".a\r\n..\r\n.\r\n", (b"..a", b"...", b"..")),
        ("cut anywhere", [b"a\r", b"\n", b".", b"b\r\n.", b"\r", b"\n"], (b"a", b"..b", b"..")),
        ("mixed line ends", b"a\nb\r\nc\rd\n\re\r\r\nf", (b"a", b"b", b"c d", b" e ", b"f")),
        ("no final line end", b"a.", (b"a.",)),
        ("empty message", b"", ()),
    )
]  # fmt: skip
MESSAGES += [
    Case(
        8, f"smuggled end {end!r}", [*TAKEN, *BYE], sending(b"hello" + end + EVIL + b"\r\n"),
        holds=sent(*lines),
    )
    for end, lines in (
        (b"\n.\n", (b"hello", b"..", EVIL)),
        (b"\n.\r\n", (b"hello", b"..", EVIL)),
        (b"\r\n.\n", (b"hello", b"..", EVIL)),
        (b"\r\n\0.\r\n", (b"hello", b"..", EVIL)),
        (b"\n.\0\r\n", (b"hello", b"..", EVIL)),
        (b"\r.\r", (b"hello . " + EVIL,)),
        (b"\r\n.\r", (b"hello", b".. " + EVIL)),
    )
]  # fmt: skip
MESSAGES.append(
    Case(
        8, "five megabytes", [*TAKEN, *BYE], sending(lambda: [b"x" * 998 + b"\r\n"] * 5000),
        holds=lambda seen: seen.heard.count(b"x" * 998) == 5000,
    )
)  # fmt: skip

TWO_LINES = b"a@x\r\nRSET"
HANDS_OFF = [*hello(*ALL_OFFERS), hear()]


def without_a_word(act: Act, name: str) -> Case:
    """An argument that would be more than one is refused before anything is said."""
    return Case(
        11, name, HANDS_OFF, act, UsageError,
        lambda seen: seen.heard == [b"EHLO me"] and not seen.broken,
    )  # fmt: skip


def encoded(name: str, line: bytes, **options: object) -> Case:
    """An argument that is encoded stays one whatever it holds."""
    return Case(
        11, name, [*envelope(*ALL_OFFERS), *BYE], sending(**options),
        holds=lambda seen: line in seen.heard and seen.codes == [250],
    )  # fmt: skip


def hello_with_injection(client: Client, _: object) -> None:
    client.helo(b"me\r\nRSET")


INJECTIONS = [
    Case(
        11, "host", [say("220 mx"), hear()], hello_with_injection, UsageError,
        lambda seen: seen.heard == [],
    ),
    without_a_word(sending(sender=TWO_LINES), "sender"),
    without_a_word(sending(sender=b"a@x> SIZE=1"), "bracket in the sender"),
    without_a_word(sending(to=[TWO_LINES]), "recipient"),
    without_a_word(sending(to=[b"b@y\0"]), "NUL in a recipient"),
    without_a_word(sending(ret=b"HDRS\r\nRSET"), "RET"),
    without_a_word(sending(body=b"7BIT\r\nRSET"), "BODY"),
    without_a_word(sending(to=[Recipient(b"b@y", (b"NEVER\r\n",))]), "NOTIFY"),
    without_a_word(sending(to=[Recipient(b"b@y", orcpt=b"x\r\n;c")]), "type of ORCPT"),
    without_a_word(sending(parameters=[(b"X\r\nRSET", None)]), "keyword"),
    without_a_word(sending(parameters=[(b"X", b"1\r\nRSET")]), "value"),
    *(
        without_a_word(saying(methodcaller(verb, b"a\r\nRSET")), verb.upper())
        for verb in ("vrfy", "expn", "help", "command")
    ),
    encoded("ENVID", b"MAIL FROM:<a@x> ENVID=a+0D+0ARSET", envid=b"a\r\nRSET"),
    encoded("AUTH=", b"MAIL FROM:<a@x> AUTH=a@x+0D+0ARSET", auth=TWO_LINES),
    encoded(
        "ORCPT", b"RCPT TO:<b@y> ORCPT=rfc822;a@x+0D+0ARSET",
        to=[Recipient(b"b@y", orcpt=b"rfc822;" + TWO_LINES)],
    ),
]  # fmt: skip

BLOCK = b"x" * BLOCK_OCTETS
CHUNKED = [*hello("CHUNKING"), hear(), say("250 a"), hear(), say("250 b"), hear_chunk()]
CHUNKS = [
    Case(
        13, "accepted", [*CHUNKED, say("250 taken"), *BYE], sending(b".a\n"),
        holds=lambda seen: seen.heard[3:5] == [b"BDAT 4 LAST", b".a\r\n"] and seen.codes == [250],
    ),
    Case(
        13, "refused in the middle", [*CHUNKED, say("452 full"), *BYE],
        sending([BLOCK, BLOCK, BLOCK]),
        holds=lambda seen: (
            seen.codes == [452]
            and [line[:4] for line in seen.heard if line[:4] == b"BDAT"] == [b"BDAT"]
        ),
    ),
    Case(
        13, "last one empty", [*CHUNKED, say("250 taken"), *BYE], sending(b""),
        holds=lambda seen: seen.heard[3] == b"BDAT 0 LAST" and seen.codes == [250],
    ),
    Case(
        13, "421 to a chunk", [*CHUNKED, say("421 bye")], sending([BLOCK, BLOCK, BLOCK]),
        TransientError,
    ),
]  # fmt: skip

EIGHT_BIT = b"Subject: x\r\n\r\n\xc3\xa4\r\n"
LACKS = [
    Case(
        14, "LIMITS", hello("LIMITS RCPTMAX=5 MAILMAX=x"), ehlo,
        holds=lambda seen: seen.result.limits == {b"RCPTMAX": 5},
    ),
    Case(
        14, "no SMTPUTF8", [*hello("8BITMIME"), hear()],
        sending(to=["ä@y".encode()], smtputf8=True), MissingExtension,
        lambda seen: seen.heard == [b"EHLO me"] and not seen.broken,
    ),
    Case(
        14, "no 8BITMIME", [*TAKEN, *BYE], sending(EIGHT_BIT, body=b"8BITMIME"),
        holds=lambda seen: seen.heard[1] == b"MAIL FROM:<a@x>" and b"\xc3\xa4" in seen.octets,
    ),
    Case(
        14, "SIZE exceeded", [*hello("SIZE 1000"), hear()], sending(size=1001), SizeExceeded,
        lambda seen: seen.heard == [b"EHLO me"] and not seen.broken,
    ),
]  # fmt: skip

CASES = [*MAIL, *RECIPIENTS, *MESSAGES, *INJECTIONS, *CHUNKS, *LACKS]
