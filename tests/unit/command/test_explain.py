"""What explain tells of a submission, before anything is sent or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pysendmail.command.explain import changes, explained, way_in
from pysendmail.config.load import Loaded, load
from pysendmail.message.alias_file import parse_aliases
from pysendmail.message.aliases import Aliases
from pysendmail.message.message import parse_field
from pysendmail.submission.exit_status import EX_DATAERR, EX_USAGE, Refused
from pysendmail.submission.request import QUEUE
from tests.unit.submission.samples import JOE, NOW, raw, request

GMAIL = """\
smarthost: submission://smtp.gmail.test, smtp://backup.test
provider: gmail
user: mailer@gmail.test
password_file: /nonexistent/password
origin: example.org
hostname: host.example.org
root: admin@x.net
"""
TAKEN = "[sent under an address that the smarthost takes]"
CRON = b"From: root (Cron Daemon)\nTo: root\nBcc: eve@x.net\nSubject: t\n\ndone\n"


@pytest.fixture
def gmail(tmp_path: Path) -> Loaded:
    path = tmp_path / "p.yaml"
    path.write_text(GMAIL)
    return load({}, str(path))


def told(
    loaded: Loaded,
    *operands: bytes,
    text: bytes = CRON,
    aliases: Aliases | None = None,
    **options: Any,
) -> list[str]:
    lines = explained(
        request(*operands, **options),
        raw(text),
        JOE,
        loaded=loaded,
        aliases=aliases or Aliases(),
        now=NOW,
    )
    return b"\n".join(lines).decode().split("\n")


def section(lines: list[str], name: str) -> list[str]:
    rest = lines[lines.index(name) + 1 :]
    return [line.strip() for line in (rest[: rest.index("")] if "" in rest else rest)]


def test_configuration_that_decides_is_told_with_its_place(gmail: Loaded) -> None:
    lines = section(told(gmail, b"root"), "configuration")
    assert lines[0] == f"file       {gmail.path}"
    assert f"provider   gmail   [{gmail.path}:2]" in lines
    assert "from       mailer@gmail.test   [provider gmail]" in lines
    assert not any("password" in line for line in lines)


def test_envelope_is_told_with_what_it_was_to_be(gmail: Loaded) -> None:
    aliases = parse_aliases(b"staff: jim, zoe@x.net\ndev: |program\n")
    lines = told(gmail, b"root, staff", b"dev, bob@example.net, a@b@c", aliases=aliases)
    assert section(lines, "envelope") == [
        "sender     <mailer@gmail.test>, instead of <joe@example.org>",
        "recipient  root -> <admin@x.net>",
        "recipient  staff -> <jim@example.org>",
        "recipient  staff -> <zoe@x.net>",
        "recipient  dev -> nobody: aliases:2: programs are not run: '|program'",
        "recipient  <bob@example.net>",
        "recipient  a@b@c: the address cannot be read",
    ]


def test_each_change_of_the_header_is_told_with_its_reason(gmail: Loaded) -> None:
    lines = section(told(gmail, from_header=True), "header")
    assert lines[:8] == [
        "- Bcc: eve@x.net   [must not leave this host]",
        "- From: root (Cron Daemon)   [bare names completed with the origin]",
        "- To: root   [bare names completed with the origin]",
        "+ From: root@example.org (Cron Daemon)   [bare names completed with the origin]",
        "+ To: root@example.org   [bare names completed with the origin]",
        f"- From: root@example.org (Cron Daemon)   {TAKEN}",
        f"+ From: Cron Daemon <mailer@gmail.test>   {TAKEN}",
        f"+ Reply-To: root@example.org   {TAKEN}",
    ]
    assert [line.split()[1] for line in lines[8:]] == ["Received:", "Message-ID:", "Date:"]


def test_signed_message_is_told_to_be_left_alone_and_what_that_means(gmail: Loaded) -> None:
    lines = section(
        told(gmail, b"bob@x.net", text=b"DKIM-Signature: v=1\nFrom: a@x.net\n\nx\n"), "header"
    )
    assert lines[-2:] == [
        "signed: nothing else is changed",
        "warning: the smarthost may refuse the address in From",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"S: t\n\nx\n", ["3 octets"]),
        (b"S: t\n\n" + b"x" * 1200, ["1247 octets",
         "parts with lines of more than 998 octets are encoded anew"]),
        ("S: t\n\nü\n".encode(), ["4 octets",
         "octets above 127: the smarthost is told (8BITMIME), or gets them encoded"]),
        (b"DKIM-Signature: x\n\n\xff" + b"x" * 1200, ["1203 octets",
         "warning: lines of more than 998 octets remain; the smarthost may refuse them",
         "octets above 127: the smarthost is told (8BITMIME), or gets them encoded",
         "warning: not all can be encoded; a smarthost without 8BITMIME gets them raw"]),
    ],
)  # fmt: skip
def test_repairs_of_the_body_are_told(gmail: Loaded, text: bytes, expected: list[str]) -> None:
    assert section(told(gmail, b"bob@x.net", text=text), "body") == expected


def test_route_is_told_without_secrets(gmail: Loaded) -> None:
    assert section(told(gmail, b"root", mode=QUEUE), "route") == [
        "spooled until the next run of the queue",
        "smarthost  smtp.gmail.test:587, STARTTLS required, certificate verified,"
        " login mailer@gmail.test",
        "smarthost  backup.test:25, STARTTLS required, certificate verified,"
        " login mailer@gmail.test",
        f"size {len(CRON)} of at most 52428800 octets",
    ]


def test_route_tells_of_lmtp_pins_and_a_proxy_without_its_password(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        f"smarthost: [lmtp:///run/lmtp, smtp://mx.test]\norigin: example.org\n"
        f"tls_pins: sha256:{'0' * 64}\nproxy: http://me:hunter2@proxy.test:3128\n"
        "token_file: /run/token\n"
    )
    path.chmod(0o600)
    _, local, remote, _ = section(told(load({}, str(path)), b"bob@x.net"), "route")
    assert local == "smarthost  /run/lmtp, by LMTP, no TLS, login what the token says"
    assert remote == (
        "smarthost  mx.test:25, STARTTLS required, certificate verified, pinned, by way of"
        " http://proxy.test:3128, login what the token says"
    )


def test_missing_smarthost_is_told(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("origin: example.org\n")
    assert "no smarthost is configured: mail waits in the spool" in section(
        told(load({}, str(path)), b"bob@x.net"), "route"
    )


def test_refusal_is_the_one_of_a_real_call(gmail: Loaded) -> None:
    with pytest.raises(Refused) as refused:
        told(gmail)
    assert refused.value.status == EX_USAGE
    with pytest.raises(Refused) as refused:
        told(gmail, b"a@b@c")
    assert refused.value.status == EX_DATAERR


def test_nothing_of_the_message_reaches_the_terminal_raw(gmail: Loaded) -> None:
    text = b"Subject: \x1b[2J\xe2\x80\xae\nX-\x07: y\nFrom: \x1b]0;x <a@x.net>\nTo: b@x.net\n\nx\n"
    for line in told(gmail, b"bob@x.net", b"\x1b[31m@x", text=text):
        assert line.isprintable()


def test_equal_fields_are_no_change() -> None:
    one, two = parse_field(b"A: 1\r\n"), parse_field(b"B: 2\r\n")
    assert list(changes([one, two], [two, one])) == []
    assert list(changes([one], [one, two])) == [b"+ B: 2"]


def test_door_is_the_one_that_is_open(tmp_path: Path, gmail: Loaded) -> None:
    settings: Any = {"socket": str(tmp_path / "s"), "spool": str(tmp_path / "spool"), "wait": 30.0}
    if way_in(settings, gmail).startswith("direct"):
        pytest.fail("the password cannot be read, so there is no direct door")
    readable = tmp_path / "password"
    readable.touch()
    config = gmail.config.replaced(password_file=str(readable))
    loaded = Loaded(config, path="", sources={}, warnings=[], file=None)
    assert way_in(settings, loaded).startswith("direct: no daemon runs")
