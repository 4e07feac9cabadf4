"""Where things are. `make install` writes this module anew for the installation it makes.

`DEPENDENCIES` are the directories that hold yaml and daemon; the stubs of the installed programs
put them at the end of sys.path, since they start without site. A checkout leaves them to its
virtualenv, and has no `BUNDLES` (_bundle.py).
"""

DEPENDENCIES: tuple[str, ...] = ()
BUNDLES = ""
CONFIG_PATH = "/etc/pysendmail/pysendmail.yaml"
SPOOL = "/var/spool/pysendmail"
SOCKET = "/run/pysendmail/submit.sock"
DAEMON = "/usr/sbin/pysendmaild"
