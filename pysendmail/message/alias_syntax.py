"""The syntax of an aliases file, see aliases(5): lines, names, and lists of targets.

Nothing here raises: a target that is refused is noted with the file and line where it stands.
"""

from __future__ import annotations

from pysendmail.message.address import AddressError, parse_mailbox, quoted_local, unquoted
from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.lexer import QUOTED, tokens_of
from pysendmail.message.outcome import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pysendmail.message.address import Mailbox

INCLUDE = b":include:"
# Exim's words for a name whose mail fails; what follows is told to the sender.
FAIL = (b":fail:", b":error:")

# So many refused targets of one alias are told of: an included file may be anything.
REFUSED_LIMIT = 100

# RFC 3463: the system is not configured right (3.5), somebody decided against it (7.1).
MISCONFIGURED, PROHIBITED = b"5.3.5", b"5.7.1"


def logical_lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield lines with their continuations, each with its number; comments and empty ones left out.

    A line that begins with a blank continues the one before it, also over comments; so does any
    line after one that ends with a backslash.
    """
    first, parts = 0, [b""]
    for number, line in enumerate(text.split(b"\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith(b"#"):
            continue
        unfinished = parts[-1].endswith(b"\\")
        if first and (unfinished or line[:1] in (b" ", b"\t")):
            parts[-1] = parts[-1].removesuffix(b"\\")
            parts.append(stripped)
            continue
        if first:
            yield first, b" ".join(parts)
        first, parts = number, [stripped]
    if first:
        yield first, b" ".join(parts)


def split_alias(line: bytes) -> tuple[bytes, bytes]:
    """Return name, in lower case, and value of an alias; the name is b"" when there is none.

    It has the form of a local part: in quotes where it needs them.
    """
    if line.startswith(b'"'):
        token = next(tokens_of(line))
        name, rest = unquoted(line[: token.end]), line[token.end :].lstrip()
        found = token.kind == QUOTED and rest.startswith(b":")
        return (quoted_local(name.lower()) if found else b""), rest[1:]
    name, colon, value = line.partition(b":")
    return (name.strip().lower() if colon else b""), value


def why_no_name(name: bytes) -> str:
    """Return why mail is never addressed to such a name, "" for one that can be an alias."""
    if name == b"*":
        return "the key unknown_local says where mail for all other names goes"
    return "only a bare name can be an alias" if b"@" in name else ""


class _TooMany(Exception):
    """There is no room for another mailbox."""


class Targets:
    """The targets of one alias, collected. `where` is file and line, for errors. A builder.

    `refused` has a status (RFC 3463) and a reason for each target that gets no mail, up to a bound.
    `room` is for how many mailboxes, None for any number.
    """

    __slots__ = ("_include", "_room", "_where", "mailboxes", "refused")

    def __init__(
        self, where: str, include: Callable[[str], bytes] | None, *, room: int | None = None
    ) -> None:
        self.mailboxes: list[Mailbox] = []
        self.refused: list[tuple[bytes, str]] = []
        self._where = where
        self._include = include
        self._room = room

    @property
    def errors(self) -> list[str]:
        """The reasons that are mistakes in the file, and nobody's decision."""
        return [reason for status, reason in self.refused if status == MISCONFIGURED]

    def add_list(self, text: bytes) -> None:
        """Add targets with commas between them, or the one decision that mail shall fail."""
        whole = bare(text.strip())
        if whole.lower().startswith(FAIL):
            reason = text_of(whole[whole.index(b":", 1) + 1 :].strip())
            self._note([(PROHIBITED, reason or "no mail is taken for this name")])
            return
        for target in filter(None, split_at_commas(text)):
            self.add(bare(target))

    def add(self, target: bytes) -> None:
        """Add one target."""
        if target.lower().startswith(INCLUDE):
            self._add_file(target[len(INCLUDE) :].strip())
        elif target.startswith(b"|"):
            self.refuse(f"programs are not run: {shown(target)}")
        elif target.startswith(b"/"):
            self.refuse(f"mail is not written to files: {shown(target)}")
        elif target.startswith(b":"):
            self.refuse(f"not supported: {shown(target)}")
        else:
            try:
                mailbox = parse_mailbox(target)
            except AddressError as error:
                self.refuse(str(error))
                return
            if len(self.mailboxes) == self._room:
                raise _TooMany
            self.mailboxes.append(mailbox)

    def refuse(self, reason: str) -> None:
        """Note why a target is none."""
        self._note([(MISCONFIGURED, f"{self._where}: {reason}")])

    def _note(self, refused: list[tuple[bytes, str]]) -> None:
        self.refused += refused[: REFUSED_LIMIT - len(self.refused)]

    def _add_file(self, path: bytes) -> None:
        """Add the targets in an included file; it may not include another one."""
        if self._include is None or not path.startswith(b"/"):
            self.refuse(f"cannot include {shown(path)} here")
            return
        try:
            text = self._include(path.decode("utf-8", "surrogateescape"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.refuse(f"cannot include {shown(path)}: {reason}")
            return
        try:
            self.mailboxes += self._listed(text_of(path), text)
        except _TooMany:
            self.refuse(f"cannot include {shown(path)}: more than {RECIPIENTS_LIMIT} addresses")

    def _listed(self, path: str, text: bytes) -> list[Mailbox]:
        """Return the mailboxes in an included file, as many as a message may have recipients."""
        mailboxes: list[Mailbox] = []
        for number, line in enumerate(text.split(b"\n"), 1):
            line = line.strip()
            if line and not line.startswith(b"#"):
                room = RECIPIENTS_LIMIT - len(mailboxes)
                inner = Targets(f"{path}:{number}", None, room=room)
                inner.add_list(line)
                mailboxes += inner.mailboxes
                self._note(inner.refused)
        return mailboxes


def bare(target: bytes) -> bytes:
    """Return a target without the quotes that programs, files and commands are written in."""
    special = target.startswith((b'"|', b'"/', b'":')) and target.endswith(b'"')
    return unquoted(target) if special else target


def split_at_commas(text: bytes) -> Iterator[bytes]:
    """Yield what stands between the commas that are in no quotes, comments or angle brackets."""
    if b"," not in text:  # as on most lines of a list
        yield text.strip()
        return
    start, depth = 0, 0
    for token in tokens_of(text):
        if token.kind == b"<":
            depth = 1
        elif token.kind == b">":
            depth = 0
        elif token.kind == b"," and not depth:
            yield text[start : token.start].strip()
            start = token.end
    yield text[start:].strip()


def shown(text: bytes) -> str:
    """Return octets of the file as they may stand in a message to people, in quotes."""
    return "'" + printable(text, 100).decode() + "'"


def text_of(octets: bytes) -> str:
    """Return octets of the file as printable text."""
    return printable(octets).decode()
