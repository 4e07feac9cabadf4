"""sendmail -bs: SMTP on standard input and output.

What Symfony Mailer, SwiftMailer and Alpine start and keep open for many messages. Each message goes
through the ordinary doors as soon as it has ended, and the reply is the verdict. The greeting comes
before anything that could be slow, standard error stays empty, and nothing is queued of a message
whose end never came. A caller may take as long as he likes: he only holds up himself.
"""

from __future__ import annotations

import os

from pysendmail.command.stdin import Unreadable, read_chunk
from pysendmail.message.address import RECIPIENTS_LIMIT
from pysendmail.message.content import write_all
from pysendmail.smtp.server import Profile, Session
from pysendmail.submission.exit_status import EX_IOERR, EX_OK
from pysendmail.submission.smtp_door import is_address, reply_to, wishes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.message.content import Content
    from pysendmail.smtp.reply import Reply
    from pysendmail.smtp.server import Transaction
    from pysendmail.submission.answer import Answer
    from pysendmail.submission.request import Request


def converse(
    new_content: Callable[[], Content],
    new_request: Callable[..., Request],
    hand_over: Callable[[Request, Content], Answer],
    *,
    hostname: bytes,
    size: int,
) -> int:
    """Serve the caller until QUIT or the end of his input, and return the exit status.

    `new_request` makes a request of what was said in SMTP (the names of `Request`), `hand_over`
    has it taken or raises Refused. The greeting has `hostname`, or what the system calls itself; a
    message has at most `size` octets.
    """

    def take(transaction: Transaction) -> Reply:
        request = new_request(size=transaction.size, **wishes_of(transaction))
        return reply_to(lambda: hand_over(request, transaction.content), request.queue_id)

    hostname = hostname or os.fsencode(os.uname().nodename) or b"localhost"
    session = Session(
        Profile(hostname, size=size, recipients=RECIPIENTS_LIMIT, lf=True, acceptable=is_address),
        new_content,
    )
    try:
        write_all(1, session.take_replies())
        while not session.closed and (chunk := read_chunk()):
            session.feed(chunk)
            while (transaction := session.next_message()) is not None:
                write_all(1, session.take_replies())
                session.answer(take(transaction))
            write_all(1, session.take_replies())
    except (OSError, Unreadable):
        return EX_IOERR  # the caller has gone
    finally:
        session.close()
    return EX_OK
