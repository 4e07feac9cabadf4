"""Trace: the Received field of this host (RFC 5321 section 4.4), and what all of them tell.

A message in a loop comes back to us again and again, by way of a smarthost and some program that
hands it to sendmail once more. Each time one of ours is added, so it can be told long before
servers on the way give up, and nobody's mail crosses ten systems of this kind by intent.
"""

from __future__ import annotations

from pysendmail.message.dates import format_date
from pysendmail.message.message import format_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pysendmail.message.message import Field

# RFC 5321 section 6.3 wants at least 100 trace fields tolerated.
HOPS_LIMIT = 100
OWN_HOPS_LIMIT = 10

# What a comment may show: US-ASCII, blanks included, without control octets.
SHOWN = bytes(range(32, 127))

# How the comment in a field of ours begins, whatever the host.
OURS = b"(pysendmail"


def format_received(
    hostname: bytes,
    received: bytes,
    queue_id: str,
    now: float,
    *,
    client: bytes = b"",
    protocol: bytes = b"",
) -> Field:
    """Return the trace field of this host.

    `received` says where the message came from (b"from userid 1000"), or for one that came by SMTP
    `client` and `protocol` do (b"name ([127.0.0.1])", b"ESMTP").
    """
    if client:
        origin = b"from %b\r\n\tby %b %b) with %b" % (client, hostname, OURS, protocol)
    else:
        origin = b"by %b %b" % (hostname, format_comment(received))
    value = b"%b\r\n\tid %b; %b" % (origin, queue_id.encode(), format_date(now))
    return format_field(b"Received", value)


def format_comment(text: bytes) -> bytes:
    """Return our comment (RFC 5322 section 3.2.2): nothing in `text` ends it, or the line."""
    if text.translate(None, SHOWN):
        text = bytes(octet if octet in SHOWN else ord("?") for octet in text)
    for special in (b"\\", b"(", b")"):
        text = text.replace(special, b"\\" + special)
    return OURS + b", " + text + b")"


def find_loop(fields: Iterable[Field], hops: int) -> bytes:
    """Return why a message is in a loop, b"" for one that is not; `hops` were made before."""
    trace = [field for field in fields if field.key == b"received"]
    if len(trace) + hops > HOPS_LIMIT:
        return b"more than %d hops" % HOPS_LIMIT
    if sum(OURS in field.raw for field in trace) > OWN_HOPS_LIMIT:
        return b"it was here more than %d times" % OWN_HOPS_LIMIT
    return b""
