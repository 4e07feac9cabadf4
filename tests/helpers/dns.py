"""A name server that is slow, silent or in trouble when a test says so, and programs that ask it.

`Names` is both: the server on an address of the loopback interface, and a mount namespace whose
/etc/resolv.conf names it. It has the methods of `People`, so a `Site` can live in there.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Sequence

from tests.helpers.private_etc import PrivateEtc, why_not

__all__ = ["NOERROR", "NXDOMAIN", "SERVFAIL", "Names", "why_not"]

NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
HEADER = 12  # octets (RFC 1035 section 4.1.1)
RESPONSE = 0x8180
A = b"\0\1"
PORT = 53
END = b""  # no question


class Names:
    """Answers every question for an address by `address`; with `code` other than NOERROR, not.

    `answers` is an event: while it is clear, questions are kept, and answered when it is set.
    Raises OSError where the port of name servers cannot be had.
    """

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.code = NOERROR
        self.answers = threading.Event()
        self.answers.set()
        self.asked = 0
        self._address = ipaddress.ip_address(address).packed
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((f"127.{os.getpid() % 200 + 20}.53.53", PORT))
        except OSError:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        host = self._socket.getsockname()[0]
        self._etc = PrivateEtc({
            "resolv.conf": f"nameserver {host}\noptions timeout:1 attempts:1\n",
            "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        })

    def within(self, uid: int = 0) -> Sequence[str]:
        """Return what has to stand before a command so that it asks us for names."""
        return self._etc.within(uid)

    def close(self) -> None:
        """End both."""
        self._etc.close()
        self.answers.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(END, self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(512)
            if question == END:
                return
            self.asked += 1
            self.answers.wait()
            self._socket.sendto(answer(question, self.code, self._address), client)


def answer(question: bytes, code: int, address: bytes) -> bytes:
    """Return the answer to a DNS message with one question; none but A have an address."""
    end = question.index(b"\0", HEADER) + 5
    asked = question[HEADER:end]
    found = code == NOERROR and asked[-4:-2] == A
    flags = (RESPONSE | code).to_bytes(2, "big")
    head = question[:2] + flags + b"\0\1" + (b"\0\1" if found else b"\0\0") + bytes(4)
    # name: that of the question; type A, class IN, a lifetime of 0 seconds
    record = b"\xc0\x0c\0\1\0\1" + bytes(4) + b"\0\4" + address
    return head + asked + (record if found else b"")
