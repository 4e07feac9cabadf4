"""Commands as octets: the one place where anything a caller gave becomes part of a command line.

Guarantees that no argument can end the line, start another command or add a parameter: control
octets are refused everywhere, blanks and angle brackets outside quoted local parts as well, and
octets above 127 unless the command carries SMTPUTF8. Addresses are otherwise taken as they are;
whether they exist is the server's business. Parameters are sent only when the server offers their
extension (RFC 5321 section 4.1.1.3): SIZE, BODY and DSN are then left out, SMTPUTF8 cannot be.

Raises `UsageError` for what must not reach the wire, `MissingExtension` and `SizeExceeded` for what
this server does not take; all before anything is sent.
"""

from __future__ import annotations

from .errors import MissingExtension, SizeExceeded, UsageError
from .transaction import Recipient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .extensions import Extensions
    from .transaction import Parameters, Transaction

# RFC 5321 section 4.5.3.1.3 promises 256 octets for a path. A longer one may be refused by the
# server; our bound only keeps a command line finite.
MAX_ADDRESS = 512
# RFC 5321 section 4.5.3.1.4 allows 512 octets, and extensions add to it (500 for AUTH= and ORCPT=).
MAX_COMMAND = 2048
MAX_ENVID = 100  # RFC 3461 section 4.4, after encoding
MAX_ORCPT = 500  # RFC 3461 section 4.2, after encoding

CONTROLS = bytes(range(32)) + b"\x7f"
LETTERS_AND_DIGITS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SAFE_IN_ADDRESS = LETTERS_AND_DIGITS + b"!#$%&'*+-/=?^_`{|}~.@"
_SAFE_IN_HOST = LETTERS_AND_DIGITS + b"-._:[]"
_SAFE_IN_VALUE = bytes(set(range(0x21, 0x7F)) - set(b"="))
_SAFE_IN_XTEXT = bytes(set(range(0x21, 0x7F)) - set(b"+="))
NOTIFY = (b"SUCCESS", b"FAILURE", b"DELAY")  # or NEVER alone: RFC 3461 section 4.1


def format_hello(verb: bytes, host: bytes) -> bytes:
    """Return `EHLO host`; a domain or an address literal in brackets (RFC 5321 section 4.1.3)."""
    if not is_host(host):
        raise UsageError(f"not a host name: {host!r}")
    return b"%s %s\r\n" % (verb, host)


def is_host(text: bytes) -> bool:
    """Tell whether this looks like a domain or an address literal, whoever says so of himself."""
    return 0 < len(text) <= 255 and not text.translate(None, _SAFE_IN_HOST)


def format_envelope(extensions: Extensions, transaction: Transaction) -> tuple[bytes, list[bytes]]:
    """Return the MAIL command of a transaction and its RCPT commands, all checked."""
    if not transaction.recipients:
        raise UsageError("a transaction needs a recipient")
    mail = format_mail(extensions, transaction)
    smtputf8 = transaction.smtputf8
    return mail, [format_rcpt(extensions, who, smtputf8=smtputf8) for who in transaction.recipients]


def format_mail(extensions: Extensions, transaction: Transaction) -> bytes:
    """Return the MAIL command.

    `size` counts octets with CRLF (RFC 1870); `body` is `7BIT`, `8BITMIME` (RFC 6152) or
    `BINARYMIME` (RFC 3030); `ret` is `FULL` or `HDRS`, `envid` is not encoded yet (RFC 3461
    sections 4.3 and 4.4); `auth` is who submitted the message, `b"<>"` for who is not known (RFC
    4954 section 5); `requiretls` asks that TLS be used all the way (RFC 8689).
    """
    if not extensions.lines:
        raise UsageError("a transaction needs EHLO before it")
    sender = address_of(transaction.sender)
    command = b"MAIL FROM:<%s>" % (check_address(sender, transaction.smtputf8) if sender else b"")
    if transaction.size is not None and b"SIZE" in extensions:
        limit = extensions.size_limit
        if limit is not None and transaction.size > limit:
            raise SizeExceeded(transaction.size, limit)
        command += b" SIZE=%d" % transaction.size
    if transaction.body:
        command += _format_body(extensions, transaction.body)
    for wanted, keyword in (
        (transaction.smtputf8, b"SMTPUTF8"),
        (transaction.requiretls, b"REQUIRETLS"),
    ):
        if wanted:
            if keyword not in extensions:
                raise MissingExtension(keyword)
            command += b" " + keyword
    if transaction.ret or transaction.envid:
        command += _format_return(extensions, transaction.ret, transaction.envid)
    if transaction.auth is not None and b"AUTH" in extensions:
        command += b" AUTH=" + format_xtext(transaction.auth)
    return command + _format_parameters(transaction.parameters) + b"\r\n"


def format_rcpt(extensions: Extensions, recipient: Recipient, *, smtputf8: bool = False) -> bytes:
    """Return the RCPT command; for its parameters see `transaction.Recipient`."""
    command = b"RCPT TO:<%s>" % check_address(address_of(recipient), smtputf8)
    if recipient.notify or recipient.orcpt:
        command += _format_notify(extensions, recipient.notify, recipient.orcpt)
    if recipient.parameters:
        command += _format_parameters(recipient.parameters)
    return command + b"\r\n"


def format_command(line: bytes, *, utf8: bool = False) -> bytes:
    """Return a whole command line given by the caller; its words are not looked at."""
    if not line or len(line) > MAX_COMMAND:
        raise UsageError(f"a command has 1 to {MAX_COMMAND} octets, this one {len(line)}")
    _check_octets(line, utf8)
    return line + b"\r\n"


def format_xtext(value: bytes) -> bytes:
    """Return `value` as xtext: `+HH` for what could be taken for syntax (RFC 3461 section 4)."""
    if not value.translate(None, _SAFE_IN_XTEXT):
        return value
    return b"".join(
        b"%c" % octet if octet in _SAFE_IN_XTEXT else b"+%02X" % octet for octet in value
    )


def address_of(who: object) -> bytes:
    """Return the octets of a sender or recipient; a str, or what bytes consist of, is neither."""
    address = who.address if isinstance(who, Recipient) else who
    if not isinstance(address, bytes):
        kind = type(address).__name__
        raise UsageError(f"an address is bytes, and several are a list of them: not {kind}")
    return address


def check_address(address: bytes, utf8: bool) -> bytes:
    """Return `address` when it fits between angle brackets, whoever wrote it; raises UsageError."""
    if not address or len(address) > MAX_ADDRESS:
        raise UsageError(f"an address has 1 to {MAX_ADDRESS} octets, this one {len(address)}")
    if not address.translate(None, _SAFE_IN_ADDRESS):
        return address
    _check_octets(address, utf8)
    rest = address[_end_of_quoted_string(address) :] if address.startswith(b'"') else address
    if rest is not address and not rest.startswith(b"@"):
        raise UsageError(f"text after a quoted local part: {address!r}")
    if rest.translate(None, b' <>"\\') != rest:
        raise UsageError(f"not an address: {address!r}")
    return address


def _check_octets(text: bytes, utf8: bool) -> None:
    if text.translate(None, CONTROLS) != text:
        raise UsageError(f"control octet in {text!r}")
    if text.isascii():
        return
    if not utf8:
        raise UsageError(f"octets above 127 without SMTPUTF8: {text!r}")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"not UTF-8: {text!r}") from None


def _end_of_quoted_string(address: bytes) -> int:
    """Return the position behind the quoted string that `address` starts with."""
    position = 1
    while position < len(address):
        octet = address[position]
        if octet == 0x22:
            return position + 1
        position += 2 if octet == 0x5C else 1
    raise UsageError(f"unfinished quoted string: {address!r}")


def _format_body(extensions: Extensions, body: bytes) -> bytes:
    if body == b"BINARYMIME":
        for needed in (b"BINARYMIME", b"CHUNKING"):
            if needed not in extensions:
                raise MissingExtension(needed)
        return b" BODY=BINARYMIME"
    if body not in (b"7BIT", b"8BITMIME"):
        raise UsageError(f"not a BODY type: {body!r}")
    return b" BODY=" + body if b"8BITMIME" in extensions else b""


def _format_parameters(parameters: Parameters) -> bytes:
    """Return parameters of extensions unknown here, as they are (RFC 5321 section 4.1.2)."""
    formatted = b""
    for keyword, value in parameters:
        if not keyword or keyword.translate(None, LETTERS_AND_DIGITS + b"-"):
            raise UsageError(f"not a parameter's keyword: {keyword!r}")
        formatted += b" " + keyword
        if value is not None:
            if not value or value.translate(None, _SAFE_IN_VALUE):
                raise UsageError(f"not a parameter's value: {value!r}")
            formatted += b"=" + value
    return formatted


def _format_return(extensions: Extensions, ret: bytes, envid: bytes) -> bytes:
    if ret not in (b"", b"FULL", b"HDRS"):
        raise UsageError(f"not a RET type: {ret!r}")
    encoded = format_xtext(envid)
    if len(encoded) > MAX_ENVID:
        raise UsageError(f"an envelope id has at most {MAX_ENVID} octets, this one {len(encoded)}")
    if b"DSN" not in extensions:
        return b""
    return (b" RET=" + ret if ret else b"") + (b" ENVID=" + encoded if encoded else b"")


def _format_notify(extensions: Extensions, notify: Sequence[bytes], orcpt: bytes) -> bytes:
    if tuple(notify) != (b"NEVER",) and any(word not in NOTIFY for word in notify):
        raise UsageError(f"not a NOTIFY list: {notify!r}")
    encoded = _format_orcpt(orcpt) if orcpt else b""
    if b"DSN" not in extensions:
        return b""
    listed = b" NOTIFY=" + b",".join(notify) if notify else b""
    return listed + (b" ORCPT=" + encoded if encoded else b"")


def _format_orcpt(orcpt: bytes) -> bytes:
    """Return the encoded original recipient; one beyond ASCII gets the type of RFC 6533."""
    kind, _, address = orcpt.partition(b";")
    if not kind or not address or kind.translate(None, LETTERS_AND_DIGITS + b"-"):
        raise UsageError(f"not an original recipient: {orcpt!r}")
    if address.isascii():
        encoded = kind + b";" + format_xtext(address)
    else:
        _check_octets(address, utf8=True)
        encoded = b"utf-8;" + b"".join(
            character.encode()
            if character.isascii() and character not in "+=\\ "
            else b"\\x{%02X}" % ord(character)
            for character in address.decode()
        )
    if len(encoded) > MAX_ORCPT:
        raise UsageError(
            f"an original recipient has at most {MAX_ORCPT} octets, this one {len(encoded)}"
        )
    return encoded
