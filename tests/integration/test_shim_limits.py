"""sendmail as nobody ought to call it: without descriptors, memory, processes; with signals blocked
or ignored; with as many octets of words as the kernel passes on.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.installed import Completed, run_program
from tests.helpers.system import Site, message
from tests.helpers.waiting import wait_until
from tests.integration.conftest import SiteMaker

ONE_WORD = 128 * 1024 - 1  # what Linux passes on as one word, without its NUL (execve(2))

BLOCKED = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
for name in ("SIGHUP", "SIGPIPE", "SIGCHLD", "SIGXFSZ"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def site(make_site: SiteMaker, catcher: Catcher) -> Site:
    """A site with its daemon running."""
    made = make_site(catcher)
    made.daemon.start()
    return made


def run_limited(site: Site, *limits: str, text: bytes, uid: int | None = None) -> Completed:
    """Run sendmail under resource limits, in the words of prlimit(1)."""
    if not (prlimit := shutil.which("prlimit")):
        pytest.skip("util-linux is not installed")
    sendmail = [site.installation.program("sendmail"), "-i", "user@example.net"]
    return run_program(
        [prlimit, *limits, *sendmail], text, env={"PYSENDMAIL_CONFIG": str(site.path)}, uid=uid
    )


@pytest.mark.parametrize(
    "limits",
    [("--nofile=8",), ("--fsize=0",), ("--nproc=0",), ("--core=0", "--stack=262144")],
    ids=" ".join,
)
def test_message_is_taken_under_limits(
    site: Site, catcher: Catcher, limits: tuple[str, ...]
) -> None:
    done = run_limited(site, *limits, text=message("limited"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert catcher.wait_for(1)[0].subject == b"limited"


@pytest.mark.parametrize(
    ("limits", "size"), [(("--fsize=4096",), 2**22), (("--as=60000000",), 2**26)], ids=str
)
def test_message_beyond_the_limits_is_refused_in_one_line(
    site: Site, catcher: Catcher, limits: tuple[str, ...], size: int
) -> None:
    done = run_limited(site, *limits, text=message("t", "x" * size))
    assert done.returncode in (65, 75)
    assert done.stderr.startswith(b"sendmail: ")
    assert done.stderr.count(b"\n") == 1
    assert catcher.received() == []
    assert site.is_idle()


@pytest.mark.root
def test_drop_file_that_cannot_be_written_whole_leaves_nothing(
    make_site: SiteMaker, catcher: Catcher, stranger: int
) -> None:
    site = make_site(catcher)
    site.make_spool()
    done = run_limited(site, "--fsize=100", text=message("t", "x" * 1000), uid=stranger)
    assert done.returncode == 75
    assert b"File too large" in done.stderr
    assert os.listdir(site.directory / "spool/drop") == []


def test_word_as_long_as_the_kernel_allows_is_a_list_of_recipients(
    site: Site, catcher: Catcher
) -> None:
    one = ", u{:05}@example.net"
    word = "first@example.net" + "".join(map(one.format, range((ONE_WORD - 20) // 20)))
    word += " " * (ONE_WORD - len(word))
    done = site.send("many", word, mode="-odq")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "u06000@example.net" in site.mailq()


def test_recipients_beyond_all_bounds_are_refused_in_one_line(site: Site) -> None:
    done = site.send("too many", *[f"user{n}@example.net" for n in range(20_001)], mode="-odq")
    assert done.returncode == 65
    assert done.stderr == b"sendmail: more than 20000 recipients\n"


def test_signals_that_a_caller_blocks_are_the_daemons_own_again(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = make_site(catcher)
    catcher.stop()
    sendmail = site.installation.program("sendmail")
    done = run_program(
        [sys.executable, "-c", BLOCKED, sendmail, "-odb", "user@example.net"],
        message("blocked"),
        env={"PYSENDMAIL_CONFIG": str(site.path)},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    lock = site.directory / "spool/daemon.lock"
    pid = int(
        wait_until(lambda: lock.exists() and lock.read_text(), what="a lingering daemon").split()[0]
    )
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), seconds=40, what="its end")
