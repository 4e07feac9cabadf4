"""The environment: every key as `PYSENDMAIL_<KEY>`, credentials also as `…_FILE`.

An empty variable is one that is not set, as `${NAME:-}` in a container's description leaves it.
A variable that begins like ours and is none of ours is an error: a slip there would otherwise be a
setting that silently does not hold.
"""

from __future__ import annotations

from pysendmail.config.defaults import CONFIG_VARIABLE, VARIABLE_PREFIX
from pysendmail.config.keys import KEYS
from pysendmail.config.secrets import credential_path
from pysendmail.config.settings import Settings, nearest, read_limited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pysendmail.config.key import Key

MOUNTED_FILE_LIMIT = 64 * 1024

# what Kubernetes and Docker set for a service that happens to be called pysendmail
_SERVICE_NAMES = ("PYSENDMAIL_PORT", "PYSENDMAIL_NAME")
_SERVICE_PREFIXES = ("PYSENDMAIL_SERVICE_", "PYSENDMAIL_PORT_", "PYSENDMAIL_ENV_")


def read_environment(environ: Mapping[str, str]) -> Settings:
    """Return what the environment says, its mistakes included; reads the files it names."""
    settings = Settings()
    mounted = {f"{key.variable}_FILE": key for key in KEYS if key.mounted}
    # PYSENDMAIL_PASSWORD_FILE is such a name, and no other way to say password_file
    plain = {key.variable: key for key in KEYS if key.variable not in mounted}
    for variable, key in plain.items():
        if environ.get(variable):
            settings.put(key, [(environ[variable], variable)], variable)
    for variable, key in mounted.items():
        if environ.get(variable):
            if environ.get(key.variable):
                settings.warnings.append(f"{variable} is set, so {key.variable} does not count")
            _take_mounted_file(settings, key, variable, environ)
    for variable in sorted(environ):
        if variable.startswith(VARIABLE_PREFIX) and not _is_service(variable):
            known = [*plain, *mounted, CONFIG_VARIABLE]
            if variable not in known:
                settings.refuse("", variable, f"unknown variable{nearest(variable, known)}")
    return settings


def _take_mounted_file(
    settings: Settings, key: Key, variable: str, environ: Mapping[str, str]
) -> None:
    """Take the value from a file; modes are not looked at, for mounted secrets are often 0444."""
    path = credential_path(environ[variable], environ)
    try:
        content, _status = read_limited(path, MOUNTED_FILE_LIMIT)
    except (OSError, ValueError) as error:
        settings.denied |= isinstance(error, PermissionError)
        trouble = error.strerror if isinstance(error, OSError) else error
        settings.refuse(key.name, variable, f"cannot read {path!r}: {trouble}")
        return
    text = content.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
    settings.put(key, [(text, variable)], variable)


def _is_service(variable: str) -> bool:
    return variable in _SERVICE_NAMES or variable.startswith(_SERVICE_PREFIXES)
