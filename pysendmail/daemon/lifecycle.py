"""The life of a daemon: lock, socket, threads, signals, drain, end.

One daemon for one spool: the lock is held by the process and dies with it. SIGTERM and SIGINT drain
(no new submissions, what is under way ends or is spooled), SIGHUP reloads the configuration,
SIGUSR1 runs the queue. A daemon that will be started again ends by itself when nothing has waited
and nobody has called for a while: one that lingers, and with `idle_exit` one whose socket the
service manager keeps. One that lingers also sees for itself that the configuration has changed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
import time

from pysendmail.daemon.control import Viewer, respond
from pysendmail.daemon.drop_intake import DropIntake
from pysendmail.daemon.orders import Orders
from pysendmail.daemon.scheduler import Scheduler
from pysendmail.daemon.server import Server
from pysendmail.daemon.smtp_server import SmtpServer
from pysendmail.daemon.state import Relay, State, has_changed
from pysendmail.daemon.submissions import Submissions
from pysendmail.daemon.workers import Workers
from pysendmail.journal import ERROR, WARNING
from pysendmail.message.alias_file import source_of
from pysendmail.spool.errors import SpoolError
from pysendmail.spool.layout import BROKEN
from pysendmail.submission.answer import ERROR as ANSWER_ERROR
from pysendmail.submission.drop_door import drop_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from pysendmail.config.keys import Config
    from pysendmail.daemon.listener import Listeners
    from pysendmail.journal import Journal
    from pysendmail.message.aliases import Source
    from pysendmail.spool.contract import Spool

STOP, RELOAD, FLUSH = "stop", "reload", "flush"
DROPPED = "dropped"  # something has come into the drop directory
SPOOL_LOST = "spool lost"  # it is not where its name leads to any more

# How long what is under way may take to end. Who kills us sooner, as containers do after ten
# seconds, loses nothing: what was answered is in the spool, and what was not stays with its caller.
DRAIN_S = 25.0
# What a reload cannot change.
NEED_A_RESTART = (
    "spool", "socket", "connections", "listen", "listen_for", "listen_user",
    "listen_password_file",
)  # fmt: skip
LOOK_S = 15.0  # how often a daemon that nobody asks for anything looks at its spool
LINGER_S = 20.0  # a burst of cron jobs finds the daemon that the first of them started


def lock_path(spool: str) -> str:
    """Return where the lock of a spool is."""
    return f"{spool}/daemon.lock"


class AlreadyRunning(Exception):
    """Another daemon serves this spool."""


class SpoolLock:
    """The lock that makes a daemon the only one of its spool; ends with the process.

    A daemon that was asked for takes over from one that only lingers: it tells it to stop and waits
    until it has drained. One that lingers waits for a daemon that drains, since nobody else would
    see to what was spooled meanwhile. `served` tells whether the submission socket is answered.
    Raises AlreadyRunning where another one serves.
    """

    def __init__(self, spool: str, *, linger: bool, served: Callable[[], bool]) -> None:
        self._linger = linger
        self._fd = os.open(lock_path(spool), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not (self._take() or (self._wait(served) if linger else self._succeed())):
            pid = read_holder(self._fd)[0] or "not known yet"
            os.close(self._fd)
            raise AlreadyRunning(f"another daemon (pid {pid}) serves {spool}")
        os.ftruncate(self._fd, 0)  # whoever reads it now must not take an old pid for ours

    def sign(self) -> None:
        """Write our pid into the lock, and whether we linger."""
        os.pwrite(self._fd, b"%d%b\n" % (os.getpid(), b" lingers" if self._linger else b""), 0)

    def fileno(self) -> int:
        """Return the descriptor that holds the lock."""
        return self._fd

    def _take(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _succeed(self) -> bool:
        """Have a lingering daemon end, and take its place; tell whether that came about."""
        pid, lingers = read_holder(self._fd)
        if not (lingers and pid.isdigit() and is_lingering_daemon(pid)):
            return False
        try:
            os.kill(int(pid), signal.SIGTERM)
        except OSError:
            return False  # another user's: not ours to end
        return self._wait(lambda: False)

    def _wait(self, hopeless: Callable[[], bool]) -> bool:
        """Wait for the lock as long as a drain may take, unless there is no hope."""
        end = time.monotonic() + DRAIN_S + 5.0
        while not self._take():
            if hopeless() or time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True


def read_holder(lock: int) -> tuple[str, bool]:
    """Return what the holder of a lock file has written: its pid, and whether it lingers."""
    pid, _, rest = os.pread(lock, 40, 0).decode("ascii", "replace").partition(" ")
    return pid.strip(), rest.strip() == "lingers"


def is_lingering_daemon(pid: str) -> bool:
    """Tell whether the process of this number is what a lock says that it is.

    The lock may have been signed in another container, where that number is somebody else's.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as told:
            return b"--linger" in told.read().split(b"\0")
    except OSError:
        return False


class Daemon:
    """One daemon; `orders` takes STOP, RELOAD, FLUSH and DROPPED from signal handlers.

    `read_configuration` returns configuration and password; it raises ConfigError. `smtp_password`
    is what clients of the SMTP listener must know. With `source`, the state of the configuration
    file that was read, a change of that file is a reason to reload: whoever asks us for something
    may not know that there is a daemon that has read it before.
    """

    def __init__(
        self,
        config: Config,
        password: bytes | None,
        spool: Spool,
        journal: Journal,
        environ: MutableMapping[str, str],
        listeners: Listeners,
        read_configuration: Callable[[], tuple[Config, bytes | None]],
        *,
        smtp_password: bytes | None = None,
        linger: bool = False,
        source: Source | None = None,
    ) -> None:
        self.orders = Orders()
        self._environ = environ
        self._journal = journal
        self._linger = linger
        self._kept = listeners.kept
        self._read_configuration = read_configuration
        self._source = source
        self._reloading = threading.Lock()
        workers = Workers(config.connections, self._worker_failed)
        relay = Relay(config, password, journal)
        scratch = drop_directory(config.spool)
        self._state = State(relay, spool, workers, journal, scratch=scratch)
        submissions = Submissions(self._state)
        self._drops = DropIntake(
            scratch,
            take=submissions.take_dropped,
            put_aside=lambda name: put_aside(config.spool, name),
            note=lambda what, name: journal.event(
                "", "drop file " + what, priority=WARNING, name=name
            ),
        )
        self._scheduler = Scheduler(self._state, self._drops)
        self._server = Server(
            listeners.submission, self._state, submissions, self._scheduler, self._come_to_answer
        )
        self._smtp = SmtpServer(listeners.smtp, self._state, submissions, smtp_password)

    def watch_drops(self) -> None:
        """Have the kernel say by SIGIO when something comes into the drop directory.

        From then on each SIGIO is to become DROPPED; without it that is looked for every second.
        """
        self._drops.hear()

    def run(self) -> bool:
        """Serve until told to stop, or until nothing is left to do for one that may end then.

        Returns False when it ended because its spool is no longer there: it has to be started anew.
        """
        for part in (self._scheduler.run, self._server.run, self._smtp.run):
            threading.Thread(target=part, name=part.__qualname__, daemon=True).start()
        for address in self._smtp.addresses:
            self._journal.event("", "takes mail by SMTP", at=address)
        if self._state.config.idle_exit and not (self._linger or self._kept):
            self._journal.event(
                "", "idle_exit is ignored", priority=WARNING, said="nobody would start us again"
            )
        self._journal.event("", "ready", pid=os.getpid(), spool=self._state.config.spool)
        notify(self._environ, b"READY=1")
        while (order := self._next_order()) not in (STOP, SPOOL_LOST):
            self._obey(order)
        if order == SPOOL_LOST:
            path = self._state.config.spool
            text = f"{path} is no longer the spool that was opened; ending, to begin anew"
            self._journal.event("", "spool lost", priority=ERROR, said=text)
        self._drain()
        return order == STOP

    def _next_order(self) -> str:
        """Return the next order: STOP also when there was nothing to do for as long as we stay
        then, SPOOL_LOST when we work in a spool that nobody would find again.
        """
        idle_since = time.monotonic()
        while True:
            patience = self._idle_exit()
            order = self.orders.get(min(patience / 4, 1.0) if patience else LOOK_S)
            if order is not None:
                return order
            if self._spool_is_lost():
                return SPOOL_LOST
            self._keep_up()
            if not patience or not self._idle():
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > patience and self._stop_if_idle():
                return STOP

    def _spool_is_lost(self) -> bool:
        """Tell whether our spool was removed or replaced."""
        try:
            return not self._state.spool.in_place()
        except OSError:
            return False  # the disk is in trouble, which may pass

    def _idle_exit(self) -> float:
        """Return after how many seconds without work the daemon ends; 0: never."""
        if self._linger:
            return LINGER_S
        return self._state.config.idle_exit if self._kept else 0.0

    def _obey(self, order: str) -> None:
        if order == FLUSH:
            self._flush()
        elif order == DROPPED:
            self._state.spool.wake()
        else:
            self._reload()

    def _flush(self) -> None:
        answer = respond(
            self._state.spool,
            [b"aflush"],
            Viewer(os.geteuid(), trusted=True),
            self._scheduler,
        )
        for letter, value in answer:
            if letter == ANSWER_ERROR:
                self._journal.event("", "not flushed", priority=WARNING, said=value)

    def _come_to_answer(self) -> None:
        """See, before each answer, whether what we go by still holds."""
        self._keep_up()
        if self._spool_is_lost():
            self.orders.put(SPOOL_LOST)

    def _keep_up(self) -> None:
        """Reload if the configuration file has changed and that is for us to see."""
        if self._source is None:
            return
        with self._reloading:
            if has_changed(self._source):
                self._read_again()

    def _reload(self) -> None:
        with self._reloading:
            self._read_again()

    def _read_again(self) -> None:
        if self._source is not None:
            self._source = source_of(self._source[0])
        notify(self._environ, b"RELOADING=1\nMONOTONIC_USEC=%d" % (time.monotonic_ns() // 1000))
        try:
            config, password = self._read_configuration()
        except Exception as error:
            self._journal.event("", "not reloaded", priority=ERROR, said=str(error))
        else:
            for key in NEED_A_RESTART:
                if getattr(config, key) != getattr(self._state.config, key):
                    self._journal.event("", "needs a restart", priority=WARNING, key=key)
            self._state.reload(Relay(config, password, self._journal))
            self._state.spool.wake()
            self._journal.event("", "reloaded")
        notify(self._environ, b"READY=1")

    def _idle(self) -> bool:
        """Tell whether nobody is served and nothing waits."""
        return self._server.idle() and self._smtp.idle() and self._nothing_waits()

    def _nothing_waits(self) -> bool:
        """Tell whether queue and drop directory are empty."""
        try:
            return not (
                self._state.spool.count(1) or self._scheduler.busy() or self._scheduler.drops_wait()
            )
        except SpoolError:
            return False  # what waits is not known: somebody must stay

    def _stop_if_idle(self) -> bool:
        """Take nothing more if there is nothing to do; tell whether that is so."""
        return self._server.stop_if(lambda: self._smtp.stop_if(self._nothing_waits))

    def _drain(self) -> None:
        """End in order: nobody new comes in, nothing new begins, what runs may finish."""
        notify(self._environ, b"STOPPING=1")
        state = self._state
        end = time.monotonic() + DRAIN_S
        state.accepts_deliveries = False
        self._scheduler.stop()
        self._smtp.stop()
        self._server.close(DRAIN_S)
        self._smtp.close(max(end - time.monotonic(), 0.0))
        clean = state.workers.close(max(end - time.monotonic(), 0.0))
        state.relay.pool.close()
        self._journal.event("", "stopped" if clean else "stopped with deliveries under way")

    def _worker_failed(self, error: Exception) -> None:
        if isinstance(error, OSError | SpoolError):
            self._journal.spool_trouble(error)
        else:
            self._journal.event("", "delivery failed in itself", priority=ERROR, said=repr(error))


def put_aside(spool: str, name: str) -> None:
    """Move a file of the drop directory to where a person will find it, under a name of its own."""
    directory = f"{spool}/{BROKEN}"
    os.rename(f"{drop_directory(spool)}/{name}", f"{directory}/drop-{os.urandom(8).hex()}")


def notify(environ: MutableMapping[str, str], text: bytes) -> None:
    """Tell the service manager, if there is one that listens (sd_notify(3))."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        try:
            manager.sendto(text, address)
        except OSError:
            pass  # its absence is no reason to stop the mail
