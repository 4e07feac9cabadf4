"""Logins at the SMTP listener: whether one is right, and how fast anybody may guess.

A wrong login is answered late. From this machine, where all look alike and nobody may lock out the
others, wrong ones are answered one after the other, however many connections ask; from another
machine only `WRONG_LIMIT` in `WINDOW_S` are answered, and then not even the right one is. A
network of IPv6, of which one machine has all addresses, counts as one.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import threading

from pysendmail.config.endpoints import LOOPBACK, scope_of

WRONG_S = 1.0
WRONG_LIMIT = 10
WINDOW_S = 300.0
MACHINES_LIMIT = 4096  # whose wrong logins are remembered


class Logins:
    """The one user and password there is, and the wrong logins of late; for many threads.

    Times are seconds of one clock that does not go back. Without a password nothing is right.
    """

    __slots__ = ("_expected", "_lock", "_next_answer", "_wrong")

    def __init__(self, user: bytes, password: bytes | None) -> None:
        self._expected = digest(user, password or os.urandom(32))
        self._lock = threading.Lock()
        self._next_answer = float("-inf")  # to a wrong login from this machine
        self._wrong: dict[str, list[float]] = {}  # by machine, the latest at the end

    def barred(self, address: str, now: float) -> bool:
        """Tell whether a login from this address is not even looked at."""
        with self._lock:
            return len(self._recent(machine_of(address), now)) >= WRONG_LIMIT

    def is_right(self, user: bytes, password: bytes) -> bool:
        """Tell whether both are right.

        Digests are compared, in constant time, so that neither content nor length of the right
        ones shows in how long it takes.
        """
        return hmac.compare_digest(digest(user, password), self._expected)

    def note_wrong(self, address: str, now: float) -> float:
        """Count a wrong login, and return after how many seconds it is answered."""
        with self._lock:
            if scope_of(address) == LOOPBACK:
                self._next_answer = max(self._next_answer, now) + WRONG_S
                return self._next_answer - now
            machine = machine_of(address)
            times = [*self._recent(machine, now), now]
            self._wrong.pop(machine, None)
            if len(self._wrong) >= MACHINES_LIMIT:
                del self._wrong[next(iter(self._wrong))]  # the one that was quiet the longest
            self._wrong[machine] = times
            return WRONG_S

    def _recent(self, machine: str, now: float) -> list[float]:
        return [time for time in self._wrong.get(machine, ()) if now - time < WINDOW_S]


def digest(user: bytes, password: bytes) -> bytes:
    """Return a digest of both; neither of the configured ones has a NUL in it."""
    return hashlib.sha256(user + b"\0" + password).digest()


def machine_of(address: str) -> str:
    """Return what a machine cannot change of its address: the first 64 bits of IPv6."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address) or found.ipv4_mapped:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
