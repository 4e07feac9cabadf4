"""An aliases file, those it includes, and who gets mail by them."""

from __future__ import annotations

import errno
import re

from pysendmail.message.address import Mailbox, comparable, parse_mailbox
from pysendmail.message.alias_file import parse_aliases
from pysendmail.message.alias_syntax import REFUSED_LIMIT
from pysendmail.message.aliases import (
    FORWARD,
    REJECT,
    Aliases,
    LocalNames,
    find_loops,
    resolve,
)
from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.outcome import FAILED
from pysendmail.smtp.arguments import check_address
from tests.fuzz.targets.target import Target

ORIGIN = b"example.com"
UNKNOWN = (FORWARD, REJECT, b"all@example.net", b"root")


def aliases(octets: bytes) -> None:
    """Any text is aliases, and mistakes told with file and line; whoever is named can get mail.

    Behind the file, with NUL between, stand those that it includes as `/1`, `/2` and so on. The
    first octet chooses what is configured beside it.
    """
    mood = octets[0] if octets else 0
    text, *included = octets[1:].split(b"\0")

    def include(path: str) -> bytes:
        number = path.removeprefix("/")
        if number.isascii() and number.isdigit() and 0 < int(number[:4]) <= len(included):
            return included[int(number[:4]) - 1]
        raise OSError(errno.ENOENT, "No such file", path)

    found = parse_aliases(text, path="/aliases", include=include)
    for error in found.errors:
        assert error.isprintable()
        assert re.match(r"/.*:[0-9]+: .", error)
    for name, alias in found.by_name.items():
        assert name
        assert b"@" not in name
        assert name == name.lower()
        assert alias.mailboxes or alias.refused
        assert len(alias.refused) <= REFUSED_LIMIT
        assert all(reason.decode().isprintable() for _status, reason in alias.refused)
    if b"\r" not in text:
        assert repr(parse_aliases(text.replace(b"\n", b"\r\n"), path="/aliases",
                                  include=include).by_name) == repr(found.by_name)  # fmt: skip
    check_names(found, mood)


def check_names(found: Aliases, mood: int) -> None:
    """Each name has recipients, each of them once, or fails with a reason."""
    names = LocalNames(
        found,
        origin=ORIGIN,
        hostname=b"host.example.com",
        root=b"admin@example.net" if mood & 4 else b"",
        domains=[b"local.example"],
        unknown=UNKNOWN[mood & 3],
    )
    together = [Mailbox(name) for name in found.by_name]
    for mailboxes in ([], [Mailbox(b"root")], together, *([mailbox] for mailbox in together)):
        recipients, failures = resolve(mailboxes, names)
        assert bool(mailboxes) == bool(recipients or failures)
        assert len(recipients) <= max(RECIPIENTS_LIMIT, len(mailboxes))
        addresses = [address for address, _mailbox in recipients]
        assert len(set(map(comparable, addresses))) == len(addresses)
        for address in addresses:
            assert parse_mailbox(address).domain
            assert check_address(address, utf8=True) == address
        assert all(mailbox in mailboxes for _address, mailbox in recipients)
        assert all(failure.kind == FAILED for failure in failures)
    assert all(line.isprintable() for line in find_loops(found, names))


TARGETS = (aliases,)


def seeds() -> dict[Target, list[bytes]]:
    """Return inputs to begin with."""
    files = (
        b"# all\nroot: admin@example.com, \\root\npostmaster: root\n\nA: b,\n\tc,\n# x\n d\n"
        b"b: a\n",
        b'"a b": "|prog -x", /file, :include:/1, "quoted local"@x\nx: :fail: gone, for ever\n'
        b"c: :include:/2,:include:/9\0one@x\n# no\ntwo, Three <three@x>\n\0|run\n:include:/1\n"
        b"bad@@x",
        b"*: x\na@b: c\n: d\nno colon\na: :blackhole:\ne: (comment) f@g.h, <i\\\nj@k>\n"
        b"e: again\nr1: r2\nr2: r3\nr3: r1, @, root@localhost, x@local.example\n",
    )  # fmt: skip
    return {aliases: [bytes([mood]) + file for mood in (0, 5, 6, 3) for file in files]}
