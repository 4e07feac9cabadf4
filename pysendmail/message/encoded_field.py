"""Header fields in US-ASCII: what is above 127 becomes encoded words (RFC 2047).

In unstructured fields any word may be one, in address fields the words of display names. Comments,
parameters and other structured fields are left as they are: there an encoded word would be taken
for a plain one.
"""

from __future__ import annotations

from pysendmail.message.address import parse_list, unquoted
from pysendmail.message.lexer import ATOM, QUOTED, Token, tokens_of
from pysendmail.message.phrase import encoded_words
from pysendmail.message.rewrite import ADDRESS_FIELDS, with_replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.message.address import Mailbox
    from pysendmail.message.message import Field

UNSTRUCTURED_FIELDS = (b"subject", b"comments", b"content-description")

BETWEEN = b"\r\n "


def with_encoded_words(field: Field, charset: bytes = b"") -> Field:
    """Return the field with encoded words for what is not ASCII, where the field may have them.

    `charset` is what the message declares for its content: the header will be in the same.
    """
    if field.raw.isascii():
        return field
    if field.key in UNSTRUCTURED_FIELDS or field.key.startswith(b"x-"):
        return field.with_body(b" " + encoded_text(field.value, charset) + b"\r\n")
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
