"""What a transcript tells of the transaction as a whole."""

from __future__ import annotations

import pytest

from pysendmail.smtp import Reply
from pysendmail.smtp.transcript import Transcript

OK, NO = Reply(250, (b"ok",)), Reply(450, (b"no",))


@pytest.mark.parametrize(
    ("mail", "data", "final", "refusal"),
    [
        (None, None, None, None),
        (NO, None, None, NO),
        (OK, NO, None, NO),
        (OK, None, NO, NO),
        (OK, None, OK, None),
    ],
)
def test_refusal_is_the_reply_that_refused_the_message_for_everybody(
    mail: Reply | None, data: Reply | None, final: Reply | None, refusal: Reply | None
) -> None:
    transcript = Transcript(1)
    transcript.mail, transcript.data, transcript.final = mail, data, final
    assert transcript.refusal is refusal


def test_message_that_one_has_taken_under_lmtp_is_not_refused() -> None:
    transcript = Transcript(2)
    transcript.mail, transcript.final = OK, NO
    transcript.finals = [OK, NO]
    assert transcript.refusal is None
