"""The server's side of one connection of a `Catcher`: aiosmtpd's, with a memory.

It takes the parameters of RFC 3461 (DSN), which aiosmtpd does not know, and gives the answers a
test asks for in place of its own.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Coroutine
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, LoginPassword

from tests.helpers.smarthost import CONNECT, Answers, Received

DSN_PARAMETERS = ("RET=", "ENVID=", "NOTIFY=", "ORCPT=")  # RFC 3461; unknown to aiosmtpd
VERBS = [name.removeprefix("smtp_") for name in dir(SMTP) if name.startswith("smtp_")]

# FROM:<path> or TO:<path>, the path possibly with a quoted local part, then the parameters
PATH_AND_PARAMETERS = re.compile(
    r'(?:FROM|TO): *<((?:"(?:\\.|[^"\\])*"|[^">])*)> *(.*)', re.IGNORECASE
)


class Caught(Received):
    """One message, and what was said for it.

    `commands`: every command line of the connection so far, as it came; `mail_options`: parameters
    of MAIL; `rcpt_options`: those of each accepted RCPT, in the order of `recipients`; `tls`: over
    STARTTLS; `user`: who had authenticated, b'' for nobody.
    """

    __slots__ = ("commands", "mail_options", "rcpt_options", "tls", "user")

    def __init__(self, dialogue: Dialogue, envelope: Envelope) -> None:
        content = envelope.original_content
        assert content is not None
        assert dialogue.session is not None
        recipients = [as_bytes(address) for address in envelope.rcpt_tos]
        sender = as_bytes(envelope.mail_from or "")
        super().__init__(b"" if sender == b"<>" else sender, recipients, content)
        self.commands = tuple(dialogue.commands)
        self.mail_options = tuple(dialogue.mail_options)
        self.rcpt_options = tuple(tuple(options) for options in dialogue.rcpt_options)
        self.tls = dialogue.session.ssl is not None
        login = dialogue.session.auth_data
        self.user = login.login if isinstance(login, LoginPassword) else b""


class Dialogue(SMTP):
    """One connection: writes down every command and gives the answers that are asked for in place
    of its own.
    """

    def __init__(
        self,
        handler: object,
        *,
        answers: Answers,
        login_needed: bool,
        open_dialogues: set[Dialogue],
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self.answers = answers
        self.login_needed = login_needed
        self.commands: list[str] = []
        self.mail_options: list[str] = []
        self.rcpt_options: list[list[str]] = []
        self._open_dialogues = open_dialogues
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_dialogues.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._open_dialogues:
            self._open_dialogues.discard(self)
            super().connection_lost(error)

    def abort(self) -> None:
        """Cut the connection.

        Of one that ends within the TLS handshake asyncio would not tell us, so we tell ourselves.
        """
        if isinstance(self.transport, asyncio.WriteTransport):
            try:
                self.transport.abort()
            except AttributeError:
                pass  # a TLS transport of Python 3.11.2 that was closed twice has let go already
        self.connection_lost(None)

    async def push(self, status: str | bytes) -> None:
        if not self._greeted:
            self._greeted = True
            status = self.answers.find(CONNECT) or status
        await super().push(as_bytes(status))
        if as_bytes(status).startswith(b"421") and self.transport is not None:
            self.transport.close()

    async def check_auth_needed(self, caller_method: str) -> bool:
        # aiosmtpd's own `auth_required` warns, at every connection, when it is without TLS
        assert self.session is not None
        if refused := self.login_needed and not self.session.authenticated:
            await self.push("530 5.7.0 Authentication required")
        return refused

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        _, self.mail_options = path_and_parameters(arg)
        self.rcpt_options = []
        await super().smtp_MAIL(without_dsn(arg))

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        assert self.envelope is not None
        before = len(self.envelope.rcpt_tos)
        await super().smtp_RCPT(without_dsn(arg))
        if len(self.envelope.rcpt_tos) > before:
            self.rcpt_options.append(path_and_parameters(arg)[1])


def with_answers(verb: str) -> Callable[[Dialogue, str | None], Coroutine[Any, Any, None]]:
    """Return the method of Dialogue for `verb`, led by the look at the answers."""
    own = getattr(Dialogue, f"smtp_{verb}")

    @functools.wraps(own)
    async def command(dialogue: Dialogue, arg: str | None) -> None:
        dialogue.commands.append(f"{verb} {arg}" if arg else verb)
        if reply := dialogue.answers.find(verb, path_and_parameters(arg)[0]):
            await dialogue.push(reply)
        else:
            await own(dialogue, arg)

    return command


for _verb in VERBS:
    setattr(Dialogue, f"smtp_{_verb}", with_answers(_verb))


def path_and_parameters(arg: str | None) -> tuple[str, list[str]]:
    """Return the address and the parameters of the argument of MAIL or RCPT; ('', []) for anything
    else.
    """
    found = PATH_AND_PARAMETERS.fullmatch(arg or "")
    return (found[1], found[2].split()) if found else ("", [])


def without_dsn(arg: str | None) -> str | None:
    """Take the DSN parameters, which are written down elsewhere, out of the argument of MAIL or
    RCPT.
    """
    if arg is None:
        return None
    return " ".join(word for word in arg.split(" ") if not word.upper().startswith(DSN_PARAMETERS))


def as_bytes(text: str | bytes) -> bytes:
    """Undo aiosmtpd's decoding."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
