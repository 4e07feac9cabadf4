"""Addresses in header syntax: lists of them, one of them, and how they are completed and written.

Reads RFC 5322 section 3.4 and what is in the field beside it: groups, nested comments, quoted
strings, routes (dropped), bare names, empty elements, a trailing dot, raw UTF-8; encoded words are
opaque. An address that comes out is safe on a command line: no control octet, no blank outside
quotes, valid UTF-8, a local part of at most 256 octets (RFC 5321 section 4.5.3.1.1 promises 64, but
mailing lists and rewriting schemes make longer ones) and a domain of at most 255.

`parse_list` never fails: what cannot be read is given back beside the mailboxes. `parse_mailbox`
raises AddressError. One pass over the octets, without recursion: time grows as the input does, and
memory no further than for as many addresses as a message may have recipients.
"""

from __future__ import annotations

from itertools import pairwise  # built in: costs nothing

from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.lexer import ATOM, BLANKS, DOMAIN_LITERAL, QUOTED, STRAY, tokens_of
from pysendmail.message.outcome import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pysendmail.message.lexer import Token

LOCAL_LIMIT = 256
DOMAIN_LIMIT = 255

# More tokens than any address has: each makes an octet of it, or stands between two that do.
TOKENS_LIMIT = 2 * (LOCAL_LIMIT + DOMAIN_LIMIT)

LETTERS_AND_DIGITS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
BEYOND_ASCII = bytes(range(128, 256))
ATEXT = LETTERS_AND_DIGITS + b"!#$%&'*+-/=?^_`{|}~"  # RFC 5322 section 3.2.3
DOMAIN_OCTETS = LETTERS_AND_DIGITS + b"-_." + BEYOND_ASCII


class AddressError(ValueError):
    """The text is not the one address it should be; str() is a phrase for people."""


class Mailbox:
    r"""One address: `address` is `local@domain`, or `local` alone where no domain was written.

    `start` and `end` are where the address stands in the text it was read from. `literal`: it was
    written as `\local`, so aliases do not apply to it.
    """

    __slots__ = ("domain", "end", "literal", "local", "start")

    def __init__(
        self, local: bytes, domain: bytes = b"", *, start: int = 0, end: int = 0,
        literal: bool = False,
    ) -> None:  # fmt: skip
        self.local = local
        self.domain = domain
        self.start = start
        self.end = end
        self.literal = literal

    def __repr__(self) -> str:
        return (
            f"Mailbox({self.local!r}, {self.domain!r}, start={self.start}, end={self.end},"
            f" literal={self.literal})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mailbox):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.local, self.domain))

    @property
    def address(self) -> bytes:
        """The address as written, but for quotes and dots without a meaning."""
        return self.local + b"@" + self.domain if self.domain else self.local


def parse_list(text: bytes) -> tuple[list[Mailbox], list[bytes]]:
    """Return the mailboxes of an address list, and the elements that are none.

    What stands behind RECIPIENTS_LIMIT of both is one more element that is none.
    """
    if plain := plain_mailbox(text):
        return [plain], []
    mailboxes: list[Mailbox] = []
    bad: list[bytes] = []
    element = Element()
    grouped = False
    for token in tokens_of(text):
        kind = token.kind
        if element.in_angle and element.add_inside(token):
            continue
        if kind == b":" and not grouped and element.is_phrase():
            element, grouped = Element(), True
        elif kind in (b",", b";"):
            element.settle(text, token.start, mailboxes, bad)
            if len(mailboxes) + len(bad) == RECIPIENTS_LIMIT:
                return mailboxes, bad + rest_of(text, token.end)
            element = Element()
            grouped = grouped and kind == b","
        else:
            element.add(token)
    element.settle(text, len(text), mailboxes, bad)
    return mailboxes, bad


def plain_mailbox(text: bytes) -> Mailbox | None:
    """Return the one mailbox in `text` where that is seen without looking at each octet.

    That is most of all address lists: an address, or a bare name, and nothing else.
    """
    address = text.removesuffix(b"\r\n").strip(BLANKS)
    local, at, domain = address.partition(b"@")
    if not 0 < len(local) <= LOCAL_LIMIT or local.translate(None, ATEXT + b"."):
        return None
    if at and not (is_domain(domain) and is_usable(domain, DOMAIN_LIMIT)):
        return None
    start = text.index(address)
    return Mailbox(local, domain, start=start, end=start + len(address))


def parse_lists(texts: Iterable[bytes]) -> tuple[list[Mailbox], list[bytes]]:
    """Return the mailboxes of several address lists, and the elements that are none.

    Once they are more than RECIPIENTS_LIMIT no further list is read.
    """
    mailboxes: list[Mailbox] = []
    bad: list[bytes] = []
    for text in texts:
        found, unreadable = parse_list(text)
        mailboxes += found
        bad += unreadable
        if len(mailboxes) + len(bad) > RECIPIENTS_LIMIT:
            break
    return mailboxes, bad


def rest_of(text: bytes, start: int) -> list[bytes]:
    """Return what is left of an address list as one element, none when that is empty ones."""
    rest = text[start:].strip(b" \t\r\n,;")
    return [rest] if rest else []


def parse_mailbox(text: bytes) -> Mailbox:
    """Return the one address in `text`, which may have a name and comments; raises AddressError."""
    mailboxes, bad = parse_list(text)
    if len(mailboxes) == 1 and not bad:
        return mailboxes[0]
    shown = printable(text, 200).decode()
    if len(mailboxes) + len(bad) > 1:
        raise AddressError(f"more than one address: {shown}")
    raise AddressError(f"not an address: {shown}")


def qualify(mailbox: Mailbox, origin: bytes) -> bytes:
    """Return the address, completed with `@origin` when it is a bare name."""
    return mailbox.address if mailbox.domain else mailbox.local + b"@" + origin


def comparable(address: bytes) -> bytes:
    """Return what two addresses have in common when they are the same to every server.

    Domains know no case; local parts may (RFC 5321 section 2.4).
    """
    local, at, domain = address.rpartition(b"@")
    return local + at + domain.lower() if at else address


class Element:
    """What stands between two commas: tokens collected, then made a mailbox. A builder.

    `tokens` are those of the address if there is one: all so far, or those in angle brackets. When
    they are `too_many` for one, not all of them are kept.
    """

    __slots__ = ("bad", "closed", "in_angle", "start", "tokens", "too_many")

    def __init__(self) -> None:
        self.tokens: list[Token] = []
        self.start = -1  # of the first token: the element is reported from there when bad
        self.in_angle = False
        self.closed = False
        self.bad = False
        self.too_many = False

    def add(self, token: Token) -> None:
        """Take a token outside of angle brackets."""
        if self.start < 0:
            self.start = token.start
        if token.kind == b"<" and not self.closed:
            self._forget()  # that was the display name
            self.in_angle = True
        elif self.closed or token.kind not in WORDS:
            self.bad = True
        else:
            self._keep(token)

    def add_inside(self, token: Token) -> bool:
        """Take a token inside angle brackets; False when the element ends before they close."""
        kind = token.kind
        if kind == b">":
            self.in_angle = False
            self.closed = True
        elif kind == b":":
            self.bad = self.bad or not self._is_route()
            self._forget()  # RFC 5321 appendix C: a route is to be ignored
        elif kind == b"," and self._is_route():
            pass
        elif kind in (b",", b";"):
            self.bad = True
            return False
        elif kind in WORDS:
            self._keep(token)
        else:
            self.bad = True
        return True

    def is_phrase(self) -> bool:
        """Tell whether a colon here makes the element the name of a group."""
        words = not self.closed and not self.bad and not self.too_many and bool(self.tokens)
        return words and all(token.kind != b"@" for token in self.tokens)

    def settle(self, text: bytes, end: int, mailboxes: list[Mailbox], bad: list[bytes]) -> None:
        """Add what the element is to one of the lists; an empty one, or a mere comment, to none."""
        if self.start < 0:
            return
        mailbox = None
        if not self.bad and not self.in_angle and not self.too_many:
            mailbox = find_mailbox(text, self.tokens)
        if mailbox is None:
            element = text[self.start : end]
            bad.append(element.strip() or element)
        else:
            mailboxes.append(mailbox)

    def _keep(self, token: Token) -> None:
        if len(self.tokens) == TOKENS_LIMIT:
            self.too_many = True
        else:
            self.tokens.append(token)

    def _forget(self) -> None:
        self.tokens = []
        self.too_many = False

    def _is_route(self) -> bool:
        return bool(self.tokens) and self.tokens[0].kind == b"@"


WORDS = (ATOM, QUOTED, DOMAIN_LITERAL, STRAY, b"@")


def find_mailbox(text: bytes, tokens: list[Token]) -> Mailbox | None:
    """Return the mailbox that the tokens are, None when they are none."""
    signs = [place for place, token in enumerate(tokens) if token.kind == b"@"]
    if not tokens or len(signs) > 1:
        return None
    at = signs[0] if signs else len(tokens)
    local, literal = local_part(text, tokens[:at])
    domain = domain_part(text, tokens[at + 1 :])
    if not is_usable(local, LOCAL_LIMIT) or (signs and not is_usable(domain, DOMAIN_LIMIT)):
        return None
    return Mailbox(local, domain, start=tokens[0].start, end=tokens[-1].end, literal=literal)


def is_usable(part: bytes, limit: int) -> bool:
    """Tell whether a part of an address is there, short enough and UTF-8 (RFC 6532 section 3.1)."""
    if not 0 < len(part) <= limit:
        return False
    try:
        part.decode()
    except UnicodeDecodeError:
        return False
    return True


def local_part(text: bytes, tokens: list[Token]) -> tuple[bytes, bool]:
    r"""Return the local part, and whether it was written as `\name`; b"" when it is none."""
    if not are_joined_by_dots(text, tokens):
        return b"", False
    if all(token.kind == ATOM for token in tokens):
        local = b"".join([text[token.start : token.end] for token in tokens])
        name = local.removeprefix(b"\\")
        return (b"" if b"\\" in name else name), name != local
    words = [
        unquoted(text[token.start : token.end]) if token.kind == QUOTED
        else text[token.start : token.end]
        for token in tokens
    ]  # fmt: skip
    return quoted_local(b"".join(words)), False


def are_joined_by_dots(text: bytes, tokens: list[Token]) -> bool:
    """Tell whether the tokens are words with dots between them, blanks around those allowed."""
    for before, after in pairwise(tokens):
        dotted = (before.kind == ATOM and text[before.end - 1 : before.end] == b".") or (
            after.kind == ATOM and text[after.start : after.start + 1] == b"."
        )
        if not dotted:
            return False
    return all(token.kind in (ATOM, QUOTED) for token in tokens)


def unquoted(string: bytes) -> bytes:
    """Return the content of a quoted string, without its folding (RFC 5322 section 3.2.4)."""
    content = string[1:-1].replace(b"\r\n", b"")
    if b"\\" not in content:
        return content
    # An escaped backslash is set aside as NUL, which no token holds.
    return content.replace(b"\\\\", b"\0").replace(b"\\", b"").replace(b"\0", b"\\")


def quoted_local(content: bytes) -> bytes:
    """Return a local part in quotes, without them where it needs none (RFC 5321 section 4.1.2).

    A tab may be quoted in a header but not on a command line: b"" for that.
    """
    if not content or b"\t" in content:
        return b""
    return content if is_dot_atom(content) else quoted(content)


def is_dot_atom(content: bytes) -> bool:
    """Tell whether this is atoms with single dots between them (RFC 5322 section 3.2.3)."""
    atoms = content.split(b".")
    return all(atoms) and not content.translate(None, ATEXT + b"." + BEYOND_ASCII)


def quoted(content: bytes) -> bytes:
    """Return a quoted string (RFC 5322 section 3.2.4)."""
    return b'"' + content.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def domain_part(text: bytes, tokens: list[Token]) -> bytes:
    """Return the domain or address literal without a final dot; b"" when it is none."""
    if len(tokens) == 1 and tokens[0].kind == DOMAIN_LITERAL:
        return text[tokens[0].start : tokens[0].end]
    if not are_joined_by_dots(text, tokens) or any(token.kind == QUOTED for token in tokens):
        return b""
    domain = b"".join([text[token.start : token.end] for token in tokens]).removesuffix(b".")
    return domain if is_domain(domain) else b""


def is_domain(name: bytes) -> bool:
    """Tell whether this may stand behind an @ and is no address literal."""
    return all(name.split(b".")) and not name.translate(None, DOMAIN_OCTETS)
