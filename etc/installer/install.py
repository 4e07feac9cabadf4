"""make install, make uninstall: from this checkout into a system, a prefix or a package's DESTDIR.

Everything that can be wrong is looked at first, and the new modules are complete and compiled
before anything that is in use is touched: a failed installation leaves what was there. Files are
replaced by rename, so that a sendmail that starts meanwhile finds the old one or the new one.

Run as `python -EsB -m etc.installer.install install|uninstall PREFIX=… DESTDIR=… …` in the
checkout. Trouble is one line on stderr and status 1.
"""

from __future__ import annotations

import os
import shutil
import sys

from etc.installer.account import find_user, make_spool, make_user, service_user
from etc.installer.dependencies import extras_of, run
from etc.installer.files import Content, Link, digest, exchange, read_text, write
from etc.installer.modules import check_interpreter, lay_modules, run_installed, stub_of
from etc.installer.places import Places, Trouble
from etc.installer.running import remove_socket, running_daemon
from etc.installer.takeover import Manifest, owners
from pysendmail import __version__

PROGRAMS = {
    "sbin/sendmail": "sendmail",
    "sbin/pysendmaild": "pysendmaild",
    "bin/pysendmail": "pysendmail",
}
# The names that sendmail acts on (pysendmail/command/modes.py), where callers look for them. Not
# smtpd: on Linux that is OpenSMTPD's, and nobody starts a daemon by it.
LINKS = {
    "lib/sendmail": "../sbin/sendmail",
    "sbin/send-mail": "sendmail",
    **{
        f"bin/{name}": "../sbin/sendmail"
        for name in ("mailq", "newaliases", "runq", "hoststat", "purgestat", "rmail")
    },
}
CONTESTED = ("sbin/sendmail", *LINKS)  # the names that every mail system brings
MANUALS = (
    "sendmail.8", "pysendmaild.8", "pysendmail.8", "pysendmail.yaml.5", "pysendmail-aliases.5",
)  # fmt: skip
UNITS = ("pysendmail.service", "pysendmail.socket")
OTHER_NAMES = tuple(name.rpartition("/")[2] for name in LINKS if name != "lib/sendmail")
EXAMPLE = "etc/pysendmail.yaml.example"
DOCUMENTS = ("README.md", "CHANGELOG.md", "LICENSE", EXAMPLE, "docs/pysendmail.schema.json")


def install(places: Places, *, dependencies: str, extras: list[str], divert: bool) -> None:
    """Install; Trouble, with nothing changed, when it cannot be done."""
    python = sys.executable
    check_interpreter(python, places)
    user = service_user(places)
    contents = plan(places, python, user)
    check_rights(places, [*contents, places.private, places.config_file, places.spool])
    manifest = Manifest(places)
    foreign = [path for path in contents if manifest.is_foreign(path)]
    if foreign and not divert:
        raise Trouble(
            f"there already: {', '.join(foreign)} (of {owners(foreign)}): remove that first, "
            "or have it moved aside: make install DIVERT=yes"
        )
    fresh = places.staged(f"{places.private}.new")
    os.makedirs(places.staged("/"), exist_ok=True)  # a DESTDIR that is new
    try:
        for path in (*contents, places.private):
            manifest.make_directory(os.path.dirname(path))
        lay_modules(places, fresh, python, dependencies, extras)
        for path in foreign:
            manifest.move_aside(path)
        for name in CONTESTED:
            manifest.reserve(f"{places.prefix}/{name}")
        outdated = manifest.replace_files({path: digest(new) for path, new in contents.items()})
        manifest.write(f"{fresh}/manifest.json")
        exchange(fresh, places.staged(places.private))
        for path, content in contents.items():
            is_program = path.startswith((f"{places.prefix}/sbin/", f"{places.prefix}/bin/"))
            write(places.staged(path), content, 0o755 if is_program else 0o644)
        for path in outdated:
            os.unlink(places.staged(path))
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        manifest.remove_empty_directories()
        raise
    lay_state(places, python, user)


def uninstall(places: Places) -> None:
    """Remove what `install` has laid down, as far as it is still that, and nothing else."""
    manifest = Manifest(places)
    if not manifest.files:
        say(f"nothing is installed below {places.staged(places.prefix)}")
        return
    check_rights(places, [*manifest.files, places.private])
    manage_units(places, "disable", "--now", *UNITS)
    for path in manifest.files:
        if manifest.is_ours(path):
            os.unlink(places.staged(path))
        elif manifest.is_foreign(path):
            say(f"left alone, since it was changed after the installation: {path}")
    manifest.restore()
    shutil.rmtree(places.staged(places.private))
    manifest.remove_empty_directories()
    snapshot = places.staged(f"{places.configuration}/.pysendmail.yaml.snapshot")
    if os.path.exists(snapshot):
        os.unlink(snapshot)
    manage_units(places, "daemon-reload")
    if pid := running_daemon(places):
        say(f"still running, until you end it: {places.daemon}, pid {pid}")
    else:
        remove_socket(places)
    user = service_user(places)
    of_the_user = f" and the user {user}" if places.is_for_this_machine and user != "root" else ""
    say(f"kept: {places.configuration}, {places.spool}{of_the_user}")


def check_rights(places: Places, paths: list[str]) -> None:
    """Refuse where something would have to be written in a directory that we may not write."""
    for path in paths:
        directory = os.path.dirname(places.staged(path))
        while not os.path.lexists(directory):
            directory = os.path.dirname(directory)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise Trouble(
                f"no right to write in {directory}: be root, or choose a PREFIX of your own"
            )


def plan(places: Places, python: str, user: str) -> dict[str, Content]:
    """Return the content of every file outside our own directory, by path."""
    contents: dict[str, Content] = {}
    for name, module in PROGRAMS.items():
        contents[f"{places.prefix}/{name}"] = stub_of(module, python, places).encode()
    for name, target in LINKS.items():
        contents[f"{places.prefix}/{name}"] = Link(target)
    documents = {f"{places.manuals}/man{name[-1]}/{name}": f"docs/man/{name}" for name in MANUALS}
    documents |= {f"{places.units}/{name}": f"systemd/{name}" for name in UNITS}
    documents |= {f"{places.documents}/{os.path.basename(name)}": name for name in DOCUMENTS}
    for path, name in documents.items():
        text = places.substitute(read_text(name)).replace("\nUser=pysendmail\n", f"\nUser={user}\n")
        contents[path] = text.encode()
    for name in OTHER_NAMES:
        contents[f"{places.manuals}/man8/{name}.8"] = Link("sendmail.8")
    return contents


def lay_state(places: Places, python: str, user: str) -> None:
    """Make what outlives an uninstallation: user, spool, configuration; say what comes next."""
    if places.is_for_this_machine:
        make_user(user, places.spool)
    owner = find_user(user) if places.is_for_this_machine else None
    make_spool(places.staged(places.spool), owner)
    os.makedirs(places.staged(places.configuration), exist_ok=True)
    config_file = places.staged(places.config_file)
    is_new = not os.path.exists(config_file)
    if is_new:
        write(config_file, places.substitute(read_text(EXAMPLE)).encode(), 0o644)
        if owner:
            os.chown(config_file, -1, owner[1])  # so that `chmod 640` leaves the daemon its right
    say(f"pysendmail {__version__} is installed below {places.staged(places.prefix)}, for {python}")
    if places.destdir:
        say(f"left to the package: the system user {user}, who owns {places.spool} and its drop/")
        return
    for line in run_installed(places, python):
        say(line)
    manage_units(places, "daemon-reload")
    first = f"write {places.config_file}, then " if is_new else ""
    say(f"next: {first}run {places.prefix}/bin/pysendmail check")
    if pid := running_daemon(places):
        say(f"then start the daemon anew: what runs, pid {pid}, is what was installed before")


def manage_units(places: Places, *words: str) -> None:
    """Tell systemd, where it runs and the units are its own."""
    if places.is_for_this_machine and places.is_system and os.path.isdir("/run/systemd/system"):
        run(["systemctl", "--quiet", *words])


def say(line: str) -> None:
    """Tell the person who installs."""
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Run it."""
    action, *words = sys.argv[1:]
    settings = dict(word.split("=", 1) for word in words)
    os.umask(0o022)
    try:
        places = Places(settings)
        if action == "install":
            divert = settings["DIVERT"] == "yes"
            extras = extras_of(settings["EXTRAS"])
            install(places, dependencies=settings["DEPENDENCIES"], extras=extras, divert=divert)
        else:
            uninstall(places)
    except Trouble as trouble:
        sys.exit(f"make {action}: {trouble}")
    except OSError as error:
        sys.exit(f"make {action}: {error.filename or ''}: {error.strerror}")


if __name__ == "__main__":
    main()
