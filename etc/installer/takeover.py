"""What an installation has laid down, and the files of others in its place.

The manifest lists every file with its digest, so that a file is known as ours as long as nobody has
changed it: `make uninstall` removes those, and `make install` overwrites no other. With dpkg at
hand the names that other mail programs claim are diverted (dpkg-divert(1)): a package that brings
its own sendmail one day then does not overwrite ours.
"""

from __future__ import annotations

import json
import os
import shutil

from etc.installer.dependencies import run
from etc.installer.files import digest_at
from etc.installer.places import Places, Trouble

SUFFIX = ".distrib"  # dpkg-divert's own custom for local diversions


class Manifest:
    """What was installed: digest by path, directories made for it, and what was moved aside."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.files: dict[str, str] = {}
        self.directories: list[str] = []
        self.diverted: list[str] = []  # by dpkg
        self.renamed: list[str] = []  # by us
        try:
            with open(places.staged(places.manifest), encoding="utf-8") as file:
                vars(self).update(json.load(file))
        except FileNotFoundError:
            pass

    def write(self, path: str) -> None:
        """Write it; nothing of DESTDIR is in it."""
        facts = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(facts, file, indent=1)
            file.write("\n")

    def is_ours(self, path: str) -> bool:
        """Tell whether what is at a path is what we have put there."""
        return self.files.get(path) == digest_at(self._places.staged(path))

    def is_foreign(self, path: str) -> bool:
        """Tell whether something is at a path that is not ours, or not any more."""
        return os.path.lexists(self._places.staged(path)) and not self.is_ours(path)

    def replace_files(self, files: dict[str, str]) -> list[str]:
        """Take in the files of a new version; return those of the old one that it has no more."""
        outdated = [path for path in self.files if path not in files and self.is_ours(path)]
        self.files = files
        return outdated

    def make_directory(self, path: str) -> None:
        """Make a directory and those above it, and remember which."""
        if path and not os.path.isdir(self._places.staged(path)):
            self.make_directory(os.path.dirname(path))
            os.mkdir(self._places.staged(path), 0o755)
            self.directories.append(path)

    def remove_empty_directories(self) -> None:
        """Remove the directories that were made for the installation and hold nothing any more."""
        for path in reversed(self.directories):
            try:
                os.rmdir(self._places.staged(path))
            except OSError:
                pass  # somebody else uses it by now, or it is gone

    def move_aside(self, path: str) -> None:
        """Move away what others have at a path; `restore` brings it back."""
        original = self._places.staged(path)
        if has_diversions(self._places):
            divert(path, rename=True)
            self.diverted.append(path)
        else:
            os.rename(original, original + SUFFIX)
            self.renamed.append(path)

    def reserve(self, path: str) -> None:
        """Keep a name for us, whatever packages come; without dpkg there is no way to."""
        if has_diversions(self._places) and path not in self.diverted:
            divert(path, rename=False)
            self.diverted.append(path)

    def restore(self) -> None:
        """Undo `move_aside` and `reserve`; our own files must be gone by now."""
        for path in self.diverted:
            done = run(["dpkg-divert", "--quiet", "--local", "--rename", "--remove", path])
            if done.returncode != 0:
                raise Trouble(f"dpkg-divert --remove {path}: {done.stderr.strip()}")
        for path in self.renamed:
            original = self._places.staged(path)
            if not os.path.lexists(original) and os.path.lexists(original + SUFFIX):
                os.rename(original + SUFFIX, original)


def has_diversions(places: Places) -> bool:
    """Tell whether the installation is among the files of a system that dpkg keeps."""
    return (
        places.is_for_this_machine and places.prefix == "/usr" and bool(shutil.which("dpkg-divert"))
    )


def divert(path: str, *, rename: bool) -> None:
    """Have dpkg put what packages bring at a path beside it."""
    how = "--rename" if rename else "--no-rename"
    command = ["dpkg-divert", "--quiet", "--local", how, "--divert", path + SUFFIX, "--add", path]
    done = run(command)
    if done.returncode != 0:
        raise Trouble(f"{' '.join(command)}: {done.stderr.strip()}")


def owners(paths: list[str]) -> str:
    """Return the packages that files belong to, as far as dpkg knows."""
    if not shutil.which("dpkg"):
        return "another program"
    said = run(["dpkg", "-S", *paths]).stdout.splitlines()
    names = {line.partition(":")[0] for line in said if not line.startswith("diversion ")}
    return ", ".join(sorted(names)) or "no package"
