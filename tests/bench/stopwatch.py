"""Times commands: one order a line in, one result a line out, both JSON. See `place.Stopwatch`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
PATIENCE_S = 120  # for what hangs: the signal ends this process, and with it the benchmark


def obey(argv: list[str], stdins: list[str], at_once: int) -> dict[str, Any]:
    """Run the command for each of `stdins`; return when it began, seconds, and the exit statuses
    other than 0.
    """
    failed = []

    def reap() -> None:
        _, status = os.wait()
        if status:
            failed.append(os.waitstatus_to_exitcode(status))

    running = 0
    began = time.perf_counter()
    for path in stdins:
        if running >= at_once:
            reap()
            running -= 1
        files: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, path, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
        ]
        os.posix_spawnp(argv[0], argv, ENVIRONMENT, file_actions=files)
        running += 1
    for _ in range(running):
        reap()
    return {"began": began, "seconds": time.perf_counter() - began, "failed": failed}


if __name__ == "__main__":
    for line in sys.stdin:
        signal.alarm(PATIENCE_S)
        result = obey(**json.loads(line))
        signal.alarm(0)
        print(json.dumps(result), flush=True)
