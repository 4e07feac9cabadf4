"""Header and body: V27-V33, and what a smarthost's limits make of recipients."""

from __future__ import annotations

import subprocess

import pytest

from tests.helpers.sink import CAP, CAP100
from tests.integration.dialect.cases import each_through, through
from tests.integration.dialect.world import DIRECT, SOCKET, V01, S, World, recipients_of

PATIENCE_S = 20.0


@through("V27")
@pytest.mark.parametrize(
    ("words", "stdin", "shown"),
    [
        ([], V01, "Env Name <alice@example.test>"),
        (["-F", "Doe, J."], V01, '"Doe, J." <alice@example.test>'),
        (["-F", "Doe, J."], b"From: Me <me@x.test>\n" + V01, "Me <me@x.test>"),
    ],
    ids=["environment", "option", "own"],
)
def test_full_name(world: World, words: list[str], stdin: bytes, shown: str) -> None:
    world.sendmail(*words, "bob@example.org", stdin=stdin, env={"NAME": "Env Name"})
    assert world.mail().field("From") == shown


DOTS = S + b"\na\n..b\n.c\n.\n"


@through("V28")
def test_line_of_one_dot_ends_the_message_and_not_the_caller(world: World) -> None:
    process = world.popen(world.program, "bob@example.org", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(DOTS + b"lost\n" + b"x" * 79 + b"\n" * 2**20)  # EPIPE would raise
    process.stdin.flush()
    assert process.communicate(timeout=PATIENCE_S) == (b"", b"")
    assert process.returncode == 0
    assert world.mail().lines() == [b"a", b".b", b".c"]


@through("V29")
def test_every_line_is_kept_with_i(world: World) -> None:
    world.sendmail("-i", "bob@example.org", stdin=DOTS + b"kept\n")
    assert world.mail().lines() == [b"a", b"..b", b".c", b".", b"kept"]


@each_through(
    "stdin,lines",
    {
        "V30": [b"Subject: t\r\n\r\na\r\n.\r\nlost\r\n", [b"a"]],
        "V31": [
            b"From alice Mon Jan  1 00:00:00 2024\n>From x y\n" + S + b"\nFrom here\n",
            [b"From here"],
        ],
        "V32": [b"", []],
        "V33": [b"just text: no\nmore text\n", [b"just text: no", b"more text"]],
    },
)
def test_body_is_what_it_ought_to_be(world: World, stdin: bytes, lines: list[bytes]) -> None:
    world.sendmail("bob@example.org", stdin=stdin)
    mail = world.mail()
    mail.check_generated()
    assert mail.lines() == lines


@through("cap100", (SOCKET, DIRECT))
def test_more_recipients_than_the_smarthost_takes_at_once(world: World) -> None:
    world.sink.play(CAP100)
    recipients = [f"r{number}@example.org" for number in range(2 * CAP + 50)]
    world.sendmail(*recipients)
    assert recipients_of(world.mails(3)) == sorted(map(str.encode, recipients))
