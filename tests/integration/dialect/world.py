"""The world in which the cases V01-V44 are told: alice, a sink, and the three doors.

One installation and one daemon serve all cases of a door. What the sink takes is looked at in all
of them: no bare CR or LF, no line over 998 octets, no Bcc, dots doubled (RFC 5321 section 4.5.2).
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

from tests.helpers.dialogue import Caught
from tests.helpers.installed import SEARCH_PATH, Completed, Installation, end_processes_of
from tests.helpers.people import ALICE, People
from tests.helpers.sink import BLACKHOLE, DOWN, FULL, Sink
from tests.helpers.system import Site
from tests.helpers.waiting import wait_until

SOCKET, DIRECT, DROP = "socket", "direct", "drop"
DOORS = (SOCKET, DIRECT, DROP)
ROOT = 0

S = b"Subject: t\n"
V01 = S + b"\nbody\n"
PROMPT_S = 2.0  # in which every command is back
LINE_LIMIT = 998  # RFC 5322 section 2.1.1
GENERATED = ("Received", "Message-ID", "Date", "From")
NEVER_SENT = ("Bcc", "Resent-Bcc", "Return-Path")


class Mail:
    """One message as the sink took it."""

    def __init__(self, caught: Caught, wire: bytes) -> None:
        self.caught = caught
        self.wire = wire
        self.parsed: Message = BytesParser(policy=compat32).parsebytes(caught.content)
        _, _, self.body = caught.content.partition(b"\r\n\r\n")

    @property
    def sender(self) -> bytes:
        """The envelope's sender."""
        return self.caught.sender

    @property
    def recipients(self) -> tuple[bytes, ...]:
        """The envelope's recipients."""
        return self.caught.recipients

    def fields(self, name: str) -> list[str]:
        """Return the values of all fields of a name, unfolded."""
        values = self.parsed.get_all(name, [])
        return [" ".join(str(value).split()) for value in values]

    def field(self, name: str) -> str:
        """Return the value of a field that is there exactly once."""
        [value] = self.fields(name)
        return value

    def lines(self) -> list[bytes]:
        """Return the lines of the body; the last one must have its end."""
        assert self.body.endswith(b"\r\n") or not self.body
        return self.body.split(b"\r\n")[:-1]

    def check_generated(self) -> None:
        """Each field that a message needs is there once."""
        assert {name: len(self.fields(name)) for name in GENERATED} == dict.fromkeys(GENERATED, 1)

    def check_wire(self) -> None:
        """Hold what went over the wire against the rules for every message."""
        bare = self.wire.replace(b"\r\n", b"")
        assert b"\r" not in bare
        assert b"\n" not in bare
        lines = self.wire.split(b"\r\n")
        assert max(map(len, lines)) <= LINE_LIMIT + 1  # one dot more than the line itself
        assert not [line for line in lines if line.startswith(b".") and line[:2] != b".."]
        undotted = [line.removeprefix(b".") for line in lines]
        assert b"\r\n".join(undotted) == self.caught.content
        assert max(map(len, undotted)) <= LINE_LIMIT
        assert not [name for name in NEVER_SENT if self.fields(name)]


class World:
    """The way through one door: `sendmail` runs the program, `mails` is what came of it."""

    def __init__(self, door: str, installation: Installation, people: People, sink: Sink) -> None:
        self.door = door
        self.sink = sink
        self.people = people
        self.site = Site(
            installation,
            sink,
            people=people,
            origin="example.test",
            hostname="client.example.test",
            linger="false",
            retry_first="1h",  # nothing is attempted again but on demand
            retry_longest="1h",
        )
        self._socket_directory = os.path.dirname(self.site.socket)
        if door == DIRECT:  # a container of alice's own: spool and socket are hers
            for name in ("spool", "run"):
                os.mkdir(self.site.directory / name)
                os.chown(self.site.directory / name, ALICE, ALICE)
        else:
            self.site.daemon.start()
        if door == DROP:  # nobody but the daemon and root comes to the socket
            os.chmod(self._socket_directory, 0o700)

    def __repr__(self) -> str:
        return f"World({self.door!r})"

    def reset(self) -> None:
        """Begin anew: nothing waits, the sink is well and has forgotten everything."""
        if self.door == DIRECT:
            end_processes_of(self.site.directory)  # a daemon that was started for the queue
        if not self.is_quiet():
            self.sink.play(DOWN)
            wait_until(lambda: not self.dropped(), what="an empty drop directory")
            wait_until(self._delete_all, what="an empty queue", evidence=self.site.evidence)
        was_away = self.sink.profile in (DOWN, BLACKHOLE)
        self.sink.play(FULL)
        if was_away:
            self.site.run("runq", uid=self.owner)  # the daemon may believe in it again
            end_processes_of(self.site.directory) if self.door == DIRECT else None

    def _delete_all(self) -> bool:
        if waiting := self.waiting():
            self.site.run("pysendmail", "queue", "delete", *waiting, uid=self.owner)
        return self.is_quiet()

    @property
    def owner(self) -> int:
        """The user who sees the whole queue."""
        return ALICE if self.door == DIRECT else ROOT

    def run(
        self, name: str, *argv: str, uid: int = ALICE, stdin: bytes = b"", **how: Any
    ) -> Completed:
        """Run a program by one of its names."""
        return self.site.run(name, *argv, stdin=stdin, uid=uid, **how)

    def popen(
        self,
        *argv: str | bytes,
        uid: int = ALICE,
        env: Mapping[str, str] | None = None,
        **how: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a command that ends in sendmail, for those who look at what happens meanwhile."""
        configured = {"PYSENDMAIL_CONFIG": str(self.site.path), **(env or {})}
        usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": "/"}
        return subprocess.Popen(
            [*self.people.within(uid), *argv],
            env={"PATH": SEARCH_PATH, **configured} if env is None else configured,
            **{**usual, **how},
        )

    @property
    def program(self) -> str:
        """The path of sendmail."""
        return self.site.installation.program("sendmail")

    def sendmail(
        self,
        *argv: str,
        stdin: bytes = V01,
        status: int = 0,
        stdout: bytes = b"",
        stderr: bytes = b"",
        seconds: float = PROMPT_S,
        **how: Any,
    ) -> Completed:
        """Run sendmail as alice; it must be back soon, and say just what is expected."""
        began = time.monotonic()
        done = self.run("sendmail", *argv, stdin=stdin, **how)
        assert time.monotonic() - began < seconds
        assert (done.returncode, done.stdout, done.stderr) == (status, stdout, stderr)
        return done

    def refused(self, *argv: str, stdin: bytes = V01, status: int = 64, **how: Any) -> bytes:
        """Run sendmail, which must refuse and leave nothing behind; return its one line."""
        done = self.run("sendmail", *argv, stdin=stdin, **how)
        assert (done.returncode, done.stdout) == (status, b"")
        [line] = done.stderr.splitlines()
        assert self.is_quiet()
        assert self.sink.received() == []
        return line

    def mails(self, count: int = 1) -> list[Mail]:
        """Return the messages that came of it, once that many have come and nothing waits.

        One pass over the queue is made for what was left there or in the drop directory.
        """
        if not self.is_quiet():
            self.site.run("runq", uid=self.owner)
        wait_until(
            lambda: len(self.sink.taken()) >= count and self.is_quiet(),
            what=f"{count} messages at the sink",
            evidence=lambda: f"{self.sink.received()}\n{self.site.evidence()}",
        )
        mails = [Mail(caught, wire) for caught, wire in self.sink.taken()]
        assert len(mails) == count
        for mail in mails:
            mail.check_wire()
        return mails

    def mail(self) -> Mail:
        """Return the one message that came of it."""
        [mail] = self.mails()
        return mail

    def is_quiet(self) -> bool:
        """Tell whether nothing waits, neither in the queue nor before it."""
        return not self.dropped() and not self.waiting()

    def dropped(self) -> list[str]:
        """Return the names in the drop directory."""
        return self._names("drop")

    def waiting(self) -> list[str]:
        """Return the ids of what waits in the queue, or is on its way into it."""
        return self._names("incoming") + self._names("queue")

    def _names(self, name: str) -> list[str]:
        directory = self.site.directory / "spool" / name
        return os.listdir(directory) if directory.exists() else []

    def listing(self) -> str:
        """Return what mailq says to the owner of the queue."""
        done = self.run("mailq", uid=self.owner)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    def entries(self) -> list[str]:
        """Return the first lines of the entries in the queue."""
        return re.findall(r"^[A-F0-9].*", self.listing(), re.MULTILINE)

    def close(self) -> None:
        """End everything."""
        self.site.close()


def recipients_of(mails: Sequence[Mail]) -> list[bytes]:
    """Return the recipients of several messages, sorted."""
    return sorted(recipient for mail in mails for recipient in mail.recipients)
