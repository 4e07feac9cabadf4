"""The two libraries: the distribution's where they are, else our own copies from PyPI.

Our programs start without `site`, so they are told at installation where yaml and daemon lie. The
system's site-packages are read, never written.
"""

from __future__ import annotations

import configparser
import os
import subprocess

from etc.installer.places import Trouble

FIND = """
import os, yaml, daemon
for module in (yaml, daemon):
    print(os.path.dirname(os.path.dirname(module.__file__)))
"""
TRY = "import sys; sys.path.extend(sys.argv[1:]); import yaml, daemon"
HINT = "apt-get install python3-yaml python3-daemon"


def find_dependencies(python: str, given: str) -> list[str] | None:
    """Return the directories that hold yaml and daemon for this interpreter, None without them.

    `given` is a directory named by the person who installs; Trouble when the two are not in it.
    """
    if given:
        if not works(python, [given]):
            raise Trouble(f"{python} cannot import yaml and daemon from DEPENDENCIES={given}")
        return [given]
    found = run([python, "-I", "-c", FIND])
    directories = list(dict.fromkeys(found.stdout.split("\n")[:-1]))
    return directories if found.returncode == 0 and works(python, directories) else None


def fetch_dependencies(python: str, directory: str) -> None:
    """Have pip put the two into a directory of ours; Trouble when it cannot."""
    if run([python, "-I", "-m", "pip", "--version"]).returncode != 0:
        raise Trouble(f"neither yaml and daemon nor pip are there for {python}: {HINT}")
    options = ["--quiet", "--no-input", "--no-compile", "--disable-pip-version-check"]
    command = [python, "-I", "-m", "pip", "install", *options, "--target", directory]
    fetched = run([*command, *requirements()], PIP_USER="0")
    if fetched.returncode != 0 or not works(python, [directory]):
        errors = [line for line in fetched.stderr.splitlines() if "ERROR" in line]
        reason = errors[-1].partition("ERROR: ")[2] if errors else "they cannot be imported"
        raise Trouble(f"pip could not get pyyaml and python-daemon ({reason}); or: {HINT}")


def requirements() -> list[str]:
    """Return what setup.cfg says we need."""
    setup = configparser.ConfigParser()
    setup.read("setup.cfg", encoding="utf-8")
    return setup["options"]["install_requires"].split()


def works(python: str, directories: list[str]) -> bool:
    """Tell whether the two can be imported as the installed programs will do it."""
    return run([python, "-IS", "-c", TRY, *directories]).returncode == 0


def run(command: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and keep what it says."""
    return subprocess.run(
        command,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
