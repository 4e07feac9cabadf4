"""Header fields in US-ASCII: what is above 127 becomes encoded words, or extended parameters.

In unstructured fields any word may be an encoded one, in address fields those of display names (RFC
2047); in MIME fields a parameter has a form of its own (RFC 2231), as for the names of files.
Comments and other structured fields are left as they are: there an encoded word would be taken for
a plain one.
"""

from __future__ import annotations

from pysendmail.message.address import LETTERS_AND_DIGITS, parse_list, unquoted
from pysendmail.message.lexer import ATOM, QUOTED, Token, split_parameters, tokens_of
from pysendmail.message.phrase import encoded_words, split_characters
from pysendmail.message.rewrite import ADDRESS_FIELDS, with_replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysendmail.message.address import Mailbox
    from pysendmail.message.message import Field

UNSTRUCTURED_FIELDS = (b"subject", b"comments", b"content-description")
PARAMETER_FIELDS = (b"content-type", b"content-disposition")

# What stands for itself in an extended parameter (RFC 2231 section 7).
PARAMETER_OCTETS = frozenset(LETTERS_AND_DIGITS + b"!#$&+-.^_`{|}~")

BETWEEN = b"\r\n "


def with_encoded_words(field: Field, charset: bytes = b"") -> Field:
    """Return the field with encoded words for what is not ASCII, where the field may have them.

    `charset` is what the message declares for its content: the header will be in the same.
    """
    if field.raw.isascii():
        return field
    if field.key in UNSTRUCTURED_FIELDS or field.key.startswith(b"x-"):
        return field.with_body(b" " + encoded_text(field.value, charset) + b"\r\n")
    if field.key in PARAMETER_FIELDS:
        return with_encoded_parameters(field, charset)
    return with_encoded_names(field, charset) if field.key in ADDRESS_FIELDS else field


def encoded_text(text: bytes, charset: bytes) -> bytes:
    """Return unstructured text, each row of words beyond ASCII as encoded words.

    Blanks between two encoded words are none of the text (RFC 2047 section 6.2), so they go into
    one of the words, also beside a word that was encoded before.
    """
    encoded, rows = bytearray(), rows_of(text)
    before, row = None, next(rows, None)
    while row is not None:
        behind = next(rows, None)
        new = row
        if not row.isascii():
            if before is not None and before.endswith(b"?="):
                new = b" " + new
            if behind is not None and behind.startswith(b"=?"):
                new += b" "
            new = BETWEEN.join(encoded_words(new, charset=charset))
        encoded += new if before is None else BETWEEN + new
        before, row = row, behind
    return bytes(encoded)


def rows_of(text: bytes) -> Iterator[bytes]:
    """Yield text in rows of words: those that are ASCII, those that are not, in turns."""
    row = start = 0
    plain: bool | None = None
    while start <= len(text):
        blank = text.find(b" ", start)
        end = blank if blank >= 0 else len(text)
        word = text[start:end]
        if plain is None:
            plain = word.isascii()
        elif word and word.isascii() != plain:
            yield text[row : start - 1]
            row, plain = start, not plain
        start = end + 1
    yield text[row:]


def with_encoded_names(field: Field, charset: bytes) -> Field:
    """Return an address field, display names as encoded words where they are not ASCII."""
    body = field.body
    mailboxes, bad = parse_list(body)
    if bad:
        return field
    return with_replaced(field, encoded_names(body, mailboxes, charset))


def encoded_names(
    body: bytes, mailboxes: list[Mailbox], charset: bytes
) -> Iterator[tuple[Token, bytes]]:
    """Yield what of names is not ASCII, and the encoded words that stand for it."""
    for row, text in rows_beyond_ascii(body, mailboxes):
        before = b"" if body[row.start - 1 : row.start].isspace() else b" "
        after = b"" if body[row.end : row.end + 1].isspace() else b" "
        yield row, before + BETWEEN.join(encoded_words(text, charset=charset)) + after


def rows_beyond_ascii(body: bytes, mailboxes: list[Mailbox]) -> Iterator[tuple[Token, bytes]]:
    """Yield the words of names that are not ASCII, those together between which is no other.

    Each row is one token and the text that it stands for.
    """
    row, text = Token(ATOM, 0, 0), bytearray()
    addresses = iter(mailboxes)
    address = next(addresses, None)
    for token in tokens_of(body):
        while address is not None and address.end <= token.start:
            address = next(addresses, None)
        in_address = address is not None and address.start <= token.start
        if in_address or token.kind not in (ATOM, QUOTED):
            continue
        if body[token.start : token.end].isascii():
            continue
        if text and body[row.end : token.start].isspace():
            row.end = token.end
            text += b" " + text_of(token, body)
        else:
            if text:
                yield row, bytes(text)
            row, text = Token(ATOM, token.start, token.end), bytearray(text_of(token, body))
    if text:
        yield row, bytes(text)


def text_of(token: Token, body: bytes) -> bytes:
    """Return what an atom or a quoted string stands for."""
    word = body[token.start : token.end]
    return unquoted(word) if token.kind == QUOTED else word


def with_encoded_parameters(field: Field, charset: bytes) -> Field:
    """Return a MIME field, its parameters in extended form where they are not ASCII."""
    return with_replaced(field, extended_parameters(field.body, charset))


def extended_parameters(body: bytes, charset: bytes) -> Iterator[tuple[Token, bytes]]:
    """Yield the parameters that are not ASCII, and their extended form."""
    for first, last in split_parameters(body):
        start, end = first.start, last.end
        name, equals, value = body[start:end].partition(b"=")
        if not equals or value.isascii() or not name.strip().isascii() or b"*" in name:
            continue
        value = unquoted(body[last.start : last.end]) if last.kind == QUOTED else value.strip()
        known, _characters = split_characters(value, charset)
        octets = [
            b"%c" % octet if octet in PARAMETER_OCTETS else b"%%%02X" % octet for octet in value
        ]
        yield Token(ATOM, start, end), b"%b*=%b''%b" % (name.strip(), known, b"".join(octets))
