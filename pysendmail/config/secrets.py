"""The password or token: from the configuration itself, a file of its own, or a command.

Nothing is kept: who needs a secret again asks again, so that a changed one is found.
Raises ConfigError with a line that tells what to do, and never shows what it read.
"""

from __future__ import annotations

import os

from pysendmail.config.errors import ConfigError, UnreadableConfigError
from pysendmail.config.settings import read_limited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pysendmail.config.keys import Config

# where systemd puts what LoadCredential= names (systemd.exec(5)); readable by the service alone
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
SECRET_LIMIT = 64 * 1024
COMMAND_TIMEOUT_S = 10.0

_OTHERS_MAY = 0o006  # read or write


def read_password(
    config: Config,
    environ: Mapping[str, str] = os.environ,
    *,
    timeout_s: float = COMMAND_TIMEOUT_S,
) -> bytes | None:
    """Return the password to log in with, None when none is configured.

    Raises UnreadableConfigError when this user may not read the file, ConfigError for all else.
    """
    if config.password:
        return config.password
    if config.password_file:
        return _read_secret_file("password_file", config.password_file, environ)
    if config.password_command:
        return _run_command("password_command", config.password_command, environ, timeout_s)
    return None


def read_token(
    config: Config,
    environ: Mapping[str, str] = os.environ,
    *,
    timeout_s: float = COMMAND_TIMEOUT_S,
) -> bytes | None:
    """Return the OAuth 2 token as it is now, None when none is configured; raises as above."""
    if config.token_file:
        return _read_secret_file("token_file", config.token_file, environ)
    if config.token_command:
        return _run_command("token_command", config.token_command, environ, timeout_s)
    return None


def read_listen_password(config: Config, environ: Mapping[str, str] = os.environ) -> bytes | None:
    """Return the password of `listen_user`, None when nobody has to log in; raises as above."""
    if not config.listen_password_file:
        return None
    return _read_secret_file("listen_password_file", config.listen_password_file, environ)


def credential_path(name: str, environ: Mapping[str, str]) -> str:
    """Return the path of a secret's file: a relative name is that of a systemd credential."""
    return os.path.join(environ.get(CREDENTIALS_VARIABLE, ""), name)


def _read_secret_file(key: str, name: str, environ: Mapping[str, str]) -> bytes:
    path = credential_path(name, environ)
    place = f"key {key!r}: {path!r}"
    if not path.startswith("/"):
        raise ConfigError([f"{place} is not absolute, and {CREDENTIALS_VARIABLE} is not set"])
    try:
        content, status = read_limited(path, SECRET_LIMIT)
    except PermissionError as error:
        raise UnreadableConfigError([f"{place}: {error.strerror}"]) from None
    except OSError as error:
        raise ConfigError([f"{place}: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigError([f"{place}: {error}"]) from None
    if status.st_mode & _OTHERS_MAY:
        mode = f"{status.st_mode & 0o7777:04o}"
        raise ConfigError([f"{place} is open to everyone (mode {mode}): chmod 640 {path}"])
    return _first_line(content, place)


def _run_command(key: str, command: str, environ: Mapping[str, str], timeout_s: float) -> bytes:
    import shlex
    import signal
    import subprocess

    place = f"key {key!r}: {command!r}"
    try:
        # a session of its own: at the timeout its children, who hold the pipe open, end with it
        process = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=dict(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ConfigError([f"{place}: {error}"]) from None
    with process:
        try:
            output, _nothing = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise ConfigError([f"{place} did not end within {timeout_s:g} seconds"]) from None
    if process.returncode:
        raise ConfigError([f"{place} ended with status {process.returncode}"])
    return _first_line(output, place)


def _first_line(content: bytes, place: str) -> bytes:
    line = content.split(b"\n", 1)[0].removesuffix(b"\r")
    if not line:
        raise ConfigError([f"{place} gives no secret: the first line is empty"])
    if any(octet < 32 or octet == 127 for octet in line):
        raise ConfigError([f"{place}: the first line has a control character in it"])
    return line
