"""Completion: the steps by which what a program wrote becomes a message that may go out.

They are told one by one, so that `pysendmail explain` can say what each of them does; `accept`
takes the last. What a step does is the affair of the module it calls.
"""

from __future__ import annotations

from pysendmail.message.identity import complete
from pysendmail.message.intake import strip
from pysendmail.message.repair import shorten_lines
from pysendmail.message.rewrite import qualify_headers, set_authors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pysendmail.config.keys import Config
    from pysendmail.message.content import Content
    from pysendmail.message.message import Message
    from pysendmail.submission.request import Request
    from pysendmail.submission.senders import Sender
    from pysendmail.submission.submitter import Submitter


def completions(
    request: Request,
    message: Message,
    submitter: Submitter,
    sender: Sender,
    *,
    config: Config,
    now: float,
    content: Callable[[], Content],
) -> Iterator[tuple[str, Message]]:
    """Yield, after each step, its reason for people and the message as it is then.

    -G says that nothing may be added but Received, and nothing rewritten.
    """
    message = strip(message)
    yield "must not leave this host", message
    if not request.gateway:
        message = qualify_headers(message, config.origin)
        yield "bare names completed with the origin", message
        message = set_authors(message, sender.author_for)
        yield "sent under an address that the smarthost takes", message
    message = complete(
        message,
        author=sender.author,
        full_name=(request.full_name or submitter.full_name) if sender.asked else b"",
        hostname=config.hostname,
        queue_id=request.queue_id,
        now=now,
        received=b"from userid %d" % submitter.uid,
        client=submitter.client,
        protocol=submitter.protocol,
        gateway=request.gateway,
    )
    yield "every message needs it", message
    if not request.gateway:
        message = shorten_lines(message, content=content)
        yield "lines of more than 998 octets", message
