"""Senders: under which address a message goes out, in the envelope and in From.

Smarthosts take mail from addresses they know. What a program gave is kept where it may be, and else
replaced, by the first of these that there is:

1. the identity of that very address, or of its domain (`@old.example.com`); these always hold,
2. the identity of the submitter's login name, or uid,
3. the one address for all: `sender` in the envelope, `from` in the header,
4. the submitter's own address, login@origin.

The last three hold where addresses are replaced at all: every one, or only foreign ones, whose
domain is none of ours. The null sender is never asked about.
"""

from __future__ import annotations

from pysendmail.message.address import comparable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Senders:
    """The rules for one submitter.

    `own` is the submitter's address, `by_uid` another name for it (b"1000@origin"); `identities`
    have addresses or `@domain` as keys, and addresses as values. With `rewrite` addresses are
    replaced even where there is none for all, with `only_foreign` no others. All are qualified.
    """

    __slots__ = (
        "_author", "_domains", "_identities", "_names", "_only_foreign", "_rewrite", "_sender",
        "own",
    )  # fmt: skip

    def __init__(
        self,
        own: bytes,
        *,
        origin: bytes,
        by_uid: bytes = b"",
        sender: bytes = b"",
        author: bytes = b"",
        identities: Mapping[bytes, bytes] | None = None,
        rewrite: bool = False,
        only_foreign: bool = False,
    ) -> None:
        self.own = own
        self._names = (comparable(own), comparable(by_uid))
        self._sender = sender
        self._author = author
        known = {origin, domain_of(sender), domain_of(author)}
        self._domains = tuple(domain.lower() for domain in known if domain)
        self._identities = {
            comparable(match): address for match, address in (identities or {}).items()
        }
        self._rewrite = rewrite
        self._only_foreign = only_foreign

    def sender_for(self, address: bytes) -> bytes:
        """Return the envelope sender for one that was asked for, qualified and not null."""
        return self._replacement(address, self._sender)

    def author_for(self, address: bytes) -> bytes:
        """Return the address in From for the one that is there, b"" for one nobody can read."""
        return self._replacement(address, self._author)

    def _replacement(self, address: bytes, for_all: bytes) -> bytes:
        domain = domain_of(address)
        identity = self._identity(address, b"@" + domain)
        if identity:
            return identity
        if not (self._rewrite or for_all):
            return address
        if self._only_foreign and self._is_ours(domain):
            return address
        return self._identity(*self._names) or for_all or self.own

    def _identity(self, *names: bytes) -> bytes:
        if not self._identities:
            return b""
        for name in names:
            if found := self._identities.get(comparable(name)):
                return found
        return b""

    def _is_ours(self, domain: bytes) -> bool:
        """Tell whether this is one of our domains, or below one."""
        below = b"." + domain.lower()
        return any(below.endswith(b"." + ours) for ours in self._domains)


def domain_of(address: bytes) -> bytes:
    """Return the domain of an address, b"" where it has none."""
    return address.rpartition(b"@")[2] if b"@" in address else b""
