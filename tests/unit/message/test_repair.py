"""Messages repaired: what has to change does, means the same, and nothing else moves."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.message import Message as Parsed

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysendmail.message.content import Content
from pysendmail.message.encode import LINE_LIMIT
from pysendmail.message.message import Message
from pysendmail.message.repair import HEADER_LIMIT, shorten_lines, to_seven_bit
from tests.unit.message.samples import taken

LONG = b"word " * 300


def octets(message: Message) -> bytes:
    return b"".join(message.chunks())


def shortened(text: bytes) -> bytes:
    message = shorten_lines(taken(text), content=Content)
    result = octets(message)
    assert message.size == len(result)
    return result


def in_seven_bit(text: bytes) -> bytes:
    message = to_seven_bit(taken(text))
    result = octets(message)
    assert message.size == len(result)
    return result


def lengths(text: bytes) -> list[int]:
    return [len(line) for line in text.split(b"\r\n")]


def payloads(text: bytes) -> list[tuple[str, bytes]]:
    """Return type and decoded content of each leaf, as the standard library reads them."""
    parsed = message_from_bytes(text, policy=policy.compat32)
    return [
        (part.get_content_type(), bytes(part.get_payload(decode=True) or b""))
        for part in parsed.walk()
        if not part.is_multipart()
    ]


# --- lines


def test_message_in_order_is_the_very_same() -> None:
    message = taken(b"Subject: t\n\n" + b"x" * LINE_LIMIT + b"\n" + "é".encode() + b"\n")
    assert shorten_lines(message, content=Content) is message


@pytest.mark.trap(23)
def test_long_line_without_mime_becomes_quoted_printable() -> None:
    result = shortened(b"Subject: t\n\nshort\n" + LONG + b"\n")
    assert result.startswith(
        b"Subject: t\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nshort\r\nword word "
    )
    assert max(lengths(result)) <= 76
    assert payloads(result) == [("text/plain", b"short\r\n" + LONG + b"\r\n")]


@pytest.mark.parametrize(
    ("text", "charset"),
    [("Grüße ".encode() * 200, b"utf-8"), ("Grüße ".encode("latin-1") * 200, b"unknown-8bit")],
)
def test_charset_that_nobody_declared_is_found(text: bytes, charset: bytes) -> None:
    result = shortened(b"Subject: t\n\n" + text + b"\n")
    assert b"\r\nContent-Type: text/plain; charset=" + charset + b"\r\n" in result
    assert payloads(result) == [("text/plain", text + b"\r\n")]


def test_declared_type_stays_and_the_encoding_changes_in_its_place() -> None:
    result = shortened(
        b"Content-transfer-encoding: 8bit\nContent-Type: text/html; charset=iso-8859-1\n"
        b"Content-Transfer-Encoding: 7bit\nMIME-Version: 1.0\n\n" + LONG + b"\xe9\n"
    )
    assert result.startswith(
        b"Content-Transfer-Encoding: quoted-printable\r\n"
        b"Content-Type: text/html; charset=iso-8859-1\r\nMIME-Version: 1.0\r\n\r\n"
    )
    assert payloads(result) == [("text/html", LONG + b"\xe9\r\n")]


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"Content-Type: application/json\n", b'{"a": [' + b"1, " * 500 + b"]}"),
        (b"Content-Type: text/plain; charset=koi8-r\n", bytes(range(192, 256)) * 30),
    ],
    ids=["not text", "hardly ascii"],
)
def test_what_would_not_be_readable_becomes_base64(header: bytes, text: bytes) -> None:
    result = shortened(header + b"\n" + text + b"\nlast\n")
    assert b"Content-Transfer-Encoding: base64\r\n" in result
    assert [content for _, content in payloads(result)] == [text + b"\r\nlast\r\n"]
    assert result.endswith(b"\r\n")
    assert not result.endswith(b"\r\n\r\n")


def test_base64_in_one_line_is_broken() -> None:
    result = shortened(
        b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n" + b"QUJD" * 5000 + b"\n"
    )
    assert max(lengths(result)) == 76
    assert payloads(result) == [("image/png", b"ABC" * 5000)]


def test_quoted_printable_with_long_lines_gets_soft_breaks() -> None:
    result = shortened(
        b"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"
        + b"=C3=A9" * 400 + b"\nshort=20\n"
    )  # fmt: skip
    assert payloads(result) == [("text/plain", "é".encode() * 400 + b"\r\nshort \r\n")]
    assert max(lengths(result)) <= 76


MIXED = (
    b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npreamble  \n"
    b"--b\nX-First:  kept \n\nshort\n"
    b"--b\n\n%b\n"
    b"--b\nContent-Type: text/x-log\nContent-Disposition: attachment;\n\tfilename=a.log\n\n%b\n"
    b"--b\nContent-Type: x/y\nContent-Transfer-Encoding: x-uuencode\n\n" + LONG + b"\n"
    b"--b--\nepilogue"
)


def test_each_part_is_repaired_for_itself() -> None:
    result = shortened(MIXED % (b"also short", b"first\n" + LONG))
    before, _, after = octets(taken(MIXED % (b"also short", b"%"))).partition(b"\r\n%\r\n--b")
    assert result.startswith(before.removesuffix(b"\r\n"))
    assert result.endswith(b"\r\n--b" + after)
    header = b"\tfilename=a.log\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    assert header + b"first\r\n" in result
    assert payloads(result)[2] == ("text/x-log", b"first\r\n" + LONG)


def test_part_without_header_gets_one() -> None:
    result = shortened(MIXED % (LONG, b"short"))
    assert (
        b"\r\n--b\r\nContent-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nword word" in result
    )
    assert payloads(result)[1] == ("text/plain", LONG)


def test_message_within_is_repaired_in_its_own_header() -> None:
    result = shortened(
        b"Content-Type: message/rfc822\n\nSubject: within\n\n" + LONG + b"\n"
    )
    assert result.startswith(
        b"Content-Type: message/rfc822\r\n\r\nSubject: within\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nword"
    )


SIGNED = {
    "DKIM": b"DKIM-Signature: v=1\nSubject: " + LONG + b"\n\n" + LONG + "\né\n".encode(),
    "multipart/signed": b"Content-Type: multipart/signed; boundary=b\n\n--b\n\n" + LONG
    + "\né\n--b--\n".encode(),
    "S/MIME": b"Content-Type: application/pkcs7-mime\n\n" + LONG + "\né\n".encode(),
}  # fmt: skip


@pytest.mark.parametrize("text", SIGNED.values(), ids=SIGNED.keys())
def test_signed_message_is_the_very_same(text: bytes) -> None:
    message = taken(text)
    assert shorten_lines(message, content=Content) is message
    assert to_seven_bit(message) is message


def test_header_lines_are_folded() -> None:
    result = shortened(b"References: " + b"<a@b> " * 300 + b"<c@d>\n\nbody\n")
    assert max(lengths(result)) <= LINE_LIMIT
    assert result.endswith(b"<c@d>\r\n\r\nbody\r\n")


def test_bomb_of_parts_passes_untouched() -> None:
    message = taken(
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 10_001 + LONG + b"\n"
    )
    assert shorten_lines(message, content=Content) is message


def test_memory_holds_no_more_than_a_part_of_a_large_message() -> None:
    made: list[Content] = []

    def content() -> Content:
        made.append(Content(memory=1000))
        return made[-1]

    message = shorten_lines(taken(b"\n" + b"x" * 3_000_000 + b"\n"), content=content)
    assert "in a file" in repr(made[0])
    assert payloads(octets(message)) == [("text/plain", b"x" * 3_000_000 + b"\r\n")]


# --- octets above 127


def test_ascii_message_is_the_very_same_in_seven_bit() -> None:
    message = taken(b"Subject: t\n\n" + LONG + b"\n")
    assert to_seven_bit(message) is message


def test_text_in_eight_bit_becomes_quoted_printable() -> None:
    result = in_seven_bit(
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit\n\nViele Grüße aus der Küche daheim.\n".encode()
    )
    assert result == (
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"Viele Gr=C3=BC=C3=9Fe aus der K=C3=BCche daheim.\r\n"
    )


def test_parts_in_ascii_are_not_touched_in_seven_bit() -> None:
    result = in_seven_bit(MIXED % (b"short", "für\n".encode() + b"text " * 10))
    assert result.isascii()
    assert result.count(b"quoted-printable") == 1
    assert payloads(result)[2] == ("text/x-log", "für\r\n".encode() + b"text " * 10)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Subject: Grüße aus Köln, 3 mal", "Grüße aus Köln, 3 mal"),
        ("Subject: =?utf-8?q?a?= ü =?utf-8?q?b?=", "a ü b"),
        ("Subject: ü  ö x", "ü  ö x"),
        ("X-Note: " + "ü" * 300, "ü" * 300),
        ("Subject: " + "日本語 " * 60 + "end", "日本語 " * 60 + "end"),
    ],
)
def test_unstructured_field_gets_encoded_words(header: str, expected: str) -> None:
    result = in_seven_bit(header.encode() + b"\n\nx\n")
    assert result.isascii()
    assert max(lengths(result)) <= LINE_LIMIT
    parsed = message_from_bytes(result, policy=policy.compat32)
    [value] = parsed.values()
    assert str(make_header(decode_header(value.replace("\r\n", "")))) == expected


def test_long_subject_is_encoded_and_folded() -> None:
    result = in_seven_bit(b"Subject: " + "ü ".encode() * 15_000 + b"a " * 20_000 + b"\n\nx\n")
    assert result.isascii()
    assert max(lengths(result)) <= LINE_LIMIT


def test_header_longer_than_any_is_folded_and_gets_no_encoded_words() -> None:
    text = b"Subject:" + " ü".encode() * HEADER_LIMIT + b"\n\nx\n"
    result = in_seven_bit(text)
    assert max(lengths(result)) <= LINE_LIMIT
    assert result.replace(b"\r\n ", b" ") == text.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("From: Jörg <j@x.test>", [("Jörg", "j@x.test")]),
        ('From: "Jörg, der" <j@x.test>', [("Jörg, der", "j@x.test")]),
        ("To: a@x.test,Änne Über<b@x.test>, C <c@x.test>",
         [("", "a@x.test"), ("Änne Über", "b@x.test"), ("C", "c@x.test")]),
        ("Cc: Änne B. Über <b@x.test>", [("Änne B. Über", "b@x.test")]),
    ],
)  # fmt: skip
def test_display_names_get_encoded_words(header: str, expected: list[tuple[str, str]]) -> None:
    result = in_seven_bit(header.encode() + b"\n\nx\n")
    assert result.isascii()
    parsed = message_from_bytes(result, policy=policy.default)
    [value] = parsed.values()
    assert [(a.display_name, a.addr_spec) for a in value.addresses] == expected


@pytest.mark.parametrize(
    "parameter",
    ['filename="Übersicht 1%.pdf"', "filename=Übersicht", 'a=b; filename="ü;\\"x"; c=d'],
)
def test_name_of_a_file_becomes_an_extended_parameter(parameter: str) -> None:
    header = f"Content-Disposition: attachment; {parameter}\n".encode()
    expected = message_from_bytes(header + b"\n", policy=policy.SMTPUTF8).get_filename()
    within = (MIXED % (b"short", b"short")).removesuffix(b"--b--\nepilogue") + b"--b\n" + header
    for text in (header + b"\nx\n", within + b"\nx\n"):
        result = in_seven_bit(text)
        assert result.isascii()
        parts = list(message_from_bytes(result, policy=policy.default).walk())
        assert parts[-1].get_filename() == expected


def test_header_of_a_part_is_repaired_while_its_content_stays() -> None:
    header = b"Content-Description: " + b"word " * 300 + b"end\n"
    part = b"--b\n" + header + b"Content-Type: text/plain\n\n text \n"
    result = shortened(b"Content-Type: multipart/mixed; boundary=b\n\n" + part + b"--b--\n")
    assert max(lengths(result)) <= LINE_LIMIT
    assert result.endswith(b"end\r\nContent-Type: text/plain\r\n\r\n text \r\n--b--\r\n")


@pytest.mark.parametrize(
    ("charset", "label"),
    [
        ("iso-8859-1", b"=?iso-8859-1?B?"),
        ("shift_jis", b"=?shift_jis?B?"),
        ("utf-16", b"=?unknown-8bit?B?"),
        ("unknown?b", b"=?unknown-8bit?B?"),
        ("rot13", b"=?unknown-8bit?B?"),
    ],
)
def test_header_is_taken_to_be_in_the_charset_of_the_text(charset: str, label: bytes) -> None:
    text = "Grüße" if charset != "shift_jis" else "日本語" * 30
    encoding = charset if label.startswith(b"=?" + charset.encode()) else "latin-1"
    header = b"Subject: " + text.encode(encoding) + b"\nContent-Type: text/plain; charset="
    result = in_seven_bit(header + charset.encode() + b"\n\nx\n")
    assert label in result
    if encoding == charset:
        subject = message_from_bytes(result, policy=policy.default)["Subject"]
        assert subject == text


@pytest.mark.parametrize(
    "header",
    ["From: root@x.test (Jörg)", "To: jörg@x.test", "To: ü <", "Content-Type: text/plain; ü=x"],
)
def test_field_in_which_no_encoded_word_may_be_is_left_alone(header: str) -> None:
    assert in_seven_bit(header.encode() + b"\n\nx\n").startswith(header.encode() + b"\r\n")


@given(st.integers(0, 2500), st.integers(0, 2500))
def test_reencoded_body_is_read_from_anywhere(start: int, end: int) -> None:
    message = to_seven_bit(taken(MIXED % ("für\n".encode() * 50, "Änne\n".encode() * 10)))
    body = b"".join(message.body.chunks())
    assert message.body.size == len(body) > 1000
    assert b"".join(message.body.chunks(start, end)) == body[start:end]
    assert b"".join(message.body.chunks(start)) == body[start:]


# --- anything at all, with the standard library as witness

CONTENTS = st.one_of(
    st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=60)
    .map(lambda text: text.replace("--", "-").encode()),
    st.sampled_from([b"x" * 999, b"y" * 998, LONG, "é".encode() * 700, b"\xff\xfe" * 20]),
)  # fmt: skip
BODIES = st.lists(CONTENTS, min_size=1, max_size=4).map(b"\n".join)
HEADERS = st.sampled_from(
    [
        b"",
        b"Content-Type: text/html; charset=utf-8\n",
        b"Content-Type: text/plain\nContent-Transfer-Encoding: 8bit\nX-Odd:  kept\n",
        b"content-type: application/octet-stream\ncontent-transfer-encoding: binary\n",
    ]
)
PARTS = st.lists(st.tuples(HEADERS, BODIES), min_size=1, max_size=4)


def multipart(parts: list[tuple[bytes, bytes]], subtype: bytes = b"mixed") -> bytes:
    inside = b"".join(b"--=_b\n" + header + b"\n" + body + b"\n" for header, body in parts)
    return (
        b"Subject: t\nMIME-Version: 1.0\nContent-Type: multipart/%b; boundary=\"=_b\"\n\n" % subtype
        + b"preamble\n" + inside + b"--=_b--\n"
    )  # fmt: skip


@settings(max_examples=150)
@given(PARTS)
def test_contents_are_the_same_after_any_repair(parts: list[tuple[bytes, bytes]]) -> None:
    message = taken(multipart(parts))
    before = octets(message)
    short = shorten_lines(message, content=Content)
    assert max(lengths(octets(short))) <= LINE_LIMIT
    assert payloads(octets(short)) == payloads(before)
    seven = to_seven_bit(short)
    assert octets(seven).isascii()
    assert payloads(octets(seven)) == payloads(before)
    assert shorten_lines(seven, content=Content) is seven
    assert to_seven_bit(seven) is seven


@given(PARTS)
def test_parts_in_order_keep_every_octet(parts: list[tuple[bytes, bytes]]) -> None:
    result = b"\r\n" + shortened(multipart(parts)) + b"--=_b"
    for header, body in parts:
        if all(len(line) <= LINE_LIMIT for line in body.split(b"\n")):
            part = b"--=_b\n" + header + b"\n" + body + b"\n--=_b"
            assert part.replace(b"\n", b"\r\n") in result


PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b\n", b"Content-Type: message/rfc822\n",
        b"Content-Type: multipart/digest; boundary=\"b \"\n", b"Subject: x\n", b"\n", b"--b\n",
        b"--b--\n", b"--", b"x" * 1100, b"\xff\xc3", b" ", b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: quoted-printable\n", b"=", b"\r", b"a,b" * 400, b": ",
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_nothing_hostile_makes_it_fail_or_leave_canonical_form(text: bytes) -> None:
    for result in (shortened(text), in_seven_bit(text)):
        assert b"\r\n\r\n" in b"\r\n" + result
        assert result.count(b"\n") == result.count(b"\r") == result.count(b"\r\n")
        assert result.endswith(b"\r\n")


@given(HEADERS, BODIES)
def test_message_of_one_part_is_read_back(header: bytes, body: bytes) -> None:
    text = header + b"\n" + body + b"\n"
    before = octets(taken(text))
    [(_, content)] = payloads(before)
    for result in (shortened(text), in_seven_bit(text)):
        assert [found for _, found in payloads(result)] == [content]


def test_message_written_by_the_standard_library_is_understood() -> None:
    message = EmailMessage()
    message["Subject"] = "Übersicht"
    message.set_content("Grüße\n" * 20, cte="8bit")
    message.add_alternative("<p>" + "lang " * 400 + "</p>", subtype="html", cte="8bit")
    message.add_attachment(b"\x00\xff" * 500, maintype="image", subtype="png")
    text = bytes(message)
    result = in_seven_bit(shortened(text))
    assert result.isascii()
    assert max(lengths(result)) <= LINE_LIMIT
    written: Parsed = message_from_bytes(result, policy=policy.default)
    assert payloads(result) == payloads(octets(taken(text)))
    assert written["Subject"] == "Übersicht"
