"""make install into a whole system: the user, the owners and modes, and what packages bring.

Each test runs a shell script in a root of its own, an overlay over this machine's that vanishes
with the script. The checkout is in it, read-only.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import overlay
from tests.helpers.overlay import BEGIN

pytestmark = pytest.mark.root

needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-divert"), reason="no dpkg here")

Script = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Run a shell script as root in a system of its own; skip where there can be none."""

    if reason := overlay.why_not(tmp_path):
        pytest.skip(f"no overlay can be mounted here: {reason}")
    return lambda text: overlay.run_script(tmp_path, text)


def told(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines a script that must succeed has printed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_user_spool_and_configuration_have_their_owners_and_modes(script: Script) -> None:
    show = """
install >/dev/null
install >/dev/null
getent passwd pysendmail | cut -d: -f6,7
stat -c '%n %a %U:%G' /etc/pysendmail/pysendmail.yaml
cd /var/spool/pysendmail
stat -c '%n %a %U:%G' . drop queue
"""
    assert told(script(BEGIN + show)) == [
        "/var/spool/pysendmail:/usr/sbin/nologin",
        "/etc/pysendmail/pysendmail.yaml 644 root:pysendmail",
        ". 711 pysendmail:pysendmail",
        "drop 3733 pysendmail:pysendmail",
        "queue 700 pysendmail:pysendmail",
    ]


def test_libraries_that_only_root_gets_to_are_refused(script: Script) -> None:
    refuse = f"""
mkdir -m 700 /closed
mkdir /closed/libraries
mount --bind {sysconfig.get_path("purelib")} /closed/libraries
install DEPENDENCIES=/closed/libraries 2>&1 | grep -v '\\*\\*\\*'
find /usr/sbin/sendmail /usr/lib/pysendmail* 2>/dev/null || echo nothing
install DEPENDENCIES=/closed/libraries SERVICE_USER=root | grep -o 'is installed'
"""
    assert told(script(BEGIN + refuse)) == [
        "make install: only root can read /closed/libraries (see the mode of /closed), and the "
        "daemon is another user: name other DEPENDENCIES",
        "nothing",
        "is installed",
    ]


def test_anybody_can_leave_a_message_while_no_daemon_runs(script: Script) -> None:
    leave = """
install >/dev/null
echo hello | setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
    sendmail -i -f me@example.com you@example.net
stat -c '%a %u %G' /var/spool/pysendmail/drop/*
"""
    assert told(script(BEGIN + leave)) == ["640 65534 pysendmail"]


def test_uninstall_takes_everything_out_of_usr(script: Script) -> None:
    remove = """
list() {
    ls -d $names /usr/*/pysendmail* /usr/*/*/pysendmail* /usr/*/*/*/pysendmail* 2>/dev/null || true
}
list >/tmp/before
install >/dev/null
uninstall >/dev/null
list | diff /tmp/before - >&2
! command -v dpkg-divert >/dev/null || ! dpkg-divert --list $names | grep .
ls -d /etc/pysendmail /var/spool/pysendmail
"""
    assert told(script(BEGIN + remove)) == ["/etc/pysendmail", "/var/spool/pysendmail"]


@needs_dpkg
def test_sendmail_of_a_package_is_refused_named_and_diverted_on_demand(script: Script) -> None:
    divert = """
printf theirs >/usr/sbin/sendmail
install 2>&1 | grep -c 'there already: /usr/sbin/sendmail .*DIVERT=yes'
install DIVERT=yes >/dev/null
dpkg-divert --truename /usr/sbin/sendmail
cat /usr/sbin/sendmail.distrib; echo
uninstall >/dev/null
dpkg-divert --truename /usr/sbin/sendmail
cat /usr/sbin/sendmail; echo
"""
    assert told(script(BEGIN + divert)) == [
        "1",
        "/usr/sbin/sendmail.distrib",
        "theirs",
        "/usr/sbin/sendmail",
        "theirs",
    ]


@needs_dpkg
def test_package_that_comes_later_does_not_overwrite_ours(script: Script) -> None:
    come = """
install >/dev/null
mkdir -p /tmp/mta/DEBIAN /tmp/mta/usr/bin
printf theirs >/tmp/mta/usr/bin/runq
printf 'Package: mta\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.com>\\n' \
    >/tmp/mta/DEBIAN/control
echo 'Description: test' >>/tmp/mta/DEBIAN/control
dpkg-deb --build /tmp/mta >/dev/null
dpkg --install --force-overwrite /tmp/mta.deb >/dev/null
readlink /usr/bin/runq
uninstall >/dev/null
cat /usr/bin/runq; echo
"""
    assert told(script(BEGIN + come)) == ["../sbin/sendmail", "theirs"]
