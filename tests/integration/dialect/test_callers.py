"""What cron, anacron, sudo, fail2ban and PHP do, and their surroundings: V04-V09, V12, V20,
V40-V43.
"""

from __future__ import annotations

import os
import select
import stat
import subprocess
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from tests.helpers.people import ALICE, SERVICE
from tests.helpers.waiting import wait_until
from tests.integration.dialect.cases import BY_ROOT, each_through, through
from tests.integration.dialect.world import DIRECT, DROP, ROOT, SOCKET, V01, S, World

ROOT_THERE = b"root@example.test"
PATIENCE_S = 20.0


@through("V04", BY_ROOT)
def test_debian_cron(world: World) -> None:
    world.sendmail(
        *("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"),
        uid=ROOT,
        stdin=b"From: root (Cron Daemon)\nTo: root\n" + S + b"MIME-Version: 1.0\n"
        b"Content-Transfer-Encoding: 8bit\n\n.\nh\xc3\xa9\n",
    )
    mail = world.mail()
    assert (mail.sender, mail.recipients) == (ROOT_THERE, (ROOT_THERE,))
    assert mail.field("From") == "root@example.test (Cron Daemon)"
    assert mail.field("To") == "root@example.test"
    assert "BODY=8BITMIME" in mail.caught.mail_options
    assert mail.lines() == [b".", b"h\xc3\xa9"]


@through("V05")
def test_cronie(world: World) -> None:
    world.sendmail(
        *("-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "alice"),
        stdin=b'From: "(Cron Daemon)" <alice>\nTo: alice\n' + S + b"\nx\n",
    )
    if world.door != DROP:  # in the foreground: it has gone when the command is back
        assert len(world.sink.received()) == 1
        assert world.is_quiet()
    mail = world.mail()
    assert (mail.sender, mail.recipients) == (b"alice@example.test", (b"alice@example.test",))
    assert mail.field("From") == '"(Cron Daemon)" <alice@example.test>'


@through("V06", BY_ROOT)
def test_anacron(world: World, public: Path) -> None:
    output = public / "output"
    output.write_bytes(b"To: root\n" + S + b"\noutput\n")
    with open(output, "r+b") as file:
        process = world.popen(world.program, "-FAnacron", "-odi", "root", uid=ROOT, stdin=file)
        assert process.communicate(timeout=PATIENCE_S) == (b"", b"")
    assert process.returncode == 0
    mail = world.mail()
    assert mail.recipients == (ROOT_THERE,)
    assert mail.field("From") == "Anacron <root@example.test>"
    assert mail.lines() == [b"output"]
    assert output.read_bytes().endswith(b"\noutput\n")


@through("V07", BY_ROOT)
def test_sudo(world: World) -> None:
    process = world.popen(
        *("/bin/bash", "-c", 'exec -a sendmail "$0" -t', world.program),
        uid=ROOT,
        env={
            "HOME": "/",
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "LOGNAME": "root",
            "USER": "root",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    process.communicate(
        b"To: root\nFrom: alice\nAuto-Submitted: auto-generated\n" + S + b"\nx\n", PATIENCE_S
    )
    assert process.returncode == 0
    mail = world.mail()
    assert mail.recipients == (ROOT_THERE,)
    assert mail.field("To") == "root@example.test"
    assert mail.field("From") == "alice@example.test"
    assert mail.field("Auto-Submitted") == "auto-generated"


@through("V08")
def test_fail2ban(world: World) -> None:
    world.sendmail(
        *("-f", "fail2ban", "root"),
        stdin=S + b"From: Fail2Ban <fail2ban>\nTo: root\n\nno newline at end",
    )
    mail = world.mail()
    assert mail.sender == b"fail2ban@example.test"
    assert mail.field("From") == "Fail2Ban <fail2ban@example.test>"
    assert mail.lines() == [b"no newline at end"]


@through("V09")
@pytest.mark.parametrize("words", [["-it"], ["-ti"], ["-t", "-i"], ["-i", "-t"]], ids=" ".join)
def test_letters_in_one_word_or_several(world: World, words: list[str]) -> None:
    world.sendmail(*words, stdin=b"To: bob@example.org\n" + S + b"\na\n.\nb\n")
    assert world.mail().lines() == [b"a", b".", b"b"]


@through("V12", [SOCKET])
@pytest.mark.parametrize("letter", ["-f", "-F", "-N"])
def test_missing_value_is_told_before_anything_is_read(world: World, letter: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb"):
        process = world.popen(world.program, letter, stdin=reading)
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output) == (64, b"")
    assert b"option requires an argument -- '%b'\n" % letter[1:].encode() in errors


@through("V20")
def test_php_mail(world: World) -> None:
    world.sendmail(
        *("-t", "-i", "-fwww@x.test"),
        stdin=b"To: bob@example.org\r\nSubject: t\r\nFrom: www@x.test\r\nBcc: h@example.org\r\n"
        b"\r\nl1\nl2\r\nl3\r\n",
    )
    mail = world.mail()
    assert sorted(mail.recipients) == [b"bob@example.org", b"h@example.org"]
    assert mail.sender == b"www@x.test"
    assert mail.lines() == [b"l1", b"l2", b"l3"]


@through("V40", (SOCKET, DIRECT))
@pytest.mark.parametrize(
    "words",
    [["newaliases"], ["sendmail", "-bi"], ["sendmail", "-I"], ["hoststat"], ["sendmail", "-bH"]],
    ids=" ".join,
)
def test_mode_without_a_message_reads_nothing(world: World, words: list[str]) -> None:
    name, *argv = words
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb", buffering=0) as held_open:
        held_open.write(b"not to be read")
        process = world.popen(world.site.installation.program(name), *argv, stdin=reading)
        assert process.communicate(timeout=PATIENCE_S) == (b"", b"")
        assert select.select([reading], [], [], 0)[0]
    assert process.returncode == 0


@through("V41")
@pytest.mark.parametrize("closed", [(1, 2), (0,), (0, 1, 2)], ids=str)
def test_descriptors_are_closed(world: World, closed: tuple[int, ...]) -> None:
    stdin = b"" if 0 in closed else V01
    assert world.run("sendmail", "bob@example.org", stdin=stdin, closed=closed).returncode == 0
    mail = world.mail()
    mail.check_generated()
    assert mail.lines() == ([] if 0 in closed else [b"body"])


@through("V42")
def test_surroundings_that_help_nobody(world: World, public: Path) -> None:
    """No environment, a directory that is gone, a umask that forbids everything, locale C."""
    world.sink.play("down")
    script = 'mkdir "$1/gone"; cd "$1/gone"; rmdir "$1/gone"; umask 0777; shift; exec "$@"'
    process = world.popen(
        *("/bin/sh", "-c", script, "sh", str(public), "/usr/bin/env", "-i", "LC_ALL=C"),
        f"PYSENDMAIL_CONFIG={world.site.path}",
        *(world.program, "-F", b"Zo\xc3\xab", "bob@example.org"),
        stdin=subprocess.PIPE,
    )
    assert process.communicate(V01, PATIENCE_S) == (b"", b"")
    assert process.returncode == 0
    [entry] = wait_for_entry(world)
    status = entry.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_uid == (ALICE if world.door == DIRECT else SERVICE)
    world.sink.play("full")
    world.sendmail("-q", stdin=b"", uid=world.owner)
    name, _, address = world.mail().field("From").rpartition(" ")
    assert str(make_header(decode_header(name))) == "Zoë"
    assert address == "<alice@example.test>"


def wait_for_entry(world: World) -> list[Path]:
    """Return the files in the queue, once the drop directory is empty."""
    return wait_until(
        lambda: [] if world.dropped() else list((world.site.directory / "spool/queue").iterdir()),
        what="an entry in the queue",
    )


@each_through("env", {"V43": [{"PYTHONHOME": "/nonexistent", "PYTHONPATH": "/nonexistent"}]})
def test_python_of_somebody_else(world: World, env: dict[str, str], public: Path) -> None:
    trap = public / "python3"
    trap.write_text("#!/bin/sh\nexit 99\n")
    trap.chmod(0o755)
    there = {"VIRTUAL_ENV": str(public), "PATH": f"{public}:/usr/bin:/bin"}
    world.sendmail("bob@example.org", env={**env, **there})
    world.mail().check_generated()


@through("rmail", (SOCKET, DIRECT))
def test_rmail_hands_on_what_came_from_elsewhere(world: World) -> None:
    done = world.run(
        "rmail",
        "bob@example.org",
        stdin=b"From uucp Mon Jan  1 00:00:00 2024\nFrom: carol\n" + S + b"\na\n.\nb\n",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    mail = world.mail()
    assert mail.recipients == (b"bob@example.org",)
    assert mail.field("From") == "carol"  # relayed, not completed
    assert (len(mail.fields("Received")), mail.fields("Message-ID")) == (1, [])
    assert mail.lines() == [b"a", b".", b"b"]


@through("send-mail", [SOCKET])
def test_send_mail_is_sendmail(world: World) -> None:
    assert world.run("send-mail", "bob@example.org", stdin=V01).returncode == 0
    world.mail().check_generated()
