"""The SMTP client core: replies, what goes on the wire, certificates, logins, whole sessions."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, zip_longest

from pysendmail.smtp import Client, ProtocolError, Recipient, SmtpError, Transaction, UsageError
from pysendmail.smtp.arguments import format_command, format_mail, format_rcpt, format_xtext
from pysendmail.smtp.body import binary_blocks, chunk_blocks, data_blocks
from pysendmail.smtp.errors import shown
from pysendmail.smtp.extensions import auth_mechanisms, parse_extensions
from pysendmail.smtp.reply import MAX_LINE, MAX_LINES, MAX_OCTETS, Reply, ReplyParser
from pysendmail.smtp.sasl import MECHANISMS, Credentials, Parameters
from pysendmail.smtp.transport.certificate import (
    MalformedCertificate,
    public_key_of,
    server_end_point,
)
from tests.fuzz.targets.target import Target, cut

# --- the reply reader


def replies(octets: bytes) -> None:
    """Any octets, cut anywhere, are replies within the bounds or `ProtocolError`."""
    pieces = cut(octets)
    found, trouble = _read_replies(pieces)
    assert _read_replies([b"".join(pieces)]) == (found, trouble)
    for reply in found:
        assert 200 <= reply.code <= 599
        assert 1 <= len(reply.lines) <= MAX_LINES
        assert sum(map(len, reply.lines)) <= MAX_OCTETS
        assert all(len(line) <= MAX_LINE and b"\n" not in line for line in reply.lines)
        assert reply.enhanced in (b"", reply.lines[0].split(b" ")[0])
        assert shown(reply.text).isprintable()


def _read_replies(pieces: Iterable[bytes]) -> tuple[list[Reply], str]:
    parser = ReplyParser()
    found: list[Reply] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (reply := parser.next()) is not None:
                found.append(reply)
    except ProtocolError as trouble:
        return found, trouble.reason
    return found, ""


# --- the message on the wire


def body(octets: bytes) -> None:
    """Any message, cut anywhere, is its canonical form in dots or chunks; a binary one as it is."""
    pieces = cut(octets)
    message = b"".join(pieces)
    canonical = canonical_form(message)
    assert undone(b"".join(data_blocks(pieces))) == canonical
    assert joined(chunk_blocks(pieces)) == canonical
    assert joined(binary_blocks(pieces)) == message


def canonical_form(message: bytes) -> bytes:
    """RFC 5321 section 2.3.8, octet by octet, and our way with what it forbids."""
    text = message.replace(b"\0", b"")
    lines, line = [], bytearray()
    for octet, following in zip_longest(text, text[1:]):
        if octet == 0x0A or (octet == 0x0D and following is None):
            lines.append(bytes(line))
            line.clear()
        elif octet != 0x0D:
            line.append(octet)
        elif following != 0x0A:
            line.append(0x20)
    if line:
        lines.append(bytes(line))
    return b"".join(line + b"\r\n" for line in lines)


def undone(wire: bytes) -> bytes:
    """Return the message a server reads behind DATA, whose end is at the end, and only there."""
    *lines, end, nothing = wire.split(b"\r\n")
    assert (end, nothing) == (b".", b"")
    for line in lines:
        assert line != b"."
        assert not set(b"\r\n\0") & set(line)
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)


def joined(blocks: Iterable[tuple[bytes, bool]]) -> bytes:
    """Return what a server reads behind BDAT: the last block is the one that says so."""
    *before, (_, last) = taken = list(blocks)
    assert last
    assert not any(said for _, said in before)
    return b"".join(block for block, _ in taken)


# --- what a server offers, and what is said to it


def extensions(octets: bytes) -> None:
    """Any answer to EHLO is offers of some kind, and never more than a command line comes of it."""
    lines = tuple(octets.split(b"\n"))
    offers = parse_extensions(lines)
    assert offers.lines == lines
    assert offers.size_limit is None or offers.size_limit > 0
    assert all(value > 0 for value in offers.limits.values())
    assert offers.auth_mechanisms == auth_mechanisms(list(lines))
    assert all(word == word.upper() and not word.isspace() for word in offers.keywords)
    transaction = Transaction(
        b"a@x", (b"b@y",), b"", size=70_000, body=b"8BITMIME", ret=b"HDRS", envid=b"e", auth=b"<>"
    )
    try:
        _check_line(format_mail(offers, transaction))
    except SmtpError as refusal:
        assert refusal.session_usable


def arguments(octets: bytes) -> None:
    """Any octets in any argument are one command line, what they were, or `UsageError`."""
    first, second = [*cut(octets), b"", b""][:2]
    offers = parse_extensions((b"mx", b"SIZE", b"DSN", b"SMTPUTF8", b"AUTH PLAIN", b"8BITMIME"))
    for utf8 in (False, True):
        sender = _accepted(
            lambda utf8=utf8: format_mail(
                offers,
                Transaction(first, (), b"", smtputf8=utf8, envid=second, auth=second),
            )
        )
        assert sender is None or sender.startswith(b"MAIL FROM:<%s>" % first)
        recipient = Recipient(first, orcpt=b"rfc822;" + second if second else b"")
        named = _accepted(
            lambda who=recipient, utf8=utf8: format_rcpt(offers, who, smtputf8=utf8)
        )
        assert named is None or named.startswith(b"RCPT TO:<%s>" % first)
        _accepted(lambda utf8=utf8: format_command(first, utf8=utf8))
        _accepted(
            lambda: format_rcpt(offers, Recipient(b"b@y", parameters=((first, second or None),)))
        )
    assert _from_xtext(format_xtext(octets)) == octets


def _accepted(make: Callable[[], bytes]) -> bytes | None:
    try:
        line = make()
    except UsageError:
        return None
    _check_line(line)
    return line


def _check_line(line: bytes) -> None:
    assert line.endswith(b"\r\n")
    assert not any(octet < 32 or octet == 127 for octet in line[:-2])
    assert len(line) <= 2048


def _from_xtext(text: bytes) -> bytes:
    plain, *encoded = text.split(b"+")
    return plain + b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in encoded)


# --- certificates


def certificate(octets: bytes) -> None:
    """Any octets have a key that is among them, and a binding, or are no certificate."""
    try:
        key = public_key_of(octets)
        assert key
        assert key in octets
    except MalformedCertificate:
        pass
    try:
        binding = server_end_point(octets)
        assert binding is None or 28 <= len(binding) <= 64
    except MalformedCertificate:
        pass


# --- sessions

CREDENTIALS = Credentials(b"mailer", b"correct horse", token=b"vF9dft4qmTc2Nvb3RlckBh")
FUZZED_MECHANISMS = [name for name in MECHANISMS if name != b"GSSAPI"]  # that is another's code


def sasl(octets: bytes) -> None:
    """Any challenges end a login in success or in an `SmtpError`; proof cannot be made up."""
    name = FUZZED_MECHANISMS[octets[0] % len(FUZZED_MECHANISMS) if octets else 0]
    mechanism = MECHANISMS[name](
        CREDENTIALS,
        Parameters([(b"digest-uri", b"smtp/mx", False)]),
        binding=b"certificate",
        random=lambda count: b"r" * count,
    )
    challenges = [
        b"334 " + base64.b64encode(line[1:]) if line[:1] == b"=" else line
        for line in octets[1:].split(b"\n")
    ]
    client = Client(server := Server(line + b"\r\n" for line in challenges), server)
    try:
        client.auth(mechanism)
    except SmtpError as error:
        assert not client.authenticated
        assert client.broken is not error.session_usable
    else:
        assert not mechanism.mutual


OFFERS = (b"", b"250-PIPELINING\r\n", b"250-PIPELINING\r\n250-CHUNKING\r\n", b"250-CHUNKING\r\n")


def session(octets: bytes) -> None:
    """Whatever a server says, each message taken from the caller has one verdict, and in order.

    The first octet chooses what is offered, whether the server is heard while we write, and LMTP.
    """
    mood = octets[0] if octets else 0
    hello = b"220 mx\r\n250-mx\r\n%b250 SIZE\r\n" % OFFERS[mood & 3]
    chunks = chain((hello[:8], hello[8:]), cut(octets[1:]))
    server = ListeningServer(chunks) if mood & 4 else Server(chunks)
    client = Client(server, server, lmtp=bool(mood & 8))
    client.helo(b"me")
    if client.broken:
        return  # it hung up while it was greeted
    taken: list[Transaction] = []

    def transactions() -> Iterator[Transaction]:
        for number in range(4):
            recipients = [b"%d.%d@y" % (number, index) for index in range(1 + number % 3)]
            taken.append(Transaction(b"%d@x" % number, recipients, b"text\r\n.\r\n"))
            yield taken[-1]

    verdicts = list(client.stream(transactions()))
    assert [verdict.transaction for verdict in verdicts] == taken
    for verdict in verdicts:
        count = len(verdict.transaction.recipients)
        replied = [verdict.transcript.verdict(index) for index in range(count)]
        assert verdict.trouble is not None or all(replied)
        assert not (verdict.may_be_duplicate and all(replied))
    whole = len(taken) == 4 and all(verdict.trouble is None for verdict in verdicts)
    assert whole or client.broken


class Server:
    """Says the chunks it was given, and then hangs up; takes whatever it is told."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)

    def read(self, size: int) -> bytes:
        return next(self._chunks, b"")

    def write(self, octets: memoryview) -> int:
        return len(octets)

    def close(self) -> None:
        """Nothing is left open."""


class ListeningServer(Server):
    """One that speaks while it is spoken to: it takes half, and says the next chunk."""

    _spoken = False

    def arrived(self) -> bytes | None:
        if not self._spoken:
            return None
        self._spoken = False
        return next(self._chunks, b"")

    def write(self, octets: memoryview) -> int:
        if len(octets) < 2:
            return len(octets)
        self._spoken = not self._spoken
        return 0 if self._spoken else (len(octets) + 1) // 2


# --- what there is

TARGETS = (replies, body, extensions, arguments, certificate, sasl, session)


def seeds() -> dict[Target, list[bytes]]:
    """Return inputs to begin with."""
    import trustme
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    issued = trustme.CA().issue_cert("localhost").cert_chain_pems[0].bytes()
    hello = b"250 a\r\n250 b\r\n354 go\r\n250 taken\r\n250 reset\r\n" * 4
    return {
        replies: [b"\x02\x03\x01250-5.1.1 a\r\n250 b\r\n354 go\n550\r\n", b"\x01\x05220 mx\r\n"],
        body: [b"\x03\x01\x02\x05A: b\r\n.\r\n.\n.\r.\0\r\r\nx", b"\x01\x01\r\n.\r\n"],
        extensions: [b"mx\nSIZE 100000\nAUTH=PLAIN LOGIN\nLIMITS RCPTMAX=5\nDSN\nauth x"],
        arguments: [b"\x01\x05a@x.y<>\"", b'\x01\x09"a b"@x.yrfc822;\xc3\xbc'],
        certificate: [load_pem_x509_certificate(issued).public_bytes(Encoding.DER)],
        sasl: [
            bytes([number]) + line
            for number, _ in enumerate(FUZZED_MECHANISMS)
            for line in (b"=\n=\n235 welcome", b'=nonce="a",algorithm=md5-sess\n=rspauth=a\n235 ok',
                         b"=r=" + base64.b64encode(b"r" * 18) + b"x,s=YQ==,i=4096\n=v=YQ==\n235")
        ],
        session: [bytes([mood, 2, 9, 40]) + hello for mood in range(16)],
    }  # fmt: skip
