"""A program that sends mail, how it is run, and what must arrive.

The tables of the test modules are made of these; `conftest` runs them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.helpers.smarthost import Received

ONCE = (b"From", b"To", b"Subject", b"Date", b"Message-ID")
NEVER = (b"Bcc", b"Resent-Bcc", b"Return-Path")
LONGEST_LINE = 998  # RFC 5322, 2.1.1: without CRLF

Text = str | re.Pattern[str]


@dataclass(frozen=True)
class Mail:
    """One message as it must arrive, with the five fields of `ONCE` in it exactly once.

    `body` has LF line ends. A pattern must match the whole of what it stands for.
    """

    subject: Text
    body: Text
    sender: str = "alice@example.com"
    recipients: Sequence[str] = ("bob@example.net",)
    from_: str = "Alice Liddell <alice@example.com>"
    to: str = "bob@example.net"

    def differences(self, received: Received) -> list[str]:
        """Return what is not as it must be, one line each."""
        header, _, body = received.content.partition(b"\r\n\r\n")
        fields = Counter(line.partition(b":")[0].lower() for line in header.split(b"\r\n"))
        lines = received.content.split(b"\r\n")
        facts: list[tuple[str, object, object]] = [
            ("sender", self.sender, received.sender.decode()),
            ("recipients", list(self.recipients), [to.decode() for to in received.recipients]),
            ("From", self.from_, received.field(b"From").decode()),
            ("To", self.to, received.field(b"To").decode()),
            ("Subject", self.subject, received.subject.decode()),
            ("body", self.body, body.replace(b"\r\n", b"\n").decode()),
            ("fields of which there is not one", [], [x for x in ONCE if fields[x.lower()] != 1]),
            ("fields that must go", [], [name for name in NEVER if fields[name.lower()]]),
            ("lines with CR or LF", [], [x for x in lines if b"\r" in x or b"\n" in x]),
            ("lines too long", [], [line for line in lines if len(line) > LONGEST_LINE]),
        ]
        return [
            f"{what}: {found!r} instead of {wanted!r}"
            for what, wanted, found in facts
            if not fits(wanted, found)
        ]


def fits(wanted: object, found: object) -> bool:
    """Tell whether a fact is as wanted; a pattern must match the whole of it."""
    if isinstance(wanted, re.Pattern):
        return wanted.fullmatch(str(found)) is not None
    return wanted == found


@dataclass(frozen=True)
class Caller:
    """A program that sends mail by /usr/sbin/sendmail.

    `needs`: a file it comes with; where that is missing the test is skipped. `script`: the shell
    commands that make it send, run as `user`. `prepare`: what its package or its administrator
    does beforehand, as root. `stop`: what ends it, as root, once the messages are there.
    """

    name: str
    needs: str
    script: str
    mails: Sequence[Mail]
    user: str = "alice"
    prepare: str = ""
    stop: str = ""

    def __str__(self) -> str:
        return self.name
