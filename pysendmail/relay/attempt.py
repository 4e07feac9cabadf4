"""One attempt: an envelope and a message in, one outcome for each recipient out.

The smarthosts are tried in order; what each trouble means is `policy`'s affair. Exceptions of the
SMTP core end here: above this module there are only values. What is unforeseen (a bug, a file that
cannot be read) goes up, and the message stays where it is.

The spool is not known here: who calls decides what becomes of the outcomes.
"""

from __future__ import annotations

from pysendmail import smtp
from pysendmail.message.outcome import printable
from pysendmail.relay.forms import Forms
from pysendmail.relay.ledger import Ledger, said
from pysendmail.relay.policy import (
    MESSAGE,
    POLICY,
    SESSION,
    message_trouble,
    opening_trouble,
    recipient_trouble,
    transaction_trouble,
)
from pysendmail.smtp import ConnectionLost, ReplyError, SmtpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from pysendmail.message.envelope import Envelope, Recipient
    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome
    from pysendmail.relay.policy import Rule
    from pysendmail.relay.smarthost import Smarthost
    from pysendmail.smtp import Client, Reply, Transcript

    class Sessions(Protocol):
        """Where sessions come from: the daemon's pool, or one opened for the occasion."""

        def borrow(self, smarthost: Smarthost, deadline: float | None) -> tuple[Client, bool]:
            """Return a ready client and whether it was kept warm; raises SmtpError or Away."""

        def give_back(self, smarthost: Smarthost, client: Client) -> None:
            """Take the client back: a broken one is closed, any other may be kept warm."""

        def answered(self, smarthost: Smarthost) -> None:
            """Hear that a smarthost took part in a transaction as one who works."""

        def report(self, smarthost: Smarthost, rule: Rule, text: bytes) -> None:
            """Hear of a trouble that reaches the whole session."""


# RFC 5321 section 4.5.3.1.8 makes every server take a hundred recipients; more is luck.
RECIPIENTS_PER_TRANSACTION = 100


class Away(Exception):
    """A smarthost is known to be away, so nothing was tried; `text` (bytes) says why."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class Attempt:
    """What came of one attempt.

    `outcomes` in the envelope's order; `tried`: whether any smarthost was asked; `reach`: that of
    the last trouble (`policy.SESSION` when smarthosts were at fault and not the message).
    """

    __slots__ = ("outcomes", "reach", "tried")

    def __init__(self, outcomes: list[Outcome], *, tried: bool, reach: str) -> None:
        self.outcomes = outcomes
        self.tried = tried
        self.reach = reach


def attempt(
    envelope: Envelope,
    message: Message,
    smarthosts: Sequence[Smarthost],
    sessions: Sessions,
    *,
    deadline: float | None = None,
) -> Attempt:
    """Try each smarthost in turn until every recipient has its last word.

    `deadline` (monotonic seconds) bounds the whole attempt, for when a caller is waiting.
    """
    ledger = Ledger(envelope.recipients)
    forms = Forms(message, eight_bit=envelope.eight_bit)
    for smarthost in smarthosts:
        if not ledger.open:
            break
        Offer(envelope, forms, smarthost, sessions, ledger, deadline).run()
    if not smarthosts:
        ledger.troubled(ledger.open, POLICY["connection"], b"no smarthost is configured", b"")
    return Attempt(ledger.outcomes(), tried=ledger.tried, reach=ledger.reach)


class Offer:
    """The part of an attempt that concerns one smarthost."""

    __slots__ = (
        "_deadline",
        "_dsn",
        "_envelope",
        "_forms",
        "_ledger",
        "_remote",
        "_sessions",
        "_smarthost",
    )

    def __init__(
        self,
        envelope: Envelope,
        forms: Forms,
        smarthost: Smarthost,
        sessions: Sessions,
        ledger: Ledger,
        deadline: float | None,
    ) -> None:
        self._envelope = envelope
        self._forms = forms
        self._smarthost = smarthost
        self._remote = smarthost.host.encode()
        self._sessions = sessions
        self._ledger = ledger
        self._deadline = deadline
        self._dsn = False  # whether it takes over what was asked about reports (RFC 3461)

    def run(self) -> None:
        """Offer the message, in as many transactions as its recipients need."""
        waiting = list(self._ledger.open)
        while waiting:
            batch, rest = waiting[:RECIPIENTS_PER_TRANSACTION], waiting[RECIPIENTS_PER_TRANSACTION:]
            again = self._offer(batch)
            if again is None:
                return
            waiting = again + rest

    def _offer(self, batch: list[Recipient]) -> list[Recipient] | None:
        """Offer one batch; return who must be offered again, None when the session is over."""
        opened = self._open()
        if opened is None:
            return None
        client, warm = opened
        client.deadline = self._deadline
        self._dsn = b"DSN" in client.extensions
        try:
            transcript = self._transact(client, batch)
        except SmtpError as trouble:
            self._sessions.give_back(self._smarthost, client)
            if warm and gone_cold(trouble):
                return batch  # it ended while it was kept: that says nothing of the smarthost
            return self._note_trouble(trouble, batch)
        except BaseException:
            client.close()  # in the middle of a transaction that nobody will end
            self._sessions.give_back(self._smarthost, client)
            raise
        self._sessions.give_back(self._smarthost, client)
        again = self._read(transcript, batch)
        if again is not None:
            self._sessions.answered(self._smarthost)
        return again

    def _open(self) -> tuple[Client, bool] | None:
        """Return a ready client and whether it was warm, or None after noting why there is none."""
        try:
            opened = self._sessions.borrow(self._smarthost, self._deadline)
        except Away as away:
            self._ledger.troubled(self._ledger.open, POLICY["connection"], away.text, b"")
            return None
        except SmtpError as trouble:
            self._ledger.tried = True
            rule, text = opening_trouble(trouble), told(trouble)
            self._sessions.report(self._smarthost, rule, text)
            self._ledger.troubled(self._ledger.open, rule, text, self._teller(trouble))
            return None
        self._ledger.tried = True
        return opened

    def _transact(self, client: Client, batch: list[Recipient]) -> Transcript:
        envelope = self._envelope
        message = self._forms.for_server(client.extensions)
        return client.transaction(
            envelope.sender,
            [smtp.Recipient(who.address, who.notify, who.orcpt) for who in batch],
            message.chunks,
            size=message.size,
            body=b"8BITMIME" if envelope.eight_bit else b"",
            smtputf8=envelope.smtputf8,
            ret=envelope.ret,
            envid=envelope.envid,
        )

    def _note_trouble(self, trouble: SmtpError, batch: list[Recipient]) -> list[Recipient] | None:
        """Record a transaction that ended by an exception; None when the session is over.

        Verdicts that had been read before the trouble stand.
        """
        transcript = trouble.transcript
        unanswered = batch if transcript is None else self._record(transcript, batch)
        rule, text = transaction_trouble(trouble), told(trouble)
        over = rule.reach == SESSION
        if over:
            self._sessions.report(self._smarthost, rule, text)
        self._ledger.troubled(
            self._ledger.open if over else unanswered, rule, text, self._teller(trouble)
        )
        if transcript is not None and transcript.mail is not None:
            self._ledger.reach = MESSAGE  # it may be this message that the smarthost cannot bear
        return None if over else []

    def _read(self, transcript: Transcript, batch: list[Recipient]) -> list[Recipient] | None:
        """Record what a whole transaction said; return who should be offered again at once."""
        if transcript.mail is not None and transcript.refused:
            return self._read_refusal(transcript.mail, batch)
        again = []
        if transcript.taken:
            # Who took some recipients and answers 452 to others wants them in a transaction of
            # their own (RFC 5321 section 4.5.3.1.10).
            for recipient, reply in zip(batch, transcript.recipients, strict=True):
                if reply is not None and reply.code in (452, 552):
                    again.append(recipient)
        self._record(transcript, batch, besides=again)
        return again

    def _record(
        self, transcript: Transcript, batch: list[Recipient], besides: Sequence[Recipient] = ()
    ) -> list[Recipient]:
        """Record the verdict on each recipient of a batch; return those without one."""
        unanswered = []
        for index, recipient in enumerate(batch):
            reply = transcript.verdict(index)
            if reply is None:
                unanswered.append(recipient)
            elif reply.code < 400:
                self._ledger.delivered(recipient, reply, self._remote, dsn=self._dsn)
            elif reply is not transcript.recipients[index]:
                self._refuse(recipient, message_trouble(reply), reply)
            elif recipient not in besides:
                self._refuse(recipient, recipient_trouble(reply), reply)
        return unanswered

    def _read_refusal(self, reply: Reply, batch: list[Recipient]) -> list[Recipient] | None:
        """Record that MAIL was refused."""
        rule = message_trouble(reply)
        over = rule.reach == SESSION
        for recipient in tuple(self._ledger.open) if over else batch:
            self._refuse(recipient, rule, reply)
        if over:
            self._sessions.report(self._smarthost, rule, said(reply))
            return None
        return []

    def _refuse(self, recipient: Recipient, rule: Rule, reply: Reply) -> None:
        self._ledger.refused(recipient, rule, reply, self._remote)

    def _teller(self, trouble: SmtpError) -> bytes:
        """Return who said it: the smarthost where there was a reply, else nobody but ourselves."""
        return self._remote if isinstance(trouble, ReplyError) else b""


def gone_cold(trouble: SmtpError) -> bool:
    """Tell whether a kept connection had ended before our MAIL was answered."""
    transcript = getattr(trouble, "transcript", None)
    lost = isinstance(trouble, ConnectionLost) or getattr(trouble, "code", 0) == 421
    return lost and (transcript is None or transcript.mail is None)


def told(trouble: SmtpError) -> bytes:
    """Return a trouble as one printable line."""
    if isinstance(trouble, ReplyError):
        return said(trouble.reply)
    return printable(str(trouble).encode("utf-8", "backslashreplace"))
