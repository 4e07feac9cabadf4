"""Messages of awkward shape through real servers: each arrives once, with the right octets."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pysendmail.smtp import Client
from tests.integration.smtp.conftest import SERVERS, Server, arrived

# with the fields that some servers would else add
FIELDS = (
    b"Date: Wed, 25 Nov 2026 03:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
    b"Subject: shape\r\n"
)
HEADER = FIELDS + b"\r\n"

SHAPES = {
    "dots": HEADER + b".\r\n..\r\n.dot\r\n...\r\nx.\r\n.",
    "no final newline": HEADER + b"the last line",
    "empty lines at the end": HEADER + b"x\r\n\r\n\r\n\r\n",
    "newlines of Unix": (HEADER + b".\r\nx\r\n\r\n.x\r\n").replace(b"\r\n", b"\n"),
    "8 bits": HEADER + bytes(range(0x80, 0x100)) + b"\r\n" + "grüße\r\n".encode(),
    "998 octets in a line": HEADER + b"x" * 998 + b"\r\n." + b"y" * 996 + b"\r\n",
}

# Each would end the message early with a server that takes a lone CR or LF for a line end, and what
# follows would then be commands of an attacker's.
ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r\n\0.\r\n",
]  # fmt: skip
INTRUDER = b"intruder@example.com"
COMMANDS = (
    b"MAIL FROM:<" + INTRUDER + b">\r\nRCPT TO:<a@example.com>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n"
)

# The extensions that are not to be used, and the servers: OpenSMTPD does not offer CHUNKING.
WAYS = {"DATA": (b"CHUNKING",), "BDAT": ()}
SERVERS_AND_WAYS = [
    (name, way)
    for name in SERVERS
    for way in WAYS
    if (name, way) != ("opensmtpd_open", "BDAT")
]


def as_lines(source: bytes) -> bytes:
    """Return what a message has to be when it arrives: CRLF at the end of every line, no NUL."""
    text = source.replace(b"\0", b"")
    text = re.sub(rb"\r\n|\n", b"\r\n", text)
    text = re.sub(rb"\r(?!\n)", b" ", text)
    return text if text.endswith(b"\r\n") or not text else text + b"\r\n"


@pytest.fixture(params=SERVERS_AND_WAYS, ids=lambda pair: f"{pair[0].partition('_')[0]} {pair[1]}")
def way(request: pytest.FixtureRequest) -> tuple[Server, str]:
    """A server, and how messages go to it."""
    name, how = request.param
    return request.getfixturevalue(name), how


@pytest.fixture
def server(way: tuple[Server, str]) -> Server:
    """The server alone."""
    return way[0]


@pytest.fixture
def client(way: tuple[Server, str], enter: Callable[..., Client]) -> Client:
    """A client that may send to it, by DATA or by BDAT."""
    made = enter(way[0], ignored=WAYS[way[1]])
    assert (b"CHUNKING" in made.extensions) == (way[1] == "BDAT")
    return made


def send(client: Client, sender: bytes, source: bytes, cut: int = 0) -> None:
    """Hand a message over, in chunks of `cut` octets where that is given."""
    size = cut or max(len(source), 1)
    chunks = [source[at : at + size] for at in range(0, len(source), size)]
    eight = b"8BITMIME" if not source.isascii() and b"8BITMIME" in client.extensions else b""
    transcript = client.transaction(sender, [b"a@example.com"], chunks, body=eight)
    assert transcript.taken, transcript


def test_awkward_messages_arrive_as_they_were(
    server: Server, client: Client, sender: bytes
) -> None:
    for number, source in enumerate(SHAPES.values()):
        send(client, b"%d.%b" % (number, sender), source, cut=7)
    for number, (shape, source) in enumerate(SHAPES.items()):
        (received,) = arrived(server, b"%d.%b" % (number, sender))
        assert received.content.endswith(as_lines(source)), shape
        assert received.content.count(b"Subject: shape") == 1, shape


def test_message_of_a_header_only_arrives_as_such(
    server: Server, client: Client, sender: bytes
) -> None:
    send(client, sender, FIELDS)
    (received,) = arrived(server, sender)
    assert received.content.rstrip().endswith(FIELDS.rstrip())


def test_empty_message_is_a_message(server: Server, client: Client, sender: bytes) -> None:
    send(client, sender, b"")
    (received,) = arrived(server, sender)
    unfolded = received.content.replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ").strip()
    added = {line.partition(b":")[0].lower() for line in unfolded.splitlines()}
    assert added <= {b"received", b"date", b"message-id"}


def test_message_of_5_mb_arrives_whole(server: Server, client: Client, sender: bytes) -> None:
    lines = [b"%d:%s\r\n" % (number, b"." * (number % 100)) for number in range(88_000)]
    source = HEADER + b"".join(lines)
    assert len(source) > 5_000_000
    send(client, sender, source, cut=100_000)
    (received,) = arrived(server, sender)
    assert received.content.endswith(source)


def test_message_with_a_false_end_stays_one_message(
    server: Server, client: Client, sender: bytes
) -> None:
    sources = [HEADER + b"before" + end + COMMANDS + b"after\r\n" for end in ENDS]
    for number, source in enumerate(sources):
        send(client, b"%d.%b" % (number, sender), source)
    send(client, sender, HEADER)
    arrived(server, sender)
    for number, source in enumerate(sources):
        (received,) = arrived(server, b"%d.%b" % (number, sender))
        assert received.content.endswith(as_lines(source)), ENDS[number]
    assert INTRUDER not in [one.sender for one in server.received()]


@pytest.mark.parametrize("name", ["postfix_open", "exim_open", "dovecot_login"])
def test_line_of_a_million_octets_arrives_uncut_where_the_server_lets_it(
    request: pytest.FixtureRequest, enter: Callable[..., Client], sender: bytes, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    source = HEADER + b"z" * 1_000_000 + b"\r\n.\r\n"
    client = enter(server)
    transcript = client.transaction(sender, [b"a@example.com"], source)
    if transcript.taken:
        (received,) = arrived(server, sender)
        assert received.content.endswith(source)
    else:
        assert transcript.final is not None
        assert transcript.final.code >= 500
    assert client.usable()
