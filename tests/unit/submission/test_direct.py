"""The direct door's own parts: one session for one attempt, a spool opened late, the lingerer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from pysendmail.relay.policy import POLICY
from pysendmail.relay.smarthost import NONE, Smarthost
from pysendmail.spool.directory import DirectorySpool
from pysendmail.submission import direct
from pysendmail.submission.direct import (
    LazySpool,
    OneSession,
    Unable,
    ident_of,
    submit_direct,
)
from pysendmail.submission.exit_status import EX_DATAERR, Refused
from tests.helpers.lying_server import LyingServer, hear, say
from tests.helpers.waiting import ReservedPort
from tests.unit.relay.peers import Peer, session, smarthost
from tests.unit.spool.samples import FIRST, enter
from tests.unit.submission.samples import QUEUE_ID, raw, request


def test_sound_session_is_kept_for_the_next_transaction() -> None:
    sessions, alpha, peer = OneSession(b"me"), smarthost("alpha"), Peer()
    client = session(peer)
    sessions.give_back(alpha, client, 1)
    assert sessions.borrow(alpha, None) == (client, True)
    sessions.give_back(alpha, client, 1)
    sessions.answered(alpha)
    sessions.report(alpha, POLICY["connection"], b"heard by nobody")
    sessions.close()
    assert peer.commands[-1] == "QUIT"
    assert peer.closed


def test_broken_session_is_closed_and_a_new_one_opened() -> None:
    with LyingServer(say("220 hi"), hear(), say("250 mx"), hear(), say("221 bye")) as server:
        there = Smarthost(*server.address, tls=NONE)
        sessions, peer = OneSession(b"me"), Peer()
        broken = session(peer)
        broken.close()
        sessions.give_back(there, broken, 1)
        client, warm = sessions.borrow(there, None)
        assert not warm
        client.quit()


def test_spool_is_made_when_the_first_message_has_to_wait(tmp_path: Path) -> None:
    spool = LazySpool(str(tmp_path / "spool"))
    assert not spool.used
    assert not (tmp_path / "spool").exists()
    enter(spool, FIRST)
    enter(spool, "00000000000002")
    assert spool.used
    assert len(list((tmp_path / "spool" / "queue").iterdir())) == 2
    assert (tmp_path / "spool" / "drop").stat().st_mode & 0o7777 == 0o3733


def environ(directory: Path, **settings: str) -> dict[str, str]:
    facts = {
        "SPOOL": str(directory / "spool"),
        "SOCKET": str(directory / "s"),
        "ORIGIN": "example.org",
        "HOSTNAME": "host.example.org",
        "ALIASES": str(directory / "aliases"),
        "LINGER": "false",
        **settings,
    }
    return {f"PYSENDMAIL_{name}": value for name, value in facts.items()}


@pytest.mark.parametrize("mode", [b"b", b"q", b"i", b""])
def test_message_waits_durably_while_no_smarthost_can_be_had(tmp_path: Path, mode: bytes) -> None:
    port = ReservedPort()
    settings = environ(tmp_path, SMARTHOST=f"smtp://127.0.0.1:{port.number}")
    asked = request(b"bob@example.net", mode=mode)
    assert submit_direct(asked, raw(), settings, uid=os.getuid()).status == 0
    assert os.listdir(tmp_path / "spool" / "queue") == [QUEUE_ID]
    port.close()


def test_message_waits_where_no_smarthost_is_configured(tmp_path: Path) -> None:
    asked = request(b"bob@example.net")
    assert submit_direct(asked, raw(), environ(tmp_path), uid=os.getuid()).status == 0
    assert os.listdir(tmp_path / "spool" / "queue") == [QUEUE_ID]


def test_daemon_that_listens_elsewhere_hears_of_what_waits(tmp_path: Path) -> None:
    asked = request(b"bob@example.net", mode=b"b")
    with closing(DirectorySpool.create(str(tmp_path / "spool"))) as spool:
        spool.wait(0)
        assert spool.due(4e9, 10) == []
        assert submit_direct(asked, raw(), environ(tmp_path), uid=os.getuid()).status == 0
        assert spool.wait(20)
        assert spool.due(4e9, 10) == [QUEUE_ID]


@pytest.mark.parametrize(
    ("mode", "linger", "wanted"),
    [
        (b"i", "true", True),
        (b"b", "true", True),
        (b"q", "true", False),
        (b"i", "false", False),
        (b"b", "false", False),
    ],
)
def test_daemon_is_started_for_what_waits_unless_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: bytes, linger: str, wanted: bool
) -> None:
    started: list[Mapping[str, str]] = []
    monkeypatch.setattr(direct, "start", started.append)
    settings = environ(tmp_path, LINGER=linger)
    asked = request(b"bob@example.net", mode=mode)
    assert submit_direct(asked, raw(), settings, uid=os.getuid()).status == 0
    assert started == ([settings] if wanted else [])


@pytest.mark.parametrize("mode", [b"b", b"q", b"i"])
def test_nobody_left_to_send_to_is_refused_and_nothing_queued(tmp_path: Path, mode: bytes) -> None:
    with pytest.raises(Refused) as refused:
        submit_direct(request(b"a@b@c", mode=mode), raw(), environ(tmp_path), uid=os.getuid())
    assert refused.value.status == EX_DATAERR
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(("tag", "ident"), [(b"", "sendmail"), (b"backup", "sendmail-backup")])
def test_log_names_us_with_the_tag(tag: bytes, ident: str) -> None:
    assert ident_of(request(b"bob", tag=tag)) == ident


def test_message_beyond_the_configured_limit_is_refused(tmp_path: Path) -> None:
    settings = environ(tmp_path, MESSAGE_SIZE="1024")
    with pytest.raises(Refused, match="message_size"):
        submit_direct(request(b"bob"), raw(2000 * b"x"), settings, uid=os.getuid())


def test_token_that_this_user_may_not_read_is_left_to_the_daemon(tmp_path: Path) -> None:
    token = environ(tmp_path, TOKEN_FILE=str(tmp_path / "none"))
    with pytest.raises(Unable, match=r"key 'token_file': .*none"):
        submit_direct(request(b"bob"), raw(), token, uid=os.getuid())


def test_broken_configuration_is_left_to_the_daemon(tmp_path: Path) -> None:
    with pytest.raises(Unable, match="WAIT"):
        submit_direct(request(b"bob"), raw(), environ(tmp_path, WAIT="soon"), uid=os.getuid())
