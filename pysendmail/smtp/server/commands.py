"""Command lines of a client: from octets to values.

Tolerated, because clients do it: a blank behind the colon of `MAIL FROM:`, an address without angle
brackets, lower case. A source route is dropped (RFC 5321 appendix C). An address that comes out has
no control octet, no blank outside quotes, and is ASCII or UTF-8; whether it means anything is for
others to say.

Raises `Refusal` for everything else, and only that. Linear in the length of the line.
"""

from __future__ import annotations

from ..arguments import (
    CONTROLS,
    MAX_ENVID,
    MAX_ORCPT,
    NOTIFY,
    check_address,
    format_xtext,
)
from ..errors import UsageError
from ..transaction import Recipient
from .replies import Refusal
from .transaction import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BLANKS = b" \t"
_DIGITS = b"0123456789"
_HEXADECIMAL = b"0123456789ABCDEF"
_NUMBER_DIGITS = 18  # more octets than there are


def split_command(line: bytes) -> tuple[bytes, bytes]:
    """Return the verb in upper case, and what follows it without outer blanks."""
    if line.translate(None, CONTROLS.replace(b"\t", b"")) != line:
        raise Refusal(500, b"5.5.2 Control characters in a command")
    verb, _, rest = line.strip(_BLANKS).partition(b" ")
    return verb.upper(), rest.strip(_BLANKS)


def parse_mail(arguments: bytes) -> Transaction:
    """Return the transaction that MAIL begins."""
    path, parameters = split_path(arguments, b"FROM:")
    transaction = Transaction(check_path(path, b"1.7") if path else b"")
    for key, value in parameters.items():
        if key == b"AUTH":
            continue  # who wrote it first (RFC 4954 section 5): nobody here trusts it
        if key not in _MAIL_PARAMETERS:
            raise unknown_parameter(key)
        name, parse = _MAIL_PARAMETERS[key]
        setattr(transaction, name, parse(value))
    return transaction


def parse_rcpt(arguments: bytes) -> Recipient:
    """Return the recipient that RCPT names."""
    path, parameters = split_path(arguments, b"TO:")
    recipient = Recipient(check_path(path, b"1.3"))
    for key, value in parameters.items():
        if key == b"NOTIFY":
            recipient.notify = parse_notify(value)
        elif key == b"ORCPT":
            recipient.orcpt = parse_orcpt(value)
        else:
            raise unknown_parameter(key)
    return recipient


def parse_bdat(arguments: bytes) -> tuple[int, bool]:
    """Return the octets of a chunk, and whether it is the last (RFC 3030 section 2)."""
    size, _, last = arguments.partition(b" ")
    if last.strip().upper() not in (b"", b"LAST"):
        raise Refusal(501, b"5.5.4 Syntax: BDAT size [LAST]")
    return parse_number(size), bool(last)


def split_path(arguments: bytes, keyword: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the path behind the keyword, without brackets and route, and the parameters."""
    if arguments[: len(keyword)].upper() != keyword:
        raise Refusal(501, b"5.5.4 Syntax: %s<address>" % keyword)
    rest = arguments[len(keyword) :].lstrip(_BLANKS)
    if rest.startswith(b"<"):
        end = find_bracket(rest)
        path, rest = rest[1:end], rest[end + 1 :]
        if rest and rest[0] not in _BLANKS:
            raise Refusal(501, b"5.5.4 Text behind the address")
        if path.startswith(b"@"):
            path = path.partition(b":")[2] or path
    else:
        path, _, rest = rest.partition(b" ")
        if not path:
            raise Refusal(501, b"5.5.4 Syntax: %s<address>" % keyword)
    return path, parse_parameters(rest)


def find_bracket(text: bytes) -> int:
    """Return the position of the bracket that closes the first one, quoted ones passed over."""
    quoted = escaped = False
    for position, octet in enumerate(text):
        if escaped:
            escaped = False
        elif octet == 0x5C:
            escaped = quoted
        elif octet == 0x22:
            quoted = not quoted
        elif octet == 0x3E and not quoted:
            return position
    raise Refusal(501, b"5.1.3 The address has no closing bracket")


def check_path(path: bytes, status: bytes) -> bytes:
    """Return an address that can be one; UTF-8 is taken whether SMTPUTF8 was said or not.

    A local program that says HELO cannot say it, and who can deliver to the address is known later.
    """
    try:
        return check_address(path, utf8=True)
    except UsageError:
        raise Refusal(553, b"5.%s The address cannot be read" % status) from None


def parse_parameters(text: bytes) -> dict[bytes, bytes]:
    """Return the parameters by keyword in upper case (RFC 5321 section 4.1.1.11)."""
    parameters: dict[bytes, bytes] = {}
    for word in text.split():
        key, equals, value = word.partition(b"=")
        key = key.upper()
        if key in parameters or (equals and not value):
            raise Refusal(501, b"5.5.4 %s cannot be said so" % key[:20])
        parameters[key] = value
    return parameters


def unknown_parameter(key: bytes) -> Refusal:
    """Return the refusal of a parameter that was not offered (RFC 5321 section 4.1.1.11)."""
    return Refusal(555, b"5.5.4 Parameter not recognized: %s" % key[:40])


def parse_number(value: bytes) -> int:
    """Return a number of octets."""
    if not value or value.translate(None, _DIGITS) or len(value) > _NUMBER_DIGITS:
        raise Refusal(501, b"5.5.4 A number of octets was expected")
    return int(value)


def parse_body(value: bytes) -> bytes:
    """Return a type of RFC 6152; BINARYMIME (RFC 3030) is not offered."""
    if value.upper() not in (b"7BIT", b"8BITMIME"):
        raise Refusal(555, b"5.5.4 BODY is 7BIT or 8BITMIME")
    return value.upper()


def parse_ret(value: bytes) -> bytes:
    """Return what a report gives back (RFC 3461 section 4.3)."""
    if value.upper() not in (b"FULL", b"HDRS"):
        raise Refusal(501, b"5.5.4 RET is FULL or HDRS")
    return value.upper()


def parse_envid(value: bytes) -> bytes:
    """Return an envelope id, decoded (RFC 3461 section 4.4)."""
    envid = parse_xtext(value)
    if len(format_xtext(envid)) > MAX_ENVID or b" " in envid:
        raise Refusal(501, b"5.5.4 ENVID cannot be used")
    return envid


def parse_smtputf8(value: bytes) -> bool:
    """Return that it was said: it has no value (RFC 6531 section 3.4)."""
    if value:
        raise Refusal(501, b"5.5.4 SMTPUTF8 has no value")
    return True


def parse_notify(value: bytes) -> tuple[bytes, ...]:
    """Return when a report is wanted (RFC 3461 section 4.1)."""
    words = tuple(value.upper().split(b","))
    if words == (b"NEVER",):
        return words
    if len(set(words)) < len(words) or any(word not in NOTIFY for word in words):
        raise Refusal(501, b"5.5.4 NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY")
    return words


def parse_orcpt(value: bytes) -> bytes:
    """Return the original recipient with its type, decoded (RFC 3461 section 4.2).

    One of type utf-8 (RFC 6533 section 3) is left out: it is only for reports, and written in a
    code of its own.
    """
    kind, _, encoded = value.partition(b";")
    if not encoded or not kind.replace(b"-", b"").isalnum():
        raise Refusal(501, b"5.5.4 ORCPT is type;address")
    if kind.lower() == b"utf-8":
        return b""
    address = parse_xtext(encoded)
    if len(kind) + len(b";") + len(format_xtext(address)) > MAX_ORCPT:
        raise Refusal(501, b"5.5.4 ORCPT is too long")
    return kind + b";" + address


def parse_xtext(value: bytes) -> bytes:
    """Return what an xtext stands for: printable ASCII (RFC 3461 section 4)."""
    plain, *escaped = value.split(b"+")
    for part in escaped:
        if len(part) < 2 or part[:2].translate(None, _HEXADECIMAL):
            raise Refusal(501, b"5.5.4 Not an xtext")
        plain += bytes.fromhex(part[:2].decode()) + part[2:]
    if not plain or not plain.isascii() or plain.translate(None, CONTROLS) != plain:
        raise Refusal(501, b"5.5.4 Not a printable text")
    return plain


# keyword -> attribute of the transaction, parser of the value
_MAIL_PARAMETERS: dict[bytes, tuple[str, Callable[[bytes], object]]] = {
    b"SIZE": ("declared", parse_number),
    b"BODY": ("body_type", parse_body),
    b"RET": ("ret", parse_ret),
    b"ENVID": ("envid", parse_envid),
    b"SMTPUTF8": ("smtputf8", parse_smtputf8),
}
