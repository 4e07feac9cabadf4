"""The table of keys, and the value that a configuration becomes.

`KEYS` is the one place where a key is described: the YAML parser, the names in the environment,
the commented example, the manual page and the JSON Schema are all made from it. `Config` has one
typed attribute for each key (a test compares the two) and is never changed after construction.
"""

from __future__ import annotations

from pysendmail.config import defaults
from pysendmail.config.providers import PRESETS, SCOPES
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
    "endpoints": (tuple, (), "an address and port such as 127.0.0.1:25 or [::1]:25, or a list"),
}


class Key:
    """One thing that can be configured.

    `default` is a text as the file would have it, empty for "not set"; `low` and `high` bound
    durations (seconds), sizes (octets) and counts; `doc` is prose without markup, whose first
    sentence stands alone. A `secret` is never shown; for a `mounted` key the environment may
    name a file that holds the value (`PYSENDMAIL_<KEY>_FILE`).
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

    def show(self, value: object) -> str:
        """Return a value as the file would have it, for people; secrets masked."""
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
            return value in self.choices
        if isinstance(value, float | int):
            return self.low <= value <= self.high
        return True


MINUTE, HOUR, DAY = 60, 3600, 86400

KEYS: tuple[Key, ...] = (
    Key("smarthost", "smarthosts", "",
        "The server that takes our mail, or a list of them in the order of preference. "
        "smtp:// means port 25, submission:// 587 with STARTTLS, submissions:// 465 with TLS from "
        "the start; another port is written host:port. "
        "While none is set, mail waits in the spool.",
        example="submission://smtp.example.com"),
    Key("user", "text", "",
        "The name to log in with at the smarthost. "
        "Without it there is no login.",
        example="mailer@example.com", mounted=True),
    Key("password", "password", "",
        "The password to log in with. "
        "Better kept in a file of its own; here it is accepted only while others cannot read this "
        "file.",
        example="correct horse battery staple", secret=True, mounted=True),
    Key("password_file", "credential", "",
        "The file whose first line is the password. "
        "Others must not be able to read it. A name without a slash in front is looked up in the "
        "directory of systemd's credentials.",
        example="/etc/pysendmail/password"),
    Key("password_command", "command", "",
        "A command whose first line of output is the password. "
        "It is split into words as a shell would, but run without a shell, for at most 10 seconds.",
        example="pass show mail/smarthost"),
    Key("origin", "host", "",
        "The domain that completes bare names, in the envelope and in the header. "
        "Unset: the value of hostname.",
        example="example.com"),
    Key("hostname", "host", "",
        "The name of this machine in EHLO, Received and Message-ID. "
        "Unset: the system's node name; a bare one is completed with the domain of /etc/mailname, "
        "else with the origin.",
        example="host.example.com"),
    Key("root", "address", "",
        "Where mail for root goes, and with it what is addressed to postmaster and mailer-daemon. "
        "Unset: root's mail goes to root at the origin.",
        example="admin@example.com"),
    Key("aliases", "path", "/etc/aliases",
        "The aliases file for local names, see pysendmail-aliases(5). "
        "It may be missing. Targets that are programs or files are refused."),
    Key("local_domains", "domains", "",
        "Domains whose addresses are local names: aliases apply to them, and what is left is sent "
        "to the origin. "
        "Always local are localhost and the hostname, in full and up to its first dot; the "
        "origin, whose mailboxes the smarthost knows, is local only when it is listed here.",
        example="internal.example.com"),
    Key("unknown_local", "fallback", "forward",
        "Where mail for a local name goes that has no alias. "
        "forward: to that name at the origin, for the smarthost to decide. reject: back to the "
        "caller. An address: there, as with a mailbox for all."),
    Key("provider", "choice", "",
        "Whose service the smarthost is, so that mail goes out under addresses it takes. "
        "Fills in rewrite and, for those where a login is for one mailbox, sender and from with "
        "the user; what is set yourself stays.",
        choices=tuple(PRESETS), example="gmail"),
    Key("rewrite", "choice", "",
        "Which addresses of senders are replaced. "
        "all: every one. foreign: those outside the domain of origin, sender and from. "
        "By what: see identities. "
        "Unset: every one in the envelope when there is a sender, in the header when there is a "
        "from, and none without.",
        choices=SCOPES, example="foreign"),
    Key("sender", "address", "",
        "The envelope sender of every message, or of those that rewrite says, in place of the "
        "caller's. "
        "For smarthosts that take mail from one address only. The null sender of a bounce stays. "
        "A bare name is completed with the origin.",
        example="mailer@example.com"),
    Key("from", "address", "",
        "The address in the From field of every message, or of those that rewrite says, in place "
        "of the writer's. "
        "The name beside it stays, the writer's address goes into Reply-To when there is none; "
        "signed messages are left alone. A bare name is completed with the origin.",
        example="mailer@example.com"),
    Key("identities", "identities", "",
        "Under which address single users or senders write, in the envelope and in From. "
        "A name is a login name, a uid, an address, or a domain with @ before it (in quotes, as "
        "YAML wants it). Addresses and domains are replaced wherever they are given; what else "
        "has to be replaced becomes the identity of the user, else sender or from, else the "
        "user's name at the origin. In the environment: NAME: ADDRESS with commas between.",
        example="www-data: web@example.com"),
    Key("spool", "path", defaults.SPOOL,
        "The directory where mail waits while no smarthost takes it."),
    Key("socket", "socket", defaults.SOCKET,
        "The socket through which sendmail hands mail to the daemon."),
    Key("wait", "duration", format_duration(defaults.WAIT_S),
        "How long a caller waits for the smarthost's verdict. "
        "After that the message is spooled and the caller told that all is well.",
        high=HOUR),
    Key("delivery_mode", "choice", defaults.DELIVERY_MODE,
        "What happens to a message when the caller does not say (-odi, -odb, -odq). "
        "interactive: an attempt now, and the caller gets the verdict. background: spooled, and "
        "attempted at once. queue: spooled until the next run of the queue.",
        choices=defaults.DELIVERY_MODES),
    Key("message_size", "size", format_size(defaults.MESSAGE_SIZE),
        "The largest message that is taken from a caller.",
        low=1024, high=4 * 1024**3),
    Key("listen", "endpoints", "",
        "Where the daemon takes mail by SMTP, from programs that can do nothing else. "
        "Unset: nowhere. An IPv6 address stands in brackets, and so in quotes. A port below 1024 "
        "takes a daemon that root starts, or a socket of systemd's: see pysendmaild(8).",
        example="127.0.0.1:25"),
    Key("listen_for", "choice", "loopback",
        "Who may hand in mail there. "
        "loopback: this machine, which is to say every user and program on it. private: also "
        "machines and containers with private addresses (RFC 1918, fc00::/7, link-local). anyone: "
        "everybody who can reach the port and log in.",
        choices=("loopback", "private", "anyone")),
    Key("listen_user", "text", "",
        "The name that clients must log in with there. "
        "Unset: nobody has to. The connection is not encrypted, so let the password be good for "
        "nothing else.",
        example="intranet"),
    Key("listen_password_file", "credential", "",
        "The file whose first line is the password of listen_user. "
        "Others must not be able to read it, as with password_file.",
        example="/etc/pysendmail/listen-password"),
    Key("tls", "choice", "",
        "Whether the connection must be encrypted. "
        "required: no mail without TLS. opportunistic: TLS when it is offered. none: never. "
        "Unset: required when there is a user or the scheme is submission:// or submissions://, "
        "otherwise opportunistic.",
        choices=("required", "opportunistic", "none"), example="required"),
    Key("ca_file", "path", "",
        "Certificates, in PEM, of the authorities to trust in addition to the system's. "
        "For a smarthost with a certificate of a private authority.",
        example="/etc/pysendmail/ca.pem"),
    Key("tls_verify", "boolean", "true",
        "Whether the smarthost's certificate is verified. "
        "Without verification no password is sent, unless insecure_password says so."),
    Key("insecure_password", "boolean", "false",
        "Whether the password may be sent over a connection that is not encrypted or not verified. "
        "Whoever listens then has it. Meant for a smarthost on this machine."),
    Key("log", "choice", "",
        "Where the daemon's log goes. "
        "Unset: syslog, or stderr when the daemon runs in the foreground.",
        choices=("syslog", "stderr", "json"), example="json"),
    Key("connections", "count", "20",
        "The largest number of connections to one smarthost at a time.",
        low=1, high=1000),
    Key("messages_per_connection", "count", "100",
        "After how many messages a connection is closed and opened anew.",
        low=1, high=1_000_000),
    Key("idle_timeout", "duration", "30s",
        "How long an unused connection is kept open for the next message.",
        high=HOUR),
    Key("retry_first", "duration", "5m",
        "How long a deferred message waits for its second attempt. "
        "The wait doubles from attempt to attempt.",
        low=1, high=DAY),
    Key("retry_longest", "duration", "4h",
        "The longest wait between two attempts.",
        low=1, high=7 * DAY),
    Key("lifetime", "duration", "5d",
        "How long a message is attempted before it goes back to its sender.",
        low=1, high=60 * DAY),
    Key("delay_warning", "duration", "4h",
        "After how long a sender is told that the message is delayed. "
        "0s: never.",
        high=60 * DAY),
    Key("linger", "boolean", "true",
        "Whether sendmail, when no daemon runs and a message had to be spooled, starts one that "
        "ends when the queue is empty."),
    Key("idle_exit", "duration", "0s",
        "After how long without work a daemon ends whose socket systemd keeps: the next message "
        "starts it again. 0s: never.",
        high=DAY, example="5m"),
)  # fmt: skip


class Config:
    """All settings, each of the right type and within its bounds; unset ones at their defaults.

    Texts that go into mail or to the smarthost are bytes, paths are str, durations are seconds,
    sizes octets; an empty value means "not set".
    """

    __slots__ = tuple(key.attribute for key in KEYS)

    smarthost: tuple[str, ...]
    user: bytes
    password: bytes
    password_file: str
    password_command: str
    origin: bytes
    hostname: bytes
    root: bytes
    aliases: str
    local_domains: tuple[str, ...]
    unknown_local: bytes
    provider: str
    rewrite: str
    sender: bytes
    from_: bytes
    identities: tuple[str, ...]
    spool: str
    socket: str
    wait: float
    delivery_mode: str
    message_size: int
    listen: tuple[str, ...]
    listen_for: str
    listen_user: bytes
    listen_password_file: str
    tls: str
    ca_file: str
    tls_verify: bool
    insecure_password: bool
    log: str
    connections: int
    messages_per_connection: int
    idle_timeout: float
    retry_first: float
    retry_longest: float
    lifetime: float
    delay_warning: float
    linger: bool
    idle_exit: float

    def __init__(self, **values: object) -> None:
        """Take values by attribute name, already parsed; TypeError for a wrong name or type."""
        for key in KEYS:
            value = values.pop(key.attribute, None)
            if value is None:
                value = key.default_value
            elif key.type is float and type(value) is int:
                value = float(value)
            elif type(value) is not key.type:
                raise TypeError(f"{key.attribute} is {key.type.__name__}, not {value!r}")
            object.__setattr__(self, key.attribute, value)
        if values:
            raise TypeError(f"no such key: {', '.join(sorted(values))}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Config is not changed; make another with replaced({name}=…)")

    def replaced(self, **values: object) -> Config:
        """Return another Config that differs in these values."""
        return Config(**{key.attribute: getattr(self, key.attribute) for key in KEYS} | values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and all(
            getattr(self, key.attribute) == getattr(other, key.attribute) for key in KEYS
        )

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, key.attribute) for key in KEYS))

    def __repr__(self) -> str:
        changed = (
            f"{key.attribute}={key.show(value) if key.secret else repr(value)}"
            for key in KEYS
            if (value := getattr(self, key.attribute)) != key.default_value
        )
        return f"Config({', '.join(changed)})"


def find_key(name: str) -> Key | None:
    """Return the key of this name."""
    for key in KEYS:
        if key.name == name:
            return key
    return None
