"""A Kerberos realm of a test's own: a KDC on a free port of 127.0.0.1, its files in one directory.

The machine's /etc/krb5.conf and its KDC stay as they are: `client_env` and `server_env` have what
a process needs to live in this realm.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.helpers.guarded import SEARCH_PATH, Guarded
from tests.helpers.waiting import ReservedPort, listens, wait_until

INSTALL_HINT = "apt-get install krb5-kdc krb5-admin-server krb5-user"
REALM = "EXAMPLE.COM"

KRB5_CONF = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
  .example.com = {realm}
"""

KDC_CONF = """\
[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {directory}/principal
    key_stash_file = {directory}/stash
    acl_file = {directory}/acl
  }}
[logging]
  kdc = FILE:{directory}/log
"""


def why_not() -> str:
    """Return why no realm can be made here, '' when it can."""
    for program in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit"):
        if shutil.which(program, path=SEARCH_PATH) is None:
            return f"no Kerberos: {INSTALL_HINT} ({program} not found)"
    return ""


class Realm:
    """A running realm with one `user` and the keys of one `service`, as in smtp/localhost."""

    def __init__(self, *, user: str, password: str, service: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pysendmail-kerberos-"))
        os.chmod(self.directory, 0o755)  # for a server with a user of its own
        self._port = ReservedPort()
        self._kdc: Guarded | None = None
        self._user, self._password = user, password
        self.keytab = self.directory / "keytab"
        try:
            self._make(service)
        except BaseException:
            self.close()
            raise

    @property
    def client_env(self) -> dict[str, str]:
        """The environment of a client that holds the user's ticket."""
        return {
            "KRB5_CONFIG": str(self.directory / "krb5.conf"),
            "KRB5CCNAME": f"FILE:{self.directory}/tickets",
        }

    @property
    def server_env(self) -> dict[str, str]:
        """The environment of a server that holds the service's keys."""
        return {
            "KRB5_CONFIG": str(self.directory / "krb5.conf"),
            "KRB5_KTNAME": f"FILE:{self.keytab}",
        }

    def log_in(self) -> None:
        """Get the user a ticket."""
        self._run(["kinit", self._user], said=f"{self._password}\n")

    def log_out(self) -> None:
        """Throw the user's tickets away."""
        (self.directory / "tickets").unlink(missing_ok=True)

    def close(self) -> None:
        """End everything and remove it."""
        if self._kdc is not None:
            self._kdc.stop()
        self._port.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _make(self, service: str) -> None:
        values = {"realm": REALM, "port": self._port.number, "directory": self.directory}
        (self.directory / "krb5.conf").write_text(KRB5_CONF.format(**values))
        (self.directory / "kdc.conf").write_text(KDC_CONF.format(**values))
        self._run(["kdb5_util", "create", "-s", "-W", "-P", "master"])
        commands = [
            f'addprinc -pw "{self._password}" {self._user}',
            f"addprinc -randkey {service}",
            f"ktadd -k {self.keytab} {service}",
        ]
        self._run(["kadmin.local"], said="".join(f"{command}\n" for command in commands))
        self.keytab.chmod(0o644)
        self._kdc = Guarded(["krb5kdc", "-n"], env=self._env, output=self.directory / "output")
        wait_until(lambda: listens(self._port.number), what="the KDC to accept connections")

    @property
    def _env(self) -> dict[str, str]:
        return {**self.client_env, "KRB5_KDC_PROFILE": str(self.directory / "kdc.conf")}

    def _run(self, command: list[str], said: str = "") -> None:
        done = subprocess.run(
            command,
            input=said.encode(),
            env={"PATH": SEARCH_PATH, **self._env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout.decode(errors='replace')}"
