"""sendmail in the surroundings that its callers leave it in.

Descriptors 0-2 that are closed are in the cases of the dialect; what the callers themselves bring
about is in the modules beside this one.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from textwrap import dedent

import pytest

from tests.clients.caller import Mail
from tests.clients.host import Host
from tests.helpers.catcher import Catcher

pytestmark = pytest.mark.root

CALL = "/usr/sbin/sendmail -i bob@example.net"
PROMPTLY_S = 20.0  # a smarthost may be silent for longer
TEXT = "Hello\n.\nagain\n"
MESSAGE = f"To: bob@example.net\nSubject: Greetings\n\n{TEXT}"

# How alice calls, with the message in the file "message" of an empty working directory.
SURROUNDINGS = {
    "no environment": f"env -i {CALL} <message",
    "environment of others": f"""
        env IFS=/s LC_ALL=xx_YY.nonsense LD_LIBRARY_PATH=/nonexistent LD_PRELOAD=libm.so.6 \
            ENV=/nonexistent BASH_ENV=/nonexistent TMPDIR=/nonexistent HOME= USER=root \
            LOGNAME=root TZ=/etc/passwd MALLOC_PERTURB_=85 {CALL} <message""",
    "Python modules in the way": f"""
        mkdir hostile; cd hostile
        for name in os socket errno struct time select sitecustomize usercustomize pysendmail; do
            echo 'raise SystemExit(99)' >$name.py
        done
        env PYTHONPATH="$PWD" PYTHONHOME="$PWD" PYTHONSTARTUP="$PWD/os.py" PYTHONUSERBASE="$PWD" \
            PYTHONINSPECT=1 PYTHONDEBUG=1 PYTHONVERBOSE=1 PYTHONWARNINGS=error VIRTUAL_ENV="$PWD" \
            PYTHONIOENCODING=nonsense PYTHONPLATLIBDIR=nonsense PATH="$PWD" {CALL} <../message""",
    "directory that is gone": f"exec 0<message; mkdir gone; cd gone; rmdir ../gone; {CALL}",
    "directory not to be read": f"exec 0<message; mkdir closed; cd closed; chmod 0 .; {CALL}",
    "umask 0777": f"umask 0777; {CALL} <message",
    "umask 0": f"umask 0; {CALL} <message",
    "small limits": f"""
        ulimit -n 16; ulimit -v 100000; ulimit -s 1024; ulimit -p 1
        exec {CALL} <message""",
    "signals ignored": f"trap '' HUP INT QUIT PIPE CHLD TERM ALRM; {CALL} <message",
    "signals blocked": f"env --block-signal {CALL} <message",
    "descriptors left open": f"exec 3<message 4>/dev/full 7>left 9<&0; {CALL} <message",
    "output that is full": "/usr/sbin/sendmail -v -i bob@example.net <message >/dev/full 2>&1",
    "message behind an offset": f"(echo above; cat message) >file; (read -r _; {CALL}) <file",
    "message open for writing": f"{CALL} <>message; grep -q again message",
    "pipe": f"cat message | {CALL}",
    "socket": f"""
        python3 -c '
        import socket, subprocess
        ours, theirs = socket.socketpair()
        ours.sendall(open("message", "rb").read())
        ours.close()
        subprocess.run("{CALL}".split(), stdin=theirs, check=True)'""",
    "terminal": f"script -qec '{CALL}' /dev/null <message | tr -d '\\r' | diff - message",
}
INTERRUPTED = """
python3 -c '
import signal, subprocess
signal.signal(signal.SIGINT, signal.SIG_DFL)  # which whoever runs the tests may have ignored
sendmail = subprocess.Popen(["/usr/sbin/sendmail", "-i", "bob@example.net"], stdin=-1)
sendmail.stdin.write(b"Subject: the first\\n\\n" + b"x\\n" * 500_000)  # more than a pipe holds
sendmail.send_signal({number})
sendmail.wait()'
"""
BURST = 15
AT_ONCE = f"""
for number in $(seq {BURST}); do
    printf "Subject: $USER $number\\n" | {CALL} &
done
wait
"""


@pytest.fixture(params=["daemon", "no daemon"])
def daemon(request: pytest.FixtureRequest, host: Host) -> Iterator[None]:
    """Messages go to the daemon; or, while there is none, as alice into the drop directory and as
    root directly.
    """
    if request.param == "no daemon":
        host.stop_daemon()
    yield
    host.start_daemon()


@pytest.mark.parametrize("call", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_message_is_taken_in_silence_and_arrives(
    call: str, daemon: None, host: Host, smarthost: Catcher
) -> None:
    before = len(smarthost.received())
    script = f"cd $(mktemp -d); cat >message; {dedent(call)}"
    done = host.run(script, "alice", stdin=MESSAGE.encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    host.start_daemon()
    (received,) = smarthost.wait_for(before + 1)[before:]
    assert not Mail("Greetings", TEXT).differences(received)


def test_user_without_a_name_is_called_by_his_number(
    daemon: None, host: Host, smarthost: Catcher
) -> None:
    before = len(smarthost.received())
    nameless = "setpriv --reuid=4242 --regid=4242 --clear-groups"
    done = host.run(f"{nameless} {CALL}", stdin=MESSAGE.encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    host.start_daemon()
    (received,) = smarthost.wait_for(before + 1)[before:]
    mail = Mail("Greetings", TEXT, sender="uid4242@example.com", from_="uid4242@example.com")
    assert not mail.differences(received)


def test_message_beyond_the_limit_on_files_is_refused_in_one_line(host: Host) -> None:
    host.stop_daemon()
    done = host.run(f"ulimit -f 8; {CALL}", "alice", stdin=MESSAGE.encode() + b"x" * 100_000)
    left = host.run("ls /var/spool/pysendmail/drop")
    host.start_daemon()
    assert (done.returncode, done.stdout) == (os.EX_TEMPFAIL, b"")
    assert re.fullmatch(rb"sendmail: cannot leave the message .* too large.*\n", done.stderr)
    assert left.stdout == b""


@pytest.mark.parametrize("user", ["alice", "root"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=str)
def test_message_whose_end_has_not_come_is_sent_to_nobody(
    number: int, user: str, daemon: None, host: Host, smarthost: Catcher
) -> None:
    before = len(smarthost.received())
    host.run(INTERRUPTED.format(number=int(number)), user)
    host.start_daemon()
    host.run(f"printf 'Subject: the next one\\n' | {CALL}", "alice")
    smarthost.wait_for(before + 1)
    host.wait_idle()
    assert [one.subject for one in smarthost.received()[before:]] == [b"the next one"]


def test_many_at_once_from_two_users_arrive_once_each(
    daemon: None, host: Host, smarthost: Catcher
) -> None:
    before = len(smarthost.received())
    users = ("alice", "www-data")
    for user in users:
        done = host.run(AT_ONCE, user)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    host.start_daemon()
    received = smarthost.wait_for(before + BURST * len(users))[before:]
    assert sorted(one.subject.decode() for one in received) == sorted(
        f"{user} {number + 1}" for user in users for number in range(BURST)
    )


@pytest.mark.parametrize("user", ["alice", "root"])
def test_caller_that_awaits_the_end_of_output_does_not_await_the_smarthost(
    user: str, daemon: None, host: Host, smarthost: Catcher
) -> None:
    before = len(smarthost.received())
    smarthost.hang()
    try:
        background = "/usr/sbin/sendmail -odb -i bob@example.net"
        done = host.run(background, user, stdin=MESSAGE.encode(), seconds=PROMPTLY_S)
    finally:
        smarthost.start()
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    host.start_daemon()
    host.run("sendmail -q")
    smarthost.wait_for(before + 1)
