"""What programs hand in: the message and the addresses in it, and how both go out."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from pysendmail.command.stdin import Undotter
from pysendmail.config.keys import Config
from pysendmail.message.address import (
    DOMAIN_LIMIT,
    LOCAL_LIMIT,
    Mailbox,
    comparable,
    parse_list,
    parse_mailbox,
    qualify,
    quoted_local,
    unquoted,
)
from pysendmail.message.aliases import Aliases
from pysendmail.message.content import Content
from pysendmail.message.intake import STRIPPED, MessageTooLarge, read_message, strip
from pysendmail.message.lexer import tokens_of
from pysendmail.message.message import Message, MessageAtRest
from pysendmail.message.phrase import format_phrase
from pysendmail.message.slices import Octets
from pysendmail.smtp.arguments import check_address
from pysendmail.submission.accept import accept
from pysendmail.submission.exit_status import EX_DATAERR, EX_UNAVAILABLE, EX_USAGE, Refused
from pysendmail.submission.mistakes import check
from pysendmail.submission.request import Request
from pysendmail.submission.submitter import Submitter
from tests.fuzz.targets.target import Target, cut

# --- the message


def intake(octets: bytes) -> None:
    """Any octets, cut anywhere, are the same message: canonical, and nothing in it made up.

    What was taken for a header is the beginning of it, and the body what follows, octet by octet.
    """
    pieces = cut(octets)
    whole = b"".join(pieces)
    message = read(pieces)
    header, text, body = message.header, octets_of(message), octets_of(message.body)
    assert octets_of(read([whole])) == text
    canonical = canonical_form(whole)
    assert canonical.endswith(body)
    before = canonical[: len(canonical) - len(body)]
    expected = skipped(before, header) + header
    assert before in (expected, expected + b"\r\n")
    for field in message.fields:
        assert field.raw.count(b"\r\n") == len(re.findall(rb"\r\n[ \t]", field.raw)) + 1
    for again in (read([text], limit=len(text)), MessageAtRest(Octets(text))):
        assert again.fields == message.fields
        assert octets_of(again.body) == body
    assert len(text) < 3 or is_too_large(whole, limit=len(text) - 3)


def read(pieces: list[bytes], *, limit: int | None = None) -> Message:
    """Return the message, with room enough for the longest line ends where there is no limit."""
    if limit is None:
        limit = 2 * sum(map(len, pieces)) + 2
    return read_message(pieces, limit=limit, content=Content)


def is_too_large(text: bytes, *, limit: int) -> bool:
    try:
        read([text], limit=limit)
    except MessageTooLarge:
        return True
    return False


def canonical_form(text: bytes) -> bytes:
    """Our way with what RFC 5322 section 2.3 forbids."""
    lines = re.sub(rb"\r*\n", b"\n", text.replace(b"\0", b"")).rstrip(b"\r").replace(b"\r", b" ")
    if lines and not lines.endswith(b"\n"):
        lines += b"\n"
    return lines.replace(b"\n", b"\r\n")


def skipped(text: bytes, header: bytes) -> bytes:
    """Return the mailbox lines before the header."""
    lines = re.match(rb"(>*From (?![ \t]*:)[^\r]*\r\n)*", text)
    assert lines is not None
    return lines[0] if not text.startswith(header) or not header else b""


def dots(octets: bytes) -> None:
    """Any octets, cut anywhere, lose the dots of their transport and end at the same place."""
    pieces = cut(octets)
    whole = b"".join(pieces)
    text, ended = undotted(pieces)
    assert (text, ended) == undotted([whole])
    lines = whole.split(b"\n")
    kept = []
    for line in lines:
        if line in (b".", b".\r") or (line is lines[-1] and line.rstrip(b"\r") == b"."):
            break
        kept.append(line[1:] if line.startswith(b"..") else line)
    assert ended == (len(kept) < len(lines))
    assert text == b"\n".join(kept) + (b"\n" if ended and kept else b"")


def undotted(pieces: list[bytes]) -> tuple[bytes, bool]:
    reader = Undotter()
    text = b"".join([reader.feed(piece) for piece in pieces])
    return text + reader.finish(), reader.ended


# --- addresses


def address(octets: bytes) -> None:
    """Any octets are mailboxes whose addresses are safe on a command line, and what is none.

    An address that is written, alone or in a list, is read as the same; a name beside it as well.
    """
    mailboxes, bad = parse_list(octets)
    for before, after in pairwise(mailboxes):
        assert before.end <= after.start
    for mailbox in mailboxes:
        check_mailbox(mailbox)
        assert parse_mailbox(octets[mailbox.start : mailbox.end]).address == mailbox.address
    addresses = [mailbox.address for mailbox in mailboxes]
    again, unreadable = parse_list(b",\r\n\t".join(addresses))
    assert ([mailbox.address for mailbox in again], unreadable) == (addresses, [])
    assert all(element and element in octets for element in bad)
    check_tokens(octets)
    named = format_phrase(octets) + b" <a@example.com>"
    assert not set(b"\r\n\0") & set(named)
    assert parse_mailbox(named).address == b"a@example.com"


def check_mailbox(mailbox: Mailbox) -> None:
    """An address may go into an envelope: as it is, or completed."""
    text = mailbox.address
    complete = qualify(mailbox, b"example.com")
    assert check_address(complete, utf8=True) == complete
    assert parse_mailbox(complete).address == complete
    assert 0 < len(mailbox.local) <= LOCAL_LIMIT
    assert len(mailbox.domain) <= DOMAIN_LIMIT
    again = parse_mailbox(text)
    assert (again.local, again.domain, again.literal) == (mailbox.local, mailbox.domain, False)
    assert parse_mailbox(b"<%b>" % text).address == text
    assert comparable(comparable(text)) == comparable(text)
    if mailbox.local.startswith(b'"'):
        assert quoted_local(unquoted(mailbox.local)) == mailbox.local


def check_tokens(octets: bytes) -> None:
    """Tokens stand in the text one behind the other, however deep comments are nested."""
    end = 0
    for token in tokens_of(octets):
        assert end <= token.start < token.end <= len(octets)
        end = token.end


# --- all the way

NOW = 1_700_000_000.0
CONFIGS = tuple(
    Config(origin=b"example.com", hostname=b"host.example.com", **facts)
    for facts in (
        {},
        {"root": b"admin@example.net", "unknown_local": b"reject"},
        {"sender": b"m@example.com", "from_": b"m@example.com", "rewrite": "all"},
        {"identities": ("www: web@example.com", "@x: y@z"), "rewrite": "foreign"},
    )
)
ADDED = (b"received", b"message-id", b"date", b"from", b"reply-to")
REPAIRED = (b"mime-version", b"content-type", b"content-transfer-encoding")


def submission(octets: bytes) -> None:
    """Any message with any options goes out as one message, or is refused in one line.

    Nothing in it is what nobody wrote or we did not mean to add, hidden recipients are gone, the
    body is as it was, and whoever is in the envelope can be named on a command line.
    """
    mood, full_name, sender, operand, text = split_parts(octets)
    limit = 2 * len(text) + 2
    request = Request(
        queue_id="0123456789ABCD",
        size=len(text),
        sender=sender if mood & 1 else None,
        operands=(operand,) if mood & 2 else (),
        from_header=bool(mood & 4),
        gateway=bool(mood & 8),
        full_name=full_name,
        error_mode=b"m" if mood & 64 else b"p",
    )
    told_before = refusal_of(lambda: check(request, Octets(text), limit=limit))
    submitter = Submitter(1000, b"alice", full_name)
    try:
        accepted = accept(
            request,
            Octets(text),
            submitter,
            config=CONFIGS[mood >> 4 & 3],
            aliases=Aliases(),
            now=NOW,
            content=Content,
            limit=limit,
        )
    except Refused as refused:
        check_refused(refused)
        assert told_before is not None  # or it would have been dropped, with exit status 0
        return
    envelope = accepted.envelope
    for named in filter(None, [envelope.sender, *(one.address for one in envelope.recipients)]):
        assert check_address(named, utf8=True) == named
        assert parse_mailbox(named).domain
    assert envelope.recipients or accepted.failures
    addresses = [comparable(one.address) for one in envelope.recipients]
    assert len(set(addresses)) == len(addresses)
    assert all(outcome.text.decode().isprintable() for outcome in accepted.failures)
    check_message(text, accepted.message, gateway=request.gateway)


def split_parts(octets: bytes) -> tuple[int, bytes, bytes, bytes, bytes]:
    """Return a mood, three words that can be in argv, and a message."""
    mood = octets[0] if octets else 0
    first, second, third, *rest = [*octets[1:].split(b"\0", 3), b"", b"", b""][:4]
    return mood, first, second, third, rest[0]


def refusal_of(action: Callable[[], object]) -> Refused | None:
    try:
        action()
    except Refused as refused:
        check_refused(refused)
        return refused
    return None


def check_refused(refused: Refused) -> None:
    assert refused.status in (EX_DATAERR, EX_UNAVAILABLE, EX_USAGE)
    assert refused.line.decode().isprintable()


def check_message(text: bytes, message: Message, *, gateway: bool) -> None:
    """What goes out is what came in, stripped, and with the fields that it needs."""
    before = strip(read([text]))
    assert MessageAtRest(Octets(octets_of(message))).fields == message.fields
    names = [field.key for field in before.fields]
    found = [field.key for field in message.fields]
    short = all(len(line) <= 998 for line in octets_of(before).split(b"\r\n"))
    added = {b"received"} if gateway else {*ADDED, *(b"resent-" + name for name in ADDED)}
    assert set(found) <= {*names, *added, *(REPAIRED if not gateway and not short else ())}
    assert not set(found) & set(STRIPPED)
    assert found[0] == b"received"
    said = {field.key for field in message.fields if field.value}
    assert gateway or said >= {b"received", b"message-id", b"date", b"from"}
    if gateway or short:
        assert octets_of(message.body) == octets_of(before.body)


def octets_of(text: Message | Content) -> bytes:
    return b"".join(text.chunks())


TARGETS = (intake, dots, address, submission)


def seeds() -> dict[Target, list[bytes]]:
    """Return inputs to begin with."""
    texts = (
        b"From alice Mon Jan  1\n>From x\nTo: b@y\nSubject: x\n\ty\n\n.\n..\n.\nend",
        b"Resent-To: c\r\nBcc: hidden@x\r\nFrom: \r\nTo : a,\r\n b\r\r\n\r\n\rbody\r\n.\r\n",
        b"no header\0\n--x: y\n", b"\n\nFrom: b",
        b"A:" + b"x" * 1100 + b"\nDKIM-Signature: x\n\nb",
        b"To: a\nContent-Type: text/plain; charset=utf-8\nSubject: \xc3\xbc\n\n"
        + b"\xc3\xbc" * 600,
    )  # fmt: skip
    lists = (
        b'"A, B" <a.b@example.com>, c (comment (nested \\) )) , Group: d@[127.0.0.1], e;;, \\root',
        b"<@r1,@r2:f@x.y.>, \"q\\\"uo ted\".x@y, =?utf-8?q?g?= <g@h>, \xc3\xbc@x, "
        b"a . b@c . d\r\n\t, z, \"fold\r\n ed\"@x",
        b"root (Cron Daemon)", b"<>, @, a@b@c, (open, \"open", b"[a]@b, ) , a@[::1, x@",
    )  # fmt: skip
    return {
        intake: [cutting + text for cutting in (b"\0", b"\2\1\x13") for text in texts],
        dots: [
            cutting + text
            for cutting in (b"\0", b"\2\1\x13")
            for text in (*texts, b"a\n.", b"..")
        ],
        address: list(lists),
        submission: [
            bytes([mood]) + b"\0".join([b"Alice \xc3\xbc", b"s@x", operands, text])
            for mood, operands, text in zip(
                (6, 7, 14, 19, 39, 52, 95, 116), lists + lists, texts + texts, strict=False
            )
        ],
    }  # fmt: skip
