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
    words: list[list[bytes]] = []
    beyond_ascii = False
    for word in text.split(b" "):
        if words and (not word or word.isascii() != beyond_ascii):
            words[-1].append(word)
        else:
            words.append([word])
            beyond_ascii = not word.isascii()
    rows = [b" ".join(row) for row in words]
    for number, row in enumerate(rows):
        if not row.isascii():
            if number and rows[number - 1].endswith(b"?="):
                row = b" " + row
            if number + 1 < len(rows) and rows[number + 1].startswith(b"=?"):
                row += b" "
            rows[number] = BETWEEN.join(encoded_words(row, charset=charset))
    return BETWEEN.join(rows)


def with_encoded_names(field: Field, charset: bytes) -> Field:
    """Return an address field, display names as encoded words where they are not ASCII."""
    body = field.body
    mailboxes, bad = parse_list(body)
    if bad:
        return field
    replacements = []
    for row in rows_beyond_ascii(body, mailboxes):
        words = [text_of(token, body) for token in row]
        start, end = row[0].start, row[-1].end
        before = b"" if body[start - 1 : start].isspace() else b" "
        after = b"" if body[end : end + 1].isspace() else b" "
        new = before + BETWEEN.join(encoded_words(b" ".join(words), charset=charset)) + after
        replacements.append((Token(ATOM, start, end), new))
    return with_replaced(field, replacements)


def rows_beyond_ascii(body: bytes, mailboxes: list[Mailbox]) -> list[list[Token]]:
    """Return the words of names that are not ASCII, those together between which is no other."""
    rows: list[list[Token]] = []
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
        if rows and body[rows[-1][-1].end : token.start].isspace():
            rows[-1].append(token)
        else:
            rows.append([token])
    return rows


def text_of(token: Token, body: bytes) -> bytes:
    """Return what an atom or a quoted string stands for."""
    word = body[token.start : token.end]
    return unquoted(word) if token.kind == QUOTED else word


def with_encoded_parameters(field: Field, charset: bytes) -> Field:
    """Return a MIME field, its parameters in extended form where they are not ASCII."""
    body = field.body
    replacements = []
    for parameter in split_parameters(body)[1:]:
        start, end = parameter[0].start, parameter[-1].end
        name, equals, value = body[start:end].partition(b"=")
        if not equals or value.isascii() or not name.strip().isascii() or b"*" in name:
            continue
        last = parameter[-1]
        value = unquoted(body[last.start : last.end]) if last.kind == QUOTED else value.strip()
        known, _characters = split_characters(value, charset)
        octets = [
            b"%c" % octet if octet in PARAMETER_OCTETS else b"%%%02X" % octet for octet in value
        ]
        extended = b"%b*=%b''%b" % (name.strip(), known, b"".join(octets))
        replacements.append((Token(ATOM, start, end), extended))
    return with_replaced(field, replacements)
