"""Identity: the fields every message must have, added where the writer left them out.

Received is always added and always first. Date, From and Message-ID are added when missing or
empty, and for a message that is being resent their Resent- forms as well (RFC 5322 sections 3.6 and
3.6.6). Given ones are never changed.
"""

from __future__ import annotations

import time

from pysendmail.message.dates import format_date
from pysendmail.message.message import format_field
from pysendmail.message.phrase import format_phrase
from pysendmail.message.trace import format_received

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.message.message import Message

RESENT = b"Resent-"


def complete(
    message: Message,
    *,
    author: bytes,
    full_name: bytes,
    hostname: bytes,
    queue_id: str,
    now: float,
    received: bytes,
    client: bytes = b"",
    protocol: bytes = b"",
    gateway: bool = False,
) -> Message:
    """Return the message with what was missing put before the fields it has.

    `author`, an address, and `full_name` make the From field. `received` says where the message
    came from (b"from userid 1000"), or for one that came by SMTP `client` and `protocol` do
    (b"name ([127.0.0.1])", b"ESMTP"). `now` is the epoch second of its arrival. With `gateway` only
    Received is added: the message is another host's.
    """
    trace = format_received(hostname, received, queue_id, now, client=client, protocol=protocol)
    if gateway:
        return message.with_fields([trace, *message.fields])
    identity = {
        b"Message-ID": format_message_id(queue_id, hostname, now),
        b"Date": format_date(now),
        b"From": format_author(author, full_name),
    }
    resent = any(field.key.startswith(RESENT.lower()) for field in message.fields)
    again = {RESENT + name: value for name, value in identity.items()} if resent else {}
    wanted = {**again, **identity}
    present = {field.key for field in message.fields if field.value}
    missing = {name: value for name, value in wanted.items() if name.lower() not in present}
    replaced = {name.lower() for name in missing}  # there may be empty ones
    return message.with_fields(
        [
            trace,
            *[format_field(name, value) for name, value in missing.items()],
            *[field for field in message.fields if field.key not in replaced],
        ]
    )


def format_message_id(queue_id: str, hostname: bytes, now: float) -> bytes:
    """Return a Message-ID; it is as unique as the queue id is, on this host in this second."""
    date = time.gmtime(now)
    return b"<%04d%02d%02d%02d%02d%02d.%b@%b>" % (*date[:6], queue_id.encode(), hostname)


def format_author(address: bytes, full_name: bytes) -> bytes:
    """Return the value of From: an address with the name of its owner."""
    phrase = format_phrase(full_name)
    return b"%b <%b>" % (phrase, address) if phrase else address


def gecos_name(gecos: bytes, login: bytes) -> bytes:
    """Return the full name in a passwd entry: up to the first comma, `&` for the login name."""
    return gecos.partition(b",")[0].replace(b"&", login[:1].upper() + login[1:]).strip()
