"""What a case of lying is, and what a client may be doing while it is lied to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pysendmail.smtp import Client, Credentials, Recipient, SmtpError, TlsConfig, authenticate
from pysendmail.smtp.sasl import MECHANISMS, Parameters
from tests.helpers.lying_server import Step, hear, hear_message, say

HOST = "localhost"  # whose certificate the server shows
USER, PASSWORD = b"mailer", b"correct horse"


class Seen:
    """What came of a case: `result` of the act or its `error`, and what was heard and traced."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: SmtpError | None = None
        self.heard: list[bytes] = []
        self.octets = b""
        self.trace: list[bytes] = []
        self.broken = False

    @property
    def codes(self) -> list[int | None]:
        """The code of the verdict for each recipient, where the result is a transcript."""
        verdicts = [self.result.verdict(index) for index in range(len(self.result.recipients))]
        return [verdict and verdict.code for verdict in verdicts]


Act = Callable[[Client, TlsConfig], Any]


def _anything(seen: Seen) -> bool:
    return True


class Case:
    """A server that does `recipe` to a client that does `act`.

    `ends` is the error that has to come of it, None where the client has to cope; `holds` is what
    has to be true besides; `timeouts` are those that are not long.
    """

    def __init__(
        self,
        row: int,
        name: str,
        recipe: Sequence[Step],
        act: Act,
        ends: type[SmtpError] | tuple[type[SmtpError], ...] | None = None,
        holds: Callable[[Seen], Any] = _anything,
        **timeouts: float,
    ) -> None:
        self.row = row
        self.name = name
        self.recipe = recipe
        self.act = act
        self.ends = ends
        self.holds = holds
        self.timeouts = timeouts

    def __repr__(self) -> str:
        return f"{self.row} {self.name}"


# --- what servers do


def hello(*offers: str) -> list[Step]:
    """Greet, and answer EHLO with these offers."""
    lines = ["mx", *offers]
    marked = [f"250{'-' if number < len(offers) else ' '}{x}" for number, x in enumerate(lines)]
    return [say("220 mx"), hear(), say(*marked)]


PIPELINED = [*hello("PIPELINING"), hear(3)]
ENVELOPE = [*PIPELINED, say("250 a", "250 b", "354 go")]
BYE = [hear(), say("221 bye")]
TAKEN = [*ENVELOPE, hear_message(), say("250 taken")]


# --- what clients do


def greeting(client: Client, _: TlsConfig) -> Any:
    """Wait for the greeting."""
    return client.greeting()


def ehlo(client: Client, _: TlsConfig) -> Any:
    """Say EHLO; the result is what is offered."""
    client.helo(b"me")
    return client.extensions


def sending(
    message: Any = b"text\r\n",
    *,
    sender: bytes = b"a@x",
    to: Sequence[bytes | Recipient] = (b"b@y",),
    **options: Any,
) -> Act:
    """Send a message and take leave; the result is the transcript."""

    def act(client: Client, _: TlsConfig) -> Any:
        client.helo(b"me")
        transcript = client.transaction(sender, to, message, **options)
        client.quit()
        return transcript

    return act


def saying(*words: Callable[[Client], Any]) -> Act:
    """Say some commands after EHLO; the result is the last one's."""

    def act(client: Client, _: TlsConfig) -> Any:
        client.helo(b"me")
        return [word(client) for word in words][-1]

    return act


def secured(**options: Any) -> Act:
    """Come by the whole way: EHLO, STARTTLS, EHLO, AUTH; the result is what is offered."""

    def act(client: Client, config: TlsConfig) -> Any:
        authenticate(client, host=b"me", tls_config=config, tls_peer=HOST, **options)
        return client.extensions

    return act


def login(
    name: str,
    credentials: Credentials | None = None,
    *then: Callable[[Client], Any],
    **parameters: bytes,
) -> Act:
    """Log in by the mechanism `name`, whatever is offered."""
    given = [(key.replace("_", "-").encode(), value, True) for key, value in parameters.items()]
    credentials = credentials or Credentials(USER, PASSWORD)

    def act(client: Client, _: TlsConfig) -> Any:
        client.helo(b"me")
        try:
            client.auth(MECHANISMS[name.encode()](credentials, Parameters(given)))
        finally:
            for word in then:
                word(client)
        return client.authenticated

    return act
