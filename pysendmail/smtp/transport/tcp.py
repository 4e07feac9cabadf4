"""From a host and a port to a connected socket.

Every address that the name has is tried, those of the two families in turns (see `race`). Raises
`ConnectError`, with the reason for each address, and `TimedOut` when the deadline comes first.
"""

from __future__ import annotations

import _socket
import time

from .. import phases
from ..errors import ConnectError, TimedOut, UsageError
from .race import ATTEMPT_DELAY_S, Race
from .resolve import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .resolve import Candidate


def open_tcp(
    host: str,
    port: int,
    *,
    seconds: float,
    deadline: float | None = None,
    source_address: str | None = None,
    delay: float = ATTEMPT_DELAY_S,
) -> _socket.socket:
    """Return a socket connected to one of the addresses of `host`.

    `seconds` bounds the resolver, and each address; `deadline`, a moment of `time.monotonic`, all
    of it. From `source_address`, a literal, only addresses of its own family are tried.
    """
    candidates = _addresses_of(host, port, seconds, deadline)
    if source_address is not None:
        candidates = _of_family(candidates, host, source_address)
    race = Race(
        candidates,
        seconds=seconds,
        deadline=deadline,
        source_address=source_address,
        delay=delay,
    )
    try:
        winner = race.run()
    except TimeoutError:
        tried = "; ".join(f"{address}: {reason}" for address, reason in race.reasons)
        raise TimedOut(phases.CONNECT.phrase, reason=tried) from None
    finally:
        race.close()
    if winner is None:
        raise ConnectError(host, tuple(race.reasons))
    return winner


def _addresses_of(host: str, port: int, seconds: float, deadline: float | None) -> list[Candidate]:
    until = time.monotonic() + seconds
    if deadline is not None:
        until = min(until, deadline)
    try:
        return resolve(host, port, until)
    except TimeoutError:
        raise TimedOut(phases.CONNECT.phrase, reason=f"no address of {host} yet") from None
    except OSError as error:
        raise ConnectError(host, ((host, error.strerror or str(error)),)) from error
    except ValueError as error:
        raise ConnectError(host, ((host, f"not a name: {error}"),)) from error


def _of_family(candidates: list[Candidate], host: str, source_address: str) -> list[Candidate]:
    family = _socket.AF_INET6 if ":" in source_address else _socket.AF_INET
    try:
        _socket.inet_pton(family, source_address)
    except (OSError, ValueError):
        raise UsageError(f"source_address {source_address!r}: expected an IP address") from None
    matching = [candidate for candidate in candidates if candidate[0] == family]
    if not matching:
        reason = f"has no address of the family of source_address {source_address}"
        raise ConnectError(host, ((host, reason),))
    return matching
