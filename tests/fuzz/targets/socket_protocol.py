"""What goes over the submission socket and lies in drop files: requests, questions, answers."""

from __future__ import annotations

import os

from pysendmail.daemon.control import NoRunner, Viewer, respond
from pysendmail.daemon.drop_intake import read_request
from pysendmail.daemon.server import Malformed, read_head
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.message import Message
from pysendmail.message.slices import Octets
from pysendmail.spool.memory import MemorySpool
from pysendmail.submission.answer import ERROR, EXIT, OUTPUT, Answer, format_answer, format_record
from pysendmail.submission.request import (
    ASK_QUEUE,
    SUBMIT,
    Request,
    format_head,
    format_request,
)
from pysendmail.submission.request_parser import parse_request, split_head
from pysendmail.submission.socket_door import AnswerLost, answer_of, receive
from tests.fuzz.targets.target import Pieces, Target, cut

# --- a submission, at the socket and in a file


def request(octets: bytes) -> None:
    """Any octets, cut anywhere, are one request and the beginning of a message, or none.

    A request is written again as it was understood, and the file in the drop directory that holds
    it is read as the socket is.
    """
    pieces = cut(octets)
    whole = b"".join(pieces)
    before, end, behind = whole.partition(b"\0\0")
    try:
        head, rest = read_head(Pieces(pieces), within=60)
    except Malformed:
        assert not end
        assert asked_in_file(whole) is None
        return
    assert head == before + end
    assert behind.startswith(rest)
    asked = asked_by(head)
    written = format_request(asked) if asked is not None else b""
    assert asked is None or asked_by(written) == asked
    assert written.count(b"\0\0") <= 1
    in_file = asked_in_file(whole)
    assert in_file in (asked, None)
    assert (in_file is None) == (asked is None or asked.size != len(behind))


def asked_by(head: bytes) -> Request | None:
    """Return the submission that a head asks for, None for anything else."""
    try:
        verb, records = split_head(head)
        return parse_request(records) if verb == SUBMIT else None
    except ValueError:
        return None


def asked_in_file(octets: bytes) -> Request | None:
    """Return the submission in a drop file that holds these octets."""
    fd = os.memfd_create("drop")
    try:
        os.write(fd, octets)
        found, start = read_request(fd, len(octets))
    except ValueError:
        return None
    finally:
        os.close(fd)
    assert start + found.size == len(octets)
    return found


# --- a question about the queue

ROOT, USER = 0, 1000
OF_ROOT, OF_USER = "0123456789ABCD", "DCBA9876543210"
MESSAGE = Message([], Octets(b"text\x1b[2J\r\n"))


def question(octets: bytes) -> None:
    """Any records have an answer with one exit status, and nobody is shown what is not his.

    The first octet chooses who asks.
    """
    trusted = bool(octets[:1] > b"\x7f")
    records = [record for record in octets[1:].split(b"\0") if record != b"w"]  # that one waits
    spool = MemorySpool()
    for queue_id, uid in ((OF_ROOT, ROOT), (OF_USER, USER)):
        envelope = Envelope(b"sender%d@x" % uid, [Recipient(b"recipient%d@y" % uid)])
        spool.enter(queue_id, envelope, MESSAGE, arrived=1.0, uid=uid, next_attempt=2.0)
    of_root = spool.find(OF_ROOT)
    answer = list(respond(spool, records, Viewer(USER, trusted=trusted), NoRunner()))
    assert [letter for letter, _ in answer].index(EXIT) == len(answer) - 1
    assert all(letter in (OUTPUT, ERROR, EXIT) for letter, _ in answer)
    assert all(value.decode().isprintable() for _, value in answer)
    if not trusted:
        assert spool.find(OF_ROOT) == of_root
        assert not any(b"sender0" in value or b"recipient0" in value for _, value in answer)
    said = b"".join(format_record(letter, value) for letter, value in answer)
    assert list(receive(Pieces([said]))) == answer


# --- the answer


def answer(octets: bytes) -> None:
    """Any octets, cut anywhere, are a whole answer with a status, or lost."""
    pieces = cut(octets)
    found = answered(pieces)
    assert repr(found) == repr(answered([b"".join(pieces)]))
    if found is not None:
        assert 0 <= found.status <= 255
        again = answered([format_answer(found)])
        assert again is not None
        assert again.status == found.status
        assert len(again.output) == len(found.output)
        assert len(again.errors) == len(found.errors)


def answered(pieces: list[bytes]) -> Answer | None:
    try:
        return answer_of(receive(Pieces(pieces)))
    except AnswerLost:
        return None


TARGETS = (request, question, answer)


def seeds() -> dict[Target, list[bytes]]:
    """Return inputs to begin with."""
    asked = Request(
        queue_id=OF_USER, size=9, sender=b"a@x", operands=(b"b@y, c", b"\xff"),
        recipients=(Recipient(b"d@z", (b"SUCCESS", b"DELAY"), b"rfc822;d@z"),), from_header=True,
        full_name=b"A B", body_type=b"8BITMIME", notify=(b"NEVER",), ret=b"HDRS", envid=b"id+1",
        gateway=True, literal=True, mode=b"i", error_mode=b"m", verbose=True, hops=3, tag=b"cron",
    )  # fmt: skip
    questions = (
        [b"alist", b"mRexample", b"m!Ix"], [b"acount"], [b"ashow", b"q" + OF_USER.encode(), b"j"],
        [b"ahold", b"q" + OF_ROOT.encode(), b"q" + OF_USER.encode()], [b"aflush", b"j"],
        [b"adelete", b"q" + OF_USER.lower().encode(), b"q"],
    )  # fmt: skip
    return {
        request: [
            cutting + head + b"text\r\ntwo"
            for cutting in (b"\0", b"\2\x07\x30")
            for head in (format_request(asked), format_request(Request(queue_id=OF_ROOT)))
        ]
        + [b"\0" + format_head(ASK_QUEUE, questions[0])],
        question: [who + b"\0".join(records) for who in (b"\0", b"\xff") for records in questions],
        answer: [
            b"\1\x05" + format_answer(Answer(75, output=[b"one"], errors=[b"two", b"\xff"])),
            b"\0oout\0zwhat\0x0\0behind",
        ],
    }
