"""The aliases file of an installed pysendmail: who gets the mail, and who hears of mistakes."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.installed import SEARCH_PATH
from tests.helpers.system import Site, message
from tests.integration.conftest import SiteMaker
from tests.integration.test_verdicts import recipient_blocks

PROGRAM = "programs are not run: '|/bin/touch"


@pytest.fixture
def aliased(make_site: SiteMaker, catcher: Catcher) -> Site:
    """A site with aliases and a daemon that knows of none yet."""
    site = make_site(catcher)
    site.daemon.start()
    return site


def write_aliases(site: Site, text: str) -> None:
    (site.directory / "aliases").write_text(text)


def test_names_lists_and_included_files_are_expanded_each_recipient_once(
    aliased: Site, catcher: Catcher
) -> None:
    (aliased.directory / "list").write_text("# staff\nzoe@example.net\njoe@example.net, jim\n")
    write_aliases(
        aliased,
        f"root: staff,\n  \"Admin, A.\" <admin@example.net>\n"
        f"Staff: :include:{aliased.directory}/list, \\root\n",
    )
    assert aliased.send("report", "root", "joe@example.net", "root@localhost").returncode == 0
    (received,) = catcher.wait_for(1)
    assert sorted(received.recipients) == [
        b"admin@example.net", b"jim@example.com", b"joe@example.net", b"root@example.com",
        b"zoe@example.net",
    ]  # fmt: skip


def test_change_of_the_file_holds_for_the_next_message(aliased: Site, catcher: Catcher) -> None:
    for recipient in ("one@example.net", "other@example.net"):
        write_aliases(aliased, f"staff: {recipient}\n")
        assert aliased.send(recipient, "staff").returncode == 0
    assert [one.recipients for one in catcher.wait_for(2)] == [
        (b"one@example.net",),
        (b"other@example.net",),
    ]


@pytest.mark.parametrize("daemon", [True, False], ids=["daemon", "direct"])
@pytest.mark.parametrize("mode", ["-odi", "-odb"])
def test_refused_targets_are_never_run_or_written_but_logged_and_bounced(
    make_site: SiteMaker, catcher: Catcher, daemon: bool, mode: str
) -> None:
    site = make_site(catcher)
    ran, file = site.directory / "ran", site.directory / "mailbox"
    write_aliases(site, f'a: "|/bin/touch {ran}"\nb: {file}\nc: :error: gone\n')
    if daemon:
        site.daemon.start()
    else:
        site.make_spool()
    done = site.send("refused", "a", "b", "c", mode=mode)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (received,) = catcher.wait_for(1, seconds=60)
    assert (received.sender, received.recipients) == (b"", (b"sender@example.com",))
    blocks = recipient_blocks(received)
    assert [(block["Final-Recipient"], block["Status"]) for block in blocks] == [
        ("rfc822; a@example.com", "5.3.5"),
        ("rfc822; b@example.com", "5.3.5"),
        ("rfc822; c@example.com", "5.7.1"),
    ]
    assert f"aliases:1: {PROGRAM}" in received.content.decode()
    assert not ran.exists()
    assert not file.exists()
    if daemon:
        assert f"aliases:1: {PROGRAM}" in site.daemon.log()


@pytest.mark.parametrize(
    ("unknown", "recipients", "status"),
    [
        ("forward", (b"nobody-such@example.com",), 0),
        ("all@example.net", (b"all@example.net",), 0),
        ("reject", (), 67),
    ],
)
def test_unknown_local_name_goes_where_the_configuration_says(
    make_site: SiteMaker,
    catcher: Catcher,
    unknown: str,
    recipients: tuple[bytes, ...],
    status: int,
) -> None:
    site = make_site(catcher, unknown_local=unknown, local_domains="[box.example.com, lan]")
    site.daemon.start()
    done = site.send("who", "nobody-such", "nobody-such@box.example.com", "nobody-such@localhost")
    assert done.returncode == status
    assert [one.recipients for one in catcher.received()] == ([recipients] if recipients else [])
    assert (b"no such user here" in done.stderr) is bool(status)


def test_sender_at_the_origin_gets_his_bounce_where_his_alias_says(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = make_site(catcher)
    write_aliases(site, "www-data: admin@example.net\n")
    site.daemon.start()
    catcher.answer("550 5.1.1 who", recipient="bad@example.net")
    done = site.sendmail("-odb", "-f", "www-data", "bad@example.net", stdin=message("job"))
    assert done.returncode == 0
    (received,) = catcher.wait_for(1, seconds=60)
    assert received.recipients == (b"admin@example.net",)


@pytest.mark.parametrize("words", [("newaliases",), ("sendmail", "-bi")], ids=" ".join)
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("root: admin@example.net\nstaff: joe\n", []),
        (
            "no alias\na: b@x,\n |/bin/sh\nb: c\nc: b\n",
            ["aliases:1: expected", "aliases:2: programs", "aliases:4: the", "aliases:5: the"],
        ),
    ],
    ids=["good", "bad"],
)
def test_newaliases_tells_mistakes_with_file_and_line_and_reads_nothing(
    make_site: SiteMaker, words: tuple[str, ...], text: str, lines: list[str]
) -> None:
    site = make_site(None, user=None, password="")  # type: ignore[arg-type]
    write_aliases(site, text)
    name, *options = words
    with subprocess.Popen(
        [site.installation.program(name), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": SEARCH_PATH, "PYSENDMAIL_CONFIG": str(site.path)},
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        # standard input stays open all the while
        assert program.wait(60) == (78 if lines else 0)
        told = program.stderr.read().decode().splitlines()
        assert program.stdout.read() == b""
    assert len(told) == len(lines)
    for found, expected in zip(told, lines, strict=True):
        assert found.startswith(f"{name}: {site.directory}/{expected}")


def test_newaliases_tells_of_a_file_that_cannot_be_read(make_site: SiteMaker) -> None:
    site = make_site(None, user=None, password="")  # type: ignore[arg-type]
    (site.directory / "aliases").mkdir()
    done = site.run("newaliases")
    assert done.returncode == 78
    assert done.stderr.decode() == f"newaliases: {site.directory}/aliases: Is a directory\n"


def test_included_fifo_is_told_of_in_one_line_and_waited_for_by_nobody(
    make_site: SiteMaker,
) -> None:
    site = make_site(None, user=None, password="")  # type: ignore[arg-type]
    fifo = site.directory / "list"
    os.mkfifo(fifo)
    write_aliases(site, f"team: :include:{fifo}\n")
    mistake = f"{site.directory}/aliases:1: cannot include '{fifo}': not a regular file"
    fd = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)  # so that there is a writer
    try:
        done = site.run("newaliases")
        explained = site.run("pysendmail", "explain", "team", stdin=b"\n")
    finally:
        os.close(fd)
    assert (done.returncode, done.stderr.decode()) == (78, f"newaliases: {mistake}\n")
    assert f"  recipient  team -> nobody: {mistake}\n" in explained.stdout.decode()


@pytest.mark.root
def test_included_file_of_a_user_cannot_lead_to_a_secret(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = make_site(catcher)
    lists = site.directory / "lists"
    lists.mkdir()
    write_aliases(site, f"team: :include:{lists}/password, joe@example.net\n")
    lists.rmdir()
    lists.symlink_to(site.directory)  # where a file of that name holds the password
    site.daemon.start()
    assert site.send("spy", "team").returncode == 0
    received = {one.sender: one for one in catcher.wait_for(2, seconds=60)}
    assert received[b"sender@example.com"].recipients == (b"joe@example.net",)
    assert b"not readable by everybody" in received[b""].content
    assert b"correct" not in received[b""].content
