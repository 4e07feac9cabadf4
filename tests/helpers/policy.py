"""A policy service for Postfix: it answers in the middle of a dialogue whatever the test wants at
that moment.

Postfix asks it at every step (SMTPD_POLICY_README: attributes as `name=value` lines, ended by an
empty line; the answer is one `action=` line).  Unlike access tables and `postfix reload` an answer
changed here holds at once, also for the connections that are already open, which a daemon that
keeps them warm has.
"""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterable, Iterator

from tests.helpers.smarthost import Answers


class PolicyService:
    """Answers the policy questions of a Postfix from `answers`, on a Unix socket at `path`."""

    def __init__(self, path: str, answers: Answers) -> None:
        self._server = _Server(path, _Session)
        self._server.answers = answers
        os.chmod(path, 0o666)  # asked by processes of the user postfix
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False  # a session ends when the smtpd that asked does
    request_queue_size = 256
    answers: Answers


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            for question in read_questions(self.rfile):
                state, recipient = question.get("protocol_state", ""), question.get("recipient", "")
                reply = self.server.answers.find(state, recipient) or "DUNNO"
                self.wfile.write(f"action={reply}\n\n".encode())
        except OSError:
            return  # the smtpd has gone, killed with its Postfix


def read_questions(stream: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """Yield the attributes of each question on `stream` until it ends."""
    question: dict[str, str] = {}
    for line in stream:
        text = line.decode(errors="surrogateescape").rstrip("\n")
        if text:
            name, _, value = text.partition("=")
            question[name] = value
        else:
            yield question
            question = {}
