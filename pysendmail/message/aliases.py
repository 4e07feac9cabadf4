"""Aliases: what the aliases file says, and who the recipients of a message are in the end.

The syntax is that of aliases(5): `name: target, target`, continuation lines, quotes, comments.
Targets are addresses, bare names (which may be aliases again) and `:include:/file`, one level deep.
A target that is a program, a file or a command to the mail system is refused and never run; so is
everything that cannot be read as an address. Mail for such a name fails, with the place in the file
as reason.

Parsing never raises: what is wrong is in `errors`, each with file and line. Only bare names are
expanded, and root@origin. Every name is expanded once, so that loops end and time is linear.
"""

from __future__ import annotations

import errno
import os

from pysendmail.message.address import Mailbox, comparable, parse_mailbox, qualify
from pysendmail.message.alias_syntax import Targets, logical_lines, shown, split_alias
from pysendmail.message.outcome import FAILED, Outcome, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# Sendmail's bound for aliases of aliases.
DEPTH_LIMIT = 10

# An aliases file is held in memory; a file of this size has some hundred thousand names.
FILE_LIMIT = 16 * 1024 * 1024

# RFC 3463: the system is not configured right (3.6), a routing loop (3.5).
MISCONFIGURED, LOOP = b"5.3.5", b"5.4.6"

ROOT = b"root"
# Whom mail is sent to by custom, and who is root where no alias says otherwise (RFC 2142).
ROOTS_OTHER_NAMES = (b"postmaster", b"mailer-daemon")


class Alias:
    """What one name stands for: mailboxes, and reasons (printable) for each target refused."""

    __slots__ = ("mailboxes", "refused")

    def __init__(self, mailboxes: Sequence[Mailbox], refused: Sequence[bytes] = ()) -> None:
        self.mailboxes = tuple(mailboxes)
        self.refused = tuple(refused)

    def __repr__(self) -> str:
        return f"Alias({self.mailboxes!r}, {self.refused!r})"


class Aliases:
    """Aliases by name in lower case, and what was wrong in their file, one line for each.

    `first` holds those that are looked at before the others.
    """

    __slots__ = ("_first", "by_name", "errors")

    def __init__(
        self,
        by_name: Mapping[bytes, Alias] | None = None,
        errors: Sequence[str] = (),
        *,
        first: Mapping[bytes, Alias] | None = None,
    ) -> None:
        self.by_name = by_name or {}
        self.errors = tuple(errors)
        self._first = first or {}

    def __repr__(self) -> str:
        return f"<{len(self.by_name)} aliases, {len(self.errors)} errors>"

    def find(self, name: bytes) -> Alias | None:
        """Return what a name stands for, in any case, or None."""
        key = name.lower()
        return self._first.get(key) or self.by_name.get(key)

    def with_root(self, root: bytes) -> Aliases:
        """Return aliases in which `root` gets root's mail; b"" leaves that to the file.

        Postmaster and mailer-daemon fall to root unless they have an alias of their own. Raises
        AddressError when `root` is no address.
        """
        first = {ROOT: Alias([parse_mailbox(root)])} if root else {}
        if root or ROOT in self.by_name:
            for name in ROOTS_OTHER_NAMES:
                if name not in self.by_name:
                    first[name] = Alias([Mailbox(ROOT)])
        return Aliases(self.by_name, self.errors, first=first)


def resolve(
    mailboxes: Iterable[Mailbox], *, origin: bytes, root: bytes, aliases: Aliases | None
) -> tuple[list[bytes], list[Outcome]]:
    """Return who gets mail for these mailboxes, qualified and each once, and the failures.

    `root` is where root's mail goes, whatever the aliases say; b"" when nobody was named. Without
    `aliases` names stand for themselves, root too.
    """
    known = aliases.with_root(root) if aliases is not None else Aliases()
    addresses: dict[bytes, bytes] = {}
    failures: list[Outcome] = []
    for mailbox in mailboxes:
        if is_alias(mailbox, known, origin):
            found, failed = expand(mailbox.local, known, origin=origin)
            failures += failed
        else:
            found = [qualify(mailbox, origin)]
        for address in found:
            addresses.setdefault(comparable(address), address)
    return list(addresses.values()), failures


def expand(local: bytes, aliases: Aliases, *, origin: bytes) -> tuple[list[bytes], list[Outcome]]:
    """Return the addresses, qualified and each once, that an alias stands for, and the failures.

    A name among its own targets stands for itself, as in `root: root, admin@example.com`. Names
    that only lead to each other are a loop, and a failure.
    """
    addresses: dict[bytes, bytes] = {}
    failures: list[Outcome] = []

    def fail(status: bytes, reason: bytes) -> None:
        failures.append(Outcome(local + b"@" + origin, FAILED, status, reason))

    waiting = [(local, 1)]
    seen = {local.lower()}
    for name, depth in waiting:  # grows as aliases of aliases are found
        alias = aliases.find(name) or Alias([Mailbox(name)])
        for reason in alias.refused:
            fail(MISCONFIGURED, reason)
        for mailbox in alias.mailboxes:
            key = mailbox.local.lower()
            if key == name.lower() or not is_alias(mailbox, aliases, origin):
                address = qualify(mailbox, origin)
                addresses.setdefault(comparable(address), address)
            elif depth == DEPTH_LIMIT:
                fail(LOOP, b"aliases of aliases, more than %d deep" % DEPTH_LIMIT)
            elif key not in seen:
                seen.add(key)
                waiting.append((mailbox.local, depth + 1))
    if not addresses and not failures:
        fail(LOOP, b"the alias stands for nobody but itself: a loop")
    return list(addresses.values()), failures


def is_alias(mailbox: Mailbox, aliases: Aliases, origin: bytes) -> bool:
    """Tell whether the mailbox is a name to be expanded.

    An address is not, even at the origin, whose real mailboxes the smarthost knows better; but
    root's mail is read by somebody else nearly everywhere, so root@origin is root.
    """
    if mailbox.literal or aliases.find(mailbox.local) is None:
        return False
    if not mailbox.domain:
        return True
    return mailbox.local.lower() == ROOT and mailbox.domain.lower() == origin.lower()


def read_aliases(path: str) -> Aliases:
    """Return the aliases in a file and in those it includes; none when there is no such file.

    Raises OSError when it is there and cannot be read.
    """
    try:
        text = read_file(path)
    except FileNotFoundError:
        return Aliases()
    return parse_aliases(text, path=path, include=read_included)


def read_included(path: str) -> bytes:
    """Return the content of an included file, which may be in the hands of another user.

    No link is followed: it could lead to a file that we may read and its author may not.
    """
    return read_file(path, os.O_NOFOLLOW)


def read_file(path: str, flags: int = 0) -> bytes:
    """Return the content of a regular file; raises OSError, for one that is too large as well."""
    # Without O_NONBLOCK a FIFO under this name would stop us.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | flags)
    with open(fd, "rb") as file:
        content = file.read(FILE_LIMIT + 1)
    if len(content) > FILE_LIMIT:
        raise OSError(errno.EFBIG, "more than 16 MiB", path)
    return content


def parse_aliases(
    text: bytes, *, path: str = "aliases", include: Callable[[str], bytes] | None = None
) -> Aliases:
    """Return the aliases in the text of a file.

    `path` names it in errors. `include` returns the content of an included file or raises OSError;
    without it includes are refused.
    """
    by_name: dict[bytes, Alias] = {}
    errors: list[str] = []
    for number, line in logical_lines(text):
        where = f"{path}:{number}"
        name, value = split_alias(line)
        if not name:
            errors.append(f"{where}: expected 'name: target, …', found {shown(line)}")
        elif name in by_name:
            errors.append(f"{where}: {shown(name)} has an alias already; this one is ignored")
        else:
            targets = Targets(where, include)
            targets.add_list(value)
            if not targets.mailboxes and not targets.refused:
                targets.refuse("no target")
            by_name[name] = Alias(targets.mailboxes, [as_text(line) for line in targets.refused])
            errors += targets.refused
    return Aliases(by_name, errors)


def as_text(line: str) -> bytes:
    """Return an error as the text of an outcome."""
    return printable(line.encode("utf-8", "backslashreplace"))
