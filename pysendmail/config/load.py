"""From the file and the environment to one `Config`, with where each setting came from.

The environment wins over the file, the file over the defaults. All mistakes of both are collected
and raised together; nothing is used of a configuration that has one.
"""

from __future__ import annotations

from pysendmail.config.checks import CREDENTIAL_KEYS, find_contradictions, find_doubts
from pysendmail.config.defaults import CONFIG_PATH, CONFIG_VARIABLE
from pysendmail.config.environment import read_environment
from pysendmail.config.errors import ConfigError, UnreadableConfigError
from pysendmail.config.hostname import system_hostname
from pysendmail.config.keys import KEYS, Config, find_key
from pysendmail.config.providers import filled_in
from pysendmail.config.settings import Settings
from pysendmail.config.snapshot import read_snapshot
from pysendmail.config.values import parse_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pysendmail.config.values import Value


class Loaded:
    """A configuration that can be used.

    `sources` tells for each key name where its value is from: `default`, `FILE:LINE`, the variable
    or the provider. `warnings` are lines for the administrator. `file` is what the file itself
    said, None when there is none or when its snapshot was taken instead.
    """

    __slots__ = ("config", "file", "path", "sources", "warnings")

    def __init__(
        self,
        config: Config,
        *,
        path: str,
        sources: dict[str, str],
        warnings: list[str],
        file: Settings | None,
    ) -> None:
        self.config = config
        self.path = path
        self.sources = sources
        self.warnings = warnings
        self.file = file

    def changes(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key, value as text, source) of all that was configured; secrets masked."""
        for key in KEYS:
            if self.sources[key.name] != "default":
                value = getattr(self.config, key.attribute)
                yield key.name, key.show(value), self.sources[key.name]


def load(
    environ: Mapping[str, str],
    path: str | None = None,
    *,
    use_snapshot: bool = False,
    file: bool = True,
) -> Loaded:
    """Read the configuration.

    `path`, or PYSENDMAIL_CONFIG, names the file; that of the default path may be missing.
    With `use_snapshot` a valid snapshot (config/snapshot.py) spares the YAML parser. Without `file`
    it is not looked at: what it says is unknown then.

    Raises ConfigError with all mistakes, UnreadableConfigError (a ConfigError) when the file or a
    secret is there but not readable for this user.
    """
    named = path or environ.get(CONFIG_VARIABLE)
    path = named or CONFIG_PATH
    from_file = Settings()
    if file:
        from_file = _read_file_or_snapshot(
            path, missing_allowed=not named, use_snapshot=use_snapshot
        )
    from_environment = read_environment(environ)
    values, sources = _merge(from_file, from_environment)
    config = _complete(_fill_in(Config(**values), sources))
    _refuse_mistakes(config, sources, from_file, from_environment)
    doubts = [f"{sources[name]}: key {name!r}: {doubt}" for name, doubt in find_doubts(config)]
    return Loaded(
        config,
        path=path,
        sources=sources,
        warnings=from_file.warnings + from_environment.warnings + doubts,
        file=from_file if from_file.identity else None,
    )


def _read_file_or_snapshot(path: str, *, missing_allowed: bool, use_snapshot: bool) -> Settings:
    if use_snapshot and (snapshot := read_snapshot(path)) and snapshot.complete:
        settings = Settings()
        settings.values = dict(snapshot.values)
        settings.places = dict.fromkeys(snapshot.values, path)
        return settings
    from pysendmail.config.file import read_file

    try:
        return read_file(path)
    except OSError as error:
        if missing_allowed and isinstance(error, FileNotFoundError):
            return Settings()
        kind = UnreadableConfigError if isinstance(error, PermissionError) else ConfigError
        raise kind([f"{path}: {error.strerror}"]) from None


def _merge(
    from_file: Settings, from_environment: Settings
) -> tuple[dict[str, Value], dict[str, str]]:
    """Return values by attribute name, and the sources of all keys by key name."""
    places = from_file.places | from_environment.places
    if not from_environment.places.keys().isdisjoint(CREDENTIAL_KEYS):
        # one source of password or token takes the place of another, it does not stand beside it
        for name in CREDENTIAL_KEYS:
            if name not in from_environment.places:
                places.pop(name, None)
    values = from_file.values | from_environment.values
    sources = {key.name: places.get(key.name, "default") for key in KEYS}
    return {key.attribute: values[key.name] for key in KEYS if key.name in places}, sources


def _fill_in(config: Config, sources: dict[str, str]) -> Config:
    """Set what the provider stands for, where nothing was set."""
    missing = {
        name: value
        for name, value in filled_in(config.provider, config.user).items()
        if value and not getattr(config, name)
    }
    for key in KEYS:
        if key.attribute in missing:
            sources[key.name] = f"provider {config.provider}"
    return config.replaced(**missing)


def _complete(config: Config) -> Config:
    """Fill in what is derived: the names of the machine, and the domain of bare addresses."""
    hostname = config.hostname or system_hostname()
    if b"." not in hostname and b"." in config.origin:
        hostname = _full_name(hostname, config.origin)
    origin = config.origin or hostname

    def qualified(address: bytes) -> bytes:
        return address + b"@" + origin if address and b"@" not in address else address

    return config.replaced(
        hostname=hostname,
        origin=origin,
        sender=qualified(config.sender),
        from_=qualified(config.from_),
    )


def _full_name(hostname: bytes, origin: bytes) -> bytes:
    """Return a bare name with the origin's domain: many a smarthost refuses EHLO without one.

    An address literal is no domain, and has none; nor has a name that would be too long with it.
    """
    try:
        return parse_host(f"{hostname.decode()}.{origin.decode()}")
    except ValueError:
        return hostname


def _refuse_mistakes(
    config: Config, sources: dict[str, str], from_file: Settings, from_environment: Settings
) -> None:
    """Raise all that is wrong in the two, and between them."""
    errors = from_file.errors + from_environment.errors
    wrong = frozenset(name for name, _line in errors)
    lines = [line for _name, line in errors]
    # what an unknown key was meant to be, and what an unreadable document says, nobody knows
    if all(find_key(name) for name in wrong):
        for name, trouble in find_contradictions(config, wrong):
            lines.append(f"{sources[name]}: key {name!r}: {trouble}")
    for key in KEYS:
        value = from_file.values.get(key.name)
        if from_file.readable_by_all and key.holds_secret(value):
            place = from_file.places[key.name]
            lines.append(f"{place}: key {key.name!r}: everyone can read this file: chmod 640 it")
    if lines:
        denied = from_environment.denied and len(lines) == 1
        raise (UnreadableConfigError if denied else ConfigError)(lines)
