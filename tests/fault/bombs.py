"""Messages that are small on the wire and made to be large, or slow, in memory.

Each yields its octets as a program writes them, line ends LF. `BOMBS`: by name, with the exit
status that sendmail answers with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pysendmail.submission.exit_status import EX_DATAERR, EX_OK

HEAD = b"Subject: bomb\n"
MIME = HEAD + b"MIME-Version: 1.0\n"
MIXED = MIME + b"Content-Type: multipart/mixed; boundary=b0\n\n"
LONG_LINE = b"\xe9" + b"x" * 2000 + b"\n"  # eight bits, and too long: to be repaired in every way


def nested_multiparts() -> Iterator[bytes]:
    """Multiparts in multiparts, ten thousand deep."""
    yield MIXED
    for depth in range(10_000):
        yield b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (depth, depth + 1)
    yield LONG_LINE


def nested_messages() -> Iterator[bytes]:
    """Messages in messages, as deep."""
    yield MIME + b"Content-Type: message/rfc822\n\n" * 10_000 + b"\n" + LONG_LINE


def many_parts(count: int = 100_000) -> Iterator[bytes]:
    """As many parts as that, each of them to be written anew if any is."""
    yield MIXED
    for _ in range(count):
        yield b"--b0\nContent-Type: text/plain\n\n\xe9 %b\n" % (b"x" * 200)
    yield b"--b0--\n"


def parts_just_allowed() -> Iterator[bytes]:
    """So many that all are written anew."""
    yield from many_parts(9_990)


def long_part_headers() -> Iterator[bytes]:
    """Parts whose headers are as long as may be."""
    yield MIXED
    for _ in range(30):
        yield b"--b0\nX: a\n" + b" \xe9\n" * 16_000 + b"\n" + LONG_LINE


def header_lines(count: int = 1_000_000) -> Iterator[bytes]:
    """A million fields."""
    yield HEAD
    for number in range(count):
        yield b"X-%d: \xc3\xa9 %b\n" % (number, b"x" * 80)
    yield b"\nHello.\n"


def header_lines_just_allowed() -> Iterator[bytes]:
    """As many fields as are taken."""
    yield from header_lines(9_990)


def folded_header() -> Iterator[bytes]:
    """One field of very many lines."""
    yield HEAD + b"X: a\n" + b" \n" * 300_000 + b" " + LONG_LINE + b"\nHello.\n"


def encoded_words() -> Iterator[bytes]:
    """Words as RFC 2047 has them, without end."""
    yield HEAD + b"From: " + b"=?utf-8?q?a?= " * 70_000 + b"<a@example.com>\n\nHello.\n"


def words_to_encode() -> Iterator[bytes]:
    """Words that would have to be encoded."""
    words = "é a ".encode() * 90_000
    yield HEAD + b"From: " + words + b"<a@example.com>\nX: " + words + b"\n\nHello.\n"


def commas() -> Iterator[bytes]:
    """A list of nobody."""
    yield HEAD + b"To: user@example.net" + b"," * 1_000_000 + b"\n\nHello.\n"


def quotes() -> Iterator[bytes]:
    """A name of half a million words."""
    yield HEAD + b"To: " + b'""' * 500_000 + b" <user@example.net>\n\nHello.\n"


def parameters() -> Iterator[bytes]:
    """A type with parameters, without end."""
    yield MIME + b"Content-Type: text/plain" + b";a=b" * 250_000 + b"\n\n" + LONG_LINE


def too_many_recipients() -> Iterator[bytes]:
    """Half a million of them."""
    yield HEAD + b"To: " + b"a," * 500_000 + b"\n\nHello.\n"


def recipients_just_allowed() -> Iterator[bytes]:
    """As many as one message may have."""
    names = b",\n ".join(b"user%d@host%d.example.net" % (n, n) for n in range(19_999))
    yield HEAD + b"To: " + names + b"\n\nHello.\n"


def name_that_is_an_alias() -> Iterator[bytes]:
    """The same local names again and again, each for a list of others (see `ALIASES`)."""
    yield HEAD + b"To: " + b"list0, list1, " * 9_999 + b"\n\nHello.\n"


def one_long_line() -> Iterator[bytes]:
    """A message of one line."""
    yield HEAD + b"\n"
    for _ in range(25):
        yield b"\xe9" * 1_000_000


def line_ends() -> Iterator[bytes]:
    """Nothing but what grows."""
    yield HEAD + b"\n"
    for _ in range(20):
        yield b".\n" * 600_000


BOMBS: dict[Callable[[], Iterator[bytes]], int] = {
    nested_multiparts: EX_OK, nested_messages: EX_OK, many_parts: EX_OK, parts_just_allowed: EX_OK,
    long_part_headers: EX_OK, header_lines: EX_DATAERR, header_lines_just_allowed: EX_OK,
    folded_header: EX_OK, encoded_words: EX_OK, words_to_encode: EX_OK, commas: EX_OK,
    quotes: EX_OK, parameters: EX_OK, too_many_recipients: EX_DATAERR,
    recipients_just_allowed: EX_OK, name_that_is_an_alias: EX_OK, one_long_line: EX_OK,
    line_ends: EX_OK,
}  # fmt: skip
ALIASES = "".join(
    f"list{number}: list{number + 1}, list{number + 2}, user{number}@example.net\n"
    for number in range(9)
)
