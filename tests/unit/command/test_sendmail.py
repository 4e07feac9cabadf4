"""Who is given a message by sendmail, and who is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pysendmail.command.options import parse_options
from pysendmail.command.sendmail import hand_over, request_of
from pysendmail.config.snapshot import public_settings
from pysendmail.message.content import Content
from pysendmail.submission.drop_door import make_drop_directory
from pysendmail.submission.exit_status import EX_CONFIG, Refused


def test_message_is_never_left_in_a_spool_that_is_a_guess(tmp_path: Path) -> None:
    (tmp_path / "queue").mkdir()
    make_drop_directory(str(tmp_path))
    socket = str(tmp_path / "submit.sock")
    settings = public_settings({"PYSENDMAIL_SPOOL": str(tmp_path), "PYSENDMAIL_SOCKET": socket})
    content = Content()
    content.write(b"Subject: t\n\nbody\n")
    request = request_of(parse_options(b"sendmail", [b"bob@example.net"]), {}, size=content.size)
    with pytest.raises(Refused) as refusal:
        hand_over(request, content, {}, settings, b"p.yaml:1:8: not YAML")
    assert (refusal.value.status, refusal.value.line) == (EX_CONFIG, b"p.yaml:1:8: not YAML")
    assert list((tmp_path / "drop").iterdir()) == []
    assert list((tmp_path / "queue").iterdir()) == []
