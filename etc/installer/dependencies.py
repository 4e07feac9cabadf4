"""The libraries, two and those of the extras: the system's where they are, else our own from PyPI.

Our programs start without `site`, so they are told at installation where the libraries lie. The
system's site-packages are read, never written.
"""

from __future__ import annotations

import configparser
import os
import subprocess

from etc.installer.places import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MODULES = ("yaml", "daemon")
# extra of setup.cfg -> its module, how we see that it is there and new enough, and the package of
# Debian's that helps; the python-socks of its stable releases is too old for us
EXTRAS = {
    "proxy": (
        "python_socks",
        "from pysendmail.smtp.transport.proxy import require_package; require_package()",
        "python3-pip",
    ),
    "gssapi": ("gssapi", "import gssapi", "python3-gssapi"),
}
FIND = """
import os, sys
for name in sys.argv[1:]:
    print(os.path.dirname(os.path.dirname(__import__(name).__file__)))
"""
TRY = "import sys; sys.path.extend(sys.argv[1:]); import yaml, daemon"


def extras_of(words: str) -> list[str]:
    """Return the extras in `EXTRAS=proxy,gssapi`; Trouble for one that is none."""
    extras = words.replace(",", " ").split()
    for extra in extras:
        if extra not in EXTRAS:
            raise Trouble(f"EXTRAS={words}: {extra} is none of {', '.join(EXTRAS)}")
    return extras


def find_dependencies(python: str, given: str, extras: Sequence[str] = ()) -> list[str] | None:
    """Return the directories that hold the libraries for this interpreter, None without them.

    `given` is a directory named by the person who installs; Trouble when they are not in it.
    """
    modules = [*MODULES, *(EXTRAS[extra][0] for extra in extras)]
    if given:
        if not works(python, [given], extras):
            names = " and ".join(modules)
            raise Trouble(f"{python} cannot import {names} from DEPENDENCIES={given}")
        return [given]
    found = run([python, "-I", "-c", FIND, *modules])
    directories = list(dict.fromkeys(found.stdout.split("\n")[:-1]))
    return directories if found.returncode == 0 and works(python, directories, extras) else None


def fetch_dependencies(python: str, directory: str, extras: Sequence[str] = ()) -> None:
    """Have pip put the libraries into a directory of ours; Trouble when it cannot."""
    if run([python, "-I", "-m", "pip", "--version"]).returncode != 0:
        modules = ", ".join((*MODULES, *(EXTRAS[extra][0] for extra in extras)))
        raise Trouble(f"{python} has neither pip nor all of {modules}: {hint(extras)}")
    options = ["--quiet", "--no-input", "--no-compile", "--disable-pip-version-check"]
    command = [python, "-I", "-m", "pip", "install", *options, "--target", directory]
    fetched = run([*command, *requirements(extras)], PIP_USER="0")
    if fetched.returncode != 0 or not works(python, [directory], extras):
        errors = [line for line in fetched.stderr.splitlines() if "ERROR" in line]
        reason = errors[-1].partition("ERROR: ")[2] if errors else "they cannot be imported"
        instead = "" if "proxy" in extras else f"; or: {hint(extras)}"
        raise Trouble(f"pip could not get {', '.join(requirements(extras))} ({reason}){instead}")


def hint(extras: Sequence[str] = ()) -> str:
    """Return what helps where libraries are missing, on Debian."""
    packages = [EXTRAS[extra][2] for extra in extras]
    return " ".join(("apt-get install python3-yaml python3-daemon", *packages))


def requirements(extras: Sequence[str] = ()) -> list[str]:
    """Return what setup.cfg says we need."""
    setup = configparser.ConfigParser()
    setup.read("setup.cfg", encoding="utf-8")
    needed = setup["options"]["install_requires"].split()
    for extra in extras:
        needed += setup["options.extras_require"][extra].split()
    return needed


def works(python: str, directories: list[str], extras: Sequence[str] = ()) -> bool:
    """Tell whether the libraries can be imported as the installed programs will do it."""
    script = "\n".join((TRY, *(EXTRAS[extra][1] for extra in extras)))
    checkout = os.getcwd()  # whose own modules know what they need
    return run([python, "-BIS", "-c", script, *directories, checkout]).returncode == 0


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
