"""The shape of a key: its name, its kind, and what a person has to write.

A key is described by a row of the table in config/keys.py; everything that can be said of it (the
value of a text, the name in the environment, what was expected) follows from that row.
"""

from __future__ import annotations

from pysendmail.config import defaults
from pysendmail.config.values import PARSERS, format_duration, format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.config.values import Value

# kind -> (the Python type of a value, the value when unset, what a person should have written)
KINDS: dict[str, tuple[type, Value, str]] = {
    "duration": (float, 0.0, "a duration such as 90s, 5m, 1h30m or 2d"),
    "size": (int, 0, "a size such as 512KiB, 25MB or 50MiB"),
    "count": (int, 0, "a whole number"),
    "boolean": (bool, False, "true or false"),
    "choice": (str, "", "one of"),
    "choices": (tuple, (), "any of"),
    "text": (bytes, b"", "a printable text on one line"),
    "password": (bytes, b"", "a text on one line, without control characters"),
    "host": (bytes, b"", "a domain name such as example.com"),
    "domains": (tuple, (), "a domain name such as example.com, or a list of them"),
    "address": (bytes, b"", "one address such as admin@example.com"),
    "fallback": (bytes, b"", "forward, reject, or one address such as admin@example.com"),
    "path": (str, "", "an absolute path"),
    "socket": (str, "", "an absolute path"),
    "credential": (str, "", "an absolute path, or the name of a systemd credential"),
    "command": (str, "", "a command line"),
    "identities": (tuple, (), "lines of NAME: ADDRESS, such as www-data: web@example.com"),
    "smarthosts": (tuple, (), "a URL such as submission://smtp.example.com, or a list of them"),
    "mechanisms": (tuple, (), "a SASL mechanism such as SCRAM-SHA-256, or a list of them"),
    "pins": (tuple, (), "sha256: or spki-sha256: and a digest, or a list of them"),
    "proxy": (str, "", "a URL such as socks5://proxy.example.com:1080"),
    "ip": (str, "", "an IP address of this machine, such as 192.0.2.25"),
    "endpoints": (tuple, (), "an address and port such as 127.0.0.1:25 or [::1]:25, or a list"),
}


class Key:
    """One thing that can be configured.

    `default` is a text as the file would have it, empty for "not set"; `low` and `high` bound
    durations (seconds), sizes (octets) and counts; `doc` is prose without markup, whose first
    sentence stands alone. A `secret` is never shown (of a proxy the URL is, without user and
    password); for a `mounted` key the environment may name a file that holds the value
    (`PYSENDMAIL_<KEY>_FILE`).
    """

    __slots__ = (
        "choices", "default", "doc", "example", "high", "kind", "low", "mounted", "name", "secret",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        kind: str,
        default: str,
        doc: str,
        *,
        low: float = 0,
        high: float = float("inf"),
        choices: tuple[str, ...] = (),
        example: str = "",
        secret: bool = False,
        mounted: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.doc = doc
        self.low = low
        self.high = high
        self.choices = choices
        self.example = example
        self.secret = secret
        self.mounted = mounted

    def __repr__(self) -> str:
        return f"Key({self.name!r}, {self.kind!r}, default={self.default!r})"

    @property
    def attribute(self) -> str:
        """Return the name in `Config`: `from` is a word of Python's."""
        return "from_" if self.name == "from" else self.name

    @property
    def variable(self) -> str:
        """Return the name in the environment."""
        return defaults.VARIABLE_PREFIX + self.name.upper()

    @property
    def type(self) -> type:
        """Return the Python type of a value."""
        return KINDS[self.kind][0]

    @property
    def default_value(self) -> Value:
        """Return the value when nothing is configured."""
        return self.parse(self.default) if self.default else KINDS[self.kind][1]

    @property
    def expected(self) -> str:
        """Return what a person should have written, bounds and all."""
        phrase = KINDS[self.kind][2]
        if self.choices:
            return f"{phrase} {', '.join(self.choices)}"
        if self.low and self.high < float("inf"):
            return f"{phrase}, from {self.show(self.low)} to {self.show(self.high)}"
        if self.high < float("inf"):
            return f"{phrase}, at most {self.show(self.high)}"
        return f"{phrase}, at least {self.show(self.low)}" if self.low else phrase

    def parse(self, text: str) -> Value:
        """Return the value of a text; ValueError says what was found and what was expected."""
        hint = ""
        try:
            value = PARSERS[self.kind](text)
            if self._allows(value):
                return value
        except ValueError as error:
            hint = f" ({error})" if str(error) else ""
        # a URL may have a password in it by mistake, so it is not repeated either
        hidden = self.secret or (self.kind == "smarthosts" and "@" in text)
        found = "a text that is not shown" if hidden else repr(text[:100]) if text else "nothing"
        raise ValueError(f"found {found}, expected {self.expected}{hint}")

    def holds_secret(self, value: object) -> bool:
        """Tell whether nobody else may see a value; a proxy without a user has no secret."""
        return self.secret and bool(value) and (self.kind != "proxy" or "@" in str(value))

    def show(self, value: object) -> str:
        """Return a value as the file would have it, for people; secrets masked."""
        if self.kind == "proxy" and isinstance(value, str):
            scheme, separator, rest = value.partition("://")
            return scheme + separator + rest.rpartition("@")[2]  # without user and password
        if self.secret:
            return "(not shown)" if value else ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            return ", ".join(value)
        if isinstance(value, bytes):
            return value.decode("utf-8", "backslashreplace")
        if self.kind == "duration" and isinstance(value, float | int):
            return format_duration(value)
        return format_size(value) if self.kind == "size" and isinstance(value, int) else str(value)

    def _allows(self, value: Value) -> bool:
        if self.choices:
            chosen = value if isinstance(value, tuple) else (value,)
            return all(one in self.choices for one in chosen)
        if isinstance(value, float | int):
            return self.low <= value <= self.high
        return True
