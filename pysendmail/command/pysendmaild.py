"""pysendmaild: the daemon, in the background, in the foreground (systemd, PID 1) or lingering.

Started by root it takes the user who owns the spool, after it has read configuration and password:
what serves callers has no privilege. python-daemon detaches it; everything it needs to know is said
to `DaemonContext` in words, since its defaults (umask 0, no descriptors, detach as PID 1's child)
are not ours.
"""

from __future__ import annotations

import argparse
import errno
import os
import pwd
import resource
import signal
import sys

from pysendmail import __version__
from pysendmail.command.stdin import repair_descriptors, say, set_umask
from pysendmail.config.defaults import CONFIG_VARIABLE
from pysendmail.config.errors import ConfigError
from pysendmail.config.load import load
from pysendmail.config.secrets import read_listen_password, read_password
from pysendmail.config.snapshot_writer import write_snapshot
from pysendmail.daemon.lifecycle import (
    DROPPED,
    FLUSH,
    RELOAD,
    STOP,
    AlreadyRunning,
    Daemon,
    SpoolLock,
)
from pysendmail.daemon.listener import Listeners, bind_endpoints, open_listeners
from pysendmail.daemon.privacy import close_to_others
from pysendmail.daemon.volume import volatile_spool
from pysendmail.journal import STDERR, SYSLOG, WARNING, Journal
from pysendmail.spool.directory import DirectorySpool
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.drop_door import make_drop_directory
from pysendmail.submission.exit_status import EX_CONFIG, EX_TEMPFAIL, EX_UNAVAILABLE
from pysendmail.submission.socket_door import is_served

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from types import FrameType
    from typing import NoReturn

    from pysendmail.config.keys import Config
    from pysendmail.config.load import Loaded
    from pysendmail.message.aliases import Source

SYSTEM_USER = "pysendmail"
# As many as the unit of systemd asks for.
DESCRIPTORS = 16384


def main() -> NoReturn:
    """Run the daemon and leave: 2 for a bad command line, else as sysexits(3) says."""
    repair_descriptors()
    set_umask()
    close_to_others()
    os._exit(run(parse_arguments(sys.argv[1:])))


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="pysendmaild", description="Take mail from sendmail and hand it to the smarthost."
    )
    parser.add_argument("--foreground", action="store_true", help="do not detach; log to stderr")
    parser.add_argument("--linger", action="store_true", help="end when the queue is empty")
    parser.add_argument("--config", metavar="FILE", help="another configuration file")
    parser.add_argument("--version", action="version", version=__version__)
    return parser.parse_args(words)


def run(options: argparse.Namespace) -> int:
    """Start the daemon; returns its exit status."""
    if path := options.config or os.environ.get(CONFIG_VARIABLE):
        os.environ[CONFIG_VARIABLE] = os.path.abspath(path)
    try:
        loaded = load(os.environ)
        password = read_password(loaded.config)
        # One that lingers takes no mail by SMTP, and its user may not know that password.
        smtp_password = None if options.linger else read_listen_password(loaded.config)
    except ConfigError as error:
        for line in error.errors:
            say(2, f"pysendmaild: {line}".encode())
        return EX_CONFIG
    config = loaded.config
    bound, unbound = bind_smtp(config, options)
    try:
        save_snapshot(loaded)
        leave_root(config)
        DirectorySpool.create(config.spool).close()
        make_drop_directory(config.spool)
        lock = SpoolLock(
            config.spool, linger=options.linger, served=lambda: is_served(config.socket)
        )
        if unbound is not None:
            raise unbound
        listeners = open_listeners(config.socket, os.environ, bound)
    except AlreadyRunning as error:
        if not options.linger:
            say(2, f"pysendmaild: {error}".encode())
        return EX_UNAVAILABLE
    except (OSError, SpoolError) as error:
        say(2, f"pysendmaild: {error}".encode())
        return EX_TEMPFAIL
    ended_as_asked = serve(options, loaded, (password, smtp_password), lock, listeners)
    return 0 if ended_as_asked else EX_TEMPFAIL


def bind_smtp(
    config: Config, options: argparse.Namespace
) -> tuple[list[socket.socket], OSError | None]:
    """Bind the ports for SMTP, which may take privileges that are given up later.

    The error is for later, too: when another daemon serves the spool, that is what is to be told.
    A daemon that only lingers is nobody to rely on, so it does not listen.
    """
    try:
        return ([] if options.linger else bind_endpoints(config.listen)), None
    except OSError as error:
        return [], error


def save_snapshot(loaded: Loaded) -> None:
    """Leave the shim a copy that it reads without a YAML parser, if we may write there."""
    try:
        write_snapshot(loaded)
    except OSError:
        pass  # the shim reads the YAML file itself then


def leave_root(config: Config) -> None:
    """As root, prepare the directories and become the user who owns the spool, for good.

    Raises OSError; a root without privileges, as containers have it, is told what to do.
    """
    try:
        prepare_directories(config)
        take_spool_owner(config.spool)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        uid = os.stat(config.spool).st_uid
        told = f"this root may not become uid {uid}, who owns {config.spool}: start it as that user"
        raise OSError(told) from error


def prepare_directories(config: Config) -> None:
    """As root, make spool and socket directory and give them to their owner."""
    if os.geteuid() != 0:
        return
    if not os.path.isdir(config.spool):
        os.makedirs(config.spool, mode=0o711)
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
            os.chown(config.spool, entry.pw_uid, entry.pw_gid)
        except KeyError:
            pass  # a container without that user: the spool is root's, and so is the daemon
    owner = os.stat(config.spool)
    directory = os.path.dirname(config.socket)
    if not os.path.isdir(directory):
        os.makedirs(directory, mode=0o755)
        os.chown(directory, owner.st_uid, owner.st_gid)


def take_spool_owner(spool: str) -> None:
    """As root, become the user who owns the spool, for good."""
    if os.geteuid() != 0:
        return
    owner = os.stat(spool)
    if owner.st_uid == 0:
        return
    os.setgroups([])
    os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
    os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
    close_to_others()


def serve(
    options: argparse.Namespace,
    loaded: Loaded,
    passwords: tuple[bytes | None, bytes | None],
    lock: SpoolLock,
    listeners: Listeners,
) -> bool:
    """Detach where that is wanted, and run until the end; False when the spool was lost."""
    from daemon import DaemonContext

    config = loaded.config
    password, smtp_password = passwords
    context = DaemonContext(
        detach_process=not options.foreground,
        umask=0o077,
        working_directory=config.spool,
        files_preserve=[lock, listeners.submission, *listeners.smtp],
        stdin=None,
        stdout=open_if(1) if options.foreground else None,
        stderr=open_if(2) if options.foreground else None,
        initgroups=False,
        signal_map={},  # our own handlers are set when there is somebody to tell
    )
    with context:
        lock.sign()
        allow_descriptors()
        journal = Journal(
            config.log or (STDERR if options.foreground else SYSLOG), "pysendmaild", os.environ
        )
        for warning in loaded.warnings:
            journal.event("", "configuration", priority=WARNING, said=warning)
        if volatile := volatile_spool(config.spool):
            journal.event("", "spool will not survive", priority=WARNING, said=volatile)
        daemon = Daemon(
            config,
            password,
            DirectorySpool(config.spool),
            journal,
            os.environ,
            listeners,
            read_configuration,
            smtp_password=smtp_password,
            linger=options.linger,
            source=source_of(loaded) if options.linger else None,
        )
        handle_signals(daemon)
        daemon.watch_drops()
        return daemon.run()


def source_of(loaded: Loaded) -> Source:
    """Return the state that the configuration file was in when it was read."""
    identity = loaded.file.identity if loaded.file else None
    return loaded.path, *(identity or (0, 0, 0))


def allow_descriptors() -> None:
    """Let us open more files than the usual 1,024: each message under way keeps one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_if(descriptor: int) -> object:
    """Return a file object over a descriptor that is ours to keep."""
    return open(descriptor, "w", closefd=False)


def read_configuration() -> tuple[Config, bytes | None]:
    """Return configuration and password as they are now; raises ConfigError."""
    config = load(os.environ).config
    return config, read_password(config)


def handle_signals(daemon: Daemon) -> None:
    """Turn signals into orders; one thread obeys them in turn."""

    def handler(order: str) -> object:
        def take(_number: int, _frame: FrameType | None) -> None:
            daemon.orders.put(order)

        return take

    for number, order in (
        (signal.SIGTERM, STOP),
        (signal.SIGINT, STOP),
        (signal.SIGHUP, RELOAD),
        (signal.SIGUSR1, FLUSH),
        (signal.SIGIO, DROPPED),
    ):
        signal.signal(number, handler(order))  # type: ignore[arg-type]
    daemon.orders.hear_signals()
    # A caller of sendmail may have had them blocked, and we are its child.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
