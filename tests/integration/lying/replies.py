"""Rows 1 to 3, 9 and 10: replies that are none, greetings, offers, sessions that end."""

from __future__ import annotations

from pysendmail.smtp import (
    ConnectionLost,
    PermanentError,
    ProtocolError,
    TimedOut,
    TlsError,
    TransientError,
)
from pysendmail.smtp.phases import PHASES
from tests.helpers.lying_server import (
    babble,
    drip,
    hang_up,
    hear,
    hear_chunk,
    hear_message,
    reset,
    say,
    send,
    stall,
)
from tests.integration.lying.case import (
    BYE,
    ENVELOPE,
    PIPELINED,
    TAKEN,
    Case,
    ehlo,
    greeting,
    hello,
    login,
    saying,
    secured,
    sending,
)

LARGE = b"x" * 78 + b"\r\n" + b"y" * 8_000_000
# Nobody wants the first message, so that RSET comes before the second.
TWICE = saying(lambda client: client.mail(b"a@x"), lambda client: client.mail(b"b@x"))

SHAPES = [
    Case(
        1, "bare codes",
        [send(b"220\r\n"), hear(), send(b"250\r\n"), hear(), send(b"250\r\n"), hear(),
         send(b"250\r\n"), hear(), send(b"354\r\n"), hear_message(), send(b"250\r\n"), hear(),
         send(b"221\r\n")],
        sending(), holds=lambda seen: seen.codes == [250],
    ),
    Case(
        1, "LF alone",
        [send(b"220 mx\n"), hear(), send(b"250-mx\n250 PIPELINING\n"), hear(3),
         send(b"250 a\n250 b\n354 go\n"), hear_message(), send(b"250 ok\n"), hear(),
         send(b"221 bye\n")],
        sending(), holds=lambda seen: seen.codes == [250],
    ),
    Case(
        1, "line of 600 octets", [say("220 " + "x" * 594)],
        greeting, holds=lambda seen: len(seen.result.text) == 594,
    ),
    Case(1, "line of 20,000 octets", [say("220 " + "x" * 19_994)], greeting, ProtocolError),
    Case(
        1, "codes that differ", [say("220 mx"), hear(), say("250-mx", "251 a")], ehlo,
        ProtocolError,
    ),
    Case(1, "1yz", [*hello(), hear(), say("150 wait")], sending(), ProtocolError),
    Case(1, "6yz", [*hello(), hear(), say("650 what")], sending(), ProtocolError),
    Case(1, "garbage", [say("HTTP/1.1 400 Bad Request")], greeting, ProtocolError),
    Case(1, "endless reply", [say(*["220-x"] * 1500)], greeting, ProtocolError),
]  # fmt: skip

ENDS = [
    Case(1, "end at the greeting", [hang_up()], greeting, ConnectionLost),
    Case(1, "end within a reply", [send(b"220-mx\r\n220"), hang_up()], greeting, ConnectionLost),
    Case(1, "end at EHLO", [say("220 mx"), hear(), hang_up()], ehlo, ConnectionLost),
    Case(1, "end at STARTTLS", [*hello("STARTTLS"), hear(), hang_up()], secured(), ConnectionLost),
    Case(
        1, "end in the handshake", [*hello("STARTTLS"), hear(), say("220 go"), hang_up()],
        secured(), TlsError,
    ),
    Case(1, "end at AUTH", [*hello(), hear(), hang_up()], login("PLAIN"), ConnectionLost),
    Case(
        1, "end at a challenge", [*hello(), hear(), say("334 "), hear(), hang_up()],
        login("LOGIN"), ConnectionLost,
    ),
    Case(1, "end at MAIL", [*PIPELINED, hang_up()], sending(), ConnectionLost),
    Case(1, "end at RCPT", [*PIPELINED, say("250 a"), hang_up()], sending(), ConnectionLost),
    Case(
        1, "end at DATA", [*PIPELINED, say("250 a", "250 b"), hang_up()], sending(),
        ConnectionLost,
    ),
    Case(
        1, "end in the message", [*ENVELOPE, hear(), hang_up()], sending(LARGE), ConnectionLost,
        lambda seen: not seen.error.after_end_of_data,
    ),
    Case(
        1, "end after the message", [*ENVELOPE, hear_message(), hang_up()], sending(),
        ConnectionLost, lambda seen: seen.error.after_end_of_data,
    ),
    Case(
        1, "end at BDAT",
        [*hello("CHUNKING"), hear(), say("250 a"), hear(), say("250 b"), hear_chunk(), hang_up()],
        sending(), ConnectionLost, lambda seen: seen.error.after_end_of_data,
    ),
    Case(
        1, "end at RSET", [*hello(), hear(), say("250 a"), hear(), hang_up()], TWICE,
        ConnectionLost,
    ),
]  # fmt: skip

# The same places with other ways to end there. At the greeting a reset may be one of connecting,
# and in the handshake Python leaves its socket to the garbage collector.
SHORT = {phase.name: 0.3 for phase in PHASES}
WAYS = {
    "reset": (reset(), (ConnectionLost, TlsError), {}),
    "stall": (stall(), (TimedOut, TlsError), SHORT),
    "endless reply": (babble(), (ProtocolError, TlsError), {}),
}
ELSEWISE = [
    Case(1, end.name.replace("end", way), [*end.recipe[:-1], step], end.act, errors, **timeouts)
    for way, (step, errors, timeouts) in WAYS.items()
    for end in ENDS[2:]
    if (way, end.name) != ("reset", "end in the handshake")
]

GREETINGS = [
    Case(
        2, "two lines", [say("220-mx", "220 hello")], greeting,
        holds=lambda seen: seen.result.lines == (b"mx", b"hello"),
    ),
    Case(2, "421", [say("421 busy"), hang_up()], greeting, TransientError),
    Case(2, "554", [say("554 not you"), hang_up()], greeting, PermanentError),
    Case(2, "521", [say("521 no mail here"), hang_up()], greeting, PermanentError),
    Case(2, "silence", [stall()], greeting, TimedOut, greeting=0.3),
    Case(2, "drip", [drip(b"220-" * 100, pause_s=0.05)], greeting, TimedOut, greeting=0.3),
]  # fmt: skip

OFFERS = [
    Case(
        3, "500 and HELO", [say("220 mx"), hear(), say("500 what?"), hear(), say("250 mx")],
        ehlo, holds=lambda seen: seen.heard == [b"EHLO me", b"HELO me"],
    ),
    Case(
        3, "421", [say("220 mx"), hear(), say("421 bye"), hang_up()], ehlo, TransientError,
        lambda seen: seen.heard == [b"EHLO me"],
    ),
    Case(
        3, "554", [say("220 mx"), hear(), say("554 not you"), hang_up()], ehlo, PermanentError,
        lambda seen: seen.heard == [b"EHLO me"],
    ),
    Case(
        3, "lower case", hello("pipelining", "size 100", "auth plain"), ehlo,
        holds=lambda seen: (
            b"PIPELINING" in seen.result
            and seen.result.size_limit == 100
            and seen.result.auth_mechanisms == (b"PLAIN",)
        ),
    ),
    Case(
        3, "AUTH=", hello("AUTH=PLAIN LOGIN", "AUTH CRAM-MD5"), ehlo,
        holds=lambda seen: seen.result.auth_mechanisms == (b"PLAIN", b"LOGIN", b"CRAM-MD5"),
    ),
    *(
        Case(
            3, f"SIZE {what}",
            [*hello(f"SIZE{value}"), hear(), say("250 a"), hear(), say("250 b"), hear(),
             say("354 go"), hear_message(), say("250 ok"), *BYE],
            sending(size=5_000), holds=lambda seen: seen.heard[1] == b"MAIL FROM:<a@x> SIZE=5000",
        )
        for what, value in (("alone", ""), ("0", " 0"), ("junk", " lots of room"))
    ),
]  # fmt: skip

SESSIONS = [
    Case(
        9, "421 at RCPT", [*PIPELINED, say("250 a", "421 bye"), hang_up()], sending(),
        TransientError,
    ),
    Case(
        9, "421 at DATA", [*PIPELINED, say("250 a", "250 b", "421 bye"), hang_up()], sending(),
        TransientError,
    ),
    Case(
        9, "421 after the dot", [*ENVELOPE, hear_message(), say("421 bye"), hang_up()], sending(),
        TransientError, lambda seen: not seen.error.after_end_of_data,
    ),
    Case(
        9, "garbage after the dot", [*ENVELOPE, hear_message(), say("what?")], sending(),
        ProtocolError, lambda seen: seen.error.after_end_of_data,
    ),
    Case(
        9, "silence after the dot", [*ENVELOPE, hear_message(), stall()], sending(), TimedOut,
        lambda seen: seen.error.after_end_of_data, final=0.3,
    ),
    Case(
        9, "drip after the dot", [*ENVELOPE, hear_message(), drip(b"250-" * 100, pause_s=0.05)],
        sending(), TimedOut, lambda seen: seen.error.after_end_of_data, final=0.3,
    ),
    Case(9, "silence at MAIL", [*PIPELINED, stall()], sending(), TimedOut, mail=0.3),
    Case(10, "no answer", [*TAKEN, hear(), stall()], sending(), quit=0.3),
    Case(10, "4yz", [*TAKEN, hear(), say("451 stay")], sending()),
    Case(10, "garbage", [*TAKEN, hear(), say("what?")], sending()),
    Case(10, "close", [*TAKEN, hang_up()], sending()),
]  # fmt: skip

CASES = [*SHAPES, *ENDS, *ELSEWISE, *GREETINGS, *OFFERS, *SESSIONS]
