"""Mail through all three doors without a pause: `python -m tests.fault.soak SECONDS [RESTART]`.

Real sendmails, as many at once as keep the machine busy, submit through the socket, directly and by
the drop directory, while two smarthosts come and go, and the daemon is restarted every RESTART
seconds (150, three times at least), by SIGTERM and by SIGKILL in turns. At the end what was
answered with exit 0 must have arrived, and neither memory, descriptors, threads nor files may have
become more with time. Prints the counts; exit status 1 when one of that does not hold.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from pysendmail.spool.layout import DIRECTORIES
from tests.fault.killing import NOBODY, PASSWORD, USER, real_site, stranger_can_run
from tests.helpers.catcher import Catcher
from tests.helpers.installed import Completed, run_program
from tests.helpers.smarthost import times_received
from tests.helpers.system import Site, message
from tests.helpers.waiting import wait_until

RESTART_S = 150.0
CONNECTIONS = 10
CALLERS_PER_DOOR = 2
SMARTHOST_CHANGES_S = 2.0
IDLE_S = 60.0  # idle connections have ended by then
SETTLES_S = 180.0  # what waits at the end has gone by then
MODES = ("-odi", "-odb", "-odq")
# How much more a life may use in its second half, or the last life than the first. Memory at most,
# the others at least: how many entries are in hand changes from moment to moment, a leak stays.
# Workers are started when there is work for them, up to so many as there are connections, and stay.
MEMORY_SLACK = 1.25
SLACK = {"descriptors": 8, "threads": CONNECTIONS}
WARM_UP = 20  # samples
DESCRIPTORS_AT_REST = 24


class Life:
    """What one life of the daemon used, once warm: in its first half and in its second.

    Nothing where the life was too short to tell.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.samples: list[dict[str, int]] = []

    def look(self) -> None:
        """Note what the daemon uses now; nothing when it has just ended."""
        try:
            self.samples.append(usage_of(self.pid))
        except (OSError, ValueError, IndexError):
            return

    def most(self, what: str, *, second: bool) -> int:
        """Return the most of one half."""
        return max((sample[what] for sample in self._half(second)), default=0)

    def least(self, what: str, *, second: bool) -> int:
        """Return the least of one half."""
        return min((sample[what] for sample in self._half(second)), default=0)

    def _half(self, second: bool) -> list[dict[str, int]]:
        warm = self.samples[WARM_UP:] if len(self.samples) > 3 * WARM_UP else []
        middle = len(warm) // 2
        return warm[middle:] if second else warm[:middle]


def usage_of(pid: int) -> dict[str, int]:
    """Return memory (KiB), descriptors and threads of a process."""
    proc = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line
    )
    return {
        "memory": int(status["VmRSS"].split()[0]),
        "descriptors": len(os.listdir(proc / "fd")),
        "threads": int(status["Threads"]),
    }


class Soak:
    """One soak of a site; `problems` says what did not hold."""

    def __init__(self, site: Site, smarthosts: list[Catcher], restart: float) -> None:
        self._site = site
        self._smarthosts = smarthosts
        self._restart = restart
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._number = 0
        self.answers: dict[bytes, int] = {}
        self.by_door: Counter[str] = Counter()
        self.lives: list[Life] = []
        self._elsewhere = site.directory / "no-daemon.yaml"
        text = site.path.read_text().replace(site.socket, str(site.directory / "none.sock"))
        self._elsewhere.write_text(text)

    def run(self, seconds: float) -> None:
        """Let it rain for so long, and dry up."""
        doors = ["socket", "direct"]
        if stranger_can_run(self._site.installation):
            doors.append("drop")
        self._begin_life()
        threads = [
            threading.Thread(target=self._call, args=(door,))
            for door in doors * CALLERS_PER_DOOR
        ]
        threads.append(threading.Thread(target=self._come_and_go))
        for thread in threads:
            thread.start()
        try:
            self._watch(time.monotonic() + seconds)
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        for smarthost in self._smarthosts:
            smarthost.answer()
            smarthost.start()
        self._site.flush()
        wait_until(self._is_dry, seconds=SETTLES_S, what="an empty spool", evidence=self._evidence)
        wait_until(
            self._is_at_rest,
            seconds=IDLE_S,
            what=f"at most {DESCRIPTORS_AT_REST} descriptors at rest",
            evidence=lambda: f"{usage_of(self._site.daemon.pid)}",
        )

    def _is_at_rest(self) -> bool:
        return usage_of(self._site.daemon.pid)["descriptors"] <= DESCRIPTORS_AT_REST

    def _begin_life(self) -> None:
        self._site.daemon.start()
        self.lives.append(Life(self._site.daemon.pid))

    def _watch(self, end: float) -> None:
        """Sample the daemon and restart it, until the end."""
        next_restart = time.monotonic() + self._restart
        while (now := time.monotonic()) < end:
            if now >= next_restart:
                if len(self.lives) % 2:
                    self._site.daemon.stop()
                else:
                    self._site.daemon.kill()
                self._begin_life()
                next_restart = now + self._restart
            self.lives[-1].look()
            self._over.wait(0.25)

    def _call(self, door: str) -> None:
        """Submit one message after the other by one door."""
        chance = random.Random(door)
        while not self._over.is_set():
            with self._lock:
                self._number += 1
                subject = f"m{self._number}"
            mode = chance.choice(MODES)
            status = self._submit(door, subject, mode).returncode
            with self._lock:
                self.answers[subject.encode()] = status
                self.by_door[door] += status == 0

    def _submit(self, door: str, subject: str, mode: str) -> Completed:
        path = self._site.path if door == "socket" else self._elsewhere
        return run_program(
            [
                self._site.installation.program("sendmail"), "-i", mode, "-f",
                "sender@example.com", "--", f"{subject}@example.net",
            ],
            message(subject),
            env={"PYSENDMAIL_CONFIG": str(path)},
            uid=NOBODY if door == "drop" else None,
        )  # fmt: skip

    def _come_and_go(self) -> None:
        """Let each smarthost be there, away, silent, or of another mind, by turns."""
        chance = random.Random(1)
        while not self._over.wait(SMARTHOST_CHANGES_S):
            smarthost = chance.choice(self._smarthosts)
            smarthost.answer()
            does = chance.choice(["start", "start", "stop", "hang", "refuse"])
            if does == "refuse":
                smarthost.start()
                smarthost.answer("450 4.2.0 busy")
            else:
                getattr(smarthost, does)()

    def files(self) -> dict[str, int]:
        """Count the files in the directories of the spool."""
        spool = self._site.directory / "spool"
        return {name: len(os.listdir(spool / name)) for name in (*DIRECTORIES, "drop")}

    def _is_dry(self) -> bool:
        files = self.files()
        return not (files["queue"] or files["drop"] or files["incoming"])

    def _evidence(self) -> str:
        return f"{self.files()}\n{self._site.daemon.log()[-4000:]}"

    def arrived(self) -> Counter[bytes]:
        """Return how often each message has arrived."""
        received = [one for smarthost in self._smarthosts for one in smarthost.received()]
        return Counter({subject: n for (subject, _), n in times_received(received).items()})

    def report(self) -> dict[str, object]:
        """Return what was counted."""
        arrived = self.arrived()
        promised = {subject for subject, status in self.answers.items() if status == 0}
        return {
            "submitted": len(self.answers),
            "answered 0": len(promised),
            "by door": dict(self.by_door),
            "arrived": len(arrived),
            "lost": len(promised - arrived.keys()),
            "more than once": sum(times > 1 for times in arrived.values()),
            "lives": len(self.lives),
            "memory, KiB": [life.most("memory", second=True) for life in self.lives],
            "descriptors": [life.most("descriptors", second=True) for life in self.lives],
            "threads": [life.most("threads", second=True) for life in self.lives],
            "files": self.files(),
        }

    def problems(self) -> list[str]:
        """Return what grew or was lost."""
        promised = {subject for subject, status in self.answers.items() if status == 0}
        found = [f"{one!r} is lost" for one in sorted(promised - self.arrived().keys())]
        for what, slack in SLACK.items():
            for life in self.lives:
                first, second = (life.least(what, second=half) for half in (False, True))
                if second > first + slack:
                    found.append(f"{what} grew within a life: {first}, then {second}")
        memory = [most for life in self.lives if (most := life.most("memory", second=True))]
        if memory and memory[-1] > memory[0] * MEMORY_SLACK:
            found.append(f"memory grew from life to life: {memory} KiB")
        for life in self.lives:
            begin, end = (life.most("memory", second=half) for half in (False, True))
            if end > begin * MEMORY_SLACK:
                found.append(f"memory grew within a life: {begin} KiB, then {end} KiB")
        if self.files()["broken"]:
            found.append(f"{self.files()['broken']} files were put aside")
        return found


def soak(seconds: float, restart: float) -> int:
    """Run, print the counts and what did not hold; 1 where there is any of that."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's
    keys = {"linger": "false", "wait": "2s", "connections": str(CONNECTIONS), "idle_timeout": "5s"}
    with real_site(Catcher, **keys) as (site, first):
        assert isinstance(first, Catcher)
        second = Catcher(tls_context=first.tls_context, user=USER, password=PASSWORD)
        site.configure(smarthost=f"[{first.url}, {second.url}]")
        try:
            soaking = Soak(site, [first, second], restart)
            soaking.run(seconds)
            report, problems = soaking.report(), soaking.problems()
        finally:
            second.close()
    for what, count in report.items():
        print(f"{what}: {count}")
    print("\n".join(problems) or "nothing lost, nothing grew")
    return 1 if problems else 0


def main(arguments: list[str]) -> int:
    """Soak for as long as the arguments say."""
    if not 1 <= len(arguments) <= 2 or not all(one.isdigit() for one in arguments):
        print("soak: SECONDS and perhaps RESTART, in seconds, are expected", file=sys.stderr)
        return 64
    seconds = float(arguments[0])
    return soak(seconds, float(arguments[1]) if arguments[1:] else min(RESTART_S, seconds / 4))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
