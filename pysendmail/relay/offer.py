"""Offering deliveries to one smarthost: transactions out, the ledger's entries back.

Deliveries are streamed: while one is answered the next ones are on their way already (see
`smtp.stream`). A delivery for many recipients goes in as many transactions as the smarthost wants.
A session that had ended while it was kept warm says nothing of the smarthost: what it was to carry
goes over the next one. So does what was under way behind the message that a session broke off at.
"""

from __future__ import annotations

from pysendmail import smtp
from pysendmail.message.outcome import printable
from pysendmail.relay.forms import Forms
from pysendmail.relay.ledger import said
from pysendmail.relay.policy import (
    MESSAGE,
    POLICY,
    SESSION,
    message_trouble,
    opening_trouble,
    recipient_trouble,
    transaction_trouble,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from pysendmail.message.envelope import Recipient
    from pysendmail.relay.attempt import Delivery
    from pysendmail.relay.ledger import Ledger
    from pysendmail.relay.policy import Rule
    from pysendmail.relay.smarthost import Smarthost
    from pysendmail.smtp.extensions import Extensions

    class Sessions(Protocol):
        """Where sessions come from: the daemon's pool, or one opened for the occasion."""

        def borrow(self, smarthost: Smarthost, deadline: float | None) -> tuple[smtp.Client, bool]:
            """Return a client ready for a message and whether it was kept warm.

            Raises SmtpError or Away.
            """

        def room(self, smarthost: Smarthost, client: smtp.Client) -> int:
            """Return how many messages a borrowed client may carry, one at least."""

        def another(self, smarthost: Smarthost) -> bool:
            """Tell whether one message more, after a borrowed client's first, may be sent now."""

        def give_back(self, smarthost: Smarthost, client: smtp.Client, messages: int) -> None:
            """Take the client back, which has carried so many messages.

            A broken one is closed, any other may be kept warm.
            """

        def answered(self, smarthost: Smarthost) -> None:
            """Hear that a smarthost took part in a transaction as one who works."""

        def report(self, smarthost: Smarthost, rule: Rule, text: bytes) -> None:
            """Hear of a trouble that reaches the whole session."""


# RFC 5321 section 4.5.3.1.8 makes every server take a hundred recipients; more is luck.
RECIPIENTS_PER_TRANSACTION = 100


class Away(Exception):
    """A smarthost is not to be asked now, so nothing was tried; `text` (bytes) says why."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class Offered:
    """A delivery while smarthosts are asked: its ledger, and `error` when it cannot be read.

    `forms`: those of its message; `parts`: how many transactions of it are due or under way.
    """

    __slots__ = ("delivery", "error", "forms", "ledger", "parts")

    def __init__(self, delivery: Delivery, ledger: Ledger) -> None:
        self.delivery = delivery
        self.forms = Forms(delivery.message, eight_bit=delivery.envelope.eight_bit)
        self.ledger = ledger
        self.error: Exception | None = None
        self.parts = 0


class Part:
    """What one transaction carries of a delivery: some of its recipients."""

    __slots__ = ("offered", "recipients")

    def __init__(self, offered: Offered, recipients: list[Recipient]) -> None:
        self.offered = offered
        self.recipients = recipients
        offered.parts += 1


class Offers:
    """The part of attempts that concerns one smarthost."""

    def __init__(self, smarthost: Smarthost, sessions: Sessions, deadline: float | None) -> None:
        self._smarthost = smarthost
        self._remote = smarthost.host.encode()
        self._sessions = sessions
        self._deadline = deadline
        self._again: list[Part] = []  # to be offered before anything new
        self._unreadable: list[Part] = []  # of deliveries with an error, not offered
        self._dsn = False  # whether it takes over what was asked about reports (RFC 3461)

    def make(self, deliveries: Iterator[Offered]) -> Iterator[Offered]:
        """Offer each delivery; yield it when this smarthost has had its say about all of it."""
        while (part := self._next(deliveries)) is not None:
            opened = self._open(part)
            if opened is None:
                yield from _finish(part)
            else:
                yield from self._carry(*opened, part, deliveries)
                while self._unreadable:
                    yield from _finish(self._unreadable.pop(0))

    def _next(self, deliveries: Iterator[Offered]) -> Part | None:
        if self._again:
            return self._again.pop(0)
        offered = next(deliveries, None)
        return None if offered is None else Part(offered, offered.ledger.open)

    def _open(self, part: Part) -> tuple[smtp.Client, bool] | None:
        """Return a ready client and whether it was warm, or None after noting why there is none."""
        ledger = part.offered.ledger
        try:
            opened = self._sessions.borrow(self._smarthost, self._deadline)
        except Away as away:
            ledger.troubled(part.recipients, POLICY["connection"], away.text, b"")
            return None
        except smtp.SmtpError as trouble:
            ledger.tried = True
            rule, text = opening_trouble(trouble), told(trouble)
            self._sessions.report(self._smarthost, rule, text)
            ledger.troubled(part.recipients, rule, text, self._teller(trouble))
            return None
        return opened

    # --- one session

    def _carry(
        self, client: smtp.Client, warm: bool, first: Part, deliveries: Iterator[Offered]
    ) -> Iterator[Offered]:
        """Stream deliveries over one session for as long as it lasts and has room."""
        client.deadline = self._deadline
        self._dsn = b"DSN" in client.extensions
        under_way: list[Part] = []
        carried, unheard, reported, over = 0, warm, False, False
        verdicts = client.stream(self._transactions(client, first, deliveries, under_way))
        try:
            for verdict in verdicts:
                part = under_way.pop(0)
                carried += 1
                if (unheard and gone_cold(verdict)) or (over and unseen(verdict)):
                    self._again.append(part)
                    continue
                unheard = unheard and verdict.transcript.mail is None
                over = over or not getattr(verdict.trouble, "session_usable", True)
                reported = self._read(part, verdict, reported=reported)
                yield from _finish(part)
        finally:
            # Left before its end the session is in the middle of something, and broken thereby.
            verdicts.close()
            self._sessions.give_back(self._smarthost, client, carried)

    def _transactions(
        self,
        client: smtp.Client,
        part: Part | None,
        deliveries: Iterator[Offered],
        under_way: list[Part],
    ) -> Iterator[smtp.Transaction]:
        room = self._sessions.room(self._smarthost, client)
        while part is not None:
            self._fit(part, client.extensions)
            try:
                transaction = transaction_of(part, client.extensions)
            except Exception as error:
                part.offered.error = error
                self._unreadable.append(part)
            else:
                under_way.append(part)
                yield transaction
                room -= 1
            part = self._next(deliveries) if room > 0 else None
            if part is not None and not self._sessions.another(self._smarthost):
                self._again.insert(0, part)
                return

    def _fit(self, part: Part, extensions: Extensions) -> None:
        """Leave a part the recipients that one transaction may have; the others are the next."""
        most = min(
            extensions.limits.get(b"RCPTMAX", RECIPIENTS_PER_TRANSACTION),
            RECIPIENTS_PER_TRANSACTION,
        )
        rest = part.recipients[most:]
        if rest:
            part.recipients = part.recipients[:most]
            self._again.insert(0, Part(part.offered, rest))

    # --- verdicts

    def _read(self, part: Part, verdict: smtp.Verdict, *, reported: bool) -> bool:
        """Note what came of one transaction.

        Returns whether this session's trouble has been reported: it is, once, not for each message
        that was under way.
        """
        part.offered.ledger.tried = True
        trouble = verdict.trouble
        if trouble is None:
            again, reported = self._read_replies(part, verdict.transcript, reported=reported)
            if again:
                self._again.append(Part(part.offered, again))
            return reported
        if not isinstance(trouble, smtp.SmtpError):
            part.offered.error = trouble
            return reported
        return self._note_trouble(part, verdict, trouble, reported=reported)

    def _note_trouble(
        self, part: Part, verdict: smtp.Verdict, trouble: smtp.SmtpError, *, reported: bool
    ) -> bool:
        """Note a transaction that did not come to its end; verdicts that were read stand."""
        ledger, transcript = part.offered.ledger, verdict.transcript
        unanswered = self._record(part, transcript)
        rule = transaction_trouble(trouble, may_be_duplicate=verdict.may_be_duplicate)
        text = told(trouble)
        if rule.reach == SESSION and not reported:
            self._sessions.report(self._smarthost, rule, text)
            reported = True
        ledger.troubled(unanswered, rule, text, self._teller(trouble))
        if transcript.mail is not None:
            ledger.reach = MESSAGE  # it may be this message that the smarthost cannot bear
        return reported

    def _read_replies(
        self, part: Part, transcript: smtp.Transcript, *, reported: bool
    ) -> tuple[list[Recipient], bool]:
        """Record what a whole transaction said; return who should be offered again at once, and
        whether a trouble of the session has been reported, and not been disproved since.
        """
        refusal = transcript.refusal
        if refusal is not None:
            rule = message_trouble(refusal, at_mail=transcript.refused)
            if rule.reach == SESSION:
                if not reported:
                    self._sessions.report(self._smarthost, rule, said(refusal))
                self._record(part, transcript)
                if not transcript.refused:
                    part.offered.ledger.reach = MESSAGE  # it may be this message all the same
                return [], True
        again = []
        if transcript.taken:
            # Who took some recipients and answers 452 to others wants them in a transaction of
            # their own (RFC 5321 section 4.5.3.1.10).
            for recipient, reply in zip(part.recipients, transcript.recipients, strict=True):
                if reply is not None and reply.code in (452, 552):
                    again.append(recipient)
        self._record(part, transcript, besides=again)
        self._sessions.answered(self._smarthost)
        return again, False

    def _record(
        self, part: Part, transcript: smtp.Transcript, besides: Sequence[Recipient] = ()
    ) -> list[Recipient]:
        """Record the verdict on each recipient of a part; return those without one."""
        ledger, unanswered = part.offered.ledger, []
        for index, recipient in enumerate(part.recipients):
            reply = transcript.verdict(index)
            if reply is None:
                unanswered.append(recipient)
            elif reply.code < 400:
                ledger.delivered(recipient, reply, self._remote, dsn=self._dsn)
            elif reply is not transcript.recipients[index]:
                rule = message_trouble(reply, at_mail=transcript.refused)
                ledger.refused(recipient, rule, reply, self._remote)
            elif recipient not in besides:
                ledger.refused(recipient, recipient_trouble(reply), reply, self._remote)
        return unanswered

    def _teller(self, trouble: smtp.SmtpError) -> bytes:
        """Return who said it: the smarthost where there was a reply, else nobody but ourselves."""
        return self._remote if isinstance(trouble, smtp.ReplyError) else b""


def _finish(part: Part) -> Iterator[Offered]:
    """Count a part as answered; yield its delivery when it was the last one."""
    part.offered.parts -= 1
    if not part.offered.parts:
        yield part.offered


def transaction_of(part: Part, extensions: Extensions) -> smtp.Transaction:
    """Return one part of a delivery as this server takes it; raises what reading it raises."""
    envelope, message = part.offered.delivery.envelope, part.offered.forms.for_server(extensions)
    return smtp.Transaction(
        envelope.sender,
        [smtp.Recipient(who.address, who.notify, who.orcpt) for who in part.recipients],
        message.chunks,
        size=message.size,
        body=b"8BITMIME" if envelope.eight_bit else b"",
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
    )


def gone_cold(verdict: smtp.Verdict) -> bool:
    """Tell whether a session had ended before it answered this message's MAIL.

    Over a session that was kept warm and has answered nothing since, the message is taken for not
    seen, though by BDAT all of it may have been sent.
    """
    trouble = verdict.trouble
    lost = isinstance(trouble, smtp.ConnectionLost) or getattr(trouble, "code", 0) == 421
    return lost and verdict.transcript.mail is None


def unseen(verdict: smtp.Verdict) -> bool:
    """Tell whether the trouble of a session came before anything of this message was looked at."""
    return verdict.transcript.mail is None and not verdict.may_be_duplicate


def told(trouble: smtp.SmtpError) -> bytes:
    """Return a trouble as one printable line."""
    if isinstance(trouble, smtp.ReplyError):
        return said(trouble.reply)
    return printable(str(trouble).encode("utf-8", "backslashreplace"))
