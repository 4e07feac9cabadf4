"""The life of a daemon: lock, listener, notification, orders, reload, end."""

from __future__ import annotations

import errno
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pysendmail.config.errors import ConfigError
from pysendmail.config.keys import Config
from pysendmail.daemon import lifecycle
from pysendmail.daemon.lifecycle import (
    DROPPED,
    FLUSH,
    RELOAD,
    STOP,
    AlreadyRunning,
    Daemon,
    SpoolLock,
    notify,
    put_aside,
)
from pysendmail.daemon.listener import (
    Listeners,
    bind,
    bind_endpoint,
    bind_endpoints,
    open_listeners,
    take_passed,
)
from pysendmail.message.alias_file import source_of
from pysendmail.spool.errors import SpoolError
from pysendmail.spool.memory import MemorySpool
from pysendmail.submission.drop_door import make_drop_directory
from pysendmail.submission.request import format_head
from pysendmail.submission.socket_door import NoDaemon, ask
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S
from tests.unit.spool.samples import FIRST, enter
from tests.unit.submission.samples import CONFIG, FakeJournal

# --- lock


def lock_of(
    spool: Path, *, linger: bool = False, served: Callable[[], bool] = lambda: False
) -> SpoolLock:
    return SpoolLock(str(spool), linger=linger, served=served)


@pytest.mark.trap(29)
def test_lock_refuses_a_second_daemon_and_names_the_first(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.sign()
    with pytest.raises(AlreadyRunning, match=rf"pid {os.getpid()}\b"):
        lock_of(tmp_path)
    os.close(lock.fileno())


def test_lock_ends_with_its_holder_whatever_the_file_says(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.sign()
    os.close(lock.fileno())
    again = lock_of(tmp_path)
    os.close(again.fileno())


HOLDER = """
import signal, sys
from pysendmail.daemon.lifecycle import SpoolLock
lock = SpoolLock(sys.argv[1], linger=sys.argv[2] == "lingers", served=lambda: True)
lock.sign()
print("held", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("mode", ["lingers", "stays"])
def test_lock_is_taken_over_only_from_a_daemon_that_lingers(tmp_path: Path, mode: str) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path), mode, "--linger"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            if mode == "lingers":
                lock = lock_of(tmp_path)
                assert holder.wait(PATIENCE_S) == -signal.SIGTERM
                os.close(lock.fileno())
            else:
                with pytest.raises(AlreadyRunning, match=rf"pid {holder.pid}\b"):
                    lock_of(tmp_path)
        finally:
            holder.kill()


def test_lingering_daemon_never_takes_over(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, linger=True)
    lock.sign()
    with pytest.raises(AlreadyRunning):
        lock_of(tmp_path, linger=True, served=lambda: True)
    os.close(lock.fileno())


def test_lingering_daemon_waits_for_one_that_drains(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.sign()
    looks: list[int] = []

    def served() -> bool:
        looks.append(1)
        if len(looks) == 2:
            os.close(lock.fileno())
        return False

    successor = lock_of(tmp_path, linger=True, served=served)
    assert len(looks) == 2
    os.close(successor.fileno())


def test_lock_whose_holder_has_not_signed_is_not_taken_over(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, linger=True)
    with pytest.raises(AlreadyRunning, match="not known yet"):
        lock_of(tmp_path)
    os.close(lock.fileno())


def test_process_that_has_the_number_of_a_lingering_daemon_elsewhere_is_left_alone(
    tmp_path: Path,
) -> None:
    lock = lock_of(tmp_path)
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (tmp_path / "daemon.lock").write_text(f"{innocent.pid} lingers\n")
        with pytest.raises(AlreadyRunning, match=f"pid {innocent.pid}"):
            lock_of(tmp_path)
        assert innocent.poll() is None
        innocent.kill()
    os.close(lock.fileno())


def test_lock_that_is_taken_has_no_old_pid(tmp_path: Path) -> None:
    (tmp_path / "daemon.lock").write_text("4711 lingers\n")
    lock = lock_of(tmp_path)
    assert (tmp_path / "daemon.lock").read_text() == ""
    os.close(lock.fileno())


# --- listener


def test_socket_is_for_everybody_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "run" / "s"
    before = os.umask(0o077)
    try:
        listener = bind(str(path))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    listener.close()


def test_socket_of_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    bind(str(tmp_path / "s")).close()
    bind(str(tmp_path / "s")).close()


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(OSError):
        bind(str(tmp_path / "s"))
    assert (tmp_path / "s").read_text() == "precious"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"},
        {"LISTEN_PID": str(os.getpid())},
    ],
)
def test_socket_passed_to_somebody_else_is_not_ours(environ: dict[str, str]) -> None:
    assert take_passed(environ) == []
    assert environ == {}


def test_listener_is_bound_where_none_was_passed(tmp_path: Path) -> None:
    listeners = open_listeners(str(tmp_path / "s"), {})
    with listeners.submission as listener:
        assert listener.getsockname() == str(tmp_path / "s")
    assert listeners.smtp == []


PASSED = """
import os, sys
from pysendmail.daemon.listener import open_listeners
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "2"
for descriptor, number in zip(map(int, sys.argv[2:]), (3, 4)):
    os.dup2(descriptor, number + 100)
for number in (3, 4):
    os.dup2(number + 100, number)
listeners = open_listeners(sys.argv[1], os.environ)
print(listeners.submission.getsockname())
print([one.getsockname()[1] for one in listeners.smtp])
print(os.get_inheritable(3), os.get_inheritable(4), "LISTEN_FDS" in os.environ)
"""


@pytest.mark.parametrize("network_first", [False, True])
def test_sockets_that_systemd_passed_are_known_by_their_kind(
    tmp_path: Path, network_first: bool
) -> None:
    path = str(tmp_path / "passed")
    with bind(path) as local, bind_endpoint("127.0.0.1:0") as network:
        network.listen()
        passed = [network, local] if network_first else [local, network]
        done = subprocess.run(
            [sys.executable, "-c", PASSED, str(tmp_path / "own")]
            + [str(one.fileno()) for one in passed],
            pass_fds=[one.fileno() for one in passed],
            capture_output=True,
            text=True,
            check=True,
        )
        port = network.getsockname()[1]
    assert done.stdout.splitlines() == [path, f"[{port}]", "False False False"]


def test_port_that_is_taken_is_told_and_the_others_are_given_back() -> None:
    with bind_endpoint("127.0.0.1:0") as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already"):
            bind_endpoints(["127.0.0.1:0", f"127.0.0.1:{port}"])


def test_both_families_listen_on_one_port() -> None:
    (one,) = bind_endpoints(["127.0.0.1:0"])
    port = one.getsockname()[1]
    try:
        (other,) = bind_endpoints([f"[::1]:{port}"])
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with one, other:
        assert other.getsockname()[:2] == ("::1", port)


# --- notification, put aside


def test_manager_is_told_and_its_absence_does_not_matter(tmp_path: Path) -> None:
    path = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(PATIENCE_S)
        notify({"NOTIFY_SOCKET": path}, b"READY=1")
        assert manager.recv(100) == b"READY=1"
    notify({"NOTIFY_SOCKET": path}, b"READY=1")
    notify({}, b"READY=1")


def test_manager_may_have_an_abstract_name(tmp_path: Path) -> None:
    name = f"@pysendmail-test-{tmp_path.name}-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:])
        manager.settimeout(PATIENCE_S)
        notify({"NOTIFY_SOCKET": name}, b"STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"


def test_file_put_aside_never_takes_the_place_of_another(tmp_path: Path) -> None:
    for directory in ("drop", "broken"):
        (tmp_path / directory).mkdir()
    for _ in range(3):
        (tmp_path / "drop" / "x").write_text("")
        put_aside(str(tmp_path), "x")
    assert len(list((tmp_path / "broken").iterdir())) == 3


# --- a whole daemon


class House:
    """A daemon in a thread, with the spool in memory and no smarthost."""

    def __init__(
        self,
        directory: Path,
        *,
        idle_exit: float = 0.0,
        kept: bool = False,
        smtp: Sequence[socket.socket] = (),
        **options: Any,
    ) -> None:
        make_drop_directory(str(directory))
        self.path = str(directory / "s")
        self.config = CONFIG.replaced(
            spool=str(directory), socket=self.path, idle_exit=idle_exit
        )
        self.next_config: Config | Exception = self.config
        self.spool, self.journal = MemorySpool(), FakeJournal()
        self.told: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(directory / "n"))
        self.manager.settimeout(PATIENCE_S)
        self.callers: list[socket.socket] = []
        self._listener = bind(self.path)
        self.daemon = Daemon(
            self.config,
            None,
            self.spool,
            self.journal,  # type: ignore[arg-type]
            {"NOTIFY_SOCKET": str(directory / "n")},
            Listeners(self._listener, list(smtp), kept=kept),
            self._read,
            **options,
        )
        self.thread = threading.Thread(target=self.daemon.run, daemon=True)
        self.thread.start()
        assert self.manager.recv(100) == b"READY=1"

    def _read(self) -> tuple[Config, None]:
        if isinstance(self.next_config, Exception):
            raise self.next_config
        return self.next_config, None

    def reload(self) -> None:
        self.daemon.orders.put(RELOAD)
        assert self.manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert self.manager.recv(100) == b"READY=1"

    def keep_listener(self) -> socket.socket:
        """Return the listening socket as a service manager keeps it."""
        return self._listener.dup()

    def status(self) -> list[bytes]:
        return [line for _, line in ask(self.path, format_head(b"status", []))]

    def stop(self) -> None:
        for caller in self.callers:
            caller.close()
        if self.thread.is_alive():
            self.daemon.orders.put(STOP)
            self.thread.join(PATIENCE_S)
        self.manager.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.stop()


def test_daemon_serves_until_it_is_told_to_stop(house: House) -> None:
    assert b"no smarthost is configured: all mail waits" in house.status()
    house.daemon.orders.put(STOP)
    house.thread.join(PATIENCE_S)
    assert house.manager.recv(100) == b"STOPPING=1"
    assert house.journal.names()[-1] == "stopped"
    with pytest.raises(NoDaemon):
        house.status()


def test_reload_takes_the_new_configuration(house: House) -> None:
    house.next_config = house.config.replaced(smarthost=("smtp://127.0.0.1:1",))
    house.reload()
    assert "reloaded" in house.journal.names()
    assert any(b"smarthost 127.0.0.1:1" in line for line in house.status())


def test_reload_of_a_broken_configuration_keeps_the_old(house: House) -> None:
    house.next_config = house.config.replaced(smarthost=("smtp://127.0.0.1:1",))
    house.reload()
    house.next_config = ConfigError(["p.yaml:1:1: broken"])
    house.reload()
    assert "not reloaded" in house.journal.names()
    assert any(b"smarthost 127.0.0.1:1" in line for line in house.status())


def test_reload_says_what_needs_a_restart(house: House) -> None:
    house.next_config = house.config.replaced(socket="/elsewhere", connections=3)
    house.reload()
    assert house.journal.names().count("needs a restart") == 2


def test_daemon_that_is_to_keep_up_answers_by_the_file_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    house = House(tmp_path, source=source_of(str(file)))
    house.status()
    assert "reloaded" not in house.journal.names()
    for port in (b"1", b"2"):
        house.next_config = house.config.replaced(smarthost=(f"smtp://127.0.0.1:{port.decode()}",))
        file.write_bytes(b"x" * int(port))
        assert any(b"smarthost 127.0.0.1:" + port in line for line in house.status())
    file.unlink()
    house.next_config = ConfigError(["p.yaml: broken"])
    assert any(b"smarthost 127.0.0.1:2" in line for line in house.status())
    assert house.journal.names().count("reloaded") == 2
    assert house.journal.names().count("not reloaded") == 1
    house.stop()


def test_daemon_that_is_to_keep_up_sees_a_change_unasked(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    house = House(tmp_path, source=source_of(str(file)), linger=True)
    file.write_bytes(b"x")
    wait_until(lambda: "reloaded" in house.journal.names())
    house.stop()


def test_flush_makes_everything_due(house: House) -> None:
    enter(house.spool, FIRST, next_attempt=4e9)
    house.daemon.orders.put(FLUSH)
    # 0.0, or later where the first sweep has found that its sender has to hear of it
    wait_until(lambda: house.spool.find(FIRST).next_attempt < 4e9)


def test_flush_passes_over_what_is_being_attempted(house: House) -> None:
    enter(house.spool, FIRST, next_attempt=4e9)
    claim = house.spool.claim(FIRST)
    house.daemon.orders.put(FLUSH)
    house.reload()
    assert house.spool.find(FIRST).next_attempt == 4e9
    claim.release()


def test_flush_that_fails_is_logged_and_ends_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise SpoolError("no disk")

    monkeypatch.setattr(house.spool, "ids", fail)
    house.daemon.orders.put(FLUSH)
    wait_until(lambda: "not flushed" in house.journal.names())
    assert house.status()


def has_ended(house: House) -> bool:
    house.thread.join(PATIENCE_S)
    house.manager.close()
    return not house.thread.is_alive() and house.journal.names()[-1] == "stopped"


def test_daemon_whose_spool_is_lost_says_so_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "LOOK_S", 0.01)
    house = House(tmp_path)
    house.spool.in_place = lambda: False  # type: ignore[method-assign]
    assert has_ended(house)
    assert "spool lost" in house.journal.names()


def test_daemon_whose_spool_is_lost_ends_as_soon_as_somebody_asks(house: House) -> None:
    house.spool.in_place = lambda: False  # type: ignore[method-assign]
    assert house.status()
    assert has_ended(house)
    assert house.journal.names().count("spool lost") == 1


def test_something_dropped_is_looked_for_at_once(house: House) -> None:
    asked = threading.Event()
    house.spool.wake = asked.set  # type: ignore[method-assign]
    house.daemon.orders.put(DROPPED)
    assert asked.wait(PATIENCE_S)


def test_daemon_whose_disk_does_not_answer_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "LOOK_S", 0.01)
    house, looked = House(tmp_path), threading.Event()

    def fail() -> bool:
        looked.set()
        raise OSError(errno.EIO, "input/output error")

    house.spool.in_place = fail  # type: ignore[method-assign]
    assert looked.wait(PATIENCE_S)
    assert house.status()
    assert "spool lost" not in house.journal.names()
    house.stop()


def test_lingering_daemon_ends_once_nothing_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "LINGER_S", 0.01)
    assert has_ended(House(tmp_path, linger=True))


def test_daemon_whose_socket_is_kept_ends_after_idle_exit(tmp_path: Path) -> None:
    house = House(tmp_path, idle_exit=0.01, kept=True)
    assert has_ended(house)
    assert "idle_exit is ignored" not in house.journal.names()


def test_daemon_that_nobody_would_start_again_says_so_and_stays(tmp_path: Path) -> None:
    house = House(tmp_path, idle_exit=0.01)
    assert "idle_exit is ignored" in house.journal.names()
    assert house.daemon._idle_exit() == 0.0
    house.stop()


def test_daemon_without_idle_exit_stays(tmp_path: Path) -> None:
    house = House(tmp_path, kept=True)
    assert house.daemon._idle_exit() == 0.0
    house.reload()
    assert house.thread.is_alive()
    house.stop()


def is_busy_in_queue(house: House) -> None:
    enter(house.spool, FIRST)


def is_busy_in_drop_directory(house: House) -> None:
    (Path(house.config.spool) / "drop" / "x").write_text("")


def is_busy_with_a_caller(house: House) -> None:
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(house.path)
    house.callers.append(caller)


def is_busy_with_unknown_things(house: House) -> None:
    def fail(at_most: int | None = None) -> int:
        raise SpoolError("no disk")

    house.spool.count = fail  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "make_busy",
    [
        is_busy_in_queue,
        is_busy_in_drop_directory,
        is_busy_with_a_caller,
        is_busy_with_unknown_things,
    ],
)
def test_daemon_with_something_to_do_does_not_end(
    tmp_path: Path, make_busy: Callable[[House], None]
) -> None:
    house = House(tmp_path, idle_exit=1000.0, kept=True)
    make_busy(house)
    wait_until(lambda: not house.daemon._idle())
    assert not house.daemon._stop_if_idle()
    vars(house.spool).pop("count", None)
    assert house.status()  # it still answers
    house.stop()


def test_caller_of_a_daemon_that_ends_is_left_to_its_successor(tmp_path: Path) -> None:
    house = House(tmp_path, idle_exit=1000.0, kept=True)
    kept = house.keep_listener()
    wait_until(house.daemon._stop_if_idle)
    with kept, socket.socket(socket.AF_UNIX) as caller:
        caller.connect(house.path)
        house.stop()
        kept.setblocking(False)
        successor, _ = kept.accept()
        with successor:
            caller.sendall(b"still there")
            assert successor.recv(100) == b"still there"


def test_daemon_serving_by_smtp_does_not_end(tmp_path: Path) -> None:
    (listener,) = bind_endpoints(["127.0.0.1:0"])
    listener.listen()
    house = House(tmp_path, idle_exit=1000.0, kept=True, smtp=[listener])
    with socket.create_connection(listener.getsockname()[:2]) as client:
        client.settimeout(PATIENCE_S)
        assert client.recv(4) == b"220 "
        assert not house.daemon._stop_if_idle()
    wait_until(house.daemon._stop_if_idle)
    house.stop()
