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
    `data`        the answer to DATA, where at least one recipient had been accepted.
    `final`       the answer to the end of data: the verdict for all accepted recipients.

    Two notes for the client: `reset_needed`, the server may hold a transaction that RSET must end;
    `session_over`, the session cannot be used again though nothing was raised.
    """

    __slots__ = ("data", "final", "mail", "recipients", "reset_needed", "session_over")

    def __init__(self, recipients: int) -> None:
        self.mail: Reply | None = None
        self.recipients: list[Reply | None] = [None] * recipients
        self.data: Reply | None = None
        self.final: Reply | None = None
        self.reset_needed = False
        self.session_over = False

    @property
    def any_accepted(self) -> bool:
        """True when the server takes the message for at least one recipient."""
        return any(reply is not None and reply.code < 300 for reply in self.recipients)

    def __repr__(self) -> str:
        return (
            f"Transcript(mail={self.mail!r}, recipients={self.recipients!r}, "
            f"data={self.data!r}, final={self.final!r})"
        )
