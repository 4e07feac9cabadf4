"""pysendmail check: what is in force, who can read the password, whether mail would be taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pysendmail.command.check import check
from pysendmail.config.errors import UnreadableConfigError
from pysendmail.submission.drop_door import drop, make_drop_directory
from pysendmail.submission.request import Request, format_request
from tests.helpers.catcher import Catcher
from tests.helpers.waiting import ReservedPort
from tests.unit.spool.samples import FIRST

Configure = Callable[..., None]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Write a configuration and have it be the one in force."""

    def write(**settings: str) -> None:
        path = tmp_path / "p.yaml"
        facts = {
            "origin": "example.org",
            "hostname": "host.example.org",
            "aliases": str(tmp_path / "aliases"),
            "spool": str(tmp_path / "spool"),
            **settings,
        }
        path.write_text("".join(f"{name}: {value}\n" for name, value in facts.items()))
        path.chmod(0o644)
        monkeypatch.setenv("PYSENDMAIL_CONFIG", str(path))

    return write


@pytest.fixture
def smarthost() -> Iterator[Catcher]:
    catcher = Catcher(host="127.0.0.1")
    catcher.start()
    yield catcher
    catcher.close()


def test_offline_tells_settings_and_their_sources(
    configure: Configure, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure(smarthost="smtp://127.0.0.1:1")
    assert check(connect=False, send_to="") == 0
    output = capfd.readouterr().out
    assert f"configuration: {tmp_path}/p.yaml\n" in output
    assert "  origin = example.org  [" in output
    assert (tmp_path / ".p.yaml.snapshot").exists()


def test_messages_that_no_daemon_takes_in_are_told(
    configure: Configure, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure(smarthost="smtp://127.0.0.1:1", spool=f"{tmp_path}/spool", socket=f"{tmp_path}/s")
    (tmp_path / "spool").mkdir()
    make_drop_directory(f"{tmp_path}/spool")
    assert check(connect=False, send_to="") == 0
    assert "messages for it" not in capfd.readouterr().out
    request = Request(queue_id=FIRST, operands=(b"bob",))
    drop(f"{tmp_path}/spool", FIRST, format_request(request), [])
    assert check(connect=False, send_to="") == 0
    said = f"warning: no daemon is running, and {tmp_path}/spool/drop has messages for it: 1\n"
    assert said in capfd.readouterr().out


def test_spool_that_will_not_survive_is_told(
    configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(smarthost="smtp://127.0.0.1:1", spool="/dev/shm/spool")
    assert check(connect=False, send_to="") == 0
    said = "warning: the spool /dev/shm/spool lies on tmpfs, so what waits there is gone after"
    assert said in capfd.readouterr().out


def test_password_is_masked_and_its_readers_are_named(
    configure: Configure, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("very-secret\n")
    password.chmod(0o640)
    configure(smarthost="smtp://127.0.0.1:1", user="me", password_file=str(password))
    assert check(connect=False, send_to="") == 0
    output = capfd.readouterr().out
    user, group = password.owner(), password.group()
    assert f"the password can be read by {user}, group {group}\n" in output
    assert "very-secret" not in output


def test_readers_of_token_and_key_are_named(
    configure: Configure, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("ya29.secret\n")
    token.chmod(0o600)
    configure(token_file=str(token), tls_certificate_file=str(tmp_path / "none.pem"))
    assert check(connect=False, send_to="") == 0
    output = capfd.readouterr().out
    assert f"the token can be read by {token.owner()}\n" in output
    assert "the key of our certificate can be read by nobody: No such file" in output
    assert "ya29" not in output


def test_password_of_the_listener_is_looked_at_too(
    configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(listen_user="me", listen_password_file="/nonexistent/password")
    assert check(connect=False, send_to="") == 78
    assert "key 'listen_password_file'" in capfd.readouterr().err


def test_user_who_may_not_read_the_password_is_told_who_may(
    configure: Configure, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(smarthost="smtp://127.0.0.1:1", user="me", password_file="/nonexistent/password")

    def refuse(*_: object) -> None:
        raise UnreadableConfigError(["key 'password_file': Permission denied"])

    monkeypatch.setattr("pysendmail.command.check.read_password", refuse)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert check(connect=True, send_to="") == 78
    assert capfd.readouterr().err.splitlines() == [
        "key 'password_file': Permission denied",
        "this is for root to check, or for the daemon's user",
    ]


def test_broken_configuration_is_told_line_by_line(
    configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(smarthots="x", wait="soon")
    assert check(connect=True, send_to="") == 78
    assert len(capfd.readouterr().err.splitlines()) == 2


def test_broken_aliases_are_told(
    configure: Configure, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "aliases").write_text("root: |program\n")
    configure(smarthost="smtp://127.0.0.1:1")
    assert check(connect=False, send_to="") == 78
    assert f"{tmp_path}/aliases:1" in capfd.readouterr().out


def test_smarthost_is_tried_and_described(
    configure: Configure, capfd: pytest.CaptureFixture[str], smarthost: Catcher
) -> None:
    configure(smarthost=smarthost.url, tls="none")
    assert check(connect=True, send_to="") == 0
    output = capfd.readouterr().out
    assert f"smarthost 127.0.0.1:{smarthost.port}: connected, NOT encrypted" in output
    assert ": offers " in output
    assert smarthost.received() == []


def test_smarthost_that_is_away_is_told(
    configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    port = ReservedPort()
    configure(smarthost=f"smtp://127.0.0.1:{port.number}")
    assert check(connect=True, send_to="a@example.net") == 69
    assert "cannot connect" in capfd.readouterr().out
    port.close()


def test_no_smarthost_at_all_is_not_in_order(configure: Configure) -> None:
    configure()
    assert check(connect=True, send_to="") == 69


@pytest.mark.parametrize(("reply", "status"), [("", 0), ("550 5.1.1 who", 69)])
def test_message_is_sent_where_asked_for(
    configure: Configure,
    capfd: pytest.CaptureFixture[str],
    smarthost: Catcher,
    reply: str,
    status: int,
) -> None:
    configure(smarthost=smarthost.url, tls="none")
    smarthost.answer(reply)
    assert check(connect=True, send_to="a@example.net") == status
    output = capfd.readouterr().out
    assert ("a@example.net: delivered: 250" in output) is (status == 0)
    assert len(smarthost.received()) == (0 if reply else 1)
