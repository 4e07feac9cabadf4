"""The books of one attempt: who is still open, and the latest word on each recipient."""

from __future__ import annotations

from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome, printable
from pysendmail.relay.policy import SESSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pysendmail.message.envelope import Recipient
    from pysendmail.relay.policy import Rule
    from pysendmail.smtp import Reply


class Ledger:
    """What is known of each recipient while smarthost after smarthost is tried.

    `open` lists who may still be offered to the next smarthost; `reach` is that of the last
    trouble.
    """

    __slots__ = ("_latest", "_open", "_order", "reach", "tried")

    def __init__(self, recipients: Sequence[Recipient]) -> None:
        self._order = tuple(recipients)
        self._latest: dict[bytes, Outcome] = {}
        self._open = {recipient.address: recipient for recipient in recipients}
        self.tried = False
        self.reach = SESSION

    @property
    def open(self) -> list[Recipient]:
        """Who may still be offered to the next smarthost."""
        return list(self._open.values())

    def delivered(self, recipient: Recipient, reply: Reply, remote: bytes, *, dsn: bool) -> None:
        """Cross the recipient off: a smarthost took responsibility for it, with `dsn` for reports
        too.
        """
        status = reply.enhanced or b"2.0.0"
        self._latest[recipient.address] = Outcome(
            recipient.address, DELIVERED, status, said(reply), remote, dsn=dsn
        )
        self._open.pop(recipient.address, None)

    def refused(self, recipient: Recipient, rule: Rule, reply: Reply, remote: bytes) -> None:
        """Note a refusal; whether the next smarthost may try is the rule's word."""
        self._note(recipient, rule, status_of(rule, reply), said(reply), remote)

    def troubled(
        self, recipients: Iterable[Recipient], rule: Rule, text: bytes, remote: bytes
    ) -> None:
        """Note one trouble for those of `recipients` who are still open."""
        for recipient in tuple(recipients):
            if recipient.address in self._open:
                self._note(recipient, rule, rule.status, text, remote)

    def outcomes(self) -> list[Outcome]:
        """Return one outcome for each recipient, in the envelope's order."""
        return [self._latest[recipient.address] for recipient in self._order]

    def _note(
        self, recipient: Recipient, rule: Rule, status: bytes, text: bytes, remote: bytes
    ) -> None:
        self.reach = rule.reach
        kind, before = rule.kind, self._latest.get(recipient.address)
        if kind == FAILED and rule.try_next and before is not None and before.kind == DEFERRED:
            kind, status = DEFERRED, b"4" + status[1:]  # an earlier smarthost may yet be able to
        self._latest[recipient.address] = Outcome(
            recipient.address, kind, status, text, remote, rule.may_duplicate
        )
        if not rule.try_next:
            self._open.pop(recipient.address, None)


def said(reply: Reply) -> bytes:
    """Return a reply as one printable line, code first."""
    return printable(b"%d %b" % (reply.code, reply.text.replace(b"\n", b" ")))


def status_of(rule: Rule, reply: Reply) -> bytes:
    """Return the enhanced status of a refusal, made to agree with what the rule does (RFC 3463)."""
    wanted = b"5" if rule.kind == FAILED else b"4"
    if reply.enhanced:
        return wanted + reply.enhanced[1:]
    return rule.status
