"""The URL of a smarthost: `submission://smtp.example.com`, `lmtp:///run/dovecot/lmtp`.

The scheme says how to speak: `smtp` (port 25), `submission` (587, STARTTLS), `submissions`
(465, TLS from the first octet; RFC 8314 section 3.3) and `lmtp` (24, or a Unix socket).
A user or a password never stands in a URL: it would appear in logs and in `ps`.
"""

from __future__ import annotations

DEFAULT_PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "lmtp": 24}

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")
_IPV6_CHARACTERS = frozenset("0123456789abcdef:.")
# what others call these schemes
_FOREIGN_SCHEMES = {"smtps": "submissions", "ssl": "submissions", "tls": "submission"}


class SmarthostAddress:
    """Where a smarthost listens.

    `host` is a name or an address without brackets, or a path beginning with `/` for a Unix
    socket; then `port` is 0.
    """

    __slots__ = ("host", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port

    @property
    def is_local(self) -> bool:
        """Whether it is a Unix socket, where nobody listens in between."""
        return self.host.startswith("/")

    def __repr__(self) -> str:
        return f"SmarthostAddress({self.scheme!r}, {self.host!r}, {self.port})"

    def __str__(self) -> str:
        """Return the URL with the port spelt out: two addresses are equal when these are."""
        if self.is_local:
            return f"{self.scheme}://{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SmarthostAddress) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def parse_smarthost(text: str) -> SmarthostAddress:
    """Return the parts of a smarthost's URL.

    Raises ValueError with what is wrong; the error never repeats a text that may hold a password.
    """
    scheme, separator, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not separator:
        raise ValueError(
            "a smarthost begins with smtp://, submission://, submissions:// or lmtp://"
        )
    if "@" in rest:
        raise ValueError("no user or password in the URL: use the keys user and password_file")
    if scheme not in DEFAULT_PORTS:
        instead = _FOREIGN_SCHEMES.get(scheme)
        raise ValueError(
            f"write {instead}:// instead" if instead else "the scheme is not one we speak"
        )
    if rest.startswith("/"):
        return _unix_socket(scheme, rest)
    authority, _slash, path = rest.partition("/")
    if path:
        raise ValueError("nothing may follow the host and port")
    host, port = _split_port(authority)
    return SmarthostAddress(scheme, host, DEFAULT_PORTS[scheme] if port is None else port)


def _unix_socket(scheme: str, path: str) -> SmarthostAddress:
    if scheme != "lmtp":
        raise ValueError("only lmtp:// goes to a Unix socket; the host is missing")
    if len(path) < 2 or not path.isprintable():
        raise ValueError("the path of the socket is missing or unprintable")
    return SmarthostAddress(scheme, path, 0)


def _split_port(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        # the shape is enough here: whether the address exists is the resolver's to say
        address, percent, zone = host.partition("%")  # fe80::1%eth0, RFC 4007 section 11
        address = address.lower()
        shaped = ":" in address and _IPV6_CHARACTERS.issuperset(address)
        if not bracket or not shaped or (percent and not zone.isalnum()):
            raise ValueError("an IPv6 address stands in brackets: [2001:db8::1]")
        if rest and not rest.startswith(":"):
            raise ValueError("after the bracket only :PORT may follow")
        return address + percent + zone, _port(rest[1:]) if rest else None
    host, colon, port = authority.partition(":")
    host = host.lower()
    if ":" in port:
        raise ValueError("an IPv6 address stands in brackets: [2001:db8::1]")
    if not host or not _NAME_CHARACTERS.issuperset(host) or host.startswith(("-", ".")):
        raise ValueError(
            "the host is missing" if not host else "a host name is letters, digits, - and ."
        )
    return host, _port(port) if colon else None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise ValueError("a port is a number from 1 to 65535")
    return int(text)
