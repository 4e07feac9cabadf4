"""The submitter: who the kernel says has handed us a message.

Never taken from the environment or from the request. A uid without a passwd entry, as in
containers, is somebody too: `uid1234`. So is one whose login cannot stand in an address, as
`DOMAIN\\user` of winbind.
"""

from __future__ import annotations

import os
import pwd

from pysendmail.message.address import AddressError, parse_mailbox
from pysendmail.message.identity import gecos_name


class Submitter:
    """A uid, the login name that stands for it in addresses, and its full name (GECOS).

    Where the message came by SMTP, `client` says from whom, `client.example.com ([127.0.0.1])`, and
    `protocol` how (RFC 3848); the uid is then the daemon's own.
    """

    __slots__ = ("client", "full_name", "login", "protocol", "uid")

    def __init__(
        self,
        uid: int,
        login: bytes,
        full_name: bytes,
        *,
        client: bytes = b"",
        protocol: bytes = b"",
    ) -> None:
        self.uid = uid
        self.login = login
        self.full_name = full_name
        self.client = client
        self.protocol = protocol

    def __repr__(self) -> str:
        return f"Submitter({self.uid}, {self.login!r}, {self.full_name!r})"


def find_submitter(uid: int) -> Submitter:
    """Return the submitter with this uid."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Submitter(uid, b"uid%d" % uid, b"")
    return submitter_of(uid, os.fsencode(entry.pw_name), os.fsencode(entry.pw_gecos))


def submitter_of(uid: int, login: bytes, gecos: bytes) -> Submitter:
    """Return the submitter with these fields of passwd(5)."""
    full_name = gecos_name(gecos, login)
    try:
        parse_mailbox(login)
    except AddressError:
        login = b"uid%d" % uid
    return Submitter(uid, login, full_name)
