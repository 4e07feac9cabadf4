"""Aliases: what the names of this machine stand for, and who gets a message in the end.

Only local names are expanded: bare ones, those at a local domain, and root@origin. An address at
the origin is not local: the smarthost knows its real mailboxes better. A name without an alias
stands for itself at the origin, unless `unknown_local` says otherwise.

Every name is expanded once, so that loops end; how much one message may be expanded is bounded, so
time and memory are too. The file itself: alias_file.py.
"""

from __future__ import annotations

from pysendmail.message.address import Mailbox, comparable, parse_mailbox, qualify
from pysendmail.message.alias_syntax import MISCONFIGURED
from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.outcome import FAILED, Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    # Path, mtime in ns, size and inode of a file that was read; zeros for one that was not there.
    Source: TypeAlias = tuple[str, int, int, int]

# Sendmail's bound for aliases of aliases.
DEPTH_LIMIT = 10

# How many targets are looked at for one message: the same may be reached in many ways.
TARGETS_LIMIT = 10 * RECIPIENTS_LIMIT

# RFC 3463: no such mailbox (1.1), a routing loop (4.6).
UNKNOWN, LOOP = b"5.1.1", b"5.4.6"

ROOT = b"root"
# Whom mail is sent to by custom, and who is root where no alias says otherwise (RFC 2142).
ROOTS_OTHER_NAMES = (b"postmaster", b"mailer-daemon")

# What `unknown_local` may be besides an address.
FORWARD, REJECT = b"forward", b"reject"

# RFC 6761 section 6.3, and what machines call themselves besides.
LOOPBACK_DOMAINS = (b"localhost", b"localhost.localdomain")


class Alias:
    """What one name stands for: mailboxes, and for each refused target status and reason.

    The reasons are printable; `where` is file and line.
    """

    __slots__ = ("mailboxes", "refused", "where")

    def __init__(
        self,
        mailboxes: Sequence[Mailbox],
        refused: Sequence[tuple[bytes, bytes]] = (),
        where: str = "",
    ) -> None:
        self.mailboxes = tuple(mailboxes)
        self.refused = tuple(refused)
        self.where = where

    def __repr__(self) -> str:
        return f"Alias({self.mailboxes!r}, {self.refused!r}, {self.where!r})"


class Aliases:
    """The content of an aliases file: aliases by name in lower case, and its errors, a line each.

    `sources` tells the states of the files that this was read from, the aliases file first.
    """

    __slots__ = ("by_name", "errors", "sources")

    def __init__(
        self,
        by_name: Mapping[bytes, Alias] | None = None,
        errors: Sequence[str] = (),
        sources: Sequence[Source] = (),
    ) -> None:
        self.by_name = by_name or {}
        self.errors = tuple(errors)
        self.sources = tuple(sources)

    def __repr__(self) -> str:
        return f"<{len(self.by_name)} aliases, {len(self.errors)} errors>"


class LocalNames:
    """Which names are local, and what they stand for: the aliases and the configuration together.

    `root` gets root's mail whatever the aliases say; b"" leaves that to them. Postmaster and
    mailer-daemon fall to root unless they have an alias of their own. `domains` are local besides
    that of this machine, `unknown` is FORWARD, REJECT or an address. Without `aliases` names stand
    for themselves, root too. Raises AddressError when `root` or `unknown` is no address.
    """

    __slots__ = ("_aliases", "_domains", "_first", "_unknown", "origin")

    def __init__(
        self,
        aliases: Aliases | None,
        *,
        origin: bytes,
        hostname: bytes = b"",
        root: bytes = b"",
        domains: Iterable[bytes] = (),
        unknown: bytes = FORWARD,
    ) -> None:
        self.origin = origin
        implied = {*LOOPBACK_DOMAINS, hostname.lower(), hostname.partition(b".")[0].lower()}
        self._domains = (implied - {b"", origin.lower()}) | {name.lower() for name in domains}
        self._aliases = {} if aliases is None else aliases.by_name
        self._first: dict[bytes, Alias] = {}
        self._unknown: Alias | None = None
        if aliases is not None:
            self._put_root_first(root)
            self._unknown = alias_of_unknown(unknown)

    def _put_root_first(self, root: bytes) -> None:
        if root:
            self._first[ROOT] = Alias([parse_mailbox(root)])
        if root or ROOT in self._aliases:
            for name in ROOTS_OTHER_NAMES:
                if name not in self._aliases:
                    self._first[name] = Alias([Mailbox(ROOT)])

    def is_local(self, mailbox: Mailbox) -> bool:
        """Tell whether this is a name of this machine.

        Root's mail is read by somebody else nearly everywhere, so root@origin is root.
        """
        domain = mailbox.domain.lower()
        if not domain or domain in self._domains:
            return True
        return mailbox.local.lower() == ROOT and domain == self.origin.lower()

    def alias_of(self, mailbox: Mailbox) -> Alias | None:
        """Return what a mailbox stands for; None when that is itself."""
        if mailbox.literal or not self.is_local(mailbox):
            return None
        key = mailbox.local.lower()
        return self._first.get(key) or self._aliases.get(key) or self._unknown

    def address_of(self, mailbox: Mailbox) -> bytes:
        """Return the address of a mailbox that stands for itself: a local one is at the origin."""
        local = self.is_local(mailbox)
        return qualify(Mailbox(mailbox.local) if local else mailbox, self.origin)


def alias_of_unknown(unknown: bytes) -> Alias | None:
    """Return what all names without an alias stand for; None: each for itself."""
    if unknown == FORWARD:
        return None
    if unknown == REJECT:
        return Alias([], [(UNKNOWN, b"no such user here")])
    return Alias([parse_mailbox(unknown)])


def resolve(
    mailboxes: Iterable[Mailbox], names: LocalNames
) -> tuple[list[tuple[bytes, Mailbox]], list[Outcome]]:
    """Return who gets mail for these mailboxes, qualified and each once, and the failures.

    Beside each address stands the mailbox that led to it first.
    """
    resolution = Resolution(names)
    for mailbox in mailboxes:
        resolution.add(mailbox)
    return list(resolution.addresses.values()), resolution.failures


class Resolution:
    """The recipients of one message, collected. A builder.

    `addresses` by what is comparable of them; `failures` in the order they were met.
    """

    __slots__ = ("_expanded", "_names", "_targets", "addresses", "failures")

    def __init__(self, names: LocalNames) -> None:
        self._names = names
        self._expanded: set[bytes] = set()
        self._targets = 0
        self.addresses: dict[bytes, tuple[bytes, Mailbox]] = {}
        self.failures: list[Outcome] = []

    def add(self, mailbox: Mailbox) -> None:
        """Add whom a mailbox stands for."""
        alias = self._names.alias_of(mailbox)
        if alias is None:
            self._take([self._names.address_of(mailbox)], mailbox)
            return
        key = mailbox.local.lower()
        if key in self._expanded:
            return
        self._expanded.add(key)
        addresses, failures = self._expand(key, alias)
        if self._targets > TARGETS_LIMIT or len(self.addresses) + len(addresses) > RECIPIENTS_LIMIT:
            addresses = []
            failures = [(MISCONFIGURED, b"the alias stands for too many recipients")]
        elif not addresses and not failures:
            failures = [(LOOP, b"the alias stands for nobody but itself: a loop")]
        self._take(addresses, mailbox)
        name = mailbox.local + b"@" + self._names.origin
        self.failures += [Outcome(name, FAILED, status, reason) for status, reason in failures]

    def _take(self, addresses: Iterable[bytes], mailbox: Mailbox) -> None:
        for address in addresses:
            self.addresses.setdefault(comparable(address), (address, mailbox))

    def _expand(self, key: bytes, alias: Alias) -> tuple[list[bytes], list[tuple[bytes, bytes]]]:
        """Return the addresses that an alias stands for, and for each failure status and reason.

        A name among its own targets stands for itself, as in `root: root, admin@example.com`. Names
        that only lead to each other lead nowhere.
        """
        addresses: dict[bytes, bytes] = {}
        failures: list[tuple[bytes, bytes]] = []
        waiting, seen = [(key, alias, 1)], {key}
        for name, stands_for, depth in waiting:  # grows as aliases of aliases are found
            failures += stands_for.refused
            self._targets += len(stands_for.mailboxes)
            if self._targets > TARGETS_LIMIT:
                break
            for mailbox in stands_for.mailboxes:
                target, further = mailbox.local.lower(), self._names.alias_of(mailbox)
                if further is None or target == name:
                    address = self._names.address_of(mailbox)
                    addresses.setdefault(comparable(address), address)
                elif depth == DEPTH_LIMIT:
                    failures.append((LOOP, b"aliases of aliases, more than %d deep" % DEPTH_LIMIT))
                elif target not in seen:
                    seen.add(target)
                    waiting.append((target, further, depth + 1))
        return list(addresses.values()), list(dict.fromkeys(failures))


def find_loops(aliases: Aliases, names: LocalNames) -> list[str]:
    """Return a line, with file and line number, for each alias that leads nowhere or too far."""
    lines = []
    for name, alias in aliases.by_name.items():
        _addresses, failures = resolve([Mailbox(name)], names)
        lines += [
            f"{alias.where}: {failure.text.decode()}"
            for failure in failures
            if failure.status == LOOP
        ]
    return lines
