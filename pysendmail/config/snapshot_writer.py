"""Snapshots written for `snapshot` to read: by the daemon, `pysendmail check` and the installer."""

from __future__ import annotations

import marshal
import os

from pysendmail.config.keys import KEYS
from pysendmail.config.snapshot import MAGIC, PUBLIC_DEFAULTS, snapshot_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.config.load import Loaded
    from pysendmail.config.settings import Settings
    from pysendmail.config.values import Value


def write_snapshot(loaded: Loaded) -> bool:
    """Write the snapshot of a configuration just loaded; False when it came from no YAML file.

    Raises OSError when the directory cannot be written, which does no harm.
    """
    if loaded.file is None:
        return False
    values, complete = _divulgable(loaded.file)
    content = marshal.dumps((MAGIC, loaded.file.identity, values, complete))
    path = snapshot_path(loaded.path)
    # written under another name: a reader sees the old one or the new one, whole
    temporary = f"{path}.{os.getpid()}"
    try:
        _write_new(temporary, content)
        os.rename(temporary, path)
    except OSError:
        _remove(temporary)
        raise
    return True


def _divulgable(settings: Settings) -> tuple[dict[str, Value], bool]:
    names = {key.name for key in KEYS if not key.secret}
    if not settings.readable_by_all:
        names &= PUBLIC_DEFAULTS.keys()
    values = {name: value for name, value in settings.values.items() if name in names}
    return values, len(values) == len(settings.values)


def _write_new(path: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    try:
        os.fchmod(descriptor, 0o644)  # whatever the umask: every caller of sendmail reads it
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it was never made
