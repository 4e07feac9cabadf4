from __future__ import annotations

import pytest

from pysendmail.smtp import (
    ConnectError,
    ConnectionLost,
    MissingExtension,
    PermanentError,
    ProtocolError,
    Reply,
    ReplyError,
    SizeExceeded,
    SmtpError,
    TimedOut,
    TransientError,
    UsageError,
)
from pysendmail.smtp.errors import shown
from pysendmail.smtp.reply import reply_error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MissingExtension(b"SMTPUTF8"), "the server does not offer SMTPUTF8"),
        (SizeExceeded(20, 10), "the message has 20 octets, the server takes 10"),
        (
            TransientError(Reply(451, (b"4.3.0 later", b"really")), b"MAIL"),
            "MAIL was answered 451 4.3.0 later really",
        ),
        (ProtocolError("no reply", b"junk"), "no reply: junk"),
        (ProtocolError("no reply"), "no reply"),
        (
            ConnectError("mx", (("192.0.2.1:25", "refused"), ("192.0.2.2:25", "timed out"))),
            "cannot connect to mx (192.0.2.1:25: refused; 192.0.2.2:25: timed out)",
        ),
        (ConnectionLost("doing it", reason="reset"), "connection lost while doing it (reset)"),
        (TimedOut("doing it"), "timed out while doing it"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_error_is_told_in_one_sentence(error: SmtpError, sentence: str) -> None:
    assert str(error) == sentence


def test_usage_error_is_a_value_error() -> None:
    assert issubclass(UsageError, ValueError)


def test_reply_error_has_code_and_text() -> None:
    error = PermanentError(Reply(550, (b"no", b"such user")), b"RCPT")
    assert (error.code, error.text, error.command) == (550, b"no\nsuch user", b"RCPT")


@pytest.mark.parametrize(
    ("code", "kind"),
    [(450, TransientError), (550, PermanentError), (250, ProtocolError), (354, ProtocolError)],
)
def test_first_digit_chooses_the_error(code: int, kind: type[SmtpError]) -> None:
    assert type(reply_error(Reply(code, (b"x",)), b"MAIL")) is kind


@pytest.mark.parametrize(
    ("error", "usable"),
    [
        (UsageError("x"), True),
        (ReplyError(Reply(550, (b"",)), b"MAIL"), True),
        (ProtocolError("x"), False),
        (TimedOut("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_tells_whether_the_session_goes_on(error: SmtpError, usable: bool) -> None:
    assert error.session_usable is usable


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (b"plain", "plain"),
        (b"\x1b[2Jgone", "\\x1b[2Jgone"),
        (b"two\nlines", "two lines"),
        ("grüße".encode(), "grüße"),
        (b"\xff", "\\xff"),
        (b"\0", "\\x00"),
    ],
)
def test_server_text_is_shown_without_control_characters(text: bytes, safe: str) -> None:
    assert shown(text) == safe
