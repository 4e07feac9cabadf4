"""A server on a real socket that misbehaves by recipe: one thread, one connection, port 0.

    with LyingServer(say("220 hi"), hear(), say("250 mx"), hang_up()) as server:
        client = connect(server.address)

Each step of the recipe is a function of the conversation.  `server.heard` is what the client wrote,
line by line and chunk by chunk, `server.octets` the same as it came.  Leaving the block waits for
the end of the recipe and raises what went wrong in it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable

PATIENCE_S = 20.0

Step = Callable[["Conversation"], None]


class Conversation:
    """The server's side of the connection."""

    def __init__(self, server: LyingServer, sock: socket.socket) -> None:
        self.socket = sock
        self.server = server
        self._buffer = b""

    def line(self) -> bytes:
        """Return the client's next line without its end; empty when it has hung up."""
        while b"\n" not in self._buffer:
            if not self._receive():
                return b""
        line, _, self._buffer = self._buffer.partition(b"\n")
        self.server.heard.append(line.removesuffix(b"\r"))
        return self.server.heard[-1]

    def chunk(self, size: int) -> None:
        """Read so many octets."""
        while len(self._buffer) < size and self._receive():
            pass
        self.server.heard.append(self._buffer[:size])
        self._buffer = self._buffer[size:]

    def _receive(self) -> bool:
        octets = self.socket.recv(65536)
        self._buffer += octets
        self.server.octets += octets
        return bool(octets)


class LyingServer:
    """Listens on `address` for one client and treats it as the recipe says."""

    def __init__(
        self,
        *recipe: Step,
        receive_buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.heard: list[bytes] = []
        self.octets = bytearray()
        self.tls = tls
        self._recipe = recipe
        self._trouble: BaseException | None = None
        self._listener = socket.socket()
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.settimeout(PATIENCE_S)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> LyingServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE_S)
        self._listener.close()
        assert not self._thread.is_alive(), f"the recipe hangs; heard {self.heard!r}"
        if self._trouble is not None:
            raise self._trouble

    def _serve(self) -> None:
        try:
            sock, _ = self._listener.accept()
            sock.settimeout(PATIENCE_S)
            conversation = Conversation(self, sock)
            try:
                for step in self._recipe:
                    step(conversation)
            finally:
                conversation.socket.close()
        except BaseException as trouble:
            self._trouble = trouble


def say(*lines: str | bytes) -> Step:
    """Send lines, all in one packet."""
    octets = b"".join((x.encode() if isinstance(x, str) else x) + b"\r\n" for x in lines)
    return send(octets)


def send(octets: bytes) -> Step:
    """Send exactly these octets."""
    return lambda conversation: conversation.socket.sendall(octets)


def drip(octets: bytes, pause_s: float = 0.0, stop: threading.Event | None = None) -> Step:
    """Send octet by octet, until the client has had enough."""
    waiter = stop or threading.Event()

    def step(conversation: Conversation) -> None:
        conversation.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for octet in octets:
                conversation.socket.send(bytes([octet]))
                waiter.wait(pause_s)

    return step


def babble() -> Step:
    """Send a reply that has no end, until the client has had enough."""

    def step(conversation: Conversation) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                conversation.socket.sendall(b"250-and\r\n" * 100)

    return step


def hear(lines: int = 1) -> Step:
    """Read some lines."""

    def step(conversation: Conversation) -> None:
        for _ in range(lines):
            conversation.line()

    return step


def hear_message() -> Step:
    """Read up to the end of data."""

    def step(conversation: Conversation) -> None:
        while conversation.line() != b".":
            pass

    return step


def hear_chunk() -> Step:
    """Read a BDAT command and the octets it announces."""

    def step(conversation: Conversation) -> None:
        conversation.chunk(int(conversation.line().split()[1]))

    return step


def stall() -> Step:
    """Say nothing and read nothing more until the client hangs up."""

    def step(conversation: Conversation) -> None:
        with contextlib.suppress(ConnectionError):
            while conversation.socket.recv(65536):
                pass

    return step


def hang_up() -> Step:
    """Close the connection in order."""
    return lambda conversation: conversation.socket.close()


def reset() -> Step:
    """Close the connection so that the client gets a reset."""

    def step(conversation: Conversation) -> None:
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        conversation.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        conversation.socket.close()

    return step


def cut_record() -> Step:
    """Send the beginning of a TLS record, and end TCP in the middle of it."""

    def step(conversation: Conversation) -> None:
        with socket.socket(fileno=os.dup(conversation.socket.fileno())) as below:
            below.sendall(b"\x17\x03\x03\x00\x40" + bytes(20))  # 64 octets of application data
        conversation.socket.close()

    return step


def turn_to_tls(context: ssl.SSLContext | None = None, *, may_fail: bool = False) -> Step:
    """Do the server's part of a TLS handshake, by `context` or else the server's own."""

    def step(conversation: Conversation) -> None:
        server_side = context or conversation.server.tls
        assert server_side is not None
        try:
            conversation.socket = server_side.wrap_socket(conversation.socket, server_side=True)
        except OSError:
            if not may_fail:
                raise

    return step
