"""docs/smtp.md: every example runs, and what it sends arrives; what it lists is what there is."""

from __future__ import annotations

import inspect
import os
import re
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import UnixSocketController
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

import pysendmail.smtp
from pysendmail.smtp import SmtpError, TlsConfig
from pysendmail.smtp.phases import PHASES
from tests.helpers.catcher import Catcher
from tests.helpers.dialogue import Dialogue
from tests.helpers.examples import DOCS, Places, examples_of
from tests.helpers.lying_server import Conversation, LyingServer, hear, say
from tests.helpers.smarthost import RCPT
from tests.helpers.waiting import bound_socket

PAGE = (DOCS / "smtp.md").read_text()
TLS_SERVER = "smtp.example.com"


class PostfixDialogue(Dialogue):
    """Knows a command and a parameter of Postfix."""

    async def smtp_XFORWARD(self, arg: str | None) -> None:  # noqa: N802
        self.commands.append(f"XFORWARD {arg}")
        await self.push("250 2.0.0 Ok")

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        self.commands.append(f"MAIL {arg}")
        await super().smtp_MAIL((arg or "").replace(" XVERP=-+", ""))


class PostfixCatcher(Catcher):
    """A catcher on port 25, in clear."""

    dialogue = PostfixDialogue


class ImplicitTlsCatcher(Catcher):
    """A catcher on port 465: TLS from the first octet."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._implicit_tls = context
        super().__init__()

    async def _open(self) -> None:
        self._server = await self._loop.create_server(
            self._new_dialogue, sock=bound_socket(self.port), ssl=self._implicit_tls
        )


class MailStore:
    """Two mailboxes: the first has room, the second has not."""

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert envelope.rcpt_tos == ["alice", "bob"]
        return "250 2.0.0 alice has it\r\n552 5.2.2 the mailbox of bob is full"


class LmtpController(UnixSocketController):
    """LMTP on a Unix socket."""

    def factory(self) -> LMTP:
        return LMTP(self.handler)


RELAY = f"""#!{sys.executable}
import sys
print("220 relay", end="\\r\\n", flush=True)
for line in sys.stdin:
    print("221 bye" if line.startswith("QUIT") else "250 relay", end="\\r\\n", flush=True)
"""


def hear_socks_request(conversation: Conversation) -> None:
    """Be a SOCKS5 proxy without password that has reached mx.example.net."""
    conversation.socket.recv(3)
    conversation.socket.sendall(b"\x05\0")
    assert conversation.socket.recv(262)[4:] == b"\x0emx.example.net\0\x19"
    conversation.socket.sendall(b"\x05\0\0\x01\x7f\0\0\x01\0\x19")


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    return Places(monkeypatch)


@pytest.fixture
def submission(
    ca: trustme.CA, ca_file: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catcher]:
    """The server of most examples, whose authority is one of the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    certificate = ca.issue_cert(TLS_SERVER).private_key_and_cert_chain_pem.bytes()
    with closing(
        Catcher(certificate=certificate, user="mailer", password="correct horse")
    ) as catcher:
        catcher.answer("550 5.1.1 no such user", at=RCPT, recipient="nobody@example.org")
        catcher.answer("450 4.2.1 mailbox busy", at=RCPT, recipient="busy@example.org")
        places.put(TLS_SERVER, 587, catcher.port)
        yield catcher


@pytest.fixture
def relay(places: Places) -> Iterator[Catcher]:
    """A server in clear."""
    with closing(PostfixCatcher()) as catcher:
        places.put("mx.example.net", 25, catcher.port)
        yield catcher


@pytest.fixture
def other_ways(
    places: Places,
    submission: Catcher,
    server_tls_context: Callable[[str], ssl.SSLContext],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, str]]:
    """What else the examples connect to; the paths that stand in for those of the page."""
    program = tmp_path / "ssh"
    program.write_text(RELAY)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    proxied = (hear_socks_request, say("220 mx"), hear(), say("250 mx"), hear(), say("221 bye"))
    paths = {"/run/smtp.socket": tmp_path / "smtp", "/run/dovecot/lmtp": tmp_path / "lmtp"}
    stand_ins = {path: str(stand_in) for path, stand_in in paths.items()}
    controllers = (
        UnixSocketController(object(), unix_socket=stand_ins["/run/smtp.socket"]),
        LmtpController(MailStore(), unix_socket=stand_ins["/run/dovecot/lmtp"]),
    )
    with ExitStack() as stack:
        implicit = ImplicitTlsCatcher(server_tls_context(TLS_SERVER))
        stack.callback(implicit.close)
        places.put(TLS_SERVER, 465, implicit.port)
        proxy = stack.enter_context(LyingServer(*proxied))
        places.put("proxy.example.com", 1080, proxy.address[1])
        for controller in controllers:
            controller.start()
            stack.callback(controller.stop)
        yield stand_ins


def test_every_example_runs_and_its_mail_arrives(
    submission: Catcher,
    relay: Catcher,
    other_ways: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    report = b"From: me@example.com\r\nSubject: Report\r\n\r\ngr\xc3\xbcn\r\n"
    (tmp_path / "report.eml").write_bytes(report)
    names: dict[str, Any] = {}
    examples = examples_of("smtp.md")
    assert len(examples) > 10
    for example in examples:
        example.run(names, other_ways)
    caught = submission.caught()
    assert all(message.tls and message.user == b"mailer" for message in caught)
    subjects = [message.subject for message in caught]
    assert subjects == [
        b"Hello", b"Hello", b"Report", b"Letter 0", b"Letter 1", b"Letter 2", b"Hello",
    ]  # fmt: skip
    assert caught[2].content == report
    assert caught[2].mail_options == ("BODY=8BITMIME", "RET=HDRS", "ENVID=report-4711")
    assert caught[2].rcpt_options == (("NOTIFY=FAILURE,DELAY",),)
    *_, forwarded = relay.caught()
    assert "XFORWARD NAME=www.example.com ADDR=192.0.2.7" in forwarded.commands
    assert "MAIL FROM:<list@example.com> XVERP=-+" in forwarded.commands


def test_first_example_has_ten_lines() -> None:
    assert examples_of("smtp.md")[0].code.count("\n") <= 10


def test_every_public_name_stands_on_the_page() -> None:
    missing = {
        name for name in pysendmail.smtp.__all__ if not re.search(rf"\b{re.escape(name)}\b", PAGE)
    }
    assert missing == set()


def test_phases_are_listed_with_their_seconds() -> None:
    listed = re.search(r"The phases and their seconds: (.*?)\.", PAGE, re.DOTALL)
    assert listed is not None
    assert listed[1].split() == ", ".join(f"{p.name} {p.seconds}" for p in PHASES).split()


def test_every_argument_of_tlsconfig_is_told_of() -> None:
    section = PAGE.partition("\n## TLS\n")[2].partition("\n## ")[0]
    assert all(f"`{name}" in section for name in inspect.signature(TlsConfig).parameters)


def test_every_error_is_in_the_table() -> None:
    section = PAGE.partition("\n## When something goes wrong\n")[2].partition("\n## ")[0]
    errors = {
        name
        for name, value in vars(pysendmail.smtp).items()
        if isinstance(value, type) and issubclass(value, SmtpError)
    }
    assert {name for name in errors if f"`{name}`" not in section} == set()
