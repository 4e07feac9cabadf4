"""A power cut at every instant of the story: `python -m tests.fault.power_cuts [MOST]`.

MOST bounds how many states are made of one instant before only some of them are (`power_cut`). Each
state is rebuilt, a daemon is started on it, and the two sentences of DESIGN must hold. Prints the
number of states, and every counterexample with the changes before it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fault.power_cut import Tree, rebuild, states
from tests.fault.recording import ENTER, Change, Recording
from tests.fault.story import Recovered, Told, complaints, record, recover

MOST = 300
# Where files cost least; the model, not the file system, decides what is durable.
FAST = "/dev/shm"


class Trial:
    """What was tried of one recording."""

    def __init__(self, recording: Recording, end: float) -> None:
        self._recording = recording
        self._end = end
        self._recovered: dict[Tree, Recovered | str] = {}
        self.instants = 0
        self.states = 0

    @property
    def trees(self) -> int:
        """How many different trees a daemon was started on."""
        return len(self._recovered)

    def counterexamples(self, changes: Sequence[Change], most: int) -> Iterator[str]:
        """Try every state; yield what does not hold in one."""
        self.instants = len(changes) + 1
        drop = inode_of("drop", changes)
        for instant, tree in states(changes, self._recording.kinds, drop=drop, most=most):
            self.states += 1
            after = self._recover(tree)
            told = Told(changes[:instant])
            for complaint in [after] if isinstance(after, str) else complaints(told, after):
                last = [tuple(one) for one in changes[max(instant - 3, 0) : instant]]
                yield f"after {instant} changes: {complaint}\n  last: {last}\n  left: {shown(tree)}"

    def _recover(self, tree: Tree) -> Recovered | str:
        if tree not in self._recovered:
            root = Path(tempfile.mkdtemp(prefix="power-cut-", dir=fast_directory()))
            try:
                rebuild(tree, root, self._end)
                sweep_first = self.trees % 2 == 0
                self._recovered[tree] = recover(root, self._end, sweep_first=sweep_first)
            except Exception as error:
                self._recovered[tree] = f"no recovery: {error!r}"
            finally:
                shutil.rmtree(root)
        return self._recovered[tree]


def inode_of(name: str, changes: Sequence[Change]) -> int:
    """Return the inode that was entered under this name."""
    return next(one.inode for one in changes if (one.kind, one.name) == (ENTER, name))


def shown(tree: Tree) -> str:
    """Return the files of a tree and their sizes."""
    return ", ".join(f"{path} ({len(content)})" for path, _, _, _, content in tree)


def fast_directory() -> str | None:
    """Return where to rebuild trees, None for the usual place."""
    return FAST if Path(FAST).is_dir() else None


def recorded() -> tuple[Recording, float]:
    """Return a fresh recording of the story, and when it ended."""
    with tempfile.TemporaryDirectory(prefix="power-cut-", dir=fast_directory()) as root:
        return record(Path(root))


def main(arguments: list[str]) -> int:
    """Try all states; 1 when there is a counterexample."""
    if arguments and not arguments[0].isdigit():
        print("power_cuts: a number of states for each instant is expected", file=sys.stderr)
        return 64
    recording, end = recorded()
    trial = Trial(recording, end)
    count = 0
    for found in trial.counterexamples(recording.changes, int(arguments[0]) if arguments else MOST):
        count += 1
        print(found)
    print(f"{trial.instants} instants, {trial.states} states, {trial.trees} different trees")
    print(f"{count} counterexamples")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
