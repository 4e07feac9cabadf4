"""Advice: what a person can do about an outcome, by its enhanced status code (RFC 3463)."""

from __future__ import annotations

from pysendmail.message.outcome import DEFERRED, DELIVERED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.message.outcome import Outcome

_CHECK = b"`pysendmail check` and `pysendmail status` tell the administrator of %(host)b more."

_SENDER = (
    b"It is the sender's address that is refused. The administrator of %(host)b can set another: "
    b"the keys `sender` and `from`."
)
_ALIASES = b"Tell the administrator of %(host)b: `newaliases` says what is wrong there."

# Subject and detail of a status; the first row that fits is the one.
_BY_STATUS = (
    (b"1.7", _SENDER),
    (b"1.8", _SENDER),
    (b"1.", b"Check the address for a slip, or ask the recipient for the right one."),
    (b"2.2", b"The mailbox is full. Try again later, or tell the recipient in another way."),
    (b"2.3", b"The message is too large for the recipient. Send less at a time, or a link."),
    (b"2.", b"The mailbox takes no mail. Reach the recipient in another way."),
    (b"3.4", b"The message is too large for the server. Send less at a time, or a link."),
    (b"4.7", b"Send it again if it still matters. " + _CHECK),
    (b"6.", b"The server cannot take a message of this form, or an address in such letters."),
    (b"7.", b"The message is refused by a rule. Whoever made the rule can tell more: the "
            b"administrator of the server that said so, or of %(host)b."),
)  # fmt: skip
# What only we say: the aliases lead nowhere.
_OURS = ((b"3.5", _ALIASES), (b"4.6", _ALIASES))


def advice_on(outcome: Outcome, hostname: bytes) -> bytes:
    """Return what to do about an outcome, b"" for nothing; `hostname` is this machine's name."""
    if outcome.kind == DELIVERED:
        return b""
    return _words_on(outcome) % {b"host": hostname}


def _words_on(outcome: Outcome) -> bytes:
    detail = outcome.status[2:]
    if outcome.kind == DEFERRED:
        return b"There is nothing for you to do. " + _CHECK
    for prefix, words in _BY_STATUS if outcome.remote else _OURS + _BY_STATUS:
        if detail.startswith(prefix):
            return words
    return b"The server that refused it can tell more. " + _CHECK
