"""The table of keys, and the value that a configuration becomes.

`KEYS` is the one place where a key is described: the YAML parser, the names in the environment,
the commented example, the manual page and the JSON Schema are all made from it. `Config` has one
typed attribute for each key (a test compares the two) and is never changed after construction.
"""

from __future__ import annotations

from pysendmail.config import defaults
from pysendmail.config.key import Key
from pysendmail.config.providers import PRESETS, SCOPES
from pysendmail.config.values import format_duration, format_size

HOUR, DAY = 3600, 86400

KEYS: tuple[Key, ...] = (
    Key("smarthost", "smarthosts", "",
        "The server that takes our mail, or a list of them in the order of preference. "
        "smtp:// means port 25, submission:// 587 with STARTTLS, submissions:// 465 with TLS from "
        "the start, lmtp://host:port or lmtp:///path/of/a/socket a server that speaks LMTP; "
        "another port is written host:port. The keys below hold for all of them. "
        "While none is set, mail waits in the spool.",
        example="submission://smtp.example.com"),
    Key("user", "text", "",
        "The name to log in with at the smarthost. "
        "Without it there is no login, unless token_file, token_command or sasl_mechanisms make "
        "one.",
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
    Key("token_file", "credential", "",
        "The file whose first line is an OAuth 2 access token, to log in with instead of a "
        "password. "
        "It is read at each login, so whoever renews it only has to rename a new file into place. "
        "Others must not be able to read it, but the daemon's user must. A name without a slash "
        "in front is looked up in the directory of systemd's credentials.",
        example="/run/pysendmail/token"),
    Key("token_command", "command", "",
        "A command whose first line of output is an OAuth 2 access token. "
        "It is run at each login by the daemon's user, as password_command is.",
        example="oauth2-token --account mailer@example.com"),
    Key("sasl_mechanisms", "mechanisms", "",
        "The mechanisms to log in by, best first; the first that the smarthost offers and that "
        "credentials and connection are fit for is used, and no other tried. "
        "Unset: EXTERNAL when there is a certificate of ours, OAUTHBEARER, XOAUTH2, "
        "SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN. By name alone also SCRAM with -PLUS, CRAM-MD5, "
        "DIGEST-MD5 and GSSAPI. EXTERNAL (by tls_certificate_file) and GSSAPI (by the Kerberos "
        "tickets of the daemon's user) need no user and password.",
        example="SCRAM-SHA-256"),
    Key("sasl_authzid", "text", "",
        "The identity to act as, when it is not that of the login (SASL's authorization "
        "identity).",
        example="newsletter@example.com"),
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
    Key("reserve", "size", format_size(defaults.RESERVE),
        "The space on the file system of the spool that new messages leave free. "
        "They are refused when it is reached; bounces and the records of attempts may use it, so "
        "that a full disk does not end deliveries. Root's messages leave half of it. One free "
        "inode counts as 16 KiB. 0: none.",
        high=1024**4),
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
        low=1024, high=defaults.MESSAGE_SIZE_HIGHEST),
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
        "Unset: required when there is a login, a certificate of ours or a pin, or scheme or port "
        "is one of submission (587, 465); otherwise opportunistic. A Unix socket has no TLS.",
        choices=("required", "opportunistic", "none"), example="required"),
    Key("ca_file", "path", "",
        "Certificates, in PEM, of the authorities to trust in addition to the system's. "
        "For a smarthost with a certificate of a private authority.",
        example="/etc/pysendmail/ca.pem"),
    Key("ca_file_only", "boolean", "false",
        "Whether the authorities of ca_file are the only ones that are trusted."),
    Key("tls_verify", "boolean", "true",
        "Whether the smarthost's certificate is verified. "
        "Without verification no password is sent, unless insecure_password says so."),
    Key("tls_pins", "pins", "",
        "Digests of which the smarthost's certificate or key must match one. "
        "sha256: and the digest of the certificate in hexadecimal (its fingerprint); or "
        "spki-sha256: and that of its public key in base64. A mismatch tells what was found. With "
        "tls_verify: false pins stand in the place of authorities.",
        example="spki-sha256:r/mIkG3eEpVdm+u/ko/cwxzOMo1bk4TyHIlByibiA5E="),
    Key("tls_certificate_file", "credential", "",
        "Our own certificate and its chain, in PEM, to show to the smarthost. "
        "Many then take mail without a login; for a login by it see sasl_mechanisms.",
        example="/etc/pysendmail/client.pem"),
    Key("tls_key_file", "credential", "",
        "The key of our own certificate, in PEM, without a passphrase. "
        "The daemon's user must be able to read it. Unset: it is in tls_certificate_file.",
        example="/etc/pysendmail/client.key"),
    Key("tls_minimum_version", "choice", "1.2",
        "The oldest version of TLS that is good enough. "
        "insecure-1.0 takes whatever the OpenSSL of this machine still can.",
        choices=("1.2", "1.3", "insecure-1.0")),
    Key("proxy", "proxy", "",
        "A SOCKS5 or HTTP proxy by which all smarthosts are reached, but for Unix sockets. "
        "socks5://host:port or http://host:port, with user:password@ before the host if the "
        "proxy wants them. It looks up the names of the smarthosts. Takes the package "
        "python-socks.",
        example="socks5://proxy.example.com:1080", secret=True, mounted=True),
    Key("source_address", "ip", "",
        "The address of this machine to connect from. "
        "Smarthosts are then reached by addresses of its family only.",
        example="192.0.2.25"),
    Key("ignore_extensions", "choices", "",
        "What is not used even where the smarthost offers it, for one that does it wrong.",
        choices=("PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "SIZE", "DSN", "LIMITS"),
        example="PIPELINING"),
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
    Key("messages_per_minute", "count", "0",
        "How many messages one smarthost gets from the daemon in a minute, evenly. "
        "What is more goes to the next smarthost, or waits in the spool, and the caller is told "
        "that all is well. 0: any number.",
        high=1_000_000),
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
    token_file: str
    token_command: str
    sasl_mechanisms: tuple[str, ...]
    sasl_authzid: bytes
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
    reserve: int
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
    ca_file_only: bool
    tls_verify: bool
    tls_pins: tuple[str, ...]
    tls_certificate_file: str
    tls_key_file: str
    tls_minimum_version: str
    proxy: str
    source_address: str
    ignore_extensions: tuple[str, ...]
    insecure_password: bool
    log: str
    connections: int
    messages_per_connection: int
    messages_per_minute: int
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
