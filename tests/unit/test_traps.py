"""The traps that others have paid for, and that each of them has a test here.

A test that shows a trap to be none for us bears the mark `trap(number)` where it stands; this
module knows the traps, and finds the marks by reading the tests.
"""

from __future__ import annotations

import re
from pathlib import Path

TRAPS = {
    1: "octets that came before TLS are trusted after it",
    2: "CR, LF or NUL in an address or a parameter adds a command",
    3: "CR and a dot inside a line end the message early",
    4: "CR LF in the input becomes CR CR LF",
    5: "a message without a last line end swallows the final dot",
    6: "a stray CR or LF is passed on, and smuggles a message",
    7: "421, 554 or an unlisted code answers any command",
    8: "a reply has octets beyond ASCII, or control characters",
    9: "a reply does not end, changes its code midway, or is too short",
    10: "a keyword of EHLO comes in another case, or as AUTH=",
    11: "one refused recipient sinks or stalls the others",
    12: "DATA is accepted though no recipient was",
    13: "a wrong password bounces mail",
    14: "a temporary failure of greeting or EHLO bounces mail",
    15: "a bounce is bounced",
    16: "a bounce cannot be written, and the original is gone",
    17: "the connection is lost after the final dot, and nobody is told of the possible duplicate",
    18: "the server answers while the message is still being sent",
    19: "an unanswered QUIT is taken for an error",
    20: "an answer that comes after the timeout is paired with the next command",
    21: "a line that nobody asked for is paired with the next command",
    22: "the enhanced status contradicts the reply code",
    23: "a line has more than 998 octets",
    24: "an address begins with a hyphen",
    25: "a file in the spool is torn, empty or somebody else's",
    26: "a queue id is used again within a second",
    27: "the clock jumps",
    28: "a temporary failure is told to the caller as a permanent one",
    29: "two daemons, or a daemon and a run of the queue, take one entry",
}


def test_every_trap_has_a_test_and_every_mark_a_trap() -> None:
    tests = Path(__file__).parents[1]
    marks = [
        int(number)
        for path in tests.rglob("*.py")
        for number in re.findall(r"^ *@pytest\.mark\.trap\((\d+)\)$", path.read_text(), re.M)
    ]
    assert set(marks) == set(TRAPS)
