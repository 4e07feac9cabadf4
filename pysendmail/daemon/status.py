"""`pysendmail status`: how the daemon and its smarthosts are, for a person or a program."""

from __future__ import annotations

import json
import os
import time

from pysendmail import __version__
from pysendmail.submission.answer import EXIT, OUTPUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysendmail.daemon.state import State


def report(state: State, records: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the answer: a line for the daemon, one for each smarthost, one for the queue."""
    states = state.relay.pool.states()
    smarthosts: list[dict[str, object]] = [
        {
            "smarthost": smarthost.name.decode(),
            "state": "ready" if flowing else "away",
            "next_probe_s": round(pause, 1),
            "trouble": trouble.decode("utf-8", "backslashreplace"),
            "idle_connections": idle,
        }
        for smarthost, flowing, pause, trouble, idle in states
    ]
    waiting = state.spool.count()
    due = next_attempt(state.spool.next_due(), [pause for _, _, pause, _, _ in states], time.time())
    if b"j" in records:
        facts = {
            "version": __version__,
            "pid": os.getpid(),
            "smarthosts": smarthosts,
            "waiting": waiting,
            "next_attempt": due,
        }
        yield OUTPUT, json.dumps(facts).encode()
    else:
        yield OUTPUT, f"pysendmail {__version__}, pid {os.getpid()}".encode()
        for facts in smarthosts:
            line = f"smarthost {facts['smarthost']}: {facts['state']}"
            if facts["trouble"]:
                line += f", next try in {facts['next_probe_s']} s: {facts['trouble']}"
            yield OUTPUT, line.encode()
        if not smarthosts:
            yield OUTPUT, b"no smarthost is configured: all mail waits"
        line = f"queue: {waiting} waiting"
        if due is not None:
            line += f", next attempt in {max(due - time.time(), 0):.0f} s"
        yield OUTPUT, line.encode()
    yield EXIT, b"0"


def next_attempt(due: float | None, pauses: list[float], now: float) -> float | None:
    """Return when a message is attempted next, in seconds since the epoch; None: never, as it is.

    `due` is the time of the message whose turn is first, `pauses` has the seconds until each
    smarthost is tried: what is due waits for the first of them.
    """
    if due is None or not pauses:
        return None
    return max(due, now + min(pauses))
