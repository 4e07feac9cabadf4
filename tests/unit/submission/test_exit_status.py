"""The exit status, which is made of failures by one table, and the lines that go with it."""

from __future__ import annotations

import pytest

from pysendmail.message.outcome import FAILED, Outcome
from pysendmail.submission.exit_status import exit_status, failure_line, too_large


def failure(text: bytes, status: bytes = b"5.0.0", remote: bytes = b"mx") -> Outcome:
    return Outcome(b"a@b", FAILED, status, text, remote)


NO_USER = failure(b"550 5.1.1 who", b"5.1.1")
SPAM = failure(b"554 5.7.1 spam", b"5.7.1")
UNREADABLE = failure(b"the address cannot be read", b"5.1.3", b"")


@pytest.mark.parametrize(
    ("failures", "status"),
    [
        pytest.param([NO_USER], 67, id="550"),
        pytest.param([failure(b"550 who", b"5.1.0")], 67, id="550 at RCPT without a status"),
        pytest.param([failure(b"551 gone", b"5.1.6")], 67, id="551"),
        pytest.param([failure(b"553 no", b"5.1.3")], 67, id="553"),
        pytest.param([failure(b"550 5.2.1 disabled", b"5.2.1")], 67, id="mailbox disabled"),
        pytest.param([NO_USER, failure(b"553 no", b"5.1.0")], 67, id="all dead"),
        pytest.param([failure(b"550 no")], 69, id="550 at the dot without a status"),
        pytest.param([failure(b"550 5.7.1 no", b"5.7.1")], 69, id="550 by policy"),
        pytest.param([failure(b"550 5.10.1 no", b"5.10.1")], 69, id="subject beyond RFC 3463"),
        pytest.param([failure(b"554 5.1.1 who", b"5.1.1")], 69, id="554 with that status"),
        pytest.param([SPAM], 69, id="other 5xx"),
        pytest.param([NO_USER, SPAM], 69, id="one dead, one refused"),
        pytest.param([failure(b"552 5.2.2 full", b"5.2.2")], 69, id="552"),
        pytest.param([UNREADABLE], 65, id="our own verdict"),
        pytest.param([failure(b"no such user here", b"5.1.1", b"")], 67, id="nobody by our word"),
        pytest.param([UNREADABLE, NO_USER], 69, id="unreadable and dead"),
        pytest.param([failure(b"SMTPUTF8 missing", b"5.6.7", b"")], 69, id="extension"),
    ],
)
def test_exit_status_tells_what_killed_them_all(failures: list[Outcome], status: int) -> None:
    assert exit_status(failures) == status


def test_failure_line_names_the_first_and_counts_the_others() -> None:
    assert failure_line([NO_USER]) == b"a@b: 550 5.1.1 who"
    assert failure_line([NO_USER, SPAM, SPAM]) == b"a@b: 550 5.1.1 who (and 2 more)"


def test_too_large_is_the_fault_of_the_message_and_names_the_key() -> None:
    refused = too_large(1024)
    assert (refused.status, refused.line) == (65, b"message larger than 1024 octets (message_size)")
