"""An embedded smarthost on aiosmtpd: for tests without Postfix, and for `make try`.

`Catcher` speaks STARTTLS, AUTH PLAIN and LOGIN, PIPELINING, SIZE, 8BITMIME, SMTPUTF8 and DSN, keeps
every message it took with all that was said before it, may deliver into a Maildir, and answers
whatever a test (or a person) wants instead.

As a program it prints its port on the first line and runs until SIGTERM:

    python -m tests.helpers.catcher --port 0 --maildir DIR --control FILE

FILE, read again whenever it changes, says what to answer: nothing or `ok`, `temporary-failure`, or
lines like `RCPT <bad@example.com> 550 5.1.1 no such user` and `END-OF-MESSAGE 451 4.3.0 try later`
(the first that fits is given). SIGUSR1 means temporary failure and SIGUSR2 the end of it, when
there is no FILE.
"""

from __future__ import annotations

import argparse
import asyncio
import mailbox
import os
import signal
import ssl
import tempfile
import threading
from collections.abc import Coroutine, Iterable
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.helpers.dialogue import Caught, Dialogue
from tests.helpers.smarthost import END_OF_MESSAGE, RCPT, Answers, Received, SilentListener
from tests.helpers.waiting import ReservedPort, bound_socket, wait_until

TEMPORARY_FAILURE = "450 4.2.0 temporary failure, try again later"


class Catcher:
    """A smarthost in this process, on a port of 127.0.0.1 that stays the same until `close()`.

    `certificate` (PEM of key and chain in one) or `tls_context`: STARTTLS is offered.  `user`,
    `password`: AUTH is offered (with TLS at hand: only over TLS) and needed.  `maildir`: messages
    are delivered there too.  `port` 0: any free one.  `dsn`: DSN (RFC 3461) is offered.
    """

    dialogue: type[Dialogue] = Dialogue

    def __init__(
        self,
        *,
        certificate: bytes | None = None,
        tls_context: ssl.SSLContext | None = None,
        user: str = "",
        password: str = "",
        host: str = "localhost",
        port: int = 0,
        maildir: str = "",
        answers: Answers | None = None,
        dsn: bool = True,
    ) -> None:
        self.host = host
        self._dsn = ["250-DSN"] if dsn else []
        self._tls = server_context(certificate) if certificate is not None else tls_context
        self._logins = {user.encode(): password.encode()} if user else {}
        self._maildir = mailbox.Maildir(maildir) if maildir else None
        self.answers = answers or Answers()
        self._received: list[Caught] = []
        self._dialogues: set[Dialogue] = set()
        self._server: asyncio.Server | None = None
        self._silent: SilentListener | None = None
        self._port = ReservedPort(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    @property
    def port(self) -> int:
        """The port, the same through stop, start and hang."""
        return self._port.number

    @property
    def url(self) -> str:
        """The smarthost as pysendmail's configuration names it."""
        return f"smtp://{self.host}:{self.port}"

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """What STARTTLS is done with, for another catcher of the same name."""
        return self._tls

    def answer(self, reply: str = "", *, at: str = RCPT, recipient: str = "") -> None:
        """From now on answer `reply` ('450 4.2.0 busy') at that place, for `recipient` only where
        given; '': all is well.
        """
        self.answers.set(reply, at, recipient)

    def received(self) -> list[Received]:
        """Return the messages taken so far, in their order."""
        return list(self._received)

    def caught(self) -> list[Caught]:
        """Return the messages taken so far with all that was said for them."""
        return list(self._received)

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Received]:
        """Return `received()` once it has `count` messages; AssertionError after `seconds`."""
        wait_until(
            lambda: len(self._received) >= count,
            seconds=seconds,
            what=f"{count} messages at the catcher",
            evidence=lambda: f"there: {self.received()}",
        )
        return self.received()

    def log(self) -> str:
        """Return the last commands of each open connection, for the evidence of a failing test."""
        return "\n".join(
            line for dialogue in list(self._dialogues) for line in dialogue.commands[-20:]
        )

    def login(self, user: str, password: str) -> None:
        """Set the password of `user`, at once in force."""
        self._logins[user.encode()] = password.encode()

    def certify(self, certificate: bytes | None) -> None:
        """Start again with another certificate, or with none: without STARTTLS."""
        self.stop()
        self._tls = server_context(certificate) if certificate is not None else None
        self.start()

    def start(self) -> None:
        """Start, or come back after `stop` or `hang`; returns when connections are accepted."""
        self.stop()
        self._await(self._open())

    def stop(self) -> None:
        """End the server and its open connections: from now on connections are refused."""
        if self._silent is not None:
            self._silent.close()
            self._silent = None
        self._await(self._shut())

    def hang(self) -> None:
        """Accept connections on the port and stay silent."""
        self.stop()
        self._silent = SilentListener(self._port)

    def close(self) -> None:
        """End everything."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._port.close()

    def _await(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    async def _open(self) -> None:
        self._server = await self._loop.create_server(
            self._new_dialogue, sock=bound_socket(self.port), backlog=256
        )

    async def _shut(self) -> None:
        if self._server is not None:
            for listener in self._server.sockets:
                self._loop.remove_reader(listener)
            # Two rounds of the loop, and what was accepted has its transport and is a dialogue. If
            # the server has closed before that, asyncio leaves it open until it is collected.
            for _ in range(2):
                await asyncio.sleep(0)
            self._server.close()
        for dialogue in list(self._dialogues):
            dialogue.abort()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        if ending := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(ending, timeout=5)

    def _new_dialogue(self) -> Dialogue:
        return self.dialogue(
            self,
            answers=self.answers,
            open_dialogues=self._dialogues,
            login_needed=bool(self._logins),
            hostname="catcher.example.com",
            ident="catcher",
            enable_SMTPUTF8=True,
            tls_context=self._tls,
            auth_require_tls=self._tls is not None or not self._logins,
            authenticator=self._authenticate,
            loop=self._loop,
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = self._logins.get(data.login) == data.password
        return AuthResult(success=right, handled=False, auth_data=data)

    # The hooks of aiosmtpd, which calls its handler with (server, session, envelope, ...).

    async def handle_EHLO(  # noqa: N802
        self,
        _dialogue: Dialogue,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        if not self._logins:  # aiosmtpd offers AUTH over TLS always
            responses = [line for line in responses if not line.startswith("250-AUTH")]
        return [*responses[:-1], "250-PIPELINING", *self._dsn, responses[-1]]

    async def handle_DATA(  # noqa: N802
        self, dialogue: Dialogue, _session: Session, envelope: Envelope
    ) -> str:
        if reply := self.answers.find(END_OF_MESSAGE, only_recipient(envelope)):
            return reply
        message = Caught(dialogue, envelope)
        if self._maildir is not None:
            self._maildir.add(with_envelope(message))
        self._received.append(message)
        return "250 2.0.0 OK"


class ControlFile(Answers):
    """Answers written in a file, in force as soon as it is changed."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def find(self, at: str, recipient: str = "") -> str:
        """Return the reply for this place in the dialogue, as the file says now."""
        try:
            facts = os.stat(self._path)
        except FileNotFoundError:
            return ""
        seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
        if seen != self._seen:
            self._seen = seen
            with open(self._path, encoding="utf-8") as lines:
                self._take(lines)
        return super().find(at, recipient)

    def _take(self, lines: Iterable[str]) -> None:
        self.set("", "", "")
        for line in map(str.strip, lines):
            if line == "temporary-failure":
                self.set(TEMPORARY_FAILURE, RCPT, "")
            elif line not in ("", "ok"):
                place, _, reply = line.partition(" ")
                only, _, after = reply.partition("> ")
                if only.startswith("<"):
                    self.set(after, place, only[1:])
                else:
                    self.set(reply, place, "")


def only_recipient(envelope: Envelope) -> str:
    """Return the recipient when there is just one, else '': as Postfix asks its policy service."""
    return envelope.rcpt_tos[0] if len(envelope.rcpt_tos) == 1 else ""


def with_envelope(message: Received) -> bytes:
    """Return the message as a mailbox keeps it: the envelope in fields at the top (RFC 5321, 4.4),
    LF line ends.
    """
    head = b"Return-Path: <" + message.sender + b">\n"
    head += b"".join(b"Delivered-To: " + address + b"\n" for address in message.recipients)
    return head + message.content.replace(b"\r\n", b"\n")


def server_context(certificate: bytes) -> ssl.SSLContext:
    """Return a server's TLS context for the PEM of a key and its chain."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as file:  # the ssl module takes it from a file only
        file.write(certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def main() -> None:
    """Run a catcher until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="catcher", description="An SMTP server that keeps what it is sent."
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of 127.0.0.1; 0: any (it is printed)"
    )
    parser.add_argument("--maildir", default="", help="deliver into this Maildir")
    parser.add_argument("--control", default="", help="file that says what to answer")
    parser.add_argument(
        "--certificate", default="", help="PEM file of key and chain: offer STARTTLS"
    )
    parser.add_argument("--user", default="", help="want AUTH by this user")
    parser.add_argument("--password", default="", help="and this password")
    options = parser.parse_args()
    certificate = None
    if options.certificate:
        with open(options.certificate, "rb") as file:
            certificate = file.read()
    signals = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    catcher = Catcher(
        certificate=certificate,
        user=options.user,
        password=options.password,
        port=options.port,
        maildir=options.maildir,
        answers=ControlFile(options.control) if options.control else None,
    )
    print(catcher.port, flush=True)
    while (came := signal.sigwait(signals)) in (signal.SIGUSR1, signal.SIGUSR2):
        catcher.answer()
        if came == signal.SIGUSR1:
            catcher.answer(TEMPORARY_FAILURE)
    catcher.close()


if __name__ == "__main__":
    main()
