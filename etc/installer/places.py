"""Where everything goes: the paths of one installation, as its programs see them and as they are
written.

A path here is the final one; `staged` puts DESTDIR before it, where the files are written.
"""

from __future__ import annotations

import os
import re

SYSTEM_PREFIXES = ("/usr", "/usr/local")
USER = "pysendmail"


class Trouble(Exception):
    """What keeps us from installing, in one line for the person at the keyboard."""


class Places:
    """All paths of an installation.

    Below a system prefix the configuration, the spool and the socket are where they always are; any
    other prefix holds them too, so that an installation without root, or one to be thrown away, is
    all in one place.
    """

    def __init__(self, settings: dict[str, str]) -> None:
        self.prefix = settings["PREFIX"].rstrip("/")
        self.destdir = settings["DESTDIR"].rstrip("/")
        self.is_system = self.prefix in SYSTEM_PREFIXES
        own = "" if self.is_system else self.prefix
        self.configuration = f"{settings['SYSCONFDIR'] or f'{own}/etc'}/pysendmail"
        self.spool = f"{settings['LOCALSTATEDIR'] or f'{own}/var'}/spool/pysendmail"
        self.run = f"{settings['RUNDIR'] or f'{own}/run'}/pysendmail"
        self.units = settings["UNITDIR"] or f"{self.prefix}/lib/systemd/system"
        self.manuals = f"{self.prefix}/share/man"
        self.documents = f"{self.prefix}/share/doc/pysendmail"
        self.private = f"{self.prefix}/lib/pysendmail"
        self.bundles = f"{self.private}/bundles"
        self.manifest = f"{self.private}/manifest.json"
        self.config_file = f"{self.configuration}/pysendmail.yaml"
        self.socket = f"{self.run}/submit.sock"
        self.daemon = f"{self.prefix}/sbin/pysendmaild"
        self.user = settings["SERVICE_USER"]
        roots = (self.prefix, self.destdir, self.configuration, self.spool, self.run, self.units)
        for path in roots:
            if path and (not path.startswith("/") or "\n" in path):
                raise Trouble(f"a directory to install into must be absolute, not {path!r}")

    def staged(self, path: str) -> str:
        """Return where a final path is written."""
        return self.destdir + path

    @property
    def is_for_this_machine(self) -> bool:
        """Tell whether root installs for the running system: users and diversions are for that."""
        return not self.destdir and os.geteuid() == 0

    def substitute(self, text: str) -> str:
        """Return a document of ours, with the paths of this installation for the default ones."""
        replaced = {
            "/etc/pysendmail": self.configuration,
            "/var/spool/pysendmail": self.spool,
            "/run/pysendmail": self.run,
            "/usr/": f"{self.prefix}/",
        }
        # not in the middle of another path or word
        pattern = "|".join(rf"(?<![\w/]){re.escape(default)}" for default in replaced)
        return re.sub(pattern, lambda found: replaced[found[0]], text)

    def paths_module(self, dependencies: list[str]) -> str:
        """Return the text of pysendmail/_paths.py of this installation."""
        return (
            '"""Where things are in this installation. Written by `make install`."""\n\n'
            f"DEPENDENCIES = {tuple(dependencies)!r}\n"
            f"BUNDLES = {self.bundles!r}\n"
            f"CONFIG_PATH = {self.config_file!r}\n"
            f"SPOOL = {self.spool!r}\n"
            f"SOCKET = {self.socket!r}\n"
            f"DAEMON = {self.daemon!r}\n"
        )
