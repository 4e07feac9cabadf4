"""A compiled copy of the YAML file beside it, so that the shim need not load a YAML parser.

`/etc/pysendmail/.pysendmail.yaml.snapshot` holds what the file says (not the environment, not
the defaults), in marshal's format. It is believed only when its owner is root or the reader,
nobody else can write it, and the YAML file's (mtime, size, inode), our version and Python's agree
with it; else the YAML is parsed: slower, never wrong.

It never holds a secret, and tells nobody more than the YAML file itself would: of a file that not
everyone may read it holds only the settings that every caller of sendmail needs. `snapshot_writer`
makes it.
"""

from __future__ import annotations

import marshal
import posix
import sys

from pysendmail import __version__
from pysendmail.config import defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypedDict

    from pysendmail.config.values import Value

    class PublicSettings(TypedDict):
        """What the shim needs to know: paths, seconds, octets, a name (b"": not configured)."""

        hostname: bytes
        socket: str
        spool: str
        wait: float
        message_size: int
        reserve: int
        delivery_mode: str


# what every caller of sendmail needs, and may know
PUBLIC_DEFAULTS: dict[str, Value] = {
    "hostname": b"",
    "socket": defaults.SOCKET,
    "spool": defaults.SPOOL,
    "wait": defaults.WAIT_S,
    "message_size": defaults.MESSAGE_SIZE,
    "reserve": defaults.RESERVE,
    "delivery_mode": defaults.DELIVERY_MODE,
}

SNAPSHOT_LIMIT = 1024**2

MAGIC = ("pysendmail configuration", __version__, sys.hexversion)
_OTHERS_WRITE = 0o022


class Snapshot:
    """Values by key name. `complete`: the YAML file says nothing that is not here."""

    __slots__ = ("complete", "values")

    def __init__(self, values: dict[str, Value], *, complete: bool) -> None:
        self.values = values
        self.complete = complete

    def __repr__(self) -> str:
        return f"Snapshot({self.values!r}, complete={self.complete})"


def public_settings(environ: Mapping[str, str], *, file: bool = True) -> PublicSettings:
    """Return those of PUBLIC_DEFAULTS, as the shim needs them.

    From the environment, over the file (by its snapshot when there is a valid one), over the
    defaults. A file that this user may not read, and mistakes in other keys, do not matter here;
    without `file` it is not looked at at all.
    Raises ConfigError when one of these is wrong or may be meant by an unknown key, or the file is
    not YAML.
    """
    named = environ.get(defaults.CONFIG_VARIABLE)
    path = named or defaults.CONFIG_PATH
    return _over_defaults(_public_of_file(path, named=bool(named)) if file else {}, environ)


def last_public_settings(environ: Mapping[str, str]) -> PublicSettings | None:
    """Return them as they were when the file could be used last, None where no snapshot tells."""
    path = environ.get(defaults.CONFIG_VARIABLE) or defaults.CONFIG_PATH
    snapshot = read_snapshot(path, old=True)
    return None if snapshot is None else _over_defaults(_public_of_snapshot(snapshot), environ)


def _over_defaults(from_file: dict[str, Value], environ: Mapping[str, str]) -> PublicSettings:
    settings = PUBLIC_DEFAULTS | from_file
    for name in PUBLIC_DEFAULTS:
        variable = defaults.VARIABLE_PREFIX + name.upper()
        text = environ.get(variable)
        if text:
            settings[name] = _parse_variable(name, variable, text)
    return settings  # type: ignore[return-value]  # each was parsed by the table of keys


def read_snapshot(config_path: str, *, old: bool = False) -> Snapshot | None:
    """Return the snapshot of a YAML file, None when there is none to be believed.

    An `old` one may be of the file as it was before somebody changed it.
    """
    try:
        status = posix.stat(config_path)
        content = marshal.loads(_read_trusted(snapshot_path(config_path)))  # noqa: S302
        magic, identity, values, complete = content
    except (OSError, ValueError, EOFError, TypeError):
        return None
    if magic != MAGIC:
        return None
    if not old and identity != (status.st_mtime_ns, status.st_size, status.st_ino):
        return None
    return Snapshot(values, complete=complete)


def snapshot_path(config_path: str) -> str:
    """Return where the snapshot of a YAML file is."""
    directory, slash, name = config_path.rpartition("/")
    return f"{directory}{slash}.{name}.snapshot"


def _public_of_file(path: str, *, named: bool) -> dict[str, Value]:
    snapshot = read_snapshot(path)
    if snapshot is not None:
        return _public_of_snapshot(snapshot)
    try:
        posix.stat(path)
        return _public_of_yaml(path)
    except OSError as error:
        # no file: all at the defaults. Not ours to read: nor are the credentials, and the settings
        # of the shim are at their defaults or in the snapshot that `pysendmail check` writes
        if isinstance(error, PermissionError) or (
            isinstance(error, FileNotFoundError) and not named
        ):
            return {}
        trouble = f"{path}: {error.strerror}"
    from pysendmail.config.errors import ConfigError

    raise ConfigError([trouble])


def _public_of_snapshot(snapshot: Snapshot) -> dict[str, Value]:
    return {name: snapshot.values[name] for name in PUBLIC_DEFAULTS if name in snapshot.values}


def _public_of_yaml(path: str) -> dict[str, Value]:
    from pysendmail.config.errors import ConfigError
    from pysendmail.config.file import read_file
    from pysendmail.config.keys import find_key

    settings = read_file(path)
    # an unknown key may be one of ours with a slip in it
    errors = [
        line for name, line in settings.errors if name in PUBLIC_DEFAULTS or not find_key(name)
    ]
    if errors:
        raise ConfigError(errors)
    return {name: settings.values[name] for name in PUBLIC_DEFAULTS if name in settings.values}


def _parse_variable(name: str, variable: str, text: str) -> Value:
    from pysendmail.config.errors import ConfigError
    from pysendmail.config.keys import KEYS

    key = next(key for key in KEYS if key.name == name)
    try:
        return key.parse(text)
    except ValueError as error:
        raise ConfigError([f"{variable}: key {name!r}: {error}"]) from None


def _read_trusted(path: str) -> bytes:
    """Return the content of a file that only root or this very user can have written."""
    flags = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
    descriptor = posix.open(path, flags)
    try:
        status = posix.fstat(descriptor)
        if status.st_uid not in (0, posix.geteuid()) or status.st_mode & _OTHERS_WRITE:
            raise PermissionError(f"{path} may be someone else's work")
        return posix.read(descriptor, min(status.st_size, SNAPSHOT_LIMIT))
    finally:
        posix.close(descriptor)
