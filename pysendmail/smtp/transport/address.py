"""Where a server is: a host and a port, or the path of a Unix socket."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Address: TypeAlias = tuple[str, int] | str

SMTP_PORT = TCP_PORT = 25
SUBMISSION_PORT = 587
SUBMISSIONS_PORT = 465


def name_of(address: Address) -> str:
    """Return what to call an address: the host, or the path."""
    return address if isinstance(address, str) else address[0]
