"""One configured pysendmail, as its administrator and its users see it: `Site` and its `Daemon`.

A `Site` is the configuration, spool and socket in a directory of its own, with `sendmail` and the
tools to run and a daemon to start, kill and start again.  It removes itself and ends whatever was
started from its configuration.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.helpers.installed import (
    PATIENCE_S,
    SEARCH_PATH,
    Completed,
    Installation,
    end_processes_of,
    run_program,
)
from tests.helpers.people import People
from tests.helpers.smarthost import Smarthost
from tests.helpers.waiting import wait_until


class Site:
    """One configured pysendmail; `close()` removes it and ends all that runs there.

    `smarthost` None: none configured.  `people`: among whom its programs run, instead of this
    machine's users.  `configuration`: further keys of pysendmail.yaml, None takes a key away.
    """

    def __init__(
        self,
        installation: Installation,
        smarthost: Smarthost | None = None,
        *,
        people: People | None = None,
        ca_file: str = "",
        user: str = "",
        password: str = "",
        **configuration: str | None,
    ) -> None:
        self.installation = installation
        self.people = people
        self.directory = Path(
            tempfile.mkdtemp(prefix="pysendmail-site-")
        )  # short: a socket lies in it
        os.chmod(self.directory, 0o755)  # for submissions of other users
        self.path = self.directory / "pysendmail.yaml"
        self.daemon = Daemon(self)
        self._configuration: dict[str, str | None] = {
            "smarthost": smarthost.url if smarthost else None,
            "origin": "example.com",
            "hostname": "client.example.com",
            "aliases": str(self.directory / "aliases"),
            "spool": str(self.directory / "spool"),
            "socket": str(self.directory / "run/submit.sock"),
            "ca_file": ca_file or None,
            "wait": "5s",
            "log": "stderr",
            "retry_first": "1s",
            "retry_longest": "2s",
        }
        if user:
            self._configuration["user"] = user
            self._configuration["password_file"] = str(self.directory / "password")
            self.set_password(password)
        self.configure(**configuration)

    @property
    def socket(self) -> str:
        """The submission socket."""
        return str(self._configuration["socket"])

    def configure(self, **changes: str | None) -> None:
        """Write the configuration with these keys changed, for the daemon's next reload."""
        self._configuration |= {name.rstrip("_"): value for name, value in changes.items()}
        lines = (
            f"{name}: {value}\n" for name, value in self._configuration.items() if value is not None
        )
        fresh = self.path.with_suffix(".new")
        fresh.write_text("".join(lines))
        os.chmod(fresh, 0o644)
        fresh.rename(self.path)

    def set_password(self, password: str) -> None:
        """Write the password's file anew, readable by its owner only."""
        fresh = self.directory / "password.new"
        fresh.touch(mode=0o600)
        fresh.write_text(password + "\n")
        fresh.rename(self.directory / "password")

    def make_spool(self) -> None:
        """Have the daemon make the spool, as an installation does, and leave."""
        self.daemon.start()
        self.daemon.stop()

    def run(
        self,
        name: str,
        *argv: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        **how: Any,
    ) -> Completed:
        """Run a program with this configuration; `how`: the keywords of `run_program`."""
        program = [self.installation.program(name), *argv]
        configured = {"PYSENDMAIL_CONFIG": str(self.path), **(env or {})}
        if self.people is not None:
            how["within"] = self.people.within(how.pop("uid", None) or 0)
        return run_program(program, stdin, env=configured, **how)

    def sendmail(self, *argv: str, stdin: bytes = b"", **how: Any) -> Completed:
        """Run sendmail with this configuration; `how`: the keywords of `run_program`."""
        return self.run("sendmail", *argv, stdin=stdin, **how)

    def send(self, subject: str, *recipients: str, mode: str = "-odi", **how: Any) -> Completed:
        """Run sendmail as cron does, with a message whose Subject tells it from the others."""
        return self.sendmail(
            "-i", mode, "-f", "sender@example.com", "--", *recipients, stdin=message(subject), **how
        )

    def mailq(self) -> str:
        """Return the listing of the queue."""
        return self._told("mailq")

    def status(self) -> str:
        """Return what `pysendmail status` says."""
        return self._told("pysendmail", "status", any_exit=True)

    def is_idle(self) -> bool:
        """Tell whether nothing waits in the queue."""
        return "is empty" in self.mailq()

    def wait_idle(self, seconds: float = 30.0) -> None:
        """Wait until nothing waits in the queue."""
        wait_until(self.is_idle, seconds=seconds, what="an empty queue", evidence=self.evidence)

    def flush(self) -> None:
        """Have everything attempted now."""
        self._told("sendmail", "-q")

    def evidence(self) -> str:
        """Return queue and log: what a failing test shows."""
        try:
            listing = self.mailq()
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            listing = f"no listing: {error}"
        return f"--- mailq\n{listing}\n--- daemon's log\n{self.daemon.log()}"

    def close(self) -> None:
        """End the daemon and all that was started from this configuration; remove everything."""
        try:
            self.daemon.kill()
        finally:
            end_processes_of(self.directory)
            shutil.rmtree(self.directory, ignore_errors=True)

    def _told(self, name: str, *argv: str, any_exit: bool = False) -> str:
        done = self.run(name, *argv, seconds=20.0)
        assert any_exit or done.returncode == 0, (
            f"{name} {argv}: status {done.returncode}: {done.stderr!r}"
        )
        return done.stdout.decode(errors="replace")


class Daemon:
    """pysendmaild in the foreground, with the configuration of a `Site`, in one life or several."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; AssertionError when it does not run."""
        assert self._process is not None, "the daemon does not run"
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """Where its standard error goes: the log of all its lives."""
        return self._site.directory / "daemon.log"

    def start(self, *, env: Mapping[str, str] | None = None, uid: int | None = None) -> None:
        """Start it; returns when its socket takes connections, else AssertionError with the log."""
        assert self._process is None, "the daemon runs already"
        pysendmaild = self._site.installation.program("pysendmaild")
        program = [pysendmaild, "--foreground", "--config", str(self._site.path)]
        if self._site.people is not None:
            program = [*self._site.people.within(), *program]
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *program],
                env={"PATH": SEARCH_PATH, **(env or {})},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
            )
        try:
            wait_until(self._answers, what="the daemon to answer", evidence=self.log)
        except BaseException:
            self.kill()
            raise

    def reload(self) -> None:
        """SIGHUP."""
        os.kill(self.pid, signal.SIGHUP)

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM; return the exit status.  After `seconds` killed, with AssertionError."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """SIGKILL, when it runs."""
        if self._process is not None:
            self._end(signal.SIGKILL, PATIENCE_S)

    def restart(self) -> None:
        """SIGKILL and start."""
        self.kill()
        self.start()

    def log(self) -> str:
        """Return what it has written to standard error in all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_for_log(self, words: Callable[[str], bool], what: str, seconds: float = 30.0) -> None:
        """Wait until `words` is true of the log."""
        wait_until(lambda: words(self.log()), seconds=seconds, what=what, evidence=self.log)

    def _end(self, number: signal.Signals, seconds: float) -> int:
        assert self._process is not None, "the daemon does not run"
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"the daemon took longer than {seconds:g} s to end\n{self.log()}"
            ) from None

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(
                f"pysendmaild ended: status {self._process.returncode}\n{self.log()}"
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(self._site.socket) == 0


def message(subject: str, text: str = "Hello.") -> bytes:
    """Return a small message, with LF line ends as local programs write it."""
    return f"Subject: {subject}\nFrom: sender@example.com\n\n{text}\n".encode()
