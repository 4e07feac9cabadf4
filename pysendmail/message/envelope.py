"""The envelope: who it is from, who shall get it, and what was asked about notifications.

Values; what came from outside was checked before it got here (address.py, the options, the codec).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What one message may make us keep in memory and write into one head of the spool.
RECIPIENTS_LIMIT = 20_000


class Recipient:
    """One recipient.

    `notify` is what RFC 3461 section 4.1 calls NOTIFY: () not asked, (b"NEVER",), or some of
    b"SUCCESS", b"FAILURE", b"DELAY". `orcpt` is the original recipient with its type,
    `rfc822;alice@example.org`, not encoded as xtext; b"" for none.
    """

    __slots__ = ("address", "notify", "orcpt")

    def __init__(self, address: bytes, notify: Iterable[bytes] = (), orcpt: bytes = b"") -> None:
        self.address = address
        self.notify = tuple(notify)
        self.orcpt = orcpt

    def __repr__(self) -> str:
        return f"Recipient({self.address!r}, {self.notify!r}, {self.orcpt!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recipient):
            return NotImplemented
        return (self.address, self.notify, self.orcpt) == (other.address, other.notify, other.orcpt)

    def __hash__(self) -> int:
        return hash((self.address, self.notify, self.orcpt))


class Envelope:
    """Sender, recipients and options of one message.

    `sender` b"" is the null sender. `ret` is b"FULL", b"HDRS" or b"" (not asked), `envid` the
    envelope id (not encoded as xtext) or b"". `eight_bit`: the message holds octets above 127;
    `smtputf8`: an address does.
    """

    __slots__ = ("eight_bit", "envid", "recipients", "ret", "sender", "smtputf8")

    def __init__(
        self,
        sender: bytes,
        recipients: Iterable[Recipient],
        *,
        ret: bytes = b"",
        envid: bytes = b"",
        eight_bit: bool = False,
        smtputf8: bool = False,
    ) -> None:
        self.sender = sender
        self.recipients = tuple(recipients)
        self.ret = ret
        self.envid = envid
        self.eight_bit = eight_bit
        self.smtputf8 = smtputf8

    def __repr__(self) -> str:
        return (
            f"Envelope({self.sender!r}, {self.recipients!r}, ret={self.ret!r},"
            f" envid={self.envid!r}, eight_bit={self.eight_bit}, smtputf8={self.smtputf8})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Envelope):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.sender, self.recipients, self.envid))

    def with_recipients(self, recipients: Iterable[Recipient]) -> Envelope:
        """Return the same envelope for these recipients."""
        if recipients == self.recipients:
            return self
        return Envelope(
            self.sender,
            recipients,
            ret=self.ret,
            envid=self.envid,
            eight_bit=self.eight_bit,
            smtputf8=self.smtputf8,
        )
