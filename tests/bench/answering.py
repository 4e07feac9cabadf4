"""A dumb, fast SMTP server: takes everything, keeps nothing.

`Answering` is its dialogue without I/O: octets in, replies out. `python -m tests.bench.answering
EHLO-LINE...` serves connections at a port of 127.0.0.1, which it prints, one after the other until
its standard input ends.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

GREETING = b"220 answering.example.com\r\n"
GO_AHEAD = b"354 go ahead\r\n"
TAKEN = b"250 2.0.0 taken\r\n"
BYE = b"221 2.0.0 bye\r\n"
PIPELINING = ("PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN")
CHUNKING = (*PIPELINING, "CHUNKING")


class Answering:
    """One connection. `lines`: the extensions in the answer to EHLO; `taken`: messages so far."""

    def __init__(self, lines: Sequence[str]) -> None:
        texts = ["answering.example.com", *lines]
        more = "".join(f"250-{text}\r\n" for text in texts[:-1])
        self._hello = f"{more}250 {texts[-1]}\r\n".encode()
        self._rest = b""
        self._in_data = False
        self._skip = 0  # octets of a chunk still to come
        self.taken = 0

    def feed(self, octets: bytes) -> bytes:
        """Return what is answered to these octets."""
        octets, place, out = self._rest + octets, 0, []
        while place < len(octets):
            if self._skip:
                step = min(self._skip, len(octets) - place)
                place, self._skip = place + step, self._skip - step
                continue
            end = b"\r\n.\r\n" if self._in_data else b"\r\n"
            found = octets.find(end, place)
            if found < 0:
                break
            if self._in_data:
                self._in_data = False
                self.taken += 1
                out.append(TAKEN)
            else:
                out.append(self._answer(octets[place:found]))
            # The CRLF after DATA is the first half of the end of an empty message.
            place = found + len(end) - (2 if self._in_data else 0)
        self._rest = octets[place:]
        return b"".join(out)

    def _answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"BDAT":
            words = line.split()
            self._skip = int(words[1])
            self.taken += len(words) > 2
        elif verb == b"DATA":
            self._in_data = True
            return GO_AHEAD
        elif verb == b"EHLO":
            return self._hello
        elif verb == b"QUIT":
            return BYE
        return TAKEN


class AnsweringServer:
    """The server in a process of its own."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.answering", *lines],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def serve(listener: socket.socket, lines: Sequence[str]) -> None:
    """Answer connection after connection."""
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(GREETING)
            answering = Answering(lines)
            try:
                while octets := connection.recv(256 * 1024):
                    connection.sendall(answering.feed(octets))
            except ConnectionError:
                continue  # the client has what it came for


def main() -> None:
    """Serve until standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(listener, sys.argv[1:]), daemon=True).start()
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    main()
