"""What is handed over: one message with its envelope, and the verdict that came of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    from .transcript import Transcript

    Source: TypeAlias = bytes | Iterable[bytes] | Callable[[], Iterable[bytes]]
    Parameters: TypeAlias = Sequence[tuple[bytes, bytes | None]]


class Recipient:
    """One forward-path: `address`, and what RFC 3461 lets its author ask for.

    `notify` is `(b"NEVER",)` or some of `SUCCESS`, `FAILURE`, `DELAY`; `orcpt` the original
    recipient with its address type, as in `rfc822;alice@example.com`, not encoded yet;
    `parameters` are (keyword, value or None) of extensions that are not known here.
    """

    __slots__ = ("address", "notify", "orcpt", "parameters")

    def __init__(
        self,
        address: bytes,
        notify: Sequence[bytes] = (),
        orcpt: bytes = b"",
        parameters: Parameters = (),
    ) -> None:
        self.address = address
        self.notify = notify
        self.orcpt = orcpt
        self.parameters = parameters

    def __repr__(self) -> str:
        return f"Recipient({self.address!r})"


class Transaction:
    """One message for some recipients.

    `source` is the message: octets, chunks of octets, or a callable that returns chunks and is
    called when the message is about to be sent. Its line ends may be any; on the wire they are
    CRLF. `sender` empty is the null sender. What the rest means stands in `arguments.format_mail`.
    Several objects may share one source, if that can be read again.
    """

    __slots__ = (
        "auth", "body", "envid", "parameters", "recipients", "requiretls", "ret", "sender",
        "size", "smtputf8", "source",
    )  # fmt: skip

    def __init__(
        self,
        sender: bytes,
        recipients: Iterable[bytes | Recipient],
        source: Source,
        *,
        size: int | None = None,
        body: bytes = b"",
        smtputf8: bool = False,
        requiretls: bool = False,
        ret: bytes = b"",
        envid: bytes = b"",
        auth: bytes | None = None,
        parameters: Parameters = (),
    ) -> None:
        self.sender = sender
        self.recipients = tuple(
            Recipient(who) if isinstance(who, bytes) else who for who in recipients
        )
        self.source = source
        self.size = size
        self.body = body
        self.smtputf8 = smtputf8
        self.requiretls = requiretls
        self.ret = ret
        self.envid = envid
        self.auth = auth
        self.parameters = parameters

    def chunks(self) -> Iterable[bytes]:
        """Return the message as an iterable of chunks, asking the source for it now."""
        if isinstance(self.source, bytes):
            return (self.source,)
        return self.source() if callable(self.source) else self.source

    def __repr__(self) -> str:
        return f"Transaction({self.sender!r}, {self.recipients!r})"


class Verdict:
    """What came of one transaction.

    `transcript` has the server's replies, as many as came. `trouble` is None when they are
    complete; otherwise it is what kept the rest from coming: a trouble of the session, a local
    refusal (nothing was sent then), or what the message's source raised. `may_be_duplicate` tells
    that the message was handed over whole and somebody's last word is missing: the server may
    have taken it.
    """

    __slots__ = ("may_be_duplicate", "transaction", "transcript", "trouble")

    def __init__(
        self,
        transaction: Transaction,
        transcript: Transcript,
        trouble: Exception | None = None,
        *,
        may_be_duplicate: bool = False,
    ) -> None:
        self.transaction = transaction
        self.transcript = transcript
        self.trouble = trouble
        self.may_be_duplicate = may_be_duplicate

    def __repr__(self) -> str:
        return f"Verdict({self.transcript!r}, trouble={self.trouble!r})"
