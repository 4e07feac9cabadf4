"""A power cut at every instant: nothing is lost, nothing sent twice but where DESIGN allows it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault import power_cuts
from tests.fault.power_cut import fates, kept_by, tree_on_disk
from tests.fault.power_cuts import Trial, inode_of, recorded
from tests.fault.recording import (
    DIRECTORY,
    ENTER,
    FILE,
    MARK,
    MODE,
    MOVE,
    REMOVE,
    SYNC,
    TIMES,
    TRUNCATE,
    WRITE,
    Change,
    Recording,
)
from tests.fault.story import record
from tests.helpers.installed import REPOSITORY

MOST = 64  # `python -m tests.fault.power_cuts 200000` tries all there is


@pytest.fixture(scope="module")
def story() -> tuple[Recording, float]:
    return recorded()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_power_cut_at_every_instant_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    status = power_cuts.main([str(MOST)])
    said = capsys.readouterr().out
    assert status == 0, said
    instants, states, *_ = (int(word) for word in said.split() if word.isdigit())
    assert instants > 200
    assert states > 5000


def test_recording_replayed_gives_what_is_on_disk(tmp_path: Path) -> None:
    recording, _ = record(tmp_path)
    replayed = kept_by(recording.changes, recording.kinds, {})
    assert sorted((*one[:3], -1, *one[4:]) for one in replayed) == list(tree_on_disk(tmp_path))


# The system calls that change files, by the kind of change that a recording calls them.
CALLS = {
    ENTER: ("openat", "open", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat"),
    MOVE: ("rename", "renameat", "renameat2"),
    REMOVE: ("unlink", "unlinkat", "rmdir"),
    WRITE: ("write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "sendfile"),
    TRUNCATE: ("truncate", "ftruncate", "fallocate"),
    TIMES: ("utimensat", "utime", "utimes", "futimesat"),
    MODE: ("chmod", "fchmod", "fchmodat"),
    SYNC: ("fsync", "fdatasync", "sync", "syncfs", "sync_file_range"),
}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.timeout(120)
def test_kernel_saw_the_changes_that_were_recorded_and_no_others(tmp_path: Path) -> None:
    watched, log = tmp_path / "watched", tmp_path / "log"
    watched.mkdir()
    script = (
        "import sys; from pathlib import Path; from tests.fault.story import record\n"
        "for change in record(Path(sys.argv[1]))[0].changes: print(change.kind)"
    )
    calls = ",".join(f"?{call}" for some in CALLS.values() for call in some)
    done = subprocess.run(
        ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={calls}",
         sys.executable, "-c", script, str(watched)],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace: {done.stderr}")
    assert done.returncode == 0, done.stderr
    kinds = {call: kind for kind, some in CALLS.items() for call in some}
    seen: Counter[str] = Counter()
    for line in log.read_text().splitlines():
        call = re.match(r"\d+ +(\w+)\((.*)\) += (\d+)", line)
        if not call or str(watched) not in line or "/wake>" in line:
            continue
        if "open" not in call[1] or "O_CREAT" in call[2]:
            seen[kinds[call[1]]] += 1
    recorded_kinds = Counter(done.stdout.split())
    del recorded_kinds[MARK]
    assert seen == recorded_kinds


def of_files(recording: Recording, change: Change) -> bool:
    return recording.kinds[change.inode] == FILE


def of(name: str) -> Callable[[Recording, Change], bool]:
    def is_of(recording: Recording, change: Change) -> bool:
        return change.inode == inode_of(name, recording.changes)

    return is_of


@pytest.mark.parametrize(
    ("left_out", "what"),
    [
        pytest.param(of_files, "is lost", id="of files"),
        pytest.param(of("queue"), "is lost", id="of the queue"),
        pytest.param(of("spool"), "is lost", id="of the top, so that drop gets lost"),
        pytest.param(of("drop"), "is sent to again", id="of drop, so that files in it come back"),
    ],
)
def test_without_a_sync_there_is_a_counterexample(
    story: tuple[Recording, float], left_out: Callable[[Recording, Change], bool], what: str
) -> None:
    recording, end = story
    changes = [
        one for one in recording.changes if one.kind != SYNC or not left_out(recording, one)
    ]
    trial = Trial(recording, end)
    assert any(what in found for found in trial.counterexamples(changes, 16))


def test_change_synced_too_late_is_a_counterexample(story: tuple[Recording, float]) -> None:
    """The bounce after what it tells of was crossed off: the order is what is tried, too."""
    recording, end = story
    changes = list(recording.changes)
    bounce = next(
        place
        for place, one in enumerate(changes)
        if one.kind == WRITE and b"Final-Recipient" in one.data
    )
    inode = changes[bounce].inode
    entering = [one for one in changes[bounce - 1 :] if one.inode == inode][:5]
    entering.append(changes[changes.index(entering[-1]) + 1])  # the sync of the queue
    rest = [one for one in changes if not any(one is moved for moved in entering)]
    crossed_off = next(
        place for place, one in enumerate(rest) if b'"crossed_off":[0,1]' in one.data
    )
    late = rest[: crossed_off + 3] + entering + rest[crossed_off + 3 :]
    found = Trial(recording, end).counterexamples(late, 16)
    assert any("erin@example.net is lost" in one for one in found)


def test_all_fates_are_tried_while_they_are_few_and_singles_and_pairs_beyond() -> None:
    pending = {
        3: Change(WRITE, 1, data=b"abcd"), 5: Change(MODE, 1), 8: Change(ENTER, 1, 0, "x"),
    }  # fmt: skip
    assert len({tuple(one.items()) for one in fates(pending, 20)}) == 20
    selected = [tuple(one.values()) for one in fates(pending, 19)]
    assert {"torn", "holed", "zeros"} <= {fate for one in selected for fate in one}
    assert ("lost", "lost", "lost") in selected
    assert ("kept", "kept", "kept") in selected
    assert ("lost", "kept", "lost") in selected
    assert ("kept", "lost", "lost") in selected


def test_torn_write_and_name_without_its_file_are_left() -> None:
    changes = [Change(ENTER, 1, 0, "x", value=0o600), Change(WRITE, 1, data=b"abcd")]
    kinds = {0: DIRECTORY, 1: FILE}
    assert kept_by(changes, kinds, {1: "torn"}) == (("x", FILE, 0o600, -1, b"ab"),)
    assert kept_by(changes, kinds, {1: "holed"}) == (("x", FILE, 0o600, -1, b"abc\0"),)
    assert kept_by(changes, kinds, {1: "zeros"}) == (("x", FILE, 0o600, -1, bytes(4)),)
    assert kept_by(changes, kinds, {1: "lost"}) == (("x", FILE, 0o600, -1, b""),)
    assert kept_by(changes, kinds, {0: "lost"}) == ()
