"""The embedded smarthost: what stops it cuts every connection."""

from __future__ import annotations

import contextlib
import socket

from tests.helpers.catcher import Catcher


def test_connection_that_is_being_accepted_is_cut_by_a_stop() -> None:
    with contextlib.ExitStack() as stack:
        catcher = Catcher()
        stack.callback(catcher.close)
        for _ in range(50):
            clients = [
                stack.enter_context(socket.create_connection((catcher.host, catcher.port), 10))
                for _ in range(5)
            ]
            catcher.stop()
            for client in clients:
                with contextlib.suppress(ConnectionResetError):
                    while client.recv(1024):
                        pass
            catcher.start()
