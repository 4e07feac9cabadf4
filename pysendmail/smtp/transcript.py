"""What was said in one transaction."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .reply import Reply


class Transcript:
    """The server's replies in one transaction, None where none was given or none matters.

    `mail`        the answer to MAIL. When it refuses, it is the verdict for everybody.
    `recipients`  the answers to RCPT, in the order of the recipients.  552 stands here as given;
                  RFC 5321 section 4.5.3.1.10 has it read as 452.
    `data`        the answer to DATA, or to a part of the message that BDAT carried and that was
                  refused; where at least one recipient had been accepted.
    `final`       the answer to the end of data: the verdict for all accepted recipients. Under
                  LMTP, where each has its own, the last of them.
    `finals`      the answers to the end of data under LMTP, in the order of the recipients;
                  otherwise empty.
    """

    __slots__ = ("data", "final", "finals", "mail", "recipients")

    def __init__(self, recipients: int) -> None:
        self.mail: Reply | None = None
        self.recipients: list[Reply | None] = [None] * recipients
        self.data: Reply | None = None
        self.final: Reply | None = None
        self.finals: list[Reply | None] = []

    @property
    def refused(self) -> bool:
        """True when MAIL was refused."""
        return self.mail is not None and self.mail.code >= 400

    @property
    def any_accepted(self) -> bool:
        """True when the server takes the message for at least one recipient."""
        return any(reply is not None and reply.code < 300 for reply in self.recipients)

    @property
    def taken(self) -> bool:
        """True when the server has taken the message, for one recipient at least."""
        return any(
            reply is not None and reply.code < 400 for reply in (self.finals or (self.final,))
        )

    @property
    def refusal(self) -> Reply | None:
        """The reply that refused the message for everybody it was still for, or None."""
        for reply in (self.mail, self.data, self.final):
            if reply is not None and reply.code >= 400 and not self.taken:
                return reply
        return None

    def accepted(self) -> list[int]:
        """Return the positions of the recipients that were accepted."""
        return [
            index
            for index, reply in enumerate(self.recipients)
            if reply is not None and reply.code < 300
        ]

    def verdict(self, index: int) -> Reply | None:
        """Return the reply that decides for one recipient, None when it has not come."""
        if self.refused:
            return self.mail
        reply = self.recipients[index]
        if reply is None or reply.code >= 400:
            return reply
        if self.data is not None and self.data.code >= 400:
            return self.data
        return self.finals[index] if self.finals else self.final

    def __repr__(self) -> str:
        return (
            f"Transcript(mail={self.mail!r}, recipients={self.recipients!r}, "
            f"data={self.data!r}, final={self.final!r})"
        )
