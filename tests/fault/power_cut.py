"""What a power cut may leave of recorded changes: the model, and how its states are rebuilt.

Durable is: of a file what was written to it before an fsync of it; of a directory the names that
were entered, moved or removed before an fsync of it; of a file in drop/ also its name, once the
file is synced after it got it (whoever drops may not sync the directory; `submission.drop_door`).
Nor has that file its length before its content. A rename is atomic. Of everything else each change
may be there or not, on its own, in any order; a write may also be there in part, or of the right
length with zeros at its end or throughout.

For each instant all such states are made when there are few enough of them, otherwise: everything
lost, every prefix kept, and everything kept or lost but for one or two.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path

from tests.fault.recording import (
    DIRECTORY,
    ENTER,
    FIFO,
    FILE,
    MARK,
    MODE,
    MOVE,
    OF_FILES,
    OF_NAMES,
    REMOVE,
    ROOT,
    SYNC,
    TIMES,
    TRUNCATE,
    WRITE,
    Change,
)

KEPT, LOST, TORN, HOLED, ZEROS = "kept", "lost", "torn", "holed", "zeros"
BLANK = (HOLED, ZEROS)  # of the right length
Fate = str

# A tree, as one value: path -> (kind, mode, mtime in ns or -1 for any, content), by path.
Tree = tuple[tuple[str, str, int, int, bytes], ...]


def fates_of(change: Change) -> tuple[Fate, ...]:
    """Return what may become of a change that was not synced."""
    return (KEPT, LOST, TORN, HOLED, ZEROS) if change.kind == WRITE else (KEPT, LOST)


class Pending:
    """Which of the changes so far are not durable, by their place in the recording."""

    def __init__(self, kinds: Mapping[int, str], drop: int) -> None:
        self._kinds = kinds
        self._drop = drop
        self.places: dict[int, Change] = {}

    def add(self, place: int, change: Change) -> None:
        """Go on by one change."""
        if change.kind == SYNC:
            for durable in [p for p, c in self.places.items() if self._synced(c, change.inode)]:
                self._superseded(durable, self.places.pop(durable))
        elif change.kind != MARK:
            self.places[place] = change

    def _synced(self, change: Change, inode: int) -> bool:
        if self._kinds[inode] == DIRECTORY:
            of_itself = change.kind in OF_FILES and change.inode == inode
            named = change.kind in OF_NAMES and inode in (change.directory, change.to_directory)
            return of_itself or named
        if change.inode != inode:
            return False
        return change.kind in OF_FILES or self._drop in (change.directory, change.to_directory)

    def _superseded(self, place: int, durable: Change) -> None:
        """Forget earlier changes of what is gone for good: their fate shows nowhere.

        That is a name, and of what is removed also the file, which never has two.
        """
        for earlier, change in list(self.places.items()):
            same_name = (change.directory, change.name) == (durable.directory, durable.name)
            name = change.kind == ENTER and same_name and durable.kind in (REMOVE, MOVE)
            same_file = change.inode == durable.inode
            file = change.kind in OF_FILES and same_file and durable.kind == REMOVE
            if earlier < place and (name or file):
                del self.places[earlier]


def fates(pending: Mapping[int, Change], most: int) -> Iterator[dict[int, Fate]]:
    """Yield what may become of pending changes: all there is, up to `most`, else a selection."""
    places = list(pending)
    number = 1
    for change in pending.values():
        number *= len(fates_of(change))
    if number <= most:
        for chosen in product(*(fates_of(change) for change in pending.values())):
            yield dict(zip(places, chosen, strict=True))
        return
    kept, lost = dict.fromkeys(places, KEPT), dict.fromkeys(places, LOST)
    for end in range(len(places) + 1):
        yield lost | dict.fromkeys(places[:end], KEPT)
    for count in (1, 2):
        for few in combinations(places, count):
            yield lost | dict.fromkeys(few, KEPT)
            for chosen in product(*(fates_of(pending[place])[1:] for place in few)):
                yield kept | dict(zip(few, chosen, strict=True))


class Files:
    """Files and directories by inode, as a journal or a log puts them together again."""

    def __init__(self, kinds: Mapping[int, str]) -> None:
        self._kinds = kinds
        self._names: dict[int, dict[str, int]] = {ROOT: {}}
        self._contents: dict[int, bytearray] = {}
        self._modes: dict[int, int] = {}
        self._times: dict[int, int] = {}

    def apply(self, change: Change, fate: Fate) -> None:
        """Let a change be there, or what its fate leaves of it."""
        names, inode = self._names.setdefault(change.directory, {}), change.inode
        if fate == LOST:
            if change.kind == ENTER:
                self._modes.setdefault(inode, change.value)
            return
        if change.kind == ENTER:
            names[change.name] = inode
            self._modes[inode] = change.value
        elif change.kind in (REMOVE, MOVE):
            if names.get(change.name) == inode:
                del names[change.name]
            if change.kind == MOVE:
                self._names.setdefault(change.to_directory, {})[change.to_name] = inode
        elif change.kind == MODE:
            self._modes[inode] = change.value
        elif change.kind == TIMES:
            self._times[inode] = change.value
        else:
            self._apply_to_content(change, fate)

    def _apply_to_content(self, change: Change, fate: Fate) -> None:
        content = self._contents.setdefault(change.inode, bytearray())
        self._times.pop(change.inode, None)
        if change.kind == TRUNCATE:
            del content[change.value :]
            content.extend(bytes(change.value - len(content)))
        else:
            length = len(change.data)
            data = {
                KEPT: change.data,
                TORN: change.data[: length // 2],
                HOLED: change.data[: length - length // 8 - 1].ljust(length, b"\0"),
                ZEROS: bytes(length),
            }[fate]
            content.extend(bytes(max(change.value - len(content), 0)))
            content[change.value : change.value + len(data)] = data

    def tree(self) -> Tree:
        """Return what can be reached from the root."""
        return tuple(sorted(self._below(ROOT, "")))

    def _below(self, directory: int, path: str) -> Iterator[tuple[str, str, int, int, bytes]]:
        for name, inode in self._names.get(directory, {}).items():
            kind, mode = self._kinds[inode], self._modes[inode]
            content = bytes(self._contents.get(inode, b"")) if kind == FILE else b""
            time = self._times.get(inode, -1) if kind == FILE else -1
            yield f"{path}{name}", kind, mode, time, content
            if kind == DIRECTORY:
                yield from self._below(inode, f"{path}{name}/")


def kept_by(
    changes: Iterable[Change], kinds: Mapping[int, str], fate_of: Mapping[int, Fate]
) -> Tree:
    """Return the tree that is left; a change without a fate is durable."""
    files = Files(kinds)
    for place, change in enumerate(changes):
        if change.kind not in (SYNC, MARK):
            files.apply(change, fate_of.get(place, KEPT))
    return files.tree()


def states(
    changes: Sequence[Change], kinds: Mapping[int, str], *, drop: int, most: int
) -> Iterator[tuple[int, Tree]]:
    """Yield (number of changes made, tree that is left) for every instant, each tree once there."""
    pending = Pending(kinds, drop)
    dropped = {one.inode for one in changes if (one.kind, one.directory) == (ENTER, drop)}
    for instant in range(len(changes) + 1):
        found: set[Tree] = set()
        for fate_of in fates(pending.places, most):
            if any(changes[p].inode in dropped for p, fate in fate_of.items() if fate in BLANK):
                continue
            tree = kept_by(changes[:instant], kinds, fate_of)
            if tree not in found:
                found.add(tree)
                yield instant, tree
        if instant < len(changes):
            pending.add(instant, changes[instant])


def rebuild(tree: Tree, root: Path, now: float) -> None:
    """Make the tree below `root`, an empty directory; files without a time are of `now`."""
    for path, kind, mode, time, content in tree:
        place = root / path
        if kind == DIRECTORY:
            place.mkdir()
        elif kind == FIFO:
            os.mkfifo(place)
        else:
            place.write_bytes(content)
            time = int(now * 1e9) if time < 0 else time
            os.utime(place, ns=(time, time))
        os.chmod(place, mode)


def tree_on_disk(root: Path) -> Tree:
    """Return the tree that is there, times aside."""
    found = []
    for place in root.rglob("*"):
        status = place.lstat()
        kind = DIRECTORY if place.is_dir() else FILE if place.is_file() else FIFO
        content = place.read_bytes() if kind == FILE else b""
        found.append((str(place.relative_to(root)), kind, status.st_mode & 0o7777, -1, content))
    return tuple(sorted(found))
