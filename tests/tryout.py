"""make try: see pysendmail work, all inside this checkout, without root.

Installs below .try, plays the smarthost (tests.helpers.catcher), starts the daemon, sends with the
real sendmail, takes the smarthost away and brings it back. Ends with status 0 when everything
arrived once; what was delivered stays in .try/Maildir, the daemon's log in .try/daemon.log.

With SMARTHOST and TO in the environment one message goes through that smarthost instead; FROM,
PYSENDMAIL_USER and PYSENDMAIL_PASSWORD_FILE (or any other PYSENDMAIL_ variable) are heeded then.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from pathlib import Path

from pysendmail.submission.exit_status import EX_TEMPFAIL
from tests.helpers.waiting import wait_until

CHECKOUT = Path(__file__).parents[1]
PLACE = CHECKOUT / ".try"
CONFIGURATION = PLACE / "etc/pysendmail/pysendmail.yaml"
SOCKET = PLACE / "run/pysendmail/submit.sock"
MAILDIR = PLACE / "Maildir"
CONTROL = PLACE / "smarthost-says"
SOCKET_NAME_LIMIT = 107  # octets, sun_path of unix(7)
PATIENCE_S = 60.0

TOLD = {
    "sbin/sendmail": "sendmail", "bin/mailq": "mailq", "bin/pysendmail": "pysendmail",
}  # fmt: skip


def main() -> int:
    """Run it; return the exit status."""
    if len(os.fsencode(SOCKET)) > SOCKET_NAME_LIMIT:
        say(f"{CHECKOUT} is too long a name: a socket in it can have {SOCKET_NAME_LIMIT} octets")
        return 1
    install()
    smarthost, recipient = os.environ.get("SMARTHOST", ""), os.environ.get("TO", "")
    if smarthost or recipient:
        if not (smarthost and recipient):
            say("to send through a real smarthost, say both SMARTHOST=… and TO=…")
            return 64
        return send_for_real(smarthost, recipient)
    return play()


def install() -> None:
    """Install afresh below .try, with the libraries of the virtualenv."""
    shutil.rmtree(PLACE, ignore_errors=True)
    libraries = sysconfig.get_path("purelib")
    command = ["make", "--silent", "install", f"PREFIX={PLACE}", f"DEPENDENCIES={libraries}"]
    silent = subprocess.DEVNULL  # what it says to do next is done here
    command.append(f"PYTHON={sys.executable}")
    subprocess.run(command, cwd=CHECKOUT, check=True, stdout=silent)
    SOCKET.parent.mkdir(parents=True)
    say(f"pysendmail is installed below {PLACE}")


def send_for_real(smarthost: str, recipient: str) -> int:
    """Send one message through a real smarthost; return sendmail's status, or 75 when it waits."""
    sender = os.environ.get("FROM") or os.environ.get("PYSENDMAIL_USER") or recipient
    configure(smarthost, sender.rpartition("@")[2])
    ours = {name: value for name, value in os.environ.items() if name.startswith("PYSENDMAIL_")}
    ours.pop("PYSENDMAIL_CONFIG", None)
    with daemon(ours):
        heading("one message through your smarthost")
        text = message(sender, recipient, "pysendmail works")
        sent = run("sbin/sendmail", "-v", "-i", "-f", sender, "--", recipient, text=text)
        run("bin/pysendmail", "status")
        run("bin/mailq")
        waits = not queue_is_empty()
    if waits:
        say("\nit was not delivered, and is not attempted again: this daemon has ended")
    return sent.returncode or (EX_TEMPFAIL if waits else 0)


def play() -> int:
    """Show mail with a smarthost that comes and goes; return 0 when all of it arrived once."""
    CONTROL.write_text("ok\n")
    with contextlib.ExitStack() as running:
        with catcher(0) as port:
            configure(f"smtp://127.0.0.1:{port}", "example.com")
            running.enter_context(daemon({}))
            heading("the smarthost is there: delivered while the caller waits")
            send("-t", "-i", to="alice@example.net", subject="first")
            send("-oi", "-f", "me@example.com", "--", "bob@example.net", subject="second")
            send("-i", "-FCronDaemon", "-odi", "root", subject="third")
            heading("it answers 4xx: exit status 0, and the message waits")
            CONTROL.write_text("temporary-failure\n")
            send("-i", "-f", "me@example.com", "carol@example.net", subject="fourth")
            run("bin/mailq")
        heading("it is down altogether: the same")
        send("-i", "-odb", "-f", "me@example.com", "dave@example.net", subject="fifth")
        run("bin/mailq")
        heading("it is back: everything goes out")
        CONTROL.write_text("ok\n")
        with catcher(port):
            run("sbin/sendmail", "-q")
            wait_until(lambda: len(delivered()) >= 5, seconds=PATIENCE_S, what="five deliveries")
            wait_until(queue_is_empty, seconds=PATIENCE_S, what="an empty queue")
            run("bin/mailq")
    heading(f"delivered, in {MAILDIR.relative_to(CHECKOUT)}")
    subjects = delivered()
    for file, subject in subjects.items():
        say(f"{subject:8} {file.relative_to(CHECKOUT)}")
    return 0 if sorted(subjects.values()) == ["fifth", "first", "fourth", "second", "third"] else 1


def configure(smarthost: str, origin: str) -> None:
    """Write the configuration."""
    CONFIGURATION.write_text(
        f"smarthost: {smarthost}\n"
        f"origin: {origin}\n"
        f"root: admin@{origin}\n"
        f"spool: {PLACE / 'var/spool/pysendmail'}\n"
        f"socket: {SOCKET}\n"
        "wait: 5s\n"
        "retry_first: 2s\n"
    )


@contextlib.contextmanager
def catcher(port: int) -> Iterator[int]:
    """Have a smarthost run on a port of 127.0.0.1 (0: any free one), and give the port."""
    command = [sys.executable, "-m", "tests.helpers.catcher", "--port", str(port)]
    command += ["--maildir", str(MAILDIR), "--control", str(CONTROL)]
    with ended(subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextlib.contextmanager
def daemon(environ: dict[str, str]) -> Iterator[None]:
    """Have the daemon run."""
    program = [str(PLACE / "sbin/pysendmaild"), "--foreground", "--config", str(CONFIGURATION)]
    with (
        open(PLACE / "daemon.log", "wb") as log,
        ended(subprocess.Popen(program, env=clean(environ), stdout=log, stderr=log)) as process,
    ):
        wait_until(
            lambda: process.poll() is not None or answers(),
            seconds=PATIENCE_S,
            what="the daemon",
            evidence=(PLACE / "daemon.log").read_text,
        )
        if process.returncode is not None:
            sys.exit((PLACE / "daemon.log").read_text())
        yield


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process with the block."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        if process.stdout:
            process.stdout.close()


def answers() -> bool:
    """Tell whether somebody listens at the submission socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(SOCKET)) == 0


def send(*options: str, to: str = "", subject: str) -> None:
    """Run sendmail on a message and show its exit status."""
    text = message("me@example.com", to or options[-1], subject)
    status = run("sbin/sendmail", *options, text=text).returncode
    say(f"(exit status {status})")


def message(sender: str, recipient: str, subject: str) -> str:
    """Return a message as local programs write it."""
    return f"From: {sender}\nTo: {recipient}\nSubject: {subject}\n\nSent by `make try`.\n"


def run(program: str, *words: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run one of the programs before the person's eyes."""
    say(f"$ {shlex.join([TOLD[program], *words])}{' < message' if text else ''}")
    return subprocess.run(
        [str(PLACE / program), *words], input=text.encode(), env=clean({}), check=False
    )


def clean(environ: dict[str, str]) -> dict[str, str]:
    """Return an environment with our configuration and no other setting of pysendmail's."""
    rest = {name: text for name, text in os.environ.items() if not name.startswith("PYSENDMAIL_")}
    return {**rest, "PYSENDMAIL_CONFIG": str(CONFIGURATION), **environ}


def queue_is_empty() -> bool:
    """Tell whether nothing waits any more."""
    command = [str(PLACE / "bin/mailq")]
    told = subprocess.run(command, env=clean({}), stdout=subprocess.PIPE, check=True)
    return b"empty" in told.stdout


def delivered() -> dict[Path, str]:
    """Return the subject of every message in the Maildir, by file."""
    files = sorted((MAILDIR / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
    return {file: BytesHeaderParser().parsebytes(file.read_bytes())["Subject"] for file in files}


def heading(text: str) -> None:
    """Say what comes next."""
    say(f"\n== {text}")


def say(line: str) -> None:
    """Tell the person at the keyboard, in order with what the programs say."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
