"""How long `poll` has to wait, in its own unit."""

from __future__ import annotations

import time

_LONGEST_MS = 2**31 - 1  # it takes no more


def milliseconds_until(moment: float | None) -> float | None:
    """Return the time from now to a moment of `time.monotonic`; None means for ever."""
    if moment is None:
        return None
    return min(max(0.0, moment - time.monotonic()) * 1000, _LONGEST_MS)
