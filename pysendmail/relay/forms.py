"""The forms of one message: as it is, and in seven bits for a server without 8BITMIME.

What depends on the server is decided here, in front of each transaction; what waits in the spool
stays as it was written, for the next server may take it so.
"""

from __future__ import annotations

from pysendmail.message.repair import to_seven_bit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.message.message import Message
    from pysendmail.smtp.extensions import Extensions


class Forms:
    """One message during one attempt; the second form is made once, when it is wanted."""

    __slots__ = ("_eight_bit", "_message", "_seven_bit")

    def __init__(self, message: Message, *, eight_bit: bool) -> None:
        self._message = message
        self._eight_bit = eight_bit
        self._seven_bit: Message | None = None

    def for_server(self, extensions: Extensions) -> Message:
        """Return the message as a server that offers these takes it; raises OSError.

        Octets above 127 that cannot be converted (message.repair) are sent all the same: servers
        that do not say so take them as a rule, and a bounce would help nobody.
        """
        if not self._eight_bit or b"8BITMIME" in extensions:
            return self._message
        if self._seven_bit is None:
            self._seven_bit = to_seven_bit(self._message)
        return self._seven_bit
