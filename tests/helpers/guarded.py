"""A server as a child of the test run: it ends when it is told to, and when the test run ends."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# Our child in place of the server, which forgets a parent-death signal when it changes its user.
# The end of the guard's standard input, by our hand or by our death, ends the server and all of its
# process group.
GUARD = 'setsid "$@" & read -r end; kill -KILL -$! $!; wait'


class Guarded:
    """A running command, its children included as far as they stay in its process group.

    It has to stay in the foreground.  `output` takes what it says, else that is lost.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> None:
        with open(output or "/dev/null", "ab") as said:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", *command],
                env={"PATH": SEARCH_PATH, **(env or {})},
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it, abruptly; may be called again."""
        self._guard.communicate()
